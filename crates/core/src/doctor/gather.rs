//! Finds the facts: asks the system's own tools and reads files. Blocks; changes nothing.
//!
//! Each tool's answer is read by a small pure function, which is tested. Not run on a Mac while it was written: the tools
//! themselves (`codesign`, `csreq`, `ps`, `ioreg`, `scutil`, `id`, `log`, and powermetrics without root).

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use joulebar_wire::Sampler;

use super::anonymise::Personal;
use super::facts::{RequirementFacts, SamplerState, Signature, SignedCode, SystemFacts, ToolState};
use super::signed::read_signed;
use crate::helper_install::{self, Identify, Labels, Launchctl, Part, Places};
use crate::lmstudio::ApiToken;

const POWERMETRICS: &str = "/usr/bin/powermetrics";
/// How far back the log is read.
const LOG_TIME: &str = "15m";

/// What the facts are about.
pub struct Subject<'a> {
    /// Names of app and helper.
    pub labels: Labels,
    /// The rule that was compiled in, for builds with a certificate.
    pub requirement: Option<&'a str>,
    /// Folder of the history.
    pub data_folder: Option<PathBuf>,
    /// Where the helper is that would be used.
    pub helper: Option<PathBuf>,
    /// Reads a code signature.
    pub read_signature: &'a dyn Fn(&[u8]) -> Result<SignedCode, String>,
}

impl Subject<'static> {
    /// This build, with what is to be looked at beside it.
    #[must_use]
    pub fn of_this_build(data_folder: Option<PathBuf>, helper: Option<PathBuf>) -> Self {
        Self {
            labels: Labels::of_this_build(),
            requirement: joulebar_wire::identity::CLIENT_REQUIREMENT,
            data_folder,
            helper,
            read_signature: &read_signed,
        }
    }
}

/// Finds what can be found here.
#[must_use]
pub fn read_system(subject: &Subject<'_>) -> SystemFacts {
    let free_bytes = subject.data_folder.as_deref().and_then(free_bytes);
    if !cfg!(target_os = "macos") {
        return SystemFacts { free_bytes, ..SystemFacts::default() };
    }
    let own = std::env::current_exe().ok().map(|own| own.canonicalize().unwrap_or(own));
    let app_folder = own.as_deref().and_then(bundle_of);
    let app_signature = own.as_deref().map(|own| signature(own, app_folder.as_deref(), subject.read_signature));
    let identify = identify(subject.read_signature);
    let wanted: Vec<String> =
        app_signature.iter().filter_map(|found| Some(found.read.as_ref().ok()?.cdhash.clone())).collect();
    let install = helper_install::status(&Places::system(), &subject.labels, &wanted, &identify, &mut Launchctl);
    let pinned = Places::system().path(&subject.labels, Part::Requirement);
    let text = match subject.requirement {
        Some(requirement) => Some(requirement.to_owned()),
        None => std::fs::read_to_string(pinned).ok().map(|text| text.trim().to_owned()),
    };
    let (ioreport, system_power) = super::without_root::read();
    SystemFacts {
        is_macos: true,
        powermetrics: tool_state(Path::new(POWERMETRICS)),
        samplers: samplers(),
        other_powermetrics: run("/bin/ps", &["-axo", "pid=,ppid=,comm="]).map(|ps| other_powermetrics(&ps.stdout)),
        install: Some(install),
        registration: super::without_root::registration(),
        ioreport,
        system_power,
        helper_signature: subject.helper.as_deref().map(|helper| signature(helper, None, subject.read_signature)),
        requirement: text.map(|text| requirement(text, app_folder.as_deref().or(own.as_deref()))),
        app_signature,
        app_folder,
        free_bytes,
    }
}

/// The reader of signatures as an install wants it.
pub fn identify(read: &dyn Fn(&[u8]) -> Result<SignedCode, String>) -> Box<Identify<'_>> {
    Box::new(move |bytes| {
        let code = read(bytes).map_err(|why| helper_install::Unsigned::Unreadable(why.into()))?;
        match code.intact {
            true => Ok(helper_install::CodeId {
                identifier: code.identifier,
                cdhash: code.cdhash,
                is_sealed: code.hardened && !code.entitled,
            }),
            false => Err(helper_install::Unsigned::Altered),
        }
    })
}

struct Output {
    success: bool,
    stdout: String,
    stderr: String,
}

/// Runs a tool to its end; `None` when it can't be started.
fn run(tool: &str, arguments: &[&str]) -> Option<Output> {
    run_with_input(tool, arguments, b"")
}

fn run_with_input(tool: &str, arguments: &[&str], input: &[u8]) -> Option<Output> {
    let mut child = Command::new(tool)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    // a tool that reads nothing has closed it; the input is short enough for the pipe
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().ok()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    Some(Output { success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) })
}

fn tool_state(path: &Path) -> ToolState {
    match std::fs::symlink_metadata(path) {
        Err(_) => ToolState::Missing,
        Ok(found) if found.is_file() && found.uid() == 0 && found.mode() & 0o022 == 0 => ToolState::Present,
        Ok(_) => ToolState::NotTrusted,
    }
}

/// Asks powermetrics for one sample of each sampler. It refuses an unknown sampler before it refuses who is not root.
fn samplers() -> Vec<(String, SamplerState)> {
    let ask = |sampler: Sampler| {
        let name = sampler.name().to_owned();
        let answer = run(POWERMETRICS, &["-s", &name, "-n", "1", "-i", "100"])?;
        let state = sampler_state(answer.success, &answer.stderr);
        Some((name, state))
    };
    Sampler::ALL.into_iter().filter_map(ask).collect()
}

fn sampler_state(success: bool, stderr: &str) -> SamplerState {
    if stderr.contains("unrecognized sampler") {
        SamplerState::Unrecognized
    } else if success || stderr.contains("superuser") {
        SamplerState::Known
    } else {
        SamplerState::Unclear
    }
}

/// Counts the powermetrics in a list of `pid ppid command` whose parent is no helper of ours.
pub(crate) fn other_powermetrics(ps: &str) -> u32 {
    let rows = || {
        ps.lines().filter_map(|line| {
            let line = line.trim_start();
            let (pid, rest) = line.split_once(char::is_whitespace)?;
            let (parent, command) = rest.trim_start().split_once(char::is_whitespace)?;
            Some((pid, parent, command.trim()))
        })
    };
    let is_helper = |process: &str| {
        rows().any(|(pid, _, command)| {
            let name = command.rsplit('/').next().unwrap_or(command);
            pid == process && (name.starts_with("joulebar") || name.starts_with("org.joulebar."))
        })
    };
    let others = rows().filter(|(_, parent, command)| command.ends_with("powermetrics") && !is_helper(parent));
    u32::try_from(others.count()).unwrap_or(u32::MAX)
}

/// The app bundle that a program lies in.
fn bundle_of(program: &Path) -> Option<PathBuf> {
    let inside = program.ancestors().find(|folder| folder.ends_with("Contents/MacOS"))?;
    let bundle = inside.parent()?.parent()?;
    (bundle.extension()? == "app").then(|| bundle.to_owned())
}

fn signature(
    program: &Path,
    bundle: Option<&Path>,
    read_signature: &dyn Fn(&[u8]) -> Result<SignedCode, String>,
) -> Signature {
    let bytes = std::fs::read(program).map_err(|error| error.to_string());
    let target = bundle.unwrap_or(program).display().to_string();
    let verified = run("/usr/bin/codesign", &["--verify", "--strict", &target]);
    Signature {
        path: program.to_owned(),
        read: bytes.and_then(|bytes| read_signature(&bytes)),
        verified: verified.map(|answer| if answer.success { Ok(()) } else { Err(answer.stderr) }),
    }
}

fn requirement(text: String, app: Option<&Path>) -> RequirementFacts {
    let compiled = run_with_input("/usr/bin/csreq", &["-r", "-", "-t"], text.as_bytes());
    let met = app.and_then(|app| {
        let rule = format!("-R={text}");
        run("/usr/bin/codesign", &["--verify", &rule, &app.display().to_string()]).map(|answer| answer.success)
    });
    let compiles = compiled.map(|answer| if answer.success { Ok(()) } else { Err(answer.stderr) });
    RequirementFacts { text, compiles, met }
}

/// Free space in a folder or the first above it that exists, in bytes.
fn free_bytes(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.is_dir())?;
    let found = rustix::fs::statvfs(existing).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// What is personal on this machine, for [`super::anonymise`]; `token` is the server's.
#[must_use]
pub fn read_personal(token: Option<&ApiToken>) -> Personal {
    let tokens = token.map(|token| token.secret().to_owned()).into_iter().collect();
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut personal = Personal { tokens, ..Personal::default() };
    personal.users.extend(["USER", "LOGNAME", "SUDO_USER"].into_iter().filter_map(variable));
    personal.homes.extend(variable("HOME"));
    let named = |home: &String| Path::new(home).file_name().map(|name| name.to_string_lossy().into_owned());
    let names: Vec<String> = personal.homes.iter().filter_map(named).collect();
    personal.users.extend(names);
    personal.hosts.extend(sysinfo::System::host_name());
    if cfg!(target_os = "macos") {
        let said =
            |tool, arguments: &[&str]| run(tool, arguments).filter(|answer| answer.success).map(|answer| answer.stdout);
        personal.users.extend(said("/usr/bin/id", &["-F"]));
        for name in ["ComputerName", "LocalHostName", "HostName"] {
            personal.hosts.extend(said("/usr/sbin/scutil", &["--get", name]));
        }
        let platform = said("/usr/sbin/ioreg", &["-rd1", "-c", "IOPlatformExpertDevice"]);
        personal.serials.extend(platform.iter().flat_map(|text| hardware_numbers(text)));
    } else {
        personal.serials.extend(std::fs::read_to_string("/etc/machine-id").ok().map(|id| id.trim().to_owned()));
    }
    // the first part of a host's full name says as much as the whole
    let short: Vec<String> =
        personal.hosts.iter().filter_map(|host| Some(host.split_once('.')?.0.to_owned())).collect();
    personal.hosts.extend(short);
    personal
}

/// Serial number and identifier of the machine in what `ioreg` prints.
fn hardware_numbers(ioreg: &str) -> Vec<String> {
    let value = |line: &str| {
        let (name, value) = line.split_once(" = ")?;
        let wanted = name.contains("IOPlatformSerialNumber") || name.contains("IOPlatformUUID");
        Some(value.trim().trim_matches('"').to_owned()).filter(|value| wanted && !value.is_empty())
    };
    ioreg.lines().filter_map(value).collect()
}

/// The end of the system's log about the helper; `None` where there is none or it says nothing.
#[must_use]
pub fn read_log(labels: &Labels) -> Option<String> {
    if !cfg!(target_os = "macos") {
        return None;
    }
    let helper = &labels.helper_id;
    let predicate = format!("process BEGINSWITH \"{helper}\" OR eventMessage CONTAINS \"{helper}\"");
    let arguments = ["show", "--last", LOG_TIME, "--style", "compact", "--predicate", predicate.as_str()];
    let answer = run("/usr/bin/log", &arguments)?;
    Some(answer.stdout).filter(|log| answer.success && log.lines().count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powermetrics_tells_which_samplers_it_has_even_to_who_may_not_use_it() {
        assert_eq!(sampler_state(false, "powermetrics must be invoked as the superuser"), SamplerState::Known);
        assert_eq!(sampler_state(false, "powermetrics: unrecognized sampler: smc"), SamplerState::Unrecognized);
        assert_eq!(sampler_state(true, "Second underflow occured."), SamplerState::Known);
        assert_eq!(sampler_state(false, "Killed"), SamplerState::Unclear);
    }

    #[test]
    fn powermetrics_of_the_helper_are_its_own() {
        let ps = "    1     0 /sbin/launchd\n  500     1 /Library/PrivilegedHelperTools/org.joulebar.app.helper.dev.local\n\
                  501   500 /usr/bin/powermetrics\n  600   1 sh\n 601 600 /usr/bin/powermetrics\n 602 600 powermetricsd\n";
        assert_eq!(other_powermetrics(ps), 1);
        assert_eq!(other_powermetrics(""), 0);
    }

    #[test]
    fn hardware_numbers_are_found() {
        let ioreg = "+-o J516s  <class IOPlatformExpertDevice>\n  \"IOPlatformSerialNumber\" = \"ABC\"\n  \"model\" = <\"Mac16,8\">\n\
                     \"IOPlatformUUID\" = \"0-1\"\n";
        assert_eq!(hardware_numbers(ioreg), ["ABC", "0-1"]);
    }

    #[test]
    fn programs_of_a_bundle_know_it_and_others_have_none() {
        let bundle = |path: &str| bundle_of(Path::new(path));
        assert_eq!(bundle("/Applications/J.app/Contents/MacOS/joulebar"), Some("/Applications/J.app".into()));
        assert_eq!(bundle("/usr/local/bin/joulebar"), None);
        assert_eq!(bundle("/x/Contents/MacOS/joulebar"), None);
    }

    #[test]
    fn the_free_space_of_a_folder_that_is_to_be_made_is_that_of_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(&folder.path().join("a/b")).is_some());
    }

    #[test]
    fn a_tool_is_present_only_when_it_is_root_s_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(tool_state(&folder.path().join("x")), ToolState::Missing);
        assert_eq!(tool_state(folder.path()), ToolState::NotTrusted);
        assert_eq!(tool_state(Path::new("/usr/bin/env")), ToolState::Present);
    }

    #[test]
    fn a_tool_gets_its_input_and_gives_what_it_said() {
        let answer = run_with_input("/bin/cat", &[], b"hello\n").unwrap();
        assert!(answer.success && answer.stdout == "hello");
        assert!(run("/no/such/tool", &[]).is_none());
    }
}
