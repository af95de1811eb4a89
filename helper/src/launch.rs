//! How the helper may be called, by whom, and who may talk to it: what is settled before anything is served. Pure but for
//! the one file of requirements.

use std::ffi::{CString, OsString};
use std::fmt;
use std::path::Path;

use joulebar_wire::identity;
use joulebar_xpc::{FileError, InvalidRequirement, Requirement};

/// What the helper is called for. There is nothing else, and no option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One client, on descriptors 0 and 1.
    Stdio,
    /// Started by launchd, clients over XPC.
    Daemon,
}

impl Mode {
    /// Reads the arguments after the program's name; `None` for anything but exactly one known word.
    pub fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mode = match arguments.next()?.to_str()? {
            "stdio" => Self::Stdio,
            "daemon" => Self::Daemon,
            _ => return None,
        };
        arguments.next().is_none().then_some(mode)
    }
}

/// Who has started this process.
#[derive(Clone, Debug)]
pub struct Starter {
    /// Effective user of this process.
    pub user: u32,
    /// The parent's process number.
    pub parent: i32,
    /// `XPC_SERVICE_NAME`: launchd's label of the job.
    pub service: Option<OsString>,
}

impl Starter {
    /// The service to be a daemon for; `None` if launchd has not started this process as root under a name of ours.
    #[must_use]
    pub fn service(&self) -> Option<CString> {
        let name = self.service.as_ref()?.to_str()?;
        let is_ours = self.user == 0 && self.parent == 1 && identity::is_own_service(name);
        is_ours.then(|| CString::new(name).ok()).flatten()
    }
}

/// Who may talk to the daemon: what was compiled in, else what root has written into a file. There is no third way.
///
/// # Errors
/// [`NoRequirement`]: the daemon must not listen.
pub fn requirement(compiled: Option<&str>, file: &Path) -> Result<Requirement, NoRequirement> {
    match compiled {
        Some(text) => Requirement::new(text).map_err(NoRequirement::Compiled),
        None => Requirement::read(file).map_err(NoRequirement::File),
    }
}

/// Why it is not known who may talk to the daemon.
#[derive(Debug)]
pub enum NoRequirement {
    /// What was compiled in is none.
    Compiled(InvalidRequirement),
    /// The file gives none.
    File(FileError),
}

impl fmt::Display for NoRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiled(error) => write!(f, "not listening: {error}"),
            Self::File(FileError::Content(error)) => {
                write!(f, "not listening: {error} (of {})", identity::CLIENT_REQUIREMENT_FILE)
            }
            Self::File(error) => write!(f, "not listening: {}: {error}", identity::CLIENT_REQUIREMENT_FILE),
        }
    }
}

impl std::error::Error for NoRequirement {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Compiled(error) => Some(error),
            Self::File(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn mode(arguments: &[&str]) -> Option<Mode> {
        Mode::read(arguments.iter().map(OsString::from))
    }

    #[test]
    fn exactly_one_known_word_is_a_mode() {
        assert_eq!(mode(&["stdio"]), Some(Mode::Stdio));
        assert_eq!(mode(&["daemon"]), Some(Mode::Daemon));
        for wrong in [&[][..], &[""], &["Daemon"], &["daemon", ""], &["daemon", "stdio"], &["--daemon"], &["stdio "]] {
            assert_eq!(mode(wrong), None, "{wrong:?}");
        }
        assert_eq!(Mode::read([OsString::from_vec(vec![0xff])].into_iter()), None);
    }

    #[test]
    fn only_launchd_can_start_the_daemon_as_root_under_its_own_name() {
        let launchd = Starter { user: 0, parent: 1, service: Some(identity::HELPER_ID.into()) };
        assert_eq!(launchd.service().unwrap().to_str().unwrap(), identity::HELPER_ID);
        let others = [
            Starter { user: 501, ..launchd.clone() },
            Starter { parent: 4711, ..launchd.clone() },
            Starter { service: None, ..launchd.clone() },
            Starter { service: Some("com.example".into()), ..launchd.clone() },
            Starter { service: Some(format!("{}\0", identity::HELPER_ID).into()), ..launchd.clone() },
        ];
        for other in others {
            assert_eq!(other.service(), None, "{other:?}");
        }
    }

    #[test]
    fn threat_04_without_a_compiled_requirement_the_file_decides_and_without_that_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("client.req");
        let missing = requirement(None, &file).unwrap_err();
        assert!(matches!(missing, NoRequirement::File(FileError::Io(_))), "{missing}");
        assert!(missing.to_string().starts_with("not listening: /Library/Application Support/"), "{missing}");
        std::fs::write(&file, "").unwrap();
        assert!(requirement(None, &file).is_err());
        assert!(matches!(requirement(Some(""), &file), Err(NoRequirement::Compiled(InvalidRequirement::Empty))));
    }

    #[test]
    fn threat_04_compiled_requirement_is_never_overruled_by_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("client.req");
        std::fs::write(&file, "anchor apple").unwrap();
        let taken = requirement(Some("identifier \"x\""), &file).unwrap();
        assert_eq!(taken.as_c_str(), c"identifier \"x\"");
    }
}
