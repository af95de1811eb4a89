//! A code-signing requirement that is fit to be set, and where one comes from that was not compiled in: a file that only
//! root can have written.
//!
//! Knows nothing of the requirement language; the system reads that when the requirement is set.

use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Longest requirement, in bytes.
pub const MAX_BYTES: usize = 4096;

/// A requirement: one line, not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement(CString);

impl Requirement {
    /// Takes a text; one line feed at its end is left out.
    ///
    /// # Errors
    /// [`InvalidRequirement`] for an empty one, one that is too long, or one with control characters.
    pub fn new(text: &str) -> Result<Self, InvalidRequirement> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        if line.trim().is_empty() {
            return Err(InvalidRequirement::Empty);
        }
        if line.len() > MAX_BYTES {
            return Err(InvalidRequirement::TooLong);
        }
        if line.chars().any(char::is_control) {
            return Err(InvalidRequirement::NotOneLine);
        }
        CString::new(line).map(Self).map_err(|_| InvalidRequirement::NotOneLine)
    }

    /// Reads a file of one line that belongs to root and its group, and that nobody else can write or exchange by a link.
    ///
    /// # Errors
    /// [`FileError`]: no requirement is better than a forged one.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::read_owned_by(path, 0, 0)
    }

    fn read_owned_by(path: &Path, user: u32, group: u32) -> Result<Self, FileError> {
        // what it is gets looked at once it is open: a name can be given to another file at any time. A pipe would wait.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| {
            if error.raw_os_error() == Some(libc::ELOOP) { FileError::NotRegular } else { FileError::Io(error) }
        })?;
        let found = file.metadata().map_err(FileError::Io)?;
        if !found.is_file() || found.nlink() != 1 {
            return Err(FileError::NotRegular);
        }
        if (found.uid(), found.gid()) != (user, group) {
            return Err(FileError::Owner { user: found.uid(), group: found.gid() });
        }
        if found.mode() & 0o022 != 0 {
            return Err(FileError::Writable { mode: found.mode() & 0o7777 });
        }
        let mut bytes = Vec::new();
        let limit = MAX_BYTES as u64;
        // one more than allowed, to notice it
        file.take(limit + 1).read_to_end(&mut bytes).map_err(FileError::Io)?;
        if bytes.len() > MAX_BYTES {
            return Err(FileError::Content(InvalidRequirement::TooLong));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| FileError::Content(InvalidRequirement::NotOneLine))?;
        Self::new(text).map_err(FileError::Content)
    }

    /// As the system takes it.
    #[must_use]
    pub fn as_c_str(&self) -> &CStr {
        &self.0
    }
}

/// Why a text is no requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidRequirement {
    /// There is none.
    Empty,
    /// More than [`MAX_BYTES`].
    TooLong,
    /// Several lines, other control characters, or no text at all.
    NotOneLine,
    /// The system can't read it.
    Grammar,
}

impl fmt::Display for InvalidRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the code-signing requirement is empty"),
            Self::TooLong => write!(f, "the code-signing requirement is longer than {MAX_BYTES} bytes"),
            Self::NotOneLine => f.write_str("the code-signing requirement is not one line of text"),
            Self::Grammar => f.write_str("macOS can't read the code-signing requirement"),
        }
    }
}

impl std::error::Error for InvalidRequirement {}

/// Why a file gives no requirement.
#[derive(Debug)]
pub enum FileError {
    /// It can't be opened or read.
    Io(io::Error),
    /// A link, a directory, or anything else that is not one file with one name.
    NotRegular,
    /// It belongs to somebody else than root and its group.
    Owner {
        /// Whose it is.
        user: u32,
        /// Its group.
        group: u32,
    },
    /// Its group or everybody may write to it.
    Writable {
        /// Its permissions.
        mode: u32,
    },
    /// What it says is no requirement.
    Content(InvalidRequirement),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("it can't be read"),
            Self::NotRegular => f.write_str("it is not a regular file with one name"),
            Self::Owner { user, group } => write!(f, "it belongs to {user}:{group}, not to root"),
            Self::Writable { mode } => write!(f, "others than root may write to it ({mode:o})"),
            Self::Content(_) => f.write_str("it holds no requirement"),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Content(error) => Some(error),
            Self::NotRegular | Self::Owner { .. } | Self::Writable { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    const LINE: &str = "cdhash H\"00112233445566778899aabbccddeeff00112233\"";

    /// A file that is as it should be, but for its owner: whoever runs the tests.
    fn file(text: &[u8]) -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("client.req");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        (directory, path)
    }

    fn read(path: &Path) -> Result<Requirement, FileError> {
        let directory = path.parent().unwrap().metadata().unwrap();
        Requirement::read_owned_by(path, directory.uid(), directory.gid())
    }

    fn is_root(path: &Path) -> bool {
        let found = path.metadata().unwrap();
        (found.uid(), found.gid()) == (0, 0)
    }

    #[test]
    fn threat_04_one_line_of_root_is_the_requirement() {
        for text in [LINE.to_owned(), format!("{LINE}\n")] {
            let (_directory, path) = file(text.as_bytes());
            assert_eq!(read(&path).unwrap().as_c_str().to_str().unwrap(), LINE);
        }
    }

    #[test]
    fn threat_04_file_of_anybody_else_is_refused() {
        let (_directory, path) = file(LINE.as_bytes());
        let (user, group) = (path.metadata().unwrap().uid(), path.metadata().unwrap().gid());
        for (wanted_user, wanted_group) in [(user + 1, group), (user, group + 1)] {
            let refused = Requirement::read_owned_by(&path, wanted_user, wanted_group);
            assert!(matches!(refused, Err(FileError::Owner { .. })), "{refused:?}");
        }
        if !is_root(&path) {
            assert!(matches!(Requirement::read(&path), Err(FileError::Owner { .. })));
            return;
        }
        assert!(Requirement::read(&path).is_ok());
        for (user, group) in [(1, 0), (0, 1), (501, 20)] {
            chown(&path, Some(user), Some(group)).unwrap();
            let refused = Requirement::read(&path);
            assert!(matches!(refused, Err(FileError::Owner { .. })), "{refused:?}");
        }
    }

    #[test]
    fn threat_04_file_that_others_can_write_is_refused() {
        let (_directory, path) = file(LINE.as_bytes());
        for mode in [0o664, 0o646, 0o666, 0o620, 0o602] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = read(&path);
            assert!(matches!(refused, Err(FileError::Writable { mode: found }) if found == mode), "{refused:?}");
        }
    }

    #[test]
    fn threat_04_link_directory_or_pipe_is_refused() {
        let (directory, path) = file(LINE.as_bytes());
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(FileError::NotRegular)));
        assert!(matches!(read(directory.path()), Err(FileError::NotRegular)));
        let second_name = directory.path().join("second");
        fs::hard_link(&path, &second_name).unwrap();
        assert!(matches!(read(&path), Err(FileError::NotRegular)));
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(read(&pipe), Err(FileError::NotRegular)));
    }

    #[test]
    fn threat_04_missing_file_is_an_error() {
        let (directory, _) = file(b"");
        let missing = read(&directory.path().join("missing"));
        assert!(matches!(missing, Err(FileError::Io(ref error)) if error.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn threat_04_empty_file_is_refused() {
        for text in ["", "\n", "  \n"] {
            let (_directory, path) = file(text.as_bytes());
            assert!(matches!(read(&path), Err(FileError::Content(InvalidRequirement::Empty))), "{text:?}");
        }
    }

    #[test]
    fn threat_04_oversize_file_is_refused() {
        let (_directory, path) = file("a".repeat(MAX_BYTES).as_bytes());
        assert!(read(&path).is_ok());
        fs::write(&path, "a".repeat(MAX_BYTES + 1)).unwrap();
        assert!(matches!(read(&path), Err(FileError::Content(InvalidRequirement::TooLong))));
    }

    #[test]
    fn threat_04_several_lines_or_bytes_that_are_no_text_are_refused() {
        for text in [&b"anchor apple\nor always"[..], b"anchor apple\n\n", b"a\rb", b"a\0b", b"\xff\xfe"] {
            let (_directory, path) = file(text);
            assert!(matches!(read(&path), Err(FileError::Content(InvalidRequirement::NotOneLine))), "{text:?}");
        }
    }
}
