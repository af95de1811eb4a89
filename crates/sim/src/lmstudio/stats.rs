//! The numbers that the server reports about itself, in the variants that were recorded.

use super::scenario::{GenerationTime, Resolution, Script, SpeedFormula, StatsContent};

/// What the engine measured of one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Start of prompt processing to the first token, in nanoseconds.
    pub ttft_ns: i64,
    /// Start of prompt processing to the last token, in nanoseconds.
    pub total_ns: i64,
    /// Generated tokens, end token included.
    pub tokens: u64,
}

/// The numbers as they are reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reported {
    /// Tokens per second after the first; `None` when it would not be finite.
    pub tokens_per_second: Option<f64>,
    /// Seconds to the first token.
    pub time_to_first_token_s: f64,
    /// v0's `generation_time`, in seconds.
    pub generation_time_s: f64,
}

/// Applies the script's formula, resolution and meaning. The speed is computed from microseconds whatever the resolution, as
/// recordings with millisecond times show.
#[must_use]
pub fn reported(measured: Measured, script: &Script) -> Reported {
    let (ttft_us, total_us) = (measured.ttft_ns / 1_000, measured.total_ns / 1_000);
    let decode_us = total_us - ttft_us;
    let counted = match script.speed_formula {
        SpeedFormula::N => measured.tokens,
        SpeedFormula::NMinus1 => measured.tokens.saturating_sub(1),
    };
    let speed = (decode_us > 0 && counted > 0).then(|| counted as f64 / (decode_us as f64 / 1e6));
    let seconds = |us: i64| match script.stats_resolution {
        Resolution::Us => us as f64 / 1e6,
        Resolution::Ms => (us / 1_000) as f64 / 1e3,
    };
    Reported {
        tokens_per_second: speed.filter(|_| script.stats != StatsContent::NullSpeed),
        time_to_first_token_s: seconds(ttft_us),
        generation_time_s: seconds(match script.generation_time {
            GenerationTime::WithPrompt => total_us,
            GenerationTime::DecodeOnly => decode_us,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURED: Measured = Measured { ttft_ns: 1_162_136_900, total_ns: 17_839_055_400, tokens: 300 };

    #[test]
    fn default_is_what_engine_2_34_was_recorded_to_report() {
        let reported = reported(MEASURED, &Script::default());
        assert_eq!(reported.time_to_first_token_s, 1.162_136);
        assert_eq!(reported.generation_time_s, 17.839_055);
        assert!((reported.tokens_per_second.unwrap() - 17.928_971_172_672_84).abs() < 1e-9);
    }

    #[test]
    fn older_formula_counts_all_tokens_over_the_decode_phase_alone() {
        let script = Script {
            speed_formula: SpeedFormula::N,
            stats_resolution: Resolution::Ms,
            generation_time: GenerationTime::DecodeOnly,
            ..Script::default()
        };
        // the 89 tokens of engine 1.51, whose speed fits 1.3966763 s and whose time was cut to 1.396
        let measured = Measured { ttft_ns: 73_000_000, total_ns: 1_469_676_300, tokens: 89 };
        let reported = reported(measured, &script);
        assert_eq!((reported.time_to_first_token_s, reported.generation_time_s), (0.073, 1.396));
        assert!((reported.tokens_per_second.unwrap() - 63.722_71).abs() < 1e-4);
    }

    #[test]
    fn speed_of_a_single_token_is_missing() {
        let measured = Measured { ttft_ns: 5_000_000, total_ns: 5_000_000, tokens: 1 };
        assert_eq!(reported(measured, &Script::default()).tokens_per_second, None);
    }
}
