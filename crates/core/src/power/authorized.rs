//! powermetrics itself at the other end of a socket: started with an administrator's password for this once, no helper.
//!
//! Knows how to read its documents and how to end it: by closing the socket, since a user's program can't signal root's.
//! It ends by itself as well, after the hour that its command line allows. Leaves to others: starting it (`super::system` on
//! a Mac) and decoding.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use joulebar_wire::IntervalMs;
use joulebar_wire::command_line::CommandLine;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::align::Aligner;
use super::capture::{CaptureReader, CaptureSample};
use super::decoded::NoteCounts;
use super::system_rail::SystemRail;
use super::{Boundary, PassedOver, PowerError, PowerSource, SourceDescription, Way};
use crate::clock::{Clock, MonotonicTime};
use crate::sample::{Origin, PowerSample};

/// Samples that wait for the caller. A caller that takes none stops the reading, and with it powermetrics.
const WAITING_SAMPLES: usize = 64;
/// How long beyond its interval a document may take; the first one too.
const STALE_AFTER: Duration = Duration::from_secs(7);
/// A sample longer than this many intervals spans a sleep of the machine or a change of its clock.
const MAX_INTERVALS: u32 = 3;

type Arrived = Result<(CaptureSample, MonotonicTime), PowerError>;

/// Samples of a powermetrics that writes into a socket. Dropping it closes the socket.
#[derive(Debug)]
pub struct AuthorizedSource {
    arrived: mpsc::Receiver<Arrived>,
    socket: UnixStream,
    aligner: Aligner,
    interval: Duration,
    description: SourceDescription,
    notes: NoteCounts,
    system: Option<SystemRail>,
}

impl AuthorizedSource {
    /// Reads from `socket`, whose other end is the output of a powermetrics that was started with `command_line`.
    ///
    /// # Errors
    /// The system's, when the socket can't be read on a thread.
    pub fn read(socket: UnixStream, command_line: &CommandLine, clock: Clock) -> Result<Self, PowerError> {
        let (sender, arrived) = mpsc::channel(WAITING_SAMPLES);
        let reading = socket.try_clone()?;
        std::thread::Builder::new().name("powermetrics".to_owned()).spawn(move || {
            for sample in CaptureReader::new(reading) {
                let arrival = clock.now();
                if sender.blocking_send(sample.map(|sample| (sample, arrival))).is_err() {
                    return;
                }
            }
        })?;
        let interval: IntervalMs = command_line.interval();
        let samplers = command_line.samplers().iter().map(|sampler| sampler.name().to_owned()).collect();
        Ok(Self {
            arrived,
            socket,
            aligner: Aligner::new(),
            interval: Duration::from_millis(interval.get().into()),
            description: SourceDescription {
                name: "powermetrics".to_owned(),
                origin: Origin::Powermetrics,
                requested_interval_ms: Some(interval.get()),
                samplers,
                helper_version: None,
                way: Some(Way::Authorization),
                passed_over: Vec::new(),
            },
            notes: NoteCounts::default(),
            system: None,
        })
    }

    /// Adds the whole machine's power to the samples.
    #[must_use]
    pub fn with_system(mut self, rail: Option<SystemRail>) -> Self {
        self.system = rail;
        self
    }

    /// What was not taken as it stood in the samples given out so far.
    #[must_use]
    pub fn notes(&self) -> NoteCounts {
        self.notes
    }

    /// Says which better ways were not to be had.
    pub(super) fn passed_over(&mut self, ways: Vec<PassedOver>) {
        self.description.passed_over = ways;
    }

    fn close(&self) {
        // it is closed already when this fails
        drop(self.socket.shutdown(Shutdown::Both));
    }

    fn place(&mut self, captured: CaptureSample, arrival: MonotonicTime) -> Result<PowerSample, PowerError> {
        let CaptureSample { index, offset, decoded } = captured;
        let unusable = |reason: String| PowerError::MalformedSample { index, offset, reason };
        let elapsed = decoded.elapsed.filter(|elapsed| *elapsed <= self.interval * MAX_INTERVALS);
        let Some(elapsed) = elapsed else {
            self.aligner.restart();
            return Err(unusable("it does not say how long it was, or was longer than a sample can be".to_owned()));
        };
        let notes = NoteCounts::from(&decoded.notes[..]);
        let (_, end) = self.aligner.place(arrival, elapsed);
        let sample = decoded.ending_at(end, Origin::Powermetrics);
        let mut sample = sample.ok_or_else(|| unusable("it does not say how long it was".to_owned()))?;
        self.notes.add(&notes);
        if let Some(system) = &self.system {
            system.complete(&mut sample);
        }
        Ok(sample)
    }
}

impl Drop for AuthorizedSource {
    fn drop(&mut self) {
        self.close();
    }
}

impl PowerSource for AuthorizedSource {
    async fn next_sample(&mut self) -> Result<Option<PowerSample>, PowerError> {
        let patience = self.interval + STALE_AFTER;
        match timeout(patience, self.arrived.recv()).await {
            Ok(Some(Ok((captured, arrival)))) => self.place(captured, arrival).map(Some),
            Ok(Some(Err(error))) => {
                self.aligner.restart();
                Err(error)
            }
            Ok(None) => {
                let detail = "its hour is over, or somebody ended it; authorize it again".to_owned();
                Err(PowerError::ChildExited { detail })
            }
            Err(_) => Err(PowerError::Stale { waited_s: patience.as_secs_f64() }),
        }
    }

    async fn mark(&mut self, _boundary: Boundary) -> Result<(), PowerError> {
        Ok(())
    }

    async fn stop(&mut self) {
        self.close();
        self.arrived.close();
    }

    fn description(&self) -> SourceDescription {
        self.description.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    use super::*;

    const DOCUMENT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>\n\
        <key>elapsed_ns</key><integer>250000000</integer>\n<key>processor</key><dict>\n\
        <key>cpu_power</key><real>1500</real>\n</dict>\n</dict>\n</plist>\n";

    fn command_line() -> CommandLine {
        CommandLine::new(IntervalMs::new(250).unwrap(), joulebar_wire::Samplers::default())
    }

    fn reading(socket: UnixStream) -> AuthorizedSource {
        AuthorizedSource::read(socket, &command_line(), Clock::start()).unwrap()
    }

    #[tokio::test]
    async fn documents_from_the_socket_become_samples() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut source = reading(ours);
        theirs.write_all(DOCUMENT.as_bytes()).unwrap();
        let sample = source.next_sample().await.unwrap().unwrap();
        assert_eq!((sample.power.cpu.unwrap().0, sample.origin), (1_500.0, Origin::Powermetrics));
        assert_eq!(source.description().way, Some(Way::Authorization));
        drop(theirs);
        let error = source.next_sample().await.unwrap_err();
        assert!(matches!(error, PowerError::ChildExited { .. }), "{error}");
    }

    /// A program that writes for ever into a socket, as powermetrics does.
    fn writer(socket: UnixStream) -> std::process::Child {
        let script = format!("while :; do printf '%s' '{DOCUMENT}'; sleep 0.05; done");
        let output = Stdio::from(OwnedFd::from(socket));
        Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::null()).stdout(output).spawn().unwrap()
    }

    #[tokio::test]
    async fn stopping_or_dropping_closes_the_socket_which_ends_the_writer() {
        for stops in [true, false] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let mut child = writer(theirs);
            let mut source = reading(ours);
            assert!(source.next_sample().await.unwrap().is_some());
            if stops {
                source.stop().await;
            }
            drop(source);
            let ended = tokio::task::spawn_blocking(move || {
                for _ in 0..200 {
                    if child.try_wait().unwrap().is_some() {
                        return true;
                    }
                    std::thread::sleep(Duration::from_millis(25));
                }
                child.kill().unwrap();
                false
            });
            assert!(ended.await.unwrap(), "stopped: {stops}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_stays_silent_is_stale() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(matches!(reading(ours).next_sample().await, Err(PowerError::Stale { .. })));
    }
}
