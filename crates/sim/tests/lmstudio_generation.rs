//! Whole and streamed answers, their counts and statistics, against the server's own clock log.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

mod lmstudio_support;

use joulebar_sim::lmstudio::{Kind, Outcome, Stop};
use lmstudio_support::{CHAT, THINKER, events, json_of, names, server};
use reqwest::StatusCode;
use serde_json::{Value, json};

fn seconds(from_ns: Option<i64>, to_ns: Option<i64>) -> f64 {
    (to_ns.unwrap() - from_ns.unwrap()) as f64 * 1e-9
}

#[tokio::test]
async fn v1_answer_has_counts_and_speeds_that_fit_the_clock() {
    let server = server("", "").await;
    let body = json!({"model": CHAT, "input": "What is 2+2?", "temperature": 0, "max_output_tokens": 64});
    let (status, answer) = server.post_json("/api/v1/chat", &body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["model_instance_id"], CHAT);
    assert_eq!(answer["output"].as_array().unwrap().len(), 1);
    assert!(answer["output"][0]["content"].as_str().unwrap().starts_with("Simulated answer:"));
    assert_eq!(answer["response_id"].as_str().unwrap().len(), "resp_".len() + 48);
    let stats = &answer["stats"];
    assert_eq!((&stats["input_tokens"], &stats["total_output_tokens"]), (&json!(14), &json!(12)));
    assert_eq!(stats["reasoning_output_tokens"], 0);

    let log = server.log().await;
    assert_eq!((log.outcome, log.stop_reason), (Outcome::Complete, Some(Stop::EosFound)));
    assert_eq!((log.prompt_tokens, log.output_tokens, log.tokens_ns.len()), (14, 12, 12));
    let ttft = seconds(log.prefill_start_ns, log.first_generated_ns);
    assert!((stats["time_to_first_token_seconds"].as_f64().unwrap() - ttft).abs() < 1.1e-6);
    let decode = seconds(log.first_generated_ns, log.last_generated_ns);
    let speed = stats["tokens_per_second"].as_f64().unwrap();
    assert!((speed * decode / 11.0 - 1.0).abs() < 1e-3, "{speed} over {decode} s");
}

#[tokio::test]
async fn store_false_gives_no_response_id_and_a_stored_answer_can_be_continued() {
    let server = server("", "").await;
    let (_, answer) = server.post_json("/api/v1/chat", &json!({"model": CHAT, "input": "Hi", "store": false})).await;
    assert!(answer.get("response_id").is_none());
    let (_, first) = server.post_json("/api/v1/chat", &json!({"model": CHAT, "input": "One two three"})).await;
    let body = json!({"model": CHAT, "input": "Four", "previous_response_id": first["response_id"]});
    let (_, second) = server.post_json("/api/v1/chat", &body).await;
    // one more text and the 4 tokens of one more turn
    assert_eq!((&first["stats"]["input_tokens"], &second["stats"]["input_tokens"]), (&json!(11), &json!(16)));
    let body = json!({"model": CHAT, "input": "Four", "previous_response_id": "resp_0"});
    assert_eq!(server.post_json("/api/v1/chat", &body).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn v1_stream_has_the_documented_order_and_the_same_result() {
    let server = server("", "").await;
    let body = json!({"model": CHAT, "input": "Hi", "stream": true, "max_output_tokens": 3, "store": false});
    let text = server.stream("/api/v1/chat", &body).await.unwrap();
    let events = events(&text);
    assert_eq!(
        names(&events),
        [
            "chat.start",
            "prompt_processing.start",
            "prompt_processing.progress",
            "prompt_processing.progress",
            "prompt_processing.end",
            "message.start",
            "message.delta",
            "message.delta",
            "message.delta",
            "message.end",
            "chat.end"
        ]
    );
    assert!(events.iter().all(|(name, data)| data["type"] == *name));
    assert!(text.contains("\"progress\":0}") && text.contains("\"progress\":1}"), "whole progress is an integer");
    let result = &events[10].1["result"];
    let deltas: String =
        events.iter().filter(|(name, _)| name == "message.delta").filter_map(|(_, d)| d["content"].as_str()).collect();
    assert_eq!(result["output"], json!([{"type": "message", "content": deltas}]));
    assert_eq!(result["stats"]["total_output_tokens"], 3);
    assert!(!text.contains("[DONE]"));
    let log = server.log().await;
    assert_eq!(log.stop_reason, Some(Stop::MaxPredictedTokensReached));
    assert_eq!(log.deltas.len(), 3);
    assert_eq!(log.first_token_ns, Some(log.deltas[0].at_ns));
    assert!(log.deltas.iter().all(|delta| delta.at_ns >= delta.generated_ns && delta.kind == Kind::Message));
    assert!(log.finish_ns >= log.last_generated_ns && log.end_ns >= log.finish_ns);
}

#[tokio::test]
async fn reasoning_comes_first_and_can_be_switched_off() {
    let server = server("", "").await;
    server.post_json("/api/v1/models/load", &json!({"model": THINKER})).await;
    let body = json!({"model": THINKER, "input": "Why?", "stream": true, "store": false});
    let reasoning = events(&server.stream("/api/v1/chat", &body).await.unwrap());
    let order: Vec<_> = names(&reasoning).into_iter().filter(|name| !name.ends_with(".delta")).collect();
    assert_eq!(
        &order[order.len() - 5..],
        ["reasoning.start", "reasoning.end", "message.start", "message.end", "chat.end"]
    );
    let stats = &reasoning.last().unwrap().1["result"]["stats"];
    assert_eq!((&stats["reasoning_output_tokens"], &stats["total_output_tokens"]), (&json!(4), &json!(12)));

    let body = json!({"model": THINKER, "input": "Why?", "reasoning": "off", "store": false});
    let (_, answer) = server.post_json("/api/v1/chat", &body).await;
    assert_eq!(answer["stats"]["reasoning_output_tokens"], 0);
    let body = json!({"model": THINKER, "input": "Why?", "max_output_tokens": 2, "store": false});
    let (_, answer) = server.post_json("/api/v1/chat", &body).await;
    assert_eq!(answer["output"].as_array().unwrap().len(), 1);
    assert_eq!(answer["output"][0]["type"], "reasoning");
}

#[tokio::test]
async fn load_inside_of_a_stream_is_told_before_the_prompt() {
    let server = server("loaded = []", "").await;
    let body = json!({"model": CHAT, "input": "Hi", "stream": true});
    let events = events(&server.stream("/api/v1/chat", &body).await.unwrap());
    let names = names(&events);
    assert_eq!(names[..3], ["chat.start", "model_load.start", "model_load.progress"]);
    let end = names.iter().position(|name| *name == "model_load.end").unwrap();
    assert_eq!(names[end + 1], "prompt_processing.start");
    let told = events[end].1["load_time_seconds"].as_f64().unwrap();
    let stats = &events.last().unwrap().1["result"]["stats"];
    assert_eq!(stats["model_load_time_seconds"].as_f64().unwrap(), told);
    assert!(stats["time_to_first_token_seconds"].as_f64().unwrap() < told + 5.0);
    let log = server.log().await;
    assert!(seconds(log.load_start_ns, log.load_end_ns) >= 0.04);
}

#[tokio::test]
async fn v0_answer_adds_stats_model_info_and_runtime() {
    let server = server("", "").await;
    let body = json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5});
    let (_, answer) = server.post_json("/api/v0/chat/completions", &body).await;
    let stats = &answer["stats"];
    assert_eq!(stats["stop_reason"], "maxPredictedTokensReached");
    let (generation, ttft) =
        (stats["generation_time"].as_f64().unwrap(), stats["time_to_first_token"].as_f64().unwrap());
    let speed = stats["tokens_per_second"].as_f64().unwrap();
    assert!((4.0 / (generation - ttft) / speed - 1.0).abs() < 1e-6, "N - 1 over the decode phase: {stats}");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 5);
    assert_eq!(answer["model_info"]["context_length"], 8192);
    assert_eq!(answer["runtime"]["name"], "llama.cpp-mac-arm64-apple-metal-advsimd");
}

#[tokio::test]
async fn v0_numbers_can_have_their_older_meaning() {
    let rules = "[[request]]\nmatch = \"*\"\nspeed_formula = \"n\"\nstats_resolution = \"ms\"\ngeneration_time = \"decode_only\"";
    let server = server("", rules).await;
    let body = json!({"model": CHAT, "prompt": "To be or not", "max_tokens": 9});
    let (_, answer) = server.post_json("/api/v0/completions", &body).await;
    assert_eq!((&answer["object"], &answer["usage"]["prompt_tokens"]), (&json!("text_completion"), &json!(4)));
    let stats = &answer["stats"];
    let (generation, speed) =
        (stats["generation_time"].as_f64().unwrap(), stats["tokens_per_second"].as_f64().unwrap());
    assert!((generation * 1e3).fract() < 1e-6, "cut to milliseconds: {generation}");
    let exact = 9.0 / speed;
    assert!((generation..generation + 0.001).contains(&exact), "N over {exact} s, told as {generation}");
}

#[tokio::test]
async fn speed_can_be_null_or_left_out() {
    for (content, shown) in [("null_speed", true), ("counts", false)] {
        let server = server("", &format!("[[request]]\nmatch = 1\nstats = \"{content}\"")).await;
        let (_, answer) = server.post_json("/api/v1/chat", &json!({"model": CHAT, "input": "Hi"})).await;
        let stats = answer["stats"].as_object().unwrap();
        assert_eq!(stats.get("tokens_per_second"), shown.then_some(&Value::Null));
        assert_eq!(stats.contains_key("time_to_first_token_seconds"), shown);
        assert_eq!(stats["total_output_tokens"], 12);
    }
}

#[tokio::test]
async fn openai_answer_has_empty_stats_and_the_model_as_fingerprint() {
    let server = server("", "").await;
    let body = json!({"model": CHAT, "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]});
    let (_, answer) = server.post_json("/v1/chat/completions", &body).await;
    assert_eq!((&answer["stats"], &answer["system_fingerprint"]), (&json!({}), &json!(CHAT)));
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl-"));
    let choice = &answer["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["logprobs"]), (&json!("stop"), &Value::Null));
    assert_eq!((&choice["message"]["reasoning_content"], &choice["message"]["tool_calls"]), (&json!(""), &json!([])));
    let usage = json!({
        "prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21,
        "completion_tokens_details": {"reasoning_tokens": 0}
    });
    assert_eq!(answer["usage"], usage);
}

#[tokio::test]
async fn openai_stream_gives_usage_in_its_own_chunk_only_when_asked() {
    let server = server("", "").await;
    let mut body = json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "stream": true});
    let text = server.stream("/v1/chat/completions", &body).await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n") && !text.contains("usage"));
    let chunks = events(&text);
    assert_eq!(chunks[0].1["choices"][0]["delta"]["role"], "assistant");
    assert!(!chunks[0].1["choices"][0]["delta"]["content"].as_str().unwrap().is_empty());
    assert!(chunks[1].1["choices"][0]["delta"].get("role").is_none());
    let finish = &chunks.last().unwrap().1["choices"][0];
    assert_eq!((&finish["delta"], &finish["finish_reason"]), (&json!({}), &json!("stop")));

    body["stream_options"] = json!({"include_usage": true});
    let chunks = events(&server.stream("/v1/chat/completions", &body).await.unwrap());
    let usage = &chunks.last().unwrap().1;
    assert_eq!((&usage["choices"], &usage["usage"]["completion_tokens"]), (&json!([]), &json!(12)));
    assert_eq!(chunks[chunks.len() - 2].1["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn v0_stream_has_neither_stats_nor_usage() {
    let server = server("", "").await;
    let mut body = json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "stream": true});
    body["stream_options"] = json!({"include_usage": true});
    let text = server.stream("/api/v0/chat/completions", &body).await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"));
    assert!(!text.contains("\"stats\"") && !text.contains("usage") && !text.contains("runtime"));
}

#[tokio::test]
async fn reasoning_field_of_openai_streams_is_selectable() {
    for (field, key) in
        [("reasoning_content", "reasoning_content"), ("reasoning", "reasoning"), ("think_tags", "content")]
    {
        let server = server("", &format!("[[request]]\nmatch = \"*\"\nreasoning_field = \"{field}\"")).await;
        server.post_json("/api/v1/models/load", &json!({"model": THINKER})).await;
        let body = json!({"model": THINKER, "messages": [{"role": "user", "content": "Hi"}], "stream": true});
        let text = server.stream("/v1/chat/completions", &body).await.unwrap();
        let first = &events(&text)[0].1["choices"][0]["delta"];
        assert!(first[key].is_string(), "{first}");
        assert_eq!(text.contains("<think>"), field == "think_tags");
        assert_eq!(text.contains("</think>"), field == "think_tags");
    }
}

#[tokio::test]
async fn stop_string_and_no_limit_are_understood() {
    let server = server("", "[[request]]\nmatch = \"*\"\nanswer = \"one, two, three\"").await;
    let body =
        json!({"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "stop": [", th"], "max_tokens": -1});
    let (_, answer) = server.post_json("/api/v0/chat/completions", &body).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "one, two,");
    assert_eq!(answer["stats"]["stop_reason"], "stopStringFound");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn common_prefix_of_the_last_prompt_is_not_processed_again() {
    let server = server("", "").await;
    for prompt in ["one two three four", "one two three five", "zero two three five"] {
        let response = server.post("/api/v1/chat", &json!({"model": CHAT, "input": prompt})).send().await.unwrap();
        json_of(response).await;
    }
    let cached: Vec<_> = server.handle.requests().iter().map(|log| log.cached_tokens).collect();
    // the template's 8 tokens come first
    assert_eq!(cached, [0, 11, 8]);
}

#[tokio::test]
async fn more_requests_than_slots_wait_for_their_turn() {
    let server = server("parallel = 1", "").await;
    let body = json!({"model": CHAT, "input": "Hi", "store": false});
    let (a, b) = tokio::join!(server.post("/api/v1/chat", &body).send(), server.post("/api/v1/chat", &body).send());
    assert!(a.unwrap().status().is_success() && b.unwrap().status().is_success());
    server.log().await;
    let mut logs = server.handle.requests();
    logs.sort_by_key(|log| log.prefill_start_ns);
    assert_eq!(logs.len(), 2);
    assert!(logs[1].prefill_start_ns >= logs[0].last_generated_ns, "they overlapped");
}
