//! The settings as a screen shows them: what holds, what would hold without the file, and what is wrong with it.

use std::path::Path;

use serde::Serialize;

use super::{NAME, UserSettings, WrongSetting, read_settings};
use crate::live::Failure;

/// Where the server's token is kept. The token itself never goes to a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// There is none.
    None,
    /// In the system's keychain.
    InKeychain,
    /// In the memory of this process, since there is no keychain; gone when it ends.
    InMemory,
}

/// The settings with what a screen says about them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SettingsView {
    /// What holds.
    pub settings: UserSettings,
    /// What holds without a file.
    pub defaults: UserSettings,
    /// Values of the file that were not taken.
    pub wrong: Vec<WrongSetting>,
    /// Where the file is, or would be.
    pub path: String,
    /// Why the file can't be read, for people.
    pub problem: Option<String>,
    /// Where the server's token is kept.
    pub token: TokenState,
}

impl SettingsView {
    /// What a screen shows while `settings` hold and the file in `folder` says what it says.
    #[must_use]
    pub fn new(folder: &Path, settings: UserSettings, token: TokenState) -> Self {
        let (wrong, problem) = match read_settings(folder) {
            Ok((_, wrong)) => (wrong, None),
            Err(error) => (Vec::new(), Some(Failure::from(error).message)),
        };
        let path = folder.join(NAME).display().to_string();
        Self { settings, defaults: UserSettings::default(), wrong, path, problem, token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_file_is_told_beside_what_holds() {
        let folder = tempfile::tempdir().unwrap();
        let holds = UserSettings { smoothing_s: 5, ..UserSettings::default() };
        let view = || SettingsView::new(folder.path(), holds.clone(), TokenState::InMemory);
        assert_eq!((view().wrong, view().problem, view().settings), (Vec::new(), None, holds.clone()));
        std::fs::write(folder.path().join(NAME), "[app]\nsmoothing_s = 3\n").unwrap();
        assert_eq!(view().wrong[0].key, "app.smoothing_s");
        std::fs::write(folder.path().join(NAME), "= no").unwrap();
        assert!(view().problem.unwrap().contains("not valid TOML"));
    }
}
