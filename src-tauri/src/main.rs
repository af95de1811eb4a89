//! Joulebar in the menu bar.

use std::process::ExitCode;

use joulebar_app::args;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "asked for on the command line")]
fn main() -> ExitCode {
    let arguments = match args::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    if arguments.help {
        print!("{}", args::HELP);
        return ExitCode::SUCCESS;
    }
    if arguments.version {
        println!("joulebar-app {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    match joulebar_app::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
