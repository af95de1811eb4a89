//! LM Studio's older REST API, `/api/v0`: OpenAI shapes plus statistics, model and engine. Pure.
//!
//! Statistics do not come in streams there, so an answer is read in one piece and has no instants inside it.

use serde_json::Value;

use super::error::BadBody;
use super::facts::Fact;
use super::openai;
use super::payload::{count, error_in, items, number, owned_text, text};
use super::{Engine, Model, ReportedStats, StopReason};

/// True for the shape of `GET /api/v0/models`. `sure` says that LM Studio has been recognised already, which lets an
/// empty list pass.
#[must_use]
pub fn is_model_list(body: &Value, sure: bool) -> bool {
    let has_mark = |model: &Value| text(model, "state").is_some() || text(model, "compatibility_type").is_some();
    match body.get("data").and_then(Value::as_array) {
        Some(models) if models.is_empty() => sure,
        Some(models) => models.iter().any(has_mark),
        None => false,
    }
}

/// Models of `GET /api/v0/models`.
///
/// # Errors
/// [`BadBody::WrongShape`] without a `data` array. Entries without an id are left out.
pub fn parse_models(body: &Value) -> Result<Vec<Model>, BadBody> {
    if body.get("data").and_then(Value::as_array).is_none() {
        return Err(BadBody::WrongShape { expected: "array `data`" });
    }
    let models = items(body, "data").iter().filter_map(|entry| {
        let key = owned_text(entry, "id")?;
        let loaded = text(entry, "state").map(|state| state == "loaded");
        Some(Model {
            instance_id: (loaded == Some(true)).then(|| key.clone()),
            key,
            loaded,
            generates_text: text(entry, "type") != Some("embeddings"),
            architecture: owned_text(entry, "arch"),
            quantization: owned_text(entry, "quantization"),
            format: owned_text(entry, "compatibility_type"),
            context_length: count(entry, "loaded_context_length"),
            max_context_length: count(entry, "max_context_length"),
            ..Default::default()
        })
    });
    Ok(models.collect())
}

/// A whole answer of `POST /api/v0/chat/completions`, or of the same route under `/v1`.
///
/// # Errors
/// [`BadBody::WrongShape`] without choices (unknown routes answer 200 with an error: that is a fact, not this error).
pub fn parse_answer(body: &Value) -> Result<Vec<Fact>, BadBody> {
    if let Some(message) = error_in(body) {
        return Ok(vec![Fact::Failed(message)]);
    }
    let choice = items(body, "choices").first().ok_or(BadBody::WrongShape { expected: "array `choices`" })?;
    let message = choice.get("message").unwrap_or(&Value::Null);
    let stats = body.get("stats").unwrap_or(&Value::Null);
    let mut facts: Vec<Fact> = owned_text(body, "model").map(Fact::AnsweredBy).into_iter().collect();
    facts.push(Fact::WholeText {
        text: owned_text(message, "content").unwrap_or_default(),
        reasoning_text: openai::reasoning_of(message).unwrap_or_default(),
    });
    facts.extend(openai::parse_statistics(body));
    facts.push(Fact::Reported(ReportedStats {
        tokens_per_second: number(stats, "tokens_per_second"),
        ttft_ms: number(stats, "time_to_first_token").map(|seconds| seconds * 1e3),
        generation_time_s: number(stats, "generation_time"),
        ..Default::default()
    }));
    let reason = text(stats, "stop_reason").map(parse_stop_reason);
    let reason = reason.or_else(|| text(choice, "finish_reason").map(openai::parse_finish_reason));
    facts.extend(reason.map(Fact::Finished));
    facts.push(Fact::Ended);
    Ok(facts)
}

fn parse_stop_reason(reason: &str) -> StopReason {
    match reason {
        "eosFound" | "stop" => StopReason::EndOfSequence,
        "maxPredictedTokensReached" => StopReason::MaxTokens,
        "stopStringFound" => StopReason::StopString,
        "contextLengthReached" => StopReason::ContextLength,
        other => StopReason::Other(other.to_owned()),
    }
}

/// The engine that a v0 answer names: the only place in the whole REST interface that does.
#[must_use]
pub fn parse_engine(body: &Value) -> Engine {
    let runtime = body.get("runtime").unwrap_or(&Value::Null);
    Engine { name: owned_text(runtime, "name"), version: owned_text(runtime, "version") }
}

/// What `stats.generation_time` covers. The meaning changed between engine versions and is not said anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationTime {
    /// The whole prediction, prompt included (engines 2.34 and 2.41).
    WithPrompt,
    /// Decoding only (engines 1.3 and 1.51).
    DecodeOnly,
}

impl GenerationTime {
    /// Finds the meaning by arithmetic: the reported rate fits only one of the two. `None` when it fits neither, or
    /// a number is missing.
    #[must_use]
    pub fn of(reported: &ReportedStats, output_tokens: Option<u64>) -> Option<Self> {
        const TOLERANCE: f64 = 1e-3; // older engines cut their times to whole milliseconds
        let tokens = output_tokens? as f64;
        let (rate, ttft_ms, time_s) = (reported.tokens_per_second?, reported.ttft_ms?, reported.generation_time_s?);
        let fits = |tokens: f64, seconds: f64| (tokens - rate * seconds).abs() <= TOLERANCE * tokens;
        if fits(tokens - 1.0, time_s - ttft_ms * 1e-3) {
            Some(Self::WithPrompt)
        } else if fits(tokens, time_s) {
            Some(Self::DecodeOnly)
        } else {
            None
        }
    }
}
