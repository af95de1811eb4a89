//! Finds the project's other programs: they lie beside this one.

use std::path::PathBuf;

use crate::exit::{Code, Failure};

/// One of the project's other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sibling {
    /// Runs powermetrics.
    Helper,
    /// Runs the simulator in place of powermetrics.
    SimulatedHelper,
    /// The simulated Mac.
    Simulator,
}

impl Sibling {
    fn file_name(self) -> &'static str {
        match self {
            Self::Helper => "joulebar-helper",
            Self::SimulatedHelper => "joulebar-helper-simulated",
            Self::Simulator => "joulebar-sim",
        }
    }

    /// Its absolute path.
    ///
    /// # Errors
    /// A failure with [`Code::Unavailable`] when it does not lie there.
    pub fn find(self) -> Result<PathBuf, Failure> {
        let name = self.file_name();
        let missing = || Failure::new(Code::Unavailable, format!("the program {name} is missing"));
        let own = std::env::current_exe().map_err(|error| missing().because(&error))?;
        // a link in a folder of PATH leads to where the programs really are
        let own = own.canonicalize().unwrap_or(own);
        let folders = own.ancestors().skip(1).take(2);
        folders.map(|folder| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
            let place = own.parent().unwrap_or(&own).display();
            missing()
                .because_text(format!("it should lie beside joulebar, in {place}"))
                .next("install Joulebar again, or build all its programs with scripts/build.sh")
        })
    }
}
