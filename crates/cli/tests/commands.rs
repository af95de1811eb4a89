//! The small commands, and what every command refuses.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod common;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use common::{Lines, Place, Ran, Server, document, require_siblings, signal};

#[test]
fn what_cannot_be_understood_is_a_usage_error() {
    let place = Place::new();
    for arguments in [
        &["bench", "--interval", "99"][..],
        &["bench", "--interval", "60001"],
        &["bench", "--interval", "250.5"],
        &["bench", "--baseline", "-1"],
        &["bench", "--cooldown", "nan"],
        &["bench", "--cooldown", "1e99"],
        &["bench", "--source", "battery"],
        &["bench", "--source", "replay:"],
        &["bench", "--demo", "--server", "http://127.0.0.1:1"],
        &["bench", "--demo", "--source", "helper"],
        &["bench", "--seed", "9007199254740992"],
        &["bench", "--resume", "a.json", "--quick"],
        &["bench", "--api-token", "sk-lm-secret"],
        &["bench", "--server", "ftp://127.0.0.1"],
        &["monitor", "--interval", "0"],
        &["monitor", "--samples", "0"],
        &["monitor", "--mode", "lazy"],
        &["analyze"],
        &["verify"],
        &["frobnicate"],
        &[],
    ] {
        let ran = place.run(arguments).expect(2);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    let place = Place::new();
    assert!(place.run(&["--version"]).expect(0).stdout.starts_with("joulebar "));
    for command in ["bench", "monitor", "analyze", "models", "verify", "suite", "history"] {
        assert!(place.run(&["--help"]).expect(0).stdout.contains(command));
        let help = place.run(&[command, "--help"]).expect(0).stdout;
        assert!(help.contains("Usage: joulebar"), "{command}: {help}");
    }
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_anything_runs() {
    let place = Place::new();
    std::fs::create_dir(place.path("folder")).unwrap();
    for (arguments, place_named) in [
        (&["bench", "--demo", "--output", "nowhere/report.json"][..], "nowhere/report.json"),
        (&["bench", "--demo", "--output", "folder"], "folder"),
        (&["bench", "--demo", "--output", "/dev/null"], "/dev/null"),
        (&["bench", "--demo", "--csv", "nowhere/samples.csv"], "nowhere/samples.csv"),
        (&["bench", "--demo", "--csv", "folder"], "folder"),
        (&["monitor", "--source", "demo", "--output", "nowhere/samples.csv"], "nowhere/samples.csv"),
    ] {
        let ran = place.run(arguments).expect(73);
        assert!(ran.stdout.is_empty(), "{arguments:?} began: {}", ran.stdout);
        assert!(ran.stderr.contains(place_named), "{}", ran.stderr);
        for part in ["error: ", "  why: ", " next: "] {
            assert!(ran.stderr.contains(part), "{part:?} is not in {}", ran.stderr);
        }
    }
}

#[test]
fn input_files_that_cannot_be_used_are_told_apart_from_other_errors() {
    let place = Place::new();
    std::fs::write(place.path("bad.toml"), "name = 'x'\nprompts = []\n").unwrap();
    std::fs::write(place.path("bad.json"), "{\"hello\": 1}").unwrap();
    std::fs::write(place.path("bad.jsonl"), "{\"hello\": 1}\n").unwrap();
    for arguments in [
        &["bench", "--demo", "--suite", "missing.toml"][..],
        &["bench", "--demo", "--suite", "bad.toml"],
        &["bench", "--resume", "missing.jsonl"],
        &["bench", "--resume", "bad.jsonl"],
        &["bench", "--resume", "bad.json"],
        &["verify", "missing.json"],
        &["verify", "bad.json"],
        &["verify", "bad.toml"],
        &["verify", "."],
        &["suite", "check", "bad.toml"],
        &["suite", "show", "missing.toml"],
        &["monitor", "--source", "replay:missing.plist"],
        &["monitor", "--source", "replay:bad.json"],
        &["models", "--api-token-file", "missing"],
    ] {
        let ran = place.run(arguments).expect(65);
        assert!(ran.stderr.contains("error: "), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn a_server_that_was_named_and_does_not_answer_is_an_error_and_no_reason_for_a_demo() {
    let place = Place::new();
    // a port that was free a moment ago
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    for arguments in [
        &["bench", "--server", &url][..],
        &["bench", "--server", &url, "--source", "demo"],
        &["models", "--server", &url],
    ] {
        let ran = place.run(arguments).expect(69);
        assert!(ran.stderr.contains(&url) && ran.stderr.contains(" next: "), "{}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    }
    assert!(!place.path("joulebar-report.json").exists());
}

#[test]
fn a_real_server_never_gets_simulated_power_unasked() {
    if Path::new("/usr/bin/powermetrics").exists() {
        println!("not tested here: this machine has powermetrics");
        return;
    }
    let (place, server) = (Place::new(), Server::start(&[]));
    for arguments in [&["bench", "--server", &server.url][..], &["monitor"]] {
        let ran = place.run(arguments);
        assert!(matches!(ran.status.code(), Some(69 | 77)), "{}", ran.stderr);
        assert!(ran.stderr.contains("--source demo"), "{}", ran.stderr);
    }
    assert!(!place.path("joulebar-report.json").exists());
    place.assert_no_process_stays();
}

#[test]
fn models_are_listed_for_people_and_for_programs() {
    let (place, server) = (Place::new(), Server::start(&[]));
    let ran = place.run(&["models", "--server", &server.url]).expect(0);
    assert!(ran.stdout.contains("(simulated)"), "{}", ran.stdout);
    assert!(ran.stdout.lines().any(|line| line.starts_with("* ")), "{}", ran.stdout);
    let ran = place.run(&["models", "--server", &server.url, "--json"]).expect(0);
    let models: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(models.as_array().unwrap().iter().any(|model| model["loaded"] == true));
}

#[test]
fn without_a_loaded_model_the_ones_to_choose_from_are_named() {
    let place = Place::new();
    std::fs::write(place.path("scenario.toml"), "[server]\nloaded = []\n").unwrap();
    let server = Server::start(&["--scenario", place.path("scenario.toml").to_str().unwrap()]);
    let ran = place.run(&["bench", "--server", &server.url, "--source", "demo"]).expect(69);
    for part in ["no model is loaded", "tiny-chat-1b", "--model KEY"] {
        assert!(ran.stderr.contains(part), "{part} is not in {}", ran.stderr);
    }
}

#[test]
fn the_built_in_suite_can_be_shown_saved_and_checked() {
    let place = Place::new();
    let shown = place.run(&["suite", "show"]).expect(0).stdout;
    std::fs::write(place.path("own.toml"), &shown).unwrap();
    assert!(place.run(&["suite", "check", "own.toml"]).expect(0).stdout.contains("9 prompts"));
    assert_eq!(place.run(&["suite", "show", "own.toml"]).expect(0).stdout, shown);
}

#[test]
fn monitor_streams_rows_and_writes_them_to_a_file() {
    require_siblings();
    let place = Place::new();
    let arguments = ["monitor", "--source", "demo", "--interval", "100", "--samples", "4", "--output", "out.csv"];
    let ran = place.run(&[&arguments[..], &["--format", "ndjson"]].concat()).expect(0);
    let rows: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row["origin"] == "simulator" && row["cpu_mw"].as_f64().unwrap() > 0.0));
    assert!(ran.stderr.to_lowercase().contains("simulated"), "{}", ran.stderr);
    let csv = place.read("out.csv");
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.starts_with("start_ns,end_ns,elapsed_ns,cpu_mw"));
    let ran = place.run(&arguments).expect(0);
    assert!(ran.stdout.lines().next().unwrap().contains("Simulated"), "{}", ran.stdout);
    place.assert_no_process_stays();
    assert!(place.temporary_files().is_empty());
}

#[test]
fn monitor_of_a_pipe_stops_at_its_end_and_batch_prints_only_the_summary() {
    let place = Place::new();
    let run = |more: &[&str]| {
        let mut command = place.joulebar(&["monitor", "--source", "replay:-"]);
        let mut child =
            command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(document(1_000.0, 3_000.0).repeat(70).as_bytes()).unwrap();
        drop(stdin);
        Ran::of(child.wait_with_output().unwrap())
    };
    let all = run(&["--format", "ndjson"]).expect(0);
    assert_eq!(all.stdout.lines().count(), 70, "the default of 60 is for live sources");
    let some = run(&["--format", "csv", "--samples", "3"]).expect(0);
    assert_eq!(some.stdout.lines().count(), 4);
    let batch = run(&["--mode", "batch", "--format", "ndjson"]).expect(0);
    let summary: serde_json::Value = serde_json::from_str(&batch.stdout).unwrap();
    assert_eq!(summary["sample_count"], 70);
    let soc = summary["rails"].as_array().unwrap().iter().find(|rail| rail["rail"] == "soc").unwrap().clone();
    assert_eq!((soc["avg_mw"].as_f64(), soc["energy_j"].as_f64()), (Some(4_000.0), Some(280.0)));
    let table = run(&["--mode", "batch"]).expect(0);
    assert!(table.stdout.contains("70 samples") && !table.stdout.contains("GPU clock"), "{}", table.stdout);
}

#[test]
fn an_interrupted_monitor_says_what_it_saw() {
    require_siblings();
    let place = Place::new();
    let mut command = place.joulebar(&["monitor", "--source", "demo", "--interval", "100", "--samples", "100000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = Lines::of(&mut child);
    lines.wait_for("Nominal");
    signal(&child, libc::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let output = lines.rest();
    assert!(output.lines().any(|line| line.starts_with("SoC ")), "{output}");
    place.assert_no_process_stays();
    assert!(place.temporary_files().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_on_a_full_disk_is_told() {
    let place = Place::new();
    std::fs::write(place.path("capture"), document(1.0, 2.0)).unwrap();
    for arguments in [&["analyze", "capture"][..], &["analyze", "capture", "--format", "csv"], &["suite", "show"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = place.joulebar(arguments).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let ran = Ran::of(output.wait_with_output().unwrap()).expect(73);
        assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
    }
}
