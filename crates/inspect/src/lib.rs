//! Looks at a built `Joulebar.app` byte by byte, on any machine: what macOS would refuse, what would make the helper less
//! safe, what would not start on the oldest macOS. Also makes the bundle's property lists from the constants.
//!
//! A tool of the build. Leaves to macOS: whether certificates are trusted, and whether anything runs.

pub mod bundle;
pub mod checks;
pub mod expected;
pub mod plists;
pub mod program;
pub mod tables;
