//! The session against a transport, a child and a clock that exist only here. Every limit has its test.
#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::time::Duration;

use joulebar_helper::program::{Plan, Tool};
use joulebar_helper::session::{
    Action, ChildId, ChildSignal, Config, EXIT_GRACE, Event, Exit, MAX_REPLIES_IN_FLIGHT, PeerId, Rights,
    SETTLED_AFTER, SIGNALS_AFTER, STOP_GRACE, Session,
};
use joulebar_wire::frame::{ReplyDecoder, encode_request};
use joulebar_wire::limits::{HELLO_DEADLINE, MAX_DETAIL_CHARS, MAX_DOCUMENT_BYTES};
use joulebar_wire::{ErrorCode, IntervalMs, Reply, Request, Sampler, Samplers, StopReason};

const ANN: PeerId = PeerId(1);
const BEN: PeerId = PeerId(2);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a session did, in an order that can be compared.
#[derive(Debug, PartialEq)]
enum Did {
    Sent(PeerId, Reply),
    Closed(PeerId),
    Spawned(u64, u32, String),
    Signalled(u64, ChildSignal),
    Exited(u8),
}

struct Rig {
    session: Session,
    now: Duration,
    /// When true, parcels arrive at once.
    reads: bool,
}

impl Rig {
    fn with(config: Config) -> Self {
        Self { session: Session::new(config), now: Duration::from_secs(1000), reads: true }
    }

    fn new() -> Self {
        Self::with(config())
    }

    /// A session with one client that has said hello.
    fn greeted() -> Self {
        let mut rig = Self::new();
        rig.connect(ANN);
        rig
    }

    /// One client whose stream 7 is served by child 0, which has written one document.
    fn streaming() -> Self {
        let mut rig = Self::greeted();
        rig.ask(ANN, &start(7, 1000));
        rig.now += ms(1000);
        let did = rig.document(0);
        assert!(
            matches!(did[..], [Did::Sent(_, Reply::Started { .. }), Did::Sent(_, Reply::Sample { .. })]),
            "{did:?}"
        );
        rig
    }

    fn connect(&mut self, peer: PeerId) {
        assert_eq!(self.does(Event::Connected { peer }), []);
        let did = self.ask(peer, &Request::Hello { proto: 1, app: "0.1.0".into() });
        assert!(matches!(did[..], [Did::Sent(_, Reply::HelloOk { .. })]), "{did:?}");
    }

    fn does(&mut self, event: Event<'_>) -> Vec<Did> {
        self.session.handle(event, self.now);
        let mut done = Vec::new();
        while let Some(action) = self.session.next_action() {
            done.push(match action {
                Action::Send { peer, parcel } => {
                    let mut decoder = ReplyDecoder::new();
                    decoder.push(&parcel.head);
                    if let Some(document) = &parcel.document {
                        decoder.push(document);
                    }
                    let received = decoder.next_reply().unwrap().unwrap();
                    if self.reads {
                        let document_bytes = received.document.map(|document| document.len());
                        self.session.handle(Event::Delivered { peer, document_bytes }, self.now);
                    }
                    Did::Sent(peer, received.reply)
                }
                Action::Close { peer } => Did::Closed(peer),
                Action::Spawn { child, plan: Plan { interval, samplers } } => {
                    Did::Spawned(child.0, interval.get(), samplers.to_string())
                }
                Action::Signal { child, signal } => Did::Signalled(child.0, signal),
                Action::Exit { status } => Did::Exited(status),
            });
        }
        done
    }

    fn ask(&mut self, peer: PeerId, request: &Request) -> Vec<Did> {
        let frame = encode_request(request).unwrap();
        self.does(Event::Frame { peer, bytes: &frame[4..] })
    }

    fn say(&mut self, peer: PeerId, text: &str) -> Vec<Did> {
        self.does(Event::Frame { peer, bytes: text.as_bytes() })
    }

    fn document(&mut self, child: u64) -> Vec<Did> {
        self.document_of(child, 100)
    }

    fn document_of(&mut self, child: u64, len: usize) -> Vec<Did> {
        self.does(Event::Document { child: ChildId(child), offset: 5, bytes: vec![b'x'; len] })
    }

    fn exit(&mut self, child: u64, exit: Exit) -> Vec<Did> {
        self.does(Event::Exited { child: ChildId(child), exit })
    }

    /// Lets time pass, waking at every deadline, as a transport does.
    fn pass(&mut self, time: Duration) -> Vec<Did> {
        let until = self.now + time;
        let mut done = Vec::new();
        while let Some(deadline) = self.session.deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            done.extend(self.does(Event::Tick));
            let next = self.session.deadline();
            assert!(next.is_none_or(|next| next > self.now), "what is over would never let the transport rest");
        }
        self.now = until;
        done.extend(self.does(Event::Tick));
        done
    }
}

fn config() -> Config {
    Config { rights: Rights::Sufficient, tool: Tool::Ready, simulated: false, idle_exit: Duration::ZERO }
}

fn start_of(id: u64, interval_ms: u32, samplers: &[Sampler]) -> Request {
    let samplers = Samplers::new(samplers.to_vec()).unwrap();
    Request::Start { id, interval_ms: IntervalMs::new(interval_ms).unwrap(), samplers }
}

fn start(id: u64, interval_ms: u32) -> Request {
    start_of(id, interval_ms, &[Sampler::CpuPower, Sampler::GpuPower, Sampler::Thermal])
}

fn started(id: u64, interval_ms: u32, samplers: &[Sampler]) -> Reply {
    let samplers = Samplers::new(samplers.to_vec()).unwrap();
    Reply::Started { id, interval_ms: IntervalMs::new(interval_ms).unwrap(), samplers }
}

fn crash(stderr: &str) -> Exit {
    Exit { success: false, code: Some(1), stderr: stderr.into() }
}

fn errors(did: &[Did]) -> Vec<ErrorCode> {
    let codes = did.iter().filter_map(|did| match did {
        Did::Sent(_, Reply::Error { code, .. }) => Some(*code),
        _ => None,
    });
    codes.collect()
}

fn spawned(did: &[Did]) -> Vec<u64> {
    did.iter().filter_map(|did| if let Did::Spawned(child, ..) = did { Some(*child) } else { None }).collect()
}

fn stopped(id: u64, reason: StopReason) -> Did {
    Did::Sent(ANN, Reply::Stopped { id, reason })
}

#[test]
fn a_stream_runs_from_start_to_stop() {
    let mut rig = Rig::greeted();
    let list = "cpu_power,gpu_power,thermal".to_owned();
    assert_eq!(rig.ask(ANN, &start(7, 1000)), [Did::Spawned(0, 1000, list)]);
    rig.now += ms(1003);
    let did = rig.document(0);
    let mono_ns = i64::try_from(rig.now.as_nanos()).unwrap();
    let sample = |seq| Did::Sent(ANN, Reply::Sample { id: 7, seq, mono_ns, offset: 5, dropped: 0, len: 100 });
    let default = [Sampler::CpuPower, Sampler::GpuPower, Sampler::Thermal];
    assert_eq!(did, [Did::Sent(ANN, started(7, 1000, &default)), sample(0)]);
    assert_eq!(rig.document(0), [sample(1)]);
    assert_eq!(rig.ask(ANN, &Request::Ping { n: 3 }), [Did::Sent(ANN, Reply::Pong { n: 3 })]);
    assert_eq!(rig.ask(ANN, &Request::Stop { id: 7 }), [Did::Signalled(0, ChildSignal::Terminate)]);
    assert_eq!(rig.document(0), [], "nothing comes after stop");
    assert_eq!(rig.exit(0, Exit::default()), [stopped(7, StopReason::Client)]);
    assert_eq!(rig.does(Event::Gone { peer: ANN }), [Did::Exited(0)]);
}

#[test]
fn started_comes_without_a_document_once_the_child_has_accepted_its_arguments() {
    let mut rig = Rig::greeted();
    rig.ask(ANN, &start_of(7, 60_000, &[Sampler::Thermal]));
    assert_eq!(rig.pass(ms(249)), []);
    assert_eq!(rig.pass(ms(1)), [Did::Sent(ANN, started(7, 60_000, &[Sampler::Thermal]))]);
}

#[test]
fn what_falls_due_between_an_event_and_the_wait_is_not_forgotten() {
    let just_before = |rig: &mut Rig, due: Duration| {
        rig.now = due - Duration::from_nanos(1);
        assert_eq!(rig.does(Event::Tick), []);
        assert_eq!(rig.session.deadline(), Some(due));
        rig.now = due + Duration::from_nanos(1);
        rig.does(Event::Tick)
    };
    let mut rig = Rig::new();
    rig.does(Event::Connected { peer: ANN });
    let hello_due = rig.now + HELLO_DEADLINE;
    assert_eq!(errors(&just_before(&mut rig, hello_due)), [ErrorCode::BadRequest]);

    let mut rig = Rig::greeted();
    let since = rig.now;
    rig.ask(ANN, &start(7, 60_000));
    let did = just_before(&mut rig, since + SETTLED_AFTER);
    assert!(matches!(did[..], [Did::Sent(_, Reply::Started { .. })]), "{did:?}");
    rig.ask(ANN, &Request::Mark { id: 7, n: 1 });
    let did = just_before(&mut rig, since + SIGNALS_AFTER);
    assert_eq!(did[0], Did::Signalled(0, ChildSignal::Boundary));
    let did = rig.ask(ANN, &Request::Stop { id: 7 });
    assert_eq!(did, [Did::Signalled(0, ChildSignal::Terminate)]);
    let kill_due = rig.now + STOP_GRACE;
    assert_eq!(just_before(&mut rig, kill_due), [Did::Signalled(0, ChildSignal::Kill)]);
    assert_eq!(rig.session.deadline(), None);
}

#[test]
fn hello_must_come_first_and_in_time() {
    let mut rig = Rig::new();
    rig.does(Event::Connected { peer: ANN });
    assert_eq!(errors(&rig.ask(ANN, &start(7, 1000))), [ErrorCode::BadRequest]);
    assert_eq!(rig.pass(ms(4999)), []);
    let did = rig.pass(ms(1));
    assert_eq!(errors(&did), [ErrorCode::BadRequest]);
    assert_eq!(did[1..], [Did::Closed(ANN), Did::Exited(0)]);
}

#[test]
fn threat_15_client_of_another_version_learns_ours_and_can_do_nothing_else() {
    let mut rig = Rig::new();
    rig.does(Event::Connected { peer: ANN });
    let did = rig.ask(ANN, &Request::Hello { proto: 2, app: "9".into() });
    assert!(matches!(did[..], [Did::Sent(_, Reply::HelloOk { proto: 1, .. })]), "{did:?}");
    assert_eq!(errors(&rig.ask(ANN, &start(7, 1000))), [ErrorCode::Unsupported]);
}

#[test]
fn without_rights_the_client_gets_the_reason_and_the_helper_exits_77() {
    let mut rig = Rig::with(Config { rights: Rights::Missing, ..config() });
    rig.does(Event::Connected { peer: ANN });
    let did = rig.ask(ANN, &Request::Hello { proto: 1, app: "1".into() });
    assert_eq!(errors(&did), [ErrorCode::Permission]);
    assert_eq!(did[1..], [Did::Closed(ANN), Did::Exited(77)]);
}

#[test]
fn without_powermetrics_hello_says_so_and_start_is_unavailable() {
    for (tool, rights) in [(Tool::Missing, Rights::Missing), (Tool::NotTrusted, Rights::Sufficient)] {
        let mut rig = Rig::with(Config { tool, rights, ..config() });
        rig.does(Event::Connected { peer: ANN });
        let did = rig.ask(ANN, &Request::Hello { proto: 1, app: "1".into() });
        assert!(matches!(did[..], [Did::Sent(_, Reply::HelloOk { powermetrics: false, .. })]), "{did:?}");
        assert_eq!(errors(&rig.ask(ANN, &start(7, 1000))), [ErrorCode::Unavailable]);
    }
}

#[test]
fn third_bad_request_ends_the_conversation() {
    let mut rig = Rig::streaming();
    let deep = "[".repeat(4000);
    assert_eq!(errors(&rig.say(ANN, r#"{"t":"exec","path":"/bin/sh"}"#)), [ErrorCode::BadRequest]);
    assert_eq!(errors(&rig.say(ANN, &deep)), [ErrorCode::BadRequest]);
    let did = rig.say(ANN, "\0garbage");
    assert_eq!(errors(&did), [ErrorCode::BadRequest]);
    assert_eq!(did[1..], [Did::Closed(ANN), Did::Signalled(0, ChildSignal::Terminate)]);
}

#[test]
fn threat_19_what_a_client_wrote_comes_back_capped_and_without_control_characters() {
    let mut rig = Rig::greeted();
    let did = rig.say(ANN, &format!("{{\"t\":\"{}\\u001b\"}}", "A".repeat(3000)));
    let [Did::Sent(_, Reply::Error { detail, .. })] = &did[..] else { panic!("{did:?}") };
    assert!(detail.chars().count() <= MAX_DETAIL_CHARS && !detail.chars().any(char::is_control), "{detail}");
}

#[test]
fn threat_09_frame_beyond_the_limit_ends_the_conversation_at_once() {
    let mut rig = Rig::greeted();
    let error = joulebar_wire::frame::WireError::TooLong { announced: 1 << 31, max: 4096 };
    let did = rig.does(Event::BrokenFrame { peer: ANN, error: &error });
    assert_eq!(errors(&did), [ErrorCode::BadRequest]);
    assert_eq!(did[1..], [Did::Closed(ANN), Did::Exited(0)]);
}

#[test]
fn threat_10_flood_is_refused_after_the_burst_and_then_cut_off() {
    let mut rig = Rig::greeted();
    for n in 0..19 {
        assert_eq!(rig.ask(ANN, &Request::Ping { n }), [Did::Sent(ANN, Reply::Pong { n })]);
    }
    assert_eq!(errors(&rig.ask(ANN, &Request::Ping { n: 0 })), [ErrorCode::TooFast]);
    rig.ask(ANN, &Request::Ping { n: 0 });
    let did = rig.ask(ANN, &Request::Ping { n: 0 });
    assert_eq!(did[1..], [Did::Closed(ANN), Did::Exited(0)]);
}

#[test]
fn ten_requests_per_second_are_served_for_ever() {
    let mut rig = Rig::greeted();
    for n in 0..1000 {
        rig.now += ms(100);
        assert_eq!(rig.ask(ANN, &Request::Ping { n }), [Did::Sent(ANN, Reply::Pong { n })]);
    }
}

#[test]
fn threat_09_reader_that_never_reads_gets_four_samples_and_a_count_of_the_rest() {
    let mut rig = Rig::streaming();
    rig.reads = false;
    let sent: usize = (0..100).map(|_| rig.document(0).len()).sum();
    assert_eq!(sent, 4);
    rig.does(Event::Damaged { child: ChildId(0) });
    rig.does(Event::Delivered { peer: ANN, document_bytes: Some(100) });
    let did = rig.document(0);
    assert!(matches!(did[..], [Did::Sent(_, Reply::Sample { seq: 102, dropped: 97, .. })]), "{did:?}");
}

#[test]
fn threat_09_large_documents_on_their_way_are_bounded_by_their_bytes_too() {
    let mut rig = Rig::streaming();
    rig.reads = false;
    let sent: usize = (0..10).map(|_| rig.document_of(0, MAX_DOCUMENT_BYTES / 2).len()).sum();
    assert_eq!(sent, 2);
    let mut rig = Rig::streaming();
    rig.reads = false;
    assert_eq!(rig.document_of(0, MAX_DOCUMENT_BYTES).len(), 1, "the largest one passes alone");
    assert_eq!(rig.document_of(0, 1).len(), 0);
}

#[test]
fn threat_09_control_replies_are_kept_for_a_slow_reader_but_not_without_end() {
    let mut rig = Rig::streaming();
    rig.reads = false;
    for n in 0..MAX_REPLIES_IN_FLIGHT as u64 {
        rig.now += ms(100);
        rig.document(0);
        assert_eq!(rig.ask(ANN, &Request::Ping { n }), [Did::Sent(ANN, Reply::Pong { n })]);
    }
    rig.now += ms(100);
    assert_eq!(rig.ask(ANN, &Request::Ping { n: 0 })[0], Did::Closed(ANN));
}

#[test]
fn one_stream_at_a_time_and_only_known_ones_can_be_stopped_or_marked() {
    let mut rig = Rig::streaming();
    assert_eq!(errors(&rig.ask(ANN, &start(8, 1000))), [ErrorCode::BadRequest]);
    assert_eq!(errors(&rig.ask(ANN, &Request::Mark { id: 8, n: 0 })), [ErrorCode::BadRequest]);
    assert_eq!(errors(&rig.ask(ANN, &Request::Stop { id: 8 })), [ErrorCode::BadRequest]);
}

#[test]
fn client_that_does_not_know_yet_that_its_stream_has_failed_is_not_cut_off() {
    let mut rig = Rig::streaming();
    rig.does(Event::Oversize { child: ChildId(0) });
    rig.exit(0, Exit::default());
    for n in 0..10 {
        rig.now += ms(100);
        assert_eq!(errors(&rig.ask(ANN, &Request::Mark { id: 7, n })), [ErrorCode::BadRequest]);
    }
    assert_eq!(rig.ask(ANN, &Request::Ping { n: 3 }), [Did::Sent(ANN, Reply::Pong { n: 3 })]);
}

#[test]
fn mark_signals_the_child_and_tells_when() {
    let mut rig = Rig::streaming();
    let mono_ns = i64::try_from(rig.now.as_nanos()).unwrap();
    assert_eq!(
        rig.ask(ANN, &Request::Mark { id: 7, n: 2 }),
        [Did::Signalled(0, ChildSignal::Boundary), Did::Sent(ANN, Reply::Marked { id: 7, n: 2, mono_ns })]
    );
}

#[test]
fn mark_waits_for_a_child_that_may_not_be_ready_for_signals() {
    let mut rig = Rig::greeted();
    rig.ask(ANN, &start_of(7, 60_000, &[Sampler::Thermal]));
    assert_eq!(rig.ask(ANN, &Request::Mark { id: 7, n: 1 }), []);
    let did = rig.pass(ms(1000));
    assert_eq!(did[1], Did::Signalled(0, ChildSignal::Boundary));
    assert!(matches!(did[2..], [Did::Sent(_, Reply::Marked { n: 1, .. })]), "{did:?}");
}

#[test]
fn threat_11_child_that_ignores_sigterm_is_killed_after_half_a_second() {
    let mut rig = Rig::streaming();
    rig.ask(ANN, &Request::Stop { id: 7 });
    assert_eq!(rig.pass(ms(499)), []);
    assert_eq!(rig.pass(ms(1)), [Did::Signalled(0, ChildSignal::Kill)]);
    assert_eq!(rig.pass(ms(5000)), [], "stopped is only said when the process is gone");
    assert_eq!(rig.exit(0, Exit::default()), [stopped(7, StopReason::Client)]);
}

#[test]
fn threat_11_child_is_stopped_at_once_when_the_client_goes_and_the_helper_never_outlives_it_by_two_seconds() {
    let mut rig = Rig::streaming();
    assert_eq!(rig.does(Event::Gone { peer: ANN }), [Did::Signalled(0, ChildSignal::Terminate)]);
    let did = rig.pass(EXIT_GRACE);
    assert_eq!(did, [Did::Signalled(0, ChildSignal::Kill), Did::Exited(0)]);
    assert!(EXIT_GRACE < Duration::from_secs(2));
}

#[test]
fn threat_11_child_is_started_anew_when_its_lease_is_over_and_the_client_learns_of_the_gap() {
    let mut rig = Rig::streaming();
    for _ in 0..3599 {
        rig.now += ms(1005);
        rig.document(0);
    }
    let did = rig.exit(0, Exit { success: true, code: Some(0), stderr: vec![] });
    assert_eq!(spawned(&did), [1]);
    let did = rig.document(1);
    assert!(matches!(did[..], [Did::Sent(_, Reply::Started { .. }), Did::Sent(_, Reply::Sample { seq: 3600, .. })]));
}

#[test]
fn threat_10_crashing_child_is_restarted_five_times_with_growing_pauses_and_then_given_up() {
    let mut rig = Rig::streaming();
    for (child, pause_s) in [1, 2, 4, 8, 16].into_iter().enumerate() {
        let child = child as u64;
        assert_eq!(spawned(&rig.exit(child, crash("boom"))), Vec::<u64>::new());
        assert_eq!(spawned(&rig.pass(Duration::from_secs(pause_s) - ms(1))), Vec::<u64>::new());
        assert_eq!(spawned(&rig.pass(ms(1))), [child + 1]);
    }
    let did = rig.exit(5, crash("Second underflow occured.\nboom\n"));
    let detail = "powermetrics ended with status 1: Second underflow occured.; boom".to_owned();
    assert_eq!(
        did,
        [
            Did::Sent(ANN, Reply::Error { code: ErrorCode::ChildExit, id: Some(7), detail }),
            stopped(7, StopReason::Failed)
        ]
    );
    assert_eq!(spawned(&rig.pass(Duration::from_secs(100))), Vec::<u64>::new());
    assert_eq!(spawned(&rig.ask(ANN, &start(8, 1000))), [6], "asking again tries again");
}

#[test]
fn child_that_worked_for_a_minute_starts_with_a_clean_record() {
    let mut rig = Rig::streaming();
    for child in 0..20 {
        for _ in 0..60 {
            rig.now += ms(1000);
            rig.document(child);
        }
        let mut did = rig.exit(child, crash(""));
        did.extend(rig.pass(ms(1000)));
        assert_eq!(spawned(&did), [child + 1]);
    }
}

#[test]
fn lease_that_ends_too_early_is_a_crash() {
    let mut rig = Rig::streaming();
    let did = rig.exit(0, Exit { success: true, code: Some(0), stderr: vec![] });
    assert_eq!(did, []);
    assert_eq!(spawned(&rig.pass(ms(1000))), [1]);
}

#[test]
fn silent_child_is_taken_for_stuck_after_its_interval_and_five_seconds() {
    let mut rig = Rig::streaming();
    assert_eq!(rig.pass(ms(5999)), []);
    assert_eq!(rig.pass(ms(1)), [Did::Signalled(0, ChildSignal::Terminate)]);
    assert_eq!(spawned(&rig.exit(0, Exit::default())), Vec::<u64>::new());
    assert_eq!(spawned(&rig.pass(ms(1000))), [1]);
}

#[test]
fn child_that_writes_only_garbage_is_taken_for_stuck_too() {
    let mut rig = Rig::streaming();
    let mut did = Vec::new();
    for _ in 0..60 {
        did.extend(rig.pass(ms(100)));
        did.extend(rig.does(Event::Damaged { child: ChildId(0) }));
    }
    assert_eq!(did, [Did::Signalled(0, ChildSignal::Terminate)]);
}

#[test]
fn threat_09_endless_document_ends_the_stream() {
    let mut rig = Rig::streaming();
    let did = rig.does(Event::Oversize { child: ChildId(0) });
    assert!(matches!(did[0], Did::Sent(_, Reply::Error { code: ErrorCode::Oversize, id: Some(7), .. })), "{did:?}");
    assert_eq!(did[1..], [Did::Signalled(0, ChildSignal::Terminate)]);
    assert_eq!(rig.does(Event::Oversize { child: ChildId(0) }), []);
    assert_eq!(rig.exit(0, Exit::default()), [stopped(7, StopReason::Failed)]);
}

#[test]
fn sampler_that_this_macos_lacks_is_dropped_and_the_rest_is_used() {
    let mut rig = Rig::greeted();
    rig.ask(ANN, &start_of(7, 1000, &[Sampler::CpuPower, Sampler::AnePower, Sampler::Battery]));
    let did = rig.exit(0, crash("powermetrics: unrecognized sampler: ane_power\n"));
    assert_eq!(did, [Did::Spawned(1, 1000, "cpu_power,battery".into())]);
    let did = rig.exit(1, crash("powermetrics: unrecognized sampler: battery\n"));
    assert_eq!(did, [Did::Spawned(2, 1000, "cpu_power".into())]);
    rig.now += ms(1000);
    assert_eq!(rig.document(2)[0], Did::Sent(ANN, started(7, 1000, &[Sampler::CpuPower])));
    assert_eq!(rig.pass(ms(4000)), [], "the child is what is wanted");
}

#[test]
fn stream_whose_samplers_all_lack_is_unsupported() {
    let mut rig = Rig::greeted();
    rig.ask(ANN, &start_of(7, 1000, &[Sampler::AnePower]));
    let did = rig.exit(0, crash("powermetrics: unrecognized sampler: ane_power\n"));
    assert_eq!(errors(&did), [ErrorCode::Unsupported]);
    assert_eq!(did[1..], [stopped(7, StopReason::Failed)]);
}

#[test]
fn powermetrics_that_wants_root_is_not_tried_again() {
    let mut rig = Rig::greeted();
    rig.ask(ANN, &start(7, 1000));
    let did = rig.exit(0, crash("powermetrics must be invoked as the superuser\n"));
    assert_eq!(errors(&did), [ErrorCode::Permission]);
    assert_eq!(did[1..], [stopped(7, StopReason::Failed)]);
}

#[test]
fn program_that_cannot_be_started_is_unavailable() {
    let mut rig = Rig::greeted();
    rig.ask(ANN, &start(7, 1000));
    let error = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let did = rig.does(Event::SpawnFailed { child: ChildId(0), error });
    assert_eq!(errors(&did), [ErrorCode::Unavailable]);
    assert_eq!(did[1..], [stopped(7, StopReason::Failed)]);
}

#[test]
fn threat_10_starting_and_stopping_in_a_loop_starts_one_child_in_two_seconds() {
    let mut rig = Rig::greeted();
    let mut starts = Vec::new();
    for round in 0..20 {
        starts.extend(spawned(&rig.ask(ANN, &start(round, 1000))));
        starts.extend(spawned(&rig.pass(ms(250))));
        let did = rig.ask(ANN, &Request::Stop { id: round });
        if did.contains(&Did::Signalled(starts.len() as u64 - 1, ChildSignal::Terminate)) {
            starts.extend(spawned(&rig.exit(starts.len() as u64 - 1, Exit::default())));
        }
        starts.extend(spawned(&rig.pass(ms(250))));
    }
    assert_eq!(starts.len(), 5, "10 s");
}

#[test]
fn told_to_end_the_helper_ends_its_streams_and_its_child_first() {
    let mut rig = Rig::streaming();
    assert_eq!(rig.does(Event::Shutdown), [Did::Signalled(0, ChildSignal::Terminate)]);
    let did = rig.exit(0, Exit::default());
    assert_eq!(did, [stopped(7, StopReason::Shutdown), Did::Closed(ANN), Did::Exited(0)]);
    assert_eq!(rig.pass(ms(10_000)), [], "once is enough");
}

#[test]
fn two_clients_share_one_child_at_the_shorter_interval() {
    let mut rig = Rig::streaming();
    rig.connect(BEN);
    let did = rig.ask(BEN, &start_of(1, 200, &[Sampler::Battery]));
    let default = [Sampler::CpuPower, Sampler::GpuPower, Sampler::Thermal];
    assert_eq!(did, [Did::Sent(BEN, started(1, 1000, &default))], "no new child within 2 s of the last start");
    let did = rig.pass(ms(1000));
    assert_eq!(did[did.len() - 1..], [Did::Signalled(0, ChildSignal::Terminate)]);
    let did = rig.exit(0, Exit::default());
    assert_eq!(did, [Did::Spawned(1, 200, "cpu_power,gpu_power,thermal,battery".into())]);
    rig.now += ms(200);
    let did = rig.document(1);
    assert!(did.iter().any(|did| matches!(did, Did::Sent(ANN, Reply::Sample { id: 7, seq: 1, .. }))), "{did:?}");
    assert!(did.iter().any(|did| matches!(did, Did::Sent(BEN, Reply::Sample { id: 1, seq: 0, .. }))), "{did:?}");
    let did = rig.ask(BEN, &Request::Stop { id: 1 });
    assert_eq!(
        did,
        [Did::Sent(BEN, Reply::Stopped { id: 1, reason: StopReason::Client })],
        "the child serves the other"
    );
    assert_eq!(rig.does(Event::Gone { peer: BEN }), []);
}

#[test]
fn a_slow_client_does_not_cost_the_other_its_samples() {
    let mut rig = Rig::streaming();
    rig.connect(BEN);
    rig.ask(BEN, &start(1, 1000));
    rig.reads = false;
    for _ in 0..10 {
        rig.document(0);
        rig.does(Event::Delivered { peer: BEN, document_bytes: Some(100) });
    }
    let did = rig.document(0);
    assert!(matches!(did[..], [Did::Sent(BEN, Reply::Sample { seq: 10, dropped: 0, .. })]), "{did:?}");
}

#[test]
fn fifth_client_is_turned_away() {
    let mut rig = Rig::new();
    (1..=4).for_each(|peer| rig.connect(PeerId(peer)));
    let did = rig.does(Event::Connected { peer: PeerId(5) });
    assert_eq!(errors(&did), [ErrorCode::Busy]);
    assert_eq!(did[1..], [Did::Closed(PeerId(5))]);
}

#[test]
fn daemon_stays_for_a_while_without_clients() {
    let mut rig = Rig::with(Config { idle_exit: Duration::from_secs(45), ..config() });
    rig.connect(ANN);
    assert_eq!(rig.does(Event::Gone { peer: ANN }), []);
    assert_eq!(rig.pass(ms(40_000)), []);
    rig.connect(BEN);
    rig.does(Event::Gone { peer: BEN });
    assert_eq!(rig.pass(ms(44_999)), []);
    assert_eq!(rig.pass(ms(1)), [Did::Exited(0)]);
}
