//! A bundle that passes, made in memory, and ways to break it.

pub mod macho;

use std::collections::BTreeMap;

use joulebar_core::codesign::{ADHOC, RUNTIME, read_signature};
use joulebar_inspect::bundle::{Bundle, File};
use joulebar_inspect::expected::{Expected, ICON, INFO, SEAL};
use joulebar_inspect::plists;
use macho::{Plan, Signature};
use plist::{Dictionary, Value};
use sha2::{Digest, Sha256};

/// `CPU_TYPE_ARM64`.
pub const ARM64: u32 = 0x0100_000c;
const LIB_SYSTEM: &str = "/usr/lib/libSystem.B.dylib";

/// The parts of a bundle, before they are signed.
#[derive(Clone)]
pub struct Parts {
    pub expected: Expected,
    pub app: Plan,
    pub helper: Plan,
    pub cli: Plan,
    pub info: Dictionary,
    pub launchd: Dictionary,
    pub icon: Vec<u8>,
}

fn program(identifier: &str, text: &str) -> Plan {
    Plan {
        cpu: ARM64,
        flags: 0x0020_0085,
        platform: 1,
        minimum: (13, 0),
        libraries: vec![LIB_SYSTEM.into()],
        search_paths: Vec::new(),
        imports: vec![("_xpc_connection_activate".into(), false), ("_os_sync_wait_on_address".into(), true)],
        info_plist: None,
        text: text.as_bytes().to_vec(),
        signature: Some(Signature {
            identifier: identifier.into(),
            team: None,
            flags: ADHOC | RUNTIME,
            slots: Vec::new(),
            parts: Vec::new(),
        }),
    }
}

impl Parts {
    /// Parts in which nothing is wrong.
    pub fn good() -> Self {
        let expected = Expected { team: None, released: false, ..Expected::of_this_build() };
        let mut helper =
            program(&expected.helper_id, &format!("/usr/bin/powermetrics\0{}\0", expected.client_requirement));
        let info = |identifier: &str| {
            let mut info = Dictionary::new();
            info.insert("CFBundleIdentifier".into(), Value::from(identifier));
            info.insert("CFBundleShortVersionString".into(), Value::from(expected.version.as_str()));
            Some(plists::to_xml(info).unwrap())
        };
        helper.info_plist = info(&expected.helper_id);
        let mut cli = program(&expected.cli_id, "joulebar");
        cli.info_plist = info(&expected.cli_id);
        let mut app = program(&expected.app_id, &format!("{}\0", expected.helper_requirement));
        app.libraries.push("/System/Library/Frameworks/AppKit.framework/Versions/C/AppKit".into());
        Self {
            app,
            helper,
            cli,
            info: plists::app_info(&expected).unwrap(),
            launchd: plists::launchd(&expected),
            icon: include_bytes!("../../../../src-tauri/icons/icon.icns").to_vec(),
            expected,
        }
    }

    /// Signs inside-out and puts the bundle together.
    pub fn bundle(self) -> Bundle {
        let Self { expected, mut app, helper, cli, info, launchd, icon } = self;
        let (helper, cli) = (helper.build(), cli.build());
        let launchd = plists::to_xml(launchd).unwrap();
        let info = plists::to_xml(info).unwrap();
        let mut sealed = Dictionary::new();
        for (path, bytes) in [(expected.helper(), &helper), (expected.cli(), &cli)] {
            let cdhash = read_signature(bytes).map_or(vec![0; 20], |signature| signature.cdhash.0.to_vec());
            seal(&mut sealed, &path, "cdhash", cdhash);
        }
        seal(&mut sealed, &expected.launchd(), "hash2", Sha256::digest(&launchd).to_vec());
        seal(&mut sealed, ICON, "hash2", Sha256::digest(&icon).to_vec());
        let resources = [("files2".to_owned(), Value::Dictionary(sealed))].into_iter().collect();
        let resources = plists::to_xml(resources).unwrap();
        if let Some(signature) = &mut app.signature {
            signature.slots.push((1, Sha256::digest(&info).into()));
            signature.slots.push((3, Sha256::digest(&resources).into()));
        }
        let mut files = BTreeMap::new();
        for (path, bytes, mode) in [
            (expected.app(), app.build(), 0o755),
            (expected.helper(), helper, 0o755),
            (expected.cli(), cli, 0o755),
            (expected.launchd(), launchd, 0o644),
            (INFO.to_owned(), info, 0o644),
            (ICON.to_owned(), icon, 0o644),
            (SEAL.to_owned(), resources, 0o644),
        ] {
            files.insert(path, File { bytes, mode });
        }
        Bundle { files, oddities: Vec::new(), expected, build_paths: vec!["/build/joulebar".into()] }
    }
}

fn seal(sealed: &mut Dictionary, path: &str, kind: &str, hash: Vec<u8>) {
    let entry = [(kind.to_owned(), Value::Data(hash))].into_iter().collect();
    sealed.insert(path.trim_start_matches("Contents/").into(), Value::Dictionary(entry));
}
