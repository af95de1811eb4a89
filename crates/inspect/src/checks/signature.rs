//! The signatures, and the seal over the bundle's other files (`_CodeSignature/CodeResources`).

use std::collections::BTreeSet;

use joulebar_core::codesign::{self, CodeSignature, read_signature, slot};
use plist::Value;
use sha2::{Digest, Sha256};

use super::Complaints;
use crate::bundle::{Bundle, dictionary};
use crate::expected::{INFO, SEAL};

/// The programs' signatures, with a complaint for each that can't be read.
fn signatures<'a>(bundle: &'a Bundle, complaints: &mut Complaints) -> Vec<(&'a str, CodeSignature<'a>)> {
    let mut found = Vec::new();
    for (path, bytes) in bundle.programs() {
        match read_signature(bytes) {
            Ok(signature) => found.push((path, signature)),
            Err(error) => complaints.push(format!("{path}: {error}")),
        }
    }
    if found.len() + complaints.len() < bundle.expected.programs().len() {
        complaints.push("a program is missing".into());
    }
    found
}

pub(super) fn intact(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, signature) in signatures(bundle, &mut complaints) {
        if !signature.is_intact() {
            complaints.push(format!("{path} was changed after it was signed"));
        }
        if signature.flags & codesign::LINKER_SIGNED != 0 {
            complaints.push(format!("{path} has the linker's own signature"));
        }
        // macOS wants both or neither
        let (team, adhoc) = (signature.team, signature.flags & codesign::ADHOC != 0);
        if team != bundle.expected.team.as_deref() || team.is_some() == adhoc {
            complaints.push(format!("{path} is signed by team {team:?}, ad hoc: {adhoc}"));
        }
    }
    complaints
}

pub(super) fn runtime(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    let signatures = signatures(bundle, &mut complaints);
    let off = signatures.iter().filter(|(_, signature)| signature.flags & codesign::RUNTIME == 0);
    let off: Vec<_> = off.map(|(path, _)| format!("{path} runs without it")).collect();
    complaints.extend(off);
    complaints
}

pub(super) fn entitlements(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, signature) in signatures(bundle, &mut complaints) {
        for slot in [slot::ENTITLEMENTS, slot::ENTITLEMENTS_DER] {
            if signature.part(slot).is_some() || signature.slot_hash(slot).is_some() {
                complaints.push(format!("{path} has some"));
            }
        }
    }
    complaints
}

pub(super) fn sealed(bundle: &Bundle) -> Complaints {
    let mut complaints = Complaints::new();
    let app = bundle.expected.app();
    let signatures = signatures(bundle, &mut complaints);
    let Some((_, signature)) = signatures.iter().find(|(path, _)| *path == app) else { return complaints };
    for (slot, path) in [(slot::INFO_PLIST, INFO), (slot::RESOURCES, SEAL)] {
        let hash: Option<[u8; 32]> = bundle.bytes(path).map(|bytes| Sha256::digest(bytes).into());
        if hash.is_none() || signature.slot_hash(slot) != hash {
            complaints.push(format!("the app's signature does not cover {path}"));
        }
    }
    let seal = bundle.bytes(SEAL).and_then(dictionary);
    let Some(entries) = seal.as_ref().and_then(|seal| seal.get("files2")).and_then(Value::as_dictionary) else {
        complaints.push("the seal can't be read".into());
        return complaints;
    };
    // what the app's own signature covers is not in the seal
    let covered: BTreeSet<_> = [app.as_str(), INFO, SEAL].into();
    for (path, file) in bundle.files.iter().filter(|(path, _)| !covered.contains(path.as_str())) {
        let entry = path.strip_prefix("Contents/").and_then(|inside| entries.get(inside));
        let wanted = match signatures.iter().find(|(program, _)| program == path) {
            Some((_, program)) => ("cdhash", program.cdhash.0.to_vec()),
            None => ("hash2", Sha256::digest(&file.bytes).to_vec()),
        };
        let found = entry.and_then(Value::as_dictionary).and_then(|entry| entry.get(wanted.0)).and_then(Value::as_data);
        if found != Some(wanted.1.as_slice()) {
            complaints.push(format!("the seal does not hold the {} of {path}", wanted.0));
        }
    }
    complaints
}
