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
    #[error("no power sample lies inside the baseline; use a longer --baseline or a shorter --interval")]
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
        "the pads around the inference hold {before} and {after} clean samples (2 each are needed); use a longer --baseline and --cooldown"
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

/// Net energy of the request `[sent, last]`, idle power taken off sample by sample over the window widened by
/// `max(2 sample lengths, 1.5 batches)` on both sides.
///
/// `windows` are in order of time. `batch` is the period in which the counters behind the samples publish, where known.
///
/// # Errors
/// [`EnergyGap`] says which condition of docs/measuring.md does not hold; there is then no net energy.
pub fn padded(
    windows: &[Window],
    sent: MonotonicTime,
    last: MonotonicTime,
    idle: Milliwatts,
    batch: Option<Duration>,
) -> Result<Padded, EnergyGap> {
    let length = last.saturating_since(sent);
    if length < MIN_INFERENCE {
        return Err(EnergyGap::InferenceTooShort { seconds: length.as_secs_f64() });
    }
    let samples = windows.iter().filter(|window| window.touches(sent, last)).count();
    if samples < MIN_SAMPLES {
        return Err(EnergyGap::TooFewSamples { count: samples });
    }
    let interval = sample_length(windows, sent, last).unwrap_or_default();
    let touching = padded_windows(windows, sent, last, interval, batch);
    let before = touching.iter().filter(|window| window.end <= sent).count();
    let after = touching.iter().filter(|window| window.start >= last).count();
    if before < MIN_CLEAN_PAD_SAMPLES || after < MIN_CLEAN_PAD_SAMPLES {
        return Err(EnergyGap::PadNotCovered { before, after });
    }
    let hole = touching.windows(2).map(|pair| pair[1].start.saturating_since(pair[0].end)).max().unwrap_or_default();
    if hole > MAX_GAP.max(interval.mul_f64(MAX_GAP_INTERVALS)) {
        return Err(EnergyGap::PowerGap { seconds: hole.as_secs_f64() });
    }
    Ok(integrate_padded(windows, sent, last, idle, batch))
}

fn pad_length(interval: Duration, batch: Option<Duration>) -> Duration {
    interval.mul_f64(PAD_INTERVALS).max(batch.unwrap_or_default().mul_f64(PAD_BATCHES))
}

/// The samples that touch the padded window, and at least the nearest clean ones on both sides: samples are never all of
/// the same length, so a pad of two lengths may hold only one.
fn padded_windows(
    windows: &[Window],
    sent: MonotonicTime,
    last: MonotonicTime,
    interval: Duration,
    batch: Option<Duration>,
) -> &[Window] {
    let pad = pad_length(interval, batch);
    let clean_before = windows.partition_point(|window| window.end <= sent);
    let clean_after = windows.partition_point(|window| window.start < last);
    let first = windows.partition_point(|window| window.end <= sent - pad);
    let end = windows.partition_point(|window| window.start < last + pad);
    let first = first.min(clean_before.saturating_sub(MIN_CLEAN_PAD_SAMPLES));
    let end = end.max((clean_after + MIN_CLEAN_PAD_SAMPLES).min(windows.len()));
    &windows[first..end]
}

/// The sum behind [`padded`] without its conditions: for accuracy studies. A report uses [`padded`].
#[must_use]
pub fn integrate_padded(
    windows: &[Window],
    sent: MonotonicTime,
    last: MonotonicTime,
    idle: Milliwatts,
    batch: Option<Duration>,
) -> Padded {
    let interval = sample_length(windows, sent, last).unwrap_or_default();
    let touching = padded_windows(windows, sent, last, interval, batch);
    let end = touching.last().map_or(last, |window| window.end);
    Padded {
        net: touching.iter().map(|window| (window.power - idle) * window.length()).sum(),
        tail: clipped(touching, last, end) - idle * covered(touching, last, end),
        pad: pad_length(interval, batch),
        samples: windows.iter().filter(|window| window.touches(sent, last)).count(),
    }
}

/// Undoes the batches of counters that publish more slowly than they are sampled (macOS 27): such samples read 0 mW
/// until a batch comes, then all of its energy at once. Every run of zeroes is merged with the sample that ends it,
/// so that each window again holds the mean power of its own time.
///
/// Returns the windows as they are, and no batch, unless at least a third of them read exactly 0: a working chip never
/// does. The batch is the median length of the merged windows.
#[must_use]
pub fn unbatch(windows: Vec<Window>) -> (Vec<Window>, Option<Duration>) {
    let zeroes = windows.iter().filter(|window| window.power.0 == 0.0).count();
    if windows.len() < 6 || zeroes * 3 < windows.len() || zeroes == windows.len() {
        return (windows, None);
    }
    let mut merged: Vec<Window> = Vec::new();
    let mut open: Option<(MonotonicTime, MonotonicTime)> = None;
    for window in windows {
        // a hole ends a run: what it held is unknown
        let run = open.filter(|(_, end)| window.start.saturating_since(*end) <= MAX_GAP);
        let start = run.map_or(window.start, |(start, _)| start);
        if window.power.0 == 0.0 {
            open = Some((start, window.end));
            continue;
        }
        let whole = window.end.saturating_since(start);
        if let Some(power) = (window.power * window.length()).over(whole) {
            merged.push(Window { start, end: window.end, power });
        }
        open = None;
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

/// Whether a prefill of this length can be split off, by sample length and batch.
#[must_use]
pub fn prefill_can_be_split(prefill: Duration, interval: Duration, batch: Option<Duration>) -> bool {
    prefill >= interval.mul_f64(MIN_PREFILL_INTERVALS)
        && prefill >= batch.unwrap_or_default().mul_f64(MIN_PREFILL_BATCHES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> MonotonicTime {
        #[expect(clippy::cast_possible_truncation, reason = "test instants are small")]
        MonotonicTime((seconds * 1e9).round() as i64)
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
                let result = padded(&windows, at(15.0), at(22.0), Milliwatts(500.0), None).unwrap();
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
        let result = padded(&windows, at(15.0), at(17.0), Milliwatts(500.0), None);
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
        let result = padded(&windows, at(15.0), at(22.0), Milliwatts(500.0), None).unwrap();
        assert!((result.net.0 + 0.7).abs() < 1e-6);
    }

    #[test]
    fn tail_is_the_part_after_the_last_token() {
        let mut windows = rectangle(0.25, 0.0, 40.0, 500.0, 20_000.0, 15.0, 22.0);
        // 22.0 to 22.25 still burns 4 W above idle
        windows[88].power = Milliwatts(4_500.0);
        let result = padded(&windows, at(15.0), at(22.0), Milliwatts(500.0), None).unwrap();
        assert!((result.tail.0 - 1.0).abs() < 1e-6, "{}", result.tail.0);
        assert!((result.net.0 - 141.0).abs() < 1e-5);
    }

    #[test]
    fn every_condition_that_fails_is_named() {
        let windows = rectangle(0.25, 0.0, 40.0, 500.0, 20_000.0, 15.0, 22.0);
        let idle = Milliwatts(500.0);
        assert!(matches!(padded(&windows, at(15.0), at(15.5), idle, None), Err(EnergyGap::InferenceTooShort { .. })));
        assert!(matches!(padded(&windows[59..], at(15.0), at(22.0), idle, None), Err(EnergyGap::PadNotCovered { .. })));
        let mut holed = windows.clone();
        holed.drain(70..76);
        assert!(matches!(padded(&holed, at(15.0), at(22.0), idle, None), Err(EnergyGap::PowerGap { .. })));
        assert_eq!(padded(&[], at(15.0), at(22.0), idle, None), Err(EnergyGap::TooFewSamples { count: 0 }));
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
    fn batched_zeroes_become_the_mean_power_of_their_time() {
        let smooth = rectangle(0.25, 0.0, 20.0, 800.0, 0.0, 0.0, 0.0);
        // counters that publish every 2 s: seven samples of nothing, then everything
        let batched: Vec<Window> = smooth
            .iter()
            .enumerate()
            .map(|(index, window)| Window { power: Milliwatts(if index % 8 == 7 { 6_400.0 } else { 0.0 }), ..*window })
            .collect();
        let (windows, batch) = unbatch(batched);
        assert_eq!(batch, Some(Duration::from_secs(2)));
        assert!(windows.iter().all(|window| (window.power.0 - 800.0).abs() < 1e-9), "{windows:?}");
        let (untouched, none) = unbatch(smooth.clone());
        assert_eq!((untouched, none), (smooth, None));
    }

    #[test]
    fn batches_widen_the_pad_and_forbid_short_splits() {
        let windows = rectangle(0.25, 0.0, 60.0, 500.0, 20_000.0, 25.0, 32.0);
        let batch = Some(Duration::from_secs(2));
        let result = padded(&windows, at(25.0), at(32.0), Milliwatts(500.0), batch).unwrap();
        assert_eq!(result.pad, Duration::from_secs(3));
        assert!(prefill_can_be_split(Duration::from_secs(1), Duration::from_millis(250), None));
        assert!(!prefill_can_be_split(Duration::from_millis(999), Duration::from_millis(250), None));
        assert!(!prefill_can_be_split(Duration::from_secs(1), Duration::from_millis(250), batch));
    }
}
