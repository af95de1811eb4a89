//! The daemon's way from launchd's call to its listener: every step that can refuse comes before anything is served.
//!
//! On macOS alone there is XPC; elsewhere the last step says so. The order was run on Linux up to there. Not checked without
//! a Mac: that launchd sets `XPC_SERVICE_NAME`, and that libxpc needs nothing of the environment that is cleared here.

use std::ffi::CStr;
use std::io;
use std::path::Path;

use joulebar_wire::identity::{CLIENT_REQUIREMENT, CLIENT_REQUIREMENT_FILE};
use joulebar_xpc::Requirement;

use crate::daemon::NotListening;
use crate::launch::{self, Starter};
use crate::{EXIT_CONFIG, EXIT_PERMISSION, log, sys};

/// Runs the daemon; gives the exit status. What is wrong stands in the system's log and on stderr.
///
/// # Errors
/// The system's.
pub fn run() -> io::Result<u8> {
    let (user, parent) = sys::user_and_parent();
    let starter = Starter { user, parent, service: std::env::var_os("XPC_SERVICE_NAME") };
    let Some(service) = starter.service() else {
        return refuse(EXIT_PERMISSION, "only launchd starts the daemon, as root and under its own name");
    };
    let requirement = match launch::requirement(CLIENT_REQUIREMENT, Path::new(CLIENT_REQUIREMENT_FILE)) {
        Ok(requirement) => requirement,
        Err(error) => return refuse(EXIT_CONFIG, &error.to_string()),
    };
    sys::tidy_process()?;
    log::write(&format!("version {} listens", env!("CARGO_PKG_VERSION")));
    match listen(&service, &requirement) {
        Ok(status) => {
            log::write(&format!("ends with status {status}"));
            Ok(status)
        }
        Err(NotListening::Requirement(error)) => refuse(EXIT_CONFIG, &format!("not listening: {error}")),
        Err(NotListening::Io(error)) => Err(error),
    }
}

#[expect(clippy::print_stderr, reason = "whoever tries it by hand reads stderr; launchd does not keep it")]
fn refuse(status: u8, why: &str) -> io::Result<u8> {
    log::write(why);
    eprintln!("joulebar-helper: {}", log::printable(why));
    Ok(status)
}

#[cfg(target_os = "macos")]
fn listen(service: &CStr, requirement: &Requirement) -> Result<u8, NotListening> {
    let calls = joulebar_xpc::libxpc::Libxpc::new(c"org.joulebar.clients");
    crate::daemon::serve(calls, service, requirement, &crate::program::Program::Apple)
}

#[cfg(not(target_os = "macos"))]
fn listen(_: &CStr, _: &Requirement) -> Result<u8, NotListening> {
    Err(NotListening::Io(io::Error::new(io::ErrorKind::Unsupported, "only macOS has XPC")))
}
