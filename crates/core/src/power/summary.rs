//! What a stream of power samples comes to: spread, percentiles and energy of each rail.
//!
//! Knows nothing of where samples come from. Keeps one number per rail and sample, since percentiles need them all.

use std::iter::Sum;
use std::time::Duration;

use serde::Serialize;

use crate::sample::{PowerSample, Rails};
use crate::stats;
use crate::units::{Joules, Milliwatts};

/// What a row of the summary is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryRail {
    /// All CPU clusters.
    Cpu,
    /// The GPU.
    Gpu,
    /// The neural engine.
    Ane,
    /// Memory.
    Dram,
    /// The chip: the source's own combined value, else the sum of CPU, GPU and ANE where CPU and GPU are both reported.
    Soc,
    /// The whole machine; another scope, never part of a sum.
    System,
}

/// One rail over all samples that report it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RailSummary {
    /// Which rail.
    pub rail: SummaryRail,
    /// Samples that report it, 1 or more.
    pub sample_count: usize,
    /// Lowest sample.
    pub min_mw: f64,
    /// Highest sample.
    pub max_mw: f64,
    /// Mean, weighted by the measured length of each sample; by count where a length is missing.
    pub avg_mw: f64,
    /// Median sample.
    pub p50_mw: f64,
    /// 95th percentile of the samples.
    pub p95_mw: f64,
    /// Energy over the samples that report it: power times measured length, else the energy that the source gives.
    /// `None` when a sample has neither.
    pub energy_j: Option<f64>,
}

/// Collects samples; [`SummaryBuilder::summaries`] may be asked at any time.
#[derive(Clone, Debug, Default)]
pub struct SummaryBuilder {
    rails: [RailValues; RAILS.len()],
    samples: u64,
    duration: Option<Duration>,
}

const RAILS: [SummaryRail; 6] =
    [SummaryRail::Cpu, SummaryRail::Gpu, SummaryRail::Ane, SummaryRail::Dram, SummaryRail::Soc, SummaryRail::System];

#[derive(Clone, Debug, Default)]
struct RailValues {
    powers_mw: Vec<f64>,
    lengths_s: Vec<Option<f64>>,
    energy: EnergySum,
}

#[derive(Clone, Copy, Debug)]
struct EnergySum(Option<Joules>);

impl Default for EnergySum {
    fn default() -> Self {
        Self(Some(Joules(0.0)))
    }
}

impl SummaryBuilder {
    /// Adds a sample of a live or replayed source.
    pub fn add(&mut self, sample: &PowerSample) {
        self.add_parts(&sample.power, &sample.energy, Some(sample.elapsed));
    }

    /// Adds what a document says; `elapsed` is `None` where its length is not known.
    pub fn add_parts(&mut self, power: &Rails<Milliwatts>, energy: &Rails<Joules>, elapsed: Option<Duration>) {
        self.samples += 1;
        if let Some(elapsed) = elapsed {
            *self.duration.get_or_insert_default() += elapsed;
        }
        let soc = whole(power);
        let soc_energy = whole(energy);
        let values = [
            (power.cpu, energy.cpu),
            (power.gpu, energy.gpu),
            (power.ane, energy.ane),
            (power.dram, energy.dram),
            (soc, soc_energy),
            (power.system, energy.system),
        ];
        for (rail, (power, energy)) in self.rails.iter_mut().zip(values) {
            let Some(power) = power else { continue };
            rail.powers_mw.push(power.0);
            rail.lengths_s.push(elapsed.map(|elapsed| elapsed.as_secs_f64()));
            let energy = elapsed.map(|elapsed| power * elapsed).or(energy);
            rail.energy = EnergySum(rail.energy.0.zip(energy).map(|(sum, energy)| sum + energy));
        }
    }

    /// How many samples were added.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Measured lengths of the samples, added up; `None` when no sample has one.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// One entry for each rail that at least one sample reports.
    #[must_use]
    pub fn summaries(&self) -> Vec<RailSummary> {
        RAILS.iter().zip(&self.rails).filter_map(|(rail, values)| values.summary(*rail)).collect()
    }
}

impl RailValues {
    fn summary(&self, rail: SummaryRail) -> Option<RailSummary> {
        let weighted = self.lengths_s.iter().all(Option::is_some);
        let weight = |length: Option<f64>| if weighted { length.unwrap_or(1.0) } else { 1.0 };
        let pairs = self.powers_mw.iter().zip(&self.lengths_s).map(|(power, length)| (*power, weight(*length)));
        let spread = stats::weighted_spread(pairs)?;
        Some(RailSummary {
            rail,
            sample_count: spread.count,
            min_mw: spread.min,
            max_mw: spread.max,
            avg_mw: spread.mean,
            p50_mw: stats::percentile(&self.powers_mw, 50.0)?,
            p95_mw: stats::percentile(&self.powers_mw, 95.0)?,
            energy_j: self.energy.0.map(|energy| energy.0),
        })
    }
}

/// The whole chip; one rail alone is not called that.
fn whole<T: Sum + Copy>(rails: &Rails<T>) -> Option<T> {
    let summed =
        || rails.cpu.zip(rails.gpu).map(|(cpu, gpu)| [Some(cpu), Some(gpu), rails.ane].into_iter().flatten().sum());
    rails.combined.or_else(summed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(milliwatts: f64) -> Rails<Milliwatts> {
        Rails { gpu: Some(Milliwatts(milliwatts)), ..Rails::default() }
    }

    fn row(builder: &SummaryBuilder, rail: SummaryRail) -> Option<RailSummary> {
        builder.summaries().into_iter().find(|summary| summary.rail == rail)
    }

    #[test]
    fn mean_follows_measured_lengths_and_energy_is_power_times_length() {
        let mut builder = SummaryBuilder::default();
        builder.add_parts(&gpu(1_000.0), &Rails::default(), Some(Duration::from_secs(3)));
        builder.add_parts(&gpu(5_000.0), &Rails::default(), Some(Duration::from_secs(1)));
        let summary = row(&builder, SummaryRail::Gpu).unwrap();
        assert_eq!(
            (summary.min_mw, summary.max_mw, summary.avg_mw, summary.p50_mw),
            (1_000.0, 5_000.0, 2_000.0, 3_000.0)
        );
        assert_eq!(summary.energy_j, Some(8.0));
        assert_eq!(builder.duration(), Some(Duration::from_secs(4)));
    }

    #[test]
    fn a_rail_that_nobody_reports_has_no_row_and_zero_watts_has_one() {
        let mut builder = SummaryBuilder::default();
        assert!(builder.summaries().is_empty());
        builder.add_parts(&gpu(0.0), &Rails::default(), Some(Duration::from_secs(1)));
        assert_eq!(row(&builder, SummaryRail::Cpu), None);
        assert_eq!(row(&builder, SummaryRail::Gpu).unwrap().energy_j, Some(0.0));
        assert_eq!(row(&builder, SummaryRail::Soc), None, "the GPU alone is not the chip");
    }

    #[test]
    fn without_lengths_the_mean_is_plain_and_there_is_no_energy() {
        let mut builder = SummaryBuilder::default();
        builder.add_parts(&gpu(100.0), &Rails::default(), None);
        builder.add_parts(&gpu(300.0), &Rails::default(), None);
        let summary = row(&builder, SummaryRail::Gpu).unwrap();
        assert_eq!((summary.avg_mw, summary.energy_j, builder.duration()), (200.0, None, None));
    }

    #[test]
    fn the_chip_is_the_source_s_own_sum_where_it_gives_one() {
        let mut builder = SummaryBuilder::default();
        let power = Rails { cpu: Some(Milliwatts(40.0)), combined: Some(Milliwatts(101.0)), ..gpu(60.0) };
        builder.add_parts(&power, &Rails::default(), Some(Duration::from_secs(1)));
        builder.add_parts(&Rails { combined: None, ..power }, &Rails::default(), Some(Duration::from_secs(1)));
        let summary = row(&builder, SummaryRail::Soc).unwrap();
        assert_eq!((summary.min_mw, summary.max_mw), (100.0, 101.0));
    }
}
