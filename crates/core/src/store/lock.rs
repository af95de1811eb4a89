//! Who works on what: locks that the system takes back when their process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::RunId;
use crate::folders;

/// Opening a history takes milliseconds; a process that holds the gate for this long is stuck.
const GATE_LIMIT: Duration = Duration::from_secs(10);

/// A look at a lock ([`RunLock::is_held`]) holds it for an instant: so often is tried before it counts as another's.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(2);

/// Held while a run is being written. Without a holder, a run that is marked as running has been left by a crash.
#[derive(Debug)]
pub(super) struct RunLock {
    path: PathBuf,
    /// Locked; closing it unlocks.
    _file: File,
}

impl RunLock {
    /// Takes the lock of a run; `None` when another holds it, in this process or any other.
    pub(super) fn take(folder: &Path, id: RunId) -> io::Result<Option<Self>> {
        let name = format!("run-{id}.lock");
        let path = folder.join(&name);
        let mut tries = 0;
        loop {
            let file = open(folder, &name)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    tries += 1;
                    if tries == TRIES {
                        return Ok(None);
                    }
                    std::thread::sleep(BETWEEN_TRIES);
                    continue;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // its holder may have removed the file between our opening and locking it
            if is_still(&file, &path)? {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }

    /// True while somebody holds the lock of a run. Makes nothing; where it can't be told, the run is believed.
    pub(super) fn is_held(folder: &Path, id: RunId) -> bool {
        match File::open(folder.join(format!("run-{id}.lock"))) {
            Ok(file) => !matches!(file.try_lock_shared(), Ok(())),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // removed while it is still locked; a file that stays does no harm
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Keeps other processes from opening the history until it is dropped, so that only one of them changes its form or sets
/// a damaged one aside.
pub(super) fn gate(folder: &Path) -> io::Result<File> {
    let file = open(folder, "history.lock")?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() > GATE_LIMIT => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn open(folder: &Path, name: &str) -> io::Result<File> {
    let path = folder.join(name);
    match OpenOptions::new().create_new(true).write(true).open(&path) {
        Ok(file) => folders::own_alone(&file, folder).map(|()| file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // it may be gone again by now
            OpenOptions::new().create(true).truncate(false).write(true).open(&path)
        }
        Err(error) => Err(error),
    }
}

fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let lock = RunLock::take(folder.path(), RunId(7)).unwrap();
        assert!(lock.is_some());
        assert!(RunLock::take(folder.path(), RunId(7)).unwrap().is_none());
        assert!(RunLock::take(folder.path(), RunId(8)).unwrap().is_some());
        drop(lock);
        assert!(RunLock::take(folder.path(), RunId(7)).unwrap().is_some());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "locks leave nothing behind");
    }
}
