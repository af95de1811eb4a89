//! Everything but streams: identity, detection, errors, model state.

mod lmstudio_support;

use lmstudio_support::{CHAT, EMBED, THINKER, json_of, server};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn greeting_is_exactly_17_bytes() {
    let server = server("", "").await;
    let response = server.get("/lmstudio-greeting").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-length"], "17");
    assert_eq!(response.text().await.unwrap(), r#"{"lmstudio":true}"#);
}

#[tokio::test]
async fn responses_carry_the_headers_of_express_and_of_the_simulator() {
    let server = server("", "").await;
    for path in ["/v1/models", "/nowhere"] {
        let response = server.get(path).send().await.unwrap();
        let headers = response.headers().clone();
        assert_eq!(headers["x-joulebar-simulator"], "1");
        assert_eq!(headers["x-powered-by"], "Express");
        assert_eq!(headers["content-type"], "application/json; charset=utf-8");
        assert_eq!(headers["connection"], "keep-alive");
        assert_eq!(headers["keep-alive"], "timeout=5");
        assert!(headers["etag"].to_str().unwrap().starts_with("W/\""));
        let body = response.text().await.unwrap();
        assert_eq!(headers["content-length"], body.len().to_string());
        assert!(body.starts_with("{\n  \"") && body.ends_with("\n}"), "{body}");
    }
}

#[tokio::test]
async fn unknown_route_or_method_answers_200_with_an_error() {
    let server = server("", "").await;
    let (status, body) = server.get_json("/api/ps").await;
    assert_eq!((status, &body["error"]), (StatusCode::OK, &json!("Unexpected endpoint or method. (GET /api/ps)")));
    let (status, body) = server.get_json("/v1/chat/completions").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["error"], "Unexpected endpoint or method. (GET /v1/chat/completions)");
}

#[tokio::test]
async fn profile_0_3_knows_no_v1() {
    let server = server("profile = \"0.3\"", "").await;
    let (status, body) = server.get_json("/api/v1/models").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body, json!({"error": "Unexpected endpoint or method. (GET /api/v1/models)"}));
    let (_, body) = server.post_json("/api/v1/chat", &json!({"model": CHAT, "input": "x"})).await;
    assert_eq!(body["error"], "Unexpected endpoint or method. (POST /api/v1/chat)");
    let (_, body) = server.get_json("/api/v0/models").await;
    assert_eq!(body["data"][0]["state"], "loaded");
    let body = json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}]});
    let (_, body) = server.post_json("/v1/chat/completions", &body).await;
    assert!(body["choices"][0]["message"].get("reasoning_content").is_none());
    assert!(body.get("stats").is_none() && body["usage"].get("completion_tokens_details").is_none());
}

#[tokio::test]
async fn version_is_told_on_lms_status() {
    let (status, body) = server("", "").await.get_json("/lms-status").await;
    assert_eq!((status, &body["package"]), (StatusCode::OK, &json!("lmstudio")));
    assert!(body["version"].as_str().unwrap().starts_with("0.4."));
}

#[tokio::test]
async fn token_is_asked_for_in_the_recorded_words() {
    let token = "sk-lm-abcd1234:abcdefghij0123456789";
    let server = server(&format!("api_token = \"{token}\""), "").await;
    for path in ["/v1/models", "/api/v1/models", "/api/v0/models"] {
        let (status, body) = server.get_json(path).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(body["error"]["code"], "invalid_api_key");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("An LM Studio API token is required"), "{message}");
    }
    let response = server.get("/v1/models").bearer_auth("dummy-lm-studio-key").send().await.unwrap();
    let (status, body) = json_of(response).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let message = "Malformed LM Studio API token provided: dummy-lm... Ensure you are using a valid token.";
    assert_eq!(body["error"]["message"], message);
    let wrong = server.get("/v1/models").bearer_auth("sk-lm-abcd1234:0000000000000000000z").send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let right = server.get("/v1/models").bearer_auth(token).send().await.unwrap();
    assert_eq!(right.status(), StatusCode::OK);
    assert_eq!(server.get("/lmstudio-greeting").send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn open_server_takes_any_bearer() {
    let response = server("", "").await.get("/v1/models").bearer_auth("anything").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn v1_bodies_are_strict() {
    let server = server("", "").await;
    let cases: [(Value, StatusCode, &str, Value); 4] = [
        (
            json!({"model": CHAT, "input": "x", "seed": 1, "stop": "a"}),
            StatusCode::BAD_REQUEST,
            "Unrecognized key(s) in object: 'seed', 'stop'",
            json!("unrecognized_keys"),
        ),
        (
            json!({"model": CHAT, "input": [{"type": "message", "content": "x"}]}),
            StatusCode::BAD_REQUEST,
            "Invalid discriminator value. Expected 'text' | 'image'",
            json!("invalid_union"),
        ),
        (json!({"input": "x"}), StatusCode::BAD_REQUEST, "\"model\" is required", json!("missing_required_parameter")),
        (
            json!({"model": CHAT, "input": "x", "reasoning": "on"}),
            StatusCode::BAD_REQUEST,
            "Reasoning setting 'on' is not supported by model 'joulebar/tiny-chat-1b'",
            json!("invalid_value"),
        ),
    ];
    for (body, expected, message, code) in cases {
        let (status, answer) = server.post_json("/api/v1/chat", &body).await;
        assert_eq!((status, &answer["error"]["message"]), (expected, &json!(message)));
        assert_eq!((&answer["error"]["code"], &answer["error"]["type"]), (&code, &json!("invalid_request")));
    }
    let (status, _) = server.post_json("/api/v1/models/load", &json!({"model": CHAT, "ttl": 5})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(server.handle.requests().is_empty(), "a refused body is no generation");
}

#[tokio::test]
async fn loaded_twice_makes_a_second_instance_that_is_unloaded_by_its_identifier() {
    let server = server("", "").await;
    let body = json!({"model": CHAT, "context_length": 4096, "parallel": 2, "echo_load_config": true});
    let (status, body) = server.post_json("/api/v1/models/load", &body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&body["instance_id"], &body["status"]), (&json!(format!("{CHAT}:2")), &json!("loaded")));
    assert_eq!(body["load_config"]["context_length"], 4096);
    let seconds = body["load_time_seconds"].as_f64().unwrap();
    assert!((0.04..5.0).contains(&seconds) && (seconds * 1e3).fract().abs() < 1e-6, "{seconds}");

    let instances = |list: &Value| list["models"][0]["loaded_instances"].clone();
    let (_, list) = server.get_json("/api/v1/models").await;
    let loaded = instances(&list);
    assert_eq!(loaded.as_array().unwrap().len(), 2);
    assert_eq!((&loaded[1]["config"]["context_length"], &loaded[1]["config"]["parallel"]), (&json!(4096), &json!(2)));

    let (status, body) = server.post_json("/api/v1/models/unload", &json!({"instance_id": CHAT})).await;
    assert_eq!((status, body), (StatusCode::OK, json!({"instance_id": CHAT})));
    let (_, list) = server.get_json("/api/v1/models").await;
    assert_eq!(instances(&list)[0]["id"], format!("{CHAT}:2"));
    let (status, body) = server.post_json("/api/v1/models/unload", &json!({"instance_id": CHAT})).await;
    assert_eq!((status, &body["error"]["type"]), (StatusCode::NOT_FOUND, &json!("model_not_found")));
}

#[tokio::test]
async fn granted_context_may_differ_from_the_wish() {
    let server = server("granted_context_length = 2048", "").await;
    server.post_json("/api/v1/models/load", &json!({"model": THINKER, "context_length": 16384})).await;
    let (_, list) = server.get_json("/api/v1/models").await;
    assert_eq!(list["models"][1]["loaded_instances"][0]["config"]["context_length"], 2048);
}

#[tokio::test]
async fn load_can_fail() {
    let message = "Model loading aborted due to insufficient system resources.";
    let server = server(&format!("load_error = \"{message}\""), "").await;
    let (status, body) = server.post_json("/api/v1/models/load", &json!({"model": THINKER})).await;
    assert_eq!((status, &body["error"]["message"]), (StatusCode::INTERNAL_SERVER_ERROR, &json!(message)));
    let (status, body) = server.post_json("/api/v1/models/load", &json!({"model": "totally/made-up-9000"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let expected = "Model totally/made-up-9000 not found in downloaded models";
    assert_eq!(body["error"], json!({"type": "model_not_found", "message": expected}));
}

#[tokio::test]
async fn nothing_is_ever_downloaded() {
    let server = server("", "").await;
    let (_, body) = server.post_json("/api/v1/models/download", &json!({"model": CHAT})).await;
    assert_eq!(body, json!({"status": "already_downloaded"}));
    let (status, body) = server.post_json("/api/v1/models/download", &json!({"model": "ibm/granite-4-micro"})).await;
    assert_eq!((status, &body["error"]["type"]), (StatusCode::NOT_IMPLEMENTED, &json!("not_implemented")));
    let (status, body) = server.get_json("/api/v1/models/download/status/job_1").await;
    assert_eq!((status, &body["error"]["type"]), (StatusCode::NOT_FOUND, &json!("job_not_found")));
}

#[tokio::test]
async fn v0_lists_states_and_single_models() {
    let server = server("", "").await;
    let (_, list) = server.get_json("/api/v0/models").await;
    let entries = list["data"].as_array().unwrap();
    let states: Vec<_> = entries.iter().map(|entry| entry["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["loaded", "not-loaded", "not-loaded"]);
    assert_eq!(entries[0]["loaded_context_length"], 8192);
    assert!(entries[1].get("loaded_context_length").is_none());
    assert_eq!(entries[2]["type"], "embeddings");
    let (status, entry) = server.get_json(&format!("/api/v0/models/{CHAT}")).await;
    assert_eq!((status, &entry), (StatusCode::OK, &entries[0]));
    assert_eq!(server.get_json("/api/v0/models/nothing").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn openai_list_shows_downloaded_models_only_while_requests_may_load_them() {
    let ids = async |settings: &str| {
        let (_, list) = server(settings, "").await.get_json("/v1/models").await;
        assert!(list["data"].as_array().unwrap().iter().all(|entry| entry["owned_by"] == "organization_owner"));
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [CHAT, THINKER, EMBED]);
    assert_eq!(ids("jit = false").await, [CHAT]);
    let server = server("", "").await;
    assert_eq!(server.get_json(&format!("/v1/models/{CHAT}")).await.1["id"], CHAT);
    assert_eq!(server.get_json("/v1/models/nothing").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_loaded_model_answers_for_any_name_and_two_refuse() {
    let server = server("", "").await;
    let body = json!({"model": "o4-mini", "messages": [{"role": "user", "content": "Hi"}]});
    let (status, answer) = server.post_json("/v1/chat/completions", &body).await;
    assert_eq!((status, &answer["model"]), (StatusCode::OK, &json!(CHAT)));
    server.post_json("/api/v1/models/load", &json!({"model": THINKER})).await;
    let (status, answer) = server.post_json("/v1/chat/completions", &body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!((&answer["error"]["code"], &answer["error"]["param"]), (&json!("model_not_found"), &json!("model")));
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Invalid model identifier \"o4-mini\"."), "{message}");
    let (status, answer) = server.post_json("/api/v1/chat", &json!({"model": "o4-mini", "input": "Hi"})).await;
    assert_eq!((status, &answer["error"]["type"]), (StatusCode::NOT_FOUND, &json!("model_not_found")));
}

#[tokio::test]
async fn nothing_loaded_and_no_loading_by_request_is_an_error() {
    let server = server("jit = false\nloaded = []", "").await;
    for path in ["/v1/chat/completions", "/api/v0/chat/completions"] {
        let body = json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}]});
        let (status, answer) = server.post_json(path, &body).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &Value::Null));
        assert!(answer["error"]["message"].as_str().unwrap().starts_with("No models loaded."));
    }
}

#[tokio::test]
async fn request_loads_a_model_and_evicts_the_one_before() {
    let server = server("loaded = []", "").await;
    let body = json!({"model": THINKER, "messages": [{"role": "user", "content": "Hi"}], "ttl": 60});
    let (status, answer) = server.post_json("/v1/chat/completions", &body).await;
    assert_eq!((status, &answer["model"]), (StatusCode::OK, &json!(THINKER)));
    let (_, answer) = server.post_json("/api/v1/chat", &json!({"model": CHAT, "input": "Hi", "store": false})).await;
    let stats = &answer["stats"];
    assert!(stats["model_load_time_seconds"].as_f64().unwrap() >= 0.04, "{stats}");
    assert!(stats["time_to_first_token_seconds"].as_f64().unwrap() > 0.002, "{stats}");
    let (_, list) = server.get_json("/api/v0/models").await;
    assert_eq!((&list["data"][0]["state"], &list["data"][1]["state"]), (&json!("loaded"), &json!("not-loaded")));
}

#[tokio::test]
async fn failed_load_by_request_looks_like_nothing_loaded() {
    let server = server("loaded = []\nload_error = \"no room\"", "").await;
    for stream in [false, true] {
        let body = json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "stream": stream});
        let (status, answer) = server.post_json("/v1/chat/completions", &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer["error"]["message"].as_str().unwrap().starts_with("No models loaded."));
    }
}

#[tokio::test]
async fn lenient_routes_have_their_string_errors() {
    let server = server("granted_context_length = 64", "").await;
    let (status, body) = server.post_json("/v1/chat/completions", &json!({"model": CHAT})).await;
    assert_eq!((status, body), (StatusCode::BAD_REQUEST, json!({"error": "'messages' field is required"})));
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"model": CHAT, "messages": messages, "response_format": {"type": "json_object"}});
    let (_, body) = server.post_json("/v1/chat/completions", &body).await;
    assert_eq!(body["error"], "'response_format.type' must be 'json_schema' or 'text'");
    let long = json!({"model": CHAT, "messages": [{"role": "user", "content": "word ".repeat(90)}]});
    let (status, body) = server.post_json("/v1/chat/completions", &long).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let message = body["error"].as_str().unwrap();
    assert!(message.starts_with("Trying to keep the first 99 tokens when context the overflows."), "{message}");
    assert!(message.contains("only 64 tokens"), "{message}");
    let (status, body) = server.post_json("/v1/embeddings", &json!({"model": CHAT, "input": "x"})).await;
    assert_eq!((status, &body["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("model")));
    let (status, body) = server.post_json("/v1/embeddings", &json!({"model": EMBED, "input": ["x", "y"]})).await;
    assert_eq!((status, body["data"].as_array().unwrap().len()), (StatusCode::OK, 2));
    assert_eq!(body["usage"]["prompt_tokens"], 0);
}

#[tokio::test]
async fn broken_json_is_refused_everywhere() {
    let server = server("", "").await;
    for path in ["/api/v1/chat", "/v1/chat/completions", "/api/v0/completions"] {
        let response = server.client.post(format!("{}{path}", server.handle.base_url())).body("{\"model\":");
        let (status, body) = json_of(response.send().await.unwrap()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(body.get("error").is_some());
    }
}
