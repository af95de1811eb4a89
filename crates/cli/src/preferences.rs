//! The settings that terminal and window share, as this program's commands take them.

use joulebar_core::folders::config_folder;
use joulebar_core::settings::{UserSettings, read_settings};

use crate::exit::{Code, Failure};
use crate::output;

/// Reads the settings. Whatever is wrong with them is a note, and the defaults hold.
pub fn read() -> UserSettings {
    // without a home folder nobody has set anything
    let Ok(folder) = config_folder() else { return UserSettings::default() };
    match read_settings(&folder) {
        Ok((settings, wrong)) => {
            for wrong in wrong {
                output::note(&format!("note: in {}, {wrong}.", folder.join("settings.toml").display()));
            }
            settings
        }
        Err(error) => {
            let failure = Failure::of(Code::BadInput, &error);
            output::note(&format!("note: {}; the defaults are used.", failure.in_one_line()));
            UserSettings::default()
        }
    }
}
