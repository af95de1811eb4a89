//! The running conversation with the helper: replies in, finished samples out.

use std::collections::VecDeque;
use std::time::Duration;

use joulebar_wire::frame::Received;
use joulebar_wire::{ErrorCode, IntervalMs, Reply, Request, StopReason};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::resumption::Resumption;
use super::{HelperOptions, broken, ended, greet_again, refused};
use crate::clock::{Clock, MonotonicTime};
use crate::power::PowerError;
use crate::power::align::Aligner;
use crate::power::decoded::NoteCounts;
use crate::power::powermetrics::{DecodeError, decode};
use crate::power::transport::{Transport, TransportError};
use crate::sample::{Origin, PowerSample};

/// The only stream of a conversation.
pub(super) const STREAM: u64 = 1;
/// How long beyond its interval a document may take. The helper itself starts powermetrics anew after 5 s.
const STALE_AFTER: Duration = Duration::from_secs(7);
/// A sample longer than this many intervals spans a sleep of the machine or a change of its clock.
const MAX_INTERVALS: u32 = 3;
/// How long the helper may take to confirm a stop.
const STOPPED_DEADLINE: Duration = Duration::from_secs(2);

/// What the caller wants of a running conversation. Dropping the sender means stop.
#[derive(Debug)]
pub(super) enum Command {
    /// End the running sample now.
    Mark { n: u64 },
    /// End the conversation.
    Stop,
}

/// One sample with what was not taken as it stood in it, or why there is none.
pub(super) type Outcome = Result<(Box<PowerSample>, NoteCounts), PowerError>;

/// How a conversation comes to its end.
enum Ending {
    /// The caller wants no more.
    Wanted,
    /// The helper stopped because it was asked to.
    Stopped,
    /// Nothing more will come.
    Failed(PowerError),
}

pub(super) struct Conversation<T> {
    transport: T,
    options: HelperOptions,
    stream: Stream,
    resumption: Resumption,
}

impl<T: Transport> Conversation<T> {
    pub(super) fn new(
        transport: T,
        options: HelperOptions,
        clock: Clock,
        origin: Origin,
        interval: IntervalMs,
    ) -> Self {
        let stream = Stream::new(clock, origin, interval);
        Self { transport, options, stream, resumption: Resumption::new() }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, samples: mpsc::Sender<Outcome>) {
        let failure = match self.converse(&mut commands, &samples).await {
            Ending::Wanted => {
                self.say_stop().await;
                None
            }
            Ending::Stopped => None,
            Ending::Failed(error) => Some(error),
        };
        self.transport.close().await;
        if let Some(error) = failure {
            // nobody may be listening any more
            drop(samples.send(Err(error)).await);
        }
    }

    async fn converse(&mut self, commands: &mut mpsc::Receiver<Command>, samples: &mpsc::Sender<Outcome>) -> Ending {
        let mut waiting = VecDeque::new();
        let mut stale_at = self.stream.stale_from(Instant::now());
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Mark { n }) => {
                        if let Err(error) = self.transport.send(&Request::Mark { id: STREAM, n }).await {
                            return Ending::Failed(broken(&self.transport, error));
                        }
                    }
                    Some(Command::Stop) | None => return Ending::Wanted,
                },
                permit = samples.reserve(), if !waiting.is_empty() => match permit {
                    Ok(permit) => if let Some(outcome) = waiting.pop_front() { permit.send(outcome) },
                    Err(_) => return Ending::Wanted,
                },
                received = self.transport.receive(), if waiting.is_empty() => {
                    let received = match received {
                        Ok(Some(received)) => received,
                        Ok(None) => return Ending::Failed(self.stream.failure.take().unwrap_or_else(|| ended(&self.transport))),
                        Err(TransportError::Interrupted) => match self.resume(commands).await {
                            Ok(gap) => {
                                waiting.push_back(Err(gap));
                                stale_at = self.stream.stale_from(Instant::now());
                                continue;
                            }
                            Err(ending) => return ending,
                        },
                        Err(error) => return Ending::Failed(broken(&self.transport, error)),
                    };
                    let now = self.stream.clock.now();
                    match self.stream.take(received, now, &mut waiting) {
                        Progress::Alive => {
                            stale_at = self.stream.stale_from(Instant::now());
                            if self.stream.next_seq > 0 {
                                self.resumption.is_healthy();
                            }
                        }
                        Progress::Nothing => {}
                        Progress::Ended(ending) => return ending,
                    }
                }
                () = sleep_until(stale_at), if waiting.is_empty() => {
                    return Ending::Failed(PowerError::Stale { waited_s: self.stream.patience().as_secs_f64() });
                }
            }
        }
    }

    /// Starts the helper anew after it ended: a pause, hello, start. Gives the gap to be marked, or how all ends.
    async fn resume(&mut self, commands: &mut mpsc::Receiver<Command>) -> Result<PowerError, Ending> {
        let Self { transport, options, stream, resumption } = self;
        let began = stream.clock.now();
        let Some(pause) = resumption.next_pause() else {
            let detail = "it ended again and again".to_owned();
            return Err(Ending::Failed(PowerError::Interrupted { detail }));
        };
        let greeted = async {
            tokio::time::sleep(pause).await;
            greet_again(transport, options, resumption).await
        };
        tokio::pin!(greeted);
        let greeting = loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    // nothing runs that a boundary sample could be asked of
                    Some(Command::Mark { .. }) => {}
                    Some(Command::Stop) | None => return Err(Ending::Wanted),
                },
                greeting = &mut greeted => break greeting.map_err(Ending::Failed)?,
            }
        };
        if greeting.simulated != (stream.origin == Origin::Simulator) {
            let detail = "the helper that was started anew is another one".to_owned();
            return Err(Ending::Failed(PowerError::Protocol { detail }));
        }
        stream.begin_anew(greeting.interval);
        Ok(PowerError::Gap { lasted_s: stream.clock.now().seconds_since(began) })
    }

    /// Asks the helper to stop and waits until it says that nothing runs any more.
    async fn say_stop(&mut self) {
        let stopped = async {
            self.transport.send(&Request::Stop { id: STREAM }).await?;
            while let Some(received) = self.transport.receive().await? {
                if matches!(received.reply, Reply::Stopped { .. }) {
                    break;
                }
            }
            Ok::<(), TransportError>(())
        };
        // closing ends a helper that does not answer
        drop(timeout(STOPPED_DEADLINE, stopped).await);
    }
}

/// What a reply means for the conversation.
enum Progress {
    /// powermetrics works, or was started anew.
    Alive,
    /// Neither good nor bad.
    Nothing,
    /// The stream has ended.
    Ended(Ending),
}

/// Replies to samples, without I/O.
struct Stream {
    clock: Clock,
    origin: Origin,
    interval: Duration,
    aligner: Aligner,
    next_seq: u64,
    /// The latest error of the helper that `stopped` may follow.
    failure: Option<PowerError>,
}

impl Stream {
    fn new(clock: Clock, origin: Origin, interval: IntervalMs) -> Self {
        let interval = Duration::from_millis(u64::from(interval.get()));
        Self { clock, origin, interval, aligner: Aligner::new(), next_seq: 0, failure: None }
    }

    /// Another helper counts from the beginning.
    fn begin_anew(&mut self, interval: IntervalMs) {
        self.interval = Duration::from_millis(u64::from(interval.get()));
        self.aligner.restart();
        self.next_seq = 0;
        self.failure = None;
    }

    fn patience(&self) -> Duration {
        self.interval + STALE_AFTER
    }

    fn stale_from(&self, now: Instant) -> Instant {
        now + self.patience()
    }

    fn take(&mut self, received: Received, now: MonotonicTime, waiting: &mut VecDeque<Outcome>) -> Progress {
        match received.reply {
            Reply::Sample { id: STREAM, seq, mono_ns, offset, .. } => {
                let document = received.document.unwrap_or_default();
                if seq > self.next_seq {
                    let lost = seq - self.next_seq;
                    let reason = format!("{lost} samples were lost on their way, the last one before byte {offset}");
                    waiting.push_back(Err(PowerError::MalformedSample { index: self.next_seq, offset, reason }));
                    self.aligner.restart();
                }
                self.next_seq = seq.saturating_add(1);
                // a document cannot have arrived later than now, whatever the helper says
                let arrival = self.clock.from_raw(mono_ns).min(now);
                waiting.push_back(self.sample(&document, arrival).map_err(|unusable| {
                    self.aligner.restart();
                    PowerError::MalformedSample { index: seq, offset, reason: unusable.to_string() }
                }));
                Progress::Alive
            }
            Reply::Started { id: STREAM, interval_ms, .. } => {
                self.interval = Duration::from_millis(u64::from(interval_ms.get()));
                self.aligner.restart();
                Progress::Alive
            }
            Reply::Stopped { id: STREAM, reason } => Progress::Ended(match reason {
                StopReason::Client => Ending::Stopped,
                StopReason::Failed | StopReason::Shutdown => Ending::Failed(self.failure.take().unwrap_or_else(|| {
                    PowerError::ChildExited { detail: "the helper has stopped sampling".to_owned() }
                })),
            }),
            Reply::Error { code: ErrorCode::TooFast, .. } => Progress::Nothing,
            Reply::Error { code, detail, .. } => {
                self.failure = Some(refused(code, detail));
                Progress::Nothing
            }
            _ => Progress::Nothing,
        }
    }

    fn sample(&mut self, document: &[u8], arrival: MonotonicTime) -> Result<(Box<PowerSample>, NoteCounts), Unusable> {
        let decoded = decode(document)?;
        let elapsed = decoded.elapsed.ok_or(Unusable::NoElapsed)?;
        if elapsed > self.interval * MAX_INTERVALS {
            return Err(Unusable::TooLong { elapsed, interval: self.interval });
        }
        let notes = NoteCounts::from(&decoded.notes[..]);
        let (_, end) = self.aligner.place(arrival, elapsed);
        let sample = decoded.ending_at(end, self.origin).ok_or(Unusable::NoElapsed)?;
        Ok((Box::new(sample), notes))
    }
}

/// Why one document gives no sample.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{0}")]
    Document(#[from] DecodeError),
    #[error("it does not say how long the sample was (elapsed_ns missing, zero or no number)")]
    NoElapsed,
    #[error("it is {elapsed:.1?} long with an interval of {interval:.1?}: the machine slept or its clock was set")]
    TooLong { elapsed: Duration, interval: Duration },
}
