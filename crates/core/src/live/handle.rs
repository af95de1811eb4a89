//! The handle of everything that goes on, and the state behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{broadcast, watch};

use super::failure::Failure;
use super::menu_bar::{MenuBar, menu_bar};
use super::shared::{self, Demo, Shared, lock};
use super::state::{FailureCode, LiveSample, PhaseSpan, RunStatus, ServerState, Snapshot, SourceView};
use super::{monitor, run, service};
use crate::clock::MonotonicTime;
use crate::helper_service::driver::HelperService;
use crate::helper_service::machine::Wish;
use crate::helper_service::words::ServiceView;
use crate::lmstudio::{ApiToken, Client, ClientOptions};
use crate::power::piped::Launcher;
use crate::report::Report;
use crate::session::runner::Control;
use crate::settings::{Preset, UserSettings};
use crate::store::{RunId, Store};
use crate::suite_library::Library;

/// How long a run may take to end in order when everything ends.
const END_LIMIT: Duration = Duration::from_secs(5);

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
    /// What starts a helper as a child; `None` where this program does it by itself.
    pub launcher: Option<Launcher>,
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
    /// Where power comes from; `None` before a source was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub source: Option<SourceView>,
    /// The helper as a service of macOS; `None` where this program does not look after one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub service: Option<ServiceView>,
    /// True when powermetrics can be authorized once with a password.
    pub can_authorize: bool,
}

/// Samples from now on, after those of the last minute.
#[derive(Debug)]
pub struct Subscription {
    /// The last minute, oldest first.
    pub recent: Vec<LiveSample>,
    /// What comes.
    pub samples: broadcast::Receiver<LiveSample>,
}

/// Everything that goes on. Clones are handles of the same; the tasks end with [`Live::shut_down`].
#[derive(Clone, Debug)]
pub struct Live {
    pub(super) shared: Arc<Shared>,
    /// Commands may come from threads that know of no runtime.
    runtime: tokio::runtime::Handle,
    service: Option<HelperService>,
}

impl Live {
    /// Starts the tasks. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(options: LiveOptions) -> Self {
        let shared = Arc::new(Shared::new(options));
        tokio::spawn(monitor::watch_power(Arc::clone(&shared)));
        tokio::spawn(shared::watch_server(Arc::clone(&shared)));
        tokio::spawn(shared::grow_old(Arc::clone(&shared)));
        let first = Arc::clone(&shared);
        tokio::spawn(async move { first.refresh_history().await });
        let service = service::start(&shared);
        if let Some(service) = &service {
            tokio::spawn(service::follow(Arc::clone(&shared), service.clone()));
        }
        Self { shared, runtime: tokio::runtime::Handle::current(), service }
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
        let control = self.reserve("A run is going on already.")?;
        self.shared.step("Starting");
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn(async move { run::run(&shared, wish, control).await });
        Ok(())
    }

    /// Takes the place of the one run that there can be, as long as the receiver lives.
    fn reserve(&self, refusal: &str) -> Result<UnboundedReceiver<Control>, Failure> {
        let mut running = lock(&self.shared.control);
        if running.as_ref().is_some_and(|running| !running.is_closed()) {
            return Err(Failure::new(FailureCode::AlreadyRunning, refusal));
        }
        let (sender, control) = unbounded_channel();
        *running = Some(sender);
        Ok(control)
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
        shared::is_busy(&lock(&self.shared.run))
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

    /// Says what is wanted of the helper as a service of macOS.
    ///
    /// # Errors
    /// [`FailureCode::Unavailable`] where this program looks after none.
    pub async fn want_helper(&self, wish: Wish) -> Result<(), Failure> {
        let service = self.service.as_ref().ok_or_else(|| {
            Failure::new(FailureCode::Unavailable, "This copy of Joulebar has no background helper to set up.")
        })?;
        service.want(wish).await;
        Ok(())
    }

    /// Opens power anew, and asks for a password for powermetrics if there is no better way.
    ///
    /// # Errors
    /// [`FailureCode::Unavailable`] where nobody can be asked; [`FailureCode::AlreadyRunning`] during a run.
    pub fn authorize_power(&self) -> Result<(), Failure> {
        if !cfg!(target_os = "macos") {
            return Err(Failure::new(FailureCode::Unavailable, "Only macOS asks for a password for powermetrics."));
        }
        if self.is_running() {
            return Err(Failure::new(FailureCode::AlreadyRunning, "Stop the run first."));
        }
        self.shared.authorize.store(true, Ordering::SeqCst);
        self.shared.power_wish_changed();
        Ok(())
    }

    /// Loads a model, and leaves it loaded.
    ///
    /// # Errors
    /// [`FailureCode::AlreadyRunning`] during a run, which it would disturb; otherwise the [`Failure`] of the server.
    pub async fn load_model(&self, key: &str) -> Result<(), Failure> {
        if self.is_running() {
            return Err(Failure::new(FailureCode::AlreadyRunning, "Stop the run first."));
        }
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
        let _reserved = self.reserve("Stop the run first.")?;
        self.shared.borrow_power().await;
        *lock(&self.shared.mode) = if on { Mode::Demo } else { Mode::Real };
        if let Some(Demo { server: Some(server), .. }) = self.shared.demo.lock().await.take() {
            server.stop().await;
        }
        // what was simulated and what was measured must not stand in one chart
        lock(&self.shared.feed).clear();
        let url = self.shared.settings().server_url.unwrap_or_else(|| ClientOptions::default().url);
        *lock(&self.shared.server) = ServerState::Checking { url };
        self.shared.give_power_back();
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
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn(async move { shared.estimate_run().await });
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
        let described = source.as_ref().map(SourceView::from);
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
            source: described,
            service: self.service.as_ref().map(|service| ServiceView::from(&service.standing())),
            can_authorize: cfg!(target_os = "macos") && *lock(&self.shared.mode) == Mode::Real,
        }
    }

    /// The power source in use, for a conversation of one's own beside it; `None` when there is none.
    pub async fn power(&self) -> Option<crate::power::open::Power> {
        self.shared.power().await.ok()
    }

    /// The user's suites.
    #[must_use]
    pub fn suites(&self) -> Library {
        self.shared.suites()
    }

    /// Where the settings are.
    #[must_use]
    pub fn config_folder(&self) -> &Path {
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

    /// Ends everything: programs that were started here, and after a few seconds at most a run, which stays as an
    /// interrupted one in the history.
    pub async fn shut_down(&self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let mut changes = self.changes();
        // at once: the first asks to stop after the prompt
        if self.stop_run().and_then(|()| self.stop_run()).is_ok() {
            let ended = changes.wait_for(|snapshot| !shared::is_busy(&snapshot.run));
            let _ = tokio::time::timeout(END_LIMIT, ended).await;
        }
        self.shared.power_wish_changed();
        let mut free = self.shared.free.subscribe();
        let _ = tokio::time::timeout(END_LIMIT, free.wait_for(|free| *free)).await;
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
