//! What drives a session, whatever the transport: one thread, one `poll` loop, the one child, and the signals.
//!
//! Knows how events become calls and calls become events. Leaves to [`Clients`]: how bytes reach a client; to
//! [`crate::session`]: every decision.

use std::io;
use std::time::Duration;

use joulebar_wire::documents::Piece;
use joulebar_wire::frame::WireError;

use crate::process::Process;
use crate::program::Program;
use crate::session::{Action, ChildId, Config, Event, Parcel, PeerId, Session};
use crate::sys::{self, Interest, Signals, monotonic_time};

/// Largest single read from powermetrics: what a pipe holds.
const OUTPUT_BUFFER_BYTES: usize = 64 * 1024;
/// How long a client that does not read is waited for at the end.
pub const FLUSH_TIME: Duration = Duration::from_millis(300);

/// The clients of one transport.
pub trait Clients {
    /// What to wait for. Always the same number while nothing is served, heard or closed.
    fn interests(&self) -> Vec<Interest>;

    /// Reads and writes what can be without waiting; `found` are its interests after the wait.
    fn serve(&mut self, found: &[Interest]);

    /// What has happened, in order; `None` once that is all.
    fn next(&mut self) -> Option<Heard>;

    /// Takes a parcel to send. [`Heard::Delivered`] follows when it has left.
    fn send(&mut self, peer: PeerId, parcel: Parcel);

    /// Sends what is waiting for this client and hangs up. Nothing that it sends is heard any more.
    fn close(&mut self, peer: PeerId);

    /// Sends what is still waiting, until then at the latest (on [`monotonic_time`]).
    fn flush(&mut self, until: Duration);
}

/// What clients did.
#[derive(Debug)]
pub enum Heard {
    /// One has connected.
    Connected(PeerId),
    /// One sent a message.
    Frame(PeerId, Vec<u8>),
    /// What one sends is no message.
    Broken(PeerId, WireError),
    /// One is gone.
    Gone(PeerId),
    /// A parcel has left; the length of its document, if it had one.
    Delivered(PeerId, Option<usize>),
    /// There can be no clients any more.
    Over,
}

/// Serves clients until the session ends; gives the exit status.
///
/// # Errors
/// The system's, when nothing can be waited for or no signal caught. Everything else is told to the clients.
pub fn serve(program: &Program, config: Config, clients: impl Clients) -> io::Result<u8> {
    let session = Session::new(config);
    Server { program, session, signals: Signals::catch()?, clients, process: None, exit_status: None }.run()
}

struct Server<'a, C> {
    program: &'a Program,
    session: Session,
    signals: Signals,
    clients: C,
    process: Option<Process>,
    exit_status: Option<u8>,
}

impl<C: Clients> Server<'_, C> {
    fn run(mut self) -> io::Result<u8> {
        let mut buffer = vec![0; OUTPUT_BUFFER_BYTES];
        self.hear();
        // what is due without anybody having come
        self.handle(Event::Tick);
        loop {
            if let Some(status) = self.exit_status {
                self.clients.flush(monotonic_time() + FLUSH_TIME);
                return Ok(status);
            }
            self.wait()?;
            self.hear();
            self.read_process(&mut buffer);
            self.handle(Event::Tick);
        }
    }

    /// Waits for something to happen and lets the clients do their part of it.
    fn wait(&mut self) -> io::Result<()> {
        let timeout = self.session.deadline().map(|deadline| deadline.saturating_sub(monotonic_time()));
        let mut interests = vec![self.signals.interest()];
        interests.extend(self.clients.interests());
        let process_from = interests.len();
        interests.extend(self.process.iter().flat_map(Process::interests));
        sys::wait(&mut interests, timeout)?;
        if interests[0].is_ready() && self.signals.take() {
            self.handle(Event::Shutdown);
        }
        self.clients.serve(&interests[1..process_from]);
        Ok(())
    }

    fn hear(&mut self) {
        while let Some(heard) = self.clients.next() {
            self.handle(match &heard {
                Heard::Connected(peer) => Event::Connected { peer: *peer },
                Heard::Frame(peer, bytes) => Event::Frame { peer: *peer, bytes },
                Heard::Broken(peer, error) => Event::BrokenFrame { peer: *peer, error },
                Heard::Gone(peer) => Event::Gone { peer: *peer },
                Heard::Delivered(peer, document_bytes) => {
                    Event::Delivered { peer: *peer, document_bytes: *document_bytes }
                }
                Heard::Over => Event::Shutdown,
            });
        }
    }

    /// Takes in what the child has written, and its end.
    fn read_process(&mut self, buffer: &mut [u8]) {
        let Some(process) = &mut self.process else { return };
        let (child, end) = (process.id, process.reap());
        if let Some(end) = end {
            if let Some(process) = self.process.take() {
                let (pieces, exit) = process.rest(buffer, end);
                pieces.into_iter().for_each(|piece| self.handle(event_of(child, piece)));
                self.handle(Event::Exited { child, exit });
            }
            return;
        }
        process.read(buffer);
        let is_oversize = process.is_oversize();
        while let Some(piece) = self.process.as_mut().and_then(Process::next_piece) {
            self.handle(event_of(child, piece));
        }
        if is_oversize {
            self.handle(Event::Oversize { child });
        }
    }

    fn handle(&mut self, event: Event<'_>) {
        self.session.handle(event, monotonic_time());
        while let Some(action) = self.session.next_action() {
            match action {
                Action::Send { peer, parcel } => self.clients.send(peer, parcel),
                Action::Close { peer } => self.clients.close(peer),
                Action::Spawn { child, plan } => match Process::spawn(self.program, child, &plan) {
                    Ok(process) => self.process = Some(process),
                    Err(error) => self.session.handle(Event::SpawnFailed { child, error }, monotonic_time()),
                },
                Action::Signal { child, signal } => {
                    if let Some(process) = self.process.as_ref().filter(|process| process.id == child) {
                        process.signal(signal);
                    }
                }
                Action::Exit { status } => self.exit_status = Some(status),
            }
        }
    }
}

fn event_of(child: ChildId, piece: Piece) -> Event<'static> {
    match piece {
        Piece::Document { offset, bytes, .. } => Event::Document { child, offset, bytes },
        Piece::Damaged { .. } => Event::Damaged { child },
    }
}
