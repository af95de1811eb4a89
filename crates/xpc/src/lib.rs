//! XPC between the app and its root helper: connections that can't be used before they know whom to talk to.
//!
//! Knows the order in which a connection must be set up ([`endpoint`]), what a message looks like ([`envelope`]), and what
//! makes a code-signing requirement acceptable ([`requirement`]): plain code, tested on any system. On macOS `libxpc` adds
//! the calls themselves, by our own declarations of libxpc's C functions and a shim for its blocks; nothing but libSystem
//! is linked. Leaves to others: what a message says, and which requirement holds.

#![deny(unsafe_code)]

pub mod endpoint;
pub mod envelope;
pub mod requirement;

// its copies are made in tests elsewhere, too
#[cfg(any(target_os = "macos", test))]
mod block;
#[cfg(target_os = "macos")]
mod ffi;
#[cfg(target_os = "macos")]
pub mod libxpc;

pub use endpoint::{Active, Calls, Endpoint, Fault, Handler, Incoming, Listener, Restricted, Unaccepted, Unrestricted};
pub use envelope::{Envelope, Fields, Refused};
pub use requirement::{FileError, InvalidRequirement, Requirement};
