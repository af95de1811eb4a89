//! Power samples and deltas as compact bytes: about a tenth of their JSON, and every bit of them comes back.

use std::time::Duration;

use super::codec::{FormError, Reader, Writer};
use crate::clock::MonotonicTime;
use crate::lmstudio::{Delta, DeltaKind};
use crate::sample::{Origin, PowerSample, Rails, ThermalPressure};
use crate::units::{Joules, Megahertz, Milliwatts, Ratio};

/// Version of both forms.
const VERSION: u8 = 1;
/// Fewest bytes of a sample.
const LEAST_SAMPLE: usize = 21;
/// Fewest bytes of a delta.
const LEAST_DELTA: usize = 3;

/// Writes samples, oldest first: words once, times as distances from the sample before.
pub(super) fn write_samples(samples: &[PowerSample]) -> Vec<u8> {
    let mut words = Words::default();
    let mut rows = Writer::default();
    let (mut end_ns, mut timestamp_s) = (0_i64, 0_i64);
    for sample in samples {
        let elapsed_ns = u64::try_from(sample.elapsed.as_nanos()).unwrap_or(u64::MAX);
        rows.signed(sample.start.0.wrapping_sub(end_ns));
        rows.unsigned(elapsed_ns);
        // zero by the sample's invariant, on which nothing here relies
        rows.signed(sample.end.0.wrapping_sub(sample.start.0).wrapping_sub(elapsed_ns.cast_signed()));
        end_ns = sample.end.0;
        each(&sample.power).iter().for_each(|power| rows.number(power.map(|power| power.0)));
        each(&sample.energy).iter().for_each(|energy| rows.number(energy.map(|energy| energy.0)));
        rows.number(sample.gpu_frequency.map(|frequency| frequency.0));
        rows.number(sample.gpu_active.map(|ratio| ratio.0));
        rows.unsigned(words.number(sample.thermal_pressure.clone().map(String::from)));
        rows.unsigned(words.number(sample.hw_model.clone()));
        rows.byte(sample.timestamp_unix_s.is_some().into());
        if let Some(seconds) = sample.timestamp_unix_s {
            rows.signed(seconds.wrapping_sub(timestamp_s));
            timestamp_s = seconds;
        }
        rows.byte(match sample.origin {
            Origin::Powermetrics => 0,
            Origin::Replay => 1,
            Origin::Simulator => 2,
            Origin::Counters => 3,
        });
    }
    let mut form = Writer::default();
    form.byte(VERSION);
    form.unsigned(samples.len() as u64);
    form.unsigned(words.0.len() as u64);
    words.0.iter().for_each(|word| form.text(word));
    form.0.append(&mut rows.0);
    form.0
}

/// Adds the samples of one form to `samples`.
///
/// # Errors
/// [`FormError`] for bytes that [`write_samples`] did not write; some samples may have been added then.
pub(super) fn read_samples(bytes: &[u8], samples: &mut Vec<PowerSample>) -> Result<(), FormError> {
    let mut rows = Reader(bytes);
    let count = rows.begin(VERSION, LEAST_SAMPLE)?;
    let mut words = Vec::new();
    for _ in 0..rows.unsigned()? {
        words.push(rows.text()?);
    }
    samples.reserve(count);
    let (mut end_ns, mut timestamp_s) = (0_i64, 0_i64);
    for _ in 0..count {
        let start_ns = end_ns.wrapping_add(rows.signed()?);
        let elapsed_ns = rows.unsigned()?;
        end_ns = start_ns.wrapping_add(elapsed_ns.cast_signed()).wrapping_add(rows.signed()?);
        samples.push(PowerSample {
            start: MonotonicTime(start_ns),
            end: MonotonicTime(end_ns),
            elapsed: Duration::from_nanos(elapsed_ns),
            power: read_rails(&mut rows, Milliwatts)?,
            energy: read_rails(&mut rows, Joules)?,
            gpu_frequency: rows.number()?.map(Megahertz),
            gpu_active: rows.number()?.map(Ratio),
            thermal_pressure: read_word(&mut rows, &words)?.map(ThermalPressure::from),
            hw_model: read_word(&mut rows, &words)?,
            timestamp_unix_s: match rows.byte()? {
                0 => None,
                _ => {
                    timestamp_s = timestamp_s.wrapping_add(rows.signed()?);
                    Some(timestamp_s)
                }
            },
            origin: match rows.byte()? {
                0 => Origin::Powermetrics,
                1 => Origin::Replay,
                2 => Origin::Simulator,
                3 => Origin::Counters,
                _ => return Err(FormError::Value),
            },
        });
    }
    rows.end()
}

/// Writes the deltas of an answer, in order.
pub(super) fn write_deltas(deltas: &[Delta]) -> Vec<u8> {
    let mut form = Writer::default();
    form.byte(VERSION);
    form.unsigned(deltas.len() as u64);
    let mut at_ns = 0_i64;
    for delta in deltas {
        form.signed(delta.at.0.wrapping_sub(at_ns));
        at_ns = delta.at.0;
        form.byte(match delta.kind {
            DeltaKind::Message => 0,
            DeltaKind::Reasoning => 1,
        });
        form.unsigned(delta.bytes.into());
    }
    form.0
}

/// Reads the deltas of an answer.
///
/// # Errors
/// [`FormError`] for bytes that [`write_deltas`] did not write.
pub(super) fn read_deltas(bytes: &[u8]) -> Result<Vec<Delta>, FormError> {
    let mut form = Reader(bytes);
    let count = form.begin(VERSION, LEAST_DELTA)?;
    let mut deltas = Vec::with_capacity(count);
    let mut at_ns = 0_i64;
    for _ in 0..count {
        at_ns = at_ns.wrapping_add(form.signed()?);
        deltas.push(Delta {
            at: MonotonicTime(at_ns),
            kind: match form.byte()? {
                0 => DeltaKind::Message,
                1 => DeltaKind::Reasoning,
                _ => return Err(FormError::Value),
            },
            bytes: u32::try_from(form.unsigned()?).map_err(|_| FormError::Value)?,
        });
    }
    form.end()?;
    Ok(deltas)
}

/// Words that samples share, each once; there are few.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    /// The word's number, from 1; 0 for none.
    fn number(&mut self, word: Option<String>) -> u64 {
        let Some(word) = word else { return 0 };
        let place = self.0.iter().position(|known| *known == word).unwrap_or_else(|| {
            self.0.push(word);
            self.0.len() - 1
        });
        place as u64 + 1
    }
}

fn read_word(rows: &mut Reader, words: &[&str]) -> Result<Option<String>, FormError> {
    let Some(place) = rows.unsigned()?.checked_sub(1) else { return Ok(None) };
    let word = usize::try_from(place).ok().and_then(|place| words.get(place)).ok_or(FormError::Value)?;
    Ok(Some((*word).to_owned()))
}

fn each<T: Copy>(rails: &Rails<T>) -> [Option<T>; 6] {
    [rails.cpu, rails.gpu, rails.ane, rails.dram, rails.combined, rails.system]
}

fn read_rails<T>(rows: &mut Reader, unit: impl Fn(f64) -> T) -> Result<Rails<T>, FormError> {
    let mut next = || rows.number().map(|number| number.map(&unit));
    Ok(Rails { cpu: next()?, gpu: next()?, ane: next()?, dram: next()?, combined: next()?, system: next()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_row::SampleRow;
    use crate::testing::record_with;

    fn samples() -> Vec<PowerSample> {
        let mut samples = record_with(2).samples;
        samples[1].start.0 -= 7;
        samples[2].thermal_pressure = Some(ThermalPressure::Other("Brand New".into()));
        samples[3].thermal_pressure = None;
        samples[3].hw_model = None;
        samples[4].timestamp_unix_s = Some(1_700_000_000);
        samples[6].timestamp_unix_s = Some(1_700_000_001);
        samples[5].power = Rails { cpu: Some(Milliwatts(f64::MIN_POSITIVE)), ..Rails::default() };
        samples[5].energy.system = Some(Joules(-0.25));
        samples[7].origin = Origin::Replay;
        samples[8].gpu_active = Some(Ratio(1.0 / 3.0));
        samples
    }

    #[test]
    fn samples_come_back_bit_by_bit_from_a_tenth_of_their_json() {
        let samples = samples();
        let bytes = write_samples(&samples);
        let mut read = vec![samples[0].clone()];
        read_samples(&bytes, &mut read).unwrap();
        assert!(read[1..] == samples[..], "they are added to what is there");
        let rows: Vec<SampleRow> = samples.iter().map(SampleRow::from).collect();
        let json = serde_json::to_vec(&rows).unwrap().len();
        assert!(bytes.len() * 8 < json, "{} bytes, {json} as JSON", bytes.len());
    }

    #[test]
    fn deltas_come_back() {
        let record = record_with(1);
        let mut deltas = record.runs[0].outcome.generation().unwrap().timeline.deltas.clone();
        deltas[3].kind = DeltaKind::Reasoning;
        let bytes = write_deltas(&deltas);
        assert_eq!(read_deltas(&bytes).unwrap(), deltas);
        assert!(bytes.len() < 8 * deltas.len());
        assert_eq!(read_deltas(&write_deltas(&[])).unwrap(), []);
    }

    #[test]
    fn bytes_that_are_cut_or_changed_never_panic_and_cuts_are_noticed() {
        let bytes = write_samples(&samples()[..12]);
        for length in 0..bytes.len() {
            assert!(read_samples(&bytes[..length], &mut Vec::new()).is_err(), "cut at {length}");
        }
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                // may succeed: finding changes is the seal's work
                let _ = read_samples(&changed, &mut Vec::new());
                let _ = read_deltas(&changed);
            }
        }
    }
}
