//! Opening a source of power that was chosen at run time.

use std::path::{Path, PathBuf};

use joulebar_wire::IntervalMs;

use super::demo::{DemoOptions, DemoSource};
use super::helper::{HelperOptions, HelperSource};
use super::piped::Launcher;
use super::replay::{Pace, ReplaySource};
use super::source::Source;
use super::way::{WayFacts, choose};
use super::{PowerError, SourceDescription, Way};
use crate::clock::Clock;
use crate::programs::{MissingProgram, Program};
use crate::sample::Origin;

/// A source that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Power {
    /// The best of the ways that can be had, in the order of [`Way::ORDER`].
    Auto {
        /// True when somebody who can type a password has asked for it just now.
        may_ask_for_password: bool,
    },
    /// powermetrics through the helper: the one that macOS runs, or one that is started with root's rights.
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
        self.open_by(None, interval_ms, pace, clock).await
    }

    /// As [`Power::open`], with a helper as a child started by `launcher`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_by(
        &self,
        launcher: Option<&Launcher>,
        interval_ms: u32,
        pace: Pace,
        clock: Clock,
    ) -> Result<Source, OpenError> {
        let interval = IntervalMs::new(interval_ms).map_err(|_| OpenError::Interval(interval_ms))?;
        let options = HelperOptions { launcher: launcher.cloned(), ..HelperOptions::every(interval) };
        Ok(match self {
            Self::Auto { may_ask_for_password } => {
                open_best(WayFacts::of_this_program(*may_ask_for_password), &options, clock).await?
            }
            Self::Helper => {
                let facts = WayFacts { only_helper: true, ..WayFacts::of_this_program(false) };
                open_best(facts, &options, clock).await?
            }
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

    /// True when power is measured now: no recording, no simulator.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        matches!(self, Self::Auto { .. } | Self::Helper)
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
            Self::Auto { .. } => ("auto", Origin::Powermetrics),
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
            way: None,
            passed_over: Vec::new(),
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

async fn open_best(facts: WayFacts, options: &HelperOptions, clock: Clock) -> Result<Source, OpenError> {
    let chosen = choose(facts, |way| open_way(way, options, clock)).await?;
    let mut source = chosen.opened;
    source.passed_over(chosen.passed_over);
    Ok(source)
}

async fn open_way(way: Way, options: &HelperOptions, clock: Clock) -> Result<Source, OpenError> {
    match way {
        Way::HelperChild => {
            let source = HelperSource::spawn(&Program::Helper.find()?, options, clock).await?;
            Ok(Source::Helper(source.reached_by(way, mac::system_rail(clock))))
        }
        Way::HelperService => Ok(Source::Helper(mac::helper_service(options, clock).await?)),
        Way::Authorization => Ok(Source::Authorized(mac::authorized(options, clock).await?)),
        Way::Counters => Ok(Source::Counters(mac::counters(options, clock).await?)),
    }
}

#[cfg(target_os = "macos")]
mod mac {
    use joulebar_wire::command_line::CommandLine;
    use joulebar_xpc::libxpc::Libxpc;

    use super::super::authorized::AuthorizedSource;
    use super::super::counters::CounterSource;
    use super::super::helper::{HelperOptions, HelperSource};
    use super::super::link::LinkTransport;
    use super::super::system_rail::SystemRail;
    use super::super::xpc::{Peer, XpcLink};
    use super::super::{PowerError, Way, system};
    use crate::clock::Clock;

    #[cfg(target_arch = "aarch64")]
    use super::super::counters::system as sensors;

    #[cfg(target_arch = "aarch64")]
    pub fn system_rail(clock: Clock) -> Option<SystemRail> {
        Some(SystemRail::start(sensors::system_power, clock))
    }

    #[cfg(not(target_arch = "aarch64"))]
    pub fn system_rail(_: Clock) -> Option<SystemRail> {
        None
    }

    /// A connection to this build's helper, pinned to it, in which nothing was said yet.
    ///
    /// # Errors
    /// [`PowerError::Unavailable`] where this build can't say which helper is meant.
    pub fn link() -> Result<LinkTransport<XpcLink<Libxpc>>, PowerError> {
        let unavailable = |error: super::super::xpc::NoPeer| PowerError::Unavailable { detail: error.to_string() };
        let peer = Peer::of_this_build().map_err(unavailable)?;
        // a queue of its own: a reader that is slow must not hold up another connection
        let link = XpcLink::connect(Libxpc::new(c"org.joulebar.helper"), &peer).map_err(unavailable)?;
        Ok(LinkTransport::new(link))
    }

    pub async fn helper_service(options: &HelperOptions, clock: Clock) -> Result<HelperSource, PowerError> {
        let source = HelperSource::start(link()?, options, clock).await?;
        Ok(source.reached_by(Way::HelperService, system_rail(clock)))
    }

    pub async fn authorized(options: &HelperOptions, clock: Clock) -> Result<AuthorizedSource, PowerError> {
        let command_line = CommandLine::new(options.interval, options.samplers.clone());
        let asked = command_line.clone();
        let socket = tokio::task::spawn_blocking(move || system::authorize(&asked)).await;
        let broken = |_| PowerError::Unavailable { detail: "the question for the password broke".to_owned() };
        let source = AuthorizedSource::read(socket.map_err(broken)??, &command_line, clock)?;
        Ok(source.with_system(system_rail(clock)))
    }

    #[cfg(target_arch = "aarch64")]
    pub async fn counters(options: &HelperOptions, clock: Clock) -> Result<CounterSource, PowerError> {
        CounterSource::start(super::super::counters::child::open, options.interval.get(), clock).await
    }

    #[cfg(not(target_arch = "aarch64"))]
    pub async fn counters(_: &HelperOptions, _: Clock) -> Result<CounterSource, PowerError> {
        Err(PowerError::Unavailable { detail: "only Apple Silicon has these counters".to_owned() })
    }
}

#[cfg(target_os = "macos")]
pub(crate) use mac::link as helper_link;

/// Ways that exist on a Mac alone. They are never chosen elsewhere.
#[cfg(not(target_os = "macos"))]
mod mac {
    use super::super::PowerError;
    use super::super::authorized::AuthorizedSource;
    use super::super::counters::CounterSource;
    use super::super::helper::{HelperOptions, HelperSource};
    use super::super::system_rail::SystemRail;
    use crate::clock::Clock;

    fn none<T>() -> Result<T, PowerError> {
        Err(PowerError::Unavailable { detail: "this way exists on macOS alone".to_owned() })
    }

    pub fn system_rail(_: Clock) -> Option<SystemRail> {
        None
    }

    pub async fn helper_service(_: &HelperOptions, _: Clock) -> Result<HelperSource, PowerError> {
        none()
    }

    pub async fn authorized(_: &HelperOptions, _: Clock) -> Result<AuthorizedSource, PowerError> {
        none()
    }

    pub async fn counters(_: &HelperOptions, _: Clock) -> Result<CounterSource, PowerError> {
        none()
    }
}
