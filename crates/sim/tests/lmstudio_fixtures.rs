//! The simulator's answers beside documented and recorded ones of LM Studio: same fields, same types, same words.
//! Reads the captures through `JOULEBAR_FIXTURES`.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]
#![allow(clippy::print_stdout, reason = "a test that skips says so")]

mod lmstudio_support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use lmstudio_support::{CHAT, Server, THINKER, events, json_of, names, server};
use serde_json::{Value, json};

fn fixture(name: &str) -> Option<String> {
    let Some(directory) = std::env::var_os("JOULEBAR_FIXTURES") else {
        println!("skipped: JOULEBAR_FIXTURES is not set");
        return None;
    };
    Some(std::fs::read_to_string(PathBuf::from(directory).join("lm-studio").join(name)).unwrap())
}

fn recorded(name: &str) -> Option<Value> {
    fixture(name).map(|text| serde_json::from_str(&text).unwrap())
}

/// Paths of all fields with their types; entries of an array are one.
fn fields(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                object.iter().for_each(|(key, value)| walk(value, &format!("{path}.{key}"), into));
            }
            Value::Array(array) => {
                into.insert(format!("{path}: array"));
                array.iter().for_each(|value| walk(value, &format!("{path}[]"), into));
            }
            Value::Null => drop(into.insert(format!("{path}: null"))),
            Value::Bool(_) => drop(into.insert(format!("{path}: boolean"))),
            Value::Number(_) => drop(into.insert(format!("{path}: number"))),
            Value::String(_) => drop(into.insert(format!("{path}: string"))),
        }
    }
    let mut into = BTreeSet::new();
    walk(value, "", &mut into);
    into
}

async fn quick() -> Server {
    server("", "").await
}

#[tokio::test]
async fn errors_are_the_recorded_ones_to_the_letter() {
    let Some(missing) = recorded("common-auth-401-missing.rec.json") else { return };
    let locked = server("api_token = \"sk-lm-abcd1234:abcdefghij0123456789\"", "").await;
    assert_eq!(locked.get_json("/v1/models").await.1, missing);
    let response = locked.get("/v1/models").bearer_auth("dummy-lm-key").send().await.unwrap();
    assert_eq!(Some(json_of(response).await.1), recorded("common-auth-401-malformed.rec.json"));

    let server = quick().await;
    let v1 = [
        ("v1-error-400-input-type.rec.json", json!({"model": CHAT, "input": [{"type": "message", "content": "x"}]})),
        ("v1-error-400-input-key.rec.json", json!({"model": CHAT, "input": [{"type": "text", "text": "x"}]})),
        ("v1-error-400-unknown-key.asm.json", json!({"model": CHAT, "input": "x", "seed": 1})),
    ];
    for (name, body) in v1 {
        assert_eq!(Some(server.post_json("/api/v1/chat", &body).await.1), recorded(name), "{name}");
    }
    let body = json!({"model": "totally/made-up-9000"});
    assert_eq!(Some(server.post_json("/api/v1/models/load", &body).await.1), recorded("v1-load-404.rec.json"));
    let response = server.client.post(format!("{}/chat/completions", server.handle.base_url())).send().await.unwrap();
    assert_eq!(Some(json_of(response).await.1), recorded("common-unknown-endpoint-200.rec.json"));

    let body = json!({"model": CHAT, "messages": [], "response_format": {"type": "json_object"}});
    let (_, answer) = server.post_json("/v1/chat/completions", &body).await;
    assert_eq!(Some(answer), recorded("openai-error-400-response-format.rec.json"));
    let (_, answer) = server.post_json("/v1/chat/completions", &json!({"model": CHAT})).await;
    assert_eq!(Some(answer), recorded("openai-error-400-messages-required.rec.json"));
    server.post_json("/api/v1/models/unload", &json!({"instance_id": CHAT})).await;
    let body = json!({"model": "none", "messages": []});
    let (_, answer) = server.post_json("/v1/chat/completions", &body).await;
    assert_eq!(Some(answer), recorded("openai-error-400-no-models-loaded.rec.json"));
}

#[tokio::test]
async fn answers_have_exactly_the_recorded_fields() {
    let Some(chat) = recorded("v1-chat-short-0.4.25.rec.json") else { return };
    let server = quick().await;
    let (_, answer) = server.post_json("/api/v1/chat", &json!({"model": CHAT, "input": "Hi"})).await;
    assert_eq!(fields(&answer), fields(&chat));
    let (_, answer) = server.post_json("/api/v1/models/load", &json!({"model": CHAT})).await;
    assert_eq!(fields(&answer), fields(&recorded("v1-load.rec.json").unwrap()));

    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"model": CHAT, "messages": messages, "max_tokens": 4});
    let (_, answer) = server.post_json("/v1/chat/completions", &body).await;
    assert_eq!(fields(&answer), fields(&recorded("openai-chat-length.rec.json").unwrap()));
    let (_, answer) = server.get_json("/v1/models").await;
    assert_eq!(fields(&answer), fields(&recorded("openai-models.rec.json").unwrap()));

    let (_, answer) = server.post_json("/api/v0/chat/completions", &body).await;
    let drafting = |field: &String| !field.contains("draft_tokens_count");
    let chat = fields(&recorded("v0-chat-reasoning-draft-0.4.24.rec.json").unwrap());
    assert_eq!(fields(&answer), chat.into_iter().filter(drafting).collect());
}

#[tokio::test]
async fn older_generation_answers_like_its_documentation() {
    let Some(chat) = recorded("v0-chat.doc.json") else { return };
    let server = server("profile = \"0.3\"", "").await;
    let body = json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}]});
    let (_, answer) = server.post_json("/api/v0/chat/completions", &body).await;
    assert_eq!(fields(&answer), fields(&chat));
    let (_, answer) = server.post_json("/api/v0/completions", &json!({"model": CHAT, "prompt": "Hi"})).await;
    assert_eq!(fields(&answer), fields(&recorded("v0-completions.doc.json").unwrap()));
    let (_, list) = server.get_json("/api/v0/models").await;
    let known = fields(&recorded("v0-models-loaded.rec.json").unwrap());
    let new: Vec<_> = fields(&list).difference(&known).cloned().collect();
    assert_eq!(new, [".data[].capabilities: array", ".data[].capabilities[]: string"]);
}

#[tokio::test]
async fn list_of_v1_has_no_field_of_its_own() {
    let Some(list) = recorded("v1-models-two-loaded.rec.json") else { return };
    let mut known = fields(&list);
    known.extend(fields(&recorded("v1-models.doc.json").unwrap()));
    let server = quick().await;
    server.post_json("/api/v1/models/load", &json!({"model": THINKER})).await;
    let (_, answer) = server.get_json("/api/v1/models").await;
    let own: Vec<_> = fields(&answer).difference(&known).cloned().collect();
    assert!(own.is_empty(), "{own:?}");
}

#[tokio::test]
async fn stream_has_the_events_and_fields_of_the_recording() {
    let Some(stream) = fixture("v1-stream-load-reasoning.rec.sse") else { return };
    let recorded = events(&stream);
    let server = server("loaded = []", "[[request]]\nmatch = 1\nprogress_steps = 0").await;
    let body = json!({"model": THINKER, "input": "Hi", "stream": true, "store": false});
    let found = events(&server.stream("/api/v1/chat", &body).await.unwrap());
    let kinds = |events: &[(String, Value)]| {
        let mut names: Vec<String> = names(events).into_iter().map(str::to_owned).collect();
        names.dedup();
        names
    };
    assert_eq!(kinds(&found), kinds(&recorded));
    for (name, data) in &recorded {
        let same = found.iter().find(|(found, _)| found == name).unwrap();
        // the recording's author emptied `output`
        let without_output = |data: &Value| -> BTreeSet<String> {
            fields(data).into_iter().filter(|field| !field.contains(".output[]")).collect()
        };
        assert_eq!(without_output(&same.1), without_output(data), "{name}");
    }
}

#[tokio::test]
async fn chunks_have_the_fields_of_the_recorded_ones() {
    let Some(stream) = fixture("openai-stream-reasoning-usage.asm.sse") else { return };
    let server = server(&format!("loaded = [\"{THINKER}\"]"), "").await;
    let options = json!({"include_usage": true});
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"model": THINKER, "messages": messages, "stream": true, "stream_options": options});
    let found = events(&server.stream("/v1/chat/completions", &body).await.unwrap());
    let all = |events: &[(String, Value)]| events.iter().map(|(_, data)| fields(data)).collect::<BTreeSet<_>>();
    assert_eq!(all(&found), all(&events(&stream)));
}
