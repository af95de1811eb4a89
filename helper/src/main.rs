//! The helper as it is shipped: `joulebar-helper stdio`, and no other way to call it.
//! It runs `/usr/bin/powermetrics` and nothing else.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use joulebar_helper::program::Program;
use joulebar_helper::session::Rights;
use joulebar_helper::{EXIT_FAILED, EXIT_USAGE, stdio, sys};

#[expect(clippy::print_stderr, reason = "stdout carries the protocol; whoever starts the helper by hand reads stderr")]
fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != "stdio") || arguments.next().is_some() {
        eprintln!("usage: joulebar-helper stdio");
        return ExitCode::from(EXIT_USAGE);
    }
    let rights = if sys::take_root() { Rights::Sufficient } else { Rights::Missing };
    match sys::tidy_process().and_then(|()| stdio::serve(&Program::Apple, rights)) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("joulebar-helper: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}
