//! One monotonic clock for a whole session. Pure code never reads it: it is handed a [`MonotonicTime`].

use std::ops::{Add, Sub};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An instant on the session's monotonic clock: nanoseconds since the clock's origin.
/// Negative for what happened before it. Comparable only with instants of the same session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct MonotonicTime(pub i64);

impl MonotonicTime {
    /// Time passed since `earlier`, signed, in seconds.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 * 1e-9
    }

    /// Time passed since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl Add<Duration> for MonotonicTime {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub<Duration> for MonotonicTime {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

/// The system's monotonic clock with an origin of its own. Cheap to copy; all copies agree.
///
/// The raw reading is `CLOCK_UPTIME_RAW` on macOS and `CLOCK_MONOTONIC` elsewhere, the same one that the helper
/// stamps its samples with, so that instants from both processes can be compared ([`Clock::from_raw`]).
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin_raw_ns: i64,
}

impl Clock {
    /// A clock that reads zero now.
    #[must_use]
    pub fn start() -> Self {
        Self::starting_at(MonotonicTime(0))
    }

    /// A clock that reads `time` now, to go on where an interrupted session ended.
    #[must_use]
    pub fn starting_at(time: MonotonicTime) -> Self {
        Self { origin_raw_ns: raw_monotonic_ns() - time.0 }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> MonotonicTime {
        self.from_raw(raw_monotonic_ns())
    }

    /// An instant that another process of this machine read from the same system clock, in raw nanoseconds.
    #[must_use]
    #[allow(clippy::wrong_self_convention, reason = "it converts its argument, with the clock as the frame")]
    pub fn from_raw(&self, raw_ns: i64) -> MonotonicTime {
        MonotonicTime(raw_ns - self.origin_raw_ns)
    }

    /// An instant of this clock as `other` reads it. Exact: the two differ in their origins alone.
    #[must_use]
    pub fn on(&self, other: &Self, time: MonotonicTime) -> MonotonicTime {
        MonotonicTime(time.0 + self.origin_raw_ns - other.origin_raw_ns)
    }
}

/// The system's raw monotonic reading in nanoseconds.
#[must_use]
pub fn raw_monotonic_ns() -> i64 {
    #[cfg(target_os = "macos")]
    const CLOCK: libc::clockid_t = libc::CLOCK_UPTIME_RAW;
    #[cfg(not(target_os = "macos"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    let mut reading = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `reading` is a valid, writable timespec for the length of the call.
    let status = unsafe { libc::clock_gettime(CLOCK, &raw mut reading) };
    assert_eq!(status, 0, "the system has no monotonic clock");
    reading.tv_sec * 1_000_000_000 + reading.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_goes_on_where_it_was_told_to_start() {
        let clock = Clock::starting_at(MonotonicTime(5_000_000_000));
        let now = clock.now();
        assert!(now >= MonotonicTime(5_000_000_000));
        assert!(now.seconds_since(MonotonicTime(5_000_000_000)) < 5.0);
    }

    #[test]
    fn an_instant_comes_back_from_another_clock_as_it_was() {
        let (one, other) = (Clock::start(), Clock::starting_at(MonotonicTime(7_000_000_000)));
        let time = MonotonicTime(123);
        assert!(one.on(&other, time) > time);
        assert_eq!(other.on(&one, one.on(&other, time)), time);
    }

    #[test]
    fn time_since_a_later_instant_is_negative_or_zero() {
        let (early, late) = (MonotonicTime(1_000_000_000), MonotonicTime(3_500_000_000));
        assert_eq!(early.seconds_since(late), -2.5);
        assert_eq!(early.saturating_since(late), Duration::ZERO);
        assert_eq!(late - Duration::from_millis(2_500), early);
    }
}
