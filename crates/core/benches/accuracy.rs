//! How far net energy is from the truth, by method: a table for docs/performance.md.
//!
//! The power is the simulator's model, which knows its own integral exactly; time is virtual. Each case runs many
//! requests at random phases of the sampling. What is compared is the model's own answer for the energy that the request
//! caused, its slow tail included.

#![expect(clippy::print_stdout, reason = "the table is the product")]

use std::time::Duration;

use joulebar_core::clock::MonotonicTime;
use joulebar_core::energy::{self, Window};
use joulebar_core::stats;
use joulebar_core::units::Milliwatts;
use joulebar_sim::activity::{Change, State};
use joulebar_sim::model::{Parameters, PowerModel};

const PHASES: u32 = 500;
const BASELINE_S: f64 = 10.0;
const COOLDOWN_S: f64 = 10.0;

/// What reads the counters.
#[derive(Clone, Copy)]
enum Sampling {
    /// A sample every so many milliseconds, 3 to 10 ms late as powermetrics is.
    Every(u32),
    /// The same at 250 ms, over counters that publish every 2.2 s.
    Batched,
}

/// Small deterministic generator; the study must give the same table every time.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((word ^ (word >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a study lasts minutes")]
fn ns(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

fn windows(model: &PowerModel, sampling: Sampling, end_s: f64, random: &mut Random) -> Vec<Window> {
    let (interval_s, batch_s) = match sampling {
        Sampling::Every(ms) => (f64::from(ms) * 1e-3, None),
        Sampling::Batched => (0.25, Some(2.2)),
    };
    let phase_s = random.unit() * batch_s.unwrap_or(0.0);
    let published = |at_s: f64| batch_s.map_or(at_s, |batch| ((at_s - phase_s) / batch).floor() * batch + phase_s);
    let mut found = Vec::new();
    let mut start_s = random.unit() * interval_s;
    while start_s < end_s {
        let stop_s = start_s + interval_s + 0.003 + 0.007 * random.unit();
        let energy_j = model.combined_energy(ns(published(start_s)), ns(published(stop_s)));
        let length = Duration::from_nanos(u64::try_from(ns(stop_s) - ns(start_s)).unwrap_or(1));
        // powermetrics reports whole millijoules
        let power = joulebar_core::units::Joules((energy_j * 1e3).round() * 1e-3).over(length);
        found.push(Window {
            start: MonotonicTime(ns(start_s)),
            end: MonotonicTime(ns(stop_s)),
            power: power.unwrap_or(Milliwatts(0.0)),
        });
        start_s = stop_s;
    }
    found
}

struct Errors {
    usual: Vec<f64>,
    clipped: Vec<f64>,
    padded: Vec<f64>,
    reported: u32,
}

fn study(duration_s: f64, sampling: Sampling) -> Errors {
    let mut errors = Errors { usual: vec![], clipped: vec![], padded: vec![], reported: 0 };
    let mut random = Random(0x4A6F_756C_6562_6172);
    for seed in 0..PHASES {
        let mut model = PowerModel::new(Parameters::default(), u64::from(seed));
        let sent_s = 1.0 + BASELINE_S + random.unit();
        let last_s = sent_s + duration_s;
        let request = Some("r".to_owned());
        for (at_s, state) in
            [(sent_s, State::Prefill), (sent_s + 0.15 * duration_s, State::Decode), (last_s, State::Idle)]
        {
            model.push(Change { mono_ns: ns(at_s), state, request: request.clone(), utilization: None });
        }
        let truth = model.truth("r").expect("the request is finished").net_j.combined;
        let raw = windows(&model, sampling, last_s + COOLDOWN_S, &mut random);
        let (sent, last) = (MonotonicTime(ns(sent_s)), MonotonicTime(ns(last_s)));
        let baseline = MonotonicTime(ns(sent_s - BASELINE_S));
        let inside: Vec<f64> = raw.iter().filter(|w| w.end > sent && w.end <= last).map(|w| w.power.0).collect();
        let interval = energy::sample_length(&raw, sent, last).expect("there are samples");
        // a working chip never draws 0 mW: such a sample waits for its batch
        let (merged, batch) = energy::unbatch(raw.into_iter().map(|w| (w, w.power.0 != 0.0)).collect());
        let sampling = energy::Sampling { interval, batch };
        let Some(idle) = energy::idle(&merged, baseline, sent) else { continue };
        let length = last.saturating_since(sent);
        let error = |net: f64| 100.0 * (net - truth) / truth;
        // the usual way: mean of the samples that end inside the run, times its length
        let usual = stats::mean(&inside).map_or(0.0, |mean| ((Milliwatts(mean) - idle.power) * length).0);
        errors.usual.push(error(usual));
        let clipped = energy::clipped(&merged, sent, last) - idle.power * length;
        errors.clipped.push(error(clipped.0));
        errors.padded.push(error(energy::integrate_padded(&merged, sent, last, idle.power, sampling).net.0));
        errors.reported += u32::from(energy::padded(&merged, sent, last, idle.power, sampling).is_ok());
    }
    errors
}

fn cell(values: &[f64]) -> String {
    match (stats::mean(values), stats::standard_deviation(values)) {
        (Some(mean), Some(deviation)) => format!("{mean:+.2} ± {deviation:.2} %"),
        _ => "—".into(),
    }
}

fn main() {
    println!("Net energy against the simulator's truth, error as mean ± s.d. over {PHASES} random phases.");
    println!("Idle 0.51 W with noise, prefill 34 W for 15 % of the time, decode 25 W, ramps of 80 ms, tail of 8 s.");
    println!();
    println!("| prompt | sampling | usual | clipped | padded | net energy reported |");
    println!("|---|---|---|---|---|---|");
    let mut worst: f64 = 0.0;
    for duration_s in [0.5, 2.0, 5.0, 20.0] {
        for sampling in [Sampling::Every(100), Sampling::Every(250), Sampling::Every(1_000), Sampling::Batched] {
            let errors = study(duration_s, sampling);
            let name = match sampling {
                Sampling::Every(ms) => format!("{ms} ms"),
                Sampling::Batched => "250 ms, batches of 2.2 s".into(),
            };
            if errors.reported > 0 {
                worst = worst.max(stats::mean(&errors.padded).unwrap_or(f64::INFINITY).abs());
            }
            println!(
                "| {duration_s} s | {name} | {} | {} | {} | {} % |",
                cell(&errors.usual),
                cell(&errors.clipped),
                cell(&errors.padded),
                errors.reported * 100 / PHASES
            );
        }
    }
    println!();
    println!("Largest bias of the padded method where a report gives it: {worst:.2} % (aim 1 %).");
}
