//! Installs the helper daemon of an app that no certificate vouches for (`sudo joulebar helper install`), takes it away
//! again and says how it stands.
//!
//! Such an app can't be told from another by its certificate, so the daemon is told by the hash of their code which
//! programs may talk to it: the app's main executable and `joulebar` itself. The hashes stand in a file that only root can
//! write, and so does the hash of the daemon, by which the programs know it. Four files are made, and the job is handed to
//! launchd:
//!
//! | file | mode | what |
//! |---|---|---|
//! | `/Library/PrivilegedHelperTools/HELPER_ID.local` | 0755 | the daemon, copied out of the app |
//! | `/Library/Application Support/APP_ID/client.req` | 0644 | the requirement: who may talk to it |
//! | `/Library/Application Support/APP_ID/helper.req` | 0644 | the requirement: which daemon is meant |
//! | `/Library/LaunchDaemons/HELPER_ID.local.plist` | 0644 | the job |
//!
//! The label is not that of the daemon which a signed app registers: launchd refuses two jobs of one label.
//!
//! Safety: what is shown to the user before the question is computed from the very bytes that are written afterwards.
//! Folders are entered one by one without following links, each must be root's alone (`folder`), files are made under
//! another name with `O_EXCL` and moved into place, and nothing is replaced or removed that was not made here. The job
//! comes last, so that no daemon can be started without its requirement.
//!
//! Leaves to others: reading code signatures (a function is handed in), asking the user, and being root.

mod error;
mod folder;
mod launchd;
mod places;
mod status;
#[cfg(test)]
mod tests;
mod texts;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub use self::error::{Danger, InstallError};
use self::folder::{Folder, Rule};
pub use self::launchd::{Launchctl, Launchd, LaunchdError};
pub use self::places::{Labels, Part, Places};
pub use self::status::{FileState, InstallState, InstallStatus, status};
pub use self::texts::{parse_requirement, requirement};

/// Largest program that is read, in bytes. The app is about 10 MB.
const MAX_PROGRAM_BYTES: u64 = 64 << 20;
/// Largest Info.plist, job or requirement that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 64 << 10;

/// What a code signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeId {
    /// The identifier that was signed.
    pub identifier: String,
    /// Hash of the code directory: 40 hexadecimal digits in lower case.
    pub cdhash: String,
    /// Whether nobody else's code can be put into it: hardened runtime, no entitlements.
    pub is_sealed: bool,
}

/// Why a program's signature does not name it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum Unsigned {
    #[error(transparent)]
    Unreadable(#[from] Box<dyn std::error::Error + Send + Sync>),
    #[error("its code is not what was signed")]
    Altered,
    #[error("its signature holds no hash of its code")]
    NoHash,
    #[error(
        "others could put code into it: it is signed without the hardened runtime, or with entitlements; use the one inside the app that `make mac-bundle` builds"
    )]
    NotSealed,
}

/// Reads the code signature out of a program's bytes.
pub type Identify<'a> = dyn Fn(&[u8]) -> Result<CodeId, Unsigned> + 'a;

/// Where the programs are that an install is about.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The app, `/Applications/Joulebar.app`.
    pub app: PathBuf,
    /// `joulebar` itself.
    pub cli: PathBuf,
    /// Who asked root for it (`SUDO_UID`); their files count as trustworthy as root's. `None` is root itself.
    pub invoker: Option<u32>,
}

/// One of the programs, as the user is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Where it is.
    pub path: PathBuf,
    /// Its signature.
    pub code: CodeId,
}

/// Everything that an install writes, read and checked; nothing is changed yet.
#[derive(Debug)]
pub struct Prepared {
    /// The app's main executable: it may talk to the daemon.
    pub app: Shown,
    /// `joulebar`: it may talk to the daemon.
    pub cli: Shown,
    /// The daemon.
    pub helper: Shown,
    labels: Labels,
    helper_bytes: Vec<u8>,
}

impl Prepared {
    /// Reads the app's programs and `joulebar`. Changes nothing.
    ///
    /// # Errors
    /// [`InstallError`]: the app is none, a folder on the way can be written by others, a program is not signed, or the
    /// helper carries another identifier.
    pub fn read(sources: &Sources, labels: &Labels, identify: &Identify<'_>) -> Result<Self, InstallError> {
        let rule = Rule::Source { invoker: sources.invoker };
        let bundle = Folder::walk(&canonical(&sources.app)?, rule)?;
        let contents = bundle.enter("Contents", rule)?;
        let not_an_app = |why| InstallError::NotAnApp { path: sources.app.clone(), why };
        let info = contents.read("Info.plist", rule, MAX_TEXT_BYTES)?.ok_or(not_an_app("it has no Info.plist"))?;
        let info = String::from_utf8_lossy(&info);
        if texts::string_value(&info, "CFBundleIdentifier") != Some(labels.app_id.as_str()) {
            return Err(not_an_app("its Info.plist does not carry Joulebar's identifier as text"));
        }
        let name = texts::string_value(&info, "CFBundleExecutable").filter(|name| texts::is_file_name(name));
        let name = name.ok_or(not_an_app("its Info.plist names no executable"))?;
        let programs = contents.enter("MacOS", rule)?;
        let (app, _) = read_program(&programs, name, rule, identify)?;
        let (helper, helper_bytes) = read_program(&programs, &labels.helper_id, rule, identify)?;
        if helper.code.identifier != labels.helper_id {
            let (path, found) = (helper.path, helper.code.identifier);
            return Err(InstallError::WrongIdentifier { path, found, needed: labels.helper_id.clone() });
        }
        let cli = canonical(&sources.cli)?;
        let no_program = || InstallError::NotAProgram { path: cli.clone() };
        let folder = Folder::walk(cli.parent().ok_or_else(no_program)?, rule)?;
        let name = cli.file_name().and_then(|name| name.to_str()).ok_or_else(no_program)?;
        let (cli, _) = read_program(&folder, name, rule, identify)?;
        Ok(Self { app, cli, helper, labels: labels.clone(), helper_bytes })
    }

    /// The line that says who may talk to the daemon.
    #[must_use]
    pub fn requirement(&self) -> String {
        requirement([&self.app.code.cdhash, &self.cli.code.cdhash])
    }

    /// Mode and bytes of a file.
    fn content(&self, part: Part) -> (u32, Cow<'_, [u8]>) {
        let text = |text: String| Cow::Owned(text.into_bytes());
        match part {
            Part::Requirement => (0o644, text(format!("{}\n", self.requirement()))),
            Part::HelperRequirement => (0o644, text(format!("{}\n", requirement([&self.helper.code.cdhash])))),
            Part::Helper => (0o755, Cow::Borrowed(&self.helper_bytes)),
            Part::Job => (0o644, text(texts::job(&self.labels, &Places::system().path(&self.labels, Part::Helper)))),
        }
    }

    /// Writes the files and starts the job; what an earlier install left is replaced. After an error the install can be
    /// repeated or taken away, whatever was done by then.
    ///
    /// # Errors
    /// [`InstallError`].
    pub fn install(
        &self,
        places: &Places,
        identify: &Identify<'_>,
        launchd: &mut impl Launchd,
    ) -> Result<(), InstallError> {
        let label = self.labels.job();
        // all that could be refused is looked at before anything is changed
        for part in Part::ALL {
            if let Some(folder) = places.open(&self.labels, part)? {
                check_place(&folder, &self.labels, part, identify)?;
            }
        }
        let mut folders = Vec::new();
        for part in Part::ALL {
            folders.push((part, places.open_or_make(&self.labels, part)?));
        }
        if launchd.is_loaded(&label)? {
            launchd.bootout(&label)?;
        }
        for (part, folder) in folders {
            let (mode, bytes) = self.content(part);
            folder.replace(&places.file_name(&self.labels, part), mode, &bytes)?;
        }
        launchd.enable(&label)?;
        Ok(launchd.bootstrap(&places.path(&self.labels, Part::Job))?)
    }
}

/// Stops the job and removes exactly what an install makes. Gives the paths that were removed; none when there were none.
///
/// # Errors
/// [`InstallError`]: a file in one of the places was not made by an install, or is a link; then nothing is removed.
pub fn uninstall(
    places: &Places,
    labels: &Labels,
    identify: &Identify<'_>,
    launchd: &mut impl Launchd,
) -> Result<Vec<PathBuf>, InstallError> {
    let mut found = Vec::new();
    for part in Part::ALL.into_iter().rev() {
        if let Some(folder) = places.open(labels, part)? {
            check_place(&folder, labels, part, identify)?;
            found.push((part, folder));
        }
    }
    let label = labels.job();
    if launchd.is_loaded(&label)? {
        launchd.bootout(&label)?;
    }
    let mut removed = Vec::new();
    for (part, folder) in found {
        let name = places.file_name(labels, part);
        for name in [folder::temporary(&name), name] {
            if folder.remove(&name)? {
                removed.push(folder.path().join(name));
            }
        }
    }
    removed.extend(places.remove_own_folder(labels)?);
    Ok(removed)
}

/// Fails unless the place of `part` is free, or holds what an install made.
fn check_place(folder: &Folder, labels: &Labels, part: Part, identify: &Identify<'_>) -> Result<(), InstallError> {
    let name = Places::system().file_name(labels, part);
    folder.check_free(&folder::temporary(&name))?;
    let Some(bytes) = folder.read(&name, Rule::Root, MAX_PROGRAM_BYTES)? else { return Ok(()) };
    let ours = match part {
        Part::Requirement | Part::HelperRequirement => parse_requirement(&String::from_utf8_lossy(&bytes)).is_some(),
        Part::Job => texts::is_job(&String::from_utf8_lossy(&bytes), labels),
        Part::Helper => identify(&bytes).is_ok_and(|code| code.identifier == labels.helper_id),
    };
    if ours { Ok(()) } else { Err(InstallError::NotSafe { path: folder.path().join(name), why: Danger::Foreign }) }
}

fn canonical(path: &Path) -> Result<PathBuf, InstallError> {
    path.canonicalize().map_err(|source| InstallError::Io { action: "finding", path: path.to_owned(), source })
}

fn read_program(
    folder: &Folder,
    name: &str,
    rule: Rule,
    identify: &Identify<'_>,
) -> Result<(Shown, Vec<u8>), InstallError> {
    let path = folder.path().join(name);
    let bytes = folder.read(name, rule, MAX_PROGRAM_BYTES)?;
    let bytes = bytes.ok_or_else(|| InstallError::NotAProgram { path: path.clone() })?;
    let code = identify(&bytes).map_err(|why| InstallError::NotSigned { path: path.clone(), why })?;
    if !texts::is_cdhash(&code.cdhash) {
        return Err(InstallError::NotSigned { path, why: Unsigned::NoHash });
    }
    if !code.is_sealed {
        return Err(InstallError::NotSigned { path, why: Unsigned::NotSealed });
    }
    Ok((Shown { path, code }, bytes))
}
