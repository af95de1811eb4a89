//! What the menu bar says. Pure: a snapshot and the settings in, texts and a glyph out.

use super::state::{PowerState, PromptState, RunStatus, ServerState, Snapshot};
use crate::session::machine::Phase;
use crate::settings::{MenuBarText, UserSettings};

/// As wide as a digit.
const FIGURE_SPACE: char = '\u{2007}';
const NO_BREAK_SPACE: char = '\u{a0}';
/// Characters of the watts: `00.0`.
const WIDTH: usize = 4;

/// Which icon stands in the menu bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Glyph {
    /// Four bars.
    Idle,
    /// The bar of the baseline is solid.
    Baseline,
    /// The bar of the prefill is solid.
    Prefill,
    /// The bar of the decode is solid.
    Decode,
    /// The bar of the cooldown is solid.
    Cooldown,
    /// A run has ended and nobody has looked.
    Done,
    /// No power source.
    NoHelper,
    /// No server.
    Offline,
}

/// Everything that the menu bar shows.
#[derive(Clone, Debug, PartialEq)]
pub struct MenuBar {
    /// The text beside the icon; `None` for the icon alone.
    pub title: Option<String>,
    /// The icon.
    pub glyph: Glyph,
    /// How full the bar is, 0 to 1; `None` without a bar.
    pub bar_ratio: Option<f64>,
    /// What stands in the tooltip, and is read aloud.
    pub tooltip: String,
    /// True when Run Benchmark can be chosen.
    pub can_run: bool,
    /// True when Stop can be chosen.
    pub can_stop: bool,
    /// True when there is a report to export.
    pub can_export: bool,
}

/// The menu bar of `snapshot`; `smoothed_mw` is the power over the time that the settings smooth over, and `peak_mw` the
/// highest power seen.
#[must_use]
pub fn menu_bar(snapshot: &Snapshot, settings: &UserSettings, smoothed_mw: Option<f64>, peak_mw: f64) -> MenuBar {
    let shown_mw = match &snapshot.power {
        PowerState::Live { .. } | PowerState::Held { .. } => smoothed_mw,
        PowerState::Starting | PowerState::Stale { .. } | PowerState::None { .. } => None,
    };
    let mut title = format!("{}{NO_BREAK_SPACE}W", watts(shown_mw));
    if let RunStatus::Running { progress } = &snapshot.run {
        let planned = progress.planned.to_string();
        let position = progress.position.to_string();
        let room = planned.len().saturating_sub(position.len());
        title.push(' ');
        title.extend(std::iter::repeat_n(FIGURE_SPACE, room));
        title.push_str(&format!("{position}/{planned}"));
    }
    if snapshot.simulated {
        title.push_str(" sim");
    }
    let busy = matches!(snapshot.run, RunStatus::Starting { .. } | RunStatus::Running { .. });
    MenuBar {
        title: (settings.menu_bar != MenuBarText::Icon).then_some(title),
        glyph: glyph(snapshot),
        bar_ratio: (settings.menu_bar == MenuBarText::WattsAndBar && peak_mw > 0.0)
            .then(|| shown_mw.map(|mw| (mw / peak_mw).clamp(0.0, 1.0)))
            .flatten(),
        tooltip: tooltip(snapshot, shown_mw),
        can_run: snapshot.can_run && !busy,
        can_stop: busy,
        can_export: snapshot.last.is_some() || matches!(snapshot.run, RunStatus::Finished { .. }),
    }
}

/// Watts in a field as wide as `00.0`: one decimal below 100 W, none above, a dash for what is not known.
fn watts(mw: Option<f64>) -> String {
    let text = match mw {
        None => "\u{2014}".to_owned(),
        Some(mw) if mw.abs() < 99_950.0 => format!("{:.1}", mw / 1e3),
        Some(mw) => format!("{:.0}", mw / 1e3),
    };
    let missing = WIDTH.saturating_sub(text.chars().count());
    std::iter::repeat_n(FIGURE_SPACE, missing).chain(text.replace('-', "\u{2212}").chars()).collect()
}

fn glyph(snapshot: &Snapshot) -> Glyph {
    match (&snapshot.run, &snapshot.power, &snapshot.server) {
        (RunStatus::Running { progress }, ..) => match progress.phase {
            Phase::Prefill => Glyph::Prefill,
            Phase::Decode => Glyph::Decode,
            Phase::Cooldown => Glyph::Cooldown,
            Phase::Starting | Phase::Baseline | Phase::Done => Glyph::Baseline,
        },
        (_, PowerState::None { .. } | PowerState::Stale { .. }, _) => Glyph::NoHelper,
        (RunStatus::Finished { result }, ..) if !result.seen => Glyph::Done,
        (_, _, ServerState::Checking { .. } | ServerState::Ready { .. } | ServerState::NoModel { .. }) => Glyph::Idle,
        _ => Glyph::Offline,
    }
}

fn tooltip(snapshot: &Snapshot, shown_mw: Option<f64>) -> String {
    let power = match (&snapshot.power, shown_mw) {
        (PowerState::None { message, .. }, _) => format!("No reading. {message}"),
        (PowerState::Stale { age_s }, _) => format!("No new sample for {age_s:.0} s"),
        (PowerState::Starting, _) => "Waiting for the first sample".to_owned(),
        (_, Some(mw)) => format!("{:.1} watts", mw / 1e3),
        (_, None) => "No reading".to_owned(),
    };
    let mut text = match &snapshot.run {
        RunStatus::Running { progress } => {
            let done = progress.prompts.iter().filter(|prompt| **prompt == PromptState::Failed).count();
            let failed = if done > 0 { format!(", {done} failed") } else { String::new() };
            format!(
                "Benchmark, {}, prompt {} of {}{failed}, {power}",
                name(progress.phase),
                progress.position,
                progress.planned
            )
        }
        RunStatus::Starting { step } => format!("Benchmark, {step}, {power}"),
        _ => power,
    };
    if matches!(snapshot.server, ServerState::NotRunning { .. }) {
        text.push_str("; LM Studio isn’t running");
    }
    if snapshot.simulated {
        text.push_str(" (simulated)");
    }
    text
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Baseline => "baseline",
        Phase::Prefill => "prefill",
        Phase::Decode => "decode",
        Phase::Cooldown => "cooldown",
        Phase::Done => "done",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::state::{HistoryState, PowerProblem, Reading};
    use crate::settings::Preset;

    fn snapshot() -> Snapshot {
        let reading = Reading {
            end_ns: 0,
            soc_mw: Some(18_420.0),
            cpu_mw: None,
            gpu_mw: None,
            ane_mw: None,
            dram_mw: None,
            system_mw: None,
            scope: "GPU + CPU + ANE".into(),
            missing: None,
        };
        Snapshot {
            demo: false,
            has_demo: true,
            simulated: false,
            power: PowerState::Live { reading },
            source: None,
            server: ServerState::Checking { url: "http://127.0.0.1:1234".into() },
            run: RunStatus::Idle,
            can_run: true,
            blocked: None,
            last: None,
            unfinished: None,
            history: HistoryState { count: 0, writable: true, notice: None },
            preset: Preset::Full,
            estimate: String::new(),
        }
    }

    #[test]
    fn watts_always_take_the_same_width() {
        let texts = [Some(18_420.0), Some(2_100.0), Some(104_200.0), Some(99_949.0), Some(0.0), None].map(watts);
        assert_eq!(texts, ["18.4", "\u{2007}2.1", "\u{2007}104", "99.9", "\u{2007}0.0", "\u{2007}\u{2007}\u{2007}—"]);
        assert!(texts.iter().all(|text| text.chars().count() == WIDTH));
    }

    #[test]
    fn what_is_simulated_says_so_and_what_is_missing_is_a_dash_with_its_reason() {
        let settings = UserSettings::default();
        let plain = menu_bar(&snapshot(), &settings, Some(18_420.0), 20_000.0);
        assert_eq!((plain.title.as_deref(), plain.glyph), (Some("18.4\u{a0}W"), Glyph::Idle));
        let simulated = Snapshot { simulated: true, ..snapshot() };
        let simulated = menu_bar(&simulated, &settings, Some(18_420.0), 20_000.0);
        assert_eq!(simulated.title.as_deref(), Some("18.4\u{a0}W sim"));
        assert!(simulated.tooltip.contains("simulated"));
        let power =
            PowerState::None { reason: PowerProblem::HelperMissing, message: "The helper isn’t there.".into() };
        let none = menu_bar(&Snapshot { power, ..snapshot() }, &settings, Some(18_420.0), 20_000.0);
        assert_eq!((none.title.as_deref(), none.glyph), (Some("\u{2007}\u{2007}\u{2007}—\u{a0}W"), Glyph::NoHelper));
        assert_eq!(none.tooltip, "No reading. The helper isn’t there.");
    }

    #[test]
    fn the_bar_goes_to_the_highest_power_and_the_icon_alone_has_no_text() {
        let bar = UserSettings { menu_bar: MenuBarText::WattsAndBar, ..UserSettings::default() };
        assert_eq!(menu_bar(&snapshot(), &bar, Some(5_000.0), 20_000.0).bar_ratio, Some(0.25));
        let icon = UserSettings { menu_bar: MenuBarText::Icon, ..UserSettings::default() };
        let icon = menu_bar(&snapshot(), &icon, Some(5_000.0), 20_000.0);
        assert_eq!((icon.title, icon.bar_ratio), (None, None));
        assert!(icon.tooltip.starts_with("5.0 watts"));
    }

    #[test]
    fn a_server_that_does_not_answer_leaves_the_watts_standing() {
        let server = ServerState::NotRunning { url: "http://127.0.0.1:1234".into() };
        let offline =
            menu_bar(&Snapshot { server, can_run: false, ..snapshot() }, &UserSettings::default(), Some(2_100.0), 1.0);
        assert_eq!((offline.title.as_deref(), offline.glyph), (Some("\u{2007}2.1\u{a0}W"), Glyph::Offline));
        assert!(!offline.can_run && !offline.can_stop);
    }
}
