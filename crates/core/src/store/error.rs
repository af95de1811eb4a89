//! What can go wrong with the history, split by what can be done next.
#![expect(missing_docs, reason = "each message is the documentation")]

use std::path::PathBuf;

use super::RunId;
use super::codec::FormError;
use crate::report::Difference;

/// Why the history cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the folder of the history, {path}, can't be used")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the history {path} can't be opened")]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("the history {path} can't be read")]
    Read { path: PathBuf, source: rusqlite::Error },
    #[error("the history {path} can't be written")]
    Write { path: PathBuf, source: rusqlite::Error },
    #[error("the history {path} is open for reading only")]
    ReadOnly { path: PathBuf },
    #[error("there is no run {id} in the history")]
    NoSuchRun { id: RunId },
    #[error("run {id} is running now; wait for its end or stop it")]
    Running { id: RunId },
    #[error("run {id} can't be read from the history: {source}")]
    Damaged { id: RunId, source: Damage },
}

/// What is wrong with a run's facts.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("its stored bytes are damaged: {0}")]
    Form(#[from] FormError),
    #[error("its stored facts were changed after it had ended")]
    Seal,
    #[error("its facts contradict each other in {} places", .0.len())]
    Contradictions(Vec<Difference>),
}
