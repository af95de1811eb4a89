//! Any source of power behind one type, for callers that choose at run time.

use super::authorized::AuthorizedSource;
use super::counters::CounterSource;
use super::counters::rules::Frozen;
use super::decoded::NoteCounts;
use super::demo::DemoSource;
use super::helper::HelperSource;
use super::replay::ReplaySource;
use super::{Boundary, PassedOver, PowerError, PowerSource, SourceDescription};
use crate::sample::PowerSample;

/// One of the sources of power.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one per session; which is large depends on the system")]
pub enum Source {
    /// Live, through the helper.
    Helper(HelperSource),
    /// Live, from a powermetrics that was authorized once.
    Authorized(AuthorizedSource),
    /// Live, from the energy counters.
    Counters(CounterSource),
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
            Self::Authorized(source) => source.notes(),
            // they are numbers, not documents
            Self::Counters(_) => NoteCounts::default(),
            Self::Replay(source) => source.notes(),
            Self::Demo(source) => source.notes(),
        }
    }

    /// Whether its counters stand still, so that figures are missing.
    #[must_use]
    pub fn frozen(&self) -> Option<Frozen> {
        if let Self::Counters(source) = self { source.frozen() } else { None }
    }

    /// Says which better ways were not to be had.
    pub(super) fn passed_over(&mut self, ways: Vec<PassedOver>) {
        match self {
            Self::Helper(source) => source.passed_over(ways),
            Self::Authorized(source) => source.passed_over(ways),
            Self::Counters(source) => source.passed_over(ways),
            Self::Replay(_) | Self::Demo(_) => {}
        }
    }
}

impl PowerSource for Source {
    async fn next_sample(&mut self) -> Result<Option<PowerSample>, PowerError> {
        match self {
            Self::Helper(source) => source.next_sample().await,
            Self::Authorized(source) => source.next_sample().await,
            Self::Counters(source) => source.next_sample().await,
            Self::Replay(source) => source.next_sample().await,
            Self::Demo(source) => source.next_sample().await,
        }
    }

    async fn mark(&mut self, boundary: Boundary) -> Result<(), PowerError> {
        match self {
            Self::Helper(source) => source.mark(boundary).await,
            Self::Authorized(source) => source.mark(boundary).await,
            Self::Counters(source) => source.mark(boundary).await,
            Self::Replay(source) => source.mark(boundary).await,
            Self::Demo(source) => source.mark(boundary).await,
        }
    }

    async fn stop(&mut self) {
        match self {
            Self::Helper(source) => source.stop().await,
            Self::Authorized(source) => source.stop().await,
            Self::Counters(source) => source.stop().await,
            Self::Replay(source) => source.stop().await,
            Self::Demo(source) => source.stop().await,
        }
    }

    fn description(&self) -> SourceDescription {
        match self {
            Self::Helper(source) => source.description(),
            Self::Authorized(source) => source.description(),
            Self::Counters(source) => source.description(),
            Self::Replay(source) => source.description(),
            Self::Demo(source) => source.description(),
        }
    }
}
