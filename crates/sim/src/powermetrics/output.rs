//! Where samples go, buffered as `-b` says.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use super::options::Options;
use super::signals::Signals;

/// What the C library buffers on a pipe when nobody says anything: samples come late, which is a trap of the real tool.
const DEFAULT_BUFFER: usize = 4_096;

/// Standard output or the file of `-o`.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    capacity: usize,
    held: Vec<u8>,
}

impl Output {
    pub(super) fn open(options: &Options) -> io::Result<Self> {
        let file = match &options.output {
            Some(path) => File::create(path)?,
            None => File::from(io::stdout().as_fd().try_clone_to_owned()?),
        };
        let capacity = match options.buffer {
            // whole samples end with a line break, so a line buffer holds nothing back
            Some(0 | 1) => 0,
            Some(size) => size,
            None => DEFAULT_BUFFER,
        };
        Ok(Self { file, capacity, held: Vec::new() })
    }

    /// Takes bytes and writes all full buffers. What a stopped process can't get rid of is dropped.
    pub(super) fn write(&mut self, bytes: &[u8], signals: &Signals) -> io::Result<()> {
        self.held.extend_from_slice(bytes);
        let full_buffers = self.held.len().checked_div(self.capacity).map(|count| count * self.capacity);
        let ready = full_buffers.unwrap_or(self.held.len());
        self.write_held(ready, signals)
    }

    /// Writes what is held back, as `exit` does.
    pub(super) fn flush(&mut self, signals: &Signals) -> io::Result<()> {
        self.write_held(self.held.len(), signals)
    }

    /// In small pieces, each when there is room for it, so that a reader who doesn't read can't keep the process from stopping.
    fn write_held(&mut self, length: usize, signals: &Signals) -> io::Result<()> {
        let mut written = 0;
        while written < length {
            if !signals.wait_for_room(&self.file)? {
                // nobody will read the rest
                self.held.clear();
                return Ok(());
            }
            let piece = &self.held[written..length.min(written + libc::PIPE_BUF)];
            match self.file.write(piece) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.held.drain(..written);
        Ok(())
    }
}
