//! The counters of an Apple Silicon Mac, by `macmon`.
//!
//! Hands numbers on as they are; what they are worth is decided in [`super::rules`]. Checked without a Mac: that it
//! compiles. Not checked (docs/unverified.md): that the counters can be read, and the sensor `PSTR` is there.

use std::time::Duration;

use macmon::Sampler;
use macmon::sources::SMC;

use super::Counters;
use super::rules::Reading;

/// `macmon`'s sampler.
pub struct Macmon(Sampler);

/// Opens the counters; for the thread that will read them.
///
/// # Errors
/// What `macmon` says.
pub fn open() -> Result<Macmon, String> {
    Sampler::new().map(Macmon).map_err(|error| error.to_string())
}

impl Counters for Macmon {
    fn read(&mut self, window: Duration) -> Result<Reading, String> {
        let milliseconds = u32::try_from(window.as_millis()).unwrap_or(u32::MAX);
        let metrics = self.0.get_metrics(milliseconds).map_err(|error| error.to_string())?;
        Ok(Reading {
            cpu_w: metrics.cpu_power,
            gpu_w: metrics.gpu_power,
            ane_w: metrics.ane_power,
            dram_w: metrics.ram_power,
            chip_w: metrics.all_power,
            system_w: metrics.sys_power,
        })
    }
}

/// A reader of the SMC's estimate of the whole machine's power, in watts; `None` without the sensor.
#[must_use]
pub fn system_power() -> Option<impl FnMut() -> Option<f32>> {
    let mut smc = SMC::new().ok()?;
    smc.read_float_val("PSTR").ok()?;
    Some(move || smc.read_float_val("PSTR").ok())
}
