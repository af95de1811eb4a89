//! A report as Markdown: a table to paste into an issue or a message. Says in its first line when it is simulated.

use std::fmt::Write;

use super::{PromptReport, Report};

/// A figure with its decimals, or a dash.
fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "—".to_owned(), |value| format!("{value:.decimals$}").replace('-', "−"))
}

/// Text without what Markdown's tables would take for their own.
fn plain(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|")
}

/// The report as Markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // writing to a string can't fail
        let _ = writeln!(text, "{line}");
    };
    if report.simulated {
        line("**Simulated: no figure here is a measurement.**\n".to_owned());
    }
    let model = &report.model_details;
    let quantization = model.quantization.as_deref().map_or_else(String::new, |name| format!(", {name}"));
    line(format!("### {}{}", plain(model.display_name.as_deref().unwrap_or(&model.key)), plain(&quantization)));
    let summary = &report.summary;
    line(format!(
        "{} J/token net, n = 1; {} tok/s; {} W average during inference; {} of {} prompts of {}\n",
        figure(summary.net_energy_per_token_j, 3),
        figure(summary.avg_tokens_per_second, 1),
        figure(summary.avg_inference_power_mw.map(|mw| mw / 1e3), 1),
        summary.total_prompts - summary.failed_prompts,
        summary.planned_prompts,
        plain(&report.suite.name),
    ));
    line("| prompt | in | out | TTFT, ms | tok/s | J/token, net | net, J | gross, J |".to_owned());
    line("|---|--:|--:|--:|--:|--:|--:|--:|".to_owned());
    for prompt in &report.prompts {
        line(row(prompt));
    }
    line(String::new());
    let environment = &report.environment;
    let known = |value: &Option<String>| plain(value.as_deref().unwrap_or("—"));
    line(format!(
        "{}, {}; power from {} every {} ms; baseline {} s, cooldown {} s; {}; Joulebar {}",
        known(&environment.chip),
        known(&environment.os),
        plain(&report.power_source.name),
        figure(report.achieved_interval_ms, 0),
        report.settings.baseline_s,
        report.settings.cooldown_s,
        plain(&report.benchmark_id),
        plain(&report.tool.version),
    ));
    for warning in &report.warnings {
        line(format!("- {}", plain(&warning.message)));
    }
    text
}

fn row(prompt: &PromptReport) -> String {
    let stats = &prompt.inference_stats;
    let count = |value: Option<u64>| value.map_or_else(|| "—".to_owned(), |value| value.to_string());
    let name = match &prompt.error {
        Some(error) => format!("{} (failed: {})", prompt.id, plain(error)),
        None => prompt.id.clone(),
    };
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} |",
        count(stats.prompt_tokens),
        count(stats.completion_tokens),
        figure(stats.time_to_first_token_ms, 0),
        figure(stats.tokens_per_second, 1),
        figure(prompt.energy.net_energy_per_token_j, 3),
        figure(prompt.energy.net_j, 1),
        figure(prompt.energy.gross_j, 1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::derive;
    use crate::session::record::Outcome;
    use crate::testing::record_with;

    #[test]
    fn a_report_becomes_a_table_and_says_what_is_simulated() {
        let mut record = record_with(3);
        record.header.server.simulated = true;
        record.runs[1].outcome = Outcome::Failed { message: "a|b\nc".into(), partial: None };
        let text = markdown(&derive(&record));
        assert!(text.starts_with("**Simulated"));
        assert_eq!(text.lines().filter(|line| line.starts_with("| ") && !line.contains("TTFT")).count(), 3);
        assert!(text.contains("(failed: a\\|b c) | — |"), "{text}");
        record.header.server.simulated = false;
        assert!(markdown(&derive(&record)).starts_with("### "));
    }
}
