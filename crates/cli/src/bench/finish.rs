//! The end of a run: from its record to files, words and an exit code.

use std::path::Path;

use joulebar_core::files::{NewFile, resolve};
use joulebar_core::report::{self, Report};
use joulebar_core::sample_row::write_csv;
use joulebar_core::session::record::{EndReason, SessionRecord};
use joulebar_core::session::runner::{SessionFailure, SessionResult};
use joulebar_core::session::setup::pending;
use joulebar_core::store::RunId;

use super::keeping::{self, Kept};
use super::plan::{Plan, is_session_file};
use super::table;
use crate::exit::{Code, Failure, even_unread};
use crate::places::cannot_write;
use crate::{format, models, output, sources};

/// Ends the command when the session to resume has no prompt left: nothing to do for a report; for a session's file
/// the report was lost between its last prompt and its end, and is written now.
pub fn nothing_left(plan: &mut Plan) -> Result<Option<Code>, Failure> {
    let Some(record) = plan.unfinished.take_if(|record| pending(record).is_empty()) else { return Ok(None) };
    let from = plan.resumed_from.clone().unwrap_or_default();
    if !is_session_file(&from) {
        let prompts = format::counted(record.runs.len() as u64, "prompt");
        let text = format!("{} is complete: {prompts}. Nothing is left to do.", from.display());
        if plan.json {
            output::note(&text)
        } else {
            output::line(&text)?
        }
        return Ok(Some(Code::Success));
    }
    plan.check_outputs()?;
    let record = SessionRecord { end: EndReason::Completed, ..record };
    let report = report::derive(&record);
    let id = keeping::finish(keeping::begin(plan, &record), &record, &report);
    write_files(plan, &report, &from)?;
    remove(&from);
    print(plan, &report, id)?;
    Ok(Some(Code::Success))
}

/// Writes the report and says how it went. `aside` is where an older session's file was moved to.
pub fn write(plan: &Plan, result: SessionResult<Kept>, aside: Option<&Path>) -> Result<Code, Failure> {
    let SessionResult { record, keeper: Kept { partial, history }, failure } = result;
    let report = report::derive(&record);
    let id = keeping::finish(history, &record, &report);
    if record.runs.is_empty() {
        // an older report must not be lost to an empty one
        let _ = partial.remove();
        return Err(why(&record, failure, plan).unwrap_or_else(|| {
            Failure::new(Code::Interrupted, "stopped before a prompt was finished, so there is no report")
        }));
    }
    write_files(plan, &report, partial.path())?;
    if let Err(error) = partial.remove() {
        output::note(&format!("note: {error}"));
    }
    if let Some(aside) = aside.filter(|_| resumed_in_place(plan)) {
        remove(aside);
    }
    print(plan, &report, id)?;
    if let Some(failure) = why(&record, failure, plan) {
        return Err(failure);
    }
    let code = if record.end == EndReason::Interrupted { Code::Interrupted } else { Code::Success };
    match unanswered(&report, code, plan) {
        Some(failure) => Err(failure),
        None => Ok(code),
    }
}

/// True when the session's file stood where the new one was made, and so was moved aside.
fn resumed_in_place(plan: &Plan) -> bool {
    let place = joulebar_core::session::partial::partial_path(&plan.output);
    plan.resumed_from.as_deref().is_some_and(|from| from == place)
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        output::note(&format!("note: {} could not be removed: {error}", path.display()));
    }
}

fn write_files(plan: &Plan, report: &Report, partial: &Path) -> Result<(), Failure> {
    report::write_report(&plan.output, report).map_err(|error| {
        Failure::of(Code::CannotWrite, &error)
            .because_text(format!(
                "{}; nothing is lost, the finished prompts are in {}",
                cause(&error),
                partial.display()
            ))
            .next(format!("free some space, then joulebar bench --resume {}", partial.display()))
    })?;
    let Some(csv) = &plan.csv else { return Ok(()) };
    let write = || -> csv::Result<()> {
        let mut file = NewFile::create_or_overwrite(&resolve(csv))?;
        write_csv(report.samples.iter().cloned(), &mut file)?;
        file.settle()?;
        Ok(())
    };
    write().map_err(|error| {
        cannot_write(csv)
            .because(&error)
            .next(format!("free some space; the samples are in {} too", plan.output.display()))
    })
}

fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn print(plan: &Plan, report: &Report, id: Option<RunId>) -> Result<(), Failure> {
    let printed = if plan.json {
        output::json(&serde_json::json!({
            "event": "report",
            "simulated": report.simulated,
            "interrupted": report.interrupted,
            "summary": report.summary,
            "warnings": report.warnings,
            "output": plan.output,
            "csv": plan.csv,
            "history_id": id,
        }))
    } else {
        print_words(plan, report, id)
    };
    even_unread(printed)
}

fn print_words(plan: &Plan, report: &Report, id: Option<RunId>) -> Result<(), Failure> {
    let path = plan.output.display();
    output::line(&format!("\n{}\n", table::describe(report)))?;
    if report.interrupted {
        output::line(&format!(
            "Stopped after {} of {} prompts.\nGo on with: joulebar bench --resume {path}",
            report.summary.total_prompts, report.summary.planned_prompts
        ))?;
    }
    if let Some(csv) = &plan.csv {
        output::line(&format!("Samples in {}", csv.display()))?;
    }
    if let Some(id) = id {
        output::line(&format!("Kept as run {id}; all runs: joulebar history"))?;
    }
    output::line(&format!("Check it with: joulebar verify {path}"))?;
    output::line(&if report.simulated { format!("Simulated report in {path}") } else { format!("Report in {path}") })
}

/// Says that prompts got no answer; `None` when all did.
fn unanswered(report: &Report, code: Code, plan: &Plan) -> Option<Failure> {
    let why = report.prompts.iter().find_map(|prompt| prompt.error.as_ref())?;
    let code = if code == Code::Success { Code::Unavailable } else { code };
    let prompts = format::counted(report.summary.total_prompts.into(), "prompt");
    let what = format!("{} of {prompts} failed", report.summary.failed_prompts);
    Some(Failure::new(code, what).because_text(why).next(format!("joulebar bench --resume {}", plan.output.display())))
}

/// Why a session ended before its time; `None` when it did not, or when the user wanted it.
fn why(record: &SessionRecord, failure: Option<SessionFailure>, plan: &Plan) -> Option<Failure> {
    let (done, total) = (record.runs.len(), record.header.suite.prompts.len());
    let resume = format!("joulebar bench --resume {}", plan.output.display());
    let failure = match (failure, record.end) {
        (Some(SessionFailure::Server(error)), _) => models::failure(&error),
        (Some(SessionFailure::Power(error)), _) => sources::failure(&error),
        (Some(SessionFailure::PowerEnded), _) => {
            Failure::new(Code::Unavailable, format!("the power source ended after {done} of {total} prompts"))
                .next("give a longer recording with --source replay:FILE")
        }
        (None, EndReason::NoSamples) => Failure::new(Code::Unavailable, "no power samples were collected")
            .next("try `sudo powermetrics -n 1` to see whether it works"),
        (None, EndReason::Completed | EndReason::Interrupted) => return None,
        (None, EndReason::PowerLost) => Failure::new(Code::Unavailable, "the power source was lost"),
        (None, EndReason::ServerLost) => Failure::new(Code::Unavailable, "the server was lost"),
    };
    Some(if done > 0 { failure.next(resume) } else { failure })
}
