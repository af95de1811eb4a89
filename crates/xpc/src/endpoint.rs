//! The life of a connection as types: it is made, it learns which peers are allowed, it is activated, it is used. A step
//! that is left out does not compile; there is no way from [`Unrestricted`] to [`Active`].
//!
//! ```compile_fail
//! # use joulebar_xpc::{Calls, Endpoint, Unrestricted, Handler};
//! fn listen_to_everybody<C: Calls>(listener: Endpoint<Unrestricted, C>, handler: Handler<C>) {
//!     listener.activate(handler); // no such method: only Endpoint<Restricted, C> has it
//! }
//! ```
//!
//! Knows the order of calls and who cancels and releases what. Leaves to [`Calls`]: libxpc, or a recorder in tests.

use std::ffi::CStr;
use std::marker::PhantomData;

use crate::envelope::Fields;
use crate::requirement::{InvalidRequirement, Requirement};

/// The calls into libxpc that this crate makes.
pub trait Calls: Clone + Send + Sync + Sized + 'static {
    /// Owns one reference to a connection.
    type Connection: Send + Sync;

    /// A listener for a Mach service that launchd holds for this process, not yet active.
    fn listen(&self, service: &CStr) -> Self::Connection;
    /// A client of a Mach service of a root daemon, not yet active. No user's service of the same name can take its place.
    fn connect(&self, service: &CStr) -> Self::Connection;
    /// Drops every peer that does not satisfy the requirement; false if the system can't read it.
    fn require(&self, connection: &Self::Connection, requirement: &CStr) -> bool;
    /// Sets what is called with everything that comes in, one event at a time.
    fn set_handler(&self, connection: &Self::Connection, handler: Handler<Self>);
    /// Events come from now on.
    fn activate(&self, connection: &Self::Connection);
    /// Queues one message; the bytes are copied.
    fn send(&self, connection: &Self::Connection, message: &[u8], document: Option<&[u8]>);
    /// Calls back once everything that was queued before has been sent and its memory is free, or the connection is gone.
    fn barrier(&self, connection: &Self::Connection, sent: Box<dyn FnOnce() + Send>);
    /// Effective user of the process at the other end, for the log.
    fn user(&self, connection: &Self::Connection) -> u32;
    /// Ends the connection. The handler is told [`Fault::Invalid`] once more.
    fn cancel(&self, connection: &Self::Connection);
    /// Gives the reference back; only for a connection that was activated or cancelled.
    fn release(&self, connection: &Self::Connection);
}

/// Called with everything that comes in. It may block; nothing else comes in meanwhile.
pub type Handler<C> = Box<dyn Fn(Incoming<'_, C>) + Send + Sync>;

/// What comes in.
pub enum Incoming<'a, C: Calls> {
    /// A new client, at a listener.
    Peer(Unaccepted<C>),
    /// A message.
    Message(Fields<'a>),
    /// An end or an interruption.
    Fault(Fault),
}

/// Why nothing comes in any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is over: cancelled, the peer is gone, or there is no such service. A new one must be made.
    Invalid,
    /// The service has ended. The next message starts it again, on the same connection.
    Interrupted,
    /// The system wants this process to end soon.
    TerminationImminent,
    /// What answers does not satisfy the requirement.
    WrongPeer,
    /// Anything else.
    Other,
}

/// Nobody was excluded yet.
#[derive(Debug)]
pub enum Unrestricted {}
/// Only peers that satisfy the requirement get through.
#[derive(Debug)]
pub enum Restricted {}

/// A listener, or a client's end, that is not active yet.
///
/// One that is dropped in this state is leaked on purpose: libxpc aborts a process that releases an inactive connection.
pub struct Endpoint<State, C: Calls> {
    calls: C,
    connection: C::Connection,
    state: PhantomData<State>,
}

/// An endpoint that was made with [`Endpoint::listen`].
pub type Listener<State, C> = Endpoint<State, C>;

impl<C: Calls> Endpoint<Unrestricted, C> {
    /// A listener for the Mach service.
    #[must_use]
    pub fn listen(calls: C, service: &CStr) -> Self {
        let connection = calls.listen(service);
        Self { calls, connection, state: PhantomData }
    }

    /// A client of a root daemon's Mach service. That there is such a service shows only when it is used.
    #[must_use]
    pub fn connect(calls: C, service: &CStr) -> Self {
        let connection = calls.connect(service);
        Self { calls, connection, state: PhantomData }
    }

    /// Lets through only peers that satisfy `requirement`.
    ///
    /// # Errors
    /// [`InvalidRequirement::Grammar`] when the system can't read it. There is no connection then.
    pub fn restrict(self, requirement: &Requirement) -> Result<Endpoint<Restricted, C>, InvalidRequirement> {
        if self.calls.require(&self.connection, requirement.as_c_str()) {
            Ok(Endpoint { calls: self.calls, connection: self.connection, state: PhantomData })
        } else {
            Err(InvalidRequirement::Grammar)
        }
    }
}

impl<C: Calls> Endpoint<Restricted, C> {
    /// From now on `handler` is called.
    #[must_use = "the connection ends when this is dropped"]
    pub fn activate(self, handler: Handler<C>) -> Active<C> {
        self.calls.set_handler(&self.connection, handler);
        self.calls.activate(&self.connection);
        Active { calls: self.calls, connection: self.connection }
    }
}

/// A client that a listener let through and that was neither accepted nor turned away. Dropping it turns it away.
pub struct Unaccepted<C: Calls> {
    active: Active<C>,
}

impl<C: Calls> Unaccepted<C> {
    /// Takes over one reference to a connection that a listener's handler was given.
    #[must_use]
    pub fn new(calls: C, connection: C::Connection) -> Self {
        Self { active: Active { calls, connection } }
    }

    /// From now on `handler` is called with what the client sends.
    #[must_use = "the connection ends when this is dropped"]
    pub fn accept(self, handler: Handler<C>) -> Active<C> {
        let active = self.active;
        active.calls.set_handler(&active.connection, handler);
        active.calls.activate(&active.connection);
        active
    }
}

/// A connection in use. Dropping it ends it.
pub struct Active<C: Calls> {
    calls: C,
    connection: C::Connection,
}

impl<C: Calls> Active<C> {
    /// Queues one message, and the document that belongs to it.
    pub fn send(&self, message: &[u8], document: Option<&[u8]>) {
        self.calls.send(&self.connection, message, document);
    }

    /// Calls `sent` once what was queued before has left, or the connection is over: on whatever thread libxpc has.
    pub fn barrier(&self, sent: impl FnOnce() + Send + 'static) {
        self.calls.barrier(&self.connection, Box::new(sent));
    }

    /// Effective user of the process at the other end. For the log: it decides nothing.
    #[must_use]
    pub fn user(&self) -> u32 {
        self.calls.user(&self.connection)
    }
}

impl<C: Calls> Drop for Active<C> {
    fn drop(&mut self) {
        self.calls.cancel(&self.connection);
        self.calls.release(&self.connection);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes down what is called, in order.
    #[derive(Clone, Default)]
    struct Recorder {
        calls: Arc<Mutex<Vec<String>>>,
    }

    impl Recorder {
        fn note(&self, call: impl Into<String>) {
            self.calls.lock().unwrap().push(call.into());
        }

        fn taken(&self) -> Vec<String> {
            std::mem::take(&mut *self.calls.lock().unwrap())
        }
    }

    impl Calls for Recorder {
        type Connection = ();

        fn listen(&self, service: &CStr) {
            self.note(format!("listen {}", service.to_str().unwrap()));
        }

        fn connect(&self, service: &CStr) {
            self.note(format!("connect {}", service.to_str().unwrap()));
        }

        fn require(&self, (): &(), requirement: &CStr) -> bool {
            self.note(format!("require {}", requirement.to_str().unwrap()));
            requirement != c"nonsense"
        }

        fn set_handler(&self, (): &(), _: Handler<Self>) {
            self.note("set_handler");
        }

        fn activate(&self, (): &()) {
            self.note("activate");
        }

        fn send(&self, (): &(), message: &[u8], document: Option<&[u8]>) {
            self.note(format!("send {} {}", message.len(), document.map_or(0, <[u8]>::len)));
        }

        fn barrier(&self, (): &(), sent: Box<dyn FnOnce() + Send>) {
            self.note("barrier");
            sent();
        }

        fn user(&self, (): &()) -> u32 {
            501
        }

        fn cancel(&self, (): &()) {
            self.note("cancel");
        }

        fn release(&self, (): &()) {
            self.note("release");
        }
    }

    fn requirement(text: &str) -> Requirement {
        Requirement::new(text).unwrap()
    }

    #[test]
    fn threat_01_requirement_is_set_before_a_listener_is_activated() {
        let recorder = Recorder::default();
        let listener = Listener::listen(recorder.clone(), c"service");
        let active = listener.restrict(&requirement("anchor apple")).unwrap().activate(Box::new(|_| {}));
        assert_eq!(recorder.taken(), ["listen service", "require anchor apple", "set_handler", "activate"]);
        drop(active);
        assert_eq!(recorder.taken(), ["cancel", "release"]);
    }

    #[test]
    fn threat_01_listener_whose_requirement_the_system_refuses_is_never_activated() {
        let recorder = Recorder::default();
        let refused = Listener::listen(recorder.clone(), c"service").restrict(&requirement("nonsense"));
        assert!(matches!(refused, Err(InvalidRequirement::Grammar)));
        drop(refused);
        // nor released: that would abort
        assert_eq!(recorder.taken(), ["listen service", "require nonsense"]);
    }

    #[test]
    fn threat_05_client_pins_the_daemon_before_the_first_message() {
        let recorder = Recorder::default();
        let client = Endpoint::connect(recorder.clone(), c"service").restrict(&requirement("anchor apple")).unwrap();
        let client = client.activate(Box::new(|_| {}));
        client.send(b"{}", Some(b"abc"));
        client.barrier({
            let recorder = recorder.clone();
            move || recorder.note("sent")
        });
        let order =
            ["connect service", "require anchor apple", "set_handler", "activate", "send 2 3", "barrier", "sent"];
        assert_eq!(recorder.taken(), order);
    }

    #[test]
    fn client_of_a_listener_is_accepted_with_a_handler_or_cancelled() {
        let recorder = Recorder::default();
        drop(Unaccepted::new(recorder.clone(), ()));
        assert_eq!(recorder.taken(), ["cancel", "release"]);
        let accepted = Unaccepted::new(recorder.clone(), ()).accept(Box::new(|_| {}));
        assert_eq!(recorder.taken(), ["set_handler", "activate"]);
        drop(accepted);
        assert_eq!(recorder.taken(), ["cancel", "release"]);
    }
}
