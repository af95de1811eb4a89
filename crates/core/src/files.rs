//! Files that appear whole or not at all, and whether two names mean the same file.
//!
//! Leaves to others: what is in the files, and what a failure means to the user.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Links that are followed one after the other; more are a circle.
const MAX_LINKS: usize = 40;

/// A file that is written beside its place and moved there when it is whole. Given up before that, it leaves nothing.
#[derive(Debug)]
pub struct NewFile {
    place: PathBuf,
    /// `None` once it stands in its place, and for a device or a pipe, which has no other place.
    temporary: Option<PathBuf>,
    file: File,
}

impl NewFile {
    /// Opens a file for `place`. A link there would be replaced by the file; to write to where it leads, [`resolve`] it
    /// first. A device or a pipe is opened as it is.
    ///
    /// # Errors
    /// Whatever the system says to making a file in that folder.
    pub fn create(place: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(place).ok();
        if found.as_ref().is_some_and(|found| !found.is_file() && !found.is_symlink()) {
            let file = OpenOptions::new().write(true).open(place)?;
            return Ok(Self { place: place.into(), temporary: None, file });
        }
        let temporary = place.with_file_name(temporary_name());
        let file = match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            // of a program that was killed and had the same number
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::remove_file(&temporary)?;
                OpenOptions::new().write(true).create_new(true).open(&temporary)?
            }
            opened => opened?,
        };
        let new = Self { place: place.into(), temporary: Some(temporary), file };
        if let Some(found) = found.filter(fs::Metadata::is_file) {
            // who may read the old file may read the new one; where that cannot be set the file is no worse
            let _ = new.file.set_permissions(found.permissions());
        }
        Ok(new)
    }

    /// The same, but where the folder takes no new file, an existing file is emptied and written over.
    ///
    /// # Errors
    /// Whatever the system says to opening the file.
    pub fn create_or_overwrite(place: &Path) -> io::Result<Self> {
        Self::create(place).or_else(|error| {
            let file = OpenOptions::new().write(true).truncate(true).open(place).map_err(|_| error)?;
            Ok(Self { place: place.into(), temporary: None, file })
        })
    }

    /// Moves the file to its place, where it replaces what stood there; it can be written on.
    ///
    /// # Errors
    /// Whatever the system says to the move; then nothing is left of the new file.
    pub fn settle(mut self) -> io::Result<File> {
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.place)?;
            self.temporary = None;
        }
        self.file.try_clone()
    }
}

impl io::Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl NewFile {
    /// Waits until everything that was written is on the disk. Devices and pipes have nothing to wait for.
    ///
    /// # Errors
    /// Whatever the system says, for instance that the disk is full.
    pub fn sync(&self) -> io::Result<()> {
        if self.temporary.is_some() { self.file.sync_all() } else { Ok(()) }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

fn temporary_name() -> OsString {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!(".joulebar-{}-{}.tmp", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)).into()
}

/// Where a path leads: links of the file itself are followed, also to a file that does not exist, and its folder is
/// written the one way that it has. A path that leads nowhere comes back as it is.
#[must_use]
pub fn resolve(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&place) else { break };
        place = place.parent().unwrap_or(Path::new("")).join(target);
    }
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), place.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => place,
    }
}

/// True when two paths mean one plain file, through links, hard links and detours, whether it exists or not.
#[must_use]
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => {
            one.is_file() && other.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        (Err(_), Err(_)) => {
            let (one, other) = (resolve(one), resolve(other));
            // the file systems of macOS take A and a for the same, unless they were set up otherwise
            let folded = |path: &Path| path.to_string_lossy().to_lowercase();
            one == other || (cfg!(target_os = "macos") && folded(&one) == folded(&other))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_replaces_the_old_one_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a");
        fs::write(&place, "old").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        let mut new = NewFile::create(&place).unwrap();
        new.write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "old");
        let mut settled = new.settle().unwrap();
        settled.write_all(b" and more").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new and more");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut new = NewFile::create(&folder.path().join("a")).unwrap();
        new.write_all(b"half").unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(new);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn links_lead_to_their_file_even_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        symlink("sub/target", path("link")).unwrap();
        symlink("link", path("link2")).unwrap();
        symlink("circle", path("circle")).unwrap();
        let target = path("sub").canonicalize().unwrap().join("target");
        assert_eq!(resolve(&path("link2")), target);
        assert!(is_same_file(&path("link2"), &path("sub/../sub/target")));
        fs::write(path("link"), "x").unwrap();
        assert!(is_same_file(&path("link2"), &path("./sub/target")));
        assert!(!is_same_file(&path("link2"), &path("other")));
        assert!(resolve(&path("circle")).ends_with("circle"));
    }

    #[test]
    fn hard_links_are_one_file_and_devices_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "x").unwrap();
        fs::hard_link(path("a"), path("b")).unwrap();
        fs::write(path("c"), "x").unwrap();
        assert!(is_same_file(&path("a"), &path("b")));
        assert!(!is_same_file(&path("a"), &path("c")));
        assert!(!is_same_file(Path::new("/dev/null"), Path::new("/dev/null")));
        assert!(is_same_file(&path("new"), &path("./new")));
    }
}
