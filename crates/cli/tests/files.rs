//! What the program does to files: nothing is lost that it was not told to replace, and nothing half-made stays.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod common;

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use common::{Lines, Place, Ran, Server, document, require_siblings};

/// Names in the folder, but those that every place has.
fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("")).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    // the history's folder comes with the first run
    let of_every_place = ["tmp", "suite.toml", "data"];
    let mut names: Vec<_> = names.filter(|name| !of_every_place.contains(&name.as_str())).collect();
    names.sort();
    names
}

/// Lets the program write files of so many bytes only, as on a disk that is full.
fn with_full_disk(command: &mut Command, bytes: libc::rlim_t) -> &mut Command {
    let limit = move || {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: both take plain values, and are safe to call between fork and exec.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
        }
        Ok(())
    };
    // SAFETY: the closure allocates nothing and calls only what is safe after a fork.
    unsafe { command.pre_exec(limit) }
}

#[test]
fn one_file_in_two_parts_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    let files = ["d.json", "capture", "token", "s.toml", "d.partial.jsonl"];
    for name in files {
        std::fs::write(place.path(name), document(1.0, 2.0)).unwrap();
    }
    std::fs::copy(place.path("suite.toml"), place.path("s.toml")).unwrap();
    symlink("s.toml", place.path("link.toml")).unwrap();
    std::fs::hard_link(place.path("s.toml"), place.path("hard.toml")).unwrap();
    let before: Vec<_> = files.map(|name| place.read(name)).into();
    for arguments in [
        &["bench", "--demo", "--output", "d.json", "--csv", "d.json"][..],
        &["bench", "--demo", "--output", "d.json", "--csv", "./d.json"],
        &["bench", "--demo", "--output", "new.json", "--csv", "tmp/../new.json"],
        &["bench", "--demo", "--output", "d.json", "--csv", "d.partial.jsonl"],
        &["bench", "--demo", "--suite", "s.toml", "--output", "s.toml"],
        &["bench", "--demo", "--suite", "s.toml", "--output", "link.toml"],
        &["bench", "--demo", "--suite", "s.toml", "--output", "hard.toml"],
        &["bench", "--demo", "--suite", "s.toml", "--csv", "link.toml"],
        &["bench", "--source", "replay:capture", "--output", "capture"],
        &["bench", "--source", "replay:capture", "--csv", "capture"],
        &["bench", "--api-token-file", "token", "--output", "token"],
        &["monitor", "--source", "replay:capture", "--output", "capture"],
        &["monitor", "--source", "replay:capture", "--output", "./tmp/../capture"],
    ] {
        let ran = place.run(arguments).expect(2);
        assert!(ran.stderr.contains("are the same file") && ran.stderr.contains(" next: "), "{}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{arguments:?} began: {}", ran.stdout);
    }
    let after: Vec<_> = files.map(|name| place.read(name)).into();
    assert_eq!(before, after);
    assert!(!place.path("new.json").exists());
}

#[test]
fn a_session_may_be_written_over_by_what_it_becomes_and_by_nothing_else() {
    let place = Place::new();
    Ran::of(place.bench(&[]).output().unwrap()).expect(0);
    for more in [&["--csv", "report.json"][..], &["--output", "new.json", "--csv", "report.json"]] {
        let ran = place.run(&[&["bench", "--resume", "report.json"], more].concat()).expect(2);
        assert!(ran.stderr.contains("are the same file"), "{}", ran.stderr);
    }
    place.run(&["verify", "report.json"]).expect(0);
    assert!(place.run(&["bench", "--resume", "report.json"]).expect(0).stdout.contains("Nothing is left to do"));
}

#[test]
fn monitor_replaces_a_file_only_once_it_has_a_sample_for_it() {
    let place = Place::new();
    std::fs::write(place.path("empty"), "nothing that powermetrics would say\n").unwrap();
    std::fs::write(place.path("capture"), document(1.0, 2.0).repeat(2)).unwrap();
    std::fs::write(place.path("old.csv"), "old").unwrap();
    place.run(&["monitor", "--source", "replay:empty", "--output", "old.csv"]).expect(65);
    assert_eq!(place.read("old.csv"), "old");
    place.run(&["monitor", "--source", "replay:empty", "--output", "new.csv"]).expect(65);
    assert!(!place.path("new.csv").exists());
    symlink("old.csv", place.path("link.csv")).unwrap();
    place.run(&["monitor", "--source", "replay:capture", "--output", "link.csv"]).expect(0);
    assert_eq!(place.read("old.csv").lines().count(), 3);
    assert!(place.path("link.csv").is_symlink());
    assert_eq!(names(&place), ["capture", "empty", "link.csv", "old.csv"]);
}

#[test]
fn a_report_is_written_through_a_link() {
    let place = Place::new();
    std::fs::create_dir(place.path("far")).unwrap();
    symlink("far/real.json", place.path("report.json")).unwrap();
    for _ in ["a link to nothing", "a link to a report"] {
        Ran::of(place.bench(&["--csv", "samples.csv"]).output().unwrap()).expect(0);
        assert!(place.path("report.json").is_symlink());
        place.run(&["verify", "far/real.json", "report.json"]).expect(0);
    }
    assert_eq!(names(&place), ["far", "report.json", "samples.csv"]);
}

#[test]
fn a_full_disk_leaves_nothing_half_made() {
    let place = Place::new();
    std::fs::write(place.path("capture"), document(1.0, 2.0)).unwrap();
    std::fs::write(place.path("old.csv"), "old").unwrap();
    for output in ["new.csv", "old.csv"] {
        let mut command = place.joulebar(&["monitor", "--source", "replay:capture", "--output", output]);
        let ran = Ran::of(with_full_disk(&mut command, 16).output().unwrap()).expect(73);
        assert!(ran.stderr.contains(output) && ran.stderr.contains(" next: "), "{}", ran.stderr);
    }
    assert_eq!(place.read("old.csv"), "old");

    let server = Server::start(&[]);
    let mut command = place.joulebar(&["bench", "--server", &server.url, "--source", "demo", "--suite", "suite.toml"]);
    let ran = Ran::of(with_full_disk(&mut command, 200).output().unwrap()).expect(73);
    assert!(ran.stderr.contains("partial.jsonl could not be written"), "{}", ran.stderr);
    assert_eq!(names(&place), ["capture", "old.csv"]);
}

#[test]
fn the_next_demo_sweeps_what_a_killed_one_left() {
    require_siblings();
    let place = Place::new();
    let monitor = ["monitor", "--source", "demo", "--interval", "100"];
    let mut command = place.joulebar(&monitor);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    Lines::of(&mut child).wait_for("Nominal");
    assert!(place.temporary_files()[0].display().to_string().contains(&format!("joulebar-demo-{}-", child.id())));
    child.kill().unwrap();
    child.wait().unwrap();
    place.assert_no_process_stays();
    assert_eq!(place.temporary_files().len(), 1);
    place.run(&[&monitor[..], &["--samples", "1"]].concat()).expect(0);
    assert!(place.temporary_files().is_empty(), "{:?}", place.temporary_files());
}
