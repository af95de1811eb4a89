//! What one XPC message holds: a version, the JSON of a message, and for a sample its document. Nothing else.

use std::ffi::CStr;
use std::fmt;

/// Version of the envelope; the messages inside have their own.
pub const VERSION: u64 = 1;
/// Key of the version, an unsigned integer.
pub const VERSION_KEY: &CStr = c"v";
/// Key of the JSON, as data.
pub const MESSAGE_KEY: &CStr = c"m";
/// Key of the document, as data.
pub const DOCUMENT_KEY: &CStr = c"b";

/// A dictionary as it came, unchecked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a> {
    /// Number of entries.
    pub count: usize,
    /// What is at [`VERSION_KEY`]; 0 if nothing is there, or something else than an unsigned integer.
    pub version: u64,
    /// What is at [`MESSAGE_KEY`]; `None` if nothing is there, or something else than data.
    pub message: Option<&'a [u8]>,
    /// What is at [`DOCUMENT_KEY`]; `None` if nothing is there, or something else than data.
    pub document: Option<&'a [u8]>,
}

/// A message that has the right form. What it says is for others to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// JSON, not parsed yet.
    pub message: &'a [u8],
    /// The document of a sample.
    pub document: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// Checks the form and the lengths, in bytes. A side that is sent no documents gives `None` for theirs.
    ///
    /// # Errors
    /// [`Refused`]: the other side does not keep to the protocol.
    pub fn check(self, max_message: usize, max_document: Option<usize>) -> Result<Envelope<'a>, Refused> {
        if self.version != VERSION {
            return Err(Refused::Version { found: self.version });
        }
        let message = self.message.ok_or(Refused::Form)?;
        if self.count != 2 + usize::from(self.document.is_some()) {
            return Err(Refused::Form);
        }
        if message.len() > max_message {
            return Err(Refused::TooLong { bytes: message.len(), max: max_message });
        }
        match (self.document, max_document) {
            (Some(_), None) => Err(Refused::Form),
            (Some(document), Some(max)) if document.len() > max => Err(Refused::TooLong { bytes: document.len(), max }),
            (document, _) => Ok(Envelope { message, document }),
        }
    }
}

/// Why a dictionary is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another version of the envelope.
    Version {
        /// The version; 0 if there is none.
        found: u64,
    },
    /// An entry is missing, of another type, or one too many.
    Form,
    /// Longer than allowed.
    TooLong {
        /// Length of what came.
        bytes: usize,
        /// What is allowed.
        max: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found } => write!(f, "an envelope of version {found}, {VERSION} is understood"),
            Self::Form => f.write_str("an envelope with other entries than a version and a message"),
            Self::TooLong { bytes, max } => write!(f, "an entry of {bytes} bytes, {max} are allowed"),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Fields<'static> = Fields { count: 2, version: 1, message: Some(b"{}"), document: None };

    #[test]
    fn message_with_or_without_a_document_is_taken_as_it_came() {
        assert_eq!(GOOD.check(2, None), Ok(Envelope { message: b"{}", document: None }));
        let sample = Fields { count: 3, document: Some(b"abc"), ..GOOD };
        assert_eq!(sample.check(2, Some(3)), Ok(Envelope { message: b"{}", document: Some(b"abc") }));
    }

    #[test]
    fn anything_missing_surplus_or_too_long_is_refused() {
        let document = Fields { count: 3, document: Some(b"abc"), ..GOOD };
        let cases = [
            (Fields::default(), None, Refused::Version { found: 0 }),
            (Fields { version: 2, ..GOOD }, None, Refused::Version { found: 2 }),
            (Fields { message: None, ..GOOD }, None, Refused::Form),
            (Fields { count: 3, ..GOOD }, None, Refused::Form),
            (Fields { count: 2, ..document }, Some(3), Refused::Form),
            (document, None, Refused::Form),
            (document, Some(2), Refused::TooLong { bytes: 3, max: 2 }),
        ];
        for (fields, max_document, refused) in cases {
            assert_eq!(fields.check(2, max_document), Err(refused), "{fields:?}");
        }
        assert_eq!(GOOD.check(1, None), Err(Refused::TooLong { bytes: 2, max: 1 }));
    }
}
