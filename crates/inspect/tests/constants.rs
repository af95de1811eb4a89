//! What is checked in says what the constants say. After a change of one, `scripts/macos/plists.sh` writes the other.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use joulebar_inspect::expected::Expected;
use joulebar_inspect::plists;
use serde_json::Value;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn json(path: &str) -> Value {
    serde_json::from_slice(&fs::read(project().join(path)).unwrap()).unwrap()
}

/// The names of a build that nobody signs, whatever this one is.
fn development() -> Option<Expected> {
    let expected = Expected::of_this_build();
    // names are fixed when they are compiled; a released build has others
    (!expected.released).then_some(expected)
}

#[test]
fn development_names_end_in_dev() {
    let Some(expected) = development() else { return };
    for name in [&expected.app_id, &expected.helper_id, &expected.cli_id] {
        assert!(name.ends_with(".dev"), "{name}");
    }
}

#[test]
fn launchd_plist_is_what_the_constants_give() {
    let Some(expected) = development() else { return };
    let place = project().join(format!("src-tauri/macos/{}.plist", expected.helper_id));
    let rendered = plists::to_xml(plists::launchd(&expected)).unwrap();
    assert_eq!(fs::read_to_string(place).unwrap(), String::from_utf8(rendered).unwrap());
}

#[test]
fn tauri_bundles_the_helper_under_its_name() {
    let Some(expected) = development() else { return };
    let bundle = &json("src-tauri/tauri.bundle.conf.json")["bundle"];
    let id = &expected.helper_id;
    assert_eq!(bundle["externalBin"], serde_json::json!([format!("binaries/{id}")]));
    let files = serde_json::json!({ format!("Library/LaunchDaemons/{id}.plist"): format!("macos/{id}.plist") });
    assert_eq!(bundle["macOS"]["files"], files);
    assert_eq!(bundle["macOS"]["minimumSystemVersion"], "13.0");
    assert_eq!(bundle["macOS"]["hardenedRuntime"], true);
    assert_eq!(json("src-tauri/tauri.conf.json")["identifier"], expected.app_id);
}

#[test]
fn released_plist_alone_names_the_team() {
    let mut expected = Expected::of_this_build();
    (expected.team, expected.released) = (None, false);
    assert!(!plists::launchd(&expected).contains_key("SpawnConstraint"));
    (expected.team, expected.released) = (Some("ABCDE12345".into()), false);
    assert!(!plists::launchd(&expected).contains_key("SpawnConstraint"));
    expected.released = true;
    let plist = plists::launchd(&expected);
    let constraint = plist.get("SpawnConstraint").and_then(plist::Value::as_dictionary).unwrap();
    assert_eq!(constraint.get("team-identifier").and_then(plist::Value::as_string), Some("ABCDE12345"));
    assert_eq!(
        constraint.get("signing-identifier").and_then(plist::Value::as_string),
        Some(expected.helper_id.as_str())
    );
}

#[test]
fn cask_is_filled_in_for_a_release_and_names_what_the_bundle_has() {
    let image = std::env::temp_dir().join(format!("joulebar-cask-{}.dmg", std::process::id()));
    fs::write(&image, "abc").unwrap();
    let script = project().join("scripts/macos/cask.sh");
    let cask = |version: &str, repository: &str| {
        std::process::Command::new(&script).arg(&image).args([version, repository]).output().unwrap()
    };
    let output = cask("1.2.3", "owner/joulebar");
    assert!(!cask("1.2", "owner/joulebar").status.success() && !cask("1.2.3", "x|e id").status.success());
    fs::remove_file(&image).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains('@'), "{text}");
    for line in [
        "version \"1.2.3\"",
        "sha256 \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
        "github.com/owner/joulebar/releases/download/v#{version}/Joulebar-#{version}.dmg",
        "app \"Joulebar.app\"",
        "Joulebar.app/Contents/MacOS/joulebar\"",
        "uninstall quit: \"org.joulebar.app\"",
        "depends_on macos: \">= :ventura\"",
        "depends_on arch: :arm64",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    // an upgrade runs `uninstall` too, and must leave the helper's registration alone
    assert!(
        !text.lines().any(|line| line.trim_start().starts_with("launchctl:") || line.contains("uninstall launchctl"))
    );
}
