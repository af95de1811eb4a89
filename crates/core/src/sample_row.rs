//! A power sample as files carry it: flat, with units in the names, `null` for what is missing.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::MonotonicTime;
use crate::sample::{Origin, PowerSample, Rails};
use crate::units::{Joules, Megahertz, Milliwatts, Ratio};

/// One row of a report's `samples`, and of the CSV.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SampleRow {
    /// Start of the interval, nanoseconds on the session's clock.
    pub start_ns: i64,
    /// End of the interval, nanoseconds on the session's clock.
    pub end_ns: i64,
    /// Length that the source measured, in nanoseconds.
    pub elapsed_ns: u64,
    /// Mean CPU power.
    pub cpu_mw: Option<f64>,
    /// Mean GPU power.
    pub gpu_mw: Option<f64>,
    /// Mean neural engine power.
    pub ane_mw: Option<f64>,
    /// Mean memory power.
    pub dram_mw: Option<f64>,
    /// Mean power of the whole chip in the source's own words.
    pub combined_mw: Option<f64>,
    /// Mean power of the whole machine.
    pub system_mw: Option<f64>,
    /// CPU energy of this interval.
    pub cpu_mj: Option<f64>,
    /// GPU energy of this interval.
    pub gpu_mj: Option<f64>,
    /// Neural engine energy of this interval.
    pub ane_mj: Option<f64>,
    /// Memory energy of this interval.
    pub dram_mj: Option<f64>,
    /// Energy of the whole chip in this interval, where the source gives it (Intel).
    pub combined_mj: Option<f64>,
    /// Mean GPU frequency.
    pub gpu_freq_mhz: Option<f64>,
    /// Share of the interval in which the GPU worked, 0 to 1.
    pub gpu_active_ratio: Option<f64>,
    /// Thermal pressure at the end.
    pub thermal_pressure: Option<String>,
    /// Model identifier of the machine.
    pub hw_model: Option<String>,
    /// The source's own time, Unix seconds.
    pub timestamp_unix_s: Option<i64>,
    /// Where it came from.
    pub origin: Origin,
}

impl From<&PowerSample> for SampleRow {
    fn from(sample: &PowerSample) -> Self {
        let (power, energy) = (sample.power, sample.energy);
        let mw = |power: Option<Milliwatts>| power.map(|power| power.0);
        let mj = |energy: Option<Joules>| energy.map(Joules::as_millijoules);
        Self {
            start_ns: sample.start.0,
            end_ns: sample.end.0,
            elapsed_ns: u64::try_from(sample.elapsed.as_nanos()).unwrap_or(u64::MAX),
            cpu_mw: mw(power.cpu),
            gpu_mw: mw(power.gpu),
            ane_mw: mw(power.ane),
            dram_mw: mw(power.dram),
            combined_mw: mw(power.combined),
            system_mw: mw(power.system),
            cpu_mj: mj(energy.cpu),
            gpu_mj: mj(energy.gpu),
            ane_mj: mj(energy.ane),
            dram_mj: mj(energy.dram),
            combined_mj: mj(energy.combined),
            gpu_freq_mhz: sample.gpu_frequency.map(|frequency| frequency.0),
            gpu_active_ratio: sample.gpu_active.map(|ratio| ratio.0),
            thermal_pressure: sample.thermal_pressure.clone().map(String::from),
            hw_model: sample.hw_model.clone(),
            timestamp_unix_s: sample.timestamp_unix_s,
            origin: sample.origin,
        }
    }
}

impl From<&SampleRow> for PowerSample {
    fn from(row: &SampleRow) -> Self {
        let mj = |energy: Option<f64>| energy.map(|energy| Joules(energy / 1e3));
        Self {
            start: MonotonicTime(row.start_ns),
            end: MonotonicTime(row.end_ns),
            elapsed: Duration::from_nanos(row.elapsed_ns),
            power: Rails {
                cpu: row.cpu_mw.map(Milliwatts),
                gpu: row.gpu_mw.map(Milliwatts),
                ane: row.ane_mw.map(Milliwatts),
                dram: row.dram_mw.map(Milliwatts),
                combined: row.combined_mw.map(Milliwatts),
                system: row.system_mw.map(Milliwatts),
            },
            energy: Rails {
                cpu: mj(row.cpu_mj),
                gpu: mj(row.gpu_mj),
                ane: mj(row.ane_mj),
                dram: mj(row.dram_mj),
                combined: mj(row.combined_mj),
                system: None,
            },
            gpu_frequency: row.gpu_freq_mhz.map(Megahertz),
            gpu_active: row.gpu_active_ratio.map(Ratio),
            thermal_pressure: row.thermal_pressure.clone().map(Into::into),
            hw_model: row.hw_model.clone(),
            timestamp_unix_s: row.timestamp_unix_s,
            origin: row.origin,
        }
    }
}

/// Writes rows as CSV with a header line; missing values are empty.
///
/// # Errors
/// Whatever the writer says.
pub fn write_csv(rows: impl IntoIterator<Item = SampleRow>, out: impl std::io::Write) -> csv::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    for row in rows {
        writer.serialize(row)?;
    }
    writer.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> SampleRow {
        SampleRow {
            start_ns: -5,
            end_ns: 250_000_000,
            elapsed_ns: 250_000_005,
            cpu_mw: Some(123.456_789),
            gpu_mw: Some(0.0),
            ane_mw: None,
            dram_mw: None,
            combined_mw: Some(123.456_789),
            system_mw: None,
            cpu_mj: Some(31.0),
            gpu_mj: Some(0.0),
            ane_mj: None,
            dram_mj: None,
            combined_mj: None,
            gpu_freq_mhz: Some(338.0),
            gpu_active_ratio: Some(0.25),
            thermal_pressure: Some("Brand New Level".into()),
            hw_model: Some("Mac16,8".into()),
            timestamp_unix_s: Some(1_700_000_000),
            origin: Origin::Simulator,
        }
    }

    #[test]
    fn a_sample_survives_its_row() {
        let sample = PowerSample::from(&row());
        assert!(sample.is_simulated());
        assert_eq!(PowerSample::from(&SampleRow::from(&sample)), sample);
    }

    #[test]
    fn csv_leaves_missing_values_empty_and_keeps_zeroes() {
        let mut out = Vec::new();
        write_csv([row()], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("start_ns,end_ns,elapsed_ns,cpu_mw,gpu_mw,ane_mw"));
        assert!(lines.next().unwrap().starts_with("-5,250000000,250000005,123.456789,0.0,,,"));
    }
}
