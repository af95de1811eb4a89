//! Before and between runs of a session: its first record, and going on with an unfinished one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::partial::{PartialError, read_partial};
use super::record::{EndReason, Header, Segment, Server, SessionRecord, Settings};
use crate::clock::{Clock, MonotonicTime};
use crate::environment::Environment;
use crate::lmstudio::{Client, Model, SelectedModel};
use crate::power::SourceDescription;
use crate::report::{self, ReportError};
use crate::suite::Suite;

/// Distance on the session's clock between an interrupted stretch and its continuation: no sample of one can take part
/// in the pads of the other.
const RESUME_DISTANCE: Duration = Duration::from_secs(3_600);

/// What a session is made of before it starts.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Lengths, nonce, seed.
    pub settings: Settings,
    /// What is asked.
    pub suite: Suite,
    /// The model that answers.
    pub model: Model,
    /// The server that answers.
    pub server: Server,
    /// The machine.
    pub environment: Environment,
    /// Where power comes from.
    pub power_source: SourceDescription,
}

/// The record of a session that begins now on `clock`.
#[must_use]
pub fn new_record(session: NewSession, clock: &Clock) -> SessionRecord {
    let started_at = wall_clock();
    SessionRecord {
        segments: vec![Segment { origin: clock.now(), started_at: started_at.clone() }],
        header: Header {
            benchmark_id: started_at,
            tool_version: env!("CARGO_PKG_VERSION").into(),
            model: session.model,
            server: session.server,
            settings: session.settings,
            suite: session.suite,
            environment: session.environment,
            power_source: session.power_source,
        },
        runs: Vec::new(),
        samples: Vec::new(),
        rejected_documents: 0,
        end: EndReason::Interrupted,
    }
}

/// The present wall-clock time, ISO 8601 in UTC with milliseconds.
#[must_use]
pub fn wall_clock() -> String {
    let now = OffsetDateTime::now_utc();
    let now = now.replace_nanosecond(now.nanosecond() / 1_000_000 * 1_000_000).unwrap_or(now);
    now.format(&Rfc3339).unwrap_or_default()
}

/// What a session notes of the server; asks it for its engine once.
pub async fn describe_server(client: &Client, selected: &SelectedModel) -> Server {
    Server {
        url: client.base_url().to_owned(),
        api: client.api(),
        lm_studio: client.is_lm_studio(),
        app_version: client.app_version().map(str::to_owned),
        engine: client.engine(&selected.model).await,
        simulated: client.is_simulated(),
        model_load_s: selected.load_time_s,
    }
}

/// Indices into the suite of the prompts that have no whole answer yet, in the suite's order.
#[must_use]
pub fn pending(record: &SessionRecord) -> Vec<usize> {
    let done: HashSet<&str> =
        record.runs.iter().filter(|run| run.outcome.completed().is_some()).map(|run| run.id.as_str()).collect();
    let prompts = record.header.suite.prompts.iter().enumerate();
    prompts.filter(|(_, prompt)| !done.contains(prompt.id.as_str())).map(|(index, _)| index).collect()
}

/// The first fact that a report states once and that would not be true of both stretches.
fn changed_fact(header: &Header, model: &Model, server: &Server) -> Option<&'static str> {
    let (old, was) = (&header.model, &header.server);
    [
        ("whether the server is simulated", was.simulated != server.simulated),
        ("the API", was.api != server.api),
        ("whether the server is LM Studio", was.lm_studio != server.lm_studio),
        ("the inference engine", was.engine != server.engine),
        ("the quantization", old.quantization != model.quantization),
        ("the size of the model", old.size_bytes != model.size_bytes),
        ("the context length", old.context_length != model.context_length),
    ]
    .into_iter()
    .find_map(|(fact, changed)| (changed && old.key == model.key).then_some(fact))
}

/// Why an unfinished session cannot go on.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum ResumeError {
    #[error(transparent)]
    Partial(#[from] PartialError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{path} does not verify, so it cannot be resumed: {source}")]
    Unverified { path: PathBuf, source: report::VerifyError },
    #[error("the session measured {found}, but {present} would answer now; load {found} or start a new session")]
    OtherModel { found: String, present: String },
    #[error("{fact} has changed since the session began; set it as it was, or start a new session")]
    OtherServer { fact: &'static str },
    #[error("the session has phase lengths that no session can have; the file was changed")]
    BadSettings,
    #[error("the session took its power from {found}, but the source is {present} now; use the same --source")]
    OtherSource { found: String, present: String },
}

/// Loads an unfinished session from its partial file or from an interrupted report.
///
/// # Errors
/// [`ResumeError`] when the file is missing, neither of the two, or a report that does not verify.
pub fn load_unfinished(path: &Path) -> Result<SessionRecord, ResumeError> {
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        return Ok(read_partial(path)?);
    }
    let (report, json) = report::read_report(path)?;
    report::verify(&report, &json).map_err(|source| ResumeError::Unverified { path: path.into(), source })?;
    Ok(report::record_of(&report))
}

/// Prepares a loaded session for its next stretch. Failed prompts are dropped, so that they run again; the returned
/// clock goes on an hour after the last instant of the record.
///
/// # Errors
/// [`ResumeError`] when another model, another server or another kind of power source would go on: a report has one of
/// each, and what is simulated must never pass as measured.
pub fn resume(
    mut record: SessionRecord,
    model: &Model,
    server: &Server,
    power_source: &SourceDescription,
) -> Result<(SessionRecord, Clock), ResumeError> {
    if !record.header.settings.is_possible() {
        return Err(ResumeError::BadSettings);
    }
    if let Some(fact) = changed_fact(&record.header, model, server) {
        return Err(ResumeError::OtherServer { fact });
    }
    if record.header.model.key != model.key {
        return Err(ResumeError::OtherModel { found: record.header.model.key.clone(), present: model.key.clone() });
    }
    if record.header.power_source.origin != power_source.origin {
        return Err(ResumeError::OtherSource {
            found: record.header.power_source.name.clone(),
            present: power_source.name.clone(),
        });
    }
    record.runs.retain(|run| run.outcome.completed().is_some());
    // the instance may have another name now
    record.header.model.instance_id.clone_from(&model.instance_id);
    let last_sample = record.samples.iter().map(|sample| sample.end).max();
    let last_mark = record.runs.iter().map(|run| run.marks.cooldown_end).max();
    let last = last_sample.max(last_mark).unwrap_or(MonotonicTime(0));
    let clock = Clock::starting_at(last + RESUME_DISTANCE);
    record.segments.push(Segment { origin: clock.now(), started_at: wall_clock() });
    record.end = EndReason::Interrupted;
    Ok((record, clock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{derive, write_report};
    use crate::session::record::Outcome;
    use crate::testing::record_with;

    #[test]
    fn resumed_session_lacks_what_failed_and_goes_on_after_its_last_instant() {
        let mut record = record_with(3);
        record.runs[1].outcome = Outcome::Failed { message: "cut".into(), partial: None };
        assert_eq!(pending(&record), [1, 3, 4, 5, 6, 7, 8]);
        let (model, source) = (record.header.model.clone(), record.header.power_source.clone());
        let server = record.header.server.clone();
        let last = record.samples.last().unwrap().end;
        let (resumed, clock) = resume(record, &model, &server, &source).unwrap();
        assert_eq!((resumed.runs.len(), resumed.segments.len()), (2, 2));
        assert!(clock.now().saturating_since(last) >= RESUME_DISTANCE);
        assert_eq!(pending(&resumed), [1, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn another_model_server_or_source_does_not_go_on() {
        let record = record_with(1);
        let (model, source) = (record.header.model.clone(), record.header.power_source.clone());
        let server = record.header.server.clone();
        let other = Model { key: "other".into(), ..model.clone() };
        assert!(matches!(resume(record.clone(), &other, &server, &source), Err(ResumeError::OtherModel { .. })));
        let longer = Model { context_length: Some(32_768), ..model.clone() };
        assert!(matches!(resume(record.clone(), &longer, &server, &source), Err(ResumeError::OtherServer { .. })));
        let fake = Server { simulated: true, ..server.clone() };
        assert!(matches!(resume(record.clone(), &model, &fake, &source), Err(ResumeError::OtherServer { .. })));
        let simulated = SourceDescription { origin: crate::sample::Origin::Simulator, ..source.clone() };
        assert!(matches!(resume(record.clone(), &model, &server, &simulated), Err(ResumeError::OtherSource { .. })));
        let mut edited = record;
        edited.header.settings.baseline_s = -1.0;
        assert!(matches!(resume(edited, &model, &server, &source), Err(ResumeError::BadSettings)));
    }

    #[test]
    fn interrupted_report_can_be_loaded_and_an_edited_one_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let mut record = record_with(2);
        record.end = EndReason::Interrupted;
        write_report(&path, &derive(&record)).unwrap();
        let loaded = load_unfinished(&path).unwrap();
        assert!(loaded.runs == record.runs && loaded.end == EndReason::Interrupted);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"completion_tokens\": 101", "\"completion_tokens\": 102", 1)).unwrap();
        assert!(matches!(load_unfinished(&path), Err(ResumeError::Unverified { .. })));
        assert!(matches!(load_unfinished(&folder.path().join("no.json")), Err(ResumeError::Report(_))));
    }
}
