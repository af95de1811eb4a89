//! Where Joulebar keeps what is its own: the history and the settings. The same places for terminal and window.
//!
//! Knows the folders of each system and who owns what is made in them. Leaves to others what stands in the files.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};

/// Environment variable that names the folder of the history, in place of the system's own.
pub const DATA_VARIABLE: &str = "JOULEBAR_DATA";
/// Environment variable that names the folder of the settings, in place of the system's own.
pub const CONFIG_VARIABLE: &str = "JOULEBAR_CONFIG";

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum FolderError {
    #[error("there is no home folder; set HOME, or name a folder with {variable}")]
    NoHome { variable: &'static str },
}

/// The folder of the history. It need not exist yet.
///
/// # Errors
/// [`FolderError::NoHome`] when the environment names no place.
pub fn data_folder() -> Result<PathBuf, FolderError> {
    folder(DATA_VARIABLE, "XDG_DATA_HOME", ".local/share", |name| std::env::var_os(name))
}

/// The folder of the settings. It need not exist yet.
///
/// # Errors
/// [`FolderError::NoHome`] when the environment names no place.
pub fn config_folder() -> Result<PathBuf, FolderError> {
    folder(CONFIG_VARIABLE, "XDG_CONFIG_HOME", ".config", |name| std::env::var_os(name))
}

fn folder(
    variable: &'static str,
    xdg: &str,
    below_home: &str,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, FolderError> {
    let path = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(named) = path(variable) {
        return Ok(named);
    }
    let home = path("HOME").ok_or(FolderError::NoHome { variable });
    if cfg!(target_os = "macos") {
        return Ok(home?.join("Library/Application Support/Joulebar"));
    }
    // the XDG rules: a relative path counts as none
    match path(xdg).filter(|path| path.is_absolute()) {
        Some(base) => Ok(base.join("joulebar")),
        None => Ok(home?.join(below_home).join("joulebar")),
    }
}

/// Makes a folder, and those above it that are missing, for its user alone. One that exists is left as it is.
pub(crate) fn create(folder: &Path) -> io::Result<()> {
    let above = folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
    let missing: Vec<&Path> = above.collect();
    for path in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(path) {
            // another process was faster
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        if let Some((user, group)) = owner_for(path.parent().unwrap_or(Path::new("")))? {
            chown(path, Some(user), Some(group))?;
        }
    }
    Ok(())
}

/// Makes a new file in `folder` its user's alone. Under `sudo` that is the user who owns the folder, not root: the app,
/// which never runs as root, must be able to write there the next day.
pub(crate) fn own_alone(file: &File, folder: &Path) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o600))?;
    match owner_for(folder)? {
        Some((user, group)) => fchown(file, Some(user), Some(group)),
        None => Ok(()),
    }
}

/// Who is to own what is made in `folder`, when that is not simply whoever makes it.
fn owner_for(folder: &Path) -> io::Result<Option<(u32, u32)>> {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(None);
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let owner = std::fs::metadata(folder)?;
    Ok(Some((owner.uid(), owner.gid())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let environment =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        folder(DATA_VARIABLE, "XDG_DATA_HOME", ".local/share", environment).ok()
    }

    #[test]
    fn the_named_folder_wins_and_without_a_home_there_is_none() {
        let home = ("HOME", "/home/ada");
        assert_eq!(data(&[(DATA_VARIABLE, "here"), home]), Some("here".into()));
        assert_eq!(data(&[]), None);
        assert_eq!(data(&[("HOME", "")]), None);
        assert_eq!(data(&[(DATA_VARIABLE, ""), home]), data(&[home]));
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn xdg_counts_when_it_is_absolute() {
        let home = ("HOME", "/home/ada");
        assert_eq!(data(&[home]), Some("/home/ada/.local/share/joulebar".into()));
        assert_eq!(data(&[("XDG_DATA_HOME", "/data"), home]), Some("/data/joulebar".into()));
        assert_eq!(data(&[("XDG_DATA_HOME", "data"), home]), data(&[home]));
    }

    #[test]
    fn new_folders_are_their_user_s_alone_and_owned_like_the_one_above() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        // SAFETY: takes nothing and cannot fail.
        let root = unsafe { libc::geteuid() } == 0;
        if root {
            chown(place.path(), Some(4_321), Some(4_321)).unwrap();
        }
        let folder = place.path().join("a/b");
        create(&folder).unwrap();
        create(&folder).unwrap();
        let (above, made) = (std::fs::metadata(place.path()).unwrap(), std::fs::metadata(&folder).unwrap());
        assert_eq!(made.mode() & 0o777, 0o700);
        assert_eq!((made.uid(), made.gid()), (above.uid(), above.gid()));
        let file = folder.join("f");
        own_alone(&File::create(&file).unwrap(), &folder).unwrap();
        let made = std::fs::metadata(&file).unwrap();
        assert_eq!((made.mode() & 0o777, made.uid()), (0o600, above.uid()));
    }
}
