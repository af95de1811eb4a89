//! Decodes one property list of `powermetrics -f plist` from its bytes.
//!
//! Knows the key trees: macOS 13 and later, macOS 11 and 12, Intel, and documents of fewer samplers. Leaves to others:
//! cutting a stream into documents (`joulebar_wire::documents`), what makes a number believable ([`super::decoded`]) and
//! where the sample lies in time ([`super::align`]).
//!
//! Only the root, `processor` and `gpu` are read. Nothing depends on cluster names, CPU numbers or the order of keys, a
//! key may be missing or come twice (the last one counts; powermetrics writes `gpu.idle_ratio` twice), and `integer`
//! and `real` are read alike.

mod scan;
mod values;

use self::scan::{Scalar, Scanner, Token};
use self::values::{parse_date, parse_elapsed, parse_number, parse_string, parse_thousandths};
use super::decoded::{
    DecodeNote, Decoded, Implausible, Quantity, Raw, RawRail, RawRails, accept_frequency, accept_ratio,
};
use crate::sample::ThermalPressure;

pub use error::DecodeError;
mod error {
    #![expect(missing_docs, reason = "each message is the documentation")]

    /// Why a whole document is lost.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum DecodeError {
        #[error("it is not a property list with a dictionary (byte {at})")]
        NotPropertyList { at: usize },
        #[error("it ends before its closing tag")]
        Cut,
        #[error("its structure is broken at byte {at}")]
        Structure { at: usize },
        #[error("it is nested too deeply at byte {at}")]
        TooDeep { at: usize },
    }
}

/// Decodes one document, from its first byte to `</plist>`. NUL bytes and white space around it are allowed.
///
/// # Errors
/// The document is lost when its structure is broken. A value that is missing or unbelievable costs that value only;
/// without `elapsed_ns` there are no powers from energies either.
pub fn decode(document: &[u8]) -> Result<Decoded, DecodeError> {
    let mut scanner = Scanner::at_root(document)?;
    let mut keys = Keys::default();
    read_dict(&mut scanner, |scanner, key, value| match (key, value) {
        (b"processor", Value::Dict) => read_dict(scanner, |scanner, key, value| keys.processor(scanner, key, value)),
        (b"gpu", Value::Dict) => read_dict(scanner, |scanner, key, value| keys.gpu(scanner, key, value)),
        (_, Value::Scalar(scalar)) => {
            keys.root(key, scalar);
            Ok(())
        }
        (_, container) => container.skip(scanner),
    })?;
    scanner.expect_end()?;
    Ok(keys.settle())
}

/// A key's value: a scalar, or a container whose opening tag has just been read.
#[derive(Clone, Copy)]
enum Value<'a> {
    Scalar(Scalar<'a>),
    Dict,
    Array,
}

impl Value<'_> {
    fn skip(self, scanner: &mut Scanner<'_>) -> Result<(), DecodeError> {
        match self {
            Self::Scalar(_) => Ok(()),
            Self::Dict => scanner.skip_container(true),
            Self::Array => scanner.skip_container(false),
        }
    }
}

/// Calls `entry` for each key of the dictionary that was just opened; `entry` must consume the value's container.
fn read_dict<'a>(
    scanner: &mut Scanner<'a>,
    mut entry: impl FnMut(&mut Scanner<'a>, &'a [u8], Value<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    loop {
        let at = scanner.position();
        let key = match scanner.next()? {
            Token::Key(key) => key,
            Token::DictEnd => return Ok(()),
            Token::Stray { closing: true } => continue,
            _ => return Err(DecodeError::Structure { at }),
        };
        let value = match scanner.next()? {
            Token::Scalar(scalar) => Value::Scalar(scalar),
            Token::DictStart => Value::Dict,
            Token::ArrayStart => Value::Array,
            Token::Stray { closing: false } => Value::Scalar(Scalar::Other),
            _ => return Err(DecodeError::Structure { at }),
        };
        entry(scanner, key, value)?;
    }
}

/// The keys that matter, under Apple's names and in Apple's units.
#[derive(Default)]
struct Keys<'a> {
    elapsed_ns: Option<&'a [u8]>,
    timestamp: Option<&'a [u8]>,
    hw_model: Option<&'a [u8]>,
    thermal_pressure: Option<&'a [u8]>,
    cpu_power: Raw,
    gpu_power: Raw,
    ane_power: Raw,
    combined_power: Raw,
    cpu_energy: Raw,
    gpu_energy: Raw,
    ane_energy: Raw,
    dram_energy: Raw,
    package_mw: Raw,
    package_joules: Raw,
    cpu_mw: Raw,
    cpu_joules: Raw,
    igpu_mw: Raw,
    igpu_joules: Raw,
    gpu_freq: Raw,
    gpu_idle_ratio: Raw,
    gpu_own_energy: Raw,
}

impl<'a> Keys<'a> {
    fn root(&mut self, key: &[u8], value: Scalar<'a>) {
        match (key, value) {
            (b"elapsed_ns", Scalar::Number(digits)) => self.elapsed_ns = Some(digits),
            (b"timestamp", Scalar::Date(date) | Scalar::String(date)) => self.timestamp = Some(date),
            (b"hw_model", Scalar::String(model)) => self.hw_model = Some(model),
            (b"thermal_pressure", Scalar::String(level)) => self.thermal_pressure = Some(level),
            _ => {}
        }
    }

    fn processor(&mut self, scanner: &mut Scanner<'a>, key: &[u8], value: Value<'a>) -> Result<(), DecodeError> {
        let slot = match key {
            b"cpu_power" => &mut self.cpu_power,
            b"gpu_power" => &mut self.gpu_power,
            b"ane_power" => &mut self.ane_power,
            b"combined_power" => &mut self.combined_power,
            b"cpu_energy" => &mut self.cpu_energy,
            b"gpu_energy" => &mut self.gpu_energy,
            b"ane_energy" => &mut self.ane_energy,
            b"dram_energy" => &mut self.dram_energy,
            b"package_watts" => &mut self.package_mw,
            b"package_joules" => &mut self.package_joules,
            b"cpu_watts" => &mut self.cpu_mw,
            b"cpu_joules" => &mut self.cpu_joules,
            b"igpu_watts" => &mut self.igpu_mw,
            b"igpu_joules" => &mut self.igpu_joules,
            _ => return value.skip(scanner),
        };
        *slot = match value {
            // Apple Silicon counts in mW and mJ, Intel in W and J.
            Value::Scalar(Scalar::Number(text)) if key.ends_with(b"_watts") => parse_thousandths(text),
            Value::Scalar(Scalar::Number(text)) => parse_number(text),
            _ => Raw::Unreadable,
        };
        value.skip(scanner)
    }

    fn gpu(&mut self, scanner: &mut Scanner<'a>, key: &[u8], value: Value<'a>) -> Result<(), DecodeError> {
        let slot = match key {
            b"freq_hz" => &mut self.gpu_freq,
            b"idle_ratio" => &mut self.gpu_idle_ratio,
            b"gpu_energy" => &mut self.gpu_own_energy,
            _ => return value.skip(scanner),
        };
        *slot = match value {
            Value::Scalar(Scalar::Number(text)) => parse_number(text),
            _ => Raw::Unreadable,
        };
        value.skip(scanner)
    }

    fn settle(self) -> Decoded {
        let elapsed = self.elapsed_ns.and_then(parse_elapsed);
        let mut decoded = Decoded { elapsed, ..Decoded::default() };
        if elapsed.is_none() {
            decoded.notes.push(DecodeNote::NoElapsed);
        }
        decoded.hw_model = self.hw_model.and_then(parse_string);
        decoded.thermal_pressure = self.thermal_pressure.and_then(parse_string).map(ThermalPressure::from);
        decoded.timestamp_unix_s = self.timestamp.and_then(|date| {
            let seconds = parse_date(date);
            if seconds.is_none() {
                let (quantity, why) = (Quantity::Timestamp, Implausible::Unreadable);
                decoded.notes.push(DecodeNote::Rejected { quantity, why });
            }
            seconds
        });

        let rail = |mw: Raw, mj: Raw, intel_mw: Raw, j: Raw| RawRail::new(mw.or(intel_mw), mj.per_thousand().or(j));
        let mut gpu = rail(self.gpu_power, self.gpu_energy, self.igpu_mw, self.igpu_joules);
        if gpu.energy_j.is_missing() {
            // The GPU sampler's own reading, a moment apart from the processor's.
            gpu = RawRail { energy_j: self.gpu_own_energy.per_thousand(), one_reading: false, ..gpu };
        }
        RawRails {
            cpu: rail(self.cpu_power, self.cpu_energy, self.cpu_mw, self.cpu_joules),
            gpu,
            ane: RawRail::new(self.ane_power, self.ane_energy.per_thousand()),
            dram: RawRail::new(Raw::Missing, self.dram_energy.per_thousand()),
            combined: rail(self.combined_power, Raw::Missing, self.package_mw, self.package_joules),
            combined_is_sum: !self.combined_power.is_missing(),
        }
        .settle_into(&mut decoded);

        // Calls itself hz, is MHz on Apple Silicon.
        decoded.gpu_frequency = accept_frequency(self.gpu_freq, &mut decoded.notes);
        let idle = accept_ratio(self.gpu_idle_ratio, &mut decoded.notes);
        decoded.gpu_active = idle.map(|idle| crate::units::Ratio(1.0 - idle.0));
        decoded
    }
}
