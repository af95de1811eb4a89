//! Power of each phase and energy of one prompt, from samples and marks.

use std::time::Duration;

use super::{EnergyReport, Method, PhasePower, PowerConsumption, RailPowers, Scope, SplitBoundary, SplitReport};
use crate::clock::MonotonicTime;
use crate::energy::{self, EnergyGap, Sampling, Window};
use crate::lmstudio::{Generation, rates};
use crate::sample::{PowerSample, Rails};
use crate::session::record::PhaseMarks;
use crate::stats;
use crate::units::{Joules, Milliwatts};

/// What the energy of a prompt was computed from and with.
pub(super) struct Measured {
    pub(super) report: EnergyReport,
    pub(super) idle: Option<energy::Idle>,
    pub(super) gap: Option<EnergyGap>,
}

/// Rails that the source of a session reports. A sample that lacks one of them, because its value was rejected, has no
/// power of the whole chip: the rest would pass for the sum.
#[derive(Clone, Copy)]
pub(super) struct Chip {
    cpu: bool,
    gpu: bool,
    ane: bool,
    combined: bool,
}

impl Chip {
    pub(super) fn of(samples: &[PowerSample]) -> Self {
        let any = |power: fn(&Rails<Milliwatts>) -> Option<Milliwatts>| {
            samples.iter().any(|sample| power(&sample.power).is_some())
        };
        Self {
            cpu: any(|rails| rails.cpu),
            gpu: any(|rails| rails.gpu),
            ane: any(|rails| rails.ane),
            combined: any(|rails| rails.combined),
        }
    }

    fn power(self, sample: &PowerSample) -> Option<Milliwatts> {
        let rails = sample.power;
        let lacks =
            (self.cpu && rails.cpu.is_none()) || (self.gpu && rails.gpu.is_none()) || (self.ane && rails.ane.is_none());
        if rails.combined.is_none() && lacks { None } else { sample.soc_power() }
    }

    /// Whether the rails that macOS 27 publishes in batches hold a value in this sample. A working CPU never draws 0 mW.
    fn published(self, sample: &PowerSample) -> bool {
        let batched = if self.cpu { sample.power.cpu } else { sample.power.combined };
        batched.is_none_or(|power| power.0 != 0.0)
    }

    fn names(self) -> Vec<String> {
        let rails = [("cpu", self.cpu), ("gpu", self.gpu), ("ane", self.ane)];
        let known: Vec<String> = rails.iter().filter(|(_, known)| *known).map(|(name, _)| (*name).into()).collect();
        if known.is_empty() && self.combined { vec!["package".into()] } else { known }
    }
}

pub(super) fn power_consumption(samples: &[PowerSample], marks: &PhaseMarks, chip: Chip) -> PowerConsumption {
    let phase = |from, to| phase_power(samples, chip, from, to);
    let first = marks.first_token;
    PowerConsumption {
        baseline: phase(marks.baseline_start, marks.request_sent),
        inference: phase(marks.request_sent, marks.last_token),
        cooldown: phase(marks.last_token, marks.cooldown_end),
        prefill: first.map_or_else(no_power, |first| phase(marks.request_sent, first)),
        decode: first.map_or_else(no_power, |first| phase(first, marks.last_token)),
    }
}

fn no_power() -> PhasePower {
    PhasePower { min_mw: None, max_mw: None, avg_mw: None, sample_count: 0, rails: RailPowers::default() }
}

fn phase_power(samples: &[PowerSample], chip: Chip, from: MonotonicTime, to: MonotonicTime) -> PhasePower {
    let inside: Vec<&PowerSample> = samples
        .iter()
        .filter(|sample| {
            let midpoint = MonotonicTime(sample.start.0.midpoint(sample.end.0));
            midpoint >= from && midpoint < to
        })
        .collect();
    let spread = |power: &dyn Fn(&PowerSample) -> Option<Milliwatts>| {
        stats::weighted_spread(
            inside.iter().filter_map(|sample| Some((power(sample)?.0, sample.elapsed.as_secs_f64()))),
        )
    };
    let rail = |power: fn(&PowerSample) -> Option<Milliwatts>| spread(&power).map(|spread| spread.mean);
    let Some(total) = spread(&|sample| chip.power(sample)) else { return no_power() };
    PhasePower {
        min_mw: Some(total.min),
        max_mw: Some(total.max),
        avg_mw: Some(total.mean),
        sample_count: u32::try_from(total.count).unwrap_or(u32::MAX),
        rails: RailPowers {
            cpu_avg_mw: rail(|sample| sample.power.cpu),
            gpu_avg_mw: rail(|sample| sample.power.gpu),
            ane_avg_mw: rail(|sample| sample.power.ane),
            dram_avg_mw: rail(|sample| sample.power.dram),
            system_avg_mw: rail(|sample| sample.power.system),
        },
    }
}

/// Energy of one prompt. `samples` are those of its neighbourhood, oldest first, without any of another request.
pub(super) fn energy_report(
    samples: &[PowerSample],
    marks: &PhaseMarks,
    generation: Option<&Generation>,
    chip: Chip,
    batch: Option<Duration>,
) -> Measured {
    let windows: Vec<(Window, bool)> = samples
        .iter()
        .filter_map(|sample| Some((Window::of(sample, chip.power(sample))?, chip.published(sample))))
        .collect();
    let lengths: Vec<Window> = windows.iter().map(|(window, _)| *window).collect();
    let interval = energy::sample_length(&lengths, marks.request_sent, marks.last_token).unwrap_or_default();
    let (windows, found) = energy::unbatch(windows);
    let sampling = Sampling { interval, batch: batch.or(found) };
    let (sent, last) = (marks.request_sent, marks.last_token);
    let length = last.saturating_since(sent);
    let idle = energy::idle(&windows, marks.baseline_start, sent);
    let touching = windows.iter().filter(|window| window.end > sent && window.start < last).count();
    // a window that is not wholly covered by samples has no gross energy: holes would count as 0 W
    let covered = energy::covered(&windows, sent, last).as_secs_f64() >= 0.99 * length.as_secs_f64();
    let gross = (touching > 0 && covered).then(|| energy::clipped(&windows, sent, last));
    let padded = match idle {
        None if touching == 0 => Err(EnergyGap::TooFewSamples { count: 0 }),
        None => Err(EnergyGap::NoBaseline),
        Some(idle) => energy::padded(&windows, sent, last, idle.power, sampling),
    };
    let clipped_net = gross.zip(idle).map(|(gross, idle)| gross - idle.power * length);
    let net = padded.as_ref().ok().map(|padded| padded.net);
    let difference = net.zip(clipped_net).map(|(net, clipped)| net - clipped);
    let split = split(&windows, marks, generation, idle, gross, sampling);
    let tokens = generation.map(|generation| generation.tokens).unwrap_or_default();
    let per = |energy: Option<Joules>, tokens: Option<u64>| {
        energy.zip(tokens).filter(|(_, tokens)| *tokens > 0).map(|(energy, tokens)| energy.0 / tokens as f64)
    };
    let report = EnergyReport {
        scope: Scope::Soc,
        rails: chip.names(),
        gross_j: gross.map(|energy| energy.0),
        gross_null_reason: gross.is_none().then(|| "power samples do not cover the whole inference".into()),
        net_j: net.map(|energy| energy.0),
        tail_j: padded.as_ref().ok().map(|padded| padded.tail.0),
        method: padded.is_ok().then_some(Method::Padded),
        null_reason: padded.as_ref().err().map(ToString::to_string),
        idle_power_mw: idle.map(|idle| idle.power.0),
        idle_power_sd_mw: idle.and_then(|idle| idle.standard_deviation).map(|deviation| deviation.0),
        idle_samples: idle.map_or(0, |idle| u32::try_from(idle.count).unwrap_or(u32::MAX)),
        counter_batch_s: sampling.batch.map(|batch| batch.as_secs_f64()),
        pad_s: padded.as_ref().ok().map(|padded| padded.pad.as_secs_f64()),
        inference_samples: u32::try_from(touching).unwrap_or(u32::MAX),
        clipped_net_j: clipped_net.map(|energy| energy.0),
        padded_gross_j: net.zip(idle).map(|(net, idle)| (net + idle.power * length).0),
        method_difference_j: difference.map(|energy| energy.0),
        method_difference_ratio: difference
            .zip(net)
            .filter(|(_, net)| net.0 != 0.0)
            .map(|(difference, net)| difference.0 / net.0),
        gross_energy_per_token_j: per(gross, tokens.output),
        net_energy_per_token_j: per(net, tokens.output),
        net_energy_per_visible_token_j: per(net, generation.and_then(rates::visible_tokens)),
        net_energy_per_prefill_token_j: per(
            split.prefill_net_j.map(Joules),
            generation.and_then(rates::computed_prompt_tokens),
        ),
        net_energy_per_decode_token_j: per(split.decode_net_j.map(Joules), tokens.output.map(|n| n.saturating_sub(1))),
        split,
    };
    Measured { report, idle, gap: padded.err() }
}

fn split(
    windows: &[Window],
    marks: &PhaseMarks,
    generation: Option<&Generation>,
    idle: Option<energy::Idle>,
    gross: Option<Joules>,
    sampling: Sampling,
) -> SplitReport {
    let mut report = SplitReport {
        prefill_gross_j: None,
        decode_gross_j: None,
        prefill_net_j: None,
        decode_net_j: None,
        boundary: None,
        boundary_gap_ms: None,
        null_reason: None,
    };
    let Some(first) = marks.first_token else {
        report.null_reason = Some("the API does not show the first token".into());
        return report;
    };
    // LM Studio may send prompt_processing.end twice, late or never: the first token always ends the prefill
    let server_end = generation
        .filter(|generation| !generation.timeline.prefill_ends.is_empty())
        .and_then(rates::prefill_end)
        .filter(|end| *end > marks.request_sent && *end < first);
    let boundary = server_end.unwrap_or(first);
    report.boundary = Some(match server_end {
        Some(_) => SplitBoundary::PromptProcessingEnd,
        None => SplitBoundary::FirstToken,
    });
    report.boundary_gap_ms = server_end.map(|end| first.seconds_since(end) * 1e3);
    if gross.is_none() {
        report.null_reason = Some("the request has no gross energy".into());
        return report;
    }
    let (prefill, decode) =
        (boundary.saturating_since(marks.request_sent), marks.last_token.saturating_since(boundary));
    let shortest = sampling.shortest_prefill();
    if prefill < shortest {
        report.null_reason = Some(format!(
            "prefill_too_short: {:.2} s; with these samples it takes {:.2} s",
            prefill.as_secs_f64(),
            shortest.as_secs_f64()
        ));
        return report;
    }
    let prefill_gross = energy::clipped(windows, marks.request_sent, boundary);
    let decode_gross = energy::clipped(windows, boundary, marks.last_token);
    report.prefill_gross_j = Some(prefill_gross.0);
    report.decode_gross_j = Some(decode_gross.0);
    report.prefill_net_j = idle.map(|idle| (prefill_gross - idle.power * prefill).0);
    report.decode_net_j = idle.map(|idle| (decode_gross - idle.power * decode).0);
    report
}
