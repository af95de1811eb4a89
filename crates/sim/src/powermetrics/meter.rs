//! The energy counters of the simulated chip and the samples that are read off them.
//!
//! A counter is the model's energy since sampling began, in whole mJ. A sample holds the difference of two readings, so that
//! no energy is lost between windows: neither by rounding, nor when a change of activity becomes known only after the window
//! in which it happened (its energy then comes with the next sample).

use crate::model::{PowerModel, Pressure, Rail, Residency};

/// The driver's own GPU counter is read this much before the others; so the two GPU energies of a document differ a little.
const DRIVER_LAG_NS: i64 = 1_500_000;

/// What the tool knows at the end of one window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// Number of the sample, from 0.
    pub(super) index: u64,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    pub(super) cpu_mj: i64,
    pub(super) gpu_mj: i64,
    pub(super) ane_mj: i64,
    /// `gpu.gpu_energy`, the second reading.
    pub(super) gpu_driver_mj: i64,
    pub(super) residency: Residency,
    pub(super) pressure: Pressure,
}

impl Sample {
    pub(super) fn elapsed_ns(&self) -> i64 {
        self.end_ns - self.start_ns
    }

    pub(super) fn elapsed_s(&self) -> f64 {
        self.elapsed_ns() as f64 * 1e-9
    }

    /// Mean power in mW that belongs to an energy of this sample, as the tool calculates it.
    pub(super) fn power_mw(&self, energy_mj: i64) -> f64 {
        energy_mj as f64 / self.elapsed_s()
    }
}

/// Cuts time into windows without gaps and reads the counters at each end.
#[derive(Debug)]
pub(super) struct Meter {
    batch_ns: i64,
    samples: u64,
    last_ns: i64,
    rails: [Counter; 3],
    driver: Counter,
}

impl Meter {
    /// The first window begins at `start_ns`. With `batch_ns` above 0 the counters show only what was spent up to the last
    /// multiple of it.
    pub(super) fn new(start_ns: i64, batch_ns: i64) -> Self {
        Self {
            batch_ns,
            samples: 0,
            last_ns: start_ns,
            rails: Rail::ALL.map(|rail| Counter::new(rail, start_ns)),
            driver: Counter::new(Rail::Gpu, start_ns),
        }
    }

    /// Start of the window that is open.
    pub(super) fn window_start_ns(&self) -> i64 {
        self.last_ns
    }

    /// Number of samples so far.
    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// Ends the open window at `end_ns` and begins the next one there.
    pub(super) fn sample(&mut self, model: &PowerModel, end_ns: i64) -> Sample {
        let start_ns = self.last_ns;
        let end_ns = end_ns.max(start_ns + 1);
        let published_ns = if self.batch_ns > 0 { end_ns.div_euclid(self.batch_ns) * self.batch_ns } else { end_ns };
        let [cpu_mj, gpu_mj, ane_mj] = self.rails.each_mut().map(|counter| counter.read(model, published_ns));
        let gpu_driver_mj = self.driver.read(model, end_ns - DRIVER_LAG_NS);
        let sample = Sample {
            index: self.samples,
            start_ns,
            end_ns,
            cpu_mj,
            gpu_mj,
            ane_mj,
            gpu_driver_mj,
            residency: model.residency(start_ns, end_ns),
            pressure: model.pressure(end_ns),
        };
        self.samples += 1;
        self.last_ns = end_ns;
        sample
    }
}

#[derive(Debug)]
struct Counter {
    rail: Rail,
    start_ns: i64,
    read_ns: i64,
    read_mj: i64,
    /// Idle and noise up to `read_ns`: never changes afterwards, unlike the energy of loads that become known late.
    unloaded_j: f64,
}

impl Counter {
    fn new(rail: Rail, start_ns: i64) -> Self {
        Self { rail, start_ns, read_ns: start_ns, read_mj: 0, unloaded_j: 0.0 }
    }

    /// Whole mJ since the last reading.
    #[expect(clippy::cast_possible_truncation, reason = "saturating; a Mac needs 1e16 s for that many mJ")]
    fn read(&mut self, model: &PowerModel, at_ns: i64) -> i64 {
        let at_ns = at_ns.max(self.read_ns);
        self.unloaded_j += model.unloaded_energy_j(self.rail, self.read_ns, at_ns);
        self.read_ns = at_ns;
        let total_j = self.unloaded_j + model.load_energy_j(self.rail, self.start_ns, at_ns);
        let total_mj = (total_j * 1e3) as i64;
        let difference_mj = total_mj - self.read_mj;
        self.read_mj = total_mj;
        difference_mj
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::{Change, State};
    use crate::model::Parameters;

    const MS: i64 = 1_000_000;

    fn change(at_ms: i64, state: State) -> Change {
        Change { mono_ns: at_ms * MS, state, request: Some("a".into()), utilization: None }
    }

    fn loaded() -> PowerModel {
        let mut model = PowerModel::new(Parameters::default(), 5);
        for change in [change(1_000, State::Prefill), change(1_400, State::Decode), change(6_000, State::Idle)] {
            model.push(change);
        }
        model
    }

    #[test]
    fn windows_are_contiguous_and_their_energies_add_up_to_the_models() {
        let model = loaded();
        let mut meter = Meter::new(123, 0);
        let samples: Vec<Sample> =
            (1..100).map(|index| meter.sample(&model, index * 107 * MS + (index * index * 7_919) % MS)).collect();
        for pair in samples.windows(2) {
            assert_eq!(pair[0].end_ns, pair[1].start_ns);
            assert_eq!(pair[0].index + 1, pair[1].index);
        }
        let end_ns = samples.last().unwrap().end_ns;
        let sum_mj = |energy_mj: fn(&Sample) -> i64| samples.iter().map(energy_mj).sum::<i64>() as f64;
        for (rail, sum_mj) in [(Rail::Cpu, sum_mj(|sample| sample.cpu_mj)), (Rail::Gpu, sum_mj(|sample| sample.gpu_mj))]
        {
            let exact_mj = model.energy(rail, 123, end_ns) * 1e3;
            assert!((0.0..=1.0).contains(&(exact_mj - sum_mj)), "{rail:?}: {exact_mj} {sum_mj}");
        }
        assert!(samples.iter().all(|sample| sample.ane_mj == 0));
    }

    #[test]
    fn energy_of_a_change_that_was_told_late_comes_with_the_next_sample() {
        let (model, mut unaware) = (loaded(), PowerModel::new(Parameters::default(), 5));
        let mut meter = Meter::new(0, 0);
        let first = meter.sample(&unaware, 1_200 * MS);
        for change in [change(1_000, State::Prefill), change(1_400, State::Decode), change(6_000, State::Idle)] {
            unaware.push(change);
        }
        let second = meter.sample(&unaware, 2_400 * MS);
        let exact_mj = model.energy(Rail::Gpu, 0, 2_400 * MS) * 1e3;
        assert!(first.gpu_mj < 100, "the load is not known yet: {}", first.gpu_mj);
        assert!((exact_mj - (first.gpu_mj + second.gpu_mj) as f64).abs() <= 1.0);
    }

    #[test]
    fn batched_counters_stand_still_and_then_jump_without_losing_energy() {
        let model = loaded();
        let mut meter = Meter::new(0, 2_200 * MS);
        let samples: Vec<Sample> = (1..=88).map(|index| meter.sample(&model, index * 100 * MS)).collect();
        assert!(samples.iter().filter(|sample| sample.cpu_mj == 0).count() >= 80);
        let sum_mj: i64 = samples.iter().map(|sample| sample.gpu_mj).sum();
        assert!((model.energy(Rail::Gpu, 0, 8_800 * MS) * 1e3 - sum_mj as f64).abs() <= 1.0);
        // the driver's own counter is live
        assert!(samples[20..50].iter().all(|sample| sample.gpu_driver_mj > 1_000));
    }
}
