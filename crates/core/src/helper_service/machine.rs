//! What to do next to have the helper running as a service. Pure: outcomes and the time in, the next call out.
//!
//! What macOS answers to `register` decides nothing; its status does, read afterwards. "Enabled" is not taken for running
//! either: only a helper that answered is ready.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::{ServiceError, ServiceStatus};
use crate::clock::MonotonicTime;

/// How often a registration is tried again that macOS did not permit: the service may not have settled yet.
pub const REGISTER_RETRIES: u32 = 6;
/// How long before it is.
pub const REGISTER_PAUSE: Duration = Duration::from_millis(500);
/// How often an approval is looked for.
pub const APPROVAL_PAUSE: Duration = Duration::from_secs(2);
/// Pauses before a helper that did not answer is asked again. launchd starts a program once in 10 s: the last one is longer.
pub const HELLO_PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(11)];

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "HelperWish"))]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// To know how things stand. Registers nothing.
    Look,
    /// The helper, registered if need be.
    Enable,
    /// The helper, registered anew.
    Repair,
    /// No helper.
    Remove,
    /// To see the switch in System Settings.
    OpenSettings,
}

/// A call that the machine needs made. Each is answered by one [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`super::ServiceRegistry::status`].
    ReadStatus,
    /// [`super::ServiceRegistry::register`].
    Register,
    /// [`super::ServiceRegistry::unregister`].
    Unregister,
    /// [`super::ServiceRegistry::open_settings`].
    OpenSettings,
    /// Ask the helper who it is.
    Hello,
    /// End everything that the helper does for this program.
    StopHelper,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of [`Call::ReadStatus`].
    Status(ServiceStatus),
    /// Of [`Call::Register`].
    Registered(Result<(), ServiceError>),
    /// Of [`Call::Unregister`].
    Unregistered(Result<(), ServiceError>),
    /// Of [`Call::OpenSettings`].
    SettingsOpened,
    /// Of [`Call::Hello`].
    Hello(Hello),
    /// Of [`Call::StopHelper`].
    HelperStopped,
}

/// What came of a `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// The helper answered.
    Answered {
        /// Its version, `1.4.0`.
        version: String,
        /// Its protocol.
        protocol: u16,
        /// What it was built from, `unknown` where that was not written down.
        build: String,
    },
    /// Nobody answered.
    Silent {
        /// Why, as far as it is known.
        why: String,
    },
    /// Somebody has the helper's name who is not signed as it is.
    Stranger,
}

/// A build that does not say what it was built from. It is taken for the same.
const UNKNOWN_BUILD: &str = "unknown";

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make this call and report its outcome.
    Call(Call),
    /// Ask again at this instant.
    WaitUntil(MonotonicTime),
    /// Nothing until somebody wants something.
    Rest,
}

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known yet.
    Unknown,
    /// No helper is registered.
    Off,
    /// Something is being done.
    Working(Work),
    /// It waits for the switch in Login Items.
    NeedsApproval,
    /// The helper answers.
    Ready {
        /// Its version.
        version: String,
    },
    /// macOS says that the helper is enabled, but it does not answer.
    Silent {
        /// Why, as far as it is known.
        why: String,
    },
    /// Somebody else answers under the helper's name.
    Stranger,
    /// The app has to be moved first.
    WrongPlace(Place),
    /// The bundle lacks the service's file.
    IncompleteBundle,
    /// The service's file is in the bundle, but macOS does not find it: its own record of the app is broken.
    BrokenRecord {
        /// What the registration failed with, if it did.
        error: Option<ServiceError>,
    },
    /// The helper is newer than this program, and speaks in another way.
    HelperIsNewer {
        /// Its version.
        version: String,
    },
    /// An older helper still answers after it was replaced.
    StillOlder {
        /// Its version.
        version: String,
    },
    /// macOS refused.
    Failed {
        /// What it says.
        error: ServiceError,
    },
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The status is read.
    Looking,
    /// The service is registered.
    Registering,
    /// The helper is asked who it is.
    Greeting,
    /// An older helper makes place for this version's.
    Replacing,
    /// The service is removed.
    Removing,
}

/// What holds for the whole life of the program.
#[derive(Clone, Debug)]
pub struct Facts {
    /// This program's version, `1.4.0`.
    pub version: String,
    /// The protocol that it speaks.
    pub protocol: u16,
    /// What it was built from, `unknown` where that was not written down.
    pub build: String,
    /// Where its bundle lies.
    pub place: Place,
    /// Whether the bundle has the service's file.
    pub has_service_file: bool,
}

/// What follows a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    RegisterAgain,
    Off,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Rest,
    Pause { until: MonotonicTime, then: Box<Phase> },
    Look(Wish),
    LookForApproval,
    Register { tries: u32 },
    LookAfterRegister { tries: u32, error: Option<ServiceError> },
    OpenSettings,
    Hello { tries: usize },
    LookWhySilent { why: String },
    Stop(Then),
    Unregister(Then),
    LookAfterUnregister { then: Then, tries: u32, error: Option<ServiceError> },
}

/// Decides. One call is under way at a time.
#[derive(Clone, Debug)]
pub struct Machine {
    facts: Facts,
    phase: Phase,
    standing: Standing,
    /// An older helper was replaced since somebody last wanted something.
    replaced: bool,
}

impl Machine {
    /// A machine that knows nothing and wants to look.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self { facts, phase: Phase::Look(Wish::Look), standing: Standing::Unknown, replaced: false }
    }

    /// How things stand.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Takes a wish; between two calls only. What was waited for is given up.
    pub fn want(&mut self, wish: Wish) {
        self.replaced = false;
        self.phase = Phase::Look(wish);
    }

    /// What to do at `now`.
    #[must_use]
    pub fn next(&mut self, now: MonotonicTime) -> Step {
        if let Phase::Pause { until, then } = &self.phase {
            if now < *until {
                return Step::WaitUntil(*until);
            }
            self.phase = (**then).clone();
        }
        let (call, work) = match &self.phase {
            Phase::Rest | Phase::Pause { .. } => return Step::Rest,
            // what was known stands until something else is
            Phase::LookForApproval | Phase::LookWhySilent { .. } => return Step::Call(Call::ReadStatus),
            Phase::OpenSettings => return Step::Call(Call::OpenSettings),
            Phase::Look(_) => (Call::ReadStatus, Work::Looking),
            Phase::Register { .. } => (Call::Register, Work::Registering),
            Phase::LookAfterRegister { .. } => (Call::ReadStatus, Work::Registering),
            Phase::Hello { .. } => (Call::Hello, Work::Greeting),
            Phase::Stop(then) => (Call::StopHelper, Self::work_before(*then)),
            Phase::Unregister(then) => (Call::Unregister, Self::work_before(*then)),
            Phase::LookAfterUnregister { then, .. } => (Call::ReadStatus, Self::work_before(*then)),
        };
        self.standing = Standing::Working(work);
        Step::Call(call)
    }

    fn work_before(then: Then) -> Work {
        match then {
            Then::RegisterAgain => Work::Replacing,
            Then::Off => Work::Removing,
        }
    }

    /// Takes what the latest call came to. An outcome of another call changes nothing.
    pub fn take(&mut self, outcome: Outcome, now: MonotonicTime) {
        let phase = std::mem::replace(&mut self.phase, Phase::Rest);
        match (phase, outcome) {
            (Phase::Look(wish), Outcome::Status(status)) => self.looked(wish, status),
            (Phase::LookForApproval, Outcome::Status(status)) => self.looked_for_approval(status, now),
            (Phase::Register { tries }, Outcome::Registered(result)) => {
                self.phase = Phase::LookAfterRegister { tries, error: result.err() };
            }
            (Phase::LookAfterRegister { tries, error }, Outcome::Status(status)) => {
                self.looked_after_register(tries, error, status, now);
            }
            (Phase::OpenSettings, Outcome::SettingsOpened) => self.pause(now + APPROVAL_PAUSE, Phase::LookForApproval),
            (Phase::Hello { tries }, Outcome::Hello(hello)) => self.greeted(tries, hello, now),
            (Phase::LookWhySilent { why }, Outcome::Status(status)) => match status {
                ServiceStatus::Enabled => self.rest(Standing::Silent { why }),
                status => self.looked(Wish::Look, status),
            },
            (Phase::Stop(then), Outcome::HelperStopped) => self.phase = Phase::Unregister(then),
            (Phase::Unregister(then), Outcome::Unregistered(result)) => {
                self.phase = Phase::LookAfterUnregister { then, tries: 0, error: result.err() };
            }
            (Phase::LookAfterUnregister { then, tries, error }, Outcome::Status(status)) => {
                self.looked_after_unregister(then, tries, error, status, now);
            }
            (phase, _) => self.phase = phase,
        }
    }

    fn rest(&mut self, standing: Standing) {
        self.standing = standing;
        self.phase = Phase::Rest;
    }

    fn looked(&mut self, wish: Wish, status: ServiceStatus) {
        match (status, wish) {
            (ServiceStatus::RequiresApproval, Wish::Enable | Wish::Repair | Wish::OpenSettings) => {
                self.ask_for_approval()
            }
            (_, Wish::OpenSettings) => self.phase = Phase::OpenSettings,
            (ServiceStatus::Enabled, Wish::Look | Wish::Enable) => self.phase = Phase::Hello { tries: 0 },
            (ServiceStatus::Enabled, Wish::Repair) => self.replace(),
            (ServiceStatus::Enabled, Wish::Remove) => self.phase = Phase::Stop(Then::Off),
            (ServiceStatus::RequiresApproval, Wish::Look) => {
                self.standing = Standing::NeedsApproval;
                self.phase = Phase::LookForApproval;
            }
            // to unregister what is switched off may never come back, and it runs nothing
            (ServiceStatus::RequiresApproval, Wish::Remove) => self.rest(Standing::NeedsApproval),
            (ServiceStatus::NotRegistered | ServiceStatus::NotFound, Wish::Look | Wish::Remove) => {
                self.rest(Standing::Off);
            }
            (ServiceStatus::NotRegistered | ServiceStatus::NotFound, Wish::Enable | Wish::Repair) => {
                if self.may_register() {
                    self.phase = Phase::Register { tries: 0 };
                }
            }
            (ServiceStatus::Other(_), _) => self.unknown_status(status),
        }
    }

    fn unknown_status(&mut self, status: ServiceStatus) {
        let error = ServiceError::own(&format!("macOS gives the service a status that is not known here: {status:?}"));
        self.rest(Standing::Failed { error });
    }

    /// False, with the reason as the standing, where a registration can only go wrong.
    fn may_register(&mut self) -> bool {
        if !self.facts.place.can_register() {
            self.rest(Standing::WrongPlace(self.facts.place.clone()));
        } else if !self.facts.has_service_file {
            self.rest(Standing::IncompleteBundle);
        } else {
            return true;
        }
        false
    }

    fn looked_after_register(
        &mut self,
        tries: u32,
        error: Option<ServiceError>,
        status: ServiceStatus,
        now: MonotonicTime,
    ) {
        match status {
            ServiceStatus::Enabled => self.phase = Phase::Hello { tries: 0 },
            ServiceStatus::RequiresApproval => self.ask_for_approval(),
            ServiceStatus::Other(_) => self.unknown_status(status),
            ServiceStatus::NotRegistered | ServiceStatus::NotFound => {
                let may_settle = error.as_ref().is_none_or(|error| error.code == ServiceError::NOT_PERMITTED);
                if may_settle && tries < REGISTER_RETRIES {
                    self.pause(now + REGISTER_PAUSE, Phase::Register { tries: tries + 1 });
                    return;
                }
                let found_nothing = [ServiceError::JOB_NOT_FOUND, ServiceError::PLIST_NOT_FOUND];
                let is_lost = may_settle || error.as_ref().is_some_and(|error| found_nothing.contains(&error.code));
                self.rest(match (status, error) {
                    // the file is there: it was looked at before
                    (ServiceStatus::NotFound, error) if is_lost => Standing::BrokenRecord { error },
                    (_, Some(error)) => Standing::Failed { error },
                    (_, None) => Standing::Failed {
                        error: ServiceError::own("macOS took the registration and then did not have it"),
                    },
                });
            }
        }
    }

    fn ask_for_approval(&mut self) {
        self.standing = Standing::NeedsApproval;
        self.phase = Phase::OpenSettings;
    }

    fn wait_for_approval(&mut self, now: MonotonicTime) {
        self.standing = Standing::NeedsApproval;
        self.pause(now + APPROVAL_PAUSE, Phase::LookForApproval);
    }

    fn looked_for_approval(&mut self, status: ServiceStatus, now: MonotonicTime) {
        match status {
            ServiceStatus::RequiresApproval => self.wait_for_approval(now),
            status => self.looked(Wish::Look, status),
        }
    }

    fn greeted(&mut self, tries: usize, hello: Hello, now: MonotonicTime) {
        match hello {
            Hello::Answered { version, protocol, build } => {
                let older_protocol = protocol < self.facts.protocol;
                // built anew, as developers do: what launchd has started is not what lies in the app now
                let other_build = version == self.facts.version
                    && protocol == self.facts.protocol
                    && build != self.facts.build
                    && ![&build, &self.facts.build].iter().any(|build| *build == UNKNOWN_BUILD);
                if protocol > self.facts.protocol {
                    self.rest(Standing::HelperIsNewer { version });
                } else if !older_protocol && !other_build && !is_older(&version, &self.facts.version) {
                    self.rest(Standing::Ready { version });
                } else if self.replaced {
                    self.rest(Standing::StillOlder { version });
                } else {
                    self.replace();
                }
            }
            Hello::Silent { why } => match HELLO_PAUSES.get(tries) {
                Some(pause) => self.pause(now + *pause, Phase::Hello { tries: tries + 1 }),
                None => self.phase = Phase::LookWhySilent { why },
            },
            Hello::Stranger => self.rest(Standing::Stranger),
        }
    }

    /// Puts this version's helper in the place of the one that is registered.
    fn replace(&mut self) {
        if self.may_register() {
            self.replaced = true;
            self.phase = Phase::Stop(Then::RegisterAgain);
        }
    }

    fn looked_after_unregister(
        &mut self,
        then: Then,
        tries: u32,
        error: Option<ServiceError>,
        status: ServiceStatus,
        now: MonotonicTime,
    ) {
        match (status, then) {
            (ServiceStatus::Enabled, _) if tries < REGISTER_RETRIES => {
                let again = Phase::LookAfterUnregister { then, tries: tries + 1, error };
                self.pause(now + REGISTER_PAUSE, again);
            }
            (ServiceStatus::Enabled, Then::Off) => {
                let error = error.unwrap_or_else(|| ServiceError::own("macOS still has the service"));
                self.rest(Standing::Failed { error });
            }
            (ServiceStatus::Other(_), _) => self.unknown_status(status),
            (ServiceStatus::RequiresApproval, Then::Off) => self.rest(Standing::NeedsApproval),
            (_, Then::Off) => self.rest(Standing::Off),
            // what stays registered is told so by its own error, and then greeted
            (_, Then::RegisterAgain) => self.phase = Phase::Register { tries: 0 },
        }
    }

    fn pause(&mut self, until: MonotonicTime, then: Phase) {
        self.phase = Phase::Pause { until, then: Box::new(then) };
    }
}

/// Whether `version` comes before `own`, both like `1.4.0` or `1.4.0-beta.2`. One that can't be read comes before all.
fn is_older(version: &str, own: &str) -> bool {
    match (parse_version(version), parse_version(own)) {
        (Some(version), Some(own)) => version < own,
        (None, _) => true,
        (_, None) => false,
    }
}

/// Numbers, and whether it is a final version (a beta comes before it).
fn parse_version(text: &str) -> Option<([u64; 3], bool)> {
    let text = text.split('+').next().unwrap_or(text);
    let (numbers, is_final) = text.split_once('-').map_or((text, true), |(numbers, _)| (numbers, false));
    let mut parts = numbers.split('.').map(str::parse);
    let mut next = || parts.next().transpose().ok().map(Option::unwrap_or_default);
    let parsed = [next()?, next()?, next()?];
    Some((parsed, is_final))
}

#[cfg(test)]
mod version_tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, own) in [("0.9.0", "0.10.0"), ("1.2", "1.2.1"), ("1.0.0-beta.1", "1.0.0"), ("what", "0.0.1")] {
            assert!(is_older(version, own), "{version} {own}");
            assert!(!is_older(own, version), "{own} {version}");
        }
        for (version, own) in [("1.0.0", "1.0.0"), ("2.0.0", "1.9.9"), ("1.0.0+abc", "1.0.0"), ("1.10.0", "1.9.0")] {
            assert!(!is_older(version, own), "{version} {own}");
        }
    }
}
