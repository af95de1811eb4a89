//! What a session leaves behind before anything is derived from it: raw facts on one monotonic clock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::MonotonicTime;
use crate::environment::Environment;
use crate::lmstudio::{Api, Engine, Generation, Model};
use crate::power::SourceDescription;
use crate::sample::PowerSample;
use crate::suite::{Category, Suite};

/// Everything that a report is derived from.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRecord {
    /// Facts that were known before the first prompt.
    pub header: Header,
    /// Stretches of time on the session's clock; more than one after a resume.
    pub segments: Vec<Segment>,
    /// Finished prompts, in the order in which they ran.
    pub runs: Vec<PromptRun>,
    /// Every power sample, oldest first.
    pub samples: Vec<PowerSample>,
    /// Documents of the power source that could not be used.
    pub rejected_documents: u64,
    /// How the session ended.
    pub end: EndReason,
}

/// Facts that are known before the first prompt runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Start of the session, ISO 8601 in UTC; its name.
    pub benchmark_id: String,
    /// Version of Joulebar.
    pub tool_version: String,
    /// Model that was measured.
    pub model: Model,
    /// Server that answered.
    pub server: Server,
    /// How the session was set up.
    pub settings: Settings,
    /// The prompts.
    pub suite: Suite,
    /// The machine.
    pub environment: Environment,
    /// Where power comes from.
    pub power_source: SourceDescription,
}

/// The server that answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Server {
    /// Base address.
    pub url: String,
    /// API that was used throughout.
    pub api: Api,
    /// True when it identified itself as LM Studio.
    pub lm_studio: bool,
    /// LM Studio's version, where it can be learned.
    pub app_version: Option<String>,
    /// Inference engine, where it can be learned.
    pub engine: Engine,
    /// True for Joulebar's simulator.
    pub simulated: bool,
    /// Seconds that loading the model took, when this session loaded it.
    pub model_load_s: Option<f64>,
}

/// How a session is set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Settings {
    /// Length of the baseline before each prompt, in seconds.
    pub baseline_s: f64,
    /// Length of the cooldown after each prompt, in seconds.
    pub cooldown_s: f64,
    /// True for a quick run: 2 s phases, short prompts only.
    pub quick: bool,
    /// True when a nonce stands in front of every prompt.
    pub nonce: bool,
    /// Seed of the nonces (and passed to servers that take one). Below 2^53.
    pub seed: u64,
    /// Sampling temperature.
    pub temperature: f64,
    /// Period in which the energy counters behind the samples publish, in seconds, where known.
    pub counter_batch_s: Option<f64>,
}

impl Settings {
    /// Longest phase that is accepted, in seconds: a day.
    pub const MAX_PHASE_S: f64 = 86_400.0;

    /// False for lengths that no session can have: not finite, negative, longer than a day. Files come from outside.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let phase = |seconds: f64| (0.0..=Self::MAX_PHASE_S).contains(&seconds);
        phase(self.baseline_s) && phase(self.cooldown_s) && self.counter_batch_s.is_none_or(phase)
    }
}

/// A stretch of the session's clock, from one start of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Segment {
    /// Where it starts on the session's clock.
    #[serde(rename = "origin_ns")]
    pub origin: MonotonicTime,
    /// The same instant on the wall clock, ISO 8601 in UTC.
    pub started_at: String,
}

/// One prompt that ran to its end, whether the generation succeeded or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptRun {
    /// The suite's id of the prompt.
    pub id: String,
    /// Length class.
    pub category: Category,
    /// Which repeat of the prompt, from 1.
    pub repeat: u32,
    /// The prompt without its nonce.
    pub prompt: String,
    /// The nonce in front of it; `None` when nonces are off.
    pub nonce: Option<String>,
    /// Limit for generated tokens.
    pub max_tokens: u32,
    /// Where its phases begin and end.
    pub marks: PhaseMarks,
    /// What the server answered.
    pub outcome: Outcome,
}

/// Phase boundaries of one prompt on the session's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PhaseMarks {
    /// The baseline begins.
    #[serde(rename = "baseline_start_ns")]
    pub baseline_start: MonotonicTime,
    /// The request was sent: the baseline ends, prefill begins.
    #[serde(rename = "request_sent_ns")]
    pub request_sent: MonotonicTime,
    /// The first token arrived: decode begins. `None` where the API does not show it, or none came.
    #[serde(rename = "first_token_ns")]
    pub first_token: Option<MonotonicTime>,
    /// The last token arrived, or the generation failed: the cooldown begins.
    #[serde(rename = "last_token_ns")]
    pub last_token: MonotonicTime,
    /// The cooldown ends.
    #[serde(rename = "cooldown_end_ns")]
    pub cooldown_end: MonotonicTime,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// The server answered to the end.
    Completed {
        /// The answer with its timeline and counts.
        generation: Box<Generation>,
    },
    /// It did not.
    Failed {
        /// What happened, for people.
        message: String,
        /// What had come until then.
        partial: Option<Box<Generation>>,
    },
}

impl SessionRecord {
    /// Which attempt the session is at: 1, and one more after every resume.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.segments.len()).unwrap_or(u32::MAX)
    }
}

impl Outcome {
    /// The answer, whole or partial.
    #[must_use]
    pub fn generation(&self) -> Option<&Generation> {
        match self {
            Self::Completed { generation } => Some(generation),
            Self::Failed { partial, .. } => partial.as_deref(),
        }
    }

    /// The answer only if it is whole.
    #[must_use]
    pub fn completed(&self) -> Option<&Generation> {
        match self {
            Self::Completed { generation } => Some(generation),
            Self::Failed { .. } => None,
        }
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// All prompts ran.
    Completed,
    /// The user stopped it.
    Interrupted,
    /// The power source ended or failed.
    PowerLost,
    /// The server could no longer be reached.
    ServerLost,
    /// No power sample ever came.
    NoSamples,
}
