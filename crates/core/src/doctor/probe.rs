//! A short conversation with the helper of which everything is noted: how fast it answers, what the first document looks
//! like, what the boundary signal does, whether the clocks agree.
//!
//! Knows the order of the questions and when to give up. Leaves to others: what an answer means for a row
//! (`super::power_rows`), and the connection ([`crate::power::transport`]).

use std::time::Duration;

use joulebar_wire::frame::Received;
use joulebar_wire::limits::HELLO_DEADLINE;
use joulebar_wire::{ErrorCode, IntervalMs, PROTOCOL, Reply, Request, Samplers};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::facts::{BoundaryFacts, Probe, ProbeFacts, ProbeSample};
use crate::clock::raw_monotonic_ns;
use crate::live::HelperView;
use crate::live::state::{PowerProblem, PowerState, Reading};
use crate::power::decoded::DecodeNote;
use crate::power::open::Power;
use crate::power::powermetrics::decode;
use crate::power::transport::{StdioTransport, Transport, TransportError};
use crate::programs::Program;

const STREAM: u64 = 1;
/// How long powermetrics may take to start.
const START_DEADLINE: Duration = Duration::from_secs(12);
/// How long the helper may take to stop it again.
const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// How long to talk.
#[derive(Clone, Copy, Debug)]
pub struct ProbePlan {
    /// Interval to ask for.
    pub interval: IntervalMs,
    /// Documents to wait for. At least four, or the boundary signal stays unanswered.
    pub documents: usize,
}

impl ProbePlan {
    /// The usual one: half a second an interval, long enough to see how energy is published.
    ///
    /// # Errors
    /// Never: the interval is one of those that the helper takes.
    pub fn whole() -> Result<Self, joulebar_wire::InvalidInterval> {
        Ok(Self { interval: IntervalMs::new(500)?, documents: 10 })
    }

    /// The shortest in which the boundary signal is answered; for a page that somebody looks at.
    ///
    /// # Errors
    /// Never: the interval is one of those that the helper takes.
    pub fn short() -> Result<Self, joulebar_wire::InvalidInterval> {
        Ok(Self { interval: IntervalMs::new(250)?, documents: 5 })
    }
}

/// Starts the helper of this source, talks to it and ends it.
pub async fn probe_power(power: &Power, plan: ProbePlan) -> Probe {
    #[cfg(target_os = "macos")]
    if power.is_measured() {
        let over_xpc = match crate::power::open::helper_link() {
            Ok(transport) => probe(transport, plan).await,
            Err(error) => {
                let facts = Box::new(ProbeFacts { asked_ms: plan.interval.get(), ..ProbeFacts::default() });
                let message = sentence(&error.to_string());
                Probe::Failed { problem: PowerProblem::HelperMissing, message, facts }
            }
        };
        // root has another way, which says nothing about the service
        let is_root = crate::power::way::WayFacts::of_this_program(false).is_root;
        if !is_root || over_xpc.facts().is_some_and(|facts| facts.helper_version.is_some()) {
            return over_xpc;
        }
    }
    let (program, arguments) = match power {
        Power::Auto { .. } | Power::Helper => (Program::Helper, Ok(vec!["stdio".into()])),
        Power::Demo { .. } => (Program::SimulatedHelper, power.demo_arguments()),
        Power::Replay(_) => return Probe::NotRun { why: "A recording has no helper.".to_owned() },
    };
    let failed = |problem, words: String| {
        let facts = Box::new(ProbeFacts { asked_ms: plan.interval.get(), ..ProbeFacts::default() });
        Probe::Failed { problem, message: sentence(&words), facts }
    };
    let started = match (program.find(), arguments) {
        (Err(error), _) => return failed(PowerProblem::HelperMissing, error.to_string()),
        (_, Err(error)) => return failed(PowerProblem::HelperMissing, error.to_string()),
        (Ok(program), Ok(arguments)) => StdioTransport::spawn(&program, &arguments),
    };
    match started {
        Ok(transport) => as_child(probe(transport, plan).await),
        Err(error) => failed(PowerProblem::HelperMissing, error.to_string()),
    }
}

fn as_child(mut probe: Probe) -> Probe {
    if let Probe::Done(facts) | Probe::Failed { facts, .. } = &mut probe {
        facts.as_child = true;
    }
    probe
}

/// What is known of the helper after a conversation, for those who have no other.
#[must_use]
pub fn helper_view(probe: &Probe, program: Program) -> HelperView {
    let facts = probe.facts().cloned().unwrap_or_default();
    // what the boundary signal cut is no measure of the interval
    let whole: Vec<f64> = facts.samples.iter().filter_map(|sample| sample.elapsed_ms).collect();
    HelperView {
        name: facts.helper_version.is_some().then(|| if facts.simulated { "demo" } else { "helper" }.to_owned()),
        version: facts.helper_version,
        protocol: PROTOCOL,
        interval_ms: facts.interval_ms,
        achieved_ms: crate::stats::median(&whole),
        samplers: facts.samplers,
        samples: u32::try_from(facts.samples.len()).unwrap_or(u32::MAX),
        simulated: facts.simulated,
        path: program.find().ok().map(|path| path.display().to_string()),
        source: None,
        service: None,
        can_authorize: false,
    }
}

/// Whether there was power in a conversation.
#[must_use]
pub fn power_state(probe: &Probe) -> PowerState {
    let newest = probe.facts().and_then(|facts| facts.samples.last());
    match (probe, newest) {
        (Probe::Failed { problem, message, .. }, _) => PowerState::None { reason: *problem, message: message.clone() },
        (_, Some(sample)) => PowerState::Live {
            reading: Reading {
                end_ns: 0,
                soc_mw: sample.soc_mw,
                cpu_mw: sample.cpu_mw,
                gpu_mw: sample.gpu_mw,
                ane_mw: None,
                dram_mw: None,
                system_mw: None,
                scope: String::new(),
                missing: None,
            },
        },
        (_, None) => PowerState::Starting,
    }
}

/// Talks to a helper and closes the conversation.
pub async fn probe<T: Transport>(mut transport: T, plan: ProbePlan) -> Probe {
    let mut facts = ProbeFacts { asked_ms: plan.interval.get(), ..ProbeFacts::default() };
    let ended = converse(&mut transport, plan, &mut facts).await;
    if ended.is_ok() {
        let stop = async {
            transport.send(&Request::Stop { id: STREAM }).await?;
            while let Some(received) = transport.receive().await? {
                if matches!(received.reply, Reply::Stopped { .. }) {
                    break;
                }
            }
            Ok::<(), TransportError>(())
        };
        // the end of the conversation stops it as well
        drop(timeout_at(Instant::now() + STOP_DEADLINE, stop).await);
    }
    transport.close().await;
    facts.helper_words = transport.last_words();
    match ended {
        Ok(()) => Probe::Done(Box::new(facts)),
        Err((problem, message)) => Probe::Failed { problem, message, facts: Box::new(facts) },
    }
}

type Failed = (PowerProblem, String);

async fn converse<T: Transport>(transport: &mut T, plan: ProbePlan, facts: &mut ProbeFacts) -> Result<(), Failed> {
    let asked = Instant::now();
    send(transport, &Request::Hello { proto: PROTOCOL, app: env!("CARGO_PKG_VERSION").to_owned() }).await?;
    match receive(transport, asked + HELLO_DEADLINE).await?.reply {
        Reply::HelloOk { proto, helper, build, powermetrics, simulated } => {
            facts.hello_ms = Some(asked.elapsed().as_secs_f64() * 1e3);
            (facts.protocol, facts.powermetrics, facts.simulated) = (Some(proto), Some(powermetrics), simulated);
            (facts.helper_version, facts.helper_build) = (Some(helper), Some(build));
            if proto != PROTOCOL {
                let message = format!("The helper speaks protocol {proto}, this program needs {PROTOCOL}.");
                return Err((PowerProblem::ProtocolMismatch, message));
            }
            if !powermetrics {
                return Err((PowerProblem::Unavailable, "The helper finds no powermetrics.".to_owned()));
            }
        }
        other => return Err(unexpected(&other)),
    }
    let wanted = Samplers::default();
    let start = Request::Start { id: STREAM, interval_ms: plan.interval, samplers: wanted.clone() };
    send(transport, &start).await?;
    let interval = Duration::from_millis(plan.interval.get().into());
    let whole = u32::try_from(plan.documents).unwrap_or(u32::MAX).saturating_mul(2);
    let give_up = Instant::now() + START_DEADLINE + interval.saturating_mul(whole);
    let mut boundary = Boundary::default();
    while facts.samples.len() < plan.documents {
        let received = tokio::select! {
            received = receive(transport, give_up) => received?,
            () = sleep_until(boundary.due.unwrap_or(give_up)), if boundary.due.is_some() => {
                boundary.due = None;
                send(transport, &Request::Mark { id: STREAM, n: 1 }).await?;
                continue;
            }
        };
        match received.reply {
            Reply::Started { interval_ms, samplers, .. } => {
                facts.interval_ms = Some(interval_ms.get());
                facts.samplers = samplers.iter().map(|sampler| sampler.name().to_owned()).collect();
                let missing = wanted.iter().filter(|sampler| !samplers.contains(*sampler));
                facts.missing_samplers = missing.map(|sampler| sampler.name().to_owned()).collect();
            }
            Reply::Sample { mono_ns, dropped, .. } => {
                let document = received.document.unwrap_or_default();
                let sample = read(&document, raw_monotonic_ns() - mono_ns);
                facts.dropped = dropped;
                // the first sample begins before the tool is ready; the second is whole
                if facts.samples.len() == 1 {
                    boundary.due = Some(Instant::now() + interval.mul_f64(0.4));
                }
                boundary.sample(&sample, mono_ns);
                facts.samples.push(sample);
                facts.first_document.get_or_insert(document);
            }
            Reply::Marked { mono_ns, .. } => boundary.marked(mono_ns),
            Reply::Stopped { reason, .. } => {
                return Err((PowerProblem::Ended, format!("The helper stopped sampling ({reason:?}).")));
            }
            Reply::Error { code, detail, .. } => return Err(refused(code, &detail)),
            Reply::Pong { .. } | Reply::HelloOk { .. } => {}
        }
        facts.boundary = boundary.facts;
    }
    Ok(())
}

/// The boundary signal: when to send it, and what came of it.
#[derive(Default)]
struct Boundary {
    due: Option<Instant>,
    marked_ns: Option<i64>,
    facts: Option<BoundaryFacts>,
}

impl Boundary {
    fn marked(&mut self, mono_ns: i64) {
        self.marked_ns = Some(mono_ns);
        self.facts = Some(BoundaryFacts::default());
    }

    fn sample(&mut self, sample: &ProbeSample, mono_ns: i64) {
        let (Some(marked_ns), Some(facts)) = (self.marked_ns, &mut self.facts) else { return };
        if facts.answered_ms.is_none() {
            // one that was on its way already answers nothing
            if mono_ns >= marked_ns {
                facts.answered_ms = Some((mono_ns - marked_ns) as f64 / 1e6);
                facts.elapsed_ms = sample.elapsed_ms;
            }
        } else if facts.next_elapsed_ms.is_none() {
            facts.next_elapsed_ms = sample.elapsed_ms;
        }
    }
}

fn read(document: &[u8], on_its_way_ns: i64) -> ProbeSample {
    let on_its_way_ms = on_its_way_ns as f64 / 1e6;
    let Ok(decoded) = decode(document) else { return ProbeSample { on_its_way_ms, ..ProbeSample::default() } };
    let rejected = decoded.notes.iter().filter(|note| matches!(note, DecodeNote::Rejected { .. })).count();
    let power = decoded.power;
    let rails = [power.cpu, power.gpu, power.ane];
    ProbeSample {
        elapsed_ms: decoded.elapsed.map(|elapsed| elapsed.as_secs_f64() * 1e3),
        cpu_mw: power.cpu.map(|power| power.0),
        gpu_mw: power.gpu.map(|power| power.0),
        soc_mw: rails.into_iter().flatten().map(|power| power.0).reduce(|sum, power| sum + power),
        on_its_way_ms,
        rejected: u32::try_from(rejected).unwrap_or(u32::MAX),
        decoded: true,
    }
}

async fn send<T: Transport>(transport: &mut T, request: &Request) -> Result<(), Failed> {
    match transport.send(request).await {
        Ok(()) => Ok(()),
        // a helper that closes at once may still have said why
        Err(error) => match receive(transport, Instant::now() + STOP_DEADLINE).await {
            Ok(Received { reply: Reply::Error { code, detail, .. }, .. }) => Err(refused(code, &detail)),
            _ => Err((PowerProblem::Ended, sentence(&error.to_string()))),
        },
    }
}

async fn receive<T: Transport>(transport: &mut T, until: Instant) -> Result<Received, Failed> {
    match timeout_at(until, transport.receive()).await {
        Err(_) => Err((PowerProblem::Ended, "The helper gave no answer in time.".to_owned())),
        Ok(Err(error)) => Err((PowerProblem::Ended, sentence(&error.to_string()))),
        Ok(Ok(None)) => Err((PowerProblem::Ended, "The helper has gone.".to_owned())),
        Ok(Ok(Some(received))) => match received.reply {
            Reply::Error { code, detail, .. } => Err(refused(code, &detail)),
            reply => Ok(Received { reply, document: received.document }),
        },
    }
}

fn refused(code: ErrorCode, detail: &str) -> Failed {
    let problem = match code {
        ErrorCode::Permission => PowerProblem::NotPermitted,
        ErrorCode::Unavailable | ErrorCode::Unsupported | ErrorCode::Busy => PowerProblem::Unavailable,
        _ => PowerProblem::Ended,
    };
    (problem, sentence(detail))
}

fn unexpected(reply: &Reply) -> Failed {
    (PowerProblem::Ended, format!("The helper answered {reply:?}."))
}

/// Words of a program as a sentence.
fn sentence(words: &str) -> String {
    let mut characters = words.trim().trim_end_matches('.').chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
