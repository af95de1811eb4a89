//! Files through the descriptors of their folders: no link is followed, and no name is looked up twice from the top.
//!
//! Knows which owners and modes are safe. Access lists of macOS are not looked at: those of /Library only root can set.

use std::fs::{File, Metadata, Permissions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::error::{Danger, InstallError};

/// The group whose members may use `sudo` on a Mac, and may write /Applications.
const ADMIN_GROUP: u32 = 80;
const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Who may own and write a file or folder.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Root alone: where the helper is installed.
    Root,
    /// Root, the user who asked for it, and those who could ask for it: where the app lies.
    Source {
        /// That user.
        invoker: Option<u32>,
    },
}

impl Rule {
    fn check(self, found: &Metadata) -> Result<(), Danger> {
        let (owner, mode) = (found.uid(), found.mode());
        let sticky = found.is_dir() && mode & STICKY != 0;
        let (owned, group_may, all_may) = match self {
            Self::Root => (owner == 0, false, false),
            Self::Source { invoker } => {
                // in a sticky folder nobody can exchange what belongs to another
                (owner == 0 || Some(owner) == invoker, matches!(found.gid(), 0 | ADMIN_GROUP) || sticky, sticky)
            }
        };
        if !owned {
            return Err(Danger::Owner(owner));
        }
        let group = mode & WRITABLE_BY_GROUP != 0 && !group_may;
        let all = mode & WRITABLE_BY_ALL != 0 && !all_may;
        if group || all { Err(Danger::Writable(mode & 0o7777)) } else { Ok(()) }
    }
}

/// The name under which a file is made before it is moved into its place.
pub fn temporary(name: &str) -> String {
    format!(".{name}.new")
}

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder at an absolute path, each folder on the way by itself.
    pub fn walk(path: &Path, rule: Rule) -> Result<Self, InstallError> {
        let mut folder = Self::root(Path::new("/"), rule)?;
        for component in path.components() {
            if let Component::Normal(name) = component {
                folder = folder.enter_path(Path::new(name), rule)?;
            }
        }
        Ok(folder)
    }

    /// Opens the folder where everything begins.
    pub fn root(path: &Path, rule: Rule) -> Result<Self, InstallError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| io("opening", path, error))?;
        Self::checked(descriptor, path.to_owned(), rule)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a folder inside.
    pub fn enter(&self, name: &str, rule: Rule) -> Result<Self, InstallError> {
        self.enter_path(Path::new(name), rule)
    }

    /// The same; `None` when there is none.
    pub fn enter_existing(&self, name: &str, rule: Rule) -> Result<Option<Self>, InstallError> {
        match self.enter(name, rule) {
            Err(InstallError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// The same; one that is missing is made, for all to read and root to write.
    pub fn enter_or_make(&self, name: &str, rule: Rule) -> Result<Self, InstallError> {
        if let Some(folder) = self.enter_existing(name, rule)? {
            return Ok(folder);
        }
        let path = self.path.join(name);
        rustix::fs::mkdirat(&self.descriptor, name, Mode::RWXU).map_err(|error| io("making", &path, error))?;
        let folder = self.enter(name, rule)?;
        let opened = File::from(folder.descriptor.try_clone().map_err(|source| failed("opening", &path, source))?);
        own(&opened, 0o755).map_err(|source| failed("making", &path, source))?;
        Ok(folder)
    }

    fn enter_path(&self, name: &Path, rule: Rule) -> Result<Self, InstallError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => Self::checked(descriptor, path, rule),
            Err(error) => Err(match self.file_type(name) {
                Some(FileType::Symlink) => InstallError::NotSafe { path, why: Danger::Link },
                Some(FileType::Directory) | None => io("opening", &path, error),
                Some(_) => InstallError::NotSafe { path, why: Danger::NotAFolder },
            }),
        }
    }

    fn checked(descriptor: OwnedFd, path: PathBuf, rule: Rule) -> Result<Self, InstallError> {
        let opened = File::from(descriptor);
        let found = opened.metadata().map_err(|source| failed("opening", &path, source))?;
        match rule.check(&found) {
            Ok(()) => Ok(Self { descriptor: opened.into(), path }),
            Err(why) => Err(InstallError::NotSafe { path, why }),
        }
    }

    fn file_type(&self, name: &Path) -> Option<FileType> {
        let found = rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(FileType::from_raw_mode(found.st_mode))
    }

    /// Opens a plain file that `rule` allows; `None` when there is nothing of this name.
    fn open(&self, name: &str, rule: Rule) -> Result<Option<File>, InstallError> {
        let path = self.path.join(name);
        let unsafe_because = |why| InstallError::NotSafe { path: path.clone(), why };
        match self.file_type(Path::new(name)) {
            Some(FileType::Symlink) => return Err(unsafe_because(Danger::Link)),
            Some(FileType::RegularFile) | None => {}
            Some(_) => return Err(unsafe_because(Danger::NotAFile)),
        }
        // a pipe that took its place in between must not hold us up
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => File::from(descriptor),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(io("opening", &path, error)),
        };
        let found = file.metadata().map_err(|source| failed("opening", &path, source))?;
        if !found.is_file() {
            return Err(unsafe_because(Danger::NotAFile));
        }
        rule.check(&found).map_err(unsafe_because)?;
        // cargo itself gives what it builds two names, and a source is read once
        if matches!(rule, Rule::Root) && found.nlink() != 1 {
            return Err(unsafe_because(Danger::HardLink(found.nlink())));
        }
        Ok(Some(file))
    }

    /// Reads a plain file that `rule` allows; `None` when there is nothing of this name.
    pub fn read(&self, name: &str, rule: Rule, max_bytes: u64) -> Result<Option<Vec<u8>>, InstallError> {
        let Some(file) = self.open(name, rule)? else { return Ok(None) };
        let path = self.path.join(name);
        let mut bytes = Vec::new();
        let read = file.take(max_bytes + 1).read_to_end(&mut bytes);
        read.map_err(|source| failed("reading", &path, source))?;
        if bytes.len() as u64 > max_bytes {
            return Err(InstallError::NotSafe { path, why: Danger::TooLarge(max_bytes) });
        }
        Ok(Some(bytes))
    }

    /// Fails unless the name is free, or of a plain file of root's.
    pub fn check_free(&self, name: &str) -> Result<(), InstallError> {
        self.open(name, Rule::Root).map(drop)
    }

    /// Puts a file of root's in the place of `name`, whole or not at all.
    pub fn replace(&self, name: &str, mode: u32, bytes: &[u8]) -> Result<(), InstallError> {
        let path = self.path.join(name);
        let unfinished = temporary(name);
        // of an install that was interrupted
        self.remove(&unfinished)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = rustix::fs::openat(&self.descriptor, &unfinished, flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(descriptor.map_err(|error| io("making", &path, error))?);
        let written = file
            .write_all(bytes)
            .and_then(|()| own(&file, mode))
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(rustix::fs::renameat(&self.descriptor, &unfinished, &self.descriptor, name)?))
            .and_then(|()| Ok(rustix::fs::fsync(&self.descriptor)?));
        written.map_err(|source| {
            let _ = rustix::fs::unlinkat(&self.descriptor, &unfinished, AtFlags::empty());
            failed("writing", &path, source)
        })
    }

    /// Removes a plain file of root's; false when there is none.
    pub fn remove(&self, name: &str) -> Result<bool, InstallError> {
        if self.open(name, Rule::Root)?.is_none() {
            return Ok(false);
        }
        let removed = rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty());
        removed.map_err(|error| io("removing", &self.path.join(name), error))?;
        Ok(true)
    }

    /// Removes an empty folder; false when it is not empty or not there.
    pub fn remove_folder(&self, name: &str) -> Result<bool, InstallError> {
        match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(error) => Err(io("removing", &self.path.join(name), error)),
        }
    }
}

/// Makes a new file root's, whatever the mask and the group of the folder say.
fn own(file: &File, mode: u32) -> std::io::Result<()> {
    fchown(file.as_fd(), Some(0), Some(0))?;
    file.set_permissions(Permissions::from_mode(mode))
}

fn io(action: &'static str, path: &Path, error: Errno) -> InstallError {
    failed(action, path, error.into())
}

fn failed(action: &'static str, path: &Path, source: std::io::Error) -> InstallError {
    InstallError::Io { action, path: path.to_owned(), source }
}
