//! `joulebar bench` from its start to its report, with the demo.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod common;

use std::process::Stdio;
use std::time::Instant;

use common::{LIMIT, Lines, Place, Ran, Server, signal};
use joulebar_core::report::{read_report, record_of};
use joulebar_core::session::partial::PartialWriter;

fn finished_ids(report: &serde_json::Value) -> Vec<&str> {
    report["prompts"].as_array().unwrap().iter().map(|prompt| prompt["id"].as_str().unwrap()).collect()
}

#[test]
fn demo_ends_with_a_table_and_a_report_that_verifies() {
    let place = Place::new();
    let ran = Ran::of(place.bench(&["--csv", "samples.csv"]).output().unwrap()).expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines[0].contains("simulated"), "{}", lines[0]);
    assert!(lines.last().unwrap().contains("Simulated"), "{}", ran.stdout);
    let progress: Vec<_> = lines.iter().filter(|line| line.contains("prompt 2/3 two")).collect();
    for phase in ["baseline", "prefill", "decode", "cooldown"] {
        assert!(progress.iter().any(|line| line.contains(phase)), "{phase} is not in {progress:#?}");
    }
    assert!(progress.iter().all(|line| line.starts_with("simulated")), "{progress:#?}");
    assert!(lines.iter().any(|line| line.contains("(simulated): mean power")), "{}", ran.stdout);

    let report = place.json("report.json");
    assert_eq!(finished_ids(&report), ["one", "two", "three"]);
    assert_eq!((&report["simulated"], &report["interrupted"]), (&true.into(), &false.into()));
    let verified = place.run(&["verify", "report.json"]).expect(0);
    assert!(verified.stdout.starts_with("ok ") && verified.stdout.contains("simulated"), "{}", verified.stdout);

    let schema = serde_json::from_str(&place.run(&["schema"]).expect(0).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");

    let samples = report["samples"].as_array().unwrap().len();
    assert!(samples > 10);
    assert_eq!(place.read("samples.csv").lines().count(), samples + 1);
    place.assert_no_process_stays();
    assert!(place.temporary_files().is_empty(), "{:?}", place.temporary_files());
    assert!(!place.path("report.partial.jsonl").exists());
}

#[test]
fn a_changed_figure_is_found() {
    let place = Place::new();
    Ran::of(place.bench(&[]).output().unwrap()).expect(0);
    let mut report = place.json("report.json");
    report["prompts"][1]["energy"]["gross_j"] = 1.25.into();
    report["summary"]["total_prompts"] = 4.into();
    std::fs::write(place.path("changed.json"), report.to_string()).unwrap();
    let ran = place.run(&["verify", "report.json", "changed.json"]).expect(65);
    assert!(ran.stdout.contains("ok      report.json"), "{}", ran.stdout);
    assert!(ran.stdout.contains("/prompts/1/energy/gross_j: found 1.25, expected "), "{}", ran.stdout);
    assert!(ran.stdout.contains("/summary/total_prompts: found 4, expected 3"), "{}", ran.stdout);
    let text = place.read("report.json").replace("sha256:", "sha256:0");
    std::fs::write(place.path("seal.json"), text).unwrap();
    assert!(place.run(&["verify", "seal.json"]).expect(65).stdout.contains("checksum differs"));
}

#[test]
fn json_prints_events_and_nothing_else() {
    let place = Place::new();
    let ran = Ran::of(place.bench(&["--json"]).output().unwrap()).expect(0);
    let events: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("started", "report"));
    for name in ["phase", "sample", "delta", "prompt_finished", "finished"] {
        assert!(names.contains(&name), "{name}");
    }
    assert_eq!(names.iter().filter(|name| **name == "prompt_finished").count(), 3);
    assert_eq!(events[0]["simulated"], true);
    assert!(ran.stderr.contains("simulated"), "{}", ran.stderr);
}

#[test]
fn kill_9_loses_no_finished_prompt_and_resume_completes_the_session() {
    let place = Place::new();
    // the cooldown is long enough for a slow machine to kill it within the second prompt
    let mut command = place.bench(&["--cooldown", "2"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = Lines::of(&mut child);
    lines.wait_for("prompt 2/3 two  decode");
    child.kill().unwrap();
    child.wait().unwrap();
    place.assert_no_process_stays();
    assert!(!place.path("report.json").exists());
    let kept = place.read("report.partial.jsonl");

    let ran = place.run(&["bench", "--resume", "report.partial.jsonl"]).expect(0);
    assert!(ran.stdout.contains("1 done already"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("prompt 1/3"), "the first prompt ran again:\n{}", ran.stdout);
    let report = place.json("report.json");
    assert_eq!(finished_ids(&report), ["one", "two", "three"]);
    assert_eq!(report["segments"].as_array().unwrap().len(), 2);
    let first = report["prompts"][0]["response"].as_str().unwrap();
    assert!(kept.contains(&serde_json::to_string(first).unwrap()), "the first answer is the one that was kept");
    place.run(&["verify", "report.json"]).expect(0);
    let left = std::fs::read_dir(place.path("")).unwrap().flatten().map(|file| file.file_name().into_string().unwrap());
    assert!(!left.into_iter().any(|name| name.contains("partial")), "the session's file is no longer needed");
}

#[test]
fn first_interrupt_finishes_the_prompt_and_resume_goes_on_with_the_report() {
    let place = Place::new();
    let mut command = place.bench(&["--cooldown", "2"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut lines, mut notes) = (Lines::of(&mut child), Lines::of_stderr(&mut child));
    lines.wait_for("prompt 1/3 one  decode");
    signal(&child, libc::SIGINT);
    notes.wait_for("Finishing prompt 1/3, then writing the report. Ctrl-C again stops at once.");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let output = lines.rest();
    assert!(output.contains("Stopped after 1 of 3 prompts"), "{output}");
    let report = place.json("report.json");
    assert_eq!(finished_ids(&report), ["one"]);
    assert_eq!((&report["interrupted"], &report["end_reason"]), (&true.into(), &"interrupted".into()));
    place.run(&["verify", "report.json"]).expect(0);
    place.assert_no_process_stays();
    assert!(place.temporary_files().is_empty());

    place.run(&["bench", "--resume", "report.json"]).expect(0);
    assert_eq!(finished_ids(&place.json("report.json")), ["one", "two", "three"]);
    let again = place.run(&["bench", "--resume", "report.json"]).expect(0);
    assert!(again.stdout.contains("Nothing is left to do"), "{}", again.stdout);
}

#[test]
fn second_interrupt_and_termination_end_at_once_and_lose_nothing() {
    let place = Place::new();
    for twice in [true, false] {
        let started = Instant::now();
        // far longer than the test may take
        let mut command = place.bench(&["--cooldown", "600"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut lines, mut notes) = (Lines::of(&mut child), Lines::of_stderr(&mut child));
        lines.wait_for("prompt 1/3 one  cooldown");
        if twice {
            signal(&child, libc::SIGINT);
            notes.wait_for("Finishing prompt 1/3");
            signal(&child, libc::SIGINT);
        } else {
            signal(&child, libc::SIGTERM);
        }
        notes.wait_for("Stopping at once");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(started.elapsed() < 2 * LIMIT);
        assert_eq!(finished_ids(&place.json("report.json")), ["one"]);
        place.run(&["verify", "report.json"]).expect(0);
        place.assert_no_process_stays();
        std::fs::remove_file(place.path("report.json")).unwrap();
    }
}

#[test]
fn an_interrupt_before_the_first_answer_leaves_an_older_report_alone() {
    let place = Place::new();
    std::fs::write(place.path("report.json"), "an older report").unwrap();
    let mut command = place.bench(&["--baseline", "600"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut lines, notes) = (Lines::of(&mut child), Lines::of_stderr(&mut child));
    lines.wait_for("prompt 1/3 one  baseline");
    signal(&child, libc::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(notes.rest().contains("no report"));
    assert_eq!(place.read("report.json"), "an older report");
    assert!(!place.path("report.partial.jsonl").exists());
    place.assert_no_process_stays();
}

#[test]
fn an_unfinished_session_is_kept_when_a_new_one_starts_in_its_place() {
    let place = Place::new();
    std::fs::write(place.path("report.partial.jsonl"), "an older session").unwrap();
    let ran = Ran::of(place.bench(&[]).output().unwrap()).expect(0);
    assert!(ran.stderr.contains("--resume report.partial.1.jsonl"), "{}", ran.stderr);
    assert_eq!(place.read("report.partial.1.jsonl"), "an older session");
}

#[test]
fn resume_refuses_another_model_and_another_kind_of_power() {
    let place = Place::new();
    Ran::of(place.bench(&[]).output().unwrap()).expect(0);
    let (report, _) = read_report(&place.path("report.json")).unwrap();
    let mut record = record_of(&report);
    record.runs.pop();
    PartialWriter::create(&place.path("old.partial.jsonl"), &record).unwrap();
    let ran = place.run(&["bench", "--resume", "old.partial.jsonl", "--model", "thinker"]).expect(65);
    assert!(ran.stderr.contains("measured") && ran.stderr.contains("thinker"), "{}", ran.stderr);
    std::fs::write(place.path("capture"), common::document(1.0, 2.0)).unwrap();
    let ran = place.run(&["bench", "--resume", "old.partial.jsonl", "--source", "replay:capture"]).expect(65);
    assert!(ran.stderr.contains("same --source"), "{}", ran.stderr);
    assert!(place.path("old.partial.jsonl").exists());
    place.assert_no_process_stays();
}

#[test]
fn a_session_killed_after_its_last_prompt_gets_its_report_without_running_again() {
    let place = Place::new();
    Ran::of(place.bench(&[]).output().unwrap()).expect(0);
    let (report, _) = read_report(&place.path("report.json")).unwrap();
    PartialWriter::create(&place.path("lost.partial.jsonl"), &record_of(&report)).unwrap();
    let ran = place.run(&["bench", "--resume", "lost.partial.jsonl"]).expect(0);
    assert!(!ran.stdout.contains("baseline  "), "{}", ran.stdout);
    assert!(place.json("lost.json")["prompts"] == report_json(&place)["prompts"]);
    place.run(&["verify", "lost.json"]).expect(0);
    assert!(!place.path("lost.partial.jsonl").exists());
}

fn report_json(place: &Place) -> serde_json::Value {
    place.json("report.json")
}

#[test]
fn nobody_reading_the_progress_does_not_stop_the_measurement() {
    let place = Place::new();
    let mut child = place.bench(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::of(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(ran.stderr, "");
    place.run(&["verify", "report.json"]).expect(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_the_csv_is_told_and_the_report_is_there() {
    let place = Place::new();
    let ran = Ran::of(place.bench(&["--csv", "/dev/full"]).output().unwrap()).expect(73);
    assert!(ran.stderr.contains("/dev/full") && ran.stderr.contains("No space left"), "{}", ran.stderr);
    place.run(&["verify", "report.json"]).expect(0);
}

#[test]
fn the_api_token_is_needed_used_and_never_shown() {
    const TOKEN: &str = "sk-lm-secretab:SECRETSECRETSECRETSE";
    let (place, server) = (Place::new(), Server::start(&["--token", TOKEN]));
    let bench = ["bench", "--server", &server.url, "--source", "demo", "--suite", "suite.toml", "--interval", "100"];
    let phases = ["--baseline", "0.5", "--cooldown", "0.5", "--output", "report.json", "--csv", "samples.csv"];
    let arguments = [&bench[..], &phases[..]].concat();
    let ran = place.run(&arguments).expect(69);
    assert!(ran.stderr.contains("LM_API_TOKEN") && ran.stderr.contains("--api-token-file"), "{}", ran.stderr);
    let wrong = place.joulebar(&arguments).env("LM_API_TOKEN", "sk-lm-wrongwro:WRONGWRONGWRONGWRONG").output().unwrap();
    assert!(!Ran::of(wrong).expect(69).stderr.contains("wrongwro"));

    std::fs::write(place.path("token"), TOKEN).unwrap();
    let by_file = place.run(&[&arguments[..], &["--api-token-file", "token"]].concat()).expect(0);
    let by_variable = place.joulebar(&arguments).arg("--json").env("LM_API_TOKEN", TOKEN).output().unwrap();
    let by_variable = Ran::of(by_variable).expect(0);
    let report = place.read("report.json");
    let shown = [by_file.stdout, by_file.stderr, by_variable.stdout, by_variable.stderr, report];
    assert!(shown.iter().all(|text| !text.contains("secretab") && !text.contains("SECRETSECRET")));
    place.assert_no_process_stays();
}

#[test]
fn a_server_that_dies_leaves_a_report_of_what_was_finished() {
    let (place, server) = (Place::new(), Server::start(&[]));
    let mut command = place.joulebar(&["bench", "--server", &server.url, "--source", "demo", "--suite", "suite.toml"]);
    command.args(["--interval", "100", "--baseline", "2", "--cooldown", "0.5", "--output", "report.json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut lines, notes) = (Lines::of(&mut child), Lines::of_stderr(&mut child));
    lines.wait_for("prompt 2/3 two  baseline");
    drop(server);
    assert_eq!(child.wait().unwrap().code(), Some(69));
    let said = notes.rest();
    assert!(said.contains("no server answers on") && said.contains("--resume report.json"), "{said}");
    assert_eq!(finished_ids(&place.json("report.json")), ["one"]);
    place.run(&["verify", "report.json"]).expect(0);
    place.assert_no_process_stays();
}

#[test]
fn without_lm_studio_the_demo_runs_and_its_first_line_says_so() {
    if std::net::TcpStream::connect("127.0.0.1:1234").is_ok() {
        println!("not tested here: something listens on port 1234");
        return;
    }
    common::require_siblings();
    let place = Place::new();
    let mut command = place.joulebar(&["bench", "--suite", "suite.toml", "--interval", "100", "--baseline", "0.5"]);
    let ran = Ran::of(command.args(["--cooldown", "0.5"]).output().unwrap()).expect(0);
    let first = ran.stdout.lines().next().unwrap();
    assert_eq!(first, "No LM Studio on 127.0.0.1:1234: running the built-in demo. All figures are simulated.");
    assert_eq!(place.json("joulebar-report.json")["simulated"], true);
    place.run(&["bench", "--model", "any"]).expect(69);
}
