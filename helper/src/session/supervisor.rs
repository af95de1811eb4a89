//! Keeps one powermetrics running as long as it is wanted: lease, restarts, back-off, stopping. Pure: time and what
//! happened to the child come in, what to do with it goes out. Knows nothing of clients.

use std::collections::VecDeque;
use std::time::Duration;

use joulebar_wire::{ErrorCode, Sampler, Samplers};

use super::{ChildId, ChildSignal, Exit};
use crate::program::Plan;

/// Between SIGTERM and SIGKILL.
pub const STOP_GRACE: Duration = Duration::from_millis(500);
/// Shortest time between two starts, unless powermetrics itself asks for a new one.
pub const RESTART_DEBOUNCE: Duration = Duration::from_secs(2);
/// Restarts after failures before giving up.
pub const MAX_RESTARTS: u32 = 5;
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// A child that worked for this long starts with a clean record when it fails.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// Time beyond the interval without any document after which the child is taken for stuck.
pub const STALE_AFTER: Duration = Duration::from_secs(5);
/// A child that lives this long, or has written a document, has accepted its arguments.
pub const SETTLED_AFTER: Duration = Duration::from_millis(250);
/// Before this, a child without a document may not be ready for signals.
pub const SIGNALS_AFTER: Duration = Duration::from_secs(1);

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Spawn {
        child: ChildId,
        plan: Plan,
    },
    Signal {
        child: ChildId,
        signal: ChildSignal,
    },
    /// Given up. Comes once; what is wanted then must change before another start is tried.
    Failed {
        code: ErrorCode,
        detail: String,
    },
}

#[derive(Debug)]
struct Running {
    child: ChildId,
    plan: Plan,
    since: Duration,
    last_document: Option<Duration>,
    documents: u64,
    stopping: Option<Stopping>,
}

#[derive(Debug)]
struct Stopping {
    kill_at: Duration,
    killed: bool,
    stale: bool,
}

#[derive(Debug, Default)]
pub struct Supervisor {
    wanted: Option<Plan>,
    running: Option<Running>,
    next_child: ChildId,
    /// No start before this.
    not_before: Duration,
    failures: u32,
    given_up: bool,
    unsupported: Vec<Sampler>,
    output: VecDeque<Output>,
}

impl Supervisor {
    /// Says what is wanted now; the same again changes nothing.
    pub fn want(&mut self, wanted: Option<Plan>, now: Duration) {
        if wanted.is_none() {
            self.failures = 0;
            self.given_up = false;
        }
        self.wanted = wanted;
        self.advance(now);
    }

    pub fn next_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// No process is left.
    pub fn is_idle(&self) -> bool {
        self.running.is_none()
    }

    /// The running child and what it was asked for, once it has accepted that.
    pub fn settled(&self, now: Duration) -> Option<(ChildId, &Plan)> {
        let running = self.running.as_ref().filter(|running| running.stopping.is_none())?;
        (running.documents > 0 || now >= running.since + SETTLED_AFTER).then_some((running.child, &running.plan))
    }

    /// Asks for a boundary sample; false when no child is ready for it.
    pub fn mark(&mut self, now: Duration) -> bool {
        let ready = self.running.as_ref().filter(|running| {
            running.stopping.is_none() && (running.documents > 0 || now >= running.since + SIGNALS_AFTER)
        });
        let Some(running) = ready else { return false };
        self.output.push_back(Output::Signal { child: running.child, signal: ChildSignal::Boundary });
        true
    }

    /// Whether `child` is the one that is wanted.
    pub fn serves(&self, child: ChildId) -> bool {
        self.running.as_ref().is_some_and(|running| running.child == child && running.stopping.is_none())
    }

    /// A whole document came; false if it is not from the child that is wanted.
    pub fn document(&mut self, child: ChildId, now: Duration) -> bool {
        match &mut self.running {
            Some(running) if running.child == child && running.stopping.is_none() => {
                running.last_document = Some(now);
                running.documents += 1;
                true
            }
            _ => false,
        }
    }

    /// The child writes a document beyond the limit.
    pub fn oversize(&mut self, child: ChildId, now: Duration) {
        if self.serves(child) {
            self.give_up(ErrorCode::Oversize, "powermetrics wrote a document beyond the limit".to_owned());
            self.stop(now, false);
        }
    }

    /// The child could not be started at all.
    pub fn spawn_failed(&mut self, child: ChildId, detail: &str) {
        if self.running.as_ref().is_some_and(|running| running.child == child) {
            self.running = None;
            self.give_up(ErrorCode::Unavailable, format!("powermetrics could not be started: {detail}"));
        }
    }

    /// The child has ended and was reaped.
    pub fn exited(&mut self, child: ChildId, exit: &Exit, now: Duration) {
        let Some(running) = self.running.take_if(|running| running.child == child) else { return };
        let lived = now.saturating_sub(running.since);
        let full_lease = running.documents >= running.plan.lease_samples()
            || u128::from(running.plan.lease_samples()) * running.plan.interval().as_nanos() <= lived.as_nanos();
        match &running.stopping {
            Some(Stopping { stale: false, .. }) => {}
            Some(Stopping { stale: true, .. }) => {
                let waited = running.plan.interval() + STALE_AFTER;
                self.fail(&running, now, format!("powermetrics wrote nothing for {} s", waited.as_secs()));
            }
            None if exit.success && full_lease => self.not_before = now,
            None => match Refusal::read(&exit.stderr) {
                Some(Refusal::NotRoot) => self.give_up(ErrorCode::Permission, exit.describe()),
                Some(Refusal::Sampler(sampler))
                    if running.documents == 0 && running.plan.samplers.contains(sampler) =>
                {
                    self.unsupported.push(sampler);
                    self.not_before = now;
                }
                _ => self.fail(&running, now, exit.describe()),
            },
        }
        self.advance(now);
    }

    /// Does what is due.
    pub fn advance(&mut self, now: Duration) {
        match &mut self.running {
            None => {
                if now >= self.not_before {
                    self.start(now);
                }
            }
            Some(Running { child, stopping: Some(stopping), .. }) => {
                if !stopping.killed && now >= stopping.kill_at {
                    stopping.killed = true;
                    self.output.push_back(Output::Signal { child: *child, signal: ChildSignal::Kill });
                }
            }
            Some(running) => {
                let is_stale = now >= stale_at(running);
                let plan_changed = self.wanted.is_some() && now >= running.since + RESTART_DEBOUNCE;
                let (wanted, current) = (self.supported_plan(), self.running.as_ref().map(|running| &running.plan));
                if self.wanted.is_none() || self.given_up || (plan_changed && wanted.as_ref() != current) {
                    self.stop(now, false);
                } else if is_stale {
                    self.stop(now, true);
                }
            }
        }
    }

    /// When there is something to do next, if nothing happens before; what was due until `served` is done.
    pub fn deadline(&self, served: Duration) -> Option<Duration> {
        match &self.running {
            None => (self.wanted.is_some() && !self.given_up).then_some(self.not_before),
            Some(Running { stopping: Some(stopping), .. }) => (!stopping.killed).then_some(stopping.kill_at),
            Some(running) => {
                let soon = [SETTLED_AFTER, SIGNALS_AFTER, RESTART_DEBOUNCE].map(|after| running.since + after);
                soon.into_iter().filter(|instant| *instant > served).chain([stale_at(running)]).min()
            }
        }
    }

    /// What is wanted without the samplers that this machine does not have.
    fn supported_plan(&self) -> Option<Plan> {
        let wanted = self.wanted.as_ref()?;
        let supported = wanted.samplers.iter().filter(|sampler| !self.unsupported.contains(sampler));
        Some(Plan { interval: wanted.interval, samplers: Samplers::new(supported.collect()).ok()? })
    }

    fn start(&mut self, now: Duration) {
        if self.wanted.is_none() || self.given_up {
            return;
        }
        let Some(plan) = self.supported_plan() else {
            return self.give_up(ErrorCode::Unsupported, "none of these samplers exists on this macOS".to_owned());
        };
        let child = self.next_child;
        self.next_child = ChildId(child.0 + 1);
        self.not_before = now + RESTART_DEBOUNCE;
        self.output.push_back(Output::Spawn { child, plan: plan.clone() });
        self.running = Some(Running { child, plan, since: now, last_document: None, documents: 0, stopping: None });
    }

    fn stop(&mut self, now: Duration, stale: bool) {
        if let Some(running) = self.running.as_mut().filter(|running| running.stopping.is_none()) {
            running.stopping = Some(Stopping { kill_at: now + STOP_GRACE, killed: false, stale });
            self.output.push_back(Output::Signal { child: running.child, signal: ChildSignal::Terminate });
        }
    }

    /// One more failure of a child that was wanted: waits twice as long as the last time, or gives up.
    fn fail(&mut self, running: &Running, now: Duration, detail: String) {
        if running.documents > 0 && now >= running.since + HEALTHY_AFTER {
            self.failures = 0;
        }
        if self.failures >= MAX_RESTARTS {
            return self.give_up(ErrorCode::ChildExit, detail);
        }
        let back_off = Duration::from_secs(1 << self.failures).min(LONGEST_BACK_OFF);
        self.failures += 1;
        self.not_before = now + back_off;
    }

    fn give_up(&mut self, code: ErrorCode, detail: String) {
        self.given_up = true;
        self.output.push_back(Output::Failed { code, detail });
    }
}

fn stale_at(running: &Running) -> Duration {
    running.last_document.unwrap_or(running.since) + running.plan.interval() + STALE_AFTER
}

/// Why powermetrics refused to run at all. It says so only in words.
enum Refusal {
    NotRoot,
    Sampler(Sampler),
}

impl Refusal {
    fn read(stderr: &[u8]) -> Option<Self> {
        String::from_utf8_lossy(stderr).lines().find_map(|line| {
            if line.contains("must be invoked as the superuser") {
                return Some(Self::NotRoot);
            }
            let (_, name) = line.split_once("unrecognized sampler: ")?;
            Sampler::from_name(name.trim()).map(Self::Sampler)
        })
    }
}
