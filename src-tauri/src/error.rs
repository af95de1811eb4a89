//! What a command answers when it did not do what was asked: a code for the screen, words for people.

use joulebar_core::live::Failure;
use joulebar_core::live::state::FailureCode;
use serde::Serialize;

/// A failed command.
#[derive(Clone, Debug, Serialize)]
pub struct CommandError {
    /// What the screen acts on.
    pub code: FailureCode,
    /// What happened and what to do.
    pub message: String,
}

impl CommandError {
    /// In words.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}

impl From<tauri::Error> for CommandError {
    fn from(error: tauri::Error) -> Self {
        Self::new(FailureCode::Failed, error.to_string())
    }
}

/// What every command answers.
pub type Answer<T> = Result<T, CommandError>;
