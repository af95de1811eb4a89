//! The client against a real model on a real server that is not LM Studio: llama.cpp (`scripts/llm_server.sh`).
//! `JOULEBAR_LLM_SERVER` is its address; without it these tests skip.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and prints what it compared")]

use joulebar_core::clock::Clock;
use joulebar_core::lmstudio::detect::Maker;
use joulebar_core::lmstudio::{
    Api, Client, ClientOptions, GenerationEvent, GenerationRequest, LmError, StopReason, rates,
};
use tokio::sync::mpsc;

async fn client() -> Option<Client> {
    let Ok(url) = std::env::var("JOULEBAR_LLM_SERVER") else {
        println!("skipped: JOULEBAR_LLM_SERVER is not set");
        return None;
    };
    Some(Client::connect(ClientOptions { url, ..Default::default() }, Clock::start()).await.unwrap())
}

fn request(model: &str, prompt: &str, max_tokens: u32) -> GenerationRequest {
    GenerationRequest {
        model: model.to_owned(),
        prompt: prompt.to_owned(),
        max_tokens,
        temperature: 0.0,
        seed: Some(1),
        reasoning: None,
    }
}

#[tokio::test]
async fn real_answer_has_the_servers_counts_and_nearly_its_decode_rate() {
    let Some(client) = client().await else { return };
    assert_eq!((client.api(), client.maker()), (Api::Openai, Maker::LlamaCpp));
    let selected = client.select_model(None).await.unwrap();
    assert!(selected.model.context_length.is_some_and(|tokens| tokens > 0), "{selected:?}");
    assert_eq!(client.engine(&selected.model).await.name.as_deref(), Some("llama.cpp"));

    let (sender, mut events) = mpsc::unbounded_channel();
    let long = request(&selected.model.key, "Explain photosynthesis in simple terms.", 96);
    let generation = client.generate(&long, &sender).await.unwrap();
    assert!(generation.tokens.prompt.is_some_and(|tokens| tokens > 5), "{:?}", generation.tokens);
    assert_eq!(generation.tokens.prompt_cached, Some(0), "a measured prompt is never taken from the cache");
    let output = generation.tokens.output.unwrap();
    assert!(output >= 64, "{output} tokens");
    let disagreement = rates::rate_disagreement_ratio(&generation).unwrap();
    println!(
        "{output} tokens, TTFT {:?}, prompt {:?} ms, decode {:?} tok/s, {:+.2} % off the server's",
        rates::ttft(&generation).unwrap(),
        generation.reported.prompt_ms,
        rates::decode_tokens_per_second(&generation).unwrap(),
        disagreement * 100.0
    );
    assert!(disagreement.abs() < 0.05, "{disagreement}");
    let deltas =
        std::iter::from_fn(|| events.try_recv().ok()).filter(|event| matches!(event, GenerationEvent::Delta(..)));
    assert_eq!(deltas.count(), generation.timeline.deltas.len());

    let short = client.generate(&request(&selected.model.key, "Hi", 64), &sender).await.unwrap();
    assert_eq!(short.stop_reason, Some(StopReason::EndOfSequence));
}

#[tokio::test]
async fn prompt_that_does_not_fit_is_told_from_other_refusals() {
    let Some(client) = client().await else { return };
    let model = client.select_model(None).await.unwrap().model;
    let prompt = "The quick brown fox jumps over the lazy dog. ".repeat(8_000);
    let failed = client.generate(&request(&model.key, &prompt, 8), &mpsc::unbounded_channel().0).await.unwrap_err();
    assert!(matches!(failed.error, LmError::ContextExceeded { .. }), "{}", failed.error);
}

#[tokio::test]
async fn cancelled_generation_stops_on_the_server() {
    let Some(client) = client().await else { return };
    let model = client.select_model(None).await.unwrap().model;
    let busy = async || {
        let slots = reqwest::get(format!("{}/slots", client.base_url())).await.unwrap();
        let slots: serde_json::Value = slots.json().await.unwrap();
        slots.as_array().unwrap().iter().any(|slot| slot["is_processing"] == true)
    };
    let (sender, mut events) = mpsc::unbounded_channel();
    let endless = request(&model.key, "Write a very long story about a dragon.", 1_500);
    {
        let generation = client.generate(&endless, &sender);
        tokio::pin!(generation);
        loop {
            tokio::select! {
                result = &mut generation => panic!("ended by itself: {result:?}"),
                event = events.recv() => if matches!(event, Some(GenerationEvent::FirstToken(_))) { break },
            }
        }
        assert!(busy().await, "it was running");
    }
    let dropped = std::time::Instant::now();
    while busy().await {
        // 1,500 tokens would take this model half a minute.
        assert!(dropped.elapsed().as_secs() < 10, "the server goes on");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    println!("idle {:?} after the cancel", dropped.elapsed());
}
