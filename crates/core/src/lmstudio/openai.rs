//! OpenAI-compatible servers, `/v1`: LM Studio, llama.cpp, Ollama, `mlx_lm` and others. Pure.
//!
//! llama.cpp's `timings` are read where they come. A chunk is never counted as a token.

use serde::Serialize;
use serde_json::Value;

use super::error::BadBody;
use super::facts::Fact;
use super::payload::{self, count, error_in, items, number, owned_text, text};
use super::sse::SseEvent;
use super::{DeltaKind, Engine, GenerationRequest, Model, ReportedStats, StopReason, TokenCounts};

/// Body of `POST /v1/chat/completions` and of its twin under `/api/v0`.
#[derive(Debug, Serialize)]
pub(super) struct ChatBody<'a> {
    model: &'a str,
    messages: [Message<'a>; 1],
    max_tokens: u32,
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_prompt: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> ChatBody<'a> {
    /// A stream with usage at its end. llama.cpp alone is told not to reuse its prompt cache; others may refuse the key.
    pub(super) fn stream(request: &'a GenerationRequest, llama_cpp: bool) -> Self {
        let stream_options = Some(StreamOptions { include_usage: true });
        Self { stream: true, stream_options, cache_prompt: llama_cpp.then_some(false), ..Self::whole(request) }
    }

    /// An answer in one piece.
    pub(super) fn whole(request: &'a GenerationRequest) -> Self {
        Self {
            model: &request.model,
            messages: [Message { role: "user", content: &request.prompt }],
            max_tokens: request.max_tokens,
            temperature: request.temperature,
            seed: request.seed,
            stream: false,
            stream_options: None,
            cache_prompt: None,
        }
    }
}

/// True for the shape of `GET /v1/models`. Ollama without models says `"data": null`.
#[must_use]
pub fn is_model_list(body: &Value) -> bool {
    match body.get("data") {
        Some(Value::Array(_)) => true,
        Some(Value::Null) => text(body, "object") == Some("list"),
        _ => false,
    }
}

/// What `owned_by` gives away about the server behind a model list.
#[must_use]
pub fn is_owned_by(body: &Value, owner: &str) -> bool {
    items(body, "data").iter().any(|model| text(model, "owned_by") == Some(owner))
}

/// Models of `GET /v1/models`. Whether they are loaded is not said; llama.cpp adds sizes and context.
///
/// # Errors
/// [`BadBody::WrongShape`] without a `data` array. Entries without an id are left out.
pub fn parse_models(body: &Value) -> Result<Vec<Model>, BadBody> {
    if !is_model_list(body) {
        return Err(BadBody::WrongShape { expected: "array `data`" });
    }
    let format_of = |key: &str| {
        let twin = items(body, "models").iter().find(|model| text(model, "model") == Some(key))?;
        owned_text(twin.get("details")?, "format")
    };
    let models = items(body, "data").iter().filter_map(|entry| {
        let key = owned_text(entry, "id")?;
        let meta = entry.get("meta").unwrap_or(&Value::Null);
        Some(Model {
            format: format_of(&key),
            key,
            generates_text: true,
            quantization: owned_text(meta, "ftype"),
            size_bytes: count(meta, "size"),
            params: number(meta, "n_params").map(shortened),
            context_length: count(meta, "n_ctx"),
            max_context_length: count(meta, "n_ctx_train"),
            ..Default::default()
        })
    });
    Ok(models.collect())
}

/// Parameter count as publishers write it: `135M`, `1.7B`.
fn shortened(parameters: f64) -> String {
    if parameters >= 1e9 { format!("{:.1}B", parameters / 1e9) } else { format!("{:.0}M", parameters / 1e6) }
}

/// What one event of a stream says.
///
/// # Errors
/// [`BadBody::NotJson`]: spliced lines have been reported; such a run is lost.
pub fn parse_event(event: &SseEvent) -> Result<Vec<Fact>, BadBody> {
    if event.data.trim() == "[DONE]" {
        return Ok(vec![Fact::Ended]);
    }
    let chunk = payload::parse_json(event.data.as_bytes())?;
    if let Some(message) = error_in(&chunk) {
        return Ok(vec![Fact::Failed(message), Fact::Ended]); // nothing has to follow, not even `[DONE]`
    }
    if event.name.as_deref() == Some("error") {
        return Ok(vec![Fact::Failed(payload::refusal_in(event.data.as_bytes())), Fact::Ended]);
    }
    let mut facts: Vec<Fact> = owned_text(&chunk, "model").map(Fact::AnsweredBy).into_iter().collect();
    facts.extend(parse_progress(&chunk));
    // The usage chunk has no choices, and a second choice would be another answer.
    let first = items(&chunk, "choices").iter().find(|choice| count(choice, "index").unwrap_or(0) == 0);
    if let Some(choice) = first {
        let delta = choice.get("delta").unwrap_or(&Value::Null);
        facts.extend(reasoning_of(delta).map(|text| Fact::Delta(DeltaKind::Reasoning, text)));
        facts.extend(owned_text(delta, "content").map(|text| Fact::Delta(DeltaKind::Message, text)));
        facts.extend(text(choice, "finish_reason").map(|reason| Fact::Finished(parse_finish_reason(reason))));
    }
    facts.extend(parse_statistics(&chunk));
    Ok(facts)
}

/// `reasoning_content`, or `reasoning` with gpt-oss on LM Studio and on `mlx_lm`.
pub(super) fn reasoning_of(message: &Value) -> Option<String> {
    owned_text(message, "reasoning_content").or_else(|| owned_text(message, "reasoning"))
}

pub(super) fn parse_finish_reason(reason: &str) -> StopReason {
    match reason {
        "stop" => StopReason::EndOfSequence, // we send no stop strings, so nothing else can be meant
        "length" => StopReason::MaxTokens,
        other => StopReason::Other(other.to_owned()),
    }
}

/// `usage` and llama.cpp's `timings`, of a chunk or of a whole answer.
pub(super) fn parse_statistics(value: &Value) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(timings) = value.get("timings").filter(|timings| timings.is_object()) {
        facts.extend(parse_timings(timings));
    }
    if let Some(usage) = value.get("usage").filter(|usage| usage.is_object()) {
        let detail = |group: &str, key: &str| usage.get(group).and_then(|group| count(group, key));
        facts.push(Fact::Counts(TokenCounts {
            prompt: count(usage, "prompt_tokens"),
            prompt_cached: detail("prompt_tokens_details", "cached_tokens"),
            output: count(usage, "completion_tokens"),
            reasoning: detail("completion_tokens_details", "reasoning_tokens"),
        }));
    }
    facts
}

/// llama.cpp: `prompt_n` leaves the cached tokens out, and the first token's time belongs to the prompt, so a single
/// token has a rate of 0 that means "none".
fn parse_timings(timings: &Value) -> Vec<Fact> {
    let (prompt_n, predicted_n, cached) =
        (count(timings, "prompt_n"), count(timings, "predicted_n"), count(timings, "cache_n"));
    let milliseconds_as_s = |key: &str| number(timings, key).map(|milliseconds| milliseconds * 1e-3);
    let has_rate = predicted_n.is_none_or(|tokens| tokens > 1);
    let mut facts = vec![
        Fact::Counts(TokenCounts {
            prompt: prompt_n.map(|tokens| tokens.saturating_add(cached.unwrap_or(0))),
            prompt_cached: cached,
            output: predicted_n,
            reasoning: None,
        }),
        Fact::Reported(ReportedStats {
            tokens_per_second: number(timings, "predicted_per_second").filter(|_| has_rate),
            generation_time_s: milliseconds_as_s("predicted_ms").filter(|_| has_rate),
            prompt_ms: number(timings, "prompt_ms"),
            prompt_tokens_per_second: number(timings, "prompt_per_second")
                .filter(|_| prompt_n.is_none_or(|tokens| tokens > 0)),
            ..Default::default()
        }),
    ];
    if !has_rate {
        let reason = "a single token has no rate";
        facts.push(Fact::Unavailable { field: "reported.tokens_per_second", reason });
        facts.push(Fact::Unavailable { field: "reported.generation_time_s", reason });
    }
    facts
}

fn parse_progress(chunk: &Value) -> Option<Fact> {
    let progress = chunk.get("prompt_progress")?;
    let (total, processed) = (number(progress, "total")?, number(progress, "processed")?);
    (total > 0.0).then(|| Fact::PrefillProgress(processed / total))
}

/// The engine that llama.cpp's `/props` names; `None` when this is not llama.cpp's answer.
#[must_use]
pub fn parse_llama_engine(props: &Value) -> Option<Engine> {
    let version = owned_text(props, "build_info")?;
    Some(Engine { name: Some("llama.cpp".to_owned()), version: Some(version) })
}

/// Parallel slots that llama.cpp's `/props` names.
#[must_use]
pub fn parse_slots(props: &Value) -> Option<u64> {
    count(props, "total_slots")
}
