//! `/api/v0`: the model lists, and what its answers have beside OpenAI's.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::engine::Summary;
use super::http;
use super::models::{CATALOGUE, Spec, downloaded};
use super::plan::Stop;
use super::scenario::{Profile, Script, StatsContent};
use super::state::State;
use super::stats::reported;

#[derive(Serialize)]
struct ModelList {
    data: Vec<ModelEntry>,
    object: &'static str,
}

#[derive(Serialize)]
struct ModelEntry {
    id: &'static str,
    object: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    publisher: &'static str,
    arch: &'static str,
    compatibility_type: &'static str,
    quantization: &'static str,
    state: &'static str,
    max_context_length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded_context_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<[&'static str; 1]>,
}

fn entry(spec: &'static Spec, state: &State) -> ModelEntry {
    let context = state.registry().instances(spec).next().map(|instance| instance.context_length);
    ModelEntry {
        id: spec.key,
        object: "model",
        kind: if spec.generates_text { "llm" } else { "embeddings" },
        publisher: spec.publisher,
        arch: spec.architecture,
        compatibility_type: "gguf",
        quantization: spec.quantization,
        state: if context.is_some() { "loaded" } else { "not-loaded" },
        max_context_length: spec.max_context_length,
        loaded_context_length: context,
        capabilities: (!spec.reasoning_options.is_empty()).then_some(["tool_use"]),
    }
}

/// `GET /api/v0/models`.
pub async fn models(Shared(state): Shared<Arc<State>>) -> Response {
    let data = CATALOGUE.iter().map(|spec| entry(spec, &state)).collect();
    http::json(StatusCode::OK, &ModelList { data, object: "list" })
}

/// `GET /api/v0/models/{id}`.
pub async fn model(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Response {
    match downloaded(&id) {
        Some(spec) => http::json(StatusCode::OK, &entry(spec, &state)),
        None => http::text_error(StatusCode::NOT_FOUND, &format!("Model {id} not found")),
    }
}

/// The three objects that v0 adds to an OpenAI answer.
#[derive(Debug, Serialize)]
pub struct Additions {
    stats: Stats,
    model_info: ModelInfo,
    runtime: Runtime,
}

#[derive(Debug, Serialize)]
struct Stats {
    /// The outer `None` leaves it out, the inner one writes `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_per_second: Option<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_first_token: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_time: Option<f64>,
    stop_reason: Stop,
}

#[derive(Debug, Serialize)]
struct ModelInfo {
    arch: &'static str,
    quant: &'static str,
    format: &'static str,
    context_length: u64,
}

#[derive(Debug, Serialize)]
struct Runtime {
    name: &'static str,
    version: &'static str,
    supported_formats: [&'static str; 1],
}

impl Additions {
    /// Those of a generation that ended.
    #[must_use]
    pub fn new(summary: &Summary, spec: &Spec, profile: Profile, script: &Script) -> Self {
        let numbers = summary.measured.map(|measured| reported(measured, script));
        let numbers = numbers.filter(|_| script.stats != StatsContent::Counts);
        Self {
            stats: Stats {
                tokens_per_second: numbers.map(|numbers| numbers.tokens_per_second),
                time_to_first_token: numbers.map(|numbers| numbers.time_to_first_token_s),
                generation_time: numbers.map(|numbers| numbers.generation_time_s),
                stop_reason: summary.stop,
            },
            model_info: ModelInfo {
                arch: spec.architecture,
                quant: spec.quantization,
                format: "gguf",
                context_length: summary.context_length,
            },
            runtime: Runtime {
                name: "llama.cpp-mac-arm64-apple-metal-advsimd",
                version: if profile == Profile::V03 { "1.51.0" } else { "2.41.0" },
                supported_formats: ["gguf"],
            },
        }
    }
}
