//! The rows about what macOS alone has: the daemon's registration, code signatures, the requirement, IOReport, the SMC.

use super::facts::{IoReport, Registration, Signature, SystemFacts, SystemPower};
use super::{CheckResult, CheckRow, mac_alone, row};
use crate::helper_install::{InstallState, InstallStatus};

const INSTALL: &str = "sudo joulebar helper install";

pub(super) fn helper_daemon(system: &SystemFacts) -> CheckRow {
    let (id, title) = ("helper_daemon", "Helper daemon");
    if !system.is_macos {
        return mac_alone(id, title);
    }
    let name = |result, detail: String, next: Option<&str>| row(id, title, result, detail, next);
    let allow = Some("Allow Joulebar in System Settings, General, Login Items & Extensions.");
    match (system.registration, &system.install) {
        (Some(Registration::Enabled), _) => name(CheckResult::Pass, "Switched on in Login Items.".to_owned(), None),
        (Some(Registration::RequiresApproval), _) => {
            name(CheckResult::Fail, "It waits for an administrator to allow it.".to_owned(), allow)
        }
        (_, Some(install)) if install.state != InstallState::NotInstalled => installed(id, title, install),
        (Some(Registration::NotRegistered), _) => name(
            CheckResult::Unknown,
            "It is not switched on.".to_owned(),
            Some("Switch it on in Settings, Helper. Without it power can be read with `sudo joulebar`."),
        ),
        (None, Some(_)) => name(
            CheckResult::Unknown,
            format!("`{INSTALL}` has installed none. Whether a signed app's is on, the app's Diagnostics say."),
            Some("Without it power can be read with `sudo joulebar`."),
        ),
        (None, None) => name(CheckResult::Unknown, "Nobody looked.".to_owned(), None),
    }
}

fn installed(id: &str, title: &str, install: &InstallStatus) -> CheckRow {
    let problems: Vec<&str> = install.files.iter().filter_map(|file| file.problem.as_deref()).collect();
    let again = Some("Install it again: `sudo joulebar helper install`.");
    let (result, detail, next) = match install.state {
        InstallState::Installed => (CheckResult::Pass, format!("Installed as {} for this app.", install.label), None),
        InstallState::OtherPrograms => (
            CheckResult::Fail,
            format!("{} was installed for another build of the app or of joulebar.", install.label),
            again,
        ),
        InstallState::Incomplete => {
            let missing: Vec<&str> = install.files.iter().filter(|file| !file.present).map(|file| file.part).collect();
            let detail = match missing.is_empty() {
                true => "launchd does not know it.".to_owned(),
                false => format!("Missing: {}.", missing.join(", ")),
            };
            (CheckResult::Fail, detail, again)
        }
        InstallState::NotSafe => (
            CheckResult::Fail,
            problems.join("; "),
            Some("Find out who put it there before you remove it. The helper refuses to start with it."),
        ),
        InstallState::NotInstalled => (CheckResult::Unknown, "It is not installed.".to_owned(), None),
    };
    row(id, title, result, detail, next)
}

pub(super) fn app_signature(system: &SystemFacts) -> CheckRow {
    signature("app_signature", "App's signature", system.is_macos, system.app_signature.as_ref())
}

pub(super) fn helper_signature(system: &SystemFacts) -> CheckRow {
    let row = signature("helper_signature", "Helper's signature", system.is_macos, system.helper_signature.as_ref());
    let team = |signature: &Option<Signature>| {
        signature.as_ref().and_then(|signature| signature.read.as_ref().ok()).map(|code| code.team.clone())
    };
    match (team(&system.app_signature), team(&system.helper_signature)) {
        (Some(app), Some(helper)) if app != helper && row.result == CheckResult::Pass => CheckRow {
            result: CheckResult::Fail,
            detail: format!("{} App and helper are signed by different teams.", row.detail),
            next: Some("Install Joulebar again: the two must come from one build.".to_owned()),
            ..row
        },
        _ => row,
    }
}

fn signature(id: &str, title: &str, is_macos: bool, found: Option<&Signature>) -> CheckRow {
    if !is_macos {
        return mac_alone(id, title);
    }
    let Some(found) = found else { return row(id, title, CheckResult::Unknown, "The program was not found.", None) };
    let again = Some("Install Joulebar again; a program that was changed after it was signed does not start.");
    let code = match &found.read {
        Ok(code) => code,
        Err(why) => return row(id, title, CheckResult::Fail, format!("{why} ({})", found.path.display()), again),
    };
    let signer = code.team.as_ref().map_or_else(|| "no certificate".to_owned(), |team| format!("team {team}"));
    let runtime = if code.hardened { ", hardened runtime" } else { "" };
    let detail = format!("{}, {signer}{runtime}, cdhash {}", code.identifier, code.cdhash);
    match &found.verified {
        _ if !code.intact => {
            row(id, title, CheckResult::Fail, format!("{detail}. Its code is not what was signed."), again)
        }
        Some(Err(words)) => row(id, title, CheckResult::Fail, format!("{detail}. codesign says: {words}"), again),
        Some(Ok(())) | None => row(id, title, CheckResult::Pass, detail, None),
    }
}

pub(super) fn requirement(system: &SystemFacts) -> CheckRow {
    let (id, title) = ("requirement", "Helper's rule");
    if !system.is_macos {
        return mac_alone(id, title);
    }
    let Some(requirement) = &system.requirement else {
        return row(
            id,
            title,
            CheckResult::Unknown,
            "This build has none of its own, and none is installed.",
            Some("`sudo joulebar helper install` makes one."),
        );
    };
    let bundle = Some("Please send a bundle: `joulebar doctor --bundle FILE.zip`.");
    match (&requirement.compiles, requirement.met) {
        (Some(Err(words)), _) => row(id, title, CheckResult::Fail, format!("macOS can't read it: {words}"), bundle),
        (_, Some(false)) => row(
            id,
            title,
            CheckResult::Fail,
            format!("This app does not meet it: {}", requirement.text),
            Some("Install the helper again for this app: `sudo joulebar helper install`."),
        ),
        (Some(Ok(())), Some(true)) => row(
            id,
            title,
            CheckResult::Pass,
            format!("macOS can read it, and the app meets it: {}", requirement.text),
            None,
        ),
        (Some(Ok(())), None) => {
            row(id, title, CheckResult::Pass, format!("macOS can read it: {}", requirement.text), None)
        }
        (None, _) => row(id, title, CheckResult::Unknown, requirement.text.clone(), None),
    }
}

pub(super) fn app_place(system: &SystemFacts) -> CheckRow {
    let (id, title) = ("app_place", "App's place");
    if !system.is_macos {
        return mac_alone(id, title);
    }
    let Some(folder) = &system.app_folder else {
        return row(id, title, CheckResult::DoesNotApply, "This program runs outside an app.", None);
    };
    let move_it = Some("Quit Joulebar, move it to Applications, open it there.");
    let detail = folder.display().to_string();
    if detail.contains("/AppTranslocation/") {
        let detail = "macOS runs a copy of it from a hidden place, as it does with downloads.";
        return row(id, title, CheckResult::Fail, detail, move_it);
    }
    if folder.starts_with("/Applications") {
        return row(id, title, CheckResult::Pass, detail, None);
    }
    row(id, title, CheckResult::Fail, detail, Some("The helper daemon can be switched on from Applications alone."))
}

pub(super) fn ioreport(system: &SystemFacts) -> CheckRow {
    let (id, title) = ("ioreport", "Power without root");
    if !system.is_macos {
        return mac_alone(id, title);
    }
    match system.ioreport {
        IoReport::NotRead => row(id, title, CheckResult::Unknown, "It was not read.", None),
        IoReport::Missing => row(id, title, CheckResult::Fail, "IOReport can't be read.", Some("Use the helper.")),
        IoReport::Frozen => row(
            id,
            title,
            CheckResult::Unknown,
            "IOReport gives the same counts again and again.",
            Some("macOS 27 freezes them unless powermetrics runs. Use the helper."),
        ),
        IoReport::Live { soc_mw } => {
            let watts = soc_mw.map_or_else(|| "no chip power".to_owned(), |mw| format!("{:.2} W", mw / 1e3));
            // the app's own helper runs one, and with it the counters always move
            let beside = system.other_powermetrics.is_some_and(|count| count > 0);
            let beside = if beside { ", while a powermetrics runs" } else { "" };
            row(id, title, CheckResult::Pass, format!("IOReport counts: {watts}{beside}"), None)
        }
    }
}

pub(super) fn system_power(system: &SystemFacts) -> CheckRow {
    let (id, title) = ("system_power", "Power of the whole Mac");
    if !system.is_macos {
        return mac_alone(id, title);
    }
    match system.system_power {
        SystemPower::NotRead => row(id, title, CheckResult::Unknown, "It was not read.", None),
        SystemPower::Missing => row(
            id,
            title,
            CheckResult::DoesNotApply,
            "This Mac has no sensor for it (PSTR).",
            Some("The chip's rails are measured all the same."),
        ),
        SystemPower::Present(mw) => row(id, title, CheckResult::Pass, format!("PSTR: {:.2} W", mw / 1e3), None),
    }
}
