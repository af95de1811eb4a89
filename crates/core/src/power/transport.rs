//! How requests reach the helper and replies come back: here over a child's stdin and stdout, in [`super::link`] over the
//! daemon's XPC connection.
//!
//! Knows processes and pipes. Leaves to others: what the messages mean ([`super::helper`]) and how they are framed
//! ([`joulebar_wire::frame`]).

use std::ffi::OsString;
use std::future::Future;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use joulebar_wire::Request;
use joulebar_wire::frame::{Received, ReplyDecoder, WireError, encode_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::PowerError;

const READ_BYTES: usize = 64 * 1024;
/// How much of what the helper writes to stderr is kept.
pub(super) const MAX_STDERR_BYTES: usize = 4 * 1024;
/// How long a helper whose client has gone may take to end its own child and itself.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// One conversation with a helper.
pub trait Transport: Send + 'static {
    /// Sends one request.
    ///
    /// # Errors
    /// Any error ends the conversation.
    fn send(&mut self, request: &Request) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Waits for the next reply; `None` once the helper has closed the conversation. Cancel-safe.
    ///
    /// # Errors
    /// Any error ends the conversation.
    fn receive(&mut self) -> impl Future<Output = Result<Option<Received>, TransportError>> + Send;

    /// Ends the conversation. Afterwards the helper runs nothing for this client any more.
    fn close(&mut self) -> impl Future<Output = ()> + Send;

    /// What the helper said aside from the protocol, for an error message; empty if nothing.
    fn last_words(&self) -> String;
}

/// Why a conversation broke off.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The system's error.
    #[error("the connection to the helper broke")]
    Io(#[from] std::io::Error),
    /// What came was no message.
    #[error("the helper sent what is no message")]
    Wire(#[from] WireError),
    /// What came has not the form of a message.
    #[error("the helper sent what is no message: {0}")]
    Malformed(String),
    /// The helper went away inside a message.
    #[error("the helper went away inside a message")]
    Cut,
    /// The helper ended. Saying `hello` on the same transport starts it anew.
    #[error("the helper ended and can be started anew")]
    Interrupted,
    /// Nobody has the helper's name.
    #[error("no helper is registered and allowed to run")]
    Invalid,
    /// Who answered is not signed as the helper is.
    #[error("a program that is not signed as the helper is answers under its name")]
    Stranger,
}

/// A helper that was started as a child and talks on its stdin and stdout. Dropping it kills the child.
#[derive(Debug)]
pub struct StdioTransport {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    decoder: ReplyDecoder,
    buffer: Vec<u8>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl StdioTransport {
    /// Starts `program` with `arguments`. Must be called inside a tokio runtime.
    ///
    /// The child gets a process group of its own: Ctrl-C in the terminal is for the session, which then ends the helper in
    /// order.
    ///
    /// # Errors
    /// [`PowerError::Spawn`] when it cannot be started.
    pub fn spawn(program: &Path, arguments: &[OsString]) -> Result<Self, PowerError> {
        let failed = |source| PowerError::Spawn { program: program.display().to_string(), source };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed(std::io::ErrorKind::BrokenPipe.into()));
        };
        let stderr = Arc::default();
        tokio::spawn(drain(errors, Arc::clone(&stderr)));
        let decoder = ReplyDecoder::new();
        Ok(Self { child, input: Some(input), output, decoder, buffer: vec![0; READ_BYTES], stderr })
    }

    /// The child's process number; `None` once it was waited for.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }
}

impl Transport for StdioTransport {
    async fn send(&mut self, request: &Request) -> Result<(), TransportError> {
        let frame = encode_request(request)?;
        let input = self.input.as_mut().ok_or(std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        input.write_all(&frame).await?;
        Ok(input.flush().await?)
    }

    async fn receive(&mut self) -> Result<Option<Received>, TransportError> {
        loop {
            if let Some(received) = self.decoder.next_reply()? {
                return Ok(Some(received));
            }
            match self.output.read(&mut self.buffer).await? {
                0 if self.decoder.is_at_boundary() => return Ok(None),
                0 => return Err(TransportError::Cut),
                read => self.decoder.push(&self.buffer[..read]),
            }
        }
    }

    async fn close(&mut self) {
        // the end of its input ends the helper, and before that its powermetrics
        self.input = None;
        if tokio::time::timeout(CLOSE_TIME, self.child.wait()).await.is_err() {
            // it is gone already when this fails
            drop(self.child.kill().await);
        }
    }

    fn last_words(&self) -> String {
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&stderr).trim().to_owned()
    }
}

/// Reads the helper's stderr until its end, lest the pipe fill up, and keeps the last of it.
async fn drain(mut errors: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..read]);
        let excess = kept.len().saturating_sub(MAX_STDERR_BYTES);
        kept.drain(..excess);
    }
}
