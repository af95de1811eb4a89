//! Decodes what `powermetrics` prints without `-f plist`, line by line. Users have such captures from before.
//!
//! Knows the names that the tool has given its lines since macOS 11, on Apple Silicon and Intel. Leaves to others: cutting
//! lines and telling text from property lists ([`super::capture`]), and what makes a number believable
//! ([`super::decoded`]).
//!
//! Text says less than a property list: whole milliwatts, no energies. Captures were cut, pasted together and copied from
//! terminals (some spaces are U+00A0 then). Nothing marks the end of a sample, so the last one counts as whole only if
//! it has every line that the samples before it had, and the closing line of each section that it began.
//!
//! The table of tasks holds names that anybody may choose, `CPU Power: 5 mW` for instance. Its rows have columns behind the
//! name, by which they differ from the lines that they resemble, and count for nothing else.

mod fact;

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use self::fact::{Fact, PowerLine, Section, parse_decimal};
use super::decoded::{Decoded, Raw, RawRail, RawRails, accept_frequency, accept_ratio};
use crate::sample::ThermalPressure;

const MACHINE: &str = "Machine model:";
const SAMPLE: &str = "*** Sampled system activity (";
const SUMMARY: &str = "*** Summary system activity (";
/// The row with which the table of tasks ends.
const LAST_TASK: &str = "ALL_TASKS ";
/// Longest header or identifier that is looked for.
const MAX_HEAD_BYTES: usize = 160;
/// How many clusters of a sample are remembered.
const MAX_CLUSTERS: usize = 32;

/// True for a line with which a capture or a sample begins.
pub(super) fn is_text_head(line: &[u8]) -> bool {
    // a blank or the first byte of a no-break space
    let stars = matches!(line, [b'*', b'*', b'*', b' ' | 0xc2, ..]);
    if !stars && !line.starts_with(b"Machine") {
        return false;
    }
    let line = plain(&line[..line.len().min(MAX_HEAD_BYTES)]);
    let line = line.trim();
    machine_model(line).is_some() || [SAMPLE, SUMMARY].iter().any(|head| line.starts_with(head) && is_complete(line))
}

/// True for a line that only the text of a sample has, whether its head is there or not.
pub(super) fn is_text_line(line: &[u8]) -> bool {
    // of all that may follow a property list, tags are what comes most
    if line.first().is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'*') {
        return false;
    }
    match Fact::of(plain(line).trim()) {
        None | Some(Fact::Section(Section::Other | Section::Tasks) | Fact::Pressure(_) | Fact::IntelGpu) => false,
        Some(Fact::Section(_) | Fact::Cluster(_) | Fact::Cpu(_)) => true,
        Some(Fact::Power(_, value) | Fact::GpuFrequency(value) | Fact::GpuActive(value) | Fact::GpuIdle(value)) => {
            value != Raw::Unreadable
        }
    }
}

/// Where in a line the head of another capture stands, up to the line's end. Nothing follows a head in its line.
pub(super) fn find_text_head(line: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'M', b'*', line).find(|at| is_text_head(&line[*at..]))
}

fn plain(line: &[u8]) -> String {
    String::from_utf8_lossy(line).replace('\u{a0}', " ")
}

/// Apple's identifiers have no blanks; a task of that name has its columns behind it.
fn machine_model(line: &str) -> Option<&str> {
    let model = line.strip_prefix(MACHINE)?.trim();
    (!model.contains(|char: char| char.is_whitespace() || char == '<')).then_some(model)
}

/// True for a sample's header that was not cut: `… (Sat Nov  8 15:54:21 2025 +0900) (5021.96ms elapsed) ***`.
fn is_complete(header: &str) -> bool {
    header.ends_with(") ***") && !header.contains('<')
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
    /// The line of a cluster whose processors have not come yet.
    cluster_offset: Option<u64>,
}

impl TextDecoder {
    /// A decoder that goes on with a capture of this machine.
    pub(super) fn of_machine(hw_model: Option<String>) -> Self {
        Self { hw_model, ..Self::default() }
    }

    /// The machine that the capture names.
    pub(super) fn into_machine(self) -> Option<String> {
        self.hw_model
    }

    /// Takes one line without its line end; gives the sample that it ends, if it ends one.
    pub(super) fn line(&mut self, offset: u64, line: &[u8]) -> Option<TextPiece> {
        let line = plain(line);
        let line = line.trim();
        let in_tasks = self.current.as_ref().is_some_and(|sample| sample.section == Section::Tasks);
        let is_head = |line: &str| is_complete(line) || !in_tasks;
        if let Some(model) = machine_model(line) {
            let ended = self.end();
            *self = Self::of_machine((!model.is_empty()).then(|| model.to_owned()));
            return ended;
        }
        if let Some(header) = line.strip_prefix(SAMPLE)
            && is_head(line)
        {
            let ended = self.end_whole();
            self.in_summary = false;
            self.cluster_offset = None;
            self.current = Some(Sample::with_header(offset, header));
            return ended;
        }
        if line.starts_with(SUMMARY) && is_head(line) {
            self.in_summary = true;
            return self.end_whole();
        }
        if self.in_summary {
            return None;
        }
        if in_tasks && line.starts_with(LAST_TASK) {
            self.current.as_mut()?.section = Section::Other;
            return None;
        }
        let fact = Fact::of(line).filter(|fact| !in_tasks || matches!(fact, Fact::Section(_)))?;
        // where a header is missing: a sample says nothing twice, and everything in its section
        let mut ended = None;
        let mut begins_at = offset;
        if let Some(sample) = &self.current
            && sample.begins_anew(&fact)
        {
            begins_at = self.cluster_offset.take().filter(|_| matches!(fact, Fact::Cpu(_))).unwrap_or(offset);
            if sample.has_header {
                // another recording
                ended = self.end();
                *self = Self::default();
            } else {
                ended = self.end_whole();
            }
        }
        self.cluster_offset = match fact {
            Fact::Cluster(_) => Some(offset),
            _ => None,
        };
        self.current.get_or_insert_with(|| Sample::without_header(begins_at)).take(fact);
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
    clusters: Vec<String>,
    /// One bit for each of the first 128 processors.
    cpus: u128,
}

impl Sample {
    fn without_header(offset: u64) -> Self {
        Self {
            offset,
            has_header: false,
            elapsed: None,
            timestamp_unix_s: None,
            section: Section::None,
            lines: Lines::default(),
            rails: RawRails::default(),
            gpu_frequency: Raw::Missing,
            gpu_active: Raw::Missing,
            gpu_idle: Raw::Missing,
            thermal_pressure: None,
            clusters: Vec::new(),
            cpus: 0,
        }
    }

    /// `header` is what follows the opening bracket: `Sat Nov  8 15:54:21 2025 +0900) (5021.96ms elapsed) ***`.
    fn with_header(offset: u64, header: &str) -> Self {
        let (date, rest) = header.split_once(')').unwrap_or((header, ""));
        let elapsed = rest.trim_start_matches([' ', '(']).split_once("ms").and_then(|(ms, _)| parse_decimal(ms));
        let elapsed =
            elapsed.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok()).filter(|elapsed| !elapsed.is_zero());
        Self { has_header: true, elapsed, timestamp_unix_s: parse_date(date), ..Self::without_header(offset) }
    }

    /// Whether this line belongs to another sample whose header is missing.
    fn begins_anew(&self, fact: &Fact) -> bool {
        let repeated = match fact {
            Fact::Section(Section::Processor) => self.lines.any_power(),
            Fact::Power(PowerLine::Cpu, _) => self.lines.has(Lines::CPU),
            Fact::Cluster(name) => self.lines.any_power() || self.clusters.contains(name),
            Fact::Cpu(number) => self.lines.any_power() || self.cpus & cpu_bit(*number) != 0,
            _ => false,
        };
        let of_processors = matches!(fact, Fact::Power(PowerLine::Cpu, _) | Fact::Cluster(_) | Fact::Cpu(_));
        let of_the_gpu = matches!(
            fact,
            Fact::Power(PowerLine::Gpu, _) | Fact::GpuFrequency(_) | Fact::GpuActive(_) | Fact::GpuIdle(_)
        );
        repeated
            || match self.section {
                Section::None | Section::Processor | Section::Tasks => false,
                Section::Gpu => of_processors,
                Section::Thermal | Section::Other => self.has_header && (of_processors || of_the_gpu),
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
                    Section::None | Section::Tasks | Section::Other => 0,
                });
            }
            Fact::Power(line, mw) => self.take_power(line, mw),
            Fact::GpuFrequency(mhz) => self.gpu_frequency = mhz,
            Fact::GpuActive(share) => self.gpu_active = share,
            Fact::GpuIdle(share) => self.gpu_idle = share,
            Fact::Cluster(name) if self.clusters.len() < MAX_CLUSTERS => self.clusters.push(name),
            Fact::Cluster(_) => {}
            Fact::Cpu(number) => self.cpus |= cpu_bit(number),
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
        if let Some(slot) = slot.filter(|slot| !matches!(slot.power_mw, Raw::Number(_))) {
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

fn cpu_bit(number: u8) -> u128 {
    1_u128.checked_shl(number.into()).unwrap_or_default()
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
