//! What a screen shows of now: plain values, units in their names, `None` for what is missing.

use serde::Serialize;

use crate::power::{PassedOver, SourceDescription, Way};
use crate::sample::Origin;
use crate::session::machine::Phase;
use crate::session::record::EndReason;
use crate::settings::Preset;
use crate::warning::WarningEntry;

/// Power over the latest sample, or over the time that is smoothed over.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Reading {
    /// End of the sample, nanoseconds on the live clock.
    pub end_ns: i64,
    /// The chip.
    pub soc_mw: Option<f64>,
    /// CPU.
    pub cpu_mw: Option<f64>,
    /// GPU.
    pub gpu_mw: Option<f64>,
    /// Neural engine.
    pub ane_mw: Option<f64>,
    /// Memory.
    pub dram_mw: Option<f64>,
    /// The whole machine; another scope.
    pub system_mw: Option<f64>,
    /// Rails inside `soc_mw`, `GPU + CPU + ANE`.
    pub scope: String,
    /// Figures that the source can't give now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub missing: Option<Missing>,
}

/// Figures that a source can't give now: no 0, but nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Missing {
    /// Rails, `CPU, Neural Engine, memory`.
    pub rails: String,
    /// Why, for people: one sentence.
    pub reason: String,
    /// How long they have been missing, in whole seconds.
    pub age_s: f64,
}

/// Where power comes from now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SourceView {
    /// The way, for programs; `None` for recordings and the simulator.
    pub way: Option<Way>,
    /// The way, for people.
    pub title: String,
    /// What its figures cover, for people.
    pub scope: String,
    /// Better ways that were not to be had, and why.
    pub passed_over: Vec<PassedOverView>,
}

/// A better way that was not to be had.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PassedOverView {
    /// The way, for people.
    pub title: String,
    /// Why, for people.
    pub why: String,
}

impl From<&SourceDescription> for SourceView {
    fn from(source: &SourceDescription) -> Self {
        let simulated = source.origin == Origin::Simulator;
        let title = match source.way {
            Some(way) => way.title(),
            None if simulated => "the simulator: no figure is a measurement",
            None => "a recording",
        };
        let view =
            |passed: &PassedOver| PassedOverView { title: passed.way.title().to_owned(), why: passed.why.clone() };
        Self {
            way: source.way,
            title: title.to_owned(),
            scope: source.way.map_or_else(String::new, |way| way.scope().to_owned()),
            passed_over: source.passed_over.iter().map(view).collect(),
        }
    }
}

/// Whether there is power to show.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PowerState {
    /// The source was started and has given nothing yet.
    Starting,
    /// The latest sample is fresh.
    Live {
        /// It.
        reading: Reading,
    },
    /// The latest sample is a little old.
    Held {
        /// It.
        reading: Reading,
        /// How old, in seconds.
        age_s: f64,
    },
    /// The latest sample is too old to be shown.
    Stale {
        /// How old, in seconds.
        age_s: f64,
    },
    /// There is no source.
    None {
        /// Why, for programs.
        reason: PowerProblem,
        /// Why, for people: one sentence.
        message: String,
    },
}

/// Why there is no power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum PowerProblem {
    /// The helper is not there.
    HelperMissing,
    /// It may not read power.
    NotPermitted,
    /// It is of another version.
    ProtocolMismatch,
    /// This machine has nothing to read.
    Unavailable,
    /// The source ended or failed.
    Ended,
    /// Nobody asked for it.
    Paused,
}

/// A model, as far as a screen shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ModelSummary {
    /// Key to ask for it.
    pub key: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Quantization.
    pub quantization: Option<String>,
    /// `gguf`, `mlx`.
    pub format: Option<String>,
    /// Nominal bits per weight.
    pub bits_per_weight: Option<f64>,
    /// Size on disk.
    pub size_bytes: Option<u64>,
    /// Context length that is allocated, in tokens.
    pub context_length: Option<u64>,
    /// True when it is loaded; `None` when the server does not say.
    pub loaded: Option<bool>,
}

/// Whether there is a server to ask.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ServerState {
    /// It has not answered yet.
    Checking {
        /// Its address.
        url: String,
    },
    /// Nobody answers.
    NotRunning {
        /// Its address.
        url: String,
    },
    /// It asks for a token.
    TokenNeeded {
        /// Its address.
        url: String,
    },
    /// It does not take the token.
    TokenRefused {
        /// Its address.
        url: String,
    },
    /// It answers, and no model is loaded.
    NoModel {
        /// Its address.
        url: String,
        /// Models that it could load.
        models: Vec<ModelSummary>,
    },
    /// A model is loaded.
    Ready {
        /// Its address.
        url: String,
        /// The model that would be measured.
        model: ModelSummary,
        /// Other loaded models, by key.
        others_loaded: Vec<String>,
        /// True for LM Studio.
        lm_studio: bool,
        /// Its version, where it says.
        version: Option<String>,
        /// True for the simulator.
        simulated: bool,
    },
    /// It answers in a way that can't be used.
    Failed {
        /// Its address.
        url: String,
        /// What is wrong, for people.
        message: String,
    },
}

/// How far one phase of the running prompt is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PhaseStep {
    /// Which.
    pub phase: Phase,
    /// How far.
    pub state: StepState,
    /// How long it took or has taken, in seconds; `None` before it begins.
    pub elapsed_s: Option<f64>,
}

/// How far a phase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Over.
    Done,
    /// Going on.
    Now,
    /// To come.
    Next,
}

/// How far a prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum PromptState {
    /// Answered whole.
    Done,
    /// Its generation failed.
    Failed,
    /// It runs.
    Now,
    /// To come.
    ToCome,
}

/// A run that goes on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Progress {
    /// Its number in the history; `None` when it is not kept there.
    pub run_id: Option<u32>,
    /// Its start, ISO 8601 in UTC.
    pub started_at: String,
    /// Name of the model.
    pub model: String,
    /// What it was started as.
    pub preset: Preset,
    /// Name of the suite.
    pub suite: String,
    /// Which prompt runs, from 1.
    pub position: u32,
    /// Prompts of the suite.
    pub planned: u32,
    /// Each prompt.
    pub prompts: Vec<PromptState>,
    /// The suite's id of the running prompt.
    pub prompt_id: String,
    /// Its name for people.
    pub prompt_title: String,
    /// The phase.
    pub phase: Phase,
    /// Baseline, prefill, decode, cooldown.
    pub phases: Vec<PhaseStep>,
    /// Text events a second in this answer, about one token each; `None` before there are two.
    pub tokens_per_s: Option<f64>,
    /// Text events of this answer.
    pub tokens: Option<u32>,
    /// Limit of this answer.
    pub max_tokens: u32,
    /// Gross energy since the request was sent, of the samples that have come.
    pub gross_j: Option<f64>,
    /// A guess of the time that is left, in seconds.
    pub eta_s: Option<f64>,
    /// True when it ends after this prompt.
    pub stopping: bool,
    /// True when power, server or both are simulated.
    pub simulated: bool,
    /// Something that the user should know, and that does not end the run.
    pub notice: Option<String>,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Finished {
    /// Its number in the history; `None` when it is not kept there.
    pub run_id: Option<u32>,
    /// Its start, ISO 8601 in UTC.
    pub started_at: String,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// Name of the model.
    pub model: String,
    /// What it was started as.
    pub preset: Preset,
    /// Name of the suite.
    pub suite: String,
    /// Prompts that ran.
    pub done: u32,
    /// Prompts of the suite.
    pub planned: u32,
    /// How it ended.
    pub end_reason: EndReason,
    /// True when power, server or both were simulated.
    pub simulated: bool,
    /// Net energy per generated token.
    pub net_energy_per_token_j: Option<f64>,
    /// Why there is none.
    pub null_reason: Option<String>,
    /// Rails that are counted.
    pub scope: String,
    /// Mean decode rate.
    pub tokens_per_s: Option<f64>,
    /// Mean power during inference.
    pub inference_power_mw: Option<f64>,
    /// Median time to the first token.
    pub ttft_median_ms: Option<f64>,
    /// Gross energy of all whole answers.
    pub gross_energy_j: Option<f64>,
    /// Doubts, each once.
    pub warnings: Vec<WarningEntry>,
    /// Why it ended early, for people.
    pub message: Option<String>,
    /// False until somebody has looked.
    pub seen: bool,
}

/// What became of a wish to run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RunStatus {
    /// Nothing runs.
    Idle,
    /// It is being prepared.
    Starting {
        /// What is done right now.
        step: String,
    },
    /// It runs.
    Running {
        /// How far it is.
        progress: Progress,
    },
    /// It has ended, with prompts.
    Finished {
        /// What came out.
        result: Finished,
    },
    /// It could not begin, or ended without a prompt.
    Failed {
        /// Why, for programs.
        code: FailureCode,
        /// Why and what to do, for people.
        message: String,
    },
}

/// Why something was not done. A screen acts on this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "ErrorCode"))]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// There is no power source.
    NeedsHelper,
    /// There is no server.
    NeedsServer,
    /// No model is loaded.
    NeedsModel,
    /// A run goes on already.
    AlreadyRunning,
    /// No run goes on.
    NotRunning,
    /// The history has no such run.
    NoSuchRun,
    /// The run goes on.
    RunIsGoingOn,
    /// The history can only be read.
    HistoryReadOnly,
    /// A file can't be written.
    CannotWrite,
    /// The disk is full.
    DiskFull,
    /// What was given can't be used.
    BadInput,
    /// The server wants another token.
    Token,
    /// A setting has a value that it can't have.
    WrongSetting,
    /// This system can't do that.
    Unavailable,
    /// Anything else.
    Failed,
}

/// An interrupted run that can go on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Unfinished {
    /// Its number.
    pub run_id: u32,
    /// Its start, ISO 8601 in UTC.
    pub started_at: String,
    /// Key of the model.
    pub model: String,
    /// Prompts that ran.
    pub done: u32,
    /// Prompts of its suite.
    pub planned: u32,
    /// True when power, server or both were simulated.
    pub simulated: bool,
}

/// What is to be known about the history.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct HistoryState {
    /// How many runs it has.
    pub count: u32,
    /// False when it can only be read, or there is none.
    pub writable: bool,
    /// What happened to it, for people.
    pub notice: Option<String>,
}

/// The newest completed run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LastResult {
    /// Its number.
    pub run_id: u32,
    /// Its start, ISO 8601 in UTC.
    pub started_at: String,
    /// Key of the model.
    pub model: String,
    /// Net energy per generated token.
    pub net_energy_per_token_j: Option<f64>,
    /// Mean decode rate.
    pub tokens_per_s: Option<f64>,
    /// True when power, server or both were simulated.
    pub simulated: bool,
}

/// Everything that is so now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Snapshot {
    /// True when the built-in demo stands in for server and power.
    pub demo: bool,
    /// True when the programs that simulate are there; an app that is shipped has none.
    pub has_demo: bool,
    /// True when what is shown now is simulated, in part or whole.
    pub simulated: bool,
    /// Power.
    pub power: PowerState,
    /// Where it comes from; `None` before a source was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub source: Option<SourceView>,
    /// The server.
    pub server: ServerState,
    /// The run.
    pub run: RunStatus,
    /// True when a run could start.
    pub can_run: bool,
    /// What it lacks, for people.
    pub blocked: Option<String>,
    /// The newest completed run.
    pub last: Option<LastResult>,
    /// A run to go on with.
    pub unfinished: Option<Unfinished>,
    /// The history.
    pub history: HistoryState,
    /// What Run Benchmark would run.
    pub preset: Preset,
    /// Its size and length, for people.
    pub estimate: String,
}

/// One sample of the live chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LiveSample {
    /// Start, nanoseconds on the live clock.
    pub start_ns: i64,
    /// End, nanoseconds on the live clock.
    pub end_ns: i64,
    /// The chip.
    pub soc_mw: Option<f64>,
    /// CPU.
    pub cpu_mw: Option<f64>,
    /// GPU.
    pub gpu_mw: Option<f64>,
    /// Neural engine.
    pub ane_mw: Option<f64>,
    /// Memory.
    pub dram_mw: Option<f64>,
    /// The whole machine.
    pub system_mw: Option<f64>,
}

/// A phase behind the live chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PhaseSpan {
    /// Which.
    pub phase: Phase,
    /// Start, nanoseconds on the live clock.
    pub start_ns: i64,
    /// End; `None` while it goes on.
    pub end_ns: Option<i64>,
}

/// What changed since the last message; the first one holds everything and the last 60 s.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LiveMessage {
    /// Everything that is so, when any of it changed.
    pub snapshot: Option<Snapshot>,
    /// New samples, oldest first.
    pub samples: Vec<LiveSample>,
    /// All phases of the last 60 s, when they changed.
    pub phases: Option<Vec<PhaseSpan>>,
    /// Now, nanoseconds on the live clock.
    pub now_ns: i64,
}
