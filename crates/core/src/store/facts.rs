//! A run as it stands in the database, and what is derived from it for the list.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::RunId;
use super::codec::FormError;
use super::error::Damage;
use super::forms::{read_deltas, read_samples, write_deltas, write_samples};
use super::list::RunState;
use crate::report::Report;
use crate::sample::PowerSample;
use crate::session::record::{EndReason, Outcome, PromptRun, SessionRecord};

/// The stored facts of a run, not yet taken apart.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) state: RunState,
    end_reason: Option<EndReason>,
    header: String,
    segments: String,
    rejected_documents: u64,
    seal: Option<Vec<u8>>,
    /// JSON without deltas, and the deltas.
    prompts: Vec<(String, Vec<u8>)>,
    samples: Vec<Vec<u8>>,
}

impl Facts {
    /// Reads a run; `None` when there is none of this number.
    pub(super) fn read(connection: &Connection, id: RunId) -> rusqlite::Result<Option<Self>> {
        let facts = connection.query_row(
            "SELECT state, end_reason, header, segments, rejected_documents, seal \
             FROM runs JOIN records ON run_id = id WHERE id = ?1",
            [id.0],
            |row| {
                Ok(Self {
                    state: RunState::of(row.get_ref(0)?.as_str()?),
                    end_reason: row.get::<_, Option<String>>(1)?.and_then(from_word),
                    header: row.get(2)?,
                    segments: row.get(3)?,
                    rejected_documents: row.get::<_, i64>(4)?.cast_unsigned(),
                    seal: row.get(5)?,
                    prompts: Vec::new(),
                    samples: Vec::new(),
                })
            },
        );
        let Some(mut facts) = facts.optional()? else { return Ok(None) };
        let mut prompts = connection.prepare("SELECT run, deltas FROM prompts WHERE run_id = ?1 ORDER BY position")?;
        facts.prompts = prompts.query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let mut samples = connection.prepare("SELECT rows FROM samples WHERE run_id = ?1 ORDER BY position")?;
        facts.samples = samples.query_map([id.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(Some(facts))
    }

    /// Takes the facts apart.
    ///
    /// # Errors
    /// [`Damage`] when they are not what was written.
    pub(super) fn record(&self) -> Result<SessionRecord, Damage> {
        if self.seal.as_ref().is_some_and(|seal| *seal != self.sealed()) {
            return Err(Damage::Seal);
        }
        let mut samples = Vec::new();
        self.samples.iter().try_for_each(|rows| read_samples(rows, &mut samples))?;
        let runs = self.prompts.iter().map(|(run, deltas)| read_run(run, deltas)).collect::<Result<_, _>>()?;
        Ok(SessionRecord {
            header: serde_json::from_str(&self.header).map_err(FormError::from)?,
            segments: serde_json::from_str(&self.segments).map_err(FormError::from)?,
            runs,
            samples,
            rejected_documents: self.rejected_documents,
            end: self.end_reason.unwrap_or(EndReason::Interrupted),
        })
    }

    /// Seals the facts: from now on a change is noticed. It finds accidents, not forgers.
    pub(super) fn write_seal(&self, connection: &Connection, id: RunId) -> rusqlite::Result<()> {
        connection.execute("UPDATE records SET seal = ?2 WHERE run_id = ?1", params![id.0, self.sealed()]).map(drop)
    }

    fn sealed(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        // lengths keep neighbours apart
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(self.header.as_bytes());
        add(self.segments.as_bytes());
        add(&self.rejected_documents.to_le_bytes());
        for (run, deltas) in &self.prompts {
            add(run.as_bytes());
            add(deltas);
        }
        self.samples.iter().for_each(|rows| add(rows));
        hash.finalize().to_vec()
    }
}

/// What the list shows of a run that has ended.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    /// How it ended; `None` when its process ended without a word.
    pub(super) end_reason: Option<EndReason>,
    prompts_done: u32,
    net_energy_per_token_j: Option<f64>,
    tokens_per_second: Option<f64>,
    inference_power_mw: Option<f64>,
    simulated: bool,
}

impl Figures {
    pub(super) fn of(report: &Report) -> Self {
        Self {
            end_reason: Some(report.end_reason),
            prompts_done: report.summary.total_prompts,
            net_energy_per_token_j: report.summary.net_energy_per_token_j,
            tokens_per_second: report.summary.avg_tokens_per_second,
            inference_power_mw: report.summary.avg_inference_power_mw,
            simulated: report.simulated,
        }
    }

    /// Ends a run with these figures.
    pub(super) fn write(&self, connection: &Connection, id: RunId) -> rusqlite::Result<()> {
        let state =
            if self.end_reason == Some(EndReason::Completed) { RunState::Completed } else { RunState::Interrupted };
        connection
            .execute(
                "UPDATE runs SET prompts_done = ?2, net_energy_per_token_j = ?3, tokens_per_second = ?4, \
                 inference_power_mw = ?5, simulated = ?6, state = ?7, end_reason = ?8 WHERE id = ?1",
                params![
                    id.0,
                    self.prompts_done,
                    self.net_energy_per_token_j,
                    self.tokens_per_second,
                    self.inference_power_mw,
                    self.simulated,
                    to_word(&state),
                    self.end_reason.as_ref().and_then(to_word),
                ],
            )
            .map(drop)
    }
}

/// Writes a run's row and its header; its prompts and samples come as it goes on. `id` is the run that is begun anew,
/// which must be empty; `None` makes a new one.
pub(super) fn write_header(
    connection: &Connection,
    id: Option<RunId>,
    record: &SessionRecord,
) -> rusqlite::Result<RunId> {
    let header = &record.header;
    let simulated = header.server.simulated || header.power_source.origin == crate::sample::Origin::Simulator;
    let facts = [
        ("started_at", Value::from(header.benchmark_id.clone())),
        ("model", header.model.key.clone().into()),
        ("quantization", header.model.quantization.clone().into()),
        ("chip", header.environment.chip.clone().into()),
        ("prompts_done", 0.into()),
        ("prompts_planned", u32::try_from(header.suite.prompts.len()).unwrap_or(u32::MAX).into()),
        ("net_energy_per_token_j", Value::Null),
        ("tokens_per_second", Value::Null),
        ("inference_power_mw", Value::Null),
        ("simulated", simulated.into()),
        ("state", to_word(&RunState::Running).into()),
        ("end_reason", Value::Null),
        ("tool_version", header.tool_version.clone().into()),
    ];
    let (names, mut values): (Vec<&str>, Vec<Value>) = facts.into_iter().unzip();
    let id = match id {
        Some(id) => {
            let changes: Vec<String> = names.iter().map(|name| format!("{name} = ?")).collect();
            values.push(id.0.into());
            let change = format!("UPDATE runs SET {} WHERE id = ?", changes.join(", "));
            connection.execute(&change, params_from_iter(values))?;
            id
        }
        None => {
            let places = vec!["?"; names.len()].join(", ");
            let insert = format!("INSERT INTO runs ({}) VALUES ({places}) RETURNING id", names.join(", "));
            connection.query_row(&insert, params_from_iter(values), |row| row.get(0)).map(RunId)?
        }
    };
    connection.execute(
        "INSERT INTO records (run_id, header, segments, rejected_documents) VALUES (?1, ?2, ?3, 0)",
        params![id.0, to_json(header)?, to_json(&record.segments)?],
    )?;
    Ok(id)
}

/// Adds a prompt that has finished.
pub(super) fn write_run(connection: &Connection, id: RunId, position: i64, run: &PromptRun) -> rusqlite::Result<()> {
    let mut run = run.clone();
    let deltas = match &mut run.outcome {
        Outcome::Completed { generation } | Outcome::Failed { partial: Some(generation), .. } => {
            std::mem::take(&mut generation.timeline.deltas)
        }
        Outcome::Failed { partial: None, .. } => Vec::new(),
    };
    connection
        .prepare("INSERT INTO prompts (run_id, position, run, deltas) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id.0, position, to_json(&run)?, write_deltas(&deltas)])
        .map(drop)
}

/// Adds a chunk of samples.
pub(super) fn write_chunk(
    connection: &Connection,
    id: RunId,
    position: i64,
    samples: &[PowerSample],
) -> rusqlite::Result<()> {
    connection
        .prepare("INSERT INTO samples (run_id, position, rows) VALUES (?1, ?2, ?3)")?
        .execute(params![id.0, position, write_samples(samples)])
        .map(drop)
}

fn read_run(run: &str, deltas: &[u8]) -> Result<PromptRun, FormError> {
    let mut run: PromptRun = serde_json::from_str(run)?;
    let deltas = read_deltas(deltas)?;
    match &mut run.outcome {
        Outcome::Completed { generation } | Outcome::Failed { partial: Some(generation), .. } => {
            generation.timeline.deltas = deltas;
        }
        Outcome::Failed { partial: None, .. } => {}
    }
    Ok(run)
}

fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// The word that stands for a value without content in JSON; `None` for any other value.
pub(super) fn to_word(value: &impl Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Some(word),
        _ => None,
    }
}

/// The value that a word stands for; `None` for words of a newer version.
pub(super) fn from_word<T: DeserializeOwned>(word: String) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word)).ok()
}
