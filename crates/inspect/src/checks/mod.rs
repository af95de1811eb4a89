//! The checks, in the order in which they are shown. Each is a pure function of the bundle: no complaint, it passed.

mod layout;
mod names;
mod programs;
mod signature;
mod symbols;

pub use layout::{MAX_BUNDLE_BYTES, MAX_HELPER_BYTES, total_bytes};

use crate::bundle::Bundle;

/// What is wrong, one sentence each; empty when nothing is.
pub type Complaints = Vec<String>;

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// What holds when it passes.
    pub name: &'static str,
    /// Looks.
    pub run: fn(&Bundle) -> Complaints,
}

/// All of them.
pub const CHECKS: &[Check] = &[
    Check { name: "the bundle holds its files and no others", run: layout::files },
    Check { name: "programs can be run, and none of the files be changed by others", run: layout::modes },
    Check { name: "the bundle keeps within its size", run: layout::size },
    Check { name: "the icon has a picture for every size", run: layout::icon },
    Check { name: "programs are made for arm64", run: programs::arm64 },
    Check { name: "programs start on macOS 13.0", run: programs::minimum },
    Check { name: "programs load the libraries they are meant to, and no others", run: programs::libraries },
    Check { name: "the helper links libSystem alone", run: programs::helper_libraries },
    Check { name: "no path of the building machine is left in a program", run: programs::build_paths },
    Check { name: "the helper can start nothing but powermetrics", run: programs::helper_runs_powermetrics_only },
    Check { name: "the helper carries its own Info.plist", run: names::helper_info },
    Check { name: "the terminal program carries its own Info.plist", run: names::cli_info },
    Check { name: "the app's Info.plist says what the build is", run: names::app_info },
    Check { name: "the app has no place in the Dock and runs once", run: names::agent },
    Check { name: "identifiers are the same wherever they stand", run: names::identifiers },
    Check { name: "launchd is told what the constants say", run: names::launchd },
    Check { name: "launchd may not keep the helper alive or its children", run: names::forbidden_keys },
    Check { name: "helper and app know by which requirement they know each other", run: names::requirement },
    Check { name: "signatures are of this code", run: signature::intact },
    Check { name: "the seal covers every file", run: signature::sealed },
    Check { name: "the hardened runtime is on", run: signature::runtime },
    Check { name: "no program has entitlements", run: signature::entitlements },
    Check { name: "the helper imports nothing that macOS 13 lacks", run: symbols::helper },
    Check { name: "system services are called by functions that macOS 13 has", run: symbols::services },
];

/// The programs that can be read, with a complaint for each that can't.
fn readable(bundle: &Bundle, complaints: &mut Complaints) -> Vec<(String, crate::program::Program)> {
    let mut readable = Vec::new();
    for (path, bytes) in bundle.programs() {
        match crate::program::Program::read(bytes) {
            Ok(program) => readable.push((path.to_owned(), program)),
            Err(error) => complaints.push(format!("{path}: {error:#}")),
        }
    }
    for path in bundle.expected.programs() {
        if bundle.bytes(&path).is_none() {
            complaints.push(format!("{path} is missing"));
        }
    }
    readable
}
