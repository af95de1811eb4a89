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
    /// `<true/>`, `<false/>` or `<data>`: nothing that is read here.
    Other,
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

    /// What stands behind the root dictionary: `</plist>` and nothing else of note.
    pub(super) fn expect_end(&mut self) -> Result<(), DecodeError> {
        let start = self.find_tag()?;
        if self.document[start..].starts_with(b"</plist") {
            return self.skip_past(b">");
        }
        Err(DecodeError::Structure { at: start })
    }

    /// The next token inside the root dictionary. Text between tags is passed over.
    pub(super) fn next(&mut self) -> Result<Token<'a>, DecodeError> {
        loop {
            let start = self.find_tag()?;
            let tag = &self.document[start..];
            if tag.starts_with(b"<!--") {
                self.skip_past(b"-->")?;
                continue;
            }
            let (name, text_at) = self.tag_name(start)?;
            self.position = text_at;
            let token = match name {
                b"key" => Token::Key(self.text(b"</key>")?),
                b"dict" => Token::DictStart,
                b"/dict" => Token::DictEnd,
                b"array" => Token::ArrayStart,
                b"/array" => Token::ArrayEnd,
                b"integer" => Token::Scalar(Scalar::Number(self.text(b"</integer>")?)),
                b"real" => Token::Scalar(Scalar::Number(self.text(b"</real>")?)),
                b"string" => Token::Scalar(Scalar::String(self.text(b"</string>")?)),
                b"date" => Token::Scalar(Scalar::Date(self.text(b"</date>")?)),
                b"data" => {
                    self.text(b"</data>")?;
                    Token::Scalar(Scalar::Other)
                }
                b"true/" | b"false/" | b"string/" | b"data/" => Token::Scalar(Scalar::Other),
                b"dict/" | b"array/" => Token::Scalar(Scalar::Other),
                _ => return Err(DecodeError::Structure { at: start }),
            };
            return Ok(token);
        }
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
                Token::Key(_) | Token::Scalar(_) => {}
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

    /// The name in the tag at `start`, with its slash, and the place behind its `>`. Attributes are passed over.
    fn tag_name(&self, start: usize) -> Result<(&'a [u8], usize), DecodeError> {
        let inside = &self.document[start + 1..];
        let close = memchr::memchr(b'>', inside).ok_or(DecodeError::Cut)?;
        let tag = &inside[..close];
        let name = tag.iter().position(u8::is_ascii_whitespace).map_or(tag, |end| &tag[..end]);
        Ok((name, start + 1 + close + 1))
    }

    /// Everything up to `closing`, behind which it goes on.
    fn text(&mut self, closing: &[u8]) -> Result<&'a [u8], DecodeError> {
        let start = self.position;
        loop {
            let end = self.find_tag()?;
            if self.document[end..].starts_with(closing) {
                self.position = end + closing.len();
                return Ok(&self.document[start..end]);
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
