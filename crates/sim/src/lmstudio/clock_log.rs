//! What really happened in each generation, by the server's own clock: the truth that a client's times are judged by.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::plan::{Kind, Stop};
use crate::activity::raw_monotonic_ns;

/// Generations that [`ClockLog::recent`] remembers.
const REMEMBERED: usize = 1_000;

/// How a generation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As planned.
    Complete,
    /// The client closed the connection.
    ClientLeft,
    /// By a fault of the scenario.
    Fault,
    /// It never began: an error was answered, or the server was stopped.
    #[default]
    NotRun,
}

/// One piece of text that was handed to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SentDelta {
    /// When its last byte was handed over.
    pub at_ns: i64,
    /// When its last token was generated.
    pub generated_ns: i64,
    /// Tokens in it.
    pub tokens: u32,
    /// Bytes of text.
    pub bytes: usize,
    /// Reasoning or answer.
    pub kind: Kind,
}

/// The log of one generation; one line of the file. Instants are raw readings of the system's monotonic clock in
/// nanoseconds, `null` for what did not happen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RequestLog {
    /// Identifier, the same as in the activity file and in the header `X-Joulebar-Request`.
    pub request: String,
    /// Path of the route.
    pub route: String,
    /// True for a streamed answer.
    pub stream: bool,
    /// Instance that answered.
    pub model: String,
    /// The request's headers had been read.
    pub received_ns: i64,
    /// A model load began and ended.
    pub load_start_ns: Option<i64>,
    /// See `load_start_ns`.
    pub load_end_ns: Option<i64>,
    /// Prompt processing began.
    pub prefill_start_ns: Option<i64>,
    /// The first token was there: end of prompt processing.
    pub first_generated_ns: Option<i64>,
    /// The first bytes of text were handed to the socket (the whole answer, without streaming).
    pub first_token_ns: Option<i64>,
    /// The last token was generated, end token included.
    pub last_generated_ns: Option<i64>,
    /// The event that ends the generation was handed to the socket (`message.end`, the chunk with the finish reason).
    pub finish_ns: Option<i64>,
    /// The last byte of the body was handed to the socket.
    pub end_ns: Option<i64>,
    /// Prompt tokens, template included.
    pub prompt_tokens: u64,
    /// Of these, taken from the cache.
    pub cached_tokens: u64,
    /// Generated tokens, reasoning and end token included.
    pub output_tokens: u64,
    /// Of these, reasoning.
    pub reasoning_tokens: u64,
    /// Why generation ended.
    pub stop_reason: Option<Stop>,
    /// How the request ended.
    pub outcome: Outcome,
    /// When each token was generated.
    pub tokens_ns: Vec<i64>,
    /// Every non-empty delta of a stream.
    pub deltas: Vec<SentDelta>,
}

/// Collects the logs of a server.
#[derive(Debug)]
pub struct ClockLog {
    file: Option<Mutex<File>>,
    recent: Mutex<VecDeque<RequestLog>>,
}

impl ClockLog {
    /// Appends to `path`, or only remembers.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self { file: file.map(Mutex::new), recent: Mutex::default() })
    }

    /// The last 1,000 generations that have ended, oldest first.
    #[must_use]
    pub fn recent(&self) -> Vec<RequestLog> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn finish(&self, log: RequestLog) {
        if let Some(file) = &self.file {
            let line = serde_json::to_vec(&log).map(|mut line| {
                line.push(b'\n');
                line
            });
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = line.map_err(io::Error::from).and_then(|line| file.write_all(&line)) {
                super::complain(&format!("clock log could not be written: {error}"));
            }
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(log);
    }
}

/// The log of a generation that is still going on, shared between the engine and the body of the answer. When the last of
/// them lets go, it is written.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Open>);

#[derive(Debug)]
struct Open {
    log: Mutex<RequestLog>,
    into: Arc<ClockLog>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let log = std::mem::take(self.log.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.into.finish(log);
    }
}

impl Recorder {
    /// Begins the log of one generation.
    #[must_use]
    pub fn new(into: &Arc<ClockLog>, log: RequestLog) -> Self {
        Self(Arc::new(Open { log: Mutex::new(log), into: Arc::clone(into) }))
    }

    /// Changes the log.
    pub fn update<T>(&self, change: impl FnOnce(&mut RequestLog) -> T) -> T {
        change(&mut self.0.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the log with the present instant, read under its lock, and returns the instant.
    pub fn stamp(&self, change: impl FnOnce(&mut RequestLog, i64)) -> i64 {
        self.update(|log| {
            let now_ns = raw_monotonic_ns();
            change(log, now_ns);
            now_ns
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_written_when_the_last_holder_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("clock.ndjson");
        let log = Arc::new(ClockLog::open(Some(&path)).unwrap());
        let engine = Recorder::new(&log, RequestLog { request: "r1".into(), ..RequestLog::default() });
        let body = engine.clone();
        let first = engine.stamp(|log, now_ns| log.prefill_start_ns = Some(now_ns));
        drop(engine);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        body.update(|log| log.outcome = Outcome::Complete);
        drop(body);
        let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(line["request"], "r1");
        assert_eq!(line["prefill_start_ns"], first);
        assert_eq!(line["outcome"], "complete");
        assert!(line["first_token_ns"].is_null());
        assert_eq!(log.recent().len(), 1);
    }
}
