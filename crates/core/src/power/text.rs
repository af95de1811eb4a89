//! Decodes what `powermetrics` prints without `-f plist`, line by line. Users have such captures from before.
//!
//! Knows the names that the tool has given its lines since macOS 11, on Apple Silicon and Intel. Leaves to others: cutting
//! lines and telling text from property lists ([`super::capture`]), and what makes a number believable
//! ([`super::decoded`]).
//!
//! Text says less than a property list: whole milliwatts, no energies. Captures were cut, pasted together and copied from
//! terminals (some spaces are U+00A0 then). Nothing marks the end of a sample, so the last one counts as whole only if
//! it has every line that the samples before it had, and the closing line of each section that it began.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use super::decoded::{Decoded, Raw, RawRail, RawRails, accept_frequency, accept_ratio};
use crate::sample::ThermalPressure;

const MACHINE: &str = "Machine model:";
const SAMPLE: &str = "*** Sampled system activity (";
const SUMMARY: &str = "*** Summary system activity (";

/// True for a line with which a capture or a sample begins.
pub(super) fn is_text_head(line: &[u8]) -> bool {
    [MACHINE, SAMPLE, SUMMARY].iter().any(|head| line.starts_with(head.as_bytes()))
}

/// A sample of a text capture.
#[derive(Debug, PartialEq)]
pub(super) enum TextPiece {
    /// A whole one, and the offset of its first line.
    Sample { offset: u64, decoded: Box<Decoded> },
    /// The text ended inside it.
    Truncated { offset: u64 },
}

/// Takes the lines of a text capture and gives its samples.
#[derive(Debug, Default)]
pub(super) struct TextDecoder {
    hw_model: Option<String>,
    current: Option<Sample>,
    /// What the latest whole sample of this machine had.
    usual: Option<Lines>,
    /// Inside a summary of the whole run, which is no sample.
    in_summary: bool,
}

impl TextDecoder {
    /// Takes one line without its line end; gives the sample that it ends, if it ends one.
    pub(super) fn line(&mut self, offset: u64, line: &[u8]) -> Option<TextPiece> {
        let line = String::from_utf8_lossy(line).replace('\u{a0}', " ");
        let line = line.trim();
        if let Some(model) = line.strip_prefix(MACHINE) {
            let ended = self.end();
            *self = Self { hw_model: Some(model.trim().to_owned()), ..Self::default() };
            return ended;
        }
        if let Some(header) = line.strip_prefix(SAMPLE) {
            let ended = self.end_whole();
            self.in_summary = false;
            self.current = Some(Sample::with_header(offset, header));
            return ended;
        }
        if line.starts_with(SUMMARY) {
            self.in_summary = true;
            return self.end_whole();
        }
        if self.in_summary {
            return None;
        }
        let fact = Fact::of(line)?;
        // where a header is missing: a sample says nothing twice
        let mut ended = None;
        if let Some(sample) = &self.current
            && sample.begins_anew(&fact)
        {
            let other_recording = sample.has_header;
            ended = self.end_whole();
            if other_recording {
                *self = Self::default();
            }
        }
        self.current.get_or_insert_with(|| Sample::without_header(offset)).take(fact);
        ended
    }

    /// Ends the text: gives the last sample, whole or not.
    pub(super) fn end(&mut self) -> Option<TextPiece> {
        let sample = self.current.as_ref()?;
        if sample.has_header && !sample.lines.are_whole(self.usual) {
            let offset = sample.offset;
            self.current = None;
            return Some(TextPiece::Truncated { offset });
        }
        self.end_whole()
    }

    fn end_whole(&mut self) -> Option<TextPiece> {
        let sample = self.current.take()?;
        if !sample.has_header && !sample.lines.any_power() {
            return None;
        }
        self.usual = Some(sample.lines);
        let offset = sample.offset;
        Some(TextPiece::Sample { offset, decoded: Box::new(sample.settle(self.hw_model.clone())) })
    }
}

/// What one line says.
#[derive(Debug)]
enum Fact {
    Section(Section),
    Power(PowerLine, Raw),
    GpuFrequency(Raw),
    GpuActive(Raw),
    GpuIdle(Raw),
    Pressure(String),
    /// An Intel GPU's line: its section has no power.
    IntelGpu,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Processor,
    Gpu,
    Thermal,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PowerLine {
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
    fn of(line: &str) -> Option<Self> {
        if let Some(title) = line.strip_prefix("****") {
            return Some(Self::Section(match title.trim_matches([' ', '*']) {
                "Processor usage" => Section::Processor,
                "GPU usage" => Section::Gpu,
                "Thermal pressure" => Section::Thermal,
                _ => Section::Other,
            }));
        }
        if line.starts_with("GPU 0 ") {
            return Some(Self::IntelGpu);
        }
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
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

/// Which lines a sample has.
#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    bits: u16,
}

impl Lines {
    const CPU: u16 = 1;
    const GPU: u16 = 1 << 1;
    const ANE: u16 = 1 << 2;
    const DRAM: u16 = 1 << 3;
    const COMBINED: u16 = 1 << 4;
    const PACKAGE: u16 = 1 << 5;
    const INTEL_PACKAGE: u16 = 1 << 6;
    const GPU_IN_ITS_SECTION: u16 = 1 << 7;
    const PRESSURE: u16 = 1 << 8;
    const PROCESSOR_SECTION: u16 = 1 << 9;
    const GPU_SECTION: u16 = 1 << 10;
    const THERMAL_SECTION: u16 = 1 << 11;
    const INTEL_GPU: u16 = 1 << 12;
    const ANY_POWER: u16 = Self::CPU | Self::GPU | Self::ANE | Self::DRAM | Self::COMBINED | Self::INTEL_PACKAGE;

    fn add(&mut self, bit: u16) {
        self.bits |= bit;
    }

    fn has(self, any_of: u16) -> bool {
        self.bits & any_of != 0
    }

    fn any_power(self) -> bool {
        self.has(Self::ANY_POWER)
    }

    /// Whether a sample with these lines that nothing follows is whole, after samples that had the `usual` ones.
    fn are_whole(self, usual: Option<Self>) -> bool {
        let closed = |section: u16, closing: u16| !self.has(section) || self.has(closing);
        // a sample that says nothing at all is whole only among its like
        usual.map_or(self.bits != 0, |usual| usual.bits & !self.bits == 0)
            && closed(Self::PROCESSOR_SECTION, Self::COMBINED | Self::PACKAGE | Self::INTEL_PACKAGE)
            && closed(Self::GPU_SECTION, Self::GPU_IN_ITS_SECTION | Self::INTEL_GPU)
            && closed(Self::THERMAL_SECTION, Self::PRESSURE)
    }
}

#[derive(Debug)]
struct Sample {
    offset: u64,
    has_header: bool,
    elapsed: Option<Duration>,
    timestamp_unix_s: Option<i64>,
    section: Section,
    lines: Lines,
    rails: RawRails,
    gpu_frequency: Raw,
    gpu_active: Raw,
    gpu_idle: Raw,
    thermal_pressure: Option<String>,
}

impl Sample {
    fn without_header(offset: u64) -> Self {
        Self {
            offset,
            has_header: false,
            elapsed: None,
            timestamp_unix_s: None,
            section: Section::Other,
            lines: Lines::default(),
            rails: RawRails::default(),
            gpu_frequency: Raw::Missing,
            gpu_active: Raw::Missing,
            gpu_idle: Raw::Missing,
            thermal_pressure: None,
        }
    }

    /// `header` is what follows the opening bracket: `Sat Nov  8 15:54:21 2025 +0900) (5021.96ms elapsed) ***`.
    fn with_header(offset: u64, header: &str) -> Self {
        let (date, rest) = header.split_once(')').unwrap_or((header, ""));
        let elapsed =
            rest.trim_start_matches([' ', '(']).split_once("ms").and_then(|(ms, _)| ms.trim().parse::<f64>().ok());
        let elapsed =
            elapsed.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok()).filter(|elapsed| !elapsed.is_zero());
        Self { has_header: true, elapsed, timestamp_unix_s: parse_date(date), ..Self::without_header(offset) }
    }

    fn begins_anew(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Power(PowerLine::Cpu, _) => self.lines.has(Lines::CPU),
            Fact::Section(Section::Processor) => self.lines.any_power(),
            _ => false,
        }
    }

    fn take(&mut self, fact: Fact) {
        match fact {
            Fact::Section(section) => {
                self.section = section;
                self.lines.add(match section {
                    Section::Processor => Lines::PROCESSOR_SECTION,
                    Section::Gpu => Lines::GPU_SECTION,
                    Section::Thermal => Lines::THERMAL_SECTION,
                    Section::Other => 0,
                });
            }
            Fact::Power(line, mw) => self.take_power(line, mw),
            Fact::GpuFrequency(mhz) => self.gpu_frequency = mhz,
            Fact::GpuActive(share) => self.gpu_active = share,
            Fact::GpuIdle(share) => self.gpu_idle = share,
            Fact::Pressure(level) => {
                self.thermal_pressure = Some(level);
                self.lines.add(Lines::PRESSURE);
            }
            Fact::IntelGpu => self.lines.add(Lines::INTEL_GPU),
        }
    }

    fn take_power(&mut self, line: PowerLine, mw: Raw) {
        let (slot, bit) = match line {
            PowerLine::Cpu => (Some(&mut self.rails.cpu), Lines::CPU),
            PowerLine::Gpu => (Some(&mut self.rails.gpu), Lines::GPU),
            PowerLine::Ane => (Some(&mut self.rails.ane), Lines::ANE),
            PowerLine::Dram => (Some(&mut self.rails.dram), Lines::DRAM),
            PowerLine::Combined => (Some(&mut self.rails.combined), Lines::COMBINED),
            PowerLine::Package => (None, Lines::PACKAGE),
            PowerLine::IntelPackage => (Some(&mut self.rails.combined), Lines::INTEL_PACKAGE),
        };
        // GPU Power comes twice; the first one belongs to Combined
        if let Some(slot) = slot.filter(|slot| slot.power_mw.is_missing()) {
            *slot = RawRail::new(mw, Raw::Missing);
            self.rails.combined_is_sum |= line == PowerLine::Combined;
        }
        // a line that was cut inside its number closes nothing
        if mw != Raw::Unreadable {
            self.lines.add(bit);
            if line == PowerLine::Gpu && self.section == Section::Gpu {
                self.lines.add(Lines::GPU_IN_ITS_SECTION);
            }
        }
    }

    fn settle(self, hw_model: Option<String>) -> Decoded {
        let mut decoded = Decoded {
            elapsed: self.elapsed,
            timestamp_unix_s: self.timestamp_unix_s,
            hw_model,
            thermal_pressure: self.thermal_pressure.map(ThermalPressure::from),
            ..Decoded::default()
        };
        self.rails.settle_into(&mut decoded);
        decoded.gpu_frequency = accept_frequency(self.gpu_frequency, &mut decoded.notes);
        decoded.gpu_active = accept_ratio(self.gpu_active.or(self.gpu_idle.complement()), &mut decoded.notes);
        decoded
    }
}

/// A power in its unit: `954 mW`, `1.20W`.
fn parse_milliwatts(text: &str) -> Raw {
    match parse_quantity(text, "mW") {
        Raw::Unreadable => parse_quantity(text, "W").times_thousand(),
        power => power,
    }
}

fn parse_quantity(text: &str, unit: &str) -> Raw {
    let number = text.strip_suffix(unit).and_then(|number| number.trim_end().parse().ok());
    number.map_or(Raw::Unreadable, Raw::Number)
}

/// The share in front of the first `%`: `1.63% (338 MHz: 1.6% …)`. Below one percent there may be no leading zero.
fn parse_percent(text: &str) -> Raw {
    // shifted as text, so that 6.31 % is 0.0631 and not its neighbour
    let share = text.split_once('%').and_then(|(percent, _)| format!("{}e-2", percent.trim()).parse().ok());
    share.map_or(Raw::Unreadable, Raw::Number)
}

/// Local time with its offset: `Sat Nov  8 15:54:21 2025 +0900`.
fn parse_date(text: &str) -> Option<i64> {
    let format = format_description!(
        "[weekday repr:short] [month repr:short] [day padding:none] [hour]:[minute]:[second] [year] \
         [offset_hour sign:mandatory][offset_minute]"
    );
    let single_spaced = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(OffsetDateTime::parse(&single_spaced, format).ok()?.unix_timestamp())
}
