//! How long a session will still take. Pure; a guess, and shown as one.

use std::time::Duration;

use crate::suite::Suite;

/// Guesses from the prompts that are finished: an answer takes as long for each token of its limit as theirs did.
#[derive(Clone, Debug)]
pub struct Estimate {
    phases: Duration,
    /// Token limits of the prompts that are not finished, in order; the first is the running one.
    pending: Vec<u32>,
    inference_s: f64,
    tokens: f64,
}

impl Estimate {
    /// Before the first prompt. `pending` are indices into the suite.
    #[must_use]
    pub fn new(suite: &Suite, pending: &[usize], phases: Duration) -> Self {
        let limit = |index: &usize| suite.prompts.get(*index).map_or(0, |prompt| prompt.max_tokens);
        Self { phases, pending: pending.iter().map(limit).collect(), inference_s: 0.0, tokens: 0.0 }
    }

    /// Takes a finished prompt from the list, and learns from it; `inference_s` is `None` when its generation failed.
    pub fn finished(&mut self, max_tokens: u32, inference_s: Option<f64>) {
        if !self.pending.is_empty() {
            self.pending.remove(0);
        }
        if let Some(inference_s) = inference_s {
            self.inference_s += inference_s;
            self.tokens += f64::from(max_tokens);
        }
    }

    /// Time that is left when the running prompt began `elapsed` ago; `None` before anything is known.
    #[must_use]
    pub fn left(&self, elapsed: Duration) -> Option<Duration> {
        if self.tokens <= 0.0 {
            return None;
        }
        let tokens: f64 = self.pending.iter().copied().map(f64::from).sum();
        let inference = Duration::try_from_secs_f64(tokens * self.inference_s / self.tokens).ok()?;
        let prompts = u32::try_from(self.pending.len()).unwrap_or(u32::MAX);
        Some((self.phases * prompts + inference).saturating_sub(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_guessed_before_a_prompt_is_finished() {
        let suite = Suite::builtin();
        let mut estimate = Estimate::new(&suite, &[0, 1, 2], Duration::from_secs(20));
        assert_eq!(estimate.left(Duration::ZERO), None);
        estimate.finished(64, None);
        assert_eq!(estimate.left(Duration::ZERO), None);
    }

    #[test]
    fn answers_are_taken_to_be_as_fast_as_those_before() {
        let suite = Suite::builtin();
        let limits: Vec<_> = suite.prompts.iter().take(3).map(|prompt| prompt.max_tokens).collect();
        assert_eq!(limits, [64, 160, 400]);
        let mut estimate = Estimate::new(&suite, &[0, 1, 2], Duration::from_secs(20));
        estimate.finished(64, Some(6.4));
        // two prompts of 20 s and 560 tokens at a tenth of a second
        assert_eq!(estimate.left(Duration::ZERO), Some(Duration::from_secs(96)));
        assert_eq!(estimate.left(Duration::from_secs(6)), Some(Duration::from_secs(90)));
        assert_eq!(estimate.left(Duration::from_secs(1_000)), Some(Duration::ZERO));
    }
}
