//! The file that keeps a running session: one JSON line for its header, one for every finished prompt.
//!
//! Each line is on disk before the next prompt begins, and carries a hash of itself. A line that was cut by a crash is
//! ignored on reading; a whole line that was changed is an error.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::record::{EndReason, Header, PromptRun, Segment, SessionRecord};
use crate::files::NewFile;
use crate::sample::PowerSample;
use crate::sample_row::SampleRow;

/// Version of the file's form.
const PARTIAL_VERSION: u32 = 1;

/// Why a session's file cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum PartialError {
    #[error("{path} could not be written")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path} could not be read")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is not an unfinished session of Joulebar")]
    NotASession { path: PathBuf },
    #[error("line {line} of {path} was changed after it was written; remove the line, and its prompt runs again")]
    Changed { path: PathBuf, line: usize },
    #[error("{path} was written by another version of Joulebar (form {found}, this version reads {PARTIAL_VERSION})")]
    Version { path: PathBuf, found: u32 },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Header { version: u32, header: Box<Header> },
    Segment(Segment),
    Prompt { run: Box<PromptRun>, samples: Vec<SampleRow>, rejected_documents: u64 },
}

/// A line as it stands in the file.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    check: String,
    #[serde(borrow)]
    line: &'a RawValue,
}

fn seal(line: &str) -> String {
    Sha256::digest(line.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What every version's first line says.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The place of the file that belongs to a report: `report.json` → `report.partial.jsonl`.
#[must_use]
pub fn partial_path(report: &Path) -> PathBuf {
    report.with_extension("partial.jsonl")
}

/// Writes a session's file as the session runs.
#[derive(Debug)]
pub struct PartialWriter {
    path: PathBuf,
    file: File,
    samples_written: usize,
}

impl PartialWriter {
    /// Starts a file for this record, with everything that the record already holds (after a resume).
    /// An older file at that place is moved aside, never overwritten; [`PartialWriter::create`] returns where to.
    ///
    /// # Errors
    /// [`PartialError::Write`] when the folder cannot be written.
    pub fn create(path: &Path, record: &SessionRecord) -> Result<(Self, Option<PathBuf>), PartialError> {
        let create = || -> std::io::Result<(File, Option<PathBuf>)> {
            // written whole beside its place first: a resumed session must never stand in no file at all
            let mut fresh = NewFile::create(path)?;
            write(&mut fresh, &Line::Header { version: PARTIAL_VERSION, header: Box::new(record.header.clone()) })?;
            for segment in &record.segments {
                write(&mut fresh, &Line::Segment(segment.clone()))?;
            }
            for (index, run) in record.runs.iter().enumerate() {
                let samples = if index == 0 { record.samples.as_slice() } else { &[] };
                write(&mut fresh, &prompt(run, samples, record.rejected_documents))?;
            }
            fresh.sync()?;
            let aside = move_aside(path)?;
            Ok((fresh.settle()?, aside))
        };
        let (file, aside) = create().map_err(|source| PartialError::Write { path: path.into(), source })?;
        Ok((Self { path: path.into(), file, samples_written: record.samples.len() }, aside))
    }

    /// Appends a finished prompt with the samples that came since the last one, and waits until it is on disk.
    ///
    /// # Errors
    /// [`PartialError::Write`], for instance on a full disk; what was written before stays.
    pub fn append(&mut self, record: &SessionRecord, run: &PromptRun) -> Result<(), PartialError> {
        let samples = record.samples.get(self.samples_written..).unwrap_or_default();
        write(&mut self.file, &prompt(run, samples, record.rejected_documents))
            .and_then(|()| self.file.sync_data())
            .map_err(|source| PartialError::Write { path: self.path.clone(), source })?;
        self.samples_written = record.samples.len();
        Ok(())
    }

    /// Removes the file once its report is safe.
    ///
    /// # Errors
    /// [`PartialError::Write`] when it cannot be removed.
    pub fn remove(self) -> Result<(), PartialError> {
        std::fs::remove_file(&self.path).map_err(|source| PartialError::Write { path: self.path, source })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn prompt(run: &PromptRun, samples: &[PowerSample], rejected_documents: u64) -> Line {
    Line::Prompt {
        run: Box::new(run.clone()),
        samples: samples.iter().map(SampleRow::from).collect(),
        rejected_documents,
    }
}

fn write(file: &mut impl Write, line: &Line) -> std::io::Result<()> {
    // a line that failed half way must not spoil the next one
    let mut bytes = b"\n".to_vec();
    let line = serde_json::value::to_raw_value(line)?;
    serde_json::to_writer(&mut bytes, &Sealed { check: seal(line.get()), line: &line })?;
    bytes.push(b'\n');
    file.write_all(&bytes)
}

fn move_aside(path: &Path) -> std::io::Result<Option<PathBuf>> {
    if !path.exists() {
        return Ok(None);
    }
    for number in 1..10_000 {
        let aside = path.with_extension(format!("{number}.jsonl"));
        if !aside.exists() {
            std::fs::rename(path, &aside)?;
            return Ok(Some(aside));
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Reads an unfinished session. The record ends as [`EndReason::Interrupted`].
///
/// # Errors
/// [`PartialError`] when the file is missing, is no session, or has another version. A cut last line is no error.
pub fn read_partial(path: &Path) -> Result<SessionRecord, PartialError> {
    let read = |source| PartialError::Read { path: path.into(), source };
    let not_a_session = || PartialError::NotASession { path: path.into() };
    let mut record: Option<SessionRecord> = None;
    for (number, line) in BufReader::new(File::open(path).map_err(read)?).split(b'\n').enumerate() {
        let line = line.map_err(read)?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let sealed: Sealed<'_> = match serde_json::from_slice(&line) {
            Ok(sealed) => sealed,
            // cut by a crash or a full disk; every whole line stands for itself
            Err(_) if record.is_some() => continue,
            Err(_) => return Err(not_a_session()),
        };
        if seal(sealed.line.get()) != sealed.check {
            return Err(PartialError::Changed { path: path.into(), line: number + 1 });
        }
        match (serde_json::from_str(sealed.line.get()), &mut record) {
            (Ok(Line::Header { version, .. }), None) if version != PARTIAL_VERSION => {
                return Err(PartialError::Version { path: path.into(), found: version });
            }
            (Ok(Line::Header { header, .. }), None) => {
                record = Some(SessionRecord {
                    header: *header,
                    segments: Vec::new(),
                    runs: Vec::new(),
                    samples: Vec::new(),
                    rejected_documents: 0,
                    end: EndReason::Interrupted,
                });
            }
            (Ok(Line::Segment(segment)), Some(record)) => record.segments.push(segment),
            (Ok(Line::Prompt { run, samples, rejected_documents }), Some(record)) => {
                record.samples.extend(samples.iter().map(PowerSample::from));
                record.runs.push(*run);
                record.rejected_documents = rejected_documents;
            }
            (Err(_), Some(_)) => return Err(not_a_session()),
            (Err(_), None) => {
                // another version may have another header
                let version = serde_json::from_str::<Version>(sealed.line.get()).map_err(|_| not_a_session())?;
                return Err(PartialError::Version { path: path.into(), found: version.version });
            }
            (Ok(_), _) => return Err(not_a_session()),
        }
    }
    record.ok_or_else(not_a_session)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use crate::clock::MonotonicTime;
    use crate::testing::record_with;
    use crate::units::Milliwatts;

    fn powers(record: &SessionRecord) -> Vec<(MonotonicTime, MonotonicTime, Option<Milliwatts>)> {
        record.samples.iter().map(|sample| (sample.start, sample.end, sample.soc_power())).collect()
    }

    #[test]
    fn every_finished_prompt_survives_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.partial.jsonl");
        let whole = record_with(3);
        let empty = SessionRecord { runs: Vec::new(), samples: Vec::new(), ..whole.clone() };
        let (mut writer, aside) = PartialWriter::create(&path, &empty).unwrap();
        assert_eq!(aside, None);
        let mut record = empty;
        for run in &whole.runs[..2] {
            let seen = whole.samples.iter().filter(|sample| sample.end <= run.marks.cooldown_end).cloned();
            record.samples = seen.collect();
            record.runs.push(run.clone());
            writer.append(&record, run).unwrap();
        }
        // the crash: half a line
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"\n{\"type\":\"prompt\",\"run\":{\"id\":").unwrap();
        let read = read_partial(&path).unwrap();
        assert_eq!(read.runs, whole.runs[..2]);
        assert!(powers(&read) == powers(&record), "every sample is kept");
        assert_eq!(read.end, EndReason::Interrupted);
    }

    #[test]
    fn resumed_session_starts_its_file_with_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.partial.jsonl");
        let record = record_with(2);
        let (writer, _) = PartialWriter::create(&path, &record).unwrap();
        let read = read_partial(writer.path()).unwrap();
        assert!(read.runs == record.runs && powers(&read) == powers(&record));
        let (_, aside) = PartialWriter::create(&path, &record).unwrap();
        assert!(read_partial(&aside.expect("the older file is kept")).is_ok());
    }

    #[test]
    fn an_edited_line_is_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.partial.jsonl");
        PartialWriter::create(&path, &record_with(2)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"cpu_mw\":200.0", "\"cpu_mw\":100.0", 1)).unwrap();
        assert!(matches!(read_partial(&path), Err(PartialError::Changed { .. })));
    }

    #[test]
    fn a_file_that_is_no_session_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        assert!(matches!(read_partial(&path), Err(PartialError::Read { .. })));
        std::fs::write(&path, "{\"hello\":1}\n").unwrap();
        assert!(matches!(read_partial(&path), Err(PartialError::NotASession { .. })));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(read_partial(&path), Err(PartialError::NotASession { .. })));
    }

    #[test]
    fn unwritable_place_is_told_before_anything_runs() {
        let missing = Path::new("/nonexistent-folder/a.partial.jsonl");
        assert!(matches!(PartialWriter::create(missing, &record_with(1)), Err(PartialError::Write { .. })));
    }
}
