//! Joulebar's helper: runs powermetrics with root rights for clients that have none, and hands on what it writes.
//!
//! Knows how to start and stop powermetrics, where one of its documents ends, and what a client may ask for
//! ([`joulebar_wire`]). Leaves to others: what a document says. Nothing is parsed here but small JSON requests, no
//! argument, path or environment comes from a client, and whatever is linked here runs as root, so little is.
//!
//! - [`session`]: every decision, as one state machine without I/O. Any transport drives it.
//! - [`program`]: the command line, made of closed enums alone.
//! - [`server`]: the `poll` loop that drives a session: clients, the child, signals.
//! - [`stdio`]: the one client on file descriptors 0 and 1.
//! - [`daemon`]: several clients over XPC, made of calls that a test can stand in for.
//! - [`start`]: the daemon's way to its listener.
//! - [`launch`]: how the helper may be called, by whom, and who may talk to it.
//! - [`log`]: lines for the system's log, fit to be read there.
//! - [`sys`]: the few calls that need `unsafe`.

#![deny(unsafe_code)]

pub mod daemon;
pub mod launch;
pub mod log;
pub mod process;
pub mod program;
pub mod server;
pub mod session;
pub mod start;
pub mod stdio;
pub mod sys;

/// Exit status for anything but the one way to call the helper (`EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;
/// Exit status when the helper itself failed (`EX_OSERR`).
pub const EXIT_FAILED: u8 = 71;
/// Exit status when nothing says who may talk to the daemon (`EX_CONFIG`).
pub const EXIT_CONFIG: u8 = 78;
/// Exit status when the helper lacks the rights to read power (`EX_NOPERM`).
pub const EXIT_PERMISSION: u8 = 77;
