//! Cuts the output of powermetrics (or a recording of it) into plist documents, without parsing any of them.
//!
//! powermetrics writes a NUL in front of every document but the first, so a reader that waits for it is one interval
//! late: a document is given out with the last byte of its `</plist>`. Recordings may be cut at both ends, concatenated
//! with or without a newline, or edited by hand; a document that is damaged costs itself alone, because the next one is
//! found by its header.
//!
//! Process names are not escaped in these documents, so `</plist>` and `<?xml` may stand inside a string. A string never
//! fills a line from its beginning, so these marks count only at the beginning of a line (after blanks), and within a
//! line where nothing else can be meant:
//! - `<?xml …?>` that ends the line or has the next tag of a document right behind it (a recording was cut inside a
//!   line and another one appended);
//! - `</plist>` behind another closing tag and outside of strings, or as the last thing before a NUL, a new header or the
//!   end (a document written on one line).
//!
//! Bytes between documents that hold no tag are no damaged document: a line of standard error in the same file, the
//! greeting of the program that recorded it. They are passed over, and so are comments, unless there is nothing else in
//! the whole stream.
//!
//! Leaves to others: where the bytes come from, and whether a document is valid.

mod marks;

use std::collections::VecDeque;

use self::marks::{
    CLOSE, COMMENT, COMMENT_END, HEADER, LONGEST_MARK, MAX_HEADER_BYTES, OPENINGS, before_close, find_tag, is_gap,
    plain_lines, rfind,
};

/// Smallest limit that makes sense: the header of a document must fit.
const MIN_LIMIT_BYTES: usize = 256;
/// How far back in a line marks are looked for: a header and the document type behind it.
const LINE_TAIL_BYTES: usize = 256;

/// One stretch of the stream: a whole document, or what is left of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A document, from its header to `</plist>`, nothing around it.
    Document {
        /// Number of the piece in the stream, from 0; damaged ones are counted.
        index: u64,
        /// Where it begins in the stream, in bytes.
        offset: u64,
        /// The document itself.
        bytes: Vec<u8>,
    },
    /// Bytes that are no whole document.
    Damaged {
        /// Number of the piece in the stream, from 0.
        index: u64,
        /// Where it begins in the stream, in bytes.
        offset: u64,
        /// How many bytes are lost, up to where the next piece may begin.
        len: u64,
        /// What is wrong with it.
        kind: Damage,
    },
}

/// What is wrong with a damaged piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// Longer than the limit.
    Oversize,
    /// The stream ended inside the document.
    Truncated,
    /// It does not begin like a document: the stream was joined in its middle, or these are other bytes altogether.
    NoStart,
    /// Another document began before this one had ended.
    NoEnd,
}

/// The splitter: bytes in by [`Splitter::push`], pieces out by iterating, the tail by [`Splitter::finish`].
///
/// As an iterator it gives `None` when it needs more bytes, and goes on after the next push. It holds at most the
/// limit and the pieces that were not yet taken, which are no more than what was pushed. Time is linear in the bytes.
#[derive(Debug)]
pub struct Splitter {
    max_document_bytes: usize,
    state: State,
    /// The document so far; while skipping, the last bytes of the current line.
    body: Vec<u8>,
    /// Where the current line begins in `body`.
    line_start: usize,
    head: Head,
    /// Inside a string that began in this line.
    in_string: bool,
    /// Where in this line a header stands that no tag has followed yet.
    header: Option<u64>,
    /// Where the first tag stands in a piece that did not begin like a document.
    first_tag: Option<u64>,
    /// In a comment between documents.
    in_comment: bool,
    /// From where to where bytes without tags were passed over.
    passed_over: Option<(u64, u64)>,
    /// Offset of the current piece.
    piece_offset: u64,
    /// Offset of the next byte.
    offset: u64,
    index: u64,
    ready: VecDeque<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between pieces: only NULs and white space so far.
    Between,
    /// In a document.
    Document,
    /// In a piece that is lost already.
    Skipping(Damage),
}

/// Where in a line we are: matching a mark at its beginning, or past it.
#[derive(Clone, Copy, Debug)]
enum Head {
    Matching {
        opening: bool,
        bytes: [u8; LONGEST_MARK],
        len: usize,
        offset: u64,
    },
    /// Behind `</plist`.
    Closing {
        opening: bool,
    },
    Past,
}

impl Head {
    fn new(opening: bool, offset: u64) -> Self {
        Self::Matching { opening, bytes: [0; LONGEST_MARK], len: 0, offset }
    }
}

impl Splitter {
    /// A splitter for documents of at most `max_document_bytes` (never below 256).
    #[must_use]
    pub fn new(max_document_bytes: usize) -> Self {
        Self {
            max_document_bytes: max_document_bytes.max(MIN_LIMIT_BYTES),
            state: State::Between,
            body: Vec::new(),
            line_start: 0,
            head: Head::Past,
            in_string: false,
            header: None,
            first_tag: None,
            in_comment: false,
            passed_over: None,
            piece_offset: 0,
            offset: 0,
            index: 0,
            ready: VecDeque::new(),
        }
    }

    /// Adds bytes as they came, in any split.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            let used = if self.state == State::Between {
                self.skip_gap(bytes)
            } else {
                match self.head {
                    Head::Matching { opening, len, .. } => {
                        let at_line_start = !opening && len == 0 && self.body.len() == self.line_start;
                        let plain = if at_line_start && !self.in_comment { plain_lines(bytes) } else { 0 };
                        if plain == 0 {
                            self.match_head(first);
                            1
                        } else {
                            self.take_plain_lines(&bytes[..plain])
                        }
                    }
                    Head::Closing { opening } => self.match_close(opening, first),
                    Head::Past => self.take_line(bytes),
                }
            };
            bytes = &bytes[used..];
        }
    }

    /// Ends the stream: gives the pieces not yet taken, then the tail, then `None`.
    pub fn finish(&mut self) -> Option<Piece> {
        if self.state != State::Between {
            self.end_piece(self.offset, Damage::Truncated);
        }
        if self.index == 0
            && let Some((offset, end)) = self.passed_over.take()
        {
            self.index = 1;
            self.ready.push_back(Piece::Damaged { index: 0, offset, len: end - offset, kind: Damage::NoStart });
        }
        self.ready.pop_front()
    }

    /// True while the current document is beyond the limit: its end, if it ever comes, only gives a damaged piece.
    #[must_use]
    pub fn is_skipping_oversize(&self) -> bool {
        self.state == State::Skipping(Damage::Oversize)
    }

    /// Between pieces: passes over NULs and white space and opens a piece at the first other byte, which it leaves.
    fn skip_gap(&mut self, bytes: &[u8]) -> usize {
        let gap = bytes.iter().take_while(|byte| is_gap(**byte)).count();
        self.offset += gap as u64;
        if gap < bytes.len() {
            self.open(self.offset, &[]);
            self.head = Head::new(true, self.offset);
        }
        gap
    }

    /// Takes whole lines in which nothing has to be looked for.
    fn take_plain_lines(&mut self, lines: &[u8]) -> usize {
        self.keep(lines);
        self.begin_line();
        lines.len()
    }

    /// Takes one byte at the beginning of a line, where marks count.
    fn match_head(&mut self, byte: u8) {
        let Head::Matching { opening, mut bytes, mut len, offset } = self.head else { return };
        if byte == 0 {
            return self.end_at_nul();
        }
        if len == 0 && !opening && matches!(byte, b' ' | b'\t' | b'\r') {
            self.keep(&[byte]);
            self.head = Head::new(false, self.offset);
            return;
        }
        bytes[len] = byte;
        len += 1;
        if byte != b'\n' {
            self.keep(&[byte]);
        }
        let seen = &bytes[..len];
        let in_noise = self.is_noise(offset);
        let opens = |mark: &[u8]| OPENINGS.contains(&mark) && (opening || in_noise || mark == HEADER);
        if seen == CLOSE {
            self.head = Head::Closing { opening };
        } else if opening && seen == COMMENT {
            self.skip(Damage::NoStart);
            (self.in_comment, self.first_tag) = (true, None);
            self.head = Head::Past;
        } else if opens(seen) {
            if opening {
                self.head = Head::Past;
            } else {
                self.end_piece(offset, Damage::NoEnd);
                self.open(offset, seen);
            }
        } else if CLOSE.starts_with(seen)
            || (opening && COMMENT.starts_with(seen))
            || OPENINGS.iter().any(|mark| opens(mark) && mark.starts_with(seen))
        {
            self.head = Head::Matching { opening, bytes, len, offset };
        } else {
            if opening {
                self.skip(Damage::NoStart);
            }
            self.head = Head::Past;
            if byte == b'\n' {
                self.end_line();
            }
        }
    }

    /// Takes one byte behind `</plist` at the beginning of a line, or leaves it.
    fn match_close(&mut self, opening: bool, byte: u8) -> usize {
        match byte {
            b'>' => {
                self.keep(&[byte]);
                self.end_piece(self.offset, if opening { Damage::NoStart } else { Damage::NoEnd });
            }
            _ if byte.is_ascii_whitespace() => self.keep(&[byte]),
            _ => {
                if opening {
                    self.skip(Damage::NoStart);
                }
                self.head = Head::Past;
                return 0;
            }
        }
        1
    }

    /// Takes the rest of a line up to the end of its next tag, as far as it is there.
    fn take_line(&mut self, bytes: &[u8]) -> usize {
        let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'>' | 0)) else {
            self.keep(bytes);
            return bytes.len();
        };
        if bytes[end] == b'>' {
            self.keep(&bytes[..=end]);
            self.end_tag();
        } else {
            self.keep(&bytes[..end]);
            if bytes[end] == 0 { self.end_at_nul() } else { self.end_line() }
        }
        end + 1
    }

    /// Behind a `>` inside a line: looks whether the document ends here, or another one has begun in this line.
    fn end_tag(&mut self) {
        let line = &self.body[self.line_start..];
        if self.in_comment {
            if line.ends_with(COMMENT_END) {
                self.pass_over(self.offset);
            }
            return;
        }
        if line.ends_with(b"<string>") {
            self.in_string = true;
        } else if line.ends_with(b"</string>") {
            self.in_string = false;
        } else if line.ends_with(b"?>") {
            let tail_start = line.len().saturating_sub(MAX_HEADER_BYTES);
            let header = rfind(&line[tail_start..], HEADER);
            self.header = header.map(|at| self.offset - (line.len() - tail_start - at) as u64);
            return;
        } else if let Some(before) = before_close(line)
            && !self.in_string
            && [&b"</dict>"[..], b"/>", COMMENT_END].iter().any(|end| before.trim_ascii_end().ends_with(end))
        {
            return self.end_piece(self.offset, Damage::NoEnd);
        }
        let Some(header) = self.header.take() else { return };
        let own = self.state == State::Document && header == self.piece_offset;
        let Some(at) = usize::try_from(self.offset - header).ok().and_then(|len| self.body.len().checked_sub(len))
        else {
            return;
        };
        let behind = self.body[at..].windows(2).position(|end| end == b"?>").map(|end| &self.body[at + end + 2..]);
        let next_tag = behind.unwrap_or_default().trim_ascii_start();
        if !own && (next_tag.starts_with(b"<!DOCTYPE") || next_tag.starts_with(b"<plist")) {
            self.reopen(at);
        }
    }

    /// Ends the current piece in front of what stands at `at` in `body`, with which a document begins.
    fn reopen(&mut self, at: usize) {
        let first = self.body.split_off(at);
        let offset = self.offset - first.len() as u64;
        self.end_piece(offset, Damage::NoEnd);
        self.open(offset, &first);
    }

    /// At a newline, which is not kept yet: looks for a header inside the line that is complete now.
    fn end_line(&mut self) {
        let tail_start = self.line_start.max(self.body.len().saturating_sub(MAX_HEADER_BYTES));
        let tail = &self.body[tail_start..];
        let found = tail.trim_ascii_end().ends_with(b"?>").then(|| rfind(tail, HEADER)).flatten();
        // at 0 it is the header of this very document
        let header_at = found.map(|at| tail_start + at).filter(|at| *at > 0 || self.state != State::Document);
        if let Some(at) = header_at {
            self.reopen(at);
        }
        self.keep(b"\n");
        self.begin_line();
    }

    fn begin_line(&mut self) {
        if self.state != State::Document {
            self.body.clear();
        }
        self.line_start = self.body.len();
        (self.in_string, self.header) = (false, None);
        self.head = Head::new(false, self.offset);
    }

    fn end_at_nul(&mut self) {
        self.end_piece(self.offset, Damage::NoEnd);
        self.offset += 1;
    }

    /// Opens a document at `offset` whose first bytes were taken already.
    fn open(&mut self, offset: u64, first: &[u8]) {
        self.state = State::Document;
        self.body.clear();
        self.body.extend_from_slice(first);
        self.line_start = 0;
        self.piece_offset = offset;
        self.head = Head::Past;
    }

    /// Takes bytes into the current piece.
    fn keep(&mut self, bytes: &[u8]) {
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        let mut rest = bytes;
        if self.is_noise(offset) {
            self.first_tag = find_tag(bytes).map(|at| offset + at as u64);
        }
        if self.state == State::Document {
            // one byte beyond the limit shows that it is passed, at the same byte however the stream is split
            let room = (self.max_document_bytes + 1).saturating_sub(self.body.len());
            let (fitting, beyond) = rest.split_at(room.min(rest.len()));
            self.body.extend_from_slice(fitting);
            if self.body.len() <= self.max_document_bytes {
                return;
            }
            rest = beyond;
            self.skip(Damage::Oversize);
        }
        self.body.extend_from_slice(&rest[rest.len().saturating_sub(LINE_TAIL_BYTES)..]);
        if self.body.len() > 4 * LINE_TAIL_BYTES {
            self.body.drain(..self.body.len() - LINE_TAIL_BYTES);
        }
    }

    /// Gives the current piece up, keeping only the tail of its current line.
    fn skip(&mut self, kind: Damage) {
        let tail_start = self.line_start.max(self.body.len().saturating_sub(LINE_TAIL_BYTES));
        self.body = self.body.split_off(tail_start);
        self.line_start = 0;
        self.state = State::Skipping(kind);
        let tag = if kind == Damage::NoStart { find_tag(&self.body) } else { None };
        self.first_tag = tag.map(|at| self.offset - (self.body.len() - at) as u64);
    }

    /// True while the current piece is no document and has no tag in front of `end`.
    fn is_noise(&self, end: u64) -> bool {
        let no_tag = !self.in_comment && self.first_tag.is_none_or(|tag| tag >= end);
        self.state == State::Skipping(Damage::NoStart) && no_tag
    }

    /// Ends the current piece before `end` without a word.
    fn pass_over(&mut self, end: u64) {
        let from = self.passed_over.map_or(self.piece_offset, |(from, _)| from);
        self.passed_over = Some((from, end));
        self.body.clear();
        self.begin_gap();
    }

    fn begin_gap(&mut self) {
        self.state = State::Between;
        self.head = Head::Past;
        self.line_start = 0;
        (self.in_string, self.header) = (false, None);
        (self.in_comment, self.first_tag) = (false, None);
    }

    /// Ends the current piece before `end`. `kind` is what is wrong with a document that has no `</plist>`.
    fn end_piece(&mut self, end: u64, kind: Damage) {
        if self.in_comment || self.is_noise(end) {
            return self.pass_over(end);
        }
        let (index, offset) = (self.index, self.piece_offset);
        let len = end - offset;
        let mut bytes = std::mem::take(&mut self.body);
        let damaged = |kind| Piece::Damaged { index, offset, len, kind };
        self.ready.push_back(match self.state {
            State::Skipping(kind) => damaged(kind),
            State::Between | State::Document => {
                bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
                bytes.truncate(bytes.trim_ascii_end().len());
                if kind != Damage::NoStart && before_close(&bytes).is_some() {
                    Piece::Document { index, offset, bytes }
                } else {
                    damaged(kind)
                }
            }
        });
        self.index += 1;
        self.begin_gap();
    }
}

impl Iterator for Splitter {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        self.ready.pop_front()
    }
}
