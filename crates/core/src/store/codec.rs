//! Small numbers in few bytes: the primitives of the history's binary forms. Nothing is rounded.

/// Why stored bytes cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum FormError {
    #[error("they have form {0}, which this version does not know")]
    Version(u8),
    #[error("they end before their end, or hold more than they should")]
    Length,
    #[error("they hold a value that cannot stand there")]
    Value,
    #[error("they hold JSON of another form")]
    Json(#[from] serde_json::Error),
}

/// Powers of ten that a decimal may be scaled by.
const SCALES: [f64; 7] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
/// In the place of a scale: eight plain bytes follow.
const PLAIN: u64 = 7;
/// Whole numbers up to here are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Bytes that are being written.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Seven bits a byte, lowest first (LEB128).
    pub(super) fn unsigned(&mut self, mut value: u64) {
        loop {
            let low = value.to_le_bytes()[0] & 0x7F;
            value >>= 7;
            if value == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    /// Small for small distances from zero, on both sides.
    pub(super) fn signed(&mut self, value: i64) {
        self.unsigned(zigzag(value));
    }

    /// A number as the decimal that it was written as, where it was one; any other as it is.
    pub(super) fn number(&mut self, value: Option<f64>) {
        let Some(value) = value else { return self.unsigned(0) };
        match decimal(value) {
            Some((digits, scale)) => self.unsigned(1 + (zigzag(digits) << 3 | scale)),
            None => {
                self.unsigned(1 + PLAIN);
                self.0.extend(value.to_le_bytes());
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.0.extend(text.as_bytes());
    }
}

/// Bytes that are being read. What it is given may be damaged.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, FormError> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, FormError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7F);
            value |= low << shift;
            if byte & 0x80 == 0 {
                // the tenth byte has room for one bit
                return if shift == 63 && low > 1 { Err(FormError::Value) } else { Ok(value) };
            }
        }
        Err(FormError::Value)
    }

    pub(super) fn signed(&mut self) -> Result<i64, FormError> {
        self.unsigned().map(unzigzag)
    }

    pub(super) fn number(&mut self) -> Result<Option<f64>, FormError> {
        let Some(head) = self.unsigned()?.checked_sub(1) else { return Ok(None) };
        let scale = usize::try_from(head & 7).ok().and_then(|scale| SCALES.get(scale));
        match scale {
            Some(scale) => Ok(Some(unzigzag(head >> 3) as f64 / scale)),
            None => {
                let bytes = self.take(8)?.try_into().map_err(|_| FormError::Length)?;
                Ok(Some(f64::from_le_bytes(bytes)))
            }
        }
    }

    pub(super) fn text(&mut self) -> Result<&'a str, FormError> {
        let length = usize::try_from(self.unsigned()?).map_err(|_| FormError::Length)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| FormError::Value)
    }

    /// The form's version, which is the first byte, and the number of entries, each of at least `least` bytes.
    pub(super) fn begin(&mut self, version: u8, least: usize) -> Result<usize, FormError> {
        match self.byte()? {
            found if found == version => {}
            other => return Err(FormError::Version(other)),
        }
        let count = usize::try_from(self.unsigned()?).map_err(|_| FormError::Length)?;
        if count > self.0.len() / least { Err(FormError::Length) } else { Ok(count) }
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), FormError> {
        if self.0.is_empty() { Ok(()) } else { Err(FormError::Length) }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], FormError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(FormError::Length)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// `value` as digits and a scale, if dividing one by the other gives exactly the same double.
fn decimal(value: f64) -> Option<(i64, u64)> {
    SCALES.iter().zip(0_u64..).find_map(|(power, scale)| {
        let digits = (value * power).round();
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53; anything else is not taken")]
        let whole = (digits.abs() < EXACT).then_some(digits as i64)?;
        ((whole as f64 / power).to_bits() == value.to_bits()).then_some((whole, scale))
    })
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(value: Option<f64>) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(value);
        writer.0
    }

    #[test]
    fn decimals_are_short_and_missing_is_not_zero() {
        assert_eq!(bytes(None).len(), 1);
        assert_eq!(bytes(Some(0.0)).len(), 1);
        assert_ne!(bytes(None), bytes(Some(0.0)));
        assert!(bytes(Some(18_420.25)).len() <= 5);
        assert!(bytes(Some(0.031)).len() <= 2);
        assert_eq!(bytes(Some(1.0 / 3.0)).len(), 9);
    }

    #[test]
    fn cut_or_endless_numbers_are_refused() {
        assert!(Reader(&[0x80]).unsigned().is_err());
        assert!(Reader(&[0xFF; 11]).unsigned().is_err());
        assert!(Reader(&[8, 1, 2]).number().is_err());
        assert!(Reader(&[3, b'a', b'b']).text().is_err());
        assert!(matches!(Reader(&[2, 0]).begin(1, 1), Err(FormError::Version(2))));
        assert!(Reader(&[1, 200, 1, 0]).begin(1, 1).is_err(), "more entries than bytes");
    }

    proptest! {
        #[test]
        fn every_double_comes_back_as_it_was(bits in any::<u64>(), digits in -1_000_000_000_i64..1_000_000_000) {
            for value in [f64::from_bits(bits), digits as f64 / 1e3, digits as f64 / 1e6, -0.0, f64::INFINITY] {
                let written = bytes(Some(value));
                let mut reader = Reader(&written);
                prop_assert_eq!(reader.number().unwrap().map(f64::to_bits), Some(value.to_bits()));
                prop_assert!(reader.end().is_ok());
            }
        }

        #[test]
        fn every_whole_number_comes_back_as_it_was(value in any::<i64>()) {
            let mut writer = Writer::default();
            writer.signed(value);
            writer.unsigned(value.cast_unsigned());
            let mut reader = Reader(&writer.0);
            prop_assert_eq!(reader.signed().unwrap(), value);
            prop_assert_eq!(reader.unsigned().unwrap(), value.cast_unsigned());
        }
    }
}
