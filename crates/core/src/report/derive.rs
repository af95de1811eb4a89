//! From a session's record to its report. Pure: the same record always gives the same report.

use std::time::Duration;

use super::energy::{energy_report, power_consumption};
use super::speed::inference_stats;
use super::{PromptReport, Report, SCHEMA_VERSION, Simulation, Stream, Summary, Timing, Tool};
use crate::clock::MonotonicTime;
use crate::environment::Supply;
use crate::lmstudio::models;
use crate::sample::{Origin, PowerSample, ThermalPressure};
use crate::sample_row::SampleRow;
use crate::session::record::{EndReason, Outcome, PromptRun, SessionRecord};
use crate::stats;
use crate::warning::{Warning, WarningEntry};

/// Samples around a prompt's phases that may take part in its pads.
const NEIGHBOURHOOD: Duration = Duration::from_secs(5);

/// Derives the report, sealed with its checksum.
#[must_use]
pub fn derive(record: &SessionRecord) -> Report {
    let prompts: Vec<PromptReport> = record.runs.iter().map(|run| prompt_report(record, run)).collect();
    let simulation = Simulation {
        power: record.header.power_source.origin == Origin::Simulator
            || record.samples.iter().any(PowerSample::is_simulated),
        server: record.header.server.simulated,
    };
    let lengths: Vec<f64> = record.samples.iter().map(|sample| sample.elapsed.as_secs_f64() * 1e3).collect();
    let achieved_interval_ms = stats::median(&lengths);
    let header = &record.header;
    let mut report = Report {
        benchmark_id: header.benchmark_id.clone(),
        model: header.model.key.clone(),
        summary: summary(&prompts, header.suite.prompts.len()),
        prompts,
        simulated: simulation.power || simulation.server,
        simulation,
        interrupted: record.end != EndReason::Completed,
        end_reason: record.end,
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "joulebar".into(), version: header.tool_version.clone() },
        settings: header.settings.clone(),
        suite: header.suite.clone(),
        environment: header.environment.clone(),
        server: header.server.clone(),
        model_details: header.model.clone(),
        power_source: header.power_source.clone(),
        achieved_interval_ms,
        rejected_documents: record.rejected_documents,
        warnings: session_warnings(record, achieved_interval_ms),
        segments: record.segments.clone(),
        samples: record.samples.iter().map(SampleRow::from).collect(),
        checksum: String::new(),
    };
    // a report is plain data; it always has a JSON form
    report.checksum = serde_json::to_value(&report).map(|value| super::checksum(&value)).unwrap_or_default();
    report
}

fn session_warnings(record: &SessionRecord, achieved_ms: Option<f64>) -> Vec<WarningEntry> {
    let mut warnings = Vec::new();
    if record.segments.len() > 1 {
        warnings.push(Warning::Resumed);
    }
    if record.header.environment.supply == Some(Supply::Battery) {
        warnings.push(Warning::OnBattery);
    }
    if record.rejected_documents > 0 {
        let reason = "they were damaged or not whole".to_owned();
        warnings.push(Warning::SamplesRejected { count: record.rejected_documents, reason });
    }
    if let (Some(asked_ms), Some(achieved_ms)) = (record.header.power_source.requested_interval_ms, achieved_ms)
        && achieved_ms > 1.5 * f64::from(asked_ms)
    {
        warnings.push(Warning::SlowSampling { asked_ms, achieved_ms });
    }
    warnings.iter().map(WarningEntry::from).collect()
}

/// Derives the figures of one prompt of a session that may still run.
#[must_use]
pub fn prompt_report(record: &SessionRecord, run: &PromptRun) -> PromptReport {
    let marks = run.marks;
    let samples = neighbourhood(&record.samples, marks.baseline_start, marks.cooldown_end);
    let seconds = |from: MonotonicTime, to: MonotonicTime| to.seconds_since(from);
    let inference_s = seconds(marks.request_sent, marks.last_token);
    let generation = run.outcome.generation();
    let batch = record.header.settings.counter_batch_s.map(Duration::from_secs_f64);
    // a broken generation has no energy per token: its tokens are not all there
    let measured = energy_report(samples, &marks, run.outcome.completed(), batch);
    let power = power_consumption(samples, &marks);
    let stats = inference_stats(generation, inference_s);
    let mut warnings = Vec::new();
    if let Outcome::Failed { message, .. } = &run.outcome {
        warnings.push(Warning::GenerationFailed { message: message.clone() });
    }
    for (phase, part) in [("baseline", &power.baseline), ("inference", &power.inference), ("cooldown", &power.cooldown)]
    {
        if part.sample_count == 0 {
            warnings.push(Warning::NoSamples { phase });
        }
    }
    if let Some(idle) = measured.idle {
        let baseline_s = seconds(marks.baseline_start, marks.request_sent);
        if idle.count < 20 || baseline_s < 9.5 {
            warnings.push(Warning::ShortBaseline { samples: idle.count, seconds: baseline_s });
        }
        if let Some(variation) = idle.variation().filter(|variation| *variation > 0.10) {
            warnings.push(Warning::UnstableBaseline { variation });
        }
        if let Some(inference) = power.inference.avg_mw.filter(|inference| idle.power.0 > 0.5 * inference) {
            warnings.push(Warning::HighBaseline { milliwatts: idle.power.0, inference });
        }
        let excess = cooled(samples, marks.cooldown_end).map(|end| end - idle.power.0);
        let allowed = (2.0 * idle.standard_deviation.unwrap_or_default().0).max(0.05 * idle.power.0);
        if let Some(excess) = excess.filter(|excess| *excess > allowed.max(50.0)) {
            warnings.push(Warning::CooldownTooShort { excess });
        }
    }
    if let Some(gap) = measured.gap {
        warnings.push(Warning::NoNetEnergy(gap));
    }
    if let Some(joules) = measured.report.net_energy_per_token_j.filter(|joules| !(0.02..=20.0).contains(joules)) {
        warnings.push(Warning::ImplausibleEnergy { joules });
    }
    if let Some(tokens) = stats.cached_prompt_tokens.filter(|tokens| *tokens > 0) {
        warnings.push(Warning::CachedPrompt { tokens });
    }
    if let Some((ours, reported)) = stats
        .tokens_per_second
        .zip(stats.reported.tokens_per_second)
        .filter(|(ours, reported)| *reported > 0.0 && (ours - reported).abs() > 0.05 * reported)
    {
        warnings.push(Warning::RateDisagrees { ours, reported });
    }
    if let Some(answered) =
        generation.and_then(|generation| models::answered_by_another(generation, &record.header.model))
    {
        warnings.push(Warning::OtherModelAnswered {
            asked: record.header.model.key.clone(),
            answered: answered.to_owned(),
        });
    }
    if let Some(level) = worst_pressure(samples) {
        warnings.push(Warning::ThermalPressure { level });
    }
    PromptReport {
        category: run.category,
        prompt: run.prompt.clone(),
        response: generation.map(|generation| generation.text.clone()).unwrap_or_default(),
        timing: Timing {
            baseline_duration_s: seconds(marks.baseline_start, marks.request_sent),
            inference_duration_s: inference_s,
            cooldown_duration_s: seconds(marks.last_token, marks.cooldown_end),
            prefill_duration_s: marks.first_token.map(|first| seconds(marks.request_sent, first)),
            decode_duration_s: marks.first_token.map(|first| seconds(first, marks.last_token)),
        },
        inference_stats: stats,
        power_consumption: power,
        id: run.id.clone(),
        repeat: run.repeat,
        nonce: run.nonce.clone(),
        max_tokens: run.max_tokens,
        reasoning: generation.map(|generation| generation.reasoning_text.clone()).unwrap_or_default(),
        error: match &run.outcome {
            Outcome::Completed { .. } => None,
            Outcome::Failed { message, .. } => Some(message.clone()),
        },
        energy: measured.report,
        warnings: warnings.iter().map(WarningEntry::from).collect(),
        marks,
        stream: generation.map(|generation| Stream {
            api: generation.api,
            answered_by: generation.answered_by.clone(),
            timeline: generation.timeline.clone(),
            tokens: generation.tokens,
            unavailable: generation.unavailable.clone(),
        }),
    }
}

/// Samples that may take part in the figures of a prompt, found by bisection: a long session has many.
fn neighbourhood(samples: &[PowerSample], from: MonotonicTime, to: MonotonicTime) -> &[PowerSample] {
    let first = samples.partition_point(|sample| sample.end < from - NEIGHBOURHOOD);
    let last = samples.partition_point(|sample| sample.start <= to + NEIGHBOURHOOD);
    samples.get(first..last).unwrap_or_default()
}

/// Mean power of the last two samples before `end`.
fn cooled(samples: &[PowerSample], end: MonotonicTime) -> Option<f64> {
    let until = samples.partition_point(|sample| sample.end <= end);
    let last: Vec<f64> =
        samples[..until].iter().rev().filter_map(PowerSample::soc_power).take(2).map(|p| p.0).collect();
    stats::mean(&last)
}

fn worst_pressure(samples: &[PowerSample]) -> Option<String> {
    samples
        .iter()
        .filter_map(|sample| sample.thermal_pressure.clone())
        .find(|level| *level != ThermalPressure::Nominal)
        .map(String::from)
}

fn summary(prompts: &[PromptReport], planned: usize) -> Summary {
    let average = |value: &dyn Fn(&PromptReport) -> Option<f64>| {
        stats::mean(&prompts.iter().filter_map(value).collect::<Vec<_>>())
    };
    let sum = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>());
    let with_net: Vec<(f64, u64)> = prompts
        .iter()
        .filter_map(|prompt| Some((prompt.energy.net_j?, prompt.inference_stats.completion_tokens?)))
        .filter(|(_, tokens)| *tokens > 0)
        .collect();
    let tokens: u64 = with_net.iter().map(|(_, tokens)| tokens).sum();
    let net_energy_j = sum(with_net.iter().map(|(net, _)| *net).collect());
    let net_energy_per_token_j = net_energy_j.map(|net| net / tokens as f64);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Summary {
        total_prompts: count(prompts.len()),
        avg_baseline_power_mw: average(&|prompt| prompt.power_consumption.baseline.avg_mw),
        avg_inference_power_mw: average(&|prompt| prompt.power_consumption.inference.avg_mw),
        avg_cooldown_power_mw: average(&|prompt| prompt.power_consumption.cooldown.avg_mw),
        avg_tokens_per_second: average(&|prompt| prompt.inference_stats.tokens_per_second),
        planned_prompts: count(planned),
        failed_prompts: count(prompts.iter().filter(|prompt| prompt.error.is_some()).count()),
        avg_time_to_first_token_ms: average(&|prompt| prompt.inference_stats.time_to_first_token_ms),
        prompts_with_net_energy: count(with_net.len()),
        net_energy_j,
        gross_energy_j: sum(prompts.iter().filter_map(|prompt| prompt.energy.gross_j).collect()),
        net_energy_per_token_j,
        tokens_per_wh: net_energy_per_token_j.filter(|joules| *joules > 0.0).map(|joules| 3_600.0 / joules),
    }
}
