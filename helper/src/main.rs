//! The helper as it is shipped: `joulebar-helper daemon`, started by launchd, or `joulebar-helper stdio`, started by
//! whoever is root, and no other way to call it. It runs `/usr/bin/powermetrics` and nothing else.
//!
//! What happens first, and in which order: arguments; who has started it; who may talk to it; what it was started with is
//! left behind; only then is anything served.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use joulebar_helper::launch::Mode;
use joulebar_helper::program::Program;
use joulebar_helper::session::Rights;
use joulebar_helper::{EXIT_FAILED, EXIT_USAGE, start, stdio, sys};

// version and name, for codesign and for requirements that look at them
#[cfg(target_os = "macos")]
embed_plist::embed_info_plist!(concat!(env!("OUT_DIR"), "/Info.plist"));

#[expect(clippy::print_stderr, reason = "stdout carries the protocol; whoever starts the helper by hand reads stderr")]
fn main() -> ExitCode {
    let Some(mode) = Mode::read(std::env::args_os().skip(1)) else {
        eprintln!("usage: joulebar-helper stdio|daemon");
        return ExitCode::from(EXIT_USAGE);
    };
    let status = match mode {
        Mode::Daemon => start::run(),
        Mode::Stdio => {
            sys::close_inherited_descriptors();
            let rights = if sys::take_root() { Rights::Sufficient } else { Rights::Missing };
            sys::tidy_process().and_then(|()| stdio::serve(&Program::Apple, rights))
        }
    };
    match status {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("joulebar-helper: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}
