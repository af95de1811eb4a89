//! What the pages may do: their own commands and nothing of the system.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(place(path)).unwrap()
}

fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap()
}

/// The commands that build.rs lists.
fn listed() -> BTreeSet<String> {
    let source = text("build.rs");
    let (_, list) = source.split_once("&[&str] = &[").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).filter(|name| !name.is_empty()).collect()
}

/// The commands that the handler knows.
fn handled() -> BTreeSet<String> {
    let source = text("src/commands/mod.rs");
    let (_, list) = source.split_once("generate_handler![").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let names = list.split(',').filter_map(|path| path.trim().rsplit("::").next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Label and permissions of every capability.
fn capabilities() -> Vec<(String, BTreeSet<String>)> {
    let mut all = Vec::new();
    for file in fs::read_dir(place("capabilities")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let capability = json(&format!("capabilities/{name}"));
        assert!(capability.get("remote").is_none(), "{name} lets other sites in");
        assert!(capability.get("webviews").is_none(), "{name}");
        let windows = capability["windows"].as_array().unwrap();
        assert_eq!(windows.len(), 1, "{name} is of one window");
        let permissions = capability["permissions"].as_array().unwrap();
        // a permission with a scope would be an object
        let permissions = permissions.iter().map(|permission| permission.as_str().unwrap().to_owned()).collect();
        all.push((windows[0].as_str().unwrap().to_owned(), permissions));
    }
    all
}

/// What the pages may use of the shell's framework: hearing events, and moving the window by its toolbar.
const FRAMEWORK: [&str; 4] = [
    "core:event:allow-listen",
    "core:event:allow-unlisten",
    "core:window:allow-start-dragging",
    "core:window:allow-internal-toggle-maximize",
];

#[test]
fn threat_16_pages_may_use_their_own_commands_and_nothing_of_the_system() {
    let own: BTreeSet<String> = listed().iter().map(|name| format!("allow-{}", name.replace('_', "-"))).collect();
    for (window, permissions) in capabilities() {
        for permission in permissions {
            let known = FRAMEWORK.contains(&permission.as_str()) || own.contains(&permission);
            assert!(known, "{window} may use {permission}");
        }
    }
}

#[test]
fn no_page_can_start_a_program() {
    for (window, permissions) in capabilities() {
        let starts = ["shell", "process", "opener"].map(|plugin| format!("{plugin}:"));
        let found = permissions.iter().find(|permission| starts.iter().any(|plugin| permission.starts_with(plugin)));
        assert!(found.is_none(), "{window} may use {found:?}");
    }
    let configuration = json("tauri.conf.json");
    assert!(configuration["plugins"].get("shell").is_none(), "the plugin opens no addresses and knows no commands");
    assert!(configuration["app"].get("withGlobalTauri").is_none());
}

#[test]
fn every_command_is_listed_handled_and_of_use_to_a_window() {
    assert_eq!(listed(), handled());
    let granted: BTreeSet<String> = capabilities().into_iter().flat_map(|(_, permissions)| permissions).collect();
    for name in listed() {
        assert!(granted.contains(&format!("allow-{}", name.replace('_', "-"))), "no window may use {name}");
    }
}

#[test]
fn the_popover_can_not_delete_rename_or_change_the_token() {
    let all = capabilities();
    assert_eq!(all.iter().map(|(window, _)| window.as_str()).collect::<BTreeSet<_>>(), ["main", "popover"].into());
    let (_, popover) = all.iter().find(|(window, _)| window == "popover").unwrap();
    for name in ["delete-runs", "rename-run", "save-suite", "delete-suite", "set-token", "import-suite"] {
        assert!(!popover.contains(&format!("allow-{name}")), "{name}");
    }
}

#[test]
fn threat_16_pages_load_nothing_from_elsewhere() {
    let configuration = json("tauri.conf.json");
    let security = &configuration["app"]["security"];
    assert!(security.get("dangerousDisableAssetCspModification").is_none());
    assert!(security.get("assetProtocol").is_none(), "pages read no files");
    let policy = security["csp"].as_str().unwrap();
    let rules: Vec<Vec<&str>> = policy.split(';').map(|rule| rule.split_whitespace().collect()).collect();
    let rule = |name: &str| rules.iter().find(|rule| rule.first() == Some(&name)).unwrap();
    assert_eq!(rule("default-src")[1..], ["'self'"]);
    assert_eq!(rule("script-src")[1..], ["'self'"]);
    for name in ["object-src", "base-uri", "form-action", "frame-src"] {
        assert_eq!(rule(name)[1..], ["'none'"], "{name}");
    }
    let outside = rules.iter().flatten().filter(|word| word.contains("://") || word.contains('*'));
    // the framework's own way to its commands where a page has no other scheme
    assert_eq!(outside.copied().collect::<Vec<_>>(), ["http://ipc.localhost"]);
}
