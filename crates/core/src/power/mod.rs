//! Sources of power: one trait, an asynchronous stream of samples.

pub mod align;
pub mod authorized;
pub mod capture;
pub mod counters;
pub mod decoded;
pub mod demo;
pub mod helper;
pub mod link;
pub mod open;
pub mod piped;
pub mod powermetrics;
pub mod replay;
pub mod row;
pub mod source;
pub mod summary;
#[cfg(target_os = "macos")]
pub mod system;
pub mod system_rail;
mod text;
pub mod transport;
pub mod way;
pub mod xpc;

use std::future::Future;

use crate::sample::{Origin, PowerSample};

/// A stream of power samples, oldest first.
pub trait PowerSource: Send {
    /// Waits for the next sample; `None` once the source has ended in order.
    /// Cancel-safe: a dropped future loses no sample.
    ///
    /// # Errors
    /// An error for which [`PowerError::is_fatal`] is false concerns one document, or a gap; the stream goes on.
    /// Every other error ends the stream.
    fn next_sample(&mut self) -> impl Future<Output = Result<Option<PowerSample>, PowerError>> + Send;

    /// Says that the session crosses a phase boundary now. A source that can ends a sample here (boundary sample);
    /// others do nothing. Never blocks on the sample itself.
    ///
    /// # Errors
    /// Fails only when the source is gone.
    fn mark(&mut self, boundary: Boundary) -> impl Future<Output = Result<(), PowerError>> + Send;

    /// Ends the source in order: no process stays behind.
    fn stop(&mut self) -> impl Future<Output = ()> + Send;

    /// What the samples are and how they were asked for.
    fn description(&self) -> SourceDescription;
}

/// A phase boundary inside one prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Boundary {
    /// The request was sent: baseline ends, prefill begins.
    RequestSent,
    /// The first token arrived: prefill ends, decode begins.
    FirstToken,
    /// The last token arrived: cooldown begins.
    LastToken,
    /// The cooldown is over.
    CooldownEnd,
}

/// What a source is, for the report and the screen.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SourceDescription {
    /// Short name: `helper`, `powermetrics`, `counters`, `replay`, `demo`.
    pub name: String,
    /// Where its samples come from.
    pub origin: Origin,
    /// Interval that was asked for, in milliseconds; `None` where the capture decides.
    pub requested_interval_ms: Option<u32>,
    /// Samplers that were asked for, by powermetrics' names.
    pub samplers: Vec<String>,
    /// Version of the helper, where one is used.
    pub helper_version: Option<String>,
    /// How power is read; `None` for what is not measured now, and in reports of older versions.
    #[serde(default)]
    pub way: Option<Way>,
    /// Better ways that were not to be had when this one was chosen, and why.
    #[serde(default)]
    pub passed_over: Vec<PassedOver>,
}

pub use way::{PassedOver, Way};

pub use error::PowerError;
mod error {
    #![expect(missing_docs, reason = "each message is the documentation")]

    /// Why a sample, or the whole source, is not to be had.
    #[derive(Debug, thiserror::Error)]
    pub enum PowerError {
        #[error("the power source {program} could not be started")]
        Spawn { program: String, source: std::io::Error },
        #[error("helper speaks protocol {found}, this version needs {needed}")]
        ProtocolMismatch { found: u16, needed: u16 },
        #[error("the helper is not allowed to read power: {detail}")]
        PermissionDenied { detail: String },
        #[error("no power source on this machine: {detail}")]
        Unavailable { detail: String },
        #[error("powermetrics ended: {detail}")]
        ChildExited { detail: String },
        #[error("the helper broke the protocol: {detail}")]
        Protocol { detail: String },
        #[error("no complete sample for {waited_s:.1} s")]
        Stale { waited_s: f64 },
        #[error("document {index} at byte {offset} could not be decoded: {reason}")]
        MalformedSample { index: u64, offset: u64, reason: String },
        #[error("document {index} at byte {offset} is not whole: the stream ended inside it")]
        Truncated { index: u64, offset: u64 },
        #[error("capture {path} could not be read")]
        Capture { path: String, source: std::io::Error },
        #[error("reading the power source failed")]
        Io(#[from] std::io::Error),
        #[error("no helper is registered and allowed to run")]
        NotRegistered,
        #[error("a program that is not signed as the helper is answers under its name")]
        Stranger,
        #[error("the helper ended and does not stay up: {detail}")]
        Interrupted { detail: String },
        #[error("the helper ended and was started anew: no samples for {lasted_s:.1} s")]
        Gap { lasted_s: f64 },
    }

    impl PowerError {
        /// False when only something was lost and the stream goes on.
        #[must_use]
        pub fn is_fatal(&self) -> bool {
            !matches!(self, Self::MalformedSample { .. } | Self::Truncated { .. } | Self::Gap { .. })
        }
    }
}
