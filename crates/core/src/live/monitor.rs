//! Watching power when nothing is measured: one source at a time, started again after it failed.

use std::sync::Arc;
use std::time::Duration;

use super::failure::chain;
use super::shared::{Shared, lock};
use super::state::PowerProblem;
use crate::power::open::OpenError;
use crate::power::replay::Pace;
use crate::power::source::Source;
use crate::power::{PowerError, PowerSource};

/// Waiting time after the first failure, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs until the handle says that all is over.
pub async fn watch_power(shared: Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    let mut wish = shared.power_wish();
    loop {
        wish.borrow_and_update();
        if shared.is_over() {
            shared.power_is_free(true);
            return;
        }
        if shared.is_power_lent() {
            shared.power_is_free(true);
            if wish.changed().await.is_err() {
                return;
            }
            continue;
        }
        shared.power_is_free(false);
        let failure = match open(&shared).await {
            Ok(source) => {
                let given = follow(&shared, source, &mut wish).await;
                if given.0 {
                    pause = FIRST_PAUSE;
                }
                given.1
            }
            Err(error) => Some(describe(&error)),
        };
        shared.power_is_free(true);
        let Some((problem, message)) = failure else { continue };
        shared.lose_power(problem, message);
        tokio::select! {
            changed = wish.changed() => {
                pause = FIRST_PAUSE;
                if changed.is_err() { return }
            }
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

async fn open(shared: &Shared) -> Result<Source, OpenError> {
    let power = shared.power().await?;
    let source = power.open_by(shared.launcher.as_ref(), shared.interval_ms(), Pace::Recorded, shared.clock()).await?;
    shared.start_power(source.description());
    Ok(source)
}

/// Gives samples on until somebody wants otherwise (`None`) or the source fails; true when it gave any.
async fn follow(
    shared: &Shared,
    mut source: Source,
    wish: &mut tokio::sync::watch::Receiver<u64>,
) -> (bool, Option<(PowerProblem, String)>) {
    let mut any = false;
    let failure = loop {
        tokio::select! {
            changed = wish.changed() => {
                drop(changed);
                break None;
            }
            sample = source.next_sample() => match sample {
                Ok(Some(sample)) => {
                    any = true;
                    lock(&shared.feed).counters_are(source.frozen());
                    shared.push_sample(&sample, shared.clock().now());
                }
                Ok(None) => break Some((PowerProblem::Ended, "The power source has ended.".to_owned())),
                Err(error) if !error.is_fatal() => {}
                Err(error) => break Some(describe(&OpenError::Power(error))),
            }
        }
    };
    source.stop().await;
    (any, failure)
}

/// What a failure means for the screen.
pub fn describe(error: &OpenError) -> (PowerProblem, String) {
    let problem = match error {
        OpenError::Missing(_) => PowerProblem::HelperMissing,
        OpenError::Interval(_) => PowerProblem::Unavailable,
        OpenError::Power(PowerError::Spawn { .. }) => PowerProblem::HelperMissing,
        OpenError::Power(PowerError::PermissionDenied { .. }) => PowerProblem::NotPermitted,
        OpenError::Power(PowerError::NotRegistered | PowerError::Stranger) => PowerProblem::HelperMissing,
        OpenError::Power(PowerError::ProtocolMismatch { .. }) => PowerProblem::ProtocolMismatch,
        OpenError::Power(PowerError::Unavailable { .. }) => PowerProblem::Unavailable,
        OpenError::Power(_) => PowerProblem::Ended,
    };
    let mut message = chain(error);
    if let Some(first) = message.get(..1) {
        message.replace_range(..1, &first.to_uppercase());
    }
    message.push('.');
    (problem, message)
}
