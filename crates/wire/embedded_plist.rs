//! The Info.plist of a program that lies in no bundle of its own: its name and version, as codesign, launchd and the helper's
//! requirement read them. Build scripts take this file in; as a dependency it would build serde a second time.

use std::path::Path;

/// The one place of names.
#[allow(dead_code, reason = "each build script needs one of its names")]
#[path = "src/identity.rs"]
pub mod identity;

/// Writes it for the program that is built, where `embed_plist` takes it from. `wire` is this folder, as the package sees it.
///
/// # Errors
/// The system's.
pub fn write(wire: &str, identifier: &str, title: &str) -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={wire}/embedded_plist.rs");
    println!("cargo::rerun-if-changed={wire}/src/identity.rs");
    println!("cargo::rerun-if-env-changed=JOULEBAR_TEAM_ID");
    println!("cargo::rerun-if-env-changed=JOULEBAR_CERT_KIND");
    let Some(directory) = std::env::var_os("OUT_DIR") else {
        return Err(std::io::Error::other("cargo sets OUT_DIR"));
    };
    let version = env!("CARGO_PKG_VERSION");
    let plist = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>CFBundleIdentifier</key>
	<string>{identifier}</string>
	<key>CFBundleInfoDictionaryVersion</key>
	<string>6.0</string>
	<key>CFBundleName</key>
	<string>{title}</string>
	<key>CFBundleShortVersionString</key>
	<string>{version}</string>
	<key>CFBundleVersion</key>
	<string>{version}</string>
	<key>LSMinimumSystemVersion</key>
	<string>13.0</string>
</dict>
</plist>
"#
    );
    std::fs::write(Path::new(&directory).join("Info.plist"), plist)
}
