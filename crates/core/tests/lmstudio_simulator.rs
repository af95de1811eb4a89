//! The client end to end against the simulated LM Studio, whose own log of instants and tokens is the truth.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and prints what it compared")]

use std::time::Duration;

use joulebar_core::clock::Clock;
use joulebar_core::lmstudio::models::{answered_by_another, id};
use joulebar_core::lmstudio::v0::GenerationTime;
use joulebar_core::lmstudio::{
    Api, ApiToken, Client, ClientOptions, GenerateError, Generation, GenerationRequest, LmError, StopReason, Waiting,
    rates,
};
use joulebar_core::suite::{Suite, nonce, with_nonce};
use joulebar_sim::lmstudio::{Config, Handle, Outcome, RequestLog, Scenario, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const CHAT: &str = "joulebar/tiny-chat-1b";
const THINKER: &str = "joulebar/thinker-4b";

/// Everything happens quickly; a test's own rules follow.
const QUICK: &str = r#"
[[request]]
match = "*"
prefill_fixed_ms = 20
decode_tokens_per_s = 500.0
output_tokens = 24
reasoning_tokens = 6
"#;

/// A simulator with further settings for the server and rules for its generations.
async fn simulator(settings: &str, rules: &str) -> Handle {
    let text = format!(
        "[server]\n{}{settings}\n{QUICK}\n{rules}",
        if settings.contains("load_ms") { "" } else { "load_ms = 40\n" }
    );
    let config = Config { scenario: Scenario::parse(&text).unwrap(), ..Config::default() };
    serve(config, TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap()
}

fn options(url: String) -> ClientOptions {
    ClientOptions { url, ..Default::default() }
}

async fn connect(server: &Handle) -> Client {
    Client::connect(options(server.base_url()), Clock::start()).await.unwrap()
}

fn request(model: &str, max_tokens: u32) -> GenerationRequest {
    GenerationRequest {
        model: model.to_owned(),
        prompt: "Explain photosynthesis in simple terms.".to_owned(),
        max_tokens,
        temperature: 0.0,
        seed: Some(1),
        reasoning: None,
    }
}

async fn generate(client: &Client, request: &GenerationRequest) -> Result<Generation, GenerateError> {
    client.generate(request, &mpsc::unbounded_channel().0).await
}

/// The log of the newest generation, once `count` have ended.
async fn log(server: &Handle, count: usize) -> RequestLog {
    for _ in 0..1_000 {
        let logs = server.requests();
        if logs.len() >= count {
            return logs.into_iter().next_back().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no generation has ended");
}

fn assert_counts(generation: &Generation, log: &RequestLog) {
    assert_eq!(generation.tokens.prompt, Some(log.prompt_tokens));
    assert_eq!(generation.tokens.output, Some(log.output_tokens));
    assert_eq!(generation.tokens.reasoning, Some(log.reasoning_tokens));
    assert_eq!(generation.timeline.deltas.len(), log.deltas.len());
    let bytes: usize = log.deltas.iter().map(|delta| delta.bytes).sum();
    assert_eq!(generation.text.len() + generation.reasoning_text.len(), bytes);
}

/// Lets only `/v1` through, as a reverse proxy or another product would.
async fn only_openai(server: &Handle) -> String {
    let (listener, target) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), server.address());
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = vec![0; 4096];
                let length = client.peek(&mut head).await.unwrap();
                let path = String::from_utf8_lossy(&head[..length]).split(' ').nth(1).unwrap().to_owned();
                if path.starts_with("/v1/") {
                    let mut upstream = TcpStream::connect(target).await.unwrap();
                    upstream.set_nodelay(true).unwrap();
                    // One request for each connection: the next one may be for another path.
                    let length = client.read(&mut head).await.unwrap();
                    let closing =
                        String::from_utf8_lossy(&head[..length]).replacen("\r\n", "\r\nConnection: close\r\n", 1);
                    upstream.write_all(closing.as_bytes()).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
                } else {
                    let _ = client.read(&mut head).await;
                    let answer = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                    let _ = client.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn v1_generation_agrees_with_the_servers_own_log() {
    let server = simulator("", "").await;
    let clock = Clock::start();
    let client = Client::connect(options(server.base_url()), clock).await.unwrap();
    assert_eq!((client.api(), client.is_lm_studio(), client.is_simulated()), (Api::LmstudioV1, true, true));
    assert!(client.app_version().is_some());
    let selected = client.select_model(None).await.unwrap();
    assert_eq!((id(&selected.model), selected.loaded_by_us), (CHAT, false));
    let engine = client.engine(&selected.model).await;
    assert!(engine.name.is_some() && engine.version.is_some(), "{engine:?}");

    let generation = generate(&client, &request(CHAT, 100)).await.unwrap();
    let log = log(&server, 2).await;
    assert_counts(&generation, &log);
    assert_eq!(generation.stop_reason, None, "it ended by itself, and v1 does not say so");
    assert_eq!(answered_by_another(&generation, &selected.model), None);
    let timeline = &generation.timeline;
    assert!(timeline.sent <= clock.from_raw(log.received_ns));
    let late_ms = |ours, theirs| clock.from_raw(theirs).seconds_since(ours) * -1e3;
    let first_ms = late_ms(timeline.first_token().unwrap(), log.first_token_ns.unwrap());
    let finish_ms = late_ms(timeline.finish.unwrap(), log.finish_ns.unwrap());
    println!("first token {first_ms:.3} ms, finish {finish_ms:.3} ms after the server's own instants");
    // A busy test machine may be slow, but never early by more than the two clock readings are apart.
    assert!((-1.0..2_000.0).contains(&first_ms) && (-1.0..2_000.0).contains(&finish_ms));
    assert!(timeline.prefill_start.unwrap() <= timeline.prefill_ends[0]);
    assert!(rates::prefill_tokens_per_second(&generation).is_some());
    assert!(rates::rate_disagreement_ratio(&generation).is_some(), "both rates are there");

    let limited = generate(&client, &request(CHAT, 10)).await.unwrap();
    assert_eq!((limited.tokens.output, limited.stop_reason), (Some(10), Some(StopReason::MaxTokens)));
}

#[tokio::test]
async fn stream_traps_of_v1_change_nothing_in_the_answer() {
    let rules = r#"
[[request]]
match = [2]
empty_delta_every = 2
prompt_end_events = 2
progress_steps = 5
unknown_events = true
bare_events = true
crlf = true
split_utf8 = true
chunk_bytes = 3
keepalive_ms = 2
extra_done = true
[[request]]
match = [3]
prompt_end_events = 0
progress_steps = 0
tokens_per_delta = 4
stats = "counts"
"#;
    let server = simulator("", rules).await;
    let client = connect(&server).await;
    let plain = generate(&client, &request(CHAT, 100)).await.unwrap();
    let odd = generate(&client, &request(CHAT, 100)).await.unwrap();
    assert_counts(&odd, &log(&server, 2).await);
    assert_eq!((&odd.text, &odd.tokens), (&plain.text, &plain.tokens));
    assert_eq!(odd.timeline.prefill_ends.len(), 2);
    let bare = generate(&client, &request(CHAT, 100)).await.unwrap();
    assert_eq!((&bare.text, &bare.tokens), (&plain.text, &plain.tokens));
    assert!(bare.timeline.prefill_ends.is_empty());
    assert_eq!(rates::prefill_end(&bare), bare.timeline.first_token());
    assert!(bare.timeline.deltas.len() < plain.timeline.deltas.len(), "a delta is not a token");
    assert_eq!((bare.reported.tokens_per_second, bare.reported.ttft_ms), (None, None));
    assert!(bare.unavailable.iter().any(|missing| missing.field == "reported.ttft_ms"));
}

#[tokio::test]
async fn named_model_is_loaded_with_the_context_that_was_granted_and_released() {
    let server = simulator("granted_context_length = 2048", "").await;
    let client = connect(&server).await;
    let theirs = client.select_model(None).await.unwrap();
    let ours = client.select_model(Some("thinker")).await.unwrap();
    assert!(ours.loaded_by_us && ours.load_time_s.is_some_and(|seconds| seconds > 0.03), "{ours:?}");
    assert_eq!((ours.model.key.as_str(), ours.model.context_length), (THINKER, Some(2048)));
    let again = client.select_model(Some(THINKER)).await.unwrap();
    assert!(!again.loaded_by_us, "a loaded model is used, not loaded twice");

    let mut reasoning = request(id(&ours.model), 100);
    reasoning.reasoning = Some("on".to_owned());
    let thinking = generate(&client, &reasoning).await.unwrap();
    assert_counts(&thinking, &log(&server, 1).await);
    assert!(!thinking.reasoning_text.is_empty() && !thinking.text.is_empty());
    assert_eq!(rates::visible_tokens(&thinking), Some(thinking.tokens.output.unwrap() - 6));
    reasoning.reasoning = Some("off".to_owned());
    let direct = generate(&client, &reasoning).await.unwrap();
    assert_eq!((direct.reasoning_text.as_str(), direct.tokens.reasoning), ("", Some(0)));

    client.release(&theirs).await.unwrap();
    client.release(&ours).await.unwrap();
    let loaded: Vec<String> =
        client.models().await.unwrap().iter().filter_map(|model| model.instance_id.clone()).collect();
    assert_eq!(loaded, [CHAT]);
    client.release(&ours).await.unwrap(); // gone already
}

#[tokio::test]
async fn second_instance_is_told_from_the_first() {
    let server = simulator(&format!("loaded = [{CHAT:?}, {CHAT:?}]"), "").await;
    let client = connect(&server).await;
    let first = client.select_model(None).await.unwrap();
    assert_eq!(first.others_loaded, [format!("{CHAT}:2")]);
    let second = client.select_model(Some(&format!("{CHAT}:2"))).await.unwrap();
    let generation = generate(&client, &request(id(&second.model), 100)).await.unwrap();
    assert_eq!(answered_by_another(&generation, &second.model), None);
    assert_eq!(answered_by_another(&generation, &first.model), Some(id(&second.model)));
}

#[tokio::test]
async fn load_inside_a_request_is_kept_out_of_its_times() {
    let server = simulator("loaded = []", "").await;
    let client = connect(&server).await;
    let error = client.select_model(None).await.unwrap_err();
    assert!(matches!(&error, LmError::NoModelLoaded { available } if available == &[CHAT, THINKER]), "{error}");
    let generation = generate(&client, &request(CHAT, 100)).await.unwrap();
    assert!(generation.reported.model_load_s.is_some_and(|seconds| seconds > 0.03));
    assert!(generation.timeline.prefill_start.unwrap().seconds_since(generation.timeline.sent) > 0.03);
}

#[tokio::test]
async fn failed_load_names_the_shortage_of_memory() {
    let message = "Model loading aborted due to insufficient system resources. (simulated)";
    let server = simulator(&format!("load_error = {message:?}"), "").await;
    let error = connect(&server).await.select_model(Some(THINKER)).await.unwrap_err();
    assert!(matches!(error, LmError::OutOfMemory { .. }), "{error}");
}

/// Instances that are loaded, as another client sees it.
async fn loaded(server: &Handle) -> Vec<String> {
    let models = connect(server).await.models().await.unwrap();
    models.into_iter().filter_map(|model| model.instance_id).collect()
}

#[tokio::test]
async fn load_whose_caller_has_gone_leaves_nothing_behind() {
    let server = simulator("load_ms = 1500", "").await;
    let client = connect(&server).await;
    // A machine that stalls may not get as far as to the request in time; then nothing was cancelled.
    for _ in 0..10 {
        let given_up = tokio::time::timeout(Duration::from_millis(500), client.select_model(Some(THINKER))).await;
        assert!(given_up.is_err(), "{given_up:?}");
        if client.is_undoing_a_load() {
            break;
        }
    }
    assert!(client.is_undoing_a_load());
    assert_eq!(client.undo_loads().await, [""; 0]);
    assert!(!client.is_undoing_a_load());
    assert_eq!(loaded(&server).await, [CHAT]);
}

#[tokio::test]
async fn next_selection_waits_until_an_abandoned_load_is_undone() {
    let server = simulator("load_ms = 1500", "").await;
    let client = connect(&server).await;
    let _ = tokio::time::timeout(Duration::from_millis(500), client.select_model(Some(THINKER))).await;
    let selected = client.select_model(Some(THINKER)).await.unwrap();
    assert!(selected.loaded_by_us, "not the one that is about to be unloaded");
    assert_eq!(loaded(&server).await, [CHAT, THINKER]);
    client.release(&selected).await.unwrap();
    assert_eq!(loaded(&server).await, [CHAT]);
}

#[tokio::test]
async fn load_that_ends_after_its_time_limit_is_unloaded() {
    let server = simulator("load_ms = 2000", "").await;
    let limits = ClientOptions { total_timeout: Duration::from_millis(500), ..options(server.base_url()) };
    let client = Client::connect(limits, Clock::start()).await.unwrap();
    let error = client.select_model(Some(THINKER)).await.unwrap_err();
    assert!(matches!(error, LmError::Timeout { waiting: Waiting::ModelLoad, .. }), "{error}");
    assert_eq!(loaded(&server).await, [CHAT], "it is not there yet");
    assert_eq!(client.undo_loads().await, [""; 0]);
    assert_eq!(loaded(&server).await, [CHAT]);
}

#[tokio::test]
async fn faults_fail_the_run_each_in_its_own_way() {
    let rules = r#"
[[request]]
match = "*"
fault_after_deltas = 5
[[request]]
match = 1
fault = "error"
[[request]]
match = 2
fault = "cut"
[[request]]
match = 3
fault = "end_early"
[[request]]
match = 4
fault = "stall"
[[request]]
match = 5
fault = "damaged_line"
[[request]]
match = 6
fault = "http500"
"#;
    let server = simulator("", rules).await;
    let limits = ClientOptions { stall_timeout: Duration::from_secs(2), ..options(server.base_url()) };
    let client = Client::connect(limits, Clock::start()).await.unwrap();
    let mut errors = Vec::new();
    for number in 1..=6 {
        let failed = generate(&client, &request(CHAT, 100)).await.unwrap_err();
        println!("{number}: {}", failed.error);
        let arrived = failed.partial.map_or(0, |partial| partial.timeline.deltas.len());
        assert_eq!(arrived, if number == 6 { 0 } else { 5 }, "{number}");
        errors.push(failed.error);
    }
    assert!(matches!(errors[0], LmError::StreamError { .. }));
    assert!(matches!(errors[1], LmError::StreamCut { source: Some(_) }));
    assert!(matches!(errors[2], LmError::StreamCut { source: None }));
    assert!(matches!(errors[3], LmError::Timeout { waiting: Waiting::NextPart, .. }));
    assert!(matches!(errors[4], LmError::BadResponse { .. }));
    assert!(matches!(errors[5], LmError::Http { status: 500, .. }));
    assert_eq!(server.requests().len(), 6, "none was tried again");
}

#[tokio::test]
async fn prompt_that_overflows_the_context_is_an_error_in_both_forms() {
    let rules = "[[request]]\nmatch = 2\noverflow = \"empty_stream\"\n";
    let server = simulator("granted_context_length = 16", rules).await;
    let client = connect(&server).await;
    let mut long = request(CHAT, 10);
    long.prompt = "one two three four five six seven eight nine ten ".repeat(5);
    let error = generate(&client, &long).await.unwrap_err().error;
    assert!(matches!(error, LmError::ContextExceeded { .. }), "{error}");
    let error = generate(&client, &long).await.unwrap_err().error;
    assert!(matches!(error, LmError::EmptyAnswer { .. }), "{error}");
}

#[tokio::test]
async fn cancelled_generation_ends_on_the_server() {
    let server = simulator("", "[[request]]\nmatch = \"*\"\noutput_tokens = 100000\n").await;
    let client = connect(&server).await;
    let (sender, mut events) = mpsc::unbounded_channel();
    let endless = request(CHAT, 100_000);
    {
        let generation = client.generate(&endless, &sender);
        tokio::pin!(generation);
        let mut seen = 0;
        while seen < 10 {
            tokio::select! {
                result = &mut generation => panic!("ended by itself: {result:?}"),
                _ = events.recv() => seen += 1,
            }
        }
    }
    let log = log(&server, 1).await;
    assert_eq!(log.outcome, Outcome::ClientLeft);
    assert!(log.output_tokens < 50_000);
}

#[tokio::test]
async fn token_is_needed_where_the_server_wants_one() {
    let token = "sk-lm-abcdefgh:ABCDEFGHIJKLMNOPQRST";
    let server = simulator(&format!("api_token = {token:?}"), "").await;
    let error = Client::connect(options(server.base_url()), Clock::start()).await.unwrap_err();
    assert!(matches!(error, LmError::TokenNeeded { .. }), "{error}");
    let with =
        |token: &str| ClientOptions { api_token: Some(ApiToken::new(token).unwrap()), ..options(server.base_url()) };
    let error = Client::connect(with("nonsense"), Clock::start()).await.unwrap_err();
    assert!(matches!(error, LmError::TokenRefused { .. }), "{error}");
    let client = Client::connect(with(token), Clock::start()).await.unwrap();
    assert!(generate(&client, &request(CHAT, 10)).await.is_ok());
}

#[tokio::test]
async fn older_lm_studio_is_measured_over_v0_in_one_piece() {
    let rules = "[[request]]\nmatch = 2\ngeneration_time = \"decode_only\"\nspeed_formula = \"n\"\n";
    let server = simulator("profile = \"0.3\"", rules).await;
    let client = connect(&server).await;
    assert_eq!((client.api(), client.is_lm_studio()), (Api::LmstudioV0, true));
    let meanings = [GenerationTime::WithPrompt, GenerationTime::DecodeOnly];
    for (number, meaning) in meanings.into_iter().enumerate() {
        let generation = generate(&client, &request(CHAT, 100)).await.unwrap();
        let log = log(&server, number + 1).await;
        assert_eq!(generation.tokens.prompt, Some(log.prompt_tokens));
        assert_eq!(generation.tokens.output, Some(log.output_tokens));
        assert_eq!(generation.stop_reason, Some(StopReason::EndOfSequence));
        assert!(generation.reported.ttft_ms.is_some_and(|ttft_ms| ttft_ms >= 20.0));
        assert_eq!(GenerationTime::of(&generation.reported, generation.tokens.output), Some(meaning));
        assert_eq!((rates::ttft(&generation), rates::decode_tokens_per_second(&generation)), (None, None));
    }
}

#[tokio::test]
async fn v0_loads_a_named_model_by_a_tiny_request() {
    let server = simulator("profile = \"0.3\"\nloaded = []", "").await;
    let client = connect(&server).await;
    let selected = client.select_model(Some(THINKER)).await.unwrap();
    assert_eq!((selected.model.loaded, selected.loaded_by_us, selected.load_time_s), (Some(true), true, None));
    client.release(&selected).await.unwrap();
    assert_eq!(log(&server, 1).await.output_tokens, 1);
}

#[tokio::test]
async fn answers_to_the_standard_suite_come_to_their_limits_whatever_the_nonce() {
    let rules = "[[request]]\nmatch = '*'\ndecode_tokens_per_s = 20000.0\nprefill_fixed_ms = 1\noutput_tokens = 0";
    let server = simulator("prompt_cache = false", rules).await;
    let client = connect(&server).await;
    let prompts = Suite::builtin().prompts;
    let (mut pairs, mut cut) = (Vec::new(), 0);
    for prompt in &prompts {
        let mut outputs = Vec::new();
        for attempt in 1..=2 {
            let text = with_nonce(&nonce(7, &prompt.id, 1, attempt), &prompt.prompt);
            let request = GenerationRequest { prompt: text, ..request(CHAT, prompt.max_tokens) };
            let tokens = generate(&client, &request).await.unwrap().tokens;
            outputs.push(tokens.output.unwrap());
            pairs.push((tokens.prompt.unwrap() as f64, tokens.output.unwrap() as f64));
        }
        assert_eq!(outputs[0], outputs[1], "{}", prompt.id);
        let is_cut = outputs[0] == u64::from(prompt.max_tokens);
        assert!(is_cut || prompt.max_tokens < 400, "{}: {outputs:?}", prompt.id);
        cut += usize::from(is_cut);
    }
    assert!((7..=9).contains(&cut), "{cut} of 9 come to their limits");
    let mean = |value: fn(&(f64, f64)) -> f64| pairs.iter().map(value).sum::<f64>() / pairs.len() as f64;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |value: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|pair| value(pair.0 - x, pair.1 - y)).sum::<f64>();
    let correlation = sum(&|dx, dy| dx * dy) / (sum(&|dx, _| dx * dx) * sum(&|_, dy| dy * dy)).sqrt();
    println!("correlation of prompt and answer tokens: {correlation:.3}");
    assert!(correlation.abs() < 0.1, "{correlation}");
}

#[tokio::test]
async fn openai_routes_alone_give_counts_and_our_own_times() {
    let rules = r#"
[[request]]
match = [2]
crlf = true
chunk_bytes = 5
keepalive_ms = 2
usage_in_finish_chunk = true
role_chunk = "alone"
reasoning_field = "reasoning"
[[request]]
match = [3]
fault = "error"
fault_after_deltas = 3
"#;
    let server = simulator("", rules).await;
    let client = Client::connect(options(only_openai(&server).await), Clock::start()).await.unwrap();
    assert_eq!((client.api(), client.is_lm_studio()), (Api::Openai, true), "its list says who owns the models");
    assert!(matches!(client.select_model(None).await, Err(LmError::ModelChoiceNeeded { .. })));
    for count in 1..=2 {
        let generation = generate(&client, &request(THINKER, 100)).await.unwrap();
        assert_counts(&generation, &log(&server, count).await);
        assert!(!generation.reasoning_text.is_empty());
        assert_eq!(generation.stop_reason, Some(StopReason::EndOfSequence));
        assert!(rates::ttft(&generation).is_some() && rates::decode_tokens_per_second(&generation).is_some());
        assert_eq!(generation.reported, Default::default());
    }
    let failed = generate(&client, &request(THINKER, 100)).await.unwrap_err();
    assert!(matches!(failed.error, LmError::StreamError { .. }), "{}", failed.error);
    assert_eq!(failed.partial.unwrap().timeline.deltas.len(), 3);
    // The only loaded model answers for any name.
    let server = simulator("", "").await;
    let client = Client::connect(options(only_openai(&server).await), Clock::start()).await.unwrap();
    let generation = generate(&client, &request("no-such-model", 100)).await.unwrap();
    let asked = joulebar_core::lmstudio::Model { key: "no-such-model".into(), ..Default::default() };
    assert_eq!(answered_by_another(&generation, &asked), Some(CHAT));
}
