//! From a session's record to its report. Pure: the same record always gives the same report.

use std::time::Duration;

use super::energy::{Chip, energy_report, power_consumption};
use super::speed::inference_stats;
use super::{PromptReport, Report, SCHEMA_VERSION, Simulation, Stream, Summary, Timing, Tool};
use crate::clock::MonotonicTime;
use crate::environment::Supply;
use crate::lmstudio::models;
use crate::sample::{Origin, PowerSample, ThermalPressure};
use crate::sample_row::SampleRow;
use crate::session::record::{EndReason, Outcome, PhaseMarks, PromptRun, SessionRecord};
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
    if !record.header.settings.nonce {
        warnings.push(Warning::NonceOff);
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
    let samples = neighbourhood(record, &marks);
    let chip = Chip::of(&record.samples);
    let seconds = |from: MonotonicTime, to: MonotonicTime| to.seconds_since(from);
    let inference_s = seconds(marks.request_sent, marks.last_token);
    // an API without an end token in the limit may count one more; anything far above it is no count of this answer
    let limit = u64::from(run.max_tokens) + u64::from(run.max_tokens) / 10 + 2;
    let counted = run.outcome.generation().and_then(|generation| generation.tokens.output);
    let implausible = counted.filter(|tokens| *tokens > limit);
    let mut trusted = run.outcome.generation().cloned();
    if let (Some(generation), Some(_)) = (&mut trusted, implausible) {
        generation.tokens.output = None;
    }
    let generation = trusted.as_ref();
    let batch = record.header.settings.counter_batch_s.and_then(|batch| Duration::try_from_secs_f64(batch).ok());
    // neither a broken generation nor one that loaded the model has an energy per token
    let loaded_s = generation.and_then(|generation| generation.reported.model_load_s).filter(|load| *load > 0.0);
    let whole = generation.filter(|_| run.outcome.completed().is_some() && loaded_s.is_none());
    let measured = energy_report(samples, &marks, whole, chip, batch);
    let power = power_consumption(samples, &marks, chip);
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
    if let Some(seconds) = loaded_s {
        warnings.push(Warning::LoadedDuringRequest { seconds });
    }
    if let Some(gap) = measured.gap {
        warnings.push(Warning::NoNetEnergy(gap));
    }
    if let Some(joules) = measured.report.net_energy_per_token_j.filter(|joules| !(0.02..=20.0).contains(joules)) {
        warnings.push(Warning::ImplausibleEnergy { joules });
    }
    if let Some(tokens) = implausible {
        warnings.push(Warning::ImplausibleTokenCount { tokens, limit: run.max_tokens });
    } else if let Some(generation) = run.outcome.completed().filter(|generation| generation.tokens.output.is_none()) {
        let missing = generation.unavailable.iter().find(|missing| missing.field == "tokens.output");
        let reason = missing.map_or_else(|| "it does not say why".into(), |missing| missing.reason.clone());
        warnings.push(Warning::NoTokenCounts { reason });
    }
    if stats.clock == Some(super::StatsClock::Server) {
        warnings.push(Warning::ServerClock);
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
    if let Some((ours_ms, reported_ms)) = stats
        .time_to_first_token_ms
        .zip(stats.reported.ttft_ms)
        .filter(|(ours, reported)| (ours - reported).abs() > (0.05 * reported).max(10.0))
    {
        warnings.push(Warning::TtftDisagrees { ours_ms, reported_ms });
    }
    if let Some(answered) =
        generation.and_then(|generation| models::answered_by_another(generation, &record.header.model))
    {
        warnings.push(Warning::OtherModelAnswered {
            asked: record.header.model.key.clone(),
            answered: answered.to_owned(),
        });
    }
    if let Some(level) = worst_pressure(samples, &marks) {
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
        // as the server gave it, believed or not
        stream: run.outcome.generation().map(|generation| Stream {
            api: generation.api,
            answered_by: generation.answered_by.clone(),
            timeline: generation.timeline.clone(),
            tokens: generation.tokens,
            unavailable: generation.unavailable.clone(),
        }),
    }
}

/// Samples that may take part in the figures of a prompt: those around its phases that hold nothing of another request.
/// Found by bisection, for a long session has many.
fn neighbourhood<'a>(record: &'a SessionRecord, marks: &PhaseMarks) -> &'a [PowerSample] {
    let others = || record.runs.iter().map(|run| run.marks);
    let earliest = others().map(|other| other.last_token).filter(|end| *end <= marks.baseline_start).max();
    let latest = others().map(|other| other.request_sent).filter(|sent| *sent >= marks.cooldown_end).min();
    let from = earliest.unwrap_or(MonotonicTime(i64::MIN)).max(marks.baseline_start - NEIGHBOURHOOD);
    let to = latest.unwrap_or(MonotonicTime(i64::MAX)).min(marks.cooldown_end + NEIGHBOURHOOD);
    let first = record.samples.partition_point(|sample| sample.start < from);
    let last = record.samples.partition_point(|sample| sample.end <= to);
    record.samples.get(first..last).unwrap_or_default()
}

/// Mean power of the last two samples before `end`.
fn cooled(samples: &[PowerSample], end: MonotonicTime) -> Option<f64> {
    let until = samples.partition_point(|sample| sample.end <= end);
    let last: Vec<f64> =
        samples[..until].iter().rev().filter_map(PowerSample::soc_power).take(2).map(|p| p.0).collect();
    stats::mean(&last)
}

/// The worst pressure above nominal within the phases of a prompt; an unknown level counts as the worst.
fn worst_pressure(samples: &[PowerSample], marks: &PhaseMarks) -> Option<String> {
    let severity = |level: &ThermalPressure| match level {
        ThermalPressure::Nominal => 0,
        ThermalPressure::Moderate => 1,
        ThermalPressure::Heavy => 2,
        ThermalPressure::Trapping => 3,
        ThermalPressure::Sleeping => 4,
        ThermalPressure::Other(_) => 5,
    };
    samples
        .iter()
        .filter(|sample| sample.end > marks.baseline_start && sample.start < marks.cooldown_end)
        .filter_map(|sample| sample.thermal_pressure.clone())
        .max_by_key(severity)
        .filter(|level| *level != ThermalPressure::Nominal)
        .map(String::from)
}

fn summary(prompts: &[PromptReport], planned: usize) -> Summary {
    let whole: Vec<&PromptReport> = prompts.iter().filter(|prompt| prompt.error.is_none()).collect();
    let average = |value: &dyn Fn(&PromptReport) -> Option<f64>| {
        stats::mean(&whole.iter().filter_map(|prompt| value(prompt)).collect::<Vec<_>>())
    };
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    // completed == requested, else no aggregate: a suite that lacks its long prompts would look cheap
    let null_reason = (whole.len() < planned)
        .then(|| format!("{} of {planned} prompts have a whole answer; a total needs all of them", whole.len()));
    let sum = |value: &dyn Fn(&PromptReport) -> Option<f64>| {
        let values: Vec<f64> = whole.iter().filter_map(|prompt| value(prompt)).collect();
        (!values.is_empty() && null_reason.is_none()).then(|| values.iter().sum::<f64>())
    };
    let tokens = |prompt: &PromptReport| {
        prompt.energy.net_energy_per_token_j.and(prompt.inference_stats.completion_tokens).map(|tokens| tokens as f64)
    };
    let net_energy_per_token_j = sum(&|prompt| tokens(prompt).and(prompt.energy.net_j))
        .zip(sum(&tokens))
        .filter(|(_, tokens)| *tokens > 0.0)
        .map(|(net, tokens)| net / tokens);
    let null_reason = null_reason.clone().or_else(|| {
        let energies = whole.iter().filter(|prompt| prompt.energy.net_j.is_some()).count();
        let reason = if energies == 0 {
            "no prompt has a net energy; the warnings say why"
        } else {
            "no prompt has both a net energy and a count of its tokens"
        };
        net_energy_per_token_j.is_none().then(|| reason.to_owned())
    });
    Summary {
        total_prompts: count(prompts.len()),
        avg_baseline_power_mw: average(&|prompt| prompt.power_consumption.baseline.avg_mw),
        avg_inference_power_mw: average(&|prompt| prompt.power_consumption.inference.avg_mw),
        avg_cooldown_power_mw: average(&|prompt| prompt.power_consumption.cooldown.avg_mw),
        avg_tokens_per_second: average(&|prompt| prompt.inference_stats.tokens_per_second),
        planned_prompts: count(planned),
        failed_prompts: count(prompts.len() - whole.len()),
        avg_time_to_first_token_ms: average(&|prompt| prompt.inference_stats.time_to_first_token_ms),
        prompts_with_net_energy: count(whole.iter().filter(|prompt| prompt.energy.net_j.is_some()).count()),
        net_energy_j: sum(&|prompt| prompt.energy.net_j),
        gross_energy_j: sum(&|prompt| prompt.energy.gross_j),
        net_energy_per_token_j,
        tokens_per_wh: net_energy_per_token_j.filter(|joules| *joules > 0.0).map(|joules| 3_600.0 / joules),
        null_reason,
    }
}
