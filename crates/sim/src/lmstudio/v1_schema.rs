//! The strict bodies of `/api/v1`: what is not named is refused, in the words of LM Studio's validator.

use serde_json::{Map, Value};

use super::http::V1Error;

/// Type of a field.
#[derive(Clone, Copy)]
enum Kind {
    String,
    Bool,
    Number,
    Integer,
    OneOf(&'static [&'static str]),
    Any,
}

struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const CHAT: &[Field] = &[
    required("model", Kind::String),
    required("input", Kind::Any),
    optional("system_prompt", Kind::String),
    optional("stream", Kind::Bool),
    optional("temperature", Kind::Number),
    optional("top_p", Kind::Number),
    optional("min_p", Kind::Number),
    optional("top_k", Kind::Integer),
    optional("repeat_penalty", Kind::Number),
    optional("max_output_tokens", Kind::Integer),
    optional("reasoning", Kind::OneOf(&["off", "low", "medium", "high", "on"])),
    optional("context_length", Kind::Integer),
    optional("store", Kind::Bool),
    optional("previous_response_id", Kind::String),
    optional("integrations", Kind::Any),
];

const LOAD: &[Field] = &[
    required("model", Kind::String),
    optional("context_length", Kind::Integer),
    optional("eval_batch_size", Kind::Integer),
    optional("flash_attention", Kind::Bool),
    optional("num_experts", Kind::Integer),
    optional("offload_kv_cache_to_gpu", Kind::Bool),
    optional("echo_load_config", Kind::Bool),
    // not documented, but taken
    optional("parallel", Kind::Integer),
];

const UNLOAD: &[Field] = &[required("instance_id", Kind::String)];

const DOWNLOAD: &[Field] = &[required("model", Kind::String), optional("quantization", Kind::String)];

/// A body of `POST /api/v1/chat` that passed.
#[derive(Debug, Default)]
pub struct ChatRequest {
    /// Key or instance.
    pub model: String,
    /// Texts of the input, one for each item; an image counts as 256 tokens.
    pub input: Vec<String>,
    /// System prompt.
    pub system_prompt: Option<String>,
    /// Server-sent events wanted.
    pub stream: bool,
    /// Limit for generated tokens.
    pub max_output_tokens: Option<u64>,
    /// Value of the reasoning switch.
    pub reasoning: Option<String>,
    /// Context for a load inside of this request.
    pub context_length: Option<u64>,
    /// Keep the conversation; true unless said otherwise.
    pub store: bool,
    /// Conversation to go on with.
    pub previous_response_id: Option<String>,
}

/// A body of `POST /api/v1/models/load` that passed.
#[derive(Debug)]
pub struct LoadRequest {
    /// Key.
    pub model: String,
    /// Context, in tokens.
    pub context_length: Option<u64>,
    /// Batch, in tokens.
    pub eval_batch_size: Option<u64>,
    /// Flash attention.
    pub flash_attention: Option<bool>,
    /// KV cache on the GPU.
    pub offload_kv_cache_to_gpu: Option<bool>,
    /// Requests at once.
    pub parallel: Option<u64>,
    /// Repeat the configuration in the answer.
    pub echo_load_config: bool,
}

/// Parses the body of `POST /api/v1/chat`.
///
/// # Errors
/// In LM Studio's words.
pub fn chat(body: &[u8]) -> Result<ChatRequest, V1Error> {
    let body = object(body, CHAT)?;
    Ok(ChatRequest {
        model: string(&body, "model").unwrap_or_default(),
        input: input(&body["input"])?,
        system_prompt: string(&body, "system_prompt"),
        stream: flag(&body, "stream").unwrap_or(false),
        max_output_tokens: integer(&body, "max_output_tokens"),
        reasoning: string(&body, "reasoning"),
        context_length: integer(&body, "context_length"),
        store: flag(&body, "store").unwrap_or(true),
        previous_response_id: string(&body, "previous_response_id"),
    })
}

/// Parses the body of `POST /api/v1/models/load`.
///
/// # Errors
/// In LM Studio's words.
pub fn load(body: &[u8]) -> Result<LoadRequest, V1Error> {
    let body = object(body, LOAD)?;
    Ok(LoadRequest {
        model: string(&body, "model").unwrap_or_default(),
        context_length: integer(&body, "context_length"),
        eval_batch_size: integer(&body, "eval_batch_size"),
        flash_attention: flag(&body, "flash_attention"),
        offload_kv_cache_to_gpu: flag(&body, "offload_kv_cache_to_gpu"),
        parallel: integer(&body, "parallel"),
        echo_load_config: flag(&body, "echo_load_config").unwrap_or(false),
    })
}

/// Parses the body of `POST /api/v1/models/unload`: the instance's identifier.
///
/// # Errors
/// In LM Studio's words.
pub fn unload(body: &[u8]) -> Result<String, V1Error> {
    Ok(string(&object(body, UNLOAD)?, "instance_id").unwrap_or_default())
}

/// Parses the body of `POST /api/v1/models/download`: the model's name.
///
/// # Errors
/// In LM Studio's words.
pub fn download(body: &[u8]) -> Result<String, V1Error> {
    Ok(string(&object(body, DOWNLOAD)?, "model").unwrap_or_default())
}

fn string(body: &Map<String, Value>, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn flag(body: &Map<String, Value>, name: &str) -> Option<bool> {
    body.get(name).and_then(Value::as_bool)
}

fn integer(body: &Map<String, Value>, name: &str) -> Option<u64> {
    body.get(name).and_then(Value::as_u64)
}

fn object(body: &[u8], fields: &[Field]) -> Result<Map<String, Value>, V1Error> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| V1Error::invalid(&format!("Invalid JSON: {error}"), Some("invalid_json"), None))?;
    let Value::Object(body) = value else {
        let message = format!("Expected object, received {}", type_name(&value));
        return Err(V1Error::invalid(&message, Some("invalid_type"), None));
    };
    for field in fields {
        let Some(value) = body.get(field.name) else {
            if field.required {
                let message = format!("\"{}\" is required", field.name);
                return Err(V1Error::invalid(&message, Some("missing_required_parameter"), Some(field.name)));
            }
            continue;
        };
        check(field, value)?;
    }
    let unknown: Vec<String> =
        body.keys().filter(|key| fields.iter().all(|field| field.name != *key)).map(|key| format!("'{key}'")).collect();
    if unknown.is_empty() {
        return Ok(body);
    }
    let message = format!("Unrecognized key(s) in object: {}", unknown.join(", "));
    Err(V1Error::invalid(&message, Some("unrecognized_keys"), None))
}

fn check(field: &Field, value: &Value) -> Result<(), V1Error> {
    let (fits, expected) = match field.kind {
        Kind::String => (value.is_string(), "string"),
        Kind::Bool => (value.is_boolean(), "boolean"),
        Kind::Number => (value.is_number(), "number"),
        Kind::Integer => (value.is_u64() || value.is_i64(), if value.is_f64() { "integer" } else { "number" }),
        Kind::OneOf(options) => {
            return match value.as_str() {
                Some(text) if options.contains(&text) => Ok(()),
                _ => {
                    let received = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let message =
                        format!("Invalid enum value. Expected '{}', received '{received}'", options.join("' | '"));
                    Err(V1Error::invalid(&message, Some("invalid_enum_value"), Some(field.name)))
                }
            };
        }
        Kind::Any => (true, ""),
    };
    if fits {
        return Ok(());
    }
    let received = if value.is_f64() && expected == "integer" { "float" } else { type_name(value) };
    let message = format!("Expected {expected}, received {received}");
    Err(V1Error::invalid(&message, Some("invalid_type"), Some(field.name)))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The documentation says that items are of type `message`; the server wants `text` or `image`.
fn input(value: &Value) -> Result<Vec<String>, V1Error> {
    let union = |message: &str| V1Error::invalid(message, Some("invalid_union"), Some("input"));
    let items = match value {
        Value::String(text) => return Ok(vec![text.clone()]),
        Value::Array(items) => items,
        _ => return Err(union("Invalid input")),
    };
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let content = match item.get("type").and_then(Value::as_str) {
                Some("text") => "content",
                Some("image") => "data_url",
                _ => return Err(union("Invalid discriminator value. Expected 'text' | 'image'")),
            };
            let item = item.as_object().ok_or_else(|| union("Invalid input"))?;
            let mut issues = Vec::new();
            if !item.get(content).is_some_and(Value::is_string) {
                issues.push(format!("'input.{index}.{content}' is required"));
            }
            let unknown: Vec<String> =
                item.keys().filter(|key| *key != "type" && *key != content).map(|key| format!("'{key}'")).collect();
            if !unknown.is_empty() {
                issues.push(format!("Unrecognized key(s) in object: {}", unknown.join(", ")));
            }
            if !issues.is_empty() {
                return Err(union(&issues.join(", ")));
            }
            Ok(if content == "content" { string(item, content).unwrap_or_default() } else { "🖼".repeat(256) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> (String, Option<&'static str>, Option<String>) {
        let error = chat(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind, "invalid_request");
        (error.message, error.code, error.param)
    }

    #[test]
    fn refusals_use_the_recorded_words() {
        let (message, code, param) = refusal(r#"{"model":"m","input":[{"type":"message","content":"x"}]}"#);
        assert_eq!(message, "Invalid discriminator value. Expected 'text' | 'image'");
        assert_eq!((code, param.as_deref()), (Some("invalid_union"), Some("input")));
        let (message, ..) = refusal(r#"{"model":"m","input":[{"type":"text","text":"x"}]}"#);
        assert_eq!(message, "'input.0.content' is required, Unrecognized key(s) in object: 'text'");
        let (message, code, _) = refusal(r#"{"model":"m","input":"x","seed":1}"#);
        assert_eq!((message.as_str(), code), ("Unrecognized key(s) in object: 'seed'", Some("unrecognized_keys")));
        let (message, code, param) = refusal(r#"{"input":"x"}"#);
        assert_eq!(message, "\"model\" is required");
        assert_eq!((code, param.as_deref()), (Some("missing_required_parameter"), Some("model")));
    }

    #[test]
    fn wrong_types_are_refused_with_the_field() {
        assert_eq!(refusal(r#"{"model":"m","input":"x","stream":"yes"}"#).0, "Expected boolean, received string");
        assert_eq!(
            refusal(r#"{"model":"m","input":"x","max_output_tokens":1.5}"#).0,
            "Expected integer, received float"
        );
        assert_eq!(refusal(r#"{"model":"m","input":"x","reasoning":"max"}"#).2.as_deref(), Some("reasoning"));
        assert_eq!(refusal("[]").0, "Expected object, received array");
        assert_eq!(refusal("{").1, Some("invalid_json"));
    }

    #[test]
    fn store_is_on_unless_said_otherwise() {
        assert!(chat(br#"{"model":"m","input":"x"}"#).unwrap().store);
        assert!(!chat(br#"{"model":"m","input":"x","store":false}"#).unwrap().store);
    }
}
