//! launchd, through `/bin/launchctl`. Which calls are made, and in which order, is decided by the install; here is only how
//! each is said.
//!
//! Not run on a Mac while it was written: that `launchctl print` fails for a job that is not there, that `bootout` may
//! return before the job is gone, and that `enable` undoes an earlier `disable`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LAUNCHCTL: &str = "/bin/launchctl";
/// How long a job may take to go; its own limit is 5 s.
const BOOTOUT_LIMIT: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Who starts daemons.
pub trait Launchd {
    /// Whether the job is known, running or not.
    ///
    /// # Errors
    /// [`LaunchdError`].
    fn is_loaded(&mut self, label: &str) -> Result<bool, LaunchdError>;
    /// Undoes an earlier order never to start the job.
    ///
    /// # Errors
    /// [`LaunchdError`].
    fn enable(&mut self, label: &str) -> Result<(), LaunchdError>;
    /// Makes the job of this file known.
    ///
    /// # Errors
    /// [`LaunchdError`].
    fn bootstrap(&mut self, job: &Path) -> Result<(), LaunchdError>;
    /// Stops and forgets the job; waits until it is gone.
    ///
    /// # Errors
    /// [`LaunchdError`].
    fn bootout(&mut self, label: &str) -> Result<(), LaunchdError>;
}

/// Why launchd did not do it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum LaunchdError {
    #[error("launchctl could not be started")]
    Start(#[source] std::io::Error),
    #[error("`launchctl {command}` failed ({status}): {words}")]
    Refused { command: String, status: String, words: String },
    #[error("the running helper did not end")]
    StillThere,
}

/// launchctl of macOS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Launchctl;

impl Launchctl {
    fn run(words: &[&str]) -> Result<std::process::Output, LaunchdError> {
        Command::new(LAUNCHCTL).args(words).env_clear().stdin(Stdio::null()).output().map_err(LaunchdError::Start)
    }

    fn must(words: &[&str]) -> Result<(), LaunchdError> {
        let output = Self::run(words)?;
        if output.status.success() {
            return Ok(());
        }
        Err(LaunchdError::Refused {
            command: words.join(" "),
            status: output.status.to_string(),
            words: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}

fn target(label: &str) -> String {
    format!("system/{label}")
}

impl Launchd for Launchctl {
    fn is_loaded(&mut self, label: &str) -> Result<bool, LaunchdError> {
        Ok(Self::run(&["print", &target(label)])?.status.success())
    }

    fn enable(&mut self, label: &str) -> Result<(), LaunchdError> {
        Self::must(&["enable", &target(label)])
    }

    fn bootstrap(&mut self, job: &Path) -> Result<(), LaunchdError> {
        Self::must(&["bootstrap", "system", &job.display().to_string()])
    }

    fn bootout(&mut self, label: &str) -> Result<(), LaunchdError> {
        let asked = Self::must(&["bootout", &target(label)]);
        let since = Instant::now();
        while self.is_loaded(label)? {
            if since.elapsed() > BOOTOUT_LIMIT {
                return asked.and(Err(LaunchdError::StillThere));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        // what it said no longer matters: the job is gone
        Ok(())
    }
}
