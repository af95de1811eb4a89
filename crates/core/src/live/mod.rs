//! What a shell with a window needs besides sessions: power watched all the time, a server looked after, one run at a
//! time, and one value that says how things stand.
//!
//! [`Live`] owns the tasks; a shell holds a clone of its handle. [`feed`], [`progress`] and [`menu_bar`] are pure.
//! Leaves to the shell: windows, menus, dialogs. Leaves to [`crate::session`] everything that is measured.

mod failure;
pub mod feed;
mod handle;
pub mod menu_bar;
mod monitor;
pub mod progress;
mod run;
mod server;
mod service;
mod shared;
pub mod state;
#[cfg(test)]
mod tests;

pub use failure::Failure;
pub(crate) use failure::chain;
pub use handle::{ConnectionTest, HelperView, Live, LiveOptions, Mode, Observer, Subscription};
pub use run::{scope, ttft_median_ms};
pub use server::look;
