//! What must not stand in any of the sources that reach the root helper.
#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// All Rust files that the helper is made of: path and text.
fn sources() -> Vec<(PathBuf, String)> {
    rust_files(&["crates/wire/src", "crates/xpc/src", "helper/src"])
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn rust_files(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let root = root();
    let mut folders: Vec<_> = folders.iter().map(|path| root.join(path)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push((path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(sources.len() > 15, "{}", sources.len());
    sources
}

fn files_with(needle: &str) -> Vec<String> {
    let found = sources().into_iter().filter(|(_, text)| text.contains(needle)).map(|(path, _)| path);
    let mut found: Vec<_> = found.map(|path| path.display().to_string()).collect();
    found.sort();
    found
}

#[test]
fn threat_02_no_call_gives_the_number_of_a_clients_process() {
    assert_eq!(
        files_with("xpc_connection_get_euid"),
        ["crates/xpc/src/ffi.rs", "crates/xpc/src/libxpc.rs"],
        "it searches"
    );
    for call in ["connection_get_pid", "get_audit_token", "SecCodeCopyGuest", "proc_pidpath", "LOCAL_PEERPID"] {
        assert_eq!(files_with(call), [""; 0], "{call}");
    }
}

#[test]
fn threat_04_no_condition_of_the_build_is_about_debugging() {
    // a branch that lets in everybody would have to be chosen by something
    assert_eq!(files_with("debug_assertions"), [""; 0]);
    assert_eq!(files_with("set_peer_code_signing_requirement"), ["crates/xpc/src/ffi.rs", "crates/xpc/src/libxpc.rs"]);
    assert_eq!(files_with("xpc_connection_activate"), ["crates/xpc/src/ffi.rs", "crates/xpc/src/libxpc.rs"]);
}

#[test]
fn threat_05_clients_look_the_service_up_among_roots_daemons_alone() {
    let (_, text) = sources().into_iter().find(|(path, _)| path.ends_with("libxpc.rs")).unwrap();
    assert_eq!(text.matches("ffi::PRIVILEGED").count(), 1);
    assert_eq!(text.matches("self.create(service, ").count(), 2, "listen and connect");
}

#[test]
fn threat_17_unsafe_code_is_in_one_file_of_the_helper_and_in_the_calls_to_libxpc() {
    let allowed = ["crates/xpc/src/block.rs", "crates/xpc/src/ffi.rs", "crates/xpc/src/libxpc.rs", "helper/src/sys.rs"];
    assert_eq!(files_with("#![allow(unsafe_code"), allowed);
    for with_unsafe in files_with("unsafe {") {
        assert!(allowed.contains(&with_unsafe.as_str()), "{with_unsafe}");
    }
    for (file, lint) in [
        ("helper/src/main.rs", "#![forbid(unsafe_code)]"),
        ("helper/src/lib.rs", "#![deny(unsafe_code)]"),
        ("crates/wire/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("crates/xpc/src/lib.rs", "#![deny(unsafe_code)]"),
    ] {
        assert!(files_with(lint).iter().any(|found| found == file), "{file}");
    }
}

#[test]
fn threat_20_helper_names_four_dependencies_and_no_more() {
    let text = fs::read_to_string(root().join("helper/Cargo.toml")).unwrap();
    let mut section = "";
    let mut names = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") && section != "[dev-dependencies]" && !line.is_empty() {
            names.push(line.split(['.', ' ', '=']).next().unwrap());
        }
    }
    names.sort_unstable();
    assert_eq!(names, ["embed_plist", "joulebar-wire", "joulebar-xpc", "libc"]);
}

#[test]
fn every_test_that_the_threat_table_names_exists_and_every_row_is_there() {
    let table = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let named: Vec<_> = table.split('`').filter(|word| word.starts_with("threat_") && *word != "threat_NN").collect();
    let files = rust_files(&["crates", "helper/src", "helper/tests", "src-tauri/src", "src-tauri/tests"]);
    for name in &named {
        let definition = format!("fn {name}(");
        assert!(files.iter().any(|(_, text)| text.contains(&definition)), "{name}");
    }
    assert!(named.len() > 50, "{}", named.len());
    for row in 1..=20 {
        assert!(table.contains(&format!("\n| {row} | ")), "row {row}");
    }
}

/// What is started with an administrator's password is found by looking at the source, since it runs on a Mac alone.
#[test]
fn threat_13_only_apples_powermetrics_is_ever_started_with_a_password_and_with_closed_arguments() {
    let calls: Vec<_> = rust_files(&["crates", "helper/src", "src-tauri/src"])
        .into_iter()
        .filter(|(path, _)| !path.ends_with("crates/xpc/tests/sources.rs"))
        .flat_map(|(_, text)| {
            let lines: Vec<_> = text.lines().map(str::trim).map(str::to_owned).collect();
            lines.into_iter().filter(|line| line.contains("execute_with_privileges")).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        calls,
        [
            "let started = authorization.execute_with_privileges_piped(POWERMETRICS, command_line.arguments(), Flags::DEFAULTS);"
        ]
    );
    let source = fs::read_to_string(root().join("crates/wire/src/command_line.rs")).unwrap();
    assert!(source.contains("pub const POWERMETRICS: &str = \"/usr/bin/powermetrics\";"));
}
