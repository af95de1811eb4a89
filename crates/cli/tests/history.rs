//! The history and the settings, as a user meets them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod common;

use std::process::Stdio;

use common::{Lines, Place, Ran, Server};

fn list(place: &Place) -> Vec<serde_json::Value> {
    serde_json::from_str(&place.run(&["history", "--json"]).expect(0).stdout).unwrap()
}

fn set(place: &Place, settings: &str) {
    std::fs::create_dir_all(place.path("config")).unwrap();
    std::fs::write(place.path("config/settings.toml"), settings).unwrap();
}

#[test]
fn a_run_is_listed_shown_exported_renamed_and_deleted() {
    let place = Place::new();
    assert!(place.run(&["history"]).expect(0).stdout.contains("No runs yet"));
    let bench = Ran::of(place.bench(&[]).output().unwrap()).expect(0);
    assert!(bench.stdout.contains("Kept as run 1"), "{}", bench.stdout);

    let rows = list(&place);
    let report = place.json("report.json");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["started_at"], report["benchmark_id"]);
    assert_eq!(rows[0]["tokens_per_second"], report["summary"]["avg_tokens_per_second"]);
    assert_eq!(rows[0]["net_energy_per_token_j"], report["summary"]["net_energy_per_token_j"]);
    assert_eq!((&rows[0]["state"], &rows[0]["simulated"]), (&"completed".into(), &true.into()));

    place.run(&["history", "rename", "1", "first try"]).expect(0);
    let listed = place.run(&["history", "list", "--model", "TINY"]).expect(0).stdout;
    for word in ["tiny-chat-1b", "3/3", "simulated", "first try"] {
        assert!(listed.contains(word), "{word} is not in\n{listed}");
    }
    assert!(place.run(&["history", "--model", "nothing like it"]).expect(0).stdout.contains("No runs match"));

    place.run(&["history", "export", "1", "exported.json"]).expect(0);
    place.run(&["verify", "exported.json"]).expect(0);
    assert_eq!(place.read("exported.json"), place.read("report.json"), "byte by byte the report of the run");
    let shown = place.run(&["history", "show", "1"]).expect(0).stdout;
    let table = bench.stdout.lines().find(|line| line.starts_with("three ")).unwrap();
    assert!(shown.contains("Run 1, first try") && shown.contains(table), "{shown}");

    for (arguments, code, words) in [
        (&["history", "show", "7"][..], 65, "no run 7"),
        (&["history", "export", "1", "/dev/null"], 73, "not a plain file"),
        (&["history", "export", "1", "nowhere/a.json"], 73, "nowhere/a.json"),
        (&["history", "delete", "one"], 2, "invalid value"),
        (&["history", "--limit", "0"], 2, "0"),
    ] {
        let ran = place.run(arguments).expect(code);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    place.run(&["history", "delete", "1"]).expect(0);
    place.run(&["history", "delete", "1"]).expect(65);
    assert!(list(&place).is_empty());
}

#[test]
fn kill_9_leaves_an_interrupted_run_and_its_export_goes_on_as_the_same_run() {
    let place = Place::new();
    let mut command = place.bench(&["--cooldown", "2"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = Lines::of(&mut child);
    lines.wait_for("prompt 2/3 two  decode");
    let rows = list(&place);
    assert_eq!((&rows[0]["state"], &rows[0]["prompts_done"]), (&"running".into(), &1.into()));
    let refused = place.run(&["history", "delete", "1"]).expect(69);
    assert!(refused.stderr.contains("running"), "{}", refused.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
    place.assert_no_process_stays();

    let rows = list(&place);
    assert_eq!((rows.len(), &rows[0]["state"]), (1, &"interrupted".into()));
    assert_eq!((&rows[0]["prompts_done"], &rows[0]["end_reason"]), (&1.into(), &serde_json::Value::Null));
    let shown = place.run(&["history", "show", "1"]).expect(0).stdout;
    assert!(shown.contains("after 1 of 3 prompts"), "{shown}");

    place.run(&["history", "export", "1", "left.json"]).expect(0);
    place.run(&["verify", "left.json"]).expect(0);
    let ran = place.run(&["bench", "--resume", "left.json"]).expect(0);
    assert!(ran.stdout.contains("1 done already") && ran.stdout.contains("Kept as run 1"), "{}", ran.stdout);
    let rows = list(&place);
    assert_eq!((rows.len(), &rows[0]["state"], &rows[0]["prompts_done"]), (1, &"completed".into(), &3.into()));
    place.run(&["history", "export", "1", "whole.json"]).expect(0);
    assert_eq!(
        place.read("whole.json"),
        place.read("left.json"),
        "the resumed report stands where the exported one was"
    );
}

#[test]
fn a_history_that_cannot_be_had_is_a_note_and_the_run_goes_on() {
    let place = Place::new();
    std::fs::write(place.path("data"), "a file where the folder should be").unwrap();
    let ran = Ran::of(place.bench(&["--json"]).output().unwrap()).expect(0);
    assert!(ran.stderr.contains("note: this run is not kept in the history"), "{}", ran.stderr);
    assert!(ran.stdout.lines().last().unwrap().contains("\"history_id\":null"));
    place.run(&["verify", "report.json"]).expect(0);
    let refused = place.run(&["history"]).expect(73);
    assert!(refused.stderr.contains("JOULEBAR_DATA"), "{}", refused.stderr);

    // damaged: kept, and a new one begun
    std::fs::remove_file(place.path("data")).unwrap();
    std::fs::create_dir(place.path("data")).unwrap();
    std::fs::write(place.path("data/history.sqlite"), "no database".repeat(1_000)).unwrap();
    let ran = place.run(&["history"]).expect(0);
    assert!(ran.stderr.contains("history.damaged-1.sqlite"), "{}", ran.stderr);
    assert!(place.path("data/history.damaged-1.sqlite").exists());
}

#[test]
fn the_settings_hold_unless_a_flag_says_otherwise() {
    let (place, server) = (Place::new(), Server::start(&[]));
    let settings = format!(
        "[lm_studio]\nurl = \"{}\"\n[measurement]\ninterval_ms = 120\nbaseline_s = 0.5\ncooldown_s = 0.25\n\
         nonce = false\n[history]\nkeep = false\n[monitor]\ninterval_ms = 5\n",
        server.url
    );
    set(&place, &settings);
    let bench = ["bench", "--source", "demo", "--suite", "suite.toml", "--output", "report.json"];
    let ran = place.run(&bench).expect(0);
    assert!(
        ran.stderr.contains("monitor.interval_ms is 5; it can be a whole number from 100 to 60000"),
        "{}",
        ran.stderr
    );
    let report = place.json("report.json");
    assert_eq!(report["server"]["url"], server.url);
    assert_eq!(report["power_source"]["requested_interval_ms"], 120);
    assert_eq!((&report["settings"]["baseline_s"], &report["settings"]["cooldown_s"]), (&0.5.into(), &0.25.into()));
    assert_eq!(report["settings"]["nonce"], false);
    assert!(list(&place).is_empty() && !ran.stdout.contains("Kept as run"));

    let flags = ["--interval", "150", "--cooldown", "0.5", "--nonce", "--history"];
    place.run(&[&bench[..], &flags[..]].concat()).expect(0);
    let report = place.json("report.json");
    assert_eq!(report["power_source"]["requested_interval_ms"], 150);
    assert_eq!((&report["settings"]["baseline_s"], &report["settings"]["cooldown_s"]), (&0.5.into(), &0.5.into()));
    assert_eq!(report["settings"]["nonce"], true);
    assert_eq!(list(&place).len(), 1);
    assert!(place.run(&["models"]).expect(0).stdout.contains(server.url.trim_start_matches("http://")));

    // a server in the settings is one that was named: nothing simulated in its place
    drop(server);
    place.run(&["bench"]).expect(69);
    set(&place, "not = = toml");
    let ran = place.run(&["monitor", "--source", "demo", "--samples", "1", "--mode", "batch"]).expect(0);
    assert!(ran.stderr.contains("not valid TOML") && ran.stderr.contains("the defaults are used"), "{}", ran.stderr);
}
