//! Failures with the code that a screen acts on.

use std::error::Error;
use std::io;

use serde::Serialize;

use super::state::FailureCode;
use crate::demo::DemoError;
use crate::lmstudio::LmError;
use crate::power::PowerError;
use crate::power::open::OpenError;
use crate::session::setup::ResumeError;
use crate::settings::SettingsError;
use crate::store::StoreError;

/// Why something was not done: a code for screens, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "CommandError"))]
#[error("{message}")]
pub struct Failure {
    /// What a screen acts on.
    pub code: FailureCode,
    /// What happened and what to do.
    pub message: String,
}

impl Failure {
    /// A failure in words.
    #[must_use]
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A file that can't be written, with a full disk told apart.
    #[must_use]
    pub fn of_file(error: &(dyn Error + 'static)) -> Self {
        if is_disk_full(error) {
            return Self::new(FailureCode::DiskFull, "Couldn’t save the file. The disk is full.");
        }
        Self::new(FailureCode::CannotWrite, format!("Couldn’t save the file: {}.", chain(error)))
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// True when a full disk is among the causes.
pub fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        let io_full = cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::StorageFull);
        let sqlite_full = cause
            .downcast_ref::<rusqlite::Error>()
            .and_then(rusqlite::Error::sqlite_error_code)
            .is_some_and(|code| code == rusqlite::ErrorCode::DiskFull);
        if io_full || sqlite_full {
            return true;
        }
        next = cause.source();
    }
    false
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if is_disk_full(&error) {
            return Self::new(
                FailureCode::DiskFull,
                "The disk is full. Free some space; nothing that was kept is lost.",
            );
        }
        let code = match error {
            StoreError::NoSuchRun { .. } => FailureCode::NoSuchRun,
            StoreError::Running { .. } => FailureCode::RunIsGoingOn,
            StoreError::ReadOnly { .. } => FailureCode::HistoryReadOnly,
            StoreError::Folder { .. } | StoreError::Write { .. } => FailureCode::CannotWrite,
            StoreError::Open { .. } | StoreError::Read { .. } | StoreError::Damaged { .. } => FailureCode::Failed,
        };
        Self::new(code, chain(&error))
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let code = match error {
            SettingsError::Wrong(_) => FailureCode::WrongSetting,
            SettingsError::Write { .. } if is_disk_full(&error) => FailureCode::DiskFull,
            SettingsError::Write { .. } => FailureCode::CannotWrite,
            SettingsError::Read { .. } | SettingsError::TooLarge { .. } | SettingsError::NotToml { .. } => {
                FailureCode::BadInput
            }
        };
        Self::new(code, chain(&error))
    }
}

impl From<LmError> for Failure {
    fn from(error: LmError) -> Self {
        let code = match error {
            LmError::NotRunning { .. } => FailureCode::NeedsServer,
            LmError::TokenNeeded { .. } | LmError::TokenRefused { .. } => FailureCode::Token,
            LmError::NoModelLoaded { .. } | LmError::ModelChoiceNeeded { .. } | LmError::ModelNotFound { .. } => {
                FailureCode::NeedsModel
            }
            LmError::BadUrl { .. } => FailureCode::BadInput,
            _ => FailureCode::Failed,
        };
        let message = match &error {
            LmError::NotRunning { url, .. } => {
                format!("No answer from {url}. Open LM Studio and start its server in the Developer tab.")
            }
            LmError::TokenNeeded { .. } => "LM Studio asks for a token. Add it in Settings, LM Studio.".to_owned(),
            LmError::TokenRefused { .. } => "LM Studio refused the token. Check it in Settings, LM Studio.".to_owned(),
            LmError::NoModelLoaded { .. } => "No model is loaded. Choose one, or load it in LM Studio.".to_owned(),
            _ => error.to_string(),
        };
        Self::new(code, message)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Missing(_) => Self::new(FailureCode::NeedsHelper, chain(&error)),
            OpenError::Interval(_) => Self::new(FailureCode::WrongSetting, error.to_string()),
            OpenError::Power(error) => error.into(),
        }
    }
}

impl From<PowerError> for Failure {
    fn from(error: PowerError) -> Self {
        Self::new(FailureCode::NeedsHelper, chain(&error))
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        Self::new(FailureCode::Unavailable, chain(&error))
    }
}

impl From<ResumeError> for Failure {
    fn from(error: ResumeError) -> Self {
        Self::new(FailureCode::BadInput, error.to_string())
    }
}
