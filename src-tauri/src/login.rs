//! Starting with the user's session: on a Mac the app as its own login item, elsewhere an autostart entry of the desktop.

use joulebar_core::live::state::FailureCode;

use crate::error::CommandError;

/// Makes the app a login item, or no longer one. May block: macOS asks another process.
#[cfg(target_os = "macos")]
pub fn set(on: bool) -> Result<(), CommandError> {
    joulebar_core::helper_service::login::set(&joulebar_core::helper_service::system::AppService::MainApp, on)
        .map_err(|error| CommandError::new(FailureCode::Unavailable, error.to_string()))
}

/// Makes or removes the entry.
#[cfg(not(target_os = "macos"))]
pub fn set(on: bool) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::new(FailureCode::CannotWrite, format!("Open at login can’t be set: {error}."))
    };
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .filter(|folder| !folder.is_empty())
        .map(std::path::PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".config")))
        .ok_or_else(|| CommandError::new(FailureCode::CannotWrite, "There is no home folder; set HOME."))?
        .join("autostart");
    let file = folder.join("joulebar.desktop");
    if on {
        let program = std::env::current_exe().map_err(failed)?;
        std::fs::create_dir_all(&folder).map_err(failed)?;
        std::fs::write(&file, entry(&program.display().to_string())).map_err(failed)
    } else {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

/// The entry that starts `program`; quoted as the specification of desktop entries wants it.
#[cfg(not(target_os = "macos"))]
fn entry(program: &str) -> String {
    let quoted: String = program
        .chars()
        .flat_map(|c| match c {
            '"' | '`' | '$' | '\\' => vec!['\\', '\\', c],
            '%' => vec!['%', '%'],
            c => vec![c],
        })
        .collect();
    format!("[Desktop Entry]\nType=Application\nName=Joulebar\nExec=\"{quoted}\"\nX-GNOME-Autostart-enabled=true\n")
}

#[cfg(all(test, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn paths_with_odd_letters_are_quoted() {
        assert!(entry("/opt/50% \"x\"/joulebar-app").contains("Exec=\"/opt/50%% \\\\\"x\\\\\"/joulebar-app\"\n"));
    }
}
