//! `/v1`, and the inference routes of `/api/v0`, which are the same with [additions](super::v0::Additions).
//!
//! Bodies are read leniently: unknown keys pass.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Collected, broken, collected, streamed};
use super::engine::{Job, Step};
use super::http;
use super::models::{CATALOGUE, LoadConfig, Target, Unresolved};
use super::openai_stream::{Format, Renderer, Shape, whole};
use super::plan::Prompt;
use super::scenario::{Fault, Overflow, Profile, ReasoningField};
use super::server::Received;
use super::state::State;

const NO_MODELS: &str = "No models loaded. Please load a model in the developer page or use the 'lms load' command.";
const ALPHANUMERIC: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

#[derive(Serialize)]
struct ModelList {
    data: Vec<ModelEntry>,
    object: &'static str,
}

#[derive(Serialize)]
struct ModelEntry {
    id: String,
    object: &'static str,
    owned_by: &'static str,
}

/// All downloaded models when requests may load them, the loaded ones otherwise.
fn listed(state: &State) -> Vec<ModelEntry> {
    let registry = state.registry();
    let mut ids: Vec<String> = Vec::new();
    for spec in &CATALOGUE {
        let loaded: Vec<String> = registry.instances(spec).map(|instance| instance.id.clone()).collect();
        if loaded.is_empty() && registry.jit() {
            ids.push(spec.key.to_owned());
        }
        ids.extend(loaded);
    }
    ids.into_iter().map(|id| ModelEntry { id, object: "model", owned_by: "organization_owner" }).collect()
}

/// `GET /v1/models`.
pub async fn models(Shared(state): Shared<Arc<State>>) -> Response {
    http::json(StatusCode::OK, &ModelList { data: listed(&state), object: "list" })
}

/// `GET /v1/models/{id}`.
pub async fn model(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Response {
    match listed(&state).into_iter().find(|entry| entry.id == id) {
        Some(entry) => http::json(StatusCode::OK, &entry),
        None => http::openai_error(
            StatusCode::NOT_FOUND,
            &format!("Model '{id}' not found"),
            Some("model"),
            Some("model_not_found"),
        ),
    }
}

/// `POST …/chat/completions`.
pub async fn chat(
    Shared(state): Shared<Arc<State>>,
    Extension(Received(received_ns)): Extension<Received>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let body = match parse(&body) {
        Ok(body) => body,
        Err(response) => return response,
    };
    let Some(messages) = body["messages"].as_array() else {
        return http::text_error(StatusCode::BAD_REQUEST, "'messages' field is required");
    };
    if body["response_format"]["type"] == "json_object" {
        let message = "'response_format.type' must be 'json_schema' or 'text'";
        return http::text_error(StatusCode::BAD_REQUEST, message);
    }
    let texts: Vec<String> = messages.iter().map(|message| content(&message["content"])).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let prompt = Prompt::new(&texts, state.settings.template_overhead_tokens);
    generate(&state, &body, prompt, Format::Chat, uri.path(), received_ns).await
}

/// `POST …/completions`: the prompt as it is, without a template.
pub async fn completions(
    Shared(state): Shared<Arc<State>>,
    Extension(Received(received_ns)): Extension<Received>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let body = match parse(&body) {
        Ok(body) => body,
        Err(response) => return response,
    };
    let Some(text) = body["prompt"].as_str() else {
        return http::text_error(StatusCode::BAD_REQUEST, "'prompt' field is required");
    };
    generate(&state, &body, Prompt::new(&[text], 0), Format::Completion, uri.path(), received_ns).await
}

/// `POST …/embeddings`: a vector for an embedding model, an error for others.
pub async fn embeddings(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let body = match parse(&body) {
        Ok(body) => body,
        Err(response) => return response,
    };
    let name = body["model"].as_str().unwrap_or_default();
    let Some(spec) = CATALOGUE.iter().find(|spec| spec.key == name && !spec.generates_text) else {
        let message = format!("Model '{name}' is not an embedding model");
        return http::openai_error(StatusCode::BAD_REQUEST, &message, Some("model"), Some("model_not_found"));
    };
    if let Err(failure) = state.load_for_request(spec, LoadConfig::default(), body["ttl"].as_u64(), |_| ()).await {
        return http::openai_error(StatusCode::BAD_REQUEST, &failure.message, Some("model"), None);
    }
    let inputs = match &body["input"] {
        Value::Array(inputs) => inputs.clone(),
        single => vec![single.clone()],
    };
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let mut random = super::text::Random::new(super::text::hash(input.as_str().unwrap_or_default()));
            let embedding: Vec<f64> = (0..8).map(|_| random.unit() - 0.5).collect();
            json!({"object": "embedding", "embedding": embedding, "index": index})
        })
        .collect();
    let usage = json!({"prompt_tokens": 0, "total_tokens": 0});
    http::json(StatusCode::OK, &json!({"object": "list", "data": data, "model": name, "usage": usage}))
}

#[allow(clippy::result_large_err, reason = "the error is the answer")]
fn parse(body: &[u8]) -> Result<Value, Response> {
    match serde_json::from_slice::<Value>(body) {
        Ok(body) if body.is_object() => Ok(body),
        Ok(_) => Err(http::text_error(StatusCode::BAD_REQUEST, "The request body must be a JSON object")),
        Err(error) => Err(http::text_error(StatusCode::BAD_REQUEST, &format!("Invalid JSON in request body: {error}"))),
    }
}

/// The text of a message: a string, or parts of which the texts count.
fn content(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn max_tokens(body: &Value) -> Option<u64> {
    // -1 means no limit, and so does anything else that is no count
    body["max_tokens"].as_u64().or_else(|| body["max_completion_tokens"].as_u64())
}

fn stop_strings(body: &Value) -> Vec<String> {
    match &body["stop"] {
        Value::String(stop) => vec![stop.clone()],
        Value::Array(stops) => stops.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn unresolved(reason: &Unresolved, name: &str) -> Response {
    match reason {
        Unresolved::NothingLoaded => http::openai_error(StatusCode::BAD_REQUEST, NO_MODELS, Some("model"), None),
        Unresolved::Unknown => {
            let message = format!(
                "Invalid model identifier \"{name}\". Please specify a valid downloaded model (e.g., {}).",
                CATALOGUE[0].key
            );
            http::openai_error(StatusCode::BAD_REQUEST, &message, Some("model"), Some("model_not_found"))
        }
        Unresolved::WrongType => {
            let message = format!("Model '{name}' does not generate text");
            http::openai_error(StatusCode::BAD_REQUEST, &message, Some("model"), None)
        }
    }
}

async fn generate(
    state: &Arc<State>,
    body: &Value,
    prompt: Prompt,
    format: Format,
    route: &str,
    received_ns: i64,
) -> Response {
    let name = body["model"].as_str();
    let target: Target = match state.registry().resolve_leniently(name) {
        Ok(target) => target,
        Err(reason) => return unresolved(&reason, name.unwrap_or_default()),
    };
    let stream = body["stream"] == true;
    let (number, mut script, recorder) = state.begin(route, received_ns, stream);
    if script.fault == Some(Fault::Http500) {
        return http::openai_error(StatusCode::INTERNAL_SERVER_ERROR, &script.error_message, None, None);
    }
    if state.settings.profile == Profile::V03 && script.reasoning_field == ReasoningField::ReasoningContent {
        script.reasoning_field = ReasoningField::ThinkTags;
    }
    let context_length = super::context_of(state, &target, None);
    if script.overflow == Overflow::Error && prompt.tokens.len() as u64 >= context_length {
        let message = super::overflow_message(prompt.tokens.len(), context_length);
        return http::text_error(StatusCode::BAD_REQUEST, &message);
    }
    let shape = Shape {
        id: match format {
            Format::Chat => state.new_id("chatcmpl-", ALPHANUMERIC, 21),
            Format::Completion => state.new_id("cmpl-", ALPHANUMERIC, 21),
        },
        format,
        v0: route.starts_with("/api/v0"),
        profile: state.settings.profile,
        spec: target.spec(),
        // v0 sends no usage in streams, whatever is asked
        include_usage: !route.starts_with("/api/v0") && body["stream_options"]["include_usage"] == true,
        script: script.clone(),
    };
    let spec = target.spec();
    let model = target.id().to_owned();
    let mut steps = state.start(Job {
        state: Arc::clone(state),
        number,
        target,
        load: LoadConfig::default(),
        ttl_s: body["ttl"].as_u64(),
        prompt,
        max_tokens: max_tokens(body),
        stop: stop_strings(body),
        reasoning: format == Format::Chat && spec.reasoning_default != "off",
        script: script.clone(),
        recorder: recorder.clone(),
    });
    if stream {
        // a model that cannot be loaded is told by the status, so the head waits for the load
        let first = loop {
            match steps.recv().await {
                Some(Step::LoadStarted | Step::LoadProgress(_) | Step::LoadEnded(_)) => {}
                Some(Step::LoadFailed(_)) => return unresolved(&Unresolved::NothingLoaded, name.unwrap_or_default()),
                other => break other,
            }
        };
        let mut renderer = Renderer::new(shape, model);
        return streamed(first, steps, recorder, script, move |step| renderer.render(step));
    }
    let answer = match collected(steps, &recorder).await {
        Collected::Finished(summary) => whole(&shape, &summary),
        Collected::Failed(message) => http::openai_error(StatusCode::INTERNAL_SERVER_ERROR, &message, None, None),
        Collected::LoadFailed(_) => unresolved(&Unresolved::NothingLoaded, name.unwrap_or_default()),
        Collected::Broken => broken(),
    };
    http::with_request_id(answer, &recorder.update(|log| log.request.clone()))
}
