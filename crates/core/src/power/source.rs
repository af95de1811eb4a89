//! Any source of power behind one type, for callers that choose at run time.

use super::decoded::NoteCounts;
use super::demo::DemoSource;
use super::helper::HelperSource;
use super::replay::ReplaySource;
use super::{Boundary, PowerError, PowerSource, SourceDescription};
use crate::sample::PowerSample;

/// One of the sources of power.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per session")]
pub enum Source {
    /// Live, through the helper.
    Helper(HelperSource),
    /// A recorded capture.
    Replay(ReplaySource),
    /// The simulator.
    Demo(DemoSource),
}

impl Source {
    /// What was not taken as it stood in the samples given out so far.
    #[must_use]
    pub fn notes(&self) -> NoteCounts {
        match self {
            Self::Helper(source) => source.notes(),
            Self::Replay(source) => source.notes(),
            Self::Demo(source) => source.notes(),
        }
    }
}

impl PowerSource for Source {
    async fn next_sample(&mut self) -> Result<Option<PowerSample>, PowerError> {
        match self {
            Self::Helper(source) => source.next_sample().await,
            Self::Replay(source) => source.next_sample().await,
            Self::Demo(source) => source.next_sample().await,
        }
    }

    async fn mark(&mut self, boundary: Boundary) -> Result<(), PowerError> {
        match self {
            Self::Helper(source) => source.mark(boundary).await,
            Self::Replay(source) => source.mark(boundary).await,
            Self::Demo(source) => source.mark(boundary).await,
        }
    }

    async fn stop(&mut self) {
        match self {
            Self::Helper(source) => source.stop().await,
            Self::Replay(source) => source.stop().await,
            Self::Demo(source) => source.stop().await,
        }
    }

    fn description(&self) -> SourceDescription {
        match self {
            Self::Helper(source) => source.description(),
            Self::Replay(source) => source.description(),
            Self::Demo(source) => source.description(),
        }
    }
}
