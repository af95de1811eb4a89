//! How busy each CPU and the GPU were in a window: the residencies that fill most of a document. They follow the states of the
//! model and are made up in the details; energies never come from here.

use super::meter::Sample;
use super::schema::{Cluster, Layout};
use crate::activity::State;
use crate::model::{Parameters, mix, unit};

/// Where the time of a CPU, a cluster or the GPU went, as shares of the window that add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Residencies {
    pub(super) idle: f64,
    pub(super) down: f64,
    /// For each frequency of the table.
    pub(super) used: Vec<f64>,
}

impl Residencies {
    pub(super) fn active(&self) -> f64 {
        self.used.iter().sum()
    }

    /// Mean frequency while active in MHz; 0 if it never was, as the tool shows it.
    pub(super) fn mean_mhz(&self, table_mhz: &[u32]) -> f64 {
        let active = self.active();
        if active == 0.0 {
            return 0.0;
        }
        self.used.iter().zip(table_mhz).map(|(share, mhz)| share * f64::from(*mhz)).sum::<f64>() / active
    }
}

/// One cluster with its CPUs.
#[derive(Clone, Debug)]
pub(super) struct ClusterPicture {
    pub(super) cluster: &'static Cluster,
    pub(super) whole: Residencies,
    /// Logical number and residencies of each CPU.
    pub(super) cpus: Vec<(u32, Residencies)>,
}

/// Shares of the window in each state.
fn states(sample: &Sample) -> [(State, f64); 3] {
    let (residency, elapsed_s) = (sample.residency, sample.elapsed_s());
    [
        (State::Idle, residency.idle_s / elapsed_s),
        (State::Prefill, residency.prefill_s / elapsed_s),
        (State::Decode, residency.decode_s / elapsed_s),
    ]
}

/// The GPU's residencies. Each state works at the frequency of the table nearest to its own.
pub(super) fn gpu(sample: &Sample, layout: &Layout, parameters: &Parameters) -> Residencies {
    let mut used = vec![0.0; layout.gpu_mhz.len()];
    for (state, share) in states(sample) {
        let load = parameters.load(state);
        let distance = |mhz: u32| (f64::from(mhz) - load.gpu_mhz).abs();
        let nearest = (0..used.len())
            .min_by(|a, b| distance(layout.gpu_mhz[*a]).total_cmp(&distance(layout.gpu_mhz[*b])))
            .unwrap_or(0);
        used[nearest] += share * load.gpu_active_ratio;
    }
    let active: f64 = used.iter().sum();
    Residencies { idle: (1.0 - active).max(0.0), down: 0.0, used }
}

/// All clusters in the order of the documents.
pub(super) fn clusters(sample: &Sample, layout: &Layout, parameters: &Parameters, seed: u64) -> Vec<ClusterPicture> {
    let states = states(sample);
    let mean_active: f64 = states.iter().map(|(state, share)| share * parameters.load(*state).cpu_active_ratio).sum();
    let loaded = 1.0 - states[0].1;
    let mut number = 0;
    layout
        .clusters
        .iter()
        .map(|cluster| {
            let down = if layout.reports_down && cluster.reserve { 0.95 * (1.0 - loaded) } else { 0.0 };
            let cpus: Vec<(u32, Residencies)> = (0..cluster.cpus)
                .map(|_| {
                    let bits = mix(seed ^ mix(sample.index ^ mix(u64::from(number) + 1_000)));
                    let preference = if cluster.reserve { 0.5 } else { 1.2 };
                    let active = (mean_active * preference * (0.3 + 1.4 * unit(bits))).min(0.98) * (1.0 - down);
                    let cpu = residencies(active, down, loaded, unit(mix(bits)), cluster.mhz.len());
                    number += 1;
                    (number - 1, cpu)
                })
                .collect();
            let busiest = cpus.iter().map(|(_, cpu)| cpu.active()).fold(0.0, f64::max);
            let active = (1.6 * busiest).min(0.99 - down).max(0.0);
            let whole = residencies(active, down, loaded, 0.5, cluster.mhz.len());
            ClusterPicture { cluster, whole, cpus }
        })
        .collect()
}

/// Spreads `active` over the frequencies around a centre that rises with the load.
fn residencies(active: f64, down: f64, loaded: f64, chance: f64, frequencies: usize) -> Residencies {
    let centre = (0.05 + 0.75 * loaded + 0.15 * chance) * (frequencies as f64 - 1.0);
    let weights: Vec<f64> = (0..frequencies)
        .map(|index| {
            let distance = (index as f64 - centre).abs();
            if distance > 3.5 { 0.0 } else { (-distance).exp() }
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    let used: Vec<f64> = weights.iter().map(|weight| active * weight / sum).collect();
    Residencies { idle: (1.0 - active - down).max(0.0), down, used }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Pressure, Residency};
    use crate::powermetrics::schema::Schema;

    fn sample(prefill_s: f64, decode_s: f64) -> Sample {
        Sample {
            index: 3,
            start_ns: 0,
            end_ns: 1_000_000_000,
            cpu_mj: 1,
            gpu_mj: 1,
            ane_mj: 0,
            gpu_driver_mj: 1,
            residency: Residency { prefill_s, decode_s, idle_s: 1.0 - prefill_s - decode_s },
            pressure: Pressure::Nominal,
        }
    }

    #[test]
    fn shares_of_every_cpu_cluster_and_gpu_add_up_to_one() {
        let parameters = Parameters::default();
        for (_, schema) in Schema::ALL {
            for sample in [sample(0.0, 0.0), sample(0.5, 0.5), sample(0.1, 0.3)] {
                let layout = schema.layout();
                let mut all = vec![gpu(&sample, layout, &parameters)];
                for cluster in clusters(&sample, layout, &parameters, 1) {
                    all.push(cluster.whole);
                    all.extend(cluster.cpus.into_iter().map(|(_, cpu)| cpu));
                }
                for residencies in all {
                    let sum = residencies.active() + residencies.idle + residencies.down;
                    assert!((sum - 1.0).abs() < 1e-9, "{schema:?} {residencies:?}");
                    assert!(residencies.idle >= 0.0 && residencies.used.iter().all(|share| *share >= 0.0));
                }
            }
        }
    }

    #[test]
    fn gpu_frequency_and_activity_follow_the_state() {
        let (layout, parameters) = (Schema::M4Macos15.layout(), Parameters::default());
        let idle = gpu(&sample(0.0, 0.0), layout, &parameters);
        assert_eq!(idle.mean_mhz(layout.gpu_mhz), 338.0);
        assert!(idle.active() < 0.05);
        let prefill = gpu(&sample(1.0, 0.0), layout, &parameters);
        assert_eq!(prefill.mean_mhz(layout.gpu_mhz), 1_578.0);
        assert!(prefill.active() > 0.98);
        let both = gpu(&sample(0.5, 0.5), layout, &parameters);
        assert!((1_470.0..1_578.0).contains(&both.mean_mhz(layout.gpu_mhz)));
    }
}
