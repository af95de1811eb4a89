//! The client against a scripted server: what it sends, and what it makes of silence, cuts and refusals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripted;

use std::time::Duration;

use joulebar_core::clock::Clock;
use joulebar_core::lmstudio::detect::Maker;
use joulebar_core::lmstudio::{
    Api, ApiToken, Client, ClientOptions, Engine, GenerateError, Generation, GenerationEvent, GenerationRequest,
    LmError, Waiting,
};
use scripted::{Answer, Server};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Generous, since machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(20);

const UNKNOWN_ROUTE: &str = r#"{"error":"Unexpected endpoint or method. (GET /api/v1/models)"}"#;

fn options(server: &Server) -> ClientOptions {
    ClientOptions { url: server.url(), ..Default::default() }
}

async fn connect(server: &Server) -> Client {
    Client::connect(options(server), Clock::start()).await.unwrap()
}

fn request(model: &str) -> GenerationRequest {
    GenerationRequest {
        model: model.into(),
        prompt: "What is 2+2?".into(),
        max_tokens: 32,
        temperature: 0.0,
        seed: Some(7),
        reasoning: Some("off".into()),
    }
}

async fn generate(client: &Client, model: &str) -> (Result<Generation, GenerateError>, Vec<GenerationEvent>) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let result = tokio::time::timeout(PATIENCE, client.generate(&request(model), &sender)).await.unwrap();
    drop(sender);
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        events.push(event);
    }
    (result, events)
}

fn v1_models() -> Value {
    json!({"models": [
        {"type": "llm", "key": "small", "loaded_instances": [{"id": "small", "config": {"context_length": 4096, "parallel": 4}}],
         "capabilities": {"reasoning": {"allowed_options": ["off", "on"]}}},
        {"type": "llm", "key": "plain", "loaded_instances": [], "max_context_length": 8192},
        {"type": "embedding", "key": "embed", "loaded_instances": []},
    ]})
}

/// LM Studio 0.4 that answers a chat with `chat`.
async fn lm_studio(chat: Answer) -> Server {
    Server::start(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/lmstudio-greeting") => Answer::json(200, &json!({"lmstudio": true})),
        ("GET", "/api/v1/models") => Answer::json(200, &v1_models()),
        ("GET", "/lms-status") => Answer::json(200, &json!({"package": "app", "version": "0.4.25+1"})),
        ("POST", "/api/v1/chat") => chat.clone(),
        _ => Answer::text(200, UNKNOWN_ROUTE),
    })
    .await
}

fn event(name: &str, mut fields: Value) -> String {
    fields["type"] = name.into();
    format!("event: {name}\ndata: {fields}\n\n")
}

fn v1_stream() -> Vec<String> {
    vec![
        event("chat.start", json!({"model_instance_id": "small"})),
        event("prompt_processing.start", json!({})),
        event("prompt_processing.progress", json!({"progress": 1})),
        event("prompt_processing.end", json!({})),
        event("message.start", json!({})),
        event("message.delta", json!({"content": "4"})),
        event("message.delta", json!({"content": "."})),
        event("message.end", json!({})),
        event(
            "chat.end",
            json!({"result": {"model_instance_id": "small", "output": [{"type": "message", "content": "4."}],
                "stats": {"input_tokens": 20, "total_output_tokens": 3, "reasoning_output_tokens": 0}}}),
        ),
    ]
}

/// llama.cpp that answers a chat with `chat`.
async fn llama_cpp(chat: Answer) -> Server {
    let missing = json!({"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}});
    let models = json!({"object": "list", "data": [{"id": "smol", "object": "model", "owned_by": "llamacpp"}]});
    Server::start(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v1/models") => Answer::json(200, &models),
        ("GET", "/props") => Answer::json(200, &json!({"build_info": "b11549", "total_slots": 2})),
        ("POST", "/v1/chat/completions") => chat.clone(),
        _ => Answer::json(404, &missing),
    })
    .await
}

fn chunk(delta: Value) -> String {
    format!("data: {}\n\n", json!({"model": "smol", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))
}

#[tokio::test]
async fn v1_generation_sends_exactly_the_closed_body_and_reads_its_stream() {
    let server = lm_studio(Answer::stream(v1_stream())).await;
    let client = connect(&server).await;
    assert_eq!((client.api(), client.is_lm_studio()), (Api::LmstudioV1, true));
    assert_eq!((client.app_version(), client.is_simulated()), (Some("0.4.25+1"), false));
    let (generation, events) = generate(&client, "small").await;
    let generation = generation.unwrap();
    assert_eq!((generation.text.as_str(), generation.tokens.output), ("4.", Some(3)));
    let body = server.last_body("/api/v1/chat");
    assert_eq!(
        body,
        json!({"model": "small", "input": "What is 2+2?", "stream": true, "store": false, "temperature": 0.0,
            "max_output_tokens": 32, "reasoning": "off"})
    );
    let timeline = &generation.timeline;
    let instants = [
        Some(timeline.sent),
        timeline.headers,
        timeline.prefill_start,
        timeline.first_token(),
        timeline.finish,
        Some(timeline.end),
    ];
    assert!(instants.iter().all(Option::is_some), "{timeline:?}");
    assert!(instants.is_sorted(), "{timeline:?}");
    assert!(matches!(events[..], [GenerationEvent::Sent(_), .., GenerationEvent::Finished(_)]), "{events:?}");
}

#[tokio::test]
async fn reasoning_is_not_sent_to_a_model_that_does_not_offer_it() {
    let server = lm_studio(Answer::stream(v1_stream())).await;
    let client = connect(&server).await;
    let (generation, _) = generate(&client, "plain").await;
    assert_eq!(server.last_body("/api/v1/chat").get("reasoning"), None);
    let generation = generation.unwrap();
    assert!(generation.unavailable.iter().any(|missing| missing.field == "request.reasoning"));
}

#[tokio::test]
async fn pieces_that_arrive_apart_have_instants_apart() {
    let mut stream = Answer::stream(v1_stream());
    stream.pause_before_piece(6, Duration::from_millis(300));
    let server = lm_studio(stream).await;
    let (generation, _) = generate(&connect(&server).await, "small").await;
    let deltas = generation.unwrap().timeline.deltas;
    assert!(deltas[1].at.seconds_since(deltas[0].at) >= 0.1, "{deltas:?}");
}

#[tokio::test]
async fn nobody_listening_is_told_from_a_wrong_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::connect(ClientOptions { url, ..Default::default() }, Clock::start()).await.unwrap_err();
    assert!(matches!(error, LmError::NotRunning { .. }), "{error}");
    assert!(error.to_string().contains("lms server start"), "{error}");

    let server = Server::start(|_| Answer::text(404, "<html>")).await;
    let error = Client::connect(options(&server), Clock::start()).await.unwrap_err();
    assert!(matches!(error, LmError::WrongServer { .. }), "{error}");
    let server = Server::start(|_| Answer::text(200, UNKNOWN_ROUTE)).await;
    let error = Client::connect(options(&server), Clock::start()).await.unwrap_err();
    assert!(matches!(error, LmError::WrongServer { .. }), "{error}");
}

#[tokio::test]
async fn token_is_asked_for_sent_and_its_refusal_reported() {
    let server = Server::start(|request| {
        let refusal = json!({"error": {"type": "invalid_request", "code": "invalid_api_key", "message": "no"}});
        match (request.path.as_str(), request.header("authorization")) {
            ("/lmstudio-greeting", _) => Answer::json(200, &json!({"lmstudio": true})),
            ("/api/v1/models", Some("Bearer good")) => Answer::json(200, &v1_models()),
            (_, Some("Bearer good")) => Answer::text(200, UNKNOWN_ROUTE),
            _ => Answer::json(401, &refusal),
        }
    })
    .await;
    let with_token = |token: Option<&str>| ClientOptions {
        api_token: token.map(|token| ApiToken::new(token).unwrap()),
        ..options(&server)
    };
    let error = Client::connect(with_token(None), Clock::start()).await.unwrap_err();
    assert!(matches!(error, LmError::TokenNeeded { .. }), "{error}");
    assert!(!server.paths().contains(&"/api/v0/models".to_owned()), "no falling back");
    let error = Client::connect(with_token(Some("bad")), Clock::start()).await.unwrap_err();
    assert!(matches!(error, LmError::TokenRefused { .. }), "{error}");
    let client = Client::connect(with_token(Some("good")), Clock::start()).await.unwrap();
    assert_eq!(client.api(), Api::LmstudioV1);
    assert!(!format!("{client:?}").contains("good"), "the token is not shown");
}

#[tokio::test]
async fn simulator_gives_itself_away_by_its_header() {
    let server = Server::start(|request| match request.path.as_str() {
        "/api/v1/models" => Answer::json(200, &v1_models()).with_header("X-Joulebar-Simulator: 1"),
        _ => Answer::text(200, UNKNOWN_ROUTE),
    })
    .await;
    assert!(connect(&server).await.is_simulated());
}

#[tokio::test]
async fn cut_stream_fails_with_the_part_that_arrived() {
    let mut pieces = v1_stream();
    pieces.truncate(6);
    for answer in [Answer::stream(pieces.clone()), Answer::stream(pieces).cut_off()] {
        let server = lm_studio(answer).await;
        let (result, _) = generate(&connect(&server).await, "small").await;
        let failed = result.unwrap_err();
        assert!(matches!(failed.error, LmError::StreamCut { .. }), "{}", failed.error);
        assert_eq!(failed.partial.unwrap().text, "4");
        assert_eq!(server.count("/api/v1/chat"), 1, "never tried again");
    }
}

#[tokio::test]
async fn silence_after_the_first_token_runs_into_the_stall_limit() {
    let mut pieces = v1_stream();
    pieces.truncate(6);
    let server = lm_studio(Answer::stream(pieces).then_hang()).await;
    let limits = ClientOptions { stall_timeout: Duration::from_millis(150), ..options(&server) };
    let client = Client::connect(limits, Clock::start()).await.unwrap();
    let failed = generate(&client, "small").await.0.unwrap_err();
    assert!(matches!(failed.error, LmError::Timeout { waiting: Waiting::NextPart, .. }), "{}", failed.error);
    assert_eq!(failed.partial.unwrap().timeline.deltas.len(), 1);
    server.wait_for_closed("/api/v1/chat", PATIENCE).await;
}

#[tokio::test]
async fn prefill_may_be_silent_for_longer_than_decoding() {
    let mut answer = Answer::stream(v1_stream());
    answer.pause_before_piece(3, Duration::from_millis(1500));
    let server = lm_studio(answer).await;
    // Only the gap before the first token is longer than the stall limit; the later pieces come at once.
    let limits = ClientOptions { stall_timeout: Duration::from_millis(1000), ..options(&server) };
    let client = Client::connect(limits, Clock::start()).await.unwrap();
    assert_eq!(generate(&client, "small").await.0.unwrap().text, "4.");
}

#[tokio::test]
async fn silent_server_runs_into_the_limit_for_the_first_token_and_the_total() {
    let server = lm_studio(Answer::nothing()).await;
    let limits = ClientOptions { idle_timeout: Duration::from_millis(150), ..options(&server) };
    let client = Client::connect(limits, Clock::start()).await.unwrap();
    let failed = generate(&client, "small").await.0.unwrap_err();
    assert!(matches!(failed.error, LmError::Timeout { waiting: Waiting::FirstToken, .. }), "{}", failed.error);
    server.wait_for_closed("/api/v1/chat", PATIENCE).await;

    let limits = ClientOptions { total_timeout: Duration::from_millis(150), ..options(&server) };
    let client = Client::connect(limits, Clock::start()).await.unwrap();
    let failed = generate(&client, "small").await.0.unwrap_err();
    assert!(matches!(failed.error, LmError::Timeout { waiting: Waiting::WholeAnswer, .. }), "{}", failed.error);
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection_before_and_after_the_headers() {
    let mut pieces = v1_stream();
    pieces.truncate(6);
    for answer in [Answer::nothing(), Answer::stream(pieces).then_hang()] {
        let server = lm_studio(answer).await;
        let client = connect(&server).await;
        let (sender, _receiver) = mpsc::unbounded_channel();
        let request = request("small");
        {
            let generation = client.generate(&request, &sender);
            tokio::pin!(generation);
            tokio::select! {
                result = &mut generation => panic!("ended by itself: {result:?}"),
                () = server.wait_for("/api/v1/chat", PATIENCE) => {}
            }
        }
        server.wait_for_closed("/api/v1/chat", PATIENCE).await;
    }
}

#[tokio::test]
async fn openai_stream_with_usage_and_timings_is_read() {
    let mut pieces = vec![
        ":\n\n".to_owned(),
        chunk(json!({"role": "assistant", "content": null})),
        chunk(json!({"content": "fo"})),
        chunk(json!({"content": "ur"})),
    ];
    pieces.push(format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})));
    pieces.push(format!(
        "data: {}\n\n",
        json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 0}},
            "timings": {"prompt_n": 9, "cache_n": 0, "predicted_n": 3, "predicted_ms": 50.0, "predicted_per_second": 40.0,
                "prompt_ms": 90.0, "prompt_per_second": 100.0}})
    ));
    pieces.push("data: [DONE]\n\n".to_owned());
    let pieces: Vec<String> = pieces.into_iter().map(|piece| piece.replace('\n', "\r\n")).collect();
    let server = llama_cpp(Answer::stream(pieces)).await;
    let client = connect(&server).await;
    assert_eq!((client.api(), client.maker(), client.is_lm_studio()), (Api::Openai, Maker::LlamaCpp, false));
    let selected = client.select_model(None).await.unwrap();
    assert_eq!((selected.model.key.as_str(), selected.model.parallel), ("smol", Some(2)));
    let engine = client.engine(&selected.model).await;
    assert_eq!(engine, Engine { name: Some("llama.cpp".into()), version: Some("b11549".into()) });

    let (generation, _) = generate(&client, "smol").await;
    let generation = generation.unwrap();
    assert_eq!((generation.text.as_str(), generation.tokens.output), ("four", Some(3)));
    assert_eq!(generation.reported.tokens_per_second, Some(40.0));
    let body = server.last_body("/v1/chat/completions");
    let expected = json!({"model": "smol", "messages": [{"role": "user", "content": "What is 2+2?"}], "max_tokens": 32,
        "temperature": 0.0, "seed": 7, "stream": true, "stream_options": {"include_usage": true}, "cache_prompt": false});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn other_openai_servers_are_not_asked_for_llama_cpps_key() {
    let server = Server::start(|request| match request.path.as_str() {
        "/v1/models" => Answer::json(200, &json!({"object": "list", "data": [{"id": "a"}, {"id": "b"}]})),
        "/v1/chat/completions" => Answer::stream(vec![chunk(json!({"content": "x"})), "data: [DONE]\n\n".into()]),
        _ => Answer::text(404, "404 page not found"),
    })
    .await;
    let client = connect(&server).await;
    assert_eq!(client.maker(), Maker::Other);
    assert!(matches!(client.select_model(None).await, Err(LmError::ModelChoiceNeeded { .. })));
    let selected = client.select_model(Some("b")).await.unwrap();
    generate(&client, &selected.model.key).await.0.unwrap();
    assert_eq!(server.last_body("/v1/chat/completions").get("cache_prompt"), None);
    assert_eq!(client.engine(&selected.model).await, Engine::default());
}

#[tokio::test]
async fn error_after_status_200_and_damaged_lines_fail_the_run() {
    let error = "data: {\"error\":{\"message\":\"Error rendering prompt with jinja template\"}}\n\n".to_owned();
    let server = llama_cpp(Answer::stream(vec![chunk(json!({"content": "x"})), error]).then_hang()).await;
    let failed = generate(&connect(&server).await, "smol").await.0.unwrap_err();
    assert!(matches!(&failed.error, LmError::StreamError { message } if message.contains("jinja")), "{}", failed.error);
    let spliced = "data: {\"choices\":[{\"del\"data: {\"choices\":[]}\n\n".to_owned();
    let server = llama_cpp(Answer::stream(vec![chunk(json!({"content": "x"})), spliced])).await;
    let failed = generate(&connect(&server).await, "smol").await.0.unwrap_err();
    assert!(matches!(failed.error, LmError::BadResponse { .. }), "{}", failed.error);
    assert_eq!(failed.partial.unwrap().text, "x");
}

#[tokio::test]
async fn empty_stream_with_status_200_is_an_error() {
    let server = llama_cpp(Answer::stream(vec!["data: [DONE]\n\n".into()])).await;
    let failed = generate(&connect(&server).await, "smol").await.0.unwrap_err();
    assert!(matches!(failed.error, LmError::EmptyAnswer { claimed_tokens: None }), "{}", failed.error);
}

#[tokio::test]
async fn refusals_of_a_generation_are_told_apart() {
    let refused = async |status: u16, body: Value| {
        let server = lm_studio(Answer::json(status, &body)).await;
        generate(&connect(&server).await, "small").await.0.unwrap_err().error
    };
    let overflow = "Trying to keep the first 9000 tokens when context the overflows. However, ...";
    assert!(matches!(refused(400, json!({"error": overflow})).await, LmError::ContextExceeded { .. }));
    let missing = refused(404, json!({"error": {"type": "model_not_found", "message": "?"}})).await;
    assert!(
        matches!(&missing, LmError::ModelNotFound { available, .. } if available == &["small", "plain"]),
        "{missing}"
    );
    let unrecognized = json!({"error": {"type": "invalid_request", "message": "Unrecognized key(s) in object: 'x'"}});
    assert!(matches!(refused(400, unrecognized).await, LmError::Http { status: 400, .. }));
    assert!(matches!(
        refused(200, json!({"error": "Unexpected endpoint or method."})).await,
        LmError::Http { status: 200, .. }
    ));
    assert!(matches!(refused(200, json!({"output": []})).await, LmError::BadResponse { .. }));
}

#[tokio::test]
async fn named_model_is_loaded_once_read_back_and_unloaded_only_if_it_was_ours() {
    let server = Server::start(|request| {
        let loaded = request.seen.iter().any(|path| path == "/api/v1/models/load");
        let mut models = v1_models();
        if loaded {
            models["models"][1]["loaded_instances"] = json!([{"id": "plain:2", "config": {"context_length": 2048}}]);
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/lmstudio-greeting") => Answer::json(200, &json!({"lmstudio": true})),
            ("GET", "/api/v1/models") => Answer::json(200, &models),
            ("POST", "/api/v1/models/load") => Answer::json(
                200,
                &json!({"type": "llm", "instance_id": "plain:2", "load_time_seconds": 7.882, "status": "loaded",
                    "load_config": {"context_length": 8192}}),
            ),
            ("POST", "/api/v1/models/unload") => Answer::json(200, &json!({"instance_id": "plain:2"})),
            _ => Answer::text(200, UNKNOWN_ROUTE),
        }
    })
    .await;
    let client = connect(&server).await;
    let ours = client.select_model(Some("PLAI")).await.unwrap();
    assert_eq!((ours.loaded_by_us, ours.load_time_s), (true, Some(7.882)));
    assert_eq!(ours.model.instance_id.as_deref(), Some("plain:2"));
    assert_eq!(ours.model.context_length, Some(2048), "as the list has it, not as it was announced");
    assert_eq!(server.last_body("/api/v1/models/load"), json!({"model": "plain", "echo_load_config": true}));
    let theirs = client.select_model(Some("small")).await.unwrap();
    assert!(!theirs.loaded_by_us);
    client.release(&theirs).await.unwrap();
    assert_eq!(server.count("/api/v1/models/unload"), 0);
    client.release(&ours).await.unwrap();
    assert_eq!(server.last_body("/api/v1/models/unload"), json!({"instance_id": "plain:2"}));
    assert_eq!(server.count("/api/v1/models/load"), 1);
}

/// LM Studio that answers a load with `load` and its list, once a load was asked for, with `after`: the first list
/// first, the last one from then on.
async fn loading(load: Answer, after: Vec<Answer>) -> Server {
    Server::start(move |request| {
        let after_load = request.seen.iter().skip_while(|path| *path != "/api/v1/models/load");
        let lists = after_load.clone().filter(|path| *path == "/api/v1/models").count();
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/lmstudio-greeting") => Answer::json(200, &json!({"lmstudio": true})),
            ("GET", "/api/v1/models") if after_load.count() > 0 => after[lists.min(after.len() - 1)].clone(),
            ("GET", "/api/v1/models") => Answer::json(200, &v1_models()),
            ("POST", "/api/v1/models/load") => load.clone(),
            ("POST", "/api/v1/models/unload") => Answer::json(200, &json!({"instance_id": "?"})),
            _ => Answer::text(200, UNKNOWN_ROUTE),
        }
    })
    .await
}

fn loaded_plain() -> Answer {
    let answer = json!({"type": "llm", "instance_id": "plain", "load_time_seconds": 2.5, "status": "loaded",
        "load_config": {"context_length": 8192}});
    Answer::json(200, &answer)
}

fn list_with(plain: Value) -> Answer {
    let mut models = v1_models();
    models["models"][1]["loaded_instances"] = plain;
    Answer::json(200, &models)
}

/// Waits until what was abandoned is undone; the models that may have stayed.
async fn undone(client: &Client) -> Vec<String> {
    tokio::time::timeout(PATIENCE, client.undo_loads()).await.unwrap()
}

#[tokio::test]
async fn loaded_model_is_used_as_it_was_announced_when_the_list_fails() {
    let server = loading(loaded_plain(), vec![Answer::text(500, "oops")]).await;
    let client = connect(&server).await;
    let ours = client.select_model(Some("plain")).await.unwrap();
    assert_eq!((ours.loaded_by_us, ours.load_time_s, ours.model.loaded), (true, Some(2.5), Some(true)));
    assert_eq!((ours.model.instance_id.as_deref(), ours.model.context_length), (Some("plain"), Some(8192)));
    assert!(!client.is_undoing_a_load());
    client.release(&ours).await.unwrap();
    assert_eq!(server.last_body("/api/v1/models/unload"), json!({"instance_id": "plain"}));
}

#[tokio::test]
async fn abandoned_load_is_answered_and_then_unloaded() {
    let mut answer = loaded_plain();
    answer.pause_before_piece(0, Duration::from_millis(400));
    let server = loading(answer, vec![Answer::nothing()]).await;
    let client = connect(&server).await;
    tokio::select! {
        result = client.select_model(Some("plain")) => panic!("ended by itself: {result:?}"),
        () = server.wait_for("/api/v1/models/load", PATIENCE) => {}
    }
    assert!(client.is_undoing_a_load());
    assert_eq!(undone(&client).await, [""; 0]);
    assert_eq!(server.last_body("/api/v1/models/unload"), json!({"instance_id": "plain"}));
}

#[tokio::test]
async fn model_whose_caller_left_between_load_and_list_is_unloaded() {
    let server = loading(loaded_plain(), vec![Answer::nothing()]).await;
    let client = connect(&server).await;
    // The lists before it are those of connecting and of choosing.
    let listed_again = async {
        while server.count("/api/v1/models") < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        result = client.select_model(Some("plain")) => panic!("ended by itself: {result:?}"),
        () = listed_again => {}
    }
    assert_eq!(undone(&client).await, [""; 0]);
    assert_eq!(server.last_body("/api/v1/models/unload"), json!({"instance_id": "plain"}));
}

#[tokio::test]
async fn load_whose_answer_is_lost_is_found_in_the_list_and_unloaded() {
    let cut = Answer::stream(vec!["{".into()]).cut_off();
    let after = vec![
        list_with(json!([])),
        Answer::text(500, "busy"),
        list_with(json!([{"id": "plain"}, {"id": "plain:2"}])),
        list_with(json!([{"id": "plain:2"}])),
    ];
    let server = loading(cut, after).await;
    let client = connect(&server).await;
    let error = client.select_model(Some("plain")).await.unwrap_err();
    assert!(matches!(error, LmError::Connection { .. }), "{error}");
    assert_eq!(undone(&client).await, [""; 0]);
    assert_eq!(server.count("/api/v1/models/unload"), 1, "not while two could be meant");
    assert_eq!(server.last_body("/api/v1/models/unload"), json!({"instance_id": "plain:2"}));
}

#[tokio::test]
async fn refused_load_leaves_nothing_to_undo() {
    let refusal = json!({"error": {"type": "internal_error", "message": "engine"}});
    let server = loading(Answer::json(500, &refusal), vec![list_with(json!([{"id": "plain"}]))]).await;
    let client = connect(&server).await;
    let error = client.select_model(Some("plain")).await.unwrap_err();
    assert!(matches!(error, LmError::LoadFailed { .. }), "{error}");
    assert!(!client.is_undoing_a_load());
    assert_eq!(server.count("/api/v1/models/unload"), 0, "somebody else's");
}

#[tokio::test]
async fn lm_studio_that_breaks_off_its_list_is_not_taken_for_an_older_one() {
    let server = Server::start(|request| match request.path.as_str() {
        "/lmstudio-greeting" => Answer::json(200, &json!({"lmstudio": true})),
        "/api/v1/models" => Answer::stream(vec!["{\"models\":[".into()]).cut_off(),
        "/api/v0/models" => Answer::json(200, &json!({"data": [{"id": "old", "type": "llm", "state": "loaded"}]})),
        _ => Answer::text(200, UNKNOWN_ROUTE),
    })
    .await;
    let error = Client::connect(options(&server), Clock::start()).await.unwrap_err();
    assert!(matches!(error, LmError::Connection { .. }), "{error}");
    assert_eq!(server.count("/api/v0/models"), 0);
}

#[tokio::test]
async fn failed_loads_say_whether_memory_was_short() {
    let failed = async |status: u16, body: Value| {
        let server = Server::start(move |request| match request.path.as_str() {
            "/api/v1/models" => Answer::json(200, &v1_models()),
            "/api/v1/models/load" => Answer::json(status, &body),
            _ => Answer::text(200, UNKNOWN_ROUTE),
        })
        .await;
        connect(&server).await.select_model(Some("plain")).await.unwrap_err()
    };
    let memory = "Model loading aborted due to insufficient system resources. Overloading the system ...";
    let error = failed(500, json!({"error": {"type": "internal_error", "message": memory}})).await;
    assert!(matches!(error, LmError::OutOfMemory { .. }), "{error}");
    let error = failed(500, json!({"error": {"type": "internal_error", "message": "engine"}})).await;
    assert!(matches!(error, LmError::LoadFailed { .. }), "{error}");
    let error = failed(404, json!({"error": {"type": "model_not_found", "message": "gone"}})).await;
    assert!(matches!(error, LmError::ModelNotFound { .. }), "{error}");
}

#[tokio::test]
async fn v0_takes_its_numbers_from_a_whole_answer() {
    let server = Server::start(|request| {
        let state = if request.seen.iter().any(|path| path == "/api/v0/chat/completions") { "loaded" } else { "not-loaded" };
        match request.path.as_str() {
            "/lmstudio-greeting" => Answer::json(200, &json!({"lmstudio": true})),
            "/api/v0/models" => Answer::json(200, &json!({"data": [{"id": "old", "type": "llm", "state": state}]})),
            "/api/v0/chat/completions" => Answer::json(
                200,
                &json!({"model": "old", "choices": [{"message": {"content": "4."}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 12, "completion_tokens": 3},
                    "stats": {"tokens_per_second": 50.0, "time_to_first_token": 0.111, "generation_time": 0.06, "stop_reason": "eosFound"},
                    "runtime": {"name": "llama.cpp-mac", "version": "1.59.0"}}),
            ),
            _ => Answer::text(200, UNKNOWN_ROUTE),
        }
    })
    .await;
    let client = connect(&server).await;
    assert_eq!(client.api(), Api::LmstudioV0);
    assert!(matches!(client.select_model(None).await, Err(LmError::NoModelLoaded { .. })));
    let selected = client.select_model(Some("old")).await.unwrap();
    assert_eq!((selected.model.loaded, selected.loaded_by_us), (Some(true), true));
    assert_eq!(client.engine(&selected.model).await.version.as_deref(), Some("1.59.0"));
    let (generation, events) = generate(&client, "old").await;
    let generation = generation.unwrap();
    assert_eq!((generation.text.as_str(), generation.tokens.output), ("4.", Some(3)));
    assert_eq!(generation.reported.ttft_ms, Some(111.0));
    assert!(generation.timeline.headers.is_some() && generation.timeline.deltas.is_empty());
    assert!(matches!(events[..], [GenerationEvent::Sent(_), GenerationEvent::Finished(_)]), "{events:?}");
    assert_eq!(server.last_body("/api/v0/chat/completions")["stream"], false);
}
