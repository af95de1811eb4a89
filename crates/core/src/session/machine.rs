//! The phases of a session as a pure state machine: events and time in, actions out.
//!
//! Knows the order of phases and how long they last. Leaves to the runner: clocks, samples, requests, files.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::record::{EndReason, PhaseMarks};
use crate::clock::MonotonicTime;
use crate::power::Boundary;

/// A phase as a user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waiting for the first power sample.
    Starting,
    /// Idle power before the request.
    Baseline,
    /// Request sent, no token yet.
    Prefill,
    /// Tokens are coming.
    Decode,
    /// After the last token.
    Cooldown,
    /// Nothing more will happen.
    Done,
}

/// Lengths of the phases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lengths {
    /// Baseline before each prompt.
    pub baseline: Duration,
    /// Cooldown after each prompt.
    pub cooldown: Duration,
    /// How long the first power sample may take.
    pub first_sample: Duration,
    /// How much longer a phase may wait for the power samples that cover it, before it goes on without.
    pub sample_grace: Duration,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Time has passed; also the start.
    Tick,
    /// A power sample that ends at this instant arrived.
    Sample {
        /// Its end.
        end: MonotonicTime,
    },
    /// The request was handed to the connection.
    RequestSent,
    /// The first token arrived.
    FirstToken,
    /// The last token arrived, at the event's time; the stream may still go on for a moment.
    LastToken,
    /// Generation ended, well or not, at the event's time.
    GenerationEnded {
        /// True when the server cannot be reached any more.
        server_lost: bool,
    },
    /// The power source ended or failed.
    PowerLost,
    /// The user wants to stop: after the running prompt, or (`now`) at once.
    Interrupt {
        /// True to give up the running prompt.
        now: bool,
    },
}

/// What the runner has to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Show that the phase has changed; `prompt` is an index into the suite.
    Enter {
        /// The new phase.
        phase: Phase,
        /// The prompt that it belongs to.
        prompt: Option<usize>,
    },
    /// Send the request of this prompt.
    Send {
        /// Index into the suite.
        prompt: usize,
    },
    /// Give up the running request.
    Cancel,
    /// Tell the power source that a boundary was crossed.
    Mark(Boundary),
    /// A prompt is finished; keep it.
    Keep {
        /// Index into the suite.
        prompt: usize,
        /// Its phases.
        marks: PhaseMarks,
    },
    /// The session is over.
    Finish(EndReason),
}

#[derive(Clone, Copy, Debug)]
enum State {
    Starting { since: Option<MonotonicTime> },
    Baseline { prompt: usize, start: MonotonicTime },
    Waiting { prompt: usize, start: MonotonicTime },
    Inference { prompt: usize, marks: PhaseMarks, ended: bool },
    Cooldown { prompt: usize, marks: PhaseMarks, over: bool },
    Done,
}

/// The state machine of one session.
#[derive(Debug)]
pub struct Machine {
    lengths: Lengths,
    pending: VecDeque<usize>,
    state: State,
    last_sample_end: Option<MonotonicTime>,
    stopping: bool,
}

impl Machine {
    /// A session over these prompts (indices into the suite), in this order.
    #[must_use]
    pub fn new(lengths: Lengths, prompts: impl IntoIterator<Item = usize>) -> Self {
        Self {
            lengths,
            pending: prompts.into_iter().collect(),
            state: State::Starting { since: None },
            last_sample_end: None,
            stopping: false,
        }
    }

    /// The phase right now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Starting { .. } => Phase::Starting,
            State::Baseline { .. } => Phase::Baseline,
            State::Waiting { .. } => Phase::Prefill,
            State::Inference { marks, .. } if marks.first_token.is_none() => Phase::Prefill,
            State::Inference { .. } => Phase::Decode,
            State::Cooldown { .. } => Phase::Cooldown,
            State::Done => Phase::Done,
        }
    }

    /// The instant at which [`Event::Tick`] is wanted next; `None` when only other events matter.
    #[must_use]
    pub fn wake_at(&self) -> Option<MonotonicTime> {
        match self.state {
            State::Starting { since } => since.map(|since| since + self.lengths.first_sample),
            State::Baseline { start, .. } => Some(start + self.lengths.baseline),
            State::Cooldown { marks, over, .. } => {
                let end = marks.last_token + self.lengths.cooldown;
                Some(if over { end + self.lengths.sample_grace } else { end })
            }
            State::Waiting { .. } | State::Inference { .. } | State::Done => None,
        }
    }

    /// Takes one event at its own time; returns what to do, in order.
    pub fn handle(&mut self, at: MonotonicTime, event: Event) -> Vec<Action> {
        if let Event::Sample { end } = event {
            self.last_sample_end = self.last_sample_end.max(Some(end));
        }
        match event {
            Event::PowerLost => return self.abandon(at, EndReason::PowerLost),
            Event::Interrupt { now } => return self.interrupt(at, now),
            _ => {}
        }
        match (self.state, event) {
            (State::Starting { .. }, Event::Sample { .. }) => self.next_prompt(at),
            (State::Starting { since: None }, Event::Tick) => {
                self.state = State::Starting { since: Some(at) };
                vec![Action::Enter { phase: Phase::Starting, prompt: None }]
            }
            (State::Starting { since: Some(since) }, Event::Tick) if at >= since + self.lengths.first_sample => {
                self.finish(EndReason::NoSamples)
            }
            (State::Baseline { prompt, start }, Event::Tick | Event::Sample { .. })
                if at >= start + self.lengths.baseline =>
            {
                self.state = State::Waiting { prompt, start };
                vec![Action::Send { prompt }]
            }
            (State::Waiting { prompt, start }, Event::RequestSent) => {
                let marks = PhaseMarks {
                    baseline_start: start,
                    request_sent: at,
                    first_token: None,
                    last_token: at,
                    cooldown_end: at,
                };
                self.state = State::Inference { prompt, marks, ended: false };
                vec![Action::Mark(Boundary::RequestSent), Action::Enter { phase: Phase::Prefill, prompt: Some(prompt) }]
            }
            (State::Inference { prompt, mut marks, ended }, Event::FirstToken) if marks.first_token.is_none() => {
                marks.first_token = Some(at);
                self.state = State::Inference { prompt, marks, ended };
                vec![Action::Mark(Boundary::FirstToken), Action::Enter { phase: Phase::Decode, prompt: Some(prompt) }]
            }
            (State::Inference { prompt, marks, ended: false }, Event::LastToken) => {
                self.state = State::Inference { prompt, marks, ended: true };
                vec![Action::Mark(Boundary::LastToken)]
            }
            (State::Inference { prompt, mut marks, ended }, Event::GenerationEnded { server_lost: false }) => {
                marks.last_token = at;
                self.state = State::Cooldown { prompt, marks, over: false };
                let mark = (!ended).then_some(Action::Mark(Boundary::LastToken));
                let enter = Action::Enter { phase: Phase::Cooldown, prompt: Some(prompt) };
                mark.into_iter().chain([enter]).collect()
            }
            // without a server, or a request that reached the connection, there is nothing to keep or to wait for
            (State::Waiting { .. } | State::Inference { .. }, Event::GenerationEnded { .. }) => {
                self.finish(EndReason::ServerLost)
            }
            (State::Cooldown { prompt, marks, over }, Event::Tick | Event::Sample { .. }) => {
                self.cooldown(at, prompt, marks, over)
            }
            _ => Vec::new(),
        }
    }

    fn cooldown(&mut self, at: MonotonicTime, prompt: usize, mut marks: PhaseMarks, over: bool) -> Vec<Action> {
        let end = marks.last_token + self.lengths.cooldown;
        let covered = self.last_sample_end.is_some_and(|sample| sample >= end);
        if at < end {
            return Vec::new();
        }
        if !covered && at < end + self.lengths.sample_grace {
            // a source that can ends a sample here; without, a long interval would keep everybody waiting
            self.state = State::Cooldown { prompt, marks, over: true };
            return if over { Vec::new() } else { vec![Action::Mark(Boundary::CooldownEnd)] };
        }
        marks.cooldown_end = end;
        let mut actions = vec![Action::Keep { prompt, marks }];
        actions.extend(if self.stopping && !self.pending.is_empty() {
            self.finish(EndReason::Interrupted)
        } else {
            self.next_prompt(at)
        });
        actions
    }

    fn next_prompt(&mut self, at: MonotonicTime) -> Vec<Action> {
        match self.pending.pop_front() {
            Some(prompt) => {
                self.state = State::Baseline { prompt, start: at };
                vec![Action::Enter { phase: Phase::Baseline, prompt: Some(prompt) }]
            }
            None => self.finish(EndReason::Completed),
        }
    }

    fn interrupt(&mut self, at: MonotonicTime, now: bool) -> Vec<Action> {
        self.stopping = true;
        match self.state {
            State::Waiting { .. } | State::Inference { .. } | State::Cooldown { .. } if !now => Vec::new(),
            _ => self.abandon(at, EndReason::Interrupted),
        }
    }

    /// Ends at once. A prompt whose answer is whole is kept with the cooldown that it got; if it was the last one, the
    /// session is complete.
    fn abandon(&mut self, at: MonotonicTime, mut reason: EndReason) -> Vec<Action> {
        let mut actions = match self.state {
            State::Waiting { .. } | State::Inference { .. } => vec![Action::Cancel],
            State::Cooldown { prompt, marks, .. } => {
                if self.pending.is_empty() {
                    reason = EndReason::Completed;
                }
                vec![Action::Keep { prompt, marks: PhaseMarks { cooldown_end: at, ..marks } }]
            }
            State::Starting { .. } | State::Baseline { .. } | State::Done => Vec::new(),
        };
        actions.extend(self.finish(reason));
        actions
    }

    fn finish(&mut self, reason: EndReason) -> Vec<Action> {
        if matches!(self.state, State::Done) {
            return Vec::new();
        }
        self.state = State::Done;
        vec![Action::Enter { phase: Phase::Done, prompt: None }, Action::Finish(reason)]
    }
}

#[cfg(test)]
mod tests;
