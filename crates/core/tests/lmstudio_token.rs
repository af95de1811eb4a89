//! A server that gives the API token away: nothing that leaves the client shows it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "these scripts need less than others")]
mod scripted;

use std::time::Duration;

use joulebar_core::clock::Clock;
use joulebar_core::lmstudio::{
    ApiToken, Client, ClientOptions, GenerateError, Generation, GenerationEvent, GenerationRequest, LmError, StopReason,
};
use scripted::{Answer, Server};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Generous, since machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(20);

const TOKEN: &str = "sk-lm-Zq7wXk2v:Lm9Pq3Rt5Yu8Io1As4Df";
/// None of these may be seen: the token's halves, the beginning that LM Studio quotes, and its end.
const PIECES: [&str; 4] = ["Zq7wXk2v", "Lm9Pq3Rt5Yu8Io1As4Df", "sk-lm-Zq7wXk", "Yu8Io1As4Df"];

fn options(server: &Server) -> ClientOptions {
    ClientOptions { url: server.url(), api_token: Some(ApiToken::new(TOKEN).unwrap()), ..Default::default() }
}

async fn connect(server: &Server) -> Client {
    Client::connect(options(server), Clock::start()).await.unwrap()
}

async fn generate(client: &Client, model: &str) -> (Result<Generation, GenerateError>, Vec<GenerationEvent>) {
    let request = GenerationRequest {
        model: model.into(),
        prompt: "What is 2+2?".into(),
        max_tokens: 32,
        temperature: 0.0,
        seed: None,
        reasoning: None,
    };
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let result = tokio::time::timeout(PATIENCE, client.generate(&request, &sender)).await.unwrap();
    drop(sender);
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        events.push(event);
    }
    (result, events)
}

fn assert_hidden(what: &(impl std::fmt::Debug + ?Sized)) {
    let shown = format!("{what:?}");
    let seen: Vec<&str> = PIECES.into_iter().filter(|piece| shown.contains(piece)).collect();
    assert!(seen.is_empty(), "{seen:?} in {shown}");
}

fn models() -> Value {
    let plain = json!({"type": "llm", "key": "plain", "display_name": format!("Plain {TOKEN}"), "format": TOKEN,
        "loaded_instances": [{"id": "plain"}]});
    let named = json!({"type": "llm", "key": format!("by/{TOKEN}"), "loaded_instances": []});
    json!({"models": [plain, named]})
}

/// LM Studio with a token in all it says, that answers a chat with `chat`.
async fn lm_studio(chat: Answer) -> Server {
    Server::start(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/lmstudio-greeting") => Answer::json(200, &json!({"lmstudio": true})),
        ("GET", "/api/v1/models") => Answer::json(200, &models()),
        ("GET", "/lms-status") => Answer::json(200, &json!({"version": format!("0.4.25+{TOKEN}")})),
        ("POST", "/api/v1/chat") => chat.clone(),
        ("POST", "/api/v1/models/load") => {
            Answer::json(200, &json!({"instance_id": format!("by/{TOKEN}"), "status": "loaded"}))
        }
        ("POST", "/api/v1/models/unload") => Answer::json(200, &json!({})),
        ("POST", "/api/v0/chat/completions") => {
            Answer::json(200, &json!({"choices": [], "runtime": {"name": TOKEN, "version": format!("v-{TOKEN}")}}))
        }
        _ => Answer::text(200, r#"{"error":"Unexpected endpoint or method."}"#),
    })
    .await
}

/// A server of another kind, that answers a chat with `chat`.
async fn openai(chat: Answer) -> Server {
    let models = json!({"object": "list", "data": [{"id": "small"}]});
    Server::start(move |request| match request.path.as_str() {
        "/v1/models" => Answer::json(200, &models),
        "/v1/chat/completions" => chat.clone(),
        _ => Answer::text(404, "404 page not found"),
    })
    .await
}

fn chunk(delta: &Value, finish_reason: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
    format!("data: {}\n\n", json!({"model": format!("small {TOKEN}"), "choices": [choice]}))
}

#[tokio::test]
async fn refused_generation_does_not_repeat_the_token() {
    let echo = format!("bad auth header Bearer {TOKEN}");
    for status in [400, 401, 403, 404, 500, 503] {
        for body in [json!({"error": echo}).to_string(), json!({"error": {"seen": echo}}).to_string(), echo.clone()] {
            let server = openai(Answer::text(status, &body)).await;
            let failed = generate(&connect(&server).await, "small").await.0.unwrap_err();
            assert_hidden(&failed);
            let message = failed.to_string();
            assert!(message.contains("Bearer ******"), "{status}: {message}");
            match status {
                401 | 403 => assert!(matches!(failed.error, LmError::TokenRefused { .. }), "{message}"),
                503 => assert!(matches!(failed.error, LmError::NotReady { .. }), "{message}"),
                _ => assert!(matches!(failed.error, LmError::Http { .. }), "{message}"),
            }
        }
    }
}

#[tokio::test]
async fn refused_connection_does_not_repeat_the_token() {
    for (status, message) in [
        (401, format!("Malformed LM Studio API token provided: {}... Ensure", &TOKEN[..12])),
        (401, format!("client {} has no key {}", &TOKEN[6..14], &TOKEN[15..])),
        (500, format!("Bearer {TOKEN}")),
    ] {
        let server = Server::start(move |request| match request.path.as_str() {
            "/lmstudio-greeting" => Answer::json(200, &json!({"lmstudio": true})),
            _ => Answer::json(status, &json!({"error": {"message": message}})),
        })
        .await;
        let error = Client::connect(options(&server), Clock::start()).await.unwrap_err();
        assert_hidden(&error);
        assert!(error.to_string().contains("****"), "{error}");
    }
    let server = Server::start(|_| Answer::json(418, &json!({"error": format!("teapot {TOKEN}")}))).await;
    let error = Client::connect(options(&server), Clock::start()).await.unwrap_err();
    assert!(matches!(&error, LmError::WrongServer { found, .. } if found.contains("teapot ****")), "{error}");
    assert_hidden(&error);
}

#[tokio::test]
async fn error_in_the_middle_of_a_stream_does_not_repeat_the_token() {
    let error = format!("data: {}\n\n", json!({"error": {"message": format!("lost {TOKEN}")}}));
    let answer = vec![chunk(&json!({"content": format!("It is {TOKEN}")}), None), error];
    let server = openai(Answer::stream(answer)).await;
    let (result, events) = generate(&connect(&server).await, "small").await;
    let failed = result.unwrap_err();
    assert!(matches!(&failed.error, LmError::StreamError { message } if message.starts_with("lost ***")), "{failed}");
    let partial = failed.partial.as_deref().unwrap();
    assert!(partial.text.starts_with("It is ****"), "{}", partial.text);
    assert_hidden(&failed);
    assert_hidden(&events);
}

#[tokio::test]
async fn answer_that_contains_the_token_keeps_its_length() {
    let answer = vec![
        chunk(&json!({"reasoning_content": format!("The key is {TOKEN}!")}), None),
        chunk(&json!({"content": format!("é {TOKEN} ")}), None),
        chunk(&json!({"content": format!("and {}", &TOKEN[..9])}), None),
        chunk(&json!({"content": &TOKEN[9..]}), None),
        chunk(&json!({}), Some(&format!("{TOKEN} {}", "x".repeat(5000)))),
        "data: [DONE]\n\n".to_owned(),
    ];
    let server = openai(Answer::stream(answer)).await;
    let (result, events) = generate(&connect(&server).await, "small").await;
    let generation = result.unwrap();
    assert_hidden(&generation);
    let stars = "*".repeat(TOKEN.len());
    assert_eq!(generation.text, format!("é {stars} and {stars}"), "also where it came in two pieces");
    assert_eq!(generation.reasoning_text, format!("The key is {stars}!"));
    assert_eq!(generation.answered_by, Some(format!("small {stars}")));
    let streamed: u64 = generation.timeline.deltas.iter().map(|delta| u64::from(delta.bytes)).sum();
    assert_eq!(streamed, (generation.text.len() + generation.reasoning_text.len()) as u64);
    let Some(StopReason::Other(reason)) = &generation.stop_reason else { panic!("{:?}", generation.stop_reason) };
    assert_eq!(reason.chars().count(), 1000, "{reason}");
    let first = events.iter().find_map(|event| match event {
        GenerationEvent::Delta(_, _, text) => Some(text.clone()),
        _ => None,
    });
    assert_eq!(first, Some(format!("The key is {stars}!")));
}

#[tokio::test]
async fn models_engine_and_version_do_not_repeat_the_token() {
    let server = lm_studio(Answer::nothing()).await;
    let client = connect(&server).await;
    let listed = client.models().await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_hidden(&listed);
    assert_hidden(client.app_version().unwrap());
    let engine = client.engine(&listed[0]).await;
    assert_eq!(engine.name, Some("*".repeat(TOKEN.len())));
    assert_hidden(&engine);
    assert_hidden(&client.select_model(Some("nonsense")).await.unwrap_err());
    assert_hidden(&client);
}

#[tokio::test]
async fn model_with_a_masked_name_can_still_be_used() {
    let server = lm_studio(Answer::json(404, &json!({"error": {"type": "model_not_found", "message": "?"}}))).await;
    let client = connect(&server).await;
    let masked = client.models().await.unwrap()[1].key.clone();
    assert_eq!(masked, format!("by/{}", "*".repeat(TOKEN.len())));
    let own = format!("by/{TOKEN}");
    let selected = client.select_model(Some(&masked)).await.unwrap();
    assert!(selected.loaded_by_us);
    assert_hidden(&selected);
    assert_eq!(server.last_body("/api/v1/models/load")["model"], own);
    let failed = generate(&client, &selected.model.key).await.0.unwrap_err();
    assert!(matches!(&failed.error, LmError::ModelNotFound { key, .. } if *key == masked), "{failed}");
    assert_hidden(&failed);
    assert_eq!(server.last_body("/api/v1/chat")["model"], own);
    client.release(&selected).await.unwrap();
    assert_eq!(server.last_body("/api/v1/models/unload")["instance_id"], own);
}

#[tokio::test]
async fn long_text_of_a_server_is_shortened() {
    let server = openai(Answer::text(500, &format!("<html>{}", "é".repeat(100_000)))).await;
    let failed = generate(&connect(&server).await, "small").await.0.unwrap_err();
    assert!(
        matches!(&failed.error, LmError::Http { message, .. } if message.chars().count() == 1000),
        "{}",
        failed.error
    );
}
