//! Messages between Joulebar and its privileged helper, and the cutting of byte streams into messages and documents.
//!
//! Knows the names of app and helper ([`identity`]), the shape of every [`Request`] and [`Reply`], how they are framed on a
//! byte stream ([`frame`]), their [`limits`], and where one plist document of powermetrics ends ([`documents`]). All of it
//! takes bytes and gives values.
//! Leaves to others: reading and writing, time, processes, and the contents of a plist document.
//!
//! # Conversation
//!
//! ```text
//! client → helper              helper → client
//! hello{proto, app}            hello_ok{proto, helper, build, powermetrics, simulated}
//! start{id, interval_ms,       started{id, interval_ms, samplers}, then one sample{…} + document per document
//!       samplers}
//! mark{id, n}                  marked{id, n, mono_ns}: powermetrics was told to end a sample now
//! stop{id}                     stopped{id, reason}: no process of this stream is left
//! ping{n}                      pong{n}
//!                              error{code, id?, detail}
//! ```
//!
//! `started` comes again with the same id whenever powermetrics was started anew (end of its lease, crash, no output,
//! another client's shorter interval, a sampler that this macOS does not have): the samples have a gap there, `offset`
//! begins again at 0, and the last `started` tells what is in use. `seq` goes on.
//!
//! # Compatibility
//!
//! - There is one version number, [`PROTOCOL`]. Every change to any message raises it: new field, new message, new meaning.
//! - Unknown messages and unknown fields are rejected by both sides; nothing is skipped silently.
//! - Only `hello` and `hello_ok` never change. A helper answers every `hello` with its own number; a client that finds
//!   another number than its own says so and goes away. Any other request to a helper of another version gets
//!   `error unsupported`.
//! - The files in `tests/golden` are the messages byte by byte. One that has to be edited is a new version.

#![forbid(unsafe_code)]

pub mod command_line;
pub mod documents;
pub mod frame;
pub mod identity;
pub mod limits;
mod message;
mod sampler;

pub use message::{ErrorCode, Reply, Request, StopReason};
pub use sampler::{IntervalMs, InvalidInterval, InvalidSamplers, Sampler, Samplers};

/// Version of the messages in this crate. See the compatibility rule above.
pub const PROTOCOL: u16 = 1;
