//! The numbers of a power model and how they are read from a file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Rail;
use crate::activity::State;

/// Parameters of a Mac's power. Every field has a default, roughly an M4 Pro; a TOML file may set any of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// The model loaded, no request running.
    pub idle: Load,
    /// A prompt being processed, at full load.
    pub prefill: Load,
    /// Tokens being generated, at full load.
    pub decode: Load,
    /// Time constant with which power follows a change of load, in seconds, above 0.
    pub ramp_tau_s: f64,
    /// Time constant of the slow part, warmth and leakage, in seconds, above 0.
    pub tail_tau_s: f64,
    /// Size of the slow part as a share of the power above idle, 0 to 1.
    pub tail_share: f64,
    /// Unrest of the idle power.
    pub noise: Noise,
    /// Throttling under sustained load; none without it.
    pub throttle: Option<Throttle>,
}

/// What one state draws and how busy the chip is in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Power of all CPU clusters in watts.
    pub cpu_w: f64,
    /// Power of the GPU in watts.
    pub gpu_w: f64,
    /// Power of the neural engine in watts.
    pub ane_w: f64,
    /// Share of time in which the average CPU works, 0 to 1.
    pub cpu_active_ratio: f64,
    /// Share of time in which the GPU works, 0 to 1.
    pub gpu_active_ratio: f64,
    /// Frequency of the GPU while it works, in MHz.
    pub gpu_mhz: f64,
}

/// Noise: a new normal deviate in every cell of time, cut at 3 standard deviations, for each rail by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Noise {
    /// Length of a cell in milliseconds, above 0.
    pub cell_ms: u32,
    /// Standard deviation of the CPU's power in watts.
    pub cpu_sd_w: f64,
    /// Standard deviation of the GPU's power in watts.
    pub gpu_sd_w: f64,
}

/// Throttling: after some time of unbroken load the power above idle falls to a share of itself until the load ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Seconds of unbroken load before it begins. The thermal pressure is `Moderate` from half of it on, `Heavy` from then.
    pub after_s: f64,
    /// What is left of the power above idle, 0 to 1.
    pub load_factor: f64,
    /// Seconds from the end of a throttled load until the pressure is `Nominal` again; `Moderate` until then.
    pub recover_s: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            idle: Load {
                cpu_w: 0.45,
                gpu_w: 0.06,
                ane_w: 0.0,
                cpu_active_ratio: 0.05,
                gpu_active_ratio: 0.016,
                gpu_mhz: 338.0,
            },
            prefill: Load {
                cpu_w: 4.0,
                gpu_w: 30.0,
                ane_w: 0.0,
                cpu_active_ratio: 0.20,
                gpu_active_ratio: 0.995,
                gpu_mhz: 1_578.0,
            },
            decode: Load {
                cpu_w: 3.0,
                gpu_w: 22.0,
                ane_w: 0.0,
                cpu_active_ratio: 0.14,
                gpu_active_ratio: 0.96,
                gpu_mhz: 1_470.0,
            },
            ramp_tau_s: 0.08,
            tail_tau_s: 8.0,
            tail_share: 0.005,
            noise: Noise::default(),
            throttle: None,
        }
    }
}

impl Default for Noise {
    fn default() -> Self {
        Self { cell_ms: 200, cpu_sd_w: 0.05, gpu_sd_w: 0.01 }
    }
}

impl Load {
    /// Power of one rail in watts.
    #[must_use]
    pub fn watts(&self, rail: Rail) -> f64 {
        match rail {
            Rail::Cpu => self.cpu_w,
            Rail::Gpu => self.gpu_w,
            Rail::Ane => self.ane_w,
        }
    }
}

impl Parameters {
    /// What a state draws at full load.
    #[must_use]
    pub fn load(&self, state: State) -> &Load {
        match state {
            State::Idle => &self.idle,
            State::Prefill => &self.prefill,
            State::Decode => &self.decode,
        }
    }

    /// Reads parameters from a TOML file.
    ///
    /// # Errors
    /// [`ParametersError`], which names the file or the value at fault.
    pub fn read(path: &Path) -> Result<Self, ParametersError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ParametersError::Read { path: path.display().to_string(), source })?;
        let parameters: Self = toml::from_str(&text)?;
        parameters.check()?;
        Ok(parameters)
    }

    /// Makes sure that power can't become negative and that every share and time constant makes sense.
    ///
    /// # Errors
    /// [`ParametersError::OutOfRange`] with the first value at fault.
    pub fn check(&self) -> Result<(), ParametersError> {
        let out_of_range = |name, value| Err(ParametersError::OutOfRange { name, value });
        for (name, value) in [("ramp_tau_s", self.ramp_tau_s), ("tail_tau_s", self.tail_tau_s)] {
            if !(value.is_finite() && value > 0.0) {
                return out_of_range(name, value);
            }
        }
        for load in [&self.idle, &self.prefill, &self.decode] {
            for (name, ratio) in
                [("cpu_active_ratio", load.cpu_active_ratio), ("gpu_active_ratio", load.gpu_active_ratio)]
            {
                if !(0.0..=1.0).contains(&ratio) {
                    return out_of_range(name, ratio);
                }
            }
            for (name, value) in
                [("cpu_w", load.cpu_w), ("gpu_w", load.gpu_w), ("ane_w", load.ane_w), ("gpu_mhz", load.gpu_mhz)]
            {
                if !(0.0..=10_000.0).contains(&value) {
                    return out_of_range(name, value);
                }
            }
        }
        if !(0.0..=1.0).contains(&self.tail_share) {
            return out_of_range("tail_share", self.tail_share);
        }
        if self.noise.cell_ms == 0 {
            return out_of_range("noise.cell_ms", 0.0);
        }
        for (name, sd, idle) in [
            ("noise.cpu_sd_w", self.noise.cpu_sd_w, self.idle.cpu_w),
            ("noise.gpu_sd_w", self.noise.gpu_sd_w, self.idle.gpu_w),
        ] {
            if !(sd >= 0.0 && 3.0 * sd <= idle) {
                return out_of_range(name, sd);
            }
        }
        if let Some(throttle) = self.throttle {
            for (name, value) in [("throttle.after_s", throttle.after_s), ("throttle.recover_s", throttle.recover_s)] {
                if !(0.0..=1e6).contains(&value) {
                    return out_of_range(name, value);
                }
            }
            if !(0.0..=1.0).contains(&throttle.load_factor) {
                return out_of_range("throttle.load_factor", throttle.load_factor);
            }
        }
        Ok(())
    }
}

pub use error::ParametersError;
mod error {
    #![expect(missing_docs, reason = "each message is the documentation")]

    /// Why parameters can't be used.
    #[derive(Debug, thiserror::Error)]
    pub enum ParametersError {
        #[error("power model {path} could not be read")]
        Read { path: String, source: std::io::Error },
        #[error("the power model is not valid TOML")]
        Syntax(#[from] toml::de::Error),
        #[error("{name} = {value} is out of range (powers must stay positive: idle at least 3 standard deviations)")]
        OutOfRange { name: &'static str, value: f64 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_sets_single_values_and_keeps_the_other_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mac.toml");
        std::fs::write(&path, "tail_share = 0.02\n[noise]\ncpu_sd_w = 0.1\n").unwrap();
        let parameters = Parameters::read(&path).unwrap();
        assert_eq!(parameters.tail_share, 0.02);
        assert_eq!(parameters.noise.cpu_sd_w, 0.1);
        assert_eq!(parameters.noise.cell_ms, 200);
        assert_eq!(parameters.prefill, Parameters::default().prefill);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        Parameters::default().check().unwrap();
        let noisy = Parameters { noise: Noise { cpu_sd_w: 0.2, ..Noise::default() }, ..Parameters::default() };
        assert!(matches!(noisy.check(), Err(ParametersError::OutOfRange { name: "noise.cpu_sd_w", .. })));
        let frozen = Parameters { ramp_tau_s: 0.0, ..Parameters::default() };
        assert!(matches!(frozen.check(), Err(ParametersError::OutOfRange { name: "ramp_tau_s", .. })));
        assert!(toml::from_str::<Parameters>("ramp_tau = 1.0").is_err());
    }
}
