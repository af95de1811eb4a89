//! The built-in demo's server: the simulator's LM Studio, in a process of its own, that ends with this one.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::DemoError;
use crate::programs::Program;

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// A running server.
#[derive(Debug)]
pub struct DemoServer {
    child: Child,
    url: String,
    /// Kept open: the server must be able to write.
    _stdout: BufReader<ChildStdout>,
}

impl DemoServer {
    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// [`DemoError`] when the simulator is missing or does not start in time.
    pub async fn start(activity: &Path) -> Result<Self, DemoError> {
        let program = Program::Simulator.find()?;
        let because = |text: &str| DemoError::Start(std::io::Error::other(text));
        let mut child = Command::new(&program)
            .args(["lmstudio", "--port", "0", "--exit-with-stdin", "--activity"])
            .arg(activity)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C in the terminal is for this program alone, which ends the server when it is done with it
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(DemoError::Start)?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or_else(|| because("it has no output"))?);
        let mut line = String::new();
        match tokio::time::timeout(START_LIMIT, stdout.read_line(&mut line)).await {
            Err(_) => return Err(because("it was not ready in time")),
            Ok(Err(error)) => return Err(DemoError::Start(error)),
            Ok(Ok(_)) => {}
        }
        let url = line.trim().strip_prefix("READY ").ok_or_else(|| because("it ended at once"))?;
        Ok(Self { child, url: url.to_owned(), _stdout: stdout })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it in order.
    pub async fn stop(mut self) {
        drop(self.child.stdin.take());
        if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}
