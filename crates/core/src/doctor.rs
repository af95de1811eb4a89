//! What Joulebar relies on, checked one by one: each a row with what was found and what to do. Pure: facts in, rows out.

use serde::Serialize;

use crate::environment::Environment;
use crate::live::state::{HistoryState, PowerState, ServerState};
use crate::live::{HelperView, state};
use crate::settings::WrongSetting;

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// As it should be.
    Pass,
    /// Not as it should be.
    Fail,
    /// Nobody knows yet.
    Unknown,
    /// This system has no such thing.
    DoesNotApply,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct CheckRow {
    /// Stable name.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// What it found.
    pub result: CheckResult,
    /// The facts.
    pub detail: String,
    /// What to do.
    pub next: Option<String>,
}

/// What the rows are made of.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The power source.
    pub helper: &'a HelperView,
    /// Power now.
    pub power: &'a PowerState,
    /// The server now.
    pub server: &'a ServerState,
    /// The history.
    pub history: &'a HistoryState,
    /// Where the history is.
    pub data_folder: String,
    /// Where the settings are.
    pub settings_path: String,
    /// Wrong values of the settings, or why they can't be read.
    pub settings: Result<&'a [WrongSetting], String>,
    /// The machine.
    pub environment: &'a Environment,
    /// How long a pause was on the monotonic clock and on the wall clock, in seconds.
    pub pause_s: (f64, f64),
}

/// The rows, most important first.
#[must_use]
pub fn rows(facts: &Facts<'_>) -> Vec<CheckRow> {
    vec![
        helper(facts.helper),
        power(facts.power, facts.helper),
        interval(facts.helper),
        server(facts.server),
        history(facts.history, &facts.data_folder),
        settings(facts),
        clock(facts.pause_s),
        machine(facts.environment),
        powermetrics(),
    ]
}

fn row(id: &str, title: &str, result: CheckResult, detail: impl Into<String>, next: Option<&str>) -> CheckRow {
    CheckRow { id: id.into(), title: title.into(), result, detail: detail.into(), next: next.map(str::to_owned) }
}

fn helper(helper: &HelperView) -> CheckRow {
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

fn power(power: &PowerState, helper: &HelperView) -> CheckRow {
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
        PowerState::None { message, reason } => {
            let next = match reason {
                state::PowerProblem::NotPermitted => "Reading power needs administrator rights.",
                state::PowerProblem::Unavailable => {
                    "This machine has no power counters; the demo shows how Joulebar works."
                }
                _ => "Restart the helper in Settings, Helper.",
            };
            (CheckResult::Fail, message.clone(), Some(next))
        }
    };
    row("power", "Power readings", result, detail, next)
}

fn interval(helper: &HelperView) -> CheckRow {
    match (helper.interval_ms, helper.achieved_ms) {
        (Some(asked), Some(achieved)) => {
            let slow = achieved > 1.5 * f64::from(asked);
            let result = if slow { CheckResult::Fail } else { CheckResult::Pass };
            let next = slow.then_some("Quit other programs that read power, or choose a longer interval.");
            row("interval", "Sampling", result, format!("{asked} ms asked, {achieved:.0} ms measured"), next)
        }
        _ => row("interval", "Sampling", CheckResult::Unknown, "No samples yet.", None),
    }
}

fn server(server: &ServerState) -> CheckRow {
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

fn history(history: &HistoryState, folder: &str) -> CheckRow {
    let result = if history.writable { CheckResult::Pass } else { CheckResult::Fail };
    let next = (!history.writable).then_some("Free some space, or let your user write there.");
    let notice = history.notice.as_ref().map_or_else(String::new, |notice| format!(" {notice}"));
    row("history", "History", result, format!("{} runs in {folder}.{notice}", history.count), next)
}

fn settings(facts: &Facts<'_>) -> CheckRow {
    match &facts.settings {
        Ok([]) => row("settings", "Settings", CheckResult::Pass, facts.settings_path.clone(), None),
        Ok(wrong) => {
            let words: Vec<_> = wrong.iter().map(ToString::to_string).collect();
            row("settings", "Settings", CheckResult::Fail, words.join("; "), Some("Set them anew in Settings."))
        }
        Err(why) => row("settings", "Settings", CheckResult::Fail, why.clone(), Some("Mend the file or move it away.")),
    }
}

fn clock((monotonic_s, wall_s): (f64, f64)) -> CheckRow {
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

fn machine(environment: &Environment) -> CheckRow {
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "—".to_owned());
    let detail = format!("{}, {}", known(&environment.chip), known(&environment.os));
    let result = if environment.chip.is_some() { CheckResult::Pass } else { CheckResult::Unknown };
    row("machine", "Machine", result, detail, None)
}

fn powermetrics() -> CheckRow {
    let path = std::path::Path::new("/usr/bin/powermetrics");
    match (cfg!(target_os = "macos"), path.is_file()) {
        (false, _) => {
            row("powermetrics", "powermetrics", CheckResult::DoesNotApply, "It comes with macOS alone.", None)
        }
        (true, true) => row("powermetrics", "powermetrics", CheckResult::Pass, path.display().to_string(), None),
        (true, false) => row("powermetrics", "powermetrics", CheckResult::Fail, "It is not in /usr/bin.", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helper_view() -> HelperView {
        HelperView {
            name: Some("demo".into()),
            version: Some("0.1.0".into()),
            protocol: 1,
            interval_ms: Some(1_000),
            achieved_ms: Some(1_010.0),
            samplers: Vec::new(),
            samples: 3,
            simulated: true,
            path: Some("/x/joulebar-helper-simulated".into()),
        }
    }

    fn found(helper: &HelperView, power: &PowerState, server: &ServerState, writable: bool) -> Vec<CheckRow> {
        rows(&Facts {
            helper,
            power,
            server,
            history: &HistoryState { count: 2, writable, notice: None },
            data_folder: "/data".into(),
            settings_path: "/settings.toml".into(),
            settings: Ok(&[]),
            environment: &Environment::default(),
            pause_s: (0.1, 0.1),
        })
    }

    fn result(rows: &[CheckRow], id: &str) -> CheckResult {
        rows.iter().find(|row| row.id == id).unwrap().result
    }

    #[test]
    fn what_is_wrong_fails_and_says_what_to_do() {
        let lost = PowerState::None { reason: state::PowerProblem::NotPermitted, message: "Not root.".into() };
        let gone = ServerState::NotRunning { url: "http://127.0.0.1:1234".into() };
        let slow = HelperView { achieved_ms: Some(2_000.0), path: None, ..helper_view() };
        let rows = found(&slow, &lost, &gone, false);
        for id in ["helper", "power", "interval", "server", "history"] {
            assert_eq!(result(&rows, id), CheckResult::Fail, "{id}");
        }
        assert!(rows.iter().filter(|row| row.result == CheckResult::Fail).all(|row| row.next.is_some()));
    }

    #[test]
    fn what_is_not_known_is_not_a_pass() {
        let rows = found(
            &HelperView { version: None, interval_ms: None, achieved_ms: None, ..helper_view() },
            &PowerState::Starting,
            &ServerState::Checking { url: String::new() },
            true,
        );
        for id in ["helper", "power", "interval", "server", "machine"] {
            assert_eq!(result(&rows, id), CheckResult::Unknown, "{id}");
        }
        assert_eq!(result(&rows, "history"), CheckResult::Pass);
    }
}
