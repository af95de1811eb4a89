//! A conversation over a connection that carries whole messages: XPC on a Mac, anything in a test.
//!
//! Knows what a message from the helper must look like, and what it means when the connection says that it was interrupted,
//! that it is invalid, or that somebody else answers. Leaves to others: the connection itself ([`Link`], [`super::xpc`] on a
//! Mac), and what to do about an interruption ([`super::helper`]).

use std::future::Future;

use joulebar_wire::frame::{Received, WireError, parse_reply};
use joulebar_wire::limits::{MAX_DOCUMENT_BYTES, MAX_MESSAGE_BYTES};
use joulebar_wire::{Reply, Request};

use super::transport::{Transport, TransportError};

/// What comes out of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// A message.
    Message {
        /// Its JSON, not looked at.
        json: Vec<u8>,
        /// The document that came with it.
        document: Option<Vec<u8>>,
    },
    /// What came has not the form of a message.
    Malformed {
        /// What is wrong with it.
        what: String,
    },
    /// The helper ended. The connection can still be used: the next message starts a helper anew.
    Interrupted,
    /// The connection can't be used, now or ever: nobody has this name, or it was cancelled.
    Invalid,
    /// Who answered is not signed as the helper is.
    Stranger,
}

/// A connection to whoever has the helper's name.
pub trait Link: Send + 'static {
    /// Sends the JSON of a request. What happens to it comes as an event.
    fn send(&mut self, json: &[u8]);

    /// Waits for the next event. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = LinkEvent> + Send;

    /// Ends the connection. The helper then runs nothing for this program.
    fn cancel(&mut self);
}

/// A conversation over a [`Link`].
#[derive(Debug)]
pub struct LinkTransport<L: Link> {
    link: L,
    is_over: bool,
}

impl<L: Link> LinkTransport<L> {
    /// A conversation in which nothing was said yet.
    pub fn new(link: L) -> Self {
        Self { link, is_over: false }
    }
}

impl<L: Link> Transport for LinkTransport<L> {
    async fn send(&mut self, request: &Request) -> Result<(), TransportError> {
        if self.is_over {
            return Err(TransportError::Invalid);
        }
        let json = serde_json::to_vec(request).map_err(WireError::Malformed)?;
        if json.len() > MAX_MESSAGE_BYTES {
            return Err(too_long(json.len(), MAX_MESSAGE_BYTES));
        }
        self.link.send(&json);
        Ok(())
    }

    async fn receive(&mut self) -> Result<Option<Received>, TransportError> {
        if self.is_over {
            return Ok(None);
        }
        match self.link.next().await {
            LinkEvent::Message { json, document } => read_message(&json, document).map(Some),
            LinkEvent::Malformed { what } => Err(TransportError::Malformed(what)),
            LinkEvent::Interrupted => Err(TransportError::Interrupted),
            LinkEvent::Invalid => {
                self.is_over = true;
                Err(TransportError::Invalid)
            }
            LinkEvent::Stranger => {
                self.is_over = true;
                self.link.cancel();
                Err(TransportError::Stranger)
            }
        }
    }

    async fn close(&mut self) {
        if !self.is_over {
            self.is_over = true;
            self.link.cancel();
        }
    }

    fn last_words(&self) -> String {
        String::new()
    }
}

/// Checks a message as the frames of a byte stream are checked: its length, its words, and that a document comes with a
/// sample, whole, and with nothing else.
fn read_message(json: &[u8], document: Option<Vec<u8>>) -> Result<Received, TransportError> {
    if json.len() > MAX_MESSAGE_BYTES {
        return Err(too_long(json.len(), MAX_MESSAGE_BYTES));
    }
    let reply = parse_reply(json)?;
    let announced = if let Reply::Sample { len, .. } = &reply { Some(u64::from(*len)) } else { None };
    let len = document.as_ref().map(Vec::len);
    if len.is_some_and(|len| len > MAX_DOCUMENT_BYTES) {
        return Err(too_long(len.unwrap_or_default(), MAX_DOCUMENT_BYTES));
    }
    if announced != len.map(|len| len as u64) {
        return Err(WireError::LengthMismatch.into());
    }
    Ok(Received { reply, document })
}

fn too_long(len: usize, max: usize) -> TransportError {
    WireError::TooLong { announced: len as u64, max }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(len: u32) -> Vec<u8> {
        serde_json::to_vec(&Reply::Sample { id: 1, seq: 0, mono_ns: 5, offset: 0, dropped: 0, len }).unwrap()
    }

    fn is_wire_error(result: Result<Received, TransportError>) -> bool {
        matches!(result, Err(TransportError::Wire(_)))
    }

    #[test]
    fn a_sample_comes_with_its_document_and_nothing_else_does() {
        let received = read_message(&sample(3), Some(b"abc".to_vec())).unwrap();
        assert_eq!(received.document.as_deref(), Some(&b"abc"[..]));
        assert!(is_wire_error(read_message(&sample(4), Some(b"abc".to_vec()))));
        assert!(is_wire_error(read_message(&sample(3), None)));
        let pong = serde_json::to_vec(&Reply::Pong { n: 1 }).unwrap();
        assert!(read_message(&pong, None).is_ok());
        assert!(is_wire_error(read_message(&pong, Some(Vec::new()))));
    }

    #[test]
    fn what_is_too_long_or_no_message_is_refused() {
        let mut long = serde_json::to_vec(&Reply::Pong { n: 1 }).unwrap();
        long.resize(MAX_MESSAGE_BYTES + 1, b' ');
        assert!(is_wire_error(read_message(&long, None)));
        let len = u32::try_from(MAX_DOCUMENT_BYTES + 1).unwrap();
        assert!(is_wire_error(read_message(&sample(len), Some(vec![0; MAX_DOCUMENT_BYTES + 1]))));
        for bad in [&b""[..], b"{}", b"[]", b"\xff", b"{\"t\":\"pong\",\"n\":1,\"x\":2}"] {
            assert!(is_wire_error(read_message(bad, None)), "{bad:?}");
        }
    }
}
