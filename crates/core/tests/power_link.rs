//! The conversation with the helper over a connection like XPC's, which the test plays.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod power_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use joulebar_core::clock::{Clock, MonotonicTime};
use joulebar_core::power::helper::{HelperOptions, HelperSource};
use joulebar_core::power::link::{Link, LinkEvent, LinkTransport};
use joulebar_core::power::{Boundary, PowerError, PowerSource};
use joulebar_wire::frame::parse_request;
use joulebar_wire::{IntervalMs, PROTOCOL, Reply, Request, Samplers};
use power_support::{document, real};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// The client's side of the connection.
struct FakeLink {
    requests: mpsc::UnboundedSender<Vec<u8>>,
    events: mpsc::UnboundedReceiver<LinkEvent>,
    is_cancelled: Arc<AtomicBool>,
}

impl Link for FakeLink {
    fn send(&mut self, json: &[u8]) {
        drop(self.requests.send(json.to_vec()));
    }

    async fn next(&mut self) -> LinkEvent {
        self.events.recv().await.unwrap_or(LinkEvent::Invalid)
    }

    fn cancel(&mut self) {
        self.is_cancelled.store(true, Ordering::SeqCst);
    }
}

/// The helper's side.
struct Helper {
    requests: mpsc::UnboundedReceiver<Vec<u8>>,
    events: mpsc::UnboundedSender<LinkEvent>,
    is_cancelled: Arc<AtomicBool>,
}

fn pair() -> (LinkTransport<FakeLink>, Helper) {
    let (request_sender, requests) = mpsc::unbounded_channel();
    let (event_sender, events) = mpsc::unbounded_channel();
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let link = FakeLink { requests: request_sender, events, is_cancelled: Arc::clone(&is_cancelled) };
    (LinkTransport::new(link), Helper { requests, events: event_sender, is_cancelled })
}

fn interval() -> IntervalMs {
    IntervalMs::new(1_000).unwrap()
}

impl Helper {
    fn is(&self, event: LinkEvent) {
        self.events.send(event).unwrap();
    }

    fn say(&self, reply: &Reply) {
        self.is(LinkEvent::Message { json: serde_json::to_vec(reply).unwrap(), document: None });
    }

    fn greet(&self) {
        let (helper, build) = ("1.2.3".to_owned(), "unknown".to_owned());
        self.say(&Reply::HelloOk { proto: PROTOCOL, helper, build, powermetrics: true, simulated: false });
        self.say(&Reply::Started { id: 1, interval_ms: interval(), samplers: Samplers::default() });
    }

    fn sample(&self, clock: Clock, seq: u64) {
        let document = document(&real("cpu_power", "5.0"));
        let mono_ns = clock.now().0 - clock.from_raw(0).0;
        let len = u32::try_from(document.len()).unwrap();
        let reply = Reply::Sample { id: 1, seq, mono_ns, offset: 0, dropped: 0, len };
        self.is(LinkEvent::Message { json: serde_json::to_vec(&reply).unwrap(), document: Some(document) });
    }

    async fn hear(&mut self) -> Request {
        let json = timeout(Duration::from_secs(60), self.requests.recv()).await.unwrap().unwrap();
        parse_request(&json).unwrap()
    }
}

fn clock() -> Clock {
    Clock::starting_at(MonotonicTime(3_600_000_000_000))
}

async fn connected(clock: Clock) -> (HelperSource, Helper) {
    let (transport, mut helper) = pair();
    helper.greet();
    let source = HelperSource::start(transport, &HelperOptions::every(interval()), clock).await.unwrap();
    assert!(matches!(helper.hear().await, Request::Hello { .. }));
    assert!(matches!(helper.hear().await, Request::Start { .. }));
    (source, helper)
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_helper_is_started_anew_and_the_gap_is_marked() {
    let clock = clock();
    let (mut source, mut helper) = connected(clock).await;
    helper.sample(clock, 0);
    helper.sample(clock, 1);
    assert!(source.next_sample().await.unwrap().is_some());
    assert!(source.next_sample().await.unwrap().is_some());
    let before = Instant::now();
    helper.is(LinkEvent::Interrupted);
    assert!(matches!(helper.hear().await, Request::Hello { .. }));
    assert!(before.elapsed() >= Duration::from_secs(1), "not without a pause");
    helper.greet();
    assert!(matches!(helper.hear().await, Request::Start { .. }));
    // another helper counts from the beginning
    helper.sample(clock, 0);
    let gap = source.next_sample().await.unwrap_err();
    assert!(matches!(gap, PowerError::Gap { .. }) && !gap.is_fatal(), "{gap}");
    assert_eq!(source.next_sample().await.unwrap().unwrap().power.cpu.unwrap().0, 5.0);
    source.stop().await;
    assert!(helper.is_cancelled.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_does_not_stay_up_is_given_up_after_a_bounded_time() {
    let (mut source, helper) = connected(clock()).await;
    let before = Instant::now();
    for _ in 0..6 {
        helper.is(LinkEvent::Interrupted);
    }
    let error = source.next_sample().await.unwrap_err();
    assert!(matches!(error, PowerError::Interrupted { .. }) && error.is_fatal(), "{error}");
    let took = before.elapsed();
    assert!(took >= Duration::from_secs(15) && took < Duration::from_secs(60), "{took:?}");
    assert!(helper.is_cancelled.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_gives_samples_between_its_ends_is_started_anew_for_ever() {
    let clock = clock();
    let (mut source, helper) = connected(clock).await;
    for _ in 0..20 {
        helper.is(LinkEvent::Interrupted);
        helper.greet();
        helper.sample(clock, 0);
        assert!(matches!(source.next_sample().await, Err(PowerError::Gap { .. })));
        assert!(source.next_sample().await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_a_helper_that_is_being_started_anew() {
    let (mut source, helper) = connected(clock()).await;
    helper.is(LinkEvent::Interrupted);
    tokio::task::yield_now().await;
    source.mark(Boundary::RequestSent).await.unwrap();
    let before = Instant::now();
    source.stop().await;
    assert!(before.elapsed() < Duration::from_secs(5));
    assert!(helper.is_cancelled.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_says_that_no_helper_is_registered() {
    let (transport, helper) = pair();
    helper.is(LinkEvent::Invalid);
    let error = HelperSource::start(transport, &HelperOptions::every(interval()), clock()).await.unwrap_err();
    assert!(matches!(error, PowerError::NotRegistered), "{error}");
    let (mut source, helper) = connected(clock()).await;
    helper.is(LinkEvent::Invalid);
    let error = source.next_sample().await.unwrap_err();
    assert!(matches!(error, PowerError::NotRegistered) && error.is_fatal(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_left_at_once() {
    let (mut source, helper) = connected(clock()).await;
    helper.is(LinkEvent::Stranger);
    assert!(matches!(source.next_sample().await, Err(PowerError::Stranger)));
    assert!(helper.is_cancelled.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_ends_while_it_is_greeted_is_greeted_again() {
    let (transport, helper) = pair();
    helper.is(LinkEvent::Interrupted);
    helper.greet();
    assert!(HelperSource::start(transport, &HelperOptions::every(interval()), clock()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_helper_of_another_kind_is_not_gone_on_with() {
    let (mut source, helper) = connected(clock()).await;
    helper.is(LinkEvent::Interrupted);
    let (name, build) = ("1.2.3".to_owned(), "unknown".to_owned());
    helper.say(&Reply::HelloOk { proto: PROTOCOL, helper: name, build, powermetrics: true, simulated: true });
    helper.say(&Reply::Started { id: 1, interval_ms: interval(), samplers: Samplers::default() });
    assert!(matches!(source.next_sample().await, Err(PowerError::Protocol { .. })));
}
