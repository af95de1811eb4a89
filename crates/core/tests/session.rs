//! Whole sessions against the simulated server, with a scripted power source: what the runner does with the machine's
//! decisions, with failures and with a user's wishes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use joulebar_core::clock::{Clock, MonotonicTime};
use joulebar_core::environment::Environment;
use joulebar_core::lmstudio::{Client, ClientOptions};
use joulebar_core::power::{Boundary, PowerError, PowerSource, SourceDescription};
use joulebar_core::report::{derive, verify};
use joulebar_core::sample::{Origin, PowerSample, Rails};
use joulebar_core::session::keeper::Keeper;
use joulebar_core::session::machine::Lengths;
use joulebar_core::session::partial::{PartialWriter, read_partial};
use joulebar_core::session::record::{EndReason, Outcome, SessionRecord, Settings};
use joulebar_core::session::runner::{Control, Session, SessionEvent, SessionFailure, SessionResult};
use joulebar_core::session::setup::{NewSession, describe_server, new_record, pending, resume};
use joulebar_core::store::{RunState, Store};
use joulebar_core::suite::Suite;
use joulebar_core::units::Milliwatts;
use joulebar_sim::lmstudio::{Config, Handle, Scenario, serve};
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;

/// Ends after so many samples, in order or with an error.
#[derive(Clone, Copy)]
enum Ending {
    Never,
    InOrder(u32),
    Failing(u32),
}

/// A sample of 100 ms every 100 ms, 2 W, and every tenth document damaged.
struct Scripted {
    clock: Clock,
    next: MonotonicTime,
    sent: u32,
    ending: Ending,
    marks: Vec<Boundary>,
}

impl PowerSource for &mut Scripted {
    async fn next_sample(&mut self) -> Result<Option<PowerSample>, PowerError> {
        match self.ending {
            Ending::InOrder(limit) if self.sent >= limit => return Ok(None),
            Ending::Failing(limit) if self.sent >= limit => {
                return Err(PowerError::ChildExited { detail: "scripted".into() });
            }
            _ => {}
        }
        let end = self.next + Duration::from_millis(100);
        tokio::time::sleep(end.saturating_since(self.clock.now())).await;
        let start = std::mem::replace(&mut self.next, end);
        self.sent += 1;
        if self.sent.is_multiple_of(10) {
            return Err(PowerError::MalformedSample { index: self.sent.into(), offset: 0, reason: "scripted".into() });
        }
        Ok(Some(PowerSample {
            start,
            end,
            elapsed: end.saturating_since(start),
            power: Rails { combined: Some(Milliwatts(2_000.0)), ..Rails::default() },
            energy: Rails::default(),
            gpu_frequency: None,
            gpu_active: None,
            thermal_pressure: None,
            hw_model: None,
            timestamp_unix_s: None,
            origin: Origin::Simulator,
        }))
    }

    async fn mark(&mut self, boundary: Boundary) -> Result<(), PowerError> {
        self.marks.push(boundary);
        Ok(())
    }

    async fn stop(&mut self) {}

    fn description(&self) -> SourceDescription {
        description()
    }
}

fn description() -> SourceDescription {
    SourceDescription {
        name: "scripted".into(),
        origin: Origin::Simulator,
        requested_interval_ms: Some(100),
        samplers: Vec::new(),
        helper_version: None,
        way: None,
        passed_over: Vec::new(),
    }
}

async fn server(scenario: &str) -> Handle {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    std::fs::write(&path, scenario).unwrap();
    let scenario = Scenario::read(&path).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve(Config { scenario, ..Config::default() }, listener).unwrap()
}

async fn connect(url: &str, clock: Clock) -> Client {
    Client::connect(ClientOptions { url: url.to_owned(), ..ClientOptions::default() }, clock).await.unwrap()
}

fn suite() -> Suite {
    let mut suite = Suite::builtin();
    suite.prompts.truncate(3);
    for prompt in &mut suite.prompts {
        prompt.max_tokens = 12;
    }
    suite
}

async fn record(client: &Client, clock: &Clock) -> SessionRecord {
    let selected = client.select_model(None).await.unwrap();
    let settings = Settings {
        baseline_s: 0.3,
        cooldown_s: 0.3,
        quick: false,
        nonce: true,
        seed: 1,
        temperature: 0.0,
        counter_batch_s: None,
    };
    let server = describe_server(client, &selected).await;
    let session = NewSession {
        settings,
        suite: suite(),
        model: selected.model,
        server,
        environment: Environment::default(),
        power_source: description(),
    };
    new_record(session, clock)
}

fn lengths() -> Lengths {
    Lengths {
        baseline: Duration::from_millis(300),
        cooldown: Duration::from_millis(300),
        first_sample: Duration::from_secs(10),
        sample_grace: Duration::from_secs(5),
    }
}

/// Runs a session; `on_event` may answer every event with a wish.
async fn run(
    client: &Client,
    source: &mut Scripted,
    record: SessionRecord,
    partial: &Path,
    on_event: impl FnMut(&SessionEvent) -> Option<Control>,
) -> (SessionResult<PartialWriter>, Vec<SessionEvent>) {
    let (partial, _) = PartialWriter::create(partial, &record).unwrap();
    run_kept(client, source, record, partial, on_event).await
}

/// The same with any keeper.
async fn run_kept<K: Keeper + Send>(
    client: &Client,
    source: &mut Scripted,
    record: SessionRecord,
    keeper: K,
    mut on_event: impl FnMut(&SessionEvent) -> Option<Control>,
) -> (SessionResult<K>, Vec<SessionEvent>) {
    let clock = source.clock;
    let session = Session { client, source, clock, record, lengths: lengths(), keeper };
    let (events, mut received) = unbounded_channel();
    let (wishes, control) = unbounded_channel();
    let mut seen = Vec::new();
    let listen = async {
        while let Some(event) = received.recv().await {
            if let Some(wish) = on_event(&event) {
                let _ = wishes.send(wish);
            }
            seen.push(event);
        }
    };
    let (result, ()) = tokio::join!(movable(session.run(events, control)), listen);
    (result, seen)
}

/// A session may be given to another thread, as a window does.
fn movable<T: Send>(session: T) -> T {
    session
}

fn scripted(clock: Clock, ending: Ending) -> Scripted {
    Scripted { clock, next: clock.now(), sent: 0, ending, marks: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_session_leaves_a_report_that_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let partial = folder.path().join("r.partial.jsonl");
    let server = server("").await;
    let clock = Clock::start();
    let client = connect(&server.base_url(), clock).await;
    let mut source = scripted(clock, Ending::Never);
    let record = record(&client, &clock).await;
    let (result, events) = run(&client, &mut source, record, &partial, |_| None).await;
    assert_eq!((result.record.end, result.record.runs.len()), (EndReason::Completed, 3));
    assert!(result.failure.is_none());
    assert!(result.record.rejected_documents >= 1, "damaged documents are counted");
    for run in &result.record.runs {
        let generation = run.outcome.completed().expect("a whole answer");
        assert_eq!(run.marks.request_sent, generation.timeline.sent);
        assert_eq!(run.marks.first_token, generation.timeline.first_token());
        assert_eq!(run.marks.last_token, generation.timeline.last_token());
    }
    let mut marks = source.marks.clone();
    marks.retain(|mark| *mark != Boundary::CooldownEnd);
    let expected: Vec<Boundary> = [Boundary::RequestSent, Boundary::FirstToken, Boundary::LastToken].repeat(3);
    assert_eq!(marks, expected);
    let finished = events.iter().filter(|event| matches!(event, SessionEvent::PromptFinished { .. })).count();
    assert_eq!(finished, 3);
    assert_eq!(read_partial(&partial).unwrap().runs, result.record.runs, "every prompt is on disk");
    let report = derive(&result.record);
    assert!(report.simulated && report.simulation.server && report.simulation.power);
    verify(&report, &serde_json::to_value(&report).unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn first_wish_to_stop_finishes_the_running_prompt_and_resume_does_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let partial = folder.path().join("r.partial.jsonl");
    let server = server("").await;
    let clock = Clock::start();
    let client = connect(&server.base_url(), clock).await;
    let mut source = scripted(clock, Ending::Never);
    let record = record(&client, &clock).await;
    let mut asked = false;
    let (result, _) = run(&client, &mut source, record, &partial, |event| {
        let decoding = matches!(event, SessionEvent::Delta { .. });
        (decoding && !std::mem::replace(&mut asked, true)).then_some(Control::Interrupt)
    })
    .await;
    assert_eq!((result.record.end, result.record.runs.len()), (EndReason::Interrupted, 1));
    assert_eq!(pending(&result.record), [1, 2]);

    let loaded = read_partial(&partial).unwrap();
    let (model, described) = (loaded.header.model.clone(), loaded.header.server.clone());
    let (record, clock) = resume(loaded, &model, &described, &description()).unwrap();
    let client = connect(&server.base_url(), clock).await;
    let mut source = scripted(clock, Ending::Never);
    let (result, _) = run(&client, &mut source, record, &partial, |_| None).await;
    assert_eq!((result.record.end, result.record.runs.len()), (EndReason::Completed, 3));
    let report = derive(&result.record);
    assert_eq!(report.segments.len(), 2);
    assert!(report.warnings.iter().any(|warning| warning.code == "resumed"));
    verify(&report, &serde_json::to_value(&report).unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn second_wish_to_stop_gives_up_the_running_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = server("[[request]]\nmatch = \"*\"\ndecode_tokens_per_s = 2.0\n").await;
    let clock = Clock::start();
    let client = connect(&server.base_url(), clock).await;
    let mut source = scripted(clock, Ending::Never);
    let record = record(&client, &clock).await;
    let (result, _) = run(&client, &mut source, record, &folder.path().join("r.partial.jsonl"), |event| {
        matches!(event, SessionEvent::Delta { .. }).then_some(Control::Interrupt)
    })
    .await;
    assert_eq!((result.record.end, result.record.runs.len()), (EndReason::Interrupted, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_ends_or_fails_ends_the_session_and_says_which() {
    for ending in [Ending::InOrder(12), Ending::Failing(12)] {
        let folder = tempfile::tempdir().unwrap();
        let server = server("").await;
        let clock = Clock::start();
        let client = connect(&server.base_url(), clock).await;
        let mut source = scripted(clock, ending);
        let record = record(&client, &clock).await;
        let (result, _) = run(&client, &mut source, record, &folder.path().join("r.partial.jsonl"), |_| None).await;
        assert_eq!(result.record.end, EndReason::PowerLost);
        match ending {
            Ending::Failing(_) => assert!(matches!(result.failure, Some(SessionFailure::Power(_)))),
            _ => assert!(matches!(result.failure, Some(SessionFailure::PowerEnded))),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_stream_fails_its_prompt_and_the_next_ones_still_run() {
    let folder = tempfile::tempdir().unwrap();
    // the first generation asks the engine for its name
    let server = server("[[request]]\nmatch = 3\nfault = \"cut\"\n").await;
    let clock = Clock::start();
    let client = connect(&server.base_url(), clock).await;
    let mut source = scripted(clock, Ending::Never);
    let record = record(&client, &clock).await;
    let (result, _) = run(&client, &mut source, record, &folder.path().join("r.partial.jsonl"), |_| None).await;
    assert_eq!((result.record.end, result.record.runs.len()), (EndReason::Completed, 3));
    let failed: Vec<bool> =
        result.record.runs.iter().map(|run| matches!(run.outcome, Outcome::Failed { .. })).collect();
    assert_eq!(failed.iter().filter(|failed| **failed).count(), 1, "{failed:?}");
    assert_eq!(derive(&result.record).summary.failed_prompts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_kept_in_the_history_alone_is_resumed_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap().store;
    let server = server("").await;
    let clock = Clock::start();
    let client = connect(&server.base_url(), clock).await;
    let mut source = scripted(clock, Ending::Never);
    let record = record(&client, &clock).await;
    let keeper = store.begin(&record).unwrap();
    let id = keeper.id();
    let (result, _) = run_kept(&client, &mut source, record, keeper, |event| {
        matches!(event, SessionEvent::PromptFinished { .. }).then_some(Control::Interrupt)
    })
    .await;
    // as its process would: nobody says that it has ended
    drop(result);
    let left = store.unfinished().unwrap();
    assert_eq!((left.len(), left[0].id, left[0].end_reason), (1, id, None));
    let kept = store.record(id).unwrap();
    assert!(!kept.runs.is_empty() && !kept.samples.is_empty());

    let (model, described) = (kept.header.model.clone(), kept.header.server.clone());
    let (record, clock) = resume(kept, &model, &described, &description()).unwrap();
    let client = connect(&server.base_url(), clock).await;
    let mut source = scripted(clock, Ending::Never);
    let keeper = store.begin(&record).unwrap();
    assert_eq!(keeper.id(), id);
    let (result, _) = run_kept(&client, &mut source, record, keeper, |_| None).await;
    let report = derive(&result.record);
    result.keeper.finish(&result.record, &report).unwrap();
    assert_eq!(store.get(id).unwrap(), report);
    assert_eq!(store.row(id).unwrap().unwrap().state, RunState::Completed);
    assert!(store.unfinished().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_ends_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let server = server("").await;
    let clock = Clock::start();
    let client = connect(&server.base_url(), clock).await;
    let mut source = scripted(clock, Ending::Never);
    let record = record(&client, &clock).await;
    server.stop().await;
    let (result, _) = run(&client, &mut source, record, &folder.path().join("r.partial.jsonl"), |_| None).await;
    assert_eq!(result.record.end, EndReason::ServerLost);
    assert!(matches!(result.failure, Some(SessionFailure::Server(_))));
}
