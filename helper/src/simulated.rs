//! The helper for demonstrations and tests: runs a simulator in place of powermetrics, needs no root, and says in
//! `hello_ok` that its samples are no measurements. Only built with the cargo feature `simulator`.
//!
//! `joulebar-helper-simulated stdio --simulator PATH [ARGUMENT…]` runs `PATH powermetrics [ARGUMENT…] -f plist …`. The
//! simulator starts in `/` with an empty environment, as powermetrics does: paths in its arguments must be absolute.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use joulebar_helper::program::Program;
use joulebar_helper::session::Rights;
use joulebar_helper::{EXIT_FAILED, EXIT_USAGE, stdio, sys};

#[expect(clippy::print_stderr, reason = "stdout carries the protocol; whoever starts the helper by hand reads stderr")]
fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let path = match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(mode), Some(option), Some(path)) if mode == "stdio" && option == "--simulator" => path,
        _ => {
            eprintln!("usage: joulebar-helper-simulated stdio --simulator PATH [ARGUMENT...]");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    // made absolute now: the working directory changes below
    let program = std::path::absolute(path).map(|path| Program::Simulator { path, arguments: arguments.collect() });
    match program.and_then(|program| {
        sys::close_inherited_descriptors();
        sys::tidy_process()?;
        stdio::serve(&program, Rights::Sufficient)
    }) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("joulebar-helper-simulated: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}
