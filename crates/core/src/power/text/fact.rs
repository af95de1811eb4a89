//! What single lines of a text capture say, and how their numbers are written.
//!
//! Leaves to [`super`]: which sample a line belongs to, and whether it is a line of a sample at all.

use crate::power::decoded::Raw;

const CLUSTER: &str = "-Cluster HW active frequency";
/// Longest name of a cluster that is taken for one.
const MAX_CLUSTER_BYTES: usize = 16;

/// What one line says.
#[derive(Debug)]
pub(super) enum Fact {
    Section(Section),
    Power(PowerLine, Raw),
    GpuFrequency(Raw),
    GpuActive(Raw),
    GpuIdle(Raw),
    Pressure(String),
    /// The first line about a cluster of processors.
    Cluster(String),
    /// The first line about a processor.
    Cpu(u8),
    /// An Intel GPU's line: its section has no power.
    IntelGpu,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// No section has begun: somebody may have cut their titles off.
    None,
    Processor,
    Gpu,
    Thermal,
    /// The table of tasks, full of foreign names.
    Tasks,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PowerLine {
    Cpu,
    Gpu,
    Ane,
    Dram,
    Combined,
    /// Apple Silicon's package before macOS 13: another sum than `combined`, so it is no rail here.
    Package,
    IntelPackage,
}

impl Fact {
    /// What the line says, if it says anything that is read here.
    pub(super) fn of(line: &str) -> Option<Self> {
        if line.starts_with("***") {
            let title = line.strip_suffix("***")?.trim_matches([' ', '*']);
            return Some(Self::Section(match title {
                "Processor usage" => Section::Processor,
                "GPU usage" => Section::Gpu,
                "Thermal pressure" => Section::Thermal,
                _ if title.starts_with("Running ") => Section::Tasks,
                _ => Section::Other,
            }));
        }
        if line.starts_with("GPU 0 ") {
            return Some(Self::IntelGpu);
        }
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        if let Some(cluster) = name.strip_suffix(CLUSTER).filter(|name| name.len() <= MAX_CLUSTER_BYTES) {
            return value.ends_with("MHz").then(|| Self::Cluster(cluster.to_owned()));
        }
        let cpu = name.strip_prefix("CPU ").or_else(|| name.strip_prefix("cpu "));
        if let Some(number) = cpu.and_then(|cpu| cpu.strip_suffix(" frequency")) {
            return number.parse().ok().filter(|_| value.ends_with("MHz")).map(Self::Cpu);
        }
        Some(match name {
            "CPU Power" | "Clusters Total Power" => Self::Power(PowerLine::Cpu, parse_milliwatts(value)),
            "GPU Power" => Self::Power(PowerLine::Gpu, parse_milliwatts(value)),
            "ANE Power" => Self::Power(PowerLine::Ane, parse_milliwatts(value)),
            "DRAM Power" => Self::Power(PowerLine::Dram, parse_milliwatts(value)),
            "Package Power" => Self::Power(PowerLine::Package, parse_milliwatts(value)),
            "GPU HW active frequency" | "GPU active frequency" => Self::GpuFrequency(parse_quantity(value, "MHz")),
            "GPU HW active residency" | "GPU active residency" => Self::GpuActive(parse_percent(value)),
            "GPU idle residency" => Self::GpuIdle(parse_percent(value)),
            "Current pressure level" if !value.is_empty() => Self::Pressure(value.to_owned()),
            _ if name.starts_with("Combined Power (") => Self::Power(PowerLine::Combined, parse_milliwatts(value)),
            _ if name.starts_with("Intel energy model derived package power") => {
                Self::Power(PowerLine::IntelPackage, parse_milliwatts(value))
            }
            _ => return None,
        })
    }
}

/// A power in its unit: `954 mW`, `1.20W`.
fn parse_milliwatts(text: &str) -> Raw {
    match parse_quantity(text, "mW") {
        Raw::Unreadable => {
            let watts = text.strip_suffix('W').and_then(|watts| parse_shifted(watts, "e3"));
            watts.map_or(Raw::Unreadable, Raw::Number)
        }
        power => power,
    }
}

fn parse_quantity(text: &str, unit: &str) -> Raw {
    text.strip_suffix(unit).and_then(parse_decimal).map_or(Raw::Unreadable, Raw::Number)
}

/// The share in front of the first `%`: `1.63% (338 MHz: 1.6% …)`. Below one percent there may be no leading zero.
fn parse_percent(text: &str) -> Raw {
    let share = text.split_once('%').and_then(|(percent, _)| parse_shifted(percent, "e-2"));
    share.map_or(Raw::Unreadable, Raw::Number)
}

pub(super) fn parse_decimal(text: &str) -> Option<f64> {
    parse_shifted(text, "")
}

/// A number with the decimal point or comma of wherever it was printed. It is shifted as text, so that 6.31 % is 0.0631
/// and not its neighbour.
fn parse_shifted(text: &str, shift: &str) -> Option<f64> {
    let text = text.trim();
    let number = match text.split_once(',') {
        Some((whole, fraction)) => format!("{whole}.{fraction}{shift}"),
        None => format!("{text}{shift}"),
    };
    number.parse().ok()
}
