//! The daemon against connections that exist only here: everything between libxpc's calls and powermetrics, but libxpc.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that fails here has failed, and figures are for reading"
)]

mod common;

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::{hello, hostile_frames, is_alive, start, wait_until, write_program};
use joulebar_helper::daemon;
use joulebar_helper::program::Program;
use joulebar_wire::frame::{encode_request, parse_reply};
use joulebar_wire::limits::{MAX_MESSAGE_BYTES, MAX_SAMPLES_IN_FLIGHT};
use joulebar_wire::{ErrorCode, Reply, Request, Sampler};
use joulebar_xpc::{Calls, Fault, Fields, Handler, Incoming, Requirement, Unaccepted};
use tempfile::TempDir;

/// The number of the listener's connection; clients have others.
const LISTENER: u32 = 0;

type Callback = Box<dyn FnOnce() + Send>;

/// What stands for libxpc.
#[derive(Clone, Default)]
struct Switchboard {
    lines: Arc<Mutex<BTreeMap<u32, Line>>>,
}

#[derive(Default)]
struct Line {
    requirement: Option<String>,
    handler: Option<Arc<Handler<Switchboard>>>,
    is_active: bool,
    sent: Vec<(Reply, Option<Vec<u8>>)>,
    /// It does not read: what it is sent stays on its way.
    is_stopped: bool,
    barriers: Vec<Callback>,
    cancels: u32,
    releases: u32,
}

impl Switchboard {
    fn line<T>(&self, number: u32, with: impl FnOnce(&mut Line) -> T) -> T {
        with(self.lines.lock().unwrap().entry(number).or_default())
    }

    /// Calls a handler as libxpc would: without any lock held.
    fn deliver(&self, number: u32, incoming: Incoming<'_, Self>) {
        let handler = self.line(number, |line| line.handler.clone().filter(|_| line.is_active));
        if let Some(handler) = handler {
            handler(incoming);
        }
    }

    /// A client comes that the requirement lets through.
    fn come(&self, number: u32) {
        self.deliver(LISTENER, Incoming::Peer(Unaccepted::new(self.clone(), number)));
    }

    fn say(&self, number: u32, message: &[u8]) {
        let fields = Fields { count: 2, version: 1, message: Some(message), document: None };
        self.deliver(number, Incoming::Message(fields));
    }

    fn ask(&self, number: u32, request: &Request) {
        self.say(number, &encode_request(request).unwrap()[4..]);
    }

    fn replies(&self, number: u32) -> Vec<Reply> {
        self.line(number, |line| line.sent.iter().map(|(reply, _)| reply.clone()).collect())
    }

    fn errors(&self, number: u32) -> Vec<ErrorCode> {
        let replies = self.replies(number).into_iter();
        replies.filter_map(|reply| if let Reply::Error { code, .. } = reply { Some(code) } else { None }).collect()
    }

    fn samples(&self, number: u32) -> usize {
        self.replies(number).iter().filter(|reply| matches!(reply, Reply::Sample { .. })).count()
    }

    fn is_cut_off(&self, number: u32) -> bool {
        self.line(number, |line| line.cancels > 0)
    }
}

impl Calls for Switchboard {
    type Connection = u32;

    fn listen(&self, service: &CStr) -> u32 {
        assert_eq!(service, c"service");
        LISTENER
    }

    fn connect(&self, _: &CStr) -> u32 {
        unreachable!("the daemon is nobody's client")
    }

    fn require(&self, number: &u32, requirement: &CStr) -> bool {
        self.line(*number, |line| {
            assert!(!line.is_active && line.requirement.is_none(), "once, and before it is active");
            line.requirement = Some(requirement.to_str().unwrap().to_owned());
        });
        requirement != c"nonsense"
    }

    fn set_handler(&self, number: &u32, handler: Handler<Self>) {
        self.line(*number, |line| line.handler = Some(Arc::new(handler)));
    }

    fn activate(&self, number: &u32) {
        self.line(*number, |line| {
            assert!(line.handler.is_some());
            assert!(*number != LISTENER || line.requirement.is_some(), "a listener without a requirement");
            line.is_active = true;
        });
    }

    fn send(&self, number: &u32, message: &[u8], document: Option<&[u8]>) {
        let reply = parse_reply(message).unwrap();
        self.line(*number, |line| line.sent.push((reply, document.map(<[u8]>::to_vec))));
    }

    fn barrier(&self, number: &u32, sent: Callback) {
        let now = self.line(*number, |line| {
            if line.is_stopped && line.cancels == 0 {
                line.barriers.push(sent);
                None
            } else {
                Some(sent)
            }
        });
        // a thread of libxpc calls it
        if let Some(sent) = now {
            std::thread::spawn(sent);
        }
    }

    fn user(&self, _: &u32) -> u32 {
        501
    }

    fn cancel(&self, number: &u32) {
        let barriers = self.line(*number, |line| {
            line.cancels += 1;
            std::mem::take(&mut line.barriers)
        });
        barriers.into_iter().for_each(|sent| drop(std::thread::spawn(sent)));
    }

    fn release(&self, number: &u32) {
        self.line(*number, |line| {
            assert!(line.cancels > 0, "a connection in use is released");
            line.releases += 1;
        });
    }
}

/// One at a time: the signals of a process have one receiver.
static DAEMON: Mutex<()> = Mutex::new(());

/// A daemon that runs a script in place of powermetrics.
struct Bench {
    board: Switchboard,
    directory: TempDir,
    thread: Option<JoinHandle<u8>>,
    _alone: MutexGuard<'static, ()>,
}

impl Bench {
    fn new() -> Self {
        let alone = DAEMON.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\necho \"$@\" >>{0}/arguments\necho $$ >{0}/pid.new; mv {0}/pid.new {0}/pid\n\
             n=0; while :; do printf '<plist>\\n%s\\n</plist>\\n\\0' $n; n=$((n + 1)); sleep 0.02; done\n",
            directory.path().display()
        );
        let path = directory.path().join("simulator");
        write_program(&path, &script);
        let board = Switchboard::default();
        let (requirement, calls) = (Requirement::new("anchor apple").unwrap(), board.clone());
        let program = Program::Simulator { path, arguments: Vec::new() };
        let thread = std::thread::spawn(move || daemon::serve(calls, c"service", &requirement, &program).unwrap());
        wait_until("the daemon listens", || board.line(LISTENER, |line| line.is_active));
        Self { board, directory, thread: Some(thread), _alone: alone }
    }

    /// A client that has said hello and was answered.
    fn greeted(&self, number: u32) {
        self.board.come(number);
        self.board.ask(number, &hello());
        self.wait(number, "hello_ok", |reply| matches!(reply, Reply::HelloOk { powermetrics: true, .. }));
    }

    fn wait(&self, number: u32, what: &str, wanted: impl Fn(&Reply) -> bool) {
        wait_until(what, || self.board.replies(number).iter().any(&wanted));
    }

    fn child(&self) -> u32 {
        let path = self.directory.path().join("pid");
        wait_until("the child starts", || path.exists());
        std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
    }

    /// Ends the daemon as launchd does, and looks that nothing is left of it.
    fn end(mut self) {
        self.board.deliver(LISTENER, Incoming::Fault(Fault::TerminationImminent));
        assert_eq!(self.thread.take().unwrap().join().unwrap(), 0);
        for (number, line) in self.board.lines.lock().unwrap().iter().filter(|(_, line)| line.is_active) {
            assert_eq!((line.cancels, line.releases), (1, 1), "connection {number}");
        }
    }
}

#[test]
fn two_clients_get_the_documents_of_one_child() {
    let bench = Bench::new();
    for number in [1, 2] {
        bench.greeted(number);
        bench.board.ask(number, &start(7, &[Sampler::Thermal]));
    }
    for number in [1, 2] {
        wait_until("samples", || bench.board.samples(number) >= 5);
        bench.board.line(number, |line| {
            let samples = line.sent.iter().filter_map(|(reply, document)| match reply {
                Reply::Sample { id: 7, seq, len, .. } => Some((*seq, *len, document.as_ref().unwrap())),
                _ => None,
            });
            for (position, (seq, len, document)) in samples.enumerate() {
                assert_eq!((seq, len as usize), (position as u64, document.len()));
                assert!(document.starts_with(b"<plist>") && document.ends_with(b"</plist>"));
            }
        });
    }
    let arguments = std::fs::read_to_string(bench.directory.path().join("arguments")).unwrap();
    assert_eq!(arguments, "powermetrics -f plist -b 0 -i 100 -n 36000 -s thermal\n", "one child, started once");
    bench.end();
}

#[test]
fn threat_01_daemon_whose_requirement_the_system_refuses_serves_nobody() {
    let _alone = DAEMON.lock().unwrap_or_else(PoisonError::into_inner);
    let board = Switchboard::default();
    let refused = daemon::serve(board.clone(), c"service", &Requirement::new("nonsense").unwrap(), &Program::Apple);
    assert!(matches!(refused, Err(daemon::NotListening::Requirement(_))), "{refused:?}");
    assert!(board.line(LISTENER, |line| !line.is_active && line.handler.is_none()));
}

#[test]
fn threat_09_client_that_never_reads_has_four_samples_on_their_way_and_costs_the_other_nothing() {
    let bench = Bench::new();
    bench.greeted(1);
    bench.greeted(2);
    bench.board.line(1, |line| line.is_stopped = true);
    bench.board.ask(1, &start(7, &[Sampler::Thermal]));
    bench.board.ask(2, &start(7, &[Sampler::Thermal]));
    wait_until("the other's samples", || bench.board.samples(2) >= 20);
    println!("{} samples to a reader, {} to one that does not read", bench.board.samples(2), bench.board.samples(1));
    assert_eq!(bench.board.samples(1), MAX_SAMPLES_IN_FLIGHT);
    // it goes on where it left off, and is told what it has missed
    let barriers = bench.board.line(1, |line| {
        line.is_stopped = false;
        std::mem::take(&mut line.barriers)
    });
    barriers.into_iter().for_each(|sent| sent());
    bench.wait(1, "a count", |reply| matches!(reply, Reply::Sample { dropped: 1.., .. }));
    bench.end();
}

#[test]
fn threat_09_dictionary_that_is_no_message_ends_the_conversation() {
    let bench = Bench::new();
    let long = vec![b' '; MAX_MESSAGE_BYTES + 1];
    let good = Fields { count: 2, version: 1, message: Some(b"{\"t\":\"ping\",\"n\":1}"), document: None };
    let bad = [
        Fields::default(),
        Fields { version: 2, ..good },
        Fields { count: 3, ..good },
        Fields { message: None, ..good },
        Fields { message: Some(&long), ..good },
        Fields { count: 3, document: Some(&long), ..good },
    ];
    for (fields, number) in bad.into_iter().zip(1..) {
        bench.greeted(number);
        bench.board.deliver(number, Incoming::Message(fields));
        wait_until("it is cut off", || bench.board.is_cut_off(number));
        assert_eq!(bench.board.errors(number), [ErrorCode::BadRequest], "{number}");
    }
    for (frame, number) in hostile_frames().iter().zip(100..) {
        bench.greeted(number);
        (0..3).for_each(|_| bench.board.say(number, &frame[4..]));
        wait_until("it is cut off", || bench.board.is_cut_off(number));
        assert!((1..=3).contains(&bench.board.errors(number).len()), "{number}");
    }
    assert!(!bench.directory.path().join("pid").exists(), "no child was ever started");
    bench.end();
}

#[test]
fn threat_10_flood_is_answered_for_the_burst_and_then_cut_off() {
    let bench = Bench::new();
    bench.greeted(1);
    let since = Instant::now();
    for n in 0..100_000 {
        bench.board.ask(1, &Request::Ping { n });
    }
    wait_until("it is cut off", || bench.board.is_cut_off(1));
    let pongs = bench.board.replies(1).iter().filter(|reply| matches!(reply, Reply::Pong { .. })).count();
    println!("100000 pings in {:.0?}: {pongs} answered, then {:?}", since.elapsed(), bench.board.errors(1));
    assert!((19..25).contains(&pongs), "{pongs}");
    assert_eq!(bench.board.errors(1), [ErrorCode::TooFast; 3]);
    bench.end();
}

#[test]
fn threat_10_flood_of_a_client_that_was_hung_up_on_takes_nothing_from_the_others() {
    let bench = Bench::new();
    bench.greeted(1);
    bench.greeted(2);
    bench.board.line(1, |line| line.is_stopped = true);
    (0..3).for_each(|_| bench.board.say(1, b"garbage"));
    wait_until("it is hung up on", || bench.board.errors(1).len() == 3);
    let over = AtomicBool::new(false);
    let flooded = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    bench.board.ask(1, &Request::Ping { n: flooded.fetch_add(1, Ordering::Relaxed) });
                }
            });
        }
        bench.board.ask(2, &start(7, &[Sampler::Thermal]));
        wait_until("the other's samples", || bench.board.samples(2) >= 20);
        over.store(true, Ordering::Relaxed);
    });
    println!("20 samples to the other beside {} requests of the flood", flooded.load(Ordering::Relaxed));
    assert_eq!(bench.board.errors(1).len(), 3, "it is answered nothing more");
    bench.end();
}

#[test]
fn fifth_client_is_told_why_and_turned_away() {
    let bench = Bench::new();
    (1..=4).for_each(|number| bench.greeted(number));
    bench.board.come(5);
    wait_until("it is turned away", || bench.board.is_cut_off(5));
    assert_eq!(bench.board.errors(5), [ErrorCode::Busy]);
    bench.board.deliver(2, Incoming::Fault(Fault::Invalid));
    wait_until("one is gone", || bench.board.is_cut_off(2));
    bench.greeted(6);
    bench.end();
}

#[test]
fn threat_09_clients_that_are_hung_up_on_and_never_read_do_not_pile_up() {
    let bench = Bench::new();
    for number in 1..=20 {
        bench.greeted(number);
        bench.board.line(number, |line| line.is_stopped = true);
        (0..3).for_each(|_| bench.board.say(number, b"garbage"));
        wait_until("three errors", || bench.board.errors(number).len() == 3);
    }
    wait_until("old ones are cut off", || (1..=16).all(|number| bench.board.is_cut_off(number)));
    bench.end();
}

#[test]
fn threat_11_child_dies_with_the_last_client() {
    let bench = Bench::new();
    bench.greeted(1);
    bench.board.ask(1, &start(7, &[Sampler::Thermal]));
    let child = bench.child();
    assert!(is_alive(child));
    let since = Instant::now();
    // what libxpc tells when the client has quit or crashed
    bench.board.deliver(1, Incoming::Fault(Fault::Invalid));
    wait_until("the child ends", || !is_alive(child));
    let gone = since.elapsed();
    println!("client gone: child gone after {gone:.0?}");
    assert!(gone < Duration::from_secs(2), "{gone:?}");
    bench.greeted(2);
    bench.end();
}

#[test]
fn threat_11_child_dies_with_the_daemon() {
    let bench = Bench::new();
    bench.greeted(1);
    bench.board.ask(1, &start(7, &[Sampler::Thermal]));
    let child = bench.child();
    assert!(is_alive(child));
    bench.end();
    assert!(!is_alive(child));
}
