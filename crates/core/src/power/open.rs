//! Opening a source of power that was chosen at run time.

use std::path::{Path, PathBuf};

use joulebar_wire::IntervalMs;

use super::demo::{DemoOptions, DemoSource};
use super::helper::{HelperOptions, HelperSource};
use super::replay::{Pace, ReplaySource};
use super::source::Source;
use super::{PowerError, SourceDescription};
use crate::clock::Clock;
use crate::programs::{MissingProgram, Program};
use crate::sample::Origin;

/// A source that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Power {
    /// powermetrics through the helper.
    Helper,
    /// A recording; `-` is standard input.
    Replay(PathBuf),
    /// The simulator.
    Demo {
        /// File that says what the simulated Mac is doing.
        activity: PathBuf,
        /// True when the session writes it, false when the simulated server does.
        marks_are_activity: bool,
        /// Seed of the simulated noise.
        seed: u64,
    },
}

/// Why a source can't be opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum OpenError {
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    #[error("no source samples every {0} ms; choose 100 to 60000")]
    Interval(u32),
    #[error(transparent)]
    Power(#[from] PowerError),
}

impl Power {
    /// Opens the source with a sample every `interval_ms`; a recording keeps its own interval and goes at `pace`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(&self, interval_ms: u32, pace: Pace, clock: Clock) -> Result<Source, OpenError> {
        let interval = IntervalMs::new(interval_ms).map_err(|_| OpenError::Interval(interval_ms))?;
        let options = HelperOptions::every(interval);
        Ok(match self {
            Self::Helper => Source::Helper(HelperSource::spawn(&Program::Helper.find()?, &options, clock).await?),
            Self::Replay(file) if file == Path::new("-") => {
                Source::Replay(ReplaySource::new(std::io::stdin(), pace, clock))
            }
            Self::Replay(file) => Source::Replay(ReplaySource::open(file, pace, clock)?),
            Self::Demo { activity, marks_are_activity, seed } => {
                let options = demo_options(activity, *marks_are_activity, *seed, options)?;
                Source::Demo(DemoSource::start(&options, clock).await?)
            }
        })
    }

    /// How the simulated helper is called for this source; for any other none.
    ///
    /// # Errors
    /// [`OpenError`] when a program is missing.
    pub(crate) fn demo_arguments(&self) -> Result<Vec<std::ffi::OsString>, OpenError> {
        let Self::Demo { activity, marks_are_activity, seed } = self else { return Ok(Vec::new()) };
        let interval = IntervalMs::new(joulebar_wire::limits::MIN_INTERVAL_MS).map_err(|_| OpenError::Interval(0))?;
        let options = demo_options(activity, *marks_are_activity, *seed, HelperOptions::every(interval))?;
        Ok(options.arguments()?)
    }

    /// True for the simulator.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Demo { .. })
    }

    /// The description of this source before it is opened, as far as it matters for going on with a session.
    #[must_use]
    pub fn preview(&self) -> SourceDescription {
        let (name, origin) = match self {
            Self::Helper => ("helper", Origin::Powermetrics),
            Self::Replay(_) => ("replay", Origin::Replay),
            Self::Demo { .. } => ("demo", Origin::Simulator),
        };
        SourceDescription {
            name: name.to_owned(),
            origin,
            requested_interval_ms: None,
            samplers: Vec::new(),
            helper_version: None,
        }
    }
}

fn demo_options(
    activity: &Path,
    marks_are_activity: bool,
    seed: u64,
    helper_options: HelperOptions,
) -> Result<DemoOptions, OpenError> {
    Ok(DemoOptions {
        helper: Program::SimulatedHelper.find()?,
        simulator: Program::Simulator.find()?,
        activity: activity.to_owned(),
        marks_are_activity,
        seed: Some(seed),
        simulator_options: Vec::new(),
        helper_options,
    })
}
