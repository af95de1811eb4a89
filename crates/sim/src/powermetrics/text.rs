//! One sample in the text format. Powers are rounded to whole mW, so that their sum may differ by one from `Combined`.

use std::fmt::Write;

use time::OffsetDateTime;
use time::macros::format_description;

use super::document::{
    Machine, TASKS, cluster_power_mw, dram_and_package_mj, instructions_retired, interrupts_per_s, pressure_name,
    rounded,
};
use super::meter::Sample;
use super::options::Sampler;
use super::picture::{self, Residencies};
use super::real::real;
use super::schema::{Energies, GpuRequests};

/// What comes once, in front of the first sample.
pub(super) fn machine_header(machine: &Machine<'_>) -> String {
    format!(
        "Machine model: {}\nOS version: {}\nBoot arguments: \nBoot time: {}\n\n",
        machine.layout.hw_model,
        machine.layout.build,
        date(machine.boot_unix_s, "")
    )
}

/// One sample with its header. Local time is UTC.
pub(super) fn render(sample: &Sample, machine: &Machine<'_>, unix_s: i64) -> String {
    let mut out = String::with_capacity(16 * 1024);
    let _ = writeln!(
        out,
        "\n\n*** Sampled system activity ({}) ({:.2}ms elapsed) ***",
        date(unix_s, " +0000"),
        sample.elapsed_s() * 1e3
    );
    if machine.has(Sampler::Tasks) {
        tasks(&mut out);
    }
    if machine.has(Sampler::Battery) {
        out.push_str("\n\n**** Battery and backlight usage ****\n\nBattery: percent_charge: 80\n");
    }
    if machine.has(Sampler::Network) {
        out.push_str("\n\n**** Network activity ****\n\n");
        out.push_str("out: 0.00 packets/s, 0.00 bytes/s\nin:  0.00 packets/s, 0.00 bytes/s\n");
    }
    if machine.has(Sampler::Disk) {
        out.push_str(
            "\n\n**** Disk activity ****\n\nread: 0.00 ops/s 0.00 KBytes/s\nwrite: 0.00 ops/s 0.00 KBytes/s\n",
        );
    }
    if machine.has(Sampler::Interrupts) {
        out.push_str("\n****  Interrupt distribution ****\n\n");
        let cpus: u32 = machine.layout.clusters.iter().map(|cluster| cluster.cpus).sum();
        for (cpu, [total, ipi, timer]) in (0..cpus).map(|cpu| (cpu, interrupts_per_s(cpu))) {
            let _ = writeln!(out, "CPU {cpu}:\n\tTotal IRQ: {total:.2} interrupts/sec");
            let _ = writeln!(out, "\t|-> IPI: {ipi:.2} interrupts/sec\n\t|-> TIMER: {timer:.2} interrupts/sec");
        }
    }
    if machine.has(Sampler::CpuPower) {
        processor(&mut out, sample, machine);
    }
    if machine.has(Sampler::Thermal) {
        let _ = writeln!(
            out,
            "\n\n\n**** Thermal pressure ****\n\nCurrent pressure level: {}",
            pressure_name(sample.pressure)
        );
    }
    if machine.has(Sampler::GpuPower) {
        gpu(&mut out, sample, machine);
    }
    out
}

fn tasks(out: &mut String) {
    out.push_str("\n*** Running tasks ***\n\n");
    out.push_str(
        "Name                               ID     CPU ms/s  User%  Deadlines (<2 ms, 2-5 ms)  Wakeups (Intr, Pkg idle)\n",
    );
    let all = (-2, "ALL_TASKS", TASKS.iter().map(|task| task.2).sum::<f64>());
    for (pid, name, ms_per_s) in TASKS.into_iter().chain([all]) {
        let _ = writeln!(
            out,
            "{name:<34} {pid:<6} {ms_per_s:<9.2} {:<6.2} {:<7.2} {:<18.2} {:<7.2} {:<18.2}",
            70.0, 0.0, 0.0, 0.0, 0.0
        );
    }
}

fn processor(out: &mut String, sample: &Sample, machine: &Machine<'_>) {
    let layout = machine.layout;
    let old = layout.energies == Energies::WithPackage;
    let pictures = picture::clusters(sample, layout, machine.parameters, machine.seed);
    let cluster_mw = cluster_power_mw(sample, &pictures);
    out.push_str("\n\n**** Processor usage ****\n\n");
    let mut instructions = 0.0;
    for (picture, power_mw) in pictures.iter().zip(cluster_mw) {
        let (name, table) = (picture.cluster.name, picture.cluster.mhz);
        let whole = &picture.whole;
        if old {
            let _ = writeln!(out, "{name} Power: {power_mw} mW");
        }
        let scale =
            if layout.cluster_ratios_over_active_time && whole.active() > 0.0 { whole.active().recip() } else { 1.0 };
        let _ = writeln!(out, "{name} HW active frequency: {} MHz", rounded(whole.mean_mhz(table)));
        let _ = writeln!(out, "{name} HW active residency: {}", active_residency(whole, table, scale));
        let _ = writeln!(out, "{name} idle residency: {}", percent(whole.idle));
        if layout.reports_down {
            let _ = writeln!(out, "{name} down residency: {}", percent(whole.down));
        }
        if layout.instructions {
            let retired = instructions_retired(sample, picture);
            instructions += retired;
            let _ = writeln!(out, "{name} instructions retired: {}", real(retired));
            let _ = writeln!(out, "{name} instructions per clock: {}", real(1.2));
        }
        for (number, cpu) in &picture.cpus {
            let _ = writeln!(out, "CPU {number} frequency: {} MHz", rounded(cpu.mean_mhz(table)));
            let active = format!("CPU {number} active residency: {}\n", active_residency(cpu, table, 1.0));
            let idle = format!("CPU {number} idle residency: {}\n", percent(cpu.idle));
            out.push_str(&if old { idle + &active } else { active + &idle });
            if layout.reports_down {
                let _ = writeln!(out, "CPU {number} down residency: {}", percent(cpu.down));
            }
        }
        out.push('\n');
    }
    if layout.instructions {
        let _ = writeln!(out, "System instructions retired: {}", real(instructions));
        let _ = writeln!(out, "System instructions per clock: {}", real(1.2));
    }
    let power_mw = |energy_mj| rounded(sample.power_mw(energy_mj));
    let (cpu_mw, gpu_mw, ane_mw) = (power_mw(sample.cpu_mj), power_mw(sample.gpu_mj), power_mw(sample.ane_mj));
    if old {
        let (dram_mj, package_mj) = dram_and_package_mj(sample);
        let _ = writeln!(out, "ANE Power: {ane_mw} mW\nDRAM Power: {} mW", power_mw(dram_mj));
        let _ =
            writeln!(out, "CPU Power: {cpu_mw} mW\nGPU Power: {gpu_mw} mW\nPackage Power: {} mW", power_mw(package_mj));
    } else {
        let _ = writeln!(out, "CPU Power: {cpu_mw} mW\nGPU Power: {gpu_mw} mW\nANE Power: {ane_mw} mW");
        let combined_mw = power_mw(sample.cpu_mj + sample.gpu_mj + sample.ane_mj);
        let _ = writeln!(out, "Combined Power (CPU + GPU + ANE): {combined_mw} mW");
    }
}

fn gpu(out: &mut String, sample: &Sample, machine: &Machine<'_>) {
    let layout = machine.layout;
    let gpu = picture::gpu(sample, layout, machine.parameters);
    out.push_str("\n**** GPU usage ****\n\n");
    let _ = writeln!(out, "GPU HW active frequency: {} MHz", rounded(gpu.mean_mhz(layout.gpu_mhz)));
    let _ = writeln!(out, "GPU HW active residency: {}", active_residency(&gpu, layout.gpu_mhz, 1.0));
    let states = |prefix: &str, scale: f64| {
        let parts: Vec<String> = (1..)
            .zip(&gpu.used)
            .map(|(number, share)| format!("{prefix}{number} : {}", short_percent(share * scale)))
            .collect();
        format!("({})", parts.join(" "))
    };
    let over_active_time = if gpu.active() > 0.0 { gpu.active().recip() } else { 0.0 };
    match layout.gpu_requests {
        GpuRequests::Frequencies => {
            let parts: Vec<String> = layout
                .gpu_mhz
                .iter()
                .zip(&gpu.used)
                .map(|(mhz, share)| format!("{mhz} MHz: {}", short_percent(*share)))
                .collect();
            let _ = writeln!(out, "GPU requested frequency: ({})", parts.join(" "));
        }
        GpuRequests::States => {
            let _ = writeln!(out, "GPU SW requested state: {}", states("P", over_active_time));
            let _ = writeln!(out, "GPU SW state: {}", states("SW_P", 1.0));
        }
        GpuRequests::RequestedStates => {
            let _ = writeln!(out, "GPU SW requested state: {}", states("P", over_active_time));
        }
    }
    let _ = writeln!(out, "GPU idle residency: {}", percent(gpu.idle));
    let _ = writeln!(out, "GPU Power: {} mW\n", rounded(sample.power_mw(sample.gpu_driver_mj)));
}

fn active_residency(residencies: &Residencies, table_mhz: &[u32], scale: f64) -> String {
    let parts: Vec<String> = table_mhz
        .iter()
        .zip(&residencies.used)
        .map(|(mhz, share)| format!("{mhz} MHz: {}", short_percent(share * scale)))
        .collect();
    format!("{} ({})", percent(residencies.active()), parts.join(" "))
}

/// `  1.63%`
fn percent(share: f64) -> String {
    format!("{:6.2}%", share * 100.0)
}

/// `100%`, ` 75%`, `3.5%`, `.57%`, `  0%`: three places, no zero in front of the point.
fn short_percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 {
        "  0%".to_owned()
    } else if percent < 0.995 {
        format!("{percent:.2}%").trim_start_matches('0').to_owned()
    } else if percent < 9.95 {
        format!("{percent:3.1}%")
    } else {
        format!("{percent:3.0}%")
    }
}

/// `Sat Nov  8 15:54:21 2025`, with the offset, if any, behind it.
fn date(unix_s: i64, offset: &str) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let format = format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
    );
    moment.format(format).unwrap_or_default() + offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_and_dates_look_as_in_the_captures() {
        let shares =
            [(0.0, "  0%"), (0.0057, ".57%"), (0.035, "3.5%"), (0.75, " 75%"), (1.0, "100%"), (0.00001, ".00%")];
        for (share, text) in shares {
            assert_eq!(short_percent(share), text);
        }
        assert_eq!(percent(0.0163), "  1.63%");
        assert_eq!(percent(1.0), "100.00%");
        assert_eq!(date(1_762_584_861, " +0000"), "Sat Nov  8 06:54:21 2025 +0000");
    }
}
