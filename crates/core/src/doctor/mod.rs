//! What Joulebar relies on, checked one by one: each a row with what was found and what to do.
//!
//! The rows are pure: [`facts`] in, rows out (`power_rows`, `mac_rows`, `own_rows`), so that every answer a Mac may
//! give is tested without one. Facts come from a conversation with the helper ([`probe`]) and from the system
//! ([`gather`]); a bug report is made of both ([`bundle`]) after everything personal is taken out ([`anonymise`]).
//!
//! The terminal (`joulebar doctor`) and the app's Diagnostics page show the same rows. `docs/unverified.md` names them by
//! their ids; a test holds the two together.

pub mod anonymise;
pub mod bundle;
pub mod facts;
pub mod gather;
mod mac_rows;
mod own_rows;
mod power_rows;
pub mod probe;
mod schema;
pub mod signed;
#[cfg(test)]
mod tests;
mod without_root;

use serde::Serialize;

pub use facts::{Facts, Probe, SystemFacts};

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

/// The ids of all rows, in the order in which they are shown.
pub const ROW_IDS: [&str; 26] = [
    "helper",
    "helper_daemon",
    "helper_reachable",
    "helper_version",
    "power",
    "interval",
    "powermetrics",
    "samplers",
    "schema",
    "counters",
    "siginfo",
    "helper_clock",
    "other_powermetrics",
    "app_signature",
    "helper_signature",
    "requirement",
    "app_place",
    "ioreport",
    "system_power",
    "server",
    "server_api",
    "history",
    "settings",
    "clock",
    "machine",
    "disk",
];

/// The rows, most important first: one for each of [`ROW_IDS`].
#[must_use]
pub fn rows(facts: &Facts<'_>) -> Vec<CheckRow> {
    vec![
        power_rows::helper(facts.helper),
        mac_rows::helper_daemon(facts.system),
        power_rows::reachable(facts.probe, facts.system),
        power_rows::version(facts.probe),
        power_rows::power(facts.power, facts.helper, facts.system),
        power_rows::interval(facts.helper, facts.system),
        power_rows::powermetrics(facts.system),
        power_rows::samplers(facts.probe, facts.system),
        power_rows::schema(facts.probe),
        power_rows::counters(facts.probe),
        power_rows::siginfo(facts.probe),
        power_rows::helper_clock(facts.probe),
        power_rows::other_powermetrics(facts.system),
        mac_rows::app_signature(facts.system),
        mac_rows::helper_signature(facts.system),
        mac_rows::requirement(facts.system),
        mac_rows::app_place(facts.system),
        mac_rows::ioreport(facts.system),
        mac_rows::system_power(facts.system),
        own_rows::server(facts.server),
        own_rows::server_api(facts.server, facts.api),
        own_rows::history(facts.history, &facts.data_folder),
        own_rows::settings(facts),
        own_rows::clock(facts.pause_s),
        own_rows::machine(facts.environment, facts.system),
        own_rows::disk(facts.system),
    ]
}

/// True when a check failed.
#[must_use]
pub fn any_failed(rows: &[CheckRow]) -> bool {
    rows.iter().any(|row| row.result == CheckResult::Fail)
}

fn row(id: &str, title: &str, result: CheckResult, detail: impl Into<String>, next: Option<&str>) -> CheckRow {
    CheckRow { id: id.into(), title: title.into(), result, detail: detail.into(), next: next.map(str::to_owned) }
}

/// A row about something that macOS alone has.
fn mac_alone(id: &str, title: &str) -> CheckRow {
    row(id, title, CheckResult::DoesNotApply, "macOS alone has it.", None)
}
