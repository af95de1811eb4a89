//! Running the real program, with its siblings beside it, in a folder of its own.
#![allow(dead_code, reason = "every test program uses another part of it")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Generous: the machine may be busy with other things.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Three prompts with short phases; the answers last for about a second.
pub const SUITE: &str = r#"
name = "three"
[[prompts]]
id = "one"
category = "short"
prompt = "What is 2+2?"
max_tokens = 8
[[prompts]]
id = "two"
category = "medium"
prompt = "Name three colors. Describe each."
max_tokens = 8
[[prompts]]
id = "three"
category = "long"
prompt = "Explain photosynthesis in simple terms."
max_tokens = 8
"#;

/// A folder to run in. Temporary files of the program and its children go there too, so that what they leave behind
/// can be seen.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// An empty folder with a suite of three prompts.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        std::fs::write(folder.path().join("suite.toml"), SUITE).unwrap();
        Self { folder }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The content of a file in it.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A file in it as JSON.
    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// The program, ready to run there.
    pub fn joulebar(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_joulebar"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TMPDIR", self.path("tmp"))
            .env("JOULEBAR_DATA", self.path("data"))
            .env("JOULEBAR_CONFIG", self.path("config"))
            .env_remove("LM_API_TOKEN")
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.joulebar(arguments).output().unwrap())
    }

    /// A quick bench of the three prompts with the demo; `more` are further arguments.
    pub fn bench(&self, more: &[&str]) -> Command {
        require_siblings();
        let mut command = self.joulebar(&["bench", "--demo", "--suite", "suite.toml", "--interval", "100"]);
        command.args(["--baseline", "0.5", "--cooldown", "0.5", "--output", "report.json"]).args(more);
        command
    }

    /// Command lines of running processes that name this folder.
    fn processes(&self) -> Vec<String> {
        let mark = self.folder.path().display().to_string();
        command_lines().into_iter().filter(|line| line.contains(&mark)).collect()
    }

    /// Files that stay in the folder for temporary files.
    pub fn temporary_files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.path("tmp")).unwrap().flatten().map(|file| file.path()).collect()
    }

    /// Fails if a process stays; they get some time to end.
    #[track_caller]
    pub fn assert_no_process_stays(&self) {
        let started = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "still running: {left:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn command_lines() -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        let listed = Command::new("ps").args(["-axww", "-o", "command="]).output().unwrap();
        return String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect();
    };
    let lines = processes.flatten().filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

/// What a run gave.
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails, with everything that was said, unless it ended with `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// Lines of a running program's standard output, with a limit for each wait.
pub struct Lines {
    lines: std::sync::mpsc::Receiver<String>,
    pub seen: Vec<String>,
}

impl Lines {
    /// Of its standard output.
    pub fn of(child: &mut Child) -> Self {
        Self::from(child.stdout.take().unwrap())
    }

    /// Of its standard error.
    pub fn of_stderr(child: &mut Child) -> Self {
        Self::from(child.stderr.take().unwrap())
    }

    fn from(pipe: impl std::io::Read + Send + 'static) -> Self {
        let pipe = std::io::BufReader::new(pipe);
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { lines, seen: Vec::new() }
    }

    /// Waits until a line holds `text`.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.seen.push(line);
                    if found {
                        return;
                    }
                }
                Err(error) => panic!("{text:?} did not come ({error}) after:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Everything until the end.
    pub fn rest(mut self) -> String {
        while let Ok(line) = self.lines.recv_timeout(LIMIT) {
            self.seen.push(line);
        }
        self.seen.join("\n")
    }
}

/// Sends a signal to one process.
pub fn signal(child: &Child, signal: i32) {
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: kill takes two numbers; the child has not been waited for, so its number is still its own.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// A simulated LM Studio that ends with the test.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(sibling("joulebar-sim"))
            .args(["lmstudio", "--port", "0", "--exit-with-stdin"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = Lines::of(&mut child);
        lines.wait_for("READY ");
        let url = lines.seen[0].trim_start_matches("READY ").to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fails with a hint when the programs that the tests need are not beside this one.
#[track_caller]
pub fn require_siblings() {
    for name in ["joulebar-sim", "joulebar-helper", "joulebar-helper-simulated"] {
        sibling(name);
    }
}

#[track_caller]
fn sibling(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_joulebar")).with_file_name(name);
    assert!(path.is_file(), "{} is missing: run `make test`, which builds it first", path.display());
    path
}

/// The folder of recorded captures; `None`, said aloud, where there is none.
pub fn captures(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("JOULEBAR_FIXTURES").map(|folder| PathBuf::from(folder).join("powermetrics"));
    if folder.is_none() {
        println!("skipped: {test} needs JOULEBAR_FIXTURES");
    }
    folder
}

/// A document as powermetrics prints it, of one second, with these powers.
pub fn document(cpu_mw: f64, gpu_mw: f64) -> String {
    let combined = cpu_mw + gpu_mw;
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
<key>is_delta</key><true/>
<key>elapsed_ns</key><integer>1000000000</integer>
<key>hw_model</key><string>Mac16,8</string>
<key>timestamp</key><date>2025-07-06T04:15:28Z</date>
<key>processor</key>
<dict>
<key>cpu_energy</key><integer>{cpu_mw}</integer>
<key>cpu_power</key><real>{cpu_mw}</real>
<key>gpu_energy</key><integer>{gpu_mw}</integer>
<key>gpu_power</key><real>{gpu_mw}</real>
<key>ane_energy</key><integer>0</integer>
<key>ane_power</key><real>0</real>
<key>combined_power</key><real>{combined}</real>
</dict>
<key>thermal_pressure</key><string>Nominal</string>
</dict>
</plist>
"#
    )
}
