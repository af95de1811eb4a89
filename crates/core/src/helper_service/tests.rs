//! Every way through the machine, with a service that the test plays.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::driver::{Greeter, HelperService};
use super::machine::{
    APPROVAL_PAUSE, Call, Facts, HELLO_PAUSES, Hello, Machine, Outcome, REGISTER_PAUSE, REGISTER_RETRIES, Standing,
    Step, Wish,
};
use super::place::Place;
use super::{ServiceError, ServiceRegistry, ServiceStatus};
use crate::clock::{Clock, MonotonicTime};

use Call::{Hello as Greet, OpenSettings, ReadStatus, Register, StopHelper, Unregister};
use ServiceStatus::{Enabled, NotFound, NotRegistered, RequiresApproval};

fn facts() -> Facts {
    Facts {
        version: "1.2.0".to_owned(),
        protocol: 1,
        build: "a".to_owned(),
        place: Place::Applications,
        has_service_file: true,
    }
}

fn error(code: i64) -> ServiceError {
    ServiceError {
        domain: "SMAppServiceErrorDomain".to_owned(),
        code,
        description: "Operation not permitted".to_owned(),
        reason: None,
    }
}

fn answer(version: &str) -> Hello {
    Hello::Answered { version: version.to_owned(), protocol: 1, build: "unknown".to_owned() }
}

fn silent() -> Hello {
    Hello::Silent { why: "no answer within 5 s".to_owned() }
}

fn status(status: ServiceStatus) -> Outcome {
    Outcome::Status(status)
}

/// A machine, the time, and every call that it asked for.
struct Play {
    machine: Machine,
    now: MonotonicTime,
    waited: Vec<Duration>,
}

impl Play {
    fn new(facts: Facts) -> Self {
        Self { machine: Machine::new(facts), now: MonotonicTime(0), waited: Vec::new() }
    }

    fn wanting(wish: Wish) -> Self {
        let mut play = Self::new(facts());
        play.machine.want(wish);
        play
    }

    /// The next call, after waiting as long as the machine wants.
    fn next(&mut self) -> Option<Call> {
        loop {
            match self.machine.next(self.now) {
                Step::Call(call) => return Some(call),
                Step::WaitUntil(instant) => {
                    self.waited.push(instant.saturating_since(self.now));
                    self.now = instant;
                }
                Step::Rest => return None,
            }
        }
    }

    /// Expects these calls, each with its outcome.
    fn goes(mut self, script: impl IntoIterator<Item = (Call, Outcome)>) -> Self {
        for (position, (call, outcome)) in script.into_iter().enumerate() {
            assert_eq!(self.next(), Some(call), "call {position}");
            self.machine.take(outcome, self.now);
        }
        self
    }

    fn rests(mut self) -> Standing {
        assert_eq!(self.next(), None);
        self.machine.standing().clone()
    }
}

fn ready() -> Standing {
    Standing::Ready { version: "1.2.0".to_owned() }
}

#[test]
fn an_enabled_helper_that_answers_is_ready() {
    let play = Play::new(facts()).goes([(ReadStatus, status(Enabled)), (Greet, Outcome::Hello(answer("1.2.0")))]);
    assert_eq!(play.rests(), ready());
}

#[test]
fn looking_registers_nothing() {
    for nothing in [NotRegistered, NotFound] {
        assert_eq!(Play::new(facts()).goes([(ReadStatus, status(nothing))]).rests(), Standing::Off);
    }
}

#[test]
fn not_found_is_registered_like_not_registered() {
    for nothing in [NotRegistered, NotFound] {
        let play = Play::wanting(Wish::Enable).goes([
            (ReadStatus, status(nothing)),
            (Register, Outcome::Registered(Ok(()))),
            (ReadStatus, status(Enabled)),
            (Greet, Outcome::Hello(answer("1.2.0"))),
        ]);
        assert_eq!(play.rests(), ready());
    }
}

#[test]
fn approval_wins_over_whatever_register_says() {
    for result in [Ok(()), Err(error(1)), Err(error(2)), Err(error(11)), Err(error(12))] {
        let mut play = Play::wanting(Wish::Enable).goes([
            (ReadStatus, status(NotFound)),
            (Register, Outcome::Registered(result)),
            (ReadStatus, status(RequiresApproval)),
            (OpenSettings, Outcome::SettingsOpened),
        ]);
        assert_eq!(play.machine.standing(), &Standing::NeedsApproval);
        assert_eq!(play.next(), Some(ReadStatus));
        assert_eq!(play.waited, [APPROVAL_PAUSE]);
    }
}

#[test]
fn approval_is_looked_for_every_two_seconds_until_it_is_there() {
    assert_eq!(APPROVAL_PAUSE, Duration::from_secs(2));
    let mut script = vec![(ReadStatus, status(RequiresApproval)), (OpenSettings, Outcome::SettingsOpened)];
    script.extend((0..50).map(|_| (ReadStatus, status(RequiresApproval))));
    script.extend([(ReadStatus, status(Enabled)), (Greet, Outcome::Hello(answer("1.2.0")))]);
    let play = Play::wanting(Wish::Enable).goes(script);
    assert_eq!(play.waited, [APPROVAL_PAUSE; 51]);
    assert_eq!(play.rests(), ready());
}

#[test]
fn an_approval_that_is_pending_at_the_start_opens_no_settings() {
    let mut play = Play::new(facts()).goes([
        (ReadStatus, status(RequiresApproval)),
        (ReadStatus, status(RequiresApproval)),
        (ReadStatus, status(RequiresApproval)),
    ]);
    assert_eq!(play.machine.standing(), &Standing::NeedsApproval);
    assert_eq!(play.next(), Some(ReadStatus));
}

#[test]
fn a_registration_that_goes_away_while_it_waits_for_approval_is_off() {
    let play = Play::wanting(Wish::Enable).goes([
        (ReadStatus, status(RequiresApproval)),
        (OpenSettings, Outcome::SettingsOpened),
        (ReadStatus, status(NotRegistered)),
    ]);
    assert_eq!(play.rests(), Standing::Off);
}

#[test]
fn code_1_is_tried_again_six_times_half_a_second_apart() {
    let mut script = vec![(ReadStatus, status(NotRegistered))];
    for _ in 0..=REGISTER_RETRIES {
        script.extend([(Register, Outcome::Registered(Err(error(1)))), (ReadStatus, status(NotRegistered))]);
    }
    let play = Play::wanting(Wish::Enable).goes(script);
    assert_eq!(play.waited, [Duration::from_millis(500); 6]);
    assert_eq!(play.rests(), Standing::Failed { error: error(1) });
}

#[test]
fn a_retry_that_is_taken_goes_on() {
    let play = Play::wanting(Wish::Enable).goes([
        (ReadStatus, status(NotRegistered)),
        (Register, Outcome::Registered(Err(error(1)))),
        (ReadStatus, status(NotRegistered)),
        (Register, Outcome::Registered(Err(error(1)))),
        (ReadStatus, status(Enabled)),
        (Greet, Outcome::Hello(answer("1.2.0"))),
    ]);
    assert_eq!(play.waited, [REGISTER_PAUSE]);
    assert_eq!(play.rests(), ready());
}

#[test]
fn other_errors_are_shown_at_once() {
    for code in [2, 3, 4, 5, 7, 10, 11] {
        let play = Play::wanting(Wish::Enable).goes([
            (ReadStatus, status(NotRegistered)),
            (Register, Outcome::Registered(Err(error(code)))),
            (ReadStatus, status(NotRegistered)),
        ]);
        assert_eq!(play.rests(), Standing::Failed { error: error(code) });
    }
}

#[test]
fn a_file_that_is_there_and_not_found_is_a_broken_record() {
    let play = Play::wanting(Wish::Enable).goes([
        (ReadStatus, status(NotFound)),
        (Register, Outcome::Registered(Err(error(8)))),
        (ReadStatus, status(NotFound)),
    ]);
    assert_eq!(play.rests(), Standing::BrokenRecord { error: Some(error(8)) });
    for result in [Ok(()), Err(error(1))] {
        let mut script = vec![(ReadStatus, status(NotFound))];
        for _ in 0..=REGISTER_RETRIES {
            script.extend([(Register, Outcome::Registered(result.clone())), (ReadStatus, status(NotFound))]);
        }
        let standing = Play::wanting(Wish::Enable).goes(script).rests();
        assert_eq!(standing, Standing::BrokenRecord { error: result.err() });
    }
}

#[test]
fn a_bad_signature_is_no_broken_record() {
    let play = Play::wanting(Wish::Enable).goes([
        (ReadStatus, status(NotFound)),
        (Register, Outcome::Registered(Err(error(3)))),
        (ReadStatus, status(NotFound)),
    ]);
    assert_eq!(play.rests(), Standing::Failed { error: error(3) });
}

#[test]
fn an_app_in_the_wrong_place_registers_nothing() {
    for place in [Place::Translocated, Place::NoBundle, Place::Elsewhere("/Users/a/J.app".into())] {
        let mut play = Play::new(Facts { place: place.clone(), ..facts() });
        play.machine.want(Wish::Enable);
        let play = play.goes([(ReadStatus, status(NotRegistered))]);
        assert_eq!(play.rests(), Standing::WrongPlace(place));
    }
}

#[test]
fn an_app_in_the_wrong_place_uses_a_helper_that_is_there_but_replaces_none() {
    let moved = || Play::new(Facts { place: Place::Translocated, ..facts() });
    let play = moved().goes([(ReadStatus, status(Enabled)), (Greet, Outcome::Hello(answer("1.2.0")))]);
    assert_eq!(play.rests(), ready());
    let play = moved().goes([(ReadStatus, status(Enabled)), (Greet, Outcome::Hello(answer("1.1.0")))]);
    assert_eq!(play.rests(), Standing::WrongPlace(Place::Translocated));
}

#[test]
fn a_bundle_without_the_services_file_registers_nothing() {
    let mut play = Play::new(Facts { has_service_file: false, ..facts() });
    play.machine.want(Wish::Enable);
    assert_eq!(play.goes([(ReadStatus, status(NotFound))]).rests(), Standing::IncompleteBundle);
}

#[test]
fn threat_15_an_older_helper_is_stopped_unregistered_registered_and_greeted() {
    let play = Play::new(facts()).goes([
        (ReadStatus, status(Enabled)),
        (Greet, Outcome::Hello(answer("1.1.9"))),
        (StopHelper, Outcome::HelperStopped),
        (Unregister, Outcome::Unregistered(Ok(()))),
        (ReadStatus, status(NotRegistered)),
        (Register, Outcome::Registered(Err(error(1)))),
        (ReadStatus, status(NotRegistered)),
        (Register, Outcome::Registered(Ok(()))),
        (ReadStatus, status(Enabled)),
        (Greet, Outcome::Hello(answer("1.2.0"))),
    ]);
    assert_eq!(play.rests(), ready());
}

#[test]
fn threat_15_a_helper_of_an_older_protocol_is_replaced_whatever_its_version() {
    let mut play = Play::new(Facts { protocol: 2, ..facts() });
    play = play.goes([(ReadStatus, status(Enabled)), (Greet, Outcome::Hello(answer("1.2.0")))]);
    assert_eq!(play.next(), Some(StopHelper));
}

#[test]
fn threat_15_a_newer_helper_is_never_replaced() {
    for (version, protocol, standing) in [
        ("2.0.0", 1, Standing::Ready { version: "2.0.0".to_owned() }),
        ("2.0.0", 2, Standing::HelperIsNewer { version: "2.0.0".to_owned() }),
    ] {
        let hello = Hello::Answered { version: version.to_owned(), protocol, build: "b".to_owned() };
        let play = Play::new(facts()).goes([(ReadStatus, status(Enabled)), (Greet, Outcome::Hello(hello))]);
        assert_eq!(play.rests(), standing);
    }
}

#[test]
fn threat_15_an_older_helper_that_stays_is_replaced_once_and_not_for_ever() {
    let play = Play::new(facts()).goes([
        (ReadStatus, status(Enabled)),
        (Greet, Outcome::Hello(answer("1.0.0"))),
        (StopHelper, Outcome::HelperStopped),
        (Unregister, Outcome::Unregistered(Ok(()))),
        (ReadStatus, status(NotRegistered)),
        (Register, Outcome::Registered(Ok(()))),
        (ReadStatus, status(Enabled)),
        (Greet, Outcome::Hello(answer("1.0.0"))),
    ]);
    assert_eq!(play.rests(), Standing::StillOlder { version: "1.0.0".to_owned() });
}

#[test]
fn an_unregistration_that_does_not_settle_is_waited_for_and_then_registered_over() {
    let mut script = vec![
        (ReadStatus, status(Enabled)),
        (StopHelper, Outcome::HelperStopped),
        (Unregister, Outcome::Unregistered(Err(ServiceError::own("no completion within 10 s")))),
    ];
    script.extend((0..=REGISTER_RETRIES).map(|_| (ReadStatus, status(Enabled))));
    script.extend([
        (Register, Outcome::Registered(Err(error(12)))),
        (ReadStatus, status(Enabled)),
        (Greet, Outcome::Hello(answer("1.2.0"))),
    ]);
    let play = Play::wanting(Wish::Repair).goes(script);
    assert_eq!(play.waited, [REGISTER_PAUSE; 6]);
    assert_eq!(play.rests(), ready());
}

#[test]
fn enabled_does_not_mean_that_it_runs() {
    let mut script = vec![(ReadStatus, status(Enabled))];
    script.extend((0..=HELLO_PAUSES.len()).map(|_| (Greet, Outcome::Hello(silent()))));
    script.push((ReadStatus, status(Enabled)));
    let play = Play::new(facts()).goes(script);
    assert_eq!(play.waited, HELLO_PAUSES);
    assert!(play.waited.iter().any(|pause| *pause > Duration::from_secs(10)), "launchd's throttle is waited out");
    assert!(matches!(play.rests(), Standing::Silent { why } if why.contains("5 s")));
}

#[test]
fn a_helper_that_is_silent_because_it_was_switched_off_waits_for_approval() {
    let mut script = vec![(ReadStatus, status(Enabled))];
    script.extend((0..=HELLO_PAUSES.len()).map(|_| (Greet, Outcome::Hello(silent()))));
    script.push((ReadStatus, status(RequiresApproval)));
    let play = Play::new(facts()).goes(script);
    assert_eq!(play.machine.standing(), &Standing::NeedsApproval);
}

#[test]
fn a_stranger_under_the_helpers_name_is_not_asked_twice() {
    let play = Play::new(facts()).goes([(ReadStatus, status(Enabled)), (Greet, Outcome::Hello(Hello::Stranger))]);
    assert_eq!(play.rests(), Standing::Stranger);
}

#[test]
fn only_what_is_enabled_is_unregistered() {
    for (before, standing) in
        [(NotRegistered, Standing::Off), (NotFound, Standing::Off), (RequiresApproval, Standing::NeedsApproval)]
    {
        assert_eq!(Play::wanting(Wish::Remove).goes([(ReadStatus, status(before))]).rests(), standing);
    }
    let play = Play::wanting(Wish::Remove).goes([
        (ReadStatus, status(Enabled)),
        (StopHelper, Outcome::HelperStopped),
        (Unregister, Outcome::Unregistered(Ok(()))),
        (ReadStatus, status(NotRegistered)),
    ]);
    assert_eq!(play.rests(), Standing::Off);
}

#[test]
fn a_removal_that_macos_refuses_says_so() {
    let mut script = vec![
        (ReadStatus, status(Enabled)),
        (StopHelper, Outcome::HelperStopped),
        (Unregister, Outcome::Unregistered(Err(error(2)))),
    ];
    script.extend((0..=REGISTER_RETRIES).map(|_| (ReadStatus, status(Enabled))));
    let play = Play::wanting(Wish::Remove).goes(script);
    assert_eq!(play.rests(), Standing::Failed { error: error(2) });
}

#[test]
fn an_unknown_status_is_said_and_nothing_is_tried() {
    let standing = Play::wanting(Wish::Enable).goes([(ReadStatus, status(ServiceStatus::from(7)))]).rests();
    assert!(matches!(standing, Standing::Failed { error } if error.description.contains('7')));
}

#[test]
fn a_wish_ends_the_wait_for_approval() {
    let mut play =
        Play::new(facts()).goes([(ReadStatus, status(RequiresApproval)), (ReadStatus, status(RequiresApproval))]);
    assert!(matches!(play.machine.next(play.now), Step::WaitUntil(_)));
    play.machine.want(Wish::Look);
    assert_eq!(play.machine.next(play.now), Step::Call(ReadStatus));
}

#[test]
fn the_settings_can_be_opened_at_any_time_and_what_was_switched_there_is_looked_for() {
    for before in [Enabled, RequiresApproval, NotRegistered, NotFound] {
        let play = Play::wanting(Wish::OpenSettings).goes([
            (ReadStatus, status(before)),
            (OpenSettings, Outcome::SettingsOpened),
            (ReadStatus, status(Enabled)),
            (Greet, Outcome::Hello(answer("1.2.0"))),
        ]);
        assert_eq!(play.waited, [APPROVAL_PAUSE], "{before:?}");
        assert_eq!(play.rests(), ready());
    }
}

#[test]
fn an_outcome_that_was_not_asked_for_changes_nothing() {
    let mut play = Play::new(facts());
    assert_eq!(play.next(), Some(ReadStatus));
    play.machine.take(Outcome::HelperStopped, play.now);
    assert_eq!(play.next(), Some(ReadStatus));
}

/// A registry and a greeter that give what they were told to, and write down what they were asked.
#[derive(Clone, Default)]
struct Fake {
    statuses: Arc<Mutex<VecDeque<ServiceStatus>>>,
    hellos: Arc<Mutex<VecDeque<Hello>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Fake {
    fn note(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }
}

impl ServiceRegistry for Fake {
    fn status(&self) -> ServiceStatus {
        self.note(ReadStatus);
        self.statuses.lock().unwrap().pop_front().unwrap_or(Enabled)
    }

    fn register(&self) -> Result<(), ServiceError> {
        self.note(Register);
        Ok(())
    }

    fn unregister(&self) -> Result<(), ServiceError> {
        self.note(Unregister);
        Ok(())
    }

    fn open_settings(&self) {
        self.note(OpenSettings);
    }
}

impl Greeter for Fake {
    async fn hello(&self) -> Hello {
        self.note(Greet);
        self.hellos.lock().unwrap().pop_front().unwrap_or_else(|| answer("1.2.0"))
    }

    async fn stop(&self) {
        self.note(StopHelper);
    }
}

#[tokio::test]
async fn the_driver_makes_every_call_and_tells_how_things_stand() {
    let fake = Fake::default();
    fake.statuses.lock().unwrap().extend([NotFound, NotFound, Enabled, NotRegistered, Enabled]);
    fake.hellos.lock().unwrap().push_back(answer("1.0.0"));
    let service = HelperService::start(facts(), fake.clone(), fake.clone(), Clock::start());
    let mut changes = service.changes();
    changes.wait_for(|standing| *standing == Standing::Off).await.unwrap();
    service.want(Wish::Enable).await;
    changes.wait_for(|standing| *standing == ready()).await.unwrap();
    assert_eq!(service.standing(), ready());
    let calls = fake.calls.lock().unwrap().clone();
    let first = [ReadStatus, ReadStatus, Register, ReadStatus, Greet];
    let replaced = [StopHelper, Unregister, ReadStatus, Register, ReadStatus, Greet];
    assert_eq!(calls, [&first[..], &replaced[..]].concat());
}

#[test]
fn a_helper_of_the_same_version_but_another_build_is_replaced_once() {
    let built = |build: &str| {
        Outcome::Hello(Hello::Answered { version: "1.2.0".to_owned(), protocol: 1, build: build.to_owned() })
    };
    let ready = Standing::Ready { version: "1.2.0".to_owned() };
    for same in ["a", "unknown"] {
        assert_eq!(Play::new(facts()).goes([(ReadStatus, status(Enabled)), (Greet, built(same))]).rests(), ready);
    }
    let play = Play::new(facts()).goes([
        (ReadStatus, status(Enabled)),
        (Greet, built("b")),
        (StopHelper, Outcome::HelperStopped),
        (Unregister, Outcome::Unregistered(Ok(()))),
        (ReadStatus, status(NotRegistered)),
        (Register, Outcome::Registered(Ok(()))),
        (ReadStatus, status(Enabled)),
        (Greet, built("a")),
    ]);
    assert_eq!(play.rests(), ready);
}
