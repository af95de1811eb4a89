//! The conversation with the helper, against a helper that the test plays itself.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod power_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use joulebar_core::clock::{Clock, MonotonicTime};
use joulebar_core::power::helper::{HelperOptions, HelperSource};
use joulebar_core::power::transport::{StdioTransport, Transport, TransportError};
use joulebar_core::power::{Boundary, PowerError, PowerSource};
use joulebar_core::sample::Origin;
use joulebar_wire::frame::{Received, encode_document_prefix, encode_reply};
use joulebar_wire::{ErrorCode, IntervalMs, PROTOCOL, Reply, Request, Samplers, StopReason};
use power_support::{document, document_with, integer, real};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The helper's side: what it is told, and what it says.
struct Helper {
    requests: mpsc::UnboundedReceiver<Request>,
    replies: Option<mpsc::UnboundedSender<Received>>,
    is_closed: Arc<AtomicBool>,
    seq: u64,
}

struct Scripted {
    requests: mpsc::UnboundedSender<Request>,
    replies: mpsc::UnboundedReceiver<Received>,
    is_closed: Arc<AtomicBool>,
}

impl Transport for Scripted {
    async fn send(&mut self, request: &Request) -> Result<(), TransportError> {
        let gone = |_| TransportError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        self.requests.send(request.clone()).map_err(gone)
    }

    async fn receive(&mut self) -> Result<Option<Received>, TransportError> {
        Ok(self.replies.recv().await)
    }

    async fn close(&mut self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    fn last_words(&self) -> String {
        "dyld: library not loaded".to_owned()
    }
}

fn pair() -> (Scripted, Helper) {
    let (request_sender, requests) = mpsc::unbounded_channel();
    let (reply_sender, replies) = mpsc::unbounded_channel();
    let is_closed = Arc::new(AtomicBool::new(false));
    let scripted = Scripted { requests: request_sender, replies, is_closed: Arc::clone(&is_closed) };
    (scripted, Helper { requests, replies: Some(reply_sender), is_closed, seq: 0 })
}

fn hello_ok(simulated: bool) -> Reply {
    let (helper, build) = ("1.2.3".to_owned(), "unknown".to_owned());
    Reply::HelloOk { proto: PROTOCOL, helper, build, powermetrics: true, simulated }
}

fn started() -> Reply {
    Reply::Started { id: 1, interval_ms: interval(1_000), samplers: Samplers::default() }
}

fn interval(ms: u32) -> IntervalMs {
    IntervalMs::new(ms).unwrap()
}

impl Helper {
    fn say(&self, reply: Reply) {
        self.replies.as_ref().unwrap().send(Received { reply, document: None }).unwrap();
    }

    /// A document that was complete at `at` on `clock`, which begins at zero with the raw clock's `origin`.
    fn sample(&mut self, origin_ns: i64, at: Duration, document: Vec<u8>) {
        let reply = Reply::Sample {
            id: 1,
            seq: self.seq,
            mono_ns: origin_ns + i64::try_from(at.as_nanos()).unwrap(),
            offset: self.seq * 1_000,
            dropped: 0,
            len: u32::try_from(document.len()).unwrap(),
        };
        self.seq += 1;
        self.replies.as_ref().unwrap().send(Received { reply, document: Some(document) }).unwrap();
    }

    async fn hear(&mut self) -> Request {
        timeout(Duration::from_secs(60), self.requests.recv()).await.unwrap().unwrap()
    }
}

fn one_second(cpu_mw: &str) -> Vec<u8> {
    document(&real("cpu_power", cpu_mw))
}

/// A clock whose zero lies an hour back, and its origin in raw nanoseconds, so that samples can lie in the past.
fn clock() -> (Clock, i64) {
    let clock = Clock::starting_at(MonotonicTime(3_600_000_000_000));
    (clock, -clock.from_raw(0).0)
}

async fn connect(scripted: Scripted, helper: &Helper, clock: Clock) -> HelperSource {
    helper.say(hello_ok(false));
    helper.say(started());
    HelperSource::start(scripted, &HelperOptions::every(interval(1_000)), clock).await.unwrap()
}

async fn refusal(replies: Vec<Reply>) -> PowerError {
    let (scripted, mut helper) = pair();
    for reply in replies {
        helper.say(reply);
    }
    helper.replies = None;
    let options = HelperOptions::every(interval(1_000));
    let error = HelperSource::start(scripted, &options, Clock::start()).await.unwrap_err();
    assert!(helper.is_closed.load(Ordering::SeqCst), "a refused helper is closed");
    error
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn end_ms(sample: &joulebar_core::sample::PowerSample) -> i64 {
    sample.end.0 / 1_000_000
}

#[tokio::test]
async fn samples_lie_where_the_helper_read_them() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    assert!(matches!(helper.hear().await, Request::Hello { proto: PROTOCOL, .. }));
    let Request::Start { id: 1, interval_ms, samplers } = helper.hear().await else { panic!("no start") };
    assert_eq!((interval_ms, samplers), (interval(1_000), Samplers::default()));

    helper.sample(origin, seconds(10.0), one_second("5"));
    helper.sample(origin, seconds(11.2), one_second("6"));
    let first = source.next_sample().await.unwrap().unwrap();
    assert_eq!((first.start, first.end), (MonotonicTime(9_000_000_000), MonotonicTime(10_000_000_000)));
    assert_eq!((first.power.cpu.unwrap().0, first.origin), (5.0, Origin::Powermetrics));
    let second = source.next_sample().await.unwrap().unwrap();
    assert_eq!(end_ms(&second), 11_000, "it came late and follows the first");

    let description = source.description();
    assert_eq!((description.name.as_str(), description.requested_interval_ms), ("helper", Some(1_000)));
    assert_eq!(description.samplers, ["cpu_power", "gpu_power", "thermal"]);
    assert_eq!(description.helper_version.as_deref(), Some("1.2.3"));
}

#[tokio::test]
async fn a_simulated_helper_marks_its_samples() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    helper.say(hello_ok(true));
    helper.say(started());
    let options = HelperOptions::every(interval(1_000));
    let mut source = HelperSource::start(scripted, &options, clock).await.unwrap();
    helper.sample(origin, seconds(1.0), one_second("5"));
    assert!(source.next_sample().await.unwrap().unwrap().is_simulated());
    assert_eq!(source.description().origin, Origin::Simulator);
}

#[tokio::test]
async fn refusals_say_what_the_caller_can_do() {
    let other =
        Reply::HelloOk { proto: 9, helper: "9".into(), build: "x".into(), powermetrics: true, simulated: false };
    assert!(matches!(refusal(vec![other]).await, PowerError::ProtocolMismatch { found: 9, needed: PROTOCOL }));
    let without = Reply::HelloOk {
        proto: PROTOCOL,
        helper: "1".into(),
        build: "x".into(),
        powermetrics: false,
        simulated: false,
    };
    assert!(matches!(refusal(vec![without]).await, PowerError::Unavailable { .. }));
    let denied = Reply::error(ErrorCode::Permission, None, "needs root");
    assert!(matches!(refusal(vec![denied]).await, PowerError::PermissionDenied { detail } if detail == "needs root"));
    let unavailable = Reply::error(ErrorCode::Unavailable, Some(1), "no powermetrics");
    assert!(matches!(refusal(vec![hello_ok(false), unavailable]).await, PowerError::Unavailable { .. }));
    assert!(matches!(refusal(vec![Reply::Pong { n: 1 }]).await, PowerError::Protocol { .. }));
    let gone = refusal(vec![]).await;
    assert!(matches!(&gone, PowerError::ChildExited { detail } if detail.contains("dyld")), "{gone}");
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_never_answers_is_given_up() {
    let (scripted, _helper) = pair();
    let options = HelperOptions::every(interval(1_000));
    let error = HelperSource::start(scripted, &options, Clock::start()).await.unwrap_err();
    assert!(matches!(error, PowerError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_bad_document_costs_itself_alone() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    helper.sample(origin, seconds(1.0), one_second("5"));
    helper.sample(origin, seconds(2.0), b"<plist><dict><key>half".to_vec());
    helper.sample(origin, seconds(3.5), one_second("nan"));
    source.next_sample().await.unwrap().unwrap();
    let error = source.next_sample().await.unwrap_err();
    assert!(matches!(error, PowerError::MalformedSample { index: 1, offset: 1_000, .. }), "{error}");
    let third = source.next_sample().await.unwrap().unwrap();
    assert_eq!((third.power.cpu, end_ms(&third)), (None, 3_500), "behind a hole the arrival counts");
    assert_eq!(source.notes().rejected, 1);
}

#[tokio::test]
async fn samples_lost_on_their_way_are_reported() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    helper.sample(origin, seconds(1.0), one_second("5"));
    helper.seq = 4;
    helper.sample(origin, seconds(5.1), one_second("6"));
    source.next_sample().await.unwrap().unwrap();
    let error = source.next_sample().await.unwrap_err();
    assert!(!error.is_fatal() && error.to_string().contains("3 samples"), "{error}");
    assert_eq!(end_ms(&source.next_sample().await.unwrap().unwrap()), 5_100);
}

#[tokio::test]
async fn a_sample_that_spans_a_sleep_is_dropped_and_reported() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    let of_length = |ns: &str| document_with(&integer("elapsed_ns", ns), &real("cpu_power", "1"), "");
    helper.sample(origin, seconds(3.0), of_length("3000000000"));
    helper.sample(origin, seconds(6.1), of_length("3000000001"));
    assert_eq!(source.next_sample().await.unwrap().unwrap().elapsed, seconds(3.0));
    let error = source.next_sample().await.unwrap_err();
    assert!(matches!(error, PowerError::MalformedSample { index: 1, .. }), "{error}");
}

#[tokio::test]
async fn after_a_restart_of_powermetrics_the_arrival_counts() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    helper.sample(origin, seconds(1.0), one_second("5"));
    helper.say(started());
    helper.sample(origin, seconds(2.2), one_second("5"));
    source.next_sample().await.unwrap().unwrap();
    assert_eq!(end_ms(&source.next_sample().await.unwrap().unwrap()), 2_200);
}

#[tokio::test]
async fn a_stamp_from_the_future_is_not_believed() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    helper.sample(origin, Duration::from_secs(1_000_000), one_second("5"));
    let sample = source.next_sample().await.unwrap().unwrap();
    assert!(sample.end <= clock.now());
}

#[tokio::test]
async fn marks_reach_the_helper_in_order_even_when_nobody_takes_samples() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    helper.hear().await;
    helper.hear().await;
    for document in 1..=200 {
        helper.sample(origin, Duration::from_secs(document), one_second("5"));
    }
    for (n, boundary) in (0..).zip([Boundary::RequestSent, Boundary::FirstToken, Boundary::LastToken]) {
        source.mark(boundary).await.unwrap();
        assert_eq!(helper.hear().await, Request::Mark { id: 1, n });
    }
    for document in 1..=200 {
        assert_eq!(end_ms(&source.next_sample().await.unwrap().unwrap()), document * 1_000);
    }
}

#[tokio::test]
async fn giving_up_waiting_loses_no_sample() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    let feeder = tokio::spawn(async move {
        for document in 1..=50 {
            helper.sample(origin, Duration::from_secs(document), one_second("5"));
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        helper
    });
    let mut ends = Vec::new();
    while ends.len() < 50 {
        if let Ok(sample) = timeout(Duration::from_micros(50), source.next_sample()).await {
            ends.push(end_ms(&sample.unwrap().unwrap()));
        }
    }
    assert_eq!(ends, (1..=50).map(|document| document * 1_000).collect::<Vec<_>>());
    drop(feeder.await.unwrap());
}

#[tokio::test]
async fn stop_waits_until_nothing_runs_any_more() {
    let (scripted, mut helper) = pair();
    let (clock, _) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    let closed = Arc::clone(&helper.is_closed);
    let answering = tokio::spawn(async move {
        while !matches!(helper.hear().await, Request::Stop { id: 1 }) {}
        assert!(!helper.is_closed.load(Ordering::SeqCst), "the helper is asked before it is closed");
        helper.say(Reply::Stopped { id: 1, reason: StopReason::Client });
        helper
    });
    source.stop().await;
    assert!(closed.load(Ordering::SeqCst));
    assert!(matches!(source.next_sample().await, Ok(None)));
    assert!(source.mark(Boundary::LastToken).await.is_err(), "a source that has ended takes no marks");
    drop(answering.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn stop_does_not_wait_for_ever() {
    let (scripted, helper) = pair();
    let mut source = connect(scripted, &helper, Clock::start()).await;
    source.stop().await;
    assert!(helper.is_closed.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_source_closes_the_helper() {
    let (scripted, helper) = pair();
    let source = connect(scripted, &helper, Clock::start()).await;
    drop(source);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(helper.is_closed.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn silence_beyond_the_interval_and_seven_seconds_is_stale() {
    let (scripted, mut helper) = pair();
    let (clock, origin) = clock();
    let mut source = connect(scripted, &helper, clock).await;
    helper.sample(origin, seconds(1.0), one_second("5"));
    source.next_sample().await.unwrap().unwrap();
    let silent_since = tokio::time::Instant::now();
    let error = source.next_sample().await.unwrap_err();
    assert!(matches!(error, PowerError::Stale { waited_s: 8.0 }) && error.is_fatal(), "{error}");
    assert!((silent_since.elapsed().as_secs_f64() - 8.0).abs() < 0.1);
    assert!(matches!(source.next_sample().await, Ok(None)), "the end comes once");
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_powermetrics_is_a_sign_of_life() {
    let (scripted, helper) = pair();
    let mut source = connect(scripted, &helper, Clock::start()).await;
    for _ in 0..3 {
        assert!(timeout(Duration::from_secs(6), source.next_sample()).await.is_err(), "not stale yet");
        helper.say(started());
    }
    assert!(matches!(source.next_sample().await, Err(PowerError::Stale { .. })));
}

#[tokio::test]
async fn a_failed_stream_ends_with_its_cause() {
    let (scripted, helper) = pair();
    let mut source = connect(scripted, &helper, Clock::start()).await;
    helper.say(Reply::error(ErrorCode::ChildExit, Some(1), "powermetrics ended with status 3"));
    helper.say(Reply::Stopped { id: 1, reason: StopReason::Failed });
    let error = source.next_sample().await.unwrap_err();
    assert!(matches!(&error, PowerError::ChildExited { detail } if detail.ends_with("status 3")), "{error}");
    assert!(matches!(source.next_sample().await, Ok(None)));
}

#[tokio::test]
async fn a_vanished_helper_is_a_fatal_error() {
    let (scripted, mut helper) = pair();
    let mut source = connect(scripted, &helper, Clock::start()).await;
    helper.replies = None;
    let error = source.next_sample().await.unwrap_err();
    assert!(matches!(&error, PowerError::ChildExited { detail } if detail.contains("dyld")), "{error}");
}

/// Frames as the helper writes them to its stdout.
fn frames(origin_ns: i64, documents: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = encode_reply(&hello_ok(false)).unwrap();
    bytes.extend(encode_reply(&started()).unwrap());
    for (seq, document) in (0..).zip(documents) {
        let len = u32::try_from(document.len()).unwrap();
        let mono_ns = origin_ns + 1_000_000_000 * (i64::try_from(seq).unwrap() + 1);
        bytes.extend(encode_reply(&Reply::Sample { id: 1, seq, mono_ns, offset: 0, dropped: 0, len }).unwrap());
        bytes.extend(encode_document_prefix(document.len()).unwrap());
        bytes.extend(document);
    }
    bytes
}

/// A child that says `bytes` and then `script`.
fn child(folder: &tempfile::TempDir, bytes: &[u8], script: &str) -> StdioTransport {
    let path = folder.path().join("frames");
    std::fs::write(&path, bytes).unwrap();
    let script = format!("cat '{}'; {script}", path.display());
    StdioTransport::spawn("/bin/sh".as_ref(), &["-c".into(), script.into()]).unwrap()
}

fn is_running(process_id: u32) -> bool {
    let process_id = libc::pid_t::try_from(process_id).unwrap();
    // SAFETY: signal 0 only asks whether the process exists.
    unsafe { libc::kill(process_id, 0) == 0 }
}

#[tokio::test]
async fn over_stdio_samples_come_and_the_child_ends_with_the_source() {
    let (clock, origin) = clock();
    let folder = tempfile::tempdir().unwrap();
    let transport = child(&folder, &frames(origin, &[one_second("5"), one_second("6")]), "cat > /dev/null");
    let process_id = transport.process_id().unwrap();
    let options = HelperOptions::every(interval(1_000));
    let mut source = HelperSource::start(transport, &options, clock).await.unwrap();
    for end in [1_000, 2_000] {
        assert_eq!(end_ms(&source.next_sample().await.unwrap().unwrap()), end);
    }
    assert!(is_running(process_id));
    source.stop().await;
    assert!(!is_running(process_id));
}

#[tokio::test]
async fn a_child_that_ignores_the_end_of_its_input_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let transport = child(&folder, &frames(0, &[]), "exec sleep 600");
    let process_id = transport.process_id().unwrap();
    let options = HelperOptions::every(interval(1_000));
    let mut source = HelperSource::start(transport, &options, Clock::start()).await.unwrap();
    source.stop().await;
    assert!(!is_running(process_id));
}

#[tokio::test]
async fn a_child_that_dies_leaves_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let options = HelperOptions::every(interval(1_000));
    let transport = child(&folder, b"", "echo 'cannot open the thing' >&2; sleep 0.2");
    let error = HelperSource::start(transport, &options, Clock::start()).await.unwrap_err();
    assert!(
        matches!(&error, PowerError::ChildExited { detail } if detail.contains("cannot open the thing")),
        "{error}"
    );

    let frames = frames(0, &[one_second("5")]);
    let transport = child(&folder, &frames[..frames.len() - 9], "true");
    let mut source = HelperSource::start(transport, &options, Clock::start()).await.unwrap();
    let error = source.next_sample().await.unwrap_err();
    assert!(matches!(error, PowerError::ChildExited { .. }), "{error}");
}

#[tokio::test]
async fn a_child_that_speaks_otherwise_breaks_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let options = HelperOptions::every(interval(1_000));
    let transport = child(&folder, b"\x05\0\0\0hello", "cat > /dev/null");
    let error = HelperSource::start(transport, &options, Clock::start()).await.unwrap_err();
    assert!(matches!(error, PowerError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_helper_is_named() {
    let options = HelperOptions::every(interval(1_000));
    let error = HelperSource::spawn("/no/such/helper".as_ref(), &options, Clock::start()).await.unwrap_err();
    assert!(matches!(&error, PowerError::Spawn { program, .. } if program == "/no/such/helper"), "{error}");
}
