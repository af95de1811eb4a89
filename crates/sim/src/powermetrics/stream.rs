//! The sampling loop: when windows end, what is written then, and what ends it all.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::document::{self, Machine};
use super::faults::{self, Faults, Kind};
use super::meter::{Meter, Sample};
use super::options::{Format, Options, Siginfo};
use super::output::Output;
use super::raw_monotonic_ns;
use super::signals::{Signals, Wake};
use super::text;
use super::truths::TruthFile;
use crate::activity::Reader;
use crate::model::{Parameters, PowerModel, mix, unit};

const NS_PER_MS: i64 = 1_000_000;
/// Real windows are 3 to 10 ms longer than asked for, whatever the interval; waking up takes the last one.
const JITTER_NS: (f64, f64) = (3e6, 9e6);
/// And the first one by this much more.
const START_UP_NS: (f64, f64) = (15e6, 35e6);
/// Time between the end of a window and its document, in which activity of the window still reaches the file.
const SETTLE_NS: i64 = NS_PER_MS;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All samples are out, or a signal came.
    Orderly,
    /// A fault of the simulation.
    Fault(u8),
}

/// Samples until `-n` is reached, a signal comes or a fault ends it.
pub(super) fn run(options: &Options, parameters: &Parameters, faults: &Faults) -> io::Result<Ending> {
    let signals = Signals::install()?;
    let mut run = Run {
        options,
        faults,
        machine: Machine {
            layout: options.schema.layout(),
            parameters,
            seed: options.seed,
            samplers: &options.samplers,
            boot_unix_s: unix_now_s() - raw_monotonic_ns() / 1_000_000_000,
        },
        output: Output::open(options)?,
        activity: options.activity.as_deref().map(Reader::new),
        truth: options.truth.as_deref().map(TruthFile::create).transpose()?,
        model: PowerModel::new(parameters.clone(), options.seed),
        meter: Meter::new(raw_monotonic_ns(), milliseconds(options.batch_ms)),
    };
    let ending = run.sample_until_end(&signals)?;
    if ending == Ending::Orderly {
        run.output.flush(&signals)?;
    }
    run.read_activity()?;
    if let Some(truth) = &mut run.truth {
        truth.write_all(&run.model)?;
    }
    Ok(ending)
}

struct Run<'a> {
    options: &'a Options,
    faults: &'a Faults,
    machine: Machine<'a>,
    output: Output,
    activity: Option<Reader>,
    truth: Option<TruthFile>,
    model: PowerModel,
    meter: Meter,
}

impl Run<'_> {
    fn sample_until_end(&mut self, signals: &Signals) -> io::Result<Ending> {
        if self.options.format == Format::Text {
            self.output.write(text::machine_header(&self.machine).as_bytes(), signals)?;
        }
        let mut periodic = 0;
        let mut periodic_due_ns = self.next_due_ns(0);
        let mut info_due_ns: Option<i64> = None;
        while self.options.count.is_none_or(|count| periodic < count) {
            let due_ns = [periodic_due_ns, info_due_ns].into_iter().flatten().min();
            match signals.wait(due_ns.map(|due_ns| due_ns - raw_monotonic_ns()))? {
                Wake::Stop => return Ok(Ending::Orderly),
                Wake::Info => {
                    if self.options.siginfo != Siginfo::Ignore {
                        // signals that come before the sample are one signal
                        info_due_ns.get_or_insert(raw_monotonic_ns() + milliseconds(self.options.siginfo_delay_ms));
                    }
                }
                Wake::Timeout => {
                    let end_ns = raw_monotonic_ns();
                    let is_periodic = periodic_due_ns.is_some_and(|periodic_due_ns| periodic_due_ns <= end_ns);
                    info_due_ns = info_due_ns.filter(|info_due_ns| *info_due_ns > end_ns);
                    if let Some(ending) = self.sample(end_ns, signals)? {
                        return Ok(ending);
                    }
                    if is_periodic {
                        periodic += 1;
                    }
                    if is_periodic || self.options.siginfo == Siginfo::ImmediateReset {
                        periodic_due_ns = self.next_due_ns(self.meter.samples());
                    }
                }
            }
        }
        Ok(Ending::Orderly)
    }

    /// End of the window that is open, if nothing comes in between; `None` with `-i 0`.
    fn next_due_ns(&self, index: u64) -> Option<i64> {
        (self.options.interval_ms > 0).then(|| {
            self.meter.window_start_ns() + milliseconds(self.options.interval_ms) + excess_ns(self.options.seed, index)
        })
    }

    /// Ends the window at `end_ns` and writes its document. `Some` ends the run.
    fn sample(&mut self, end_ns: i64, signals: &Signals) -> io::Result<Option<Ending>> {
        let unix_s = unix_now_s();
        let settled_ns = end_ns + SETTLE_NS;
        while raw_monotonic_ns() < settled_ns {
            std::thread::sleep(std::time::Duration::from_nanos(200_000));
        }
        self.read_activity()?;
        let sample = self.meter.sample(&self.model, end_ns);
        let mut bytes = match self.options.format {
            Format::Plist => document::render(&sample, &self.machine, unix_s).into_bytes(),
            Format::Text => text::render(&sample, &self.machine, unix_s).into_bytes(),
        };
        if self.faults.second_underflow {
            say("Second underflow occured.");
        }
        for kind in self.faults.of(sample.index) {
            match kind {
                Kind::Exit { status } => return Ok(Some(Ending::Fault(*status))),
                Kind::Stderr { text } => say(text),
                Kind::Stall { seconds } => {
                    if stall(*seconds, signals)? {
                        return Ok(Some(Ending::Orderly));
                    }
                }
                _ => faults::damage(&mut bytes, kind),
            }
        }
        if self.options.format == Format::Plist && sample.index > 0 {
            bytes.insert(0, 0);
        }
        self.output.write(&bytes, signals)?;
        if let Some(truth) = &mut self.truth {
            truth.write_settled(&self.model, end_ns)?;
        }
        Ok(None)
    }

    fn read_activity(&mut self) -> io::Result<()> {
        if let Some(activity) = &mut self.activity {
            for change in activity.read_new()? {
                self.model.push(change);
            }
        }
        Ok(())
    }
}

/// How much longer than asked for a window is.
pub(super) fn excess_ns(seed: u64, index: u64) -> i64 {
    let bits = mix(seed ^ mix(index));
    let between = |(low, high): (f64, f64), bits| document::rounded(low + (high - low) * unit(bits));
    between(JITTER_NS, bits) + if index == 0 { between(START_UP_NS, mix(bits)) } else { 0 }
}

/// Waits; true if a signal asked to stop meanwhile. SIGINFO does not shorten it.
fn stall(seconds: f64, signals: &Signals) -> io::Result<bool> {
    let until_ns = raw_monotonic_ns().saturating_add(document::rounded(seconds * 1e9));
    loop {
        match signals.wait(Some(until_ns - raw_monotonic_ns()))? {
            Wake::Stop => return Ok(true),
            Wake::Timeout => return Ok(false),
            Wake::Info => {}
        }
    }
}

fn say(line: &str) {
    // when nobody listens to stderr any more, nothing is lost
    let _ = writeln!(io::stderr(), "{line}");
}

fn milliseconds(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(NS_PER_MS)
}

fn unix_now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The capture that would have been written if windows had ended at the given instants: for virtual time.
pub(super) fn capture(
    options: &Options,
    model: &PowerModel,
    start_ns: i64,
    ends_ns: &[i64],
    start_unix_s: i64,
) -> Vec<u8> {
    let machine = Machine {
        layout: options.schema.layout(),
        parameters: model.parameters(),
        seed: options.seed,
        samplers: &options.samplers,
        boot_unix_s: start_unix_s - 86_400,
    };
    let mut meter = Meter::new(start_ns, milliseconds(options.batch_ms));
    let mut bytes = match options.format {
        Format::Text => text::machine_header(&machine).into_bytes(),
        Format::Plist => Vec::new(),
    };
    for end_ns in ends_ns {
        let sample: Sample = meter.sample(model, *end_ns);
        let unix_s = start_unix_s + (sample.end_ns - start_ns) / 1_000_000_000;
        match options.format {
            Format::Plist => {
                if sample.index > 0 {
                    bytes.push(0);
                }
                bytes.extend_from_slice(document::render(&sample, &machine, unix_s).as_bytes());
            }
            Format::Text => bytes.extend_from_slice(text::render(&sample, &machine, unix_s).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_exceed_the_interval_by_three_to_nine_ms_and_the_first_by_more() {
        let excesses: Vec<i64> = (1..2_000).map(|index| excess_ns(11, index)).collect();
        assert!(excesses.iter().all(|excess_ns| (3_000_000..=9_000_000).contains(excess_ns)));
        assert!(excesses.iter().any(|excess_ns| *excess_ns < 3_200_000));
        assert!(excesses.iter().any(|excess_ns| *excess_ns > 8_800_000));
        assert!((18_000_000..=44_000_000).contains(&excess_ns(11, 0)));
    }
}
