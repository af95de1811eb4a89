//! Energy of one request, from power samples and instants. Pure arithmetic: nothing here reads a clock or guesses.
//!
//! Samples are means over measured windows, so energy is conserved even where a window straddles a phase edge. Two
//! methods are computed side by side (docs/measuring.md):
//!
//! * **clipped**: every sample counts by its overlap with the window. Gross energy of the request.
//! * **padded**: whole samples are added over the window widened by a pad on both sides, with the idle power taken off
//!   sample by sample. Net energy of the request; it has no error from the edges as long as the pads are idle.

use std::time::Duration;

use crate::clock::MonotonicTime;
use crate::sample::PowerSample;
use crate::stats;
use crate::units::{Joules, Milliwatts};

/// Shortest inference that gives a net energy.
pub const MIN_INFERENCE: Duration = Duration::from_secs(1);
/// Fewest samples that must touch the inference.
pub const MIN_SAMPLES: usize = 4;
/// Fewest samples that must lie wholly before, and wholly after, the inference inside the pads.
pub const MIN_CLEAN_PAD_SAMPLES: usize = 2;
/// A hole between samples above this, and above [`MAX_GAP_INTERVALS`] sample lengths, voids the energy.
pub const MAX_GAP: Duration = Duration::from_secs(1);
/// See [`MAX_GAP`].
pub const MAX_GAP_INTERVALS: f64 = 2.5;
/// The pad on each side, in sample lengths.
pub const PAD_INTERVALS: f64 = 2.0;
/// The pad on each side, in batches of the counters behind the samples, where these are known to publish in batches.
pub const PAD_BATCHES: f64 = 1.5;
/// Prefill shorter than this many sample lengths is not split off.
pub const MIN_PREFILL_INTERVALS: f64 = 4.0;
/// Prefill shorter than this many batches is not split off.
pub const MIN_PREFILL_BATCHES: f64 = 2.0;

/// Mean power over one measured window: what integration needs of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Start of the window.
    pub start: MonotonicTime,
    /// End of the window; `end - start` is the measured length.
    pub end: MonotonicTime,
    /// Mean power over it.
    pub power: Milliwatts,
}

impl Window {
    /// The window of a sample for one scope or rail; `None` where the sample does not know that power.
    #[must_use]
    pub fn of(sample: &PowerSample, power: Option<Milliwatts>) -> Option<Self> {
        power.map(|power| Self { start: sample.start, end: sample.end, power })
    }

    /// Measured length.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.end.saturating_since(self.start)
    }

    /// The instant halfway; it decides to which phase a sample belongs.
    #[must_use]
    pub fn midpoint(&self) -> MonotonicTime {
        MonotonicTime(self.start.0.midpoint(self.end.0))
    }

    fn overlap(&self, from: MonotonicTime, to: MonotonicTime) -> Duration {
        self.end.min(to).saturating_since(self.start.max(from))
    }

    fn touches(&self, from: MonotonicTime, to: MonotonicTime) -> bool {
        self.end > from && self.start < to
    }
}

/// Idle power with its spread: the median over the baseline's samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Idle {
    /// Median power of the samples wholly inside the baseline.
    pub power: Milliwatts,
    /// Their standard deviation; `None` for a single sample.
    pub standard_deviation: Option<Milliwatts>,
    /// How many samples.
    pub count: usize,
}

impl Idle {
    /// Coefficient of variation, 0 upwards; `None` for a single sample or no power at all.
    #[must_use]
    pub fn variation(&self) -> Option<f64> {
        let deviation = self.standard_deviation?;
        (self.power.0 > 0.0).then(|| deviation.0 / self.power.0)
    }
}

/// Idle power over `[from, to]`; `None` when no sample lies wholly inside.
#[must_use]
pub fn idle(windows: &[Window], from: MonotonicTime, to: MonotonicTime) -> Option<Idle> {
    let powers: Vec<f64> =
        windows.iter().filter(|window| window.start >= from && window.end <= to).map(|window| window.power.0).collect();
    Some(Idle {
        power: Milliwatts(stats::median(&powers)?),
        standard_deviation: stats::standard_deviation(&powers).map(Milliwatts),
        count: powers.len(),
    })
}

/// Energy over `[from, to]` by overlap; samples outside count nothing, holes count nothing.
#[must_use]
pub fn clipped(windows: &[Window], from: MonotonicTime, to: MonotonicTime) -> Joules {
    windows.iter().map(|window| window.power * window.overlap(from, to)).sum()
}

/// Why an energy is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum EnergyGap {
    /// No sample of the baseline, so there is no idle power to take off.
    #[error("no power sample lies inside the baseline; use a longer baseline or a shorter interval")]
    NoBaseline,
    /// The request was shorter than [`MIN_INFERENCE`].
    #[error(
        "inference took {seconds:.2} s; below 1 s its energy cannot be told from the sampling; ask for a longer answer"
    )]
    InferenceTooShort {
        /// Length of the inference.
        seconds: f64,
    },
    /// Fewer than [`MIN_SAMPLES`] samples touch the request.
    #[error(
        "only {count} power samples touch the inference (4 are needed); use a shorter --interval or a longer answer"
    )]
    TooFewSamples {
        /// Samples that touch it.
        count: usize,
    },
    /// A pad holds fewer than [`MIN_CLEAN_PAD_SAMPLES`] samples of its own.
    #[error(
        "the pads around the inference hold {before} and {after} clean samples (2 each are needed); use a longer baseline and cooldown"
    )]
    PadNotCovered {
        /// Samples wholly before the request.
        before: usize,
        /// Samples wholly after the request.
        after: usize,
    },
    /// Samples are missing inside the padded window.
    #[error("power samples are missing for {seconds:.2} s around the inference")]
    PowerGap {
        /// Longest hole.
        seconds: f64,
    },
}

/// Net energy of a request by padded integration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Padded {
    /// Energy above idle over the padded window; may be negative.
    pub net: Joules,
    /// Of it, what came after the last token (ramp-down).
    pub tail: Joules,
    /// Length of the pad on each side.
    pub pad: Duration,
    /// Samples that touch the inference.
    pub samples: usize,
}

/// Median length of the samples that touch `[from, to]`, else of all; `None` without samples.
#[must_use]
pub fn sample_length(windows: &[Window], from: MonotonicTime, to: MonotonicTime) -> Option<Duration> {
    let lengths = |only_touching: bool| -> Vec<f64> {
        windows
            .iter()
            .filter(|window| !only_touching || window.touches(from, to))
            .map(|window| window.length().as_secs_f64())
            .collect()
    };
    stats::median(&lengths(true)).or_else(|| stats::median(&lengths(false))).map(Duration::from_secs_f64)
}

/// How the samples were taken, as far as it decides about pads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Typical length of a sample.
    pub interval: Duration,
    /// Period in which the counters behind the samples publish, where it is longer than the samples.
    pub batch: Option<Duration>,
}

impl Sampling {
    /// Length of the pad on each side of a request.
    #[must_use]
    pub fn pad(&self) -> Duration {
        self.interval.mul_f64(PAD_INTERVALS).max(self.batch.unwrap_or_default().mul_f64(PAD_BATCHES))
    }

    /// Shortest prefill that can be split off.
    #[must_use]
    pub fn shortest_prefill(&self) -> Duration {
        let batches = self.batch.unwrap_or_default().mul_f64(MIN_PREFILL_BATCHES);
        self.interval.mul_f64(MIN_PREFILL_INTERVALS).max(batches)
    }
}

/// Net energy of the request `[sent, last]`, idle power taken off sample by sample over the window widened by
/// `max(2 sample lengths, 1.5 batches)` on both sides.
///
/// `windows` are in order of time and hold nothing of another request.
///
/// # Errors
/// [`EnergyGap`] says which condition of docs/measuring.md does not hold; there is then no net energy.
pub fn padded(
    windows: &[Window],
    sent: MonotonicTime,
    last: MonotonicTime,
    idle: Milliwatts,
    sampling: Sampling,
) -> Result<Padded, EnergyGap> {
    let length = last.saturating_since(sent);
    if length < MIN_INFERENCE {
        return Err(EnergyGap::InferenceTooShort { seconds: length.as_secs_f64() });
    }
    let samples = windows.iter().filter(|window| window.touches(sent, last)).count();
    if samples < MIN_SAMPLES {
        return Err(EnergyGap::TooFewSamples { count: samples });
    }
    let touching = padded_windows(windows, sent, last, sampling.pad());
    let before = touching.iter().filter(|window| window.end <= sent).count();
    let after = touching.iter().filter(|window| window.start >= last).count();
    // a pad that the samples do not fill was cut short by the end of the recording or by another request
    let covered = touching.first().is_some_and(|window| window.start <= sent - sampling.pad())
        && touching.last().is_some_and(|window| window.end >= last + sampling.pad());
    if before < MIN_CLEAN_PAD_SAMPLES || after < MIN_CLEAN_PAD_SAMPLES || !covered {
        return Err(EnergyGap::PadNotCovered { before, after });
    }
    let hole = touching.windows(2).map(|pair| pair[1].start.saturating_since(pair[0].end)).max().unwrap_or_default();
    if hole > MAX_GAP.max(sampling.interval.mul_f64(MAX_GAP_INTERVALS)) {
        return Err(EnergyGap::PowerGap { seconds: hole.as_secs_f64() });
    }
    Ok(integrate_padded(windows, sent, last, idle, sampling))
}

/// The samples that touch the padded window, and at least the nearest clean ones on both sides: samples are never all of
/// the same length, so a pad of two lengths may hold only one.
fn padded_windows(windows: &[Window], sent: MonotonicTime, last: MonotonicTime, pad: Duration) -> &[Window] {
    let clean_before = windows.partition_point(|window| window.end <= sent);
    let clean_after = windows.partition_point(|window| window.start < last);
    let first = windows.partition_point(|window| window.end <= sent - pad);
    let end = windows.partition_point(|window| window.start < last + pad);
    let first = first.min(clean_before.saturating_sub(MIN_CLEAN_PAD_SAMPLES));
    let end = end.max((clean_after + MIN_CLEAN_PAD_SAMPLES).min(windows.len()));
    windows.get(first..end).unwrap_or_default()
}

/// The sum behind [`padded`] without its conditions: for accuracy studies. A report uses [`padded`].
#[must_use]
pub fn integrate_padded(
    windows: &[Window],
    sent: MonotonicTime,
    last: MonotonicTime,
    idle: Milliwatts,
    sampling: Sampling,
) -> Padded {
    let touching = padded_windows(windows, sent, last, sampling.pad());
    let end = touching.last().map_or(last, |window| window.end);
    Padded {
        net: touching.iter().map(|window| (window.power - idle) * window.length()).sum(),
        tail: clipped(touching, last, end) - idle * covered(touching, last, end),
        pad: sampling.pad(),
        samples: windows.iter().filter(|window| window.touches(sent, last)).count(),
    }
}

/// Undoes the batches of counters that publish more slowly than they are sampled (macOS 27): a rail then reads 0 mW
/// until a batch comes, then all of its energy at once. Samples are merged up to the next one with a batch, so that each
/// window again holds the mean power of its own time; energy is conserved.
///
/// The second value of a sample says whether the batched rails were published in it. Returns the windows as they are,
/// and no batch, unless at least two and a tenth of the samples were not. The batch is the median length of the merged
/// windows.
#[must_use]
pub fn unbatch(samples: Vec<(Window, bool)>) -> (Vec<Window>, Option<Duration>) {
    let silent = samples.iter().filter(|(_, published)| !published).count();
    if silent < 2 || silent * 10 < samples.len() || silent == samples.len() {
        return (samples.into_iter().map(|(window, _)| window).collect(), None);
    }
    let mut merged: Vec<Window> = Vec::new();
    let mut open: Option<(MonotonicTime, MonotonicTime, Joules)> = None;
    for (window, published) in samples {
        // a hole ends a run: what it held is unknown
        let run = open.take().filter(|(_, end, _)| window.start.saturating_since(*end) <= MAX_GAP);
        let (start, energy) = run.map_or((window.start, Joules(0.0)), |(start, _, energy)| (start, energy));
        let energy = energy + window.power * window.length();
        if !published {
            open = Some((start, window.end, energy));
        } else if let Some(power) = energy.over(window.end.saturating_since(start)) {
            merged.push(Window { start, end: window.end, power });
        }
    }
    let lengths: Vec<f64> = merged.iter().map(|window| window.length().as_secs_f64()).collect();
    let batch = stats::median(&lengths).map(Duration::from_secs_f64);
    (merged, batch)
}

/// How much of `[from, to]` the samples cover.
#[must_use]
pub fn covered(windows: &[Window], from: MonotonicTime, to: MonotonicTime) -> Duration {
    windows.iter().map(|window| window.overlap(from, to)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> MonotonicTime {
        #[expect(clippy::cast_possible_truncation, reason = "test instants are small")]
        MonotonicTime((seconds * 1e9).round() as i64)
    }

    const STEP: f64 = 0.25;

    fn every(interval_s: f64) -> Sampling {
        Sampling { interval: Duration::from_secs_f64(interval_s), batch: None }
    }

    /// Windows of `step` seconds over `[0, end]` that average a rectangle of `load` mW on `[sent, last]` above `idle`.
    fn rectangle(step: f64, offset: f64, end: f64, idle: f64, load: f64, sent: f64, last: f64) -> Vec<Window> {
        let mut windows = Vec::new();
        let mut start = offset;
        while start < end {
            let stop = start + step;
            let share = ((stop.min(last) - start.max(sent)).max(0.0)) / step;
            windows.push(Window { start: at(start), end: at(stop), power: Milliwatts(idle + load * share) });
            start = stop;
        }
        windows
    }

    #[test]
    fn padded_energy_does_not_depend_on_where_the_samples_fall() {
        for step in [0.1, 0.25, 1.009] {
            for phase in 0..40 {
                let offset = step * f64::from(phase) / 40.0;
                let windows = rectangle(step, offset, 40.0, 500.0, 20_000.0, 15.0, 22.0);
                let result = padded(&windows, at(15.0), at(22.0), Milliwatts(500.0), every(step)).unwrap();
                assert!((result.net.0 - 140.0).abs() < 1e-5, "step {step} phase {phase}: {}", result.net.0);
            }
        }
    }

    #[test]
    fn clipped_energy_loses_at_the_edges_what_padding_keeps() {
        let windows = rectangle(1.0, 0.5, 40.0, 500.0, 20_000.0, 15.0, 17.0);
        let gross = clipped(&windows, at(15.0), at(17.0));
        let net = gross - Milliwatts(500.0) * Duration::from_secs(2);
        assert!((net.0 - 30.0).abs() < 1e-6, "clipped {}", net.0);
        let result = padded(&windows, at(15.0), at(17.0), Milliwatts(500.0), every(1.0));
        assert_eq!(result, Err(EnergyGap::TooFewSamples { count: 3 }));
    }

    #[test]
    fn split_parts_add_up_to_the_whole() {
        let windows = rectangle(0.25, 0.1, 40.0, 500.0, 20_000.0, 15.0, 22.0);
        let whole = clipped(&windows, at(15.0), at(22.0));
        let parts = clipped(&windows, at(15.0), at(16.3)) + clipped(&windows, at(16.3), at(22.0));
        assert!((whole.0 - parts.0).abs() < 1e-9);
    }

    #[test]
    fn net_energy_below_idle_stays_negative() {
        let windows = rectangle(0.25, 0.0, 40.0, 500.0, -100.0, 15.0, 22.0);
        let result = padded(&windows, at(15.0), at(22.0), Milliwatts(500.0), every(STEP)).unwrap();
        assert!((result.net.0 + 0.7).abs() < 1e-6);
    }

    #[test]
    fn tail_is_the_part_after_the_last_token() {
        let mut windows = rectangle(0.25, 0.0, 40.0, 500.0, 20_000.0, 15.0, 22.0);
        // 22.0 to 22.25 still burns 4 W above idle
        windows[88].power = Milliwatts(4_500.0);
        let result = padded(&windows, at(15.0), at(22.0), Milliwatts(500.0), every(STEP)).unwrap();
        assert!((result.tail.0 - 1.0).abs() < 1e-6, "{}", result.tail.0);
        assert!((result.net.0 - 141.0).abs() < 1e-5);
    }

    #[test]
    fn every_condition_that_fails_is_named() {
        let windows = rectangle(0.25, 0.0, 40.0, 500.0, 20_000.0, 15.0, 22.0);
        let idle = Milliwatts(500.0);
        assert!(matches!(
            padded(&windows, at(15.0), at(15.5), idle, every(STEP)),
            Err(EnergyGap::InferenceTooShort { .. })
        ));
        assert!(matches!(
            padded(&windows[59..], at(15.0), at(22.0), idle, every(STEP)),
            Err(EnergyGap::PadNotCovered { .. })
        ));
        let mut holed = windows.clone();
        holed.drain(70..76);
        assert!(matches!(padded(&holed, at(15.0), at(22.0), idle, every(STEP)), Err(EnergyGap::PowerGap { .. })));
        assert_eq!(padded(&[], at(15.0), at(22.0), idle, every(STEP)), Err(EnergyGap::TooFewSamples { count: 0 }));
    }

    #[test]
    fn idle_is_the_median_of_whole_samples_only() {
        let mut windows = rectangle(1.0, 0.5, 10.0, 500.0, 0.0, 0.0, 0.0);
        windows[3].power = Milliwatts(9_000.0);
        let found = idle(&windows, at(1.0), at(9.0)).unwrap();
        assert_eq!((found.power, found.count), (Milliwatts(500.0), 7));
        assert_eq!(idle(&windows, at(1.0), at(1.4)), None);
    }

    #[test]
    fn batched_samples_become_the_mean_power_of_their_time() {
        // 800 mW published every 2 s beside 30 mW that are always live
        let smooth = rectangle(0.25, 0.0, 20.0, 830.0, 0.0, 0.0, 0.0);
        let batched = smooth.iter().enumerate().map(|(index, window)| {
            let published = index % 8 == 7;
            (Window { power: Milliwatts(if published { 6_430.0 } else { 30.0 }), ..*window }, published)
        });
        let (windows, batch) = unbatch(batched.collect());
        assert_eq!(batch, Some(Duration::from_secs(2)));
        assert!(windows.iter().all(|window| (window.power.0 - 830.0).abs() < 1e-9), "{windows:?}");
        let (untouched, none) = unbatch(smooth.iter().map(|window| (*window, true)).collect());
        assert_eq!((untouched, none), (smooth, None));
    }

    #[test]
    fn batches_widen_the_pad_and_forbid_short_splits() {
        let windows = rectangle(0.25, 0.0, 60.0, 500.0, 20_000.0, 25.0, 32.0);
        let sampling = Sampling { batch: Some(Duration::from_secs(2)), ..every(STEP) };
        let result = padded(&windows, at(25.0), at(32.0), Milliwatts(500.0), sampling).unwrap();
        assert_eq!(result.pad, Duration::from_secs(3));
        assert_eq!(every(STEP).shortest_prefill(), Duration::from_secs(1));
        assert_eq!(sampling.shortest_prefill(), Duration::from_secs(4));
    }

    #[test]
    fn pads_that_are_cut_short_give_no_energy() {
        let windows = rectangle(0.25, 0.0, 40.0, 500.0, 20_000.0, 15.0, 22.0);
        let cut = |from: f64, to: f64| {
            windows.iter().copied().filter(|w| w.start >= at(from) && w.end <= at(to)).collect::<Vec<_>>()
        };
        let result = |windows: &[Window]| padded(windows, at(15.0), at(22.0), Milliwatts(500.0), every(STEP));
        assert!(result(&cut(14.5, 22.5)).is_ok());
        assert!(matches!(result(&cut(14.6, 22.5)), Err(EnergyGap::PadNotCovered { .. })));
        assert!(matches!(result(&cut(14.5, 22.4)), Err(EnergyGap::PadNotCovered { .. })));
        let backwards = [Window { start: at(30.0), end: at(10.0), power: Milliwatts(1.0) }; 6];
        assert!(result(&backwards).is_err());
    }
}
