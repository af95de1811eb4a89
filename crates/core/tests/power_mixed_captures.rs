//! Captures that somebody joined, cut, rewrote or recorded with foreign names in them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod power_support;

use joulebar_core::power::PowerError;
use joulebar_core::power::capture::{CaptureDecoder, CaptureReader};
use joulebar_core::power::row::AnalyzeRow;
use power_support::{document, document_with, fixture, real};
use proptest::prelude::*;

const MACHINE: &str = "Machine model: Mac16,6\nOS version: 24F74\nBoot arguments: \n\n";
const TASKS: &str = "*** Running tasks ***\n\nName                               ID     CPU ms/s  User%\n";
const TRIMMED: &str = "text/m3pro_cpu_gpu_author_trimmed.txt";

/// A sample of text, with these rows in its table of tasks.
fn sample(names: &[&str]) -> String {
    let mut text =
        "*** Sampled system activity (Sat Nov  8 15:54:21 2025 +0900) (5021.96ms elapsed) ***\n\n".to_owned();
    if !names.is_empty() {
        text += TASKS;
        for name in names {
            text += &format!("{name}                  1234   5.00     66.0   0.00    0.00\n");
        }
        text += "ALL_TASKS                          -2     100.00    60.00  0.00 0.00\n\n";
    }
    text + "**** Processor usage ****\n\nE-Cluster HW active frequency: 1020 MHz\nCPU 0 frequency: 1020 MHz\nCPU Power: 954 mW\n\
            GPU Power: 28 mW\nANE Power: 0 mW\nCombined Power (CPU + GPU + ANE): 982 mW\n\n**** GPU usage ****\n\n\
            GPU HW active frequency: 338 MHz\nGPU HW active residency:   1.63% (338 MHz: 1.6%)\nGPU Power: 30 mW\n\n"
}

fn text() -> String {
    MACHINE.to_owned() + &sample(&[])
}

fn plist() -> String {
    let root = "<key>elapsed_ns</key><integer>1000000000</integer>\n<key>hw_model</key><string>Mac16,5</string>\n";
    String::from_utf8(document_with(root, &real("cpu_power", "5"), "")).unwrap()
}

/// The rows that come out, and what is damaged.
fn read(bytes: &[u8]) -> (Vec<AnalyzeRow>, Vec<String>) {
    let whole = read_split(bytes, bytes.len().max(1));
    assert_eq!(read_split(bytes, 4095), whole, "in chunks of 4095");
    if bytes.len() < 20_000 {
        assert_eq!(read_split(bytes, 1), whole, "byte by byte");
    }
    whole
}

fn read_split(bytes: &[u8], chunk: usize) -> (Vec<AnalyzeRow>, Vec<String>) {
    let mut decoder = CaptureDecoder::new();
    let mut found = Vec::new();
    for part in bytes.chunks(chunk) {
        decoder.push(part);
        found.extend(decoder.by_ref());
    }
    found.extend(std::iter::from_fn(|| decoder.finish()));
    let mut damaged = Vec::new();
    let mut rows = Vec::new();
    for (position, outcome) in (0..).zip(found) {
        match outcome {
            Ok(sample) => {
                assert_eq!(sample.index, position);
                rows.push(AnalyzeRow::from(&sample.decoded));
            }
            Err(PowerError::Truncated { index, offset }) => damaged.push(format!("truncated {index} at {offset}")),
            Err(PowerError::MalformedSample { index, offset, .. }) => {
                damaged.push(format!("malformed {index} at {offset}"));
            }
            Err(other) => panic!("not an error of a document: {other}"),
        }
    }
    (rows, damaged)
}

/// The rows of a capture in which nothing is damaged.
fn rows(bytes: &[u8]) -> Vec<AnalyzeRow> {
    let (rows, damaged) = read(bytes);
    assert_eq!(damaged, [""; 0], "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]));
    rows
}

fn cpu(rows: &[AnalyzeRow]) -> Vec<Option<f64>> {
    rows.iter().map(|row| row.cpu_mw).collect()
}

#[test]
fn documents_on_one_line_are_all_read() {
    let line = plist().replace('\n', "");
    assert_eq!(cpu(&rows(line.repeat(3).as_bytes())), [Some(5.0); 3]);
    let longer = line.replace(
        "<key>processor",
        &format!("<key>kern_bootargs</key><string>{}</string><key>processor", "x".repeat(9000)),
    );
    assert_eq!(rows(longer.repeat(3).as_bytes()).len(), 3);
    assert_eq!(rows(format!("{line}junk").as_bytes()).len(), 1);
    assert_eq!(rows(format!("{line}junk\n{longer}junk\n\0{line}").as_bytes()).len(), 3);
    let Some(fixture) = fixture("plist/m4pro_macos15.5_gpu_1sample.plist") else { return };
    let alone = rows(&fixture);
    let line: Vec<u8> = fixture.into_iter().filter(|byte| *byte != b'\n').collect();
    assert_eq!(rows(&line.repeat(2)), [&alone[..], &alone[..]].concat());
}

#[test]
fn text_behind_a_long_line_is_read_wherever_the_line_ends() {
    for filler in (3000..4600).step_by(7) {
        let filler = format!("<key>kern_bootargs</key><string>{}</string><key>processor", "x".repeat(filler));
        let line = plist().replace("<key>processor", &filler).replace('\n', "");
        let found = rows(format!("{line}{}", text()).as_bytes());
        assert_eq!(cpu(&found), [Some(5.0), Some(954.0)], "{}", line.len());
        assert_eq!(found[1].hw_model.as_deref(), Some("Mac16,6"), "{}", line.len());
    }
}

#[test]
fn elementtree_s_way_of_writing_is_read() {
    let rewritten = plist()
        .replace("<true/>", "<true />")
        .replace("</dict>\n</plist>", "<key>x</key><string /><key>y</key><array /></dict>\n</plist>");
    assert_ne!(rewritten, plist());
    assert_eq!(cpu(&rows(rewritten.as_bytes())), [Some(5.0)]);
}

#[test]
fn text_without_headers_is_read_behind_anything() {
    let Some(trimmed) = fixture(TRIMMED) else { return };
    let alone = rows(&trimmed);
    assert_eq!(alone[0].cpu_mw, Some(3224.0));
    for separator in ["", "\n", "\n\0"] {
        let found = rows(&[plist().as_bytes(), separator.as_bytes(), &trimmed].concat());
        assert_eq!((found[0].cpu_mw, &found[1..]), (Some(5.0), &alone[..]), "{separator:?}");
        let found = rows(&[plist().trim_end().as_bytes(), separator.as_bytes(), &trimmed].concat());
        assert_eq!((found[0].cpu_mw, &found[1..]), (Some(5.0), &alone[..]), "{separator:?}");
    }
    for name in ["text/m5_macos27beta_thermal_1ms_moderate.txt", "text/m4max_macos15.5_default_samplers_1sample.txt"] {
        let other = fixture(name).unwrap();
        let found = rows(&[&other[..], b"\n", &trimmed].concat());
        assert_eq!(found, [rows(&other), alone.clone()].concat(), "{name}");
    }
    let truncated = fixture("text/m5max_macos26.4_cpu_gpu_8samples_last_truncated.txt").unwrap();
    let (whole, damaged) = read(&truncated);
    let found = read(&[&truncated[..], b"\n", &trimmed].concat());
    assert_eq!(found, ([whole, alone].concat(), damaged), "the last sample stays truncated");
    assert_eq!(found.0.len(), 8);
}

#[test]
fn a_document_without_a_length_is_a_row_without_one() {
    let bytes = plist().replace("<key>elapsed_ns</key><integer>1000000000</integer>\n", "");
    let found = rows(bytes.as_bytes());
    assert_eq!((found[0].elapsed_ns, found[0].cpu_mw), (None, Some(5.0)));
}

/// Names that stand in the table of tasks and look like something else.
const NAMES: [&str; 26] = [
    "GPU Power:",
    "CPU Power: 5 mW",
    "GPU Power: 99 mW",
    "ANE Power: 9 mW",
    "DRAM Power: 7 mW",
    "Combined Power (x): 5 mW",
    "Intel energy model derived package power: 5W",
    "Current pressure level: Heavy",
    "GPU 0 x",
    "GPU HW active residency: 99%",
    "E-Cluster HW active frequency: 5 MHz",
    "CPU 0 frequency: 5 MHz",
    "**** Processor usage ****",
    "</plist>",
    "</dict>",
    "x </string> y",
    "<plist>",
    "<?xml ",
    "<?xml version=\"1.0\"?>",
    "a <?xml version=\"1.0\"?>",
    "<key>cpu_power</key>",
    "Machine model: X",
    "a Machine model: X",
    "x *** Sampled system activity (",
    "*** Sampled system activity (x) (5ms elapsed) ***",
    "*** Summary system activity (x",
];

#[test]
fn names_in_the_table_of_tasks_are_only_names() {
    let plain = rows(text().as_bytes());
    for name in NAMES {
        let bytes = format!("{MACHINE}{}{}{}", sample(&[]), sample(&[name, "zsh"]), sample(&[]));
        assert_eq!(rows(bytes.as_bytes()), [plain.clone(), plain.clone(), plain.clone()].concat(), "{name}");
    }
}

#[test]
fn names_in_a_property_list_are_only_names() {
    for name in NAMES.into_iter().chain(["</plist>Machine model: x", "</dict></plist> x", "a</string> b"]) {
        let tasks = format!(
            "<key>tasks</key><array><dict><key>name</key><string>{name}</string></dict></array>\n<key>processor"
        );
        let document = plist().replacen("<key>processor", &tasks, 1);
        let bytes = format!("{document}\0{document}\n{}", document.replace('\n', "").repeat(2));
        assert_eq!(cpu(&rows(bytes.as_bytes())), [Some(5.0); 4], "{name}");
    }
}

#[test]
fn a_readable_power_takes_the_place_of_an_unreadable_one() {
    let text = text().replace("GPU Power: 28 mW\n", "GPU Power: ?\nGPU Power: 28 mW\n");
    assert_eq!(rows(text.as_bytes())[0].gpu_mw, Some(28.0));
}

#[test]
fn the_machine_of_a_text_is_known_behind_a_property_list_in_it() {
    let found = rows(format!("{}{}{}", text(), plist(), sample(&[])).as_bytes());
    let models: Vec<_> = found.iter().map(|row| row.hw_model.as_deref()).collect();
    assert_eq!(models, [Some("Mac16,6"), Some("Mac16,5"), Some("Mac16,6")]);
}

#[test]
fn text_behind_a_property_list_that_was_cut_inside_a_line_names_its_machine() {
    let cut = &plist()[..plist().find("</integer>").unwrap()];
    let (found, damaged) = read(format!("{cut}{}", text()).as_bytes());
    assert_eq!(found, rows(text().as_bytes()));
    assert_eq!(damaged, ["truncated 0 at 0"]);
    let (found, _) = read(format!("{cut}{}", sample(&[])).as_bytes());
    assert_eq!(cpu(&found), [Some(954.0)]);
}

#[test]
fn noise_around_documents_is_no_document() {
    let document = plist();
    let noise = "Second underflow occured.\n";
    let bytes =
        format!("Script started\n{document}{noise}\0{noise}{document}\n\0<kex>\n\0{document}{noise}Script done\n");
    let (found, damaged) = read(bytes.as_bytes());
    assert_eq!(cpu(&found), [Some(5.0); 3]);
    assert_eq!(damaged, [format!("malformed 2 at {}", bytes.find("<kex>").unwrap())], "noise has no number");
    assert_eq!(read(noise.repeat(3).as_bytes()), (vec![], vec!["malformed 0 at 0".to_owned()]));
    assert_eq!(rows(format!("{document}<!-- end <of> it -->\n").as_bytes()).len(), 1);
}

#[test]
fn text_with_decimal_commas_says_the_same() {
    let plain = rows(text().as_bytes());
    let foreign = text().replace("5021.96ms", "5021,96ms").replace("1.63%", "1,63%").replace("954 mW", "954,0 mW");
    assert_ne!(foreign, text());
    assert_eq!(rows(foreign.as_bytes()), plain);
    assert_eq!((plain[0].elapsed_ns, plain[0].gpu_active_ratio), (Some(5_021_960_000), Some(0.0163)));
}

#[test]
fn carriage_returns_alone_end_lines() {
    let plain = rows(text().as_bytes());
    assert_eq!(rows(text().replace('\n', "\r").repeat(20).as_bytes()), vec![plain[0].clone(); 20]);
    assert_eq!(cpu(&rows(plist().replace('\n', "\r").repeat(2).as_bytes())), [Some(5.0); 2]);
}

#[test]
fn text_gives_intel_watts_as_the_milliwatts_that_they_say() {
    let text = "*** Sampled system activity (Sun Aug  3 15:07:09 2025 -0700) (1004.87ms elapsed) ***\n\
                Intel energy model derived package power (CPUs+GT+SA): 2.86326W\n";
    assert_eq!(rows(text.as_bytes())[0].combined_mw, Some(2863.26));
}

#[test]
fn time_is_linear_and_memory_bounded_whatever_the_bytes_are() {
    let table = MACHINE.to_owned() + &sample(&["x"])[..200];
    for head in [plist(), plist()[..200].to_owned(), table] {
        for filler in [
            "*",
            "*** ",
            "Machine model:",
            "<?xml version=",
            "<?xml version=?> ",
            "</plist>",
            "\r",
            "<",
            ">",
            "CPU 0 frequency: 5 MHz\n",
        ] {
            let bytes = head.clone() + &filler.repeat(1_000_000 / filler.len());
            let since = std::time::Instant::now();
            let outcomes = CaptureReader::new(bytes.as_bytes()).count();
            // quadratic time would be hours
            assert!(since.elapsed().as_secs() < 30, "{filler:?}: {:?} for {outcomes}", since.elapsed());
        }
    }
}

proptest! {
    #[test]
    fn split_points_do_not_matter_in_long_lines_and_mixtures(
        parts in prop::collection::vec(0_usize..8, 1..8), cut in 0_usize..3000, chunk in 1_usize..5000,
    ) {
        let long = format!("<key>kern_bootargs</key><string>{}</string><key>processor", "x".repeat(3500));
        let line = plist().replace("<key>processor", &long).replace('\n', "");
        let all = [plist(), line.clone(), text(), sample(&NAMES), "\n".into(), "noise".into(), line[..cut].into(), text()[cut.min(400)..].into()];
        let bytes: String = parts.iter().map(|part| &all[*part][..]).collect();
        let whole = read_split(bytes.as_bytes(), bytes.len());
        prop_assert_eq!(read_split(bytes.as_bytes(), chunk), whole);
    }

    #[test]
    fn lines_of_both_formats_are_survived_in_any_order(lines in prop::collection::vec(prop::sample::select(vec![
        "<?xml version=\"1.0\"?>", "<plist>", "</plist>", "<dict>", "</dict>", "<!--", "-->", "<key>a</key><integer>5</integer>", "\0", "",
        "*** Running tasks ***", "ALL_TASKS  -2", "Machine model: Mac16,6", "**** Thermal pressure ****", "**** GPU usage ****",
        "*** Sampled system activity (x) (5ms elapsed) ***", "E-Cluster HW active frequency: 5 MHz", "CPU 0 frequency: 5 MHz",
        "CPU Power: 5 mW", "GPU Power: 5 mW", "noise",
    ]), 0..30), glued: bool) {
        let text = lines.join(if glued { "" } else { "\n" });
        let whole = read_split(text.as_bytes(), text.len().max(1));
        prop_assert_eq!(read_split(text.as_bytes(), 1), whole);
    }
}

#[test]
fn a_document_is_read_the_same_alone_and_among_the_others() {
    let good = document(&real("cpu_power", "5"));
    assert_eq!(
        cpu(&rows(&[&good[..], text().as_bytes(), &good, b"\0", &good].concat())),
        [Some(5.0), Some(954.0), Some(5.0), Some(5.0)]
    );
}
