//! Which files there are, how large, and who may change them.

use std::collections::BTreeSet;

use super::Complaints;
use crate::bundle::Bundle;

/// What the unpacked bundle may take, in bytes: 12 MB.
pub const MAX_BUNDLE_BYTES: usize = 12_000_000;
/// What the helper may take, in bytes: 1 MB.
pub const MAX_HELPER_BYTES: usize = 1_000_000;
/// Kinds of pictures in the icon, by their four letters, with their width and height in pixels.
pub const ICON_PICTURES: [(&[u8; 4], u32); 10] = [
    (b"icp4", 16),
    (b"ic11", 32),
    (b"icp5", 32),
    (b"ic12", 64),
    (b"ic07", 128),
    (b"ic13", 256),
    (b"ic08", 256),
    (b"ic14", 512),
    (b"ic09", 512),
    (b"ic10", 1024),
];
const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

pub(super) fn files(bundle: &Bundle) -> Complaints {
    let expected: BTreeSet<_> = bundle.expected.files().into_iter().collect();
    let found: BTreeSet<_> = bundle.files.keys().cloned().collect();
    let missing = expected.difference(&found).map(|path| format!("{path} is missing"));
    let stray = found.difference(&expected).map(|path| format!("{path} does not belong there"));
    let odd = bundle.oddities.iter().map(|path| format!("{path} is no plain file"));
    missing.chain(stray).chain(odd).collect()
}

pub(super) fn modes(bundle: &Bundle) -> Complaints {
    let programs = bundle.expected.programs();
    let mut complaints = Complaints::new();
    for (path, file) in &bundle.files {
        let wanted = if programs.contains(path) { 0o755 } else { 0o644 };
        if file.mode != wanted {
            complaints.push(format!("{path} has mode {:o}, not {wanted:o}", file.mode));
        }
    }
    complaints
}

pub(super) fn size(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    let total = total_bytes(bundle);
    if total > MAX_BUNDLE_BYTES {
        complaints.push(format!("it takes {total} bytes of {MAX_BUNDLE_BYTES}"));
    }
    let helper = bundle.bytes(&bundle.expected.helper()).map_or(0, <[u8]>::len);
    if helper > MAX_HELPER_BYTES {
        complaints.push(format!("the helper takes {helper} bytes of {MAX_HELPER_BYTES}"));
    }
    complaints
}

/// What the bundle takes unpacked, in bytes.
#[must_use]
pub fn total_bytes(bundle: &Bundle) -> usize {
    bundle.files.values().map(|file| file.bytes.len()).sum()
}

pub(super) fn icon(bundle: &Bundle) -> Complaints {
    let Some(bytes) = bundle.bytes(crate::expected::ICON) else { return vec!["there is no icon".into()] };
    let Some(pictures) = pictures(bytes) else { return vec!["the icon can't be read".into()] };
    let lacks = |kind: &[u8; 4], pixels: u32| {
        !pictures.iter().any(|(found, picture)| found == kind && png_size(picture) == Some((pixels, pixels)))
    };
    let missing = ICON_PICTURES.iter().filter(|(kind, pixels)| lacks(kind, *pixels));
    missing
        .map(|(kind, pixels)| format!("the icon lacks {} of {pixels} pixels", String::from_utf8_lossy(&kind[..])))
        .collect()
}

/// The pictures of an icon file: each a kind, a length that counts its own eight bytes of header, and a picture.
fn pictures(icon: &[u8]) -> Option<Vec<([u8; 4], &[u8])>> {
    let length = |at: usize| -> Option<usize> {
        usize::try_from(u32::from_be_bytes(icon.get(at..at + 4)?.try_into().ok()?)).ok()
    };
    if icon.get(..4)? != b"icns" || length(4)? != icon.len() {
        return None;
    }
    let mut found = Vec::new();
    let mut at = 8;
    while at < icon.len() {
        let next = at.checked_add(length(at + 4)?)?;
        found.push((icon.get(at..at + 4)?.try_into().ok()?, icon.get(at + 8..next)?));
        at = next;
    }
    Some(found)
}

fn png_size(picture: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(picture.get(at..at + 4)?.try_into().ok()?));
    (picture.get(..8)? == PNG).then_some((number(16)?, number(20)?))
}
