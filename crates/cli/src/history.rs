//! `joulebar history`: earlier runs, and how other commands reach them.

use std::path::Path;

use joulebar_core::folders::data_folder;
use joulebar_core::report;
use joulebar_core::session::record::EndReason;
use joulebar_core::store::{Filter, ListOrder, Opened, RunId, RunRow, RunState, Store, StoreError};

use crate::args::{HistoryArguments, HistoryCommand, HistoryListArguments};
use crate::bench::table::describe;
use crate::exit::{Code, Failure};
use crate::places::{cannot_write, obstacle};
use crate::{format, output, table};

/// Does what was asked with the history.
pub fn run(arguments: &HistoryArguments) -> Result<Code, Failure> {
    let store = open()?;
    match arguments.command.as_ref() {
        None => list(&store, &arguments.list)?,
        Some(HistoryCommand::List(arguments)) => list(&store, arguments)?,
        Some(HistoryCommand::Show { id }) => show(&store, RunId(*id))?,
        Some(HistoryCommand::Export { id, file }) => export(&store, RunId(*id), file)?,
        Some(HistoryCommand::Delete { id }) => {
            store.delete(RunId(*id)).map_err(|error| failure(&error))?;
            output::line(&format!("Run {id} is deleted, with its samples."))?;
        }
        Some(HistoryCommand::Rename { id, name }) => {
            store.rename(RunId(*id), name).map_err(|error| failure(&error))?;
            match name.trim() {
                "" => output::line(&format!("Run {id} has no name now."))?,
                name => output::line(&format!("Run {id} is {name} now."))?,
            }
        }
    }
    Ok(Code::Success)
}

/// Opens the history; what the user should know about it is a note.
///
/// # Errors
/// [`Code::CannotWrite`] and [`Code::BadInput`] when there is none to be had.
pub fn open() -> Result<Store, Failure> {
    let folder = data_folder().map_err(|error| Failure::of(Code::CannotWrite, &error))?;
    let Opened { store, notice } = Store::open(&folder).map_err(|error| failure(&error))?;
    if let Some(notice) = notice {
        output::note(&format!("note: {notice}"));
    }
    Ok(store)
}

/// What a failure of the history means for the command.
pub fn failure(error: &StoreError) -> Failure {
    match error {
        StoreError::NoSuchRun { .. } => Failure::of(Code::BadInput, error).next("see the runs with `joulebar history`"),
        StoreError::Running { .. } => Failure::of(Code::Unavailable, error),
        // its text says why
        StoreError::Damaged { id, .. } => Failure::new(Code::BadInput, error.to_string())
            .next(format!("joulebar history delete {id}, or the report that `joulebar bench` wrote")),
        StoreError::Open { .. } | StoreError::Read { .. } => Failure::of(Code::BadInput, error),
        StoreError::Folder { .. } | StoreError::Write { .. } | StoreError::ReadOnly { .. } => {
            Failure::of(Code::CannotWrite, error).next("free some space, or name another folder with JOULEBAR_DATA")
        }
    }
}

fn list(store: &Store, arguments: &HistoryListArguments) -> Result<(), Failure> {
    let failed = |error| failure(&error);
    let filter = Filter { model: arguments.model.clone(), ..Filter::default() };
    let rows = store.list(&filter, ListOrder::default(), arguments.limit, 0).map_err(failed)?;
    if arguments.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| Failure::of(Code::Failed, &error))?;
        return output::line(&text);
    }
    if rows.is_empty() {
        let any = store.count(&Filter::default()).map_err(failed)? > 0;
        return output::line(if any { "No runs match." } else { "No runs yet. Measure with `joulebar bench`." });
    }
    let head = ["id", "started (UTC)", "name", "model", "quant", "", "prompts", "J/token", "tok/s", "power"];
    output::line(&table::layout(&head, 6, rows.iter().map(row)))?;
    match store.count(&filter).map_err(failed)?.saturating_sub(arguments.limit) {
        0 => Ok(()),
        more => output::line(&format!("and {} more; --limit shows them", format::count(more.into()))),
    }
}

fn row(row: &RunRow) -> [String; 10] {
    let simulated = if row.simulated { "simulated" } else { "" };
    let state = match row.state {
        RunState::Completed => "",
        RunState::Running => "running",
        RunState::Interrupted => "interrupted",
    };
    let remarks: Vec<&str> = [simulated, state].into_iter().filter(|word| !word.is_empty()).collect();
    [
        row.id.to_string(),
        minute(&row.started_at),
        row.name.clone().unwrap_or_default(),
        row.model.clone(),
        format::or_dash(row.quantization.clone(), |quantization| quantization),
        remarks.join(", "),
        format!("{}/{}", row.prompts_done, row.prompts_planned),
        format::or_dash(row.net_energy_per_token_j, format::energy_per_token),
        format::or_dash(row.tokens_per_second, format::rate),
        format::or_dash(row.inference_power_mw, format::power),
    ]
}

/// `2026-01-02T03:04:05.678Z` → `2026-01-02 03:04`; anything else as it is.
fn minute(started_at: &str) -> String {
    match (started_at.get(..10), started_at.get(10..11), started_at.get(11..16)) {
        (Some(day), Some("T"), Some(minute)) => format!("{day} {minute}"),
        _ => started_at.to_owned(),
    }
}

fn show(store: &Store, id: RunId) -> Result<(), Failure> {
    let report = store.get(id).map_err(|error| failure(&error))?;
    let row = store.row(id).map_err(|error| failure(&error))?;
    let row = row.ok_or_else(|| failure(&StoreError::NoSuchRun { id }))?;
    let name = row.name.map(|name| format!(", {name}")).unwrap_or_default();
    output::line(&format!("Run {id}{name}, {} UTC, Joulebar {}", minute(&row.started_at), row.tool_version))?;
    output::line(&format!("\n{}\n", describe(&report)))?;
    let (done, planned) = (row.prompts_done, row.prompts_planned);
    match (row.state, row.end_reason) {
        (RunState::Completed, _) => Ok(()),
        (RunState::Running, _) => output::line(&format!("It is running: {done} of {planned} prompts are finished.")),
        (RunState::Interrupted, reason) => output::line(&format!(
            "{} after {done} of {planned} prompts.\nGo on with: joulebar history export {id} FILE, then \
             joulebar bench --resume FILE",
            match reason {
                Some(EndReason::PowerLost | EndReason::NoSamples) => "The power source was lost",
                Some(EndReason::ServerLost) => "The server was lost",
                Some(EndReason::Interrupted | EndReason::Completed) => "Stopped",
                None => "It ended without a word, as by a crash,",
            }
        )),
    }
}

fn export(store: &Store, id: RunId, file: &Path) -> Result<(), Failure> {
    if let Some(obstacle) = obstacle(file) {
        return Err(cannot_write(file).because_text(obstacle).next("give the name of a file, like report.json"));
    }
    let report = store.get(id).map_err(|error| failure(&error))?;
    report::write_report(file, &report)
        .map_err(|error| Failure::of(Code::CannotWrite, &error).next("give another file"))?;
    let simulated = if report.simulated { "Simulated report" } else { "Report" };
    output::line(&format!("{simulated} of run {id} in {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_shown_to_the_minute() {
        assert_eq!(minute("2026-01-02T03:04:05.678Z"), "2026-01-02 03:04");
        assert_eq!(minute("yesterday"), "yesterday");
        assert_eq!(minute("2026-01-02 äöüäöü"), "2026-01-02 äöüäöü");
    }
}
