//! Writes the Info.plist that is embedded into the terminal program: its name and version, which the helper's requirement
//! asks for.

#![forbid(unsafe_code)]

use std::path::Path;

// the one place of names, compiled in as well: a dependency would build serde a second time
#[allow(dead_code, reason = "one of its names is needed here")]
#[path = "../wire/src/identity.rs"]
mod identity;

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../wire/src/identity.rs");
    println!("cargo::rerun-if-env-changed=JOULEBAR_TEAM_ID");
    println!("cargo::rerun-if-env-changed=JOULEBAR_CERT_KIND");
    let Some(directory) = std::env::var_os("OUT_DIR") else {
        return Err(std::io::Error::other("cargo sets OUT_DIR"));
    };
    let (name, version) = (identity::CLI_ID, env!("CARGO_PKG_VERSION"));
    let plist = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>CFBundleIdentifier</key>
	<string>{name}</string>
	<key>CFBundleInfoDictionaryVersion</key>
	<string>6.0</string>
	<key>CFBundleName</key>
	<string>Joulebar in a terminal</string>
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
