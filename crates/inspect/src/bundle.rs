//! The bundle's files, read once. Checks and tests work on this picture, never on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use plist::Dictionary;

use crate::expected::Expected;

/// One file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Its permission bits, such as `0o755`.
    pub mode: u32,
}

/// A bundle, and what it is meant to be.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The files by their path inside the bundle, such as `Contents/Info.plist`.
    pub files: BTreeMap<String, File>,
    /// Symbolic links and other things that no file of ours is, by path.
    pub oddities: Vec<String>,
    /// Names and version that this build has.
    pub expected: Expected,
    /// Directories of the machine that built it, which must not be found in it.
    pub build_paths: Vec<String>,
}

impl Bundle {
    /// Reads a bundle from the disk.
    ///
    /// # Errors
    /// When a file or a folder of it can't be read.
    pub fn read(root: &Path, expected: Expected, build_paths: Vec<String>) -> anyhow::Result<Self> {
        let mut bundle = Self { files: BTreeMap::new(), oddities: Vec::new(), expected, build_paths };
        if !root.is_dir() {
            bail!("{} is no bundle", root.display());
        }
        bundle.read_folder(root, "")?;
        Ok(bundle)
    }

    fn read_folder(&mut self, folder: &Path, inside: &str) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let inside = if inside.is_empty() { name } else { format!("{inside}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.read_folder(&entry.path(), &inside)?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
                self.files.insert(inside, File { bytes, mode: mode(&entry.metadata()?) });
            } else {
                self.oddities.push(inside);
            }
        }
        Ok(())
    }

    /// The bytes of a file; `None` where it is missing.
    #[must_use]
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(|file| file.bytes.as_slice())
    }

    /// A property list of the bundle; `None` where it is missing or no dictionary.
    #[must_use]
    pub fn plist(&self, path: &str) -> Option<Dictionary> {
        dictionary(self.bytes(path)?)
    }

    /// Name and bytes of the programs that are there.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.expected.programs().into_iter().filter_map(|path| {
            self.files.get_key_value(&path).map(|(path, file)| (path.as_str(), file.bytes.as_slice()))
        })
    }
}

/// A property list that is a dictionary.
#[must_use]
pub fn dictionary(bytes: &[u8]) -> Option<Dictionary> {
    plist::from_bytes::<plist::Value>(bytes).ok()?.into_dictionary()
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}
