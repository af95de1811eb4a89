//! The text of one value as a number, a date or a name.
//!
//! powermetrics writes plain text. What rewrote the document since may have put comments, `CDATA` or references into it,
//! or blanks around it; none of that changes what a value says.

use std::borrow::Cow;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::power::decoded::Raw;

/// Longest string that is taken for a model name or a pressure level.
const MAX_STRING_BYTES: usize = 128;
/// Longest reference that is looked for, `&#x10ffff;`.
const MAX_REFERENCE_BYTES: usize = 10;

pub(super) fn parse_number(raw: &[u8]) -> Raw {
    number(raw, "")
}

/// A number in thousandths of its unit: 2.86326 becomes 2863.26 and not its neighbour.
pub(super) fn parse_thousandths(raw: &[u8]) -> Raw {
    match number(raw, "e3") {
        // it has an exponent already
        Raw::Unreadable => number(raw, "").times_thousand(),
        shifted => shifted,
    }
}

fn number(raw: &[u8], shift: &str) -> Raw {
    let parse = |text: &str| match hexadecimal(text) {
        // no measured number is long enough to lose a digit here
        #[expect(clippy::cast_precision_loss, reason = "f64 is what every number becomes")]
        Some(number) if shift.is_empty() => Some(number as f64),
        _ if shift.is_empty() => text.parse().ok(),
        _ => format!("{text}{shift}").parse().ok(),
    };
    plain_text(raw).and_then(|text| parse(&text)).map_or(Raw::Unreadable, Raw::Number)
}

/// `0x3B9ACA00`, which property lists allow.
fn hexadecimal(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    u64::from_str_radix(digits, 16).ok()
}

/// Nanoseconds, above zero.
pub(super) fn parse_elapsed(raw: &[u8]) -> Option<Duration> {
    let text = plain_text(raw)?;
    let elapsed = match hexadecimal(&text).or_else(|| text.parse().ok()) {
        Some(nanoseconds) => Duration::from_nanos(nanoseconds),
        None => Duration::try_from_secs_f64(text.parse::<f64>().ok()? * 1e-9).ok()?,
    };
    (!elapsed.is_zero()).then_some(elapsed)
}

pub(super) fn parse_date(raw: &[u8]) -> Option<i64> {
    Some(OffsetDateTime::parse(&plain_text(raw)?, &Rfc3339).ok()?.unix_timestamp())
}

/// A short one-line text; what is anything else has swallowed a broken tag.
pub(super) fn parse_string(raw: &[u8]) -> Option<String> {
    let text = plain_text(raw)?;
    let sound = !text.is_empty() && text.len() <= MAX_STRING_BYTES && !text.contains(['<', '>', '\n', '\r', '\0']);
    sound.then(|| text.into_owned())
}

/// What a value says, without comments and the blanks around it; `None` when another tag is in it.
fn plain_text(raw: &[u8]) -> Option<Cow<'_, str>> {
    let raw = raw.trim_ascii();
    let Some(first) = memchr::memchr2(b'<', b'&', raw) else { return Some(String::from_utf8_lossy(raw)) };
    let (mut text, mut rest) = (raw[..first].to_vec(), &raw[first..]);
    while let Some(&byte) = rest.first() {
        if let Some(comment) = rest.strip_prefix(b"<!--") {
            rest = split_around(comment, b"-->")?.1;
        } else if byte == b'<' {
            let (literal, behind) = split_around(rest.strip_prefix(b"<![CDATA[")?, b"]]>")?;
            text.extend_from_slice(literal);
            rest = behind;
        } else if let Some((character, behind)) = reference(rest) {
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = behind;
        } else {
            // an ampersand that refers to nothing stands for itself: powermetrics does not escape what it writes
            let plain = memchr::memchr2(b'<', b'&', &rest[1..]).map_or(rest.len(), |at| at + 1);
            text.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
        }
    }
    Some(Cow::Owned(String::from_utf8_lossy(text.trim_ascii()).into_owned()))
}

/// The character that `&amp;` and its like stand for, and what follows.
fn reference(text: &[u8]) -> Option<(char, &[u8])> {
    let inside = text.strip_prefix(b"&")?;
    let end = inside.iter().take(MAX_REFERENCE_BYTES).position(|byte| *byte == b';')?;
    let name = str::from_utf8(&inside[..end]).ok()?;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let code = name.strip_prefix('#')?;
            let code = match code.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => code.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((character, &inside[end + 1..]))
}

/// What stands in front of the first `mark` and what stands behind it.
fn split_around<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(text, mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}
