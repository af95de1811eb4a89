//! The report: one JSON document with everything that was measured and everything that was derived from it.
//!
//! Names and meanings of the first block of every object are those of Joulebar's first format; the rest was added.
//! The committed schema is docs/report.schema.json. [`derive()`] builds a report from a session's record, [`verify()`]
//! takes one apart again and compares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::lmstudio::{Api, Model, ReportedStats, StopReason, Timeline, TokenCounts, Unavailable};
use crate::power::SourceDescription;
use crate::sample_row::SampleRow;
use crate::session::record::{EndReason, PhaseMarks, Segment, Server, Settings};
use crate::suite::{Category, Suite};
use crate::warning::WarningEntry;

mod checksum;
mod consistency;
mod derive;
mod energy;
mod file;
mod markdown;
mod speed;
#[cfg(test)]
mod tests;
mod verify;

pub use checksum::checksum;
pub(crate) use consistency::contradictions;
pub use derive::{derive, prompt_report};
pub use file::{ReportError, read_report, write_report};
pub use markdown::markdown;
pub use verify::{Difference, VerifyError, record_of, verify};

/// Version of the report's form. Readers accept the same number; additions that readers may ignore do not raise it.
pub const SCHEMA_VERSION: u32 = 1;

/// A whole session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Report {
    /// Start of the session, ISO 8601 in UTC.
    pub benchmark_id: String,
    /// Model that was measured, by its key.
    pub model: String,
    /// The session in five figures.
    pub summary: Summary,
    /// Every prompt that ran, in the order in which it ran.
    pub prompts: Vec<PromptReport>,

    /// True when power, server or both were simulated. Such a report is not a measurement.
    pub simulated: bool,
    /// What of it was simulated.
    pub simulation: Simulation,
    /// True when not all prompts ran.
    pub interrupted: bool,
    /// How the session ended.
    pub end_reason: EndReason,
    /// Version of this form.
    pub schema_version: u32,
    /// Program that wrote it.
    pub tool: Tool,
    /// How the session was set up.
    pub settings: Settings,
    /// The prompts that were to run.
    pub suite: Suite,
    /// The machine.
    pub environment: Environment,
    /// The server.
    pub server: Server,
    /// The model as the server lists it.
    pub model_details: Model,
    /// Where power comes from.
    pub power_source: SourceDescription,
    /// Interval that the samples really have (median), in milliseconds.
    pub achieved_interval_ms: Option<f64>,
    /// Documents of the power source that could not be used.
    pub rejected_documents: u64,
    /// Doubts about the session as a whole.
    pub warnings: Vec<WarningEntry>,
    /// The session's clock: where each start of the program lies on it.
    pub segments: Vec<Segment>,
    /// Every power sample, oldest first.
    pub samples: Vec<SampleRow>,
    /// `sha256:` and the hash of this document without this member, keys sorted, no white space.
    pub checksum: String,
}

/// Which parts of a session were simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Simulation {
    /// Power came from the simulator.
    pub power: bool,
    /// The server was the simulator.
    pub server: bool,
}

/// The program that wrote a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Tool {
    /// `joulebar`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Means over the whole answers; `null` where none has the figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Summary {
    /// Prompts that ran.
    pub total_prompts: u32,
    /// Mean of the prompts' mean baseline power.
    pub avg_baseline_power_mw: Option<f64>,
    /// Mean of the prompts' mean inference power.
    pub avg_inference_power_mw: Option<f64>,
    /// Mean of the prompts' mean cooldown power.
    pub avg_cooldown_power_mw: Option<f64>,
    /// Mean of the prompts' decode rates.
    pub avg_tokens_per_second: Option<f64>,

    /// Prompts that the suite has.
    pub planned_prompts: u32,
    /// Prompts whose generation failed.
    pub failed_prompts: u32,
    /// Mean time to the first token.
    pub avg_time_to_first_token_ms: Option<f64>,
    /// Whole answers that have a net energy.
    pub prompts_with_net_energy: u32,
    /// Net energy of these answers, added up.
    pub net_energy_j: Option<f64>,
    /// Gross energy of all whole answers that have one, added up.
    pub gross_energy_j: Option<f64>,
    /// Net energy over the generated tokens of the same answers. The headline.
    pub net_energy_per_token_j: Option<f64>,
    /// Generated tokens for one watt hour, net: 3600 over the headline.
    pub tokens_per_wh: Option<f64>,
    /// Why figures above are missing: they stand only for a whole suite, and for what the server counted.
    pub null_reason: Option<String>,
}

/// One prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PromptReport {
    /// Length class of the prompt.
    pub category: Category,
    /// The prompt without its nonce.
    pub prompt: String,
    /// The answer.
    pub response: String,
    /// How long its phases took.
    pub timing: Timing,
    /// Tokens and speed.
    pub inference_stats: InferenceStats,
    /// Power of the whole scope in each phase.
    pub power_consumption: PowerConsumption,

    /// The suite's id of the prompt.
    pub id: String,
    /// Which repeat of the prompt, from 1.
    pub repeat: u32,
    /// The nonce in front of the prompt (`[nonce] prompt`); `null` when nonces were off.
    pub nonce: Option<String>,
    /// Limit for generated tokens.
    pub max_tokens: u32,
    /// The reasoning, where the server separates it.
    pub reasoning: String,
    /// What went wrong; `null` for a whole answer.
    pub error: Option<String>,
    /// Energy of the request.
    pub energy: EnergyReport,
    /// Doubts about this prompt.
    pub warnings: Vec<WarningEntry>,
    /// Phase boundaries on the session's clock.
    pub marks: PhaseMarks,
    /// Facts of the stream; `null` when nothing came.
    pub stream: Option<Stream>,
}

/// How long the phases of a prompt took, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Timing {
    /// Before the request.
    pub baseline_duration_s: f64,
    /// Request sent to last token.
    pub inference_duration_s: f64,
    /// After the last token.
    pub cooldown_duration_s: f64,
    /// Request sent to first token; `null` where the API does not show it.
    pub prefill_duration_s: Option<f64>,
    /// First token to last token.
    pub decode_duration_s: Option<f64>,
}

/// Tokens and speed of one prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct InferenceStats {
    /// Tokens of the templated prompt, as the server counts them.
    pub prompt_tokens: Option<u64>,
    /// Generated tokens, reasoning and end token included, as the server counts them.
    pub completion_tokens: Option<u64>,
    /// Decode rate: (tokens − 1) over first to last token; the server's own where the API does not stream statistics.
    pub tokens_per_second: Option<f64>,
    /// Request sent to first token, reasoning included; the server's own where the API does not stream statistics.
    pub time_to_first_token_ms: Option<f64>,
    /// Request sent to last token.
    pub inference_duration_s: f64,

    /// Whose `tokens_per_second` and `time_to_first_token_ms` these are.
    pub clock: Option<StatsClock>,
    /// Of the generated tokens, reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Of the prompt tokens, taken from the server's cache.
    pub cached_prompt_tokens: Option<u64>,
    /// Computed prompt tokens over the server's prefill events; `null` where the API does not show them.
    pub prefill_tokens_per_second: Option<f64>,
    /// Computed prompt tokens over the whole time to the first token: too low, queue and transport included.
    pub estimated_prefill_tokens_per_second: Option<f64>,
    /// Time between text events; one event may carry several tokens.
    pub inter_event_latency_ms: Option<Percentiles>,
    /// Why generation ended.
    pub stop_reason: Option<StopReason>,
    /// The server's own statistics.
    pub reported: ReportedStats,
}

/// Whose clock a speed was measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum StatsClock {
    /// Ours, at the socket.
    Client,
    /// The server's.
    Server,
}

/// Percentiles of a set of values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// Power in each phase. A sample belongs to the phase that holds its midpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PowerConsumption {
    /// Before the request.
    pub baseline: PhasePower,
    /// Request sent to last token.
    pub inference: PhasePower,
    /// After the last token.
    pub cooldown: PhasePower,
    /// The prefill part of the inference.
    pub prefill: PhasePower,
    /// The decode part of the inference.
    pub decode: PhasePower,
}

/// Power over one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PhasePower {
    /// Lowest sample; `null` without samples.
    pub min_mw: Option<f64>,
    /// Highest sample.
    pub max_mw: Option<f64>,
    /// Mean, weighted by the measured length of each sample.
    pub avg_mw: Option<f64>,
    /// How many samples.
    pub sample_count: u32,
    /// The same for each rail that the source reports.
    pub rails: RailPowers,
}

/// Mean power of each rail over one phase, weighted by the measured length of each sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RailPowers {
    /// CPU.
    pub cpu_avg_mw: Option<f64>,
    /// GPU.
    pub gpu_avg_mw: Option<f64>,
    /// Neural engine.
    pub ane_avg_mw: Option<f64>,
    /// Memory.
    pub dram_avg_mw: Option<f64>,
    /// The whole machine; another scope, never part of a sum.
    pub system_avg_mw: Option<f64>,
}

/// Energy of one request. Formulas: docs/measuring.md.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct EnergyReport {
    /// What is counted: `soc`.
    pub scope: Scope,
    /// Rails inside the scope, as the source names them.
    pub rails: Vec<String>,
    /// Energy from request sent to last token, by overlap with the measured windows.
    pub gross_j: Option<f64>,
    /// Why there is no `gross_j`.
    pub gross_null_reason: Option<String>,
    /// Energy above idle that the request caused, by padded integration. May be negative.
    pub net_j: Option<f64>,
    /// Part of `net_j` after the last token.
    pub tail_j: Option<f64>,
    /// How `net_j` was computed; `null` with `net_j`.
    pub method: Option<Method>,
    /// Why there is no `net_j`.
    pub null_reason: Option<String>,
    /// Median power of the baseline.
    pub idle_power_mw: Option<f64>,
    /// Standard deviation of the baseline's samples.
    pub idle_power_sd_mw: Option<f64>,
    /// Samples of the baseline.
    pub idle_samples: u32,
    /// Period in which the counters behind the samples publish, where the samples show one (macOS 27).
    pub counter_batch_s: Option<f64>,
    /// Pad on each side of the request; whole samples are taken, and the nearest two on each side in any case.
    pub pad_s: Option<f64>,
    /// Samples that touch the request.
    pub inference_samples: u32,
    /// Net energy by plain clipping, for comparison.
    pub clipped_net_j: Option<f64>,
    /// Gross energy by padding: `net_j` plus idle power over the request.
    pub padded_gross_j: Option<f64>,
    /// `net_j` minus `clipped_net_j`.
    pub method_difference_j: Option<f64>,
    /// That difference over `net_j`.
    pub method_difference_ratio: Option<f64>,
    /// Prefill and decode apart.
    pub split: SplitReport,
    /// Gross energy per generated token.
    pub gross_energy_per_token_j: Option<f64>,
    /// Net energy per generated token. The headline.
    pub net_energy_per_token_j: Option<f64>,
    /// Net energy per generated token that is not reasoning.
    pub net_energy_per_visible_token_j: Option<f64>,
    /// Net prefill energy per prompt token that was not cached.
    pub net_energy_per_prefill_token_j: Option<f64>,
    /// Net decode energy per token after the first.
    pub net_energy_per_decode_token_j: Option<f64>,
}

/// Which consumers an energy covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The rails of the chip that the source reports. No display, no SSD, on most machines no memory.
    Soc,
}

/// How a net energy was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Whole samples over a padded window, idle power taken off.
    Padded,
}

/// Gross and net energy of prefill and decode. Gross parts add up to the request's gross energy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SplitReport {
    /// Gross energy of the prefill.
    pub prefill_gross_j: Option<f64>,
    /// Gross energy of the decode.
    pub decode_gross_j: Option<f64>,
    /// Net energy of the prefill: gross minus idle power over it.
    pub prefill_net_j: Option<f64>,
    /// Net energy of the decode: gross minus idle power over it.
    pub decode_net_j: Option<f64>,
    /// What ended the prefill.
    pub boundary: Option<SplitBoundary>,
    /// First token minus the server's end of prefill, where it reports one.
    pub boundary_gap_ms: Option<f64>,
    /// Why there is no split.
    pub null_reason: Option<String>,
}

/// What was taken as the end of the prefill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum SplitBoundary {
    /// The server's `prompt_processing.end`.
    PromptProcessingEnd,
    /// The first token.
    FirstToken,
}

/// Facts of a stream, beside its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Stream {
    /// API that was used.
    pub api: Api,
    /// Model or instance that answered.
    pub answered_by: Option<String>,
    /// Our instants.
    pub timeline: Timeline,
    /// The server's token counts.
    pub tokens: TokenCounts,
    /// Every `null` of `tokens`, of `inference_stats` and of `inference_stats.reported` that this API cannot fill, with its
    /// reason.
    pub unavailable: Vec<Unavailable>,
}
