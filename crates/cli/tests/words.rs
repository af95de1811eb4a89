//! What a run says about itself: failed answers, figures that are not ours, texts from outside.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use common::{Lines, Place, Ran, Server, document};

const PHASES: [&str; 8] = ["--interval", "100", "--baseline", "0.5", "--cooldown", "0.5", "--output", "report.json"];

/// A bench of the three prompts against a server of one's own, with simulated power.
fn bench(place: &Place, url: &str, more: &[&str]) -> Ran {
    let server = ["bench", "--server", url, "--source", "demo", "--suite", "suite.toml"];
    place.run(&[&server[..], &PHASES, more].concat())
}

fn server(place: &Place, scenario: &str, more: &[&str]) -> Server {
    std::fs::write(place.path("scenario.toml"), scenario).unwrap();
    let scenario = place.path("scenario.toml").display().to_string();
    Server::start(&[&["--scenario", &scenario], more].concat())
}

#[test]
fn a_failed_prompt_is_told_with_its_reason_and_what_to_do() {
    let place = Place::new();
    let faulty = server(&place, "[[request]]\nmatch = 2\nfault = \"error\"\nerror_message = \"out of tea\"\n", &[]);
    let ran = bench(&place, &faulty.url, &[]).expect(69);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert!(lines.contains(&"error: 1 of 3 prompts failed"), "{}", ran.stderr);
    assert!(lines.iter().any(|line| line.starts_with("  why: ") && line.contains("out of tea")), "{}", ran.stderr);
    assert!(lines.contains(&" next: joulebar bench --resume report.json"), "{}", ran.stderr);
    let report = place.json("report.json");
    assert_eq!((&report["end_reason"], &report["summary"]["failed_prompts"]), (&"completed".into(), &1.into()));
    assert!(ran.stdout.contains("— J/token: 2 of 3 prompts"), "{}", ran.stdout);
    place.run(&["verify", "report.json"]).expect(0);
    place.run(&["bench", "--resume", "report.json"]).expect(0);
    assert_eq!(place.json("report.json")["summary"]["failed_prompts"], 0);
}

#[test]
fn figures_of_the_servers_own_clock_are_marked() {
    let place = Place::new();
    let old = Server::start(&["--profile", "0.3"]);
    let ran = bench(&place, &old.url, &[]).expect(0);
    assert_eq!(place.json("report.json")["prompts"][0]["inference_stats"]["clock"], "server");
    let row = ran.stdout.lines().find(|line| line.starts_with("one ")).unwrap();
    assert_eq!(row.matches('*').count(), 2, "{row}");
    assert!(ran.stdout.contains("* tok/s") && ran.stdout.contains("\n* the server's own figures\n"), "{}", ran.stdout);
    let ours = bench(&place, &Server::start(&[]).url, &[]).expect(0);
    assert!(!ours.stdout.contains('*'), "{}", ours.stdout);
}

#[test]
fn every_line_of_json_says_that_it_is_simulated() {
    let place = Place::new();
    let ran = Ran::of(place.bench(&["--json"]).output().unwrap()).expect(0);
    for line in ran.stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["simulated"], true, "{line}");
    }
    assert!(ran.stdout.contains(r#""event":"delta""#));
}

#[test]
fn resume_goes_on_with_the_simulated_server_of_ones_own() {
    let (place, own) = (Place::new(), Server::start(&[]));
    let server = ["bench", "--server", &own.url, "--source", "demo", "--suite", "suite.toml"];
    let arguments = [&server[..], &PHASES, &["--cooldown", "2"]].concat();
    let mut child = place.joulebar(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    Lines::of(&mut child).wait_for("prompt 2/3 two  decode");
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = place.run(&["bench", "--resume", "report.partial.jsonl"]).expect(0);
    assert!(ran.stdout.contains(&own.url) && !ran.stdout.contains("Built-in demo"), "{}", ran.stdout);
    assert_eq!(place.json("report.json")["server"]["url"], own.url);
}

#[test]
fn quick_is_refused_where_no_prompt_is_short() {
    let place = Place::new();
    let long = place.read("suite.toml").replace("\"short\"", "\"long\"");
    std::fs::write(place.path("long.toml"), long).unwrap();
    let ran = place.run(&["bench", "--demo", "--quick", "--suite", "long.toml"]).expect(2);
    assert!(ran.stderr.contains("no short prompts") && ran.stderr.contains("leave out --quick"), "{}", ran.stderr);
}

/// Answers every request of a client with the same status and body, as an OpenAI-compatible server would.
fn fake_server(routes: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(|client| answer(client, routes)));
    url
}

fn answer(mut client: TcpStream, routes: &[(&str, &str)]) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|read| read > 0) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let found = routes.iter().find(|(route, _)| head.split(' ').nth(1) == Some(route));
    let (status, body) = found.map_or((404, "{\"error\":\"no\"}"), |(_, body)| (200, body));
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
    let _ = write!(client, "{head}Connection: close\r\n\r\n{body}");
}

const HOSTILE: &str = r#"{"object":"list","data":[{"id":"evil\u001b[31m\u009b2J\u0007\nmodel","object":"model"},
    {"id":"other\u001b]0;title\u0007","object":"model"}]}"#;

#[test]
fn names_from_a_server_cannot_steer_the_terminal() {
    let place = Place::new();
    let url = fake_server(&[("/v1/models", HOSTILE)]);
    let table = place.run(&["models", "--server", &url]).expect(0);
    assert!(table.stdout.contains("evil[31m2J model"), "{}", table.stdout);
    let json = place.run(&["models", "--server", &url, "--json"]).expect(0);
    let models: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(models[0]["key"], "evil\u{1b}[31m\u{9b}2J\u{7}\nmodel");
    let bench = place.run(&["bench", "--server", &url, "--source", "demo"]).expect(69);
    assert!(bench.stderr.contains("evil"), "{}", bench.stderr);
    for text in [table.stdout, json.stdout, bench.stderr] {
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}

#[test]
fn names_from_a_recording_cannot_steer_the_terminal() {
    let place = Place::new();
    let hostile = document(1.0, 2.0).replace("Mac16,8", "Mac\u{9b}2J\u{7f}16,8");
    std::fs::write(place.path("capture"), hostile).unwrap();
    for arguments in [
        &["analyze", "capture"][..],
        &["analyze", "capture", "--format", "csv"],
        &["analyze", "capture", "--format", "ndjson"],
        &["monitor", "--source", "replay:capture", "--format", "csv"],
        &["monitor", "--source", "replay:capture", "--format", "ndjson"],
    ] {
        let ran = place.run(arguments).expect(0);
        assert!(!ran.stdout.chars().any(|c| c.is_control() && c != '\n'), "{arguments:?}: {:?}", ran.stdout);
    }
}

#[test]
fn nobody_is_told_to_name_a_model_where_there_is_none() {
    let place = Place::new();
    let url = fake_server(&[("/v1/models", r#"{"object":"list","data":[]}"#)]);
    let ran = place.run(&["bench", "--server", &url, "--source", "demo"]).expect(69);
    assert!(ran.stderr.contains("get a model") && !ran.stderr.contains("--model"), "{}", ran.stderr);
}
