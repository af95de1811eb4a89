//! Where a Mach-O file keeps its signature. Knows the header and the list of load commands, nothing else.

use std::ops::Range;

use super::{CodeSignError, array};

/// `MH_MAGIC_64`, as little-endian machines write it.
const MAGIC_64: [u8; 4] = [0xcf, 0xfa, 0xed, 0xfe];
/// `FAT_MAGIC` and `FAT_MAGIC_64`, which are big-endian.
const UNIVERSAL: [[u8; 4]; 2] = [[0xca, 0xfe, 0xba, 0xbe], [0xca, 0xfe, 0xba, 0xbf]];
const HEADER: usize = 32;
/// `LC_CODE_SIGNATURE`: offset and length of the signature in the file.
pub(super) const CODE_SIGNATURE: u32 = 0x1d;

/// The signature's bytes in the file.
pub(super) fn signature_place(file: &[u8]) -> Result<Range<usize>, CodeSignError> {
    match array::<4>(file, 0) {
        Some(MAGIC_64) => {}
        Some(magic) if UNIVERSAL.contains(&magic) => return Err(CodeSignError::Universal),
        _ => return Err(CodeSignError::NotMachO),
    }
    commands(file).ok_or(CodeSignError::Damaged)?.ok_or(CodeSignError::Unsigned)
}

/// Walks the load commands. The outer `None` means that they run out of the file.
fn commands(file: &[u8]) -> Option<Option<Range<usize>>> {
    let count = word(file, 16)?;
    let end = HEADER.checked_add(word(file, 20)?)?;
    let mut at = HEADER;
    for _ in 0..count {
        let length = word(file, at + 4)?;
        if length < 8 || at.checked_add(length)? > end {
            return None;
        }
        if array(file, at).map(u32::from_le_bytes)? == CODE_SIGNATURE {
            let start = word(file, at + 8)?;
            return Some(Some(start..start.checked_add(word(file, at + 12)?)?));
        }
        at += length;
    }
    Some(None)
}

fn word(file: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(array(file, at)?)).ok()
}
