//! The rows about the server and about what Joulebar keeps: history, settings, clock, machine, disk.

use super::facts::{Facts, SystemFacts};
use super::{CheckResult, CheckRow, row};
use crate::environment::{Environment, Supply};
use crate::live::state::{HistoryState, ServerState};
use crate::lmstudio::Api;

/// Less free space than this is told; a run takes a few megabytes.
const SCARCE_BYTES: u64 = 500_000_000;

pub(super) fn server(server: &ServerState) -> CheckRow {
    let (result, detail, next) = match server {
        ServerState::Checking { .. } => (CheckResult::Unknown, "It has not answered yet.".to_owned(), None),
        ServerState::NotRunning { url } => (
            CheckResult::Fail,
            format!("No answer from {url}."),
            Some("Open LM Studio and start its server in the Developer tab."),
        ),
        ServerState::TokenNeeded { .. } => {
            (CheckResult::Fail, "It asks for a token.".to_owned(), Some("Add it in Settings, LM Studio."))
        }
        ServerState::TokenRefused { .. } => {
            (CheckResult::Fail, "It refused the token.".to_owned(), Some("Check it in Settings, LM Studio."))
        }
        ServerState::NoModel { models, .. } => (
            CheckResult::Fail,
            format!("No model is loaded, {} could be.", models.len()),
            Some("Load a model in LM Studio."),
        ),
        ServerState::Ready { url, model, version, lm_studio, simulated, .. } => {
            let name = if *lm_studio { "LM Studio" } else { "A server" };
            let version = version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
            let simulated = if *simulated { ", simulated" } else { "" };
            (CheckResult::Pass, format!("{name}{version}{simulated} on {url} with {}", model.key), None)
        }
        ServerState::Failed { message, .. } => (CheckResult::Fail, message.clone(), None),
    };
    row("server", "LM Studio", result, detail, next)
}

pub(super) fn server_api(server: &ServerState, api: Option<Api>) -> CheckRow {
    let name = |result, detail: &str, next| row("server_api", "Server's API", result, detail, next);
    if matches!(server, ServerState::NotRunning { .. } | ServerState::Checking { .. }) {
        return name(CheckResult::Unknown, "No server answers.", None);
    }
    match api {
        Some(Api::LmstudioV1) => name(CheckResult::Pass, "LM Studio's v1: its own events for the prompt's end.", None),
        Some(Api::LmstudioV0) => name(
            CheckResult::Pass,
            "LM Studio's v0: it does not stream its figures, so times are the server's own.",
            Some("A newer LM Studio (0.4 and later) lets times be measured here."),
        ),
        Some(Api::Openai) => {
            name(CheckResult::Pass, "OpenAI-compatible: the prompt's end is taken from the first token.", None)
        }
        None => name(CheckResult::Unknown, "The server did not say.", None),
    }
}

pub(super) fn history(history: &HistoryState, folder: &str) -> CheckRow {
    let result = if history.writable { CheckResult::Pass } else { CheckResult::Fail };
    let next = (!history.writable).then_some("Free some space, or let your user write there.");
    let notice = history.notice.as_ref().map_or_else(String::new, |notice| format!(" {notice}"));
    row("history", "History", result, format!("{} runs in {folder}.{notice}", history.count), next)
}

pub(super) fn settings(facts: &Facts<'_>) -> CheckRow {
    match &facts.settings {
        Ok([]) => row("settings", "Settings", CheckResult::Pass, facts.settings_path.clone(), None),
        Ok(wrong) => {
            let words: Vec<_> = wrong.iter().map(ToString::to_string).collect();
            row("settings", "Settings", CheckResult::Fail, words.join("; "), Some("Set them anew in Settings."))
        }
        Err(why) => row("settings", "Settings", CheckResult::Fail, why.clone(), Some("Mend the file or move it away.")),
    }
}

pub(super) fn clock((monotonic_s, wall_s): (f64, f64)) -> CheckRow {
    let differs = (monotonic_s - wall_s).abs() > 0.05;
    let detail =
        format!("{:.0} ms on the monotonic clock, {:.0} ms on the wall clock", monotonic_s * 1e3, wall_s * 1e3);
    let result = if differs { CheckResult::Unknown } else { CheckResult::Pass };
    row(
        "clock",
        "Clock",
        result,
        detail,
        differs.then_some("The wall clock is being set. Figures do not depend on it."),
    )
}

pub(super) fn machine(environment: &Environment, system: &SystemFacts) -> CheckRow {
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "—".to_owned());
    let supply = match environment.supply {
        Some(Supply::Ac) => ", on mains power",
        Some(Supply::Battery) => ", on battery",
        None => "",
    };
    let detail = format!("{}, {}{supply}", known(&environment.chip), known(&environment.os));
    let apple = environment.chip.as_ref().is_some_and(|chip| chip.starts_with("Apple"));
    let (result, next) = match (&environment.chip, environment.supply) {
        (None, _) => (CheckResult::Unknown, None),
        (Some(_), _) if system.is_macos && !apple => {
            (CheckResult::Unknown, Some("Intel Macs report other rails; figures are less complete."))
        }
        (Some(_), Some(Supply::Battery)) => {
            (CheckResult::Pass, Some("For figures to compare, measure on mains power: macOS saves power on battery."))
        }
        (Some(_), _) => (CheckResult::Pass, None),
    };
    row("machine", "Machine", result, detail, next)
}

pub(super) fn disk(system: &SystemFacts) -> CheckRow {
    let Some(free) = system.free_bytes else {
        return row("disk", "Disk", CheckResult::Unknown, "The free space can't be read.", None);
    };
    let detail = format!("{:.1} GB free for the history", free as f64 / 1e9);
    match free {
        0..SCARCE_BYTES => row("disk", "Disk", CheckResult::Fail, detail, Some("Free some space before the next run.")),
        _ => row("disk", "Disk", CheckResult::Pass, detail, None),
    }
}
