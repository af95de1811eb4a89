//! The property lists of the bundle, made from the constants.

use anyhow::Context;
use plist::{Dictionary, Value};

use crate::expected::Expected;

/// What stands in the app's property list whatever the build: kept as a file of its own, where Tauri looks for it too.
const FIXED: &[u8] = include_bytes!("../../../src-tauri/Info.plist");

/// What tells launchd about the helper: started by its first message and never else, ended with its children, none of
/// whom may outlive it. So no `RunAtLoad`, no `KeepAlive`, no `AbandonProcessGroup`.
#[must_use]
pub fn launchd(expected: &Expected) -> Dictionary {
    let id = &expected.helper_id;
    let mut root = Dictionary::new();
    let text = |text: &str| Value::from(text);
    root.insert("Label".into(), text(id));
    root.insert("BundleProgram".into(), text(&expected.helper()));
    root.insert("ProgramArguments".into(), Value::Array(vec![text(id), text("daemon")]));
    root.insert("MachServices".into(), Value::Dictionary([(id.clone(), Value::Boolean(true))].into_iter().collect()));
    root.insert("AssociatedBundleIdentifiers".into(), Value::Array(vec![text(&expected.app_id)]));
    root.insert("ProcessType".into(), text("Adaptive"));
    // a stream of one-way messages holds no transaction, and launchd would end a helper that holds none
    root.insert("EnableTransactions".into(), Value::Boolean(false));
    root.insert("ExitTimeOut".into(), Value::from(5));
    if let (Some(team), true) = (&expected.team, expected.released) {
        let constraint = [("signing-identifier".to_owned(), text(id)), ("team-identifier".to_owned(), text(team))];
        root.insert("SpawnConstraint".into(), Value::Dictionary(constraint.into_iter().collect()));
    }
    root
}

/// The app's own property list.
///
/// # Errors
/// When `src-tauri/Info.plist` is no property list.
pub fn app_info(expected: &Expected) -> anyhow::Result<Dictionary> {
    let mut root = crate::bundle::dictionary(FIXED).context("src-tauri/Info.plist is no dictionary")?;
    let texts = [
        ("CFBundleDevelopmentRegion", "en"),
        ("CFBundleDisplayName", "Joulebar"),
        ("CFBundleExecutable", "joulebar-app"),
        ("CFBundleIconFile", "icon.icns"),
        ("CFBundleIdentifier", &expected.app_id),
        ("CFBundleInfoDictionaryVersion", "6.0"),
        ("CFBundleName", "Joulebar"),
        ("CFBundlePackageType", "APPL"),
        ("CFBundleShortVersionString", &expected.version),
        ("CFBundleVersion", &expected.version),
        ("LSApplicationCategoryType", "public.app-category.developer-tools"),
        ("LSMinimumSystemVersion", "13.0"),
    ];
    for (key, text) in texts {
        root.insert(key.into(), Value::from(text));
    }
    root.insert("NSHighResolutionCapable".into(), Value::Boolean(true));
    root.sort_keys();
    Ok(root)
}

/// A property list as the file that holds it.
///
/// # Errors
/// When it can't be written as XML.
pub fn to_xml(dictionary: Dictionary) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Value::Dictionary(dictionary).to_writer_xml(&mut bytes)?;
    bytes.push(b'\n');
    Ok(bytes)
}
