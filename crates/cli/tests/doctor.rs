//! `joulebar doctor` and `joulebar helper` as a user meets them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod common;

use std::collections::BTreeMap;

use common::{Place, Server, require_siblings};
use serde_json::Value;

const TOKEN: &str = "sk-lm-AbCd1234:0123456789abcdefGHIJ";

fn rows(stdout: &str) -> BTreeMap<String, Value> {
    let rows: Vec<Value> = serde_json::from_str(stdout).unwrap();
    rows.into_iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row)).collect()
}

/// The files of an archive without compression, by name.
fn unzip(bytes: &[u8]) -> BTreeMap<String, String> {
    let number =
        |at: usize, len: usize| bytes[at..at + len].iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let end = bytes.windows(4).rposition(|four| four == b"PK\x05\x06").unwrap();
    let (count, mut at) = (number(end + 10, 2), number(end + 16, 4));
    let mut files = BTreeMap::new();
    for _ in 0..count {
        assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
        assert_eq!(number(at + 10, 2), 0, "stored, not compressed");
        let (size, name_len, extra, comment) =
            (number(at + 24, 4), number(at + 28, 2), number(at + 30, 2), number(at + 32, 2));
        let local = number(at + 42, 4);
        let name = String::from_utf8(bytes[at + 46..at + 46 + name_len].to_vec()).unwrap();
        let start = local + 30 + number(local + 26, 2) + number(local + 28, 2);
        files.insert(name, String::from_utf8(bytes[start..start + size].to_vec()).unwrap());
        at += 46 + name_len + extra + comment;
    }
    files
}

#[test]
fn on_the_demo_all_that_applies_passes() {
    require_siblings();
    let place = Place::new();
    let ran = place.run(&["doctor", "--demo", "--json"]);
    let rows = rows(&ran.stdout);
    let results: Vec<String> =
        rows.values().map(|row| format!("{} {} {}", row["id"], row["result"], row["detail"])).collect();
    let passing = [
        "helper",
        "helper_reachable",
        "helper_version",
        "power",
        "interval",
        "samplers",
        "schema",
        "counters",
        "siginfo",
        "helper_clock",
        "server",
        "server_api",
        "history",
        "settings",
        "disk",
    ];
    for id in passing {
        assert_eq!(rows[id]["result"], "pass", "{id} in {results:#?}\n{}", ran.stderr);
    }
    assert!(rows["power"]["detail"].as_str().unwrap().contains("simulated"));
    if !cfg!(target_os = "macos") {
        for id in ["helper_daemon", "powermetrics", "app_signature", "requirement", "ioreport", "system_power"] {
            assert_eq!(rows[id]["result"], "does_not_apply", "{id}");
        }
        assert_eq!(rows.values().filter(|row| row["result"] == "fail").count(), 0, "{results:#?}");
    }
    ran.expect(0);
    place.assert_no_process_stays();
}

#[cfg(not(target_os = "macos"))]
#[test]
fn away_from_a_mac_it_runs_says_what_does_not_apply_and_fails_only_without_a_server() {
    require_siblings();
    let (place, server) = (Place::new(), Server::start(&[]));
    let ran = place.run(&["doctor", "--server", &server.url]).expect(0);
    for words in ["does not apply", "powermetrics", "macOS alone", "0 fail"] {
        assert!(ran.stdout.contains(words), "{words} is not in\n{}", ran.stdout);
    }
    let gone = server.url.clone();
    drop(server);
    let ran = place.run(&["doctor", "--server", &gone]).expect(69);
    assert!(ran.stdout.contains("FAIL") && ran.stdout.contains("Open LM Studio"), "{}", ran.stdout);
    place.assert_no_process_stays();
}

#[test]
fn a_bundle_holds_what_was_found_and_nothing_personal() {
    require_siblings();
    let (place, server) = (Place::new(), Server::start(&["--token", TOKEN]));
    std::fs::create_dir(place.path("config")).unwrap();
    let settings = format!("# of ada at /Users/ada, token {TOKEN}\n[lm_studio]\nurl = \"{}\"\n", server.url);
    std::fs::write(place.path("config/settings.toml"), settings).unwrap();
    let mut command = place.joulebar(&["doctor", "--source", "demo", "--bundle", "b.zip"]);
    command.env("LM_API_TOKEN", TOKEN).env("USER", "adalovelace").env("HOME", "/Users/ada");
    let ran = common::Ran::of(command.output().unwrap()).expect(0);
    assert!(ran.stdout.contains("b.zip, power simulated"), "{}", ran.stdout);

    let files = unzip(&std::fs::read(place.path("b.zip")).unwrap());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let document = "powermetrics-simulated.plist";
    let expected = ["README.txt", "environment.json", document, "rows.json", "samples.json", "settings.toml"];
    assert_eq!(names.iter().filter(|name| **name != "log.txt").copied().collect::<Vec<_>>(), expected);
    assert!(files["README.txt"].contains("SIMULATED") && files["README.txt"].contains(document));
    assert!(files[document].contains("<key>elapsed_ns</key>"), "{}", files[document]);
    assert!(files["settings.toml"].contains("<user>") || files["settings.toml"].contains('~'));
    assert!(rows(&files["rows.json"]).len() > 20);
    for (name, text) in &files {
        for personal in ["AbCd1234", "0123456789abcdef", "adalovelace", "/Users/ada", "ada at"] {
            assert!(!text.contains(personal), "{personal} is in {name}:\n{text}");
        }
    }
    assert_eq!(place.temporary_files().len(), 0);
}

#[test]
fn a_bundle_is_not_written_over_another_unless_that_is_said() {
    let place = Place::new();
    std::fs::write(place.path("b.zip"), "mine").unwrap();
    let ran = place.run(&["doctor", "--bundle", "b.zip"]).expect(73);
    assert!(ran.stderr.contains("already") && ran.stderr.contains("--force"), "{}", ran.stderr);
    assert_eq!(place.read("b.zip"), "mine");
    let status = place.run(&["doctor", "--bundle", "b.zip", "--force"]).status.code();
    assert!(matches!(status, Some(0 | 69)), "{status:?}");
    assert!(std::fs::read(place.path("b.zip")).unwrap().starts_with(b"PK"));
    for (arguments, code) in [
        (&["doctor", "--bundle", "."][..], 73),
        (&["doctor", "--bundle", "nowhere/b.zip"], 73),
        (&["doctor", "--force"], 2),
        (&["doctor", "--source", "replay:x"], 2),
    ] {
        place.run(arguments).expect(code);
    }
}

#[cfg(not(target_os = "macos"))]
#[test]
fn the_daemon_is_refused_away_from_a_mac_with_a_word_about_what_to_do() {
    let place = Place::new();
    for arguments in [&["helper", "install", "--yes"][..], &["helper", "uninstall", "--yes"], &["helper", "status"]] {
        let ran = place.run(arguments).expect(69);
        assert!(ran.stderr.contains("for macOS alone") && ran.stderr.contains("next: "), "{}", ran.stderr);
    }
    place.run(&["helper"]).expect(2);
    place.run(&["helper", "install", "--root", "/tmp"]).expect(2);
}
