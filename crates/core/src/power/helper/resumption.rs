//! How often, and after which pauses, a helper that ended is started anew. Pure.

use std::time::Duration;

/// Pauses before the helper is started anew. launchd starts a program once in 10 s and keeps the message until then.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// Counts the times that the helper ended since it last gave a sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resumption {
    ended: usize,
}

impl Resumption {
    /// The helper has not ended yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The helper ended: how long to wait before it is started anew; `None` when that makes no more sense.
    pub(super) fn next_pause(&mut self) -> Option<Duration> {
        let pause = PAUSES.get(self.ended).copied();
        self.ended += 1;
        pause
    }

    /// The helper gave a sample.
    pub(super) fn is_healthy(&mut self) {
        self.ended = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_and_a_sample_begins_them_anew() {
        let mut resumption = Resumption::new();
        let mut pauses: Vec<_> = std::iter::from_fn(|| resumption.next_pause()).collect();
        assert_eq!(pauses.len(), PAUSES.len());
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]));
        resumption.is_healthy();
        pauses.truncate(1);
        assert_eq!(resumption.next_pause(), pauses.pop());
    }
}
