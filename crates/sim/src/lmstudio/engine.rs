//! Carries out a generation: waits for its instants on the monotonic clock, writes the activity file and tells the answer
//! what happens. Knows nothing of HTTP or JSON.
//!
//! Every deadline is absolute, so a late token does not delay the ones behind it. As in LM Studio, a client that leaves stops
//! the generation, but a prompt that is being processed is finished first.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::clock_log::{Outcome, Recorder};
use super::models::{Instance, LoadConfig, Spec, Target};
use super::plan::{Kind, Limits, Plan, Prompt, Stop, plan};
use super::scenario::{Fault, Overflow, Script};
use super::state::State;
use super::stats::Measured;
use crate::activity;

/// Steps that may wait for a slow client before the engine does.
pub const STEPS_AHEAD: usize = 1_024;

/// What the engine tells the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The model is being loaded.
    LoadStarted,
    /// Share of the load that is done, 0 to 1.
    LoadProgress(f64),
    /// Loaded; how long it took, in seconds.
    LoadEnded(f64),
    /// Loading failed; nothing follows.
    LoadFailed(String),
    /// The prompt is being processed.
    PrefillStarted,
    /// Share of the prompt that is done, 0 to 1.
    PrefillProgress(f64),
    /// A sign of life in the silence.
    KeepAlive,
    /// The prompt has been processed; comes as often as the script says.
    PrefillEnded,
    /// Text.
    Delta {
        /// Reasoning or answer.
        kind: Kind,
        /// The text, never empty.
        text: String,
        /// Tokens in it.
        tokens: u32,
        /// When the last of them was generated, raw monotonic nanoseconds.
        generated_ns: i64,
    },
    /// Two lines of the stream got mixed.
    Damage,
    /// The engine failed; [`Step::Finished`] follows.
    Failed(String),
    /// The connection is to break now; nothing follows.
    Cut,
    /// The generation has ended.
    Finished(Summary),
}

/// The whole of a generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Instance that answered.
    pub instance: String,
    /// Its allocated context, in tokens.
    pub context_length: u64,
    /// Prompt tokens, template included.
    pub prompt_tokens: u64,
    /// Generated tokens, reasoning and end token included.
    pub output_tokens: u64,
    /// Of these, reasoning.
    pub reasoning_tokens: u64,
    /// The reasoning.
    pub reasoning: String,
    /// The answer.
    pub message: String,
    /// Why it ended.
    pub stop: Stop,
    /// Times for the statistics; `None` when no token was generated.
    pub measured: Option<Measured>,
    /// Seconds that the load inside of this request took.
    pub load_s: Option<f64>,
}

/// One generation to be carried out.
#[derive(Debug)]
pub struct Job {
    /// The server.
    pub state: Arc<State>,
    /// Its number, from 1.
    pub number: u64,
    /// Who answers.
    pub target: Target,
    /// For a load inside of this request.
    pub load: LoadConfig,
    /// TTL in seconds for such a load.
    pub ttl_s: Option<u64>,
    /// The prompt.
    pub prompt: Prompt,
    /// Limit for generated tokens.
    pub max_tokens: Option<u64>,
    /// Stop strings.
    pub stop: Vec<String>,
    /// True when the model reasons first.
    pub reasoning: bool,
    /// How it goes.
    pub script: Script,
    /// Its log.
    pub recorder: Recorder,
}

/// Ends the request in the activity file, also when the engine's task is stopped.
struct Busy<'a> {
    state: &'a State,
    request: String,
}

impl Busy<'_> {
    fn enter(&self, activity: activity::State) {
        self.state.note_activity(activity, &self.request);
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.enter(activity::State::Idle);
    }
}

/// The client has left: there is nobody to tell.
struct Gone;

/// Carries out `job` and reports to `steps` until it has ended or nobody listens.
pub async fn run(job: Job, steps: mpsc::Sender<Step>) {
    if let Err(Gone) = go(&job, &steps).await {
        job.recorder.update(|log| log.outcome = Outcome::ClientLeft);
    }
}

async fn tell(steps: &mpsc::Sender<Step>, step: Step) -> Result<(), Gone> {
    steps.send(step).await.map_err(|_| Gone)
}

/// Waits for an instant; ends early when the client leaves.
async fn wait(steps: &mpsc::Sender<Step>, until: Instant) -> Result<(), Gone> {
    tokio::select! {
        biased;
        () = steps.closed() => Err(Gone),
        () = sleep_until(until) => Ok(()),
    }
}

async fn go(job: &Job, steps: &mpsc::Sender<Step>) -> Result<(), Gone> {
    let (instance, load_s) = match &job.target {
        Target::Loaded(instance) => (instance.clone(), None),
        Target::ToLoad(spec) => {
            let Some((instance, seconds)) = load(job, spec, steps).await? else { return Ok(()) };
            (instance, Some(seconds))
        }
    };
    job.recorder.update(|log| log.model.clone_from(&instance.id));
    let slot = tokio::select! {
        () = steps.closed() => return Err(Gone),
        slot = Arc::clone(&instance.slots).acquire_owned() => slot.map_err(|_| Gone)?,
    };

    let request = job.recorder.update(|log| log.request.clone());
    let busy = Busy { state: &job.state, request };
    let start_ns = job.recorder.stamp(|log, now_ns| log.prefill_start_ns = Some(now_ns));
    let start = Instant::now();
    busy.enter(activity::State::Prefill);
    let cached = job.state.note_prompt(&instance.id, &job.prompt.tokens, start_ns);
    let limits = Limits {
        max_tokens: job.max_tokens,
        context_length: instance.context_length,
        stop: job.stop.clone(),
        reasoning: job.reasoning,
    };
    let seed = job.state.seed.wrapping_mul(1_000_003).wrapping_add(job.number);
    let plan = plan(&job.prompt, cached, &limits, &job.script, seed);
    job.recorder.update(|log| {
        log.prompt_tokens = job.prompt.tokens.len() as u64;
        log.cached_tokens = cached as u64;
    });

    let mut generation = Generation {
        job,
        plan: &plan,
        steps,
        start_ns,
        summary: Summary {
            instance: instance.id.clone(),
            context_length: instance.context_length,
            prompt_tokens: job.prompt.tokens.len() as u64,
            output_tokens: 0,
            reasoning_tokens: 0,
            reasoning: String::new(),
            message: String::new(),
            stop: plan.stop,
            measured: None,
            load_s,
        },
    };
    if job.prompt.tokens.len() as u64 >= instance.context_length {
        // only reached where the error must come inside of a stream, see `state::overflows`
        if job.script.overflow == Overflow::Error {
            tell(steps, Step::PrefillStarted).await?;
            tell(steps, Step::Failed(super::overflow_message(job.prompt.tokens.len(), instance.context_length)))
                .await?;
        }
        drop(busy);
        job.recorder.update(|log| log.outcome = Outcome::Fault);
        return tell(steps, Step::Finished(generation.summary)).await;
    }
    generation.prefill(start).await?;
    busy.enter(activity::State::Decode);
    let ending = generation.decode(start + plan.prefill).await?;
    drop(busy);
    drop(slot);
    job.recorder.update(|log| {
        log.stop_reason = Some(plan.stop);
        log.outcome = if ending == Ending::AsPlanned { Outcome::Complete } else { Outcome::Fault };
    });
    match ending {
        Ending::AsPlanned => tell(steps, Step::Finished(generation.summary)).await,
        Ending::Failed => {
            tell(steps, Step::Failed(job.script.error_message.clone())).await?;
            tell(steps, Step::Finished(generation.summary)).await
        }
        Ending::Cut => tell(steps, Step::Cut).await,
        Ending::EndEarly => Ok(()),
    }
}

/// Loads the model that the request needs; `None` when that failed. A load that has begun goes on without the client.
async fn load(job: &Job, spec: &'static Spec, steps: &mpsc::Sender<Step>) -> Result<Option<(Instance, f64)>, Gone> {
    job.recorder.stamp(|log, now_ns| log.load_start_ns = Some(now_ns));
    tell(steps, Step::LoadStarted).await?;
    let progress = |share| {
        // a client that has left misses the progress; that it left is noticed afterwards
        let _ = steps.try_send(Step::LoadProgress(share));
    };
    let loaded = job.state.load_for_request(spec, job.load, job.ttl_s, progress).await;
    job.recorder.stamp(|log, now_ns| log.load_end_ns = Some(now_ns));
    match loaded {
        Ok((instance, seconds)) => {
            tell(steps, Step::LoadEnded(seconds)).await?;
            Ok(Some((instance, seconds)))
        }
        Err(failure) => {
            tell(steps, Step::LoadFailed(failure.message)).await?;
            Ok(None)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    AsPlanned,
    Failed,
    Cut,
    EndEarly,
}

struct Generation<'a> {
    job: &'a Job,
    plan: &'a Plan,
    steps: &'a mpsc::Sender<Step>,
    start_ns: i64,
    summary: Summary,
}

impl Generation<'_> {
    /// Processes the prompt to its end, whether or not somebody still listens.
    async fn prefill(&self, start: Instant) -> Result<(), Gone> {
        let script = &self.job.script;
        let _ = self.steps.send(Step::PrefillStarted).await;
        let mut ticks: Vec<(Duration, Step)> = Vec::new();
        for step in 0..script.progress_steps.min(10_000) {
            let last = script.progress_steps.min(10_000) - 1;
            let share = if last == 0 { 1.0 } else { f64::from(step) / f64::from(last) };
            // one that never says it has ended has been seen to stop at 0.99
            let said = if script.prompt_end_events == 0 { share.min(0.99) } else { share };
            ticks.push((self.plan.prefill.mul_f64(share), Step::PrefillProgress(said)));
        }
        if script.keepalive_ms > 0 {
            let period = Duration::from_millis(script.keepalive_ms);
            let alive = (1..).map(|n| period * n).take_while(|at| *at < self.plan.prefill).take(100_000);
            ticks.extend(alive.map(|at| (at, Step::KeepAlive)));
            ticks.sort_by_key(|(at, _)| *at);
        }
        for (at, step) in ticks {
            sleep_until(start + at).await;
            let _ = self.steps.send(step).await;
        }
        sleep_until(start + self.plan.prefill).await;
        for _ in 0..script.prompt_end_events.min(2) {
            tell(self.steps, Step::PrefillEnded).await?;
        }
        if self.steps.is_closed() { Err(Gone) } else { Ok(()) }
    }

    async fn decode(&mut self, first: Instant) -> Result<Ending, Gone> {
        let script = &self.job.script;
        let per_delta = script.tokens_per_delta.max(1);
        let (mut pending, mut pending_kind, mut pending_tokens) = (String::new(), Kind::Message, 0);
        let (mut deltas, mut delay) = (0, Duration::ZERO);
        for (index, token) in self.plan.tokens.iter().enumerate() {
            if script.fault.is_some() && deltas == script.fault_after_deltas && pending_tokens == 0 {
                match script.fault {
                    Some(Fault::Error) => return Ok(Ending::Failed),
                    Some(Fault::Cut) => return Ok(Ending::Cut),
                    Some(Fault::EndEarly) => return Ok(Ending::EndEarly),
                    Some(Fault::DamagedLine) => {
                        tell(self.steps, Step::Damage).await?;
                        deltas += 1;
                    }
                    Some(Fault::Stall) => {
                        delay = match script.stall_ms {
                            0 => Duration::from_secs(86_400 * 365),
                            ms => Duration::from_millis(ms),
                        };
                        deltas += 1;
                    }
                    Some(Fault::Http500) | None => {}
                }
            }
            wait(self.steps, first + self.plan.offsets[index] + delay).await?;
            let generated_ns = self.note_token(token.kind);
            if pending_tokens > 0 && pending_kind != token.kind {
                self.send(&mut pending, pending_kind, &mut pending_tokens, generated_ns).await?;
                deltas += 1;
            }
            if token.kind == Kind::End {
                break;
            }
            pending.push_str(&token.text);
            (pending_kind, pending_tokens) = (token.kind, pending_tokens + 1);
            if pending_tokens >= per_delta {
                self.send(&mut pending, pending_kind, &mut pending_tokens, generated_ns).await?;
                deltas += 1;
            }
        }
        if pending_tokens > 0 {
            let generated_ns = self.job.recorder.update(|log| log.last_generated_ns).unwrap_or(self.start_ns);
            self.send(&mut pending, pending_kind, &mut pending_tokens, generated_ns).await?;
        }
        Ok(Ending::AsPlanned)
    }

    /// Notes that a token is there now.
    fn note_token(&mut self, kind: Kind) -> i64 {
        let now_ns = self.job.recorder.stamp(|log, now_ns| {
            log.first_generated_ns.get_or_insert(now_ns);
            log.last_generated_ns = Some(now_ns);
            log.tokens_ns.push(now_ns);
            log.output_tokens += 1;
            log.reasoning_tokens += u64::from(kind == Kind::Reasoning);
        });
        let summary = &mut self.summary;
        summary.output_tokens += 1;
        summary.reasoning_tokens += u64::from(kind == Kind::Reasoning);
        let total_ns = now_ns - self.start_ns;
        let ttft_ns = summary.measured.map_or(total_ns, |measured| measured.ttft_ns);
        summary.measured = Some(Measured { ttft_ns, total_ns, tokens: summary.output_tokens });
        now_ns
    }

    async fn send(&mut self, text: &mut String, kind: Kind, tokens: &mut u32, generated_ns: i64) -> Result<(), Gone> {
        let text = std::mem::take(text);
        match kind {
            Kind::Reasoning => self.summary.reasoning.push_str(&text),
            Kind::Message | Kind::End => self.summary.message.push_str(&text),
        }
        tell(self.steps, Step::Delta { kind, text, tokens: std::mem::take(tokens), generated_ns }).await
    }
}
