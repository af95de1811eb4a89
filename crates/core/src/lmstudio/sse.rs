//! Server-sent events: bytes in any split become events. Sans-IO.
//!
//! Knows the wire format of the WHATWG specification (LF, CR and CRLF line ends, comments, `event:` and several
//! `data:` lines, a byte order mark) and nothing of what the events mean. Memory is bounded: an event larger than the
//! parser's limit is an error. Every event comes out at the first byte that completes it, which keeps its time true.

use thiserror::Error;

/// Default limit for one event in bytes: `chat.end` repeats the whole answer, so it has to be generous.
pub const DEFAULT_EVENT_LIMIT: usize = 8 * 1024 * 1024;

/// One dispatched event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent {
    /// Value of the last `event:` line; `None` when there was none or it was empty.
    pub name: Option<String>,
    /// The `data:` lines joined by LF. Invalid UTF-8 is replaced by U+FFFD.
    pub data: String,
}

/// Why a stream can't be parsed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SseError {
    /// One event outgrew the limit.
    #[error("one event of the stream is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

/// Incremental parser. After an error it stays failed.
#[derive(Debug)]
pub struct SseParser {
    limit: usize,
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
    first_line: bool,
    failed: bool,
}

impl Default for SseParser {
    fn default() -> Self {
        Self::with_limit(DEFAULT_EVENT_LIMIT)
    }
}

impl SseParser {
    /// A parser at the start of a stream; `limit` in bytes bounds one event, its unfinished line included.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            name: Vec::new(),
            data: Vec::new(),
            has_data: false,
            after_cr: false,
            first_line: true,
            failed: false,
        }
    }

    /// Takes the next bytes of the stream and appends the events that they complete to `events`.
    ///
    /// # Errors
    /// [`SseError::TooLarge`] when an event outgrows the limit; the events before it have been appended.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), SseError> {
        let too_large = SseError::TooLarge { limit_bytes: self.limit };
        if self.failed {
            return Err(too_large);
        }
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r');
            let piece = &rest[..end.unwrap_or(rest.len())];
            if self.line.len() + piece.len() + self.data.len() + self.name.len() > self.limit {
                self.failed = true;
                return Err(too_large);
            }
            self.line.extend_from_slice(piece);
            let Some(end) = end else { break };
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            events.extend(self.end_line());
        }
        Ok(())
    }

    /// The stream has ended. Returns what is left when the last blank line, or even the last line end, is missing:
    /// the specification drops it, but some servers end right after `data: [DONE]`. It may be cut off anywhere.
    #[must_use]
    pub fn finish(mut self) -> Option<SseEvent> {
        if self.failed {
            return None;
        }
        if !self.line.is_empty()
            && let Some(event) = self.end_line()
        {
            return Some(event);
        }
        self.dispatch()
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.first_line) && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        let event = self.interpret(&line);
        line.clear();
        self.line = line; // keeps its capacity
        event
    }

    fn interpret(&mut self, line: &[u8]) -> Option<SseEvent> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = match line.iter().position(|&byte| byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {} // a comment (empty field name), `id`, `retry`, or unknown: nothing here needs them
        }
        None
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.has_data).then(|| SseEvent {
            name: (!name.is_empty()).then(|| String::from_utf8_lossy(&name).into_owned()),
            data: String::from_utf8_lossy(&data).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        for chunk in chunks {
            parser.push(chunk, &mut events).unwrap();
        }
        events.extend(parser.finish());
        events
    }

    fn event(name: Option<&str>, data: &str) -> SseEvent {
        SseEvent { name: name.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn all_three_line_ends_give_the_same_events() {
        let expected = vec![event(Some("a"), "1\n2"), event(None, "3")];
        for end in ["\n", "\r", "\r\n"] {
            let wire = "event: a\ndata: 1\ndata:2\n\ndata: 3\n\n".replace('\n', end);
            assert_eq!(parse(&[wire.as_bytes()]), expected, "line end {end:?}");
        }
    }

    #[test]
    fn comments_unknown_fields_and_events_without_data_are_passed_over() {
        let wire = b": keepalive 18/19\n\n:\nid: 7\nretry: 10\nevent: lonely\n\nnonsense\ndata\n\n";
        assert_eq!(parse(&[wire]), vec![event(None, "")]);
    }

    #[test]
    fn byte_order_mark_belongs_to_no_event() {
        assert_eq!(parse(&[b"\xEF\xBB", b"\xBFdata: x\n\n"]), vec![event(None, "x")]);
    }

    #[test]
    fn only_one_space_after_the_colon_is_removed() {
        assert_eq!(parse(&[b"data:  x\n\n"]), vec![event(None, " x")]);
    }

    #[test]
    fn a_character_cut_between_reads_stays_whole() {
        assert_eq!(parse(&[b"data: \xE2", b"\x82", b"\xAC\n\n"]), vec![event(None, "€")]);
    }

    #[test]
    fn an_event_comes_out_with_the_byte_that_completes_it() {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        parser.push(b"data: x\r\n", &mut events).unwrap();
        assert!(events.is_empty());
        parser.push(b"\r", &mut events).unwrap();
        assert_eq!(events.len(), 1, "the CR of the blank line is enough");
        parser.push(b"\ndata: y\r\n\r\n", &mut events).unwrap();
        assert_eq!(events, vec![event(None, "x"), event(None, "y")]);
    }

    #[test]
    fn last_event_counts_although_its_blank_line_is_missing() {
        assert_eq!(parse(&[b"data: [DONE]"]), vec![event(None, "[DONE]")]);
        assert_eq!(parse(&[b"data: [DONE]\n"]), vec![event(None, "[DONE]")]);
        assert_eq!(parse(&[b"event: lonely\n"]), vec![]);
    }

    #[test]
    fn an_endless_line_is_an_error_and_not_a_full_memory() {
        let mut parser = SseParser::with_limit(64);
        let mut events = Vec::new();
        let too_large = Err(SseError::TooLarge { limit_bytes: 64 });
        assert_eq!(parser.push(b"data: ok\n\ndata: ", &mut events), Ok(()));
        assert_eq!(parser.push(&[b'x'; 100], &mut events), too_large);
        assert_eq!(parser.push(b"\n\n", &mut events), too_large, "it stays failed");
        assert_eq!(events, vec![event(None, "ok")]);
    }

    #[test]
    fn many_short_data_lines_are_bounded_too() {
        let mut parser = SseParser::with_limit(64);
        let result = parser.push("data: 12345678\n".repeat(10).as_bytes(), &mut Vec::new());
        assert_eq!(result, Err(SseError::TooLarge { limit_bytes: 64 }));
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_how_the_bytes_are_split(
            wire in prop::collection::vec(
                prop::sample::select(vec![
                    &b"data: "[..], b"event: ", b"\n", b"\r", b"\r\n", b"\n\n", b":", b"x", b"\xE2\x82\xAC", b"\xFF", b" ",
                    b"\xEF\xBB\xBF", b"[DONE]",
                ]),
                0..60,
            ),
            cuts in prop::collection::vec(0usize..200, 0..12),
        ) {
            let wire = wire.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(wire.len())).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
            prop_assert_eq!(parse(&pieces), parse(&[&wire]));
            let single: Vec<&[u8]> = wire.chunks(1).collect();
            prop_assert_eq!(parse(&single), parse(&[&wire]));
        }
    }
}
