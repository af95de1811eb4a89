//! Small descriptive statistics over finite numbers. Empty input gives `None`, never 0.

/// Smallest, largest and mean of a set of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Mean, weighted when the caller gave weights.
    pub mean: f64,
    /// How many values.
    pub count: usize,
}

/// Minimum, maximum and weighted mean of `(value, weight)` pairs; weights are above zero.
#[must_use]
pub fn weighted_spread(values: impl IntoIterator<Item = (f64, f64)>) -> Option<Spread> {
    let (mut min, mut max, mut sum, mut weights, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0, 0);
    for (value, weight) in values {
        min = min.min(value);
        max = max.max(value);
        sum += value * weight;
        weights += weight;
        count += 1;
    }
    (count > 0 && weights > 0.0).then(|| Spread { min, max, mean: sum / weights, count })
}

/// Arithmetic mean.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation (n − 1); `None` for fewer than two values.
#[must_use]
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    (values.len() > 1).then(|| {
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (values.len() - 1) as f64).sqrt()
    })
}

/// Median; the mean of the middle two for an even count.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50.0)
}

/// Percentile 0 to 100 by linear interpolation between the closest ranks.
#[must_use]
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let rank = (percent.clamp(0.0, 100.0) / 100.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= rank <= len - 1")]
    let below = rank.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (rank - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_statistics() {
        assert_eq!(weighted_spread([]), None);
        assert_eq!(mean(&[]), None);
        assert_eq!(median(&[]), None);
        assert_eq!(standard_deviation(&[1.0]), None);
    }

    #[test]
    fn weighted_mean_follows_the_weights() {
        let spread = weighted_spread([(1.0, 3.0), (5.0, 1.0)]).unwrap();
        assert_eq!(spread, Spread { min: 1.0, max: 5.0, mean: 2.0, count: 2 });
    }

    #[test]
    fn percentiles_interpolate_between_ranks() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&values), Some(2.5));
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&values, 100.0), Some(4.0));
        assert!((percentile(&values, 95.0).unwrap() - 3.85).abs() < 1e-12);
    }

    #[test]
    fn standard_deviation_divides_by_n_minus_one() {
        assert_eq!(standard_deviation(&[2.0, 4.0]), Some(2.0_f64.sqrt()));
    }
}
