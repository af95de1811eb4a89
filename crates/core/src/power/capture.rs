//! Reads recorded output of powermetrics: property lists or text, one sample or many, several recordings one after
//! another, cut at either end.
//!
//! Knows how to tell the formats apart, by content and at any place in the bytes. Leaves to others: cutting property
//! lists ([`joulebar_wire::documents`]), decoding ([`super::powermetrics`], `super::text`), and where the bytes come
//! from. Memory is bounded by one document.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use joulebar_wire::documents::{Damage, Piece, Splitter};
use joulebar_wire::limits::MAX_DOCUMENT_BYTES;

use super::PowerError;
use super::decoded::Decoded;
use super::powermetrics::decode;
use super::text::{TextDecoder, TextPiece, is_text_head};

/// The part of a line in which a format shows. Longer lines are handled in pieces.
const MAX_LINE_BYTES: usize = 4096;
const READ_BYTES: usize = 64 * 1024;
/// Closing tags, which show that bytes are from the middle of a property list.
const PLIST_MARKS: [&str; 8] =
    ["</key>", "</integer>", "</real>", "</string>", "</date>", "</dict>", "</array>", "</plist>"];

/// One sample of a capture.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptureSample {
    /// Number of the sample in the capture, from 0; damaged ones are counted.
    pub index: u64,
    /// Where it begins in the capture, in bytes.
    pub offset: u64,
    /// What it says.
    pub decoded: Decoded,
}

/// Bytes of a capture in any split to samples, without I/O: bytes in by [`CaptureDecoder::push`], samples out by
/// iterating, the tail by [`CaptureDecoder::finish`].
///
/// As an iterator it gives `None` when it needs more bytes, and goes on after the next push.
#[derive(Debug)]
pub struct CaptureDecoder {
    format: Format,
    /// The current line, until its end or [`MAX_LINE_BYTES`].
    line: Vec<u8>,
    /// The beginning of the current line was longer than that and is on its way already.
    in_long_line: bool,
    /// Offset of the next byte that comes in.
    offset: u64,
    index: u64,
    /// Where the first byte stands that is neither a gap nor part of a sample's format.
    first_unknown: Option<u64>,
    ready: VecDeque<Result<CaptureSample, PowerError>>,
}

#[derive(Debug)]
enum Format {
    Unknown,
    Plist { splitter: Splitter, start: u64, first_index: u64 },
    Text(Box<TextDecoder>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plist,
    Text,
}

impl Default for CaptureDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl CaptureDecoder {
    /// A decoder at the beginning of a capture.
    #[must_use]
    pub fn new() -> Self {
        Self {
            format: Format::Unknown,
            line: Vec::new(),
            in_long_line: false,
            offset: 0,
            index: 0,
            first_unknown: None,
            ready: VecDeque::new(),
        }
    }

    /// Adds bytes as they came, in any split.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let line_end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
            let room = MAX_LINE_BYTES - self.line.len();
            let taken = line_end.unwrap_or(bytes.len()).min(room);
            self.line.extend_from_slice(&bytes[..taken]);
            self.offset += taken as u64;
            if line_end == Some(taken) || self.line.len() == MAX_LINE_BYTES {
                self.route_line();
            }
            bytes = &bytes[taken..];
        }
    }

    /// Ends the capture: gives the samples not yet taken, then the tail, then `None`.
    pub fn finish(&mut self) -> Option<Result<CaptureSample, PowerError>> {
        if !self.line.is_empty() {
            self.route_line();
        }
        self.end_format();
        if self.index == 0
            && let Some(offset) = self.first_unknown.take()
        {
            self.index += 1;
            let reason = "nothing in it is output of powermetrics".to_owned();
            self.ready.push_back(Err(PowerError::MalformedSample { index: 0, offset, reason }));
        }
        self.ready.pop_front()
    }

    /// Hands the line over to the format that it belongs to.
    fn route_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let start = self.offset - line.len() as u64;
        let was_long = std::mem::replace(&mut self.in_long_line, !line.ends_with(b"\n"));
        if was_long {
            // text has nothing to say so far along a line
            if matches!(self.format, Format::Plist { .. }) {
                self.feed(start, &line);
            }
        } else {
            self.route(start, &line);
        }
        self.line = line;
        self.line.clear();
    }

    fn route(&mut self, start: u64, line: &[u8]) {
        // a recording without a line end may have another one right behind it
        if let Some(at) = self.find_seam(line) {
            self.route(start, &line[..at]);
            return self.route(start + at as u64, &line[at..]);
        }
        let gap = line.iter().take_while(|byte| is_gap(**byte)).count();
        let visible = &line[gap..];
        let kind =
            if visible.starts_with(b"<?xml") || visible.starts_with(b"<!DOCTYPE") || visible.starts_with(b"<plist") {
                Some(Kind::Plist)
            } else if is_text_head(visible) {
                Some(Kind::Text)
            } else {
                match self.format {
                    Format::Plist { .. } => None,
                    _ if has_plist_mark(visible) => Some(Kind::Plist),
                    Format::Text(_) => None,
                    Format::Unknown if visible.is_empty() => return,
                    Format::Unknown => Some(Kind::Text),
                }
            };
        match (kind, &self.format) {
            (Some(Kind::Plist), Format::Unknown | Format::Text(_)) => {
                self.end_format();
                let splitter = Splitter::new(MAX_DOCUMENT_BYTES);
                self.format = Format::Plist { splitter, start: start + gap as u64, first_index: self.index };
                return self.feed(start + gap as u64, visible);
            }
            (Some(Kind::Text), Format::Unknown | Format::Plist { .. }) => {
                self.end_format();
                self.format = Format::Text(Box::default());
            }
            _ => {}
        }
        if !visible.is_empty() && self.first_unknown.is_none() {
            self.first_unknown = Some(start + gap as u64);
        }
        match self.format {
            Format::Text(_) => self.feed(start + gap as u64, visible),
            _ => self.feed(start, line),
        }
    }

    /// Where inside a line another recording begins; never 0.
    fn find_seam(&self, line: &[u8]) -> Option<usize> {
        match self.format {
            Format::Plist { .. } => {
                let end = find(line, b"</plist>")? + b"</plist>".len();
                let rest = &line[end..];
                let gap = rest.iter().take_while(|byte| is_gap(**byte)).count();
                is_text_head(&rest[gap..]).then_some(end)
            }
            Format::Text(_) | Format::Unknown => {
                let seams: [&[u8]; 3] = [b"<?xml ", b"Machine model: ", b"*** Sampled system activity ("];
                seams.iter().filter_map(|seam| find(line, seam)).filter(|at| *at > 0).min().filter(|at| {
                    // not the blanks in front of an ordinary line
                    !line[..*at].iter().all(|byte| is_gap(*byte))
                })
            }
        }
    }

    fn feed(&mut self, start: u64, bytes: &[u8]) {
        match &mut self.format {
            Format::Unknown => {}
            Format::Plist { splitter, .. } => {
                splitter.push(bytes);
                self.take_pieces();
            }
            Format::Text(text) => {
                if let Some(piece) = text.line(start, bytes.trim_ascii_end()) {
                    self.take_text(piece);
                }
            }
        }
    }

    fn end_format(&mut self) {
        match &mut self.format {
            Format::Unknown => {}
            Format::Plist { splitter, .. } => {
                // pieces that are ready come first, then the tail
                let tail = std::iter::from_fn(|| splitter.finish()).collect::<Vec<_>>();
                for piece in tail {
                    self.take_piece(piece);
                }
            }
            Format::Text(text) => {
                if let Some(piece) = text.end() {
                    self.take_text(piece);
                }
            }
        }
        self.format = Format::Unknown;
    }

    fn take_pieces(&mut self) {
        while let Format::Plist { splitter, .. } = &mut self.format
            && let Some(piece) = splitter.next()
        {
            self.take_piece(piece);
        }
    }

    fn take_piece(&mut self, piece: Piece) {
        let Format::Plist { start, first_index, .. } = self.format else { return };
        let outcome = match piece {
            Piece::Document { index, offset, bytes } => {
                let (index, offset) = (first_index + index, start + offset);
                match decode(&bytes) {
                    Ok(decoded) => Ok(CaptureSample { index, offset, decoded }),
                    Err(error) => Err(PowerError::MalformedSample { index, offset, reason: error.to_string() }),
                }
            }
            Piece::Damaged { index, offset, kind, .. } => {
                let (index, offset) = (first_index + index, start + offset);
                Err(match kind {
                    Damage::Truncated => PowerError::Truncated { index, offset },
                    damage => PowerError::MalformedSample { index, offset, reason: describe(damage).to_owned() },
                })
            }
        };
        self.index += 1;
        self.ready.push_back(outcome);
    }

    fn take_text(&mut self, piece: TextPiece) {
        let index = self.index;
        self.index += 1;
        self.ready.push_back(match piece {
            TextPiece::Sample { offset, decoded } => Ok(CaptureSample { index, offset, decoded: *decoded }),
            TextPiece::Truncated { offset } => Err(PowerError::Truncated { index, offset }),
        });
    }
}

impl Iterator for CaptureDecoder {
    type Item = Result<CaptureSample, PowerError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.ready.pop_front()
    }
}

fn describe(damage: Damage) -> &'static str {
    match damage {
        Damage::Oversize => "it is longer than 4 MiB",
        Damage::Truncated => "the stream ended inside it",
        Damage::NoStart => "its beginning is missing",
        Damage::NoEnd => "another document begins before its end",
    }
}

/// NUL, white space and a byte-order mark may stand between documents and in front of lines.
fn is_gap(byte: u8) -> bool {
    matches!(byte, 0 | 0xef | 0xbb | 0xbf) || byte.is_ascii_whitespace()
}

fn has_plist_mark(line: &[u8]) -> bool {
    find(line, b"</").is_some() && PLIST_MARKS.iter().any(|mark| find(line, mark.as_bytes()).is_some())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

/// The samples of a capture that is read as it is asked for. Ends at the end of the capture, or after
/// [`PowerError::Io`].
#[derive(Debug)]
pub struct CaptureReader<R> {
    source: R,
    decoder: CaptureDecoder,
    buffer: Vec<u8>,
    ended: bool,
}

impl CaptureReader<File> {
    /// Opens a recorded capture.
    ///
    /// # Errors
    /// [`PowerError::Capture`] when the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, PowerError> {
        let file =
            File::open(path).map_err(|source| PowerError::Capture { path: path.display().to_string(), source })?;
        Ok(Self::new(file))
    }
}

impl<R: Read> CaptureReader<R> {
    /// Reads a capture from anything, standard input for instance. Needs no buffering around it.
    pub fn new(source: R) -> Self {
        Self { source, decoder: CaptureDecoder::new(), buffer: vec![0; READ_BYTES], ended: false }
    }
}

impl<R: Read> Iterator for CaptureReader<R> {
    type Item = Result<CaptureSample, PowerError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(sample) = self.decoder.next() {
                return Some(sample);
            }
            if self.ended {
                return self.decoder.finish();
            }
            match self.source.read(&mut self.buffer) {
                Ok(0) => self.ended = true,
                Ok(read) => self.decoder.push(&self.buffer[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
            }
        }
    }
}
