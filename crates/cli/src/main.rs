//! `joulebar`: measures what a token costs, from a terminal. The only crate of the project that prints.
//!
//! Knows the commands, the words, the exit codes and the layout of what is shown. Leaves to others: everything that is
//! measured or computed (`joulebar-core`).

mod analyze;
mod args;
mod bench;
mod counters;
mod doctor;
mod exit;
mod format;
mod helper;
mod history;
mod interrupts;
mod models;
mod monitor;
mod output;
mod places;
mod preferences;
mod sources;
mod suite;
mod table;
mod verify;

use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser;
use exit::Failure;

// the helper asks for name and version of whoever talks to it
#[cfg(target_os = "macos")]
embed_plist::embed_info_plist!(concat!(env!("OUT_DIR"), "/Info.plist"));

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // help and version come this way too, with code 0; a closed terminal is nobody to complain to
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::Code::Usage as u8));
        }
    };
    match run(arguments) {
        Ok(code) => code.into(),
        Err(failure) => failure.report(),
    }
}

fn run(arguments: Arguments) -> Result<exit::Code, Failure> {
    match arguments.command {
        Command::Bench(arguments) => block_on(bench::run(&arguments)),
        Command::Monitor(arguments) => block_on(monitor::run(&arguments)),
        Command::Analyze(arguments) => analyze::run(&arguments),
        Command::Models(arguments) => block_on(models::run(&arguments)),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Suite(arguments) => suite::run(&arguments),
        Command::History(arguments) => history::run(&arguments),
        Command::Doctor(arguments) => block_on(doctor::run(&arguments)),
        Command::Helper(arguments) => helper::run(&arguments),
        Command::Schema => verify::print_schema(),
        Command::Counters => counters::serve(),
    }
}

fn block_on(command: impl Future<Output = Result<exit::Code, Failure>>) -> Result<exit::Code, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|source| {
        Failure::new(exit::Code::Failed, "the program's runtime could not be started").because(&source)
    })?;
    let result = runtime.block_on(command);
    // a thread that waits for standard input must not hold up the end
    runtime.shutdown_background();
    result
}
