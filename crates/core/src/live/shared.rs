//! The state behind the handle, and the tasks that look after server and clock.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Mutex as AsyncMutex, Notify, broadcast, watch};

use super::failure::Failure;
use super::feed::Feed;
use super::handle::{LiveOptions, Mode};
use super::state::{
    FailureCode, HistoryState, LastResult, LiveSample, PhaseSpan, PowerProblem, PowerState, RunStatus, ServerState,
    Snapshot, SourceView, Unfinished,
};
use super::{run, server};
use crate::clock::{Clock, MonotonicTime, raw_monotonic_ns};
use crate::demo::{DemoServer, Stage};
use crate::lmstudio::{ApiToken, ClientOptions};
use crate::power::SourceDescription;
use crate::power::open::{OpenError, Power};
use crate::power::piped::Launcher;
use crate::programs::Program;
use crate::report::Report;
use crate::sample::PowerSample;
use crate::session::runner::Control;
use crate::settings::{Preset, UserSettings};
use crate::store::{Filter, ListOrder, RunId, RunState, Store};
use crate::suite::Suite;
use crate::suite_library::{Library, LibraryError};

/// Samples that a slow listener may lag behind before it is told so.
const LAG: usize = 4_096;
/// How often the server is looked at, while somebody looks at us and while nobody does.
const LOOK_OBSERVED: Duration = Duration::from_secs(5);
const LOOK_ALONE: Duration = Duration::from_secs(30);
/// Interval between samples while somebody looks, at most.
const OBSERVED_MS: u32 = 1_000;
/// How long the monitor may take to let go of its source.
const LEND_LIMIT: Duration = Duration::from_secs(10);

/// The demo's folder and server.
#[derive(Debug)]
pub(super) struct Demo {
    pub(super) stage: Stage,
    pub(super) server: Option<DemoServer>,
}

/// State that the tasks share. Locks are held for moments, never across an await.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) data: PathBuf,
    pub(super) config: PathBuf,
    pub(super) clock: Clock,
    /// What starts a helper as a child, where the shell has a way of its own.
    pub(super) launcher: Option<Launcher>,
    pub(super) feed: Mutex<Feed>,
    pub(super) samples: broadcast::Sender<LiveSample>,
    pub(super) sample_count: AtomicU64,
    pub(super) source: Mutex<Option<SourceDescription>>,
    pub(super) phases: Mutex<Vec<PhaseSpan>>,
    pub(super) server: Mutex<ServerState>,
    pub(super) run: Mutex<RunStatus>,
    pub(super) control: Mutex<Option<UnboundedSender<Control>>>,
    pub(super) settings: Mutex<UserSettings>,
    /// Size and length of a run as the settings have it, for people.
    pub(super) estimate: Mutex<String>,
    pub(super) token: Mutex<Option<ApiToken>>,
    pub(super) mode: Mutex<Mode>,
    pub(super) demo: AsyncMutex<Option<Demo>>,
    has_demo: bool,
    pub(super) store: Arc<Mutex<Option<Store>>>,
    pub(super) history: Mutex<HistoryState>,
    pub(super) last: Mutex<Option<LastResult>>,
    pub(super) unfinished: Mutex<Option<Unfinished>>,
    pub(super) dismissed: Mutex<Vec<RunId>>,
    pub(super) report: Mutex<Option<Arc<Report>>>,
    pub(super) lent: AtomicBool,
    /// Somebody wants to be asked for a password; until it is refused.
    pub(super) authorize: AtomicBool,
    pub(super) free: watch::Sender<bool>,
    pub(super) wish: watch::Sender<u64>,
    pub(super) look: Notify,
    pub(super) observers: AtomicUsize,
    pub(super) over: AtomicBool,
    pub(super) snapshot: watch::Sender<Arc<Snapshot>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Before anything has happened.
    pub(super) fn new(options: LiveOptions) -> Self {
        let url = options.settings.server_url.clone().unwrap_or_else(|| ClientOptions::default().url);
        let server = ServerState::Checking { url };
        let history = HistoryState { count: 0, writable: false, notice: None };
        let has_demo = [Program::SimulatedHelper, Program::Simulator].iter().all(|program| program.find().is_ok());
        let snapshot = Snapshot {
            demo: options.mode == Mode::Demo,
            has_demo,
            simulated: options.mode != Mode::Real,
            power: PowerState::Starting,
            source: None,
            server: server.clone(),
            run: RunStatus::Idle,
            can_run: false,
            blocked: None,
            last: None,
            unfinished: None,
            history: history.clone(),
            preset: options.settings.preset,
            estimate: String::new(),
        };
        Self {
            data: options.data,
            config: options.config,
            clock: Clock::start(),
            launcher: options.launcher,
            feed: Mutex::default(),
            samples: broadcast::channel(LAG).0,
            sample_count: AtomicU64::new(0),
            source: Mutex::default(),
            phases: Mutex::default(),
            server: Mutex::new(server),
            run: Mutex::new(RunStatus::Idle),
            control: Mutex::default(),
            settings: Mutex::new(options.settings),
            estimate: Mutex::default(),
            token: Mutex::new(options.token),
            mode: Mutex::new(options.mode),
            demo: AsyncMutex::default(),
            has_demo,
            store: Arc::default(),
            history: Mutex::new(history),
            last: Mutex::default(),
            unfinished: Mutex::default(),
            dismissed: Mutex::default(),
            report: Mutex::default(),
            lent: AtomicBool::new(false),
            authorize: AtomicBool::new(false),
            free: watch::channel(true).0,
            wish: watch::channel(0).0,
            look: Notify::new(),
            observers: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            snapshot: watch::channel(Arc::new(snapshot)).0,
        }
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    pub(super) fn settings(&self) -> UserSettings {
        lock(&self.settings).clone()
    }

    pub(super) fn suites(&self) -> Library {
        Library::new(&self.config)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// The power source of the present mode; starts the demo if need be.
    pub(super) async fn power(&self) -> Result<Power, OpenError> {
        let mode = *lock(&self.mode);
        if mode == Mode::Real {
            return Ok(Power::Auto { may_ask_for_password: self.authorize.load(Ordering::SeqCst) });
        }
        let stage = self.demo_activity(mode).await?;
        Ok(Power::Demo {
            activity: stage,
            marks_are_activity: mode == Mode::DemoPower,
            seed: raw_monotonic_ns().unsigned_abs(),
        })
    }

    async fn demo_activity(&self, mode: Mode) -> Result<PathBuf, OpenError> {
        let mut demo = self.demo.lock().await;
        if demo.is_none() {
            let stage = Stage::set()?;
            let server = match mode {
                Mode::Demo => Some(DemoServer::start(&stage.activity()).await?),
                Mode::Real | Mode::DemoPower => None,
            };
            *demo = Some(Demo { stage, server });
        }
        Ok(demo.as_ref().map(|demo| demo.stage.activity()).unwrap_or_default())
    }

    /// How to reach the server of the present mode.
    pub(super) async fn client_options(&self) -> Result<ClientOptions, Failure> {
        let default = ClientOptions::default();
        let mode = *lock(&self.mode);
        if mode == Mode::Demo {
            self.demo_activity(mode).await?;
            let demo = self.demo.lock().await;
            let url = demo.as_ref().and_then(|demo| demo.server.as_ref()).map(|server| server.url().to_owned());
            return Ok(ClientOptions { url: url.unwrap_or(default.url.clone()), ..default });
        }
        let url = self.settings().server_url.unwrap_or(default.url.clone());
        Ok(ClientOptions { url, api_token: lock(&self.token).clone(), ..default })
    }

    pub(super) fn interval_ms(&self) -> u32 {
        let own_ms = lock(&self.settings).monitor_interval_ms;
        if self.observers.load(Ordering::SeqCst) > 0 { own_ms.min(OBSERVED_MS) } else { own_ms }
    }

    pub(super) fn interval_may_change(&self) {
        if lock(&self.settings).monitor_interval_ms > OBSERVED_MS && !self.is_power_lent() {
            self.power_wish_changed();
        }
    }

    pub(super) fn power_wish(&self) -> watch::Receiver<u64> {
        self.wish.subscribe()
    }

    pub(super) fn power_wish_changed(&self) {
        self.wish.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn is_power_lent(&self) -> bool {
        self.lent.load(Ordering::SeqCst)
    }

    pub(super) fn power_is_free(&self, free: bool) {
        self.free.send_replace(free);
    }

    /// Takes the power source from the monitor: two at a time would disturb each other.
    pub(super) async fn borrow_power(&self) {
        self.lent.store(true, Ordering::SeqCst);
        self.free.send_replace(false);
        self.power_wish_changed();
        let mut free = self.free.subscribe();
        // a source that does not stop must not keep the run from being tried
        let _ = tokio::time::timeout(LEND_LIMIT, free.wait_for(|free| *free)).await;
    }

    pub(super) fn give_power_back(&self) {
        lock(&self.control).take();
        self.lent.store(false, Ordering::SeqCst);
        self.power_wish_changed();
        self.publish();
    }

    pub(super) fn start_power(&self, description: SourceDescription) {
        // it was asked for once, and was answered or not needed: nobody is asked again unasked
        self.authorize.store(false, Ordering::SeqCst);
        let interval = description.requested_interval_ms.map(|ms| Duration::from_millis(ms.into()));
        *lock(&self.source) = Some(description);
        self.sample_count.store(0, Ordering::Relaxed);
        lock(&self.feed).start(interval, self.clock.now());
        self.publish();
    }

    pub(super) fn lose_power(&self, problem: PowerProblem, message: String) {
        // also where no way was to be had: the next tries are nobody's wish
        self.authorize.store(false, Ordering::SeqCst);
        lock(&self.feed).lose(problem, message);
        self.publish();
    }

    pub(super) fn push_sample(&self, sample: &PowerSample, now: MonotonicTime) {
        let live = lock(&self.feed).push(sample, now);
        self.sample_count.fetch_add(1, Ordering::Relaxed);
        // nobody has to listen
        let _ = self.samples.send(live);
        self.publish();
    }

    pub(super) fn phases_are(&self, phases: Vec<PhaseSpan>) {
        *lock(&self.phases) = phases;
    }

    pub(super) fn step(&self, step: &str) {
        self.run_is(RunStatus::Starting { step: step.to_owned() });
    }

    pub(super) fn run_is(&self, status: RunStatus) {
        *lock(&self.run) = status;
        self.publish();
    }

    pub(super) fn keep_report(&self, report: Report) {
        *lock(&self.report) = Some(Arc::new(report));
    }

    /// Does something with the history on a thread that may wait for the disk.
    pub(super) async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (store, data) = (Arc::clone(&self.store), self.data.clone());
        let done = tokio::task::spawn_blocking(move || {
            let mut store = lock(&store);
            let mut notice = None;
            if store.is_none() {
                let opened = Store::open(&data)?;
                notice = opened.notice.map(|notice| notice.to_string());
                *store = Some(opened.store);
            }
            let open = store.as_ref().ok_or_else(|| Failure::new(FailureCode::Failed, "the history is not open"))?;
            let writable = open.is_writable();
            Ok((work(open), notice, writable))
        })
        .await
        .map_err(|error| Failure::new(FailureCode::Failed, error.to_string()))?;
        let (result, notice, writable) = done.inspect_err(|failure: &Failure| {
            let mut history = lock(&self.history);
            history.writable = false;
            history.notice = Some(failure.message.clone());
        })?;
        let mut history = lock(&self.history);
        history.writable = writable;
        if notice.is_some() {
            history.notice = notice;
        }
        drop(history);
        result
    }

    /// Reads count, newest result and the run to go on with.
    pub(super) async fn refresh_history(&self) {
        let dismissed = lock(&self.dismissed).clone();
        let read = self.with_store(move |store| {
            let count = store.count(&Filter::default())?;
            let unfinished = store.unfinished()?.into_iter().find(|row| !dismissed.contains(&row.id));
            let newest = store.list(&Filter::default(), ListOrder::default(), 50, 0)?;
            Ok((count, unfinished, newest.into_iter().find(|row| row.state == RunState::Completed)))
        });
        if let Ok((count, unfinished, last)) = read.await {
            lock(&self.history).count = count;
            *lock(&self.unfinished) = unfinished.map(|row| Unfinished {
                run_id: row.id.0,
                started_at: row.started_at,
                model: row.model,
                done: row.prompts_done,
                planned: row.prompts_planned,
                simulated: row.simulated,
            });
            *lock(&self.last) = last.map(|row| LastResult {
                run_id: row.id.0,
                started_at: row.started_at,
                model: row.model,
                net_energy_per_token_j: row.net_energy_per_token_j,
                tokens_per_s: row.tokens_per_second,
                simulated: row.simulated,
            });
        }
        self.publish();
    }

    /// Works out again how large a run is: settings or the suite's file may have changed.
    pub(super) async fn estimate_run(&self) {
        let (settings, library) = (self.settings(), self.suites());
        let read = tokio::task::spawn_blocking(move || match &settings.suite {
            None => estimate(&Suite::builtin(), &settings),
            Some(name) => match library.find(name) {
                Ok(entry) => estimate(&entry.suite, &settings),
                Err(error) => super::failure::chain(&error),
            },
        });
        if let Ok(text) = read.await {
            *lock(&self.estimate) = text;
            self.publish();
        }
    }

    /// Makes the present state known, when it differs from the one before.
    pub(super) fn publish(&self) {
        let mode = *lock(&self.mode);
        let (power, power_simulated) = {
            let feed = lock(&self.feed);
            (feed.power(self.clock.now()), feed.is_simulated())
        };
        let server = lock(&self.server).clone();
        let server_simulated = matches!(server, ServerState::Ready { simulated: true, .. });
        let run = lock(&self.run).clone();
        let blocked = blocked(&power, &server);
        let snapshot = Snapshot {
            demo: mode == Mode::Demo,
            has_demo: self.has_demo,
            simulated: power_simulated || server_simulated || mode != Mode::Real,
            can_run: blocked.is_none() && !is_busy(&run),
            blocked: blocked.map(str::to_owned),
            power,
            source: lock(&self.source).as_ref().map(SourceView::from),
            server,
            run,
            last: lock(&self.last).clone(),
            unfinished: lock(&self.unfinished).clone(),
            history: lock(&self.history).clone(),
            preset: lock(&self.settings).preset,
            estimate: lock(&self.estimate).clone(),
        };
        self.snapshot.send_if_modified(|old| {
            let differs = **old != snapshot;
            if differs {
                *old = Arc::new(snapshot);
            }
            differs
        });
    }
}

impl From<crate::demo::DemoError> for OpenError {
    fn from(error: crate::demo::DemoError) -> Self {
        match error {
            crate::demo::DemoError::Missing(missing) => Self::Missing(missing),
            crate::demo::DemoError::Start(source) | crate::demo::DemoError::Folder(source) => {
                Self::Power(crate::power::PowerError::Io(source))
            }
        }
    }
}

impl From<LibraryError> for Failure {
    fn from(error: LibraryError) -> Self {
        let code = match &error {
            LibraryError::Write { .. } if super::failure::is_disk_full(&error) => FailureCode::DiskFull,
            LibraryError::Write { .. } => FailureCode::CannotWrite,
            _ => FailureCode::BadInput,
        };
        Self::new(code, super::failure::chain(&error))
    }
}

/// What a run lacks.
fn blocked(power: &PowerState, server: &ServerState) -> Option<&'static str> {
    match (power, server) {
        (PowerState::None { .. } | PowerState::Stale { .. } | PowerState::Starting, _) => Some("Needs the helper."),
        (_, ServerState::NoModel { .. }) => Some("Needs a loaded model."),
        (_, ServerState::Ready { .. }) => None,
        _ => Some("Needs LM Studio."),
    }
}

pub(super) fn is_busy(run: &RunStatus) -> bool {
    matches!(run, RunStatus::Starting { .. } | RunStatus::Running { .. })
}

/// How large a run of `suite` is, and a guess of its length: answers of 30 tokens a second.
fn estimate(suite: &Suite, settings: &UserSettings) -> String {
    let quick = settings.preset == Preset::Quick;
    let short = if quick { suite.quick() } else { None };
    let prompts = match (&short, quick) {
        (Some(short), _) => &short.prompts,
        (None, true) => return format!("{} has no short prompts, so it has no quick run.", suite.name),
        (None, false) => &suite.prompts,
    };
    let phase_s = |usual_s: f64| if quick { usual_s.min(run::QUICK_PHASE_S) } else { usual_s };
    let phases_s = phase_s(settings.baseline_s) + phase_s(settings.cooldown_s);
    let tokens: f64 = prompts.iter().map(|prompt| f64::from(prompt.max_tokens)).sum();
    let minutes = (prompts.len() as f64 * phases_s + tokens / 30.0) / 60.0;
    let length =
        if minutes < 0.75 { "Less than a min".to_owned() } else { format!("About {:.0} min", minutes.max(1.0)) };
    let noun = if prompts.len() == 1 { "prompt" } else { "prompts" };
    format!("{} {noun}, 1 pass. {length}.", prompts.len())
}

/// Looks at the server now and then, never during a run.
pub(super) async fn watch_server(shared: Arc<Shared>) {
    while !shared.is_over() {
        shared.estimate_run().await;
        if !is_busy(&lock(&shared.run)) {
            let found = match shared.client_options().await {
                Ok(options) => server::look(&options, shared.clock).await,
                Err(failure) => ServerState::Failed { url: String::new(), message: failure.message },
            };
            *lock(&shared.server) = found;
            shared.publish();
        }
        let pause = if shared.observers.load(Ordering::SeqCst) > 0 { LOOK_OBSERVED } else { LOOK_ALONE };
        tokio::select! {
            () = shared.look.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Lets readings grow old on the screen although nothing happens.
pub(super) async fn grow_old(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    while !shared.is_over() {
        tick.tick().await;
        let aging = !matches!(lock(&shared.feed).power(shared.clock.now()), PowerState::Live { .. });
        if aging {
            shared.publish();
        }
    }
}
