//! Records that unit tests build on: a rectangle of power under a scripted answer.

use std::time::Duration;

use crate::clock::MonotonicTime;
use crate::environment::Environment;
use crate::lmstudio::{
    Api, Delta, DeltaKind, Engine, Generation, Model, ReportedStats, StopReason, Timeline, TokenCounts,
};
use crate::power::SourceDescription;
use crate::sample::{Origin, PowerSample, Rails, ThermalPressure};
use crate::session::record::{
    EndReason, Header, Outcome, PhaseMarks, PromptRun, Segment, Server, SessionRecord, Settings,
};
use crate::suite::{self, Suite};
use crate::units::{Joules, Milliwatts};

const SEED: u64 = 7;

/// Idle power of the rectangle, milliwatts.
pub(crate) const IDLE_MW: f64 = 600.0;
/// Power above idle during inference, milliwatts.
pub(crate) const LOAD_MW: f64 = 20_000.0;
/// Generated tokens of every answer.
pub(crate) const TOKENS: u64 = 101;

pub(crate) fn at(seconds: f64) -> MonotonicTime {
    #[expect(clippy::cast_possible_truncation, reason = "test instants are small")]
    MonotonicTime((seconds * 1e9).round() as i64)
}

/// `prompts` prompts of 10 s baseline, 1 s prefill, 5 s decode and 10 s cooldown each; samples of 0.25 s.
pub(crate) fn record_with(prompts: u8) -> SessionRecord {
    let mut suite = Suite::builtin();
    for prompt in &mut suite.prompts {
        prompt.max_tokens = 128;
    }
    let starts: Vec<f64> = (0..prompts).map(|index| 1.0 + 26.0 * f64::from(index)).collect();
    let end = 1.0 + 26.0 * f64::from(prompts) + 1.0;
    let mut samples = Vec::new();
    let mut time = 0.1;
    while time < end {
        let overlap: f64 =
            starts.iter().map(|start| ((time + 0.25).min(start + 16.0) - time.max(start + 10.0)).max(0.0)).sum();
        samples.push(sample(time, IDLE_MW + LOAD_MW * overlap / 0.25));
        time += 0.25;
    }
    let runs = starts.iter().zip(&suite.prompts).map(|(start, prompt)| PromptRun {
        id: prompt.id.clone(),
        category: prompt.category,
        repeat: 1,
        prompt: prompt.prompt.clone(),
        nonce: Some(suite::nonce(SEED, &prompt.id, 1, 1)),
        max_tokens: prompt.max_tokens,
        marks: PhaseMarks {
            baseline_start: at(*start),
            request_sent: at(start + 10.0),
            first_token: Some(at(start + 11.0)),
            last_token: at(start + 16.0),
            cooldown_end: at(start + 26.0),
        },
        outcome: Outcome::Completed { generation: Box::new(generation(*start)) },
    });
    SessionRecord {
        runs: runs.collect(),
        header: header(suite.clone()),
        segments: vec![Segment { origin: at(0.0), started_at: "2026-01-02T03:04:05Z".into() }],
        samples,
        rejected_documents: 0,
        end: if usize::from(prompts) == suite.prompts.len() { EndReason::Completed } else { EndReason::Interrupted },
    }
}

fn sample(start: f64, power_mw: f64) -> PowerSample {
    let (start, end) = (at(start), at(start + 0.25));
    PowerSample {
        start,
        end,
        elapsed: end.saturating_since(start),
        power: Rails {
            cpu: Some(Milliwatts(200.0)),
            gpu: Some(Milliwatts(power_mw - 200.0)),
            ane: Some(Milliwatts(0.0)),
            combined: Some(Milliwatts(power_mw)),
            ..Rails::default()
        },
        energy: Rails { gpu: Some(Joules((power_mw - 200.0) * 0.25e-3)), ..Rails::default() },
        gpu_frequency: None,
        gpu_active: None,
        thermal_pressure: Some(ThermalPressure::Nominal),
        hw_model: Some("Mac16,8".into()),
        timestamp_unix_s: None,
        origin: Origin::Powermetrics,
    }
}

fn generation(start: f64) -> Generation {
    let delta =
        |index: u8| Delta { at: at(start + 11.0 + f64::from(index) * 0.05), kind: DeltaKind::Message, bytes: 4 };
    Generation {
        api: Api::LmstudioV1,
        answered_by: Some("qwen3-4b".into()),
        timeline: Timeline {
            sent: at(start + 10.0),
            headers: Some(at(start + 10.01)),
            deltas: (0..100).map(delta).collect(),
            finish: Some(at(start + 16.0)),
            end: at(start + 16.001),
            ..Timeline::default()
        },
        tokens: TokenCounts { prompt: Some(20), prompt_cached: None, output: Some(TOKENS), reasoning: Some(0) },
        reported: ReportedStats { tokens_per_second: Some(20.0), ..ReportedStats::default() },
        stop_reason: Some(StopReason::EndOfSequence),
        text: "two ".repeat(100),
        reasoning_text: String::new(),
        unavailable: Vec::new(),
    }
}

fn header(suite: Suite) -> Header {
    Header {
        benchmark_id: "2026-01-02T03:04:05Z".into(),
        tool_version: "0.1.0".into(),
        model: Model { key: "qwen3-4b".into(), generates_text: true, ..Model::default() },
        server: Server {
            url: "http://127.0.0.1:1234".into(),
            api: Api::LmstudioV1,
            lm_studio: true,
            app_version: None,
            engine: Engine::default(),
            simulated: false,
            model_load_s: None,
        },
        settings: Settings {
            baseline_s: 10.0,
            cooldown_s: 10.0,
            quick: false,
            nonce: true,
            seed: SEED,
            temperature: 0.0,
            counter_batch_s: None,
        },
        suite,
        environment: Environment::default(),
        power_source: SourceDescription {
            name: "helper".into(),
            origin: Origin::Powermetrics,
            requested_interval_ms: Some(250),
            samplers: vec!["cpu_power".into()],
            helper_version: None,
            way: None,
            passed_over: Vec::new(),
        },
    }
}

/// Length of the inference in [`record_with`].
pub(crate) const INFERENCE: Duration = Duration::from_secs(6);

/// A sample between two instants, with this power of the chip; `None` has no power at all.
pub(crate) fn sample_at(start: MonotonicTime, end: MonotonicTime, power_mw: Option<f64>) -> PowerSample {
    let power = match power_mw {
        Some(mw) => Rails {
            cpu: Some(Milliwatts(0.0)),
            gpu: Some(Milliwatts(mw)),
            ane: Some(Milliwatts(0.0)),
            combined: Some(Milliwatts(mw)),
            ..Rails::default()
        },
        None => Rails::default(),
    };
    PowerSample {
        start,
        end,
        elapsed: end.saturating_since(start),
        power,
        energy: Rails::default(),
        ..sample(0.0, 0.0)
    }
}
