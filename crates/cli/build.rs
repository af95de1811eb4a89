//! Writes the Info.plist that is embedded into the terminal program: its name and version, which the helper's requirement
//! asks for.

#![forbid(unsafe_code)]

#[path = "../wire/embedded_plist.rs"]
mod embedded_plist;

fn main() -> std::io::Result<()> {
    embedded_plist::write("../wire", embedded_plist::identity::CLI_ID, "Joulebar in a terminal")
}
