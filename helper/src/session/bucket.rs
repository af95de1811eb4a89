//! How many requests a client may send: some at once, then a steady rate.

use std::time::Duration;

use joulebar_wire::limits::{REQUEST_BURST, REQUESTS_PER_SECOND};

const PRICE: Duration = Duration::from_nanos(1_000_000_000 / REQUESTS_PER_SECOND as u64);

/// A token bucket whose tokens are time: each request costs the time in which the steady rate allows one.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    credit: Duration,
    counted_until: Duration,
}

impl TokenBucket {
    /// A full bucket.
    pub fn full(now: Duration) -> Self {
        Self { credit: PRICE * REQUEST_BURST, counted_until: now }
    }

    /// Pays for one request; false when there is too little credit.
    pub fn take(&mut self, now: Duration) -> bool {
        let earned = now.saturating_sub(self.counted_until);
        self.credit = (self.credit + earned).min(PRICE * REQUEST_BURST);
        self.counted_until = now;
        let paid = self.credit.checked_sub(PRICE);
        self.credit = paid.unwrap_or(self.credit);
        paid.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_10_a_burst_of_twenty_then_ten_per_second() {
        let start = Duration::from_secs(1000);
        let mut bucket = TokenBucket::full(start);
        assert_eq!((0..30).filter(|_| bucket.take(start)).count(), 20);
        assert_eq!((0..30).filter(|_| bucket.take(start + Duration::from_secs(1))).count(), 10);
        assert_eq!((0..30).filter(|_| bucket.take(start + Duration::from_secs(100))).count(), 20);
    }
}
