//! The built-in demo's server: the simulator's LM Studio, in a process of its own, that ends with this one.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::exit::{Code, Failure};
use crate::siblings::Sibling;

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
    /// [`Code::Unavailable`] when the simulator is missing or does not start.
    pub async fn start(activity: &Path) -> Result<Self, Failure> {
        let program = Sibling::Simulator.find()?;
        let failed = || Failure::new(Code::Unavailable, "the demo's server did not start");
        let mut child = Command::new(&program)
            .args(["lmstudio", "--port", "0", "--exit-with-stdin", "--activity"])
            .arg(activity)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C in the terminal is for this program alone, which ends the server when it is done with it
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed().because(&error))?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or_else(failed)?);
        let mut line = String::new();
        match tokio::time::timeout(START_LIMIT, stdout.read_line(&mut line)).await {
            Err(_) => return Err(failed().because_text("it was not ready in time")),
            Ok(Err(error)) => return Err(failed().because(&error)),
            Ok(Ok(_)) => {}
        }
        let url = line.trim().strip_prefix("READY ").ok_or_else(|| failed().because_text("it ended at once"))?;
        Ok(Self { child, url: url.to_owned(), _stdout: stdout })
    }

    /// Its address.
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
