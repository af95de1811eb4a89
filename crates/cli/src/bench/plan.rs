//! What a run is to be, read from the command line and its files before anything is started.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use joulebar_core::clock::raw_monotonic_ns;
use joulebar_core::files::resolve;
use joulebar_core::session::partial::partial_path;
use joulebar_core::session::record::{SessionRecord, Settings};
use joulebar_core::session::setup::load_unfinished;
use joulebar_core::settings::UserSettings;
use joulebar_core::suite::Suite;

use crate::args::{BenchArguments, SourceChoice};
use crate::exit::{Code, Failure};
use crate::places::{Named, cannot_write, check_distinct, check_writable, obstacle};
use crate::{output, suite};

/// Where reports go unless they were told otherwise.
const DEFAULT_OUTPUT: &str = "joulebar-report.json";
const QUICK_PHASE_S: f64 = 2.0;
/// A phase with fewer samples says little.
const MIN_SAMPLES_PER_PHASE: f64 = 4.0;

/// A run before it starts.
#[derive(Debug)]
pub struct Plan {
    /// Where the report goes.
    pub output: PathBuf,
    /// Where the samples go, beside the report.
    pub csv: Option<PathBuf>,
    /// The file that the session is resumed from.
    pub resumed_from: Option<PathBuf>,
    /// The session to go on with.
    pub unfinished: Option<SessionRecord>,
    /// How the session is set up; the old session's own when it is resumed.
    pub settings: Settings,
    /// The prompts; the old session's own when it is resumed.
    pub suite: Suite,
    /// Interval between samples.
    pub interval_ms: u32,
    /// The model to ask for; `None` is the loaded one.
    pub model: Option<String>,
    /// Where power comes from; never `Auto` when a session is resumed.
    pub source: SourceChoice,
    /// True when the run is to be kept in the history.
    pub keep_history: bool,
    /// True for NDJSON on standard output.
    pub json: bool,
}

impl Plan {
    /// Reads suite and unfinished session. What the command line leaves open is as the user has set it.
    ///
    /// # Errors
    /// [`Code::BadInput`] for a file that can't be used, [`Code::Usage`] for flags that don't fit each other.
    pub fn read(arguments: &BenchArguments, user: &UserSettings) -> Result<Self, Failure> {
        if arguments.demo && !matches!(arguments.source, SourceChoice::Auto | SourceChoice::Demo) {
            return Err(Failure::new(Code::Usage, "--demo simulates power, so it can't be taken from elsewhere")
                .next("leave out --demo or --source"));
        }
        let plan = match &arguments.resume {
            Some(file) => Self::resumed(arguments, user, file)?,
            None => Self::new(arguments, user)?,
        };
        plan.check_distinct(arguments)?;
        plan.note_short_phases();
        Ok(plan)
    }

    fn new(arguments: &BenchArguments, user: &UserSettings) -> Result<Self, Failure> {
        let (_, suite) = suite::read(arguments.suite.as_deref())?;
        let suite = if arguments.quick { quick(&suite)? } else { suite };
        let phase_s = |usual_s| if arguments.quick { QUICK_PHASE_S } else { usual_s };
        Ok(Self {
            output: arguments.output.clone().unwrap_or_else(|| DEFAULT_OUTPUT.into()),
            csv: arguments.csv.clone(),
            resumed_from: None,
            unfinished: None,
            settings: Settings {
                baseline_s: arguments.baseline.unwrap_or(phase_s(user.baseline_s)),
                cooldown_s: arguments.cooldown.unwrap_or(phase_s(user.cooldown_s)),
                quick: arguments.quick,
                nonce: arguments.nonce || (user.nonce && !arguments.no_nonce),
                seed: arguments.seed.unwrap_or_else(new_seed),
                temperature: 0.0,
                counter_batch_s: None,
            },
            suite,
            interval_ms: arguments.interval.unwrap_or(user.interval_ms),
            model: arguments.model.clone(),
            source: if arguments.demo { SourceChoice::Demo } else { arguments.source.clone() },
            keep_history: keep_history(arguments, user),
            json: arguments.json,
        })
    }

    fn resumed(arguments: &BenchArguments, user: &UserSettings, file: &Path) -> Result<Self, Failure> {
        let record = load_unfinished(file).map_err(|error| {
            Failure::of(Code::BadInput, &error)
                .next("give the .partial.jsonl file of an interrupted session, or its report")
        })?;
        let header = &record.header;
        let source = match (&arguments.source, header.power_source.name.as_str()) {
            (SourceChoice::Auto, "demo") => SourceChoice::Demo,
            (SourceChoice::Auto, "replay") => {
                return Err(Failure::new(Code::Usage, "the session took its power from a recording")
                    .next("give the recording with --source replay:FILE"));
            }
            (SourceChoice::Auto, _) => SourceChoice::Helper,
            (source, _) => source.clone(),
        };
        Ok(Self {
            output: arguments.output.clone().unwrap_or_else(|| report_of(file)),
            csv: arguments.csv.clone(),
            resumed_from: Some(file.to_owned()),
            settings: header.settings.clone(),
            suite: header.suite.clone(),
            interval_ms: header.power_source.requested_interval_ms.or(arguments.interval).unwrap_or(user.interval_ms),
            model: Some(arguments.model.clone().unwrap_or_else(|| header.model.key.clone())),
            source,
            keep_history: keep_history(arguments, user),
            json: arguments.json,
            unfinished: Some(record),
        })
    }

    /// No file that the run writes may be one that it reads, or writes besides. Only the session that goes on may be
    /// written over, by what it becomes.
    fn check_distinct(&self, arguments: &BenchArguments) -> Result<(), Failure> {
        let partial = partial_path(&self.output);
        let mut files = vec![
            Named::written("the report (--output)", &self.output),
            Named::written("the session's own file, beside the report,", &partial),
        ];
        files.extend(self.csv.as_deref().map(|csv| Named::written("the table of samples (--csv)", csv)));
        files.extend(arguments.suite.as_deref().map(|suite| Named::read("the suite (--suite)", suite)));
        files.extend(
            arguments.server.api_token_file.as_deref().map(|file| Named::read("the token (--api-token-file)", file)),
        );
        if let SourceChoice::Replay(file) = &self.source {
            files.push(Named::read("the recording (--source)", file));
        }
        check_distinct(&files)?;
        let Some(resumed) = &self.resumed_from else { return Ok(()) };
        let resumed_part = Named::read("the session to go on with (--resume)", resumed);
        // a session's file becomes a report under another name
        let replaced = if is_session_file(resumed) { &partial } else { &self.output };
        let others = files.iter().filter(|file| file.path != replaced.as_path());
        others.into_iter().try_for_each(|other| check_distinct(&[resumed_part, *other]))
    }

    fn note_short_phases(&self) {
        let shortest_s = MIN_SAMPLES_PER_PHASE * f64::from(self.interval_ms) / 1e3;
        for (phase, length_s) in [("baseline", self.settings.baseline_s), ("cooldown", self.settings.cooldown_s)] {
            if length_s < shortest_s {
                output::note(&format!(
                    "note: a {phase} of {length_s} s holds fewer than {MIN_SAMPLES_PER_PHASE} samples of {} ms; \
                     net energy needs more",
                    self.interval_ms
                ));
            }
        }
    }

    /// Makes sure that everything can be written, before hours are spent on it.
    ///
    /// # Errors
    /// [`Code::CannotWrite`].
    pub fn check_outputs(&self) -> Result<(), Failure> {
        check_replaceable(&self.output, "--output")?;
        // the session's file is written beside a link, the report where it leads
        check_folder(&self.output, "--output")?;
        check_folder(&resolve(&self.output), "--output")?;
        match &self.csv {
            Some(csv) => check_writable(csv, "--csv"),
            None => Ok(()),
        }
    }
}

fn keep_history(arguments: &BenchArguments, user: &UserSettings) -> bool {
    arguments.history || (user.keep_history && !arguments.no_history)
}

/// The report that belongs to a session's file: `a.partial.jsonl` and `a.partial.1.jsonl` → `a.json`.
fn report_of(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match name.rsplit_once(".partial.") {
        Some((stem, rest)) if rest.ends_with("jsonl") => file.with_file_name(format!("{stem}.json")),
        _ => file.with_extension("json"),
    }
}

/// True for the file of a running session, false for a report.
pub fn is_session_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl")
}

fn quick(suite: &Suite) -> Result<Suite, Failure> {
    suite.quick().ok_or_else(|| {
        Failure::new(
            Code::Usage,
            format!("the suite {:?} has no short prompts, and --quick runs no others", suite.name),
        )
        .next("leave out --quick")
    })
}

/// Below 2^53, so that every reader of JSON keeps it; another one each time.
fn new_seed() -> u64 {
    let mixed = raw_monotonic_ns().unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(std::process::id());
    mixed >> 11
}

/// A report is moved into its place.
fn check_replaceable(path: &Path, flag: &str) -> Result<(), Failure> {
    let Some(obstacle) = obstacle(path) else { return Ok(()) };
    Err(cannot_write(path).because_text(obstacle).next(format!("give a file with {flag}, like {flag} report.json")))
}

/// Tries to make a file beside `path`.
fn check_folder(path: &Path, flag: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(format!(".joulebar-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    made.and_then(|_| std::fs::remove_file(&probe)).map_err(|error| {
        cannot_write(path).because(&error).next(format!("give a file in a folder that can be written, with {flag}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_s_file_leads_to_its_report() {
        let report = |name: &str| report_of(Path::new(name)).display().to_string();
        assert_eq!(report("d/a.partial.jsonl"), "d/a.json");
        assert_eq!(report("a.b.partial.12.jsonl"), "a.b.json");
        assert_eq!(report("a.json"), "a.json");
        assert_eq!(report("odd.jsonl"), "odd.json");
    }

    #[test]
    fn seeds_survive_a_double() {
        let seed = new_seed();
        assert!(seed < 1 << 53);
    }

    #[test]
    fn a_folder_or_a_device_is_no_place_for_a_report() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_replaceable(folder.path(), "--output").is_err());
        assert!(check_replaceable(Path::new("/dev/null"), "--output").is_err());
        assert!(check_replaceable(&folder.path().join("new.json"), "--output").is_ok());
        assert!(check_folder(Path::new("/nonexistent-folder/a.json"), "--output").is_err());
        assert!(check_folder(&folder.path().join("a.json"), "--output").is_ok());
    }
}
