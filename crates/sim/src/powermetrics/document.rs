//! One sample as a property list, key by key in the order and on the lines of the real tool.

use std::fmt::Write;

use time::OffsetDateTime;
use time::macros::format_description;

use super::meter::Sample;
use super::options::Sampler;
use super::picture::{self, ClusterPicture, Residencies};
use super::real::real;
use super::schema::{Energies, GpuRequests, Layout};
use crate::model::{Parameters, Pressure};

/// What stays the same from document to document.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    pub(super) layout: &'static Layout,
    pub(super) parameters: &'a Parameters,
    pub(super) seed: u64,
    pub(super) samplers: &'a [Sampler],
    pub(super) boot_unix_s: i64,
}

impl Machine<'_> {
    pub(super) fn has(&self, sampler: Sampler) -> bool {
        self.samplers.contains(&sampler)
    }
}

/// A whole document, from `<?xml` to the line break after `</plist>`. The NUL in front of it is the stream's.
pub(super) fn render(sample: &Sample, machine: &Machine<'_>, unix_s: i64) -> String {
    let layout = machine.layout;
    let mut out = Plist(String::with_capacity(64 * 1024));
    out.0.push_str(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n",
        "<plist version=\"1.0\">\n<dict>\n",
        "<key>is_delta</key><true/>\n"
    ));
    out.integer("elapsed_ns", sample.elapsed_ns());
    out.string("hw_model", layout.hw_model);
    out.string("kern_osversion", layout.build);
    out.string("kern_bootargs", "");
    out.integer("kern_boottime", machine.boot_unix_s);
    let _ = writeln!(out.0, "<key>timestamp</key><date>{}</date>", iso(unix_s));
    if machine.has(Sampler::Tasks) {
        tasks(&mut out, sample);
    }
    if machine.has(Sampler::Battery) {
        out.open("battery");
        out.integer("percent_charge", 80);
        out.close();
    }
    if machine.has(Sampler::Network) {
        out.open("network");
        for (count, rate) in [
            ("opackets", "opacket_rate"),
            ("ipackets", "ipacket_rate"),
            ("obytes", "obyte_rate"),
            ("ibytes", "ibyte_rate"),
        ] {
            out.rated(count, rate, 0, sample);
        }
        out.close();
    }
    if machine.has(Sampler::Disk) {
        out.open("disk");
        for (count, rate) in [
            ("rops_diff", "rops_per_s"),
            ("wops_diff", "wops_per_s"),
            ("rbytes_diff", "rbytes_per_s"),
            ("wbytes_diff", "wbytes_per_s"),
        ] {
            out.rated(count, rate, 0, sample);
        }
        out.close();
    }
    if machine.has(Sampler::Interrupts) {
        interrupts(&mut out, sample, layout);
    }
    if machine.has(Sampler::CpuPower) {
        processor(&mut out, sample, machine);
    }
    if machine.has(Sampler::Thermal) {
        out.string("thermal_pressure", pressure_name(sample.pressure));
    }
    if machine.has(Sampler::Sfi) {
        out.open("sfi");
        out.integer("window_size_us", 0);
        out.open("sfi_classes");
        for class in ["DARWIN_BG", "APP_NAP", "DEFAULT_FOCAL", "UTILITY", "USER_INITIATED_FOCAL", "MAINTENANCE"] {
            out.integer(&format!("SFI_CLASS_{class}"), 0);
        }
        out.close();
        out.close();
    }
    if machine.has(Sampler::GpuPower) {
        gpu(&mut out, sample, machine);
    }
    out.0.push_str("</dict>\n</plist>\n");
    out.0
}

pub(super) fn pressure_name(pressure: Pressure) -> &'static str {
    match pressure {
        Pressure::Nominal => "Nominal",
        Pressure::Moderate => "Moderate",
        Pressure::Heavy => "Heavy",
    }
}

/// Energies of the old schema that the model has no rail for, in mJ: memory and the whole package, derived from the others.
pub(super) fn dram_and_package_mj(sample: &Sample) -> (i64, i64) {
    let chip_mj = sample.cpu_mj + sample.gpu_mj + sample.ane_mj;
    // an idle M1 spends some 80 mW on memory and 60 mW on the rest of the package
    let idle_mj = sample.elapsed_ns() / 1_000_000;
    let dram_mj = idle_mj * 8 / 100 + chip_mj / 10;
    (dram_mj, chip_mj + dram_mj + idle_mj * 6 / 100)
}

/// Power of each cluster in whole mW; together the CPU's power, but for rounding.
pub(super) fn cluster_power_mw(sample: &Sample, clusters: &[ClusterPicture]) -> Vec<i64> {
    let weights: Vec<f64> = clusters
        .iter()
        .map(|picture| {
            let cpus: f64 = picture.cpus.iter().map(|(_, cpu)| cpu.active()).sum();
            cpus * picture.whole.mean_mhz(picture.cluster.mhz).powi(2)
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    let total_mw = sample.power_mw(sample.cpu_mj);
    weights.iter().map(|weight| rounded(if sum > 0.0 { total_mw * weight / sum } else { 0.0 })).collect()
}

fn processor(out: &mut Plist, sample: &Sample, machine: &Machine<'_>) {
    let layout = machine.layout;
    let pictures = picture::clusters(sample, layout, machine.parameters, machine.seed);
    let cluster_mw = cluster_power_mw(sample, &pictures);
    let mut instructions = 0.0;
    out.open("processor");
    out.open_array("clusters");
    for (picture, power_mw) in pictures.iter().zip(cluster_mw) {
        out.0.push_str("<dict>\n");
        out.string("name", picture.cluster.name);
        if layout.energies == Energies::WithPackage {
            out.integer("power", power_mw);
        }
        out.0.push_str("<key>hw_resid_counters</key><true/>\n");
        let whole = &picture.whole;
        let scale =
            if layout.cluster_ratios_over_active_time && whole.active() > 0.0 { whole.active().recip() } else { 1.0 };
        residencies(out, sample, layout, whole, picture.cluster.mhz, scale);
        if picture.cluster.online_ratio {
            out.real("online_ratio", 1.0);
        }
        if layout.instructions {
            let retired = instructions_retired(sample, picture);
            instructions += retired;
            out.real("inst_retired", retired);
            out.real("inst_per_clk", 1.2);
        }
        out.open_array("cpus");
        for (number, cpu) in &picture.cpus {
            out.0.push_str("<dict>\n");
            out.integer("cpu", i64::from(*number));
            residencies(out, sample, layout, cpu, picture.cluster.mhz, 1.0);
            out.close();
        }
        out.close_array();
        out.close();
    }
    out.close_array();
    if layout.instructions {
        out.real("inst_retired", instructions);
        out.real("inst_per_clk", 1.2);
    }
    // the totals alone have key and value on lines of their own
    match layout.energies {
        Energies::WithPackage => {
            let (dram_mj, package_mj) = dram_and_package_mj(sample);
            for (key, energy_mj) in [
                ("ane_energy", sample.ane_mj),
                ("dram_energy", dram_mj),
                ("cpu_energy", sample.cpu_mj),
                ("gpu_energy", sample.gpu_mj),
                ("package_energy", package_mj),
            ] {
                let _ = writeln!(out.0, "<key>{key}</key>\n<integer>{energy_mj}</integer>");
            }
        }
        Energies::WithPower => {
            let mut combined_mw = 0.0;
            for (rail, energy_mj) in [("cpu", sample.cpu_mj), ("gpu", sample.gpu_mj), ("ane", sample.ane_mj)] {
                let power_mw = sample.power_mw(energy_mj);
                combined_mw += power_mw;
                let _ = writeln!(out.0, "<key>{rail}_energy</key>\n<integer>{energy_mj}</integer>");
                let _ = writeln!(out.0, "<key>{rail}_power</key>\n<real>{}</real>", real(power_mw));
            }
            let _ = writeln!(out.0, "<key>combined_power</key>\n<real>{}</real>", real(combined_mw));
        }
    }
    out.close();
}

pub(super) fn instructions_retired(sample: &Sample, picture: &ClusterPicture) -> f64 {
    let cycles: f64 = picture.cpus.iter().map(|(_, cpu)| cpu.active() * cpu.mean_mhz(picture.cluster.mhz) * 1e6).sum();
    1.2 * cycles * sample.elapsed_s()
}

fn residencies(
    out: &mut Plist,
    sample: &Sample,
    layout: &Layout,
    residencies: &Residencies,
    table_mhz: &[u32],
    scale: f64,
) {
    out.real("freq_hz", residencies.mean_mhz(table_mhz) * 1e6);
    out.share("idle", residencies.idle, sample);
    if layout.reports_down {
        out.share("down", residencies.down, sample);
    }
    out.open_array("dvfm_states");
    for (mhz, share) in table_mhz.iter().zip(&residencies.used) {
        out.0.push_str("<dict>\n");
        out.integer("freq", i64::from(*mhz));
        out.share("used", share * scale, sample);
        out.close();
    }
    out.close_array();
}

fn gpu(out: &mut Plist, sample: &Sample, machine: &Machine<'_>) {
    let layout = machine.layout;
    let gpu = picture::gpu(sample, layout, machine.parameters);
    let active = gpu.active();
    out.open("gpu");
    // the key says Hz; the number is in MHz
    out.real("freq_hz", gpu.mean_mhz(layout.gpu_mhz));
    out.share("idle", gpu.idle, sample);
    let frequencies = |out: &mut Plist, key: &str| {
        out.open_array(key);
        for (mhz, share) in layout.gpu_mhz.iter().zip(&gpu.used) {
            out.0.push_str("<dict>\n");
            out.integer("freq", i64::from(*mhz));
            out.share("used", *share, sample);
            out.close();
        }
        out.close_array();
    };
    let states = |out: &mut Plist, array: &str, key: &str, prefix: &str, scale: f64| {
        out.open_array(array);
        for (index, share) in gpu.used.iter().enumerate() {
            out.0.push_str("<dict>\n");
            out.string(key, &format!("{prefix}{}", index + 1));
            out.integer("used_ns", nanoseconds(*share, sample));
            out.real("used_ratio", share * scale);
            out.close();
        }
        out.close_array();
    };
    frequencies(out, "dvfm_states");
    let over_active_time = if active > 0.0 { active.recip() } else { 0.0 };
    match layout.gpu_requests {
        GpuRequests::Frequencies => frequencies(out, "requested_freq"),
        GpuRequests::States => {
            states(out, "sw_requested_state", "sw_req_state", "P", over_active_time);
            states(out, "sw_state", "sw_state", "SW_P", 1.0);
        }
        GpuRequests::RequestedStates => states(out, "sw_requested_state", "sw_req_state", "P", over_active_time),
    }
    if layout.repeats_gpu_idle {
        out.share("idle", gpu.idle, sample);
    }
    out.integer("gpu_energy", sample.gpu_driver_mj);
    out.close();
}

/// The processes of a quiet Mac; the server's name has a blank, but nothing that XML would mind.
pub(super) const TASKS: [(i64, &str, f64); 4] = [
    (412, "LM Studio Helper", 18.3),
    (977, "powermetrics", 6.14),
    (155, "WindowServer", 21.4),
    (0, "kernel_task", 34.9),
];

fn tasks(out: &mut Plist, sample: &Sample) {
    out.open_array("tasks");
    for (pid, name, ms_per_s) in TASKS {
        task(out, sample, pid, name, ms_per_s);
    }
    out.close_array();
    out.0.push_str("<key>all_tasks</key>\n");
    task(out, sample, -2, "ALL_TASKS", TASKS.iter().map(|task| task.2).sum());
}

fn task(out: &mut Plist, sample: &Sample, pid: i64, name: &str, ms_per_s: f64) {
    out.0.push_str("<dict>\n");
    out.integer("pid", pid);
    out.string("name", name);
    out.integer("started_abstime_ns", 0);
    out.integer("interval_ns", sample.elapsed_ns());
    out.integer("cputime_ns", rounded(ms_per_s * 1e6 * sample.elapsed_s()));
    out.real("cputime_ms_per_s", ms_per_s);
    out.real("cputime_sample_ms_per_s", ms_per_s);
    out.real("cputime_userland_ratio", 0.7);
    out.rated("intr_wakeups", "intr_wakeups_per_s", 0, sample);
    out.rated("idle_wakeups", "idle_wakeups_per_s", 0, sample);
    out.close();
}

/// All interrupts, those between processors and those of timers, per second.
pub(super) fn interrupts_per_s(cpu: u32) -> [f64; 3] {
    [600.0, 450.0, 150.0].map(|first: f64| first / f64::from(cpu + 1))
}

fn interrupts(out: &mut Plist, sample: &Sample, layout: &Layout) {
    let cpus: u32 = layout.clusters.iter().map(|cluster| cluster.cpus).sum();
    out.open_array("interrupts");
    for cpu in 0..cpus {
        out.0.push_str("<dict>\n");
        out.integer("cpu", i64::from(cpu));
        out.open_array("interrupts");
        for (name, per_s) in ["IRQ", "IPI", "TIMER"].into_iter().zip(interrupts_per_s(cpu)) {
            out.0.push_str("<dict>\n");
            out.string("name", name);
            out.rated("events", "events_per_s", rounded(per_s * sample.elapsed_s()), sample);
            out.close();
        }
        out.close_array();
        out.close();
    }
    out.close_array();
}

/// Unix seconds as the tool writes a `<date>`; the epoch for what no calendar holds.
fn iso(unix_s: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "saturating, and the numbers are far below")]
pub(super) fn rounded(value: f64) -> i64 {
    value.round() as i64
}

fn nanoseconds(share: f64, sample: &Sample) -> i64 {
    rounded(share * sample.elapsed_ns() as f64)
}

struct Plist(String);

impl Plist {
    fn integer(&mut self, key: &str, value: i64) {
        let _ = writeln!(self.0, "<key>{key}</key><integer>{value}</integer>");
    }

    fn real(&mut self, key: &str, value: f64) {
        let _ = writeln!(self.0, "<key>{key}</key><real>{}</real>", real(value));
    }

    /// Not escaped, as the real tool doesn't.
    fn string(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "<key>{key}</key><string>{value}</string>");
    }

    fn open(&mut self, key: &str) {
        let _ = writeln!(self.0, "<key>{key}</key>\n<dict>");
    }

    fn close(&mut self) {
        self.0.push_str("</dict>\n");
    }

    fn open_array(&mut self, key: &str) {
        let _ = writeln!(self.0, "<key>{key}</key>\n<array>");
    }

    fn close_array(&mut self) {
        self.0.push_str("</array>\n");
    }

    /// `<name>_ns` and `<name>_ratio`.
    fn share(&mut self, name: &str, share: f64, sample: &Sample) {
        self.integer(&format!("{name}_ns"), nanoseconds(share, sample));
        self.real(&format!("{name}_ratio"), share);
    }

    /// A count and the rate that belongs to it.
    fn rated(&mut self, count_key: &str, rate_key: &str, count: i64, sample: &Sample) {
        self.integer(count_key, count);
        self.real(rate_key, count as f64 / sample.elapsed_s());
    }
}
