//! The texts of an install: the requirement, the job, and what is read out of an app's Info.plist. Pure.

use std::path::Path;

use super::places::Labels;

/// Hexadecimal digits of a hash of a code directory.
const CDHASH_DIGITS: usize = 40;
/// In the job, to know our own again.
const MADE_BY: &str = "<!-- Made by `joulebar helper install`; `joulebar helper uninstall` removes it. -->";

/// True for 40 hexadecimal digits in lower case.
#[must_use]
pub fn is_cdhash(text: &str) -> bool {
    text.len() == CDHASH_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The requirement that a program with one of these hashes meets, and no other: `cdhash H"…" or cdhash H"…"`.
#[must_use]
pub fn requirement<'a>(cdhashes: impl IntoIterator<Item = &'a String>) -> String {
    let mut clauses: Vec<String> = cdhashes.into_iter().map(|hash| format!("cdhash H\"{hash}\"")).collect();
    let mut seen = std::collections::HashSet::new();
    clauses.retain(|clause| seen.insert(clause.clone()));
    clauses.join(" or ")
}

/// The hashes in a requirement that [`requirement`] wrote; `None` for any other text.
#[must_use]
pub fn parse_requirement(text: &str) -> Option<Vec<String>> {
    let clauses = text.strip_suffix('\n').unwrap_or(text).split(" or ");
    let hash = |clause: &str| clause.strip_prefix("cdhash H\"")?.strip_suffix('"').map(str::to_owned);
    clauses.map(|clause| hash(clause).filter(|hash| is_cdhash(hash))).collect()
}

/// The job for launchd. Started by the first message, gone when idle; so neither `RunAtLoad` nor `KeepAlive`, and no
/// `AbandonProcessGroup`: what the daemon leaves running goes with it.
pub fn job(labels: &Labels, program: &Path) -> String {
    let label = labels.job();
    let (program, app_id) = (program.display(), &labels.app_id);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
{MADE_BY}
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>{label}</string>
	<key>Program</key>
	<string>{program}</string>
	<key>ProgramArguments</key>
	<array>
		<string>{label}</string>
		<string>daemon</string>
	</array>
	<key>MachServices</key>
	<dict>
		<key>{label}</key>
		<true/>
	</dict>
	<key>AssociatedBundleIdentifiers</key>
	<array>
		<string>{app_id}</string>
	</array>
	<key>ProcessType</key>
	<string>Adaptive</string>
	<key>EnableTransactions</key>
	<false/>
	<key>ExitTimeOut</key>
	<integer>5</integer>
</dict>
</plist>
"#
    )
}

/// True for a job that [`job`] wrote for this label, in this version or another.
pub fn is_job(text: &str, labels: &Labels) -> bool {
    text.contains(MADE_BY) && string_value(text, "Label") == Some(labels.job().as_str())
}

/// The string of a key in a property list of text; `None` for a missing key, another type, or escaped characters.
pub fn string_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<key>{key}</key>"))?;
    let (value, _) = rest.trim_start().strip_prefix("<string>")?.split_once("</string>")?;
    (!value.contains(['<', '&'])).then_some(value)
}

/// True for a name that stays in its folder.
pub fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && !name.contains(['/', '\0'])
}
