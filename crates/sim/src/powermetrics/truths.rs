//! The `--truth` file: one line of JSON for each finished request, with the model's own joules (see [`crate::model::Truth`]).

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::model::PowerModel;

/// A request's truth is written this long after its end: changes that were told late are in it.
const SETTLED_NS: i64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct TruthFile {
    file: File,
    /// Name and end of each request that is in the file.
    written: HashSet<(String, i64)>,
}

impl TruthFile {
    /// Begins the file anew: the activity is read from its beginning, so every request will be written (again).
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(0)?;
        Ok(Self { file, written: HashSet::new() })
    }

    /// Writes the requests that had ended a second before `now_ns`.
    pub(super) fn write_settled(&mut self, model: &PowerModel, now_ns: i64) -> io::Result<()> {
        self.write_ended_by(model, now_ns.saturating_sub(SETTLED_NS))
    }

    /// Writes all finished requests.
    pub(super) fn write_all(&mut self, model: &PowerModel) -> io::Result<()> {
        self.write_ended_by(model, i64::MAX)
    }

    fn write_ended_by(&mut self, model: &PowerModel, latest_ns: i64) -> io::Result<()> {
        let due: Vec<(String, i64)> = model
            .finished()
            .filter(|(_, last_ns)| *last_ns <= latest_ns)
            .map(|(request, last_ns)| (request.to_owned(), last_ns))
            .filter(|ended| !self.written.contains(ended))
            .collect();
        for ended in due {
            if let Some(truth) = model.truth(&ended.0) {
                let mut line = serde_json::to_vec(&truth)?;
                line.push(b'\n');
                self.file.write_all(&line)?;
            }
            self.written.insert(ended);
        }
        Ok(())
    }
}
