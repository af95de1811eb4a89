//! How the power of one rail follows its load, with its integral in closed form.
//!
//! With load `u` (target power above idle, W) constant over a stretch of time, two first-order systems run beside each other:
//! the ramp `R' = (u − R)/τr` and the tail `T' = (k·u − T)/τt`. Power above idle is `R + T`. Both are linear, so the answer to
//! several requests is the sum of the answers to each, and the whole energy that a stretch of load ever causes is
//! `u·Δt·(1 + k)`, wherever it ends up in time.

use super::Parameters;

/// State of one rail's answer to load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Response {
    ramp_w: f64,
    tail_w: f64,
}

impl Response {
    /// Power above idle now, in watts.
    pub(super) fn power_w(self) -> f64 {
        self.ramp_w + self.tail_w
    }

    /// The state after `elapsed_s` seconds of constant load, and the energy above idle spent in them, in joules.
    pub(super) fn advance(self, load_w: f64, elapsed_s: f64, parameters: &Parameters) -> (Self, f64) {
        let (ramp_w, ramp_j) = first_order(self.ramp_w, load_w, elapsed_s, parameters.ramp_tau_s);
        let (tail_w, tail_j) =
            first_order(self.tail_w, load_w * parameters.tail_share, elapsed_s, parameters.tail_tau_s);
        (Self { ramp_w, tail_w }, ramp_j + tail_j)
    }
}

/// Value after `elapsed_s` and integral over it of `x' = (target − x)/tau`.
fn first_order(start: f64, target: f64, elapsed_s: f64, tau_s: f64) -> (f64, f64) {
    let gone = -(-elapsed_s / tau_s).exp_m1();
    (start + (target - start) * gone, target * elapsed_s + (start - target) * tau_s * gone)
}

/// All the energy that `elapsed_s` seconds of `load_w` cause from their beginning to the end of time, in joules.
pub(super) fn caused_energy_j(load_w: f64, elapsed_s: f64, parameters: &Parameters) -> f64 {
    load_w * elapsed_s * (1.0 + parameters.tail_share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_and_state_do_not_depend_on_how_time_is_cut() {
        let parameters = Parameters::default();
        let (whole, whole_j) = Response::default().advance(20.0, 3.0, &parameters);
        let mut pieces = Response::default();
        let mut pieces_j = 0.0;
        for elapsed_s in [0.001, 0.08, 0.919, 1.3, 0.7] {
            let (next, energy_j) = pieces.advance(20.0, elapsed_s, &parameters);
            pieces = next;
            pieces_j += energy_j;
        }
        assert!((whole_j - pieces_j).abs() < 1e-12 * whole_j);
        assert!((whole.power_w() - pieces.power_w()).abs() < 1e-12 * whole.power_w());
    }

    #[test]
    fn caused_energy_is_what_comes_until_the_end_of_time() {
        let parameters = Parameters::default();
        let (after_load, during_j) = Response::default().advance(20.0, 3.0, &parameters);
        let (at_rest, afterwards_j) = after_load.advance(0.0, 1_000.0, &parameters);
        let caused_j = caused_energy_j(20.0, 3.0, &parameters);
        assert!(at_rest.power_w() < 1e-12);
        assert!(afterwards_j > 1.0);
        assert!((during_j + afterwards_j - caused_j).abs() < 1e-9 * caused_j);
    }
}
