//! Opens the power source that was asked for, and says what to do when there is none.

use joulebar_core::clock::Clock;
use joulebar_core::power::open::OpenError;
pub use joulebar_core::power::open::Power;
use joulebar_core::power::replay::Pace;
use joulebar_core::power::source::Source;
use joulebar_core::power::{PowerError, PowerSource};

use crate::exit::{Code, Failure};
use crate::output;

/// Opens a source that samples every `interval_ms`; a recording keeps its own interval.
pub async fn open(power: &Power, interval_ms: u32, pace: Pace, clock: Clock) -> Result<Source, Failure> {
    let source = power.open(interval_ms, pace, clock).await.map_err(|error| match error {
        OpenError::Missing(missing) => missing.into(),
        OpenError::Interval(_) => Failure::of(Code::Usage, &error),
        OpenError::Power(error) => failure(&error),
    })?;
    for passed in source.description().passed_over {
        output::note(&format!("note: not {}: {}", passed.way.title(), passed.why));
    }
    Ok(source)
}

/// Opens and closes a source, to learn before anything is loaded or run whether it can be had.
pub async fn check(power: &Power, interval_ms: u32) -> Result<(), Failure> {
    if power.is_measured() {
        open(power, interval_ms, Pace::Recorded, Clock::start()).await?.stop().await;
    }
    Ok(())
}

/// What a failing source means for the command.
pub fn failure(error: &PowerError) -> Failure {
    let (code, steps): (_, &[&str]) = match error {
        PowerError::PermissionDenied { .. } => (Code::Permission, &[]),
        PowerError::Unavailable { .. } => (Code::Unavailable, &[]),
        PowerError::NotRegistered => {
            (Code::Permission, &["enable the helper in the app: Settings, Helper", "or run the same command with sudo"])
        }
        PowerError::Stranger => {
            (Code::Unavailable, &["install Joulebar again: something else has taken its helper's name"])
        }
        PowerError::Interrupted { .. } => (Code::Unavailable, &["restart the Mac if it stays so"]),
        PowerError::Capture { .. } => (Code::BadInput, &["give a file that powermetrics wrote"]),
        PowerError::ProtocolMismatch { .. } | PowerError::Spawn { .. } => {
            (Code::Unavailable, &["install Joulebar again: its programs don't fit together"])
        }
        PowerError::Stale { .. } | PowerError::ChildExited { .. } => (
            Code::Unavailable,
            &["try `sudo powermetrics -n 1` to see what is wrong", "quit other programs that run powermetrics"],
        ),
        PowerError::Protocol { .. }
        | PowerError::Io(_)
        | PowerError::MalformedSample { .. }
        | PowerError::Truncated { .. }
        | PowerError::Gap { .. } => (Code::Unavailable, &["try again"]),
    };
    let failure = Failure::of(code, error);
    let failure = match error {
        PowerError::PermissionDenied { .. } => failure.next(format!("sudo {}", own_command())),
        _ => failure,
    };
    steps.iter().fold(failure, |failure, step| failure.next(*step))
}

/// The command line as it was typed, ready to be typed again.
pub fn own_command() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    let quote = |word: String| {
        if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    std::env::args_os().map(|word| quote(word.to_string_lossy().into_owned())).collect::<Vec<_>>().join(" ")
}
