//! Where a run's finished prompts are kept: in a file beside the report, and in the history.

use joulebar_core::report::Report;
use joulebar_core::session::keeper::Keeper;
use joulebar_core::session::partial::{PartialError, PartialWriter};
use joulebar_core::session::record::SessionRecord;
use joulebar_core::store::{RunId, RunKeeper, StoreError};

use super::plan::Plan;
use crate::{history, output};

/// The file, and the history where it is wanted and can be written.
#[derive(Debug)]
pub struct Kept {
    /// The file that `--resume` takes.
    pub partial: PartialWriter,
    /// The run in the history.
    pub history: Option<RunKeeper>,
}

/// Why a finished prompt is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// In the file.
    #[error(transparent)]
    Partial(#[from] PartialError),
    /// In the history.
    #[error(transparent)]
    History(#[from] StoreError),
}

impl Keeper for Kept {
    type Error = KeepError;

    fn keep(&mut self, record: &SessionRecord) -> Result<(), KeepError> {
        let partial = self.partial.keep(record);
        let history = self.history.as_mut().map_or(Ok(()), |history| history.keep(record));
        partial?;
        Ok(history?)
    }
}

/// Begins the run in the history. A history that can't be had is a note and never keeps a run from being measured.
pub fn begin(plan: &Plan, record: &SessionRecord) -> Option<RunKeeper> {
    if !plan.keep_history {
        return None;
    }
    let begun = history::open().and_then(|store| store.begin(record).map_err(|error| history::failure(&error)));
    match begun {
        Ok(keeper) => Some(keeper),
        Err(failure) => {
            output::note(&format!("note: this run is not kept in the history: {}", failure.in_one_line()));
            None
        }
    }
}

/// Ends the run in the history; its number there.
pub fn finish(keeper: Option<RunKeeper>, record: &SessionRecord, report: &Report) -> Option<RunId> {
    let keeper = keeper?;
    let id = keeper.id();
    keeper.finish(record, report).unwrap_or_else(|error| {
        let why = history::failure(&error).in_one_line();
        output::note(&format!("note: run {id} stays unfinished in the history: {why}"));
        None
    })
}
