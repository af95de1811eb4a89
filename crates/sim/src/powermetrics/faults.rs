//! Faults to make on purpose: damage to single documents, and the tool's own bad days.
//!
//! ```toml
//! second_underflow = true     # the harmless line on stderr, once per sample
//!
//! [[fault]]
//! document = 3                # number of the document, from 0
//! kind = "cut"
//! keep_ratio = 0.5
//! ```

use std::path::Path;

use serde::Deserialize;

/// All faults of one run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Faults {
    /// Say `Second underflow occured.` on stderr with every sample.
    pub(super) second_underflow: bool,
    fault: Vec<Fault>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Fault {
    document: u64,
    #[serde(flatten)]
    kind: Kind,
}

/// What goes wrong with a document.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Kind {
    /// A process name with `&` makes the document invalid XML.
    RawAmpersand,
    /// A process name that is no UTF-8.
    InvalidUtf8,
    /// `cpu_power` is `nan`.
    Nan,
    /// `cpu_power` and `cpu_energy` are below zero.
    Negative,
    /// Only this share of the document is written, 0 to 1.
    Cut { keep_ratio: f64 },
    /// The document gets a string of that many bytes.
    Oversize { bytes: usize },
    /// The document comes that much later, and so do all after it.
    Stall { seconds: f64 },
    /// The tool exits instead of writing this document.
    Exit { status: u8 },
    /// This goes to stderr before the document.
    Stderr { text: String },
}

impl Faults {
    /// Reads a file of faults.
    pub(super) fn read(path: &Path) -> Result<Self, FaultsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| FaultsError::Read { path: path.display().to_string(), source })?;
        Ok(toml::from_str(&text)?)
    }

    /// What goes wrong with that document.
    pub(super) fn of(&self, document: u64) -> impl Iterator<Item = &Kind> {
        self.fault.iter().filter(move |fault| fault.document == document).map(|fault| &fault.kind)
    }
}

/// Why there are no faults to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FaultsError {
    #[error("faults {path} could not be read")]
    Read { path: String, source: std::io::Error },
    #[error("the faults are not valid TOML")]
    Syntax(#[from] toml::de::Error),
}

/// Damages a document as `kind` says; those that are about time or the process leave it alone.
pub(super) fn damage(document: &mut Vec<u8>, kind: &Kind) {
    match kind {
        Kind::RawAmpersand => insert_task(document, b"Simon & Schuster"),
        Kind::InvalidUtf8 => insert_task(document, b"caf\xe9"),
        Kind::Nan => replace_value(document, b"<key>cpu_power</key>\n<real>", b"nan"),
        Kind::Negative => {
            replace_value(document, b"<key>cpu_power</key>\n<real>", b"-1234.5");
            replace_value(document, b"<key>cpu_energy</key>\n<integer>", b"-1234");
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturating, at most its own length"
        )]
        Kind::Cut { keep_ratio } => {
            let keep = (document.len() as f64 * keep_ratio.clamp(0.0, 1.0)) as usize;
            document.truncate(keep);
        }
        Kind::Oversize { bytes } => {
            let padding = [b"<key>padding</key><string>".as_slice(), &vec![b'x'; *bytes], b"</string>\n"].concat();
            insert_after(document, b"<key>is_delta</key><true/>\n", &padding);
        }
        Kind::Stall { .. } | Kind::Exit { .. } | Kind::Stderr { .. } => {}
    }
}

fn insert_task(document: &mut Vec<u8>, name: &[u8]) {
    let task = [
        b"<key>tasks</key>\n<array>\n<dict>\n<key>pid</key><integer>4711</integer>\n<key>name</key><string>".as_slice(),
        name,
        b"</string>\n</dict>\n</array>\n",
    ]
    .concat();
    insert_after(document, b"</date>\n", &task);
}

fn insert_after(document: &mut Vec<u8>, place: &[u8], bytes: &[u8]) {
    if let Some(end) = end_of(document, place) {
        document.splice(end..end, bytes.iter().copied());
    }
}

fn replace_value(document: &mut Vec<u8>, before: &[u8], value: &[u8]) {
    if let Some(start) = end_of(document, before) {
        let length = document[start..].iter().position(|&byte| byte == b'<').unwrap_or(0);
        document.splice(start..start + length, value.iter().copied());
    }
}

fn end_of(document: &[u8], place: &[u8]) -> Option<usize> {
    document.windows(place.len()).position(|window| window == place).map(|start| start + place.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &[u8] =
        b"<dict>\n<key>is_delta</key><true/>\n<key>timestamp</key><date>x</date>\n<key>cpu_energy</key>\n<integer>5</integer>\n<key>cpu_power</key>\n<real>50</real>\n</dict>\n";

    #[test]
    fn each_fault_does_what_its_name_says() {
        let damaged = |kind: &Kind| {
            let mut document = DOCUMENT.to_vec();
            damage(&mut document, kind);
            document
        };
        let contains = |document: &[u8], part: &[u8]| end_of(document, part).is_some();
        assert!(contains(&damaged(&Kind::RawAmpersand), b"<string>Simon & Schuster</string>"));
        assert!(String::from_utf8(damaged(&Kind::InvalidUtf8)).is_err());
        assert!(contains(&damaged(&Kind::Nan), b"<real>nan</real>"));
        assert!(contains(&damaged(&Kind::Negative), b"<real>-1234.5</real>"));
        assert!(contains(&damaged(&Kind::Negative), b"<integer>-1234</integer>"));
        assert_eq!(damaged(&Kind::Cut { keep_ratio: 0.5 }), DOCUMENT[..DOCUMENT.len() / 2]);
        assert_eq!(damaged(&Kind::Oversize { bytes: 1_000 }).len(), DOCUMENT.len() + 1_000 + 36);
        assert_eq!(damaged(&Kind::Stall { seconds: 1.0 }), DOCUMENT);
    }

    #[test]
    fn file_of_faults_is_read_by_document() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("faults.toml");
        let text = "second_underflow = true\n[[fault]]\ndocument = 2\nkind = \"exit\"\nstatus = 9\n[[fault]]\ndocument = 2\nkind = \"raw_ampersand\"\n";
        std::fs::write(&path, text).unwrap();
        let faults = Faults::read(&path).unwrap();
        assert!(faults.second_underflow);
        assert_eq!(faults.of(1).count(), 0);
        assert_eq!(faults.of(2).collect::<Vec<_>>(), [&Kind::Exit { status: 9 }, &Kind::RawAmpersand]);
        std::fs::write(&path, "[[fault]]\ndocument = 2\nkind = \"explode\"\n").unwrap();
        assert!(matches!(Faults::read(&path), Err(FaultsError::Syntax(_))));
    }
}
