//! `joulebar counters`: the process that reads Apple's counters for another program, over its standard input and output.
//! What is said there is [`joulebar_core::power::counters::child`]'s.

use joulebar_core::power::counters::child;

use crate::exit::{Code, Failure};

/// Answers until the input ends.
pub fn serve() -> Result<Code, Failure> {
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    // whoever has started it is gone when its output can't be written
    child::serve(open, input, output).map_err(|error| Failure::of(Code::CannotWrite, &error))?;
    Ok(Code::Success)
}

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
use joulebar_core::power::counters::system::open;

#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
fn open() -> Result<child::ChildCounters, String> {
    Err("only Apple Silicon has these counters".to_owned())
}
