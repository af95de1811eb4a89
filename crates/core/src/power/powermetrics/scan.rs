//! The XML subset that powermetrics writes, as a forgiving scanner over the bytes of one document.
//!
//! Knows tags, not meanings: which keys matter is [`super`]'s affair. It is not an XML parser, on purpose.
//! powermetrics does not escape its strings, so a process name with `&`, `<` or bytes that are not UTF-8 makes a
//! document that no XML parser accepts, although every number in it is sound. Here a string simply lasts until its own
//! closing tag. Containers that nobody asked for are skipped without looking at what they hold, which is also what
//! makes this fast: nine tenths of a document are residency tables.

use super::DecodeError;

/// How deep containers may nest. Real documents stay below 8.
const MAX_DEPTH: u32 = 60;

/// One piece of structure. Text is given as it stands in the document, without the surrounding white space of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A dictionary's key.
    Key(&'a [u8]),
    /// A dictionary opens.
    DictStart,
    /// The innermost dictionary closes.
    DictEnd,
    /// An array opens.
    ArrayStart,
    /// The innermost array closes.
    ArrayEnd,
    /// A value that holds no others.
    Scalar(Scalar<'a>),
    /// A tag of no known meaning, or the end of a value that was not open: the rest of a name with a tag in it.
    Stray {
        /// It begins with a slash.
        closing: bool,
    },
}

/// A value that holds no others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    /// `<integer>` or `<real>`: the two are interchangeable to every reader of this format.
    Number(&'a [u8]),
    /// `<string>`.
    String(&'a [u8]),
    /// `<date>`.
    Date(&'a [u8]),
    /// `<true/>`, `<false/>`, `<data>` or an empty container: nothing that is read here.
    Other,
}

/// A tag's name without slash and attributes.
#[derive(Clone, Copy)]
struct Tag<'a> {
    name: &'a [u8],
    /// `</name>`
    closing: bool,
    /// `<name/>`, `<name />`
    empty: bool,
}

/// Walks over one document.
pub(super) struct Scanner<'a> {
    document: &'a [u8],
    position: usize,
}

impl<'a> Scanner<'a> {
    /// Stands behind the root dictionary's opening tag.
    pub(super) fn at_root(document: &'a [u8]) -> Result<Self, DecodeError> {
        let mut scanner = Self { document, position: 0 };
        let mut in_plist = false;
        loop {
            let start = scanner.find_tag()?;
            let tag = &document[start..];
            if tag.starts_with(b"<!--") {
                scanner.skip_past(b"-->")?;
            } else if tag.starts_with(b"<?") || tag.starts_with(b"<!") {
                scanner.skip_past(b">")?;
            } else if tag.starts_with(b"<plist") && !in_plist {
                in_plist = true;
                scanner.skip_past(b">")?;
            } else if in_plist && scanner.next()? == Token::DictStart {
                return Ok(scanner);
            } else {
                return Err(DecodeError::NotPropertyList { at: start });
            }
        }
    }

    /// Where the next token is looked for, in bytes from the document's start.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// What stands behind the root dictionary: `</plist>` and nothing else of note, here and behind it. Another document
    /// in the same bytes must not get lost unsaid.
    pub(super) fn expect_end(&mut self) -> Result<(), DecodeError> {
        let start = self.find_tag_past_comments()?;
        if !self.document[start..].starts_with(b"</plist") {
            return Err(DecodeError::Structure { at: start });
        }
        self.skip_past(b">")?;
        let ended = self.position;
        let is_gap = |byte: &u8| matches!(byte, 0 | 0xef | 0xbb | 0xbf) || byte.is_ascii_whitespace();
        loop {
            let rest = &self.document[self.position..];
            let rest = &rest[rest.iter().take_while(|byte| is_gap(byte)).count()..];
            if rest.is_empty() {
                return Ok(());
            }
            if !rest.starts_with(b"<!--") {
                return Err(DecodeError::Structure { at: ended });
            }
            self.skip_past(b"-->")?;
        }
    }

    /// The next token inside the root dictionary. Text between tags is passed over.
    pub(super) fn next(&mut self) -> Result<Token<'a>, DecodeError> {
        let start = self.find_tag_past_comments()?;
        let (tag, text_at) = self.tag(start)?;
        self.position = text_at;
        let scalar = match (tag.closing, tag.name) {
            (false, b"dict") if !tag.empty => return Ok(Token::DictStart),
            (false, b"array") if !tag.empty => return Ok(Token::ArrayStart),
            (true, b"dict") => return Ok(Token::DictEnd),
            (true, b"array") => return Ok(Token::ArrayEnd),
            (false, b"key") => return Ok(Token::Key(self.content(tag)?)),
            (false, b"integer" | b"real") => Scalar::Number(self.content(tag)?),
            (false, b"string") => Scalar::String(self.content(tag)?),
            (false, b"date") => Scalar::Date(self.content(tag)?),
            (false, b"data" | b"true" | b"false") => {
                self.content(tag)?;
                Scalar::Other
            }
            (false, b"dict" | b"array") => Scalar::Other,
            (closing, _) => return Ok(Token::Stray { closing }),
        };
        Ok(Token::Scalar(scalar))
    }

    /// Passes over the rest of a container whose opening tag was just read.
    pub(super) fn skip_container(&mut self, is_dict: bool) -> Result<(), DecodeError> {
        // one bit per open container, 1 for a dictionary: closing tags must match
        let mut open = (1_u64 << 1) | u64::from(is_dict);
        loop {
            let at = self.position;
            match self.next()? {
                Token::DictStart | Token::ArrayStart if open >> MAX_DEPTH != 0 => {
                    return Err(DecodeError::TooDeep { at });
                }
                Token::DictStart => open = (open << 1) | 1,
                Token::ArrayStart => open <<= 1,
                Token::DictEnd if open & 1 == 1 => open >>= 1,
                Token::ArrayEnd if open & 1 == 0 => open >>= 1,
                Token::DictEnd | Token::ArrayEnd => return Err(DecodeError::Structure { at }),
                // names may hold tags
                Token::Key(_) | Token::Scalar(_) | Token::Stray { .. } => {}
            }
            if open == 1 {
                return Ok(());
            }
        }
    }

    /// Moves to the next `<` and gives its place.
    fn find_tag(&mut self) -> Result<usize, DecodeError> {
        let rest = self.document.get(self.position..).unwrap_or_default();
        let distance = memchr::memchr(b'<', rest).ok_or(DecodeError::Cut)?;
        self.position += distance;
        Ok(self.position)
    }

    fn find_tag_past_comments(&mut self) -> Result<usize, DecodeError> {
        loop {
            let start = self.find_tag()?;
            if !self.document[start..].starts_with(b"<!--") {
                return Ok(start);
            }
            self.skip_past(b"-->")?;
        }
    }

    /// The tag at `start` and the place behind its `>`. Attributes are passed over.
    fn tag(&self, start: usize) -> Result<(Tag<'a>, usize), DecodeError> {
        let inside = &self.document[start + 1..];
        let close = memchr::memchr(b'>', inside).ok_or(DecodeError::Cut)?;
        let tag = &inside[..close];
        let (tag, closing) = tag.strip_prefix(b"/").map_or((tag, false), |tag| (tag, true));
        let (tag, empty) = tag.strip_suffix(b"/").map_or((tag, false), |tag| (tag, true));
        let name = tag.iter().position(u8::is_ascii_whitespace).map_or(tag, |end| &tag[..end]);
        Ok((Tag { name, closing, empty }, start + 1 + close + 1))
    }

    /// Everything up to the closing tag, behind which it goes on; nothing for an empty tag.
    fn content(&mut self, tag: Tag<'a>) -> Result<&'a [u8], DecodeError> {
        let start = self.position;
        if tag.empty {
            return Ok(&[]);
        }
        loop {
            let end = self.find_tag()?;
            let closing = self.document[end..].strip_prefix(b"</").and_then(|rest| rest.strip_prefix(tag.name));
            if let Some(rest) = closing {
                let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                if rest.get(blanks) == Some(&b'>') {
                    self.position = end + 2 + tag.name.len() + blanks + 1;
                    return Ok(&self.document[start..end]);
                }
            }
            self.position = end + 1;
        }
    }

    fn skip_past(&mut self, pattern: &[u8]) -> Result<(), DecodeError> {
        let rest = &self.document[self.position..];
        let distance = memchr::memmem::find(rest, pattern).ok_or(DecodeError::Cut)?;
        self.position += distance + pattern.len();
        Ok(())
    }
}
