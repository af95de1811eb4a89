//! Every trap of a scenario, seen from a client.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

mod lmstudio_support;

use std::time::{Duration, Instant};

use joulebar_sim::activity::{Reader, State};
use joulebar_sim::lmstudio::{Config, Outcome, Scenario};
use lmstudio_support::{CHAT, QUICK, THINKER, events, names, server, start};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn v1() -> Value {
    json!({"model": CHAT, "input": "Hi", "stream": true, "store": false})
}

fn openai() -> Value {
    json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "stream": true})
}

async fn v1_stream(rule: &str) -> String {
    server("", &format!("[[request]]\nmatch = 1\n{rule}")).await.stream("/api/v1/chat", &v1()).await.unwrap()
}

async fn openai_stream(rule: &str) -> String {
    let server = server("", &format!("[[request]]\nmatch = \"*\"\n{rule}")).await;
    server.stream("/v1/chat/completions", &openai()).await.unwrap()
}

fn count(text: &str, name: &str) -> usize {
    names(&events(text)).iter().filter(|event| **event == name).count()
}

#[tokio::test]
async fn prompt_processing_ends_never_once_or_twice() {
    for times in 0..3 {
        let text = v1_stream(&format!("prompt_end_events = {times}\nprogress_steps = 5")).await;
        assert_eq!(count(&text, "prompt_processing.end"), times);
        assert_eq!(count(&text, "prompt_processing.progress"), 5);
        let last = events(&text).iter().filter_map(|(_, data)| data["progress"].as_f64()).next_back().unwrap();
        assert_eq!(last, if times == 0 { 0.99 } else { 1.0 });
    }
    assert_eq!(count(&v1_stream("progress_steps = 0").await, "prompt_processing.progress"), 0);
    assert!(v1_stream("integer_progress = false").await.contains("\"progress\":1.0}"));
}

#[tokio::test]
async fn empty_deltas_come_before_the_first_text() {
    let text = v1_stream("empty_delta_every = 4").await;
    let contents: Vec<String> = events(&text)
        .iter()
        .filter(|(name, _)| name == "message.delta")
        .map(|(_, data)| data["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(contents[0], "");
    assert_eq!(contents.iter().filter(|text| text.is_empty()).count(), 3);
    assert_eq!(contents.len(), 11 + 3);
    let chunks = events(&openai_stream("empty_delta_every = 4").await);
    assert_eq!(chunks[0].1["choices"][0]["delta"]["content"], "");
}

#[tokio::test]
async fn delta_can_hold_several_tokens() {
    let server = server("", "[[request]]\nmatch = 1\ntokens_per_delta = 4").await;
    let text = server.stream("/api/v1/chat", &v1()).await.unwrap();
    assert_eq!(count(&text, "message.delta"), 3);
    let log = server.log().await;
    assert_eq!(log.deltas.iter().map(|delta| delta.tokens).collect::<Vec<_>>(), [4, 4, 3]);
    assert_eq!((log.output_tokens, log.tokens_ns.len()), (12, 12));
}

#[tokio::test]
async fn tokens_of_reasoning_and_answer_never_share_a_delta() {
    let server = server(
        &format!("loaded = [\"{THINKER}\"]"),
        "[[request]]\nmatch = 1\ntokens_per_delta = 3\nreasoning_tokens = 4",
    )
    .await;
    let body = json!({"model": THINKER, "input": "Hi", "stream": true, "store": false});
    server.stream("/api/v1/chat", &body).await.unwrap();
    assert_eq!(server.log().await.deltas.iter().map(|delta| delta.tokens).collect::<Vec<_>>(), [3, 1, 3, 3, 1]);
}

#[tokio::test]
async fn unknown_and_bare_events_are_sent_when_asked_for() {
    let text = v1_stream("unknown_events = true\nbare_events = true").await;
    assert_eq!(count(&text, "tool_call.name"), 1);
    assert!(text.contains("event: message.start\ndata: {}\n\n"));
    assert!(text.contains("event: chat.end\ndata: {\"type\":\"chat.end\""));
}

#[tokio::test]
async fn error_in_a_stream_is_followed_by_chat_end_with_what_there_is() {
    let rule = "fault = \"error\"\nfault_after_deltas = 2\nerror_message = \"engine says no\"";
    let events = events(&v1_stream(rule).await);
    let tail = &events[events.len() - 3..];
    assert_eq!(names(tail), ["message.end", "error", "chat.end"]);
    assert_eq!(tail[1].1["error"], json!({"message": "engine says no", "type": "internal_error"}));
    let result = &tail[2].1["result"];
    assert_eq!(
        (&result["stats"]["total_output_tokens"], &result["output"][0]["content"]),
        (&json!(2), &json!("Simulated answer"))
    );
}

#[tokio::test]
async fn error_without_streaming_is_a_status() {
    let server = server("", "[[request]]\nmatch = \"*\"\nfault = \"error\"\nerror_message = \"engine says no\"").await;
    let (status, body) = server.post_json("/api/v1/chat", &json!({"model": CHAT, "input": "Hi"})).await;
    assert_eq!((status, &body["error"]["message"]), (StatusCode::INTERNAL_SERVER_ERROR, &json!("engine says no")));
    assert_eq!(server.log().await.outcome, Outcome::Fault);
}

#[tokio::test]
async fn error_in_an_openai_stream_ends_it_with_or_without_done() {
    let rule = "fault = \"error\"\nerror_message = \"engine says no\"";
    let text = openai_stream(rule).await;
    assert!(text.ends_with("data: {\"error\":{\"message\":\"engine says no\"}}\n\n"), "{text}");
    let text = openai_stream(&format!("{rule}\nextra_done = true")).await;
    assert!(text.ends_with("}}\n\ndata: [DONE]\n\n"), "{text}");
}

#[tokio::test]
async fn error_before_anything_else_is_a_500() {
    let server = server("", "[[request]]\nmatch = \"*\"\nfault = \"http500\"").await;
    for (path, body) in [("/api/v1/chat", v1()), ("/v1/chat/completions", openai())] {
        let (status, body) = server.post_json(path, &body).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body["error"]["message"].as_str().unwrap().starts_with("Engine protocol predict"), "{body}");
    }
    assert_eq!(server.log().await.outcome, Outcome::NotRun);
}

#[tokio::test]
async fn cut_stream_breaks_the_connection_after_its_deltas() {
    let server = server("", "[[request]]\nmatch = \"*\"\nfault = \"cut\"\nfault_after_deltas = 3").await;
    let mut response = server.post("/api/v1/chat", &v1()).send().await.unwrap();
    let mut text = String::new();
    let broke = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broke, "the body ended in order");
    assert_eq!((count(&text, "message.delta"), count(&text, "chat.end")), (3, 0));
    let body = json!({"model": CHAT, "input": "Hi"});
    assert!(server.post("/api/v1/chat", &body).send().await.unwrap().bytes().await.is_err());
}

#[tokio::test]
async fn stream_can_end_in_order_without_its_last_event() {
    let text = v1_stream("fault = \"end_early\"\nfault_after_deltas = 3").await;
    assert_eq!((count(&text, "message.delta"), count(&text, "chat.end")), (3, 0));
    let text = openai_stream("fault = \"end_early\"").await;
    assert!(!text.contains("[DONE]") && text.contains("Simulated"));
}

#[tokio::test]
async fn stall_pauses_and_then_goes_on() {
    let server =
        server("", "[[request]]\nmatch = \"*\"\nfault = \"stall\"\nfault_after_deltas = 2\nstall_ms = 300").await;
    let text = server.stream("/api/v1/chat", &v1()).await.unwrap();
    assert_eq!((count(&text, "message.delta"), count(&text, "chat.end")), (11, 1));
    let log = server.log().await;
    let gap_ms = (log.tokens_ns[2] - log.tokens_ns[1]) / 1_000_000;
    assert!((250..10_000).contains(&gap_ms), "{gap_ms} ms");
}

#[tokio::test]
async fn damaged_line_is_no_json() {
    let text = openai_stream("fault = \"damaged_line\"\nfault_after_deltas = 2").await;
    let bad = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]" && serde_json::from_str::<Value>(data).is_err());
    assert_eq!(bad.count(), 1);
}

#[tokio::test]
async fn lines_can_end_with_cr_lf() {
    let text = v1_stream("crlf = true").await;
    assert_eq!(text.matches("\r\n").count(), text.matches('\n').count());
    assert_eq!(events(&text).last().unwrap().0, "chat.end");
}

#[tokio::test]
async fn chunk_borders_can_fall_inside_of_characters() {
    let server = server("", "[[request]]\nmatch = 1\nsplit_utf8 = true\nanswer = \"naïve café 🌱 水\"").await;
    let mut response = server.post("/api/v1/chat", &v1()).send().await.unwrap();
    let (mut whole, mut torn) = (Vec::new(), 0);
    while let Some(chunk) = response.chunk().await.unwrap() {
        torn += usize::from(std::str::from_utf8(&chunk).is_err());
        whole.extend_from_slice(&chunk);
    }
    assert!(torn >= 4, "only {torn} chunks began or ended inside of a character");
    let text = String::from_utf8(whole).unwrap();
    assert_eq!(events(&text).last().unwrap().1["result"]["output"][0]["content"], "naïve café 🌱 水");
}

#[tokio::test]
async fn prompt_can_be_silent_or_kept_alive_by_comments() {
    let slow = "prefill_fixed_ms = 280";
    assert!(!v1_stream(slow).await.contains(": keep-alive"));
    let text = v1_stream(&format!("{slow}\nkeepalive_ms = 50")).await;
    assert_eq!(text.matches(": keep-alive\n\n").count(), 5);
    assert_eq!(events(&text.replace(": keep-alive\n\n", "")).last().unwrap().0, "chat.end");
    assert!(openai_stream(&format!("{slow}\nkeepalive_ms = 50")).await.starts_with(": keep-alive"));
}

#[tokio::test]
async fn prompt_that_does_not_fit_is_an_error_event_or_an_empty_stream() {
    let long = "word ".repeat(90);
    let body = json!({"model": CHAT, "input": long, "stream": true, "store": false});
    let first = server("granted_context_length = 64", "").await;
    let events = events(&first.stream("/api/v1/chat", &body).await.unwrap());
    assert_eq!(names(&events), ["chat.start", "prompt_processing.start", "error", "chat.end"]);
    assert!(events[2].1["error"]["message"].as_str().unwrap().starts_with("Trying to keep the first 99 tokens"));
    let body = json!({"model": CHAT, "input": long});
    assert_eq!(first.post_json("/api/v1/chat", &body).await.0, StatusCode::INTERNAL_SERVER_ERROR);

    let rule = "[[request]]\nmatch = \"*\"\noverflow = \"empty_stream\"";
    let second = server("granted_context_length = 64", rule).await;
    let body = json!({"model": CHAT, "messages": [{"role": "user", "content": long}], "stream": true});
    assert_eq!(second.stream("/v1/chat/completions", &body).await.unwrap(), "data: [DONE]\n\n");
}

#[tokio::test]
async fn full_context_ends_the_answer() {
    let server = server("granted_context_length = 16", "").await;
    let body = json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}]});
    let (_, answer) = server.post_json("/api/v0/chat/completions", &body).await;
    assert_eq!(answer["stats"]["stop_reason"], "contextLengthReached");
    assert_eq!((&answer["usage"]["prompt_tokens"], &answer["usage"]["completion_tokens"]), (&json!(9), &json!(7)));
}

#[tokio::test]
async fn variants_of_chunks_are_selectable() {
    assert!(v1_stream("extra_done = true").await.ends_with("data: [DONE]\n\n"));
    let server = server("", "[[request]]\nmatch = \"*\"\nusage_in_finish_chunk = true\nrole_chunk = \"alone\"").await;
    let mut body = openai();
    body["stream_options"] = json!({"include_usage": true});
    let chunks = events(&server.stream("/v1/chat/completions", &body).await.unwrap());
    assert_eq!(chunks[0].1["choices"][0]["delta"], json!({"role": "assistant"}));
    let last = &chunks.last().unwrap().1;
    assert_eq!(
        (&last["choices"][0]["finish_reason"], &last["usage"]["completion_tokens"]),
        (&json!("stop"), &json!(12))
    );
    let chunks = events(&openai_stream("role_chunk = \"every\"").await);
    assert_eq!(chunks[5].1["choices"][0]["delta"]["role"], "assistant");
}

/// Starts a stream, reads until `until` has come, closes the connection, and returns the activity after that.
async fn activity_of_a_client_that_leaves(rule: &str, until: &str) -> Vec<(State, i64)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activity.ndjson");
    let scenario = Scenario::parse(&format!("{QUICK}\n[[request]]\nmatch = 1\n{rule}")).unwrap();
    let server = start(Config { scenario, activity: Some(path.clone()), ..Config::default() }).await;
    let mut response = server.post("/api/v1/chat", &v1()).send().await.unwrap();
    let mut text = String::new();
    while !text.contains(until) {
        text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    drop(response);
    let log = server.log().await;
    assert_eq!(log.outcome, Outcome::ClientLeft);
    let changes = Reader::new(&path).read_new().unwrap();
    assert!(changes.iter().all(|change| change.request.as_deref() == Some("r1")));
    changes.into_iter().map(|change| (change.state, change.mono_ns)).collect()
}

#[tokio::test]
async fn client_that_leaves_stops_the_generation() {
    let began = Instant::now();
    let rule = "decode_tokens_per_s = 20.0\noutput_tokens = 2000";
    let changes = activity_of_a_client_that_leaves(rule, "message.delta").await;
    assert_eq!(
        changes.iter().map(|(state, _)| *state).collect::<Vec<_>>(),
        [State::Prefill, State::Decode, State::Idle]
    );
    assert!(began.elapsed() < Duration::from_secs(30), "it would have taken 100 s");
    let changes = activity_of_a_client_that_leaves("fault = \"stall\"", "message.delta").await;
    assert_eq!(changes.last().unwrap().0, State::Idle);
}

#[tokio::test]
async fn prompt_is_processed_to_its_end_although_the_client_has_left() {
    let changes = activity_of_a_client_that_leaves("prefill_fixed_ms = 400", "prompt_processing.start").await;
    assert_eq!(changes.iter().map(|(state, _)| *state).collect::<Vec<_>>(), [State::Prefill, State::Idle]);
    let prefill_ms = (changes[1].1 - changes[0].1) / 1_000_000;
    assert!((400..10_000).contains(&prefill_ms), "{prefill_ms} ms");
}

#[tokio::test]
async fn idle_connection_is_closed_and_a_long_answer_is_not() {
    let server = server("keep_alive_ms = 200", "[[request]]\nmatch = 1\nprefill_fixed_ms = 700").await;
    let mut stream = TcpStream::connect(server.handle.address()).await.unwrap();
    stream.write_all(b"GET /lmstudio-greeting HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // ends only because the server closes
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("{\"lmstudio\":true}"), "{answer}");
    let text = server.stream("/api/v1/chat", &v1()).await.unwrap();
    assert_eq!(count(&text, "chat.end"), 1);
}

#[tokio::test]
async fn stopped_server_breaks_its_streams() {
    let server = server("", "[[request]]\nmatch = 1\nfault = \"stall\"").await;
    let mut response = server.post("/api/v1/chat", &v1()).send().await.unwrap();
    response.chunk().await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), server.handle.stop()).await.unwrap();
    while let Ok(chunk) = response.chunk().await {
        assert!(chunk.is_some(), "the body ended in order");
    }
}
