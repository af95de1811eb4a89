//! Writes the Info.plist that is embedded into the helper: its name and version, as codesign and launchd read them.

#![forbid(unsafe_code)]

#[path = "../crates/wire/embedded_plist.rs"]
mod embedded_plist;

fn main() -> std::io::Result<()> {
    embedded_plist::write("../crates/wire", embedded_plist::identity::HELPER_ID, "Joulebar Helper")
}
