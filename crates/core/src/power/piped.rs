//! A conversation with a helper that somebody else has started: a shell with ways of its own to run a program beside it.
//!
//! Knows bytes and frames. Leaves to the shell: starting the program, and giving its output on ([`Pipes`]).

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use joulebar_wire::Request;
use joulebar_wire::frame::{Received, ReplyDecoder, encode_request};
use tokio::sync::mpsc;

use super::transport::{MAX_STDERR_BYTES, Transport, TransportError};

/// How long a helper whose input was closed may take to end.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// What comes out of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipeEvent {
    /// Bytes of its standard output, in any split.
    Output(Vec<u8>),
    /// Bytes of its standard error.
    Words(Vec<u8>),
}

/// A running program.
pub struct Pipes {
    /// Its standard input; dropping it closes that, which ends a helper.
    pub input: Box<dyn Write + Send>,
    /// What comes out of it, until it has ended.
    pub events: mpsc::Receiver<PipeEvent>,
}

type Launch = dyn Fn(&Path, &[OsString]) -> std::io::Result<Pipes> + Send + Sync;

/// A way to start a program by its path with arguments.
#[derive(Clone)]
pub struct Launcher(Arc<Launch>);

impl Launcher {
    /// Starts programs by `launch`.
    pub fn new(launch: impl Fn(&Path, &[OsString]) -> std::io::Result<Pipes> + Send + Sync + 'static) -> Self {
        Self(Arc::new(launch))
    }

    pub(super) fn launch(&self, program: &Path, arguments: &[OsString]) -> std::io::Result<PipedTransport> {
        let Pipes { input, events } = (self.0)(program, arguments)?;
        Ok(PipedTransport { input: Some(input), events, decoder: ReplyDecoder::new(), words: Vec::new() })
    }
}

impl fmt::Debug for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Launcher")
    }
}

/// The conversation.
pub(super) struct PipedTransport {
    input: Option<Box<dyn Write + Send>>,
    events: mpsc::Receiver<PipeEvent>,
    decoder: ReplyDecoder,
    words: Vec<u8>,
}

// the input is only written to by whoever has the transport for itself
impl Transport for PipedTransport {
    async fn send(&mut self, request: &Request) -> Result<(), TransportError> {
        let frame = encode_request(request)?;
        let input = self.input.as_mut().ok_or(std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        // a request is far smaller than a pipe, and a helper reads what it is told
        input.write_all(&frame)?;
        Ok(input.flush()?)
    }

    async fn receive(&mut self) -> Result<Option<Received>, TransportError> {
        loop {
            if let Some(received) = self.decoder.next_reply()? {
                return Ok(Some(received));
            }
            match self.events.recv().await {
                Some(PipeEvent::Output(bytes)) => self.decoder.push(&bytes),
                Some(PipeEvent::Words(bytes)) => {
                    self.words.extend_from_slice(&bytes);
                    let excess = self.words.len().saturating_sub(MAX_STDERR_BYTES);
                    self.words.drain(..excess);
                }
                None if self.decoder.is_at_boundary() => return Ok(None),
                None => return Err(TransportError::Cut),
            }
        }
    }

    async fn close(&mut self) {
        self.input = None;
        // it is over when its output is
        let ended = async { while self.events.recv().await.is_some() {} };
        drop(tokio::time::timeout(CLOSE_TIME, ended).await);
    }

    fn last_words(&self) -> String {
        String::from_utf8_lossy(&self.words).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use joulebar_wire::frame::encode_reply;
    use joulebar_wire::{PROTOCOL, Reply};

    use super::*;

    /// Starts programs as a shell would: threads that give their output on.
    fn launcher() -> Launcher {
        Launcher::new(|program, arguments| {
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            let (sender, events) = mpsc::channel(1);
            let (mut output, mut words) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let input = Box::new(child.stdin.take().unwrap());
            let outputs = sender.clone();
            std::thread::spawn(move || give(&mut output, &outputs, PipeEvent::Output));
            std::thread::spawn(move || {
                give(&mut words, &sender, PipeEvent::Words);
                child.wait().unwrap();
            });
            Ok(Pipes { input, events })
        })
    }

    fn give(from: &mut impl Read, to: &mpsc::Sender<PipeEvent>, event: fn(Vec<u8>) -> PipeEvent) {
        let mut buffer = [0; 7];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if to.blocking_send(event(buffer[..read].to_vec())).is_err() {
                return;
            }
        }
    }

    fn shell(script: &str) -> PipedTransport {
        launcher().launch(Path::new("/bin/sh"), &["-c".into(), script.into()]).unwrap()
    }

    #[tokio::test]
    async fn frames_come_whole_whatever_the_split_and_words_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("replies");
        let pong = |n| encode_reply(&Reply::Pong { n }).unwrap();
        std::fs::write(&file, [pong(1), pong(2)].concat()).unwrap();
        let mut transport = shell(&format!("cat '{}'; echo late >&2; cat >/dev/null", file.display()));
        for n in [1, 2] {
            assert_eq!(transport.receive().await.unwrap().unwrap().reply, Reply::Pong { n });
        }
        transport.send(&Request::Hello { proto: PROTOCOL, app: "1".to_owned() }).await.unwrap();
        transport.close().await;
        assert!(transport.receive().await.unwrap().is_none());
        assert!(transport.send(&Request::Ping { n: 1 }).await.is_err());
    }

    #[tokio::test]
    async fn what_a_program_says_before_it_goes_is_kept_and_half_a_frame_is_a_cut() {
        let mut transport = shell("printf '\\005\\000\\000\\000ab'; echo 'dyld: not found' >&2");
        assert!(matches!(transport.receive().await, Err(TransportError::Cut)));
        assert_eq!(transport.last_words(), "dyld: not found");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        assert!(launcher().launch(Path::new("/no/such/program"), &[]).is_err());
    }
}
