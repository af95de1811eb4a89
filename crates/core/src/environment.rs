//! What is known of the machine that a session ran on. Every fact is optional; a missing one stays missing.

#[cfg(target_os = "macos")]
mod mac;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sample::ThermalPressure;

/// Facts about the machine, read once per session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Environment {
    /// Name and version, `macOS 15.5`, `Debian GNU/Linux 12`.
    pub os: Option<String>,
    /// Kernel version.
    pub kernel: Option<String>,
    /// Chip, `Apple M4 Pro`.
    pub chip: Option<String>,
    /// Logical processors.
    pub cores: Option<u32>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// What feeds the machine.
    pub supply: Option<Supply>,
    /// Facts of a Mac.
    #[serde(flatten)]
    pub mac: MacFacts,
}

/// What only a Mac says of itself; all missing elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(default)]
pub struct MacFacts {
    /// Build of macOS, `24F74`.
    pub os_build: Option<String>,
    /// Apple's model identifier, `Mac16,8`.
    pub model: Option<String>,
    /// Processors of the fastest kind.
    pub performance_cores: Option<u32>,
    /// Processors of the second kind.
    pub efficiency_cores: Option<u32>,
    /// Whether Low Power Mode is on.
    pub low_power_mode: Option<bool>,
    /// Thermal level, in powermetrics' words: `Nominal`.
    pub thermal_level: Option<String>,
    /// Displays that are on; 0 with the lid closed.
    pub displays: Option<u32>,
    /// Processes of powermetrics that Joulebar did not start: they read the same counters.
    pub other_powermetrics: Option<u32>,
}

/// What feeds the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Supply {
    /// Mains power.
    Ac,
    /// Its battery.
    Battery,
}

/// Reads the facts from the running machine.
#[must_use]
pub fn read_environment() -> Environment {
    use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
    let kinds =
        RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds);
    let known = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Environment {
        os: System::long_os_version().and_then(known),
        kernel: System::kernel_version().and_then(known),
        chip: system.cpus().first().and_then(|cpu| known(cpu.brand().to_owned())),
        cores: u32::try_from(system.cpus().len()).ok().filter(|count| *count > 0),
        memory_bytes: Some(system.total_memory()).filter(|bytes| *bytes > 0),
        supply: read_supply(),
        mac: read_mac(),
    }
}

#[cfg(not(target_os = "macos"))]
fn read_mac() -> MacFacts {
    MacFacts::default()
}

#[cfg(target_os = "macos")]
fn read_mac() -> MacFacts {
    MacFacts {
        os_build: mac::text(c"kern.osversion"),
        model: mac::text(c"hw.model"),
        performance_cores: mac::count(c"hw.perflevel0.logicalcpu"),
        efficiency_cores: mac::count(c"hw.perflevel1.logicalcpu"),
        low_power_mode: Some(mac::low_power_mode()),
        thermal_level: mac::thermal_level().and_then(thermal_level).map(String::from),
        displays: mac::displays(),
        other_powermetrics: mac::processes().as_deref().map(crate::doctor::gather::other_powermetrics),
    }
}

/// The thermal level of this number, as the system's notification counts; `None` for a number that is not known.
#[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "only a Mac has the number"))]
fn thermal_level(number: u64) -> Option<ThermalPressure> {
    match number {
        0 => Some(ThermalPressure::Nominal),
        1 => Some(ThermalPressure::Moderate),
        2 => Some(ThermalPressure::Heavy),
        3 => Some(ThermalPressure::Trapping),
        4 => Some(ThermalPressure::Sleeping),
        _ => None,
    }
}

fn read_supply() -> Option<Supply> {
    if cfg!(target_os = "macos") {
        let output = std::process::Command::new("/usr/bin/pmset").args(["-g", "batt"]).output().ok()?;
        return parse_pmset(&String::from_utf8_lossy(&output.stdout));
    }
    read_power_supply_class(Path::new("/sys/class/power_supply"))
}

/// Reads the first line of `pmset -g batt`: `Now drawing from 'AC Power'`.
fn parse_pmset(text: &str) -> Option<Supply> {
    let line = text.lines().next()?;
    match line.split('\'').nth(1)? {
        "AC Power" => Some(Supply::Ac),
        "Battery Power" => Some(Supply::Battery),
        _ => None,
    }
}

/// Linux: a mains supply that is online, else a battery that discharges; `None` when the folder says neither.
fn read_power_supply_class(folder: &Path) -> Option<Supply> {
    let read = |path: &Path, name: &str| {
        std::fs::read_to_string(path.join(name)).map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    let mut found = None;
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        match read(&path, "type").as_str() {
            "Mains" | "USB" if read(&path, "online") == "1" => return Some(Supply::Ac),
            "Battery" if read(&path, "status") == "Discharging" => found = Some(Supply::Battery),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pmset_names_the_supply() {
        assert_eq!(parse_pmset("Now drawing from 'AC Power'\n -InternalBattery-0"), Some(Supply::Ac));
        assert_eq!(parse_pmset("Now drawing from 'Battery Power'\n"), Some(Supply::Battery));
        assert_eq!(parse_pmset("Now drawing from 'UPS Power'\n"), None);
        assert_eq!(parse_pmset(""), None);
    }

    #[test]
    fn linux_supply_comes_from_sysfs_and_is_unknown_without_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_power_supply_class(folder.path()), None);
        let battery = folder.path().join("BAT0");
        std::fs::create_dir(&battery).unwrap();
        std::fs::write(battery.join("type"), "Battery\n").unwrap();
        std::fs::write(battery.join("status"), "Discharging\n").unwrap();
        assert_eq!(read_power_supply_class(folder.path()), Some(Supply::Battery));
        let mains = folder.path().join("AC");
        std::fs::create_dir(&mains).unwrap();
        std::fs::write(mains.join("type"), "Mains\n").unwrap();
        std::fs::write(mains.join("online"), "1\n").unwrap();
        assert_eq!(read_power_supply_class(folder.path()), Some(Supply::Ac));
    }

    #[test]
    fn thermal_levels_are_those_of_the_sampler_and_others_are_unknown() {
        let names: Vec<_> = (0..6).map(|number| thermal_level(number).map(String::from)).collect();
        let known = ["Nominal", "Moderate", "Heavy", "Trapping", "Sleeping"].map(|name| Some(name.to_owned()));
        assert_eq!(names, [&known[..], &[None]].concat());
    }

    #[test]
    fn reports_without_the_facts_of_a_mac_can_be_read() {
        let old = r#"{"os":"macOS 15.5","kernel":null,"chip":null,"cores":8,"memory_bytes":null,"supply":"ac"}"#;
        let environment: Environment = serde_json::from_str(old).unwrap();
        assert_eq!((environment.cores, environment.mac), (Some(8), MacFacts::default()));
    }

    #[test]
    fn this_machine_says_something_about_itself() {
        let environment = read_environment();
        assert!(environment.memory_bytes.is_some());
        assert!(environment.cores.is_some());
    }
}
