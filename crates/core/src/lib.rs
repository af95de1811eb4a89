//! Joulebar's measuring model, for any shell: terminal, menu-bar app, tests.
//!
//! Knows power samples, an LM server's stream, the phases of a session, energy, and the report made of
//! them. Leaves to others: printing, argument parsing, windows, and everything that needs root.
//!
//! The data's way: a [`power::PowerSource`] yields [`sample::PowerSample`]s; [`lmstudio`] turns one request into
//! a [`lmstudio::Generation`]; [`session`] aligns both on one [`clock::Clock`] and records them; [`energy`] derives
//! joules from that record; [`report`] writes and verifies it; [`store`] keeps records for later.

pub mod clock;
pub mod codesign;
pub mod demo;
pub mod doctor;
pub mod energy;
pub mod environment;
pub mod files;
pub mod folders;
pub mod helper_install;
pub mod helper_service;
pub mod live;
pub mod lmstudio;
pub mod power;
pub mod programs;
pub mod report;
pub mod sample;
pub mod sample_columns;
pub mod sample_row;
pub mod session;
pub mod settings;
pub mod stats;
pub mod store;
pub mod suite;
pub mod suite_library;
pub mod units;
pub mod warning;

#[cfg(test)]
mod testing;
