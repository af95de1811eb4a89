//! The list of runs: what it shows, and how it is searched and sorted.

use rusqlite::{OptionalExtension, Params, Row, params};
use serde::{Deserialize, Serialize};

use super::facts::{from_word, to_word};
use super::lock::RunLock;
use super::{RunId, Store, StoreError};
use crate::session::record::EndReason;

/// One run in the list. Figures are those of its report's summary; missing while it runs, and where the report has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RunRow {
    /// Its number.
    pub id: RunId,
    /// Its start, ISO 8601 in UTC.
    pub started_at: String,
    /// The name that the user gave it.
    pub name: Option<String>,
    /// Key of the model.
    pub model: String,
    /// Quantization of the model, where the server says.
    pub quantization: Option<String>,
    /// Chip of the machine, where known.
    pub chip: Option<String>,
    /// Prompts that ran, failed ones included.
    pub prompts_done: u32,
    /// Prompts of its suite.
    pub prompts_planned: u32,
    /// Net energy per generated token; only for a whole suite.
    pub net_energy_per_token_j: Option<f64>,
    /// Mean decode rate.
    pub tokens_per_second: Option<f64>,
    /// Mean power during inference.
    pub inference_power_mw: Option<f64>,
    /// True when power, server or both were simulated.
    pub simulated: bool,
    /// How far it is.
    pub state: RunState,
    /// How it ended; `None` while it runs, and when its process ended without a word.
    pub end_reason: Option<EndReason>,
    /// Version of Joulebar that began it.
    pub tool_version: String,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It is going on, in this process or in another.
    Running,
    /// It ended before all its prompts had run, and can be resumed.
    Interrupted,
    /// All its prompts ran.
    Completed,
}

impl RunState {
    /// A state of a newer version is none that this one could go on with.
    pub(super) fn of(word: &str) -> Self {
        from_word(word.to_owned()).unwrap_or(Self::Interrupted)
    }
}

/// Which runs to list. The default lets all through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Text within name, model, quantization or chip, in either case (of ASCII letters).
    pub text: Option<String>,
    /// Text within the model's key, in either case.
    pub model: Option<String>,
    /// Only simulated runs, or only measured ones.
    pub simulated: Option<bool>,
}

/// What to sort by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// Start.
    #[default]
    Started,
    /// The user's name, without one the model.
    Name,
    /// The model's key.
    Model,
    /// Net energy per token.
    NetEnergyPerToken,
    /// Decode rate.
    TokensPerSecond,
    /// Mean power during inference.
    InferencePower,
}

/// An order: newest or highest first, unless `ascending`. Runs that lack the value come last in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListOrder {
    /// What to sort by.
    pub by: SortBy,
    /// Oldest or lowest first.
    pub ascending: bool,
}

impl ListOrder {
    fn sql(self) -> String {
        let direction = if self.ascending { "ASC" } else { "DESC" };
        let (column, may_miss) = match self.by {
            SortBy::Started => ("started_at", false),
            SortBy::Name => ("lower(coalesce(name, model))", false),
            SortBy::Model => ("lower(model)", false),
            SortBy::NetEnergyPerToken => ("net_energy_per_token_j", true),
            SortBy::TokensPerSecond => ("tokens_per_second", true),
            SortBy::InferencePower => ("inference_power_mw", true),
        };
        let missing = if may_miss { format!("{column} IS NULL, ") } else { String::new() };
        format!("{missing}{column} {direction}, id {direction}")
    }
}

const COLUMNS: &str = "id, started_at, name, model, quantization, chip, prompts_done, prompts_planned, \
                       net_energy_per_token_j, tokens_per_second, inference_power_mw, simulated, state, end_reason, \
                       tool_version";

/// `?1` text, `?2` model, `?3` simulated.
const WHERE: &str = "(?1 IS NULL OR instr(lower(coalesce(name, '') || char(10) || model || char(10) || \
                     coalesce(quantization, '') || char(10) || coalesce(chip, '')), lower(?1))) \
                     AND (?2 IS NULL OR instr(lower(model), lower(?2))) AND (?3 IS NULL OR simulated = ?3)";

impl Store {
    /// The runs that pass `filter`, at most `limit` of them after the first `offset`.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn list(&self, filter: &Filter, order: ListOrder, limit: u32, offset: u32) -> Result<Vec<RunRow>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM runs WHERE {WHERE} ORDER BY {} LIMIT ?4 OFFSET ?5", order.sql());
        let read = |row: &Row| self.read_row(row);
        self.all(&query, params![filter.text, filter.model, filter.simulated, limit, offset], read)
    }

    /// How many runs pass `filter`.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn count(&self, filter: &Filter) -> Result<u32, StoreError> {
        let count = format!("SELECT count(*) FROM runs WHERE {WHERE}");
        self.connection
            .query_row(&count, params![filter.text, filter.model, filter.simulated], |row| row.get(0))
            .map_err(|source| self.read_failed(source))
    }

    /// The list's row of one run; `None` when there is none of this number.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn row(&self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        self.connection
            .query_row(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?1"), [id.0], |row| self.read_row(row))
            .optional()
            .map_err(|source| self.read_failed(source))
    }

    /// Runs that were interrupted and can be resumed, newest first: those that a crash left (without an end reason) and
    /// those that ended early. [`Store::settle`] is done first where the history can be written.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Write`], [`StoreError::Folder`].
    pub fn unfinished(&self) -> Result<Vec<RunRow>, StoreError> {
        if self.writable {
            self.settle()?;
        }
        let query = format!("SELECT {COLUMNS} FROM runs WHERE state = ?1 ORDER BY id DESC");
        self.all(&query, [to_word(&RunState::Interrupted)], |row| self.read_row(row))
    }

    /// Runs that are marked as going on.
    pub(super) fn marked_running(&self) -> Result<Vec<RunId>, StoreError> {
        self.all("SELECT id FROM runs WHERE state = 'running'", [], |row| row.get(0).map(RunId))
    }

    fn all<T>(
        &self,
        query: &str,
        parameters: impl Params,
        read: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let failed = |source| self.read_failed(source);
        let mut query = self.connection.prepare(query).map_err(failed)?;
        query.query_map(parameters, read).and_then(Iterator::collect).map_err(failed)
    }

    /// A run that is marked as running without a holder has ended, even if that could not be written (a full disk).
    fn read_row(&self, row: &Row) -> rusqlite::Result<RunRow> {
        let mut row = read_row(row)?;
        if row.state == RunState::Running && !RunLock::is_held(&self.folder, row.id) {
            row.state = RunState::Interrupted;
        }
        Ok(row)
    }
}

fn read_row(row: &Row) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: RunId(row.get(0)?),
        started_at: row.get(1)?,
        name: row.get(2)?,
        model: row.get(3)?,
        quantization: row.get(4)?,
        chip: row.get(5)?,
        prompts_done: row.get(6)?,
        prompts_planned: row.get(7)?,
        net_energy_per_token_j: row.get(8)?,
        tokens_per_second: row.get(9)?,
        inference_power_mw: row.get(10)?,
        simulated: row.get(11)?,
        state: RunState::of(row.get_ref(12)?.as_str()?),
        end_reason: row.get::<_, Option<String>>(13)?.and_then(from_word),
        tool_version: row.get(14)?,
    })
}
