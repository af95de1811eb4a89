//! Starting powermetrics with an administrator's password, for this once.
//!
//! Root runs Apple's own program with arguments that are made of closed enums; nothing of ours is run as root, so there is
//! no file that could be exchanged while the password is typed.
//!
//! Checked without a Mac: that this compiles. Not checked (docs/unverified.md): that macOS 15 and later still do this; that
//! powermetrics takes a socket as its output and ends when it closes.

#![allow(unsafe_code, reason = "the disposition of one signal")]

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use joulebar_wire::command_line::{CommandLine, POWERMETRICS};
use security_framework::authorization::{Authorization, AuthorizationItemSetBuilder, Flags};

use super::PowerError;

/// `errAuthorizationCanceled`.
const CANCELED: i32 = -60_006;

/// What was granted once; macOS asks again when it finds that too long ago.
struct Granted(Authorization);

// SAFETY: an authorization may be used from any thread, one at a time.
unsafe impl Send for Granted {}

static GRANTED: Mutex<Option<Granted>> = Mutex::new(None);

extern "C" fn nothing(_: libc::c_int) {}

/// Asks for the password, unless it was given a short time ago, and starts powermetrics. Blocks as long as the question
/// stands.
///
/// # Errors
/// [`PowerError::PermissionDenied`] when nobody gave a password; [`PowerError::Unavailable`] when macOS does not do this.
pub fn authorize(command_line: &CommandLine) -> Result<UnixStream, PowerError> {
    let refused = |error: security_framework::base::Error| {
        if error.code() == CANCELED {
            PowerError::PermissionDenied { detail: "no administrator confirmed it".to_owned() }
        } else {
            let detail = format!("macOS did not start powermetrics with an administrator's rights: {error}");
            PowerError::Unavailable { detail }
        }
    };
    let mut granted = GRANTED.lock().unwrap_or_else(PoisonError::into_inner);
    let Granted(authorization) = match granted.take() {
        Some(granted) => granted,
        None => {
            let right =
                AuthorizationItemSetBuilder::new().add_right("system.privilege.admin").map_err(refused)?.build();
            let flags = Flags::DEFAULTS | Flags::INTERACTION_ALLOWED | Flags::PREAUTHORIZE | Flags::EXTEND_RIGHTS;
            Granted(Authorization::new(Some(right), None, flags).map_err(refused)?)
        }
    };
    // Rust ignores SIGPIPE and a child keeps that: powermetrics would write on into a closed socket. A handler is taken away
    // when another program begins, so it has the default there; here, where a question may stand for minutes, nothing dies.
    let nothing: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: sets the handler of one signal to a function that does nothing, and back to what it was.
    let before = unsafe { libc::signal(libc::SIGPIPE, nothing as libc::sighandler_t) };
    let started = authorization.execute_with_privileges_piped(POWERMETRICS, command_line.arguments(), Flags::DEFAULTS);
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGPIPE, before) };
    let socket = UnixStream::from(OwnedFd::from(started.map_err(refused)?));
    *granted = Some(Granted(authorization));
    Ok(socket)
}
