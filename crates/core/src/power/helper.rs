//! Live samples through the privileged helper.
//!
//! Knows the conversation: hello, start, samples, marks, stop, and what each error means for the caller. A task of its own
//! holds the conversation and hands finished samples over a bounded channel, so that waiting for a sample can be given up
//! and taken up again. Leaves to others: the connection ([`super::transport`]), decoding, and placing in time.

mod conversation;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use joulebar_wire::limits::HELLO_DEADLINE;
use joulebar_wire::{ErrorCode, IntervalMs, PROTOCOL, Reply, Request, Samplers};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::conversation::{Command, Conversation, Outcome, STREAM};
use super::decoded::NoteCounts;
use super::transport::{StdioTransport, Transport, TransportError};
use super::{Boundary, PowerError, PowerSource, SourceDescription};
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
}

impl HelperOptions {
    /// The usual samplers at this interval.
    #[must_use]
    pub fn every(interval: IntervalMs) -> Self {
        let client_version = env!("CARGO_PKG_VERSION").to_owned();
        Self { interval, samplers: Samplers::default(), client_version }
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
        Self::start(StdioTransport::spawn(program, arguments)?, options, clock).await
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
        let greeting = match greet(&mut transport, options).await {
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
        };
        let (sample_sender, samples) = mpsc::channel(WAITING_SAMPLES);
        let (commands, command_receiver) = mpsc::channel(WAITING_COMMANDS);
        let conversation = Conversation::new(transport, clock, origin, greeting.interval);
        let task = tokio::spawn(conversation.run(command_receiver, sample_sender));
        Ok(Self { samples, commands, task: Some(task), description, notes: NoteCounts::default(), next_mark: 0 })
    }

    /// What was not taken as it stood in the samples given out so far.
    #[must_use]
    pub fn notes(&self) -> NoteCounts {
        self.notes
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
                let (sample, notes) = outcome?;
                self.notes.add(&notes);
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

async fn greet<T: Transport>(transport: &mut T, options: &HelperOptions) -> Result<Greeting, PowerError> {
    let hello = Request::Hello { proto: PROTOCOL, app: options.client_version.clone() };
    let (helper_version, simulated) = match ask(transport, &hello, HELLO_DEADLINE).await? {
        Reply::HelloOk { proto, .. } if proto != PROTOCOL => {
            return Err(PowerError::ProtocolMismatch { found: proto, needed: PROTOCOL });
        }
        Reply::HelloOk { powermetrics: false, .. } => {
            return Err(PowerError::Unavailable { detail: "it has no powermetrics".to_owned() });
        }
        Reply::HelloOk { helper, simulated, .. } => (helper, simulated),
        other => return Err(unexpected(&other, "hello")),
    };
    let start = Request::Start { id: STREAM, interval_ms: options.interval, samplers: options.samplers.clone() };
    match ask(transport, &start, START_DEADLINE).await? {
        Reply::Started { id: STREAM, interval_ms, .. } => {
            Ok(Greeting { helper_version, simulated, interval: interval_ms })
        }
        other => Err(unexpected(&other, "start")),
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
        Ok(Ok(None)) => return Err(ended(transport)),
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
