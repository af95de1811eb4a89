//! One powermetrics as a process: started with nothing of ours but two pipes, read without waiting, cut into documents.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use joulebar_wire::documents::{Piece, Splitter};
use joulebar_wire::limits::MAX_DOCUMENT_BYTES;

use crate::program::{Plan, Program};
use crate::session::{ChildId, ChildSignal, Exit};
use crate::sys::{self, Interest};

/// How much of stderr is kept; the rest is read and forgotten, since a full pipe would block powermetrics.
pub const MAX_STDERR_BYTES: usize = 8 * 1024;
/// What is read at most after a child's end. A pipe holds less; more comes only from a stranger that holds it too.
const MAX_REST_BYTES: usize = 1024 * 1024;

/// A running child.
#[derive(Debug)]
pub struct Process {
    /// Its number in the session.
    pub id: ChildId,
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    splitter: Splitter,
    last_stderr: Vec<u8>,
}

impl Process {
    /// Starts the program for `plan`.
    ///
    /// # Errors
    /// The system's, when it can't be started.
    pub fn spawn(program: &Program, id: ChildId, plan: &Plan) -> io::Result<Self> {
        let (path, arguments) = program.command_line(plan);
        // stays in our process group: launchd ends what is left of it when the helper dies
        let mut child = Command::new(path)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let splitter = Splitter::new(MAX_DOCUMENT_BYTES);
        let mut process = Self { id, child, stdout, stderr, splitter, last_stderr: Vec::new() };
        for pipe in [process.stdout.as_ref().map(AsFd::as_fd), process.stderr.as_ref().map(AsFd::as_fd)] {
            if let Some(Err(error)) = pipe.map(sys::set_nonblocking) {
                // nobody would look after it
                let _ = process.child.kill();
                let _ = process.child.wait();
                return Err(error);
            }
        }
        Ok(process)
    }

    /// What to wait for: stdout and stderr, as far as they are open.
    pub fn interests(&self) -> impl Iterator<Item = Interest> {
        let pipes = [self.stdout.as_ref().map(AsFd::as_fd), self.stderr.as_ref().map(AsFd::as_fd)];
        pipes.into_iter().flatten().map(Interest::readable)
    }

    /// Reads what is there, at most `buffer` from each pipe. Then take the pieces.
    pub fn read(&mut self, buffer: &mut [u8]) {
        if let Some(bytes) = read_some(&mut self.stdout, buffer) {
            self.splitter.push(bytes);
        }
        if let Some(bytes) = read_some(&mut self.stderr, buffer) {
            self.last_stderr.extend_from_slice(bytes);
            let surplus = self.last_stderr.len().saturating_sub(MAX_STDERR_BYTES);
            self.last_stderr.drain(..surplus);
        }
    }

    /// The next piece of what was read; `None` until more is read.
    pub fn next_piece(&mut self) -> Option<Piece> {
        self.splitter.next()
    }

    /// True while it writes a document beyond the limit.
    #[must_use]
    pub fn is_oversize(&self) -> bool {
        self.splitter.is_skipping_oversize()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: ChildSignal) {
        sys::signal_child(self.child.id(), signal);
    }

    /// Reaps the child if it has ended. Then read the rest with [`Process::rest`].
    pub fn reap(&mut self) -> Option<(bool, Option<i32>)> {
        let status = self.child.try_wait().ok().flatten()?;
        Some((status.success(), status.code()))
    }

    /// After the end: everything that is still in the pipes.
    pub fn rest(mut self, buffer: &mut [u8], (success, code): (bool, Option<i32>)) -> (Vec<Piece>, Exit) {
        let mut pieces = Vec::new();
        let mut left = MAX_REST_BYTES;
        // pipes that a stranger keeps open have nothing to read at some time
        while left > 0 && has_bytes(self.interests()) {
            self.read(buffer);
            pieces.extend(self.splitter.by_ref());
            left = left.saturating_sub(buffer.len());
        }
        while let Some(piece) = self.splitter.finish() {
            pieces.push(piece);
        }
        (pieces, Exit { success, code, stderr: self.last_stderr })
    }
}

/// Reads once; closes the pipe at its end.
fn read_some<'a>(pipe: &mut Option<impl Read>, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    match pipe.as_mut()?.read(buffer) {
        Ok(len @ 1..) => Some(&buffer[..len]),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => None,
        Ok(0) | Err(_) => {
            *pipe = None;
            None
        }
    }
}

fn has_bytes(interests: impl Iterator<Item = Interest>) -> bool {
    let mut interests: Vec<_> = interests.collect();
    sys::wait(&mut interests, Some(std::time::Duration::ZERO)).is_ok() && interests.iter().any(Interest::is_ready)
}
