//! The clients of a session over XPC.
//!
//! libxpc calls handlers on threads of its own. They do nothing but put what happened into a queue of bounded length and
//! ring a bell that the `poll` loop waits for, so that all state stays on one thread. A full queue holds the handler up, and
//! with it what libxpc takes from the kernel: a flood waits at its sender.
//!
//! Everything here is made of [`Calls`], so it runs in tests against connections that exist only there; on macOS they are
//! libxpc's.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use joulebar_wire::frame::WireError;
use joulebar_wire::limits::MAX_MESSAGE_BYTES;
use joulebar_xpc::{Active, Calls, Fault, Incoming, InvalidRequirement, Listener, Refused, Requirement, Unaccepted};
use joulebar_xpc::{Restricted, Unrestricted};

use crate::log::{self, Log};
use crate::program::Program;
use crate::server::{self, Clients, Heard};
use crate::session::{Config, MAX_PEERS, Parcel, PeerId, Rights};
use crate::sys::{self, Interest, monotonic_time};

/// How long the daemon stays without clients. launchd starts a job again only ten seconds after its last start, so a short
/// life would make the next client wait.
pub const IDLE_EXIT: Duration = Duration::from_secs(45);
/// Most things that wait to be heard. Requests have at most [`MAX_MESSAGE_BYTES`], so they take a quarter of a megabyte.
const MAX_WAITING: usize = 64;
/// Most clients that were hung up on and still have something to read. The one that has waited longest is cut off.
const MAX_LEAVING: usize = MAX_PEERS;

/// Serves clients over XPC until nobody has come for [`IDLE_EXIT`]; gives the exit status.
///
/// # Errors
/// [`NotListening`]; nobody was served then.
pub fn serve<C: Calls>(
    calls: C,
    service: &CStr,
    requirement: &Requirement,
    program: &Program,
) -> Result<u8, NotListening> {
    let guests = Guests::listen(calls, service, requirement)?;
    let config = Config {
        rights: Rights::Sufficient,
        tool: program.find(),
        simulated: program.is_simulated(),
        idle_exit: IDLE_EXIT,
    };
    Ok(server::serve(program, config, guests)?)
}

/// Why there is no listener.
#[derive(Debug)]
pub enum NotListening {
    /// The system does not understand who may talk to it.
    Requirement(InvalidRequirement),
    /// The system lacks what listening needs.
    Io(io::Error),
}

impl From<io::Error> for NotListening {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What libxpc's threads have to tell.
enum Arrival<C: Calls> {
    Connected(PeerId, Active<C>),
    Frame(PeerId, Vec<u8>),
    Broken(PeerId, Refused),
    Gone(PeerId),
    Delivered(PeerId, Option<usize>),
    Left(PeerId),
    Over(Fault),
}

/// Where they tell it.
struct Door<C: Calls> {
    queue: SyncSender<Arrival<C>>,
    bell: Arc<PipeWriter>,
}

impl<C: Calls> Clone for Door<C> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), bell: Arc::clone(&self.bell) }
    }
}

impl<C: Calls> Door<C> {
    /// Waits for room. What nobody hears any more is dropped, and a connection with it.
    fn tell(&self, arrival: Arrival<C>) {
        if self.queue.send(arrival).is_ok() {
            self.ring();
        }
    }

    fn ring(&self) {
        // a full pipe has rung already
        drop((&*self.bell).write(&[0]));
    }
}

/// The clients, and the listener that lets them in.
pub struct Guests<C: Calls> {
    arrivals: Receiver<Arrival<C>>,
    bell: PipeReader,
    door: Door<C>,
    lines: Vec<(PeerId, Active<C>)>,
    /// Hung up on, but not everything has left yet.
    leaving: VecDeque<(PeerId, Active<C>)>,
    log: Log,
    _listener: Active<C>,
}

impl<C: Calls> Guests<C> {
    /// Listens to clients that satisfy the requirement, and to nobody else.
    ///
    /// # Errors
    /// [`NotListening`], when the system does not understand the requirement or has no pipe left.
    pub fn listen(calls: C, service: &CStr, requirement: &Requirement) -> Result<Self, NotListening> {
        let (queue, arrivals) = sync_channel(MAX_WAITING);
        let (bell, ringer) = io::pipe()?;
        sys::set_nonblocking(bell.as_fd())?;
        sys::set_nonblocking(ringer.as_fd())?;
        let door = Door { queue, bell: Arc::new(ringer) };
        let listener: Listener<Unrestricted, C> = Listener::listen(calls, service);
        let listener: Listener<Restricted, C> = listener.restrict(requirement).map_err(NotListening::Requirement)?;
        let listener = listener.activate(Box::new({
            let (door, next) = (door.clone(), AtomicU32::new(0));
            move |incoming| match incoming {
                Incoming::Peer(unaccepted) => welcome(&door, PeerId(next.fetch_add(1, Ordering::Relaxed)), unaccepted),
                Incoming::Fault(fault) => door.tell(Arrival::Over(fault)),
                // listeners are sent none
                Incoming::Message(_) => {}
            }
        }));
        let log = Log::new(monotonic_time());
        Ok(Self { arrivals, bell, door, lines: Vec::new(), leaving: VecDeque::new(), log, _listener: listener })
    }

    fn note(&mut self, text: &str) {
        if let Some(line) = self.log.line(text, monotonic_time()) {
            log::write(&line);
        }
    }

    fn hear(&mut self, arrival: Arrival<C>) -> Option<Heard> {
        match arrival {
            Arrival::Connected(peer, line) => {
                self.note(&format!("client {} of user {}", peer.0, line.user()));
                self.lines.push((peer, line));
                Some(Heard::Connected(peer))
            }
            Arrival::Frame(peer, bytes) => self.knows(peer).then_some(Heard::Frame(peer, bytes)),
            Arrival::Broken(peer, refused) => {
                self.note(&format!("client {}: {refused}", peer.0));
                self.knows(peer).then(|| Heard::Broken(peer, wire_error(refused)))
            }
            Arrival::Gone(peer) => {
                self.leaving.retain(|(leaving, _)| *leaving != peer);
                self.lines.retain(|(known, _)| *known != peer);
                Some(Heard::Gone(peer))
            }
            Arrival::Delivered(peer, document_bytes) => Some(Heard::Delivered(peer, document_bytes)),
            Arrival::Left(peer) => {
                self.leaving.retain(|(leaving, _)| *leaving != peer);
                None
            }
            Arrival::Over(fault) => {
                self.note(&format!("no clients any more: {fault:?}"));
                Some(Heard::Over)
            }
        }
    }

    fn knows(&self, peer: PeerId) -> bool {
        self.lines.iter().any(|(known, _)| *known == peer)
    }
}

/// Accepts a client that the requirement has let through. It has to say hello before anything else counts.
fn welcome<C: Calls>(door: &Door<C>, peer: PeerId, unaccepted: Unaccepted<C>) {
    let line = unaccepted.accept(Box::new({
        let door = door.clone();
        move |incoming| match incoming {
            Incoming::Message(fields) => door.tell(match fields.check(MAX_MESSAGE_BYTES, None) {
                Ok(envelope) => Arrival::Frame(peer, envelope.message.to_vec()),
                Err(refused) => Arrival::Broken(peer, refused),
            }),
            Incoming::Fault(Fault::TerminationImminent) => door.tell(Arrival::Over(Fault::TerminationImminent)),
            Incoming::Fault(_) => door.tell(Arrival::Gone(peer)),
            // clients are no listeners
            Incoming::Peer(_) => {}
        }
    }));
    // libxpc calls both handlers on one serial queue: nothing of the client can have come before this
    door.tell(Arrival::Connected(peer, line));
}

fn wire_error(refused: Refused) -> WireError {
    match refused {
        Refused::TooLong { bytes, max } => WireError::TooLong { announced: bytes as u64, max },
        Refused::Version { .. } | Refused::Form => WireError::Envelope,
    }
}

impl<C: Calls> Clients for Guests<C> {
    fn interests(&self) -> Vec<Interest> {
        vec![Interest::readable(self.bell.as_fd())]
    }

    fn serve(&mut self, found: &[Interest]) {
        if found.iter().any(Interest::is_ready) {
            let mut rings = [0; 256];
            while matches!(self.bell.read(&mut rings), Ok(1..)) {}
        }
    }

    fn next(&mut self) -> Option<Heard> {
        for _ in 0..MAX_WAITING {
            let arrival = self.arrivals.try_recv().ok()?;
            if let Some(heard) = self.hear(arrival) {
                return Some(heard);
            }
        }
        // somebody who was hung up on talks on and on: the child has its turn, and then this goes on
        self.door.ring();
        None
    }

    fn send(&mut self, peer: PeerId, parcel: Parcel) {
        let Some((_, line)) = self.lines.iter().find(|(known, _)| *known == peer) else { return };
        let document = parcel.document.as_ref().map(|document| document.as_slice());
        line.send(parcel.message(), document);
        let (door, document_bytes) = (self.door.clone(), document.map(<[u8]>::len));
        line.barrier(move || door.tell(Arrival::Delivered(peer, document_bytes)));
    }

    fn close(&mut self, peer: PeerId) {
        let Some(at) = self.lines.iter().position(|(known, _)| *known == peer) else { return };
        let (_, line) = self.lines.swap_remove(at);
        let door = self.door.clone();
        line.barrier(move || door.tell(Arrival::Left(peer)));
        if self.leaving.len() == MAX_LEAVING {
            self.leaving.pop_front();
        }
        self.leaving.push_back((peer, line));
    }

    fn flush(&mut self, until: Duration) {
        loop {
            // what clients want now comes too late
            while self.next().is_some() {}
            let left = until.saturating_sub(monotonic_time());
            let mut interests = self.interests();
            if self.leaving.is_empty() || left.is_zero() || sys::wait(&mut interests, Some(left)).is_err() {
                return;
            }
            Clients::serve(self, &interests);
        }
    }
}
