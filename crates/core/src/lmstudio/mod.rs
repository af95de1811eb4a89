//! Talking to a model server: LM Studio's REST v1 and v0, and any OpenAI-compatible server.
//!
//! This module holds the types at the border; a generation is a timeline of our own instants with the server's own
//! statistics kept beside it. Token counts come from the server only, never from chunks.
//!
//! Inside, bytes become events ([`sse`]), events become facts ([`v1`], [`v0`], [`openai`]), and facts with instants
//! become a [`Generation`] ([`timeline`]): pure, and the same for live streams, recordings and tests. [`detect`] and
//! [`models`] decide, [`rates`] derives, and only [`client`] does I/O. What a session does with it is left to others.

pub mod client;
pub mod detect;
mod error;
pub mod facts;
mod http;
pub mod keychain;
mod mask;
pub mod models;
pub mod openai;
pub mod payload;
pub mod rates;
pub mod sse;
pub mod timeline;
mod token;
pub mod v0;
pub mod v1;

pub use client::{Client, ClientOptions, SelectedModel};
pub use error::{BadBody, GenerateError, LmError, UrlProblem, Waiting};
pub use http::check_url;
pub use token::{ApiToken, TOKEN_VARIABLE, TokenError, read_token_file};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::MonotonicTime;

/// The API that a server speaks. Chosen once, then kept for the whole session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// LM Studio 0.4 and later, `/api/v1`.
    LmstudioV1,
    /// LM Studio 0.3.6 and later, `/api/v0`.
    LmstudioV0,
    /// `/v1` of llama.cpp, Ollama, `mlx_lm` and others.
    Openai,
}

/// A model as the server lists it. What the server does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Model {
    /// Key to send as `model`.
    pub key: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Instance that answers, when the model is loaded (`key`, `key:2`, or a custom identifier).
    pub instance_id: Option<String>,
    /// True when loaded; `None` when the server does not say.
    pub loaded: Option<bool>,
    /// False for embedding models.
    pub generates_text: bool,
    /// Architecture, `qwen3`.
    pub architecture: Option<String>,
    /// Quantization name, `Q4_K_M`.
    pub quantization: Option<String>,
    /// Nominal bits per weight.
    pub bits_per_weight: Option<f64>,
    /// `gguf`, `mlx`.
    pub format: Option<String>,
    /// Size on disk, in bytes.
    pub size_bytes: Option<u64>,
    /// Parameters as the publisher writes them, `4B`.
    pub params: Option<String>,
    /// Context length that is allocated, in tokens.
    pub context_length: Option<u64>,
    /// Context length that the model supports, in tokens.
    pub max_context_length: Option<u64>,
    /// Parallel slots of the loaded instance.
    pub parallel: Option<u64>,
    /// Values that the model's reasoning switch takes; empty when it has none.
    #[serde(default)]
    pub reasoning_options: Vec<String>,
}

/// Engine behind the server, where it can be learned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Engine {
    /// `llama.cpp-mac-arm64-apple-metal-advsimd`.
    pub name: Option<String>,
    /// `2.34.0`.
    pub version: Option<String>,
}

/// What one delta of a stream carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum DeltaKind {
    /// Text of the model's reasoning.
    Reasoning,
    /// Text of the answer.
    Message,
}

/// One non-empty piece of text. A delta is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Delta {
    /// Arrival, nanoseconds on the session's clock.
    #[serde(rename = "at_ns")]
    pub at: MonotonicTime,
    /// Reasoning or answer.
    pub kind: DeltaKind,
    /// Length of the text in bytes.
    pub bytes: u32,
}

/// Instants of one generation on the session's clock. What the API cannot show is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Timeline {
    /// The request was handed to the connection.
    #[serde(rename = "sent_ns")]
    pub sent: MonotonicTime,
    /// Response headers arrived.
    #[serde(rename = "headers_ns")]
    pub headers: Option<MonotonicTime>,
    /// `prompt_processing.start`.
    #[serde(rename = "prefill_start_ns")]
    pub prefill_start: Option<MonotonicTime>,
    /// Every `prompt_processing.end`; LM Studio sends none, one or two.
    #[serde(rename = "prefill_ends_ns")]
    pub prefill_ends: Vec<MonotonicTime>,
    /// Every non-empty delta, in order.
    pub deltas: Vec<Delta>,
    /// `message.end` / `reasoning.end` after the last delta, or the chunk with the finish reason.
    #[serde(rename = "finish_ns")]
    pub finish: Option<MonotonicTime>,
    /// The stream's last event (`chat.end`, `[DONE]`, or the whole body).
    #[serde(rename = "end_ns")]
    pub end: MonotonicTime,
}

impl Timeline {
    /// Arrival of the first generated token, reasoning included: the first non-empty delta.
    #[must_use]
    pub fn first_token(&self) -> Option<MonotonicTime> {
        self.deltas.first().map(|delta| delta.at)
    }

    /// End of generation: the finish event if there was one, else the last delta, else the stream's end.
    #[must_use]
    pub fn last_token(&self) -> MonotonicTime {
        self.finish.or_else(|| self.deltas.last().map(|delta| delta.at)).unwrap_or(self.end)
    }
}

/// Token counts as the server gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct TokenCounts {
    /// Templated prompt, system prompt included.
    pub prompt: Option<u64>,
    /// Of these, taken from the server's cache and not computed. LM Studio never tells: `None` there, not 0.
    pub prompt_cached: Option<u64>,
    /// All generated tokens: reasoning, answer, and on LM Studio and llama.cpp the end token.
    pub output: Option<u64>,
    /// Of these, reasoning.
    pub reasoning: Option<u64>,
}

/// Speeds and times that the server reported about itself. Kept beside ours, never mixed with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ReportedStats {
    /// Decode rate, tokens per second; the time before the first token is not in it.
    pub tokens_per_second: Option<f64>,
    /// Time to the first token, in milliseconds; model load excluded.
    pub ttft_ms: Option<f64>,
    /// Whole generation, in seconds, as the server defines it (two meanings on `/api/v0`).
    pub generation_time_s: Option<f64>,
    /// Prompt processing, in milliseconds, first token included (llama.cpp's `prompt_ms`).
    #[serde(default)]
    pub prompt_ms: Option<f64>,
    /// Prefill rate, tokens per second.
    pub prompt_tokens_per_second: Option<f64>,
    /// Model load inside this request, in seconds.
    pub model_load_s: Option<f64>,
}

/// Why generation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model ended its answer.
    EndOfSequence,
    /// The token limit was reached.
    MaxTokens,
    /// A stop string was generated.
    StopString,
    /// The context was full.
    ContextLength,
    /// Anything else, in the server's words.
    Other(String),
}

/// A value that the server's API cannot give, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Unavailable {
    /// Name of the missing field, `reported.ttft_ms`.
    pub field: String,
    /// Reason in plain words.
    pub reason: String,
}

/// One finished generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generation {
    /// API that was used.
    pub api: Api,
    /// Model or instance that really answered, in the server's words.
    pub answered_by: Option<String>,
    /// Our own instants.
    pub timeline: Timeline,
    /// The server's token counts.
    pub tokens: TokenCounts,
    /// The server's own statistics.
    pub reported: ReportedStats,
    /// Why it ended; on LM Studio v1 inferred from the token limit.
    pub stop_reason: Option<StopReason>,
    /// The answer.
    pub text: String,
    /// The reasoning; empty when the model made none or the server does not separate it.
    pub reasoning_text: String,
    /// What this API cannot give, each with its reason.
    pub unavailable: Vec<Unavailable>,
}

/// A request for one generation.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationRequest {
    /// Model key or instance.
    pub model: String,
    /// The user's prompt, nonce included.
    pub prompt: String,
    /// Limit for generated tokens, reasoning included.
    pub max_tokens: u32,
    /// Sampling temperature; 0 for benchmarks.
    pub temperature: f64,
    /// Seed, for APIs that take one.
    pub seed: Option<u64>,
    /// `off`, `low`, ... for models with a reasoning switch (v1 only); `None` leaves it alone.
    pub reasoning: Option<String>,
}

/// What happened just now in a running generation, for progress and phase marks.
#[derive(Clone, Debug, PartialEq)]
pub enum GenerationEvent {
    /// The request was handed to the connection.
    Sent(MonotonicTime),
    /// Share of the prompt that was processed, 0 to 1.
    PrefillProgress(MonotonicTime, f64),
    /// `prompt_processing.end`.
    PrefillEnded(MonotonicTime),
    /// The first non-empty delta.
    FirstToken(MonotonicTime),
    /// Every non-empty delta, the first included, with its text.
    Delta(MonotonicTime, DeltaKind, String),
    /// Generation ended (not yet the stream).
    Finished(MonotonicTime),
}
