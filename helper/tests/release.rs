//! The helper as it is shipped: whatever it is called with, told or given in its environment, it starts no program but
//! `/usr/bin/powermetrics`. Looks at processes in /proc, so it runs on Linux alone, where there is none to start.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that fails here has failed, and figures are for reading"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Client, assert_no_children, hello, hostile_frames, start, wait_until, write_program};
use joulebar_wire::limits::{MAX_INTERVAL_MS, MIN_INTERVAL_MS};
use joulebar_wire::{ErrorCode, IntervalMs, Reply, Request, Sampler, Samplers};
use tempfile::TempDir;

/// A descriptor that nobody expects to be open.
const HIDDEN: RawFd = 700;

/// The helper of scripts/release_helper.sh, built as it is shipped; else the one of this build.
fn helper() -> PathBuf {
    std::env::var_os("JOULEBAR_RELEASE_HELPER").map_or(env!("CARGO_BIN_EXE_joulebar-helper").into(), PathBuf::from)
}

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

/// A program in an environment full of promises.
fn lured(program: &Path, directory: &Path) -> Command {
    let powermetrics = directory.join("powermetrics");
    let mut command = Command::new(program);
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
fn threat_06_no_argument_makes_it_run_another_program() {
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
        let output = lured(&helper(), directory.path()).args(call).stdin(Stdio::null()).output().unwrap();
        // a daemon that launchd has not started has no right to be one
        let status = if *call == ["daemon"] { 77 } else { 64 };
        assert_eq!(output.status.code(), Some(status), "{call:?}");
        assert_eq!(output.stdout, b"", "{call:?}");
    }
    assert!(!directory.path().join("was-run").exists());
    assert!(calls.len() > 80);
}

#[test]
fn threat_06_no_message_and_no_environment_makes_it_run_another_program() {
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
        let mut client = Client::start(lured(&helper(), directory.path()).arg("stdio"));
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
        let mut client = Client::start(lured(&helper(), directory.path()).arg("stdio"));
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

/// What a powermetrics does that stands at `/usr/bin/powermetrics` for one process and its children alone: it takes down
/// its arguments and its environment.
const WITNESS: &str = r#"#!/bin/sh
for word in "$@"; do printf '%s\n' "$word"; done >"$dir/arguments.new"
cat "/proc/$$/environ" >"$dir/environment"
mv "$dir/arguments.new" "$dir/arguments"
printf '<plist>\n</plist>\n'
while :; do sleep 1; done
"#;

/// A directory to stand at `/usr/bin`, with a witness and what that needs; `None` where a test may not mount.
fn witness(directory: &Path) -> Option<PathBuf> {
    let script = "/usr/bin/mount --bind /usr/bin /usr/bin";
    let may = Command::new("/usr/bin/unshare").args(["-m", "/bin/sh", "-c", script]).output();
    if !may.is_ok_and(|output| output.status.success()) || fs::canonicalize("/bin").unwrap() != Path::new("/usr/bin") {
        return None;
    }
    let bin = directory.join("bin");
    fs::create_dir(&bin).unwrap();
    write_program(&bin.join("powermetrics"), &WITNESS.replace("$dir", &directory.display().to_string()));
    for name in ["sh", "cat", "mv", "sleep"] {
        fs::copy(Path::new("/usr/bin").join(name), bin.join(name)).unwrap();
    }
    Some(bin)
}

/// The helper where `bin` stands at `/usr/bin`.
fn witnessed(bin: &Path, directory: &Path) -> Command {
    let script = "/usr/bin/mount --bind \"$1\" /usr/bin && exec \"$2\" stdio";
    let mut command = lured("/usr/bin/unshare".as_ref(), directory);
    command.args(["-m", "/bin/sh", "-c", script, "sh"]).arg(bin).arg(helper());
    command
}

#[test]
fn threat_07_every_start_that_can_be_asked_for_runs_one_powermetrics_with_closed_arguments_and_environment() {
    let directory = trap();
    let Some(bin) = witness(directory.path()) else {
        println!("skipped: this needs root and Linux's mount namespaces");
        return;
    };
    let mut seen = BTreeSet::new();
    let intervals = [MIN_INTERVAL_MS, 101, 1000, MAX_INTERVAL_MS];
    for choice in 1usize..1 << Sampler::ALL.len() {
        let chosen = Sampler::ALL.into_iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
        let samplers = Samplers::new(chosen.map(|(_, sampler)| sampler).collect()).unwrap();
        let interval_ms = IntervalMs::new(intervals[choice % intervals.len()]).unwrap();
        let mut client = Client::start(&mut witnessed(&bin, directory.path()));
        client.ask(&hello());
        assert!(matches!(client.next_control(), Reply::HelloOk { powermetrics: true, simulated: false, .. }));
        client.ask(&Request::Start { id: 7, interval_ms, samplers: samplers.clone() });
        let trace = directory.path().join("arguments");
        wait_until("it runs", || trace.exists());
        let process = client.helper.id();
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
        let [child] = children.split_whitespace().collect::<Vec<_>>()[..] else { panic!("children: {children}") };
        let command_line = fs::read(format!("/proc/{child}/cmdline")).unwrap();
        assert!(command_line.starts_with(b"/bin/sh\0/usr/bin/powermetrics\0-f\0"), "{command_line:?}");
        let arguments = fs::read_to_string(&trace).unwrap();
        let samples = 3_600_000u32.div_ceil(interval_ms.get());
        let expected = format!("-f\nplist\n-b\n0\n-i\n{}\n-n\n{samples}\n-s\n{samplers}\n", interval_ms.get());
        assert_eq!(arguments, expected);
        let environment = fs::read(directory.path().join("environment")).unwrap();
        let mut environment: Vec<_> = environment.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).collect();
        environment.sort_unstable();
        assert_eq!(environment, [&b"LC_ALL=C"[..], b"PATH=/usr/bin:/bin:/usr/sbin:/sbin"]);
        client.hang_up();
        assert_eq!(client.wait().0.code(), Some(0));
        fs::remove_file(trace).unwrap();
        seen.insert(arguments);
    }
    for bytes in hostile_frames() {
        let mut client = Client::start(&mut witnessed(&bin, directory.path()));
        client.ask(&hello());
        (0..3).for_each(|_| client.send(&bytes));
        assert_eq!(client.wait().0.code(), Some(0));
        assert!(!directory.path().join("arguments").exists(), "{bytes:?}");
    }
    assert!(!directory.path().join("was-run").exists());
    println!("{} command lines seen, none with another option", seen.len());
    assert_eq!(seen.len(), 31);
}

#[test]
fn threat_08_blocked_signals_and_hidden_descriptors_of_whoever_starts_it_are_left_behind() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let inherited = writer.as_raw_fd();
    let mut command = Command::new(helper());
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
fn threat_08_option_for_a_simulator_is_not_even_in_the_binary() {
    let binary = fs::read(helper()).unwrap();
    let contains = |needle: &[u8]| binary.windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"/usr/bin/powermetrics"), "the search works");
    assert!(!contains(b"--simulator"));
}
