//! What either side may ask of the other. A limit that both must know is here; the helper's own policy is in the helper.

use std::time::Duration;

/// Longest JSON frame, request or reply, in bytes. The largest message that makes sense has a fifth of it.
pub const MAX_MESSAGE_BYTES: usize = 4096;

/// Longest plist document, in bytes: 4 MiB.
///
/// The largest documents seen have 0.5 MB (every sampler, 10 CPUs); the samplers offered here give 65 KB on 24 CPUs. One
/// limit serves the helper and the reader of recorded captures, so that whatever the helper forwards can be read back
/// from a recording, and captures of machines twice the size with every sampler still pass.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Longest `error.detail`, in characters.
pub const MAX_DETAIL_CHARS: usize = 400;

/// Shortest sampling interval. Energy comes in whole millijoules, so shorter intervals measure rounding.
pub const MIN_INTERVAL_MS: u32 = 100;

/// Longest sampling interval.
pub const MAX_INTERVAL_MS: u32 = 60_000;

/// Most samplers in one request.
pub const MAX_SAMPLERS: usize = 8;

/// Most samples on their way to one client. Further ones are dropped and counted in `sample.dropped`.
pub const MAX_SAMPLES_IN_FLIGHT: usize = 4;

/// Requests that a client may send per second in the long run.
pub const REQUESTS_PER_SECOND: u32 = 10;

/// Requests that a client may send at once after a rest.
pub const REQUEST_BURST: u32 = 20;

/// Bad requests after which the helper closes the conversation.
pub const MAX_ERRORS: u32 = 3;

/// Time after connecting within which `hello` must come.
pub const HELLO_DEADLINE: Duration = Duration::from_secs(5);
