//! Numbers as C's `%g` writes them, which is how the tool writes every `<real>`: six significant digits, no trailing zeros.

/// `%g` of a number; `nan`, `inf` and `-inf` for those that are none.
pub(super) fn real(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // rounding to six digits may raise the exponent, so it is read off the rounded number
    let scientific = format!("{value:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        trimmed(&format!("{value:.decimals$}")).to_owned()
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
    }
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_look_as_in_the_captures() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (338.0, "338"),
            (0.7729930012, "0.772993"),
            (1_022_870_012.0, "1.02287e+09"),
            (2_004_800_000.0, "2.0048e+09"),
            (0.0000375890, "3.7589e-05"),
            (0.000_265_531_1, "0.000265531"),
            (2_978.454_076, "2978.45"),
            (999_999.7, "1e+06"),
            (123_456.4, "123456"),
            (-12.5, "-12.5"),
            (f64::NAN, "nan"),
        ];
        for (value, text) in cases {
            assert_eq!(real(value), text);
        }
    }
}
