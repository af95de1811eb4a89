//! A running session on the screen: a bar in a terminal, plain lines elsewhere, NDJSON when asked for.
//!
//! Runs on a thread of its own: a terminal that is held up must not hold up the clock of a measurement.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use joulebar_core::clock::MonotonicTime;
use joulebar_core::report::PromptReport;
use joulebar_core::sample::PowerSample;
use joulebar_core::session::estimate::Estimate;
use joulebar_core::session::machine::Phase;
use joulebar_core::session::record::SessionRecord;
use joulebar_core::session::runner::SessionEvent;
use joulebar_core::session::setup::pending;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::table::is_server_clock;
use crate::exit::Failure;
use crate::{format, output};

/// Steps of the bar for one prompt.
const STEPS: u64 = 100;
/// Columns of the bar and the spaces beside it.
const BAR: usize = 12;
/// Columns that stay free: a `^C` that the terminal writes itself must not break the line.
const MARGIN: usize = 4;
/// Terminals narrower than this don't get the prompts' names.
const WIDE: usize = 100;

/// Something to show.
#[derive(Debug)]
pub enum Show {
    /// The session went on.
    Event(Box<SessionEvent>),
    /// The user wants to stop.
    Interrupted {
        /// True for at once.
        at_once: bool,
    },
}

/// An event as a line of NDJSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a SessionEvent,
    simulated: bool,
}

/// The screen of one session.
pub struct Screen {
    look: Look,
    state: State,
}

enum Look {
    Json,
    Plain,
    Bar(ProgressBar),
}

/// What is known right now.
struct State {
    simulated: bool,
    ids: Vec<String>,
    finished: usize,
    baseline_s: f64,
    cooldown_s: f64,
    prompt: Option<usize>,
    phase: Phase,
    phase_start: MonotonicTime,
    prompt_start: MonotonicTime,
    now: MonotonicTime,
    /// Power of the latest sample that lies in the running phase.
    power_mw: Option<f64>,
    /// True when the running phase has its line, where phases get lines.
    announced: bool,
    prefill_ratio: Option<f64>,
    deltas_per_s: Option<f64>,
    estimate: Estimate,
}

impl Screen {
    /// For a session that is about to begin.
    pub fn new(record: &SessionRecord, simulated: bool, json: bool) -> Self {
        let settings = &record.header.settings;
        let suite = &record.header.suite;
        let phases = Duration::from_secs_f64(settings.baseline_s + settings.cooldown_s);
        let state = State {
            simulated,
            ids: suite.prompts.iter().map(|prompt| format::one_line(&prompt.id)).collect(),
            finished: record.runs.len(),
            baseline_s: settings.baseline_s,
            cooldown_s: settings.cooldown_s,
            prompt: None,
            phase: Phase::Starting,
            phase_start: MonotonicTime(0),
            prompt_start: MonotonicTime(0),
            now: MonotonicTime(0),
            power_mw: None,
            announced: false,
            prefill_ratio: None,
            deltas_per_s: None,
            estimate: Estimate::new(suite, &pending(record), phases),
        };
        let look = match (json, output::is_terminal()) {
            (true, _) => Look::Json,
            (false, false) => Look::Plain,
            (false, true) => Look::Bar(bar(suite.prompts.len())),
        };
        Self { look, state }
    }

    /// Shows everything that comes, until nobody sends any more. The first failure of standard output is the result;
    /// the session goes on without a screen.
    pub fn run(mut self, mut shown: UnboundedReceiver<Show>) -> Result<(), Failure> {
        let mut result = Ok(());
        while let Some(show) = shown.blocking_recv() {
            if result.is_ok() {
                result = self.show(&show);
            }
        }
        if let Look::Bar(bar) = &self.look {
            bar.finish_and_clear();
        }
        result
    }

    fn show(&mut self, show: &Show) -> Result<(), Failure> {
        match show {
            Show::Interrupted { at_once } => {
                self.note(&self.state.interrupt_words(*at_once));
                Ok(())
            }
            Show::Event(event) => {
                if matches!(self.look, Look::Json) {
                    return output::json(&Line { event, simulated: self.state.simulated });
                }
                self.event(event)
            }
        }
    }

    fn event(&mut self, event: &SessionEvent) -> Result<(), Failure> {
        let phase_ends = match event {
            SessionEvent::Phase { phase, .. } => *phase != self.state.phase,
            SessionEvent::PromptFinished { .. } => true,
            _ => false,
        };
        if phase_ends && matches!(self.look, Look::Plain) {
            self.announce()?;
        }
        self.state.learn(event);
        match (event, &self.look) {
            (SessionEvent::PromptFinished { report, .. }, Look::Bar(_)) => {
                // the bar says that it is simulated, as long as it stands there
                let words = self.state.finished_words(report);
                self.line(&format::wrap(&words, output::width(), "    "))?;
            }
            (SessionEvent::PromptFinished { report, .. }, _) => {
                let simulated = if self.state.simulated { "simulated  prompt " } else { "prompt " };
                self.line(&format!("{simulated}{}", self.state.finished_words(report)))?;
            }
            (SessionEvent::SampleLost { message }, _) => {
                self.note(&format!("note: a power sample was lost: {}", format::one_line(message)))
            }
            (SessionEvent::PartialFailed { message }, _) => self.note(&format!(
                "warning: a finished prompt could not be kept on disk: {message}\n         \
                 It is still in memory; free some space before the run ends."
            )),
            (SessionEvent::Sample(_), Look::Plain) if self.state.power_mw.is_some() => self.announce()?,
            _ => {}
        }
        if let Look::Bar(bar) = &self.look {
            bar.set_position(self.state.position());
            let width = output::width();
            let place = self.state.place_words(width >= WIDE);
            let room = width.saturating_sub(place.chars().count() + BAR + MARGIN);
            bar.set_message(self.state.phase_words(false).chars().take(room).collect::<String>());
            bar.set_prefix(place);
        }
        Ok(())
    }

    /// The line of the running phase: as soon as it has a sample of its own, or at its end without one.
    fn announce(&mut self) -> Result<(), Failure> {
        if self.state.announced || matches!(self.state.phase, Phase::Starting | Phase::Done) {
            return Ok(());
        }
        self.state.announced = true;
        self.line(&self.state.phase_words(true))
    }

    /// A line that stays.
    fn line(&self, text: &str) -> Result<(), Failure> {
        match &self.look {
            Look::Bar(bar) => bar.suspend(|| output::line(text)),
            _ => output::line(text),
        }
    }

    fn note(&self, text: &str) {
        match &self.look {
            Look::Bar(bar) => bar.suspend(|| output::note(text)),
            _ => output::note(text),
        }
    }
}

fn bar(prompts: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(prompts as u64 * STEPS), ProgressDrawTarget::stdout_with_hz(5));
    // the template is fixed; a wrong one would only cost the look
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:10} {msg}") {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar
}

impl State {
    fn learn(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Phase { phase, prompt, at_ns } => {
                if self.phase != *phase {
                    self.announced = false;
                    self.power_mw = None;
                }
                self.phase = *phase;
                self.phase_start = MonotonicTime(*at_ns);
                self.now = self.phase_start;
                if *phase == Phase::Baseline {
                    self.prompt = *prompt;
                    self.prompt_start = self.phase_start;
                    self.deltas_per_s = None;
                }
                self.prefill_ratio = None;
            }
            SessionEvent::Sample(row) => {
                self.now = self.now.max(MonotonicTime(row.end_ns));
                // what began before the phase tells of the one before it
                if row.start_ns >= self.phase_start.0 {
                    self.power_mw = PowerSample::from(row.as_ref()).soc_power().map(|power| power.0);
                }
            }
            SessionEvent::Prefill { progress_ratio } => self.prefill_ratio = Some(*progress_ratio),
            SessionEvent::Delta { deltas, since_first_token_s, .. } => {
                self.deltas_per_s =
                    (*since_first_token_s > 0.0).then(|| deltas.saturating_sub(1) as f64 / since_first_token_s);
            }
            SessionEvent::PromptFinished { report, .. } => {
                self.finished += 1;
                let inference_s = report.error.is_none().then_some(report.timing.inference_duration_s);
                self.estimate.finished(report.max_tokens, inference_s);
            }
            SessionEvent::SampleLost { .. } | SessionEvent::PartialFailed { .. } | SessionEvent::Finished { .. } => {}
        }
    }

    /// Number of the running prompt, from 1.
    fn number(&self) -> usize {
        (self.finished + 1).min(self.ids.len())
    }

    fn position(&self) -> u64 {
        let share = |length_s: f64| {
            if length_s > 0.0 { (self.now.seconds_since(self.phase_start) / length_s).clamp(0.0, 1.0) } else { 1.0 }
        };
        // only for the eye: a third for each part of a prompt
        let within = match self.phase {
            Phase::Starting | Phase::Done => 0.0,
            Phase::Baseline => share(self.baseline_s) / 3.0,
            Phase::Prefill => 1.0 / 3.0,
            Phase::Decode => 0.5,
            Phase::Cooldown => (2.0 + share(self.cooldown_s)) / 3.0,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within is 0 to 1")]
        let within = (within * STEPS as f64) as u64;
        (self.finished as u64 * STEPS + within).min(self.ids.len() as u64 * STEPS)
    }

    /// `simulated  4/9 short-long`.
    fn place_words(&self, with_id: bool) -> String {
        let simulated = if self.simulated { "simulated  " } else { "" };
        let id = self.prompt.and_then(|prompt| self.ids.get(prompt)).filter(|_| with_id);
        let id = id.map(|id| format!(" {id}")).unwrap_or_default();
        format!("{simulated}prompt {}/{}{id}", self.number(), self.ids.len())
    }

    /// `decode    18.4 W  ≈53.9 tok/s  3 min 12 s left`, with the place in front of it for a line of its own.
    fn phase_words(&self, whole_line: bool) -> String {
        let phase = match (self.phase, self.prefill_ratio) {
            (Phase::Starting, _) => "waiting for power".to_owned(),
            (Phase::Baseline, _) => "baseline".to_owned(),
            (Phase::Prefill, Some(ratio)) if !whole_line => format!("prefill {}", format::share(ratio)),
            (Phase::Prefill, _) => "prefill".to_owned(),
            (Phase::Decode, _) => "decode".to_owned(),
            (Phase::Cooldown, _) => "cooldown".to_owned(),
            (Phase::Done, _) => "done".to_owned(),
        };
        let mut words = if whole_line { format!("{}  ", self.place_words(true)) } else { String::new() };
        words.push_str(&format!("{phase:<8}"));
        // in the bar the place stays, for what follows must not jump
        if self.power_mw.is_some() || !whole_line {
            words.push_str(&format!("  {:>6}", format::or_dash(self.power_mw, format::power)));
        }
        if let Some(rate) = self.deltas_per_s.filter(|_| matches!(self.phase, Phase::Decode | Phase::Cooldown)) {
            words.push_str(&format!("  ≈{} tok/s", format::rate(rate)));
        }
        if let Some(left) = self.estimate.left(self.now.saturating_since(self.prompt_start)) {
            words.push_str(&format!("  ETA {}", clock_time(left)));
        }
        words.trim_end().to_owned()
    }

    /// One line for a finished prompt.
    fn finished_words(&self, prompt: &PromptReport) -> String {
        let place = format!("{}/{} {}", self.finished, self.ids.len(), prompt.id);
        if let Some(error) = &prompt.error {
            return format!("{place}  failed: {}", format::one_line(error));
        }
        let stats = &prompt.inference_stats;
        let of_server = if is_server_clock(prompt) { " by the server's clock" } else { "" };
        let facts = [
            Some(format!(
                "{} → {} tokens",
                format::or_dash(stats.prompt_tokens, format::count),
                format::or_dash(stats.completion_tokens, format::count)
            )),
            stats.tokens_per_second.map(|rate| format!("{} tok/s{of_server}", format::rate(rate))),
            prompt.power_consumption.inference.avg_mw.map(format::power),
            prompt.energy.net_j.map(|energy| format!("{} net", format::energy(energy))),
            prompt.energy.net_energy_per_token_j.map(|cost| format!("{} J/token", format::energy_per_token(cost))),
        ];
        format!("{place}  {}", facts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }

    fn interrupt_words(&self, at_once: bool) -> String {
        match (at_once, self.phase) {
            (true, _) => "Stopping at once, then writing the report.".to_owned(),
            (false, Phase::Prefill | Phase::Decode | Phase::Cooldown) => format!(
                "Finishing prompt {}/{}, then writing the report. Ctrl-C again stops at once.",
                self.number(),
                self.ids.len()
            ),
            (false, _) => "Stopping, then writing the report.".to_owned(),
        }
    }
}

/// `3:12`, `1:02:09`.
fn clock_time(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use joulebar_core::suite::Suite;

    fn state() -> State {
        let suite = Suite::builtin();
        State {
            simulated: true,
            ids: suite.prompts.iter().map(|prompt| prompt.id.clone()).collect(),
            finished: 3,
            baseline_s: 10.0,
            cooldown_s: 10.0,
            prompt: Some(3),
            phase: Phase::Decode,
            phase_start: MonotonicTime(0),
            prompt_start: MonotonicTime(0),
            now: MonotonicTime(0),
            power_mw: Some(18_400.0),
            announced: false,
            prefill_ratio: None,
            deltas_per_s: Some(53.94),
            estimate: Estimate::new(&suite, &[3, 4], Duration::from_secs(20)),
        }
    }

    #[test]
    fn progress_names_phase_prompt_watts_speed_and_time_left() {
        let mut state = state();
        assert_eq!(state.phase_words(true), "simulated  prompt 4/9 medium-short  decode    18.4 W  ≈53.9 tok/s");
        state.estimate.finished(64, Some(6.4));
        assert!(state.phase_words(false).ends_with("≈53.9 tok/s  ETA 0:36"), "{}", state.phase_words(false));
    }

    fn sample(start_ns: i64, end_ns: i64, gpu_mw: f64) -> SessionEvent {
        let row = serde_json::json!({
            "start_ns": start_ns, "end_ns": end_ns, "elapsed_ns": end_ns - start_ns,
            "cpu_mw": 0.0, "gpu_mw": gpu_mw, "ane_mw": 0.0, "combined_mw": gpu_mw, "origin": "simulator",
        });
        SessionEvent::Sample(serde_json::from_value(row).unwrap())
    }

    #[test]
    fn a_phase_is_never_shown_with_the_power_of_the_phase_before_it() {
        let mut state = state();
        state.learn(&SessionEvent::Phase { phase: Phase::Cooldown, prompt: Some(3), at_ns: 1_000 });
        assert!(!state.phase_words(true).contains('W'), "{}", state.phase_words(true));
        assert!(state.phase_words(false).contains('—'), "{}", state.phase_words(false));
        state.learn(&sample(900, 1_150, 20_000.0));
        assert!(!state.phase_words(true).contains('W'), "{}", state.phase_words(true));
        state.learn(&sample(1_150, 1_400, 900.0));
        assert!(state.phase_words(true).contains("cooldown  900 mW"), "{}", state.phase_words(true));
    }

    #[test]
    fn every_event_says_whether_it_is_simulated() {
        for simulated in [true, false] {
            for event in [sample(0, 1, 1.0), SessionEvent::Prefill { progress_ratio: 0.5 }] {
                let line = serde_json::to_value(Line { event: &event, simulated }).unwrap();
                assert_eq!(line["simulated"], simulated, "{line}");
                assert!(line["event"].is_string(), "{line}");
            }
        }
    }

    #[test]
    fn bar_never_leaves_its_prompt() {
        let mut state = state();
        state.phase = Phase::Baseline;
        state.now = MonotonicTime(1_000_000_000_000);
        assert_eq!(state.position(), 333);
        state.phase = Phase::Cooldown;
        assert_eq!(state.position(), 400);
        state.finished = 9;
        assert_eq!(state.position(), 900);
    }

    #[test]
    fn an_interrupt_says_what_happens_next() {
        let mut state = state();
        assert!(
            state.interrupt_words(false).starts_with("Finishing prompt 4/9, then writing the report. Ctrl-C again")
        );
        assert!(state.interrupt_words(true).contains("at once"));
        state.phase = Phase::Baseline;
        assert!(!state.interrupt_words(false).contains("Finishing"));
    }

    #[test]
    fn times_left_are_short() {
        assert_eq!(clock_time(Duration::from_secs(192)), "3:12");
        assert_eq!(clock_time(Duration::from_secs(3_729)), "1:02:09");
    }
}
