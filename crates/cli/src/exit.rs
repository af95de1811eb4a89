//! How the program ends: an exit code, and for a failure what happened, why, and what to type next.

use joulebar_core::demo::DemoError;
use joulebar_core::programs::MissingProgram;
use std::error::Error;
use std::process::ExitCode;

use crate::{format, output};

/// Exit codes. Numbers from 64 on are those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// All went well.
    Success = 0,
    /// The program itself is at fault, or the system under it.
    Failed = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// An input file is missing or not what it should be, like a report that does not hold.
    BadInput = 65,
    /// The server or the power source cannot be had, or a prompt got no answer.
    Unavailable = 69,
    /// Output cannot be written.
    CannotWrite = 73,
    /// Root, or the installed helper, is needed.
    Permission = 77,
    /// The user stopped it.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// Why a command cannot do its work.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    what: String,
    why: Option<String>,
    next: Vec<String>,
    silent: bool,
}

impl Failure {
    /// A failure in one line.
    #[must_use]
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), why: None, next: Vec::new(), silent: false }
    }

    /// The failure that an error is: its text is what happened, its sources are why.
    #[must_use]
    pub fn of(code: Code, error: &(dyn Error + 'static)) -> Self {
        let failure = Self::new(code, error.to_string());
        match error.source() {
            Some(source) => failure.because(source),
            None => failure,
        }
    }

    /// Nobody reads standard output any more (`| head`): ends in silence, as a success.
    #[must_use]
    pub fn reader_gone() -> Self {
        Self { silent: true, ..Self::new(Code::Success, "") }
    }

    /// True when it only says that nobody reads any more.
    #[must_use]
    pub fn is_reader_gone(&self) -> bool {
        self.silent
    }

    /// Adds the cause, with everything behind it that says something new.
    #[must_use]
    pub fn because(mut self, cause: &(dyn Error + 'static)) -> Self {
        let mut reasons: Vec<String> = Vec::new();
        let mut next = Some(cause);
        while let Some(error) = next {
            let text = error.to_string();
            // libraries like to repeat their source's text in their own
            if !reasons.last().is_some_and(|last| last.contains(&text)) {
                reasons.push(text);
            }
            next = error.source();
        }
        self.why = Some(reasons.join(": "));
        self
    }

    /// Adds the cause in words.
    #[must_use]
    pub fn because_text(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Adds something to type or to do next.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next.push(step.into());
        self
    }

    /// What and why, for a note.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let why = self.why.as_deref().and_then(|why| why.lines().next());
        why.map_or_else(|| self.what.clone(), |why| format!("{}: {why}", self.what))
    }

    /// Prints it on standard error; gives the exit code.
    pub fn report(&self) -> ExitCode {
        if !self.silent {
            let width = output::error_width();
            let lines = self.to_string().lines().map(|line| format::wrap(line, width, "       ")).collect::<Vec<_>>();
            output::note(&lines.join("\n"));
        }
        self.code.into()
    }
}

/// For words beside work that goes on: that nobody reads them is no failure.
pub fn even_unread(printed: Result<(), Failure>) -> Result<(), Failure> {
    match printed {
        Err(failure) if failure.is_reader_gone() => Ok(()),
        other => other,
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error: {}", self.what.replace('\n', "\n       "))?;
        if let Some(why) = &self.why {
            // lines of foreign text must not pass for ours
            write!(f, "\n  why: {}", why.replace('\n', "\n       "))?;
        }
        for (position, step) in self.next.iter().enumerate() {
            write!(f, "\n {} {step}", if position == 0 { "next:" } else { "  or:" })?;
        }
        Ok(())
    }
}

impl From<MissingProgram> for Failure {
    fn from(error: MissingProgram) -> Self {
        let failure = Self::new(Code::Unavailable, error.to_string());
        let Some(place) = error.place else { return failure };
        failure
            .because_text(format!("it should lie beside joulebar, in {}", place.display()))
            .next("install Joulebar again, or build all its programs with scripts/build.sh")
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Missing(missing) => missing.into(),
            DemoError::Start(_) => Self::of(Code::Unavailable, &error),
            DemoError::Folder(_) => Self::of(Code::CannotWrite, &error).next("set TMPDIR"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_next() {
        let cause = std::io::Error::other("disk on fire");
        let failure =
            Failure::new(Code::CannotWrite, "a.json could not be written").because(&cause).next("try b").next("try c");
        assert_eq!(
            failure.to_string(),
            "error: a.json could not be written\n  why: disk on fire\n next: try b\n   or: try c"
        );
    }

    #[test]
    fn a_repeated_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("wrapped: {source}")]
        struct Wrapped {
            source: std::io::Error,
        }
        let failure =
            Failure::new(Code::Failed, "x").because(&Wrapped { source: std::io::Error::other("disk on fire") });
        assert_eq!(failure.to_string(), "error: x\n  why: wrapped: disk on fire");
    }
}
