//! What a window of energy counters is worth. Pure: readings with their instants in, samples out.
//!
//! The reader gives plain numbers, in which 0 stands for "no power" and for "nobody says" alike. A rail's 0 is believed only
//! once the rail has moved. The CPU of a running Mac always draws power, so a window without CPU energy is one in which the
//! counters were not published: such windows are joined with the next that has some (macOS 27 publishes about every 2 s), and
//! after [`FROZEN_AFTER`] the counters count as frozen. What a first window after that covers is unknown, so it is not taken.

use std::time::Duration;

use crate::clock::MonotonicTime;
use crate::sample::{Origin, PowerSample, Rails};
use crate::units::Milliwatts;

/// How long counters may stand still before they count as frozen.
pub const FROZEN_AFTER: Duration = Duration::from_secs(5);
/// No rail of a Mac draws more.
const MAX_W: f64 = 1_000.0;

/// Mean power over one window, in watts; 0 where there is no power or where nobody says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// All CPU clusters.
    pub cpu_w: f32,
    /// The GPU.
    pub gpu_w: f32,
    /// The neural engine.
    pub ane_w: f32,
    /// Memory.
    pub dram_w: f32,
    /// CPU, GPU and neural engine together, as the reader adds them.
    pub chip_w: f32,
    /// The whole machine (SMC `PSTR`). The reader puts `chip_w` here where that is more, or where there is none.
    pub system_w: f32,
}

/// Counters that stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// When they last moved; `None` when they never did since the reader was started.
    pub last_moved: Option<MonotonicTime>,
    /// When the reader was started.
    pub started: MonotonicTime,
}

impl Frozen {
    /// Why there is no figure, for people.
    pub const REASON: &'static str =
        "macOS does not publish the CPU’s energy to programs without rights; it does while powermetrics runs.";

    /// How long they have stood still.
    #[must_use]
    pub fn age(&self, now: MonotonicTime) -> Duration {
        now.saturating_since(self.last_moved.unwrap_or(self.started))
    }
}

/// Watts over time, as far as both are known.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    energy_j: f64,
    time_s: f64,
}

impl Sum {
    fn add(&mut self, watts: Option<f64>, time_s: f64) {
        if let Some(watts) = watts {
            self.energy_j += watts * time_s;
            self.time_s += time_s;
        }
    }

    fn mean(self) -> Option<Milliwatts> {
        (self.time_s > 0.0).then(|| Milliwatts(self.energy_j / self.time_s * 1e3))
    }
}

/// One rail over the windows that wait for its counters.
#[derive(Clone, Copy, Debug, Default)]
struct RailState {
    has_moved: bool,
    sum: Sum,
}

impl RailState {
    fn add(&mut self, watts: Option<f64>, time_s: f64) {
        self.has_moved |= watts.is_some_and(|watts| watts > 0.0);
        self.sum.add(watts, time_s);
    }

    fn take(&mut self) -> Option<Milliwatts> {
        let sum = std::mem::take(&mut self.sum);
        sum.mean().filter(|_| self.has_moved)
    }
}

/// Turns windows into samples.
#[derive(Clone, Debug)]
pub struct Rules {
    started: MonotonicTime,
    /// Start of the windows that wait.
    waiting_since: Option<MonotonicTime>,
    cpu_moved: Option<MonotonicTime>,
    is_frozen: bool,
    cpu: RailState,
    gpu: RailState,
    ane: RailState,
    dram: RailState,
    system: RailState,
}

impl Rules {
    /// Nothing was read yet.
    #[must_use]
    pub fn new(now: MonotonicTime) -> Self {
        Self {
            started: now,
            waiting_since: None,
            cpu_moved: None,
            is_frozen: false,
            cpu: RailState::default(),
            gpu: RailState::default(),
            ane: RailState::default(),
            dram: RailState::default(),
            system: RailState::default(),
        }
    }

    /// Whether the counters stand still.
    #[must_use]
    pub fn frozen(&self) -> Option<Frozen> {
        self.is_frozen.then_some(Frozen { last_moved: self.cpu_moved, started: self.started })
    }

    /// Takes the window from `start` to `end`. `None` while its energy may still be published with a later one's.
    pub fn take(&mut self, reading: &Reading, start: MonotonicTime, end: MonotonicTime) -> Option<PowerSample> {
        let time_s = end.seconds_since(start);
        // nothing has a mean over no time
        if time_s <= 0.0 {
            return None;
        }
        let moves = watts(reading.cpu_w).is_some_and(|cpu_w| cpu_w > 0.0);
        let thaws = self.is_frozen && moves;
        let since = *self.waiting_since.get_or_insert(start);
        for (rail, value) in
            [(&mut self.cpu, reading.cpu_w), (&mut self.ane, reading.ane_w), (&mut self.dram, reading.dram_w)]
        {
            // after a standstill the counters bring along what they gathered in it
            if !thaws {
                rail.add(watts(value), time_s);
            }
        }
        self.gpu.add(watts(reading.gpu_w), time_s);
        self.system.add(system_watts(reading), time_s);
        if moves {
            self.cpu_moved = Some(end);
            self.is_frozen = false;
        } else if !self.is_frozen {
            let still = end.saturating_since(self.cpu_moved.unwrap_or(self.started));
            if still < FROZEN_AFTER {
                return None;
            }
            self.is_frozen = true;
        }
        self.waiting_since = None;
        let published = moves && !thaws;
        let [cpu, ane, dram] =
            [&mut self.cpu, &mut self.ane, &mut self.dram].map(|rail| rail.take().filter(|_| published));
        let power = Rails { cpu, gpu: self.gpu.take(), ane, dram, combined: None, system: self.system.take() };
        Some(PowerSample {
            start: since,
            end,
            elapsed: end.saturating_since(since),
            power,
            energy: Rails::default(),
            gpu_frequency: None,
            gpu_active: None,
            thermal_pressure: None,
            hw_model: None,
            timestamp_unix_s: None,
            origin: Origin::Counters,
        })
    }
}

/// A power that can be true.
fn watts(value: f32) -> Option<f64> {
    let value = f64::from(value);
    (0.0..=MAX_W).contains(&value).then_some(value)
}

/// The machine's power: not where the reader has put the chip's in its place, and not 0, which no machine draws.
fn system_watts(reading: &Reading) -> Option<f64> {
    watts(reading.system_w).filter(|system_w| *system_w > 0.0 && reading.system_w.to_bits() != reading.chip_w.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn reading(cpu_w: f32, gpu_w: f32) -> Reading {
        Reading { cpu_w, gpu_w, chip_w: cpu_w + gpu_w, ..Reading::default() }
    }

    /// Windows of one second each, from zero.
    fn played(readings: &[Reading]) -> (Rules, Vec<PowerSample>) {
        let mut rules = Rules::new(MonotonicTime(0));
        let windows = readings.iter().zip(0..);
        let samples = windows
            .filter_map(|(reading, at)| rules.take(reading, MonotonicTime(at * S), MonotonicTime((at + 1) * S)))
            .collect();
        (rules, samples)
    }

    fn mw(power: Option<Milliwatts>) -> Option<f64> {
        power.map(|power| power.0)
    }

    fn near(power: Option<Milliwatts>, mw: f64) -> bool {
        power.is_some_and(|power| (power.0 - mw).abs() < 0.01)
    }

    #[test]
    fn watts_become_milliwatts() {
        let full = Reading { cpu_w: 2.5, gpu_w: 10.0, ane_w: 0.5, dram_w: 1.25, chip_w: 13.0, system_w: 30.0 };
        let (rules, samples) = played(&[full]);
        let power = samples[0].power;
        assert_eq!(
            [power.cpu, power.gpu, power.ane, power.dram].map(mw),
            [2_500.0, 10_000.0, 500.0, 1_250.0].map(Some)
        );
        assert_eq!((mw(power.system), power.combined), (Some(30_000.0), None));
        assert_eq!((samples[0].elapsed, samples[0].origin), (Duration::from_secs(1), Origin::Counters));
        assert_eq!(rules.frozen(), None);
    }

    #[test]
    fn a_zero_is_unknown_until_the_rail_has_moved() {
        let with_ane = Reading { ane_w: 0.5, ..reading(2.0, 3.0) };
        let (_, samples) = played(&[reading(2.0, 0.0), with_ane, reading(2.0, 0.0)]);
        let seen: Vec<_> = samples.iter().map(|sample| (mw(sample.power.gpu), mw(sample.power.ane))).collect();
        assert_eq!(seen, [(None, None), (Some(3_000.0), Some(500.0)), (Some(0.0), Some(0.0))]);
    }

    #[test]
    fn counters_that_never_move_are_frozen_and_never_0_w() {
        let (rules, samples) = played(&[reading(0.0, 4.0); 8]);
        let frozen = rules.frozen().unwrap();
        assert_eq!(frozen, Frozen { last_moved: None, started: MonotonicTime(0) });
        assert_eq!(frozen.age(MonotonicTime(8 * S)), Duration::from_secs(8));
        // five windows wait for energy that never comes, then each stands alone
        assert_eq!(samples.len(), 4);
        assert!(samples.iter().all(|sample| sample.power.cpu.is_none() && near(sample.power.gpu, 4_000.0)));
        assert_eq!(samples[0].elapsed, Duration::from_secs(5));
    }

    #[test]
    fn counters_that_stop_moving_are_frozen_since_they_did() {
        let mut all = vec![Reading { ane_w: 1.0, dram_w: 2.0, ..reading(3.0, 1.0) }; 2];
        all.extend([reading(0.0, 1.0); 6]);
        let (rules, samples) = played(&all);
        assert_eq!(rules.frozen().unwrap().last_moved, Some(MonotonicTime(2 * S)));
        assert_eq!(samples.len(), 4);
        for sample in &samples[2..] {
            assert_eq!((sample.power.cpu, sample.power.ane, sample.power.dram), (None, None, None));
        }
        assert_eq!(samples[2].elapsed, Duration::from_secs(5));
    }

    #[test]
    fn what_a_thaw_brings_along_is_not_taken() {
        let mut all = vec![reading(3.0, 1.0)];
        all.extend([reading(0.0, 1.0); 6]);
        all.extend([reading(400.0, 1.0), reading(3.0, 1.0)]);
        let (rules, samples) = played(&all);
        let last = &samples[samples.len() - 2..];
        assert_eq!((mw(last[0].power.cpu), mw(last[1].power.cpu)), (None, Some(3_000.0)));
        assert_eq!(rules.frozen(), None);
    }

    #[test]
    fn windows_are_joined_until_the_counters_are_published() {
        let batches = [reading(4.0, 1.0), reading(0.0, 1.0), reading(8.0, 1.0), reading(0.0, 3.0), reading(6.0, 1.0)];
        let (rules, samples) = played(&batches);
        assert_eq!(samples.len(), 3);
        assert_eq!(samples[1].elapsed, Duration::from_secs(2));
        assert_eq!((samples[1].start, samples[1].end), (MonotonicTime(S), MonotonicTime(3 * S)));
        assert!(near(samples[1].power.cpu, 4_000.0) && near(samples[2].power.cpu, 3_000.0));
        assert!(near(samples[2].power.gpu, 2_000.0));
        assert_eq!(rules.frozen(), None);
        let covered: f64 = samples.iter().map(|sample| sample.elapsed.as_secs_f64()).sum();
        assert_eq!(covered, 5.0, "no time is lost");
    }

    #[test]
    fn the_machines_power_is_missing_where_the_reader_made_it_up() {
        let made_up = Reading { system_w: 5.0, ..reading(2.0, 3.0) };
        let none = reading(2.0, 3.0);
        let real = Reading { system_w: 5.5, ..reading(2.0, 3.0) };
        let (_, samples) = played(&[made_up, none, real]);
        let system: Vec<_> = samples.iter().map(|sample| mw(sample.power.system)).collect();
        assert_eq!(system, [None, None, Some(5_500.0)]);
    }

    #[test]
    fn numbers_that_can_not_be_true_are_missing() {
        for wrong in [f32::NAN, f32::INFINITY, -1.0, 5_000.0] {
            let (_, samples) = played(&[reading(1.0, 1.0), reading(1.0, wrong)]);
            assert_eq!(samples[1].power.gpu, None, "{wrong}");
        }
        let mut rules = Rules::new(MonotonicTime(0));
        assert_eq!(rules.take(&reading(1.0, 1.0), MonotonicTime(S), MonotonicTime(S)), None);
    }
}
