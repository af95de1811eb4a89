//! What all requests share: settings, loaded models, logs, and the engine's tasks.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::clock_log::{ClockLog, Recorder, RequestLog};
use super::engine::{self, Job, STEPS_AHEAD, Step};
use super::models::{Instance, LoadConfig, Registry, Spec};
use super::scenario::{Scenario, Script, ServerSettings};
use super::text::Random;
use crate::activity::{self, raw_monotonic_ns};

/// Conversations that `previous_response_id` can go on with.
const REMEMBERED_CONVERSATIONS: usize = 100;

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Behaviour and faults.
    pub scenario: Scenario,
    /// Activity file to append to.
    pub activity: Option<PathBuf>,
    /// File for [`RequestLog`] lines.
    pub clock_log: Option<PathBuf>,
    /// Makes identifiers and jitter differ between runs.
    pub seed: u64,
}

/// A model that could not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct LoadFailure {
    /// What the engine says.
    pub message: String,
}

/// The server's shared state.
#[derive(Debug)]
pub struct State {
    /// Settings of the whole server.
    pub settings: ServerSettings,
    /// Makes jitter differ between runs.
    pub seed: u64,
    scenario: Scenario,
    registry: Mutex<Registry>,
    /// Held while a model is being loaded: one at a time.
    loading: tokio::sync::Mutex<()>,
    activity: Option<activity::Writer>,
    clock_log: Arc<ClockLog>,
    generations: AtomicU64,
    ids: Mutex<Random>,
    conversations: Mutex<VecDeque<(String, Vec<String>)>>,
    tasks: Mutex<JoinSet<()>>,
}

impl State {
    /// The state of a server that starts now.
    ///
    /// # Errors
    /// When one of the log files cannot be opened.
    pub fn new(config: Config) -> io::Result<Self> {
        let settings = config.scenario.server.clone();
        Ok(Self {
            registry: Mutex::new(Registry::new(&settings, raw_monotonic_ns())),
            settings,
            seed: config.seed,
            scenario: config.scenario,
            loading: tokio::sync::Mutex::default(),
            activity: config.activity.as_deref().map(activity::Writer::open).transpose()?,
            clock_log: Arc::new(ClockLog::open(config.clock_log.as_deref())?),
            generations: AtomicU64::new(0),
            ids: Mutex::new(Random::new(config.seed)),
            conversations: Mutex::default(),
            tasks: Mutex::default(),
        })
    }

    /// The loaded models, after those that were idle for too long have gone.
    pub fn registry(&self) -> MutexGuard<'_, Registry> {
        let mut registry = lock(&self.registry);
        registry.drop_expired(raw_monotonic_ns());
        registry
    }

    /// Logs of the generations that have ended.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestLog> {
        self.clock_log.recent()
    }

    /// Counts a generation that arrived: its number, how it goes, and its log.
    #[must_use]
    pub fn begin(&self, route: &str, received_ns: i64, stream: bool) -> (u64, Script, Recorder) {
        let number = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
        let log = RequestLog {
            request: format!("r{number}"),
            route: route.to_owned(),
            stream,
            received_ns,
            ..RequestLog::default()
        };
        (number, self.scenario.script(number), Recorder::new(&self.clock_log, log))
    }

    /// Starts the engine on a generation.
    #[must_use]
    pub fn start(&self, job: Job) -> mpsc::Receiver<Step> {
        let (sender, receiver) = mpsc::channel(STEPS_AHEAD);
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(engine::run(job, sender));
        receiver
    }

    /// Stops all generations.
    pub fn stop(&self) {
        lock(&self.tasks).abort_all();
    }

    /// Writes a change to the activity file, if there is one.
    pub fn note_activity(&self, state: activity::State, request: &str) {
        if let Some(Err(error)) = self.activity.as_ref().map(|writer| writer.record_now(state, Some(request))) {
            super::complain(&format!("activity file could not be written: {error}"));
        }
    }

    /// Notes the prompt that an instance processes; see [`Registry::note_prompt`].
    pub fn note_prompt(&self, instance: &str, prompt: &[u64], now_ns: i64) -> usize {
        let cached = lock(&self.registry).note_prompt(instance, prompt, now_ns);
        if self.settings.prompt_cache { cached } else { 0 }
    }

    /// Loads a model because a request needs it, in its time; returns the instance and how long it took, in seconds.
    /// `progress` hears of the share that is done.
    ///
    /// # Errors
    /// When the scenario says that loads fail.
    pub async fn load_for_request(
        &self,
        spec: &'static Spec,
        config: LoadConfig,
        ttl_s: Option<u64>,
        progress: impl Fn(f64),
    ) -> Result<(Instance, f64), LoadFailure> {
        let _one_at_a_time = self.loading.lock().await;
        if let Some(instance) = self.registry().instances(spec).next() {
            return Ok((instance.clone(), 0.0));
        }
        self.registry().evict_for_request();
        let seconds = self.pass_load_time(spec, progress).await?;
        Ok((self.registry().load_for_request(spec, config, ttl_s, raw_monotonic_ns()), seconds))
    }

    /// Loads a model because the user asked for it; see [`State::load_for_request`]. As in LM Studio, a load that has begun
    /// is finished even when the client has gone and this future is dropped.
    ///
    /// # Errors
    /// When the scenario says that loads fail, or the server is stopped.
    pub async fn load(
        self: &Arc<Self>,
        spec: &'static Spec,
        config: LoadConfig,
    ) -> Result<(Instance, f64), LoadFailure> {
        let (state, (sender, receiver)) = (Arc::clone(self), oneshot::channel());
        lock(&self.tasks).spawn(async move {
            let _one_at_a_time = state.loading.lock().await;
            let passed = state.pass_load_time(spec, |_| ()).await;
            let loaded = passed.map(|seconds| (state.registry().load(spec, config, raw_monotonic_ns()), seconds));
            // a client that has gone needs no answer
            let _ = sender.send(loaded);
        });
        receiver.await.unwrap_or_else(|_| Err(LoadFailure { message: "The server was stopped".to_owned() }))
    }

    async fn pass_load_time(&self, spec: &Spec, progress: impl Fn(f64)) -> Result<f64, LoadFailure> {
        if let Some(message) = &self.settings.load_error {
            return Err(LoadFailure { message: message.clone() });
        }
        let half = Duration::from_millis(self.registry().load_ms(spec)) / 2;
        let start = Instant::now();
        progress(0.0);
        sleep(half).await;
        progress(0.5);
        sleep(half).await;
        progress(1.0);
        // LM Studio reports it in milliseconds
        Ok((start.elapsed().as_secs_f64() * 1e3).round() / 1e3)
    }

    /// A new identifier: `prefix` and `length` characters of `alphabet`.
    #[must_use]
    pub fn new_id(&self, prefix: &str, alphabet: &[u8], length: usize) -> String {
        format!("{prefix}{}", lock(&self.ids).identifier(alphabet, length))
    }

    /// Keeps the texts of a conversation for requests that go on with it.
    pub fn remember(&self, response_id: String, texts: Vec<String>) {
        let mut conversations = lock(&self.conversations);
        if conversations.len() == REMEMBERED_CONVERSATIONS {
            conversations.pop_front();
        }
        conversations.push_back((response_id, texts));
    }

    /// The texts of a conversation.
    #[must_use]
    pub fn recall(&self, response_id: &str) -> Option<Vec<String>> {
        lock(&self.conversations).iter().find(|(id, _)| id == response_id).map(|(_, texts)| texts.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
