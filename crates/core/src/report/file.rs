//! Reading and writing report files. A report is replaced whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Report, SCHEMA_VERSION};
use crate::files::{NewFile, resolve};

/// Largest report that is read, in bytes.
pub const MAX_REPORT_BYTES: u64 = 1 << 30;

/// Why a report cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum ReportError {
    #[error("{path} could not be read")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is larger than 1 GiB and not a report of Joulebar")]
    TooLarge { path: PathBuf },
    #[error("{path} is not JSON")]
    NotJson { path: PathBuf, source: serde_json::Error },
    #[error("{path} is not a report of Joulebar")]
    NotAReport { path: PathBuf, source: serde_json::Error },
    #[error("{path} has schema version {found}; this version of Joulebar reads {SCHEMA_VERSION}")]
    Version { path: PathBuf, found: u64 },
    #[error("{path} could not be written")]
    Write { path: PathBuf, source: std::io::Error },
}

/// Reads a report; the second value is its JSON as it stands in the file.
///
/// # Errors
/// [`ReportError`] for a file that is missing, not JSON, not a report, or of another version.
pub fn read_report(path: &Path) -> Result<(Report, serde_json::Value), ReportError> {
    let read = |source| ReportError::Read { path: path.into(), source };
    if std::fs::metadata(path).map_err(read)?.len() > MAX_REPORT_BYTES {
        return Err(ReportError::TooLarge { path: path.into() });
    }
    let bytes = std::fs::read(path).map_err(read)?;
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|source| ReportError::NotJson { path: path.into(), source })?;
    if let Some(found) = value.get("schema_version").and_then(serde_json::Value::as_u64)
        && found != u64::from(SCHEMA_VERSION)
    {
        return Err(ReportError::Version { path: path.into(), found });
    }
    let report = serde_json::from_value(value.clone())
        .map_err(|source| ReportError::NotAReport { path: path.into(), source })?;
    Ok((report, value))
}

/// Writes a report beside its place, then moves it there: an existing file is lost only to a whole new one. A link is
/// written through.
///
/// # Errors
/// [`ReportError::Write`] when the folder cannot be written or the disk is full.
pub fn write_report(path: &Path, report: &Report) -> Result<(), ReportError> {
    let write = || -> std::io::Result<()> {
        let mut file = std::io::BufWriter::new(NewFile::create(&resolve(path))?);
        serde_json::to_writer_pretty(&mut file, report)?;
        file.write_all(b"\n")?;
        let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync()?;
        file.settle().map(drop)
    };
    write().map_err(|source| ReportError::Write { path: path.into(), source })
}
