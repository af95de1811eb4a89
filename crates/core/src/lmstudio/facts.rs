//! What one event of a stream says, in words that all APIs share.

use super::payload::ServerMessage;
use super::{DeltaKind, ReportedStats, StopReason, TokenCounts};

/// One statement of the server. The order of facts is the order of the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// Model or instance that answers.
    AnsweredBy(String),
    /// A model was loaded inside this request; seconds where the server gives them.
    ModelLoaded(Option<f64>),
    /// Prompt processing began.
    PrefillStarted,
    /// Share of the prompt that is processed, 0 to 1.
    PrefillProgress(f64),
    /// Prompt processing ended.
    PrefillEnded,
    /// A piece of text; may be empty.
    Delta(DeltaKind, String),
    /// The reasoning or the answer is complete (v1).
    PartEnded(DeltaKind),
    /// Generation is complete, and why (OpenAI).
    Finished(StopReason),
    /// Token counts; what is `None` here leaves what is known.
    Counts(TokenCounts),
    /// The server's own statistics; what is `None` here leaves what is known.
    Reported(ReportedStats),
    /// The whole answer once more, for streams that left deltas out.
    WholeText {
        /// The answer.
        text: String,
        /// The reasoning.
        reasoning_text: String,
    },
    /// A value that the server gives no meaning in this case.
    Unavailable {
        /// Name of the field, `reported.tokens_per_second`.
        field: &'static str,
        /// Why it is missing.
        reason: &'static str,
    },
    /// The server failed.
    Failed(ServerMessage),
    /// The stream is complete.
    Ended,
}

/// Overwrites `known` where `news` has a value.
pub(super) fn merge_counts(known: &mut TokenCounts, news: TokenCounts) {
    known.prompt = news.prompt.or(known.prompt);
    known.prompt_cached = news.prompt_cached.or(known.prompt_cached);
    known.output = news.output.or(known.output);
    known.reasoning = news.reasoning.or(known.reasoning);
}

/// Overwrites `known` where `news` has a value.
pub(super) fn merge_reported(known: &mut ReportedStats, news: ReportedStats) {
    known.tokens_per_second = news.tokens_per_second.or(known.tokens_per_second);
    known.ttft_ms = news.ttft_ms.or(known.ttft_ms);
    known.generation_time_s = news.generation_time_s.or(known.generation_time_s);
    known.prompt_ms = news.prompt_ms.or(known.prompt_ms);
    known.prompt_tokens_per_second = news.prompt_tokens_per_second.or(known.prompt_tokens_per_second);
    known.model_load_s = news.model_load_s.or(known.model_load_s);
}
