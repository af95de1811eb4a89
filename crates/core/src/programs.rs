//! Where the project's other programs are: beside the one that runs, in a folder of PATH or inside an app bundle.

use std::path::{Path, PathBuf};

use joulebar_wire::identity::HELPER_ID;

/// One of the project's other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Runs powermetrics.
    Helper,
    /// Runs the simulator in place of powermetrics.
    SimulatedHelper,
    /// The simulated Mac.
    Simulator,
    /// `joulebar`, which also reads counters for the app.
    Terminal,
}

/// A program that does not lie where it should.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message is the documentation")]
#[error("the program {name} is missing")]
pub struct MissingProgram {
    pub name: &'static str,
    /// Where it was looked for; `None` when the running program does not know where it is itself.
    pub place: Option<PathBuf>,
}

impl Program {
    /// Its file's name.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Helper => "joulebar-helper",
            Self::SimulatedHelper => "joulebar-helper-simulated",
            Self::Simulator => "joulebar-sim",
            Self::Terminal => "joulebar",
        }
    }

    /// Every name that its file may have: inside an app the helper has that of its service.
    fn file_names(self) -> Vec<&'static str> {
        match self {
            Self::Helper => vec![self.file_name(), HELPER_ID],
            Self::SimulatedHelper | Self::Simulator | Self::Terminal => vec![self.file_name()],
        }
    }

    /// Its absolute path.
    ///
    /// # Errors
    /// [`MissingProgram`] when it lies neither beside the running program nor in the folder above.
    pub fn find(self) -> Result<PathBuf, MissingProgram> {
        let name = self.file_name();
        let Ok(own) = std::env::current_exe() else { return Err(MissingProgram { name, place: None }) };
        // a link in a folder of PATH leads to where the programs really are
        let own = own.canonicalize().unwrap_or(own);
        self.find_beside(&own).ok_or_else(|| MissingProgram { name, place: own.parent().map(Path::to_path_buf) })
    }

    fn find_beside(self, own: &Path) -> Option<PathBuf> {
        let names = self.file_names();
        let folders = own.ancestors().skip(1).take(2);
        let mut places = folders.flat_map(|folder| names.iter().map(|name| folder.join(name)));
        places.find(|path| path.is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_is_found_inside_an_app_and_beside_a_program_that_was_built() {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("Joulebar.app/Contents/MacOS");
        let built = folder.path().join("target/debug");
        for (place, name) in [(&app, HELPER_ID), (&built, "joulebar-helper")] {
            std::fs::create_dir_all(place).unwrap();
            let cli = place.join("joulebar");
            std::fs::write(&cli, "").unwrap();
            assert_eq!(Program::Helper.find_beside(&cli), None);
            std::fs::write(place.join(name), "").unwrap();
            assert_eq!(Program::Helper.find_beside(&cli), Some(place.join(name)));
            assert_eq!(Program::Simulator.find_beside(&cli), None);
        }
        // a program of a test lies one folder below
        assert_eq!(Program::Helper.find_beside(&built.join("deps/test")), Some(built.join("joulebar-helper")));
    }
}
