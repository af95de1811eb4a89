//! Messages on a byte stream: a frame is its length (u32, little-endian) and that many bytes.
//!
//! A message is one frame of JSON. The frame of a `sample` is followed by one raw frame, the document. Bytes may arrive
//! in any split. Nothing is kept beyond one frame's limit and what was pushed last.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _};

use crate::limits::{MAX_DOCUMENT_BYTES, MAX_MESSAGE_BYTES};
use crate::message::{Reply, Request};

const PREFIX_BYTES: usize = 4;

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    taken: usize,
}

impl FrameDecoder {
    /// An empty decoder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came. Take all frames out before pushing more, else they pile up.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame without its length; `None` until more bytes come.
    ///
    /// # Errors
    /// [`WireError::TooLong`] for a frame that announces more than `max_bytes`, before any of it is waited for. Where the
    /// next frame begins is then unknown: the conversation is over, and every further call says the same.
    pub fn next_frame(&mut self, max_bytes: usize) -> Result<Option<Vec<u8>>, WireError> {
        let waiting = &self.buffer[self.taken..];
        let Some((prefix, rest)) = waiting.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let announced = u32::from_le_bytes(*prefix);
        let Some(len) = usize::try_from(announced).ok().filter(|len| *len <= max_bytes) else {
            return Err(WireError::TooLong { announced: u64::from(announced), max: max_bytes });
        };
        let Some(frame) = rest.get(..len) else { return Ok(None) };
        let frame = frame.to_vec();
        self.taken += PREFIX_BYTES + len;
        Ok(Some(frame))
    }

    /// Bytes of an unfinished frame; above zero at the end of a stream means that it was cut.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.taken
    }
}

/// A reply together with the document that a `sample` carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The message.
    pub reply: Reply,
    /// The document of a `sample`; `None` for every other message.
    pub document: Option<Vec<u8>>,
}

/// Cuts the helper's stream into replies, for the client.
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    frames: FrameDecoder,
    sample: Option<(Reply, usize)>,
}

impl ReplyDecoder {
    /// An empty decoder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
    }

    /// The next whole reply; `None` until more bytes come.
    ///
    /// # Errors
    /// Any error ends the conversation: the helper broke the protocol.
    pub fn next_reply(&mut self) -> Result<Option<Received>, WireError> {
        if self.sample.is_none() {
            let Some(frame) = self.frames.next_frame(MAX_MESSAGE_BYTES)? else { return Ok(None) };
            let reply = parse_reply(&frame)?;
            let Reply::Sample { len, .. } = reply else { return Ok(Some(Received { reply, document: None })) };
            let len = usize::try_from(len).ok().filter(|len| *len <= MAX_DOCUMENT_BYTES);
            let len = len.ok_or(WireError::TooLong { announced: u64::MAX, max: MAX_DOCUMENT_BYTES })?;
            self.sample = Some((reply, len));
        }
        let Some(document) = self.frames.next_frame(MAX_DOCUMENT_BYTES)? else { return Ok(None) };
        match self.sample.take() {
            Some((reply, len)) if len == document.len() => Ok(Some(Received { reply, document: Some(document) })),
            _ => Err(WireError::LengthMismatch),
        }
    }

    /// Whether the stream may end here: no frame is unfinished and no document is outstanding.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.sample.is_none() && self.frames.pending_bytes() == 0
    }
}

/// Reads the JSON of a request.
///
/// # Errors
/// [`WireError::Malformed`] for anything that is not exactly one known message.
pub fn parse_request(frame: &[u8]) -> Result<Request, WireError> {
    parse(frame)
}

/// Reads the JSON of a reply.
///
/// # Errors
/// [`WireError::Malformed`] for anything that is not exactly one known message.
pub fn parse_reply(frame: &[u8]) -> Result<Reply, WireError> {
    parse(frame)
}

fn parse<T: DeserializeOwned>(frame: &[u8]) -> Result<T, WireError> {
    // serde would take the fields in an array as well, without their names
    if frame.first() != Some(&b'{') {
        return Err(WireError::Malformed(serde_json::Error::custom("not an object")));
    }
    serde_json::from_slice(frame).map_err(WireError::Malformed)
}

/// A request as one frame.
///
/// # Errors
/// [`WireError::TooLong`] beyond [`MAX_MESSAGE_BYTES`].
pub fn encode_request(request: &Request) -> Result<Vec<u8>, WireError> {
    encode(&serde_json::to_vec(request).map_err(WireError::Malformed)?, MAX_MESSAGE_BYTES)
}

/// A reply as one frame. That of a `sample` must be followed by its document, framed by [`encode_document_prefix`].
///
/// # Errors
/// [`WireError::TooLong`] beyond [`MAX_MESSAGE_BYTES`].
pub fn encode_reply(reply: &Reply) -> Result<Vec<u8>, WireError> {
    encode(&serde_json::to_vec(reply).map_err(WireError::Malformed)?, MAX_MESSAGE_BYTES)
}

/// The length that goes in front of a document's bytes, so that these need not be copied.
///
/// # Errors
/// [`WireError::TooLong`] beyond [`MAX_DOCUMENT_BYTES`].
pub fn encode_document_prefix(len: usize) -> Result<[u8; PREFIX_BYTES], WireError> {
    prefix(len, MAX_DOCUMENT_BYTES)
}

fn encode(payload: &[u8], max_bytes: usize) -> Result<Vec<u8>, WireError> {
    let mut frame = prefix(payload.len(), max_bytes)?.to_vec();
    frame.extend_from_slice(payload);
    Ok(frame)
}

fn prefix(len: usize, max: usize) -> Result<[u8; PREFIX_BYTES], WireError> {
    let fitting = u32::try_from(len).ok().filter(|_| len <= max);
    fitting.map(u32::to_le_bytes).ok_or(WireError::TooLong { announced: len as u64, max })
}

/// Why bytes are not a message.
#[derive(Debug)]
pub enum WireError {
    /// A frame is longer than allowed.
    TooLong {
        /// Bytes that the frame announces.
        announced: u64,
        /// Bytes that are allowed.
        max: usize,
    },
    /// A frame is not the JSON of a known message.
    Malformed(serde_json::Error),
    /// The document after a `sample` is not as long as the sample says.
    LengthMismatch,
    /// What a message came in, where the transport has no frames, holds something else than a message.
    Envelope,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { announced, max } => write!(f, "a frame of {announced} bytes, {max} are allowed"),
            Self::Malformed(_) => f.write_str("not a message of this protocol"),
            Self::LengthMismatch => f.write_str("the document is not as long as its sample says"),
            Self::Envelope => f.write_str("not an envelope of this protocol"),
        }
    }
}

impl std::error::Error for WireError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed(source) => Some(source),
            Self::TooLong { .. } | Self::LengthMismatch | Self::Envelope => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ErrorCode, StopReason};

    fn sample(len: u32) -> Reply {
        Reply::Sample { id: 7, seq: 42, mono_ns: 5, offset: 0, dropped: 0, len }
    }

    fn sample_frames(document: &[u8]) -> Vec<u8> {
        let mut bytes = encode_reply(&sample(u32::try_from(document.len()).unwrap())).unwrap();
        bytes.extend_from_slice(&encode_document_prefix(document.len()).unwrap());
        bytes.extend_from_slice(document);
        bytes
    }

    #[test]
    fn a_frame_is_its_length_in_little_endian_and_the_json() {
        let frame = encode_request(&Request::Ping { n: 3 }).unwrap();
        assert_eq!(frame, b"\x12\0\0\0{\"t\":\"ping\",\"n\":3}");
    }

    #[test]
    fn replies_are_the_same_however_the_bytes_are_split() {
        let mut bytes = sample_frames(b"<plist>\0\xff</plist>");
        bytes.extend(encode_reply(&Reply::Stopped { id: 7, reason: StopReason::Client }).unwrap());
        bytes.extend(sample_frames(b""));
        for size in 1..bytes.len() {
            let mut decoder = ReplyDecoder::new();
            let mut seen = Vec::new();
            for chunk in bytes.chunks(size) {
                decoder.push(chunk);
                while let Some(received) = decoder.next_reply().unwrap() {
                    seen.push(received);
                }
            }
            assert_eq!(seen.len(), 3, "chunks of {size}");
            assert_eq!(seen[0].document.as_deref(), Some(&b"<plist>\0\xff</plist>"[..]));
            assert_eq!(
                seen[1],
                Received { reply: Reply::Stopped { id: 7, reason: StopReason::Client }, document: None }
            );
            assert_eq!(seen[2].document.as_deref(), Some(&b""[..]));
            assert!(decoder.is_at_boundary());
        }
    }

    #[test]
    fn threat_09_a_frame_beyond_the_limit_is_refused_by_its_length_alone() {
        let mut decoder = FrameDecoder::new();
        decoder.push(&4097u32.to_le_bytes());
        for _ in 0..2 {
            let error = decoder.next_frame(4096).unwrap_err();
            assert!(matches!(error, WireError::TooLong { announced: 4097, max: 4096 }), "{error:?}");
        }
    }

    #[test]
    fn a_document_of_another_length_than_announced_is_refused() {
        let mut decoder = ReplyDecoder::new();
        decoder.push(&encode_reply(&sample(3)).unwrap());
        decoder.push(&[2, 0, 0, 0, b'a', b'b']);
        assert!(matches!(decoder.next_reply(), Err(WireError::LengthMismatch)));
    }

    #[test]
    fn a_cut_stream_is_not_at_a_boundary() {
        let mut decoder = ReplyDecoder::new();
        decoder.push(&encode_reply(&sample(3)).unwrap());
        assert_eq!(decoder.next_reply().unwrap(), None);
        assert!(!decoder.is_at_boundary());
    }

    #[test]
    fn threat_17_deep_json_is_an_error_and_not_a_stack_overflow() {
        let frame = format!("{{\"t\":\"ping\",\"n\":{}", "[".repeat(4000));
        assert!(matches!(parse_request(frame.as_bytes()), Err(WireError::Malformed(_))));
    }

    #[test]
    fn a_message_is_an_object_and_never_an_array_of_its_values() {
        for frame in [r#"["hello",1,"x"]"#, r#"[{"t":"ping","n":1}]"#, r#" ["ping",1]"#, r#" {"t":"ping","n":1}"#, ""] {
            assert!(matches!(parse_request(frame.as_bytes()), Err(WireError::Malformed(_))), "{frame}");
        }
        for frame in [r#"["pong",1]"#, r#"["stopped",7,"client"]"#] {
            assert!(matches!(parse_reply(frame.as_bytes()), Err(WireError::Malformed(_))), "{frame}");
        }
        assert_eq!(parse_request(br#"{"t":"ping","n":1}"#).unwrap(), Request::Ping { n: 1 });
    }

    #[test]
    fn threat_19_details_are_capped_and_carry_no_control_characters() {
        let Reply::Error { detail, .. } = Reply::error(ErrorCode::Internal, None, &"é\n\u{1b}".repeat(1000)) else {
            panic!("not an error")
        };
        assert_eq!(detail.chars().count(), crate::limits::MAX_DETAIL_CHARS);
        assert!(detail.starts_with("é\\n\\u{1b}é"));
        assert!(encode_reply(&Reply::error(ErrorCode::Internal, None, &"\u{10ffff}\"".repeat(1000))).is_ok());
    }
}
