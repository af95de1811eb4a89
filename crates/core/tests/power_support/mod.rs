//! What the power tests share: recorded captures and documents written by the tests themselves.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fmt::Write;
use std::path::PathBuf;

/// The bytes of a recorded capture; `None`, said aloud, when the recordings are not on this machine.
pub fn fixture(name: &str) -> Option<Vec<u8>> {
    let path = fixture_path(name)?;
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Where a recorded capture lies.
pub fn fixture_path(name: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("JOULEBAR_FIXTURES") else {
        println!("skipped: {name} needs JOULEBAR_FIXTURES");
        return None;
    };
    Some(PathBuf::from(root).join("powermetrics").join(name))
}

/// A document with these lines inside `processor`, one second long, from macOS 13 or later.
pub fn document(processor: &str) -> Vec<u8> {
    document_with("<key>elapsed_ns</key><integer>1000000000</integer>\n", processor, "")
}

/// A document with these lines in its root, in `processor` and in `gpu` (left out when empty).
pub fn document_with(root: &str, processor: &str, gpu: &str) -> Vec<u8> {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n<key>is_delta</key><true/>\n",
    );
    text += root;
    for (name, content) in [("processor", processor), ("gpu", gpu)] {
        if !content.is_empty() {
            write!(text, "<key>{name}</key>\n<dict>\n{content}</dict>\n").unwrap();
        }
    }
    (text + "</dict>\n</plist>\n").into_bytes()
}

/// A key and a real on one line, as powermetrics writes them.
pub fn real(key: &str, value: &str) -> String {
    format!("<key>{key}</key><real>{value}</real>\n")
}

/// A key and an integer on one line.
pub fn integer(key: &str, value: &str) -> String {
    format!("<key>{key}</key><integer>{value}</integer>\n")
}
