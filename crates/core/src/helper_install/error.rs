//! What an install can fail with.
#![expect(missing_docs, reason = "each message is the documentation")]

use std::path::PathBuf;

use super::Unsigned;
use super::launchd::LaunchdError;

/// Why a helper can't be installed, removed or looked at.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("{} is not the app: {why}", path.display())]
    NotAnApp { path: PathBuf, why: &'static str },
    #[error("the program {} is missing", path.display())]
    NotAProgram { path: PathBuf },
    #[error("{} has no code signature that can be relied on: {why}", path.display())]
    NotSigned { path: PathBuf, why: Unsigned },
    #[error("{} is signed as {found}, not as {needed}", path.display())]
    WrongIdentifier { path: PathBuf, found: String, needed: String },
    #[error("{} is not safe: {why}", path.display())]
    NotSafe { path: PathBuf, why: Danger },
    #[error("{action} {} failed", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Launchd(#[from] LaunchdError),
}

/// What is wrong with a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Danger {
    #[error("it is a symbolic link")]
    Link,
    #[error("it is not a folder")]
    NotAFolder,
    #[error("it is not a plain file")]
    NotAFile,
    #[error("it belongs to user {0}")]
    Owner(u32),
    #[error("others can write it (mode {0:04o})")]
    Writable(u32),
    #[error("it has {0} names")]
    HardLink(u64),
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error("it was not made by `joulebar helper install`")]
    Foreign,
}
