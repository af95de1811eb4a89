//! Where a running session keeps what it has finished.

use super::partial::{PartialError, PartialWriter};
use super::record::SessionRecord;

/// Keeps finished prompts safe while their session runs: in a file, in the history, or in both.
pub trait Keeper {
    /// What can go wrong; for people to read, since the session goes on in any case.
    type Error: std::error::Error;

    /// Keeps the prompt that has just been finished, the last of `record.runs`, with the samples that came since the last
    /// call, and waits until it is on disk.
    ///
    /// # Errors
    /// Whatever keeps it from being written; what was kept before stays.
    fn keep(&mut self, record: &SessionRecord) -> Result<(), Self::Error>;
}

impl Keeper for PartialWriter {
    type Error = PartialError;

    fn keep(&mut self, record: &SessionRecord) -> Result<(), PartialError> {
        record.runs.last().map_or(Ok(()), |run| self.append(record, run))
    }
}
