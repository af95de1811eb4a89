//! A simulated Mac for tests and the demo: a `powermetrics` and an LM Studio server that share what the machine is doing.
//!
//! [`activity`] is the link between the two: the server writes what it does, [`powermetrics`] reads it. [`model`] turns activity
//! into watts and knows the exact joules. Nothing here knows how Joulebar measures.

pub mod activity;
pub mod lmstudio;
pub mod model;
pub mod powermetrics;
