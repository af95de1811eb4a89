//! One run, from a wish to its place in the history. The same session as the terminal's.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::failure::{Failure, chain};
use super::handle::Mode;
use super::progress::Follower;
use super::shared::Shared;
use super::shared::lock;
use super::state::{FailureCode, Finished, RunStatus};
use crate::clock::{Clock, MonotonicTime, raw_monotonic_ns};
use crate::environment::read_environment;
use crate::lmstudio::{Client, SelectedModel};
use crate::power::PowerSource;
use crate::power::replay::Pace;
use crate::power::source::Source;
use crate::report::{self, Report};
use crate::sample::{Origin, PowerSample};
use crate::session::keeper::Keeper;
use crate::session::machine::Lengths;
use crate::session::record::{EndReason, SessionRecord, Settings};
use crate::session::runner::{Control, Session, SessionEvent, SessionFailure, SessionResult};
use crate::session::setup::{self, NewSession};
use crate::settings::{Preset, UserSettings};
use crate::stats::median;
use crate::store::{RunId, RunKeeper, StoreError};
use crate::suite::Suite;

/// Length of the phases of a quick run, in seconds.
pub(super) const QUICK_PHASE_S: f64 = 2.0;
/// Rest before the first baseline: the server has just been asked for its models and its engine.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a server may take to unload what was loaded for the run.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);
/// How often progress is told while nothing happens.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What is to run.
#[derive(Debug)]
pub enum Wish {
    /// A new run.
    New {
        /// How much of the suite.
        preset: Preset,
        /// The model; `None` is the loaded one.
        model: Option<String>,
    },
    /// An interrupted one goes on.
    Resume(RunId),
}

/// Keeps a run in the history, where there is one.
struct Kept(Option<RunKeeper>);

impl Keeper for Kept {
    type Error = StoreError;

    fn keep(&mut self, record: &SessionRecord) -> Result<(), StoreError> {
        self.0.as_mut().map_or(Ok(()), |keeper| keeper.keep(record))
    }
}

/// Runs what was wished, and says what came of it.
pub async fn run(shared: &Arc<Shared>, wish: Wish, control: UnboundedReceiver<Control>) {
    let status = match whole(shared, wish, control).await {
        Ok(result) => RunStatus::Finished { result },
        Err(failure) => RunStatus::Failed { code: failure.code, message: failure.message },
    };
    shared.refresh_history().await;
    shared.run_is(status);
    shared.give_power_back();
    // it may have gone meanwhile
    shared.look.notify_one();
}

async fn whole(shared: &Arc<Shared>, wish: Wish, mut control: UnboundedReceiver<Control>) -> Result<Finished, Failure> {
    let user = shared.settings();
    let (preset, unfinished, model) = match wish {
        Wish::New { preset, model } => (preset, None, model),
        Wish::Resume(id) => {
            let record = shared.with_store(move |store| Ok(store.record(id)?)).await?;
            check_mode(shared, &record)?;
            let preset = if record.header.settings.quick { Preset::Quick } else { Preset::Full };
            let key = record.header.model.key.clone();
            (preset, Some(record), Some(key))
        }
    };
    let suite = match &unfinished {
        Some(record) => record.header.suite.clone(),
        None => suite(shared, &user, preset)?,
    };
    shared.step("Stopping the live readings");
    shared.borrow_power().await;
    let options = shared.client_options().await?;
    let prepared = async {
        shared.step("Asking the server");
        let client = Client::connect(options.clone(), Clock::start()).await?;
        shared.step("Preparing the model");
        let selected = client.select_model(model.as_deref()).await?;
        Ok::<_, Failure>((client, selected))
    };
    let (client, selected) = unless_stopped(prepared, &mut control).await?;
    let result =
        with_model(shared, &options, &client, &selected, Plan { preset, suite, user, unfinished }, control).await;
    let _ = tokio::time::timeout(RELEASE_LIMIT, client.release(&selected)).await;
    result
}

/// Says how an interrupted run can go on, when it can't as things stand.
fn check_mode(shared: &Shared, record: &SessionRecord) -> Result<(), Failure> {
    let was_simulated = record.header.power_source.origin == Origin::Simulator;
    let is_simulated = *lock(&shared.mode) != Mode::Real;
    let message = match (was_simulated, is_simulated) {
        (true, false) => "This run was simulated. Turn on the demo to go on with it.",
        (false, true) => "This run was measured. Turn off the demo to go on with it.",
        _ => return Ok(()),
    };
    Err(Failure::new(FailureCode::BadInput, message))
}

/// Gives up a preparation when the user stops it.
async fn unless_stopped<T>(
    work: impl Future<Output = Result<T, Failure>>,
    control: &mut UnboundedReceiver<Control>,
) -> Result<T, Failure> {
    tokio::select! {
        result = work => result,
        _ = control.recv() => Err(Failure::new(FailureCode::NotRunning, "Stopped before the first prompt.")),
    }
}

struct Plan {
    preset: Preset,
    suite: Suite,
    user: UserSettings,
    unfinished: Option<SessionRecord>,
}

fn suite(shared: &Shared, user: &UserSettings, preset: Preset) -> Result<Suite, Failure> {
    let suite = match &user.suite {
        None => Suite::builtin(),
        Some(name) => shared.suites().find(name)?.suite,
    };
    match preset {
        Preset::Full => Ok(suite),
        Preset::Quick => suite.quick().ok_or_else(|| {
            Failure::new(FailureCode::BadInput, "The suite has no short prompts, so it has no quick run.")
        }),
    }
}

async fn with_model(
    shared: &Arc<Shared>,
    options: &crate::lmstudio::ClientOptions,
    first: &Client,
    selected: &SelectedModel,
    plan: Plan,
    mut control: UnboundedReceiver<Control>,
) -> Result<Finished, Failure> {
    shared.step("Starting the power source");
    let power = shared.power().await?;
    let describing = async { Ok(setup::describe_server(first, selected).await) };
    let server = unless_stopped(describing, &mut control).await?;
    let old = plan.unfinished.as_ref().map(|record| &record.header);
    // a run that goes on keeps what its report states once
    let interval_ms = old.and_then(|old| old.power_source.requested_interval_ms).unwrap_or(plan.user.interval_ms);
    let keep_history = plan.user.keep_history || plan.unfinished.is_some();
    let quick = plan.preset == Preset::Quick;
    let phase_s = |usual_s: f64| if quick { usual_s.min(QUICK_PHASE_S) } else { usual_s };
    let (resumed, clock) = match plan.unfinished {
        Some(record) => {
            let (record, clock) = setup::resume(record, &selected.model, &server, &power.preview())?;
            (Some(record), clock)
        }
        None => (None, Clock::start()),
    };
    let prepared = async {
        // instants of the answer must be on the session's clock
        let client = Client::connect(options.clone(), clock).await?;
        client.models().await?;
        tokio::time::sleep(SETTLE).await;
        let source = power.open_by(shared.launcher.as_ref(), interval_ms, Pace::Recorded, clock).await?;
        Ok::<_, Failure>((client, source))
    };
    let (client, source) = unless_stopped(prepared, &mut control).await?;
    let record = resumed.unwrap_or_else(|| {
        let session = NewSession {
            settings: Settings {
                baseline_s: phase_s(plan.user.baseline_s),
                cooldown_s: phase_s(plan.user.cooldown_s),
                quick,
                nonce: plan.user.nonce,
                seed: seed(),
                temperature: 0.0,
                counter_batch_s: None,
            },
            suite: plan.suite,
            model: selected.model.clone(),
            server,
            environment: read_environment(),
            power_source: source.description(),
        };
        setup::new_record(session, &clock)
    });
    let simulated = record.header.server.simulated || power.is_simulated();
    let begun = record.clone();
    let keeper =
        if keep_history { shared.with_store(move |store| Ok(store.begin(&begun)?)).await.map(Some) } else { Ok(None) };
    let (keeper, notice) = match keeper {
        Ok(keeper) => (keeper, None),
        Err(failure) => (None, Some(format!("This run is not kept in the history. {}", failure.message))),
    };
    let run_id = keeper.as_ref().map(|keeper| keeper.id().0);
    // the list has one more from here on
    shared.refresh_history().await;
    let mut follower = Follower::new(&record, plan.preset, run_id, simulated);
    if let Some(notice) = &notice {
        follower.notice(notice.clone());
    }
    let interval = Duration::from_millis(interval_ms.into());
    let lengths = Lengths {
        baseline: Duration::from_secs_f64(record.header.settings.baseline_s),
        cooldown: Duration::from_secs_f64(record.header.settings.cooldown_s),
        first_sample: 2 * interval + Duration::from_secs(10),
        sample_grace: 2 * interval + Duration::from_secs(2),
    };
    shared.start_power(source.description());
    let session = Session { client: &client, source, clock, record, lengths, keeper: Kept(keeper) };
    let result = drive(shared, session, follower, control).await;
    end(shared, result, plan.preset, notice).await
}

/// Runs the session while its events are told.
async fn drive(
    shared: &Arc<Shared>,
    session: Session<'_, Source, Kept>,
    mut follower: Follower,
    mut control: UnboundedReceiver<Control>,
) -> SessionResult<Kept> {
    let clock = session.clock;
    let live = shared.clock();
    let to_live = |time: MonotonicTime| clock.on(&live, time).0;
    let (events, mut happened) = unbounded_channel();
    let (interrupt, wishes) = unbounded_channel();
    let mut running = Box::pin(session.run(events, wishes));
    let mut tick = tokio::time::interval(TELL_EVERY);
    let mut open = true;
    let mut done = None;
    loop {
        tokio::select! {
            result = &mut running, if done.is_none() => done = Some(result),
            event = happened.recv() => match event {
                Some(event) => {
                    take(shared, &mut follower, &event, &to_live);
                    if !matches!(event, SessionEvent::Delta { .. }) {
                        tell(shared, &follower, clock, &to_live);
                    }
                }
                None => break,
            },
            wish = control.recv(), if open => match wish {
                Some(wish) => {
                    follower.stop();
                    let _ = interrupt.send(wish);
                    tell(shared, &follower, clock, &to_live);
                }
                None => open = false,
            },
            _ = tick.tick() => tell(shared, &follower, clock, &to_live),
        }
    }
    match done {
        Some(result) => result,
        None => running.await,
    }
}

fn take(shared: &Shared, follower: &mut Follower, event: &SessionEvent, to_live: &dyn Fn(MonotonicTime) -> i64) {
    follower.take(event);
    if let SessionEvent::Sample(row) = event {
        let mut sample = PowerSample::from(row.as_ref());
        sample.start = MonotonicTime(to_live(sample.start));
        sample.end = MonotonicTime(to_live(sample.end));
        shared.push_sample(&sample, shared.clock().now());
    }
}

fn tell(shared: &Shared, follower: &Follower, clock: Clock, to_live: &dyn Fn(MonotonicTime) -> i64) {
    let spans = follower.spans().iter().map(|span| super::state::PhaseSpan {
        phase: span.phase,
        start_ns: to_live(MonotonicTime(span.start_ns)),
        end_ns: span.end_ns.map(|end| to_live(MonotonicTime(end))),
    });
    shared.phases_are(spans.collect());
    shared.run_is(RunStatus::Running { progress: follower.progress(clock.now()) });
}

async fn end(
    shared: &Arc<Shared>,
    result: SessionResult<Kept>,
    preset: Preset,
    notice: Option<String>,
) -> Result<Finished, Failure> {
    let SessionResult { record, keeper, failure } = result;
    let (record, report) = tokio::task::spawn_blocking(move || {
        let report = report::derive(&record);
        (record, report)
    })
    .await
    .map_err(|error| Failure::new(FailureCode::Failed, error.to_string()))?;
    let mut message = words(&record, failure.as_ref()).into_iter().chain(notice).collect::<Vec<_>>();
    let id = match keeper.0 {
        None => None,
        Some(keeper) => {
            let id = keeper.id();
            match keeper.finish(&record, &report) {
                Ok(id) => id,
                Err(error) => {
                    let failure = Failure::from(error);
                    message.push(format!("Run {id} stays unfinished in the history. {}", failure.message));
                    None
                }
            }
        }
    };
    if record.runs.is_empty() {
        let text =
            if message.is_empty() { "Stopped before a prompt was finished.".to_owned() } else { message.join(" ") };
        let code = match record.end {
            EndReason::PowerLost | EndReason::NoSamples => FailureCode::NeedsHelper,
            EndReason::ServerLost => FailureCode::NeedsServer,
            EndReason::Interrupted => FailureCode::NotRunning,
            EndReason::Completed => FailureCode::Failed,
        };
        return Err(Failure::new(code, text));
    }
    let finished = finished(&record, &report, preset, id, (!message.is_empty()).then(|| message.join(" ")));
    shared.keep_report(report);
    Ok(finished)
}

/// What ended a session early, in words; nothing when it ran to its end.
fn words(record: &SessionRecord, failure: Option<&SessionFailure>) -> Option<String> {
    let stopped = format!(
        "Stopped after {} of {} prompts.",
        record.runs.iter().filter(|run| run.outcome.completed().is_some()).count(),
        record.header.suite.prompts.len()
    );
    let why = match (failure, record.end) {
        (Some(SessionFailure::Power(error)), _) => format!("The power source failed: {}.", chain(error)),
        (Some(SessionFailure::PowerEnded), _) => "The power source ended.".to_owned(),
        (Some(SessionFailure::Server(_)), _) => "The server stopped answering.".to_owned(),
        (None, EndReason::NoSamples) => "No power sample came.".to_owned(),
        (None, EndReason::Interrupted) => {
            return Some(format!("{stopped} Samples are kept, no figure is given."));
        }
        (None, EndReason::Completed | EndReason::PowerLost | EndReason::ServerLost) => return None,
    };
    Some(format!("{why} {stopped}"))
}

fn finished(
    record: &SessionRecord,
    report: &Report,
    preset: Preset,
    id: Option<RunId>,
    message: Option<String>,
) -> Finished {
    let header = &record.header;
    let stretch = record.runs.iter().map(|run| run.marks.cooldown_end.seconds_since(run.marks.baseline_start));
    let mut warnings = Vec::new();
    for warning in report.warnings.iter().chain(report.prompts.iter().flat_map(|prompt| &prompt.warnings)) {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    Finished {
        run_id: id.map(|id| id.0),
        started_at: header.benchmark_id.clone(),
        duration_s: stretch.sum(),
        model: header.model.display_name.clone().unwrap_or_else(|| header.model.key.clone()),
        preset,
        suite: header.suite.name.clone(),
        done: report.summary.total_prompts - report.summary.failed_prompts,
        planned: report.summary.planned_prompts,
        end_reason: record.end,
        simulated: report.simulated,
        net_energy_per_token_j: report.summary.net_energy_per_token_j,
        null_reason: report.summary.null_reason.clone(),
        scope: scope(report),
        tokens_per_s: report.summary.avg_tokens_per_second,
        inference_power_mw: report.summary.avg_inference_power_mw,
        ttft_median_ms: ttft_median_ms(report),
        gross_energy_j: report.summary.gross_energy_j,
        warnings,
        message,
        seen: false,
    }
}

/// The rails that a report counts, in the words of the screen.
pub fn scope(report: &Report) -> String {
    let rails = report.prompts.iter().map(|prompt| &prompt.energy.rails).find(|rails| !rails.is_empty());
    let has = |name: &str| rails.is_some_and(|rails| rails.iter().any(|rail| rail.eq_ignore_ascii_case(name)));
    let named: Vec<&str> = ["GPU", "CPU", "ANE", "DRAM"].into_iter().filter(|name| has(name)).collect();
    match (named.is_empty(), rails) {
        (false, _) => named.join(" + "),
        (true, Some(rails)) => rails.join(" + "),
        (true, None) => "SoC".to_owned(),
    }
}

/// Median time to the first token of the whole answers, in milliseconds.
pub fn ttft_median_ms(report: &Report) -> Option<f64> {
    let whole = report.prompts.iter().filter(|prompt| prompt.error.is_none());
    let times: Vec<f64> = whole.filter_map(|prompt| prompt.inference_stats.time_to_first_token_ms).collect();
    median(&times)
}

/// A new seed below 2^53.
fn seed() -> u64 {
    raw_monotonic_ns().unsigned_abs() % (1 << 53)
}
