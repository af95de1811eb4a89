//! The last minute of power, whoever measured it: what the chart, the big figure and the menu bar are made of.
//!
//! Pure: every instant is passed in, on the live clock.

use std::collections::VecDeque;
use std::time::Duration;

use super::state::{LiveSample, Missing, PowerProblem, PowerState, Reading};
use crate::clock::MonotonicTime;
use crate::power::counters::rules::Frozen;
use crate::sample::PowerSample;

/// How much of the past is kept, in seconds.
const KEPT_S: f64 = 60.0;
/// A sample that arrived longer ago than this beyond its interval is held.
const HELD_S: f64 = 1.0;
/// A sample that arrived longer ago than this beyond its interval is no longer shown.
const STALE_S: f64 = 4.0;

/// Recent samples and why there are no newer ones.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    samples: VecDeque<LiveSample>,
    newest: Option<Reading>,
    simulated: bool,
    arrived: Option<MonotonicTime>,
    /// Interval that was asked for, in seconds; `None` where the source decides.
    asked_s: Option<f64>,
    interval_s: f64,
    problem: Option<(PowerProblem, String)>,
    peak_mw: f64,
    frozen: Option<Frozen>,
}

impl Feed {
    /// Takes a sample in that arrived at `now`.
    pub fn push(&mut self, sample: &PowerSample, now: MonotonicTime) -> LiveSample {
        let mw = |power: Option<crate::units::Milliwatts>| power.map(|power| power.0);
        let power = sample.power;
        let live = LiveSample {
            start_ns: sample.start.0,
            end_ns: sample.end.0,
            // what is left of the chip without its CPU is not the chip
            soc_mw: mw(sample.soc_power()).filter(|_| self.frozen.is_none()),
            cpu_mw: mw(power.cpu),
            gpu_mw: mw(power.gpu),
            ane_mw: mw(power.ane),
            dram_mw: mw(power.dram),
            system_mw: mw(power.system),
        };
        // another source's clock may stand elsewhere: nothing of the future stays
        while self.samples.back().is_some_and(|last| last.end_ns > live.end_ns) {
            self.samples.pop_back();
        }
        self.samples.push_back(live.clone());
        while self.samples.front().is_some_and(|first| seconds(first.end_ns, live.end_ns) > KEPT_S) {
            self.samples.pop_front();
        }
        self.newest = Some(Reading {
            end_ns: live.end_ns,
            soc_mw: live.soc_mw,
            cpu_mw: live.cpu_mw,
            gpu_mw: live.gpu_mw,
            ane_mw: live.ane_mw,
            dram_mw: live.dram_mw,
            system_mw: live.system_mw,
            scope: scope(&live),
            missing: None,
        });
        self.simulated = sample.is_simulated();
        self.arrived = Some(now);
        // a sample over a sleep of hours is no promise that the next one may take as long
        self.interval_s = sample.elapsed.as_secs_f64().min(self.asked_s.map_or(STALE_S, |asked_s| 2.0 * asked_s));
        self.problem = None;
        self.peak_mw = live.soc_mw.map_or(self.peak_mw, |mw| self.peak_mw.max(mw));
        live
    }

    /// Says whether the source's counters stand still, before its next sample is pushed.
    pub fn counters_are(&mut self, frozen: Option<Frozen>) {
        self.frozen = frozen;
    }

    /// Says that the source is gone, and why. What it gave stays in the chart.
    pub fn lose(&mut self, problem: PowerProblem, message: String) {
        self.problem = Some((problem, message));
    }

    /// Says that a source was started that samples every `interval`: no problem is known of it. A reading that is still
    /// fresh stands until its first sample.
    pub fn start(&mut self, interval: Option<Duration>, now: MonotonicTime) {
        if !matches!(self.power(now), PowerState::Live { .. } | PowerState::Held { .. }) {
            self.arrived = None;
            self.newest = None;
        }
        self.problem = None;
        self.frozen = None;
        self.asked_s = interval.map(|interval| interval.as_secs_f64());
    }

    /// Forgets everything: another machine, real or simulated, is watched from now on.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// True when the newest sample was simulated.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.simulated && self.newest.is_some()
    }

    /// Highest power of the chip so far, in milliwatts; 0 before the first sample.
    #[must_use]
    pub fn peak_mw(&self) -> f64 {
        self.peak_mw
    }

    /// Samples of the last minute, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &LiveSample> {
        self.samples.iter()
    }

    /// What there is to show at `now`.
    #[must_use]
    pub fn power(&self, now: MonotonicTime) -> PowerState {
        if let Some((reason, message)) = &self.problem {
            return PowerState::None { reason: *reason, message: message.clone() };
        }
        let (Some(reading), Some(arrived)) = (&self.newest, self.arrived) else { return PowerState::Starting };
        let age_s = now.seconds_since(arrived).max(0.0);
        let mut reading = reading.clone();
        reading.missing = self.frozen.map(|frozen| Missing {
            rails: "CPU, Neural Engine, memory".to_owned(),
            reason: Frozen::REASON.to_owned(),
            age_s: frozen.age(now).as_secs() as f64,
        });
        match age_s - self.interval_s {
            late_s if late_s > STALE_S => PowerState::Stale { age_s },
            late_s if late_s > HELD_S => PowerState::Held { reading, age_s },
            _ => PowerState::Live { reading },
        }
    }

    /// Power of the chip over the last `seconds`, weighted by the measured lengths; of the newest sample when it is longer.
    #[must_use]
    pub fn smoothed_mw(&self, seconds: f64) -> Option<f64> {
        let end = self.samples.back()?.end_ns;
        let (mut energy, mut length) = (0.0, 0.0);
        for sample in self.samples.iter().rev() {
            if length > 0.0 && self::seconds(sample.start_ns, end) > seconds + 0.05 {
                break;
            }
            let own_s = self::seconds(sample.start_ns, sample.end_ns);
            energy += sample.soc_mw? * own_s;
            length += own_s;
        }
        (length > 0.0).then_some(energy / length)
    }
}

/// The rails that a sample's chip power covers, in the words of the screen.
fn scope(sample: &LiveSample) -> String {
    let rails = [("GPU", sample.gpu_mw), ("CPU", sample.cpu_mw), ("ANE", sample.ane_mw)];
    let named: Vec<&str> = rails.iter().filter(|(_, mw)| mw.is_some()).map(|(name, _)| *name).collect();
    if named.is_empty() { "Package".to_owned() } else { named.join(" + ") }
}

fn seconds(from_ns: i64, to_ns: i64) -> f64 {
    MonotonicTime(to_ns).seconds_since(MonotonicTime(from_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sample_at;

    fn at(seconds: f64) -> MonotonicTime {
        #[expect(clippy::cast_possible_truncation, reason = "small test times")]
        MonotonicTime((seconds * 1e9) as i64)
    }

    #[test]
    fn readings_are_held_then_stale_and_never_zero() {
        let mut feed = Feed::default();
        assert_eq!(feed.power(at(0.0)), PowerState::Starting);
        feed.push(&sample_at(at(0.0), at(1.0), Some(5_000.0)), at(1.0));
        assert!(matches!(feed.power(at(2.0)), PowerState::Live { .. }));
        assert!(matches!(feed.power(at(3.9)), PowerState::Held { age_s, .. } if (age_s - 2.9).abs() < 1e-9));
        assert!(matches!(feed.power(at(7.0)), PowerState::Stale { age_s } if (age_s - 6.0).abs() < 1e-9));
        feed.lose(PowerProblem::Ended, "gone".into());
        assert!(matches!(feed.power(at(2.0)), PowerState::None { reason: PowerProblem::Ended, .. }));
    }

    #[test]
    fn a_reading_outlives_the_start_of_another_source_only_while_it_is_fresh() {
        let mut feed = Feed::default();
        feed.push(&sample_at(at(0.0), at(1.0), Some(5_000.0)), at(1.0));
        feed.start(Some(Duration::from_millis(250)), at(3.5));
        assert!(matches!(feed.power(at(3.5)), PowerState::Held { .. }));
        feed.start(Some(Duration::from_millis(250)), at(20.0));
        assert_eq!(feed.power(at(20.0)), PowerState::Starting);
        feed.push(&sample_at(at(20.0), at(20.25), Some(5_000.0)), at(20.25));
        feed.lose(PowerProblem::Ended, "gone".into());
        feed.start(None, at(20.5));
        assert_eq!(feed.power(at(20.5)), PowerState::Starting, "nothing is shown of a source that failed");
        feed.clear();
        assert_eq!((feed.recent().count(), feed.peak_mw()), (0, 0.0));
    }

    #[test]
    fn a_sample_over_a_sleep_does_not_make_the_next_silence_look_fresh() {
        let mut feed = Feed::default();
        feed.start(Some(Duration::from_secs(1)), at(0.0));
        feed.push(&sample_at(at(0.0), at(600.0), Some(1_000.0)), at(600.0));
        assert!(matches!(feed.power(at(601.0)), PowerState::Live { .. }));
        assert!(matches!(feed.power(at(607.0)), PowerState::Stale { .. }));
    }

    #[test]
    fn a_hole_of_ten_minutes_and_a_clock_that_goes_back_leave_only_what_is_near() {
        let mut feed = Feed::default();
        for second in 0..70 {
            let start = f64::from(second);
            feed.push(&sample_at(at(start), at(start + 1.0), Some(1_000.0)), at(start + 1.0));
        }
        assert!((60..=61).contains(&feed.recent().count()));
        feed.push(&sample_at(at(670.0), at(671.0), Some(2_000.0)), at(671.0));
        assert_eq!(feed.recent().count(), 1);
        feed.push(&sample_at(at(5.0), at(6.0), Some(3_000.0)), at(671.5));
        assert_eq!(feed.recent().count(), 1);
        assert_eq!(feed.smoothed_mw(5.0), Some(3_000.0));
    }

    #[test]
    fn smoothing_weighs_by_measured_length_and_a_missing_value_stays_missing() {
        let mut feed = Feed::default();
        feed.push(&sample_at(at(0.0), at(3.0), Some(1_000.0)), at(3.0));
        feed.push(&sample_at(at(3.0), at(4.0), Some(5_000.0)), at(4.0));
        assert_eq!(feed.smoothed_mw(1.0), Some(5_000.0));
        assert_eq!(feed.smoothed_mw(5.0), Some(2_000.0));
        feed.push(&sample_at(at(4.0), at(5.0), None), at(5.0));
        assert_eq!(feed.smoothed_mw(1.0), None);
        assert_eq!(feed.peak_mw(), 5_000.0);
    }

    #[test]
    fn frozen_counters_are_missing_with_a_reason_and_an_age_and_never_0_w() {
        let mut feed = Feed::default();
        let mut sample = sample_at(at(0.0), at(1.0), None);
        sample.power.gpu = Some(crate::units::Milliwatts(4_000.0));
        feed.counters_are(Some(Frozen { last_moved: Some(at(-9.0)), started: at(-60.0) }));
        feed.push(&sample, at(1.0));
        let PowerState::Live { reading } = feed.power(at(1.0)) else { panic!("it is fresh") };
        assert_eq!((reading.soc_mw, reading.cpu_mw, reading.gpu_mw), (None, None, Some(4_000.0)));
        let missing = reading.missing.unwrap();
        assert_eq!(missing.age_s, 10.0);
        assert!(missing.reason.contains("powermetrics"));
        feed.counters_are(None);
        feed.push(&sample_at(at(1.0), at(2.0), Some(5_000.0)), at(2.0));
        let PowerState::Live { reading } = feed.power(at(2.0)) else { panic!("it is fresh") };
        assert_eq!((reading.soc_mw, reading.missing), (Some(5_000.0), None));
    }
}
