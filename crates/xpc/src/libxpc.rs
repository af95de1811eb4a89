//! [`Calls`] by libxpc itself.
//!
//! Checked without a Mac: types, lints, and that everything links against libSystem alone. Not checked: all that happens
//! when it runs (docs/unverified.md, "XPC"). It decides nothing: what comes in is handed on as it is.

#![allow(unsafe_code, reason = "calls into libxpc, each with its reason")]

use std::ffi::{CStr, c_void};

use crate::block;
use crate::endpoint::{Calls, Fault, Handler, Incoming, Unaccepted};
use crate::envelope::{DOCUMENT_KEY, Fields, MESSAGE_KEY, VERSION, VERSION_KEY};
use crate::ffi::{self, Object};

/// libxpc, with one serial queue on which every handler is called.
#[derive(Clone, Copy, Debug)]
pub struct Libxpc {
    queue: Object,
}

// SAFETY: dispatch queues may be used from any thread, and this one is never released.
unsafe impl Send for Libxpc {}
// SAFETY: as above.
unsafe impl Sync for Libxpc {}

/// One reference to an `xpc_connection_t`. Given back by [`Calls::release`] alone.
#[derive(Debug)]
pub struct Connection(Object);

// SAFETY: connections may be used from any thread.
unsafe impl Send for Connection {}
// SAFETY: as above.
unsafe impl Sync for Connection {}

impl Libxpc {
    /// Makes the queue. Once in a process is enough.
    #[must_use]
    pub fn new(queue_label: &CStr) -> Self {
        // SAFETY: the label is a C string that is copied; no attributes means serial.
        Self { queue: unsafe { ffi::dispatch_queue_create(queue_label.as_ptr(), std::ptr::null_mut()) } }
    }

    fn create(self, service: &CStr, flags: u64) -> Connection {
        // SAFETY: the name is a C string that is copied; the queue lives as long as the process.
        Connection(unsafe { ffi::xpc_connection_create_mach_service(service.as_ptr(), self.queue, flags) })
    }

    /// What an event is.
    ///
    /// # Safety
    /// `event` is a live XPC object, and stays so as long as the result is used.
    unsafe fn read<'a>(self, event: Object) -> Incoming<'a, Self> {
        // SAFETY: the object is live; the statics are only compared by address.
        unsafe {
            let kind = ffi::xpc_get_type(event);
            if kind == &raw const ffi::_xpc_type_connection {
                // a new client's events belong on the same queue; the reference is given back by `release`
                ffi::xpc_connection_set_target_queue(event, self.queue);
                return Incoming::Peer(Unaccepted::new(self, Connection(ffi::xpc_retain(event))));
            }
            if kind == &raw const ffi::_xpc_type_dictionary {
                return Incoming::Message(Fields {
                    count: ffi::xpc_dictionary_get_count(event),
                    version: ffi::xpc_dictionary_get_uint64(event, VERSION_KEY.as_ptr()),
                    message: data(event, MESSAGE_KEY),
                    document: data(event, DOCUMENT_KEY),
                });
            }
            let faults = [
                (&raw const ffi::_xpc_error_connection_invalid, Fault::Invalid),
                (&raw const ffi::_xpc_error_connection_interrupted, Fault::Interrupted),
                (&raw const ffi::_xpc_error_termination_imminent, Fault::TerminationImminent),
                (&raw const ffi::_xpc_error_peer_code_signing_requirement, Fault::WrongPeer),
            ];
            let known = faults.into_iter().find(|(address, _)| *address == event.cast_const().cast());
            Incoming::Fault(known.map_or(Fault::Other, |(_, fault)| fault))
        }
    }
}

/// The bytes at a key; `None` if nothing is there, or no data.
///
/// # Safety
/// `dictionary` is a live dictionary, and stays so as long as the bytes are used.
unsafe fn data<'a>(dictionary: Object, key: &CStr) -> Option<&'a [u8]> {
    let mut length = 0;
    // SAFETY: the dictionary is live and the key a C string; what is found has `length` bytes and lives in the dictionary.
    unsafe {
        let bytes = ffi::xpc_dictionary_get_data(dictionary, key.as_ptr(), &raw mut length);
        (!bytes.is_null()).then(|| std::slice::from_raw_parts(bytes.cast(), length))
    }
}

impl Calls for Libxpc {
    type Connection = Connection;

    fn listen(&self, service: &CStr) -> Connection {
        self.create(service, ffi::LISTENER)
    }

    fn connect(&self, service: &CStr) -> Connection {
        self.create(service, ffi::PRIVILEGED)
    }

    fn require(&self, connection: &Connection, requirement: &CStr) -> bool {
        // SAFETY: the connection is live and not active yet; the text is a C string that is copied.
        unsafe { ffi::xpc_connection_set_peer_code_signing_requirement(connection.0, requirement.as_ptr()) == 0 }
    }

    fn set_handler(&self, connection: &Connection, handler: Handler<Self>) {
        let calls = *self;
        let handler = move |event: Object| {
            // SAFETY: libxpc keeps the event alive until the handler returns, and what is read of it goes no further.
            handler(unsafe { calls.read(event) });
        };
        // SAFETY: the connection is live; the block is of the type that is expected, and libxpc copies it.
        block::with_object(handler, |block| unsafe { ffi::xpc_connection_set_event_handler(connection.0, block) });
    }

    fn activate(&self, connection: &Connection) {
        // SAFETY: the connection is live and has a handler.
        unsafe { ffi::xpc_connection_activate(connection.0) }
    }

    fn send(&self, connection: &Connection, message: &[u8], document: Option<&[u8]>) {
        // SAFETY: keys are C strings; bytes are copied before the calls return; the dictionary is ours, and libxpc keeps
        // what it needs of it.
        unsafe {
            let envelope = ffi::xpc_dictionary_create_empty();
            let put = |key: &CStr, bytes: &[u8]| {
                ffi::xpc_dictionary_set_data(envelope, key.as_ptr(), bytes.as_ptr().cast::<c_void>(), bytes.len());
            };
            ffi::xpc_dictionary_set_uint64(envelope, VERSION_KEY.as_ptr(), VERSION);
            put(MESSAGE_KEY, message);
            if let Some(document) = document {
                put(DOCUMENT_KEY, document);
            }
            ffi::xpc_connection_send_message(connection.0, envelope);
            ffi::xpc_release(envelope);
        }
    }

    fn barrier(&self, connection: &Connection, sent: Box<dyn FnOnce() + Send>) {
        // SAFETY: the connection is live; the block is of the type that is expected, and libxpc copies it.
        block::once(sent, |block| unsafe { ffi::xpc_connection_send_barrier(connection.0, block) });
    }

    fn user(&self, connection: &Connection) -> u32 {
        // SAFETY: the connection is live.
        unsafe { ffi::xpc_connection_get_euid(connection.0) }
    }

    fn cancel(&self, connection: &Connection) {
        // SAFETY: the connection is live; cancelling twice is allowed.
        unsafe { ffi::xpc_connection_cancel(connection.0) }
    }

    fn release(&self, connection: &Connection) {
        // SAFETY: this reference is ours, and whoever calls this does not use it again.
        unsafe { ffi::xpc_release(connection.0) }
    }
}
