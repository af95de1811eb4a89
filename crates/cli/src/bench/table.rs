//! A report as people read it: one row a prompt, the sum of it, the doubts.

use std::collections::BTreeMap;

use joulebar_core::report::{PromptReport, Report};
use joulebar_core::warning::WarningEntry;

use crate::{format, output, table};

/// Longest name of a prompt in the table, in characters.
const MAX_ID: usize = 20;
/// Prompts that are named beside a warning.
const NAMED: usize = 3;

/// Title, table, summary and warnings.
pub fn describe(report: &Report) -> String {
    let mut parts = vec![title(report), prompts(report), summary(report)];
    let warnings = warnings(report);
    if !warnings.is_empty() {
        parts.push(warnings.join("\n"));
    }
    parts.join("\n\n")
}

fn title(report: &Report) -> String {
    let simulated = match (report.simulation.server, report.simulation.power) {
        (false, false) => "",
        (true, false) => " (simulated server)",
        (false, true) => " (simulated power)",
        (true, true) => " (simulated)",
    };
    format!("{}{simulated}: mean power, net energy of {}", report.model, scope(report))
}

/// `GPU + CPU + ANE`, the rails that the source reports.
fn scope(report: &Report) -> String {
    let rails = report.prompts.iter().map(|prompt| &prompt.energy.rails).max_by_key(|rails| rails.len());
    match rails {
        Some(rails) if !rails.is_empty() => rails
            .iter()
            .map(|rail| if rail.len() == 3 { rail.to_uppercase() } else { rail.clone() })
            .collect::<Vec<_>>()
            .join(" + "),
        _ => "the chip".to_owned(),
    }
}

fn prompts(report: &Report) -> String {
    let head = ["prompt", "in", "out", "TTFT", "tok/s", "idle", "load", "net", "J/token", "!"];
    table::layout(&head, 1, report.prompts.iter().map(row))
}

fn row(prompt: &PromptReport) -> [String; 10] {
    let stats = &prompt.inference_stats;
    let power = |power: Option<f64>| format::or_dash(power, format::power);
    let warnings = prompt.warnings.len() as u64;
    [
        shorten(&prompt.id),
        format::or_dash(stats.prompt_tokens, format::count),
        format::or_dash(stats.completion_tokens, format::count),
        format::or_dash(stats.time_to_first_token_ms, format::milliseconds),
        format::or_dash(stats.tokens_per_second, format::rate),
        power(prompt.power_consumption.baseline.avg_mw),
        power(prompt.power_consumption.inference.avg_mw),
        format::or_dash(prompt.energy.net_j, format::energy),
        format::or_dash(prompt.energy.net_energy_per_token_j, format::energy_per_token),
        if warnings > 0 { format::count(warnings) } else { String::new() },
    ]
}

fn shorten(id: &str) -> String {
    if id.chars().count() <= MAX_ID {
        return id.to_owned();
    }
    format!("{}…", id.chars().take(MAX_ID - 1).collect::<String>())
}

fn summary(report: &Report) -> String {
    let summary = &report.summary;
    let Some(cost) = summary.net_energy_per_token_j else {
        let reason = summary.null_reason.as_deref().unwrap_or("no prompt has a net energy; the warnings say why");
        return format!("— J/token: {reason}.");
    };
    let facts = [
        Some(format!("{} J/token net ({})", format::energy_per_token(cost), scope(report))),
        summary
            .tokens_per_wh
            .filter(|tokens| *tokens > 0.0)
            .map(|tokens| format!("{} tokens/Wh", format::number(tokens, 0))),
        summary.avg_tokens_per_second.map(|rate| format!("{} tok/s", format::rate(rate))),
        summary.avg_time_to_first_token_ms.map(|ttft| format!("TTFT {}", format::milliseconds(ttft))),
        Some("n\u{a0}=\u{a0}1".to_owned()),
    ];
    let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let facts = format::wrap(&facts, output::width(), "  ");
    let measured = summary.prompts_with_net_energy;
    if measured == summary.total_prompts {
        return facts;
    }
    format!("{facts}\nfrom {measured} of {} prompts; the others have no net energy", summary.total_prompts)
}

/// Every warning once, with the prompts that it is about.
fn warnings(report: &Report) -> Vec<String> {
    let mut first: Vec<(&WarningEntry, Vec<&str>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let of_prompts = report
        .prompts
        .iter()
        .flat_map(|prompt| prompt.warnings.iter().map(|warning| (warning, Some(prompt.id.as_str()))));
    for (warning, id) in report.warnings.iter().map(|warning| (warning, None)).chain(of_prompts) {
        let place = *places.entry(&warning.code).or_insert_with(|| {
            first.push((warning, Vec::new()));
            first.len() - 1
        });
        first[place].1.extend(id);
    }
    let words = |(warning, ids): (&WarningEntry, Vec<&str>)| format!("! {}{}", concerned(&ids), warning.message);
    first.into_iter().map(words).map(|text| format::wrap(&text, output::width(), "  ")).collect()
}

/// `short-short, short-long and 2 more: `; nothing for a warning about the whole session.
fn concerned(ids: &[&str]) -> String {
    let named = ids.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match ids.len() {
        0 => String::new(),
        few if few <= NAMED => format!("{named}: "),
        many => format!("{named} and {} more: ", many - NAMED),
    }
}
