//! Joulebar in the menu bar.

use std::process::ExitCode;

use joulebar_app::args;

/// Where there is no graphics card the web view would draw every frame with an emulated one, at several times the cost.
#[cfg(target_os = "linux")]
const NO_DMABUF: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

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
    #[cfg(target_os = "linux")]
    if !std::path::Path::new("/dev/dri").exists() && std::env::var_os(NO_DMABUF).is_none() {
        // SAFETY: nothing else runs yet, so nobody reads the environment meanwhile.
        unsafe { std::env::set_var(NO_DMABUF, "1") };
    }
    match joulebar_app::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
