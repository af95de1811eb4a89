//! From the engine's steps to the bytes of an answer: the body of a stream, and the collected result without streaming.
//!
//! The clock log is stamped here, at the moment when the connection takes the bytes to write them to its socket.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::clock_log::{Recorder, SentDelta};
use super::engine::{Step, Summary};
use super::http;
use super::plan::Kind;
use super::scenario::Script;

/// What a piece of the body means for the clock log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    #[default]
    None,
    /// Text of one delta.
    Delta {
        /// Reasoning or answer.
        kind: Kind,
        /// Bytes of text.
        bytes: usize,
        /// Tokens in it.
        tokens: u32,
        /// When the last of them was generated.
        generated_ns: i64,
    },
    /// The event that ends the generation.
    Finish,
}

/// A piece of a streamed body, as a renderer of one API makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text, with LF line ends.
    Text(String, Mark),
    /// The connection breaks.
    Cut,
}

/// What remains of a [`Piece`] after the script has shaped it.
enum Out {
    Bytes(Bytes, Mark),
    Pause(Duration),
    Cut,
}

/// The answer that streams what `render` makes of the steps. `first` comes before those of `steps`.
pub fn streamed(
    first: Option<Step>,
    steps: mpsc::Receiver<Step>,
    recorder: Recorder,
    script: Script,
    render: impl FnMut(Step) -> Vec<Piece> + Send + 'static,
) -> Response {
    let id = recorder.update(|log| log.request.clone());
    let state = Streaming { first, steps, recorder, script, render, ready: VecDeque::new() };
    let body = Body::from_stream(stream::unfold(state, Streaming::next));
    http::with_request_id(http::event_stream(body), &id)
}

struct Streaming<R> {
    first: Option<Step>,
    steps: mpsc::Receiver<Step>,
    recorder: Recorder,
    script: Script,
    render: R,
    ready: VecDeque<Out>,
}

impl<R: FnMut(Step) -> Vec<Piece>> Streaming<R> {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        loop {
            match self.ready.pop_front() {
                Some(Out::Bytes(bytes, mark)) => {
                    stamp(&self.recorder, mark);
                    return Some((Ok(bytes), self));
                }
                Some(Out::Pause(duration)) => sleep(duration).await,
                Some(Out::Cut) => return Some((Err(io::ErrorKind::ConnectionAborted.into()), self)),
                None => {
                    let step = match self.first.take() {
                        Some(step) => step,
                        None => self.steps.recv().await?,
                    };
                    for piece in (self.render)(step) {
                        shape(piece, &self.script, &mut self.ready);
                    }
                }
            }
        }
    }
}

fn stamp(recorder: &Recorder, mark: Mark) {
    recorder.stamp(|log, now_ns| {
        log.end_ns = Some(now_ns);
        match mark {
            Mark::None => {}
            Mark::Delta { kind, bytes, tokens, generated_ns } => {
                log.first_token_ns.get_or_insert(now_ns);
                log.deltas.push(SentDelta { at_ns: now_ns, generated_ns, tokens, bytes, kind });
            }
            Mark::Finish => log.finish_ns = Some(now_ns),
        }
    });
}

/// Applies line ends and chunk borders. The mark goes with the last chunk: only then the client can have the event.
fn shape(piece: Piece, script: &Script, ready: &mut VecDeque<Out>) {
    let Piece::Text(text, mark) = piece else {
        // what was written before must be on its way, or the break would swallow it
        ready.extend([Out::Pause(Duration::from_millis(20)), Out::Cut]);
        return;
    };
    let text = if script.crlf { text.replace('\n', "\r\n") } else { text };
    let bytes = Bytes::from(text);
    let mut cuts: Vec<usize> = Vec::new();
    if script.split_utf8 {
        // behind the first byte of every character that has more than one
        cuts.extend(bytes.iter().enumerate().filter(|(_, byte)| **byte >= 0xC0).map(|(at, _)| at + 1));
    }
    if script.chunk_bytes > 0 {
        cuts.extend((script.chunk_bytes..bytes.len()).step_by(script.chunk_bytes));
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut start = 0;
    for cut in cuts {
        ready.push_back(Out::Bytes(bytes.slice(start..cut), Mark::None));
        if script.split_utf8 {
            // two writes instead of one, so that the client really reads half a character
            ready.push_back(Out::Pause(Duration::from_millis(1)));
        }
        start = cut;
    }
    ready.push_back(Out::Bytes(bytes.slice(start..), mark));
}

/// How a generation without streaming ended.
#[derive(Debug)]
pub enum Collected {
    /// With a result.
    Finished(Summary),
    /// The engine failed.
    Failed(String),
    /// The model could not be loaded.
    LoadFailed(String),
    /// Without an answer: the connection breaks.
    Broken,
}

/// Waits for the end of a generation and notes that its answer goes out now.
pub async fn collected(mut steps: mpsc::Receiver<Step>, recorder: &Recorder) -> Collected {
    let mut failure = None;
    while let Some(step) = steps.recv().await {
        match step {
            Step::Failed(message) => failure = Some(message),
            Step::LoadFailed(message) => return Collected::LoadFailed(message),
            Step::Finished(summary) => {
                recorder.stamp(|log, now_ns| {
                    log.first_token_ns = Some(now_ns);
                    log.finish_ns = Some(now_ns);
                    log.end_ns = Some(now_ns);
                });
                return failure.map_or(Collected::Finished(summary), Collected::Failed);
            }
            _ => {}
        }
    }
    Collected::Broken
}

/// An answer that breaks off in the middle of its body.
pub fn broken() -> Response {
    let pieces = [Ok(Bytes::from_static(b"{\n  \"")), Err(io::Error::from(io::ErrorKind::ConnectionAborted))];
    let body = Body::from_stream(stream::unfold(pieces.into_iter(), async |mut pieces| {
        let piece = pieces.next()?;
        if piece.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        Some((piece, pieces))
    }));
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("1000"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str, script: &Script) -> Vec<(Vec<u8>, Mark)> {
        let mut ready = VecDeque::new();
        shape(Piece::Text(text.to_owned(), Mark::Finish), script, &mut ready);
        ready
            .into_iter()
            .filter_map(|out| match out {
                Out::Bytes(bytes, mark) => Some((bytes.to_vec(), mark)),
                Out::Pause(_) | Out::Cut => None,
            })
            .collect()
    }

    #[test]
    fn borders_fall_inside_of_characters_and_the_mark_on_the_last_chunk() {
        let script = Script { split_utf8: true, ..Script::default() };
        let chunks = chunks("data: naïve 🌱\n\n", &script);
        assert_eq!(chunks.len(), 3);
        assert!(std::str::from_utf8(&chunks[0].0).is_err());
        assert_eq!(chunks.iter().map(|(_, mark)| *mark).collect::<Vec<_>>(), [Mark::None, Mark::None, Mark::Finish]);
        let whole: Vec<u8> = chunks.into_iter().flat_map(|(bytes, _)| bytes).collect();
        assert_eq!(String::from_utf8(whole).unwrap(), "data: naïve 🌱\n\n");
    }

    #[test]
    fn chunks_of_a_given_size_keep_every_byte() {
        let script = Script { chunk_bytes: 4, crlf: true, ..Script::default() };
        let chunks = chunks("data: 1\n\n", &script);
        assert_eq!(chunks.iter().map(|(bytes, _)| bytes.len()).collect::<Vec<_>>(), [4, 4, 3]);
        assert_eq!(chunks.concat_bytes(), b"data: 1\r\n\r\n");
    }

    trait ConcatBytes {
        fn concat_bytes(&self) -> Vec<u8>;
    }

    impl ConcatBytes for Vec<(Vec<u8>, Mark)> {
        fn concat_bytes(&self) -> Vec<u8> {
            self.iter().flat_map(|(bytes, _)| bytes.clone()).collect()
        }
    }
}
