//! The helper as it is shipped: whatever it is called with, told or given in its environment, it starts no program but
//! `/usr/bin/powermetrics`. Looks at processes in /proc, so it runs on Linux alone, where there is none to start.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that fails here has failed, and figures are for reading"
)]

mod common;

use std::fs;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Client, assert_no_children, hello, hostile_frames, start, wait_until, write_program};
use joulebar_wire::{ErrorCode, Reply, Request, Sampler};
use tempfile::TempDir;

/// A descriptor that nobody expects to be open.
const HIDDEN: RawFd = 700;
const HELPER: &str = env!("CARGO_BIN_EXE_joulebar-helper");

/// A directory with a program called powermetrics that leaves a trace when it is run.
fn trap() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("was-run");
    write_program(&directory.path().join("powermetrics"), &format!("#!/bin/sh\necho run > {}\n", trace.display()));
    let status = Command::new(directory.path().join("powermetrics")).status().unwrap();
    assert!(status.success() && trace.exists(), "the trap works");
    fs::remove_file(trace).unwrap();
    directory
}

fn lured(directory: &Path) -> Command {
    let powermetrics = directory.join("powermetrics");
    let mut command = Command::new(HELPER);
    command.current_dir(directory).env("PATH", directory);
    for name in ["POWERMETRICS", "JOULEBAR_POWERMETRICS", "JOULEBAR_SIMULATOR", "SIMULATOR", "JOULEBAR_HELPER", "SHELL"]
    {
        command.env(name, &powermetrics);
    }
    for name in ["DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "ENV", "BASH_ENV", "IFS", "HOME"] {
        command.env(name, directory);
    }
    command
}

#[test]
fn no_argument_makes_it_run_another_program() {
    let directory = trap();
    let path = directory.path().join("powermetrics").display().to_string();
    let words = ["stdio", "daemon", "--simulator", "-s", "-o", "--help", "", "powermetrics", &path];
    let mut calls = vec![vec![]];
    for first in words {
        calls.push(vec![first]);
        for second in words {
            calls.push(vec![first, second]);
        }
        calls.push(vec!["stdio", "--simulator", first]);
        calls.push(vec!["stdio", "--simulator", &path, first]);
    }
    calls.retain(|call| *call != ["stdio"]);
    for call in &calls {
        let output = lured(directory.path()).args(call).stdin(Stdio::null()).output().unwrap();
        // a daemon that launchd has not started has no right to be one
        let status = if *call == ["daemon"] { 77 } else { 64 };
        assert_eq!(output.status.code(), Some(status), "{call:?}");
        assert_eq!(output.stdout, b"", "{call:?}");
    }
    assert!(!directory.path().join("was-run").exists());
    assert!(calls.len() > 80);
}

#[test]
fn no_message_and_no_environment_makes_it_run_another_program() {
    if Path::new("/usr/bin/powermetrics").exists() {
        println!("skipped: this machine has a powermetrics, which would be run");
        return;
    }
    let directory = trap();
    let valid = [
        start(7, &Sampler::ALL),
        start(7, &[Sampler::Thermal]),
        Request::Mark { id: 7, n: 1 },
        Request::Stop { id: 7 },
        Request::Ping { n: 3 },
    ];
    for request in &valid {
        let mut client = Client::start(lured(directory.path()).arg("stdio"));
        client.ask(&hello());
        let reply = client.next_control();
        assert!(matches!(reply, Reply::HelloOk { powermetrics: false, simulated: false, .. }), "{reply:?}");
        client.ask(request);
        let reply = client.next_control();
        match request {
            Request::Ping { n } => assert_eq!(reply, Reply::Pong { n: *n }),
            Request::Start { .. } => {
                assert!(matches!(reply, Reply::Error { code: ErrorCode::Unavailable, id: Some(7), .. }), "{reply:?}");
            }
            _ => assert!(matches!(reply, Reply::Error { code: ErrorCode::BadRequest, .. }), "{reply:?}"),
        }
        assert_no_children(client.helper.id());
        client.hang_up();
        assert_eq!(client.wait().0.code(), Some(0));
    }
    for bytes in hostile_frames() {
        let mut client = Client::start(lured(directory.path()).arg("stdio"));
        client.ask(&hello());
        (0..3).for_each(|_| client.send(&bytes));
        let helper = client.helper.id();
        wait_until("it hangs up", || {
            assert_no_children(helper);
            client.helper.try_wait().unwrap().is_some()
        });
    }
    assert!(!directory.path().join("was-run").exists());
}

#[test]
fn blocked_signals_and_hidden_descriptors_of_whoever_starts_it_are_left_behind() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let inherited = writer.as_raw_fd();
    let mut command = Command::new(HELPER);
    // SAFETY: these calls may be made between fork and exec; the pointers are to live values or null, and the
    // descriptor is open, since `writer` outlives the start.
    unsafe {
        command.pre_exec(move || {
            let mut signals: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut signals);
            let blocked = libc::sigprocmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut()) == 0;
            // opened first, then the limit falls below it
            let low = libc::rlimit { rlim_cur: 64, rlim_max: 1024 };
            let hidden =
                libc::dup2(inherited, HIDDEN) == HIDDEN && libc::setrlimit(libc::RLIMIT_NOFILE, &raw const low) == 0;
            if blocked && hidden { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let mut client = Client::start(command.arg("stdio"));
    // from here on nothing but the signal ends it
    client.ask(&hello());
    assert!(matches!(client.next_control(), Reply::HelloOk { .. }), "it runs");
    let helper = client.helper.id();
    let targets: Vec<_> = fs::read_dir(format!("/proc/{helper}/fd")).unwrap().flatten().collect();
    assert!(targets.iter().all(|entry| entry.file_name() != HIDDEN.to_string().as_str()), "{targets:?}");
    assert!(Command::new("/bin/kill").args(["-TERM", &helper.to_string()]).status().unwrap().success());
    assert_eq!(client.wait().0.code(), Some(0));
}

#[test]
fn option_for_a_simulator_is_not_even_in_the_binary() {
    let binary = fs::read(HELPER).unwrap();
    let contains = |needle: &[u8]| binary.windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"/usr/bin/powermetrics"), "the search works");
    assert!(!contains(b"--simulator"));
}
