//! How far our instants are from those of the server, with the server in another process: the simulated LM Studio notes on
//! the same system clock when it hands each piece of text to its socket.

#![expect(clippy::print_stdout, reason = "the table is the product")]
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use joulebar_core::clock::Clock;
use joulebar_core::lmstudio::{Client, ClientOptions, Generation, GenerationRequest};
use joulebar_core::stats;
use serde::Deserialize;
use tokio::sync::mpsc::unbounded_channel;

/// What this study needs of a line of the simulator's clock log.
#[derive(Deserialize)]
struct Truth {
    received_ns: i64,
    first_token_ns: Option<i64>,
    deltas: Vec<Sent>,
}

#[derive(Deserialize)]
struct Sent {
    at_ns: i64,
}

const GENERATIONS: usize = 40;
const TOKENS: u32 = 96;

/// The simulator is built beside this program's folder (`target/release`).
fn simulator() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    let folder = own.parent().and_then(Path::parent).expect("target/release");
    let simulator = folder.join("joulebar-sim");
    assert!(simulator.exists(), "{} is missing: run `make bench`, which builds it", simulator.display());
    simulator
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(log: &Path) -> (Server, String) {
    let mut child = Command::new(simulator())
        .args(["lmstudio", "--port", "0", "--exit-with-stdin", "--clock-log"])
        .arg(log)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the simulator starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let url = line.trim().strip_prefix("READY ").expect("READY and an address").to_owned();
    (Server(child), url)
}

async fn generate(url: &str, clock: Clock) -> Vec<Generation> {
    let options = ClientOptions { url: url.to_owned(), ..ClientOptions::default() };
    let client = Client::connect(options, clock).await.expect("the simulator answers");
    let selected = client.select_model(None).await.expect("a loaded model");
    let mut generations = Vec::new();
    for number in 0..GENERATIONS {
        let request = GenerationRequest {
            model: selected.model.key.clone(),
            prompt: format!("[{number}] Explain photosynthesis in simple terms."),
            max_tokens: TOKENS,
            temperature: 0.0,
            seed: None,
            reasoning: None,
        };
        let (events, _unheard) = unbounded_channel();
        generations.push(client.generate(&request, &events).await.expect("an answer"));
    }
    generations
}

fn row(name: &str, errors_ms: &[f64]) {
    let at = |percent| stats::percentile(errors_ms, percent).unwrap_or(f64::NAN);
    println!("| {name} | {} | {:.3} | {:.3} | {:.3} |", errors_ms.len(), at(50.0), at(99.0), at(100.0));
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("clock.jsonl");
    let (server, url) = start(&log);
    let clock = Clock::start();
    let generations = runtime.block_on(generate(&url, clock));
    drop(server);
    let text = std::fs::read_to_string(&log).expect("the server's log");
    let truths: Vec<Truth> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let truths = &truths[truths.len() - GENERATIONS..];
    let (mut ttft, mut intervals, mut arrival) = (Vec::new(), Vec::new(), Vec::new());
    for (generation, truth) in generations.iter().zip(truths) {
        let timeline = &generation.timeline;
        let told: Vec<i64> = truth.deltas.iter().map(|delta| delta.at_ns).collect();
        assert_eq!(timeline.deltas.len(), told.len(), "every delta arrived by itself");
        let (Some(first), Some(first_ns)) = (timeline.first_token(), truth.first_token_ns) else { continue };
        // ours counts from the request's bytes, the server's from its headers: the way there is part of the error
        let ours_s = first.seconds_since(timeline.sent);
        let theirs_s = (first_ns - truth.received_ns) as f64 * 1e-9;
        ttft.push((ours_s - theirs_s).abs() * 1e3);
        for (delta, at_ns) in timeline.deltas.iter().zip(&told) {
            arrival.push(delta.at.seconds_since(clock.from_raw(*at_ns)).abs() * 1e3);
        }
        for (ours, theirs) in timeline.deltas.windows(2).zip(told.windows(2)) {
            let ours_s = ours[1].at.seconds_since(ours[0].at);
            let theirs_s = (theirs[1] - theirs[0]) as f64 * 1e-9;
            intervals.push((ours_s - theirs_s).abs() * 1e3);
        }
    }
    println!("Our instants against the server's own clock, server in another process, absolute error in ms.");
    println!();
    println!("| figure | n | p50 | p99 | max |");
    println!("|---|---|---|---|---|");
    row("time to first token", &ttft);
    row("time between texts", &intervals);
    row("arrival of each text", &arrival);
}
