//! A recorded capture as a source: the same samples as when it was recorded, at the same pace or as fast as possible.
//!
//! Knows the order and the pace. Leaves reading and decoding to [`super::capture`]. Samples follow each other without a
//! gap, whatever lay between the recordings in the file, beginning at the instant when the source was opened.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::capture::{CaptureReader, CaptureSample};
use super::decoded::NoteCounts;
use super::{Boundary, PowerError, PowerSource, SourceDescription};
use crate::clock::{Clock, MonotonicTime};
use crate::sample::{Origin, PowerSample};

/// Samples that are read ahead.
const READ_AHEAD: usize = 16;

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A sample comes when as much time has passed as lies before its end in the recording.
    Recorded,
    /// A sample comes as soon as it is read.
    Fastest,
}

/// Samples of a recording. Dropping it ends the thread that reads it.
#[derive(Debug)]
pub struct ReplaySource {
    samples: mpsc::Receiver<Result<CaptureSample, PowerError>>,
    pace: Pace,
    /// The instant of the runtime at which the recording began.
    began: Instant,
    /// The same instant on the session's clock.
    start: MonotonicTime,
    /// Where the next sample begins.
    next_start: MonotonicTime,
    /// The sample whose time has not come yet.
    held: Option<PowerSample>,
    notes: NoteCounts,
}

impl ReplaySource {
    /// Opens a recorded capture; its first sample begins now. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`PowerError::Capture`] when the file cannot be opened.
    pub fn open(path: &Path, pace: Pace, clock: Clock) -> Result<Self, PowerError> {
        let file =
            File::open(path).map_err(|source| PowerError::Capture { path: path.display().to_string(), source })?;
        Ok(Self::new(file, pace, clock))
    }

    /// Plays what `recording` gives, standard input for instance. Must be called inside a tokio runtime.
    pub fn new(recording: impl Read + Send + 'static, pace: Pace, clock: Clock) -> Self {
        let (sender, samples) = mpsc::channel(READ_AHEAD);
        std::thread::spawn(move || {
            for outcome in CaptureReader::new(recording) {
                if sender.blocking_send(outcome).is_err() {
                    break;
                }
            }
        });
        let start = clock.now();
        let (began, notes) = (Instant::now(), NoteCounts::default());
        Self { samples, pace, began, start, next_start: start, held: None, notes }
    }

    /// What was not taken as it stood in the samples given out so far.
    #[must_use]
    pub fn notes(&self) -> NoteCounts {
        self.notes
    }

    fn place(&mut self, captured: CaptureSample) -> Result<PowerSample, PowerError> {
        let CaptureSample { index, offset, decoded } = captured;
        let unplaced = || {
            let reason = "it does not say how long the sample was, so it has no place in time".to_owned();
            PowerError::MalformedSample { index, offset, reason }
        };
        let notes = NoteCounts::from(&decoded.notes[..]);
        let end = self.next_start + decoded.elapsed.ok_or_else(unplaced)?;
        let sample = decoded.ending_at(end, Origin::Replay).ok_or_else(unplaced)?;
        self.notes.add(&notes);
        self.next_start = end;
        Ok(sample)
    }
}

impl PowerSource for ReplaySource {
    async fn next_sample(&mut self) -> Result<Option<PowerSample>, PowerError> {
        if self.held.is_none() {
            match self.samples.recv().await {
                None => return Ok(None),
                Some(outcome) => self.held = Some(self.place(outcome?)?),
            }
        }
        if let (Pace::Recorded, Some(sample)) = (self.pace, &self.held) {
            sleep_until(self.began + sample.end.saturating_since(self.start)).await;
        }
        Ok(self.held.take())
    }

    async fn mark(&mut self, _boundary: Boundary) -> Result<(), PowerError> {
        Ok(())
    }

    async fn stop(&mut self) {
        self.samples.close();
        self.held = None;
        while self.samples.recv().await.is_some() {}
    }

    fn description(&self) -> SourceDescription {
        SourceDescription {
            name: "replay".to_owned(),
            origin: Origin::Replay,
            requested_interval_ms: None,
            samplers: Vec::new(),
            helper_version: None,
            way: None,
            passed_over: Vec::new(),
        }
    }
}
