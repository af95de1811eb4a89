//! A client for the tests: starts a helper, speaks with it over its pipes, watches its processes in /proc.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use joulebar_wire::frame::{Received, ReplyDecoder, encode_request};
use joulebar_wire::{IntervalMs, Reply, Request, Sampler, Samplers};

/// Far beyond what anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    pub helper: Child,
    pub stdin: Option<ChildStdin>,
    replies: Receiver<Received>,
}

impl Client {
    /// Starts the command and reads whatever it says.
    pub fn start(command: &mut Command) -> Self {
        let mut helper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, mut stdout) = (helper.stdin.take(), helper.stdout.take().unwrap());
        let (sender, replies) = channel();
        std::thread::spawn(move || {
            let (mut decoder, mut buffer) = (ReplyDecoder::new(), vec![0; 65_536]);
            while let Ok(len @ 1..) = stdout.read(&mut buffer) {
                decoder.push(&buffer[..len]);
                while let Some(received) = decoder.next_reply().unwrap() {
                    if sender.send(received).is_err() {
                        return;
                    }
                }
            }
        });
        Self { helper, stdin, replies }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // a helper that has hung up already is what some tests are after
        let _ = self.stdin.as_mut().unwrap().write_all(bytes);
    }

    pub fn ask(&mut self, request: &Request) {
        self.send(&encode_request(request).unwrap());
    }

    /// The next message, `None` at the end of the conversation.
    pub fn next(&self) -> Option<Received> {
        match self.replies.recv_timeout(PATIENCE) {
            Ok(received) => Some(received),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(error) => panic!("the helper says nothing: {error}"),
        }
    }

    /// The next message that is no sample.
    pub fn next_control(&self) -> Reply {
        loop {
            match self.next().expect("the conversation goes on").reply {
                Reply::Sample { .. } => {}
                reply => return reply,
            }
        }
    }

    /// Everything up to the end of the conversation.
    pub fn drain(&self) -> Vec<Reply> {
        std::iter::from_fn(|| self.next()).map(|received| received.reply).collect()
    }

    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for the helper to end; says how long that took.
    pub fn wait(&mut self) -> (ExitStatus, Duration) {
        let since = Instant::now();
        wait_until("the helper ends", || self.helper.try_wait().unwrap().is_some());
        (self.helper.wait().unwrap(), since.elapsed())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}

pub fn hello() -> Request {
    Request::Hello { proto: joulebar_wire::PROTOCOL, app: "test".into() }
}

pub fn start(id: u64, samplers: &[Sampler]) -> Request {
    let samplers = Samplers::new(samplers.to_vec()).unwrap();
    Request::Start { id, interval_ms: IntervalMs::new(100).unwrap(), samplers }
}

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < PATIENCE, "waited for nothing: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    since.elapsed()
}

/// Whether a process lives; one that only waits to be reaped does not.
pub fn is_alive(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z') && !line.contains('X'))
}

/// The most memory that a process has had so far, in bytes; `None` once it is gone.
pub fn peak_memory_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().unwrap() * 1024)
}

/// A process has not started another one.
pub fn assert_no_children(process: u32) {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    assert_eq!(children, "");
}

/// A process has started this one and no other.
pub fn assert_only_child(process: u32, child: u32) {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
    assert_eq!(children.split_whitespace().collect::<Vec<_>>(), [child.to_string()]);
}

/// Written by another process: a file that this one had open for writing could still be open in a child that another test
/// has just forked, and the system does not start such a program ("text file busy").
pub fn write_program(path: &Path, text: &str) {
    let script = "cat >\"$1\" && chmod 755 \"$1\"";
    let mut shell = Command::new("/bin/sh").args(["-c", script, "sh"]).arg(path).stdin(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success());
}

/// Requests that no helper should do anything for, as whole frames.
pub fn hostile_frames() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"t":"exec","path":"/bin/sh"}"#.to_owned(),
        r#"{"t":"start","id":1,"interval_ms":100,"samplers":["tasks"]}"#.to_owned(),
        r#"{"t":"start","id":1,"interval_ms":1,"samplers":["thermal"]}"#.to_owned(),
        r#"{"t":"start","id":1,"interval_ms":100,"samplers":["thermal"],"output":"/etc/x"}"#.to_owned(),
        r#"{"t":"start","id":1,"interval_ms":100,"samplers":["thermal -o /etc/x"]}"#.to_owned(),
        r#"{"t":"hello","proto":1,"app":"x","program":"/bin/sh"}"#.to_owned(),
        r#"["start",1,100,["thermal"]]"#.to_owned(),
        "[".repeat(4096),
        "{\"t\":".repeat(800),
        "\0\u{1}garbage".to_owned(),
        String::new(),
    ];
    let mut frames: Vec<Vec<u8>> = texts.iter().map(|text| frame(text.as_bytes())).collect();
    frames.push(frame(&[0xff; 4096]));
    frames
}

pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    frame.extend_from_slice(payload);
    frame
}
