//! Where the project's other programs are: beside the one that runs, in a folder of PATH or inside an app bundle.

use std::path::PathBuf;

/// One of the project's other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Runs powermetrics.
    Helper,
    /// Runs the simulator in place of powermetrics.
    SimulatedHelper,
    /// The simulated Mac.
    Simulator,
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
        let mut folders = own.ancestors().skip(1).take(2).map(|folder| folder.join(name));
        let place = || own.parent().map(std::path::Path::to_path_buf);
        folders.find(|path| path.is_file()).ok_or_else(|| MissingProgram { name, place: place() })
    }
}
