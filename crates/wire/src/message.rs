//! The messages themselves. Each is one flat JSON object whose `t` names it; every other key is a field below.

use serde::{Deserialize, Serialize};

use crate::limits::MAX_DETAIL_CHARS;
use crate::sampler::{IntervalMs, Sampler, Samplers};

/// What a client may ask. A closed list: no path, argument or environment crosses to the helper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Opens the conversation; must be the first message. Its shape never changes.
    Hello {
        /// The client's [`crate::PROTOCOL`].
        proto: u16,
        /// The client's version, `1.4.0`. For the log only.
        app: String,
    },
    /// Asks for samples. One stream per client at a time.
    Start {
        /// The client's own number for the stream; comes back in everything that belongs to it.
        id: u64,
        /// The interval to ask powermetrics for. With several clients the shortest one holds for all.
        interval_ms: IntervalMs,
        /// The samplers to ask powermetrics for.
        samplers: Samplers,
    },
    /// Ends a stream.
    Stop {
        /// The stream's number.
        id: u64,
    },
    /// Has powermetrics end the running sample now (a boundary sample), at a phase boundary of the client.
    Mark {
        /// The stream's number.
        id: u64,
        /// The client's own number for the mark.
        n: u64,
    },
    /// Asks for a sign of life.
    Ping {
        /// Any number; comes back in the answer.
        n: u64,
    },
}

/// What the helper answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// Answer to `hello`. Its shape never changes.
    HelloOk {
        /// The helper's [`crate::PROTOCOL`].
        proto: u16,
        /// The helper's version, `1.4.0`.
        helper: String,
        /// What the helper was built from (commit), `unknown` if that was not recorded.
        build: String,
        /// Whether this machine has a powermetrics that the helper would run.
        powermetrics: bool,
        /// True for a build that runs a simulator in its place: its samples are no measurements.
        simulated: bool,
    },
    /// powermetrics runs for this stream; sent again whenever it was started anew.
    Started {
        /// The stream's number.
        id: u64,
        /// The interval in use, maybe shorter than asked for.
        interval_ms: IntervalMs,
        /// The samplers in use, maybe fewer than asked for (not on this macOS) or more (another client's).
        samplers: Samplers,
    },
    /// One document of powermetrics; a raw frame of exactly `len` bytes follows.
    Sample {
        /// The stream's number.
        id: u64,
        /// Number of the document in this stream, from 0. Documents that were dropped are counted, so a jump is a gap.
        seq: u64,
        /// When the last byte of the document was read: raw nanoseconds of `CLOCK_UPTIME_RAW` on macOS and
        /// `CLOCK_MONOTONIC` elsewhere.
        mono_ns: i64,
        /// Where the document began in the output of the running powermetrics, in bytes.
        offset: u64,
        /// Documents of this stream that were not delivered so far: damaged, or too many on their way.
        dropped: u64,
        /// Length of the document, in bytes.
        len: u32,
    },
    /// Answer to `mark`.
    Marked {
        /// The stream's number.
        id: u64,
        /// The mark's number.
        n: u64,
        /// When powermetrics was signalled, on the clock of `sample.mono_ns`.
        mono_ns: i64,
    },
    /// The stream has ended. Nothing more comes with this id.
    Stopped {
        /// The stream's number.
        id: u64,
        /// Why it ended.
        reason: StopReason,
    },
    /// Answer to `ping`.
    Pong {
        /// The number that was sent.
        n: u64,
    },
    /// Something went wrong. Ends a stream only when `stopped` follows.
    Error {
        /// What the client can act upon.
        code: ErrorCode,
        /// The stream that it concerns, if one is concerned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// For a reader, at most [`MAX_DETAIL_CHARS`] characters, no control characters.
        detail: String,
    },
}

impl Reply {
    /// An error whose detail is made fit to send: control characters escaped, length capped.
    #[must_use]
    pub fn error(code: ErrorCode, id: Option<u64>, detail: &str) -> Self {
        let escaped = detail.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] });
        Self::Error { code, id, detail: escaped.take(MAX_DETAIL_CHARS).collect() }
    }
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The client asked for it.
    Client,
    /// powermetrics could not be kept running; an `error` came before.
    Failed,
    /// The helper ends.
    Shutdown,
}

/// What kind of error a reply reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not understood, or not now (before `hello`, second stream, unknown id).
    BadRequest,
    /// Too many clients.
    Busy,
    /// More requests than allowed.
    TooFast,
    /// Another protocol version, or none of the samplers exists here.
    Unsupported,
    /// The helper lacks the rights to read power.
    Permission,
    /// This machine has no powermetrics that can be used.
    Unavailable,
    /// powermetrics ended on its own and restarting it did not help.
    ChildExit,
    /// powermetrics wrote a document beyond [`crate::limits::MAX_DOCUMENT_BYTES`].
    Oversize,
    /// The helper failed.
    Internal,
}

// The list of samplers that may be asked for must fit into one request.
const _: () = assert!(Sampler::ALL.len() <= crate::limits::MAX_SAMPLERS);
