//! The history: every run with its raw facts, in one SQLite database in the data folder.
//!
//! Knows how runs are kept while they go on, how they are listed, loaded and deleted, and what happens to a database that
//! is damaged or newer than this program. Keeps facts, not reports: a report is derived from them when it is asked for.
//! Several processes may use one history at a time. Leaves to others where the folder is ([`crate::folders`]) and
//! what a run means ([`crate::report`]).

mod codec;
mod detail;
mod error;
mod facts;
mod forms;
mod keeper;
mod list;
mod lock;
mod open;
mod schema;
#[cfg(test)]
mod tests;

pub use codec::FormError;
pub use detail::{RunDetail, RunList, RunQuery};
pub use error::{Damage, StoreError};
pub use keeper::RunKeeper;
pub use list::{Filter, ListOrder, RunRow, RunState, SortBy};
pub use open::{Notice, Opened};

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use self::facts::{Facts, Figures};
use self::lock::RunLock;
use crate::report::{self, Report};
use crate::session::record::{EndReason, SessionRecord};
use crate::session::setup::pending;

/// A run's number in its history, from 1. Not given again after a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct RunId(pub u32);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An open history. Its calls wait for the disk, and for another process that writes for a few seconds at most.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    path: PathBuf,
    connection: Connection,
    writable: bool,
}

impl Store {
    /// Opens the history in `folder`, and makes both if need be. A damaged database is set aside and a new one begun; one
    /// of a newer version, or in a folder that can only be read, is opened for reading.
    ///
    /// # Errors
    /// [`StoreError::Folder`] and [`StoreError::Open`] when there is no history and none can be made.
    pub fn open(folder: &Path) -> Result<Opened, StoreError> {
        let (store, notice) = open::open(folder)?;
        if store.writable {
            store.settle()?;
        }
        Ok(Opened { store, notice })
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// False when the history can only be read.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Begins to keep a session: as a new run, or as the run that it goes on with. Everything that the record holds is on
    /// disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Write`], [`StoreError::Folder`].
    pub fn begin(&self, record: &SessionRecord) -> Result<RunKeeper, StoreError> {
        self.check_writable()?;
        RunKeeper::begin(&self.folder, &self.path, record)
    }

    /// The raw facts of a run, finished or not.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`], [`StoreError::Damaged`], [`StoreError::Read`].
    pub fn record(&self, id: RunId) -> Result<SessionRecord, StoreError> {
        let facts = self.facts(id)?.ok_or(StoreError::NoSuchRun { id })?;
        facts.record().map_err(|source| StoreError::Damaged { id, source })
    }

    /// The report of a run, derived from its facts, which are checked first: that they are as they were when the run ended,
    /// and that they don't contradict each other. It is the report that `joulebar verify` accepts.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`], [`StoreError::Damaged`], [`StoreError::Read`].
    pub fn get(&self, id: RunId) -> Result<Report, StoreError> {
        let record = self.record(id)?;
        let contradictions = report::contradictions(&record);
        if !contradictions.is_empty() {
            return Err(StoreError::Damaged { id, source: Damage::Contradictions(contradictions) });
        }
        Ok(report::derive(&record))
    }

    /// Names a run; an empty name takes it away.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`], [`StoreError::ReadOnly`], [`StoreError::Write`].
    pub fn rename(&self, id: RunId, name: &str) -> Result<(), StoreError> {
        self.check_writable()?;
        let name = Some(name.trim()).filter(|name| !name.is_empty());
        let renamed = self
            .connection
            .execute("UPDATE runs SET name = ?2 WHERE id = ?1", params![id.0, name])
            .map_err(|source| self.write_failed(source))?;
        if renamed == 0 { Err(StoreError::NoSuchRun { id }) } else { Ok(()) }
    }

    /// Deletes a run with its samples, without asking, and gives the space back to the disk.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`], [`StoreError::Running`], [`StoreError::ReadOnly`], [`StoreError::Write`].
    pub fn delete(&self, id: RunId) -> Result<(), StoreError> {
        self.check_writable()?;
        // the lock's file must not be made for a number that never was
        if self.row(id)?.is_none() {
            return Err(StoreError::NoSuchRun { id });
        }
        let _lock = self.lock(id)?.ok_or(StoreError::Running { id })?;
        let deleted = self.connection.execute("DELETE FROM runs WHERE id = ?1", [id.0]);
        if deleted.map_err(|source| self.write_failed(source))? == 0 {
            return Err(StoreError::NoSuchRun { id });
        }
        // what is deleted is deleted, even if another process keeps the space from being given back now
        let _ = self.connection.execute_batch("PRAGMA incremental_vacuum");
        Ok(())
    }

    /// Marks runs whose process has ended without a word as interrupted, with the figures of what they had finished. A run
    /// that had finished nothing is removed: there is nothing of it to show or to go on with. Runs that are going on are
    /// left alone. [`Store::open`] does this too; it costs nothing when there is nothing to do.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Write`], [`StoreError::Folder`].
    pub fn settle(&self) -> Result<(), StoreError> {
        for id in self.marked_running()? {
            let Some(_lock) = self.lock(id)? else { continue };
            self.settle_run(id)?;
        }
        Ok(())
    }

    fn settle_run(&self, id: RunId) -> Result<(), StoreError> {
        let failed = |source| self.write_failed(source);
        let transaction = rusqlite::Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate);
        let transaction = transaction.map_err(failed)?;
        let Some(facts) = self.facts(id)? else { return Ok(()) };
        if facts.state != RunState::Running {
            // it ended in order between our look and our lock
            return Ok(());
        }
        match facts.record() {
            Ok(record) if record.runs.is_empty() => {
                transaction.execute("DELETE FROM runs WHERE id = ?1", [id.0]).map_err(failed)?;
            }
            Ok(record) => {
                let end = pending(&record).is_empty().then_some(EndReason::Completed);
                let record = SessionRecord { end: end.unwrap_or(EndReason::Interrupted), ..record };
                let mut figures = Figures::of(&report::derive(&record));
                figures.end_reason = end;
                figures.write(&transaction, id).map_err(failed)?;
                facts.write_seal(&transaction, id).map_err(failed)?;
            }
            // whoever opens it will learn what is wrong with it
            Err(_) => {
                let interrupted = "UPDATE runs SET state = 'interrupted' WHERE id = ?1";
                transaction.execute(interrupted, [id.0]).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }

    fn facts(&self, id: RunId) -> Result<Option<Facts>, StoreError> {
        let read = || {
            // all of it as it stood at one instant, whoever writes meanwhile
            let _instant = match self.connection.is_autocommit() {
                true => Some(self.connection.unchecked_transaction()?),
                false => None,
            };
            Facts::read(&self.connection, id)
        };
        read().map_err(|source| self.read_failed(source))
    }

    fn lock(&self, id: RunId) -> Result<Option<RunLock>, StoreError> {
        RunLock::take(&self.folder, id).map_err(|source| StoreError::Folder { path: self.folder.clone(), source })
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        if self.writable { Ok(()) } else { Err(StoreError::ReadOnly { path: self.path.clone() }) }
    }

    fn read_failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Read { path: self.path.clone(), source }
    }

    fn write_failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Write { path: self.path.clone(), source }
    }
}
