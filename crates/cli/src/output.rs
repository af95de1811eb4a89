//! Standard output for results, standard error for notes. Never panics when a reader is gone.

use std::io::{BufWriter, ErrorKind, IsTerminal, StdoutLock, Write};

use crate::exit::{Code, Failure};
use crate::format;

/// True when standard output is a terminal.
#[must_use]
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Columns of the terminal; without one lines may be as long as they like.
#[must_use]
pub fn width() -> usize {
    columns(libc::STDOUT_FILENO).unwrap_or(usize::MAX)
}

/// The same for standard error.
#[must_use]
pub fn error_width() -> usize {
    columns(libc::STDERR_FILENO).unwrap_or(usize::MAX)
}

fn columns(terminal: libc::c_int) -> Option<usize> {
    // SAFETY: `size` is a valid, writable winsize for the length of the call.
    let size = unsafe {
        let mut size = std::mem::zeroed::<libc::winsize>();
        (libc::ioctl(terminal, libc::TIOCGWINSZ, &raw mut size) == 0).then_some(size)
    }?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Writes one line of results and flushes it. What a terminal would obey is left out: names and texts come from outside.
///
/// # Errors
/// [`failed`].
pub fn line(text: &str) -> Result<(), Failure> {
    write_line(&format::printable(text))
}

fn write_line(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|error| failed(&error))
}

/// Writes a text of one line, broken between words where a terminal is narrower.
///
/// # Errors
/// [`failed`].
pub fn text(text: &str, indent: &str) -> Result<(), Failure> {
    line(&format::wrap(&format::one_line(text), width(), indent))
}

/// Writes a value as one line of JSON.
///
/// # Errors
/// [`failed`].
pub fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::of(Code::Failed, &error))?;
    json_text(&text)
}

/// Writes JSON text.
///
/// # Errors
/// [`failed`].
pub fn json_text(text: &str) -> Result<(), Failure> {
    write_line(&format::printable_json(text))
}

/// Standard output for many lines; flush it at the end.
#[must_use]
pub fn buffered() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(std::io::stdout().lock())
}

/// What a failed write to standard output means: silence when its reader has gone, else an error.
#[must_use]
pub fn failed(error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure::reader_gone();
    }
    Failure::new(Code::CannotWrite, "standard output can't be written")
        .because(error)
        .next("free some space, or send the output somewhere else")
}

/// The same for a CSV writer on standard output.
#[must_use]
pub fn csv_failed(error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => failed(&error),
        other => Failure::new(Code::Failed, format!("a CSV line can't be built: {other:?}")),
    }
}

/// Writes a note to standard error, without what a terminal would obey. A reader that has gone does not matter.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", format::printable(text));
}
