//! The helper's connection: whom to talk to, and XPC's events as those of a [`Link`].
//!
//! Knows which of the two services this build means, and the code-signing requirement that its helper must satisfy, which is
//! set before the connection is active. Plain code over [`Calls`]; on a Mac the calls are libxpc's. Not checked without a
//! Mac: that libxpc tells of an interruption, an invalid name and a wrong peer as its header says.

use std::ffi::CString;
use std::path::Path;

use joulebar_wire::identity::{HELPER_ID, HELPER_REQUIREMENT, HELPER_REQUIREMENT_FILE, LOCAL_HELPER_ID};
use joulebar_wire::limits::{MAX_DOCUMENT_BYTES, MAX_MESSAGE_BYTES};
use joulebar_xpc::{Active, Calls, Endpoint, Fault, FileError, Incoming, InvalidRequirement, Requirement};
use tokio::sync::mpsc;

use super::link::{Link, LinkEvent};

/// Events that wait. When they are full libxpc's thread waits too, and the helper's own limit takes over.
const WAITING_EVENTS: usize = 16;

/// Whom to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Name of the Mach service.
    pub service: &'static str,
    /// What whoever answers must satisfy.
    pub requirement: Requirement,
}

/// Why there is nobody to talk to.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum NoPeer {
    #[error(
        "no helper was installed for this build, which no team has signed; `sudo joulebar helper install` does it ({HELPER_REQUIREMENT_FILE} is missing)"
    )]
    NotInstalled,
    #[error("{HELPER_REQUIREMENT_FILE} does not say which helper is meant: {0}")]
    File(FileError),
    #[error("the helper’s code-signing requirement can't be used: {0}")]
    Requirement(InvalidRequirement),
}

impl Peer {
    /// The helper of this build: the one that the app registers, where a team has signed both; else the one that
    /// `joulebar helper install` has put in place. Nobody else, ever.
    ///
    /// # Errors
    /// [`NoPeer`].
    pub fn of_this_build() -> Result<Self, NoPeer> {
        Self::of(HELPER_REQUIREMENT, || Requirement::read(Path::new(HELPER_REQUIREMENT_FILE)))
    }

    fn of(compiled: Option<&str>, read: impl FnOnce() -> Result<Requirement, FileError>) -> Result<Self, NoPeer> {
        match compiled {
            Some(text) => {
                let requirement = Requirement::new(text).map_err(NoPeer::Requirement)?;
                Ok(Self { service: HELPER_ID, requirement })
            }
            None => match read() {
                Ok(requirement) => Ok(Self { service: LOCAL_HELPER_ID, requirement }),
                Err(FileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Err(NoPeer::NotInstalled),
                Err(error) => Err(NoPeer::File(error)),
            },
        }
    }
}

/// A connection to the helper. Dropping it ends it.
pub struct XpcLink<C: Calls> {
    active: Option<Active<C>>,
    events: mpsc::Receiver<LinkEvent>,
}

impl<C: Calls> XpcLink<C> {
    /// Connects to `peer`; that it is there shows with the first message.
    ///
    /// # Errors
    /// [`NoPeer::Requirement`] when the system can't read the requirement. Nothing was sent to anybody then.
    pub fn connect(calls: C, peer: &Peer) -> Result<Self, NoPeer> {
        let service = CString::new(peer.service).map_err(|_| NoPeer::Requirement(InvalidRequirement::NotOneLine))?;
        let endpoint = Endpoint::connect(calls, &service).restrict(&peer.requirement).map_err(NoPeer::Requirement)?;
        let (sender, events) = mpsc::channel(WAITING_EVENTS);
        let active = endpoint.activate(Box::new(move |incoming| {
            if let Some(event) = event_of(incoming) {
                // it fails when the link is gone: then nobody wants the event
                let _ = sender.blocking_send(event);
            }
        }));
        Ok(Self { active: Some(active), events })
    }
}

fn event_of<C: Calls>(incoming: Incoming<'_, C>) -> Option<LinkEvent> {
    match incoming {
        // only a listener gets any; dropped, it is turned away
        Incoming::Peer(_) => None,
        Incoming::Message(fields) => Some(match fields.check(MAX_MESSAGE_BYTES, Some(MAX_DOCUMENT_BYTES)) {
            Ok(envelope) => {
                LinkEvent::Message { json: envelope.message.to_vec(), document: envelope.document.map(<[u8]>::to_vec) }
            }
            Err(refused) => LinkEvent::Malformed { what: format!("{refused:?}") },
        }),
        Incoming::Fault(Fault::Interrupted) => Some(LinkEvent::Interrupted),
        Incoming::Fault(Fault::WrongPeer) => Some(LinkEvent::Stranger),
        Incoming::Fault(Fault::Invalid | Fault::Other) => Some(LinkEvent::Invalid),
        Incoming::Fault(Fault::TerminationImminent) => None,
    }
}

impl<C: Calls> Link for XpcLink<C> {
    fn send(&mut self, json: &[u8]) {
        if let Some(active) = &self.active {
            active.send(json, None);
        }
    }

    async fn next(&mut self) -> LinkEvent {
        self.events.recv().await.unwrap_or(LinkEvent::Invalid)
    }

    fn cancel(&mut self) {
        self.events.close();
        self.active = None;
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::sync::{Arc, Mutex};

    use joulebar_xpc::{Fields, Handler};

    use super::*;

    /// Writes down what is called, and keeps the handler.
    #[derive(Clone, Default)]
    struct Recorder {
        calls: Arc<Mutex<Vec<String>>>,
        handler: Arc<Mutex<Option<Handler<Recorder>>>>,
    }

    impl Recorder {
        fn note(&self, call: impl Into<String>) {
            self.calls.lock().unwrap().push(call.into());
        }

        /// Gives an event as libxpc's thread would.
        fn give(&self, incoming: impl FnOnce() -> Incoming<'static, Self> + Send + 'static) {
            let handler = Arc::clone(&self.handler);
            std::thread::spawn(move || handler.lock().unwrap().as_ref().unwrap()(incoming())).join().unwrap();
        }
    }

    impl Calls for Recorder {
        type Connection = ();
        fn listen(&self, _: &CStr) {}
        fn connect(&self, service: &CStr) {
            self.note(format!("connect {}", service.to_str().unwrap()));
        }
        fn require(&self, (): &(), requirement: &CStr) -> bool {
            self.note(format!("require {}", requirement.to_str().unwrap()));
            requirement.to_bytes() != b"no grammar"
        }
        fn set_handler(&self, (): &(), handler: Handler<Self>) {
            *self.handler.lock().unwrap() = Some(handler);
        }
        fn activate(&self, (): &()) {
            self.note("activate");
        }
        fn send(&self, (): &(), message: &[u8], document: Option<&[u8]>) {
            assert!(document.is_none());
            self.note(format!("send {}", String::from_utf8_lossy(message)));
        }
        fn barrier(&self, (): &(), _: Box<dyn FnOnce() + Send>) {}
        fn user(&self, (): &()) -> u32 {
            0
        }
        fn cancel(&self, (): &()) {
            self.note("cancel");
        }
        fn release(&self, (): &()) {
            self.note("release");
        }
    }

    fn peer(requirement: &str) -> Peer {
        Peer { service: HELPER_ID, requirement: Requirement::new(requirement).unwrap() }
    }

    #[test]
    fn threat_05_helper_is_pinned_before_anything_is_sent() {
        let calls = Recorder::default();
        let mut link = XpcLink::connect(calls.clone(), &peer("anchor apple")).unwrap();
        link.send(b"{}");
        link.cancel();
        link.send(b"{}");
        let expected =
            [&format!("connect {HELPER_ID}"), "require anchor apple", "activate", "send {}", "cancel", "release"];
        assert_eq!(*calls.calls.lock().unwrap(), expected);
    }

    #[test]
    fn threat_05_without_a_requirement_that_is_understood_nothing_is_activated() {
        let calls = Recorder::default();
        assert!(matches!(XpcLink::connect(calls.clone(), &peer("no grammar")), Err(NoPeer::Requirement(_))));
        assert!(!calls.calls.lock().unwrap().iter().any(|call| call == "activate" || call.starts_with("send")));
    }

    #[test]
    fn threat_05_a_build_without_a_team_needs_the_file_of_root() {
        let forged = || Err(FileError::Owner { user: 501, group: 20 });
        assert!(matches!(Peer::of(None, forged), Err(NoPeer::File(_))));
        let missing = || Err(FileError::Io(std::io::ErrorKind::NotFound.into()));
        assert!(matches!(Peer::of(None, missing), Err(NoPeer::NotInstalled)));
        let local = Peer::of(None, || Ok(Requirement::new("cdhash H\"00\"").unwrap())).unwrap();
        assert_eq!(local.service, LOCAL_HELPER_ID);
        let signed = Peer::of(Some("anchor apple"), || panic!("the file is for builds without a team")).unwrap();
        assert_eq!(signed, peer("anchor apple"));
    }

    #[tokio::test]
    async fn events_of_xpc_are_those_of_the_link() {
        let calls = Recorder::default();
        let mut link = XpcLink::connect(calls.clone(), &peer("anchor apple")).unwrap();
        let fields = |count, document| Fields { count, version: 1, message: Some(b"{}"), document };
        calls.give(move || Incoming::Message(fields(2, None)));
        calls.give(move || Incoming::Message(fields(3, Some(b"<plist/>"))));
        calls.give(move || Incoming::Message(fields(4, None)));
        for fault in [Fault::TerminationImminent, Fault::Interrupted, Fault::WrongPeer, Fault::Invalid, Fault::Other] {
            calls.give(move || Incoming::Fault(fault));
        }
        assert_eq!(link.next().await, LinkEvent::Message { json: b"{}".to_vec(), document: None });
        let document = Some(b"<plist/>".to_vec());
        assert_eq!(link.next().await, LinkEvent::Message { json: b"{}".to_vec(), document });
        assert!(matches!(link.next().await, LinkEvent::Malformed { .. }));
        for event in [LinkEvent::Interrupted, LinkEvent::Stranger, LinkEvent::Invalid, LinkEvent::Invalid] {
            assert_eq!(link.next().await, event);
        }
        link.cancel();
        assert_eq!(link.next().await, LinkEvent::Invalid);
        calls.give(|| Incoming::Fault(Fault::Invalid));
    }
}
