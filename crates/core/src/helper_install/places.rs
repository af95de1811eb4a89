//! Where the files of an install stand. The names are fixed; nothing of them comes from outside.

use std::path::{Path, PathBuf};

use joulebar_wire::identity;

use super::error::InstallError;
use super::folder::{Folder, Rule};

/// The names of app and helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Bundle identifier of the app.
    pub app_id: String,
    /// Code-signing identifier and file name of the helper inside the app.
    pub helper_id: String,
}

impl Labels {
    /// Those of this build.
    #[must_use]
    pub fn of_this_build() -> Self {
        Self { app_id: identity::APP_ID.to_owned(), helper_id: identity::HELPER_ID.to_owned() }
    }

    /// Label of the installed job, name of its Mach service and of the installed program.
    #[must_use]
    pub fn job(&self) -> String {
        format!("{}.local", self.helper_id)
    }
}

/// A file of an install, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Who may talk to the daemon.
    Requirement,
    /// Which daemon is meant: the app and `joulebar` talk to no other.
    HelperRequirement,
    /// The daemon.
    Helper,
    /// The job for launchd.
    Job,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Requirement, Self::HelperRequirement, Self::Helper, Self::Job];

    /// Its name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Requirement => "requirement of clients",
            Self::HelperRequirement => "requirement of the program",
            Self::Helper => "program",
            Self::Job => "job",
        }
    }
}

/// Below which folder the system's folders are.
#[derive(Clone, Debug)]
pub struct Places {
    root: PathBuf,
}

impl Places {
    /// The running system's.
    #[must_use]
    pub fn system() -> Self {
        Self { root: "/".into() }
    }

    /// Those of a system whose `/` is this folder. For tests; no command line reaches it.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The name of a file.
    pub(super) fn file_name(&self, labels: &Labels, part: Part) -> String {
        match part {
            Part::Requirement => "client.req".to_owned(),
            Part::HelperRequirement => "helper.req".to_owned(),
            Part::Helper => labels.job(),
            Part::Job => format!("{}.plist", labels.job()),
        }
    }

    /// Folders on the way to a file, and whether the last of them is an install's own.
    fn folders(labels: &Labels, part: Part) -> Vec<&str> {
        match part {
            Part::Requirement | Part::HelperRequirement => vec!["Library", "Application Support", &labels.app_id],
            Part::Helper => vec!["Library", "PrivilegedHelperTools"],
            Part::Job => vec!["Library", "LaunchDaemons"],
        }
    }

    /// Where a file stands.
    #[must_use]
    pub fn path(&self, labels: &Labels, part: Part) -> PathBuf {
        let folders = Self::folders(labels, part);
        folders.into_iter().fold(self.root.clone(), |path, name| path.join(name)).join(self.file_name(labels, part))
    }

    /// The folder of a file; `None` when it is missing.
    pub(super) fn open(&self, labels: &Labels, part: Part) -> Result<Option<Folder>, InstallError> {
        let mut folder = Folder::root(&self.root, Rule::Root)?;
        for name in Self::folders(labels, part) {
            match folder.enter_existing(name, Rule::Root)? {
                Some(inner) => folder = inner,
                None => return Ok(None),
            }
        }
        Ok(Some(folder))
    }

    /// The folder of a file. The last of the way is made where it is missing; those before it belong to the system.
    pub(super) fn open_or_make(&self, labels: &Labels, part: Part) -> Result<Folder, InstallError> {
        let folders = Self::folders(labels, part);
        let mut folder = Folder::root(&self.root, Rule::Root)?;
        for (index, name) in folders.iter().enumerate() {
            let last = index + 1 == folders.len();
            folder = if last { folder.enter_or_make(name, Rule::Root)? } else { folder.enter(name, Rule::Root)? };
        }
        Ok(folder)
    }

    /// Removes the app's folder, unless something else is in it.
    pub(super) fn remove_own_folder(&self, labels: &Labels) -> Result<Option<PathBuf>, InstallError> {
        let mut folder = Folder::root(&self.root, Rule::Root)?;
        for name in ["Library", "Application Support"] {
            match folder.enter_existing(name, Rule::Root)? {
                Some(inner) => folder = inner,
                None => return Ok(None),
            }
        }
        let removed = folder.remove_folder(&labels.app_id)?;
        Ok(removed.then(|| Path::new(folder.path()).join(&labels.app_id)))
    }
}
