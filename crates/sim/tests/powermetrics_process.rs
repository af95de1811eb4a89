//! The simulated tool as a process: command line, timing, signals, activity, truth and faults.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test panics where something is wrong, and says what it skips"
)]

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use joulebar_sim::activity::{Change, State, Writer, raw_monotonic_ns};
use joulebar_sim::model::Truth;
use plist::{Dictionary, Value};

#[cfg(target_os = "macos")]
const SIGINFO: libc::c_int = libc::SIGINFO;
#[cfg(not(target_os = "macos"))]
const SIGINFO: libc::c_int = libc::SIGUSR1;

const MS: i64 = 1_000_000;
/// What a signal or a write may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Without noise and tail, energies can be compared to the millijoule.
const QUIET: &str = "tail_share = 0.0\nramp_tau_s = 0.02\n[noise]\ncpu_sd_w = 0.0\ngpu_sd_w = 0.0\n";

fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_joulebar-sim"));
    command.arg("powermetrics").args(arguments).stdin(Stdio::null());
    // SAFETY: signal is async-signal-safe. Tests may run with SIGINT ignored, which the tool would inherit and respect.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            Ok(())
        });
    }
    command
}

/// Waits until `happened`; fails after a time that only a stuck process needs.
fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How many bytes of a child's output wait to be read.
fn waiting_bytes(stdout: &std::process::ChildStdout) -> i32 {
    let mut count = 0;
    // SAFETY: FIONREAD writes one int, for which `count` is.
    assert_eq!(unsafe { libc::ioctl(stdout.as_raw_fd(), libc::FIONREAD, &raw mut count) }, 0);
    count
}

fn output(arguments: &[&str]) -> Output {
    tool(arguments).output().unwrap()
}

fn plist_stream(extra: &[&str]) -> Vec<&'static str> {
    let mut arguments = vec!["-f", "plist", "-b", "0", "-s", "cpu_power,gpu_power,thermal"];
    arguments.extend(extra.iter().map(|word| &*word.to_string().leak()));
    arguments
}

fn parsed(document: &[u8]) -> Dictionary {
    Value::from_reader_xml(document).unwrap().into_dictionary().unwrap()
}

fn documents(stdout: &[u8]) -> Vec<Dictionary> {
    stdout.split(|&byte| byte == 0).map(parsed).collect()
}

fn number(dictionary: &Dictionary, key: &str) -> f64 {
    match &dictionary[key] {
        Value::Real(value) => *value,
        value => value.as_signed_integer().unwrap() as f64,
    }
}

fn elapsed_ms(document: &Dictionary) -> f64 {
    number(document, "elapsed_ns") * 1e-6
}

fn combined_mj(document: &Dictionary) -> f64 {
    let processor = document["processor"].as_dictionary().unwrap();
    number(processor, "cpu_energy") + number(processor, "gpu_energy")
}

fn send(child: &Child, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(child.id()).unwrap();
    // SAFETY: the child has not been waited for, so the number is still its own.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// A running tool whose documents are read one by one.
struct Running {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(extra: &[&str]) -> Self {
        let mut child = tool(&plist_stream(extra)).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn next(&mut self) -> Dictionary {
        let mut document = Vec::new();
        while !document.ends_with(b"</plist>\n") {
            assert_ne!(self.stdout.read_until(b'\n', &mut document).unwrap(), 0, "the stream ended");
        }
        parsed(document.strip_prefix(b"\0").unwrap_or(&document))
    }

    fn stop(mut self, signal: libc::c_int) -> (std::process::ExitStatus, Vec<u8>, Duration) {
        let asked = Instant::now();
        send(&self.child, signal);
        let mut rest = Vec::new();
        self.stdout.read_to_end(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest, asked.elapsed())
    }
}

#[test]
fn refusals_are_worded_and_numbered_as_by_the_real_tool() {
    let not_root = output(&["--as-user", "-n", "1"]);
    assert_eq!(not_root.status.code(), Some(1));
    assert_eq!(not_root.stderr, b"powermetrics must be invoked as the superuser\n");

    // the sampler is checked before root is
    let no_sampler = output(&["--as-user", "-s", "cpu_power,smc", "-n", "1"]);
    assert_eq!(no_sampler.status.code(), Some(1));
    assert_eq!(no_sampler.stderr, b"powermetrics: unrecognized sampler: smc\n");
    assert!(no_sampler.stdout.is_empty());

    let no_option = output(&["--frobnicate"]);
    assert_eq!(no_option.status.code(), Some(64));
    assert!(String::from_utf8(no_option.stderr).unwrap().contains("Usage: powermetrics"));

    let help = output(&["--as-user", "--help"]);
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).unwrap().contains("--sample-rate"));
}

#[test]
fn windows_are_longer_than_asked_for_and_the_first_most_of_all() {
    let began = Instant::now();
    let output = output(&plist_stream(&["-i", "100", "-n", "6"]));
    let lasted_ms = began.elapsed().as_secs_f64() * 1e3;
    assert!(output.status.success());
    let documents = documents(&output.stdout);
    assert_eq!(documents.len(), 6);
    let elapsed: Vec<f64> = documents.iter().map(elapsed_ms).collect();
    assert!(elapsed[0] >= 118.0, "{elapsed:?}");
    assert!(elapsed[1..].iter().all(|elapsed_ms| *elapsed_ms >= 103.0), "{elapsed:?}");
    // contiguous: together they are the time that passed, but for starting and ending
    let sum_ms: f64 = elapsed.iter().sum();
    assert!(sum_ms <= lasted_ms, "{sum_ms} {lasted_ms}");
    assert!(elapsed[1..].iter().sum::<f64>() / 5.0 < 600.0, "{elapsed:?}");
}

#[test]
fn samples_and_truth_agree_on_what_the_activity_cost() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("model.toml"), QUIET).unwrap();
    let now_ns = raw_monotonic_ns();
    let writer = Writer::open(Path::new(&path("activity"))).unwrap();
    for (at_ms, state) in [(300, State::Prefill), (450, State::Decode), (800, State::Idle)] {
        let change = Change { mono_ns: now_ns + at_ms * MS, state, request: Some("a".into()), utilization: None };
        writer.record(&change).unwrap();
    }
    let output = output(&plist_stream(&[
        "--activity",
        &path("activity"),
        "--truth",
        &path("truth"),
        "--model",
        &path("model.toml"),
        "-i",
        "100",
        "-n",
        "16",
    ]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let documents = documents(&output.stdout);
    let truth: Truth = serde_json::from_slice(&std::fs::read(path("truth")).unwrap()).unwrap();
    assert_eq!((truth.sent_ns, truth.last_ns), (now_ns + 300 * MS, now_ns + 800 * MS));

    // 150 ms at 33.49 W and 350 ms at 24.49 W above idle
    assert!((truth.net_j.combined - (0.15 * 33.49 + 0.35 * 24.49)).abs() < 1e-9);
    let measured_j: f64 = documents.iter().map(combined_mj).sum::<f64>() * 1e-3;
    let idle_j = truth.idle_power_w * documents.iter().map(elapsed_ms).sum::<f64>() * 1e-3;
    assert!(
        (measured_j - idle_j - truth.net_j.combined).abs() < 0.004,
        "measured {measured_j} J, idle {idle_j} J, true {} J",
        truth.net_j.combined
    );
    // a 100 ms window in the middle of the load, and the last one
    assert!(documents.iter().any(|document| combined_mj(document) > 2_000.0));
    assert!(combined_mj(documents.last().unwrap()) < 200.0);
}

#[test]
fn siginfo_gives_a_short_sample_and_the_periodic_one_comes_when_it_would_have() {
    let mut running = Running::start(&["--siginfo", "immediate", "-i", "1500"]);
    let first_ms = elapsed_ms(&running.next());
    assert!(first_ms >= 1_500.0);
    send(&running.child, SIGINFO);
    let short_ms = elapsed_ms(&running.next());
    let rest_ms = elapsed_ms(&running.next());
    assert!(short_ms < 1_500.0, "{short_ms}");
    assert!(rest_ms < 1_510.0 && short_ms + rest_ms >= 1_503.0, "{short_ms} {rest_ms}");
    let (status, _, _) = running.stop(libc::SIGTERM);
    assert!(status.success());
}

#[test]
fn siginfo_may_restart_the_periodic_timer_or_do_nothing() {
    let mut resetting = Running::start(&["--siginfo", "immediate-reset", "-i", "400"]);
    resetting.next();
    send(&resetting.child, SIGINFO);
    let (short_ms, full_ms) = (elapsed_ms(&resetting.next()), elapsed_ms(&resetting.next()));
    assert!(full_ms >= 403.0, "{short_ms} {full_ms}");
    resetting.stop(libc::SIGTERM);

    let mut ignoring = Running::start(&["--siginfo", "ignore", "-i", "400"]);
    ignoring.next();
    send(&ignoring.child, SIGINFO);
    assert!(elapsed_ms(&ignoring.next()) >= 403.0);
    ignoring.stop(libc::SIGTERM);
}

#[test]
fn without_an_interval_only_siginfo_gives_samples() {
    let directory = tempfile::tempdir().unwrap();
    let truth = directory.path().join("truth");
    let mut running = Running::start(&["-i", "0", "--siginfo-delay-ms", "50", "--truth", truth.to_str().unwrap()]);
    // the file is made after the handlers are; before that the signal would kill
    wait_until("it has begun", || truth.exists());
    send(&running.child, SIGINFO);
    assert!(elapsed_ms(&running.next()) >= 50.0);
    let (status, rest, _) = running.stop(libc::SIGHUP);
    assert!(status.success() && rest.is_empty());
}

#[test]
fn stopping_signals_end_a_long_window_at_once_and_without_a_sample() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let directory = tempfile::tempdir().unwrap();
        let truth = directory.path().join("truth");
        let mut running = Running::start(&["-i", "60000", "--truth", truth.to_str().unwrap()]);
        wait_until("it has begun", || truth.exists());
        send(&running.child, SIGINFO);
        running.next();
        let (status, rest, took) = running.stop(signal);
        assert_eq!(status.code(), Some(0), "signal {signal}");
        assert!(rest.is_empty());
        assert!(took < PATIENCE, "{took:?}");
    }
}

#[test]
fn stopping_is_prompt_even_when_nobody_reads() {
    let mut child = tool(&plist_stream(&["-i", "20"])).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // a document has 50 KB, a pipe 64 at most
    let mut waiting = -1;
    wait_until("the pipe is full", || {
        let before = std::mem::replace(&mut waiting, waiting_bytes(&stdout));
        std::thread::sleep(Duration::from_millis(200));
        waiting > 0 && waiting == before
    });
    send(&child, libc::SIGTERM);
    wait_until("it is gone", || child.try_wait().unwrap().is_some());
    let mut held = Vec::new();
    stdout.read_to_end(&mut held).unwrap();
    assert!(!held.ends_with(b"</plist>\n"), "the last document can't be whole");
}

#[test]
fn dies_of_a_broken_pipe_when_its_reader_goes() {
    let mut running = Running::start(&["-i", "100"]);
    running.next();
    drop(running.stdout);
    let status = running.child.wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGPIPE));
}

#[test]
fn output_comes_late_unless_buffering_is_switched_off() {
    // some 600 bytes a document: in 2 s at most 6, less than a buffer
    let arguments = ["-f", "plist", "-s", "battery", "-i", "300"];
    let mut buffered = tool(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut unbuffered = tool(&arguments).args(["-b", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut late, prompt) = (buffered.stdout.take().unwrap(), unbuffered.stdout.take().unwrap());
    let began = Instant::now();
    wait_until("the unbuffered one has written", || waiting_bytes(&prompt) > 0);
    if began.elapsed() < Duration::from_secs(2) {
        assert_eq!(waiting_bytes(&late), 0);
    }
    std::thread::sleep(Duration::from_millis(700));
    for child in [&mut buffered, &mut unbuffered] {
        send(child, libc::SIGTERM);
        assert!(child.wait().unwrap().success());
    }
    // what was held back is flushed at the end
    let mut bytes = Vec::new();
    late.read_to_end(&mut bytes).unwrap();
    assert!(!documents(&bytes).is_empty());
}

#[test]
fn truth_is_written_while_sampling_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (activity, truth) = (directory.path().join("activity"), directory.path().join("truth"));
    let mut running =
        Running::start(&["-i", "200", "--activity", activity.to_str().unwrap(), "--truth", truth.to_str().unwrap()]);
    running.next();
    // the activity begins only after the tool has
    let writer = Writer::open(&activity).unwrap();
    let sent_ns = writer.record_now(State::Prefill, Some("a")).unwrap();
    running.next();
    let last_ns = writer.record_now(State::Idle, Some("a")).unwrap();
    let written = || std::fs::read_to_string(&truth).unwrap();
    while written().is_empty() {
        running.next();
        assert!(raw_monotonic_ns() - last_ns < 20_000 * MS, "no truth yet");
    }
    assert!(raw_monotonic_ns() - last_ns >= 1_000 * MS);
    let line: Truth = serde_json::from_str(written().trim_end()).unwrap();
    assert_eq!((line.sent_ns, line.last_ns, line.first_token_ns), (sent_ns, last_ns, None));
    running.stop(libc::SIGTERM);
    assert_eq!(written().lines().count(), 1);
}

#[test]
fn faults_damage_one_document_each_and_the_stream_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("faults.toml");
    std::fs::write(
        &path,
        r#"
        second_underflow = true
        [[fault]]
        document = 1
        kind = "raw_ampersand"
        [[fault]]
        document = 2
        kind = "cut"
        keep_ratio = 0.5
        [[fault]]
        document = 3
        kind = "nan"
        [[fault]]
        document = 4
        kind = "stderr"
        text = "proc_pid: no such process"
        [[fault]]
        document = 5
        kind = "exit"
        status = 7
        "#,
    )
    .unwrap();
    let output = output(&plist_stream(&["-i", "30", "-n", "10", "--faults", path.to_str().unwrap()]));
    assert_eq!(output.status.code(), Some(7));
    let parts: Vec<&[u8]> = output.stdout.split(|&byte| byte == 0).collect();
    assert_eq!(parts.len(), 5);
    let parses: Vec<bool> = parts.iter().map(|part| Value::from_reader_xml(*part).is_ok()).collect();
    assert_eq!(parses, [true, false, false, true, true]);
    let damaged = parsed(parts[3]);
    assert!(number(damaged["processor"].as_dictionary().unwrap(), "cpu_power").is_nan());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("Second underflow occured.\n").count(), 6);
    assert!(stderr.contains("proc_pid: no such process"));
}

#[test]
fn output_file_gets_what_stdout_would() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture");
    let output = output(&plist_stream(&["-i", "20", "-n", "2", "-o", path.to_str().unwrap()]));
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(documents(&std::fs::read(path).unwrap()).len(), 2);
}
