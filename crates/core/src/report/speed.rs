//! Tokens and speed of one prompt, from its generation.

use super::{InferenceStats, Percentiles, StatsClock};
use crate::lmstudio::{Generation, rates};

/// Statistics of one request. `inference_s` is request sent to last token.
pub(super) fn inference_stats(generation: Option<&Generation>, inference_s: f64) -> InferenceStats {
    let Some(generation) = generation else { return nothing(inference_s) };
    let ttft_s = rates::ttft(generation).map(|ttft| ttft.as_secs_f64());
    let rate = rates::decode_tokens_per_second(generation);
    let streamed = generation.timeline.first_token().is_some();
    let reported = generation.reported;
    let (tokens_per_second, time_to_first_token_ms) = if streamed {
        (rate, ttft_s.map(|seconds| seconds * 1e3))
    } else {
        (reported.tokens_per_second, reported.ttft_ms)
    };
    let clock = (tokens_per_second.is_some() || time_to_first_token_ms.is_some()).then_some(if streamed {
        StatsClock::Client
    } else {
        StatsClock::Server
    });
    InferenceStats {
        prompt_tokens: generation.tokens.prompt,
        completion_tokens: generation.tokens.output,
        tokens_per_second,
        time_to_first_token_ms,
        inference_duration_s: inference_s,
        clock,
        reasoning_tokens: generation.tokens.reasoning,
        cached_prompt_tokens: generation.tokens.prompt_cached,
        prefill_tokens_per_second: rates::prefill_tokens_per_second(generation),
        estimated_prefill_tokens_per_second: rates::estimated_prefill_tokens_per_second(generation),
        inter_event_latency_ms: inter_event_latency(generation),
        stop_reason: generation.stop_reason.clone(),
        reported,
    }
}

fn inter_event_latency(generation: &Generation) -> Option<Percentiles> {
    let gaps = rates::delta_intervals(generation)?;
    Some(Percentiles { p50: gaps.p50_ms, p90: gaps.p90_ms, p95: gaps.p95_ms, p99: gaps.p99_ms })
}

fn nothing(inference_s: f64) -> InferenceStats {
    InferenceStats {
        prompt_tokens: None,
        completion_tokens: None,
        tokens_per_second: None,
        time_to_first_token_ms: None,
        inference_duration_s: inference_s,
        clock: None,
        reasoning_tokens: None,
        cached_prompt_tokens: None,
        prefill_tokens_per_second: None,
        estimated_prefill_tokens_per_second: None,
        inter_event_latency_ms: None,
        stop_reason: None,
        reported: crate::lmstudio::ReportedStats::default(),
    }
}
