//! For which machine the programs are made, what they link, and what is written in them.

use super::{Complaints, readable};
use crate::bundle::Bundle;
use crate::program::{contains, paths_below, text_around};

const LIB_SYSTEM: &str = "/usr/lib/libSystem.B.dylib";

/// What app and terminal program may load. All of it is in every macOS since 13.
const LIBRARIES: &[&str] = &[
    LIB_SYSTEM,
    "/usr/lib/libobjc.A.dylib",
    "/usr/lib/libiconv.2.dylib",
    "/System/Library/Frameworks/AppKit.framework/Versions/C/AppKit",
    "/System/Library/Frameworks/ApplicationServices.framework/Versions/A/ApplicationServices",
    "/System/Library/Frameworks/Carbon.framework/Versions/A/Carbon",
    "/System/Library/Frameworks/Cocoa.framework/Versions/A/Cocoa",
    "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
    "/System/Library/Frameworks/CoreGraphics.framework/Versions/A/CoreGraphics",
    "/System/Library/Frameworks/CoreServices.framework/Versions/A/CoreServices",
    "/System/Library/Frameworks/CoreVideo.framework/Versions/A/CoreVideo",
    "/System/Library/Frameworks/Foundation.framework/Versions/C/Foundation",
    "/System/Library/Frameworks/IOKit.framework/Versions/A/IOKit",
    "/System/Library/Frameworks/QuartzCore.framework/Versions/A/QuartzCore",
    "/System/Library/Frameworks/Security.framework/Versions/A/Security",
    "/System/Library/Frameworks/ServiceManagement.framework/Versions/A/ServiceManagement",
    "/System/Library/Frameworks/UserNotifications.framework/Versions/A/UserNotifications",
    "/System/Library/Frameworks/WebKit.framework/Versions/A/WebKit",
    // power counters without root, through macmon; the library has no public header
    "/usr/lib/libIOReport.dylib",
];

/// Directories in which people and build machines keep their files. The programs themselves name some of them (sockets, what
/// a bug report leaves out), so one alone says nothing: what follows has to look like source or like something built.
const BUILD_FOLDERS: &[&str] =
    &["/root/", "/home/", "/Users/", "/tmp/", "/private/tmp/", "/private/var/", "/usr/src/", "/opt/", "/var/"];
/// What source and built files have in their paths.
const BUILD_WORDS: &[&str] = &[".rs", "/src/", "/target/", "/build/", "/.cargo", "/.rustup", ".rlib"];
/// Folders of Rust's tools, wherever they lie. Rust writes its own sources as `/rustc/…`.
const TOOL_FOLDERS: &[&str] = &[".cargo/registry", ".rustup/toolchains"];

/// Words of the simulator: a helper that has them can be told to run another program.
const SIMULATOR: &[&str] = &["joulebar-sim", "--simulator", "JOULEBAR_SIM"];

pub(super) fn arm64(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, program) in readable(bundle, &mut complaints) {
        if !program.arm64_executable {
            complaints.push(format!("{path} is no arm64 program that runs at any address"));
        }
    }
    complaints
}

pub(super) fn minimum(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, program) in readable(bundle, &mut complaints) {
        if program.minimum != Some((13, 0)) {
            complaints.push(match program.minimum {
                Some((major, minor)) => format!("{path} starts on macOS {major}.{minor} and later"),
                None => format!("{path} is not made for macOS"),
            });
        }
    }
    complaints
}

pub(super) fn libraries(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, program) in readable(bundle, &mut complaints) {
        let stray = program.libraries.iter().filter(|library| !LIBRARIES.contains(&library.as_str()));
        complaints.extend(stray.map(|library| format!("{path} loads {library}")));
        complaints.extend(program.search_paths.iter().map(|place| format!("{path} looks for libraries in {place}")));
    }
    complaints
}

pub(super) fn helper_libraries(bundle: &Bundle) -> Complaints {
    let helper = bundle.expected.helper();
    let mut complaints = Complaints::new();
    for (_, program) in readable(bundle, &mut complaints).iter().filter(|(path, _)| *path == helper) {
        if program.libraries != [LIB_SYSTEM] {
            complaints.push(format!("it loads {}", program.libraries.join(", ")));
        }
    }
    complaints
}

pub(super) fn build_paths(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, bytes) in bundle.programs() {
        for place in TOOL_FOLDERS.iter().copied().chain(bundle.build_paths.iter().map(String::as_str)) {
            if let Some(text) = text_around(bytes, place.as_bytes()) {
                complaints.push(format!("{path} contains {text:?}"));
            }
        }
        for folder in BUILD_FOLDERS {
            let mut found = paths_below(bytes, folder);
            if let Some(found) = found.find(|path| BUILD_WORDS.iter().any(|word| path.contains(word))) {
                complaints.push(format!("{path} contains {found:?}"));
            }
        }
    }
    complaints
}

pub(super) fn helper_runs_powermetrics_only(bundle: &Bundle) -> Complaints {
    let Some(helper) = bundle.bytes(&bundle.expected.helper()) else { return vec!["there is no helper".into()] };
    let mut complaints = Complaints::new();
    if !contains(helper, b"/usr/bin/powermetrics") {
        complaints.push("it does not name /usr/bin/powermetrics".into());
    }
    let words = SIMULATOR.iter().filter(|word| contains(helper, word.as_bytes()));
    complaints.extend(words.map(|word| format!("it contains {word:?}")));
    complaints
}
