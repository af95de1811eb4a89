//! Live samples through the privileged helper.
//!
//! Knows the conversation: hello, start, samples, marks, stop, and what each error means for the caller. A task of its own
//! holds the conversation and hands finished samples over a bounded channel, so that waiting for a sample can be given up
//! and taken up again. Leaves to others: the connection ([`super::transport`]), decoding, and placing in time.

mod conversation;
mod resumption;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use joulebar_wire::limits::HELLO_DEADLINE;
use joulebar_wire::{ErrorCode, IntervalMs, PROTOCOL, Reply, Request, Samplers};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::conversation::{Command, Conversation, Outcome, STREAM};
use self::resumption::Resumption;
use super::decoded::NoteCounts;
use super::piped::Launcher;
use super::system_rail::SystemRail;
use super::transport::{StdioTransport, Transport, TransportError};
use super::{Boundary, PassedOver, PowerError, PowerSource, SourceDescription, Way};
use crate::clock::Clock;
use crate::sample::{Origin, PowerSample};

/// Samples that wait for the caller. When they are full the helper's own limit takes over, which counts what it drops.
const WAITING_SAMPLES: usize = 64;
const WAITING_COMMANDS: usize = 16;
/// How long the helper may take to start powermetrics.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// How long [`PowerSource::stop`] waits for the end of the conversation.
const STOP_DEADLINE: Duration = Duration::from_secs(6);

/// What to ask the helper for.
#[derive(Clone, Debug)]
pub struct HelperOptions {
    /// The interval to ask powermetrics for. Real samples are a little longer.
    pub interval: IntervalMs,
    /// The samplers to ask powermetrics for.
    pub samplers: Samplers,
    /// Version of the program that asks, for the helper's log.
    pub client_version: String,
    /// What starts a helper as a child; `None` does it by itself.
    pub launcher: Option<Launcher>,
}

impl HelperOptions {
    /// The usual samplers at this interval.
    #[must_use]
    pub fn every(interval: IntervalMs) -> Self {
        let client_version = env!("CARGO_PKG_VERSION").to_owned();
        Self { interval, samplers: Samplers::default(), client_version, launcher: None }
    }
}

/// Samples from a helper. Dropping it ends the helper and its powermetrics.
#[derive(Debug)]
pub struct HelperSource {
    samples: mpsc::Receiver<Outcome>,
    commands: mpsc::Sender<Command>,
    task: Option<JoinHandle<()>>,
    description: SourceDescription,
    notes: NoteCounts,
    next_mark: u64,
    system: Option<SystemRail>,
}

impl HelperSource {
    /// Starts `program` (`joulebar-helper`) with the argument `stdio`, and sampling on it.
    ///
    /// # Errors
    /// [`PowerError::Spawn`] when there is no such program, else as [`HelperSource::start`].
    pub async fn spawn(program: &Path, options: &HelperOptions, clock: Clock) -> Result<Self, PowerError> {
        Self::spawn_with(program, &[OsString::from("stdio")], options, clock).await
    }

    pub(super) async fn spawn_with(
        program: &Path,
        arguments: &[OsString],
        options: &HelperOptions,
        clock: Clock,
    ) -> Result<Self, PowerError> {
        match &options.launcher {
            None => Self::start(StdioTransport::spawn(program, arguments)?, options, clock).await,
            Some(launcher) => {
                let failed = |source| PowerError::Spawn { program: program.display().to_string(), source };
                Self::start(launcher.launch(program, arguments).map_err(failed)?, options, clock).await
            }
        }
    }

    /// Opens the conversation on `transport` and starts sampling. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`PowerError::ProtocolMismatch`] for a helper of another version; [`PowerError::PermissionDenied`] when it may not
    /// read power; [`PowerError::Unavailable`] when this machine has nothing to read; [`PowerError::Protocol`] when it does
    /// not answer in time or as agreed; [`PowerError::ChildExited`] when it ends instead.
    pub async fn start<T: Transport>(
        mut transport: T,
        options: &HelperOptions,
        clock: Clock,
    ) -> Result<Self, PowerError> {
        let greeting = match greet_again(&mut transport, options, &mut Resumption::new()).await {
            Ok(greeting) => greeting,
            Err(error) => {
                transport.close().await;
                return Err(error);
            }
        };
        let origin = if greeting.simulated { Origin::Simulator } else { Origin::Powermetrics };
        let description = SourceDescription {
            name: "helper".to_owned(),
            origin,
            requested_interval_ms: Some(options.interval.get()),
            samplers: options.samplers.iter().map(|sampler| sampler.name().to_owned()).collect(),
            helper_version: Some(greeting.helper_version),
            way: (!greeting.simulated).then_some(Way::HelperChild),
            passed_over: Vec::new(),
        };
        let (sample_sender, samples) = mpsc::channel(WAITING_SAMPLES);
        let (commands, command_receiver) = mpsc::channel(WAITING_COMMANDS);
        let conversation = Conversation::new(transport, options.clone(), clock, origin, greeting.interval);
        let task = tokio::spawn(conversation.run(command_receiver, sample_sender));
        Ok(Self {
            samples,
            commands,
            task: Some(task),
            description,
            notes: NoteCounts::default(),
            next_mark: 0,
            system: None,
        })
    }

    /// What was not taken as it stood in the samples given out so far.
    #[must_use]
    pub fn notes(&self) -> NoteCounts {
        self.notes
    }

    /// Says over which way the helper is reached, and adds the whole machine's power to its samples.
    #[must_use]
    pub(super) fn reached_by(mut self, way: Way, system: Option<SystemRail>) -> Self {
        self.description.way = Some(way);
        self.system = system;
        self
    }

    /// Says which better ways were not to be had.
    pub(super) fn passed_over(&mut self, ways: Vec<PassedOver>) {
        self.description.passed_over = ways;
    }

    pub(super) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.description.name);
    }
}

impl PowerSource for HelperSource {
    async fn next_sample(&mut self) -> Result<Option<PowerSample>, PowerError> {
        match self.samples.recv().await {
            None => Ok(None),
            Some(outcome) => {
                let (mut sample, notes) = outcome?;
                self.notes.add(&notes);
                if let Some(system) = &self.system {
                    system.complete(&mut sample);
                }
                Ok(Some(*sample))
            }
        }
    }

    async fn mark(&mut self, _boundary: Boundary) -> Result<(), PowerError> {
        let n = self.next_mark;
        self.next_mark += 1;
        let gone = |_| PowerError::ChildExited { detail: "the helper is gone".to_owned() };
        self.commands.send(Command::Mark { n }).await.map_err(gone)
    }

    async fn stop(&mut self) {
        // nothing more is taken in; what waits already can still be had
        self.samples.close();
        // the conversation may have ended by itself
        drop(self.commands.send(Command::Stop).await);
        if let Some(mut task) = self.task.take()
            && timeout(STOP_DEADLINE, &mut task).await.is_err()
        {
            task.abort();
        }
    }

    fn description(&self) -> SourceDescription {
        self.description.clone()
    }
}

struct Greeting {
    helper_version: String,
    simulated: bool,
    /// The interval in use, maybe shorter than asked for.
    interval: IntervalMs,
}

/// Opens the conversation, again after a pause each time the helper ends in it.
async fn greet_again<T: Transport>(
    transport: &mut T,
    options: &HelperOptions,
    resumption: &mut Resumption,
) -> Result<Greeting, PowerError> {
    loop {
        match greet(transport, options).await {
            Err(PowerError::Interrupted { detail }) => match resumption.next_pause() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(PowerError::Interrupted { detail }),
            },
            result => return result,
        }
    }
}

async fn greet<T: Transport>(transport: &mut T, options: &HelperOptions) -> Result<Greeting, PowerError> {
    let identity = say_hello(transport, &options.client_version).await?;
    if identity.protocol != PROTOCOL {
        return Err(PowerError::ProtocolMismatch { found: identity.protocol, needed: PROTOCOL });
    }
    if !identity.has_powermetrics {
        return Err(PowerError::Unavailable { detail: "it has no powermetrics".to_owned() });
    }
    let start = Request::Start { id: STREAM, interval_ms: options.interval, samplers: options.samplers.clone() };
    match ask(transport, &start, START_DEADLINE).await? {
        Reply::Started { id: STREAM, interval_ms, .. } => {
            let (helper_version, simulated) = (identity.version, identity.simulated);
            Ok(Greeting { helper_version, simulated, interval: interval_ms })
        }
        other => Err(unexpected(&other, "start")),
    }
}

/// Who a helper says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperIdentity {
    /// Its version, `1.4.0`.
    pub version: String,
    /// The protocol that it speaks.
    pub protocol: u16,
    /// What it was built from, `unknown` where that was not written down.
    pub build: String,
    /// Whether it has a powermetrics to run.
    pub has_powermetrics: bool,
    /// True when it runs a simulator instead.
    pub simulated: bool,
}

/// Asks a helper who it is, as the first message of a conversation. Ends by itself after [`HELLO_DEADLINE`].
///
/// # Errors
/// As [`HelperSource::start`], but another protocol is no error.
pub async fn say_hello<T: Transport>(transport: &mut T, own_version: &str) -> Result<HelperIdentity, PowerError> {
    let hello = Request::Hello { proto: PROTOCOL, app: own_version.to_owned() };
    match ask(transport, &hello, HELLO_DEADLINE).await? {
        Reply::HelloOk { proto, helper, build, powermetrics, simulated } => {
            Ok(HelperIdentity { version: helper, protocol: proto, build, has_powermetrics: powermetrics, simulated })
        }
        other => Err(unexpected(&other, "hello")),
    }
}

/// Sends a request and waits for the one answer to it.
async fn ask<T: Transport>(transport: &mut T, request: &Request, deadline: Duration) -> Result<Reply, PowerError> {
    let sent = transport.send(request).await;
    // a helper that closes at once may still have said why
    let reply = match timeout(deadline, transport.receive()).await {
        Err(_) => {
            let detail = format!("no answer within {} s", deadline.as_secs());
            return Err(PowerError::Protocol { detail });
        }
        Ok(Ok(Some(received))) => received.reply,
        Ok(Ok(None)) => return Err(sent.err().map_or_else(|| ended(transport), |error| broken(transport, error))),
        Ok(Err(error)) => return Err(broken(transport, sent.err().unwrap_or(error))),
    };
    match reply {
        Reply::Error { code, detail, .. } => Err(refused(code, detail)),
        reply => Ok(reply),
    }
}

/// The helper closed the conversation by itself.
fn ended<T: Transport>(transport: &T) -> PowerError {
    let words = transport.last_words();
    let detail =
        if words.is_empty() { "the helper has gone".to_owned() } else { format!("the helper has gone: {words}") };
    PowerError::ChildExited { detail }
}

fn broken<T: Transport>(transport: &T, error: TransportError) -> PowerError {
    match error {
        TransportError::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ended(transport),
        TransportError::Io(error) => PowerError::Io(error),
        TransportError::Cut => ended(transport),
        TransportError::Wire(error) => PowerError::Protocol { detail: error.to_string() },
        TransportError::Malformed(detail) => PowerError::Protocol { detail },
        TransportError::Interrupted => PowerError::Interrupted { detail: "it was interrupted".to_owned() },
        TransportError::Invalid => PowerError::NotRegistered,
        TransportError::Stranger => PowerError::Stranger,
    }
}

/// What an error of the helper means for whoever wanted samples.
fn refused(code: ErrorCode, detail: String) -> PowerError {
    match code {
        ErrorCode::Permission => PowerError::PermissionDenied { detail },
        ErrorCode::Unavailable | ErrorCode::Unsupported | ErrorCode::Busy => PowerError::Unavailable { detail },
        ErrorCode::ChildExit | ErrorCode::Oversize | ErrorCode::Internal => PowerError::ChildExited { detail },
        ErrorCode::BadRequest | ErrorCode::TooFast => PowerError::Protocol { detail },
    }
}

fn unexpected(reply: &Reply, request: &str) -> PowerError {
    PowerError::Protocol { detail: format!("{request} was answered by {reply:?}") }
}
