//! Installing as root into the folders of a system of one's own. Without root they say so and check nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

const APP_ID: &str = "dev.example.joulebar";
const SOMEBODY: u32 = 4_321;

/// A program of the tests: `signed IDENTIFIER HASH` stands in its first line.
fn program(identifier: &str, digit: char) -> String {
    format!("signed {identifier} {}\nand code of {digit}\n", hash(digit))
}

fn hash(digit: char) -> String {
    digit.to_string().repeat(40)
}

fn identify(bytes: &[u8]) -> Result<CodeId, Unsigned> {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.lines().next().unwrap_or("").split(' ').collect();
    match words[..] {
        [kind @ ("signed" | "open"), identifier, cdhash] => {
            Ok(CodeId { identifier: identifier.into(), cdhash: cdhash.into(), is_sealed: kind == "signed" })
        }
        _ => Err(Unsigned::Unreadable("no program".into())),
    }
}

/// Remembers what was asked.
#[derive(Default)]
struct FakeLaunchd {
    loaded: bool,
    calls: Vec<String>,
    refuses: Option<&'static str>,
}

impl FakeLaunchd {
    fn call(&mut self, command: &'static str, what: &str) -> Result<(), LaunchdError> {
        self.calls.push(format!("{command} {what}"));
        if self.refuses == Some(command) {
            let (command, status) = (command.to_owned(), "exit status: 5".to_owned());
            return Err(LaunchdError::Refused { command, status, words: "Input/output error".into() });
        }
        Ok(())
    }
}

impl Launchd for FakeLaunchd {
    fn is_loaded(&mut self, _label: &str) -> Result<bool, LaunchdError> {
        Ok(self.loaded)
    }

    fn enable(&mut self, label: &str) -> Result<(), LaunchdError> {
        self.call("enable", label)
    }

    fn bootstrap(&mut self, job: &Path) -> Result<(), LaunchdError> {
        self.call("bootstrap", &job.file_name().unwrap().to_string_lossy())?;
        self.loaded = true;
        Ok(())
    }

    fn bootout(&mut self, label: &str) -> Result<(), LaunchdError> {
        self.call("bootout", label)?;
        self.loaded = false;
        Ok(())
    }
}

/// A system with an app and a `joulebar`, all of it in one folder.
struct Mac {
    folder: TempDir,
    labels: Labels,
    launchd: FakeLaunchd,
}

impl Mac {
    /// `None`, said aloud, for those who are not root.
    fn new(test: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("SKIP: {test} needs root");
            return None;
        }
        let labels = Labels { app_id: APP_ID.into(), helper_id: format!("{APP_ID}.helper") };
        let mac = Self { folder: tempfile::tempdir().unwrap(), labels, launchd: FakeLaunchd::default() };
        fs::set_permissions(mac.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["Library/LaunchDaemons", "Library/PrivilegedHelperTools", "Library/Application Support"] {
            mac.make(folder);
        }
        mac.make("Applications/Joulebar.app/Contents/MacOS");
        mac.write("Applications/Joulebar.app/Contents/Info.plist", &info(APP_ID, "joulebar-app"));
        mac.write("Applications/Joulebar.app/Contents/MacOS/joulebar-app", &program(APP_ID, 'a'));
        let helper = format!("Applications/Joulebar.app/Contents/MacOS/{APP_ID}.helper");
        mac.write(&helper, &program(&mac.labels.helper_id, 'b'));
        mac.write("joulebar", &program("joulebar", 'c'));
        Some(mac)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn make(&self, folder: &str) {
        fs::create_dir_all(self.path(folder)).unwrap();
        let mut path = self.path(folder);
        while path != self.folder.path() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path.pop();
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn places(&self) -> Places {
        Places::below(self.folder.path())
    }

    fn at(&self, part: Part) -> PathBuf {
        self.places().path(&self.labels, part)
    }

    fn sources(&self) -> Sources {
        Sources { app: self.path("Applications/Joulebar.app"), cli: self.path("joulebar"), invoker: None }
    }

    fn prepare(&self) -> Result<Prepared, InstallError> {
        Prepared::read(&self.sources(), &self.labels, &identify)
    }

    fn install(&mut self) -> Result<(), InstallError> {
        self.prepare()?.install(&self.places(), &identify, &mut self.launchd)
    }

    fn uninstall(&mut self) -> Result<Vec<PathBuf>, InstallError> {
        uninstall(&self.places(), &self.labels, &identify, &mut self.launchd)
    }

    fn status(&mut self) -> InstallStatus {
        let wanted = [hash('a'), hash('c')];
        status(&self.places(), &self.labels, &wanted, &identify, &mut self.launchd)
    }

    /// Everything below /Library, folders with a slash.
    fn installed(&self) -> Vec<String> {
        fn list(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                found.push(path.clone());
                if path.is_dir() && !path.is_symlink() {
                    list(&path, found);
                }
            }
        }
        let mut found = Vec::new();
        list(&self.path("Library"), &mut found);
        let short = |path: PathBuf| path.strip_prefix(self.path("Library")).unwrap().display().to_string();
        let mut names: Vec<String> = found.into_iter().map(short).collect();
        names.sort();
        names
    }

    /// Nothing was changed by what `attempt` refused.
    #[track_caller]
    fn refuses(&mut self, attempt: impl Fn(&mut Self) -> Result<(), InstallError>, why: Danger) {
        let before = (self.installed(), self.launchd.calls.len());
        match attempt(self) {
            Err(InstallError::NotSafe { why: found, .. }) => assert_eq!(found, why),
            other => panic!("{other:?} in place of {why:?}"),
        }
        assert_eq!((self.installed(), self.launchd.calls.len()), before, "something was changed");
    }
}

fn info(app_id: &str, executable: &str) -> String {
    format!(
        "<plist><dict><key>CFBundleExecutable</key>\n\t<string>{executable}</string>\n\
         <key>CFBundleIdentifier</key>\n\t<string>{app_id}</string></dict></plist>"
    )
}

fn uninstalled(mac: &mut Mac) -> Result<(), InstallError> {
    mac.uninstall().map(drop)
}

const EMPTY: [&str; 3] = ["Application Support", "LaunchDaemons", "PrivilegedHelperTools"];

#[test]
fn an_install_makes_four_files_of_root_and_an_uninstall_takes_exactly_these_away() {
    let Some(mut mac) = Mac::new("install and uninstall") else { return };
    assert_eq!(mac.status().state, InstallState::NotInstalled);
    let neighbour = mac.path("Library/LaunchDaemons/org.other.plist");
    fs::write(&neighbour, "other").unwrap();
    // what the folder's group would be given on macOS, and a mask that would hide all
    chown(mac.path("Library/Application Support"), Some(0), Some(80)).unwrap();
    mac.install().unwrap();

    for part in Part::ALL {
        let mode = if part == Part::Helper { 0o755 } else { 0o644 };
        let found = fs::symlink_metadata(mac.at(part)).unwrap();
        assert!(found.is_file());
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777, found.nlink()), (0, 0, mode, 1), "{part:?}");
    }
    let folder = fs::metadata(mac.at(Part::Requirement).parent().unwrap()).unwrap();
    assert_eq!((folder.uid(), folder.gid(), folder.mode() & 0o7777), (0, 0, 0o755));
    assert_eq!(
        fs::read_to_string(mac.at(Part::Requirement)).unwrap(),
        format!("cdhash H\"{}\" or cdhash H\"{}\"\n", hash('a'), hash('c'))
    );
    assert_eq!(fs::read_to_string(mac.at(Part::HelperRequirement)).unwrap(), format!("cdhash H\"{}\"\n", hash('b')));
    assert_eq!(fs::read_to_string(mac.at(Part::Helper)).unwrap(), program(&mac.labels.helper_id, 'b'));
    let job = format!("{APP_ID}.helper.local");
    assert_eq!(mac.launchd.calls, [format!("enable {job}"), format!("bootstrap {job}.plist")]);
    let status = mac.status();
    assert_eq!((status.state, status.loaded), (InstallState::Installed, Some(true)));
    assert_eq!(status.pinned, Some(vec![hash('a'), hash('c')]));
    assert_eq!(status.helper, Some(hash('b')));

    let removed = mac.uninstall().unwrap();
    let own_folder = mac.at(Part::Requirement).parent().unwrap().to_owned();
    let files = [Part::Job, Part::Helper, Part::HelperRequirement, Part::Requirement].map(|part| mac.at(part));
    assert_eq!(removed, [&files[..], &[own_folder]].concat());
    assert_eq!(mac.launchd.calls.last(), Some(&format!("bootout {job}")));
    fs::remove_file(neighbour).unwrap();
    assert_eq!(mac.installed(), EMPTY);
    assert!(mac.uninstall().unwrap().is_empty(), "nothing is left to remove");
}

#[test]
fn the_job_names_the_system_s_own_path_and_none_of_the_keys_that_would_keep_it_alive() {
    let Some(mut mac) = Mac::new("the job's text") else { return };
    mac.install().unwrap();
    let value: plist::Value = plist::from_file(mac.at(Part::Job)).unwrap();
    let job = value.as_dictionary().unwrap();
    let label = format!("{APP_ID}.helper.local");
    assert_eq!(job["Label"].as_string(), Some(label.as_str()));
    assert_eq!(job["Program"].as_string().unwrap(), format!("/Library/PrivilegedHelperTools/{label}"));
    let arguments: Vec<_> = job["ProgramArguments"].as_array().unwrap().iter().map(|v| v.as_string()).collect();
    assert_eq!(arguments, [Some(label.as_str()), Some("daemon")]);
    assert_eq!(job["MachServices"].as_dictionary().unwrap()[&label].as_boolean(), Some(true));
    let keys: Vec<&str> = job.keys().map(String::as_str).collect();
    let wanted = ["Label", "Program", "ProgramArguments", "MachServices", "AssociatedBundleIdentifiers"];
    assert_eq!(keys, [&wanted[..], &["ProcessType", "EnableTransactions", "ExitTimeOut"]].concat());
}

#[test]
fn an_install_again_replaces_what_was_there_and_pins_the_new_programs() {
    let Some(mut mac) = Mac::new("installing again") else { return };
    mac.install().unwrap();
    mac.write("Applications/Joulebar.app/Contents/MacOS/joulebar-app", &program(APP_ID, 'd'));
    mac.write(&format!("Applications/Joulebar.app/Contents/MacOS/{APP_ID}.helper"), &{
        program(&mac.labels.helper_id, 'e')
    });
    mac.launchd.calls.clear();
    mac.install().unwrap();
    let job = mac.labels.job();
    let calls = [format!("bootout {job}"), format!("enable {job}"), format!("bootstrap {job}.plist")];
    assert_eq!(mac.launchd.calls, calls, "the old one is stopped before its file is replaced");
    let status = mac.status();
    assert_eq!(status.pinned, Some(vec![hash('d'), hash('c')]));
    assert_eq!((status.helper, status.state), (Some(hash('e')), InstallState::OtherPrograms));
}

#[test]
fn threat_14_a_link_in_place_of_a_file_is_neither_followed_nor_removed() {
    for part in Part::ALL {
        let Some(mut mac) = Mac::new("links in place of files") else { return };
        mac.install().unwrap();
        let target = mac.path("target");
        fs::write(&target, "precious").unwrap();
        fs::remove_file(mac.at(part)).unwrap();
        symlink(&target, mac.at(part)).unwrap();
        mac.refuses(Mac::install, Danger::Link);
        mac.refuses(uninstalled, Danger::Link);
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        assert_eq!(mac.status().state, InstallState::NotSafe);
    }
}

#[test]
fn threat_14_a_link_under_the_name_of_an_unfinished_file_is_refused() {
    let Some(mut mac) = Mac::new("links under temporary names") else { return };
    let target = mac.path("target");
    fs::write(&target, "precious").unwrap();
    let job = mac.at(Part::Job);
    let unfinished = format!(".{}.new", job.file_name().unwrap().to_str().unwrap());
    symlink(&target, job.with_file_name(unfinished)).unwrap();
    mac.refuses(Mac::install, Danger::Link);
    mac.refuses(uninstalled, Danger::Link);
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn threat_14_a_link_in_place_of_a_folder_is_refused() {
    for folder in ["Library", "Library/LaunchDaemons", "Library/PrivilegedHelperTools", "Library/Application Support"] {
        let Some(mut mac) = Mac::new("links in place of folders") else { return };
        fs::rename(mac.path(folder), mac.path("elsewhere")).unwrap();
        symlink(mac.path("elsewhere"), mac.path(folder)).unwrap();
        mac.refuses(Mac::install, Danger::Link);
        mac.refuses(uninstalled, Danger::Link);
    }
}

#[test]
fn threat_14_a_folder_that_others_can_write_is_refused() {
    for folder in ["", "Library", "Library/LaunchDaemons", "Library/Application Support"] {
        for mode in [0o775, 0o757, 0o1777] {
            let Some(mut mac) = Mac::new("folders that others can write") else { return };
            fs::set_permissions(mac.path(folder), fs::Permissions::from_mode(mode)).unwrap();
            mac.refuses(
                |mac| {
                    let prepared = mac.prepare_elsewhere();
                    prepared.install(&mac.places(), &identify, &mut mac.launchd)
                },
                Danger::Writable(mode),
            );
            mac.refuses(uninstalled, Danger::Writable(mode));
        }
    }
}

impl Mac {
    /// What an install needs, from an app that nothing is wrong with.
    fn prepare_elsewhere(&self) -> Prepared {
        Mac::new("").unwrap().prepare().unwrap()
    }
}

#[test]
fn a_folder_or_file_of_somebody_else_is_refused() {
    let Some(mut mac) = Mac::new("folders of somebody else") else { return };
    chown(mac.path("Library/LaunchDaemons"), Some(SOMEBODY), None).unwrap();
    mac.refuses(Mac::install, Danger::Owner(SOMEBODY));
    mac.refuses(uninstalled, Danger::Owner(SOMEBODY));
    chown(mac.path("Library/LaunchDaemons"), Some(0), None).unwrap();
    mac.install().unwrap();
    for part in Part::ALL {
        chown(mac.at(part), Some(SOMEBODY), None).unwrap();
        mac.refuses(Mac::install, Danger::Owner(SOMEBODY));
        mac.refuses(uninstalled, Danger::Owner(SOMEBODY));
        chown(mac.at(part), Some(0), None).unwrap();
    }
}

#[test]
fn threat_14_a_file_with_a_second_name_or_that_others_can_write_is_refused() {
    for part in Part::ALL {
        let Some(mut mac) = Mac::new("hard links") else { return };
        mac.install().unwrap();
        fs::hard_link(mac.at(part), mac.path("second")).unwrap();
        mac.refuses(Mac::install, Danger::HardLink(2));
        mac.refuses(uninstalled, Danger::HardLink(2));
        fs::remove_file(mac.path("second")).unwrap();
        fs::set_permissions(mac.at(part), fs::Permissions::from_mode(0o666)).unwrap();
        mac.refuses(Mac::install, Danger::Writable(0o666));
        mac.refuses(uninstalled, Danger::Writable(0o666));
    }
}

#[test]
fn a_file_that_was_not_made_here_is_neither_replaced_nor_removed() {
    for part in Part::ALL {
        let Some(mut mac) = Mac::new("files of others") else { return };
        if matches!(part, Part::Requirement | Part::HelperRequirement) {
            mac.make(&format!("Library/Application Support/{APP_ID}"));
        }
        let others = match part {
            Part::Requirement | Part::HelperRequirement => "anchor apple".to_owned(),
            Part::Helper => program("org.other.tool", 'f'),
            Part::Job => "<plist><dict><key>Label</key><string>org.other</string></dict></plist>".to_owned(),
        };
        fs::write(mac.at(part), &others).unwrap();
        fs::set_permissions(mac.at(part), fs::Permissions::from_mode(0o644)).unwrap();
        mac.refuses(Mac::install, Danger::Foreign);
        mac.refuses(uninstalled, Danger::Foreign);
        assert_eq!(fs::read_to_string(mac.at(part)).unwrap(), others);
    }
}

#[test]
fn a_folder_in_place_of_a_file_is_refused() {
    for part in Part::ALL {
        let Some(mut mac) = Mac::new("folders in place of files") else { return };
        if matches!(part, Part::Requirement | Part::HelperRequirement) {
            mac.make(&format!("Library/Application Support/{APP_ID}"));
        }
        fs::create_dir(mac.at(part)).unwrap();
        mac.refuses(Mac::install, Danger::NotAFile);
        mac.refuses(uninstalled, Danger::NotAFile);
    }
}

#[test]
fn what_an_interrupted_install_left_can_be_completed_or_taken_away() {
    for done in 0..=Part::ALL.len() {
        for complete in [true, false] {
            let Some(mut mac) = Mac::new("interrupted installs") else { return };
            mac.install().unwrap();
            // as if the power had gone after `done` files, within the next one
            for (index, part) in Part::ALL.into_iter().enumerate().skip(done) {
                let path = mac.at(part);
                fs::remove_file(&path).unwrap();
                if index == done {
                    let name = format!(".{}.new", path.file_name().unwrap().to_str().unwrap());
                    fs::write(path.with_file_name(&name), "ha").unwrap();
                    fs::set_permissions(path.with_file_name(&name), fs::Permissions::from_mode(0o600)).unwrap();
                }
            }
            mac.launchd.loaded = false;
            assert_eq!(
                mac.status().state,
                if done == 0 { InstallState::NotInstalled } else { InstallState::Incomplete }
            );
            if complete {
                mac.install().unwrap();
                assert_eq!(mac.status().state, InstallState::Installed);
                assert!(!mac.installed().iter().any(|name| name.ends_with(".new")), "{:?}", mac.installed());
            } else {
                mac.uninstall().unwrap();
                assert_eq!(mac.installed(), EMPTY);
            }
        }
    }
}

#[test]
fn a_job_that_launchd_refuses_can_be_tried_again_or_taken_away() {
    let Some(mut mac) = Mac::new("launchd refuses") else { return };
    mac.launchd.refuses = Some("bootstrap");
    let error = mac.install().unwrap_err().to_string();
    assert!(error.contains("launchctl bootstrap") && error.contains("Input/output error"), "{error}");
    assert_eq!(mac.status().state, InstallState::Incomplete);
    mac.launchd.refuses = None;
    mac.install().unwrap();
    assert_eq!(mac.status().state, InstallState::Installed);
    mac.launchd.refuses = Some("bootout");
    assert!(matches!(mac.uninstall(), Err(InstallError::Launchd(_))));
    assert!(mac.at(Part::Job).exists(), "a daemon that runs keeps its files");
}

#[test]
fn a_folder_of_the_system_that_is_missing_is_made_and_one_with_other_files_stays() {
    let Some(mut mac) = Mac::new("missing folders") else { return };
    fs::remove_dir(mac.path("Library/PrivilegedHelperTools")).unwrap();
    mac.install().unwrap();
    let folder = fs::metadata(mac.path("Library/PrivilegedHelperTools")).unwrap();
    assert_eq!((folder.uid(), folder.mode() & 0o7777), (0, 0o755));
    let note = mac.at(Part::Requirement).with_file_name("note.txt");
    fs::write(&note, "mine").unwrap();
    mac.uninstall().unwrap();
    assert_eq!(fs::read_to_string(note).unwrap(), "mine");
}

#[test]
fn threat_14_an_app_that_others_can_change_is_refused() {
    let Some(mut mac) = Mac::new("apps that others can change") else { return };
    let contents = mac.path("Applications/Joulebar.app/Contents");
    fs::set_permissions(&contents, fs::Permissions::from_mode(0o777)).unwrap();
    mac.refuses(Mac::install, Danger::Writable(0o777));
    fs::set_permissions(&contents, fs::Permissions::from_mode(0o755)).unwrap();
    let helper = contents.join(format!("MacOS/{APP_ID}.helper"));
    chown(&helper, Some(SOMEBODY), None).unwrap();
    mac.refuses(Mac::install, Danger::Owner(SOMEBODY));
    // the one who typed `sudo` may own the app, and admins may write /Applications
    let sources = Sources { invoker: Some(SOMEBODY), ..mac.sources() };
    chown(mac.path("Applications"), Some(0), Some(80)).unwrap();
    fs::set_permissions(mac.path("Applications"), fs::Permissions::from_mode(0o775)).unwrap();
    let prepared = Prepared::read(&sources, &mac.labels, &identify).unwrap();
    assert_eq!(prepared.helper.code.cdhash, hash('b'));
    // a program of the app that leads out of it
    fs::remove_file(&helper).unwrap();
    symlink(mac.path("joulebar"), &helper).unwrap();
    mac.refuses(Mac::install, Danger::Link);
}

#[test]
fn what_is_not_the_app_is_refused() {
    let Some(mac) = Mac::new("other apps") else { return };
    let info_path = mac.path("Applications/Joulebar.app/Contents/Info.plist");
    for text in ["", &info("org.other", "joulebar-app"), &info(APP_ID, "../../../joulebar"), &info(APP_ID, "")] {
        fs::write(&info_path, text).unwrap();
        assert!(matches!(mac.prepare(), Err(InstallError::NotAnApp { .. })), "{text}");
    }
    fs::write(&info_path, info(APP_ID, "missing")).unwrap();
    assert!(matches!(mac.prepare(), Err(InstallError::NotAProgram { .. })));
    fs::write(&info_path, info(APP_ID, "joulebar-app")).unwrap();
    let helper = format!("Applications/Joulebar.app/Contents/MacOS/{APP_ID}.helper");
    mac.write(&helper, &program("org.other.helper", 'b'));
    assert!(matches!(mac.prepare(), Err(InstallError::WrongIdentifier { .. })));
    mac.write(&helper, "#!/bin/sh\n");
    assert!(matches!(mac.prepare(), Err(InstallError::NotSigned { .. })));
    mac.write(&helper, &format!("signed {APP_ID}.helper \"x or anchor apple\"\n"));
    assert!(mac.prepare().is_err(), "a hash that is none must not reach the requirement");
    let gone = Sources { app: mac.path("nowhere.app"), ..mac.sources() };
    assert!(matches!(Prepared::read(&gone, &mac.labels, &identify), Err(InstallError::Io { .. })));
}

#[test]
fn threat_14_what_is_written_is_what_was_shown_even_if_the_app_changes_before_the_answer() {
    let Some(mut mac) = Mac::new("apps that change") else { return };
    let prepared = mac.prepare().unwrap();
    let shown = (prepared.helper.code.cdhash.clone(), prepared.requirement());
    mac.write(&format!("Applications/Joulebar.app/Contents/MacOS/{APP_ID}.helper"), "evil");
    mac.write("joulebar", &program("joulebar", 'f'));
    let places = mac.places();
    prepared.install(&places, &identify, &mut mac.launchd).unwrap();
    let status = mac.status();
    assert_eq!((status.helper.unwrap(), status.pinned.unwrap().join(" ")), (shown.0, [hash('a'), hash('c')].join(" ")));
    assert_eq!(fs::read_to_string(mac.at(Part::Requirement)).unwrap().trim(), shown.1);
}

#[test]
fn only_requirements_of_hashes_are_our_own() {
    let line = requirement([&hash('a'), &hash('a'), &hash('b')]);
    assert_eq!(line, format!("cdhash H\"{}\" or cdhash H\"{}\"", hash('a'), hash('b')));
    assert_eq!(parse_requirement(&format!("{line}\n")), Some(vec![hash('a'), hash('b')]));
    for other in ["", "anchor apple", "cdhash H\"\"", "cdhash H\"ab\" or anchor apple", &line.to_uppercase()] {
        assert_eq!(parse_requirement(other), None, "{other}");
    }
    assert_eq!(parse_requirement(&format!("{line} or always")), None);
}

#[test]
fn the_places_are_those_that_helper_and_app_look_at() {
    let labels = Labels::of_this_build();
    let at = |part| Places::system().path(&labels, part).display().to_string();
    assert_eq!(labels.job(), joulebar_wire::identity::LOCAL_HELPER_ID);
    assert_eq!(at(Part::Requirement), joulebar_wire::identity::CLIENT_REQUIREMENT_FILE);
    assert_eq!(at(Part::HelperRequirement), joulebar_wire::identity::HELPER_REQUIREMENT_FILE);
    assert_eq!(at(Part::Job), format!("/Library/LaunchDaemons/{}.plist", labels.job()));
    assert_eq!(at(Part::Helper), format!("/Library/PrivilegedHelperTools/{}", labels.job()));
}

#[test]
fn threat_03_a_program_that_others_can_put_code_into_is_not_let_in() {
    let Some(mut mac) = Mac::new("threat_03_open_client") else { return };
    let before = mac.installed();
    for name in ["app", "cli"] {
        let place =
            if name == "app" { mac.sources().app.join("Contents/MacOS/joulebar-app") } else { mac.sources().cli };
        let signed = fs::read_to_string(&place).unwrap();
        fs::write(&place, signed.replacen("signed", "open", 1)).unwrap();
        let refused = mac.install().unwrap_err();
        assert!(matches!(refused, InstallError::NotSigned { why: Unsigned::NotSealed, .. }), "{name}: {refused}");
        assert_eq!(mac.installed(), before);
        fs::write(&place, signed).unwrap();
    }
    mac.install().unwrap();
}
