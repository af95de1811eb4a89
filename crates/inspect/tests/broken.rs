//! Every check is tried on a bundle that is broken on purpose: it must fail, and no check may fail on a good one.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking; what is made here is read here")]

mod common;

use std::collections::BTreeSet;

use common::Parts;
use common::macho::Plan;
use joulebar_inspect::bundle::{Bundle, File};
use joulebar_inspect::checks::{CHECKS, MAX_BUNDLE_BYTES, MAX_HELPER_BYTES};
use joulebar_inspect::expected::{ICON, INFO, SEAL};
use plist::Value;

/// Names of the checks that complain.
fn failures(bundle: &Bundle) -> BTreeSet<&'static str> {
    CHECKS.iter().filter(|check| !(check.run)(bundle).is_empty()).map(|check| check.name).collect()
}

/// Breaks the parts, and expects exactly these checks to fail.
fn parts(break_it: impl FnOnce(&mut Parts), expected: &[&str]) {
    let mut parts = Parts::good();
    break_it(&mut parts);
    assert_eq!(failures(&parts.bundle()), expected.iter().copied().collect());
}

/// Breaks the finished bundle, and expects exactly these checks to fail.
fn bundle(break_it: impl FnOnce(&mut Bundle), expected: &[&str]) {
    let mut bundle = Parts::good().bundle();
    break_it(&mut bundle);
    assert_eq!(failures(&bundle), expected.iter().copied().collect());
}

const FILES: &str = "the bundle holds its files and no others";
const MODES: &str = "programs can be run, and none of the files be changed by others";
const SIZE: &str = "the bundle keeps within its size";
const ICONS: &str = "the icon has a picture for every size";
const CPU: &str = "programs are made for arm64";
const MINIMUM: &str = "programs start on macOS 13.0";
const LIBRARIES: &str = "programs load the libraries they are meant to, and no others";
const HELPER_LIBRARIES: &str = "the helper links libSystem alone";
const BUILD_PATHS: &str = "no path of the building machine is left in a program";
const ONLY_POWERMETRICS: &str = "the helper can start nothing but powermetrics";
const HELPER_INFO: &str = "the helper carries its own Info.plist";
const CLI_INFO: &str = "the terminal program carries its own Info.plist";
const APP_INFO: &str = "the app's Info.plist says what the build is";
const AGENT: &str = "the app has no place in the Dock and runs once";
const IDENTIFIERS: &str = "identifiers are the same wherever they stand";
const LAUNCHD: &str = "launchd is told what the constants say";
const FORBIDDEN: &str = "launchd may not keep the helper alive or its children";
const REQUIREMENT: &str = "helper and app know by which requirement they know each other";
const INTACT: &str = "signatures are of this code";
const SEALED: &str = "the seal covers every file";
const HARDENED: &str = "the hardened runtime is on";
const ENTITLEMENTS: &str = "no program has entitlements";
const HELPER_IMPORTS: &str = "the helper imports nothing that macOS 13 lacks";
const SERVICES: &str = "system services are called by functions that macOS 13 has";

#[test]
fn good_bundle_passes_every_check() {
    parts(|_| {}, &[]);
}

#[test]
fn every_check_is_named_once_and_broken_here() {
    let here = include_str!("broken.rs");
    let names: BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(names.len(), CHECKS.len());
    for name in names {
        assert!(here.contains(&format!("= \"{name}\";")), "{name}");
    }
}

#[test]
fn missing_stray_and_linked_files_are_seen() {
    bundle(|bundle| drop(bundle.files.remove(SEAL)), &[FILES, SEALED]);
    let stray = || File { bytes: b"text".to_vec(), mode: 0o644 };
    bundle(|bundle| drop(bundle.files.insert("Contents/Resources/notes.txt".into(), stray())), &[FILES, SEALED]);
    bundle(|bundle| bundle.oddities.push("Contents/Resources/link".into()), &[FILES]);
}

#[test]
fn missing_program_is_seen_by_every_check_of_programs() {
    let mut bundle = Parts::good().bundle();
    let helper = bundle.expected.helper();
    bundle.files.remove(&helper);
    let seen = failures(&bundle);
    for name in [FILES, CPU, MINIMUM, LIBRARIES, HELPER_LIBRARIES, ONLY_POWERMETRICS, HELPER_INFO, IDENTIFIERS] {
        assert!(seen.contains(name), "{name}");
    }
    for name in [REQUIREMENT, INTACT, SEALED, HARDENED, ENTITLEMENTS, HELPER_IMPORTS, SERVICES] {
        assert!(seen.contains(name), "{name}");
    }
}

#[test]
fn program_that_is_none_is_seen() {
    let mut bundle = Parts::good().bundle();
    let helper = bundle.expected.helper();
    bundle.files.get_mut(&helper).unwrap().bytes = b"#!/bin/sh\n".to_vec();
    let seen = failures(&bundle);
    for name in [CPU, MINIMUM, LIBRARIES, HELPER_LIBRARIES, INTACT, HARDENED, HELPER_IMPORTS] {
        assert!(seen.contains(name), "{name}");
    }
}

#[test]
fn modes_that_let_others_in_are_seen() {
    for mode in [0o775, 0o777, 0o644, 0o4755] {
        bundle(|bundle| bundle.files.get_mut(&bundle.expected.helper()).unwrap().mode = mode, &[MODES]);
    }
    bundle(|bundle| bundle.files.get_mut(INFO).unwrap().mode = 0o666, &[MODES]);
}

#[test]
fn sizes_over_the_budget_are_seen() {
    parts(|parts| parts.cli.text.resize(MAX_BUNDLE_BYTES, b' '), &[SIZE]);
    parts(|parts| parts.helper.text.resize(MAX_HELPER_BYTES, b' '), &[SIZE]);
}

#[test]
fn icon_that_is_missing_cut_or_lacks_a_size_is_seen() {
    parts(|parts| parts.icon.clear(), &[ICONS]);
    parts(|parts| parts.icon.truncate(parts.icon.len() - 1), &[ICONS]);
    // ic10 becomes a kind that nobody knows
    parts(
        |parts| {
            let at = parts.icon.windows(4).position(|kind| kind == b"ic10").unwrap();
            parts.icon[at] = b'x';
        },
        &[ICONS],
    );
    bundle(|bundle| drop(bundle.files.remove(ICON)), &[FILES, ICONS]);
}

#[test]
fn program_of_another_machine_or_kind_is_seen() {
    parts(|parts| parts.app.cpu = 0x0100_0007, &[CPU]);
    // without MH_PIE it has a fixed address
    parts(|parts| parts.cli.flags = 0x85, &[CPU]);
}

#[test]
fn program_for_another_macos_is_seen() {
    parts(|parts| parts.helper.minimum = (14, 0), &[MINIMUM]);
    parts(|parts| parts.cli.minimum = (12, 0), &[MINIMUM]);
    parts(|parts| parts.app.minimum = (13, 1), &[MINIMUM]);
    // an iPhone's
    parts(|parts| parts.app.platform = 2, &[MINIMUM]);
}

#[test]
fn library_that_is_not_meant_is_seen() {
    for name in ["@rpath/libother.dylib", "/usr/local/lib/libcurl.dylib", "/opt/homebrew/lib/libz.dylib"] {
        parts(|parts| parts.cli.libraries.push(name.into()), &[LIBRARIES]);
    }
    parts(|parts| parts.app.search_paths.push("@loader_path/../lib".into()), &[LIBRARIES]);
}

#[test]
fn helper_with_a_second_library_is_seen() {
    let objective_c = "/usr/lib/libobjc.A.dylib";
    parts(|parts| parts.helper.libraries.push(objective_c.into()), &[HELPER_LIBRARIES]);
}

#[test]
fn path_of_the_building_machine_is_seen() {
    for path in [
        "/home/me/joulebar/x.rs",
        "/Users/me/src/x",
        "/root/x/target/y",
        "x/.cargo/registry/y",
        "/build/joulebar",
        "/tmp/a/b.rs:12",
    ] {
        parts(|parts| parts.app.text.extend(path.as_bytes()), &[BUILD_PATHS]);
    }
    // what the programs say themselves, one text behind the other
    for text in ["/Users//home//var/folders/bearer", "/tmp/app.sock", "/rustc/0123456789/library/core/src/fmt/mod.rs"] {
        parts(|parts| parts.app.text.extend(text.as_bytes()), &[]);
    }
}

#[test]
fn helper_that_can_run_a_simulator_or_no_powermetrics_is_seen() {
    parts(|parts| parts.helper.text.extend(b"--simulator\0"), &[ONLY_POWERMETRICS]);
    parts(|parts| parts.helper.text[0] = b'x', &[ONLY_POWERMETRICS]);
}

#[test]
fn helper_without_its_property_list_is_seen() {
    parts(|parts| parts.helper.info_plist = None, &[HELPER_INFO, IDENTIFIERS]);
    let other = |parts: &mut Parts, from: &str, to: &str| {
        let text = String::from_utf8(parts.helper.info_plist.take().unwrap()).unwrap();
        assert!(text.contains(from));
        parts.helper.info_plist = Some(text.replace(from, to).into_bytes());
    };
    let version = Parts::good().expected.version;
    parts(|parts| other(parts, &version, "0.0.1"), &[HELPER_INFO]);
    parts(|parts| other(parts, "org.joulebar.", "org.example."), &[HELPER_INFO, IDENTIFIERS]);
}

#[test]
fn terminal_program_without_its_property_list_is_seen() {
    parts(|parts| parts.cli.info_plist = None, &[CLI_INFO]);
    parts(|parts| parts.cli.info_plist.clone_from(&parts.helper.info_plist), &[CLI_INFO]);
}

#[test]
fn app_that_says_something_else_is_seen() {
    let set = |parts: &mut Parts, key: &str, value: Value| drop(parts.info.insert(key.into(), value));
    parts(|parts| set(parts, "LSMinimumSystemVersion", "10.13".into()), &[APP_INFO]);
    parts(|parts| set(parts, "CFBundleShortVersionString", "9.9.9".into()), &[APP_INFO]);
    parts(|parts| set(parts, "SMPrivilegedExecutables", "x".into()), &[APP_INFO]);
    parts(|parts| set(parts, "LSUIElement", Value::Boolean(false)), &[APP_INFO, AGENT]);
    parts(|parts| drop(parts.info.remove("LSMultipleInstancesProhibited")), &[APP_INFO, AGENT]);
}

#[test]
fn identifier_that_differs_anywhere_is_seen() {
    let signed = |plan: &mut Plan| plan.signature.as_mut().unwrap().identifier = "org.example".into();
    parts(|parts| signed(&mut parts.app), &[IDENTIFIERS]);
    parts(|parts| signed(&mut parts.helper), &[IDENTIFIERS]);
    parts(|parts| signed(&mut parts.cli), &[IDENTIFIERS]);
    let other = || Value::from("org.example");
    parts(|parts| drop(parts.info.insert("CFBundleIdentifier".into(), other())), &[APP_INFO, IDENTIFIERS]);
    parts(|parts| drop(parts.launchd.insert("Label".into(), other())), &[LAUNCHD, IDENTIFIERS]);
    let program = || Value::from("Contents/MacOS/org.example");
    parts(|parts| drop(parts.launchd.insert("BundleProgram".into(), program())), &[LAUNCHD, IDENTIFIERS]);
    let services = || Value::Dictionary([("org.example".to_owned(), Value::Boolean(true))].into_iter().collect());
    parts(|parts| drop(parts.launchd.insert("MachServices".into(), services())), &[LAUNCHD, IDENTIFIERS]);
}

#[test]
fn launchd_keys_that_keep_the_helper_or_its_children_alive_are_seen() {
    for key in ["RunAtLoad", "KeepAlive", "AbandonProcessGroup"] {
        let set = |parts: &mut Parts| drop(parts.launchd.insert(key.into(), Value::Boolean(true)));
        parts(set, &[LAUNCHD, FORBIDDEN]);
    }
    parts(|parts| drop(parts.launchd.insert("ExitTimeOut".into(), Value::from(60))), &[LAUNCHD]);
    parts(|parts| drop(parts.launchd.remove("EnableTransactions")), &[LAUNCHD]);
    let words = || Value::Array(vec![Value::from("stdio")]);
    parts(|parts| drop(parts.launchd.insert("ProgramArguments".into(), words())), &[LAUNCHD, IDENTIFIERS]);
}

#[test]
fn program_without_the_requirement_is_seen() {
    parts(|parts| parts.app.text.clear(), &[REQUIREMENT]);
    parts(|parts| parts.helper.text = b"/usr/bin/powermetrics".to_vec(), &[REQUIREMENT]);
}

#[test]
fn code_that_was_changed_after_signing_is_seen() {
    for path in ["app", "helper", "cli"] {
        bundle(
            |bundle| {
                let expected = &bundle.expected;
                let path = [("app", expected.app()), ("helper", expected.helper()), ("cli", expected.cli())]
                    .into_iter()
                    .find_map(|(name, found)| (name == path).then_some(found));
                // the last byte of the first page is free
                bundle.files.get_mut(&path.unwrap()).unwrap().bytes[0xfff] ^= 1;
            },
            &[INTACT],
        );
    }
}

#[test]
fn signature_of_somebody_else_or_of_the_linker_is_seen() {
    parts(|parts| parts.helper.signature.as_mut().unwrap().team = Some("ABCDE12345".into()), &[INTACT]);
    parts(|parts| parts.cli.signature.as_mut().unwrap().flags |= 0x2_0000, &[INTACT]);
    // neither a team nor ad hoc
    parts(|parts| parts.app.signature.as_mut().unwrap().flags &= !2, &[INTACT]);
    // not signed at all
    parts(|parts| parts.cli.signature = None, &[IDENTIFIERS, INTACT, SEALED, HARDENED, ENTITLEMENTS]);
}

#[test]
fn signed_build_passes_with_its_team_and_fails_with_another() {
    let build = |team: &str| {
        let mut parts = Parts::good();
        parts.expected.team = Some("ABCDE12345".into());
        parts.expected.released = true;
        parts.launchd = joulebar_inspect::plists::launchd(&parts.expected);
        assert!(parts.launchd.contains_key("SpawnConstraint"));
        for plan in [&mut parts.app, &mut parts.helper, &mut parts.cli] {
            let signature = plan.signature.as_mut().unwrap();
            signature.team = Some(team.into());
            signature.flags &= !2;
        }
        failures(&parts.bundle())
    };
    assert!(build("ABCDE12345").is_empty());
    assert_eq!(build("ZZZZZ99999"), [INTACT].into());
}

#[test]
fn seal_that_does_not_cover_a_file_is_seen() {
    bundle(
        |bundle| {
            let path = bundle.expected.launchd();
            let bytes = &mut bundle.files.get_mut(&path).unwrap().bytes;
            // a blank more: launchd reads the same
            bytes.push(b'\n');
        },
        &[SEALED],
    );
    bundle(|bundle| bundle.files.get_mut(SEAL).unwrap().bytes.push(b'\n'), &[SEALED]);
    bundle(|bundle| bundle.files.get_mut(INFO).unwrap().bytes.push(b'\n'), &[SEALED]);
}

#[test]
fn program_without_the_hardened_runtime_is_seen() {
    parts(|parts| parts.app.signature.as_mut().unwrap().flags &= !0x1_0000, &[HARDENED]);
    parts(|parts| parts.helper.signature.as_mut().unwrap().flags &= !0x1_0000, &[HARDENED]);
}

#[test]
fn entitlements_are_seen() {
    // the empty list in XML, and in DER
    let xml = [&[0xfa, 0xde, 0x71, 0x71, 0, 0, 0, 8][..]].concat();
    let der = [&[0xfa, 0xde, 0x71, 0x72, 0, 0, 0, 8][..]].concat();
    for (slot, part) in [(5, xml), (7, der)] {
        parts(|parts| parts.helper.signature.as_mut().unwrap().parts.push((slot, part.clone())), &[ENTITLEMENTS]);
        parts(|parts| parts.app.signature.as_mut().unwrap().parts.push((slot, part)), &[ENTITLEMENTS]);
    }
}

#[test]
fn import_that_macos_13_lacks_or_nobody_looked_up_is_seen() {
    for name in ["_os_sync_wait_on_address", "_xpc_listener_create", "_xpc_connection_set_peer_requirement"] {
        parts(|parts| parts.app.imports.push((name.into(), false)), &[SERVICES]);
        parts(|parts| parts.helper.imports.push((name.into(), false)), &[SERVICES, HELPER_IMPORTS]);
        // a weak one may be missing
        parts(|parts| parts.helper.imports.push((name.into(), true)), &[]);
    }
    parts(|parts| parts.app.imports.push(("_xpc_new_thing".into(), false)), &[SERVICES]);
    parts(|parts| parts.helper.imports.push(("_system".into(), false)), &[HELPER_IMPORTS]);
    parts(|parts| parts.helper.imports.clear(), &[HELPER_IMPORTS]);
}
