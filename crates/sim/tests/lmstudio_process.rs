//! The program `joulebar-sim lmstudio`, from another process.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]

mod lmstudio_support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use joulebar_sim::activity::{Reader, State, raw_monotonic_ns};
use lmstudio_support::{CHAT, json_of};
use serde_json::{Value, json};

struct Process {
    child: Child,
    base_url: String,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_joulebar-sim"))
            .arg("lmstudio")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base_url = line.trim().strip_prefix("READY ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, base_url }
    }

    fn wait(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not end");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn server_ends_with_its_standard_input_and_on_sigterm() {
    let mut process = Process::start(&["--exit-with-stdin"]);
    assert!(process.base_url.starts_with("http://127.0.0.1:"));
    drop(process.child.stdin.take());
    assert!(process.wait());

    let mut process = Process::start(&[]);
    drop(process.child.stdin.take());
    std::thread::sleep(Duration::from_millis(200));
    assert!(process.child.try_wait().unwrap().is_none(), "it ended without being told to");
    let pid = libc::pid_t::try_from(process.child.id()).unwrap();
    // SAFETY: kill takes no pointers; the process is our child and has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    assert!(process.wait());
}

#[test]
fn bad_scenario_is_told_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scenario.toml");
    std::fs::write(&path, "[server]\njit = 3\n").unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_joulebar-sim")).args(["lmstudio", "--scenario"]).arg(&path).output().unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("scenario.toml is not valid") && message.contains("line 2"), "{message}");
}

#[tokio::test]
async fn options_override_the_scenario() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scenario.toml");
    std::fs::write(&path, "[server]\nprofile = \"0.4\"\n").unwrap();
    let token = "sk-lm-abcd1234:abcdefghij0123456789";
    let process = Process::start(&["--scenario", path.to_str().unwrap(), "--profile", "0.3", "--token", token]);
    let response = client().get(format!("{}/api/v1/models", process.base_url)).send().await.unwrap();
    assert_eq!(response.status(), reqwest::StatusCode::UNAUTHORIZED);
    let response = client().get(format!("{}/api/v1/models", process.base_url)).bearer_auth(token).send().await.unwrap();
    let (_, body) = json_of(response).await;
    assert_eq!(body["error"], "Unexpected endpoint or method. (GET /api/v1/models)");
}

/// The client's first read of every delta, against what the server says it handed to the socket.
#[tokio::test]
async fn clock_log_and_activity_agree_with_what_a_client_sees() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, activity) = (directory.path().join("clock.ndjson"), directory.path().join("activity.ndjson"));
    let mut process = Process::start(&[
        "--clock-log",
        clock.to_str().unwrap(),
        "--activity",
        activity.to_str().unwrap(),
        "--exit-with-stdin",
    ]);
    let body =
        json!({"model": CHAT, "input": "Name three colors.", "stream": true, "max_output_tokens": 60, "store": false});
    let sent_ns = raw_monotonic_ns();
    let mut response = client().post(format!("{}/api/v1/chat", process.base_url)).json(&body).send().await.unwrap();
    assert_eq!(response.headers()["x-joulebar-request"], "r1");
    let mut seen_ns = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        let now_ns = raw_monotonic_ns();
        let deltas = String::from_utf8_lossy(&chunk).matches("event: message.delta").count();
        seen_ns.extend(std::iter::repeat_n(now_ns, deltas));
    }
    let end_ns = raw_monotonic_ns();
    drop(process.child.stdin.take());
    assert!(process.wait());

    let log = &lines(&clock)[0];
    let at = |field: &str| log[field].as_i64().unwrap();
    let order =
        ["received_ns", "prefill_start_ns", "first_generated_ns", "first_token_ns", "last_generated_ns", "end_ns"];
    assert!(order.is_sorted_by_key(|field| at(field)), "{log}");
    assert!(sent_ns <= at("received_ns") && at("end_ns") <= end_ns);
    let sent: Vec<i64> =
        log["deltas"].as_array().unwrap().iter().map(|delta| delta["at_ns"].as_i64().unwrap()).collect();
    assert_eq!((log["request"].as_str(), sent.len()), (Some("r1"), seen_ns.len()));
    let mut late_us: Vec<i64> = sent.iter().zip(&seen_ns).map(|(sent, seen)| (seen - sent) / 1_000).collect();
    let first_us = late_us[0];
    late_us.sort_unstable();
    let (median, worst) = (late_us[late_us.len() / 2], late_us[late_us.len() - 1]);
    println!("seen after the server sent: first {first_us} us, median {median} us, worst {worst} us");
    assert!(late_us[0] >= 0, "a client saw a delta before it was sent");
    assert!(median < 20_000, "events are held back: {median} us");

    let changes = Reader::new(&activity).read_new().unwrap();
    let states: Vec<State> = changes.iter().map(|change| change.state).collect();
    assert_eq!(states, [State::Prefill, State::Decode, State::Idle]);
    let apart_ms = |a: i64, b: i64| (a - b).abs() / 1_000_000;
    assert!(apart_ms(changes[0].mono_ns, at("prefill_start_ns")) < 200);
    assert!(apart_ms(changes[1].mono_ns, at("first_generated_ns")) < 200);
    assert!(apart_ms(changes[2].mono_ns, at("last_generated_ns")) < 200);
}
