//! Lines for the system's log: capped, without control characters, and no more of them than somebody can read. What is
//! measured never stands in one.

use std::ffi::CString;
use std::time::Duration;

use crate::session::TokenBucket;
use crate::sys;

/// Longest line, in characters.
const MAX_CHARS: usize = 200;

/// Makes a text fit for one line of a log.
#[must_use]
pub fn printable(text: &str) -> String {
    let escaped = text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] });
    escaped.take(MAX_CHARS).collect()
}

/// Writes one line.
pub fn write(text: &str) {
    // control characters are escaped, so there is no NUL
    if let Ok(line) = CString::new(printable(text)) {
        sys::log(&line);
    }
}

/// Leaves out what comes too often.
#[derive(Debug)]
pub struct Log {
    bucket: TokenBucket,
    left_out: u64,
}

impl Log {
    /// Lines may come at the rate of requests: some at once, then ten a second.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self { bucket: TokenBucket::full(now), left_out: 0 }
    }

    /// The line to write now, if one is due; it tells how many were left out before it.
    pub fn line(&mut self, text: &str, now: Duration) -> Option<String> {
        if !self.bucket.take(now) {
            self.left_out += 1;
            return None;
        }
        match std::mem::take(&mut self.left_out) {
            0 => Some(text.to_owned()),
            count => Some(format!("{text} ({count} lines left out)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_19_line_is_capped_and_cannot_begin_another_one() {
        let line = printable(&format!("peer\n{}\u{1b}[31m\0 {}", "fake: line\r", "x".repeat(1000)));
        assert!(line.starts_with("peer\\nfake: line\\r\\u{1b}[31m\\u{0} x"), "{line}");
        assert_eq!(line.chars().count(), MAX_CHARS);
    }

    #[test]
    fn threat_19_flood_of_lines_is_counted_and_not_written() {
        let mut log = Log::new(Duration::ZERO);
        let written = (0..1000).filter(|_| log.line("x", Duration::ZERO).is_some()).count();
        assert_eq!(written, 20);
        assert_eq!(log.line("x", Duration::from_secs(1)).unwrap(), "x (980 lines left out)");
    }
}
