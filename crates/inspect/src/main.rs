//! `joulebar-inspect check BUNDLE`, `names`, `requirement`, `plist app`, `plist launchd`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use joulebar_inspect::bundle::Bundle;
use joulebar_inspect::checks::{CHECKS, total_bytes};
use joulebar_inspect::expected::Expected;
use joulebar_inspect::plists;
use joulebar_wire::identity;

const USAGE: &str =
    "usage: joulebar-inspect check BUNDLE [--build-path PATH]... | names | requirement | plist app | plist launchd";

#[expect(clippy::print_stderr, reason = "a tool of the command line")]
fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Does what the arguments say; false when a check failed.
fn run() -> anyhow::Result<bool> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let expected = Expected::of_this_build();
    let mut out = std::io::stdout().lock();
    match words[..] {
        ["names"] => {
            let Expected { app_id, helper_id, cli_id, version, .. } = &expected;
            writeln!(out, "{app_id} {helper_id} {cli_id} {version}")?;
        }
        // whom the helper lets in
        ["requirement"] => {
            let requirement = identity::CLIENT_REQUIREMENT.with_context(|| {
                format!("a build without a team has none; its helper reads {}", identity::CLIENT_REQUIREMENT_FILE)
            })?;
            writeln!(out, "{requirement}")?;
        }
        ["plist", "app"] => out.write_all(&plists::to_xml(plists::app_info(&expected)?)?)?,
        ["plist", "launchd"] => out.write_all(&plists::to_xml(plists::launchd(&expected))?)?,
        ["check", path, ref options @ ..] => {
            let build_paths = build_paths(options)?;
            return check(&Bundle::read(Path::new(path), expected, build_paths)?, &mut out);
        }
        _ => bail!(USAGE),
    }
    Ok(true)
}

fn build_paths(options: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    for option in options.chunks(2) {
        match option {
            ["--build-path", path] if path.len() > 2 => paths.push((*path).to_owned()),
            _ => bail!(USAGE),
        }
    }
    Ok(paths)
}

/// One line for each check, as `ok - what` or `not ok - what`, its complaints below it.
fn check(bundle: &Bundle, out: &mut impl Write) -> anyhow::Result<bool> {
    let mut passed = true;
    for check in CHECKS {
        let complaints = (check.run)(bundle);
        let word = if complaints.is_empty() { "ok" } else { "not ok" };
        writeln!(out, "{word} - {}", check.name)?;
        for complaint in &complaints {
            writeln!(out, "#   {complaint}")?;
        }
        passed &= complaints.is_empty();
    }
    for (path, bytes) in bundle.programs() {
        writeln!(out, "# {path}: {} bytes", bytes.len())?;
    }
    writeln!(out, "# the whole bundle: {} bytes", total_bytes(bundle))?;
    Ok(passed)
}
