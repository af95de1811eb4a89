//! Speeds that are derived from our own instants and the server's token counts. Pure.
//!
//! They are client-side: HTTP and the server's detokenizer are in them. One delta may carry several tokens, so a time
//! between deltas is not a time between tokens. The server's own figures stay in [`super::ReportedStats`].

use std::time::Duration;

use super::Generation;
use crate::clock::MonotonicTime;
use crate::stats;

/// Request sent to first non-empty delta, reasoning included. `None` where the answer came in one piece.
#[must_use]
pub fn ttft(generation: &Generation) -> Option<Duration> {
    let first = generation.timeline.first_token()?;
    Some(first.saturating_since(generation.timeline.sent))
}

/// Decode rate in tokens per second: N − 1 intervals over the time from the first delta to the end of generation
/// (the last token of an answer that ended by itself has no text). `None` for fewer than two tokens, without the
/// server's count, or when everything arrived at one instant.
#[must_use]
pub fn decode_tokens_per_second(generation: &Generation) -> Option<f64> {
    let intervals = generation.tokens.output?.checked_sub(1).filter(|&intervals| intervals > 0)?;
    let window_s = generation.timeline.last_token().seconds_since(generation.timeline.first_token()?);
    (window_s > 0.0).then(|| intervals as f64 / window_s)
}

/// How far our decode rate is off the server's, as a ratio: 0.07 when ours is 7 % higher. `None` when either is missing.
///
/// More than a few percent means that the two measure different things: text that the server holds back (`<think>`
/// markers) makes our window too short for N, and LM Studio divides N instead of N − 1 in some answers.
#[must_use]
pub fn rate_disagreement_ratio(generation: &Generation) -> Option<f64> {
    let reported = generation.reported.tokens_per_second.filter(|&rate| rate > 0.0)?;
    Some(decode_tokens_per_second(generation)? / reported - 1.0)
}

/// End of the prefill: the last `prompt_processing.end` that came no later than the first token; the first token
/// itself where there is none such.
#[must_use]
pub fn prefill_end(generation: &Generation) -> Option<MonotonicTime> {
    let timeline = &generation.timeline;
    let first_token = timeline.first_token();
    let told = timeline.prefill_ends.iter().copied().rfind(|&end| first_token.is_none_or(|first| end <= first));
    told.or(first_token)
}

/// Prompt tokens that had to be computed: those of the prompt, less the cached ones where the server tells them.
///
/// A server that does not tell is taken to have cached none, and LM Studio never tells, on any of its REST routes. What
/// it took from its cache is then counted as computed: this and the prefill rates come out too high. Only a prompt whose
/// beginning is new to the server (a nonce) makes the assumption good, for all but the chat template before the nonce.
#[must_use]
pub fn computed_prompt_tokens(generation: &Generation) -> Option<u64> {
    generation.tokens.prompt?.checked_sub(generation.tokens.prompt_cached.unwrap_or(0))
}

/// Prefill rate in tokens per second between the server's prefill events. `None` on APIs that do not show the prefill.
/// Over the tokens of [`computed_prompt_tokens`], so it is too high where a cache is used and not told of.
#[must_use]
pub fn prefill_tokens_per_second(generation: &Generation) -> Option<f64> {
    rate_since(generation, generation.timeline.prefill_start?, prefill_end(generation)?)
}

/// Estimated prefill rate in tokens per second where the API does not show the prefill: over the whole time to the
/// first token, so queue and HTTP are in it and it is too low.
#[must_use]
pub fn estimated_prefill_tokens_per_second(generation: &Generation) -> Option<f64> {
    rate_since(generation, generation.timeline.sent, generation.timeline.first_token()?)
}

fn rate_since(generation: &Generation, start: MonotonicTime, end: MonotonicTime) -> Option<f64> {
    let tokens = computed_prompt_tokens(generation).filter(|&tokens| tokens > 0)?;
    let window_s = end.seconds_since(start);
    (window_s > 0.0).then(|| tokens as f64 / window_s)
}

/// Tokens of the answer that a user sees: output without reasoning. `None` when either count is missing.
#[must_use]
pub fn visible_tokens(generation: &Generation) -> Option<u64> {
    generation.tokens.output?.checked_sub(generation.tokens.reasoning?)
}

/// Spread of the times between consecutive deltas, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeltaIntervals {
    /// Number of intervals.
    pub count: usize,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Longest.
    pub max_ms: f64,
}

/// Percentiles (linear between ranks) of the times between consecutive deltas. `None` for fewer than two deltas.
#[must_use]
pub fn delta_intervals(generation: &Generation) -> Option<DeltaIntervals> {
    let deltas = &generation.timeline.deltas;
    let intervals_ms: Vec<f64> = deltas.windows(2).map(|pair| pair[1].at.seconds_since(pair[0].at) * 1e3).collect();
    let percentile = |percent| stats::percentile(&intervals_ms, percent);
    Some(DeltaIntervals {
        count: intervals_ms.len(),
        p50_ms: percentile(50.0)?,
        p90_ms: percentile(90.0)?,
        p95_ms: percentile(95.0)?,
        p99_ms: percentile(99.0)?,
        max_ms: percentile(100.0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lmstudio::{Api, Delta, DeltaKind, ReportedStats, Timeline, TokenCounts};

    const MS: i64 = 1_000_000;

    fn generation(delta_ms: &[i64], finish_ms: Option<i64>, output: Option<u64>) -> Generation {
        let at = |milliseconds: i64| MonotonicTime(milliseconds * MS);
        Generation {
            api: Api::LmstudioV1,
            answered_by: None,
            timeline: Timeline {
                sent: at(100),
                deltas: delta_ms.iter().map(|&ms| Delta { at: at(ms), kind: DeltaKind::Message, bytes: 1 }).collect(),
                finish: finish_ms.map(at),
                end: at(5_000),
                ..Default::default()
            },
            tokens: TokenCounts { prompt: Some(50), output, reasoning: Some(3), ..Default::default() },
            reported: ReportedStats::default(),
            stop_reason: None,
            text: String::new(),
            reasoning_text: String::new(),
            unavailable: Vec::new(),
        }
    }

    #[test]
    fn decode_rate_has_one_interval_less_than_tokens_and_ends_with_the_finish_event() {
        // Four deltas, but the server counts 11 tokens: 10 intervals in 0.5 s.
        let generation = generation(&[300, 400, 500, 700], Some(800), Some(11));
        assert_eq!(decode_tokens_per_second(&generation), Some(20.0));
        assert_eq!(ttft(&generation), Some(Duration::from_millis(200)));
        assert_eq!(visible_tokens(&generation), Some(8));
    }

    #[test]
    fn disagreement_with_the_server_needs_both_rates() {
        let mut generation = generation(&[300, 700], Some(800), Some(11));
        assert_eq!(rate_disagreement_ratio(&generation), None);
        generation.reported.tokens_per_second = Some(16.0);
        assert_eq!(rate_disagreement_ratio(&generation), Some(0.25));
        generation.reported.tokens_per_second = Some(0.0);
        assert_eq!(rate_disagreement_ratio(&generation), None);
    }

    #[test]
    fn decode_rate_is_none_where_it_has_no_meaning() {
        assert_eq!(decode_tokens_per_second(&generation(&[300], Some(400), Some(1))), None);
        assert_eq!(decode_tokens_per_second(&generation(&[300], Some(400), Some(0))), None);
        assert_eq!(decode_tokens_per_second(&generation(&[300, 400], Some(400), None)), None);
        assert_eq!(decode_tokens_per_second(&generation(&[300, 300], Some(300), Some(9))), None);
        assert_eq!(decode_tokens_per_second(&generation(&[], None, Some(9))), None);
    }

    #[test]
    fn prefill_ends_with_the_last_end_event_before_the_first_token() {
        let mut generation = generation(&[600, 700], None, Some(4));
        assert_eq!(prefill_end(&generation), Some(MonotonicTime(600 * MS)), "no event: the first token");
        assert_eq!(prefill_tokens_per_second(&generation), None);
        assert_eq!(estimated_prefill_tokens_per_second(&generation), Some(100.0));
        generation.timeline.prefill_start = Some(MonotonicTime(150 * MS));
        generation.timeline.prefill_ends = [300, 350, 650].map(|ms| MonotonicTime(ms * MS)).to_vec();
        assert_eq!(prefill_end(&generation), Some(MonotonicTime(350 * MS)));
        assert_eq!(prefill_tokens_per_second(&generation), Some(250.0));
        generation.tokens.prompt_cached = Some(40);
        assert_eq!(prefill_tokens_per_second(&generation), Some(50.0), "cached tokens were not computed");
        generation.tokens.prompt_cached = Some(50);
        assert_eq!(prefill_tokens_per_second(&generation), None);
    }

    #[test]
    fn interval_percentiles_lie_between_ranks() {
        let intervals = delta_intervals(&generation(&[0, 10, 30, 60, 100], None, None)).unwrap();
        assert_eq!((intervals.count, intervals.p50_ms, intervals.max_ms), (4, 25.0, 40.0));
        assert!((intervals.p90_ms - 37.0).abs() < 1e-9);
        assert_eq!(delta_intervals(&generation(&[5], None, None)), None);
    }
}
