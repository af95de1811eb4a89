//! OpenAI's objects: chunks of a stream and the whole completion, as LM Studio fills them.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::answer::{Mark, Piece};
use super::engine::{Step, Summary};
use super::http;
use super::models::Spec;
use super::plan::Kind;
use super::scenario::{Profile, ReasoningField, RoleChunk, Script};
use super::v0::Additions;

/// Which of the two completion objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Of `chat/completions`.
    Chat,
    /// Of `completions`.
    Completion,
}

/// How the answer to one request looks.
#[derive(Debug)]
pub struct Shape {
    /// Identifier of the completion.
    pub id: String,
    /// Its kind.
    pub format: Format,
    /// On `/api/v0`.
    pub v0: bool,
    /// Generation of LM Studio.
    pub profile: Profile,
    /// The model.
    pub spec: &'static Spec,
    /// The request wants usage in its stream.
    pub include_usage: bool,
    /// How it goes.
    pub script: Script,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<Details>,
}

#[derive(Serialize)]
struct Details {
    reasoning_tokens: u64,
}

impl Usage {
    fn new(summary: &Summary, profile: Profile) -> Self {
        Self {
            prompt_tokens: summary.prompt_tokens,
            completion_tokens: summary.output_tokens,
            total_tokens: summary.prompt_tokens + summary.output_tokens,
            completion_tokens_details: (profile == Profile::V04)
                .then_some(Details { reasoning_tokens: summary.reasoning_tokens }),
        }
    }
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[(); 0]>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    #[serde(flatten)]
    content: Content<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Content<'a> {
    Message(Message<'a>),
    Delta(Delta<'a>),
    Text(&'a str),
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
}

/// A completion, or a chunk of one.
#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    /// Chunks have it here, whole answers at their end.
    #[serde(rename = "system_fingerprint", skip_serializing_if = "Option::is_none")]
    chunk_fingerprint: Option<&'a str>,
    choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(flatten)]
    additions: Option<Additions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Empty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_fingerprint: Option<&'a str>,
}

/// `{}`: what `stats` is on `/v1`.
#[derive(Serialize)]
struct Empty {}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The answer without streaming.
pub fn whole(shape: &Shape, summary: &Summary) -> Response {
    let new = shape.profile == Profile::V04;
    let separate = shape.script.reasoning_field != ReasoningField::ThinkTags;
    let tagged = if separate || summary.reasoning.is_empty() {
        summary.message.clone()
    } else {
        format!("<think>{}</think>{}", summary.reasoning, summary.message)
    };
    let content = match shape.format {
        Format::Completion => Content::Text(&tagged),
        Format::Chat => Content::Message(Message {
            role: "assistant",
            content: &tagged,
            reasoning_content: (new && separate).then_some(summary.reasoning.as_str()),
            tool_calls: new.then_some([]),
        }),
    };
    let completion = Completion {
        id: &shape.id,
        object: match shape.format {
            Format::Chat => "chat.completion",
            Format::Completion => "text_completion",
        },
        created: now_s(),
        model: &summary.instance,
        chunk_fingerprint: None,
        choices: vec![Choice { index: 0, content, logprobs: None, finish_reason: Some(summary.stop.finish_reason()) }],
        usage: Some(Usage::new(summary, shape.profile)),
        additions: shape.v0.then(|| Additions::new(summary, shape.spec, shape.profile, &shape.script)),
        stats: (new && !shape.v0).then_some(Empty {}),
        system_fingerprint: (!shape.v0).then_some(summary.instance.as_str()),
    };
    http::json(StatusCode::OK, &completion)
}

/// Makes chunks of the engine's steps.
#[derive(Debug)]
pub struct Renderer {
    shape: Shape,
    model: String,
    created: u64,
    deltas: u32,
    /// Reasoning inside `<think>` is open.
    thinking: bool,
    failed: bool,
}

impl Renderer {
    /// For one answer by the instance `model`.
    #[must_use]
    pub fn new(shape: Shape, model: String) -> Self {
        Self { shape, model, created: now_s(), deltas: 0, thinking: false, failed: false }
    }

    /// The chunks of one step.
    pub fn render(&mut self, step: Step) -> Vec<Piece> {
        match step {
            Step::Delta { kind, text, tokens, generated_ns } => {
                self.delta(kind, &text, Mark::Delta { kind, bytes: text.len(), tokens, generated_ns })
            }
            Step::KeepAlive => vec![Piece::Text(": keep-alive\n\n".to_owned(), Mark::None)],
            Step::Damage => {
                vec![Piece::Text("data: {\"id\":\"chatcmpl-data: {\"id\":\"chatc\n\n".to_owned(), Mark::None)]
            }
            Step::Failed(message) | Step::LoadFailed(message) => {
                self.failed = true;
                let error = serde_json::json!({"error": {"message": message}});
                let mut pieces = vec![Piece::Text(format!("data: {error}\n\n"), Mark::Finish)];
                if self.shape.script.extra_done {
                    pieces.push(done());
                }
                pieces
            }
            Step::Cut => vec![Piece::Cut],
            Step::Finished(_) if self.failed => Vec::new(),
            Step::Finished(summary) => self.finish(&summary),
            Step::LoadStarted
            | Step::LoadProgress(_)
            | Step::LoadEnded(_)
            | Step::PrefillStarted
            | Step::PrefillProgress(_)
            | Step::PrefillEnded => Vec::new(),
        }
    }

    fn delta(&mut self, kind: Kind, text: &str, mark: Mark) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let script = &self.shape.script;
        let first = self.deltas == 0;
        let role = match script.role_chunk {
            RoleChunk::First if first => Some("assistant"),
            RoleChunk::Every => Some("assistant"),
            RoleChunk::First | RoleChunk::Alone => None,
        };
        if first && script.role_chunk == RoleChunk::Alone {
            pieces.push(self.chunk(Delta { role: Some("assistant"), ..Delta::default() }, "", Mark::None));
        }
        if script.empty_delta_every > 0 && self.deltas.is_multiple_of(script.empty_delta_every) {
            pieces.push(self.chunk(Delta { content: Some(""), ..Delta::default() }, "", Mark::None));
        }
        let mut tagged = String::new();
        if script.reasoning_field == ReasoningField::ThinkTags {
            match (kind, self.thinking) {
                (Kind::Reasoning, false) => tagged.push_str("<think>"),
                (Kind::Message, true) => tagged.push_str("</think>"),
                _ => {}
            }
            self.thinking = kind == Kind::Reasoning;
        }
        tagged.push_str(text);
        let text = tagged.as_str();
        let delta = match (kind, self.shape.script.reasoning_field) {
            (Kind::Reasoning, ReasoningField::ReasoningContent) => {
                Delta { role, reasoning_content: Some(text), ..Delta::default() }
            }
            (Kind::Reasoning, ReasoningField::Reasoning) => Delta { role, reasoning: Some(text), ..Delta::default() },
            _ => Delta { role, content: Some(text), ..Delta::default() },
        };
        self.deltas += 1;
        pieces.push(self.chunk(delta, text, mark));
        pieces
    }

    fn finish(&self, summary: &Summary) -> Vec<Piece> {
        let usage = self.shape.include_usage.then(|| Usage::new(summary, self.shape.profile));
        let (with_finish, apart) = if self.shape.script.usage_in_finish_chunk { (usage, None) } else { (None, usage) };
        let choice = Choice {
            index: 0,
            content: match self.shape.format {
                Format::Chat => Content::Delta(Delta::default()),
                Format::Completion => Content::Text(""),
            },
            logprobs: None,
            finish_reason: Some(summary.stop.finish_reason()),
        };
        let mut pieces = Vec::new();
        // an empty stream, which some engines answer to a prompt that does not fit, has not even this
        if summary.measured.is_some() {
            pieces.push(self.object(vec![choice], with_finish, Mark::Finish));
            if apart.is_some() {
                pieces.push(self.object(Vec::new(), apart, Mark::None));
            }
        }
        pieces.push(done());
        pieces
    }

    fn chunk(&self, delta: Delta<'_>, text: &str, mark: Mark) -> Piece {
        let content = match self.shape.format {
            Format::Chat => Content::Delta(delta),
            Format::Completion => Content::Text(text),
        };
        self.object(vec![Choice { index: 0, content, logprobs: None, finish_reason: None }], None, mark)
    }

    fn object(&self, choices: Vec<Choice<'_>>, usage: Option<Usage>, mark: Mark) -> Piece {
        let completion = Completion {
            id: &self.shape.id,
            object: match self.shape.format {
                Format::Chat => "chat.completion.chunk",
                Format::Completion => "text_completion",
            },
            created: self.created,
            model: &self.model,
            chunk_fingerprint: Some(&self.model),
            choices,
            usage,
            additions: None,
            stats: None,
            system_fingerprint: None,
        };
        let text = serde_json::to_string(&completion).unwrap_or_else(|_| "null".to_owned());
        Piece::Text(format!("data: {text}\n\n"), mark)
    }
}

fn done() -> Piece {
    Piece::Text("data: [DONE]\n\n".to_owned(), Mark::None)
}
