//! LM Studio's native REST API, `/api/v1`: request bodies, answers and stream events. Pure.

use serde::Serialize;
use serde_json::Value;

use super::error::BadBody;
use super::facts::Fact;
use super::payload::{self, count, error_in, items, number, owned_text, text};
use super::sse::SseEvent;
use super::{DeltaKind, GenerationRequest, Model, ReportedStats, TokenCounts};

/// Body of `POST /api/v1/chat`. Closed: the server refuses unknown keys, so nothing can slip in (no seed, no stop).
#[derive(Debug, Serialize)]
pub(super) struct ChatBody<'a> {
    model: &'a str,
    input: &'a str,
    stream: bool,
    store: bool, // true by default there: every measured prompt would stay on the server
    temperature: f64,
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
}

impl<'a> ChatBody<'a> {
    /// `reasoning` must already be checked against what the model offers.
    pub(super) fn new(request: &'a GenerationRequest, reasoning: Option<&'a str>) -> Self {
        Self {
            model: &request.model,
            input: &request.prompt,
            stream: true,
            store: false,
            temperature: request.temperature,
            max_output_tokens: request.max_tokens,
            reasoning,
        }
    }
}

/// Body of `POST /api/v1/models/load`.
#[derive(Debug, Serialize)]
pub(super) struct LoadBody<'a> {
    pub(super) model: &'a str,
    pub(super) echo_load_config: bool,
}

/// Body of `POST /api/v1/models/unload`.
#[derive(Debug, Serialize)]
pub(super) struct UnloadBody<'a> {
    pub(super) instance_id: &'a str,
}

/// True for the shape of `GET /api/v1/models`. The status proves nothing: unknown routes answer 200 too.
#[must_use]
pub fn is_model_list(body: &Value) -> bool {
    body.get("models")
        .and_then(Value::as_array)
        .is_some_and(|models| models.iter().all(|model| text(model, "key").is_some()))
}

/// Models of `GET /api/v1/models`: one entry per loaded instance, one for a model that is not loaded.
///
/// # Errors
/// [`BadBody::WrongShape`] without a `models` array. Entries without a key are left out.
pub fn parse_models(body: &Value) -> Result<Vec<Model>, BadBody> {
    if body.get("models").and_then(Value::as_array).is_none() {
        return Err(BadBody::WrongShape { expected: "array `models`" });
    }
    Ok(items(body, "models").iter().filter_map(parse_model).flatten().collect())
}

fn parse_model(entry: &Value) -> Option<Vec<Model>> {
    let quantization = entry.get("quantization").unwrap_or(&Value::Null);
    let reasoning = entry.pointer("/capabilities/reasoning").unwrap_or(&Value::Null);
    let options = items(reasoning, "allowed_options").iter();
    let model = Model {
        key: owned_text(entry, "key")?,
        display_name: owned_text(entry, "display_name"),
        instance_id: None,
        loaded: Some(false),
        generates_text: text(entry, "type") != Some("embedding"),
        architecture: owned_text(entry, "architecture"),
        quantization: owned_text(quantization, "name"),
        bits_per_weight: number(quantization, "bits_per_weight"),
        format: owned_text(entry, "format"),
        size_bytes: count(entry, "size_bytes"),
        params: owned_text(entry, "params_string"),
        context_length: None,
        max_context_length: count(entry, "max_context_length"),
        parallel: None,
        reasoning_options: options.filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    let instances: Vec<Model> = items(entry, "loaded_instances")
        .iter()
        .filter_map(|instance| {
            let config = instance.get("config").unwrap_or(&Value::Null);
            Some(Model {
                instance_id: Some(owned_text(instance, "id")?),
                loaded: Some(true),
                context_length: count(config, "context_length"),
                parallel: count(config, "parallel"),
                ..model.clone()
            })
        })
        .collect();
    Some(if instances.is_empty() { vec![model] } else { instances })
}

/// A finished load.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Instance that was made.
    pub instance_id: String,
    /// The server's load time in seconds.
    pub load_time_s: Option<f64>,
    /// Allocated context in tokens, where the server repeats its configuration.
    pub context_length: Option<u64>,
}

/// Answer of `POST /api/v1/models/load`.
///
/// # Errors
/// [`BadBody::WrongShape`] without an `instance_id`.
pub fn parse_loaded(body: &Value) -> Result<Loaded, BadBody> {
    Ok(Loaded {
        instance_id: owned_text(body, "instance_id").ok_or(BadBody::WrongShape { expected: "`instance_id`" })?,
        load_time_s: number(body, "load_time_seconds"),
        context_length: body.get("load_config").and_then(|config| count(config, "context_length")),
    })
}

/// What one event of a stream says. Unknown events say nothing, whatever their data.
///
/// # Errors
/// [`BadBody`] when the data of a known or nameless event is no JSON, or `chat.end` has no result.
pub fn parse_event(event: &SseEvent) -> Result<Vec<Fact>, BadBody> {
    if event.data.trim() == "[DONE]" {
        return Ok(Vec::new()); // not documented here; the stream's end is `chat.end`
    }
    // Some events have been seen with `{}` as data, so the name comes from the `event:` line first.
    let read = match event.name.as_deref().map(reader) {
        Some(None) => return Ok(Vec::new()),
        Some(known) => known,
        None => None,
    };
    let data = payload::parse_json(event.data.as_bytes())?;
    match (read, text(&data, "type")) {
        (Some(read), _) => read(&data),
        (None, Some(name)) => reader(name).map_or(Ok(Vec::new()), |read| read(&data)),
        (None, None) => Ok(error_in(&data).map(Fact::Failed).into_iter().collect()),
    }
}

type Reader = fn(&Value) -> Result<Vec<Fact>, BadBody>;

/// What reads the data of an event; `None` for events that nothing here needs.
fn reader(name: &str) -> Option<Reader> {
    fn content(data: &Value) -> String {
        owned_text(data, "content").unwrap_or_default()
    }
    Some(match name {
        "chat.start" => |data| Ok(owned_text(data, "model_instance_id").map(Fact::AnsweredBy).into_iter().collect()),
        "model_load.end" => |data| Ok(vec![Fact::ModelLoaded(number(data, "load_time_seconds"))]),
        "prompt_processing.start" => |_| Ok(vec![Fact::PrefillStarted]),
        "prompt_processing.progress" => {
            |data| Ok(number(data, "progress").map(Fact::PrefillProgress).into_iter().collect())
        }
        "prompt_processing.end" => |_| Ok(vec![Fact::PrefillEnded]),
        "reasoning.delta" => |data| Ok(vec![Fact::Delta(DeltaKind::Reasoning, content(data))]),
        "message.delta" => |data| Ok(vec![Fact::Delta(DeltaKind::Message, content(data))]),
        "reasoning.end" => |_| Ok(vec![Fact::PartEnded(DeltaKind::Reasoning)]),
        "message.end" => |_| Ok(vec![Fact::PartEnded(DeltaKind::Message)]),
        "error" => |data| {
            let message = error_in(data).unwrap_or_else(|| payload::refusal_in(data.to_string().as_bytes()));
            Ok(vec![Fact::Failed(message)])
        },
        "chat.end" => |data| {
            let result = data.get("result").ok_or(BadBody::WrongShape { expected: "`result` in chat.end" })?;
            let mut facts = parse_answer(result);
            facts.push(Fact::Ended);
            Ok(facts)
        },
        _ => return None,
    })
}

/// A whole answer of `POST /api/v1/chat`, plain or as the result of `chat.end`. Every field may be missing or null.
#[must_use]
pub fn parse_answer(result: &Value) -> Vec<Fact> {
    let stats = result.get("stats").unwrap_or(&Value::Null);
    let part = |kind: &str| -> String {
        let parts = items(result, "output").iter().filter(|item| text(item, "type") == Some(kind));
        parts.filter_map(|item| text(item, "content")).collect()
    };
    let mut facts: Vec<Fact> = owned_text(result, "model_instance_id").map(Fact::AnsweredBy).into_iter().collect();
    facts.push(Fact::Counts(TokenCounts {
        prompt: count(stats, "input_tokens"),
        prompt_cached: None,
        output: count(stats, "total_output_tokens"),
        reasoning: count(stats, "reasoning_output_tokens"),
    }));
    facts.push(Fact::Reported(ReportedStats {
        tokens_per_second: number(stats, "tokens_per_second"),
        ttft_ms: number(stats, "time_to_first_token_seconds").map(|seconds| seconds * 1e3),
        model_load_s: number(stats, "model_load_time_seconds"),
        ..Default::default()
    }));
    facts.push(Fact::WholeText { text: part("message"), reasoning_text: part("reasoning") });
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: Option<&str>, data: &str) -> SseEvent {
        SseEvent { name: name.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn unknown_events_are_ignored_whatever_their_data() {
        for data in ["", "keep going", "{\"type\":", "{}", "{\"type\":\"message.delta\",\"content\":\"x\"}"] {
            assert_eq!(parse_event(&event(Some("tool_call.name"), data)).unwrap(), [], "{data}");
        }
        assert_eq!(parse_event(&event(None, r#"{"type":"tool_call.name"}"#)).unwrap(), []);
    }

    #[test]
    fn damaged_data_of_a_known_or_nameless_event_is_an_error() {
        for name in [Some("message.delta"), Some("message.end"), None] {
            let result = parse_event(&event(name, "{\"content\":"));
            assert!(matches!(result, Err(BadBody::NotJson { .. })), "{name:?}: {result:?}");
        }
        assert!(matches!(parse_event(&event(Some("chat.end"), "{}")), Err(BadBody::WrongShape { .. })));
    }

    #[test]
    fn name_comes_from_the_event_line_first_and_from_the_type_second() {
        assert_eq!(parse_event(&event(Some("prompt_processing.end"), "{}")).unwrap(), [Fact::PrefillEnded]);
        let typed = event(None, r#"{"type":"message.delta","content":"x"}"#);
        assert_eq!(parse_event(&typed).unwrap(), [Fact::Delta(DeltaKind::Message, "x".into())]);
    }
}
