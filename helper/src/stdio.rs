//! The session on file descriptors 0 and 1: one client, one thread, one `poll` loop. End of input ends the helper.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use joulebar_wire::documents::Piece;
use joulebar_wire::frame::FrameDecoder;
use joulebar_wire::limits::MAX_MESSAGE_BYTES;

use crate::process::Process;
use crate::program::Program;
use crate::session::{Action, Config, Event, Parcel, PeerId, Rights, Session};
use crate::sys::{self, Interest, Signals, monotonic_time};

const CLIENT: PeerId = PeerId(0);
/// Largest single read from the client.
const REQUEST_BUFFER_BYTES: usize = 4 * 1024;
/// Largest single read from powermetrics: what a pipe holds.
const OUTPUT_BUFFER_BYTES: usize = 64 * 1024;
/// How long a client that does not read is waited for at the end.
const FLUSH_TIME: Duration = Duration::from_millis(300);

/// Serves the client on descriptors 0 and 1 until it goes away; gives the exit status.
///
/// # Errors
/// The system's, when the descriptors can't be used at all. Everything else is told to the client.
pub fn serve(program: &Program, rights: Rights) -> io::Result<u8> {
    Server::new(program, rights)?.run()
}

struct Server<'a> {
    program: &'a Program,
    session: Session,
    signals: Signals,
    input: File,
    output: Outbox,
    requests: FrameDecoder,
    process: Option<Process>,
    /// False once the client is gone or was hung up on.
    is_listening: bool,
    exit_status: Option<u8>,
}

impl<'a> Server<'a> {
    fn new(program: &'a Program, rights: Rights) -> io::Result<Self> {
        let config =
            Config { rights, tool: program.find(), simulated: program.is_simulated(), idle_exit: Duration::ZERO };
        Ok(Self {
            program,
            session: Session::new(config),
            signals: Signals::catch()?,
            input: File::from(io::stdin().as_fd().try_clone_to_owned()?),
            output: Outbox::new(File::from(io::stdout().as_fd().try_clone_to_owned()?))?,
            requests: FrameDecoder::new(),
            process: None,
            is_listening: true,
            exit_status: None,
        })
    }

    fn run(mut self) -> io::Result<u8> {
        let mut buffer = vec![0; OUTPUT_BUFFER_BYTES];
        self.handle(Event::Connected { peer: CLIENT });
        loop {
            if let Some(status) = self.exit_status {
                self.output.flush(monotonic_time() + FLUSH_TIME);
                return Ok(status);
            }
            self.wait(&mut buffer)?;
            self.read_process(&mut buffer);
            self.handle(Event::Tick);
        }
    }

    /// Waits for something to happen and deals with the client's side of it.
    fn wait(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let timeout = self.session.deadline().map(|deadline| deadline.saturating_sub(monotonic_time()));
        let mut interests = vec![self.signals.interest()];
        if self.is_listening {
            interests.push(Interest::readable(self.input.as_fd()));
            interests.push(self.output.interest());
        }
        let process_from = interests.len();
        interests.extend(self.process.iter().flat_map(Process::interests));
        sys::wait(&mut interests, timeout)?;
        if interests[0].is_ready() && self.signals.take() {
            self.handle(Event::Shutdown);
        }
        if let [input, output] = &interests[1..process_from] {
            if output.is_broken() || (output.is_ready() && self.output.write_some().is_err()) {
                self.lose_client();
                return Ok(());
            }
            while let Some(document_bytes) = self.output.next_delivered() {
                self.handle(Event::Delivered { peer: CLIENT, document_bytes });
            }
            if input.is_ready() {
                self.read_client(&mut buffer[..REQUEST_BUFFER_BYTES]);
            }
        }
        Ok(())
    }

    fn read_client(&mut self, buffer: &mut [u8]) {
        match self.input.read(buffer) {
            Ok(len @ 1..) => self.requests.push(&buffer[..len]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Ok(0) | Err(_) => return self.lose_client(),
        }
        while self.is_listening {
            match self.requests.next_frame(MAX_MESSAGE_BYTES) {
                Ok(Some(bytes)) => self.handle(Event::Frame { peer: CLIENT, bytes: &bytes }),
                Ok(None) => break,
                Err(error) => self.handle(Event::BrokenFrame { peer: CLIENT, error: &error }),
            }
        }
    }

    fn lose_client(&mut self) {
        self.is_listening = false;
        self.handle(Event::Gone { peer: CLIENT });
    }

    /// Takes in what the child has written, and its end.
    fn read_process(&mut self, buffer: &mut [u8]) {
        let Some(process) = &mut self.process else { return };
        let (child, end) = (process.id, process.reap());
        if let Some(end) = end {
            if let Some(process) = self.process.take() {
                let (pieces, exit) = process.rest(buffer, end);
                pieces.into_iter().for_each(|piece| self.handle(event_of(child, piece)));
                self.handle(Event::Exited { child, exit });
            }
            return;
        }
        process.read(buffer);
        let is_oversize = process.is_oversize();
        while let Some(piece) = self.process.as_mut().and_then(Process::next_piece) {
            self.handle(event_of(child, piece));
        }
        if is_oversize {
            self.handle(Event::Oversize { child });
        }
    }

    fn handle(&mut self, event: Event<'_>) {
        self.session.handle(event, monotonic_time());
        while let Some(action) = self.session.next_action() {
            match action {
                Action::Send { parcel, .. } => self.output.put(parcel),
                Action::Close { .. } => self.is_listening = false,
                Action::Spawn { child, plan } => match Process::spawn(self.program, child, &plan) {
                    Ok(process) => self.process = Some(process),
                    Err(error) => self.session.handle(Event::SpawnFailed { child, error }, monotonic_time()),
                },
                Action::Signal { child, signal } => {
                    if let Some(process) = self.process.as_ref().filter(|process| process.id == child) {
                        process.signal(signal);
                    }
                }
                Action::Exit { status } => self.exit_status = Some(status),
            }
        }
    }
}

fn event_of(child: crate::session::ChildId, piece: Piece) -> Event<'static> {
    match piece {
        Piece::Document { offset, bytes, .. } => Event::Document { child, offset, bytes },
        Piece::Damaged { .. } => Event::Damaged { child },
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
