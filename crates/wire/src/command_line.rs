//! The command line of powermetrics, made of closed enums and checked numbers alone, so that no request can reach another
//! option (`-o` would write a file as root). One builder for whoever starts it: the helper, and the app that was authorized.

use std::time::Duration;

use crate::{IntervalMs, Samplers};

/// The only program that is ever run as root.
pub const POWERMETRICS: &str = "/usr/bin/powermetrics";

/// powermetrics is told to end by itself after this time, so that it can't outlive for long whoever started it.
pub const LEASE: Duration = Duration::from_secs(3600);

/// What powermetrics is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    interval: IntervalMs,
    samplers: Samplers,
}

impl CommandLine {
    /// Samples of `samplers` every `interval`, for one [`LEASE`].
    #[must_use]
    pub fn new(interval: IntervalMs, samplers: Samplers) -> Self {
        Self { interval, samplers }
    }

    /// The interval between samples.
    #[must_use]
    pub fn interval(&self) -> IntervalMs {
        self.interval
    }

    /// The samplers.
    #[must_use]
    pub fn samplers(&self) -> &Samplers {
        &self.samplers
    }

    /// Number of samples that fill one [`LEASE`], rounded up.
    #[must_use]
    pub fn lease_samples(&self) -> u64 {
        (LEASE.as_secs() * 1000).div_ceil(self.interval.get().into())
    }

    /// The arguments, without the program's own name.
    #[must_use]
    pub fn arguments(&self) -> [String; 10] {
        let word = str::to_owned;
        let (interval, samples) = (self.interval.get().to_string(), self.lease_samples().to_string());
        // without -b 0 samples wait in a buffer until it is full
        [
            word("-f"),
            word("plist"),
            word("-b"),
            word("0"),
            word("-i"),
            interval,
            word("-n"),
            samples,
            word("-s"),
            self.samplers.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_13_the_arguments_are_these_and_the_lease_bounds_them() {
        let line = CommandLine::new(IntervalMs::new(250).unwrap(), Samplers::default());
        assert_eq!(line.arguments().join(" "), "-f plist -b 0 -i 250 -n 14400 -s cpu_power,gpu_power,thermal");
        for interval_ms in [100, 7_000, 60_000] {
            let line = CommandLine::new(IntervalMs::new(interval_ms).unwrap(), Samplers::default());
            let covered = Duration::from_millis(interval_ms.into()) * u32::try_from(line.lease_samples()).unwrap();
            assert!(covered >= LEASE && covered < LEASE + Duration::from_millis(interval_ms.into()));
        }
    }
}
