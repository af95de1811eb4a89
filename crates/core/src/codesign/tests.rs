//! Tried on a program of twenty lines, signed by `rcodesign`: `tests/codesign` tells how it was made.

use super::macho::CODE_SIGNATURE;
use super::*;

const PROGRAM: &[u8] = include_bytes!("../../tests/codesign/helper");
const SEAL: &str = include_str!("../../tests/codesign/CodeResources");

/// A byte of its code, and where its load commands begin.
const CODE: usize = 0x400;

fn changed(at: usize, byte: u8) -> Vec<u8> {
    let mut program = PROGRAM.to_vec();
    program[at] = byte;
    program
}

/// Where the load command of this kind begins.
fn command(kind: u32) -> usize {
    let word = |at: usize| u32::from_le_bytes(PROGRAM[at..at + 4].try_into().unwrap());
    let mut at = 32;
    while word(at) != kind {
        at += word(at + 4) as usize;
    }
    at
}

#[test]
fn cdhash_is_the_one_that_the_signer_put_into_the_bundles_seal() {
    let seal: plist::Value = plist::from_bytes(SEAL.as_bytes()).unwrap();
    let files = seal.as_dictionary().unwrap().get("files2").unwrap().as_dictionary().unwrap();
    let entry = files.get("MacOS/org.example.helper").unwrap().as_dictionary().unwrap();
    let sealed = entry.get("cdhash").unwrap().as_data().unwrap();
    let signature = read_signature(PROGRAM).unwrap();
    assert_eq!(signature.cdhash.0, sealed);
    let requirement = entry.get("requirement").unwrap().as_string().unwrap();
    assert_eq!(requirement, format!("cdhash H\"{}\"", signature.cdhash));
}

#[test]
fn signature_tells_who_it_is_and_how_it_was_made() {
    let signature = read_signature(PROGRAM).unwrap();
    assert_eq!((signature.identifier, signature.team), ("org.example.helper", None));
    assert_eq!(signature.flags, ADHOC | RUNTIME);
    assert!(signature.is_intact());
    assert!(signature.part(slot::ENTITLEMENTS).is_none() && signature.slot_hash(slot::ENTITLEMENTS).is_none());
    let directory = signature.part(0).unwrap();
    assert_eq!(&Sha256::digest(directory)[..20], signature.cdhash.0);
}

#[test]
fn cdhash_is_forty_digits_in_lower_case() {
    let mut bytes = [0; 20];
    bytes[..3].copy_from_slice(&[0x0a, 0xBC, 0xff]);
    assert_eq!(CdHash(bytes).to_string(), format!("0abcff{}", "0".repeat(34)));
}

#[test]
fn changed_code_keeps_its_cdhash_and_is_not_intact() {
    let program = changed(CODE, PROGRAM[CODE] ^ 1);
    let signature = read_signature(&program).unwrap();
    assert_eq!(signature.cdhash, read_signature(PROGRAM).unwrap().cdhash);
    assert!(!signature.is_intact());
}

#[test]
fn changed_signature_is_another_cdhash() {
    let at = PROGRAM.windows(18).rposition(|window| window == b"org.example.helper").unwrap();
    let program = changed(at, b'O');
    let signature = read_signature(&program).unwrap();
    assert_eq!(signature.identifier, "Org.example.helper");
    assert_ne!(signature.cdhash, read_signature(PROGRAM).unwrap().cdhash);
}

#[test]
fn other_files_are_told_apart() {
    let reason = |bytes: &[u8]| read_signature(bytes).err();
    assert_eq!(reason(b""), Some(CodeSignError::NotMachO));
    assert_eq!(reason(b"#!/bin/sh\n"), Some(CodeSignError::NotMachO));
    assert_eq!(reason(b"\x7fELF\x02\x01\x01\0"), Some(CodeSignError::NotMachO));
    assert_eq!(reason(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2]), Some(CodeSignError::Universal));
    // LC_CODE_SIGNATURE becomes a command that nobody knows
    assert_eq!(reason(&changed(command(CODE_SIGNATURE), 0x7f)), Some(CodeSignError::Unsigned));
    assert_eq!(reason(&PROGRAM[..PROGRAM.len() / 2]), Some(CodeSignError::Damaged));
}

#[test]
fn unknown_hash_is_not_guessed() {
    let directory = PROGRAM.windows(4).rposition(|window| window == CODE_DIRECTORY.to_be_bytes()).unwrap();
    assert_eq!(PROGRAM[directory + 37], SHA256);
    for (kind, reason) in [(1, CodeSignError::UnknownHash), (4, CodeSignError::UnknownHash)] {
        assert_eq!(read_signature(&changed(directory + 37, kind)).err(), Some(reason));
    }
}

#[test]
fn no_cut_and_no_changed_byte_makes_it_panic_or_seem_intact() {
    let start = command(CODE_SIGNATURE);
    let signature = PROGRAM.len() - 2_048;
    for length in (0..2_048).chain(signature..PROGRAM.len()) {
        assert!(!read_signature(&PROGRAM[..length]).is_ok_and(|signature| signature.is_intact() && length < start));
    }
    let whole = read_signature(PROGRAM).unwrap().cdhash;
    for at in (0..1_024).chain(signature..PROGRAM.len()) {
        for byte in [0, 0xff, PROGRAM[at] ^ 0x80, PROGRAM[at].wrapping_add(1)] {
            let program = changed(at, byte);
            if let Ok(found) = read_signature(&program) {
                // what the hash does not cover are the pages (changed: not intact) and the bytes behind the signature
                let same = found.cdhash == whole && found.is_intact();
                assert!(!same || byte == PROGRAM[at] || at >= signature, "byte {at}");
            }
        }
    }
}
