//! One sample as a flat row: the line of `joulebar analyze`'s NDJSON and CSV.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::decoded::Decoded;
use crate::units::{Joules, Milliwatts};

/// What one sample of a capture says, in the units that the names end with. `None` (JSON `null`, CSV empty) where the
/// capture does not say it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnalyzeRow {
    /// True length of the sample.
    pub elapsed_ns: Option<u64>,
    /// The tool's wall-clock time, RFC 3339 in UTC, whole seconds.
    pub timestamp: Option<String>,
    /// Apple's model identifier.
    pub hw_model: Option<String>,
    /// Mean CPU power.
    pub cpu_mw: Option<f64>,
    /// Mean GPU power.
    pub gpu_mw: Option<f64>,
    /// Mean power of the neural engine.
    pub ane_mw: Option<f64>,
    /// Mean memory power (macOS 11 and 12).
    pub dram_mw: Option<f64>,
    /// Mean power of CPU, GPU and neural engine together; of the package on Intel.
    pub combined_mw: Option<f64>,
    /// CPU energy in this sample.
    pub cpu_mj: Option<f64>,
    /// GPU energy in this sample.
    pub gpu_mj: Option<f64>,
    /// Energy of the neural engine in this sample.
    pub ane_mj: Option<f64>,
    /// Mean GPU frequency.
    pub gpu_freq_mhz: Option<f64>,
    /// Share of the sample in which the GPU worked, 0 to 1.
    pub gpu_active_ratio: Option<f64>,
    /// Thermal pressure at the end of the sample, as the tool writes it.
    pub thermal_pressure: Option<String>,
}

impl From<&Decoded> for AnalyzeRow {
    fn from(decoded: &Decoded) -> Self {
        let mw = |power: Option<Milliwatts>| power.map(|power| power.0);
        Self {
            elapsed_ns: decoded.elapsed.and_then(|elapsed| u64::try_from(elapsed.as_nanos()).ok()),
            timestamp: decoded.timestamp_unix_s.and_then(rfc3339),
            hw_model: decoded.hw_model.clone(),
            cpu_mw: mw(decoded.power.cpu),
            gpu_mw: mw(decoded.power.gpu),
            ane_mw: mw(decoded.power.ane),
            dram_mw: mw(decoded.power.dram),
            combined_mw: mw(decoded.power.combined),
            cpu_mj: decoded.energy.cpu.map(millijoules),
            gpu_mj: decoded.energy.gpu.map(millijoules),
            ane_mj: decoded.energy.ane.map(millijoules),
            gpu_freq_mhz: decoded.gpu_frequency.map(|frequency| frequency.0),
            gpu_active_ratio: decoded.gpu_active.map(|active| active.0),
            thermal_pressure: decoded.thermal_pressure.clone().map(String::from),
        }
    }
}

/// Millijoules as the tool wrote them: the way through joules costs the last binary digit of some.
fn millijoules(energy: Joules) -> f64 {
    let millijoules = energy.as_millijoules();
    if millijoules.abs() < 1e9 { (millijoules * 1e6).round() / 1e6 } else { millijoules }
}

fn rfc3339(unix_s: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(unix_s).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_millijoules_survive_the_way_through_joules() {
        for mj in 0..2_000_000 {
            let mj = f64::from(mj);
            assert_eq!(millijoules(Joules(mj / 1e3)), mj);
        }
    }

    #[test]
    fn an_empty_sample_is_a_row_of_nulls() {
        let row = serde_json::to_value(AnalyzeRow::from(&Decoded::default())).unwrap();
        let keys = [
            "elapsed_ns",
            "timestamp",
            "hw_model",
            "cpu_mw",
            "gpu_mw",
            "ane_mw",
            "dram_mw",
            "combined_mw",
            "cpu_mj",
            "gpu_mj",
            "ane_mj",
            "gpu_freq_mhz",
            "gpu_active_ratio",
            "thermal_pressure",
        ];
        assert_eq!(row.as_object().unwrap().len(), keys.len());
        for key in keys {
            assert_eq!(row.get(key), Some(&serde_json::Value::Null), "{key}");
        }
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(1_751_775_328).as_deref(), Some("2025-07-06T04:15:28Z"));
        assert_eq!(rfc3339(i64::MAX), None);
    }
}
