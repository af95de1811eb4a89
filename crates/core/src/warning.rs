//! What makes a result doubtful. A warning never hides the number; its text says what to try.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A doubt about one prompt or about the whole session.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum Warning {
    #[error(
        "the baseline is short: {samples} samples in {seconds:.1} s (20 samples over 10 s are wanted); use a longer baseline or a shorter interval"
    )]
    ShortBaseline { samples: usize, seconds: f64 },
    #[error("the baseline is unsteady: power varies by {:.1} % (10 % is the limit); close other programs and run again", variation * 100.0)]
    UnstableBaseline { variation: f64 },
    #[error(
        "the baseline is high: {milliwatts:.0} mW idle while inference takes {inference:.0} mW; something else is using the chip"
    )]
    HighBaseline { milliwatts: f64, inference: f64 },
    #[error("no power samples in the {phase} phase; use a shorter --interval or a longer phase")]
    NoSamples { phase: &'static str },
    #[error("no net energy: {0}")]
    NoNetEnergy(crate::energy::EnergyGap),
    #[error(
        "{tokens} prompt tokens came from the server's cache, so prefill was not measured whole; leave the nonce on"
    )]
    CachedPrompt { tokens: u64 },
    #[error("our decode rate ({ours:.1} tokens/s) and the server's ({reported:.1}) differ by more than 5 %")]
    RateDisagrees { ours: f64, reported: f64 },
    #[error("our time to first token ({ours_ms:.0} ms) and the server's ({reported_ms:.0} ms) differ by more than 5 %")]
    TtftDisagrees { ours_ms: f64, reported_ms: f64 },
    #[error(
        "the server loaded the model inside this request ({seconds:.1} s), so its speed and energy are not the answer's alone; load the model before the run"
    )]
    LoadedDuringRequest { seconds: f64 },
    #[error("the server gave no count of the generated tokens ({reason}), so nothing is known per token")]
    NoTokenCounts { reason: String },
    #[error("this API does not stream, so speed and time to the first token are the server's own figures, not ours")]
    ServerClock,
    #[error(
        "the server counts {tokens} generated tokens although at most {limit} were asked for; its count is not used"
    )]
    ImplausibleTokenCount { tokens: u64, limit: u32 },
    #[error("the nonce is off, so the server may have answered prefill from its cache; few servers say so")]
    NonceOff,
    #[error("the server answered with {answered:?} although {asked:?} was asked for")]
    OtherModelAnswered { asked: String, answered: String },
    #[error("thermal pressure was {level}; let the machine cool down and run again")]
    ThermalPressure { level: String },
    #[error("{joules:.3} J per token is outside 0.02 to 20, which no known machine gives; check the power source")]
    ImplausibleEnergy { joules: f64 },
    #[error("power was still {excess:.0} mW above the baseline at the end of the cooldown; use a longer cooldown")]
    CooldownTooShort { excess: f64 },
    #[error("the generation failed: {message}")]
    GenerationFailed { message: String },
    #[error("{count} power documents could not be used: {reason}")]
    SamplesRejected { count: u64, reason: String },
    #[error("the interval achieved ({achieved_ms:.0} ms) is more than 1.5 times the one asked for ({asked_ms} ms)")]
    SlowSampling { asked_ms: u32, achieved_ms: f64 },
    #[error("the session was resumed; the machine may have been in another state before")]
    Resumed,
    #[error("the machine runs on battery; connect it to power for figures that can be compared")]
    OnBattery,
}

impl Warning {
    /// Stable name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ShortBaseline { .. } => "short_baseline",
            Self::UnstableBaseline { .. } => "unstable_baseline",
            Self::HighBaseline { .. } => "high_baseline",
            Self::NoSamples { .. } => "no_samples",
            Self::NoNetEnergy(_) => "no_net_energy",
            Self::CachedPrompt { .. } => "cached_prompt",
            Self::RateDisagrees { .. } => "rate_disagrees",
            Self::TtftDisagrees { .. } => "ttft_disagrees",
            Self::LoadedDuringRequest { .. } => "loaded_during_request",
            Self::NoTokenCounts { .. } => "no_token_counts",
            Self::ServerClock => "server_clock",
            Self::ImplausibleTokenCount { .. } => "implausible_token_count",
            Self::NonceOff => "nonce_off",
            Self::OtherModelAnswered { .. } => "other_model_answered",
            Self::ThermalPressure { .. } => "thermal_pressure",
            Self::ImplausibleEnergy { .. } => "implausible_energy",
            Self::CooldownTooShort { .. } => "cooldown_too_short",
            Self::GenerationFailed { .. } => "generation_failed",
            Self::SamplesRejected { .. } => "samples_rejected",
            Self::SlowSampling { .. } => "slow_sampling",
            Self::Resumed => "resumed",
            Self::OnBattery => "on_battery",
        }
    }
}

/// A warning as a report carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct WarningEntry {
    /// Stable name, `unstable_baseline`.
    pub code: String,
    /// What it means and what to try.
    pub message: String,
}

impl From<&Warning> for WarningEntry {
    fn from(warning: &Warning) -> Self {
        Self { code: warning.code().into(), message: warning.to_string() }
    }
}
