//! libxpc's and libdispatch's C functions, as far as they are called here, all of them in macOS 12 or older.
//!
//! Checked without a Mac: every name is in the symbol list of libSystem that the helper is linked against, and signatures
//! were compared with Apple's `xpc/connection.h`, `xpc/xpc.h` and `dispatch/queue.h`. Not checked: a single call.

#![allow(unsafe_code, reason = "declarations of C functions")]

use std::ffi::{c_char, c_int, c_void};

/// Any XPC or dispatch object.
pub type Object = *mut c_void;

/// `XPC_CONNECTION_MACH_SERVICE_LISTENER`
pub const LISTENER: u64 = 1;
/// `XPC_CONNECTION_MACH_SERVICE_PRIVILEGED`: look the name up among root's daemons alone.
pub const PRIVILEGED: u64 = 2;

/// Something whose address is all that matters.
#[repr(C)]
pub struct Opaque {
    _bytes: [u8; 0],
}

unsafe extern "C" {
    pub fn xpc_connection_create_mach_service(name: *const c_char, queue: Object, flags: u64) -> Object;
    pub fn xpc_connection_set_peer_code_signing_requirement(connection: Object, requirement: *const c_char) -> c_int;
    pub fn xpc_connection_set_target_queue(connection: Object, queue: Object);
    pub fn xpc_connection_set_event_handler(connection: Object, handler: *const c_void);
    pub fn xpc_connection_activate(connection: Object);
    pub fn xpc_connection_send_message(connection: Object, message: Object);
    pub fn xpc_connection_send_barrier(connection: Object, barrier: *const c_void);
    pub fn xpc_connection_get_euid(connection: Object) -> u32;
    pub fn xpc_connection_cancel(connection: Object);

    pub fn xpc_get_type(object: Object) -> *const Opaque;
    pub fn xpc_retain(object: Object) -> Object;
    pub fn xpc_release(object: Object);

    pub fn xpc_dictionary_create_empty() -> Object;
    pub fn xpc_dictionary_get_count(dictionary: Object) -> usize;
    pub fn xpc_dictionary_get_uint64(dictionary: Object, key: *const c_char) -> u64;
    pub fn xpc_dictionary_set_uint64(dictionary: Object, key: *const c_char, value: u64);
    pub fn xpc_dictionary_get_data(dictionary: Object, key: *const c_char, length: *mut usize) -> *const c_void;
    pub fn xpc_dictionary_set_data(dictionary: Object, key: *const c_char, bytes: *const c_void, length: usize);

    pub fn dispatch_queue_create(label: *const c_char, attributes: Object) -> Object;

    pub static _xpc_type_connection: Opaque;
    pub static _xpc_type_dictionary: Opaque;
    pub static _xpc_error_connection_invalid: Opaque;
    pub static _xpc_error_connection_interrupted: Opaque;
    pub static _xpc_error_termination_imminent: Opaque;
    pub static _xpc_error_peer_code_signing_requirement: Opaque;
    pub static _NSConcreteStackBlock: Opaque;
}
