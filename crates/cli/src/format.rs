//! How numbers are shown to people. Units are here and nowhere else in the program; files carry plain numbers.

use std::time::Duration;

use joulebar_core::power::decoded::NoteCounts;

/// What is shown where there is no value.
pub const MISSING: &str = "—";

/// `value` shown by `show`, or the dash.
#[must_use]
pub fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| MISSING.to_owned(), show)
}

/// Power: `141 mW` below 1 W, `18.4 W`, `104 W` from 100 W on.
#[must_use]
pub fn power(milliwatts: f64) -> String {
    let watts = milliwatts * 1e-3;
    match milliwatts.abs() {
        below if below < 999.5 => format!("{} mW", number(milliwatts, 0)),
        below if below < 99_950.0 => format!("{} W", number(watts, 1)),
        _ => format!("{} W", number(watts, 0)),
    }
}

/// Energy: `0.42 J`, `59.3 J`, `623 J`, `15,158 J`.
#[must_use]
pub fn energy(joules: f64) -> String {
    let decimals = match joules.abs() {
        below if below < 9.995 => 2,
        below if below < 99.95 => 1,
        _ => 0,
    };
    format!("{} J", number(joules, decimals))
}

/// Energy per token without its unit: three decimals.
#[must_use]
pub fn energy_per_token(joules: f64) -> String {
    number(joules, 3)
}

/// Speed in tokens per second, without its unit: one decimal.
#[must_use]
pub fn rate(tokens_per_second: f64) -> String {
    number(tokens_per_second, 1)
}

/// A short time in milliseconds: `1,283 ms`.
#[must_use]
pub fn milliseconds(ms: f64) -> String {
    format!("{} ms", number(ms, 0))
}

/// A length of time: `12 ms`, `10.3 s`, `38 min 47 s`, `2 h 5 min`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.0995 {
        return milliseconds(seconds * 1e3);
    }
    if seconds < 59.95 {
        return format!("{} s", number(seconds, 1));
    }
    let whole = (duration + Duration::from_millis(500)).as_secs();
    match whole / 60 {
        minutes if minutes < 60 => format!("{minutes} min {} s", whole % 60),
        minutes => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// A share: `42 %`.
#[must_use]
pub fn share(ratio: f64) -> String {
    format!("{} %", number(ratio * 100.0, 0))
}

/// A size in bytes: `4.1 GB`, powers of 1000 as macOS shows them.
#[must_use]
pub fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        few if few < 1e6 => format!("{} kB", number(bytes / 1e3, 0)),
        few if few < 1e9 => format!("{} MB", number(bytes / 1e6, 0)),
        _ => format!("{} GB", number(bytes / 1e9, 1)),
    }
}

/// A count with its thousands apart: `15,158`.
#[must_use]
pub fn count(count: u64) -> String {
    group(&count.to_string())
}

/// `1 sample`, `2 samples`.
#[must_use]
pub fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// What was not taken as it stood in a stream of samples, one sentence each.
#[must_use]
pub fn doubts(notes: &NoteCounts) -> Vec<String> {
    let doubts = [
        (notes.rejected, "value", "left out: no number, negative, or beyond any Mac"),
        (notes.from_energy, "power", "taken from the energy of the same sample, which proves more"),
        (notes.combined_mismatch, "combined power", "left out: not the sum of its parts"),
    ];
    let told = doubts.into_iter().filter(|(number, ..)| *number > 0);
    told.map(|(number, what, doubt)| format!("{} {doubt}", counted(number, what))).collect()
}

/// Foreign text without what a terminal would obey: control characters and those that turn the direction of writing.
/// Ends of lines and tabs stay.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_obeyed(*c)).collect()
}

/// The same in one line.
#[must_use]
pub fn one_line(text: &str) -> String {
    printable(&text.replace(['\n', '\t'], " "))
}

/// JSON text in which such characters are escaped instead.
#[must_use]
pub fn printable_json(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_obeyed(c) {
            printable.push(c);
        } else {
            printable.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    printable
}

fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A number with its thousands apart and a real minus sign; zero never has one.
#[must_use]
pub fn number(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let zero = digits.chars().all(|digit| digit == '0' || digit == '.');
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    format!("{}{}{rest}", if value < 0.0 && !zero { "−" } else { "" }, group(whole))
}

/// Breaks a text into lines of at most `width` characters between words; lines after the first begin with `indent`.
#[must_use]
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let start = text.len() - text.trim_start().len();
    let (mut lines, mut line) = (Vec::new(), text[..start].to_owned());
    let mut fresh = true;
    for word in text[start..].split(' ') {
        if !fresh && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    lines.push(line);
    lines.join("\n")
}

fn group(digits: &str) -> String {
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_changes_its_unit_at_one_watt_and_its_decimals_at_a_hundred() {
        let shown = [0.0, 141.4, 999.4, 999.6, 18_420.0, 99_940.0, 99_960.0, 104_000.0, -250.0].map(power);
        assert_eq!(shown, ["0 mW", "141 mW", "999 mW", "1.0 W", "18.4 W", "99.9 W", "100 W", "104 W", "−250 mW"]);
    }

    #[test]
    fn energy_has_two_one_or_no_decimals() {
        assert_eq!(
            [0.424, 59.31, 623.4, 15_158.0, -0.8].map(energy),
            ["0.42 J", "59.3 J", "623 J", "15,158 J", "−0.80 J"]
        );
        assert_eq!(energy(9.996), "10.0 J");
        assert_eq!(energy_per_token(0.58149), "0.581");
    }

    #[test]
    fn times_are_shown_in_the_unit_that_fits() {
        assert_eq!(milliseconds(1_283.4), "1,283 ms");
        let shown = [0.0012, 10.3, 59.94, 59.96, 2_327.0, 7_500.0].map(|s| duration(Duration::from_secs_f64(s)));
        assert_eq!(shown, ["1 ms", "10.3 s", "59.9 s", "1 min 0 s", "38 min 47 s", "2 h 5 min"]);
    }

    #[test]
    fn missing_is_a_dash_and_zero_is_a_zero() {
        assert_eq!(or_dash(None, power), "—");
        assert_eq!(or_dash(Some(-0.0001), power), "0 mW");
        assert_eq!(share(0.424), "42 %");
    }

    #[test]
    fn long_texts_break_between_words() {
        assert_eq!(wrap("one two three", 9, "  "), "one two\n  three");
        assert_eq!(wrap("  one  two three", 10, "    "), "  one  two\n    three");
        assert_eq!(wrap("one", 2, "  "), "one");
        assert_eq!(wrap("a verylongword b", 6, "  "), "a\n  verylongword\n  b");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left_in_foreign_text() {
        let text = "a\u{1b}[31mred\u{7}\u{7f}\u{9b}2J\r\u{202e}\tb\nc é🌱";
        assert_eq!(printable(text), "a[31mred2J\tb\nc é🌱");
        assert_eq!(one_line("a\n next: b\u{1b}"), "a  next: b");
        let json = serde_json::to_string(text).unwrap();
        assert!(json.contains('\u{9b}'));
        let printable = printable_json(&json);
        assert!(!printable.chars().any(is_obeyed), "{printable}");
        assert_eq!(serde_json::from_str::<String>(&printable).unwrap(), text);
    }

    #[test]
    fn sizes_and_counts_are_grouped() {
        assert_eq!([999_000, 105_454_432, 4_100_000_000].map(size), ["999 kB", "105 MB", "4.1 GB"]);
        assert_eq!((counted(1, "sample"), counted(1_234, "sample")), ("1 sample".into(), "1,234 samples".into()));
    }
}
