//! Keeping one run while it goes on.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior, params};

use super::facts::{self, Facts, Figures};
use super::list::RunState;
use super::lock::RunLock;
use super::{RunId, StoreError, open};
use crate::report::Report;
use crate::session::keeper::Keeper;
use crate::session::record::{PromptRun, SessionRecord};

/// Keeps one run in the history while it goes on. Dropped without [`RunKeeper::finish`], as by a crash, it leaves an
/// interrupted run with all prompts that were kept.
#[derive(Debug)]
pub struct RunKeeper {
    path: PathBuf,
    connection: Connection,
    id: RunId,
    written: Written,
    /// Says that this run is going on.
    _lock: RunLock,
}

/// How much of the record is in the database.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    runs: usize,
    samples: usize,
    chunks: i64,
}

impl RunKeeper {
    pub(super) fn begin(folder: &Path, path: &Path, record: &SessionRecord) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Write { path: path.into(), source };
        let no_lock = |source| StoreError::Folder { path: folder.into(), source };
        let mut connection = open::connect(path).map_err(failed)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let mut lock = None;
        for id in earlier(&transaction, record).map_err(failed)? {
            lock = RunLock::take(folder, id).map_err(no_lock)?.map(|lock| (id, lock));
            if lock.is_some() {
                break;
            }
        }
        if let Some((id, _)) = &lock {
            for table in ["records", "prompts", "samples"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE run_id = ?1"), [id.0]).map_err(failed)?;
            }
        }
        let id = facts::write_header(&transaction, lock.as_ref().map(|(id, _)| *id), record).map_err(failed)?;
        let lock = match lock {
            Some((_, lock)) => lock,
            // before anybody else can see the run, and take it for one that was left
            None => RunLock::take(folder, id).map_err(no_lock)?.ok_or(StoreError::Running { id })?,
        };
        let written = write(&transaction, id, Written::default(), record).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { path: path.into(), connection, id, written, _lock: lock })
    }

    /// The run's number.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Ends the run with the figures of its report, which is the one that is derived from `record`. A run without a
    /// finished prompt is removed: `None`.
    ///
    /// # Errors
    /// [`StoreError::Write`]; what was kept before stays, as an interrupted run.
    pub fn finish(mut self, record: &SessionRecord, report: &Report) -> Result<Option<RunId>, StoreError> {
        self.end(record, report).map_err(|source| StoreError::Write { path: self.path, source })
    }

    /// For tests that fill the disk.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn end(&mut self, record: &SessionRecord, report: &Report) -> rusqlite::Result<Option<RunId>> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let kept = if record.runs.is_empty() {
            transaction.execute("DELETE FROM runs WHERE id = ?1", [self.id.0])?;
            None
        } else {
            write(&transaction, self.id, self.written, record)?;
            Figures::of(report).write(&transaction, self.id)?;
            if let Some(facts) = Facts::read(&transaction, self.id)? {
                facts.write_seal(&transaction, self.id)?;
            }
            Some(self.id)
        };
        transaction.commit().map(|()| kept)
    }

    fn catch_up(&mut self, record: &SessionRecord) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = write(&transaction, self.id, self.written, record)?;
        transaction.commit()?;
        self.written = written;
        Ok(())
    }
}

impl Keeper for RunKeeper {
    type Error = StoreError;

    fn keep(&mut self, record: &SessionRecord) -> Result<(), StoreError> {
        self.catch_up(record).map_err(|source| StoreError::Write { path: self.path.clone(), source })
    }
}

/// Writes what the record holds beyond what is written already: after a failure, what could not be written then too.
fn write(connection: &Connection, id: RunId, written: Written, record: &SessionRecord) -> rusqlite::Result<Written> {
    for (position, run) in (0..).zip(&record.runs).skip(written.runs) {
        facts::write_run(connection, id, position, run)?;
    }
    let mut chunks = written.chunks;
    let samples = record.samples.get(written.samples..).unwrap_or_default();
    if !samples.is_empty() {
        facts::write_chunk(connection, id, chunks, samples)?;
        chunks += 1;
    }
    let done = u32::try_from(record.runs.len()).unwrap_or(u32::MAX);
    connection.execute("UPDATE runs SET prompts_done = ?2 WHERE id = ?1", params![id.0, done])?;
    connection.execute(
        "UPDATE records SET rejected_documents = ?2 WHERE run_id = ?1",
        params![id.0, record.rejected_documents.cast_signed()],
    )?;
    Ok(Written { runs: record.runs.len(), samples: record.samples.len(), chunks })
}

/// Interrupted runs of the same session of which nothing would be lost if this record took their place, newest first.
fn earlier(connection: &Connection, record: &SessionRecord) -> rusqlite::Result<Vec<RunId>> {
    if record.segments.len() < 2 && record.runs.is_empty() {
        // it has just begun
        return Ok(Vec::new());
    }
    let mut same = connection.prepare(
        "SELECT id FROM runs WHERE started_at = ?1 AND model = ?2 AND state <> 'completed' ORDER BY id DESC",
    )?;
    let header = &record.header;
    let found = same.query_map([&header.benchmark_id, &header.model.key], |row| row.get(0).map(RunId))?;
    let found: Vec<RunId> = found.collect::<Result<_, _>>()?;
    let mut earlier = Vec::new();
    for id in found {
        let Some(facts) = Facts::read(connection, id)? else { continue };
        let whole = |run: &PromptRun| run.outcome.completed().is_some();
        let superseded = facts.state != RunState::Completed
            && facts
                .record()
                .is_ok_and(|old| old.runs.iter().filter(|run| whole(run)).all(|run| record.runs.contains(run)));
        if superseded {
            earlier.push(id);
        }
    }
    Ok(earlier)
}
