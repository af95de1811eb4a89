//! One power sample, whatever source it came from. Missing is `None`, never 0.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::MonotonicTime;
use crate::units::{Joules, Megahertz, Milliwatts, Ratio};

/// One value for each consumer that a source may report; `None` for those it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rails<T> {
    /// All CPU clusters.
    pub cpu: Option<T>,
    /// The GPU.
    pub gpu: Option<T>,
    /// The neural engine.
    pub ane: Option<T>,
    /// Memory (macOS 11 and 12 only, for powermetrics).
    pub dram: Option<T>,
    /// What the source itself calls the whole chip: CPU + GPU + ANE on Apple Silicon, the package on Intel.
    pub combined: Option<T>,
    /// The whole machine (SMC `PSTR`). Another scope than the chip; never added to it.
    pub system: Option<T>,
}

/// Thermal pressure level at the end of a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ThermalPressure {
    /// No pressure.
    Nominal,
    /// First level: work may be slowed.
    Moderate,
    /// Second level: work is slowed.
    Heavy,
    /// Third level.
    Trapping,
    /// The machine is about to sleep.
    Sleeping,
    /// A level that this version does not know, kept as it was written.
    Other(String),
}

impl From<String> for ThermalPressure {
    fn from(level: String) -> Self {
        match level.as_str() {
            "Nominal" => Self::Nominal,
            "Moderate" => Self::Moderate,
            "Heavy" => Self::Heavy,
            "Trapping" => Self::Trapping,
            "Sleeping" => Self::Sleeping,
            _ => Self::Other(level),
        }
    }
}

impl From<ThermalPressure> for String {
    fn from(level: ThermalPressure) -> Self {
        match level {
            ThermalPressure::Nominal => "Nominal".into(),
            ThermalPressure::Moderate => "Moderate".into(),
            ThermalPressure::Heavy => "Heavy".into(),
            ThermalPressure::Trapping => "Trapping".into(),
            ThermalPressure::Sleeping => "Sleeping".into(),
            ThermalPressure::Other(level) => level,
        }
    }
}

/// Where a sample came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Apple's powermetrics, live, through the helper.
    Powermetrics,
    /// Apple's energy counters and the SMC, live, without administrator rights.
    Counters,
    /// A recorded capture.
    Replay,
    /// Joulebar's simulator. Not a measurement.
    Simulator,
}

/// Mean power over one measured interval.
///
/// Invariant: `end - start == elapsed`, the length that the source measured, never the interval that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerSample {
    /// Start of the interval, on the session's clock.
    pub start: MonotonicTime,
    /// End of the interval, on the session's clock.
    pub end: MonotonicTime,
    /// True length of the interval (`elapsed_ns` of powermetrics), above zero.
    pub elapsed: Duration,
    /// Mean power of each rail over the interval.
    pub power: Rails<Milliwatts>,
    /// Energy of each rail in this interval (not cumulative).
    pub energy: Rails<Joules>,
    /// Mean GPU frequency.
    pub gpu_frequency: Option<Megahertz>,
    /// Share of the interval in which the GPU worked.
    pub gpu_active: Option<Ratio>,
    /// Thermal pressure at the end of the interval.
    pub thermal_pressure: Option<ThermalPressure>,
    /// Apple's model identifier, `Mac16,8`.
    pub hw_model: Option<String>,
    /// The source's own wall-clock time, whole seconds, Unix epoch. For matching with other logs only.
    pub timestamp_unix_s: Option<i64>,
    /// Where the sample came from.
    pub origin: Origin,
}

impl PowerSample {
    /// True for everything the simulator made.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.origin == Origin::Simulator
    }

    /// Power of the chip as far as the source knows it: its own combined value, else the sum of CPU, GPU and ANE where all
    /// that are reported at all are added, in that order. `None` without any of them.
    #[must_use]
    pub fn soc_power(&self) -> Option<Milliwatts> {
        self.power.combined.or_else(|| {
            let parts = [self.power.cpu, self.power.gpu, self.power.ane];
            parts.iter().any(Option::is_some).then(|| parts.into_iter().flatten().sum())
        })
    }
}
