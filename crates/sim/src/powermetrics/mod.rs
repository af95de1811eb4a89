//! `joulebar-sim powermetrics`: the tool's command line, refusals and output, with values from the power model.
//!
//! A sample's window is what really passed on the clock, its energies are the model's over exactly that window, under the
//! activity known by then. [`capture`] gives the same bytes for windows in virtual time.

mod document;
mod faults;
mod meter;
mod options;
mod output;
mod picture;
mod real;
mod schema;
mod signals;
mod stream;
mod text;
mod truths;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use faults::Faults;
use options::Request;
use stream::Ending;

pub use options::Refusal;
pub use schema::Schema;

use crate::activity::raw_monotonic_ns;
use crate::model::{Parameters, PowerModel};

/// EX_USAGE, what the tool exits with when it does not understand an option.
const EXIT_USAGE: u8 = 64;

/// Runs until the samples are out, a signal comes or the reader is gone (which kills the process, by SIGPIPE).
///
/// # Errors
/// What reading the simulation's own files or writing the output says. Everything that the real tool refuses too is said on
/// stderr and comes back as its exit code.
pub fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let options = match options::parse(arguments) {
        Ok(Request::Help) => {
            io::stdout().write_all(USAGE.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Ok(Request::Sample(options)) => options,
        Err(refusal @ Refusal::Usage(_)) => return Ok(fail(&format!("{refusal}\n{USAGE}"), EXIT_USAGE)),
        Err(refusal @ Refusal::UnknownSampler(_)) => return Ok(fail(&refusal.to_string(), 1)),
    };
    if options.as_user {
        return Ok(fail("powermetrics must be invoked as the superuser", 1));
    }
    let parameters = options.model.as_deref().map(Parameters::read).transpose()?.unwrap_or_default();
    let faults = options.faults.as_deref().map(Faults::read).transpose()?.unwrap_or_default();
    Ok(match stream::run(&options, &parameters, &faults)? {
        Ending::Orderly => ExitCode::SUCCESS,
        Ending::Fault(status) => ExitCode::from(status),
    })
}

/// What the tool would have written, had it begun at `start_ns` and had its windows ended at `ends_ns` (ascending), on the
/// clock of `model`. `arguments` are the command line's: format, samplers, schema, seed and batches count. `start_unix_s` is
/// the wall clock at the start, Unix seconds.
///
/// # Errors
/// [`Refusal`] if the command line is none; so is one that asks for help.
pub fn capture(
    arguments: &[&str],
    model: &PowerModel,
    start_ns: i64,
    ends_ns: &[i64],
    start_unix_s: i64,
) -> Result<Vec<u8>, Refusal> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    match options::parse(&arguments)? {
        Request::Sample(options) => Ok(stream::capture(&options, model, start_ns, ends_ns, start_unix_s)),
        Request::Help => Err(Refusal::Usage("help is no capture".to_owned())),
    }
}

/// The last words on stderr; when nobody can hear them the status alone has to do.
fn fail(message: &str, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{message}");
    ExitCode::from(status)
}

const USAGE: &str = include_str!("usage.txt");
