//! Recorded and documented answers of real servers, read by the client's own code path.
//! They lie outside the project: `JOULEBAR_FIXTURES` names their folder, and without it these tests skip.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and prints what it compared")]

use std::path::{Path, PathBuf};

use joulebar_core::clock::MonotonicTime;
use joulebar_core::lmstudio::facts::Fact;
use joulebar_core::lmstudio::payload::{error_in, parse_json};
use joulebar_core::lmstudio::sse::{SseEvent, SseParser};
use joulebar_core::lmstudio::timeline::{Assembler, StreamReader};
use joulebar_core::lmstudio::v0::GenerationTime;
use joulebar_core::lmstudio::{
    Api, DeltaKind, GenerateError, Generation, GenerationEvent, LmError, ReportedStats, StopReason, TokenCounts,
    openai, rates, v0, v1,
};
use serde_json::Value;

const MANY: u32 = 100_000;

/// The folder `name` of the fixtures, or `None` with a note.
fn fixtures(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("JOULEBAR_FIXTURES").map(|root| PathBuf::from(root).join(name));
    if folder.is_none() {
        println!("skipped: JOULEBAR_FIXTURES is not set");
    }
    folder
}

fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{folder:?}: {error}"))
        .map(|entry| entry.unwrap().path())
        .filter(|path| name(path).ends_with(suffix))
        .collect();
    files.sort();
    files
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn json(path: &Path) -> Value {
    parse_json(&std::fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn milliseconds(value: f64) -> MonotonicTime {
    MonotonicTime(0) + std::time::Duration::from_secs_f64(value * 1e-3)
}

fn first_read_ms(path: &Path) -> f64 {
    let timing = std::fs::read_to_string(path.with_extension("timing.jsonl")).unwrap();
    let mut lines = timing.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.find(|line| line.get("offset").is_some()).unwrap()["ms"].as_f64().unwrap()
}

type Outcome = (Result<Generation, GenerateError>, Vec<GenerationEvent>);

/// Reads a stream whose pieces arrive at the given instants.
fn read<'a>(api: Api, pieces: impl IntoIterator<Item = (MonotonicTime, &'a [u8])>) -> Outcome {
    let mut reader = StreamReader::new(api, MonotonicTime(0), MANY);
    let mut events = Vec::new();
    let mut last = MonotonicTime(0);
    for (at, bytes) in pieces {
        last = at;
        if let Err(problem) = reader.push(at, bytes, &mut events) {
            let error = LmError::BadResponse { route: "fixture", problem };
            return (Err(reader.fail(at, error)), events);
        }
    }
    (reader.finish(last, &mut events), events)
}

fn read_at_once(api: Api, path: &Path) -> Outcome {
    read(api, [(MonotonicTime(1_000_000), std::fs::read(path).unwrap().as_slice())])
}

/// Reads a recorded stream in the pieces, and at the instants, in which its recorder got them.
fn replay(path: &Path) -> Outcome {
    let wire = std::fs::read(path).unwrap();
    let timing = std::fs::read_to_string(path.with_extension("timing.jsonl")).unwrap();
    let number = |line: &Value, key: &str| usize::try_from(line[key].as_u64().unwrap()).unwrap();
    let lines: Vec<Value> = timing.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pieces = lines.iter().filter(|line| line.get("offset").is_some()).map(|line| {
        let start = number(line, "offset");
        (milliseconds(line["ms"].as_f64().unwrap()), &wire[start..start + number(line, "bytes")])
    });
    read(Api::Openai, pieces)
}

/// What a stream holds, found without the code under test: its JSON lines.
fn data_lines(path: &Path) -> Vec<Value> {
    let wire = std::fs::read_to_string(path).unwrap();
    wire.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| data.starts_with('{'))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn last<'a>(lines: &'a [Value], pointer: &str) -> Option<&'a Value> {
    lines.iter().rev().filter_map(|line| line.pointer(pointer)).find(|value| !value.is_null())
}

fn chat_streams(folder: &Path) -> Vec<PathBuf> {
    files(folder, ".sse").into_iter().filter(|path| name(path).starts_with("chat-")).collect()
}

#[test]
fn recorded_llama_cpp_streams_give_the_servers_counts_text_and_speed() {
    let Some(root) = fixtures("llama-server") else { return };
    let mut rates_checked = 0;
    for path in [chat_streams(&root), chat_streams(&root.join("b11434"))].concat() {
        if !path.with_extension("timing.jsonl").exists() {
            continue;
        }
        let (generation, events) = replay(&path);
        let generation = generation.unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let lines = data_lines(&path);

        let first_choice = |line: &Value, key: &str| {
            let choices = line["choices"].as_array().unwrap().iter();
            let texts = choices.filter(|choice| choice["index"] == 0).map(|choice| choice["delta"][key].clone());
            texts.filter_map(|text| text.as_str().map(str::to_owned)).collect::<String>()
        };
        let text: String = lines.iter().map(|line| first_choice(line, "content")).collect();
        let reasoning: String = lines.iter().map(|line| first_choice(line, "reasoning_content")).collect();
        assert_eq!((&generation.text, &generation.reasoning_text), (&text, &reasoning), "{path:?}");

        let timings = last(&lines, "/timings").unwrap_or(&Value::Null);
        let output = last(&lines, "/usage/completion_tokens").or_else(|| timings.get("predicted_n"));
        assert_eq!(generation.tokens.output, output.and_then(Value::as_u64), "{path:?}");
        let prompt = last(&lines, "/usage/prompt_tokens").and_then(Value::as_u64);
        let computed = timings["prompt_n"].as_u64().unwrap() + timings["cache_n"].as_u64().unwrap();
        assert_eq!(generation.tokens.prompt, prompt.or(Some(computed)), "{path:?}");

        let finish_reason = last(&lines, "/choices/0/finish_reason").and_then(Value::as_str);
        let expected = match finish_reason {
            Some("stop") => StopReason::EndOfSequence,
            Some("length") => StopReason::MaxTokens,
            other => panic!("{path:?}: {other:?}"),
        };
        assert_eq!(generation.stop_reason, Some(expected), "{path:?}");

        // Our first token is the first text, not the first chunk, and the events agree with the timeline.
        let first = generation.timeline.first_token().unwrap();
        assert!(events.contains(&GenerationEvent::FirstToken(first)));
        let deltas = events.iter().filter(|event| matches!(event, GenerationEvent::Delta(..))).count();
        assert_eq!(deltas, generation.timeline.deltas.len(), "{path:?}");
        let prompt_ms = timings["prompt_ms"].as_f64().unwrap();
        let ttft_ms = rates::ttft(&generation).unwrap().as_secs_f64() * 1e3;
        assert!(ttft_ms >= prompt_ms, "{path:?}: first token after {ttft_ms} ms, prompt took {prompt_ms} ms");

        let n = timings["predicted_n"].as_u64().unwrap();
        if name(&path).starts_with("chat-n2") {
            continue; // two answers share this stream's timings
        }
        if n == 1 {
            assert_eq!(
                (generation.reported.tokens_per_second, rates::decode_tokens_per_second(&generation)),
                (None, None)
            );
            continue;
        }
        let reported = generation.reported.tokens_per_second.unwrap();
        let predicted_s = generation.reported.generation_time_s.unwrap();
        assert!((reported * predicted_s - (n - 1) as f64).abs() < 1e-6 * n as f64, "{path:?}: N - 1 intervals");
        let ours = rates::decode_tokens_per_second(&generation).unwrap();
        println!(
            "{:<55} n {n:>3}  ours {ours:>8.3}  llama.cpp {reported:>8.3}  {:+.2} %",
            name(&path),
            (ours / reported - 1.0) * 100.0
        );
        // llama.cpp holds `<think>` and the like back: then its first text is not its first token, which an empty
        // chunk in a read of its own gives away, and our window is too short for its N.
        let first_read_ms = first_read_ms(&path);
        if n >= 12 && first == milliseconds(first_read_ms) {
            assert!((ours / reported - 1.0).abs() < 0.05, "{path:?}: ours {ours}, reported {reported}");
            rates_checked += 1;
        }
    }
    assert!(rates_checked >= 10, "only {rates_checked} rates were compared");
}

#[test]
fn every_recorded_stream_reads_the_same_in_any_split() {
    for (folder, api) in [("llama-server", Api::Openai), ("mlx-lm-server", Api::Openai)] {
        let Some(root) = fixtures(folder) else { return };
        for path in chat_streams(&root) {
            assert_same_in_any_split(api, &path);
        }
    }
    let Some(root) = fixtures("lm-studio") else { return };
    for path in files(&root, ".sse") {
        let api = if name(&path).starts_with("v1") { Api::LmstudioV1 } else { Api::Openai };
        assert_same_in_any_split(api, &path);
    }
}

fn assert_same_in_any_split(api: Api, path: &Path) {
    let wire = std::fs::read(path).unwrap();
    let at = MonotonicTime(1_000_000);
    let summary = |(outcome, events): Outcome| (outcome.map_err(|error| (error.to_string(), error.partial)), events);
    let whole = summary(read(api, [(at, wire.as_slice())]));
    let crlf = String::from_utf8(wire.clone()).unwrap().replace('\n', "\r\n");
    for size in [1, 2, 3, 7, 64, 1000] {
        let pieces = wire.chunks(size).map(|piece| (at, piece));
        assert_eq!(summary(read(api, pieces)), whole, "{path:?} in pieces of {size}");
        let pieces = crlf.as_bytes().chunks(size).map(|piece| (at, piece));
        assert_eq!(summary(read(api, pieces)), whole, "{path:?} with CRLF in pieces of {size}");
    }
}

#[test]
fn streams_of_routes_that_we_do_not_use_are_parsed_without_an_error() {
    let Some(root) = fixtures("llama-server") else { return };
    for folder in [root.clone(), root.join("b11434")] {
        for path in files(&folder, ".sse") {
            let mut events = Vec::new();
            SseParser::default().push(&std::fs::read(&path).unwrap(), &mut events).unwrap();
            let done = events.iter().filter(|event| event.data == "[DONE]").count();
            assert_eq!(events.len() - done, data_lines(&path).len(), "{path:?}");
            assert!(events.iter().all(|event| openai::parse_event(event).is_ok()), "{path:?}");
        }
    }
}

#[test]
fn mlx_streams_have_comments_and_counts_but_no_clock() {
    let Some(root) = fixtures("mlx-lm-server") else { return };
    let (generation, _) = read_at_once(Api::Openai, &root.join("chat-stream-usage.sse"));
    let generation = generation.unwrap();
    assert_eq!((generation.tokens.prompt, generation.tokens.output), (Some(19), Some(6)));
    assert_eq!(generation.tokens.prompt_cached, Some(0));
    assert_eq!(generation.reported, ReportedStats::default());
    assert!(generation.unavailable.iter().any(|missing| missing.field == "reported.ttft_ms"));
    let (generation, _) = read_at_once(Api::Openai, &root.join("chat-stream-no-usage.sse"));
    assert_eq!(generation.unwrap().tokens, TokenCounts::default());
    let models = openai::parse_models(&json(&root.join("models.json"))).unwrap();
    assert_eq!((models[0].key.as_str(), models[0].loaded), ("/models/tiny", None));
}

#[test]
fn lm_studio_stream_with_load_and_reasoning_is_understood() {
    let Some(root) = fixtures("lm-studio") else { return };
    let (generation, events) = read_at_once(Api::LmstudioV1, &root.join("v1-stream-load-reasoning.rec.sse"));
    let generation = generation.unwrap();
    assert_eq!(generation.answered_by.as_deref(), Some("qwen/qwen3.6-35b-a3b"));
    assert_eq!(generation.text, "391");
    assert_eq!(generation.reasoning_text, "Here's a thinking process");
    let kinds: Vec<DeltaKind> = generation.timeline.deltas.iter().map(|delta| delta.kind).collect();
    assert_eq!(kinds, [DeltaKind::Reasoning, DeltaKind::Reasoning, DeltaKind::Message]);
    let counts = TokenCounts { prompt: Some(19), prompt_cached: None, output: Some(79), reasoning: Some(70) };
    assert_eq!(generation.tokens, counts);
    assert_eq!(rates::visible_tokens(&generation), Some(9));
    assert_eq!(generation.reported.model_load_s, Some(24.146));
    assert_eq!(generation.reported.ttft_ms, Some(931.0));
    assert_eq!(generation.reported.tokens_per_second, Some(44.585_987_261_146_49));
    assert_eq!(generation.timeline.prefill_ends.len(), 1);
    assert!(matches!(events.last(), Some(GenerationEvent::Finished(_))));
}

#[test]
fn lm_studio_quirks_do_not_move_the_first_token() {
    let Some(root) = fixtures("lm-studio") else { return };
    let (generation, _) = read_at_once(Api::LmstudioV1, &root.join("v1-stream-quirks.asm.sse"));
    let generation = generation.unwrap();
    assert_eq!(generation.timeline.prefill_ends.len(), 2);
    assert_eq!(generation.timeline.deltas.len(), 2, "the empty delta does not count");
    assert_eq!((generation.reasoning_text.as_str(), generation.text.as_str()), ("Need to", "OK"));
    let (generation, _) = read_at_once(Api::LmstudioV1, &root.join("v1-stream-warm-message.asm.sse"));
    assert_eq!(generation.unwrap().reported.ttft_ms, Some(223.0));
}

#[test]
fn errors_inside_streams_fail_the_run_and_keep_its_part() {
    let Some(root) = fixtures("lm-studio") else { return };
    let failed = |api, file: &str| read_at_once(api, &root.join(file)).0.unwrap_err();
    let error = failed(Api::LmstudioV1, "v1-stream-error.asm.sse");
    assert!(matches!(&error.error, LmError::StreamError { message } if message == "(engine message)"));
    assert_eq!(error.partial.unwrap().text, "The current");
    let error = failed(Api::LmstudioV1, "v1-stream-all-events.asm.sse");
    assert!(matches!(error.error, LmError::StreamError { .. }));
    assert_eq!(error.partial.unwrap().tokens.output, Some(268));
    let error = failed(Api::Openai, "openai-stream-error.asm.sse");
    assert!(matches!(&error.error, LmError::StreamError { message } if message.contains("jinja")));
    let (generation, _) = read_at_once(Api::Openai, &root.join("openai-stream-reasoning-usage.asm.sse"));
    let generation = generation.unwrap();
    assert_eq!((generation.tokens.output, generation.tokens.reasoning), (Some(116), Some(102)));
    assert_eq!((generation.reasoning_text.as_str(), generation.text.as_str()), ("Let me think.", "391."));
}

#[test]
fn documented_v1_events_are_understood_one_by_one() {
    let Some(root) = fixtures("lm-studio") else { return };
    let files: Vec<PathBuf> =
        files(&root, ".json").into_iter().filter(|path| name(path).starts_with("v1-event-")).collect();
    assert!(files.len() >= 20, "{} files", files.len());
    for path in files {
        let data = json(&path).to_string();
        let event = SseEvent { name: None, data };
        let facts = v1::parse_event(&event).unwrap();
        let kind = name(&path).trim_start_matches("v1-event-").split(".doc").next().unwrap().to_owned();
        let expected = match kind.as_str() {
            "chat.start" => matches!(facts[..], [Fact::AnsweredBy(_)]),
            "model_load.end" => matches!(facts[..], [Fact::ModelLoaded(Some(_))]),
            "prompt_processing.start" => facts == [Fact::PrefillStarted],
            "prompt_processing.progress" => matches!(facts[..], [Fact::PrefillProgress(_)]),
            "prompt_processing.end" => facts == [Fact::PrefillEnded],
            "reasoning.delta" => matches!(facts[..], [Fact::Delta(DeltaKind::Reasoning, _)]),
            "message.delta" => matches!(facts[..], [Fact::Delta(DeltaKind::Message, _)]),
            "reasoning.end" => facts == [Fact::PartEnded(DeltaKind::Reasoning)],
            "message.end" => facts == [Fact::PartEnded(DeltaKind::Message)],
            "error" => matches!(facts[..], [Fact::Failed(_)]),
            end if end.starts_with("chat.end") => facts.last() == Some(&Fact::Ended),
            _ => facts.is_empty(),
        };
        assert!(expected, "{path:?}: {facts:?}");
    }
}

#[test]
fn whole_v1_answers_give_counts_and_both_texts() {
    let Some(root) = fixtures("lm-studio") else { return };
    let answers =
        ["v1-chat-short-0.4.25.rec.json", "v1-chat-reasoning-only-0.4.24.rec.json", "v1-chat-mcp-model-load.doc.json"];
    let [short, reasoning, with_load] = answers.map(|file| {
        let mut assembler = Assembler::new(Api::LmstudioV1, MonotonicTime(0), 24);
        for fact in v1::parse_answer(&json(&root.join(file))) {
            assembler.apply(MonotonicTime(9), fact, &mut Vec::new());
        }
        assembler.apply(MonotonicTime(9), Fact::Ended, &mut Vec::new());
        assembler.finish(MonotonicTime(9)).unwrap()
    });
    assert_eq!((short.tokens.output, short.stop_reason), (Some(3), None));
    assert_eq!((reasoning.text.as_str(), reasoning.reasoning_text.as_str()), ("", "(text removed)"));
    assert_eq!(reasoning.stop_reason, Some(StopReason::MaxTokens), "24 of 24 tokens");
    assert!(with_load.reported.model_load_s.is_some());
}

#[test]
fn v0_answer_has_statistics_stop_reason_and_engine_but_no_instants() {
    let Some(root) = fixtures("lm-studio") else { return };
    let body = json(&root.join("v0-chat-reasoning-draft-0.4.24.rec.json"));
    let mut assembler = Assembler::new(Api::LmstudioV0, MonotonicTime(0), 300);
    for fact in v0::parse_answer(&body).unwrap() {
        assembler.apply(MonotonicTime(5), fact, &mut Vec::new());
    }
    let generation = assembler.finish(MonotonicTime(5)).unwrap();
    assert_eq!(generation.stop_reason, Some(StopReason::MaxTokens));
    assert_eq!((generation.tokens.output, generation.tokens.reasoning), (Some(300), Some(300)));
    assert_eq!(generation.reported.ttft_ms, Some(1162.136));
    assert_eq!(rates::ttft(&generation), None);
    assert!(generation.unavailable.iter().any(|missing| missing.field == "timeline.deltas"));
    let engine = v0::parse_engine(&body);
    assert_eq!(engine.name.as_deref(), Some("llama.cpp-mac-arm64-apple-metal-advsimd"));
    assert_eq!(engine.version.as_deref(), Some("2.34.0"));
    assert!(v0::parse_answer(&json(&root.join("v0-chat.doc.json"))).is_ok());
    assert!(v0::parse_answer(&json(&root.join("openai-chat-length.rec.json"))).is_ok());
}

#[test]
fn meaning_of_generation_time_is_found_by_arithmetic() {
    let Some(root) = fixtures("lm-studio") else { return };
    let samples = json(&root.join("v0-stats-samples.rec.json"));
    for sample in samples.as_array().unwrap() {
        let stats = &sample["stats"];
        let reported = ReportedStats {
            tokens_per_second: stats["tokens_per_second"].as_f64(),
            ttft_ms: stats["time_to_first_token"].as_f64().map(|seconds| seconds * 1e3),
            generation_time_s: stats["generation_time"].as_f64(),
            ..Default::default()
        };
        let fits = sample["fits"].as_str().unwrap();
        let expected = if fits.starts_with("(completion_tokens - 1)") {
            Some(GenerationTime::WithPrompt)
        } else if fits.contains("excludes") {
            Some(GenerationTime::DecodeOnly)
        } else {
            None
        };
        assert_eq!(GenerationTime::of(&reported, sample["completion_tokens"].as_u64()), expected, "{sample}");
    }
}

#[test]
fn model_lists_of_all_apis_are_read() {
    let Some(root) = fixtures("lm-studio") else { return };
    let models = v1::parse_models(&json(&root.join("v1-models-two-loaded.rec.json"))).unwrap();
    let qwen = models.iter().find(|model| model.key == "qwen/qwen3-4b-2507").unwrap();
    assert_eq!((qwen.instance_id.as_deref(), qwen.loaded), (Some("my-qwen"), Some(true)));
    assert_eq!((qwen.context_length, qwen.max_context_length, qwen.parallel), (Some(8192), Some(262_144), Some(4)));
    assert_eq!((qwen.quantization.as_deref(), qwen.bits_per_weight), (Some("4bit"), Some(4.0)));
    assert!(qwen.reasoning_options.is_empty());
    let gemma = models.iter().find(|model| model.key == "google/gemma-4-e4b").unwrap();
    assert_eq!((gemma.loaded, gemma.instance_id.as_deref()), (Some(false), None));
    assert_eq!(gemma.reasoning_options, ["off", "on"]);
    assert!(models.iter().any(|model| !model.generates_text));
    assert!(!v1::parse_models(&json(&root.join("v1-models.doc.json"))).unwrap().is_empty());
    assert!(!v1::parse_models(&json(&root.join("v1-models-one-loaded-2026-03.rec.json"))).unwrap().is_empty());

    let models = v0::parse_models(&json(&root.join("v0-models-loaded.rec.json"))).unwrap();
    assert_eq!((models[0].loaded, models[0].context_length), (Some(true), Some(4096)));
    assert_eq!((models[1].loaded, models[1].generates_text), (Some(false), false));
    assert!(!v0::parse_models(&json(&root.join("v0-models.doc.json"))).unwrap().is_empty());

    let models = openai::parse_models(&json(&root.join("openai-models.rec.json"))).unwrap();
    assert_eq!(models[0].loaded, None);
    let Some(root) = fixtures("llama-server") else { return };
    let models = openai::parse_models(&json(&root.join("models.json"))).unwrap();
    assert_eq!((models[0].quantization.as_deref(), models[0].params.as_deref()), (Some("Q4_1"), Some("135M")));
    assert_eq!((models[0].context_length, models[0].format.as_deref()), (Some(2048), Some("gguf")));
    let props = json(&root.join("props.json"));
    assert_eq!(openai::parse_llama_engine(&props).unwrap().version.as_deref(), Some("b0-unknown"));
    assert_eq!(openai::parse_slots(&props), Some(2));
}

#[test]
fn load_answers_are_read() {
    let Some(root) = fixtures("lm-studio") else { return };
    let loaded = v1::parse_loaded(&json(&root.join("v1-load.rec.json"))).unwrap();
    assert_eq!((loaded.instance_id.as_str(), loaded.load_time_s), ("google/gemma-3-1b", Some(7.882)));
    assert_eq!(loaded.context_length, None);
    assert!(v1::parse_loaded(&json(&root.join("v1-load.doc.json"))).unwrap().context_length.is_some());
    assert!(v1::parse_loaded(&json(&root.join("common-unknown-endpoint-200.rec.json"))).is_err());
}

#[test]
fn recorded_refusals_become_errors_that_name_the_next_step() {
    let refusal = |path: PathBuf, status: u16| error_in(&json(&path)).unwrap().into_refusal(status, "U", "M", false);
    let Some(root) = fixtures("lm-studio") else { return };
    let of = |file: &str, status| refusal(root.join(file), status);
    assert!(matches!(of("common-auth-401-missing.rec.json", 401), LmError::TokenNeeded { .. }));
    assert!(matches!(of("common-auth-401-malformed.rec.json", 401), LmError::TokenNeeded { .. }));
    assert!(matches!(of("openai-error-400-context-overflow.rec.json", 400), LmError::ContextExceeded { .. }));
    assert!(matches!(of("openai-error-400-no-models-loaded.rec.json", 400), LmError::NoModelLoaded { .. }));
    assert!(matches!(of("openai-error-400-model-not-found.rec.json", 400), LmError::ModelNotFound { .. }));
    assert!(matches!(of("v1-load-404.rec.json", 404), LmError::ModelNotFound { .. }));
    assert!(matches!(of("v1-error-400-unknown-key.asm.json", 400), LmError::Http { status: 400, .. }));
    let Some(root) = fixtures("llama-server") else { return };
    let of = |file: &str, status| refusal(root.join(file), status);
    assert!(matches!(of("error-context-exceeded.json", 400), LmError::ContextExceeded { .. }));
    assert!(matches!(of("error-loading-model.json", 503), LmError::NotReady { .. }));
    assert!(matches!(of("error-no-api-key.json", 401), LmError::TokenNeeded { .. }));
    assert!(matches!(of("error-bad-json.json", 400), LmError::Http { status: 400, .. }));
}
