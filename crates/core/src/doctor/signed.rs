//! A program's signature as the checks and the installer need it, out of [`crate::codesign`].

use super::facts::SignedCode;
use crate::codesign::{RUNTIME, read_signature, slot};

/// Reads the signature of a program from all its bytes; `Err` says why there is none, for people.
///
/// # Errors
/// In words: it is no program of a Mac, or not signed.
pub fn read_signed(bytes: &[u8]) -> Result<SignedCode, String> {
    let signature = read_signature(bytes).map_err(|error| error.to_string())?;
    Ok(SignedCode {
        identifier: signature.identifier.to_owned(),
        team: signature.team.map(str::to_owned),
        cdhash: signature.cdhash.to_string(),
        hardened: signature.flags & RUNTIME != 0,
        entitled: [slot::ENTITLEMENTS, slot::ENTITLEMENTS_DER].iter().any(|part| signature.part(*part).is_some()),
        intact: signature.is_intact(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_program_of_a_mac_has_no_signature() {
        assert!(read_signed(b"").is_err());
        assert!(read_signed(b"#!/bin/sh\n").unwrap_err().contains("Mach-O"));
    }
}
