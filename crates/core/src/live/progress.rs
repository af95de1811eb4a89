//! From a session's events to what a screen shows of it. Pure: events and instants in, [`Progress`] out.

use std::time::Duration;

use super::state::{PhaseSpan, PhaseStep, Progress, PromptState, StepState};
use crate::clock::MonotonicTime;
use crate::sample::PowerSample;
use crate::session::estimate::Estimate;
use crate::session::machine::Phase;
use crate::session::record::SessionRecord;
use crate::session::runner::SessionEvent;
use crate::session::setup::pending;
use crate::settings::Preset;
use crate::suite::SuitePrompt;

const STEPS: [Phase; 4] = [Phase::Baseline, Phase::Prefill, Phase::Decode, Phase::Cooldown];
/// Phases that are kept for the chart.
const KEPT_SPANS: usize = 64;

/// Follows one session. Instants are on the session's clock.
#[derive(Clone, Debug)]
pub struct Follower {
    prompts: Vec<SuitePrompt>,
    states: Vec<PromptState>,
    progress: Progress,
    /// When each of [`STEPS`] of the running prompt began.
    begun: [Option<MonotonicTime>; 4],
    request_sent: Option<MonotonicTime>,
    last_token: Option<MonotonicTime>,
    /// True when a sample inside the request had no power, so that its sum is not known.
    energy_lost: bool,
    prompt_start: Option<MonotonicTime>,
    ended: bool,
    estimate: Estimate,
    spans: Vec<PhaseSpan>,
}

impl Follower {
    /// Before the first event.
    #[must_use]
    pub fn new(record: &SessionRecord, preset: Preset, run_id: Option<u32>, simulated: bool) -> Self {
        let header = &record.header;
        let waiting = pending(record);
        let prompts = header.suite.prompts.clone();
        let mut states = vec![PromptState::Done; prompts.len()];
        for index in &waiting {
            if let Some(state) = states.get_mut(*index) {
                *state = PromptState::ToCome;
            }
        }
        let phases = Duration::from_secs_f64(header.settings.baseline_s + header.settings.cooldown_s);
        let progress = Progress {
            run_id,
            started_at: header.benchmark_id.clone(),
            model: header.model.display_name.clone().unwrap_or_else(|| header.model.key.clone()),
            preset,
            suite: header.suite.name.clone(),
            position: (count(prompts.len() - waiting.len()) + 1).min(count(prompts.len())),
            planned: count(prompts.len()),
            prompts: states.clone(),
            prompt_id: String::new(),
            prompt_title: String::new(),
            phase: Phase::Starting,
            phases: Vec::new(),
            tokens_per_s: None,
            tokens: None,
            max_tokens: 0,
            gross_j: None,
            eta_s: None,
            stopping: false,
            simulated,
            notice: None,
        };
        Self {
            estimate: Estimate::new(&header.suite, &waiting, phases),
            prompts,
            states,
            progress,
            begun: [None; 4],
            request_sent: None,
            last_token: None,
            energy_lost: false,
            prompt_start: None,
            ended: false,
            spans: Vec::new(),
        }
    }

    /// Takes one event in.
    pub fn take(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Phase { phase, prompt, at_ns } => self.enter(*phase, *prompt, MonotonicTime(*at_ns)),
            SessionEvent::Sample(row) => self.add_energy(&PowerSample::from(row.as_ref())),
            SessionEvent::Delta { deltas, since_first_token_s, .. } => {
                self.progress.tokens = u32::try_from(*deltas).ok();
                self.progress.tokens_per_s =
                    (*deltas > 1 && *since_first_token_s > 0.0).then(|| (*deltas - 1) as f64 / since_first_token_s);
            }
            SessionEvent::PromptFinished { report, .. } => {
                let index = self.prompts.iter().position(|prompt| prompt.id == report.id);
                let failed = report.error.is_some();
                if let Some(state) = index.and_then(|index| self.states.get_mut(index)) {
                    *state = if failed { PromptState::Failed } else { PromptState::Done };
                }
                let inference_s = (!failed).then_some(report.timing.inference_duration_s);
                self.estimate.finished(report.max_tokens, inference_s);
            }
            SessionEvent::SampleLost { message } | SessionEvent::PartialFailed { message } => {
                self.progress.notice = Some(message.clone());
            }
            SessionEvent::Prefill { .. } => {}
            SessionEvent::Finished { .. } => self.ended = true,
        }
    }

    /// Says that the user wants to stop.
    pub fn stop(&mut self) {
        self.progress.stopping = true;
    }

    /// Says something that the user should know.
    pub fn notice(&mut self, text: String) {
        self.progress.notice = Some(text);
    }

    /// Phases of the last prompts, on the session's clock.
    #[must_use]
    pub fn spans(&self) -> &[PhaseSpan] {
        &self.spans
    }

    /// How far the session is at `now`.
    #[must_use]
    pub fn progress(&self, now: MonotonicTime) -> Progress {
        let current = STEPS.iter().position(|step| *step == self.progress.phase);
        let phases = STEPS.iter().enumerate().map(|(index, phase)| {
            let from = self.begun[index];
            let to = self.begun.iter().skip(index + 1).flatten().next().copied();
            let state = match current {
                Some(at) if index == at => StepState::Now,
                Some(at) if index < at => StepState::Done,
                _ => StepState::Next,
            };
            let elapsed_s = from.map(|from| to.unwrap_or(now).seconds_since(from).max(0.0));
            PhaseStep { phase: *phase, state, elapsed_s }
        });
        let elapsed = self.prompt_start.map_or(Duration::ZERO, |start| now.saturating_since(start));
        Progress {
            phases: phases.collect(),
            prompts: self.states.clone(),
            eta_s: self.estimate.left(elapsed).map(|left| left.as_secs_f64()).filter(|_| !self.ended),
            ..self.progress.clone()
        }
    }

    fn enter(&mut self, phase: Phase, prompt: Option<usize>, at: MonotonicTime) {
        if let Some(last) = self.spans.last_mut() {
            last.end_ns.get_or_insert(at.0);
        }
        if STEPS.contains(&phase) {
            self.spans.push(PhaseSpan { phase, start_ns: at.0, end_ns: None });
            let old = self.spans.len().saturating_sub(KEPT_SPANS);
            self.spans.drain(..old);
        }
        if phase == Phase::Baseline {
            self.begin(prompt, at);
        }
        if phase == Phase::Prefill {
            self.request_sent = Some(at);
            self.progress.gross_j = None;
        }
        if phase == Phase::Cooldown {
            self.last_token = Some(at);
        }
        self.progress.phase = phase;
        if let Some(index) = STEPS.iter().position(|step| *step == phase) {
            self.begun[index] = Some(at);
        }
    }

    fn begin(&mut self, prompt: Option<usize>, at: MonotonicTime) {
        self.begun = [None; 4];
        (self.request_sent, self.last_token, self.prompt_start) = (None, None, Some(at));
        self.energy_lost = false;
        let progress = &mut self.progress;
        (progress.tokens, progress.tokens_per_s, progress.gross_j) = (None, None, None);
        let Some((index, entry)) = prompt.and_then(|index| Some((index, self.prompts.get(index)?))) else { return };
        progress.prompt_id.clone_from(&entry.id);
        progress.prompt_title = entry.title.clone().unwrap_or_else(|| entry.id.clone());
        progress.max_tokens = entry.max_tokens;
        if let Some(state) = self.states.get_mut(index) {
            *state = PromptState::Now;
        }
        let over = |state: &&PromptState| matches!(state, PromptState::Done | PromptState::Failed);
        progress.position = count(self.states.iter().filter(over).count()) + 1;
    }

    /// Adds the part of a sample that lies in the request. A sample without power leaves a sum that is not known.
    fn add_energy(&mut self, sample: &PowerSample) {
        let Some(sent) = self.request_sent else { return };
        let from = sample.start.max(sent);
        let to = self.last_token.map_or(sample.end, |last| sample.end.min(last));
        let overlap_s = to.seconds_since(from);
        if overlap_s <= 0.0 {
            return;
        }
        self.energy_lost |= sample.soc_power().is_none();
        let known_j = self.progress.gross_j.unwrap_or(0.0);
        let own_j = sample.soc_power().filter(|_| !self.energy_lost).map(|power| power.0 * 1e-3 * overlap_s);
        self.progress.gross_j = own_j.map(|own_j| known_j + own_j);
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lmstudio::DeltaKind;
    use crate::report::prompt_report;
    use crate::sample_row::SampleRow;
    use crate::testing::{record_with, sample_at};

    fn at(seconds: i64) -> MonotonicTime {
        MonotonicTime(seconds * 1_000_000_000)
    }

    fn phase(phase: Phase, prompt: usize, seconds: i64) -> SessionEvent {
        SessionEvent::Phase { phase, prompt: Some(prompt), at_ns: at(seconds).0 }
    }

    fn sample(from: i64, to: i64, mw: f64) -> SessionEvent {
        SessionEvent::Sample(Box::new(SampleRow::from(&sample_at(at(from), at(to), Some(mw)))))
    }

    #[test]
    fn a_prompt_is_followed_from_its_baseline_to_its_cooldown() {
        let record = record_with(0);
        let mut follower = Follower::new(&record, Preset::Full, Some(7), true);
        follower.take(&phase(Phase::Baseline, 0, 0));
        let progress = follower.progress(at(4));
        assert_eq!((progress.position, progress.planned, progress.gross_j), (1, 9, None));
        assert_eq!(progress.prompts[..2], [PromptState::Now, PromptState::ToCome]);
        assert_eq!(
            progress.phases[0],
            PhaseStep { phase: Phase::Baseline, state: StepState::Now, elapsed_s: Some(4.0) }
        );
        follower.take(&phase(Phase::Prefill, 0, 10));
        follower.take(&sample(9, 11, 10_000.0));
        follower.take(&phase(Phase::Decode, 0, 12));
        follower.take(&SessionEvent::Delta { kind: DeltaKind::Message, deltas: 11, since_first_token_s: 2.0 });
        follower.take(&sample(11, 14, 20_000.0));
        let progress = follower.progress(at(14));
        assert_eq!(progress.gross_j, Some(70.0), "only what lies after the request counts");
        assert_eq!((progress.tokens, progress.tokens_per_s), (Some(11), Some(5.0)));
        assert_eq!(progress.phases[1].elapsed_s, Some(2.0));
        follower.take(&phase(Phase::Cooldown, 0, 15));
        follower.take(&sample(14, 17, 10_000.0));
        assert_eq!(follower.progress(at(17)).gross_j, Some(80.0), "what lies after the last token does not");
        assert_eq!(follower.spans().len(), 4);
        assert_eq!(follower.spans()[0].end_ns, Some(at(10).0));
    }

    #[test]
    fn a_sample_without_power_leaves_the_energy_of_its_prompt_unknown() {
        let mut follower = Follower::new(&record_with(0), Preset::Full, None, false);
        follower.take(&phase(Phase::Baseline, 0, 0));
        follower.take(&phase(Phase::Prefill, 0, 10));
        follower.take(&sample(10, 11, 10_000.0));
        let nothing = SampleRow::from(&sample_at(at(11), at(12), None));
        follower.take(&SessionEvent::Sample(Box::new(nothing)));
        follower.take(&sample(12, 13, 10_000.0));
        assert_eq!(follower.progress(at(13)).gross_j, None);
        follower.take(&phase(Phase::Baseline, 1, 20));
        follower.take(&phase(Phase::Prefill, 1, 30));
        follower.take(&sample(30, 31, 10_000.0));
        assert_eq!(follower.progress(at(31)).gross_j, Some(10.0), "the next prompt begins anew");
    }

    #[test]
    fn finished_prompts_are_counted_and_teach_how_long_the_rest_takes() {
        let record = record_with(1);
        let mut follower = Follower::new(&record_with(0), Preset::Full, None, false);
        follower.take(&phase(Phase::Baseline, 0, 0));
        assert_eq!(follower.progress(at(1)).eta_s, None, "nothing is guessed before a prompt is finished");
        let report = Box::new(prompt_report(&record, &record.runs[0]));
        follower.take(&SessionEvent::PromptFinished { position: 1, report });
        follower.take(&phase(Phase::Baseline, 1, 30));
        let progress = follower.progress(at(31));
        assert_eq!((progress.position, progress.prompts[0]), (2, PromptState::Done));
        assert!(progress.eta_s.is_some_and(|eta| eta > 0.0));
    }

    #[test]
    fn a_resumed_session_goes_on_where_it_was() {
        let follower = Follower::new(&record_with(4), Preset::Full, None, false);
        let progress = follower.progress(at(0));
        assert_eq!((progress.position, progress.planned), (5, 9));
    }
}
