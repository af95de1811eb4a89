//! The user's suites: TOML files in the folder of the settings, beside the one that is built in.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::files::NewFile;
use crate::folders;
use crate::suite::{Suite, SuiteError};

const FOLDER: &str = "suites";
/// Largest suite that is read, in bytes.
const MAX_BYTES: u64 = 8 << 20;

/// One suite of the library.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SuiteEntry {
    /// It.
    pub suite: Suite,
    /// True for the one that comes with Joulebar, which can't be changed.
    pub builtin: bool,
    /// Estimated tokens of each prompt, in its order ([`estimate_tokens`]).
    pub tokens: Vec<u32>,
}

/// Why the library can't do what was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum LibraryError {
    #[error("there is no suite {name:?}")]
    NoSuchSuite { name: String },
    #[error("the built-in suite can't be changed; duplicate it first")]
    Builtin,
    #[error("a suite needs a name of 1 to 60 letters, digits, spaces and .,-_()")]
    BadName,
    #[error("there is another suite {name:?}; choose another name")]
    NameTaken { name: String },
    #[error("{path} can't be used: {source}")]
    Suite { path: PathBuf, source: SuiteError },
    #[error(transparent)]
    Form(#[from] SuiteError),
    #[error("{path} can't be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} can't be written")]
    Write { path: PathBuf, source: io::Error },
    #[error("the suite can't be written as TOML")]
    ToToml(#[from] toml::ser::Error),
}

/// The library in a folder of settings. The folder need not exist yet.
#[derive(Clone, Debug)]
pub struct Library {
    folder: PathBuf,
}

impl Library {
    /// The library beside the settings in `config`.
    #[must_use]
    pub fn new(config: &Path) -> Self {
        Self { folder: config.join(FOLDER) }
    }

    /// All suites: the built-in one first, the user's by name. Files that can't be used are left out; the second value
    /// says which and why.
    ///
    /// # Errors
    /// [`LibraryError::Read`] when the folder can't be read.
    pub fn list(&self) -> Result<(Vec<SuiteEntry>, Vec<LibraryError>), LibraryError> {
        let mut suites = vec![entry(Suite::builtin(), true)];
        let (mut own, mut unusable) = (Vec::new(), Vec::new());
        let failed = |source| LibraryError::Read { path: self.folder.clone(), source };
        let files = match std::fs::read_dir(&self.folder) {
            Ok(files) => files.collect::<Result<Vec<_>, _>>().map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        for path in files.into_iter().map(|file| file.path()) {
            if path.extension().is_some_and(|extension| extension == "toml") {
                match read(&path) {
                    Ok(suite) => own.push(entry(suite, false)),
                    Err(error) => unusable.push(error),
                }
            }
        }
        own.sort_by_key(|entry| entry.suite.name.to_lowercase());
        suites.extend(own);
        Ok((suites, unusable))
    }

    /// The suite of this name.
    ///
    /// # Errors
    /// [`LibraryError::NoSuchSuite`], [`LibraryError::Read`].
    pub fn find(&self, name: &str) -> Result<SuiteEntry, LibraryError> {
        let found = self.list()?.0.into_iter().find(|entry| entry.suite.name == name);
        found.ok_or_else(|| LibraryError::NoSuchSuite { name: name.to_owned() })
    }

    /// Saves a suite in place of the one that was called `previous`; `None` for a new one. The file is written whole or
    /// not at all, and no other suite is ever replaced.
    ///
    /// # Errors
    /// [`LibraryError`] names the rule that is broken, or the file that can't be written.
    pub fn save(&self, previous: Option<&str>, suite: Suite) -> Result<SuiteEntry, LibraryError> {
        let builtin = Suite::builtin().name;
        if previous == Some(builtin.as_str()) {
            return Err(LibraryError::Builtin);
        }
        let suite = Suite { name: suite.name.trim().to_owned(), ..suite };
        let path = self.path(&suite.name)?;
        suite.check()?;
        let taken = suite.name.eq_ignore_ascii_case(&builtin)
            || (previous.is_none_or(|old| self.path(old).ok().as_deref() != Some(&path)) && path.exists());
        if taken {
            return Err(LibraryError::NameTaken { name: suite.name });
        }
        let text = to_toml(&suite)?;
        let failed = |source| LibraryError::Write { path: path.clone(), source };
        folders::create(&self.folder).map_err(failed)?;
        let write = || {
            let mut file = NewFile::create(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync()?;
            file.settle().map(drop)
        };
        write().map_err(failed)?;
        if let Some(old) = previous.and_then(|old| self.path(old).ok()).filter(|old| *old != path) {
            // the new file stands; an old one that stays is seen, and can be deleted
            let _ = std::fs::remove_file(old);
        }
        Ok(entry(suite, false))
    }

    /// Deletes a suite of the user's.
    ///
    /// # Errors
    /// [`LibraryError::Builtin`], [`LibraryError::NoSuchSuite`], [`LibraryError::Write`].
    pub fn delete(&self, name: &str) -> Result<(), LibraryError> {
        if name == Suite::builtin().name {
            return Err(LibraryError::Builtin);
        }
        let path = self.path(name)?;
        std::fs::remove_file(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LibraryError::NoSuchSuite { name: name.to_owned() },
            _ => LibraryError::Write { path, source },
        })
    }

    /// Takes a suite over from a file; a name that is taken gets a number.
    ///
    /// # Errors
    /// As [`Library::save`], and [`LibraryError::Suite`] for a file that is no suite.
    pub fn import(&self, file: &Path) -> Result<SuiteEntry, LibraryError> {
        let suite = read(file)?;
        let name: String = suite.name.trim().chars().filter(|c| is_plain(*c)).take(50).collect();
        let name = if name.trim().is_empty() { "Imported".to_owned() } else { name.trim().to_owned() };
        let mut number = 1_u32;
        loop {
            let name = if number == 1 { name.clone() } else { format!("{name} {number}") };
            match self.save(None, Suite { name, ..suite.clone() }) {
                Err(LibraryError::NameTaken { .. }) if number < 1_000 => number += 1,
                saved => return saved,
            }
        }
    }

    fn path(&self, name: &str) -> Result<PathBuf, LibraryError> {
        let fits = (1..=60).contains(&name.chars().count()) && name.chars().all(is_plain) && !name.starts_with('.');
        if fits { Ok(self.folder.join(format!("{name}.toml"))) } else { Err(LibraryError::BadName) }
    }
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || " .,-_()".contains(c)
}

/// A suite as TOML, as [`Suite::parse`] reads it.
///
/// # Errors
/// [`toml::ser::Error`] for a suite that TOML can't hold.
pub fn to_toml(suite: &Suite) -> Result<String, toml::ser::Error> {
    toml::to_string_pretty(suite)
}

fn read(path: &Path) -> Result<Suite, LibraryError> {
    let failed = |source| LibraryError::Read { path: path.into(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 8 MiB")));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Suite::parse(&text).map_err(|source| LibraryError::Suite { path: path.into(), source })
}

fn entry(suite: Suite, builtin: bool) -> SuiteEntry {
    let tokens = suite.prompts.iter().map(|prompt| estimate_tokens(&prompt.prompt)).collect();
    SuiteEntry { suite, builtin, tokens }
}

/// A guess of how many tokens a text has, without a tokenizer: a word is one token for every 8 letters begun, a number
/// one for every 3 digits, a mark one, a character outside ASCII one. Within a fifth for English prose; other
/// tokenizers and languages differ more. The server's count is the one that reports use.
#[must_use]
pub fn estimate_tokens(text: &str) -> u32 {
    let (mut tokens, mut letters, mut digits) = (0_u32, 0_u32, 0_u32);
    for c in text.chars().chain(['\n']) {
        let (letter, digit) = (c.is_ascii_alphabetic(), c.is_ascii_digit());
        if !letter {
            tokens += letters.div_ceil(8);
            letters = 0;
        }
        if !digit {
            tokens += digits.div_ceil(3);
            digits = 0;
        }
        if letter {
            letters += 1;
        } else if digit {
            digits += 1;
        } else if !c.is_whitespace() {
            tokens += 1;
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Suite {
        Suite { name: name.into(), ..Suite::builtin() }
    }

    #[test]
    fn suites_are_saved_renamed_listed_and_deleted() {
        let config = tempfile::tempdir().unwrap();
        let library = Library::new(config.path());
        assert_eq!(library.list().unwrap().0.len(), 1);
        library.save(None, named("Mine")).unwrap();
        assert!(matches!(library.save(None, named("Mine")), Err(LibraryError::NameTaken { .. })));
        library.save(Some("Mine"), named("Yours")).unwrap();
        let (suites, unusable) = library.list().unwrap();
        let names: Vec<_> = suites.iter().map(|entry| (entry.suite.name.as_str(), entry.builtin)).collect();
        assert_eq!(names, [("standard", true), ("Yours", false)]);
        assert!(unusable.is_empty());
        assert_eq!(library.find("Yours").unwrap().suite, named("Yours"));
        library.delete("Yours").unwrap();
        assert!(matches!(library.delete("Yours"), Err(LibraryError::NoSuchSuite { .. })));
    }

    #[test]
    fn no_name_leads_out_of_the_folder_and_the_built_in_suite_stays() {
        let config = tempfile::tempdir().unwrap();
        let library = Library::new(config.path());
        for name in ["../x", "a/b", "", ".hidden", "a\0b"] {
            assert!(matches!(library.save(None, named(name)), Err(LibraryError::BadName)), "{name:?}");
        }
        assert!(matches!(library.save(Some("standard"), named("x")), Err(LibraryError::Builtin)));
        assert!(matches!(library.save(None, named("Standard")), Err(LibraryError::NameTaken { .. })));
        assert!(matches!(library.delete("standard"), Err(LibraryError::Builtin)));
    }

    #[test]
    fn import_gives_a_taken_name_a_number_and_names_what_is_wrong() {
        let config = tempfile::tempdir().unwrap();
        let library = Library::new(config.path());
        let file = config.path().join("in.toml");
        std::fs::write(&file, to_toml(&named("Mine")).unwrap()).unwrap();
        assert_eq!(library.import(&file).unwrap().suite.name, "Mine");
        assert_eq!(library.import(&file).unwrap().suite.name, "Mine 2");
        std::fs::write(&file, "name = 3").unwrap();
        assert!(matches!(library.import(&file), Err(LibraryError::Suite { .. })));
        std::fs::write(config.path().join("suites/bad.toml"), "x").unwrap();
        let (suites, unusable) = library.list().unwrap();
        assert_eq!((suites.len(), unusable.len()), (3, 1));
    }

    #[test]
    fn estimates_are_near_what_a_tokenizer_counts() {
        // counts of SmolLM2's tokenizer over the built-in prompts with a nonce of about 7 tokens in front
        let bounds = [(3, 16), (3, 16), (3, 16), (43, 72), (43, 72), (43, 72), (176, 280), (176, 280), (176, 280)];
        for (prompt, (low, high)) in Suite::builtin().prompts.iter().zip(bounds) {
            let tokens = estimate_tokens(&prompt.prompt);
            assert!((low..=high).contains(&tokens), "{}: {tokens}", prompt.id);
        }
        assert_eq!(estimate_tokens(""), 0);
    }
}
