//! Drives a session: carries samples, stream events and time to the [`Machine`], and does what it says.
//!
//! All decisions are the machine's; all arithmetic is the report's. Here are only the waiting, the requests and the
//! file that keeps finished prompts.

use std::pin::Pin;

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::keeper::Keeper;
use super::machine::{Action, Event, Lengths, Machine, Phase};
use super::record::{EndReason, Outcome, PhaseMarks, PromptRun, SessionRecord};
use super::setup::pending;
use crate::clock::{Clock, MonotonicTime};
use crate::lmstudio::models;
use crate::lmstudio::{Client, DeltaKind, GenerateError, Generation, GenerationEvent, GenerationRequest, LmError};
use crate::power::{PowerError, PowerSource};
use crate::report::{PromptReport, prompt_report};
use crate::sample::PowerSample;
use crate::sample_row::SampleRow;
use crate::suite;

/// A session that is ready to run.
pub struct Session<'a, S, K> {
    /// The server.
    pub client: &'a Client,
    /// The power, already flowing.
    pub source: S,
    /// The clock that source and client stamp with.
    pub clock: Clock,
    /// What is known already: the header, and after a resume the finished prompts.
    pub record: SessionRecord,
    /// Lengths of the phases.
    pub lengths: Lengths,
    /// Where finished prompts are kept.
    pub keeper: K,
}

/// A user's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Stop: the first lets the running prompt finish, the second ends at once.
    Interrupt,
}

/// What happens in a running session, for screens and logs.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SessionEvent {
    /// A phase begins.
    Phase {
        /// Which.
        phase: Phase,
        /// Index of its prompt in the suite.
        prompt: Option<usize>,
        /// When, on the session's clock.
        at_ns: i64,
    },
    /// A power sample arrived.
    Sample(Box<SampleRow>),
    /// The server works on the prompt.
    Prefill {
        /// Share that is done, 0 to 1.
        progress_ratio: f64,
    },
    /// Text arrived.
    Delta {
        /// Reasoning or answer.
        kind: DeltaKind,
        /// Deltas of this answer until now; about one token each.
        deltas: u64,
        /// Time since the first of them.
        since_first_token_s: f64,
    },
    /// A prompt is finished and kept.
    PromptFinished {
        /// How many are finished now.
        position: usize,
        /// Its figures.
        report: Box<PromptReport>,
    },
    /// One document of the power source could not be used.
    SampleLost {
        /// Why.
        message: String,
    },
    /// A finished prompt could not be kept on disk; it is still in memory and will be in the report.
    PartialFailed {
        /// Why.
        message: String,
    },
    /// The session is over.
    Finished {
        /// How it ended.
        end_reason: EndReason,
    },
}

/// What ended a session before its time.
#[derive(Debug)]
pub enum SessionFailure {
    /// The power source failed.
    Power(PowerError),
    /// The power source ended, as a recording does.
    PowerEnded,
    /// The server is gone.
    Server(Box<LmError>),
}

/// A session that has run.
#[derive(Debug)]
pub struct SessionResult<K> {
    /// Everything that was recorded.
    pub record: SessionRecord,
    /// What kept it; a file of it is no longer needed once the report is safe.
    pub keeper: K,
    /// What ended it early; `None` when it ran to its end or the user stopped it.
    pub failure: Option<SessionFailure>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Generation, GenerateError>> + Send + 'a>>;

struct Runner<'a, S, K> {
    client: &'a Client,
    source: S,
    clock: Clock,
    record: SessionRecord,
    keeper: K,
    machine: Machine,
    events: UnboundedSender<SessionEvent>,
    generation_events: (UnboundedSender<GenerationEvent>, UnboundedReceiver<GenerationEvent>),
    running: Option<Running<'a>>,
    outcome: Option<Outcome>,
    first_token: Option<MonotonicTime>,
    deltas: u64,
    failure: Option<SessionFailure>,
    finished: Option<EndReason>,
}

impl<S: PowerSource, K: Keeper> Session<'_, S, K> {
    /// Runs all prompts that the record still lacks. Progress goes to `events`; nobody has to listen.
    /// The power source is stopped at the end; a running request is cancelled by closing its connection.
    pub async fn run(
        self,
        events: UnboundedSender<SessionEvent>,
        mut control: UnboundedReceiver<Control>,
    ) -> SessionResult<K> {
        let machine = Machine::new(self.lengths, pending(&self.record));
        let mut runner = Runner {
            client: self.client,
            source: self.source,
            clock: self.clock,
            record: self.record,
            keeper: self.keeper,
            machine,
            events,
            generation_events: unbounded_channel(),
            running: None,
            outcome: None,
            first_token: None,
            deltas: 0,
            failure: None,
            finished: None,
        };
        runner.run(&mut control).await;
        runner.source.stop().await;
        let end_reason = runner.finished.unwrap_or(EndReason::Interrupted);
        runner.record.end = end_reason;
        runner.tell(SessionEvent::Finished { end_reason });
        SessionResult { record: runner.record, keeper: runner.keeper, failure: runner.failure }
    }
}

enum Happened {
    Sample(Box<Result<Option<PowerSample>, PowerError>>),
    Stream(GenerationEvent),
    Generated(Box<Result<Generation, GenerateError>>),
    Control(Option<Control>),
    Time,
}

impl<S: PowerSource, K: Keeper> Runner<'_, S, K> {
    async fn run(&mut self, control: &mut UnboundedReceiver<Control>) {
        self.feed(self.clock.now(), Event::Tick).await;
        let mut interrupts = 0_u32;
        let mut control_open = true;
        while self.finished.is_none() {
            let wake = self.machine.wake_at().map(|wake| wake.saturating_since(self.clock.now()));
            let happened = tokio::select! {
                biased;
                // stream events come before the end of the stream that they belong to
                Some(event) = self.generation_events.1.recv() => Happened::Stream(event),
                result = advance(&mut self.running) => Happened::Generated(Box::new(result)),
                wish = control.recv(), if control_open => Happened::Control(wish),
                sample = self.source.next_sample() => Happened::Sample(Box::new(sample)),
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => Happened::Time,
            };
            match happened {
                Happened::Stream(event) => self.stream(event).await,
                Happened::Generated(result) => self.generated(*result).await,
                Happened::Sample(sample) => self.sample(*sample).await,
                Happened::Time => self.feed(self.clock.now(), Event::Tick).await,
                Happened::Control(None) => control_open = false,
                Happened::Control(Some(Control::Interrupt)) => {
                    interrupts += 1;
                    self.feed(self.clock.now(), Event::Interrupt { now: interrupts > 1 }).await;
                }
            }
        }
    }

    async fn stream(&mut self, event: GenerationEvent) {
        match event {
            GenerationEvent::Sent(at) => self.feed(at, Event::RequestSent).await,
            GenerationEvent::FirstToken(at) => {
                self.first_token = Some(at);
                self.feed(at, Event::FirstToken).await;
            }
            GenerationEvent::Delta(at, kind, _) => {
                self.deltas += 1;
                let since_first_token_s = self.first_token.map_or(0.0, |first| at.seconds_since(first));
                self.tell(SessionEvent::Delta { kind, deltas: self.deltas, since_first_token_s });
            }
            GenerationEvent::PrefillProgress(_, progress_ratio) => self.tell(SessionEvent::Prefill { progress_ratio }),
            GenerationEvent::Finished(at) => self.feed(at, Event::LastToken).await,
            // stands in the generation's timeline
            GenerationEvent::PrefillEnded(_) => {}
        }
    }

    async fn generated(&mut self, result: Result<Generation, GenerateError>) {
        self.running = None;
        // one read may have brought the whole answer: its events come first
        while let Ok(event) = self.generation_events.1.try_recv() {
            self.stream(event).await;
        }
        match result {
            Ok(generation) => {
                let at = generation.timeline.last_token();
                self.outcome = Some(Outcome::Completed { generation: Box::new(generation) });
                self.feed(at, Event::GenerationEnded { server_lost: false }).await;
            }
            Err(GenerateError { error, partial }) => {
                let server_lost = matches!(error, LmError::NotRunning { .. } | LmError::Connection { .. });
                self.outcome = Some(Outcome::Failed { message: error.to_string(), partial });
                if server_lost {
                    self.failure = Some(SessionFailure::Server(Box::new(error)));
                }
                self.feed(self.clock.now(), Event::GenerationEnded { server_lost }).await;
            }
        }
    }

    async fn sample(&mut self, sample: Result<Option<PowerSample>, PowerError>) {
        match sample {
            Ok(Some(sample)) => {
                let end = sample.end;
                self.tell(SessionEvent::Sample(Box::new(SampleRow::from(&sample))));
                self.record.samples.push(sample);
                self.feed(self.clock.now(), Event::Sample { end }).await;
            }
            Err(error) if !error.is_fatal() => {
                self.record.rejected_documents += 1;
                self.tell(SessionEvent::SampleLost { message: error.to_string() });
            }
            Ok(None) => self.lose_power(SessionFailure::PowerEnded).await,
            Err(error) => self.lose_power(SessionFailure::Power(error)).await,
        }
    }

    async fn lose_power(&mut self, failure: SessionFailure) {
        self.failure = Some(failure);
        self.feed(self.clock.now(), Event::PowerLost).await;
    }

    async fn feed(&mut self, at: MonotonicTime, event: Event) {
        for action in self.machine.handle(at, event) {
            match action {
                Action::Enter { phase, prompt } => self.tell(SessionEvent::Phase { phase, prompt, at_ns: at.0 }),
                Action::Send { prompt } => self.send(prompt),
                Action::Cancel => self.running = None,
                // a source that cannot take the mark is gone; its next sample will say so
                Action::Mark(boundary) => drop(self.source.mark(boundary).await),
                Action::Keep { prompt, marks } => self.keep(prompt, marks),
                Action::Finish(reason) => self.finished = Some(reason),
            }
        }
    }

    fn send(&mut self, prompt: usize) {
        let request = self.request(prompt);
        let (client, events) = (self.client, self.generation_events.0.clone());
        self.outcome = None;
        self.first_token = None;
        self.deltas = 0;
        self.running = Some(Box::pin(async move { client.generate(&request, &events).await }));
    }

    fn request(&self, prompt: usize) -> GenerationRequest {
        let header = &self.record.header;
        let entry = &header.suite.prompts[prompt];
        let nonce =
            header.settings.nonce.then(|| suite::nonce(header.settings.seed, &entry.id, 1, self.record.attempt()));
        GenerationRequest {
            model: models::id(&header.model).to_owned(),
            prompt: nonce.map_or_else(|| entry.prompt.clone(), |nonce| suite::with_nonce(&nonce, &entry.prompt)),
            max_tokens: entry.max_tokens,
            temperature: header.settings.temperature,
            seed: Some(header.settings.seed),
            reasoning: None,
        }
    }

    fn keep(&mut self, prompt: usize, marks: PhaseMarks) {
        let Some(outcome) = self.outcome.take() else { return };
        let settings = &self.record.header.settings;
        let entry = &self.record.header.suite.prompts[prompt];
        let run = PromptRun {
            id: entry.id.clone(),
            category: entry.category,
            repeat: 1,
            prompt: entry.prompt.clone(),
            nonce: settings.nonce.then(|| suite::nonce(settings.seed, &entry.id, 1, self.record.attempt())),
            max_tokens: entry.max_tokens,
            marks,
            outcome,
        };
        self.record.runs.push(run);
        let Some(run) = self.record.runs.last() else { return };
        if let Err(error) = self.keeper.keep(&self.record) {
            self.tell(SessionEvent::PartialFailed { message: describe(&error) });
        }
        let report = Box::new(prompt_report(&self.record, run));
        self.tell(SessionEvent::PromptFinished { position: self.record.runs.len(), report });
    }

    fn tell(&self, event: SessionEvent) {
        // nobody has to listen
        let _ = self.events.send(event);
    }
}

/// Waits for the running generation; for ever when there is none.
async fn advance(running: &mut Option<Running<'_>>) -> Result<Generation, GenerateError> {
    match running {
        Some(generation) => generation.await,
        None => std::future::pending().await,
    }
}

fn describe(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
