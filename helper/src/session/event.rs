//! What goes into a session and what comes out of it.

use std::rc::Rc;
use std::time::Duration;

use joulebar_wire::frame::WireError;

use crate::program::{Plan, Tool};

/// A client, numbered by the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId(pub u32);

/// A started process, numbered by the session, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChildId(pub u64);

/// Whether this process may read power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// It is root, or runs a simulator.
    Sufficient,
    /// It is not root.
    Missing,
}

/// What the session needs to know of its surroundings. Does not change while it lasts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether this process may read power.
    pub rights: Rights,
    /// Whether there is a powermetrics to run.
    pub tool: Tool,
    /// Whether it is a simulator.
    pub simulated: bool,
    /// How long to stay without any client.
    pub idle_exit: Duration,
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A client has connected.
    Connected {
        /// The new client.
        peer: PeerId,
    },
    /// A client sent one message.
    Frame {
        /// Who.
        peer: PeerId,
        /// The JSON, not parsed yet.
        bytes: &'a [u8],
    },
    /// What a client sends can't be cut into messages any more.
    BrokenFrame {
        /// Who.
        peer: PeerId,
        /// What is wrong.
        error: &'a WireError,
    },
    /// A client is gone.
    Gone {
        /// Who.
        peer: PeerId,
    },
    /// A parcel has left for its client.
    Delivered {
        /// To whom.
        peer: PeerId,
        /// Length of the document in it, if there was one.
        document_bytes: Option<usize>,
    },
    /// A child wrote a whole document.
    Document {
        /// Which child.
        child: ChildId,
        /// Where it begins in the child's output, in bytes.
        offset: u64,
        /// The document.
        bytes: Vec<u8>,
    },
    /// A child wrote something that is not a whole document.
    Damaged {
        /// Which child.
        child: ChildId,
    },
    /// A child is writing a document beyond the limit.
    Oversize {
        /// Which child.
        child: ChildId,
    },
    /// A child has ended and was reaped; all that it wrote came before.
    Exited {
        /// Which child.
        child: ChildId,
        /// How.
        exit: Exit,
    },
    /// A child could not be started.
    SpawnFailed {
        /// Which child.
        child: ChildId,
        /// Why.
        error: std::io::Error,
    },
    /// The helper is told to end.
    Shutdown,
    /// Nothing but time has passed.
    Tick,
}

/// How a child ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// It ended by itself with status 0.
    pub success: bool,
    /// Exit status, if it ended by itself.
    pub code: Option<i32>,
    /// The last of what it wrote to stderr.
    pub stderr: Vec<u8>,
}

impl Exit {
    pub(super) fn describe(&self) -> String {
        let how = self.code.map_or("was killed".to_owned(), |code| format!("ended with status {code}"));
        let stderr = String::from_utf8_lossy(&self.stderr);
        // the cause is what was written last
        let last_lines: Vec<_> = stderr.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
        let words = last_lines.into_iter().rev().collect::<Vec<_>>().join("; ");
        if words.is_empty() { format!("powermetrics {how}") } else { format!("powermetrics {how}: {words}") }
    }
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Send to a client, in this order.
    Send {
        /// To whom.
        peer: PeerId,
        /// What.
        parcel: Parcel,
    },
    /// Send what is waiting for this client, then hang up. Nothing that it sends matters any more.
    Close {
        /// Whom.
        peer: PeerId,
    },
    /// Start a child.
    Spawn {
        /// Its number.
        child: ChildId,
        /// What it is asked for.
        plan: Plan,
    },
    /// Send a signal to a child.
    Signal {
        /// Which child.
        child: ChildId,
        /// Which signal.
        signal: ChildSignal,
    },
    /// End the helper with this status, after sending what is waiting.
    Exit {
        /// Exit status.
        status: u8,
    },
}

/// Bytes for a client.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The frame of a message; for a sample also the length of its document.
    pub head: Vec<u8>,
    /// The document of a sample.
    pub document: Option<Rc<Vec<u8>>>,
}

impl Parcel {
    /// The JSON of the message, for a transport that needs no frames.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        let Some((prefix, rest)) = self.head.split_first_chunk() else { return &[] };
        let len = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        rest.get(..len).unwrap_or(rest)
    }
}

/// A signal for a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildSignal {
    /// End the running sample now.
    Boundary,
    /// End in order.
    Terminate,
    /// End.
    Kill,
}
