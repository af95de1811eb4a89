//! What a client may choose: samplers from a closed list, and an interval within limits. Both types can't hold anything
//! else, so a command line made of them needs no further check.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{MAX_INTERVAL_MS, MAX_SAMPLERS, MIN_INTERVAL_MS};

/// A sampler of powermetrics, by its name there. `tasks` is left out on purpose: it shows what other users of the
/// machine run, and its unescaped process names make broken XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// CPU clusters and all power and energy rails.
    CpuPower,
    /// GPU frequency and residency.
    GpuPower,
    /// Neural engine; prints nothing on the chips seen so far, its power comes with `cpu_power`.
    AnePower,
    /// Thermal pressure level.
    Thermal,
    /// Battery charge.
    Battery,
}

impl Sampler {
    /// All samplers that can be asked for.
    pub const ALL: [Self; 5] = [Self::CpuPower, Self::GpuPower, Self::AnePower, Self::Thermal, Self::Battery];

    /// The name that powermetrics knows it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CpuPower => "cpu_power",
            Self::GpuPower => "gpu_power",
            Self::AnePower => "ane_power",
            Self::Thermal => "thermal",
            Self::Battery => "battery",
        }
    }

    /// The sampler of that name, `None` for one that can't be asked for.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sampler| sampler.name() == name)
    }
}

/// One to [`MAX_SAMPLERS`] different samplers, in powermetrics' order of [`Sampler::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Sampler>", into = "Vec<Sampler>")]
pub struct Samplers(Vec<Sampler>);

impl Samplers {
    /// Takes the list in any order.
    ///
    /// # Errors
    /// [`InvalidSamplers`] when the list is empty, too long or names one twice.
    pub fn new(mut samplers: Vec<Sampler>) -> Result<Self, InvalidSamplers> {
        if samplers.is_empty() || samplers.len() > MAX_SAMPLERS {
            return Err(InvalidSamplers);
        }
        samplers.sort_unstable();
        if samplers.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(InvalidSamplers);
        }
        Ok(Self(samplers))
    }

    /// The samplers, each once.
    pub fn iter(&self) -> impl Iterator<Item = Sampler> + '_ {
        self.0.iter().copied()
    }

    /// Whether `sampler` is among them.
    #[must_use]
    pub fn contains(&self, sampler: Sampler) -> bool {
        self.0.contains(&sampler)
    }
}

impl Default for Samplers {
    /// `cpu_power`, `gpu_power`, `thermal`: power of every rail, GPU residency, thermal pressure.
    fn default() -> Self {
        Self(vec![Sampler::CpuPower, Sampler::GpuPower, Sampler::Thermal])
    }
}

/// As powermetrics' `-s` takes them: `cpu_power,gpu_power,thermal`.
impl fmt::Display for Samplers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, sampler) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            f.write_str(sampler.name())?;
        }
        Ok(())
    }
}

impl TryFrom<Vec<Sampler>> for Samplers {
    type Error = InvalidSamplers;
    fn try_from(samplers: Vec<Sampler>) -> Result<Self, InvalidSamplers> {
        Self::new(samplers)
    }
}

impl From<Samplers> for Vec<Sampler> {
    fn from(samplers: Samplers) -> Self {
        samplers.0
    }
}

/// A sampling interval in milliseconds, [`MIN_INTERVAL_MS`] to [`MAX_INTERVAL_MS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct IntervalMs(u32);

impl IntervalMs {
    /// Checks the limits.
    ///
    /// # Errors
    /// [`InvalidInterval`] outside of them.
    pub fn new(interval_ms: u32) -> Result<Self, InvalidInterval> {
        if (MIN_INTERVAL_MS..=MAX_INTERVAL_MS).contains(&interval_ms) {
            Ok(Self(interval_ms))
        } else {
            Err(InvalidInterval)
        }
    }

    /// Milliseconds.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for IntervalMs {
    type Error = InvalidInterval;
    fn try_from(interval_ms: u32) -> Result<Self, InvalidInterval> {
        Self::new(interval_ms)
    }
}

impl From<IntervalMs> for u32 {
    fn from(interval: IntervalMs) -> Self {
        interval.0
    }
}

/// The interval is outside [`MIN_INTERVAL_MS`] to [`MAX_INTERVAL_MS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidInterval;

impl fmt::Display for InvalidInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the interval must be {MIN_INTERVAL_MS} to {MAX_INTERVAL_MS} ms")
    }
}

impl std::error::Error for InvalidInterval {}

/// The list of samplers is empty, too long or names one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSamplers;

impl fmt::Display for InvalidSamplers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one to {MAX_SAMPLERS} different samplers are needed")
    }
}

impl std::error::Error for InvalidSamplers {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json_and_lead_back() {
        for sampler in Sampler::ALL {
            assert_eq!(serde_json::to_value(sampler).unwrap(), sampler.name());
            assert_eq!(Sampler::from_name(sampler.name()), Some(sampler));
        }
        assert_eq!(Sampler::from_name("tasks"), None);
    }

    #[test]
    fn samplers_are_sorted_and_printed_as_one_argument() {
        let samplers = Samplers::new(vec![Sampler::Thermal, Sampler::CpuPower]).unwrap();
        assert_eq!(samplers.to_string(), "cpu_power,thermal");
        assert_eq!(Samplers::default().to_string(), "cpu_power,gpu_power,thermal");
    }

    #[test]
    fn lists_that_are_empty_or_repeat_are_refused() {
        assert_eq!(Samplers::new(vec![]), Err(InvalidSamplers));
        assert_eq!(Samplers::new(vec![Sampler::Thermal, Sampler::Battery, Sampler::Thermal]), Err(InvalidSamplers));
    }

    #[test]
    fn intervals_end_at_their_limits() {
        assert_eq!(IntervalMs::new(100).unwrap().get(), 100);
        assert_eq!(IntervalMs::new(60_000).unwrap().get(), 60_000);
        assert_eq!(IntervalMs::new(99), Err(InvalidInterval));
        assert_eq!(IntervalMs::new(60_001), Err(InvalidInterval));
    }
}
