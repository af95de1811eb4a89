//! `joulebar analyze`, as a user runs it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;

use common::{Place, Ran, captures, document};

const KEYS: [&str; 14] = [
    "elapsed_ns",
    "timestamp",
    "hw_model",
    "cpu_mw",
    "gpu_mw",
    "ane_mw",
    "dram_mw",
    "combined_mw",
    "cpu_mj",
    "gpu_mj",
    "ane_mj",
    "gpu_freq_mhz",
    "gpu_active_ratio",
    "thermal_pressure",
];

fn analyze_bytes(place: &Place, bytes: &[u8], format: &str) -> Ran {
    let mut command = place.joulebar(&["analyze", "-", "--format", format]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let ran = Ran::of(child.wait_with_output().unwrap());
    let _ = writer.join().unwrap();
    ran
}

fn rows(ran: &Ran) -> Vec<serde_json::Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn ndjson_has_exactly_the_promised_keys_and_null_for_what_is_absent() {
    let ran = analyze_bytes(&Place::new(), document(250.0, 750.0).as_bytes(), "ndjson").expect(0);
    let rows = rows(&ran);
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().cloned().collect();
    let mut wanted = KEYS.map(str::to_owned);
    wanted.sort();
    let mut found = keys;
    found.sort();
    assert_eq!(found, wanted);
    assert_eq!(rows[0]["cpu_mw"], 250.0);
    assert_eq!(rows[0]["gpu_mj"], 750.0);
    assert_eq!(rows[0]["dram_mw"], serde_json::Value::Null);
    assert_eq!(rows[0]["timestamp"], "2025-07-06T04:15:28Z");
}

#[test]
fn a_damaged_document_costs_itself_alone_and_is_named_with_index_and_offset() {
    let whole = document(250.0, 750.0);
    let damaged = whole.replace("<key>processor", "<kex>processor");
    let stream = format!("{whole}\0{damaged}\0{whole}");
    let ran = analyze_bytes(&Place::new(), stream.as_bytes(), "ndjson").expect(0);
    assert_eq!(ran.stdout.lines().count(), 2);
    let offset = whole.len() + 1;
    assert!(ran.stderr.contains(&format!("document 1 at byte {offset}")), "{}", ran.stderr);
}

#[test]
fn summary_gives_energy_duration_model_and_thermal_pressure() {
    let stream = document(1_000.0, 2_000.0).repeat(3);
    let ran = analyze_bytes(&Place::new(), stream.as_bytes(), "summary").expect(0);
    for part in ["3 samples", "3.0 s", "Mac16,8", "thermal pressure Nominal", "SoC", "9.00 J"] {
        assert!(ran.stdout.contains(part), "{part} is not in:\n{}", ran.stdout);
    }
}

#[test]
fn csv_has_a_head_and_a_row_for_each_sample() {
    let ran = analyze_bytes(&Place::new(), document(1.0, 2.0).repeat(2).as_bytes(), "csv").expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[0], KEYS.join(","));
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_file_without_a_sample_is_a_bad_input_file_and_so_is_a_missing_one() {
    let place = Place::new();
    std::fs::write(place.path("empty"), "").unwrap();
    std::fs::write(place.path("words"), "nothing that powermetrics would say\n").unwrap();
    for name in ["empty", "words", "missing", "."] {
        let ran = place.run(&["analyze", name]).expect(65);
        assert!(ran.stderr.contains("error: "), "{name}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{name}: {}", ran.stdout);
    }
}

#[test]
fn a_folder_is_named_with_a_reason_and_a_next_step() {
    let place = Place::new();
    std::fs::create_dir(place.path("folder")).unwrap();
    let ran = place.run(&["analyze", "folder"]).expect(65);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(lines[0], "error: reading folder failed after 0 samples");
    assert!(lines[1].starts_with("  why: Is a directory"), "{}", ran.stderr);
    assert_eq!(lines[2..], [" next: give a file that powermetrics wrote, or -"]);
}

#[test]
fn no_more_than_a_hundred_damaged_documents_are_named_and_the_rest_is_counted() {
    let mut stream = document(250.0, 750.0);
    stream.push_str(&"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist>\n</plist>\n".repeat(1_234));
    for format in ["ndjson", "summary"] {
        let ran = analyze_bytes(&Place::new(), stream.as_bytes(), format).expect(0);
        let lines: Vec<_> = ran.stderr.lines().collect();
        assert_eq!(lines.len(), 101, "{}", ran.stderr);
        assert!(lines[99].contains("document 100 at byte "), "{}", lines[99]);
        assert_eq!(lines[100], "standard input: 1,134 more like these");
    }
    let ran = analyze_bytes(&Place::new(), stream.split_off(document(250.0, 750.0).len()).as_bytes(), "csv").expect(65);
    assert!(ran.stderr.contains("1,134 more like these"), "{}", ran.stderr);
}

#[test]
#[cfg(target_os = "linux")]
fn rows_are_written_without_keeping_the_samples() {
    let place = Place::new();
    let bytes = document(1.0, 2.0).repeat(2_000);
    let mut command = place.joulebar(&["analyze", "-", "--format", "ndjson"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut memory = || {
        stdin.write_all(bytes.as_bytes()).unwrap();
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let early = memory();
    let late = (0..30).map(|_| memory()).last().unwrap();
    println!("highest use of memory: {early} kB after 2,000 samples, {late} kB after 62,000");
    // kept values would be 70 bytes and more for each sample
    assert!(late < early + 2_000, "{early} kB, then {late} kB");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let place = Place::new();
    std::fs::write(place.path("long"), document(1.0, 2.0).repeat(20_000)).unwrap();
    let mut command = place.joulebar(&["analyze", "long", "--format", "ndjson"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    // the pipe is closed when its reader is dropped
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with('{'));
    let ran = Ran::of(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(ran.stderr, "");
}

/// Samples that each recording holds, by what is known of it; `None` where it holds none.
fn expected(captures: &std::path::Path) -> Vec<(PathBuf, Option<usize>)> {
    let counted = [
        ("plist/cut_m4pro_battery_killed_in_third_sample.pliststream", Some(2)),
        ("plist/cut_m4pro_battery_started_mid_first_sample.pliststream", Some(2)),
        ("plist/intel_mbp16,2_macos15.6_cpu_power_rejoined.plist", Some(1)),
        ("plist/m1_macos11.4_default_samplers.plist", Some(1)),
        ("plist/m1_macos13.3_cpu_gpu_thermal_handindented.plist", Some(1)),
        ("plist/m1max_macos13.0_default_samplers.plist", Some(1)),
        ("plist/m1pro_macos15.3_showall_2samples.pliststream", Some(2)),
        ("plist/m4max_macos26.2_tasks_disk_cpu_gpu_thermal.plist", Some(1)),
        ("plist/m4pro_macos15.5_battery_3samples.pliststream", Some(3)),
        ("plist/m4pro_macos15.5_gpu_1sample.plist", Some(1)),
        ("text/help_macos11_m1.txt", None),
        ("text/m1_macos11.2_gpu_load_first5samples.txt", Some(5)),
        ("text/m1_macos12.6_cpu_power_100ms_10samples.txt", Some(10)),
        ("text/m2_macos12.5_tasks_and_cpu_composite.txt", Some(2)),
        ("text/m3_macos15.5_copypaste_nbsp.txt", Some(1)),
        ("text/m3_macos15.5_cpu_gpu_idle_uncommented.txt", Some(1)),
        ("text/m3pro_cpu_gpu_author_trimmed.txt", Some(1)),
        ("text/m4max_macos15.5_default_samplers_1sample.txt", Some(1)),
        ("text/m5_macos27beta_thermal_1ms_moderate.txt", Some(1)),
        ("text/m5max_macos26.4_cpu_gpu_8samples_last_truncated.txt", Some(7)),
    ];
    counted.iter().map(|(name, samples)| (captures.join(name), *samples)).collect()
}

#[test]
fn every_recording_is_analyzed_in_every_format() {
    let Some(captures) = captures("every_recording_is_analyzed_in_every_format") else { return };
    let place = Place::new();
    for (path, samples) in expected(&captures) {
        let name = path.display().to_string();
        let code = if samples.is_some() { 0 } else { 65 };
        let ran = place.run(&["analyze", &name, "--format", "ndjson"]).expect(code);
        assert_eq!(rows(&ran).len(), samples.unwrap_or(0), "{name}");
        let csv = place.run(&["analyze", &name, "--format", "csv"]).expect(code);
        assert_eq!(csv.stdout.lines().count(), samples.map_or(0, |samples| samples + 1), "{name}");
        let summary = place.run(&["analyze", &name]).expect(code);
        assert_eq!(summary.stdout.is_empty(), samples.is_none(), "{name}");
    }
}

#[test]
fn two_recordings_one_after_the_other_give_the_samples_of_both() {
    let Some(captures) = captures("two_recordings_one_after_the_other_give_the_samples_of_both") else { return };
    let place = Place::new();
    // a recording that begins in the middle of a sample can complete the cut sample in front of it
    let begins_whole = |path: &std::path::Path| !path.to_string_lossy().contains("started_mid");
    let whole: Vec<_> =
        expected(&captures).into_iter().filter(|(path, samples)| samples.is_some() && begins_whole(path)).collect();
    for pair in whole.windows(2) {
        let bytes = [std::fs::read(&pair[0].0).unwrap(), std::fs::read(&pair[1].0).unwrap()].concat();
        let ran = analyze_bytes(&place, &bytes, "ndjson").expect(0);
        let both = pair[0].1.unwrap() + pair[1].1.unwrap();
        assert_eq!(ran.stdout.lines().count(), both, "{} {}", pair[0].0.display(), pair[1].0.display());
    }
}
