//! A temporary folder for the time of one demo, where simulated server and simulated power meet.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::DemoError;

/// In front of the number of the process that the folder belongs to.
const PREFIX: &str = "joulebar-demo-";

/// The folder; it goes with this value.
#[derive(Debug)]
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    /// Makes the folder, and takes away those of demos that were killed.
    ///
    /// # Errors
    /// [`DemoError::Folder`].
    pub fn set() -> Result<Self, DemoError> {
        let place = std::env::temp_dir();
        sweep(&place);
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(&place).map_err(DemoError::Folder)?;
        Ok(Self { folder })
    }

    /// The file that says what the simulated Mac is doing.
    #[must_use]
    pub fn activity(&self) -> PathBuf {
        self.folder.path().join("activity.ndjson")
    }
}

/// Removes the folders of processes that are gone. What cannot be removed stays; it is in nobody's way.
fn sweep(place: &Path) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let Some(owner) = owner(&entry.file_name().to_string_lossy()) else { continue };
        // SAFETY: geteuid takes nothing and cannot fail.
        let own = unsafe { libc::geteuid() };
        let ours = entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == own);
        if ours && !is_running(owner) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The process that a folder of this name belongs to.
fn owner(name: &str) -> Option<libc::pid_t> {
    let (number, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    number.parse().ok().filter(|number| *number > 0)
}

fn is_running(process: libc::pid_t) -> bool {
    // SAFETY: kill takes two numbers; signal 0 is never delivered.
    let found = unsafe { libc::kill(process, 0) } == 0;
    // a process of somebody else can't be signalled, and is there
    found || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_dead_demos_are_swept_and_others_stay() {
        let place = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = format!("{PREFIX}{}-abc", child.id());
        child.wait().unwrap();
        let kept = [format!("{PREFIX}{}-abc", std::process::id()), format!("{PREFIX}x-abc"), "other".to_owned()];
        for name in kept.iter().chain([&dead]) {
            std::fs::create_dir(place.path().join(name)).unwrap();
            std::fs::write(place.path().join(name).join("activity.ndjson"), "{}").unwrap();
        }
        sweep(place.path());
        assert!(!place.path().join(&dead).exists());
        assert!(kept.iter().all(|name| place.path().join(name).is_dir()));
    }
}
