//! Physical units. Inside Rust a number carries its unit in its type; at the borders (JSON, CSV, flags) in a suffix.

use std::iter::Sum;
use std::ops::{Add, Mul, Sub};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mean power over one interval, in milliwatts. May be negative only as a difference of two powers.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Milliwatts(pub f64);

/// Energy in joules. Net energy may be negative; it is never clamped.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Joules(pub f64);

/// A share, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Ratio(pub f64);

/// A frequency in megahertz.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Megahertz(pub f64);

impl Milliwatts {
    /// The same power in watts, for display.
    #[must_use]
    pub fn as_watts(self) -> f64 {
        self.0 * 1e-3
    }
}

impl Joules {
    /// The same energy in millijoules.
    #[must_use]
    pub fn as_millijoules(self) -> f64 {
        self.0 * 1e3
    }

    /// Mean power that gives this energy in `elapsed`; `None` when no time has passed.
    #[must_use]
    pub fn over(self, elapsed: Duration) -> Option<Milliwatts> {
        (!elapsed.is_zero()).then(|| Milliwatts(self.0 * 1e3 / elapsed.as_secs_f64()))
    }
}

impl Mul<Duration> for Milliwatts {
    type Output = Joules;
    fn mul(self, elapsed: Duration) -> Joules {
        Joules(self.0 * 1e-3 * elapsed.as_secs_f64())
    }
}

impl Add for Milliwatts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Milliwatts {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for Milliwatts {
    fn sum<I: Iterator<Item = Self>>(powers: I) -> Self {
        Self(powers.map(|power| power.0).sum())
    }
}

impl Add for Joules {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Joules {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for Joules {
    fn sum<I: Iterator<Item = Self>>(energies: I) -> Self {
        Self(energies.map(|energy| energy.0).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_times_elapsed_is_energy_and_back() {
        let energy = Milliwatts(2_000.0) * Duration::from_millis(1_500);
        assert_eq!(energy, Joules(3.0));
        assert_eq!(energy.over(Duration::from_millis(1_500)), Some(Milliwatts(2_000.0)));
        assert_eq!(energy.over(Duration::ZERO), None);
    }
}
