//! What a bug report holds: the rows and the facts behind them, without what is personal. The list of files is pure; one
//! function writes them as a ZIP archive.

use std::io::{Seek, Write};

use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::anonymise::Anonymiser;
use super::facts::{Probe, ProbeSummary};
use super::{CheckResult, CheckRow};
use crate::environment::Environment;

/// Longest log in a bundle, in bytes; the end is kept.
pub const MAX_LOG_BYTES: usize = 64 << 10;

/// What a bundle is made of.
#[derive(Debug)]
pub struct Contents<'a> {
    /// When, RFC 3339.
    pub made_at: &'a str,
    /// The rows.
    pub rows: &'a [CheckRow],
    /// The machine.
    pub environment: &'a Environment,
    /// What the helper showed.
    pub probe: &'a Probe,
    /// The settings as they stand in their file; `None` when there is none.
    pub settings: Option<&'a str>,
    /// The end of the log, and what the helper said; `None` when there is none.
    pub log: Option<&'a str>,
}

/// A file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// Its name.
    pub name: &'static str,
    /// What it is, for people.
    pub what: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The files of a bundle; the first is the README that lists them.
///
/// # Errors
/// Fails when a value can't be written as JSON.
pub fn files(contents: &Contents<'_>, anonymiser: &Anonymiser) -> serde_json::Result<Vec<BundleFile>> {
    let mut files = vec![
        json("rows.json", "what was checked, what it found", &contents.rows, anonymiser)?,
        json("environment.json", "the machine", contents.environment, anonymiser)?,
    ];
    let facts = contents.probe.facts();
    if let Some(facts) = facts {
        let what = "lengths and powers of a few samples, and what the boundary signal did";
        files.push(json("samples.json", what, &ProbeSummary::from(facts), anonymiser)?);
    }
    let text = |name, what, text: &str| BundleFile { name, what, bytes: anonymiser.clean(text).into_bytes() };
    files.extend(
        contents.settings.map(|settings| text("settings.toml", "the settings; a token is never in them", settings)),
    );
    files.extend(contents.log.map(|log| text("log.txt", "the end of the log", tail(log, MAX_LOG_BYTES))));
    if let Some((facts, document)) = facts.and_then(|facts| Some((facts, facts.first_document.as_ref()?))) {
        let document = String::from_utf8_lossy(document);
        files.push(if facts.simulated {
            text(
                "powermetrics-simulated.plist",
                "one document of the SIMULATED powermetrics: no measurement",
                &document,
            )
        } else {
            text("powermetrics.plist", "one document of powermetrics, as it was printed", &document)
        });
    }
    let readme = readme(contents, &files);
    files.insert(0, BundleFile { name: "README.txt", what: "this list", bytes: readme.into_bytes() });
    Ok(files)
}

fn json<T: Serialize + ?Sized>(
    name: &'static str,
    what: &'static str,
    value: &T,
    anonymiser: &Anonymiser,
) -> serde_json::Result<BundleFile> {
    let mut value = serde_json::to_value(value)?;
    anonymiser.clean_json(&mut value);
    let mut bytes = serde_json::to_vec_pretty(&value)?;
    bytes.push(b'\n');
    Ok(BundleFile { name, what, bytes })
}

fn readme(contents: &Contents<'_>, files: &[BundleFile]) -> String {
    let mut text = format!(
        "Joulebar {}, diagnostics of {}\n\n\
         Names of users and of the machine, home folders, serial numbers, tokens and addresses were replaced by words in\n\
         angle brackets. Please look through the files before you send them.\n\n",
        env!("CARGO_PKG_VERSION"),
        contents.made_at
    );
    let width = files.iter().map(|file| file.name.len()).max().unwrap_or(0);
    for file in files {
        text.push_str(&format!("{:width$}  {}\n", file.name, file.what));
    }
    let missing = [
        (
            "a document of powermetrics: no samples came",
            contents.probe.facts().is_none_or(|f| f.first_document.is_none()),
        ),
        ("settings: none were made", contents.settings.is_none()),
        ("a log: none was found", contents.log.is_none()),
    ];
    let missing: Vec<_> = missing.into_iter().filter(|(_, missing)| *missing).collect();
    if !missing.is_empty() {
        text.push_str("\nNot in it:\n");
        missing.iter().for_each(|(what, _)| text.push_str(&format!("- {what}\n")));
    }
    let failed: Vec<_> = contents.rows.iter().filter(|row| row.result == CheckResult::Fail).collect();
    text.push_str(&format!("\nChecks that failed: {}\n", failed.len()));
    failed.iter().for_each(|row| text.push_str(&format!("- {}\n", row.id)));
    text
}

/// The end of a text, from the beginning of a line, unless that line is longer than all of it.
fn tail(text: &str, max_bytes: usize) -> &str {
    let Some(mut start) = text.len().checked_sub(max_bytes).filter(|start| *start > 0) else { return text };
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let rest = &text[start..];
    rest.split_once('\n').map_or(rest, |(_, lines)| lines)
}

/// Writes the files as one ZIP archive, uncompressed, without dates.
///
/// # Errors
/// Whatever writing fails with.
pub fn write_zip<W: Write + Seek>(writer: W, files: &[BundleFile]) -> std::io::Result<()> {
    let mut archive = ZipWriter::new(writer);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for file in files {
        archive.start_file(file.name, options)?;
        archive.write_all(&file.bytes)?;
    }
    archive.finish()?.flush()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::super::anonymise::Personal;
    use super::super::facts::ProbeFacts;
    use super::*;

    fn row(id: &str, result: CheckResult) -> CheckRow {
        CheckRow { id: id.into(), title: "T".into(), result, detail: "/Users/ada/x".into(), next: None }
    }

    fn made(probe: &Probe, settings: Option<&str>, log: Option<&str>) -> Vec<BundleFile> {
        let rows = [row("helper", CheckResult::Fail), row("clock", CheckResult::Pass)];
        let environment = Environment { os: Some("macOS 15.5".into()), ..Environment::default() };
        let contents =
            Contents { made_at: "2026-01-02T03:04:05Z", rows: &rows, environment: &environment, probe, settings, log };
        let personal = Personal { users: vec!["ada".into()], ..Personal::default() };
        files(&contents, &Anonymiser::new(&personal)).unwrap()
    }

    fn text<'a>(files: &'a [BundleFile], name: &str) -> &'a str {
        std::str::from_utf8(&files.iter().find(|file| file.name == name).unwrap().bytes).unwrap()
    }

    #[test]
    fn a_bundle_lists_what_is_in_it_and_what_is_not() {
        let none = Probe::NotRun { why: "No.".into() };
        let files = made(&none, None, None);
        let names: Vec<_> = files.iter().map(|file| file.name).collect();
        assert_eq!(names, ["README.txt", "rows.json", "environment.json"]);
        let readme = text(&files, "README.txt");
        for words in ["rows.json", "no samples came", "none were made", "none was found", "failed: 1\n- helper"] {
            assert!(readme.contains(words), "{words} is not in\n{readme}");
        }
        let facts = ProbeFacts { first_document: Some(b"<plist>ada</plist>".to_vec()), ..ProbeFacts::default() };
        let files = made(&Probe::Done(Box::new(facts)), Some("a = 1"), Some("ada logged in"));
        let names: Vec<_> = files.iter().map(|file| file.name).collect();
        let all = ["README.txt", "rows.json", "environment.json", "samples.json", "settings.toml", "log.txt"];
        assert_eq!(names, [&all[..], &["powermetrics.plist"]].concat());
        assert_eq!(text(&files, "powermetrics.plist"), "<plist><user></plist>");
        assert!(!text(&files, "README.txt").contains("Not in it"));
        assert!(files.iter().all(|file| !String::from_utf8_lossy(&file.bytes).contains("ada")));
    }

    #[test]
    fn a_simulated_document_is_named_so() {
        let facts = ProbeFacts { first_document: Some(b"x".to_vec()), simulated: true, ..ProbeFacts::default() };
        let files = made(&Probe::Done(Box::new(facts)), None, None);
        assert!(files.iter().any(|file| file.name == "powermetrics-simulated.plist"));
        assert!(!files.iter().any(|file| file.name == "powermetrics.plist"));
        assert!(text(&files, "README.txt").contains("SIMULATED"));
    }

    #[test]
    fn of_a_long_log_the_end_is_kept_from_the_beginning_of_a_line() {
        assert_eq!(tail("one\ntwo\nthree", 7), "three");
        assert_eq!(tail("one\ntwo", 100), "one\ntwo");
        assert_eq!(tail("ääääää", 5), "ää");
    }

    #[test]
    fn the_archive_can_be_read_back() {
        let files = made(&Probe::NotRun { why: String::new() }, Some("a = 1\n"), None);
        let mut bytes = Cursor::new(Vec::new());
        write_zip(&mut bytes, &files).unwrap();
        let mut archive = zip::ZipArchive::new(bytes).unwrap();
        assert_eq!(archive.len(), files.len());
        for file in &files {
            let mut found = Vec::new();
            archive.by_name(file.name).unwrap().read_to_end(&mut found).unwrap();
            assert_eq!(found, file.bytes);
        }
    }
}
