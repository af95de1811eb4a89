//! The rows about reading power: the helper, its conversation, powermetrics and what it prints.

use joulebar_wire::PROTOCOL;

use super::facts::{BoundaryFacts, Probe, ProbeFacts, SamplerState, SystemFacts, ToolState};
use super::{CheckResult, CheckRow, mac_alone, row, schema};
use crate::live::HelperView;
use crate::live::state::{PowerProblem, PowerState};

/// An answer to the boundary signal later than this share of the interval was the periodic sample.
const PROMPT_SHARE: f64 = 0.45;
/// A sample shorter than this share of the interval was cut by the signal.
const CUT_SHARE: f64 = 0.8;
/// Longest way of a sample from the helper, in milliseconds.
const LONGEST_WAY_MS: f64 = 1_000.0;
/// Fewest samples from which something can be said about how counters are published.
const FEWEST_SAMPLES: usize = 6;

pub(super) fn helper(helper: &HelperView) -> CheckRow {
    let simulated = if helper.simulated { ", simulated" } else { "" };
    match (&helper.path, &helper.version) {
        (None, _) => row(
            "helper",
            "Helper",
            CheckResult::Fail,
            "The program is missing.",
            Some("Install Joulebar again: its programs lie side by side."),
        ),
        (Some(path), Some(version)) => row(
            "helper",
            "Helper",
            CheckResult::Pass,
            format!("Version {version}{simulated}, protocol {}, {path}", helper.protocol),
            None,
        ),
        (Some(path), None) => {
            row("helper", "Helper", CheckResult::Unknown, format!("It has not answered yet. {path}"), None)
        }
    }
}

pub(super) fn reachable(probe: &Probe, system: &SystemFacts) -> CheckRow {
    let name = |result, detail: String, next| row("helper_reachable", "Helper answers", result, detail, next);
    let way = |facts: &ProbeFacts| if facts.as_child { "as a child of this program" } else { "through macOS" };
    let answered = |facts: &ProbeFacts| facts.hello_ms.map(|ms| format!("It answered in {ms:.0} ms, {}.", way(facts)));
    match probe {
        Probe::NotRun { why } => name(CheckResult::Unknown, why.clone(), None),
        Probe::Done(facts) => {
            name(CheckResult::Pass, answered(facts).unwrap_or_else(|| "It answered.".to_owned()), None)
        }
        Probe::Failed { facts, problem, message } => match (answered(facts), problem) {
            (_, PowerProblem::NotPermitted) if system.is_macos => {
                name(CheckResult::Fail, message.clone(), Some("Install the helper daemon, or use `sudo joulebar`."))
            }
            (Some(answered), _) => name(CheckResult::Pass, answered, None),
            (None, PowerProblem::NotPermitted | PowerProblem::Unavailable) if !system.is_macos => {
                name(CheckResult::DoesNotApply, "macOS alone lets power be read.".to_owned(), None)
            }
            (None, _) => {
                let words = facts.helper_words.lines().last().map(|line| format!(" It said: {line}"));
                let detail = format!("{message}{}", words.unwrap_or_default());
                name(CheckResult::Fail, detail, Some("Restart the helper in Settings, Helper, or install it again."))
            }
        },
    }
}

pub(super) fn version(probe: &Probe) -> CheckRow {
    let own = env!("CARGO_PKG_VERSION");
    let name = |result, detail: String, next| row("helper_version", "Helper's version", result, detail, next);
    let Some(facts) = probe.facts() else { return name(CheckResult::Unknown, "It was not asked.".to_owned(), None) };
    let (Some(version), Some(protocol)) = (&facts.helper_version, facts.protocol) else {
        return name(CheckResult::Unknown, "It has not said.".to_owned(), None);
    };
    let build = facts.helper_build.as_deref().filter(|build| *build != "unknown");
    let build = build.map(|build| format!(" ({build})")).unwrap_or_default();
    let detail = format!("{version}{build}, protocol {protocol}; this program is {own}, protocol {PROTOCOL}");
    if protocol != PROTOCOL {
        return name(CheckResult::Fail, detail, Some("Install the helper that came with this version of Joulebar."));
    }
    if version != own {
        return name(
            CheckResult::Unknown,
            detail,
            Some("They speak the same protocol. Install the newer helper soon."),
        );
    }
    name(CheckResult::Pass, detail, None)
}

pub(super) fn power(power: &PowerState, helper: &HelperView, system: &SystemFacts) -> CheckRow {
    let (result, detail, next) = match power {
        PowerState::Live { .. } if helper.simulated => {
            (CheckResult::Pass, "Samples arrive; they are simulated.".to_owned(), None)
        }
        PowerState::Live { .. } => (CheckResult::Pass, "Samples arrive.".to_owned(), None),
        PowerState::Held { age_s, .. } => {
            (CheckResult::Unknown, format!("The latest sample is {age_s:.1} s old."), None)
        }
        PowerState::Stale { age_s } => {
            (CheckResult::Fail, format!("No sample for {age_s:.0} s."), Some("Restart the helper in Settings, Helper."))
        }
        PowerState::Starting => (CheckResult::Unknown, "No sample has come yet.".to_owned(), None),
        PowerState::None { message, reason: PowerProblem::NotPermitted | PowerProblem::Unavailable }
            if !system.is_macos =>
        {
            let next = Some("The demo shows how Joulebar works: `joulebar monitor --source demo`.");
            (CheckResult::DoesNotApply, message.clone(), next)
        }
        PowerState::None { message, reason } => {
            let next = match reason {
                PowerProblem::NotPermitted => "Install the helper daemon, or use `sudo joulebar`.",
                PowerProblem::Unavailable => "This machine has no power counters; the demo shows how Joulebar works.",
                _ => "Restart the helper in Settings, Helper.",
            };
            (CheckResult::Fail, message.clone(), Some(next))
        }
    };
    row("power", "Power readings", result, detail, next)
}

pub(super) fn interval(helper: &HelperView, system: &SystemFacts) -> CheckRow {
    match (helper.interval_ms, helper.achieved_ms) {
        (Some(asked), Some(achieved)) => {
            let slow = achieved > 1.5 * f64::from(asked);
            let result = if slow { CheckResult::Fail } else { CheckResult::Pass };
            let next = slow.then_some("Quit other programs that read power, or choose a longer interval.");
            row("interval", "Sampling", result, format!("{asked} ms asked, {achieved:.0} ms measured"), next)
        }
        _ if !system.is_macos => row("interval", "Sampling", CheckResult::DoesNotApply, "No samples come here.", None),
        _ => row("interval", "Sampling", CheckResult::Unknown, "No samples yet.", None),
    }
}

pub(super) fn powermetrics(system: &SystemFacts) -> CheckRow {
    let name = |result, detail: &str, next| row("powermetrics", "powermetrics", result, detail, next);
    match (system.is_macos, system.powermetrics) {
        (false, _) => name(CheckResult::DoesNotApply, "It comes with macOS alone.", None),
        (true, ToolState::Present) => name(CheckResult::Pass, "/usr/bin/powermetrics, root's alone", None),
        (true, ToolState::NotTrusted) => name(
            CheckResult::Fail,
            "Others than root could have put /usr/bin/powermetrics there.",
            Some("The helper does not run it. Check the system's integrity (`csrutil status`)."),
        ),
        (true, ToolState::Missing) => name(CheckResult::Fail, "It is not in /usr/bin.", Some("macOS has it.")),
    }
}

pub(super) fn samplers(probe: &Probe, system: &SystemFacts) -> CheckRow {
    let name = |result, detail: String, next| row("samplers", "Samplers", result, detail, next);
    let missing = probe.facts().map(|facts| facts.missing_samplers.join(", ")).filter(|missing| !missing.is_empty());
    if let Some(missing) = missing {
        let next = Some("Figures that come from it are missing. Please send a bundle: `joulebar doctor --bundle`.");
        return name(CheckResult::Fail, format!("powermetrics does not know {missing}."), next);
    }
    let of = |state: SamplerState| -> Vec<&str> {
        let found = system.samplers.iter().filter(|(_, found)| *found == state);
        found.map(|(sampler, _)| sampler.as_str()).collect()
    };
    let (known, unclear) = (of(SamplerState::Known), of(SamplerState::Unclear));
    let used = probe.facts().map(|facts| facts.samplers.join(", ")).filter(|used| !used.is_empty());
    match used {
        Some(used) => {
            let unrecognized = of(SamplerState::Unrecognized);
            let unused = if unrecognized.is_empty() {
                String::new()
            } else {
                format!("; not here: {}", unrecognized.join(", "))
            };
            name(CheckResult::Pass, format!("{used}{unused}"), None)
        }
        None if !unclear.is_empty() => {
            let detail = format!("powermetrics gave no clear answer about {}.", unclear.join(", "));
            name(CheckResult::Unknown, detail, Some("Please send a bundle: `joulebar doctor --bundle`."))
        }
        None if !known.is_empty() => name(CheckResult::Pass, format!("It knows {}.", known.join(", ")), None),
        None if system.is_macos => name(CheckResult::Unknown, "powermetrics was not asked.".to_owned(), None),
        None => name(CheckResult::DoesNotApply, "powermetrics comes with macOS alone.".to_owned(), None),
    }
}

/// For rows that only a conversation with samples can settle.
fn no_samples(id: &str, title: &str, probe: &Probe) -> CheckRow {
    match probe {
        Probe::NotRun { why } => row(id, title, CheckResult::Unknown, why.clone(), None),
        Probe::Failed { problem: PowerProblem::Unavailable | PowerProblem::NotPermitted, .. }
            if !cfg!(target_os = "macos") =>
        {
            mac_alone(id, title)
        }
        _ => row(id, title, CheckResult::Unknown, "No samples came.", None),
    }
}

pub(super) fn schema(probe: &Probe) -> CheckRow {
    let (id, title) = ("schema", "Power document");
    let Some((facts, document)) = probe.facts().and_then(|facts| Some((facts, facts.first_document.as_ref()?))) else {
        return no_samples(id, title, probe);
    };
    let schema = schema::read_schema(document);
    let next = Some("Please send a bundle: `joulebar doctor --bundle FILE.zip`.");
    let simulated = if facts.simulated { "Simulated. " } else { "" };
    if let Some(error) = &schema.error {
        return row(id, title, CheckResult::Fail, format!("{simulated}It can't be read: {error}."), next);
    }
    let detail = format!("{simulated}{}", schema.describe());
    let broken = facts.samples.iter().filter(|sample| !sample.decoded).count();
    let rejected: u32 = facts.samples.iter().map(|sample| sample.rejected).sum();
    if !schema.has_length || !schema.has_power() {
        return row(id, title, CheckResult::Fail, detail, next);
    }
    if broken > 0 || rejected > 0 {
        let detail =
            format!("{detail}. {broken} of {} documents broken, {rejected} values not believed", facts.samples.len());
        return row(id, title, CheckResult::Unknown, detail, next);
    }
    row(id, title, CheckResult::Pass, detail, None)
}

pub(super) fn counters(probe: &Probe) -> CheckRow {
    let (id, title) = ("counters", "Energy counters");
    let Some(facts) = probe.facts().filter(|facts| !facts.samples.is_empty()) else {
        return no_samples(id, title, probe);
    };
    // those that the boundary signal cut may be too short for one millijoule
    let powers: Vec<f64> = facts.samples.iter().filter_map(|sample| sample.cpu_mw).collect();
    if powers.len() < FEWEST_SAMPLES {
        let detail = format!("{} samples are too few to tell.", powers.len());
        return row(id, title, CheckResult::Unknown, detail, Some("`joulebar doctor` takes more."));
    }
    let zeros = powers.iter().filter(|power| **power == 0.0).count();
    match zeros {
        0 | 1 => row(id, title, CheckResult::Pass, format!("CPU power in each of {} samples", powers.len()), None),
        zeros if zeros == powers.len() => row(
            id,
            title,
            CheckResult::Fail,
            format!("CPU power is 0 in all of {zeros} samples: this macOS does not publish it."),
            Some("Net energy lacks the CPU. Please send a bundle: `joulebar doctor --bundle FILE.zip`."),
        ),
        zeros => row(
            id,
            title,
            CheckResult::Unknown,
            format!("CPU power is 0 in {zeros} of {} samples: energy is published in batches.", powers.len()),
            Some("Joulebar merges such samples; short answers are less exact."),
        ),
    }
}

pub(super) fn siginfo(probe: &Probe) -> CheckRow {
    let (id, title) = ("siginfo", "Boundary signal");
    let Some(facts) = probe.facts().filter(|facts| !facts.samples.is_empty()) else {
        return no_samples(id, title, probe);
    };
    let (Some(boundary), Some(interval_ms)) = (facts.boundary, facts.interval_ms.map(f64::from)) else {
        return row(id, title, CheckResult::Unknown, "None was sent.", None);
    };
    let BoundaryFacts { answered_ms: Some(answered), elapsed_ms: Some(elapsed), next_elapsed_ms } = boundary else {
        return row(id, title, CheckResult::Unknown, "No sample came after it.", None);
    };
    if answered > PROMPT_SHARE * interval_ms || elapsed > CUT_SHARE * interval_ms {
        let detail = format!("SIGINFO gave no sample of its own; the periodic one came {answered:.0} ms later.");
        let next = Some("Joulebar works without, but short answers are less exact. Please send a bundle.");
        return row(id, title, CheckResult::Fail, detail, next);
    }
    let timer = match next_elapsed_ms {
        Some(next) if next < CUT_SHARE * interval_ms => "; the periodic sample came when it would have come",
        Some(_) => "; the interval began anew",
        None => "",
    };
    let detail = format!("A sample of {elapsed:.0} ms came {answered:.0} ms after SIGINFO{timer}.");
    row(id, title, CheckResult::Pass, detail, None)
}

pub(super) fn helper_clock(probe: &Probe) -> CheckRow {
    let (id, title) = ("helper_clock", "Helper's clock");
    let Some(facts) = probe.facts().filter(|facts| !facts.samples.is_empty()) else {
        return no_samples(id, title, probe);
    };
    let ways = facts.samples.iter().map(|sample| sample.on_its_way_ms);
    let (shortest, longest) =
        ways.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), way| (low.min(way), high.max(way)));
    let detail = format!("Samples arrive {shortest:.1} to {longest:.1} ms after the helper's stamp.");
    if shortest < 0.0 || longest > LONGEST_WAY_MS {
        let next =
            Some("The clocks differ, or this machine is very busy. Try again; if it stays, please send a bundle.");
        return row(id, title, CheckResult::Fail, detail, next);
    }
    row(id, title, CheckResult::Pass, detail, None)
}

pub(super) fn other_powermetrics(system: &SystemFacts) -> CheckRow {
    let (id, title) = ("other_powermetrics", "Other readers");
    match (system.is_macos, system.other_powermetrics) {
        (false, _) => mac_alone(id, title),
        (true, None) => row(id, title, CheckResult::Unknown, "The processes can't be listed.", None),
        (true, Some(0)) => row(id, title, CheckResult::Pass, "No other powermetrics runs.", None),
        (true, Some(count)) => row(
            id,
            title,
            CheckResult::Unknown,
            format!("{count} other powermetrics running"),
            Some("Each costs energy of its own. Quit other power monitors before you measure."),
        ),
    }
}
