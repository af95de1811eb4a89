//! The names, wherever they stand: property lists, signatures, file names, and the programs themselves.

use joulebar_core::codesign::read_signature;
use plist::{Dictionary, Value};

use super::Complaints;
use crate::bundle::{Bundle, dictionary};
use crate::expected::INFO;
use crate::plists;
use crate::program::{Program, contains};

/// Keys by which launchd would start the helper unasked, start it again, or leave its children running as root.
const FORBIDDEN: &[&str] = &["RunAtLoad", "KeepAlive", "AbandonProcessGroup", "StartInterval", "WatchPaths", "Program"];

fn helper_plist(bundle: &Bundle) -> Option<Dictionary> {
    embedded_plist(bundle, &bundle.expected.helper())
}

fn embedded_plist(bundle: &Bundle, program: &str) -> Option<Dictionary> {
    let program = Program::read(bundle.bytes(program)?).ok()?;
    dictionary(&program.info_plist?)
}

fn text<'a>(dictionary: &'a Dictionary, key: &str) -> Option<&'a str> {
    dictionary.get(key).and_then(Value::as_string)
}

/// Complains about every one of these texts that is another.
fn compare(found: &Dictionary, wanted: &[(&str, &str)]) -> Complaints {
    let wrong = wanted.iter().filter(|(key, wanted)| text(found, key) != Some(wanted));
    wrong.map(|(key, wanted)| format!("{key} is {:?}, not {wanted:?}", found.get(key))).collect()
}

pub(super) fn helper_info(bundle: &Bundle) -> Complaints {
    own_info(bundle, &bundle.expected.helper(), &bundle.expected.helper_id)
}

/// Without it the helper's requirement, which asks for a version, is never met.
pub(super) fn cli_info(bundle: &Bundle) -> Complaints {
    own_info(bundle, &bundle.expected.cli(), &bundle.expected.cli_id)
}

fn own_info(bundle: &Bundle, program: &str, identifier: &str) -> Complaints {
    let Some(found) = embedded_plist(bundle, program) else { return vec!["it has none".into()] };
    compare(&found, &[("CFBundleIdentifier", identifier), ("CFBundleShortVersionString", &bundle.expected.version)])
}

pub(super) fn app_info(bundle: &Bundle) -> Complaints {
    let Some(found) = bundle.plist(INFO) else { return vec!["there is none".into()] };
    match plists::app_info(&bundle.expected) {
        Ok(wanted) => differences(&found, &wanted),
        Err(error) => vec![format!("{error:#}")],
    }
}

pub(super) fn launchd(bundle: &Bundle) -> Complaints {
    match bundle.plist(&bundle.expected.launchd()) {
        Some(found) => differences(&found, &plists::launchd(&bundle.expected)),
        None => vec!["launchd is told nothing".into()],
    }
}

fn differences(found: &Dictionary, wanted: &Dictionary) -> Complaints {
    let missing = wanted.iter().filter(|(key, value)| found.get(key) != Some(value));
    let missing = missing.map(|(key, value)| format!("{key} is {:?}, not {value:?}", found.get(key)));
    let more = found.keys().filter(|key| !wanted.contains_key(key)).map(|key| format!("{key} does not belong there"));
    missing.chain(more).collect()
}

pub(super) fn agent(bundle: &Bundle) -> Complaints {
    let Some(found) = bundle.plist(INFO) else { return vec!["there is no Info.plist".into()] };
    let keys = ["LSUIElement", "LSMultipleInstancesProhibited"];
    let off = keys.iter().filter(|key| found.get(key).and_then(Value::as_boolean) != Some(true));
    off.map(|key| format!("{key} is not true")).collect()
}

pub(super) fn forbidden_keys(bundle: &Bundle) -> Complaints {
    let Some(found) = bundle.plist(&bundle.expected.launchd()) else { return vec!["launchd is told nothing".into()] };
    FORBIDDEN.iter().filter(|key| found.contains_key(key)).map(|key| format!("it has {key}")).collect()
}

pub(super) fn identifiers(bundle: &Bundle) -> Complaints {
    let expected = &bundle.expected;
    let signed = |path: &str| {
        bundle.bytes(path).and_then(|bytes| read_signature(bytes).ok()).map(|signature| signature.identifier.to_owned())
    };
    let listed = |dictionary: Option<Dictionary>, key: &str| {
        dictionary.as_ref().and_then(|dictionary| text(dictionary, key)).map(str::to_owned)
    };
    let launchd = bundle.plist(&expected.launchd());
    let service = launchd.as_ref().and_then(|launchd| launchd.get("MachServices")).and_then(Value::as_dictionary);
    let services: Vec<_> = service.map(|services| services.keys().cloned().collect()).unwrap_or_default();
    let first_argument = launchd.as_ref().and_then(|launchd| launchd.get("ProgramArguments"));
    let first_argument = first_argument.and_then(Value::as_array).and_then(|words| words.first()?.as_string());
    let associated = launchd.as_ref().and_then(|launchd| launchd.get("AssociatedBundleIdentifiers"));
    let associated = associated.and_then(Value::as_array).and_then(|ids| ids.first()?.as_string());
    let program = listed(launchd.clone(), "BundleProgram");
    let file_name = program.as_deref().and_then(|path| path.strip_prefix("Contents/MacOS/")).map(str::to_owned);
    let found = [
        ("the app's signature", signed(&expected.app()), &expected.app_id),
        ("the app's Info.plist", listed(bundle.plist(INFO), "CFBundleIdentifier"), &expected.app_id),
        ("launchd's list of whose helper it is", associated.map(str::to_owned), &expected.app_id),
        ("the terminal program's signature", signed(&expected.cli()), &expected.cli_id),
        ("the helper's signature", signed(&expected.helper()), &expected.helper_id),
        ("the helper's Info.plist", listed(helper_plist(bundle), "CFBundleIdentifier"), &expected.helper_id),
        ("the helper's file name", file_name, &expected.helper_id),
        ("launchd's label", listed(launchd.clone(), "Label"), &expected.helper_id),
        ("the helper's own name for itself", first_argument.map(str::to_owned), &expected.helper_id),
        ("the Mach service", (services.len() == 1).then(|| services[0].clone()), &expected.helper_id),
    ];
    let wrong = found.into_iter().filter(|(_, found, wanted)| found.as_ref() != Some(*wanted));
    wrong
        .map(|(place, found, wanted)| format!("{place} says {}, not {wanted}", found.as_deref().unwrap_or("nothing")))
        .collect()
}

pub(super) fn requirement(bundle: &Bundle) -> Complaints {
    let expected = &bundle.expected;
    let told = [
        ("the helper", expected.helper(), &expected.client_requirement),
        ("the app", expected.app(), &expected.helper_requirement),
    ];
    let missing =
        told.iter().filter(|(_, path, text)| !bundle.bytes(path).is_some_and(|bytes| contains(bytes, text.as_bytes())));
    missing.map(|(program, _, text)| format!("{program} does not hold {text:?}")).collect()
}
