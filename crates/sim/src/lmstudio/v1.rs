//! `/api/v1`: the native routes of LM Studio 0.4.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::answer::{Collected, broken, collected, streamed};
use super::engine::Job;
use super::http::{self, V1Error};
use super::models::{CATALOGUE, Instance, LoadConfig, Spec, Target, Unresolved, downloaded};
use super::plan::Prompt;
use super::scenario::{Fault, Overflow};
use super::server::Received;
use super::state::State;
use super::v1_schema::{self, ChatRequest};
use super::v1_stream::{ChatResult, Renderer};

const HEX: &[u8] = b"0123456789abcdef";

#[derive(Serialize)]
struct ModelList {
    models: Vec<ModelEntry>,
}

#[derive(Serialize)]
struct ModelEntry {
    #[serde(rename = "type")]
    kind: &'static str,
    publisher: &'static str,
    key: &'static str,
    display_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'static str>,
    quantization: Quantization,
    size_bytes: u64,
    params_string: Option<&'static str>,
    loaded_instances: Vec<LoadedInstance>,
    max_context_length: u64,
    format: &'static str,
    #[serde(flatten)]
    text_only: Option<TextOnly>,
}

/// What embedding models do not have.
#[derive(Serialize)]
struct TextOnly {
    capabilities: Capabilities,
    description: Option<&'static str>,
    variants: [String; 1],
    selected_variant: String,
}

#[derive(Serialize)]
struct Quantization {
    name: &'static str,
    bits_per_weight: u32,
}

#[derive(Serialize)]
struct Capabilities {
    vision: bool,
    trained_for_tool_use: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
}

#[derive(Serialize)]
struct Reasoning {
    allowed_options: &'static [&'static str],
    default: &'static str,
}

#[derive(Serialize)]
struct LoadedInstance {
    id: String,
    config: InstanceConfig,
}

#[derive(Serialize)]
struct InstanceConfig {
    context_length: u64,
    #[serde(flatten)]
    text: Option<TextConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_budget_message: Option<&'static str>,
}

#[derive(Serialize)]
struct TextConfig {
    eval_batch_size: u64,
    flash_attention: bool,
    offload_kv_cache_to_gpu: bool,
}

fn text_config(instance: &Instance) -> Option<TextConfig> {
    instance.spec.generates_text.then_some(TextConfig {
        eval_batch_size: instance.eval_batch_size,
        flash_attention: instance.flash_attention,
        offload_kv_cache_to_gpu: instance.offload_kv_cache_to_gpu,
    })
}

fn type_of(spec: &Spec) -> &'static str {
    if spec.generates_text { "llm" } else { "embedding" }
}

fn entry(spec: &'static Spec, state: &State) -> ModelEntry {
    let loaded_instances = state
        .registry()
        .instances(spec)
        .map(|instance| LoadedInstance {
            id: instance.id.clone(),
            config: InstanceConfig {
                context_length: instance.context_length,
                text: text_config(instance),
                parallel: spec.generates_text.then_some(instance.parallel),
                reasoning_budget_message: spec.generates_text.then_some(""),
            },
        })
        .collect();
    let reasoning = (!spec.reasoning_options.is_empty())
        .then_some(Reasoning { allowed_options: spec.reasoning_options, default: spec.reasoning_default });
    let variant = format!("{}@{}", spec.key, spec.quantization.to_lowercase());
    ModelEntry {
        kind: type_of(spec),
        publisher: spec.publisher,
        key: spec.key,
        display_name: spec.display_name,
        architecture: spec.generates_text.then_some(spec.architecture),
        quantization: Quantization { name: spec.quantization, bits_per_weight: spec.bits_per_weight },
        size_bytes: spec.size_bytes,
        params_string: spec.params,
        loaded_instances,
        max_context_length: spec.max_context_length,
        format: "gguf",
        text_only: spec.generates_text.then(|| TextOnly {
            capabilities: Capabilities { vision: false, trained_for_tool_use: false, reasoning },
            description: None,
            variants: [variant.clone()],
            selected_variant: variant,
        }),
    }
}

/// `GET /api/v1/models`.
pub async fn models(Shared(state): Shared<Arc<State>>) -> Response {
    http::json(StatusCode::OK, &ModelList { models: CATALOGUE.iter().map(|spec| entry(spec, &state)).collect() })
}

/// `POST /api/v1/models/load`.
pub async fn load(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    #[derive(Serialize)]
    struct Loaded {
        #[serde(rename = "type")]
        kind: &'static str,
        instance_id: String,
        load_time_seconds: f64,
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        load_config: Option<Echo>,
    }
    #[derive(Serialize)]
    struct Echo {
        context_length: u64,
        #[serde(flatten)]
        text: Option<TextConfig>,
    }
    let request = match v1_schema::load(&body) {
        Ok(request) => request,
        Err(error) => return error.response(StatusCode::BAD_REQUEST),
    };
    let Some(spec) = downloaded(&request.model) else {
        let message = format!("Model {} not found in downloaded models", request.model);
        return http::not_found("model_not_found", &message);
    };
    if !spec.generates_text && (request.offload_kv_cache_to_gpu.is_some() || request.flash_attention.is_some()) {
        let message = "This load setting is not supported for embedding models";
        return V1Error::invalid(message, None, None).response(StatusCode::BAD_REQUEST);
    }
    let config = LoadConfig {
        context_length: request.context_length,
        eval_batch_size: request.eval_batch_size,
        flash_attention: request.flash_attention,
        offload_kv_cache_to_gpu: request.offload_kv_cache_to_gpu,
        parallel: request.parallel,
    };
    match state.load(spec, config).await {
        Ok((instance, load_time_seconds)) => {
            let echo = Echo { context_length: instance.context_length, text: text_config(&instance) };
            let answer = Loaded {
                kind: type_of(spec),
                instance_id: instance.id,
                load_time_seconds,
                status: "loaded",
                load_config: request.echo_load_config.then_some(echo),
            };
            http::json(StatusCode::OK, &answer)
        }
        Err(failure) => V1Error::internal(&failure.message).response(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// `POST /api/v1/models/unload`.
pub async fn unload(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    #[derive(Serialize)]
    struct Unloaded {
        instance_id: String,
    }
    match v1_schema::unload(&body) {
        Ok(instance_id) if state.registry().unload(&instance_id) => {
            http::json(StatusCode::OK, &Unloaded { instance_id })
        }
        Ok(instance_id) => {
            let message = format!("Model with instance identifier '{instance_id}' is not loaded.");
            http::not_found("model_not_found", &message)
        }
        Err(error) => error.response(StatusCode::BAD_REQUEST),
    }
}

/// `POST /api/v1/models/download`: everything that exists here is there already, and nothing else is fetched.
pub async fn download(body: Bytes) -> Response {
    #[derive(Serialize)]
    struct Status {
        status: &'static str,
    }
    match v1_schema::download(&body) {
        Ok(model) if downloaded(&model).is_some() => {
            http::json(StatusCode::OK, &Status { status: "already_downloaded" })
        }
        Ok(_) => {
            let message = "The simulator downloads no models".to_owned();
            V1Error { message, kind: "not_implemented", code: None, param: None }.response(StatusCode::NOT_IMPLEMENTED)
        }
        Err(error) => error.response(StatusCode::BAD_REQUEST),
    }
}

/// `GET /api/v1/models/download/status/:job_id`: there are no jobs.
pub async fn download_status(Path(job): Path<String>) -> Response {
    http::not_found("job_not_found", &format!("Download job {job} not found"))
}

/// `POST /api/v1/chat`.
pub async fn chat(
    Shared(state): Shared<Arc<State>>,
    Extension(Received(received_ns)): Extension<Received>,
    body: Bytes,
) -> Response {
    let request = match v1_schema::chat(&body) {
        Ok(request) => request,
        Err(error) => return error.response(StatusCode::BAD_REQUEST),
    };
    let target = match state.registry().resolve_strictly(&request.model) {
        Ok(target) => target,
        Err(Unresolved::WrongType) => {
            let message = format!("Model {} does not generate text", request.model);
            return V1Error::invalid(&message, None, Some("model")).response(StatusCode::BAD_REQUEST);
        }
        Err(Unresolved::Unknown | Unresolved::NothingLoaded) => {
            let message = format!("Model {} not found in downloaded models", request.model);
            return http::not_found("model_not_found", &message);
        }
    };
    let reasoning = match reasoning(&request, target.spec()) {
        Ok(reasoning) => reasoning,
        Err(error) => return error.response(StatusCode::BAD_REQUEST),
    };
    let texts = match conversation(&request, &state) {
        Ok(texts) => texts,
        Err(error) => return error.response(StatusCode::BAD_REQUEST),
    };
    generate(&state, request, target, reasoning, texts, received_ns).await
}

/// Whether the model reasons; an error when it does not know the value.
fn reasoning(request: &ChatRequest, spec: &Spec) -> Result<bool, V1Error> {
    match request.reasoning.as_deref() {
        None => Ok(spec.reasoning_default != "off"),
        Some(value) if spec.reasoning_options.contains(&value) => Ok(value != "off"),
        Some(value) => {
            let message = format!("Reasoning setting '{value}' is not supported by model '{}'", spec.key);
            Err(V1Error::invalid(&message, Some("invalid_value"), Some("reasoning")))
        }
    }
}

/// All texts that go into the prompt: earlier turns, system prompt, input.
fn conversation(request: &ChatRequest, state: &State) -> Result<Vec<String>, V1Error> {
    let mut texts = match &request.previous_response_id {
        None => Vec::new(),
        Some(id) => state
            .recall(id)
            .ok_or_else(|| V1Error::invalid(&format!("Response {id} not found"), None, Some("previous_response_id")))?,
    };
    texts.extend(request.system_prompt.clone());
    texts.push(request.input.concat());
    Ok(texts)
}

async fn generate(
    state: &Arc<State>,
    request: ChatRequest,
    target: Target,
    reasoning: bool,
    texts: Vec<String>,
    received_ns: i64,
) -> Response {
    let (number, script, recorder) = state.begin("/api/v1/chat", received_ns, request.stream);
    if script.fault == Some(Fault::Http500) {
        return V1Error::internal(&script.error_message).response(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let prompt = {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Prompt::new(&texts, state.settings.template_overhead_tokens)
    };
    let prompt_tokens = prompt.tokens.len();
    let context_length = super::context_of(state, &target, request.context_length);
    if !request.stream && script.overflow == Overflow::Error && prompt_tokens as u64 >= context_length {
        let message = super::overflow_message(prompt_tokens, context_length);
        return V1Error::internal(&message).response(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let response_id = request.store.then(|| state.new_id("resp_", HEX, 48));
    if let Some(id) = &response_id {
        state.remember(id.clone(), texts);
    }
    let instance = target.id().to_owned();
    let steps = state.start(Job {
        state: Arc::clone(state),
        number,
        target,
        load: LoadConfig { context_length: request.context_length, ..LoadConfig::default() },
        ttl_s: None,
        prompt,
        max_tokens: request.max_output_tokens,
        stop: Vec::new(),
        reasoning,
        script: script.clone(),
        recorder: recorder.clone(),
    });
    if request.stream {
        let mut renderer = Renderer::new(instance, response_id, script.clone());
        return streamed(None, steps, recorder, script, move |step| renderer.render(step));
    }
    let answer = match collected(steps, &recorder).await {
        Collected::Finished(summary) => {
            http::json(StatusCode::OK, &ChatResult::new(&summary, response_id.as_deref(), &script))
        }
        Collected::Failed(message) | Collected::LoadFailed(message) => {
            V1Error::internal(&message).response(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Collected::Broken => broken(),
    };
    http::with_request_id(answer, &recorder.update(|log| log.request.clone()))
}
