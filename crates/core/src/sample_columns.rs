//! Samples as columns of numbers, for a chart of many: a small binary form that a page reads without parsing.
//!
//! Little endian: `JBL1` as a u32, the count as a u32, then the starts (f64, milliseconds on the session's clock), the
//! measured lengths (f32, milliseconds), and cpu, gpu, ane, dram, soc, system (f32 each, milliwatts, NaN where missing).

use crate::sample::PowerSample;
use crate::units::Milliwatts;

const MAGIC: u32 = 0x4a42_4c31;

/// The columns of `samples`. More samples than a u32 counts are cut.
#[must_use]
pub fn write_columns(samples: &[PowerSample]) -> Vec<u8> {
    let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let samples = &samples[..usize::try_from(count).unwrap_or(samples.len()).min(samples.len())];
    let mut bytes = Vec::with_capacity(8 + samples.len() * 36);
    bytes.extend(MAGIC.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    for sample in samples {
        bytes.extend((sample.start.0 as f64 / 1e6).to_le_bytes());
    }
    let mut column = |value: &dyn Fn(&PowerSample) -> Option<f64>| {
        for sample in samples {
            #[expect(clippy::cast_possible_truncation, reason = "a chart needs no more than seven digits")]
            let value = value(sample).unwrap_or(f64::NAN) as f32;
            bytes.extend(value.to_le_bytes());
        }
    };
    let mw = |power: Option<Milliwatts>| power.map(|power| power.0);
    column(&|sample| Some(sample.elapsed.as_secs_f64() * 1e3));
    column(&|sample| mw(sample.power.cpu));
    column(&|sample| mw(sample.power.gpu));
    column(&|sample| mw(sample.power.ane));
    column(&|sample| mw(sample.power.dram));
    column(&|sample| mw(sample.soc_power()));
    column(&|sample| mw(sample.power.system));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, sample_at};

    #[test]
    fn columns_hold_every_sample_and_missing_is_not_a_number() {
        let samples = [sample_at(at(1.0), at(1.25), Some(5_000.0)), sample_at(at(1.25), at(1.5), None)];
        let bytes = write_columns(&samples);
        assert_eq!(bytes.len(), 8 + 2 * 36);
        let float = |offset: usize| f32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap());
        assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()), 2);
        assert_eq!(f64::from_le_bytes(bytes[8..16].try_into().unwrap()), 1_000.0);
        assert_eq!(float(24), 250.0);
        let soc = 24 + 5 * 8;
        assert_eq!(float(soc), 5_000.0);
        assert!(float(soc + 4).is_nan());
    }
}
