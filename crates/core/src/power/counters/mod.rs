//! Power without any rights: Apple's energy counters (IOReport) and the SMC.
//!
//! Knows how to keep reading on a thread of its own, since a reading blocks for its window. Leaves to others: what a reading
//! is worth ([`rules`]), the process that reads ([`child`]) and the reading itself (`system`, which exists on Macs alone).

pub mod child;
pub mod rules;
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
pub mod system;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use self::rules::{Frozen, Reading, Rules};
use super::{Boundary, PassedOver, PowerError, PowerSource, SourceDescription, Way};
use crate::clock::Clock;
use crate::sample::{Origin, PowerSample};

/// Shorter windows measure how the counters are published, not power.
pub const SHORTEST_WINDOW: Duration = Duration::from_secs(1);
/// Samples that wait for the caller.
const WAITING_SAMPLES: usize = 64;

/// Reads counters. Made and used on one thread.
pub trait Counters {
    /// Mean power over the next `window`; blocks for it.
    ///
    /// # Errors
    /// In words. The reader is of no more use.
    fn read(&mut self, window: Duration) -> Result<Reading, String>;
}

/// Samples of the counters. Dropping it ends the thread after its window.
#[derive(Debug)]
pub struct CounterSource {
    samples: mpsc::Receiver<Result<PowerSample, PowerError>>,
    frozen: Arc<Mutex<Option<Frozen>>>,
    interval_ms: u32,
    passed_over: Vec<PassedOver>,
}

impl CounterSource {
    /// Starts reading every `interval_ms`, or every second where that is longer. `open` is called on the reading thread.
    ///
    /// # Errors
    /// [`PowerError::Unavailable`] when there are no counters to read.
    pub async fn start<C: Counters>(
        open: impl FnOnce() -> Result<C, String> + Send + 'static,
        interval_ms: u32,
        clock: Clock,
    ) -> Result<Self, PowerError> {
        let window = Duration::from_millis(interval_ms.into()).max(SHORTEST_WINDOW);
        let (sender, samples) = mpsc::channel(WAITING_SAMPLES);
        let (opened, answer) = oneshot::channel();
        let frozen = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&frozen);
        std::thread::Builder::new().name("counters".to_owned()).spawn(move || {
            let counters = match open() {
                Ok(counters) => counters,
                Err(detail) => {
                    drop(opened.send(Err(detail)));
                    return;
                }
            };
            if opened.send(Ok(())).is_ok() {
                read_on(counters, window, clock, &shared, &sender);
            }
        })?;
        match answer.await {
            Ok(Ok(())) => {
                let interval_ms = u32::try_from(window.as_millis()).unwrap_or(u32::MAX);
                Ok(Self { samples, frozen, interval_ms, passed_over: Vec::new() })
            }
            Ok(Err(detail)) => Err(PowerError::Unavailable { detail }),
            Err(_) => Err(PowerError::Unavailable { detail: "the reader of the counters broke".to_owned() }),
        }
    }

    /// Says which better ways were not to be had.
    pub(super) fn passed_over(&mut self, ways: Vec<PassedOver>) {
        self.passed_over = ways;
    }

    /// Whether the counters stand still.
    #[must_use]
    pub fn frozen(&self) -> Option<Frozen> {
        *self.frozen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_on(
    mut counters: impl Counters,
    window: Duration,
    clock: Clock,
    frozen: &Mutex<Option<Frozen>>,
    samples: &mpsc::Sender<Result<PowerSample, PowerError>>,
) {
    let mut start = clock.now();
    let mut rules = Rules::new(start);
    while !samples.is_closed() {
        let reading = counters.read(window);
        let end = clock.now();
        let outcome = match reading {
            Ok(reading) => {
                let sample = rules.take(&reading, start, end);
                *frozen.lock().unwrap_or_else(PoisonError::into_inner) = rules.frozen();
                sample.map(Ok)
            }
            Err(detail) => Some(Err(PowerError::Unavailable { detail })),
        };
        start = end;
        let Some(outcome) = outcome else { continue };
        let is_over = outcome.is_err();
        if samples.blocking_send(outcome).is_err() || is_over {
            return;
        }
    }
}

impl PowerSource for CounterSource {
    async fn next_sample(&mut self) -> Result<Option<PowerSample>, PowerError> {
        match self.samples.recv().await {
            Some(outcome) => outcome.map(Some),
            // the thread ends in order only when nobody listens
            None => Err(PowerError::Unavailable { detail: "the reader of the counters broke".to_owned() }),
        }
    }

    async fn mark(&mut self, _boundary: Boundary) -> Result<(), PowerError> {
        Ok(())
    }

    async fn stop(&mut self) {
        self.samples.close();
    }

    fn description(&self) -> SourceDescription {
        SourceDescription {
            name: "counters".to_owned(),
            origin: Origin::Counters,
            requested_interval_ms: Some(self.interval_ms),
            samplers: Vec::new(),
            helper_version: None,
            way: Some(Way::Counters),
            passed_over: self.passed_over.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives these readings at once, then fails.
    struct Fake(Vec<Reading>);

    impl Counters for Fake {
        fn read(&mut self, window: Duration) -> Result<Reading, String> {
            assert!(window >= SHORTEST_WINDOW);
            std::thread::sleep(Duration::from_millis(5));
            self.0.pop().ok_or_else(|| "the counters went away".to_owned())
        }
    }

    #[tokio::test]
    async fn readings_become_samples_and_a_failure_ends_them() {
        let reading = Reading { cpu_w: 1.0, chip_w: 1.0, ..Reading::default() };
        let mut source = CounterSource::start(move || Ok(Fake(vec![reading; 2])), 250, Clock::start()).await.unwrap();
        assert_eq!(source.description().requested_interval_ms, Some(1_000));
        let first = source.next_sample().await.unwrap().unwrap();
        let second = source.next_sample().await.unwrap().unwrap();
        assert_eq!(first.end, second.start, "windows follow each other without a gap");
        assert_eq!(second.power.cpu.unwrap().0, 1_000.0);
        assert_eq!(source.frozen(), None);
        let error = source.next_sample().await.unwrap_err();
        assert!(error.is_fatal() && error.to_string().contains("went away"), "{error}");
    }

    #[tokio::test]
    async fn a_machine_without_counters_says_so() {
        let open = || Err::<Fake, _>("no such thing".to_owned());
        let error = CounterSource::start(open, 1_000, Clock::start()).await.unwrap_err();
        assert!(matches!(error, PowerError::Unavailable { detail } if detail == "no such thing"));
    }

    #[tokio::test]
    async fn a_reader_that_panics_is_an_error_and_no_hang() {
        let open = || -> Result<Fake, String> { panic!("as a reader of a new chip may") };
        assert!(CounterSource::start(open, 1_000, Clock::start()).await.is_err());
    }
}
