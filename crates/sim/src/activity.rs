//! What the simulated Mac is doing, handed from the LM Studio server to `powermetrics` through a file.
//!
//! The file is append-only NDJSON, one [`Change`] per line, each written by a single `write` with `O_APPEND`, so that several
//! writers never mix their lines and a reader sees at most one unfinished line, the last. Times are raw readings of the
//! system's monotonic clock ([`raw_monotonic_ns`]), comparable between processes of one boot.
//!
//! A line speaks for one request: from `mono_ns` on that request is in `state`, until the next line for it. `idle` means that
//! the request has ended; `idle` without a request ends all of them. What several requests at once mean for power is the
//! model's business.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What one request makes the machine do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing: the request has ended.
    Idle,
    /// The prompt is being processed; no token yet.
    Prefill,
    /// Tokens are being generated.
    Decode,
}

/// One change of activity: one line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When it happens: raw monotonic nanoseconds.
    pub mono_ns: i64,
    /// The state from then on.
    pub state: State,
    /// The request it is about; `None` only with [`State::Idle`], for "everything has ended".
    pub request: Option<String>,
    /// Share of the state's full load, 0 to 1; `None` means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilization: Option<f64>,
}

/// Appends changes to an activity file. May be shared between threads.
#[derive(Debug)]
pub struct Writer {
    file: Mutex<File>,
}

impl Writer {
    /// Opens `path` for appending and creates it if need be.
    ///
    /// # Errors
    /// What opening the file says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// Writes that `request` is in `state` from now on and returns this instant in raw monotonic nanoseconds.
    /// The clock is read under the lock, so lines of one writer are in order of time.
    ///
    /// # Errors
    /// What writing says.
    pub fn record_now(&self, state: State, request: Option<&str>) -> io::Result<i64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mono_ns = raw_monotonic_ns();
        append(&mut file, &Change { mono_ns, state, request: request.map(str::to_owned), utilization: None })?;
        Ok(mono_ns)
    }

    /// Writes a change whose time and load the caller knows.
    ///
    /// # Errors
    /// What writing says.
    pub fn record(&self, change: &Change) -> io::Result<()> {
        append(&mut self.file.lock().unwrap_or_else(PoisonError::into_inner), change)
    }
}

fn append(file: &mut File, change: &Change) -> io::Result<()> {
    let mut line = serde_json::to_vec(change)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// Reads an activity file as it grows.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: Option<File>,
    unfinished: Vec<u8>,
    skipped_lines: u64,
}

impl Reader {
    /// A reader from the beginning of `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, unfinished: Vec::new(), skipped_lines: 0 }
    }

    /// All changes whose lines have been finished since the last call, in the order of the file. Empty while the file does
    /// not exist. A line that is no change is skipped and counted; an unfinished last line waits for its end.
    ///
    /// # Errors
    /// What opening or reading the file says, except that it does not exist.
    pub fn read_new(&mut self) -> io::Result<Vec<Change>> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = self.file.as_mut() else { return Ok(Vec::new()) };
        file.read_to_end(&mut self.unfinished)?;
        let Some(end) = self.unfinished.iter().rposition(|&byte| byte == b'\n') else { return Ok(Vec::new()) };
        let mut changes = Vec::new();
        for line in self.unfinished[..end].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(change) => changes.push(change),
                Err(_) => self.skipped_lines += 1,
            }
        }
        self.unfinished.drain(..=end);
        Ok(changes)
    }

    /// Goes to the present end of the file: what is there already is not read any more. Does nothing while there is no file.
    ///
    /// # Errors
    /// What opening or seeking says, except that the file does not exist.
    pub fn skip_to_end(&mut self) -> io::Result<()> {
        match File::open(&self.path) {
            Ok(mut file) => {
                file.seek(SeekFrom::End(0))?;
                self.file = Some(file);
                self.unfinished.clear();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How many finished lines were no changes.
    #[must_use]
    pub fn skipped_lines(&self) -> u64 {
        self.skipped_lines
    }
}

/// The system's raw monotonic clock in nanoseconds: `CLOCK_UPTIME_RAW` on macOS, `CLOCK_MONOTONIC` elsewhere.
#[must_use]
pub fn raw_monotonic_ns() -> i64 {
    #[cfg(target_os = "macos")]
    const CLOCK: libc::clockid_t = libc::CLOCK_UPTIME_RAW;
    #[cfg(not(target_os = "macos"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    let mut reading = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `reading` is a valid, writable timespec for the length of the call.
    let status = unsafe { libc::clock_gettime(CLOCK, &raw mut reading) };
    assert_eq!(status, 0, "the system has no monotonic clock");
    reading.tv_sec * 1_000_000_000 + reading.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_waits_for_a_file_and_for_the_end_of_a_torn_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("activity.ndjson");
        let mut reader = Reader::new(&path);
        assert_eq!(reader.read_new().unwrap(), []);

        let writer = Writer::open(&path).unwrap();
        let at = writer.record_now(State::Prefill, Some("a")).unwrap();
        let first = reader.read_new().unwrap();
        assert_eq!(
            first,
            [Change { mono_ns: at, state: State::Prefill, request: Some("a".into()), utilization: None }]
        );

        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"mono_ns":7,"state":"dec"#).unwrap();
        assert_eq!(reader.read_new().unwrap(), []);
        file.write_all(b"ode\",\"request\":\"a\",\"utilization\":0.5}\nnot json\n").unwrap();
        let second = reader.read_new().unwrap();
        assert_eq!(
            second,
            [Change { mono_ns: 7, state: State::Decode, request: Some("a".into()), utilization: Some(0.5) }]
        );
        assert_eq!(reader.skipped_lines(), 1);
        assert_eq!(reader.read_new().unwrap(), []);
    }

    #[test]
    fn lines_of_many_threads_stay_whole_and_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("activity.ndjson");
        let writer = Writer::open(&path).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let writer = &writer;
                scope.spawn(move || {
                    for index in 0..100 {
                        writer.record_now(State::Decode, Some(&format!("{thread}-{index}"))).unwrap();
                    }
                });
            }
        });
        let changes = Reader::new(&path).read_new().unwrap();
        assert_eq!(changes.len(), 400);
        assert!(changes.is_sorted_by_key(|change| change.mono_ns));
    }

    #[test]
    fn reader_that_skips_to_the_end_sees_only_what_comes_after() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("activity.ndjson");
        let writer = Writer::open(&path).unwrap();
        writer.record_now(State::Prefill, Some("old")).unwrap();
        let mut reader = Reader::new(&path);
        reader.skip_to_end().unwrap();
        writer.record_now(State::Idle, None).unwrap();
        let changes = reader.read_new().unwrap();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].request, None);
    }
}
