//! `joulebar-sim powermetrics`: the tool's command line, refusals and output, with values from the power model.

mod options;
mod schema;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use options::{Refusal, Request};

/// EX_USAGE, what the tool exits with when it does not understand an option.
const EXIT_USAGE: u8 = 64;

/// Runs until the samples are out, a signal comes or the reader is gone. Returns what the process should exit with.
#[must_use]
pub fn run(arguments: &[OsString]) -> ExitCode {
    let options = match options::parse(arguments) {
        Ok(Request::Help) => return print_help(),
        Ok(Request::Sample(options)) => options,
        Err(refusal) => return refuse(&refusal),
    };
    if options.as_user {
        return fail("powermetrics must be invoked as the superuser", 1);
    }
    ExitCode::SUCCESS
}

fn print_help() -> ExitCode {
    match io::stdout().write_all(USAGE.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn refuse(refusal: &Refusal) -> ExitCode {
    match refusal {
        Refusal::Usage(_) => fail(&format!("{refusal}\n{USAGE}"), EXIT_USAGE),
        Refusal::UnknownSampler(_) => fail(&refusal.to_string(), 1),
    }
}

/// The last words on stderr; when nobody can hear them the status alone has to do.
fn fail(message: &str, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{message}");
    ExitCode::from(status)
}

const USAGE: &str = include_str!("usage.txt");
