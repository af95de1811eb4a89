//! Power of a simulated Mac as a function of time, exactly integrable.
//!
//! Each rail draws, at time `t`,
//!
//! ```text
//! P(t) = idle + noise(seed, t) + R(t) + T(t)
//! ```
//!
//! where `R` follows the load of the present state within some 80 ms and `T` is a small slow part that lingers
//! for seconds (see `response`). Between two changes of activity everything is a sum of constants and exponentials, so that
//! energies are closed forms, not quadratures. There is no clock in here: time comes in with every call, in raw monotonic
//! nanoseconds or in any virtual time.
//!
//! Several requests at once: the machine is in prefill while any of them is, else in decode while any is; its load is the
//! largest among the requests in that state and is divided equally among all that run.

mod noise;
mod parameters;
mod response;
mod truth;

use std::collections::BTreeMap;

pub use parameters::{Load, Noise, Parameters, ParametersError, Throttle};
pub use truth::{RailJoules, Truth};

pub(crate) use noise::{mix, unit};

use crate::activity::{Change, State};
use response::Response;

/// One consumer that powermetrics reports by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rail {
    /// All CPU clusters.
    Cpu,
    /// The GPU.
    Gpu,
    /// The neural engine.
    Ane,
}

impl Rail {
    /// All rails, in the order of the arrays in this module.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Gpu, Self::Ane];
}

/// Thermal pressure, by powermetrics' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Apple's")]
pub enum Pressure {
    Nominal,
    Moderate,
    Heavy,
}

/// Time that a window holds of each state, in seconds at full load, and its length.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Residency {
    /// Seconds in prefill, each weighted with its utilization.
    pub prefill_s: f64,
    /// Seconds in decode, each weighted with its utilization.
    pub decode_s: f64,
    /// The rest.
    pub idle_s: f64,
}

/// A stretch of constant load, from `start_ns` to the start of the next one.
#[derive(Clone, Debug)]
struct Segment {
    start_ns: i64,
    /// Machine-wide state and share of its full load.
    state: State,
    utilization: f64,
    throttled: bool,
    /// A break that will come if nothing changes before: made by the model, not by an activity.
    planned: bool,
    /// Requests that run.
    requests: usize,
    /// Start of the unbroken load that this segment belongs to.
    loaded_since_ns: Option<i64>,
    /// End of the last load that was throttled.
    throttle_ended_ns: Option<i64>,
    /// Load of each rail above idle, in watts.
    load_w: [f64; 3],
    /// Answer of each rail at the start.
    response: [Response; 3],
    /// Energy above idle and noise of each rail from the first segment to the start of this one, in joules.
    energy_before_j: [f64; 3],
}

/// A request's life as far as it is known.
#[derive(Clone, Debug)]
struct Request {
    id: String,
    sent_ns: i64,
    first_token_ns: Option<i64>,
    last_ns: Option<i64>,
}

/// The power of a Mac under the activity it has been told of. Before the first change it is idle, after the last one it
/// stays as it is.
#[derive(Clone, Debug)]
pub struct PowerModel {
    parameters: Parameters,
    seed: u64,
    changes: Vec<Change>,
    segments: Vec<Segment>,
    running: BTreeMap<String, (State, f64)>,
    requests: Vec<Request>,
}

impl PowerModel {
    /// An idle Mac.
    #[must_use]
    pub fn new(parameters: Parameters, seed: u64) -> Self {
        Self {
            parameters,
            seed,
            changes: Vec::new(),
            segments: Vec::new(),
            running: BTreeMap::new(),
            requests: Vec::new(),
        }
    }

    /// The parameters it was made with.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Tells of a change. Changes may come late and out of order; every later answer is then as if they had come in order.
    pub fn push(&mut self, change: Change) {
        if self.changes.last().is_none_or(|last| last.mono_ns <= change.mono_ns) {
            self.apply(&change);
            self.changes.push(change);
        } else {
            let position = self.changes.partition_point(|earlier| earlier.mono_ns <= change.mono_ns);
            self.changes.insert(position, change);
            self.segments.clear();
            self.running.clear();
            self.requests.clear();
            let changes = std::mem::take(&mut self.changes);
            for change in &changes {
                self.apply(change);
            }
            self.changes = changes;
        }
    }

    fn apply(&mut self, change: &Change) {
        let now_ns = change.mono_ns;
        match (&change.request, change.state) {
            (None, _) => {
                self.running.clear();
                for request in self.requests.iter_mut().filter(|request| request.last_ns.is_none()) {
                    request.last_ns = Some(now_ns);
                }
            }
            (Some(id), State::Idle) => {
                self.running.remove(id);
                if let Some(request) = self.open_request(id) {
                    request.last_ns = Some(now_ns);
                }
            }
            (Some(id), state) => {
                let utilization = change.utilization.unwrap_or(1.0).clamp(0.0, 1.0);
                self.running.insert(id.clone(), (state, utilization));
                if self.open_request(id).is_none() {
                    self.requests.push(Request {
                        id: id.clone(),
                        sent_ns: now_ns,
                        first_token_ns: None,
                        last_ns: None,
                    });
                }
                if let Some(request) = self.open_request(id).filter(|_| state == State::Decode) {
                    request.first_token_ns.get_or_insert(now_ns);
                }
            }
        }
        self.begin_segment(now_ns);
    }

    fn open_request(&mut self, id: &str) -> Option<&mut Request> {
        self.requests.iter_mut().rev().find(|request| request.id == id && request.last_ns.is_none())
    }

    /// Begins a segment at `now_ns` for what is running, and the break that throttling will make.
    fn begin_segment(&mut self, now_ns: i64) {
        while self.segments.last().is_some_and(|last| last.planned && last.start_ns >= now_ns) {
            self.segments.pop();
        }
        let state = [State::Prefill, State::Decode]
            .into_iter()
            .find(|state| self.running.values().any(|(running, _)| running == state))
            .unwrap_or(State::Idle);
        let utilization = self
            .running
            .values()
            .filter(|(running, _)| *running == state)
            .map(|(_, utilization)| *utilization)
            .fold(0.0, f64::max);
        let previous = self.segments.last();
        let loaded_since_ns =
            (state != State::Idle).then(|| previous.and_then(|previous| previous.loaded_since_ns).unwrap_or(now_ns));
        let was_throttled = previous.is_some_and(|previous| previous.throttled);
        let throttle_ended_ns = if was_throttled && state == State::Idle {
            Some(now_ns)
        } else {
            previous.and_then(|previous| previous.throttle_ended_ns)
        };
        let throttled = was_throttled && state != State::Idle;
        self.push_segment(now_ns, state, utilization, throttled, false, loaded_since_ns, throttle_ended_ns);
        if let (Some(throttle), Some(since_ns), false) = (self.parameters.throttle, loaded_since_ns, throttled) {
            let begins_ns = since_ns.saturating_add(nanoseconds(throttle.after_s)).max(now_ns);
            self.push_segment(begins_ns, state, utilization, true, true, loaded_since_ns, throttle_ended_ns);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of a segment, each by its name")]
    fn push_segment(
        &mut self,
        start_ns: i64,
        state: State,
        utilization: f64,
        throttled: bool,
        planned: bool,
        loaded_since_ns: Option<i64>,
        throttle_ended_ns: Option<i64>,
    ) {
        let factor = match self.parameters.throttle {
            Some(throttle) if throttled => throttle.load_factor,
            _ => 1.0,
        };
        let (loaded, idle) = (self.parameters.load(state), &self.parameters.idle);
        let load_w = Rail::ALL.map(|rail| (loaded.watts(rail) - idle.watts(rail)) * utilization * factor);
        let mut response = [Response::default(); 3];
        let mut energy_before_j = [0.0; 3];
        if let Some(previous) = self.segments.last() {
            for rail in 0..3 {
                let elapsed_s = seconds(start_ns - previous.start_ns);
                let (at_start, energy_j) =
                    previous.response[rail].advance(previous.load_w[rail], elapsed_s, &self.parameters);
                response[rail] = at_start;
                energy_before_j[rail] = previous.energy_before_j[rail] + energy_j;
            }
        }
        self.segments.push(Segment {
            start_ns,
            state,
            utilization,
            throttled,
            planned,
            requests: self.running.len(),
            loaded_since_ns,
            throttle_ended_ns,
            load_w,
            response,
            energy_before_j,
        });
    }

    /// The segment that holds `at_ns`; `None` before the first.
    fn segment_at(&self, at_ns: i64) -> Option<usize> {
        self.segments.partition_point(|segment| segment.start_ns <= at_ns).checked_sub(1)
    }

    /// Power of a rail at one instant, in watts.
    #[must_use]
    pub fn power_w(&self, rail: Rail, at_ns: i64) -> f64 {
        let above_idle_w = self.segment_at(at_ns).map_or(0.0, |index| {
            let segment = &self.segments[index];
            let elapsed_s = seconds(at_ns - segment.start_ns);
            segment.response[rail as usize]
                .advance(segment.load_w[rail as usize], elapsed_s, &self.parameters)
                .0
                .power_w()
        });
        self.parameters.idle.watts(rail) + noise::power_w(&self.parameters, self.seed, rail, at_ns) + above_idle_w
    }

    /// Energy of a rail in `[from_ns, to_ns]`, in joules; 0 when the window is empty. Exact up to rounding.
    #[must_use]
    pub fn energy(&self, rail: Rail, from_ns: i64, to_ns: i64) -> f64 {
        if to_ns <= from_ns {
            return 0.0;
        }
        self.unloaded_energy_j(rail, from_ns, to_ns) + self.load_energy_j(rail, from_ns, to_ns)
    }

    /// The part of [`Self::energy`] that would be there without any load: idle and its noise.
    pub(crate) fn unloaded_energy_j(&self, rail: Rail, from_ns: i64, to_ns: i64) -> f64 {
        self.parameters.idle.watts(rail) * seconds(to_ns - from_ns)
            + noise::energy_j(&self.parameters, self.seed, rail, from_ns, to_ns)
    }

    /// Energy of all rails together in `[from_ns, to_ns]`, in joules.
    #[must_use]
    pub fn combined_energy(&self, from_ns: i64, to_ns: i64) -> f64 {
        Rail::ALL.iter().map(|rail| self.energy(*rail, from_ns, to_ns)).sum()
    }

    /// The part of [`Self::energy`] that load caused, this request's or an earlier one's.
    pub(crate) fn load_energy_j(&self, rail: Rail, from_ns: i64, to_ns: i64) -> f64 {
        let rail = rail as usize;
        let Some(first) = self.segments.first() else { return 0.0 };
        let from_ns = from_ns.max(first.start_ns);
        let (Some(a), Some(b)) = (self.segment_at(from_ns), self.segment_at(to_ns)) else { return 0.0 };
        // from inside the segment of `from_ns` to a later instant of the same segment, without large sums that cancel
        let within = |index: usize, from_ns: i64, to_ns: i64| {
            let segment = &self.segments[index];
            let before_s = seconds(from_ns - segment.start_ns);
            let (at_from, _) = segment.response[rail].advance(segment.load_w[rail], before_s, &self.parameters);
            at_from.advance(segment.load_w[rail], seconds(to_ns - from_ns), &self.parameters).1
        };
        if a == b {
            return within(a, from_ns, to_ns);
        }
        within(a, from_ns, self.segments[a + 1].start_ns)
            + (self.segments[b].energy_before_j[rail] - self.segments[a + 1].energy_before_j[rail])
            + within(b, self.segments[b].start_ns, to_ns)
    }

    /// How long the machine was in which state within `[from_ns, to_ns]`.
    #[must_use]
    pub fn residency(&self, from_ns: i64, to_ns: i64) -> Residency {
        let mut residency = Residency { idle_s: seconds((to_ns - from_ns).max(0)), ..Residency::default() };
        let first = self.segment_at(from_ns).unwrap_or(0);
        for (index, segment) in self.segments.iter().enumerate().skip(first) {
            if segment.start_ns >= to_ns {
                break;
            }
            let end_ns = self.segments.get(index + 1).map_or(to_ns, |next| next.start_ns.min(to_ns));
            let loaded_s = seconds((end_ns - segment.start_ns.max(from_ns)).max(0)) * segment.utilization;
            match segment.state {
                State::Idle => continue,
                State::Prefill => residency.prefill_s += loaded_s,
                State::Decode => residency.decode_s += loaded_s,
            }
            residency.idle_s -= loaded_s;
        }
        residency.idle_s = residency.idle_s.max(0.0);
        residency
    }

    /// Thermal pressure at one instant.
    #[must_use]
    pub fn pressure(&self, at_ns: i64) -> Pressure {
        let (Some(throttle), Some(index)) = (self.parameters.throttle, self.segment_at(at_ns)) else {
            return Pressure::Nominal;
        };
        let segment = &self.segments[index];
        let passed = |since_ns: Option<i64>| since_ns.map(|since_ns| seconds(at_ns - since_ns));
        if segment.throttled {
            Pressure::Heavy
        } else if passed(segment.loaded_since_ns).is_some_and(|loaded_s| loaded_s >= throttle.after_s / 2.0)
            || passed(segment.throttle_ended_ns).is_some_and(|cooled_s| cooled_s < throttle.recover_s)
        {
            Pressure::Moderate
        } else {
            Pressure::Nominal
        }
    }
}

fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 * 1e-9
}

#[expect(clippy::cast_possible_truncation, reason = "saturating, and parameters are checked to be at most 1e6 s")]
fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}

#[cfg(test)]
mod tests;
