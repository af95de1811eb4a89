//! The events of `POST /api/v1/chat` and its result, as text.

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Mark, Piece};
use super::engine::{Step, Summary};
use super::http::V1Error;
use super::plan::Kind;
use super::scenario::{Script, StatsContent};
use super::stats::reported;

/// The result of a chat: the whole answer without streaming, and the content of `chat.end`.
#[derive(Debug, Serialize)]
pub struct ChatResult {
    model_instance_id: String,
    output: Vec<OutputItem>,
    stats: Stats,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct OutputItem {
    #[serde(rename = "type")]
    kind: Kind,
    content: String,
}

#[derive(Debug, Serialize)]
struct Stats {
    input_tokens: u64,
    total_output_tokens: u64,
    reasoning_output_tokens: u64,
    /// The outer `None` leaves it out, the inner one writes `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_per_second: Option<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_first_token_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_load_time_seconds: Option<f64>,
}

impl ChatResult {
    /// The result of a generation that ended.
    #[must_use]
    pub fn new(summary: &Summary, response_id: Option<&str>, script: &Script) -> Self {
        let parts = [(Kind::Reasoning, &summary.reasoning), (Kind::Message, &summary.message)];
        let output = parts
            .into_iter()
            .filter(|(_, content)| !content.is_empty())
            .map(|(kind, content)| OutputItem { kind, content: content.clone() })
            .collect();
        let numbers = summary.measured.map(|measured| reported(measured, script));
        let numbers = numbers.filter(|_| script.stats != StatsContent::Counts);
        Self {
            model_instance_id: summary.instance.clone(),
            output,
            stats: Stats {
                input_tokens: summary.prompt_tokens,
                total_output_tokens: summary.output_tokens,
                reasoning_output_tokens: summary.reasoning_tokens,
                tokens_per_second: numbers.map(|numbers| numbers.tokens_per_second),
                time_to_first_token_seconds: numbers.map(|numbers| numbers.time_to_first_token_s),
                model_load_time_seconds: summary.load_s,
            },
            response_id: response_id.map(str::to_owned),
        }
    }

    fn nothing(instance: &str) -> Self {
        Self {
            model_instance_id: instance.to_owned(),
            output: Vec::new(),
            stats: Stats {
                input_tokens: 0,
                total_output_tokens: 0,
                reasoning_output_tokens: 0,
                tokens_per_second: None,
                time_to_first_token_seconds: None,
                model_load_time_seconds: None,
            },
            response_id: None,
        }
    }
}

/// Makes events of the engine's steps.
#[derive(Debug)]
pub struct Renderer {
    instance: String,
    response_id: Option<String>,
    script: Script,
    begun: bool,
    /// The block of reasoning or answer that is open.
    open: Option<Kind>,
    deltas: u32,
}

impl Renderer {
    /// For one answer by `instance`.
    #[must_use]
    pub fn new(instance: String, response_id: Option<String>, script: Script) -> Self {
        Self { instance, response_id, script, begun: false, open: None, deltas: 0 }
    }

    /// The events of one step.
    pub fn render(&mut self, step: Step) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if !self.begun {
            self.begun = true;
            pieces.push(self.about_instance("chat.start", &[]));
        }
        match step {
            Step::LoadStarted => pieces.push(self.about_instance("model_load.start", &[])),
            Step::LoadProgress(share) => {
                pieces.push(self.about_instance("model_load.progress", &[("progress", self.progress(share))]));
            }
            Step::LoadEnded(seconds) => {
                pieces.push(self.about_instance("model_load.end", &[("load_time_seconds", json!(seconds))]));
            }
            Step::LoadFailed(message) => {
                pieces.push(error(&message));
                pieces.push(end(&ChatResult::nothing(&self.instance)));
            }
            Step::PrefillStarted => pieces.push(self.bare("prompt_processing.start", Mark::None)),
            Step::PrefillProgress(share) => {
                pieces.push(event("prompt_processing.progress", &[("progress", self.progress(share))], Mark::None));
            }
            Step::KeepAlive => pieces.push(Piece::Text(": keep-alive\n\n".to_owned(), Mark::None)),
            Step::PrefillEnded => pieces.push(self.bare("prompt_processing.end", Mark::None)),
            Step::Delta { kind, text, tokens, generated_ns } => {
                self.delta(kind, &text, Mark::Delta { kind, bytes: text.len(), tokens, generated_ns }, &mut pieces);
            }
            Step::Damage => pieces.push(Piece::Text(
                "event: message.delta\ndata: {\"type\":\"message.delta\",\"contdata: {\"type\":\"mess\n\n".to_owned(),
                Mark::None,
            )),
            Step::Failed(message) => {
                self.close(&mut pieces);
                pieces.push(error(&message));
            }
            Step::Cut => pieces.push(Piece::Cut),
            Step::Finished(summary) => {
                self.close(&mut pieces);
                pieces.push(end(&ChatResult::new(&summary, self.response_id.as_deref(), &self.script)));
                if self.script.extra_done {
                    pieces.push(Piece::Text("data: [DONE]\n\n".to_owned(), Mark::None));
                }
            }
        }
        pieces
    }

    fn delta(&mut self, kind: Kind, text: &str, mark: Mark, pieces: &mut Vec<Piece>) {
        if self.open != Some(kind) {
            self.close(pieces);
            self.open = Some(kind);
            if self.script.unknown_events {
                pieces.push(event("tool_call.name", &[("tool", json!("model_search"))], Mark::None));
                pieces.push(event("generation.telemetry", &[("temperature_c", json!(61.5))], Mark::None));
            }
            pieces.push(self.bare(&format!("{}.start", block(kind)), Mark::None));
        }
        let name = format!("{}.delta", block(kind));
        if self.script.empty_delta_every > 0 && self.deltas.is_multiple_of(self.script.empty_delta_every) {
            pieces.push(event(&name, &[("content", json!(""))], Mark::None));
        }
        self.deltas += 1;
        pieces.push(event(&name, &[("content", json!(text))], mark));
    }

    fn close(&mut self, pieces: &mut Vec<Piece>) {
        if let Some(kind) = self.open.take() {
            pieces.push(self.bare(&format!("{}.end", block(kind)), Mark::Finish));
        }
    }

    fn about_instance(&self, name: &str, more: &[(&str, Value)]) -> Piece {
        let mut fields = vec![("model_instance_id", json!(self.instance))];
        fields.extend_from_slice(more);
        event(name, &fields, Mark::None)
    }

    /// An event that carries nothing but its name.
    fn bare(&self, name: &str, mark: Mark) -> Piece {
        if self.script.bare_events {
            Piece::Text(format!("event: {name}\ndata: {{}}\n\n"), mark)
        } else {
            event(name, &[], mark)
        }
    }

    fn progress(&self, share: f64) -> Value {
        match share {
            0.0 if self.script.integer_progress => json!(0),
            1.0 if self.script.integer_progress => json!(1),
            share => json!(share),
        }
    }
}

fn block(kind: Kind) -> &'static str {
    if kind == Kind::Reasoning { "reasoning" } else { "message" }
}

/// One event; its data is an object on one line, `type` first.
fn event(name: &str, fields: &[(&str, Value)], mark: Mark) -> Piece {
    let fields: String = fields.iter().map(|(key, value)| format!(",\"{key}\":{value}")).collect();
    Piece::Text(format!("event: {name}\ndata: {{\"type\":\"{name}\"{fields}}}\n\n"), mark)
}

fn error(message: &str) -> Piece {
    event("error", &[("error", json!(V1Error::internal(message)))], Mark::None)
}

fn end(result: &ChatResult) -> Piece {
    let result = serde_json::to_string(result).unwrap_or_else(|_| "null".to_owned());
    Piece::Text(format!("event: chat.end\ndata: {{\"type\":\"chat.end\",\"result\":{result}}}\n\n"), Mark::None)
}
