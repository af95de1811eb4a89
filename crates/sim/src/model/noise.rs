//! Unrest of the idle power: piecewise constant, a function of seed, rail and time alone.

use super::{Parameters, Rail};

const NS_PER_MS: i64 = 1_000_000;

/// Deviation from the mean idle power at `mono_ns`, in watts.
pub(super) fn power_w(parameters: &Parameters, seed: u64, rail: Rail, mono_ns: i64) -> f64 {
    let sd_w = deviation_w(parameters, rail);
    if sd_w == 0.0 { 0.0 } else { sd_w * deviate(seed, rail, mono_ns.div_euclid(cell_ns(parameters))) }
}

/// Integral of the deviation over `[from_ns, to_ns]`, in joules.
pub(super) fn energy_j(parameters: &Parameters, seed: u64, rail: Rail, from_ns: i64, to_ns: i64) -> f64 {
    let sd_w = deviation_w(parameters, rail);
    if sd_w == 0.0 || to_ns <= from_ns {
        return 0.0;
    }
    let cell_ns = cell_ns(parameters);
    let mut start_ns = from_ns;
    let mut sum = 0.0;
    while start_ns < to_ns {
        let cell = start_ns.div_euclid(cell_ns);
        let end_ns = ((cell + 1) * cell_ns).min(to_ns);
        sum += deviate(seed, rail, cell) * (end_ns - start_ns) as f64 * 1e-9;
        start_ns = end_ns;
    }
    sd_w * sum
}

fn cell_ns(parameters: &Parameters) -> i64 {
    i64::from(parameters.noise.cell_ms) * NS_PER_MS
}

fn deviation_w(parameters: &Parameters, rail: Rail) -> f64 {
    match rail {
        Rail::Cpu => parameters.noise.cpu_sd_w,
        Rail::Gpu => parameters.noise.gpu_sd_w,
        // powermetrics shows whole mJ and an idle neural engine as exactly 0
        Rail::Ane => 0.0,
    }
}

/// A standard normal deviate, cut at ±3, for one cell.
fn deviate(seed: u64, rail: Rail, cell: i64) -> f64 {
    let rail = match rail {
        Rail::Cpu => 1,
        Rail::Gpu => 2,
        Rail::Ane => 3,
    };
    let first = mix(seed ^ mix(cell.cast_unsigned() ^ mix(rail)));
    let second = mix(first);
    // Box-Muller; the half keeps the logarithm away from 0
    let radius = (-2.0 * unit(first).ln()).sqrt();
    (radius * (std::f64::consts::TAU * unit(second)).cos()).clamp(-3.0, 3.0)
}

/// The upper 53 bits as a number in (0, 1).
pub(crate) fn unit(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// SplitMix64's output function: every input gives an unrelated output.
pub(crate) fn mix(input: u64) -> u64 {
    let mut bits = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviates_have_mean_zero_and_the_standard_deviation_asked_for() {
        let values: Vec<f64> = (0..20_000).map(|cell| deviate(7, Rail::Cpu, cell)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!((variance.sqrt() - 1.0).abs() < 0.03, "standard deviation {}", variance.sqrt());
    }

    #[test]
    fn noise_is_a_function_of_seed_and_time_and_integrates_exactly() {
        let parameters = Parameters::default();
        assert_eq!(power_w(&parameters, 1, Rail::Cpu, 123_456_789), power_w(&parameters, 1, Rail::Cpu, 199_999_999));
        assert_ne!(power_w(&parameters, 1, Rail::Cpu, 123_456_789), power_w(&parameters, 2, Rail::Cpu, 123_456_789));
        let (from_ns, middle_ns, to_ns) = (-150_000_000, 333_333_333, 912_345_678);
        let whole = energy_j(&parameters, 1, Rail::Cpu, from_ns, to_ns);
        let halves = energy_j(&parameters, 1, Rail::Cpu, from_ns, middle_ns)
            + energy_j(&parameters, 1, Rail::Cpu, middle_ns, to_ns);
        assert!((whole - halves).abs() < 1e-15);
        let cells: f64 = [(-150, 0), (0, 200), (200, 400), (400, 600), (600, 800)]
            .iter()
            .map(|(from_ms, to_ms): &(i64, i64)| {
                power_w(&parameters, 1, Rail::Cpu, from_ms * NS_PER_MS) * (to_ms - from_ms) as f64 * 1e-3
            })
            .sum::<f64>()
            + power_w(&parameters, 1, Rail::Cpu, 850 * NS_PER_MS) * 0.112_345_678;
        assert!((whole - cells).abs() < 1e-12);
    }
}
