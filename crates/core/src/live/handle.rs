//! The handle of everything that goes on, and the state behind it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, Notify, broadcast, watch};

use super::failure::Failure;
use super::feed::Feed;
use super::menu_bar::{MenuBar, menu_bar};
use super::state::{
    FailureCode, HistoryState, LastResult, LiveSample, PhaseSpan, PowerProblem, PowerState, RunStatus, ServerState,
    Snapshot, Unfinished,
};
use super::{monitor, run, server};
use crate::clock::{Clock, MonotonicTime, raw_monotonic_ns};
use crate::demo::{DemoServer, Stage};
use crate::lmstudio::{ApiToken, Client, ClientOptions};
use crate::power::SourceDescription;
use crate::power::open::{OpenError, Power};
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

/// What stands in for the Mac.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: the helper and the user's server.
    #[default]
    Real,
    /// The simulator, for power and server.
    Demo,
    /// The simulator for power; the server is the user's.
    DemoPower,
}

/// Where things are, and how to begin.
#[derive(Debug)]
pub struct LiveOptions {
    /// Folder of the history.
    pub data: PathBuf,
    /// Folder of the settings and suites.
    pub config: PathBuf,
    /// What stands in for the Mac.
    pub mode: Mode,
    /// The settings.
    pub settings: UserSettings,
    /// The server's token.
    pub token: Option<ApiToken>,
}

/// What a test of a connection found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ConnectionTest {
    /// True when the server can be used.
    pub ok: bool,
    /// What was found, for people.
    pub message: String,
    /// What to do.
    pub next: Option<String>,
    /// Version of the server, where it says.
    pub version: Option<String>,
    /// API that it speaks.
    pub api: Option<crate::lmstudio::Api>,
    /// Models that it lists.
    pub models: Option<u32>,
    /// How long the first answer took, in milliseconds.
    pub latency_ms: Option<f64>,
}

/// What is known of the power source.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct HelperView {
    /// `helper`, `demo`; `None` when there is none.
    pub name: Option<String>,
    /// Version of the helper.
    pub version: Option<String>,
    /// Version of the protocol that this program speaks.
    pub protocol: u16,
    /// Interval that was asked for, in milliseconds.
    pub interval_ms: Option<u32>,
    /// Interval that the latest samples have, in milliseconds.
    pub achieved_ms: Option<f64>,
    /// Samplers that were asked for.
    pub samplers: Vec<String>,
    /// Samples since it was started.
    pub samples: u32,
    /// True for the simulator.
    pub simulated: bool,
    /// Where the program lies.
    pub path: Option<String>,
}

/// Samples from now on, after those of the last minute.
#[derive(Debug)]
pub struct Subscription {
    /// The last minute, oldest first.
    pub recent: Vec<LiveSample>,
    /// What comes.
    pub samples: broadcast::Receiver<LiveSample>,
}

/// The demo's folder and server.
#[derive(Debug)]
struct Demo {
    stage: Stage,
    server: Option<DemoServer>,
}

/// State that the tasks share. Locks are held for moments, never across an await.
#[derive(Debug)]
pub(super) struct Shared {
    data: PathBuf,
    config: PathBuf,
    clock: Clock,
    feed: Mutex<Feed>,
    samples: broadcast::Sender<LiveSample>,
    sample_count: AtomicU64,
    source: Mutex<Option<SourceDescription>>,
    phases: Mutex<Vec<PhaseSpan>>,
    server: Mutex<ServerState>,
    run: Mutex<RunStatus>,
    control: Mutex<Option<UnboundedSender<Control>>>,
    settings: Mutex<UserSettings>,
    token: Mutex<Option<ApiToken>>,
    mode: Mutex<Mode>,
    demo: AsyncMutex<Option<Demo>>,
    store: Arc<Mutex<Option<Store>>>,
    history: Mutex<HistoryState>,
    last: Mutex<Option<LastResult>>,
    unfinished: Mutex<Option<Unfinished>>,
    dismissed: Mutex<Vec<RunId>>,
    report: Mutex<Option<Arc<Report>>>,
    lent: AtomicBool,
    free: watch::Sender<bool>,
    wish: watch::Sender<u64>,
    look: Notify,
    observers: AtomicUsize,
    over: AtomicBool,
    snapshot: watch::Sender<Arc<Snapshot>>,
}

/// Everything that goes on. Clones are handles of the same; the tasks end with [`Live::shut_down`].
#[derive(Clone, Debug)]
pub struct Live {
    shared: Arc<Shared>,
    /// Commands may come from threads that know of no runtime.
    runtime: tokio::runtime::Handle,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Starts the tasks. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(options: LiveOptions) -> Self {
        let url = options.settings.server_url.clone().unwrap_or_else(|| ClientOptions::default().url);
        let history = HistoryState { count: 0, writable: false, notice: None };
        let snapshot = Snapshot {
            demo: options.mode == Mode::Demo,
            simulated: false,
            power: PowerState::Starting,
            server: ServerState::Checking { url: url.clone() },
            run: RunStatus::Idle,
            can_run: false,
            blocked: None,
            last: None,
            unfinished: None,
            history: history.clone(),
            preset: options.settings.preset,
            estimate: String::new(),
        };
        let shared = Arc::new(Shared {
            data: options.data,
            config: options.config,
            clock: Clock::start(),
            feed: Mutex::default(),
            samples: broadcast::channel(LAG).0,
            sample_count: AtomicU64::new(0),
            source: Mutex::default(),
            phases: Mutex::default(),
            server: Mutex::new(ServerState::Checking { url }),
            run: Mutex::new(RunStatus::Idle),
            control: Mutex::default(),
            settings: Mutex::new(options.settings),
            token: Mutex::new(options.token),
            mode: Mutex::new(options.mode),
            demo: AsyncMutex::default(),
            store: Arc::default(),
            history: Mutex::new(history),
            last: Mutex::default(),
            unfinished: Mutex::default(),
            dismissed: Mutex::default(),
            report: Mutex::default(),
            lent: AtomicBool::new(false),
            free: watch::channel(true).0,
            wish: watch::channel(0).0,
            look: Notify::new(),
            observers: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            snapshot: watch::channel(Arc::new(snapshot)).0,
        });
        tokio::spawn(monitor::watch_power(Arc::clone(&shared)));
        tokio::spawn(watch_server(Arc::clone(&shared)));
        tokio::spawn(grow_old(Arc::clone(&shared)));
        let first = Arc::clone(&shared);
        tokio::spawn(async move { first.refresh_history().await });
        Self { shared, runtime: tokio::runtime::Handle::current() }
    }

    /// How things stand.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.borrow().clone()
    }

    /// How things stand, whenever that changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.shared.snapshot.subscribe()
    }

    /// Samples of the last minute, and those that come.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        // the order matters: a sample that comes between the two is given twice, not lost
        let samples = self.shared.samples.subscribe();
        Subscription { recent: lock(&self.shared.feed).recent().cloned().collect(), samples }
    }

    /// Phases of the last prompts, on the live clock.
    #[must_use]
    pub fn phases(&self) -> Vec<PhaseSpan> {
        lock(&self.shared.phases).clone()
    }

    /// Now, on the live clock.
    #[must_use]
    pub fn now(&self) -> MonotonicTime {
        self.shared.clock.now()
    }

    /// What the menu bar says.
    #[must_use]
    pub fn menu_bar(&self) -> MenuBar {
        let settings = self.shared.settings();
        let (smoothed_mw, peak_mw) = {
            let feed = lock(&self.shared.feed);
            (feed.smoothed_mw(f64::from(settings.smoothing_s)), feed.peak_mw())
        };
        menu_bar(&self.snapshot(), &settings, smoothed_mw, peak_mw)
    }

    /// Says that a window is looking; dropped when it no longer does.
    #[must_use]
    pub fn observe(&self) -> Observer {
        self.shared.observers.fetch_add(1, Ordering::SeqCst);
        self.shared.look.notify_one();
        self.shared.interval_may_change();
        Observer { shared: Arc::clone(&self.shared) }
    }

    /// Starts a run of `preset` against `model`, or the loaded one.
    ///
    /// # Errors
    /// [`FailureCode::AlreadyRunning`]. What goes wrong later stands in the snapshot.
    pub fn start_run(&self, preset: Preset, model: Option<String>) -> Result<(), Failure> {
        self.begin(run::Wish::New { preset, model })
    }

    /// Goes on with an interrupted run.
    ///
    /// # Errors
    /// [`FailureCode::AlreadyRunning`]. What goes wrong later stands in the snapshot.
    pub fn resume_run(&self, id: RunId) -> Result<(), Failure> {
        self.begin(run::Wish::Resume(id))
    }

    fn begin(&self, wish: run::Wish) -> Result<(), Failure> {
        let (sender, control) = unbounded_channel();
        {
            let mut running = lock(&self.shared.control);
            if running.as_ref().is_some_and(|running| !running.is_closed()) {
                return Err(Failure::new(FailureCode::AlreadyRunning, "A run is going on already."));
            }
            *running = Some(sender);
        }
        self.shared.step("Starting");
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn(async move { run::run(&shared, wish, control).await });
        Ok(())
    }

    /// Stops the run: the first time after the prompt that runs, the second time at once.
    ///
    /// # Errors
    /// [`FailureCode::NotRunning`].
    pub fn stop_run(&self) -> Result<(), Failure> {
        let control = lock(&self.shared.control);
        let sent = control.as_ref().is_some_and(|control| control.send(Control::Interrupt).is_ok());
        if sent { Ok(()) } else { Err(Failure::new(FailureCode::NotRunning, "No run is going on.")) }
    }

    /// True while a run is prepared or goes on.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(*lock(&self.shared.run), RunStatus::Starting { .. } | RunStatus::Running { .. })
    }

    /// No longer offers to go on with this run.
    pub fn dismiss_unfinished(&self, id: RunId) {
        lock(&self.shared.dismissed).push(id);
        lock(&self.shared.unfinished).take_if(|unfinished| unfinished.run_id == id.0);
        self.shared.publish();
    }

    /// Takes the result of the last run from the screen; it stays in the history.
    pub fn dismiss_result(&self) {
        {
            let mut run = lock(&self.shared.run);
            if matches!(*run, RunStatus::Finished { .. } | RunStatus::Failed { .. }) {
                *run = RunStatus::Idle;
            }
        }
        self.shared.publish();
    }

    /// Says that somebody has looked at the result.
    pub fn mark_seen(&self) {
        if let RunStatus::Finished { result } = &mut *lock(&self.shared.run) {
            result.seen = true;
        }
        self.shared.publish();
    }

    /// Looks at the server now.
    pub fn check_server(&self) {
        self.shared.look.notify_one();
    }

    /// Starts the power source again.
    pub fn restart_power(&self) {
        self.shared.power_wish_changed();
    }

    /// Loads a model, and leaves it loaded.
    ///
    /// # Errors
    /// [`Failure`] of the server.
    pub async fn load_model(&self, key: &str) -> Result<(), Failure> {
        let client = Client::connect(self.shared.client_options().await?, self.shared.clock).await?;
        client.select_model(Some(key)).await?;
        self.check_server();
        Ok(())
    }

    /// Lets the demo stand in, or takes it away.
    ///
    /// # Errors
    /// [`FailureCode::AlreadyRunning`] during a run.
    pub async fn set_demo(&self, on: bool) -> Result<(), Failure> {
        if self.is_running() {
            return Err(Failure::new(FailureCode::AlreadyRunning, "Stop the run first."));
        }
        *lock(&self.shared.mode) = if on { Mode::Demo } else { Mode::Real };
        if let Some(Demo { server: Some(server), .. }) = self.shared.demo.lock().await.take() {
            server.stop().await;
        }
        lock(&self.shared.feed).start();
        let url = self.shared.settings().server_url.unwrap_or_else(|| ClientOptions::default().url);
        *lock(&self.shared.server) = ServerState::Checking { url };
        self.shared.publish();
        self.shared.power_wish_changed();
        self.shared.look.notify_one();
        Ok(())
    }

    /// The settings as they hold.
    #[must_use]
    pub fn settings(&self) -> UserSettings {
        self.shared.settings()
    }

    /// Lets new settings hold, from the next sample and the next run on.
    pub fn set_settings(&self, settings: UserSettings) {
        let old = std::mem::replace(&mut *lock(&self.shared.settings), settings.clone());
        if old.server_url != settings.server_url {
            self.shared.look.notify_one();
        }
        if old.monitor_interval_ms != settings.monitor_interval_ms {
            self.shared.power_wish_changed();
        }
        self.shared.publish();
    }

    /// Lets a new token hold.
    pub fn set_token(&self, token: Option<ApiToken>) {
        *lock(&self.shared.token) = token;
        self.shared.look.notify_one();
    }

    /// Asks a server what it is. `None` is the one of the settings.
    pub async fn test_connection(&self, url: Option<String>) -> ConnectionTest {
        let options = match self.shared.client_options().await {
            Ok(options) => ClientOptions { url: url.unwrap_or(options.url.clone()), ..options },
            Err(failure) => return refused(failure),
        };
        let started = self.shared.clock.now();
        let client = match Client::connect(options, self.shared.clock).await {
            Ok(client) => client,
            Err(error) => return refused(error.into()),
        };
        let latency_ms = self.shared.clock.now().seconds_since(started) * 1e3;
        match client.models().await {
            Ok(models) => {
                let name = if client.is_lm_studio() { "LM Studio" } else { "An OpenAI-compatible server" };
                let simulated = if client.is_simulated() { ", simulated," } else { "" };
                ConnectionTest {
                    ok: true,
                    message: format!("{name}{simulated} answers."),
                    next: None,
                    version: client.app_version().map(str::to_owned),
                    api: Some(client.api()),
                    models: u32::try_from(models.len()).ok(),
                    latency_ms: Some(latency_ms),
                }
            }
            Err(error) => refused(error.into()),
        }
    }

    /// What is known of the power source.
    #[must_use]
    pub fn helper_view(&self) -> HelperView {
        let source = lock(&self.shared.source).clone();
        let feed = lock(&self.shared.feed);
        let recent: Vec<f64> = feed.recent().map(|sample| (sample.end_ns - sample.start_ns) as f64 / 1e6).collect();
        let program = match *lock(&self.shared.mode) {
            Mode::Real => crate::programs::Program::Helper,
            Mode::Demo | Mode::DemoPower => crate::programs::Program::SimulatedHelper,
        };
        HelperView {
            name: source.as_ref().map(|source| source.name.clone()),
            version: source.as_ref().and_then(|source| source.helper_version.clone()),
            protocol: joulebar_wire::PROTOCOL,
            interval_ms: source.as_ref().and_then(|source| source.requested_interval_ms),
            achieved_ms: crate::stats::median(&recent[recent.len().saturating_sub(8)..]),
            samplers: source.map(|source| source.samplers).unwrap_or_default(),
            samples: u32::try_from(self.shared.sample_count.load(Ordering::Relaxed)).unwrap_or(u32::MAX),
            simulated: feed.is_simulated(),
            path: program.find().ok().map(|path| path.display().to_string()),
        }
    }

    /// The user's suites.
    #[must_use]
    pub fn suites(&self) -> Library {
        self.shared.suites()
    }

    /// Where the settings are.
    #[must_use]
    pub fn config_folder(&self) -> &std::path::Path {
        &self.shared.config
    }

    /// Does something with the history, away from the tasks.
    ///
    /// # Errors
    /// Whatever `work` fails with; a failure to open the history.
    pub async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.shared.with_store(work).await
    }

    /// Reads again what the history holds; after a change that was not made here.
    pub async fn refresh_history(&self) {
        self.shared.refresh_history().await;
    }

    /// The report of the last run that ended here, in the history or not.
    #[must_use]
    pub fn last_report(&self) -> Option<Arc<Report>> {
        lock(&self.shared.report).clone()
    }

    /// Ends everything. A run that goes on stays as an interrupted one in the history.
    pub async fn shut_down(&self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.shared.power_wish_changed();
        if let Some(Demo { server: Some(server), .. }) = self.shared.demo.lock().await.take() {
            server.stop().await;
        }
    }
}

/// Somebody looks, as long as this value lives.
#[derive(Debug)]
pub struct Observer {
    shared: Arc<Shared>,
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.shared.observers.fetch_sub(1, Ordering::SeqCst);
        self.shared.interval_may_change();
    }
}

fn refused(failure: Failure) -> ConnectionTest {
    let (message, next) = match failure.message.split_once(". ") {
        Some((first, rest)) => (format!("{first}."), Some(rest.to_owned())),
        None => (failure.message, None),
    };
    ConnectionTest { ok: false, message, next, version: None, api: None, models: None, latency_ms: None }
}

impl Shared {
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
            return Ok(Power::Helper);
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

    fn interval_may_change(&self) {
        if lock(&self.settings).monitor_interval_ms > OBSERVED_MS && !self.is_power_lent() {
            self.power_wish_changed();
        }
    }

    pub(super) fn power_wish(&self) -> watch::Receiver<u64> {
        self.wish.subscribe()
    }

    fn power_wish_changed(&self) {
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
        let _ = tokio::time::timeout(Duration::from_secs(10), free.wait_for(|free| *free)).await;
    }

    pub(super) fn give_power_back(&self) {
        lock(&self.control).take();
        self.lent.store(false, Ordering::SeqCst);
        self.power_wish_changed();
        self.publish();
    }

    pub(super) fn start_power(&self, description: SourceDescription) {
        *lock(&self.source) = Some(description);
        self.sample_count.store(0, Ordering::Relaxed);
        lock(&self.feed).start();
        self.publish();
    }

    pub(super) fn lose_power(&self, problem: PowerProblem, message: String) {
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
        let settings = self.settings();
        let blocked = blocked(&power, &server);
        let snapshot = Snapshot {
            demo: mode == Mode::Demo,
            simulated: power_simulated || server_simulated || mode != Mode::Real,
            can_run: blocked.is_none() && !matches!(run, RunStatus::Starting { .. } | RunStatus::Running { .. }),
            blocked: blocked.map(str::to_owned),
            power,
            server,
            run,
            last: lock(&self.last).clone(),
            unfinished: lock(&self.unfinished).clone(),
            history: lock(&self.history).clone(),
            preset: settings.preset,
            estimate: estimate(&settings),
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

/// How large a run is, and a guess of its length: answers of 30 tokens a second.
fn estimate(settings: &UserSettings) -> String {
    let suite = Suite::builtin();
    let (prompts, phases_s) = match settings.preset {
        Preset::Full => (suite.prompts, settings.baseline_s + settings.cooldown_s),
        Preset::Quick => {
            (suite.quick().unwrap_or(suite).prompts, settings.baseline_s.min(2.0) + settings.cooldown_s.min(2.0))
        }
    };
    let tokens: f64 = prompts.iter().map(|prompt| f64::from(prompt.max_tokens)).sum();
    let minutes = (prompts.len() as f64 * phases_s + tokens / 30.0) / 60.0;
    let length =
        if minutes < 0.75 { "Less than a min".to_owned() } else { format!("About {:.0} min", minutes.max(1.0)) };
    match &settings.suite {
        Some(name) => format!("Suite {name}, 1 pass."),
        None => format!("{} prompts, 1 pass. {length}.", prompts.len()),
    }
}

/// Looks at the server now and then, never during a run.
async fn watch_server(shared: Arc<Shared>) {
    while !shared.is_over() {
        let busy = matches!(*lock(&shared.run), RunStatus::Starting { .. } | RunStatus::Running { .. });
        if !busy {
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
async fn grow_old(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    while !shared.is_over() {
        tick.tick().await;
        let aging = !matches!(lock(&shared.feed).power(shared.clock.now()), PowerState::Live { .. });
        if aging {
            shared.publish();
        }
    }
}
