//! Whether the functions that are called exist on macOS 13. A program that imports one that does not never starts there.
//! Tables in [`crate::tables`]; a name that is in none of them is a complaint, so that somebody looks it up.

use super::{Complaints, readable};
use crate::bundle::Bundle;
use crate::tables::{Version, helper_import, service_symbol};

/// The oldest macOS that Joulebar starts on.
const OLDEST: Version = Version(13, 0);

/// Families of names whose members came with macOS one by one.
const SERVICES: &[&str] =
    &["_xpc_", "__xpc_", "_dispatch_", "__dispatch_", "_SM", "_kSM", "_launch_", "_notify_", "_os_", "__os_"];

pub(super) fn helper(bundle: &Bundle) -> Complaints {
    let helper = bundle.expected.helper();
    let mut complaints = Complaints::new();
    for (_, program) in readable(bundle, &mut complaints).iter().filter(|(path, _)| *path == helper) {
        if program.imports.is_empty() {
            complaints.push("it imports nothing, so its symbols were not found".into());
        }
        for import in program.imports.iter().filter(|import| !import.weak) {
            complaints.extend(judge("the helper", &import.name, helper_import(&import.name)));
        }
    }
    complaints
}

pub(super) fn services(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, program) in readable(bundle, &mut complaints) {
        let imports = program.imports.iter().filter(|import| !import.weak);
        for import in imports.filter(|import| SERVICES.iter().any(|family| import.name.starts_with(family))) {
            complaints.extend(judge(&path, &import.name, service_symbol(&import.name)));
        }
    }
    complaints
}

fn judge(program: &str, name: &str, since: Option<Version>) -> Option<String> {
    match since {
        Some(since) if since <= OLDEST => None,
        Some(Version(major, minor)) => Some(format!("{program} imports {name}, which came with macOS {major}.{minor}")),
        None => Some(format!("{program} imports {name}, which is in no table: look up the macOS it came with")),
    }
}
