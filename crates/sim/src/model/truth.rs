//! What one request really cost, by the model's own arithmetic: what a measurement is compared with.

use serde::{Deserialize, Serialize};

use super::response::{Response, caused_energy_j};
use super::{PowerModel, Rail, Request, noise, seconds};

/// Energy of each rail in joules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RailJoules {
    /// All CPU clusters.
    pub cpu: f64,
    /// The GPU.
    pub gpu: f64,
    /// The neural engine.
    pub ane: f64,
    /// The sum of the three, what powermetrics calls combined.
    pub combined: f64,
}

impl RailJoules {
    fn from_rails(energy_j: impl Fn(Rail) -> f64) -> Self {
        let [cpu, gpu, ane] = Rail::ALL.map(energy_j);
        Self { cpu, gpu, ane, combined: cpu + gpu + ane }
    }
}

/// The true energy of one finished request. Instants are raw monotonic nanoseconds as the server wrote them: `sent` is the
/// start of its prefill (the server has the request), `first_token` the start of its decode, `last` its end.
///
/// For every rail, while nothing else runs (`shared` false):
/// `gross_j = idle_j + noise_j + carried_in_j + net_within_j` and `net_j = net_within_j + tail_j`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The request's name in the activity file.
    pub request: String,
    /// Start of its prefill.
    pub sent_ns: i64,
    /// Start of its decode; null if no token came.
    pub first_token_ns: Option<i64>,
    /// Its end.
    pub last_ns: i64,
    /// Other requests ran at the same time: load was divided equally, and `gross_j` holds theirs as well.
    pub shared: bool,
    /// Mean idle power of all rails together, in watts, without noise: the right answer for a baseline.
    pub idle_power_w: f64,
    /// All energy in `[sent, last]`.
    pub gross_j: RailJoules,
    /// Mean idle power times the length of `[sent, last]`.
    pub idle_j: RailJoules,
    /// The deviation of idle from its mean in `[sent, last]`.
    pub noise_j: RailJoules,
    /// What the load of other requests, mostly earlier ones, still or also drew in `[sent, last]`.
    pub carried_in_j: RailJoules,
    /// All energy that the request caused, from its start to the end of time: the right answer for net energy.
    pub net_j: RailJoules,
    /// The part of `net_j` that was drawn in `[sent, last]`.
    pub net_within_j: RailJoules,
    /// The part of `net_j` that was drawn after `last`.
    pub tail_j: RailJoules,
    /// All energy in `[sent, first_token]`; null without a token.
    pub prefill_gross_j: Option<RailJoules>,
    /// All energy in `[first_token, last]`; null without a token.
    pub decode_gross_j: Option<RailJoules>,
    /// What the request drew above idle in `[sent, first_token]`; null without a token.
    pub prefill_net_within_j: Option<RailJoules>,
    /// What the request drew above idle in `[first_token, last]`, the end of the prefill's ramp included; null without a token.
    pub decode_net_within_j: Option<RailJoules>,
    /// All energy that the prefill's load caused, whenever it was drawn; null without a token.
    pub prefill_caused_j: Option<RailJoules>,
    /// All energy that the decode's load caused, whenever it was drawn; null without a token.
    pub decode_caused_j: Option<RailJoules>,
}

impl PowerModel {
    /// The truth about the last request of that name; `None` while it is not finished or not known.
    #[must_use]
    pub fn truth(&self, request: &str) -> Option<Truth> {
        let request = self.requests.iter().rev().find(|known| known.id == request)?;
        self.truth_of(request, request.last_ns?)
    }

    /// The truth about every finished request, in the order in which they began.
    pub fn truths(&self) -> impl Iterator<Item = Truth> + '_ {
        self.requests.iter().filter_map(|request| self.truth_of(request, request.last_ns?))
    }

    /// Names and ends of the finished requests, in the order in which they began.
    pub fn finished(&self) -> impl Iterator<Item = (&str, i64)> + '_ {
        self.requests.iter().filter_map(|request| Some((request.id.as_str(), request.last_ns?)))
    }

    fn truth_of(&self, request: &Request, last_ns: i64) -> Option<Truth> {
        let (sent_ns, first_token_ns) = (request.sent_ns, request.first_token_ns);
        let first = self.segment_at(sent_ns)?;
        let shared = self
            .segments
            .iter()
            .skip(first)
            .take_while(|segment| segment.start_ns < last_ns)
            .any(|segment| segment.start_ns >= sent_ns && segment.requests > 1);
        let all = |from_ns, to_ns| RailJoules::from_rails(|rail| self.energy(rail, from_ns, to_ns));
        let own = |from_ns, to_ns| RailJoules::from_rails(|rail| self.own_energy(rail, sent_ns, from_ns, to_ns).0);
        let caused = |from_ns, to_ns| RailJoules::from_rails(|rail| self.own_energy(rail, sent_ns, from_ns, to_ns).1);
        let idle_j = RailJoules::from_rails(|rail| self.parameters.idle.watts(rail) * seconds(last_ns - sent_ns));
        let net_within_j = own(sent_ns, last_ns);
        let net_j = caused(sent_ns, last_ns);
        Some(Truth {
            request: request.id.clone(),
            sent_ns,
            first_token_ns,
            last_ns,
            shared,
            idle_power_w: Rail::ALL.iter().map(|rail| self.parameters.idle.watts(*rail)).sum(),
            gross_j: all(sent_ns, last_ns),
            idle_j,
            noise_j: RailJoules::from_rails(|rail| {
                noise::energy_j(&self.parameters, self.seed, rail, sent_ns, last_ns)
            }),
            carried_in_j: RailJoules::from_rails(|rail| {
                self.load_energy_j(rail, sent_ns, last_ns) - self.own_energy(rail, sent_ns, sent_ns, last_ns).0
            }),
            net_j,
            net_within_j,
            tail_j: RailJoules {
                cpu: net_j.cpu - net_within_j.cpu,
                gpu: net_j.gpu - net_within_j.gpu,
                ane: net_j.ane - net_within_j.ane,
                combined: net_j.combined - net_within_j.combined,
            },
            prefill_gross_j: first_token_ns.map(|token_ns| all(sent_ns, token_ns)),
            decode_gross_j: first_token_ns.map(|token_ns| all(token_ns, last_ns)),
            prefill_net_within_j: first_token_ns.map(|token_ns| own(sent_ns, token_ns)),
            decode_net_within_j: first_token_ns.map(|token_ns| own(token_ns, last_ns)),
            prefill_caused_j: first_token_ns.map(|token_ns| caused(sent_ns, token_ns)),
            decode_caused_j: first_token_ns.map(|token_ns| caused(token_ns, last_ns)),
        })
    }

    /// Of a request that began at `sent_ns` and still ran at `to_ns`, on one rail, in joules: what its load drew within
    /// `[from_ns, to_ns]`, and what the load within `[from_ns, to_ns]` causes until the end of time.
    fn own_energy(&self, rail: Rail, sent_ns: i64, from_ns: i64, to_ns: i64) -> (f64, f64) {
        let mut response = Response::default();
        let (mut drawn_j, mut caused_j) = (0.0, 0.0);
        let first = self.segment_at(sent_ns).unwrap_or(0);
        for (index, segment) in self.segments.iter().enumerate().skip(first) {
            let end_ns = self.segments.get(index + 1).map_or(to_ns, |next| next.start_ns.min(to_ns));
            let load_w = segment.load_w[rail as usize] / segment.requests.max(1) as f64;
            // cut at `from_ns`, so that each piece lies on one side of it
            for (start_ns, end_ns) in [
                (segment.start_ns.max(sent_ns), end_ns.min(from_ns)),
                (segment.start_ns.max(sent_ns).max(from_ns), end_ns),
            ] {
                if end_ns <= start_ns {
                    continue;
                }
                let elapsed_s = seconds(end_ns - start_ns);
                let (next, energy_j) = response.advance(load_w, elapsed_s, &self.parameters);
                response = next;
                if start_ns >= from_ns {
                    drawn_j += energy_j;
                    caused_j += caused_energy_j(load_w, elapsed_s, &self.parameters);
                }
            }
            if end_ns >= to_ns {
                break;
            }
        }
        (drawn_j, caused_j)
    }
}
