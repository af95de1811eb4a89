//! The files of one command line: what is written must be writable, and must not be what is read.

use std::fs::OpenOptions;
use std::path::Path;

use joulebar_core::files::is_same_file;

use crate::exit::{Code, Failure};

/// A file and the part that it plays.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// `the report (--output)`.
    pub part: &'static str,
    /// Where it is; `-` is standard input.
    pub path: &'a Path,
    /// True when the command writes it.
    pub written: bool,
}

impl<'a> Named<'a> {
    /// A file that is read.
    pub fn read(part: &'static str, path: &'a Path) -> Self {
        Self { part, path, written: false }
    }

    /// A file that is written.
    pub fn written(part: &'static str, path: &'a Path) -> Self {
        Self { part, path, written: true }
    }

    fn is_same_file(&self, other: &Self) -> bool {
        let path =
            |named: &Self| if named.path == Path::new("-") { Path::new("/dev/stdin") } else { named.path }.to_owned();
        is_same_file(&path(self), &path(other))
    }
}

/// Refuses two files that are the same one when writing one would destroy the other.
///
/// # Errors
/// [`Code::Usage`] names the two.
pub fn check_distinct(files: &[Named<'_>]) -> Result<(), Failure> {
    for (index, one) in files.iter().enumerate() {
        let clash = files[index + 1..].iter().find(|other| (one.written || other.written) && one.is_same_file(other));
        if let Some(other) = clash {
            let what = format!("{} and {} are the same file, {}", one.part, other.part, one.path.display());
            return Err(Failure::new(Code::Usage, what)
                .because_text("one would be written over the other")
                .next("give each a file of its own"));
        }
    }
    Ok(())
}

/// Opens a file for writing without losing what it holds; a new one does not stay.
///
/// # Errors
/// [`Code::CannotWrite`]; `flag` is what to give another file with.
pub fn check_writable(path: &Path, flag: &str) -> Result<(), Failure> {
    let existed = path.exists();
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|error| cannot_write(path).because(&error).next(format!("give another file with {flag}")))?;
    if !existed {
        let _ = std::fs::remove_file(joulebar_core::files::resolve(path));
    }
    Ok(())
}

/// Why a file can't be moved to `path`: that must be free, or a plain file. `None` when it can.
#[must_use]
pub fn obstacle(path: &Path) -> Option<&'static str> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Some("it is a folder"),
        Ok(found) if !found.is_file() => Some("it is not a plain file"),
        _ if path.file_name().is_none() => Some("it names no file"),
        _ => None,
    }
}

/// The beginning of every complaint about an output file.
pub fn cannot_write(path: &Path) -> Failure {
    Failure::new(Code::CannotWrite, format!("{} can't be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_are_written_clash() {
        let folder = tempfile::tempdir().unwrap();
        let (one, detour) = (folder.path().join("a"), folder.path().join("./a"));
        let same = |one, other| check_distinct(&[one, Named::read("c", Path::new("c")), other]).is_err();
        assert!(same(Named::written("a", &one), Named::read("b", &detour)));
        assert!(same(Named::read("a", &one), Named::written("b", &detour)));
        assert!(!same(Named::read("a", &one), Named::read("b", &detour)));
        assert!(!same(Named::written("a", &one), Named::written("b", &folder.path().join("b"))));
    }

    #[test]
    fn checking_a_file_neither_makes_nor_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("old.csv"), "kept").unwrap();
        std::os::unix::fs::symlink("target.csv", path("link.csv")).unwrap();
        for name in ["new.csv", "old.csv", "link.csv"] {
            assert!(check_writable(&path(name), "--csv").is_ok());
        }
        assert!(!path("new.csv").exists() && !path("target.csv").exists());
        assert!(path("link.csv").is_symlink());
        assert_eq!(std::fs::read_to_string(path("old.csv")).unwrap(), "kept");
    }
}
