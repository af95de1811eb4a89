//! The command line: what can be asked for, and the limits of each value.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use joulebar_core::settings::{INTERVAL_MS, PHASE_S};

/// Where LM Studio's server listens unless it was told otherwise.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:1234";

/// Seeds must survive JSON readers that know doubles only.
const MAX_SEED: u64 = (1 << 53) - 1;

const EXIT_CODES: &str = "Exit codes: 0 all is well; 1 a fault of the program itself; 2 wrong usage; 65 an input file is missing or bad, or a report does not \
                          hold; 69 no server, no power source or no answer to a prompt; 73 output can't be written; 77 root is needed; \
                          130 interrupted";

/// Measures what a token of a local language model costs in joules.
#[derive(Debug, Parser)]
#[command(name = "joulebar", version, about, max_term_width = 110, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the prompts of a suite, measure power around each, write a report
    #[command(args_override_self = true)]
    Bench(Box<BenchArguments>),
    /// Show power as it is measured
    Monitor(MonitorArguments),
    /// Decode a recorded output of powermetrics, property list or text
    Analyze(AnalyzeArguments),
    /// List the models of a server
    Models(ModelsArguments),
    /// Recompute every figure of a report from its raw samples and compare
    Verify(VerifyArguments),
    /// Show or check a suite of prompts
    Suite(SuiteArguments),
    /// List, show, export, rename or delete earlier runs
    #[command(args_conflicts_with_subcommands = true)]
    History(HistoryArguments),
    /// Check everything that Joulebar relies on, and say what to do
    Doctor(DoctorArguments),
    /// Install, remove or look at the helper daemon of an app without a certificate
    Helper(HelperArguments),
    /// Print the JSON Schema of reports
    #[command(hide = true)]
    Schema,
    /// Read the counters that need no root, as the reader of another program
    #[command(hide = true)]
    Counters,
}

/// `joulebar bench`.
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// Server and token.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Model to measure: its key, an instance, or a unique part of one. It is loaded if it is not [default: the loaded one]
    #[arg(long, value_name = "KEY")]
    pub model: Option<String>,
    /// Idle time before each prompt, in seconds [default: 10 or the settings' value, with --quick 2]
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    pub baseline: Option<f64>,
    /// Time after each prompt, in seconds [default: 10 or the settings' value, with --quick 2]
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    pub cooldown: Option<f64>,
    /// Where the report goes [default: joulebar-report.json]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Suite of prompts, TOML [default: the built-in one]
    #[arg(long, value_name = "FILE")]
    pub suite: Option<PathBuf>,
    /// Interval between power samples, in milliseconds (100 to 60000) [default: 250 or the settings' value]
    #[arg(long, value_name = "MS", value_parser = interval())]
    pub interval: Option<u32>,
    /// Where power comes from: auto, helper, replay:FILE or demo
    #[arg(long, value_name = "SOURCE", default_value = "auto", value_parser = parse_source)]
    pub source: SourceChoice,
    /// Use the built-in demo: simulated server, simulated power
    #[arg(long, conflicts_with = "url")]
    pub demo: bool,
    /// Short phases (2 s) and short prompts only
    #[arg(long)]
    pub quick: bool,
    /// Write the power samples to this file too
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Go on with an interrupted session: its .partial.jsonl file or its report
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["suite", "quick", "baseline", "cooldown", "seed", "nonce", "no_nonce"]
    )]
    pub resume: Option<PathBuf>,
    /// Seed of the nonces in front of the prompts [default: a new one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=MAX_SEED))]
    pub seed: Option<u64>,
    /// Send prompts without a nonce; servers may then answer from their prompt cache
    #[arg(long, overrides_with = "nonce")]
    pub no_nonce: bool,
    /// Send prompts with a nonce even if the settings say otherwise
    #[arg(long, overrides_with = "no_nonce")]
    pub nonce: bool,
    /// Leave the run out of the history
    #[arg(long, overrides_with = "history")]
    pub no_history: bool,
    /// Keep the run in the history even if the settings say otherwise
    #[arg(long, overrides_with = "no_history")]
    pub history: bool,
    /// Print events as NDJSON instead of progress and tables
    #[arg(long)]
    pub json: bool,
}

/// How to reach the server.
#[derive(Debug, Args)]
pub struct ServerArguments {
    /// Address of LM Studio or an OpenAI-compatible server [default: the settings' one, or http://127.0.0.1:1234]
    #[arg(long = "server", id = "url", value_name = "URL")]
    pub url: Option<String>,
    /// File that holds the server's API token and nothing else [default: the variable LM_API_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub api_token_file: Option<PathBuf>,
}

/// `joulebar monitor`.
#[derive(Debug, Args)]
pub struct MonitorArguments {
    /// Interval between power samples, in milliseconds (100 to 60000) [default: 1000 or the settings' value]
    #[arg(long, value_name = "MS", value_parser = interval())]
    pub interval: Option<u32>,
    /// How many samples to take [default: 60; all of a recording]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub samples: Option<u64>,
    /// stream prints as it goes, batch prints only the summary
    #[arg(long, value_enum, default_value_t = Mode::Stream)]
    pub mode: Mode,
    /// Write the samples to this CSV file too
    #[arg(long, short, value_name = "FILE.csv")]
    pub output: Option<PathBuf>,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = MonitorFormat::Table)]
    pub format: MonitorFormat,
    /// Where power comes from: auto, helper, replay:FILE (`replay:-` for standard input) or demo
    #[arg(long, value_name = "SOURCE", default_value = "auto", value_parser = parse_source)]
    pub source: SourceChoice,
}

/// `joulebar analyze`.
#[derive(Debug, Args)]
pub struct AnalyzeArguments {
    /// Recording to decode; `-` is standard input
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = AnalyzeFormat::Summary)]
    pub format: AnalyzeFormat,
}

/// `joulebar models`.
#[derive(Debug, Args)]
pub struct ModelsArguments {
    /// Server and token.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// `joulebar verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Reports to check
    #[arg(value_name = "REPORT", required = true)]
    pub reports: Vec<PathBuf>,
}

/// `joulebar suite`.
#[derive(Debug, Args)]
pub struct SuiteArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub command: SuiteCommand,
}

/// What to do with a suite.
#[derive(Debug, Subcommand)]
pub enum SuiteCommand {
    /// Print a suite as TOML, ready to be changed
    Show {
        /// Suite to show [default: the built-in one]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Check a suite and list its prompts
    Check {
        /// Suite to check [default: the built-in one]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// `joulebar history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// What to do; without anything, list.
    #[command(subcommand)]
    pub command: Option<HistoryCommand>,
    /// What to list.
    #[command(flatten)]
    pub list: HistoryListArguments,
}

/// `joulebar history list`.
#[derive(Debug, Args)]
pub struct HistoryListArguments {
    /// Only runs with this text in the name of their model
    #[arg(long, value_name = "TEXT")]
    pub model: Option<String>,
    /// How many runs to list, newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// What to do with the history.
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// List runs, newest first
    List(HistoryListArguments),
    /// Show a run as `joulebar bench` did
    Show {
        /// Number of the run
        #[arg(value_name = "ID")]
        id: u32,
    },
    /// Write the report of a run, which `joulebar verify` accepts and `joulebar bench --resume` goes on with
    Export {
        /// Number of the run
        #[arg(value_name = "ID")]
        id: u32,
        /// Where the report goes
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Delete a run with its samples
    Delete {
        /// Number of the run
        #[arg(value_name = "ID")]
        id: u32,
    },
    /// Name a run; an empty name takes it away
    Rename {
        /// Number of the run
        #[arg(value_name = "ID")]
        id: u32,
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// `joulebar doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Server and token.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Which helper to talk to: helper, or demo for the simulated one
    #[arg(long, value_enum, default_value_t = DoctorSource::Helper)]
    pub source: DoctorSource,
    /// Look at the built-in demo: simulated server, simulated power
    #[arg(long, conflicts_with = "url")]
    pub demo: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Write what was found, without names, numbers and tokens, to a ZIP file for a bug report
    #[arg(long, value_name = "FILE.zip")]
    pub bundle: Option<PathBuf>,
    /// Replace an older bundle
    #[arg(long, requires = "bundle")]
    pub force: bool,
}

/// Which helper `doctor` talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorSource {
    /// The one that runs powermetrics.
    Helper,
    /// The simulated one.
    Demo,
}

/// `joulebar helper`.
#[derive(Debug, Args)]
pub struct HelperArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub command: HelperCommand,
}

/// What to do with the helper daemon.
#[derive(Debug, Subcommand)]
pub enum HelperCommand {
    /// Install it for this build of the app and of joulebar, with sudo
    Install(HelperInstallArguments),
    /// Stop it and remove exactly what install has written, with sudo
    Uninstall {
        /// Don't ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Say how it stands; exit code 0 only when all is well
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `joulebar helper install`.
#[derive(Debug, Args)]
pub struct HelperInstallArguments {
    /// The app that it belongs to
    #[arg(long, value_name = "APP", default_value = "/Applications/Joulebar.app")]
    pub app: PathBuf,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Where power is to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceChoice {
    /// The helper; never something simulated beside a real server.
    Auto,
    /// The helper.
    Helper,
    /// A recording; `-` is standard input.
    Replay(PathBuf),
    /// The simulator.
    Demo,
}

/// How `monitor` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Every sample as it comes, then the summary.
    Stream,
    /// Only the summary.
    Batch,
}

/// Form of `monitor`'s output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MonitorFormat {
    /// Columns for people.
    Table,
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values.
    Csv,
}

/// Form of `analyze`'s output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnalyzeFormat {
    /// What the recording comes to.
    Summary,
    /// One JSON object a sample.
    Ndjson,
    /// Comma-separated values.
    Csv,
}

#[derive(Debug, thiserror::Error)]
enum ValueError {
    #[error("give seconds from {} to {}, like 10 or 2.5", PHASE_S.start(), PHASE_S.end())]
    Seconds,
    #[error("choose auto, helper, replay:FILE or demo")]
    Source,
    #[error("replay: needs a file, like replay:capture.plist")]
    ReplayWithoutFile,
}

fn interval() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*INTERVAL_MS.start())..=i64::from(*INTERVAL_MS.end()))
}

fn parse_seconds(text: &str) -> Result<f64, ValueError> {
    // the range check refuses NaN too
    text.parse().ok().filter(|seconds| PHASE_S.contains(seconds)).ok_or(ValueError::Seconds)
}

fn parse_source(text: &str) -> Result<SourceChoice, ValueError> {
    match text {
        "auto" => Ok(SourceChoice::Auto),
        "helper" => Ok(SourceChoice::Helper),
        "demo" => Ok(SourceChoice::Demo),
        _ => match text.strip_prefix("replay:") {
            Some("") => Err(ValueError::ReplayWithoutFile),
            Some(file) => Ok(SourceChoice::Replay(file.into())),
            None => Err(ValueError::Source),
        },
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn seconds_are_finite_and_bounded() {
        for bad in ["-1", "nan", "inf", "3601", "1e99", "", "ten"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
        assert!(parse_seconds("2.5").is_ok_and(|seconds| seconds == 2.5));
    }

    #[test]
    fn sources_have_four_forms() {
        assert!(matches!(parse_source("replay:a:b"), Ok(SourceChoice::Replay(file)) if file.as_os_str() == "a:b"));
        for bad in ["replay:", "replay", "Demo", ""] {
            assert!(parse_source(bad).is_err(), "{bad}");
        }
    }
}
