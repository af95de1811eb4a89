//! The command line: the simulation's own long options and those of the real tool, in every form that `getopt_long` takes.
//!
//! Long options may be shortened while they stay unique, values may follow after `=` or as the next word, short options may be
//! glued to their value. What the real tool knows and this one has no use for is accepted and ignored.

use std::ffi::OsString;
use std::path::PathBuf;

use super::schema::Schema;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Print the usage text.
    Help,
    /// Sample.
    Sample(Box<Options>),
}

/// Options of one sampling run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Simulation: the file that says what the machine is doing; always idle without one.
    pub activity: Option<PathBuf>,
    /// Simulation: where the true joules of each request go, NDJSON.
    pub truth: Option<PathBuf>,
    /// Simulation: seed of noise and jitter.
    pub seed: u64,
    /// Simulation: TOML file with the parameters of the power model.
    pub model: Option<PathBuf>,
    /// Simulation: behave as if not started by root.
    pub as_user: bool,
    /// Simulation: which Mac and macOS to be.
    pub schema: Schema,
    /// Simulation: energy counters are published only at multiples of this many ms; 0 means always.
    pub batch_ms: u64,
    /// Simulation: what SIGINFO does.
    pub siginfo: Siginfo,
    /// Simulation: time from SIGINFO to its sample, in ms.
    pub siginfo_delay_ms: u64,
    /// Simulation: TOML file with the faults to make.
    pub faults: Option<PathBuf>,
    /// `-i`: sample interval in ms; 0 switches periodic sampling off.
    pub interval_ms: u64,
    /// `-n`: number of periodic samples; `None` without end.
    pub count: Option<u64>,
    /// `-f`: output format.
    pub format: Format,
    /// `-s`: samplers in the order of the output.
    pub samplers: Vec<Sampler>,
    /// `-b`: output buffer in bytes, 0 for none, 1 for lines; `None` is the C library's choice.
    pub buffer: Option<usize>,
    /// `-o`: output file (macOS 12 and later).
    pub output: Option<PathBuf>,
}

/// What SIGINFO does to the periodic timer. Which one a Mac does is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Siginfo {
    /// Nothing happens.
    Ignore,
    /// A sample at once; the periodic one comes when it would have come.
    Immediate,
    /// A sample at once; the periodic one comes a full interval later.
    ImmediateReset,
}

/// Output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One XML property list per sample.
    Plist,
}

/// A sampler, in the order in which the documents hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sampler {
    Tasks,
    Battery,
    Network,
    Disk,
    Interrupts,
    CpuPower,
    Thermal,
    Sfi,
    GpuPower,
    AnePower,
}

impl Sampler {
    const ALL: [(&'static str, Self); 10] = [
        ("tasks", Self::Tasks),
        ("battery", Self::Battery),
        ("network", Self::Network),
        ("disk", Self::Disk),
        ("interrupts", Self::Interrupts),
        ("cpu_power", Self::CpuPower),
        ("thermal", Self::Thermal),
        ("sfi", Self::Sfi),
        ("gpu_power", Self::GpuPower),
        ("ane_power", Self::AnePower),
    ];
    const DEFAULT: [Self; 7] =
        [Self::Tasks, Self::Battery, Self::Network, Self::Disk, Self::Interrupts, Self::CpuPower, Self::GpuPower];
}

/// Why the command line is refused.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Refusal {
    /// The message is that of `getopt_long`; the usage text follows it.
    #[error("powermetrics: {0}")]
    Usage(String),
    /// A sampler that this tool does not have.
    #[error("powermetrics: unrecognized sampler: {0}")]
    UnknownSampler(String),
}

#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    Value,
}
use Takes::{Nothing, Value};

/// Long name, short letter, whether a value follows.
const KNOWN: &[(&str, Option<char>, Takes)] = &[
    ("activity", None, Value),
    ("truth", None, Value),
    ("seed", None, Value),
    ("model", None, Value),
    ("as-user", None, Nothing),
    ("schema", None, Value),
    ("batch-ms", None, Value),
    ("siginfo", None, Value),
    ("siginfo-delay-ms", None, Value),
    ("faults", None, Value),
    ("help", Some('h'), Nothing),
    ("samplers", Some('s'), Value),
    ("output-file", Some('o'), Value),
    ("buffer-size", Some('b'), Value),
    ("sample-rate", Some('i'), Value),
    ("sample-interval", None, Value),
    ("sample-count", Some('n'), Value),
    ("wakeup-cost", Some('t'), Value),
    ("order", Some('r'), Value),
    ("format", Some('f'), Value),
    ("poweravg", Some('a'), Value),
    ("hide-cpu-duty-cycle", None, Nothing),
    ("show-initial-usage", None, Nothing),
    ("show-usage-summary", None, Nothing),
    ("show-extra-power-info", None, Nothing),
    ("show-pstates", None, Nothing),
    ("show-plimits", None, Nothing),
    ("show-cpu-qos", None, Nothing),
    ("show-cpu-scalability", None, Nothing),
    ("show-hwp-capability", None, Nothing),
    ("show-process-coalition", None, Nothing),
    ("show-responsible-pid", None, Nothing),
    ("show-process-wait-times", None, Nothing),
    ("show-process-qos-tiers", None, Nothing),
    ("show-process-io", None, Nothing),
    ("show-process-gpu", None, Nothing),
    ("show-process-netstats", None, Nothing),
    ("show-process-qos", None, Nothing),
    ("show-process-amp", None, Nothing),
    ("show-process-energy", None, Nothing),
    ("show-process-samp-norm", None, Nothing),
    ("show-process-ipc", None, Nothing),
    ("handle-invalid-values", None, Nothing),
    ("show-all", Some('A'), Nothing),
    ("unhide-info", None, Value),
];

/// Reads the command line.
///
/// # Errors
/// [`Refusal`], in the order of the real tool: options first, then samplers. Whether one is root comes after both and is
/// for the caller.
pub fn parse(arguments: &[OsString]) -> Result<Request, Refusal> {
    let mut options = Options {
        activity: None,
        truth: None,
        seed: 0,
        model: None,
        as_user: false,
        schema: Schema::M4Macos15,
        batch_ms: 0,
        siginfo: Siginfo::Immediate,
        siginfo_delay_ms: 0,
        faults: None,
        interval_ms: 5_000,
        count: None,
        format: Format::Text,
        samplers: Sampler::DEFAULT.to_vec(),
        buffer: None,
        output: None,
    };
    let mut sampler_list = None;
    let mut words = arguments.iter().map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        let (name, glued) = if word == "--" {
            break;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            (find_long(name)?, value)
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let mut letters = letters.chars();
            let mut found = None;
            // several letters without values may share one dash: `-Ah`
            while let Some(letter) = letters.next() {
                let known = find_short(letter)?;
                if known.2 == Value {
                    let rest = letters.as_str();
                    found = Some((known, (!rest.is_empty()).then(|| rest.to_owned())));
                    break;
                }
                if known.0 == "help" {
                    return Ok(Request::Help);
                }
            }
            match found {
                Some(found) => found,
                None => continue,
            }
        } else {
            // the real tool takes no operands; getopt stops at the first
            return Err(Refusal::Usage(format!("unexpected argument -- {word}")));
        };
        let (name, _, takes) = name;
        if takes == Nothing {
            match name {
                "help" => return Ok(Request::Help),
                "as-user" => options.as_user = true,
                _ => {}
            }
            continue;
        }
        let value = glued
            .or_else(|| words.next())
            .ok_or_else(|| Refusal::Usage(format!("option `--{name}' requires an argument")))?;
        match name {
            "activity" => options.activity = Some(value.into()),
            "truth" => options.truth = Some(value.into()),
            "seed" => options.seed = number(name, &value)?,
            "model" => options.model = Some(value.into()),
            "schema" => options.schema = Schema::from_name(&value).ok_or_else(|| bad(name, &value))?,
            "batch-ms" => options.batch_ms = number(name, &value)?,
            "siginfo" => {
                options.siginfo = match value.as_str() {
                    "ignore" => Siginfo::Ignore,
                    "immediate" => Siginfo::Immediate,
                    "immediate-reset" => Siginfo::ImmediateReset,
                    _ => return Err(bad(name, &value)),
                }
            }
            "siginfo-delay-ms" => options.siginfo_delay_ms = number(name, &value)?,
            "faults" => options.faults = Some(value.into()),
            "samplers" => sampler_list = Some(value),
            "output-file" => options.output = Some(value.into()),
            "buffer-size" => options.buffer = Some(number(name, &value)?),
            "sample-rate" | "sample-interval" => options.interval_ms = number(name, &value)?,
            "sample-count" => {
                let count: i64 = number(name, &value)?;
                options.count = u64::try_from(count).ok();
            }
            // an unknown format is said to give text
            "format" => options.format = if value == "plist" { Format::Plist } else { Format::Text },
            _ => {}
        }
    }
    if let Some(list) = sampler_list {
        options.samplers = parse_samplers(&list)?;
    }
    Ok(Request::Sample(Box::new(options)))
}

fn parse_samplers(list: &str) -> Result<Vec<Sampler>, Refusal> {
    let mut samplers = Vec::new();
    for name in list.split(',') {
        match name {
            "all" => samplers.extend(Sampler::ALL.map(|(_, sampler)| sampler)),
            "default" => samplers.extend(Sampler::DEFAULT),
            _ => match Sampler::ALL.iter().find(|(known, _)| *known == name) {
                Some((_, sampler)) => samplers.push(*sampler),
                None => return Err(Refusal::UnknownSampler(name.to_owned())),
            },
        }
    }
    samplers.sort_unstable();
    samplers.dedup();
    Ok(samplers)
}

type Known = (&'static str, Option<char>, Takes);

fn find_long(name: &str) -> Result<Known, Refusal> {
    if let Some(exact) = KNOWN.iter().find(|known| known.0 == name) {
        return Ok(*exact);
    }
    let mut candidates = KNOWN.iter().filter(|known| known.0.starts_with(name));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) if !name.is_empty() => Ok(*only),
        (Some(_), Some(_)) => Err(Refusal::Usage(format!("option `--{name}' is ambiguous"))),
        _ => Err(Refusal::Usage(format!("unrecognized option `--{name}'"))),
    }
}

fn find_short(letter: char) -> Result<Known, Refusal> {
    KNOWN
        .iter()
        .find(|known| known.1 == Some(letter))
        .copied()
        .ok_or_else(|| Refusal::Usage(format!("invalid option -- {letter}")))
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, Refusal> {
    value.parse().map_err(|_| bad(name, value))
}

fn bad(name: &str, value: &str) -> Refusal {
    Refusal::Usage(format!("invalid value for --{name}: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, Refusal> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    fn options(line: &str) -> Options {
        match parsed(line).unwrap() {
            Request::Sample(options) => *options,
            Request::Help => panic!("{line} asked for help"),
        }
    }

    #[test]
    fn every_form_of_an_option_means_the_same() {
        let spaced = options("-f plist -b 0 -i 250 -n 40 -s gpu_power,cpu_power,thermal");
        assert_eq!(spaced, options("-fplist -b0 -i250 -n40 -sgpu_power,cpu_power,thermal"));
        assert_eq!(
            spaced,
            options(
                "--format plist --buffer-size=0 --sample-rate 250 --sample-count=40 --samplers cpu_power,gpu_power,thermal"
            )
        );
        assert_eq!(
            spaced,
            options("--form plist --buf 0 --sample-interval 250 --sample-c 40 --samplers=thermal,cpu_power,gpu_power")
        );
        assert_eq!(spaced.interval_ms, 250);
        assert_eq!(spaced.count, Some(40));
        assert_eq!(spaced.format, Format::Plist);
        assert_eq!(spaced.buffer, Some(0));
        assert_eq!(spaced.samplers, [Sampler::CpuPower, Sampler::Thermal, Sampler::GpuPower]);
    }

    #[test]
    fn defaults_are_those_of_the_tool() {
        let options = options("");
        assert_eq!(options.interval_ms, 5_000);
        assert_eq!(options.format, Format::Text);
        assert_eq!(options.count, None);
        assert!(!options.samplers.contains(&Sampler::Thermal));
        assert_eq!(super::tests::options("-n -1").count, None);
        assert_eq!(super::tests::options("-f csv").format, Format::Text);
    }

    #[test]
    fn unknown_options_and_samplers_are_told_apart() {
        assert!(matches!(parsed("--frobnicate"), Err(Refusal::Usage(_))));
        assert!(matches!(parsed("-z"), Err(Refusal::Usage(_))));
        assert!(matches!(parsed("--show"), Err(Refusal::Usage(_))));
        assert!(matches!(parsed("-i soon"), Err(Refusal::Usage(_))));
        assert!(matches!(parsed("-i"), Err(Refusal::Usage(_))));
        assert_eq!(parsed("-s cpu_power,smc"), Err(Refusal::UnknownSampler("smc".into())));
        assert_eq!(parsed("-A -h"), Ok(Request::Help));
        assert_eq!(parsed("-i 100 --help"), Ok(Request::Help));
    }
}
