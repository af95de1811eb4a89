//! `joulebar helper`: installs the helper daemon of an app without a certificate, takes it away, says how it stands.
//!
//! What is done is decided in [`joulebar_core::helper_install`]; here it is shown, asked and told.

use std::io::Write;
use std::path::PathBuf;

use joulebar_core::doctor::gather::identify;
use joulebar_core::doctor::signed::read_signed;
use joulebar_core::helper_install::{
    InstallError, InstallState, InstallStatus, Labels, Launchctl, Part, Places, Prepared, Shown, Sources, status,
    uninstall,
};
use joulebar_wire::identity;

use crate::args::{HelperArguments, HelperCommand, HelperInstallArguments};
use crate::exit::{Code, Failure};
use crate::{output, sources};

/// Does what was asked with the daemon.
pub fn run(arguments: &HelperArguments) -> Result<Code, Failure> {
    if !cfg!(target_os = "macos") {
        return Err(Failure::new(Code::Unavailable, "the helper daemon is for macOS alone")
            .because_text("it runs powermetrics, which this system does not have, and launchd starts it")
            .next("joulebar monitor --source demo, which simulates power")
            .next("joulebar doctor, which says what does not apply here"));
    }
    let labels = Labels::of_this_build();
    match &arguments.command {
        HelperCommand::Install(arguments) => {
            refuse_signed_build()?;
            need_root("install")?;
            install(arguments, &labels)
        }
        HelperCommand::Uninstall { yes } => {
            need_root("uninstall")?;
            remove(*yes, &labels)
        }
        HelperCommand::Status { json } => tell(*json, &labels),
    }
}

/// A build with a certificate has its rule compiled in, and its app registers the daemon.
fn refuse_signed_build() -> Result<(), Failure> {
    let Some(team) = identity::TEAM_ID else { return Ok(()) };
    Err(Failure::new(Code::Usage, format!("this build is signed by team {team}: its app brings the helper itself"))
        .next("switch the helper on in Joulebar, Settings, Helper"))
}

fn need_root(what: &str) -> Result<(), Failure> {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        return Ok(());
    }
    Err(Failure::new(Code::Permission, format!("only root can {what} the helper"))
        .because_text("it is written to folders that are root's alone")
        .next(format!("sudo {}", sources::own_command())))
}

fn install(arguments: &HelperInstallArguments, labels: &Labels) -> Result<Code, Failure> {
    let sources = Sources { app: arguments.app.clone(), cli: own_path()?, invoker: invoker() };
    let identify = identify(&read_signed);
    let prepared = Prepared::read(&sources, labels, &identify).map_err(|error| failure(&error))?;
    output::line("Joulebar's helper will be installed as a daemon that runs as root:")?;
    show("helper", &prepared.helper)?;
    output::line("It will take orders from these two programs and from no other:")?;
    show("app", &prepared.app)?;
    show("joulebar", &prepared.cli)?;
    output::line("Every new build of them needs this command again. These files will be written:")?;
    for part in Part::ALL {
        output::line(&format!("  {}", Places::system().path(labels, part).display()))?;
    }
    if !arguments.yes && !agreed("Install it?")? {
        output::line("Nothing was changed.")?;
        return Ok(Code::Success);
    }
    prepared.install(&Places::system(), &identify, &mut Launchctl).map_err(|error| failure(&error))?;
    output::line(&format!("Installed as {}. Open Joulebar, or type `joulebar monitor`.", labels.job()))?;
    Ok(Code::Success)
}

fn show(name: &str, shown: &Shown) -> Result<(), Failure> {
    output::line(&format!("  {name:<9} {}", shown.path.display()))?;
    output::line(&format!("  {:<9} cdhash {}", "", shown.code.cdhash))
}

fn remove(yes: bool, labels: &Labels) -> Result<Code, Failure> {
    output::line("The helper daemon will be stopped and these files removed, if they are there:")?;
    for part in Part::ALL {
        output::line(&format!("  {}", Places::system().path(labels, part).display()))?;
    }
    if !yes && !agreed("Remove them?")? {
        output::line("Nothing was changed.")?;
        return Ok(Code::Success);
    }
    let identify = identify(&read_signed);
    let removed = uninstall(&Places::system(), labels, &identify, &mut Launchctl).map_err(|error| failure(&error))?;
    match removed.is_empty() {
        true => output::line("No helper was installed.")?,
        false => removed.iter().try_for_each(|path| output::line(&format!("removed {}", path.display())))?,
    }
    Ok(Code::Success)
}

fn tell(json: bool, labels: &Labels) -> Result<Code, Failure> {
    let identify = identify(&read_signed);
    let own = std::fs::read(own_path()?).ok().and_then(|bytes| identify(&bytes).ok());
    let wanted: Vec<String> = own.into_iter().map(|code| code.cdhash).collect();
    let status = status(&Places::system(), labels, &wanted, &identify, &mut Launchctl);
    if json {
        output::json(&status)?;
    } else {
        for line in describe(&status) {
            output::line(&line)?;
        }
    }
    Ok(if status.state == InstallState::Installed { Code::Success } else { Code::Unavailable })
}

/// How an install stands, line by line.
fn describe(status: &InstallStatus) -> Vec<String> {
    let first = match status.state {
        InstallState::NotInstalled => "not installed",
        InstallState::Installed => "installed",
        InstallState::OtherPrograms => "installed for another build of joulebar; install it again",
        InstallState::Incomplete => "incomplete; install it again, or uninstall it",
        InstallState::NotSafe => "not safe; see below",
    };
    let loaded = match status.loaded {
        Some(true) => "launchd knows it",
        Some(false) => "launchd does not know it",
        None => "launchd could not be asked",
    };
    let mut lines = vec![format!("{}: {first} ({loaded})", status.label)];
    for file in &status.files {
        let word = match (file.present, &file.problem) {
            (_, Some(problem)) => problem.clone(),
            (true, None) => "there".to_owned(),
            (false, None) => "missing".to_owned(),
        };
        lines.push(format!("  {}: {} {word}", file.part, file.path.display()));
    }
    lines.extend(status.helper.iter().map(|hash| format!("  the program's cdhash: {hash}")));
    lines.extend(status.pinned.iter().flatten().map(|hash| format!("  may talk to it: cdhash {hash}")));
    lines
}

fn own_path() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(Code::Failed, "joulebar does not know where it is").because(&error))
}

/// Who typed `sudo`.
fn invoker() -> Option<u32> {
    std::env::var("SUDO_UID").ok()?.parse().ok()
}

/// Asks; anything but a clear yes is a no.
fn agreed(question: &str) -> Result<bool, Failure> {
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "{question} [y/N] ").and_then(|()| stdout.flush()).map_err(|error| output::failed(&error))?;
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// What a failure of the install means for the command.
fn failure(error: &InstallError) -> Failure {
    match error {
        InstallError::NotAnApp { .. } | InstallError::NotAProgram { .. } => {
            Failure::of(Code::BadInput, error).next("give the app with --app, like --app /Applications/Joulebar.app")
        }
        InstallError::NotSigned { .. } | InstallError::WrongIdentifier { .. } => Failure::of(Code::BadInput, error)
            .next("take the app out of its archive again; what was changed after it was signed can't be used"),
        InstallError::NotSafe { .. } => Failure::of(Code::Permission, error)
            .because_text("whoever can write it could become root through the helper")
            .next("mend owner and mode, or move away what stands there, and try again"),
        InstallError::Io { .. } => Failure::of(Code::CannotWrite, error),
        InstallError::Launchd(_) => Failure::of(Code::Unavailable, error)
            .next("try again; `joulebar helper status` says how things stand")
            .next("sudo joulebar helper uninstall"),
    }
}

#[cfg(test)]
mod tests {
    use joulebar_core::helper_install::FileState;

    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        assert!(["y\n", "Y", " yes \n", "YES"].iter().all(|answer| is_yes(answer)));
        assert!(["", "\n", "n", "no", "yep", "y n"].iter().all(|answer| !is_yes(answer)));
    }

    #[test]
    fn a_status_names_every_file_and_who_may_talk_to_it() {
        let file = FileState { part: "job", path: "/x/job.plist".into(), present: true, problem: None };
        let bad = FileState { part: "program", problem: Some("it is not safe".into()), ..file.clone() };
        let gone = FileState { part: "requirement", present: false, ..file.clone() };
        let status = InstallStatus {
            state: InstallState::NotSafe,
            label: "h.local".into(),
            files: vec![file, bad, gone],
            loaded: None,
            pinned: Some(vec!["ab".into()]),
            helper: Some("cd".into()),
        };
        assert_eq!(
            describe(&status),
            [
                "h.local: not safe; see below (launchd could not be asked)",
                "  job: /x/job.plist there",
                "  program: /x/job.plist it is not safe",
                "  requirement: /x/job.plist missing",
                "  the program's cdhash: cd",
                "  may talk to it: cdhash ab"
            ]
        );
    }
}
