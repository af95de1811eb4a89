//! A report as people read it: one row a prompt, the sum of it, the doubts.

use joulebar_core::report::{PromptReport, Report, StatsClock, Summary};
use joulebar_core::warning::WarningEntry;

use crate::{format, output, table};

/// Longest name of a prompt in the table, in characters.
const MAX_ID: usize = 20;
/// Behind figures that the server measured.
const SERVER_CLOCK: &str = "*";
/// Prompts that are named beside a warning.
const NAMED: usize = 3;

/// Title, table, summary and warnings.
pub fn describe(report: &Report) -> String {
    let of_server = report.prompts.iter().any(is_server_clock);
    let summary = summary(&report.summary, &scope(report), of_server);
    let mut parts = vec![title(report), prompts(report), summary];
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
    format!("{}{simulated}: mean power, net energy of {}", format::one_line(&report.model), scope(report))
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
    let mark = if is_server_clock(prompt) { SERVER_CLOCK } else { "" };
    let warnings = prompt.warnings.len() as u64;
    [
        shorten(&prompt.id),
        format::or_dash(stats.prompt_tokens, format::count),
        format::or_dash(stats.completion_tokens, format::count),
        format::or_dash(stats.time_to_first_token_ms, |ttft| format::milliseconds(ttft) + mark),
        format::or_dash(stats.tokens_per_second, |rate| format::rate(rate) + mark),
        power(prompt.power_consumption.baseline.avg_mw),
        power(prompt.power_consumption.inference.avg_mw),
        format::or_dash(prompt.energy.net_j, format::energy),
        format::or_dash(prompt.energy.net_energy_per_token_j, format::energy_per_token),
        if warnings > 0 { format::count(warnings) } else { String::new() },
    ]
}

/// True when speed and time to the first token are not ours.
pub fn is_server_clock(prompt: &PromptReport) -> bool {
    prompt.inference_stats.clock == Some(StatsClock::Server)
}

fn shorten(id: &str) -> String {
    let id = format::one_line(id);
    if id.chars().count() <= MAX_ID {
        return id;
    }
    format!("{}…", id.chars().take(MAX_ID - 1).collect::<String>())
}

fn summary(summary: &Summary, scope: &str, of_server: bool) -> String {
    let reason = summary.null_reason.as_deref().unwrap_or("no prompt has a net energy; the warnings say why");
    let missing = summary.net_energy_per_token_j.is_none().then(|| format!("— J/token: {reason}."));
    let mark = if of_server { SERVER_CLOCK } else { "" };
    let facts = [
        match (summary.net_energy_per_token_j, summary.net_energy_j) {
            (Some(cost), _) => Some(format!("{} J/token net ({})", format::energy_per_token(cost), scope)),
            (None, Some(energy)) => Some(format!("{} net ({})", format::energy(energy), scope)),
            (None, None) => None,
        },
        match (summary.tokens_per_wh, summary.net_energy_per_token_j) {
            (Some(tokens), _) => Some(format!("{} tokens/Wh", format::number(tokens, 0))),
            (None, Some(_)) => Some("— tokens/Wh (the net energy is not above zero)".to_owned()),
            (None, None) => None,
        },
        summary.avg_tokens_per_second.map(|rate| format!("{}{mark} tok/s", format::rate(rate))),
        summary.avg_time_to_first_token_ms.map(|ttft| format!("TTFT {}{mark}", format::milliseconds(ttft))),
    ];
    let mut facts: Vec<_> = facts.into_iter().flatten().collect();
    if !facts.is_empty() {
        facts.push("n\u{a0}=\u{a0}1".to_owned());
    }
    let measured = summary.prompts_with_net_energy;
    let partly = summary.net_energy_per_token_j.is_some() && measured != summary.total_prompts;
    let lines = [
        missing,
        (!facts.is_empty()).then(|| facts.join(", ")),
        partly.then(|| format!("from {measured} of {} prompts; the others have no net energy", summary.total_prompts)),
        of_server.then(|| format!("{SERVER_CLOCK} the server's own figures")),
    ];
    let lines = lines.into_iter().flatten().map(|line| format::wrap(&line, output::width(), "  "));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every warning once, with the prompts that it is about. Warnings are the same when they say the same.
fn warnings(report: &Report) -> Vec<String> {
    let of_session = report.warnings.iter().map(|warning| (warning, None));
    let of_prompts = report
        .prompts
        .iter()
        .flat_map(|prompt| prompt.warnings.iter().map(|warning| (warning, Some(prompt.id.as_str()))));
    let words = |(warning, ids): (&WarningEntry, Vec<&str>)| format!("! {}{}", concerned(&ids), warning.message);
    let texts = grouped(of_session.chain(of_prompts)).into_iter().map(words);
    texts.map(|text| format::wrap(&format::one_line(&text), output::width(), "  ")).collect()
}

fn grouped<'a>(
    warnings: impl Iterator<Item = (&'a WarningEntry, Option<&'a str>)>,
) -> Vec<(&'a WarningEntry, Vec<&'a str>)> {
    let mut told: Vec<(&WarningEntry, Vec<&str>)> = Vec::new();
    for (warning, id) in warnings {
        match told.iter_mut().find(|(earlier, _)| *earlier == warning) {
            Some((_, ids)) => ids.extend(id),
            None => told.push((warning, id.into_iter().collect())),
        }
    }
    told
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

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Summary {
        Summary {
            total_prompts: 3,
            avg_baseline_power_mw: Some(400.0),
            avg_inference_power_mw: Some(18_000.0),
            avg_cooldown_power_mw: Some(500.0),
            avg_tokens_per_second: Some(54.04),
            planned_prompts: 3,
            failed_prompts: 0,
            avg_time_to_first_token_ms: Some(120.4),
            prompts_with_net_energy: 3,
            net_energy_j: Some(59.31),
            gross_energy_j: Some(61.0),
            net_energy_per_token_j: Some(0.4),
            tokens_per_wh: Some(9_000.0),
            null_reason: None,
        }
    }

    #[test]
    fn a_summary_is_one_line_when_nothing_is_missing() {
        let n = "n\u{a0}=\u{a0}1";
        let line = format!("0.400 J/token net (GPU), 9,000 tokens/Wh, 54.0 tok/s, TTFT 120 ms, {n}");
        assert_eq!(summary(&whole(), "GPU", false), line);
    }

    #[test]
    fn each_missing_total_says_why() {
        let reason = || Some("no prompt has a count of its tokens".to_owned());
        let uncounted = Summary { net_energy_per_token_j: None, tokens_per_wh: None, null_reason: reason(), ..whole() };
        let text = summary(&uncounted, "GPU", false);
        assert!(text.starts_with("— J/token: no prompt has a count of its tokens.\n59.3 J net (GPU), 54.0"), "{text}");
        let text = summary(&Summary { net_energy_j: None, ..uncounted }, "GPU", false);
        assert!(text.starts_with("— J/token: no prompt has a count of its tokens.\n54.0 tok/s"), "{text}");
        let negative = Summary { net_energy_per_token_j: Some(-0.1), tokens_per_wh: None, ..whole() };
        let text = summary(&negative, "GPU", false);
        assert!(text.contains("— tokens/Wh (the net energy is not above zero)"), "{text}");
    }

    #[test]
    fn figures_of_the_server_are_marked() {
        let text = summary(&whole(), "GPU", true);
        assert!(text.contains("54.0* tok/s, TTFT 120 ms*") && text.ends_with("\n* the server's own figures"), "{text}");
    }

    #[test]
    fn warnings_are_one_only_when_they_say_the_same() {
        let warning = |code: &str, message: &str| WarningEntry { code: code.into(), message: message.into() };
        let (few, fewer) = (warning("short_baseline", "8 samples"), warning("short_baseline", "7 samples"));
        let told = grouped([(&few, Some("a")), (&fewer, Some("b")), (&few, Some("c"))].into_iter());
        assert_eq!(told, [(&few, vec!["a", "c"]), (&fewer, vec!["b"])]);
    }
}
