//! The clients of a session on file descriptors 0 and 1: there is one, and the end of its input is its end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use joulebar_wire::frame::FrameDecoder;
use joulebar_wire::limits::MAX_MESSAGE_BYTES;

use crate::program::Program;
use crate::server::{self, Clients, Heard};
use crate::session::{Config, Parcel, PeerId, Rights};
use crate::sys::{self, Interest, monotonic_time};

const CLIENT: PeerId = PeerId(0);
/// Largest single read from the client.
const REQUEST_BUFFER_BYTES: usize = 4 * 1024;

/// Serves the client on descriptors 0 and 1 until it goes away; gives the exit status.
///
/// # Errors
/// The system's, when the descriptors can't be used at all. Everything else is told to the client.
pub fn serve(program: &Program, rights: Rights) -> io::Result<u8> {
    let config = Config { rights, tool: program.find(), simulated: program.is_simulated(), idle_exit: Duration::ZERO };
    let client = Client {
        input: File::from(io::stdin().as_fd().try_clone_to_owned()?),
        output: Outbox::new(File::from(io::stdout().as_fd().try_clone_to_owned()?))?,
        requests: FrameDecoder::new(),
        heard: VecDeque::from([Heard::Connected(CLIENT)]),
        is_listening: true,
    };
    server::serve(program, config, client)
}

struct Client {
    input: File,
    output: Outbox,
    requests: FrameDecoder,
    heard: VecDeque<Heard>,
    /// False once the client is gone or was hung up on.
    is_listening: bool,
}

impl Clients for Client {
    fn interests(&self) -> Vec<Interest> {
        if !self.is_listening {
            return Vec::new();
        }
        vec![Interest::readable(self.input.as_fd()), self.output.interest()]
    }

    fn serve(&mut self, found: &[Interest]) {
        // none after it was hung up on
        let [input, output] = found else { return };
        if output.is_broken() || (output.is_ready() && self.output.write_some().is_err()) {
            return self.lose();
        }
        if input.is_ready() {
            self.read();
        }
    }

    fn next(&mut self) -> Option<Heard> {
        if let Some(heard) = self.heard.pop_front() {
            return Some(heard);
        }
        if let Some(document_bytes) = self.output.next_delivered() {
            return Some(Heard::Delivered(CLIENT, document_bytes));
        }
        if !self.is_listening {
            return None;
        }
        match self.requests.next_frame(MAX_MESSAGE_BYTES) {
            Ok(frame) => frame.map(|bytes| Heard::Frame(CLIENT, bytes)),
            Err(error) => Some(Heard::Broken(CLIENT, error)),
        }
    }

    fn send(&mut self, _: PeerId, parcel: Parcel) {
        self.output.put(parcel);
    }

    fn close(&mut self, _: PeerId) {
        self.is_listening = false;
    }

    fn flush(&mut self, until: Duration) {
        self.output.flush(until);
    }
}

impl Client {
    fn read(&mut self) {
        let mut buffer = [0; REQUEST_BUFFER_BYTES];
        match self.input.read(&mut buffer) {
            Ok(len @ 1..) => self.requests.push(&buffer[..len]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Ok(0) | Err(_) => self.lose(),
        }
    }

    fn lose(&mut self) {
        self.is_listening = false;
        self.heard.push_back(Heard::Gone(CLIENT));
    }
}

/// What waits to be written. The session bounds what is put in.
struct Outbox {
    file: File,
    parcels: VecDeque<Parcel>,
    /// Bytes of the first parcel that are written.
    written: usize,
    delivered: VecDeque<Option<usize>>,
}

impl Outbox {
    fn new(file: File) -> io::Result<Self> {
        sys::set_nonblocking(file.as_fd())?;
        Ok(Self { file, parcels: VecDeque::new(), written: 0, delivered: VecDeque::new() })
    }

    fn interest(&self) -> Interest {
        Interest::writable(self.file.as_fd(), !self.parcels.is_empty())
    }

    fn put(&mut self, parcel: Parcel) {
        self.parcels.push_back(parcel);
    }

    /// Parcels that have left, in order: the length of their document, if they have one.
    fn next_delivered(&mut self) -> Option<Option<usize>> {
        self.delivered.pop_front()
    }

    /// Writes until nothing is left or the client has to read first.
    fn write_some(&mut self) -> io::Result<()> {
        while let Some(parcel) = self.parcels.front() {
            let document = parcel.document.as_ref().map_or(&[][..], |document| document.as_slice());
            let rest = match self.written.checked_sub(parcel.head.len()) {
                None => &parcel.head[self.written..],
                Some(written) => &document[written..],
            };
            if rest.is_empty() {
                self.delivered.push_back(parcel.document.as_ref().map(|document| document.len()));
                self.parcels.pop_front();
                self.written = 0;
                continue;
            }
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.written += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what is left, until then at the latest.
    fn flush(&mut self, until: Duration) {
        while self.write_some().is_ok() && !self.parcels.is_empty() {
            let left = until.saturating_sub(monotonic_time());
            let mut interests = [self.interest()];
            if left.is_zero() || sys::wait(&mut interests, Some(left)).is_err() || interests[0].is_broken() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;

    use super::*;

    /// Nobody waits that long; a machine that is busy may take some of it.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn flush_ends_with_the_last_byte_and_does_not_wait_for_the_reader_to_go() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut outbox = Outbox::new(File::from(OwnedFd::from(writer))).unwrap();
        outbox.put(Parcel { head: b"bye".to_vec(), document: None });
        let since = monotonic_time();
        outbox.flush(since + LONG);
        assert!(monotonic_time() - since < LONG / 2);
        drop(outbox);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bye");
    }
}
