//! The simulated Mac's programs, one subcommand each.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A simulated Mac. Nothing it prints is a measurement.
#[derive(Debug, Parser)]
#[command(name = "joulebar-sim", version)]
struct Arguments {
    #[command(subcommand)]
    program: Program,
}

#[derive(Debug, Subcommand)]
enum Program {
    /// LM Studio's REST server, with scripted token times and faults.
    Lmstudio(Box<joulebar_sim::lmstudio::Args>),
    /// Apple's powermetrics: its options, its output, values from a power model (`joulebar-sim powermetrics --help`).
    #[command(disable_help_flag = true)]
    Powermetrics {
        /// Options of the simulation, then those of powermetrics.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().program {
        Program::Lmstudio(arguments) => joulebar_sim::lmstudio::run(&arguments).map(|()| ExitCode::SUCCESS),
        Program::Powermetrics { arguments } => joulebar_sim::powermetrics::run(&arguments),
    }
}
