//! The helper's whole behaviour as one state machine: clients, their streams, limits, and the one child that serves
//! them. [`Event`]s and the time come in, [`Action`]s go out; no I/O, no clock. Every transport drives this one.
//!
//! Time is the reading of one monotonic clock as a [`Duration`] since its own origin.
//!
//! Memory is bounded by construction: a client has at most [`MAX_SAMPLES_IN_FLIGHT`] samples and
//! [`MAX_DOCUMENT_BYTES`] of them on their way (further ones are dropped and counted), and one that lets
//! [`MAX_REPLIES_IN_FLIGHT`] answers pile up is cut off.

mod bucket;
mod event;
mod peer;
mod supervisor;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use joulebar_wire::frame::{WireError, encode_document_prefix, encode_reply, parse_request};
use joulebar_wire::limits::{HELLO_DEADLINE, MAX_DOCUMENT_BYTES, MAX_ERRORS, MAX_SAMPLES_IN_FLIGHT};
use joulebar_wire::{ErrorCode, PROTOCOL, Reply, Request, Samplers, StopReason};

use self::peer::{Peer, Stream};
use self::supervisor::{Output, Supervisor};
use crate::EXIT_PERMISSION;
use crate::program::{Plan, Tool};

pub use self::bucket::TokenBucket;
pub use self::event::{Action, ChildId, ChildSignal, Config, Event, Exit, Parcel, PeerId, Rights};
pub use self::supervisor::{
    HEALTHY_AFTER, MAX_RESTARTS, RESTART_DEBOUNCE, SETTLED_AFTER, SIGNALS_AFTER, STALE_AFTER, STOP_GRACE,
};

/// Most clients at once.
pub const MAX_PEERS: usize = 4;
/// Most answers on their way to one client.
pub const MAX_REPLIES_IN_FLIGHT: usize = 64;
/// Most marks that wait for a child to be ready.
const MAX_WAITING_MARKS: usize = 32;
/// After its last client is gone, or when told to end, the helper waits this long for the child to die.
pub const EXIT_GRACE: Duration = Duration::from_millis(1500);

/// The state machine.
#[derive(Debug)]
pub struct Session {
    config: Config,
    peers: Vec<Peer>,
    supervisor: Supervisor,
    actions: VecDeque<Action>,
    /// Since when nobody is connected.
    idle_since: Option<Duration>,
    shutdown_since: Option<Duration>,
    exit_status: u8,
    has_exited: bool,
    /// Everything that was due until then is done.
    served_until: Duration,
}

impl Session {
    /// A session without clients.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            peers: Vec::new(),
            supervisor: Supervisor::default(),
            actions: VecDeque::new(),
            idle_since: None,
            shutdown_since: None,
            exit_status: 0,
            has_exited: false,
            served_until: Duration::ZERO,
        }
    }

    /// Takes in what happened at `now`. Then take the actions.
    pub fn handle(&mut self, event: Event<'_>, now: Duration) {
        match event {
            Event::Connected { peer } => self.connect(peer, now),
            Event::Frame { peer, bytes } => {
                if let Some(at) = self.find(peer) {
                    self.request(at, bytes, now);
                }
            }
            Event::BrokenFrame { peer, error } => {
                if let Some(at) = self.find(peer) {
                    self.send(at, &Reply::error(ErrorCode::BadRequest, None, &error.to_string()));
                    self.close(at);
                }
            }
            Event::Gone { peer } => self.peers.retain(|known| known.id != peer),
            Event::Delivered { peer, document_bytes } => {
                if let Some(at) = self.find(peer) {
                    self.peers[at].delivered(document_bytes);
                }
            }
            Event::Document { child, offset, bytes } => {
                if self.supervisor.document(child, now) {
                    self.announce(now);
                    self.share(offset, bytes, now);
                }
            }
            Event::Damaged { child } => {
                if self.supervisor.serves(child) {
                    self.streams().for_each(Stream::lose);
                }
            }
            Event::Oversize { child } => self.supervisor.oversize(child, now),
            Event::Exited { child, exit } => self.supervisor.exited(child, &exit, now),
            Event::SpawnFailed { child, error } => self.supervisor.spawn_failed(child, &error.to_string()),
            Event::Shutdown => {
                self.shutdown_since.get_or_insert(now);
                self.peers.iter_mut().for_each(|peer| peer.end_stream(StopReason::Shutdown));
            }
            Event::Tick => {}
        }
        self.advance(now);
    }

    /// The next thing to do, in order.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When a [`Event::Tick`] is needed at the latest, if nothing else happens. May be over already when it is asked for:
    /// time went on since the last event, and nobody has served it.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let served = self.served_until;
        let hello = self.peers.iter().filter(|peer| !peer.greeted).map(|peer| peer.connected_at + HELLO_DEADLINE);
        let deadlines = hello.chain(self.supervisor.deadline(served)).chain(self.exit_deadlines());
        deadlines.filter(|instant| *instant > served).min()
    }

    fn find(&self, peer: PeerId) -> Option<usize> {
        self.peers.iter().position(|known| known.id == peer)
    }

    fn streams(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.peers.iter_mut().filter_map(|peer| peer.stream.as_mut())
    }

    fn connect(&mut self, id: PeerId, now: Duration) {
        self.peers.push(Peer::new(id, now));
        if self.peers.len() > MAX_PEERS || self.shutdown_since.is_some() {
            let at = self.peers.len() - 1;
            self.send(at, &Reply::error(ErrorCode::Busy, None, "too many clients"));
            self.close(at);
        }
    }

    fn close(&mut self, at: usize) {
        let peer = self.peers.remove(at).id;
        self.actions.push_back(Action::Close { peer });
    }

    fn send(&mut self, at: usize, reply: &Reply) {
        // the detail of an error is capped, everything else is small: it always fits
        if let Ok(head) = encode_reply(reply) {
            let peer = &mut self.peers[at];
            peer.replies_in_flight += 1;
            self.actions.push_back(Action::Send { peer: peer.id, parcel: Parcel { head, document: None } });
        }
    }

    /// Answers a request that should not have come; the last of too many ends the conversation.
    fn refuse(&mut self, at: usize, code: ErrorCode, id: Option<u64>, detail: &str) {
        self.send(at, &Reply::error(code, id, detail));
        self.peers[at].errors += 1;
        if self.peers[at].errors >= MAX_ERRORS {
            self.close(at);
        }
    }

    fn request(&mut self, at: usize, bytes: &[u8], now: Duration) {
        if self.peers[at].replies_in_flight >= MAX_REPLIES_IN_FLIGHT {
            return self.close(at);
        }
        if !self.peers[at].bucket.take(now) {
            return self.refuse(at, ErrorCode::TooFast, None, "more requests than allowed");
        }
        let request = match parse_request(bytes) {
            Ok(request) => request,
            Err(WireError::Malformed(cause)) => {
                return self.refuse(at, ErrorCode::BadRequest, None, &format!("not a request: {cause}"));
            }
            Err(error) => return self.refuse(at, ErrorCode::BadRequest, None, &error.to_string()),
        };
        match request {
            Request::Hello { proto, .. } if !self.peers[at].greeted => self.hello(at, proto),
            _ if !self.peers[at].greeted => self.refuse(at, ErrorCode::BadRequest, None, "hello must come first"),
            Request::Hello { .. } => self.refuse(at, ErrorCode::BadRequest, None, "hello came already"),
            _ if !self.peers[at].compatible => {
                let detail = format!("this helper speaks protocol {PROTOCOL}");
                self.refuse(at, ErrorCode::Unsupported, None, &detail);
            }
            Request::Start { id, interval_ms, samplers } => self.start(at, Stream::new(id, interval_ms, samplers)),
            Request::Stop { id } => {
                if self.peers[at].has_stream(id) {
                    self.peers[at].end_stream(StopReason::Client);
                } else {
                    self.no_such_stream(at, id);
                }
            }
            Request::Mark { id, n } => match self.peers[at].stream.as_mut().filter(|stream| stream.id == id) {
                Some(stream) if stream.waiting_marks.len() < MAX_WAITING_MARKS => stream.waiting_marks.push(n),
                Some(_) => self.refuse(at, ErrorCode::TooFast, Some(id), "too many marks are waiting"),
                None => self.no_such_stream(at, id),
            },
            Request::Ping { n } => self.send(at, &Reply::Pong { n }),
        }
    }

    fn no_such_stream(&mut self, at: usize, id: u64) {
        let (code, detail) = (ErrorCode::BadRequest, "no such stream");
        if self.peers[at].last_ended == Some(id) {
            // it may not know yet that its stream has ended: that is no mistake of its own
            self.send(at, &Reply::error(code, Some(id), detail));
        } else {
            self.refuse(at, code, Some(id), detail);
        }
    }

    fn hello(&mut self, at: usize, proto: u16) {
        self.peers[at].greeted = true;
        self.peers[at].compatible = proto == PROTOCOL;
        // where there is nothing to run, root rights would not help
        if self.config.rights == Rights::Missing && self.config.tool != Tool::Missing {
            self.send(
                at,
                &Reply::error(ErrorCode::Permission, None, "powermetrics needs root: start the helper with sudo"),
            );
            self.exit_status = EXIT_PERMISSION;
            return self.close(at);
        }
        let reply = Reply::HelloOk {
            proto: PROTOCOL,
            helper: env!("CARGO_PKG_VERSION").to_owned(),
            build: option_env!("JOULEBAR_BUILD").unwrap_or("unknown").to_owned(),
            powermetrics: self.config.tool == Tool::Ready,
            simulated: self.config.simulated,
        };
        self.send(at, &reply);
    }

    fn start(&mut self, at: usize, stream: Stream) {
        let id = Some(stream.id);
        let unavailable = match self.config.tool {
            Tool::Ready => None,
            Tool::Missing if self.config.simulated => Some("there is no program at the path that was given"),
            Tool::Missing => Some("this machine has no /usr/bin/powermetrics: only macOS has it"),
            Tool::NotTrusted => Some("/usr/bin/powermetrics is not a plain file that only root can write: not run"),
        };
        if let Some(detail) = unavailable {
            self.send(at, &Reply::error(ErrorCode::Unavailable, id, detail));
        } else if self.peers[at].stream.is_some() || self.peers[at].ending.is_some() || self.shutdown_since.is_some() {
            self.refuse(at, ErrorCode::BadRequest, id, "one stream at a time");
        } else {
            self.peers[at].stream = Some(stream);
        }
    }

    /// Gives a document to every stream that has room for it.
    fn share(&mut self, offset: u64, bytes: Vec<u8>, now: Duration) {
        let (Ok(len), Ok(prefix)) = (u32::try_from(bytes.len()), encode_document_prefix(bytes.len())) else { return };
        let document = Rc::new(bytes);
        for peer in &mut self.peers {
            let Some(stream) = &mut peer.stream else { continue };
            let room = peer.samples_in_flight == 0
                || (peer.samples_in_flight < MAX_SAMPLES_IN_FLIGHT
                    && peer.bytes_in_flight + document.len() <= MAX_DOCUMENT_BYTES);
            let (id, seq, dropped) = (stream.id, stream.seq, stream.dropped);
            let sample = Reply::Sample { id, seq, mono_ns: raw_ns(now), offset, dropped, len };
            let Some(mut head) = room.then(|| encode_reply(&sample).ok()).flatten() else {
                stream.lose();
                continue;
            };
            stream.seq += 1;
            head.extend_from_slice(&prefix);
            peer.samples_in_flight += 1;
            peer.bytes_in_flight += document.len();
            let parcel = Parcel { head, document: Some(Rc::clone(&document)) };
            self.actions.push_back(Action::Send { peer: peer.id, parcel });
        }
    }

    /// What all streams together ask for.
    fn plan(&self) -> Option<Plan> {
        let streams = || self.peers.iter().filter_map(|peer| peer.stream.as_ref());
        let interval = streams().map(|stream| stream.interval).min()?;
        let mut samplers: Vec<_> = streams().flat_map(|stream| stream.samplers.iter()).collect();
        samplers.sort_unstable();
        samplers.dedup();
        Some(Plan { interval, samplers: Samplers::new(samplers).ok()? })
    }

    /// Brings everything in line with what is wanted and due now.
    fn advance(&mut self, now: Duration) {
        while let Some(at) =
            self.peers.iter().position(|peer| !peer.greeted && now >= peer.connected_at + HELLO_DEADLINE)
        {
            self.send(at, &Reply::error(ErrorCode::BadRequest, None, "hello did not come in time"));
            self.close(at);
        }
        loop {
            self.supervisor.want(self.plan(), now);
            // a failure ends streams, so that less is wanted
            if !self.take_output() {
                break;
            }
        }
        self.announce(now);
        self.mark(now);
        self.end_streams();
        self.exit_if_due(now);
        self.served_until = now;
    }

    /// Passes on what the supervisor wants done; true if there was anything.
    fn take_output(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.supervisor.next_output() {
            any = true;
            match output {
                Output::Spawn { child, plan } => self.actions.push_back(Action::Spawn { child, plan }),
                Output::Signal { child, signal } => self.actions.push_back(Action::Signal { child, signal }),
                Output::Failed { code, detail } => {
                    for at in 0..self.peers.len() {
                        if let Some(id) = self.peers[at].stream.as_ref().map(|stream| stream.id) {
                            self.send(at, &Reply::error(code, Some(id), &detail));
                            self.peers[at].end_stream(StopReason::Failed);
                        }
                    }
                }
            }
        }
        any
    }

    /// Tells every stream of a child that it does not know yet.
    fn announce(&mut self, now: Duration) {
        let Some((child, plan)) = self.supervisor.settled(now).map(|(child, plan)| (child, plan.clone())) else {
            return;
        };
        for at in 0..self.peers.len() {
            let stream = self.peers[at].stream.as_mut().filter(|stream| stream.announced != Some(child));
            if let Some(stream) = stream {
                stream.announced = Some(child);
                let id = stream.id;
                self.send(at, &Reply::Started { id, interval_ms: plan.interval, samplers: plan.samplers.clone() });
            }
        }
    }

    /// One boundary sample serves all marks that wait.
    fn mark(&mut self, now: Duration) {
        if self.streams().all(|stream| stream.waiting_marks.is_empty()) || !self.supervisor.mark(now) {
            return;
        }
        self.take_output();
        for at in 0..self.peers.len() {
            let Some(stream) = &mut self.peers[at].stream else { continue };
            let id = stream.id;
            for n in std::mem::take(&mut stream.waiting_marks) {
                self.send(at, &Reply::Marked { id, n, mono_ns: raw_ns(now) });
            }
        }
    }

    /// Confirms ended streams once no process is left that served them.
    fn end_streams(&mut self) {
        if !self.supervisor.is_idle() && self.plan().is_none() {
            return;
        }
        for at in 0..self.peers.len() {
            if let Some((id, reason)) = self.peers[at].ending.take() {
                self.send(at, &Reply::Stopped { id, reason });
            }
        }
    }

    fn exit_if_due(&mut self, now: Duration) {
        self.idle_since = if self.peers.is_empty() { self.idle_since.or(Some(now)) } else { None };
        let child_is_gone = self.supervisor.is_idle();
        let is_over = self.idle_since.is_some_and(|since| child_is_gone && now >= since + self.config.idle_exit)
            || (self.shutdown_since.is_some() && child_is_gone)
            || self.exit_deadlines().any(|instant| now >= instant);
        if is_over && !self.has_exited {
            while !self.peers.is_empty() {
                self.close(0);
            }
            self.has_exited = true;
            self.actions.push_back(Action::Exit { status: self.exit_status });
        }
    }

    /// When the helper ends, whatever its child does.
    fn exit_deadlines(&self) -> impl Iterator<Item = Duration> + use<> {
        let idle = self.idle_since.map(|since| since + self.config.idle_exit.max(EXIT_GRACE));
        let shutdown = self.shutdown_since.map(|since| since + EXIT_GRACE);
        idle.into_iter().chain(shutdown)
    }
}

fn raw_ns(now: Duration) -> i64 {
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}
