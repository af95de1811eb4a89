//! How an install stands, for `joulebar helper status` and the diagnostics. Reads only.

use std::path::PathBuf;

use serde::Serialize;

use super::folder::Rule;
use super::launchd::Launchd;
use super::places::{Labels, Part, Places};
use super::texts::parse_requirement;
use super::{Identify, InstallError, MAX_PROGRAM_BYTES, check_place};

/// The whole of it in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallState {
    /// None of the files is there.
    NotInstalled,
    /// All is there, and the programs that it was installed for are those that are here now.
    Installed,
    /// All is there, but app or `joulebar` are others than those that it was installed for.
    OtherPrograms,
    /// Something is missing or of another install, or launchd does not know the job.
    Incomplete,
    /// Something stands in a place that was not made by an install, or that others can write.
    NotSafe,
}

/// One of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileState {
    /// What it is, `job`.
    pub part: &'static str,
    /// Where it is or would be.
    pub path: PathBuf,
    /// True when it is there.
    pub present: bool,
    /// What is wrong with it, for people.
    pub problem: Option<String>,
}

/// How an install stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstallStatus {
    /// In a word.
    pub state: InstallState,
    /// Label of the job.
    pub label: String,
    /// The files.
    pub files: Vec<FileState>,
    /// Whether launchd knows the job; `None` when it can't be asked.
    pub loaded: Option<bool>,
    /// Hashes of the programs that may talk to the daemon; `None` without a file that says so.
    pub pinned: Option<Vec<String>>,
    /// Hash of the installed daemon; `None` when it can't be read.
    pub helper: Option<String>,
}

/// Looks at the files. `wanted` are the hashes of the programs that are here now, of which each must be allowed to talk
/// to the daemon; pass none when they are not known.
pub fn status(
    places: &Places,
    labels: &Labels,
    wanted: &[String],
    identify: &Identify<'_>,
    launchd: &mut impl Launchd,
) -> InstallStatus {
    let mut files = Vec::new();
    let (mut pinned, mut helper, mut meant) = (None, None, None);
    for part in Part::ALL {
        let look = || -> Result<Option<Vec<u8>>, InstallError> {
            let Some(folder) = places.open(labels, part)? else { return Ok(None) };
            check_place(&folder, labels, part, identify)?;
            folder.read(&places.file_name(labels, part), Rule::Root, MAX_PROGRAM_BYTES)
        };
        let found = look();
        if let Ok(Some(bytes)) = &found {
            match part {
                Part::Requirement => pinned = parse_requirement(&String::from_utf8_lossy(bytes)),
                Part::Helper => helper = identify(bytes).ok().map(|code| code.cdhash),
                Part::HelperRequirement => meant = parse_requirement(&String::from_utf8_lossy(bytes)),
                Part::Job => {}
            }
        }
        files.push(FileState {
            part: part.title(),
            path: places.path(labels, part),
            present: !matches!(found, Ok(None)),
            problem: found.err().map(|error| error.to_string()),
        });
    }
    let label = labels.job();
    let loaded = launchd.is_loaded(&label).ok();
    let state = if files.iter().any(|file| file.problem.is_some()) {
        InstallState::NotSafe
    } else if files.iter().all(|file| !file.present) && loaded != Some(true) {
        InstallState::NotInstalled
    } else if files.iter().any(|file| !file.present) || loaded == Some(false) || !meant_is(&meant, &helper) {
        InstallState::Incomplete
    } else if wanted.iter().any(|hash| pinned.as_ref().is_none_or(|pinned| !pinned.contains(hash))) {
        InstallState::OtherPrograms
    } else {
        InstallState::Installed
    };
    InstallStatus { state, label, files, loaded, pinned, helper }
}

/// Whether the requirement of the program is one of the program that is there.
fn meant_is(meant: &Option<Vec<String>>, helper: &Option<String>) -> bool {
    meant.as_ref().zip(helper.as_ref()).is_some_and(|(meant, helper)| meant.contains(helper))
}
