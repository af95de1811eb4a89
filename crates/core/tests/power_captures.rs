//! Recorded output of powermetrics, in any format and any arrangement, becomes samples and exact reports of damage.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod power_support;

use std::time::Duration;

use joulebar_core::power::PowerError;
use joulebar_core::power::capture::{CaptureDecoder, CaptureReader, CaptureSample};
use joulebar_core::power::row::AnalyzeRow;
use joulebar_core::sample::ThermalPressure;
use power_support::{document, fixture, fixture_path, real};
use proptest::prelude::*;

/// What came out, errors as short words so that runs can be compared.
fn read(bytes: &[u8]) -> Vec<Result<CaptureSample, String>> {
    read_split(bytes, bytes.len().max(1))
}

fn read_split(bytes: &[u8], chunk: usize) -> Vec<Result<CaptureSample, String>> {
    let mut decoder = CaptureDecoder::new();
    let mut found = Vec::new();
    for part in bytes.chunks(chunk) {
        decoder.push(part);
        found.extend(decoder.by_ref());
    }
    found.extend(std::iter::from_fn(|| decoder.finish()));
    found.into_iter().map(|outcome| outcome.map_err(|error| shorten(&error))).collect()
}

fn shorten(error: &PowerError) -> String {
    assert!(!error.is_fatal(), "a damaged document does not end a capture");
    match error {
        PowerError::Truncated { index, offset } => format!("truncated {index} at {offset}"),
        PowerError::MalformedSample { index, offset, .. } => format!("malformed {index} at {offset}"),
        other => panic!("not an error of a document: {other}"),
    }
}

fn samples(bytes: &[u8]) -> Vec<CaptureSample> {
    read(bytes).into_iter().map(|outcome| outcome.unwrap()).collect()
}

fn row(sample: &CaptureSample) -> AnalyzeRow {
    AnalyzeRow::from(&sample.decoded)
}

/// cpu, gpu, ane, dram, combined in mW.
fn powers(sample: &CaptureSample) -> [Option<f64>; 5] {
    let row = row(sample);
    [row.cpu_mw, row.gpu_mw, row.ane_mw, row.dram_mw, row.combined_mw]
}

fn elapsed_ns(samples: &[CaptureSample]) -> Vec<Option<u64>> {
    samples.iter().map(|sample| row(sample).elapsed_ns).collect()
}

#[test]
fn three_plist_samples_are_numbered_and_placed() {
    let Some(bytes) = fixture("plist/m4pro_macos15.5_battery_3samples.pliststream") else { return };
    let samples = samples(&bytes);
    let places: Vec<(u64, u64)> = samples.iter().map(|sample| (sample.index, sample.offset)).collect();
    assert_eq!(places, [(0, 0), (1, 590), (2, 1180)]);
    assert_eq!(elapsed_ns(&samples), [Some(1_002_093_500), Some(1_004_160_750), Some(1_001_210_833)]);
    assert_eq!(row(&samples[0]).timestamp.as_deref(), Some("2025-07-08T05:36:24Z"));
}

#[test]
fn a_capture_killed_in_its_third_sample_gives_two_and_says_where_the_third_began() {
    let Some(bytes) = fixture("plist/cut_m4pro_battery_killed_in_third_sample.pliststream") else { return };
    let found = read(&bytes);
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].as_ref().unwrap().decoded.elapsed, Some(Duration::from_nanos(1_002_093_500)));
    assert_eq!(found[1].as_ref().unwrap().decoded.elapsed, Some(Duration::from_nanos(1_004_160_750)));
    assert_eq!(found[2], Err("truncated 2 at 1180".into()));
}

#[test]
fn a_capture_begun_in_the_middle_gives_what_follows() {
    let Some(bytes) = fixture("plist/cut_m4pro_battery_started_mid_first_sample.pliststream") else { return };
    let found = read(&bytes);
    assert_eq!(found.len(), 3);
    assert_eq!(found[0], Err("malformed 0 at 0".into()));
    let second = found[1].as_ref().unwrap();
    assert_eq!((second.index, second.offset), (1, 290));
    assert_eq!(found[2].as_ref().unwrap().decoded.elapsed, Some(Duration::from_nanos(1_001_210_833)));
}

#[test]
fn text_of_macos_11_under_gpu_load() {
    let Some(bytes) = fixture("text/m1_macos11.2_gpu_load_first5samples.txt") else { return };
    let samples = samples(&bytes);
    assert_eq!(
        elapsed_ns(&samples),
        [Some(1_005_030_000), Some(1_014_570_000), Some(1_014_230_000), Some(1_013_040_000), Some(1_013_240_000)]
    );
    assert_eq!(powers(&samples[0]), [Some(23.0), Some(1.0), Some(0.0), Some(10.0), None]);
    assert_eq!(powers(&samples[1]), [Some(3.0), Some(0.0), Some(0.0), Some(5.0), None]);
    assert_eq!(powers(&samples[2]), [Some(2.0), Some(0.0), Some(0.0), Some(1.0), None]);
    let first = row(&samples[0]);
    assert_eq!(first.hw_model.as_deref(), Some("Macmini9,1"));
    assert_eq!(first.timestamp.as_deref(), Some("2021-02-28T08:17:04Z"));
    assert_eq!((first.gpu_freq_mhz, first.gpu_active_ratio), (Some(709.0), Some(0.0054)));
    assert_eq!(first.cpu_mj, None, "text holds no energies");
}

#[test]
fn text_of_macos_12_at_100_ms() {
    let Some(bytes) = fixture("text/m1_macos12.6_cpu_power_100ms_10samples.txt") else { return };
    let samples = samples(&bytes);
    let expected_us = [104_510, 104_810, 105_930, 108_220, 109_240, 108_450, 108_380];
    assert_eq!(elapsed_ns(&samples)[..7], expected_us.map(|us| Some(us * 1_000)));
    assert_eq!(samples.len(), 10);
    assert_eq!(powers(&samples[0]), [Some(947.0), Some(153.0), Some(0.0), Some(220.0), None]);
    assert_eq!(powers(&samples[9]), [Some(239.0), Some(9.0), Some(0.0), Some(83.0), None]);
    assert_eq!(row(&samples[0]).timestamp, row(&samples[1]).timestamp, "several samples share a second");
}

#[test]
fn text_pasted_together_without_a_last_line_end() {
    let Some(bytes) = fixture("text/m2_macos12.5_tasks_and_cpu_composite.txt") else { return };
    let samples = samples(&bytes);
    assert_eq!(elapsed_ns(&samples), [Some(1_012_070_000), Some(1_002_800_000)]);
    assert_eq!(powers(&samples[0]), [None; 5]);
    assert_eq!(powers(&samples[1]), [Some(10.0), Some(0.0), Some(0.0), Some(19.0), None]);
    assert_eq!(row(&samples[1]).hw_model.as_deref(), Some("Mac14,2"));
}

#[test]
fn text_with_no_break_spaces_reads_like_any_other() {
    let Some(bytes) = fixture("text/m3_macos15.5_copypaste_nbsp.txt") else { return };
    let samples = samples(&bytes);
    assert_eq!(powers(&samples[0]), [Some(72.0), Some(0.0), Some(0.0), None, Some(72.0)]);
    let row = row(&samples[0]);
    assert_eq!((samples.len(), row.elapsed_ns), (1, Some(1_003_430_000)));
    assert_eq!(row.timestamp.as_deref(), Some("2025-12-09T19:28:05Z"));
    assert_eq!((row.gpu_freq_mhz, row.gpu_active_ratio), (Some(338.0), Some(0.0016)));
}

#[test]
fn text_with_wrong_cluster_lines_gives_its_powers() {
    let Some(bytes) = fixture("text/m3_macos15.5_cpu_gpu_idle_uncommented.txt") else { return };
    let samples = samples(&bytes);
    assert_eq!(powers(&samples[0]), [Some(125.0), Some(0.0), Some(0.0), None, Some(125.0)]);
    assert_eq!(elapsed_ns(&samples), [Some(1_003_400_000)]);
}

#[test]
fn text_without_any_header_has_powers_and_no_length() {
    let Some(bytes) = fixture("text/m3pro_cpu_gpu_author_trimmed.txt") else { return };
    let samples = samples(&bytes);
    assert_eq!(samples.len(), 1);
    assert_eq!(powers(&samples[0]), [Some(3224.0), Some(31.0), Some(0.0), None, Some(3254.0)]);
    let row = row(&samples[0]);
    assert_eq!((row.elapsed_ns, row.timestamp, row.hw_model), (None, None, None));
    assert_eq!((row.gpu_freq_mhz, row.gpu_active_ratio), (Some(338.0), Some(0.0631)));
}

#[test]
fn text_of_all_default_samplers() {
    let Some(bytes) = fixture("text/m4max_macos15.5_default_samplers_1sample.txt") else { return };
    let samples = samples(&bytes);
    assert_eq!(powers(&samples[0]), [Some(954.0), Some(28.0), Some(0.0), None, Some(983.0)]);
    let row = row(&samples[0]);
    assert_eq!((samples.len(), row.elapsed_ns, row.gpu_active_ratio), (1, Some(5_021_960_000), Some(0.0163)));
    assert_eq!(row.timestamp.as_deref(), Some("2025-11-08T06:54:21Z"));
}

#[test]
fn text_of_the_thermal_sampler_alone() {
    let Some(bytes) = fixture("text/m5_macos27beta_thermal_1ms_moderate.txt") else { return };
    let samples = samples(&bytes);
    assert_eq!(samples[0].decoded.thermal_pressure, Some(ThermalPressure::Moderate));
    assert_eq!(elapsed_ns(&samples), [Some(1_200_000)]);
    assert_eq!(powers(&samples[0]), [None; 5]);
}

#[test]
fn text_of_an_m5_max_ends_in_its_eighth_sample() {
    let Some(bytes) = fixture("text/m5max_macos26.4_cpu_gpu_8samples_last_truncated.txt") else { return };
    let found = read(&bytes);
    assert_eq!(found.len(), 8);
    let whole: Vec<CaptureSample> = found[..7].iter().map(|outcome| outcome.clone().unwrap()).collect();
    let combined: Vec<Option<f64>> = whole.iter().map(|sample| powers(sample)[4]).collect();
    assert_eq!(combined[..5], [171.0, 428.0, 458.0, 356.0, 679.0].map(Some));
    assert_eq!(
        powers(&whole[2]),
        [Some(432.0), Some(25.0), Some(0.0), None, Some(458.0)],
        "the first GPU Power counts"
    );
    assert_eq!(row(&whole[0]).hw_model.as_deref(), Some("Mac17,6"));
    let tail = found[7].clone().unwrap_err();
    assert!(tail.starts_with("truncated 7 at "), "{tail}");
    let offset: usize = tail.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(bytes[offset..].starts_with(b"*** Sampled system activity (Sat Apr 25 10:34:4"));
}

#[test]
fn help_text_and_other_bytes_are_no_capture() {
    if let Some(bytes) = fixture("text/help_macos11_m1.txt") {
        assert_eq!(read(&bytes), [Err("malformed 0 at 0".into())]);
    }
    assert_eq!(read(b"\n\nhello\nworld"), [Err("malformed 0 at 2".into())]);
    assert_eq!(read(b"").len(), 0);
    assert_eq!(read(b"\n \0\n").len(), 0);
}

const ALL: [&str; 19] = [
    "plist/cut_m4pro_battery_killed_in_third_sample.pliststream",
    "plist/cut_m4pro_battery_started_mid_first_sample.pliststream",
    "plist/intel_mbp16,2_macos15.6_cpu_power_rejoined.plist",
    "plist/m1_macos11.4_default_samplers.plist",
    "plist/m1_macos13.3_cpu_gpu_thermal_handindented.plist",
    "plist/m1max_macos13.0_default_samplers.plist",
    "plist/m1pro_macos15.3_showall_2samples.pliststream",
    "plist/m4max_macos26.2_tasks_disk_cpu_gpu_thermal.plist",
    "plist/m4pro_macos15.5_battery_3samples.pliststream",
    "plist/m4pro_macos15.5_gpu_1sample.plist",
    "text/m1_macos11.2_gpu_load_first5samples.txt",
    "text/m1_macos12.6_cpu_power_100ms_10samples.txt",
    "text/m2_macos12.5_tasks_and_cpu_composite.txt",
    "text/m3_macos15.5_copypaste_nbsp.txt",
    "text/m3_macos15.5_cpu_gpu_idle_uncommented.txt",
    "text/m3pro_cpu_gpu_author_trimmed.txt",
    "text/m4max_macos15.5_default_samplers_1sample.txt",
    "text/m5_macos27beta_thermal_1ms_moderate.txt",
    "text/m5max_macos26.4_cpu_gpu_8samples_last_truncated.txt",
];

/// Each capture alone, then all of them behind another in one stream: the same samples and the same damage come out.
#[test]
fn captures_behind_one_another_give_what_each_gives_alone() {
    for separator in [&b""[..], b"\n", b"\n\0"] {
        let mut joined = Vec::new();
        let mut expected = 0;
        let mut damaged = 0;
        for name in ALL {
            let Some(bytes) = fixture(name) else { return };
            let alone = read(&bytes);
            expected += alone.iter().filter(|outcome| outcome.is_ok()).count();
            damaged += alone.iter().filter(|outcome| outcome.is_err()).count();
            joined.extend_from_slice(&bytes);
            joined.extend_from_slice(separator);
        }
        let found = read(&joined);
        let numbers: Vec<u64> = (0..).take(found.len()).collect();
        let indices: Vec<u64> = found
            .iter()
            .map(|outcome| match outcome {
                Ok(sample) => sample.index,
                Err(error) => error.split(' ').nth(1).unwrap().parse().unwrap(),
            })
            .collect();
        assert_eq!(indices, numbers);
        let whole = found.iter().filter(|outcome| outcome.is_ok()).count();
        let lost: Vec<&String> = found.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        if !separator.contains(&0) {
            // the first two happen to be cut so that tail and head make a whole document
            (expected, damaged) = (expected + 1, damaged - 2);
        }
        assert_eq!((whole, lost.len()), (expected, damaged), "{separator:?} {lost:?}");
    }
}

#[test]
fn captures_read_the_same_in_any_chunks() {
    for name in ALL {
        let Some(bytes) = fixture(name) else { return };
        let whole = read(&bytes);
        let sizes = if bytes.len() < 50_000 { &[1, 7, 64, 4095][..] } else { &[61, 4096, 65_536] };
        for &chunk in sizes {
            assert_eq!(read_split(&bytes, chunk), whole, "{name} in chunks of {chunk}");
        }
    }
}

#[test]
fn a_text_cut_anywhere_never_gives_half_a_sample() {
    let Some(bytes) = fixture("text/m5max_macos26.4_cpu_gpu_8samples_last_truncated.txt") else { return };
    let whole = samples_or_errors(&bytes);
    for end in (0..bytes.len()).step_by(61) {
        for outcome in read(&bytes[..end]).into_iter().flatten() {
            let index = usize::try_from(outcome.index).unwrap();
            assert_eq!(Some(&outcome), whole[index].as_ref().ok(), "cut at {end}");
        }
    }
}

fn samples_or_errors(bytes: &[u8]) -> Vec<Result<CaptureSample, String>> {
    read(bytes)
}

#[test]
fn a_single_text_sample_cut_before_its_powers_is_truncated() {
    let head = "Machine model: Mac16,6\n\n*** Sampled system activity (Sat Nov  8 15:54:21 2025 +0900) (1000.00ms elapsed) ***\n\n\
                **** Processor usage ****\n\nCPU 0 frequency: 1020 MHz\n";
    let powers = "CPU Power: 954 mW\nGPU Power: 28 mW\nANE Power: 0 mW\nCombined Power (CPU + GPU + ANE): 982 mW\n";
    let whole = format!("{head}{powers}");
    assert_eq!(read(head.as_bytes()), [Err("truncated 0 at 24".into())]);
    for cut in 1..powers.len() - 3 {
        let found = read(&whole.as_bytes()[..head.len() + cut]);
        assert_eq!(found, [Err("truncated 0 at 24".into())], "{:?}", &powers[..cut]);
    }
    assert_eq!(samples(whole.as_bytes()).len(), 1);
    assert_eq!(samples(whole.trim_end().as_bytes()).len(), 1, "the last line end does not matter");
}

#[test]
fn intel_text_gives_the_package_as_combined() {
    let text = "Machine model: MacBookPro16,2\n\
        *** Sampled system activity (Sun Aug  3 15:07:09 2025 -0700) (1004.87ms elapsed) ***\n\n\
        **** Processor usage ****\n\nIntel energy model derived package power (CPUs+GT+SA): 1.20W\n\
        LLC flushed residency: 50.8%\n\n**** GPU usage ****\n\nGPU 0 name IntelIG\nGPU 0 C-state residency: 98.2%\n";
    let samples = samples(text.as_bytes());
    assert_eq!(powers(&samples[0]), [None, None, None, None, Some(1200.0)]);
}

#[test]
fn text_powers_that_cannot_be_are_rejected_with_a_note() {
    let text = "*** Sampled system activity (Sun Aug  3 15:07:09 2025 -0700) (1004.87ms elapsed) ***\n\
        CPU Power: -3 mW\nGPU Power: nan mW\nANE Power: 5 mW\nCombined Power (CPU + GPU + ANE): 2000000 mW\n";
    let samples = samples(text.as_bytes());
    assert_eq!(powers(&samples[0]), [None, None, Some(5.0), None, None]);
    assert_eq!(samples[0].decoded.notes.len(), 3);
}

#[test]
fn a_summary_of_the_run_is_no_sample() {
    let sample =
        "*** Sampled system activity (Sun Aug  3 15:07:09 2025 -0700) (1000.00ms elapsed) ***\nCPU Power: 7 mW\n";
    let text = format!(
        "{sample}*** Summary system activity (Sun Aug  3 15:07:19 2025 -0700) (9000.00ms elapsed) ***\nCPU Power: 99 mW\n"
    );
    let samples = samples(text.as_bytes());
    assert_eq!((samples.len(), powers(&samples[0])[0]), (1, Some(7.0)));
}

#[test]
fn text_from_another_system_reads_the_same() {
    let text = "Machine model: Mac16,6\n*** Sampled system activity (Sat Nov  8 15:54:21 2025 +0900) (9.00ms elapsed) ***\nCPU Power: 9 mW\n";
    let plain = samples(text.as_bytes());
    let foreign = samples(format!("\u{feff}{}", text.replace('\n', "\r\n")).as_bytes());
    assert_eq!(foreign[0].decoded, plain[0].decoded);
    assert_eq!((plain[0].offset, foreign[0].offset), (23, 27));
    assert_eq!(row(&foreign[0]).hw_model.as_deref(), Some("Mac16,6"));
}

#[test]
fn bare_power_lines_are_cut_where_they_repeat() {
    let text = "CPU Power: 10 mW\nGPU Power: 1 mW\nCPU Power: 20 mW\nGPU Power: 2 mW\n";
    let found: Vec<_> = samples(text.as_bytes()).iter().map(|sample| powers(sample)[..2].to_vec()).collect();
    assert_eq!(found, [[Some(10.0), Some(1.0)], [Some(20.0), Some(2.0)]]);
}

#[test]
fn one_damaged_document_costs_only_itself() {
    let good = document(&real("cpu_power", "5"));
    let broken = String::from_utf8(good.clone()).unwrap().replace("<key>processor", "<kex>processor").into_bytes();
    let bytes = [&good[..], b"\0", &broken, b"\0", &good].concat();
    let found = read(&bytes);
    assert_eq!(found[1], Err(format!("malformed 1 at {}", good.len() + 1)));
    let last = found[2].as_ref().unwrap();
    assert_eq!((last.index, last.offset), (2, 2 * (good.len() as u64 + 1)));
    assert_eq!(row(last).cpu_mw, Some(5.0));
}

#[test]
fn a_document_is_given_out_with_the_line_that_ends_it() {
    let good = document(&real("cpu_power", "5"));
    let mut decoder = CaptureDecoder::new();
    decoder.push(&good);
    assert!(decoder.next().unwrap().is_ok(), "without waiting for the NUL in front of the next one");
}

#[test]
fn a_file_is_read_sample_by_sample_and_a_missing_one_is_named() {
    if let Some(path) = fixture_path("plist/m4pro_macos15.5_battery_3samples.pliststream") {
        assert_eq!(CaptureReader::open(&path).unwrap().filter(Result::is_ok).count(), 3);
    }
    let error = CaptureReader::open(std::path::Path::new("no/such/capture")).unwrap_err();
    assert!(matches!(error, PowerError::Capture { ref path, .. } if path == "no/such/capture"), "{error}");
}

#[test]
fn endless_bytes_without_a_line_end_do_not_pile_up() {
    let mut decoder = CaptureDecoder::new();
    for _ in 0..64 {
        decoder.push(&vec![b'x'; 1 << 20]);
        assert!(decoder.next().is_none());
    }
    assert!(matches!(decoder.finish(), Some(Err(PowerError::MalformedSample { index: 0, offset: 0, .. }))));
}

proptest! {
    #[test]
    fn split_points_do_not_matter(cuts in prop::collection::vec(0_usize..4000, 0..12), nul_first: bool, newline: bool) {
        let documents = ["5", "nan", "7"].map(|mw| document(&real("cpu_power", mw)));
        let text = b"Machine model: Mac16,6\n*** Sampled system activity (Sat Nov  8 15:54:21 2025 +0900) (9.00ms elapsed) ***\nCPU Power: 9 mW\n";
        let mut bytes = if nul_first { vec![0] } else { vec![] };
        bytes.extend(documents.join(&b"\0"[..]));
        bytes.extend_from_slice(if newline { b"\n" } else { b"" });
        bytes.extend_from_slice(text);
        bytes.extend(&documents[0]);
        bytes.truncate(bytes.len() - 20);
        let whole = read(&bytes);
        prop_assert_eq!(whole.iter().filter(|outcome| outcome.is_ok()).count(), 4);

        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
        cuts.sort_unstable();
        let mut decoder = CaptureDecoder::new();
        let mut found = Vec::new();
        let mut start = 0;
        for end in cuts.into_iter().chain([bytes.len()]) {
            decoder.push(&bytes[start..end]);
            found.extend(decoder.by_ref());
            start = end;
        }
        found.extend(std::iter::from_fn(|| decoder.finish()));
        let found: Vec<_> = found.into_iter().map(|outcome| outcome.map_err(|error| shorten(&error))).collect();
        prop_assert_eq!(found, whole);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600), chunk in 1_usize..40) {
        let _ = read_split(&bytes, chunk);
    }

    #[test]
    fn any_lines_of_a_capture_are_survived(lines in prop::collection::vec(prop::sample::select(vec![
        "Machine model: Mac16,6", "*** Sampled system activity (Sat Nov  8 15:54:21 2025 +0900) (9.00ms elapsed) ***",
        "*** Sampled system activity (", "CPU Power: 9 mW", "GPU Power: W", "**** GPU usage ****", "**** Processor usage ****",
        "<?xml version=\"1.0\"?>", "<plist>", "</plist>", "<dict>", "</dict>", "<key>elapsed_ns</key><integer>5</integer>", "\0",
        "GPU idle residency:  99%", "Combined Power (CPU + GPU + ANE): 9 mW", "****", ":", "",
    ]), 0..30)) {
        let text = lines.join("\n");
        let whole = read(text.as_bytes());
        prop_assert_eq!(read_split(text.as_bytes(), 1), whole);
    }
}
