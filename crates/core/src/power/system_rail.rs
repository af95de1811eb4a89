//! The whole machine's power (SMC `PSTR`) beside a source that knows the chip alone: a second rail, never added to the first.
//!
//! Knows how to average readings over a sample. Leaves to others: reading (`super::counters::system` on a Mac).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, MonotonicTime};
use crate::sample::PowerSample;
use crate::units::Milliwatts;

/// How often the SMC is asked. It forms its own estimate about once a second.
const EVERY: Duration = Duration::from_millis(250);
/// How long readings are kept: the longest sample and some delay.
const KEPT: Duration = Duration::from_secs(75);
/// No Mac draws more.
const MAX_W: f64 = 1_000.0;

/// Recent readings, kept by a thread that ends with the last handle.
#[derive(Clone, Debug, Default)]
pub struct SystemRail {
    readings: Arc<Mutex<VecDeque<(MonotonicTime, Milliwatts)>>>,
}

impl SystemRail {
    /// Starts the thread. `open` is called on it and gives the reader, in watts; without a reader there is no rail.
    pub fn start<R: FnMut() -> Option<f32>>(open: impl FnOnce() -> Option<R> + Send + 'static, clock: Clock) -> Self {
        let rail = Self::default();
        let readings = Arc::downgrade(&rail.readings);
        // without a thread the rail stays empty, as on a machine without the sensor
        drop(std::thread::Builder::new().name("system power".to_owned()).spawn(move || {
            let Some(mut read) = open() else { return };
            while let Some(readings) = readings.upgrade() {
                let watts = read();
                Self { readings }.push(watts, clock.now());
                std::thread::sleep(EVERY);
            }
        }));
        rail
    }

    /// Takes a reading that was made at `now`. No machine draws 0 W, so 0 is no reading.
    fn push(&self, watts: Option<f32>, now: MonotonicTime) {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        while readings.front().is_some_and(|(at, _)| now.saturating_since(*at) > KEPT) {
            readings.pop_front();
        }
        let watts = watts.map(f64::from).filter(|watts| *watts > 0.0 && *watts <= MAX_W);
        readings.extend(watts.map(|watts| (now, Milliwatts(watts * 1e3))));
    }

    /// Mean of the readings from `start` to `end`; `None` without any.
    fn mean(&self, start: MonotonicTime, end: MonotonicTime) -> Option<Milliwatts> {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let inside: Vec<f64> =
            readings.iter().filter(|(at, _)| *at > start && *at <= end).map(|(_, power)| power.0).collect();
        (!inside.is_empty()).then(|| Milliwatts(inside.iter().sum::<f64>() / inside.len() as f64))
    }

    /// Adds the rail to a sample that lacks it.
    pub fn complete(&self, sample: &mut PowerSample) {
        if sample.power.system.is_none() {
            sample.power.system = self.mean(sample.start, sample.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn readings_inside_a_sample_are_averaged_and_others_are_not() {
        let rail = SystemRail::default();
        for (at_ms, watts) in [(0, 99.0), (100, 10.0), (200, 20.0), (300, 99.0)] {
            rail.push(Some(watts), MonotonicTime(at_ms * MS));
        }
        assert_eq!(rail.mean(MonotonicTime(0), MonotonicTime(200 * MS)), Some(Milliwatts(15_000.0)));
        assert_eq!(rail.mean(MonotonicTime(300 * MS), MonotonicTime(400 * MS)), None);
    }

    #[test]
    fn what_no_machine_draws_is_no_reading() {
        let rail = SystemRail::default();
        for watts in [None, Some(0.0), Some(-1.0), Some(f32::NAN), Some(f32::INFINITY), Some(2_000.0)] {
            rail.push(watts, MonotonicTime(1));
        }
        assert_eq!(rail.mean(MonotonicTime(0), MonotonicTime(2)), None);
    }

    #[test]
    fn old_readings_are_forgotten() {
        let rail = SystemRail::default();
        for second in 0..1_000 {
            rail.push(Some(1.0), MonotonicTime(second * 1_000 * MS));
        }
        assert_eq!(rail.readings.lock().unwrap().len(), 76);
    }

    #[test]
    fn the_thread_reads_and_ends_with_its_handle() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let clock = Clock::start();
        let rail = SystemRail::start(
            move || {
                Some(move || {
                    sender.send(()).unwrap();
                    Some(7.5)
                })
            },
            clock,
        );
        receiver.recv_timeout(Duration::from_secs(5)).unwrap();
        receiver.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(rail.mean(MonotonicTime(-1), clock.now()), Some(Milliwatts(7_500.0)));
        drop(rail);
        while receiver.recv_timeout(Duration::from_secs(5)).is_ok() {}
        let ended = receiver.recv_timeout(Duration::from_secs(5));
        assert_eq!(ended, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    }
}
