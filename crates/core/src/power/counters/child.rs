//! Counters that a process of its own reads, so that a reader which breaks on a chip it does not know takes nothing along.
//!
//! Knows both ends of a conversation in lines of text. The child begins with `ready` or `error WHY`; a number of milliseconds
//! asks it for the mean power over that time, and it answers `power CPU GPU ANE DRAM CHIP SYSTEM` in watts, or `error WHY`.
//! It ends with its input. Leaves to others: reading the counters, which the child does on Macs alone.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::Counters;
use super::rules::Reading;
use crate::programs::Program;

/// The command of the terminal program that calls [`serve`].
pub const COMMAND: &str = "counters";
/// Longest line that is taken from the child.
const MAX_LINE_BYTES: u64 = 4_096;

/// A process that reads counters. Dropping it ends the process.
#[derive(Debug)]
pub struct ChildCounters {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl ChildCounters {
    /// Starts `program`, and waits until it has opened the counters.
    ///
    /// # Errors
    /// In words: it can't be started, broke, or has no counters.
    pub fn start(program: &Path, arguments: &[&str]) -> Result<Self, String> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("the reader of the counters can't be started: {error}"))?;
        let (Some(asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the reader of the counters has no pipes".to_owned());
        };
        let mut counters = Self { child, asks, answers: BufReader::new(answers) };
        match counters.answer()?.as_str() {
            "ready" => Ok(counters),
            other => Err(why(other)),
        }
    }

    fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let mut limited = std::io::Read::take(&mut self.answers, MAX_LINE_BYTES);
        match limited.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => Ok(line.trim_end().to_owned()),
            _ => Err("the reader of the counters broke".to_owned()),
        }
    }
}

impl Counters for ChildCounters {
    fn read(&mut self, window: Duration) -> Result<Reading, String> {
        // a child that is gone has closed its output too, which says so
        let _ = writeln!(self.asks, "{}", window.as_millis());
        let line = self.answer()?;
        let mut words = line.split(' ');
        if words.next() != Some("power") {
            return Err(why(&line));
        }
        let watts: Vec<f32> = words.filter_map(|word| word.parse().ok()).collect();
        let [cpu_w, gpu_w, ane_w, dram_w, chip_w, system_w] = watts[..] else { return Err(why(&line)) };
        Ok(Reading { cpu_w, gpu_w, ane_w, dram_w, chip_w, system_w })
    }
}

impl Drop for ChildCounters {
    fn drop(&mut self) {
        // it holds nothing that it would have to put away
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn why(line: &str) -> String {
    line.strip_prefix("error ").map_or_else(|| format!("the reader of the counters said {line:?}"), str::to_owned)
}

/// Starts the terminal program of this build as the reader.
///
/// # Errors
/// In words: it is missing, or as [`ChildCounters::start`].
pub fn open() -> Result<ChildCounters, String> {
    let program = Program::Terminal.find().map_err(|error| error.to_string())?;
    ChildCounters::start(&program, &[COMMAND])
}

/// The child's end: opens the counters, then answers until `asks` ends.
///
/// # Errors
/// When `answers` can't be written any more.
pub fn serve<C: Counters>(
    open: impl FnOnce() -> Result<C, String>,
    asks: impl BufRead,
    mut answers: impl Write,
) -> std::io::Result<()> {
    let mut counters = match open() {
        Ok(counters) => counters,
        Err(why) => return tell(&mut answers, &format!("error {why}")),
    };
    tell(&mut answers, "ready")?;
    for ask in asks.lines() {
        let Ok(milliseconds) = ask?.parse() else { return tell(&mut answers, "error no number of milliseconds") };
        match counters.read(Duration::from_millis(milliseconds)) {
            Ok(power) => {
                let Reading { cpu_w, gpu_w, ane_w, dram_w, chip_w, system_w } = power;
                tell(&mut answers, &format!("power {cpu_w} {gpu_w} {ane_w} {dram_w} {chip_w} {system_w}"))?;
            }
            Err(why) => return tell(&mut answers, &format!("error {why}")),
        }
    }
    Ok(())
}

fn tell(answers: &mut impl Write, line: &str) -> std::io::Result<()> {
    writeln!(answers, "{}", line.replace('\n', " "))?;
    answers.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(script: &str) -> Result<ChildCounters, String> {
        ChildCounters::start(Path::new("/bin/sh"), &["-c", script])
    }

    struct Fake(Vec<Reading>);

    impl Counters for Fake {
        fn read(&mut self, window: Duration) -> Result<Reading, String> {
            assert_eq!(window, Duration::from_millis(1_000));
            self.0.pop().ok_or_else(|| "the counters\nwent away".to_owned())
        }
    }

    #[test]
    fn what_one_end_reads_the_other_end_gets() {
        let reading = Reading { cpu_w: 1.25, gpu_w: f32::NAN, system_w: 9.5, ..Reading::default() };
        let mut answers = Vec::new();
        serve(|| Ok(Fake(vec![reading])), &b"1000\n1000\n"[..], &mut answers).unwrap();
        let text = String::from_utf8(answers).unwrap();
        assert_eq!(text, "ready\npower 1.25 NaN 0 0 0 9.5\nerror the counters went away\n");
        let mut counters = child(&format!("printf '%s' '{text}'; cat >/dev/null")).unwrap();
        let got = counters.read(Duration::from_secs(1)).unwrap();
        assert!(got.cpu_w == 1.25 && got.gpu_w.is_nan() && got.system_w == 9.5);
        assert_eq!(counters.read(Duration::from_secs(1)).unwrap_err(), "the counters went away");
    }

    #[test]
    fn a_child_that_breaks_is_an_error_and_no_hang() {
        assert!(child("kill -ABRT $$").unwrap_err().contains("broke"));
        assert_eq!(child("echo 'error no such chip'").unwrap_err(), "no such chip");
        assert!(ChildCounters::start(Path::new("/nonexistent"), &[]).unwrap_err().contains("can't be started"));
        let mut counters = child("echo ready; read ask; kill -ABRT $$").unwrap();
        assert!(counters.read(Duration::from_secs(1)).unwrap_err().contains("broke"));
        for nonsense in ["power 1 2 3", "power a b c d e f", "watts"] {
            let mut counters = child(&format!("echo ready; echo {nonsense}; cat")).unwrap();
            assert!(counters.read(Duration::from_secs(1)).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn dropping_it_ends_the_process() {
        let counters = child("echo ready; exec sleep 60").unwrap();
        let process = counters.child.id();
        drop(counters);
        assert!(!Path::new(&format!("/proc/{process}")).exists());
    }
}
