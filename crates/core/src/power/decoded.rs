//! What one powermetrics document says, whichever format it was written in, and the rules by which a number is believed.
//!
//! Knows the plausibility limits and how power and energy of one rail complete each other. Leaves to others: finding the
//! numbers ([`super::powermetrics`], `super::text`) and placing the sample in time ([`super::align`]).

use std::time::Duration;

use crate::clock::MonotonicTime;
use crate::sample::{Origin, PowerSample, Rails, ThermalPressure};
use crate::units::{Joules, Megahertz, Milliwatts, Ratio};

/// No rail of a Mac draws more.
const MAX_RAIL_MW: f64 = 1_000_000.0;
/// No GPU clock is faster.
const MAX_FREQUENCY_MHZ: f64 = 100_000.0;
/// How far a share of time may lie beyond 0 or 1: it is a quotient of two counters that are read one after the other.
const RATIO_ROUNDING: f64 = 1e-3;
/// Energies are whole millijoules, cut off.
const ENERGY_STEP_J: f64 = 1e-3;

/// The content of one document. Missing is `None`, never 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// True length of the sample, above zero. `None` where the document does not say it: the sample has its powers, but no
    /// place in time.
    pub elapsed: Option<Duration>,
    /// The tool's wall-clock time, whole seconds, Unix epoch.
    pub timestamp_unix_s: Option<i64>,
    /// Apple's model identifier, `Mac16,8`.
    pub hw_model: Option<String>,
    /// Mean power of each rail over the sample.
    pub power: Rails<Milliwatts>,
    /// Energy of each rail in this sample.
    pub energy: Rails<Joules>,
    /// Mean GPU frequency.
    pub gpu_frequency: Option<Megahertz>,
    /// Share of the sample in which the GPU worked, 0 to 1.
    pub gpu_active: Option<Ratio>,
    /// Thermal pressure at the end of the sample.
    pub thermal_pressure: Option<ThermalPressure>,
    /// What was not taken as it stood, in the order it was met.
    pub notes: Vec<DecodeNote>,
}

impl Decoded {
    /// The sample that ends at `end`; `None` without a length.
    #[must_use]
    pub fn ending_at(self, end: MonotonicTime, origin: Origin) -> Option<PowerSample> {
        let elapsed = self.elapsed?;
        Some(PowerSample {
            start: end - elapsed,
            end,
            elapsed,
            power: self.power,
            energy: self.energy,
            gpu_frequency: self.gpu_frequency,
            gpu_active: self.gpu_active,
            thermal_pressure: self.thermal_pressure,
            hw_model: self.hw_model,
            timestamp_unix_s: self.timestamp_unix_s,
            origin,
        })
    }

    /// True when at least one rail has a power.
    #[must_use]
    pub fn has_power(&self) -> bool {
        let power = &self.power;
        [power.cpu, power.gpu, power.ane, power.dram, power.combined, power.system].iter().any(Option::is_some)
    }
}

/// One consumer the chip reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rail {
    /// All CPU clusters.
    Cpu,
    /// The GPU.
    Gpu,
    /// The neural engine.
    Ane,
    /// Memory.
    Dram,
    /// What the tool calls the whole chip.
    Combined,
}

/// What kind of number a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// Mean power of a rail.
    Power(Rail),
    /// Energy of a rail.
    Energy(Rail),
    /// GPU frequency.
    GpuFrequency,
    /// Share of time in which the GPU idles or works.
    GpuResidency,
    /// The tool's wall-clock time.
    Timestamp,
}

/// Why a number was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Implausible {
    /// The text is no number (or no date) at all.
    Unreadable,
    /// NaN or infinite.
    NotFinite,
    /// Below zero.
    Negative,
    /// Above what any Mac can do: 1000 W per rail, a residency above 1.
    TooLarge,
}

/// A value that was not taken as it stood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DecodeNote {
    /// The value is missing in the sample because it cannot be true.
    Rejected {
        /// Which value.
        quantity: Quantity,
        /// What is wrong with it.
        why: Implausible,
    },
    /// The document does not say how long its sample was: `elapsed_ns` is missing, zero or no number.
    NoElapsed,
    /// The tool gave less power than the energy of the same sample proves; the power is energy / elapsed (its known
    /// fault of zero or partial power in a frame).
    PowerFromEnergy {
        /// Which rail.
        rail: Rail,
        /// What the tool gave, in milliwatts.
        reported_mw: f64,
    },
    /// The combined power is missing in the sample because it is not the sum of its parts.
    CombinedMismatch {
        /// What the tool gave, in milliwatts.
        reported_mw: f64,
        /// CPU + GPU + ANE, in milliwatts.
        sum_mw: f64,
    },
}

/// How many values of some samples were not taken as they stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoteCounts {
    /// Values that are missing because they cannot be true.
    pub rejected: u64,
    /// Powers that were taken from the energy of their sample.
    pub from_energy: u64,
    /// Combined powers that are missing because they are not the sum of their parts.
    pub combined_mismatch: u64,
}

impl NoteCounts {
    /// Adds the counts of further samples.
    pub fn add(&mut self, further: &Self) {
        self.rejected += further.rejected;
        self.from_energy += further.from_energy;
        self.combined_mismatch += further.combined_mismatch;
    }
}

impl From<&[DecodeNote]> for NoteCounts {
    fn from(notes: &[DecodeNote]) -> Self {
        let mut counts = Self::default();
        for note in notes {
            match note {
                DecodeNote::Rejected { .. } | DecodeNote::NoElapsed => counts.rejected += 1,
                DecodeNote::PowerFromEnergy { .. } => counts.from_energy += 1,
                DecodeNote::CombinedMismatch { .. } => counts.combined_mismatch += 1,
            }
        }
        counts
    }
}

/// A number as a document holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Raw {
    /// The key is not there.
    #[default]
    Missing,
    /// The key is there with something that is no number.
    Unreadable,
    /// A number, possibly an impossible one.
    Number(f64),
}

impl Raw {
    /// Watts in milliwatts.
    pub(super) fn times_thousand(self) -> Self {
        self.map(|value| value * 1e3)
    }

    /// Millijoules in joules. Divided, not multiplied by 1e-3, so that 284 becomes the same number as 0.284.
    pub(super) fn per_thousand(self) -> Self {
        self.map(|value| value / 1e3)
    }

    /// The rest of a share.
    pub(super) fn complement(self) -> Self {
        self.map(|share| 1.0 - share)
    }

    fn map(self, convert: impl FnOnce(f64) -> f64) -> Self {
        match self {
            Self::Number(value) => Self::Number(convert(value)),
            other => other,
        }
    }

    /// This, or `other` where the key is missing.
    pub(super) fn or(self, other: Self) -> Self {
        if self == Self::Missing { other } else { self }
    }

    pub(super) fn is_missing(self) -> bool {
        self == Self::Missing
    }

    /// The number when it lies in 0 to `max`; otherwise a note says why not.
    pub(super) fn accept(self, quantity: Quantity, max: f64, notes: &mut Vec<DecodeNote>) -> Option<f64> {
        let why = match self {
            Self::Missing => return None,
            Self::Number(value) if value.is_finite() && (0.0..=max).contains(&value) => return Some(value),
            Self::Unreadable => Implausible::Unreadable,
            Self::Number(value) if !value.is_finite() => Implausible::NotFinite,
            Self::Number(value) if value < 0.0 => Implausible::Negative,
            Self::Number(_) => Implausible::TooLarge,
        };
        notes.push(DecodeNote::Rejected { quantity, why });
        None
    }
}

/// Power and energy of one rail as the document holds them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawRail {
    pub(super) power_mw: Raw,
    pub(super) energy_j: Raw,
    /// True when both come from one reading, so that energy / elapsed is the power to within the energy's step.
    pub(super) one_reading: bool,
}

impl RawRail {
    pub(super) fn new(power_mw: Raw, energy_j: Raw) -> Self {
        Self { power_mw, energy_j, one_reading: true }
    }

    /// The believable part. Power that is missing, zero or partial is taken from the energy; power that is impossible
    /// is not, since nothing then says which of the two is right.
    pub(super) fn settle(
        self,
        rail: Rail,
        elapsed: Option<Duration>,
        notes: &mut Vec<DecodeNote>,
    ) -> (Option<Milliwatts>, Option<Joules>) {
        let max_energy_j = elapsed.map_or(f64::INFINITY, |elapsed| (Milliwatts(MAX_RAIL_MW) * elapsed).0);
        let energy = self.energy_j.accept(Quantity::Energy(rail), max_energy_j, notes).map(Joules);
        let power = self.power_mw.accept(Quantity::Power(rail), MAX_RAIL_MW, notes).map(Milliwatts);
        let derived = energy.zip(elapsed).and_then(|(energy, elapsed)| energy.over(elapsed));
        let power = match (power, derived) {
            (None, Some(derived)) if self.power_mw.is_missing() => Some(derived),
            (Some(reported), Some(derived)) if self.is_partial(reported, derived, elapsed) => {
                notes.push(DecodeNote::PowerFromEnergy { rail, reported_mw: reported.0 });
                Some(derived)
            }
            (power, _) => power,
        };
        (power, energy)
    }

    fn is_partial(self, reported: Milliwatts, derived: Milliwatts, elapsed: Option<Duration>) -> bool {
        let step = elapsed.and_then(|elapsed| Joules(ENERGY_STEP_J).over(elapsed)).unwrap_or_default();
        let zero = reported.0 == 0.0 && derived.0 > 0.0;
        zero || (self.one_reading && reported.0 < derived.0 * 0.99 - step.0)
    }
}

/// The five rails as a document holds them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawRails {
    pub(super) cpu: RawRail,
    pub(super) gpu: RawRail,
    pub(super) ane: RawRail,
    pub(super) dram: RawRail,
    pub(super) combined: RawRail,
    /// True where combined is the sum of CPU, GPU and ANE by definition (Apple Silicon).
    pub(super) combined_is_sum: bool,
}

impl RawRails {
    /// Fills power, energy and notes of `decoded`.
    pub(super) fn settle_into(self, decoded: &mut Decoded) {
        let (elapsed, notes) = (decoded.elapsed, &mut decoded.notes);
        let (cpu_power, cpu_energy) = self.cpu.settle(Rail::Cpu, elapsed, notes);
        let (gpu_power, gpu_energy) = self.gpu.settle(Rail::Gpu, elapsed, notes);
        let (ane_power, ane_energy) = self.ane.settle(Rail::Ane, elapsed, notes);
        let (dram_power, dram_energy) = self.dram.settle(Rail::Dram, elapsed, notes);
        let (combined_power, combined_energy) = self.combined.settle(Rail::Combined, elapsed, notes);
        let combined_power =
            combined_power.filter(|&combined| self.combined_holds(combined, [cpu_power, gpu_power, ane_power], notes));
        decoded.power = Rails {
            cpu: cpu_power,
            gpu: gpu_power,
            ane: ane_power,
            dram: dram_power,
            combined: combined_power,
            system: None,
        };
        decoded.energy = Rails {
            cpu: cpu_energy,
            gpu: gpu_energy,
            ane: ane_energy,
            dram: dram_energy,
            combined: combined_energy,
            system: None,
        };
    }

    /// Whether `combined` is the sum of its parts to within 2 mW + 1 %. Where a part was rejected, its raw value counts:
    /// the tool added it. Parts that are missing or not finite leave nothing to compare with.
    fn combined_holds(
        self,
        combined: Milliwatts,
        settled: [Option<Milliwatts>; 3],
        notes: &mut Vec<DecodeNote>,
    ) -> bool {
        let raw = [self.cpu, self.gpu, self.ane].map(|rail| rail.power_mw);
        let mut sum_mw = 0.0;
        let mut tainted = false;
        for (settled, raw) in settled.into_iter().zip(raw) {
            match (settled, raw) {
                (Some(part), _) => sum_mw += part.0,
                (None, Raw::Number(impossible)) if impossible.is_finite() => {
                    sum_mw += impossible;
                    tainted = true;
                }
                (None, _) => return true,
            }
        }
        let holds = !tainted && (combined.0 - sum_mw).abs() <= 2.0 + 0.01 * sum_mw.abs();
        if self.combined_is_sum && !holds {
            notes.push(DecodeNote::CombinedMismatch { reported_mw: combined.0, sum_mw });
            return false;
        }
        true
    }
}

/// A frequency in MHz, when it is one.
pub(super) fn accept_frequency(mhz: Raw, notes: &mut Vec<DecodeNote>) -> Option<Megahertz> {
    mhz.accept(Quantity::GpuFrequency, MAX_FREQUENCY_MHZ, notes).map(Megahertz)
}

/// A share of time, when it is one. What lies beyond 0 or 1 by no more than rounding is 0 or 1.
pub(super) fn accept_ratio(ratio: Raw, notes: &mut Vec<DecodeNote>) -> Option<Ratio> {
    let rounded = |share: f64| {
        let near = (-RATIO_ROUNDING..=1.0 + RATIO_ROUNDING).contains(&share);
        if near { share.clamp(0.0, 1.0) } else { share }
    };
    ratio.map(rounded).accept(Quantity::GpuResidency, 1.0, notes).map(Ratio)
}
