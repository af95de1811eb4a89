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
use super::text::{TextDecoder, TextPiece, find_text_head, is_text_head, is_text_line};

/// Longer lines are handled in pieces.
const MAX_LINE_BYTES: usize = 4096;
/// What has to be in sight behind a place to tell whether another recording begins there.
const SIGHT_BYTES: usize = 256;
const READ_BYTES: usize = 64 * 1024;
/// Closing tags, which show that bytes are from the middle of a property list.
const HEADER: &[u8] = b"<?xml version=";
const PLIST_END: &[u8] = b"</plist>";
/// What a property list may begin with.
const OPENINGS: [&[u8]; 3] = [b"<?xml", b"<!DOCTYPE", b"<plist"];
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
    /// The machine of the latest text.
    hw_model: Option<String>,
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
            hw_model: None,
            first_unknown: None,
            ready: VecDeque::new(),
        }
    }

    /// Adds bytes as they came, in any split.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let line_end = memchr::memchr2(b'\n', b'\r', bytes).map(|at| at + 1);
            let room = MAX_LINE_BYTES - self.line.len();
            let taken = line_end.unwrap_or(bytes.len()).min(room);
            self.line.extend_from_slice(&bytes[..taken]);
            self.offset += taken as u64;
            if line_end == Some(taken) {
                self.route_line(true);
            } else if self.line.len() == MAX_LINE_BYTES {
                self.route_line(false);
            }
            bytes = &bytes[taken..];
        }
    }

    /// Ends the capture: gives the samples not yet taken, then the tail, then `None`.
    pub fn finish(&mut self) -> Option<Result<CaptureSample, PowerError>> {
        if !self.line.is_empty() {
            self.route_line(true);
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

    /// Hands the line over to the formats that its parts belong to; of an incomplete one as much as is far enough from
    /// its end.
    fn route_line(&mut self, complete: bool) {
        let mut line = std::mem::take(&mut self.line);
        let start = self.offset - line.len() as u64;
        let end = if complete { line.len() } else { line.len() - SIGHT_BYTES };
        let mut continued = std::mem::replace(&mut self.in_long_line, !complete);
        let mut from = 0;
        // a recording without a line end may have another one right behind it
        while let Some(at) = self.find_seam(&line[from..], continued).filter(|at| from + at < end) {
            self.route(start + from as u64, &line[from..from + at], continued);
            from += at;
            continued = false;
        }
        self.route(start + from as u64, &line[from..end], continued);
        line.drain(..end);
        self.line = line;
    }

    /// Takes a line or the first part of one, or a further part of it.
    fn route(&mut self, start: u64, line: &[u8], continued: bool) {
        if continued {
            // text has nothing to say so far along a line
            if matches!(self.format, Format::Plist { .. }) {
                self.feed(start, line);
            }
            return;
        }
        let gap = line.iter().take_while(|byte| is_gap(**byte)).count();
        let visible = &line[gap..];
        let kind = match self.format {
            Format::Plist { .. } if is_text_head(visible) || is_text_line(visible) => Some(Kind::Text),
            Format::Plist { .. } => None,
            Format::Text(_) => is_plist_line(visible).then_some(Kind::Plist),
            Format::Unknown if visible.is_empty() => return,
            Format::Unknown if is_plist_line(visible) || has_plist_mark(visible) => Some(Kind::Plist),
            Format::Unknown if OPENINGS.iter().any(|opening| visible.starts_with(opening)) => Some(Kind::Plist),
            Format::Unknown => Some(Kind::Text),
        };
        match kind {
            Some(Kind::Plist) => {
                self.end_format();
                let splitter = Splitter::new(MAX_DOCUMENT_BYTES);
                self.format = Format::Plist { splitter, start: start + gap as u64, first_index: self.index };
                return self.feed(start + gap as u64, visible);
            }
            Some(Kind::Text) => {
                self.end_format();
                // a sample's head goes on with the text before a property list, another line does not
                let hw_model = self.hw_model.take().filter(|_| is_text_head(visible));
                self.format = Format::Text(Box::new(TextDecoder::of_machine(hw_model)));
            }
            None => {}
        }
        if !visible.is_empty() && self.first_unknown.is_none() {
            self.first_unknown = Some(start + gap as u64);
        }
        match self.format {
            Format::Text(_) => self.feed(start + gap as u64, visible),
            _ => self.feed(start, line),
        }
    }

    /// Where inside a line another recording begins; 0 only where this is not the beginning of the line.
    fn find_seam(&self, line: &[u8], continued: bool) -> Option<usize> {
        // not the blanks in front of an ordinary line
        let gap = line.iter().take_while(|byte| is_gap(**byte)).count();
        let from = if continued { 0 } else { (gap + 1).min(line.len()) };
        let text = find_text_head(&line[from..]).map(|at| from + at);
        match self.format {
            Format::Plist { .. } => text.or_else(|| {
                // behind the last tag of the line
                let end = memchr::memrchr(b'>', line)? + 1;
                let rest = &line[end..];
                let gap = rest.iter().take_while(|byte| is_gap(**byte)).count();
                (line[..end].ends_with(PLIST_END) && is_text_line(&rest[gap..])).then_some(end)
            }),
            Format::Text(_) | Format::Unknown => {
                let tags = memchr::memchr_iter(b'<', &line[from..]).map(|at| from + at);
                let is_header = |at: &usize| line[*at..].starts_with(HEADER) && is_plist_line(&line[*at..]);
                tags.take_while(|at| text.is_none_or(|text| *at < text)).find(is_header).or(text)
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
                let tail = text.end();
                self.hw_model = std::mem::take(&mut **text).into_machine();
                if let Some(piece) = tail {
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

/// True for bytes that only a property list has, up to the line's end. A text's table of tasks may have the same marks as
/// names, but its rows have columns behind them.
fn is_plist_line(line: &[u8]) -> bool {
    let near = &line[..line.len().min(SIGHT_BYTES)];
    if let Some(rest) = line.strip_prefix(HEADER) {
        let Some(end) = find(&near[HEADER.len()..], b"?>") else { return true };
        let behind = rest[end + 2..].trim_ascii_start();
        return behind.is_empty() || behind.starts_with(b"<");
    }
    if near.starts_with(b"<!DOCTYPE plist ") {
        return true;
    }
    let visible = line.trim_ascii_end();
    visible.starts_with(b"<") && visible.ends_with(b">") && (has_plist_mark(line) || visible.starts_with(b"<plist"))
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
