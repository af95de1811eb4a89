//! The demonstration: the helper's simulated build, which runs the simulator's powermetrics.
//!
//! The simulated Mac draws the power of what an activity file says it does. The simulator's own LM server writes that file;
//! with any other server [`DemoSource`] writes it from the session's marks, so that the simulated power fits the real
//! tokens.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::decoded::NoteCounts;
use super::helper::{HelperOptions, HelperSource};
use super::{Boundary, PowerError, PowerSource, SourceDescription};
use crate::clock::{Clock, raw_monotonic_ns};
use crate::sample::PowerSample;

/// What the demonstration is made of.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Path of `joulebar-helper-simulated`.
    pub helper: PathBuf,
    /// Path of `joulebar-sim`.
    pub simulator: PathBuf,
    /// Path of the activity file; made if it does not exist.
    pub activity: PathBuf,
    /// Whether marks are written to the activity file: true unless the simulator's own server writes it.
    pub marks_are_activity: bool,
    /// Seed of the simulation's noise; `None` leaves it to the simulator.
    pub seed: Option<u64>,
    /// Further options of `joulebar-sim powermetrics`, for instance `--truth FILE`. Paths in them must be absolute.
    pub simulator_options: Vec<OsString>,
    /// What is asked of the helper.
    pub helper_options: HelperOptions,
}

/// Samples of the simulator. They are marked as simulated, and are no measurement.
#[derive(Debug)]
pub struct DemoSource {
    helper: HelperSource,
    activity: Option<ActivityLog>,
}

impl DemoSource {
    /// Starts the simulated helper, and sampling on it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`PowerError::Io`] when the activity file cannot be made, else as [`HelperSource::spawn`].
    pub async fn start(options: &DemoOptions, clock: Clock) -> Result<Self, PowerError> {
        let log = ActivityLog::open(&options.activity)?;
        let mut helper =
            HelperSource::spawn_with(&options.helper, &options.arguments()?, &options.helper_options, clock).await?;
        helper.rename("demo");
        Ok(Self { helper, activity: options.marks_are_activity.then_some(log) })
    }

    /// What was not taken as it stood in the samples given out so far.
    #[must_use]
    pub fn notes(&self) -> NoteCounts {
        self.helper.notes()
    }
}

impl DemoOptions {
    /// The simulated helper's arguments. The simulator runs in another directory, so its paths are made absolute.
    pub(super) fn arguments(&self) -> Result<Vec<OsString>, PowerError> {
        let mut arguments: Vec<OsString> = vec!["stdio".into(), "--simulator".into()];
        arguments.push(std::path::absolute(&self.simulator)?.into());
        arguments.extend(["--activity".into(), std::path::absolute(&self.activity)?.into()]);
        if let Some(seed) = self.seed {
            arguments.extend(["--seed".into(), seed.to_string().into()]);
        }
        arguments.extend(self.simulator_options.iter().cloned());
        Ok(arguments)
    }
}

impl PowerSource for DemoSource {
    async fn next_sample(&mut self) -> Result<Option<PowerSample>, PowerError> {
        self.helper.next_sample().await
    }

    async fn mark(&mut self, boundary: Boundary) -> Result<(), PowerError> {
        if let Some(activity) = &mut self.activity {
            activity.record(boundary, raw_monotonic_ns())?;
        }
        self.helper.mark(boundary).await
    }

    async fn stop(&mut self) {
        self.helper.stop().await;
    }

    fn description(&self) -> SourceDescription {
        self.helper.description()
    }
}

/// Writes the activity file, one line per mark, each with a single write.
#[derive(Debug)]
struct ActivityLog {
    file: File,
    request: u64,
}

/// One line of the activity file, as the simulator reads it.
#[derive(Serialize)]
struct Change {
    mono_ns: i64,
    state: &'static str,
    request: String,
}

impl ActivityLog {
    fn open(path: &Path) -> Result<Self, PowerError> {
        Ok(Self { file: OpenOptions::new().create(true).append(true).open(path)?, request: 0 })
    }

    fn record(&mut self, boundary: Boundary, mono_ns: i64) -> Result<(), PowerError> {
        let state = match boundary {
            Boundary::RequestSent => {
                self.request += 1;
                "prefill"
            }
            Boundary::FirstToken => "decode",
            Boundary::LastToken => "idle",
            Boundary::CooldownEnd => return Ok(()),
        };
        let change = Change { mono_ns, state, request: format!("r{}", self.request) };
        let mut line = serde_json::to_vec(&change).map_err(std::io::Error::from)?;
        line.push(b'\n');
        Ok(self.file.write_all(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use joulebar_sim::activity::{Change, Reader, State};

    use super::*;

    #[test]
    fn the_simulator_reads_what_marks_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("activity.ndjson");
        let mut log = ActivityLog::open(&path).unwrap();
        let marks = [Boundary::RequestSent, Boundary::FirstToken, Boundary::LastToken, Boundary::RequestSent];
        for (mono_ns, boundary) in (7..).zip(marks) {
            log.record(boundary, mono_ns).unwrap();
        }
        let change = |mono_ns, state, request: &str| Change {
            mono_ns,
            state,
            request: Some(request.to_owned()),
            utilization: None,
        };
        assert_eq!(
            Reader::new(&path).read_new().unwrap(),
            [
                change(7, State::Prefill, "r1"),
                change(8, State::Decode, "r1"),
                change(9, State::Idle, "r1"),
                change(10, State::Prefill, "r2")
            ]
        );
    }

    #[test]
    fn an_activity_file_that_cannot_be_made_is_an_error() {
        assert!(matches!(ActivityLog::open(Path::new("/no/such/folder/activity")), Err(PowerError::Io(_))));
    }
}
