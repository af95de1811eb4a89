//! Places samples on the session's clock.
//!
//! Knows how long each sample was and when its document arrived. powermetrics' own `timestamp` is of no use here: it has
//! whole seconds. Two facts help instead: documents follow each other without a gap, and a document can arrive late but
//! never early. So the true ends are the sums of the lengths, shifted by the smallest delay seen lately; the window in
//! which the smallest is looked for is short enough to follow two clocks that drift apart.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::MonotonicTime;

/// How many documents are looked back on for the smallest delay.
const WINDOW: usize = 64;
/// A delay beyond the smallest by this much, or by half a sample if that is longer, is a gap.
const MIN_TOLERANCE: Duration = Duration::from_millis(250);

/// Places the documents of one uninterrupted stream after another.
#[derive(Clone, Debug, Default)]
pub struct Aligner {
    /// Sum of all lengths since the last restart.
    covered_ns: i64,
    /// Arrival minus covered length of the latest documents: the stream's origin plus each document's delay.
    origins: VecDeque<i64>,
}

impl Aligner {
    /// An aligner that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Start and end of a sample of length `elapsed` whose document was complete at `arrival`. `end - start` is always
    /// `elapsed`, and `end` is never later than `arrival`.
    ///
    /// An arrival that is later than the stream explains by more than `max(250 ms, elapsed / 2)` is a gap: something was
    /// lost or the machine slept. The sample then ends when it arrived and a new stream begins.
    pub fn place(&mut self, arrival: MonotonicTime, elapsed: Duration) -> (MonotonicTime, MonotonicTime) {
        let length = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
        let tolerance = MIN_TOLERANCE.max(elapsed / 2);
        let tolerance = i64::try_from(tolerance.as_nanos()).unwrap_or(i64::MAX);
        self.covered_ns = self.covered_ns.saturating_add(length);
        let mut origin = arrival.0.saturating_sub(self.covered_ns);
        let known = self.origins.iter().copied().min();
        if known.is_some_and(|known| origin.saturating_sub(known) > tolerance) {
            self.restart();
            self.covered_ns = length;
            origin = arrival.0.saturating_sub(length);
        }
        if self.origins.len() == WINDOW {
            self.origins.pop_front();
        }
        self.origins.push_back(origin);
        let smallest = self.origins.iter().copied().min().unwrap_or(origin);
        let end = MonotonicTime(smallest.saturating_add(self.covered_ns));
        (end - elapsed, end)
    }

    /// Forgets the stream: the next document does not follow the last one (the tool was restarted, a document was lost).
    pub fn restart(&mut self) {
        self.covered_ns = 0;
        self.origins.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn ends(arrivals_and_lengths: &[(i64, u64)]) -> Vec<i64> {
        let mut aligner = Aligner::new();
        arrivals_and_lengths
            .iter()
            .map(|&(arrival_ms, length_ms)| {
                let (start, end) = aligner.place(MonotonicTime(arrival_ms * MS), ms(length_ms));
                assert_eq!(end.saturating_since(start), ms(length_ms));
                assert!(end <= MonotonicTime(arrival_ms * MS), "a document cannot arrive before its end");
                end.0 / MS
            })
            .collect()
    }

    #[test]
    fn documents_in_time_end_when_they_arrive() {
        assert_eq!(ends(&[(1_000, 1_000), (2_009, 1_009), (3_015, 1_006)]), [1_000, 2_009, 3_015]);
    }

    #[test]
    fn a_late_document_ends_where_the_one_before_says() {
        assert_eq!(ends(&[(1_000, 1_000), (2_200, 1_000), (3_000, 1_000)]), [1_000, 2_000, 3_000]);
    }

    #[test]
    fn a_late_burst_is_spread_over_the_time_it_covers() {
        let arrivals = [(100, 100), (400, 100), (401, 100), (402, 100), (500, 100)];
        assert_eq!(ends(&arrivals), [100, 200, 300, 400, 500]);
    }

    #[test]
    fn the_first_punctual_document_corrects_a_late_start() {
        assert_eq!(
            ends(&[(1_060, 1_000), (2_060, 1_000), (3_000, 1_000), (4_000, 1_000)]),
            [1_060, 2_060, 3_000, 4_000]
        );
    }

    #[test]
    fn boundary_samples_of_odd_length_fit_in() {
        assert_eq!(ends(&[(250, 250), (313, 61), (500, 189), (755, 253)]), [250, 311, 500, 753]);
    }

    #[test]
    fn a_gap_starts_a_new_stream_at_the_arrival() {
        assert_eq!(
            ends(&[(1_000, 1_000), (2_000, 1_000), (4_000, 1_000), (5_000, 1_000)]),
            [1_000, 2_000, 4_000, 5_000]
        );
    }

    #[test]
    fn a_ten_minute_hole_leaves_no_trace_behind_it() {
        let hole = 600_000;
        assert_eq!(ends(&[(1_000, 1_000), (hole, 1_000), (hole + 1_200, 1_000)]), [1_000, hole, hole + 1_000]);
    }

    #[test]
    fn after_a_restart_the_arrival_counts_again() {
        let mut aligner = Aligner::new();
        aligner.place(MonotonicTime(1_000 * MS), ms(1_000));
        aligner.restart();
        let (start, end) = aligner.place(MonotonicTime(2_200 * MS), ms(1_000));
        assert_eq!((start.0 / MS, end.0 / MS), (1_200, 2_200));
    }

    #[test]
    fn clocks_that_drift_apart_are_followed_both_ways() {
        // the tool's seconds are 200 ppm short or long; each document is 0 to 30 ms late
        for step_ns in [999_800_000, 1_000_200_000] {
            let mut aligner = Aligner::new();
            for document in 1..=3_000_i64 {
                let true_end = document * step_ns;
                let late = (document * 7_919 % 31) * MS;
                let (_, end) = aligner.place(MonotonicTime(true_end + late), ms(1_000));
                let error_ms = (end.0 - true_end) as f64 / MS as f64;
                let bound = if document < 64 { 31.0 } else { 13.0 };
                assert!(error_ms.abs() <= bound, "document {document} of {step_ns} ns is {error_ms} ms off");
            }
        }
    }

    #[test]
    fn impossible_lengths_do_not_overflow() {
        let mut aligner = Aligner::new();
        for _ in 0..3 {
            let (start, end) = aligner.place(MonotonicTime(5), Duration::MAX);
            assert!(start <= end);
        }
    }
}
