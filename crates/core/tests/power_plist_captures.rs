//! Every recorded plist document gives the values that its bytes hold.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod power_support;

use std::time::Duration;

use joulebar_core::power::decoded::Decoded;
use joulebar_core::power::powermetrics::{DecodeError, decode};
use joulebar_core::sample::{Rails, ThermalPressure};
use joulebar_core::units::{Joules, Megahertz, Milliwatts};
use power_support::fixture;

const ALL_WHOLE: [&str; 6] = [
    "plist/intel_mbp16,2_macos15.6_cpu_power_rejoined.plist",
    "plist/m1_macos11.4_default_samplers.plist",
    "plist/m1_macos13.3_cpu_gpu_thermal_handindented.plist",
    "plist/m1max_macos13.0_default_samplers.plist",
    "plist/m4max_macos26.2_tasks_disk_cpu_gpu_thermal.plist",
    "plist/m4pro_macos15.5_gpu_1sample.plist",
];

fn decode_fixture(name: &str) -> Option<Decoded> {
    Some(decode(&fixture(name)?).unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn powers(decoded: &Decoded) -> [Option<f64>; 5] {
    let Rails { cpu, gpu, ane, dram, combined, system } = decoded.power;
    assert_eq!(system, None, "powermetrics knows nothing of the whole machine");
    [cpu, gpu, ane, dram, combined].map(|power| power.map(|Milliwatts(mw)| mw))
}

fn millijoules(decoded: &Decoded) -> [Option<i64>; 5] {
    let energy = &decoded.energy;
    let rails = [energy.cpu, energy.gpu, energy.ane, energy.dram, energy.combined];
    rails.map(|energy| energy.map(|Joules(joules)| format!("{:.0}", joules * 1e3).parse().unwrap()))
}

fn active(decoded: &Decoded) -> Option<String> {
    decoded.gpu_active.map(|ratio| format!("{:.6}", ratio.0))
}

fn assert_near(found: [Option<f64>; 5], expected: [Option<f64>; 5]) {
    for (found, expected) in found.into_iter().zip(expected) {
        match (found, expected) {
            (Some(found), Some(expected)) => {
                assert!((found - expected).abs() < 1e-9 * expected.max(1.0), "{found} {expected}")
            }
            (found, expected) => assert_eq!(found, expected),
        }
    }
}

#[test]
fn m4_max_on_macos_26_gives_its_own_powers() {
    let Some(decoded) = decode_fixture("plist/m4max_macos26.2_tasks_disk_cpu_gpu_thermal.plist") else { return };
    assert_eq!(decoded.elapsed, Some(Duration::from_nanos(1_023_685_416)));
    assert_eq!(decoded.hw_model.as_deref(), Some("Mac16,5"));
    assert_eq!(decoded.timestamp_unix_s, Some(1_769_116_027));
    assert_eq!(powers(&decoded), [Some(2978.45), Some(269.614), Some(0.0), None, Some(3248.07)]);
    // the processor's reading of the GPU (276 mJ), not the GPU sampler's own (284 mJ)
    assert_eq!(millijoules(&decoded), [Some(3049), Some(276), Some(0), None, None]);
    assert_eq!(decoded.gpu_frequency, Some(Megahertz(338.0)));
    assert_eq!(active(&decoded).as_deref(), Some("0.122657"));
    assert_eq!(decoded.thermal_pressure, Some(ThermalPressure::Nominal));
    assert_eq!(decoded.notes, []);
}

#[test]
fn m1_max_on_macos_13_gives_its_own_powers_despite_duplicate_keys() {
    let Some(decoded) = decode_fixture("plist/m1max_macos13.0_default_samplers.plist") else { return };
    assert_eq!(decoded.elapsed, Some(Duration::from_nanos(1_013_437_375)));
    assert_eq!(decoded.hw_model.as_deref(), Some("MacBookPro18,4"));
    assert_eq!(decoded.timestamp_unix_s, Some(1_666_478_962));
    assert_eq!(powers(&decoded), [Some(513.105), Some(14.8011), Some(0.0), None, Some(527.906)]);
    assert_eq!(millijoules(&decoded), [Some(520), Some(15), Some(0), None, None]);
    assert_eq!(decoded.gpu_frequency, Some(Megahertz(388.8)));
    assert_eq!(active(&decoded).as_deref(), Some("0.071926"));
    assert_eq!(decoded.thermal_pressure, Some(ThermalPressure::Nominal));
    assert_eq!(decoded.notes, []);
}

#[test]
fn hand_indented_m1_capture_decodes() {
    let Some(decoded) = decode_fixture("plist/m1_macos13.3_cpu_gpu_thermal_handindented.plist") else { return };
    assert_eq!(decoded.elapsed, Some(Duration::from_nanos(2_019_178_750)));
    assert_eq!(decoded.hw_model.as_deref(), Some("MacBookPro17,1"));
    assert_eq!(decoded.timestamp_unix_s, Some(1_680_355_116));
    assert_eq!(powers(&decoded), [Some(44.0773), Some(15.3528), Some(0.0), None, Some(59.4301)]);
    assert_eq!(millijoules(&decoded), [Some(89), Some(31), Some(0), None, None]);
    assert_eq!(decoded.gpu_frequency, Some(Megahertz(714.836)));
    assert_eq!(active(&decoded).as_deref(), Some("0.016659"));
    assert_eq!(decoded.notes, []);
}

#[test]
fn macos_11_powers_are_energy_over_measured_elapsed_time() {
    let Some(decoded) = decode_fixture("plist/m1_macos11.4_default_samplers.plist") else { return };
    assert_eq!(decoded.elapsed, Some(Duration::from_nanos(5_007_836_750)));
    assert_eq!(decoded.hw_model.as_deref(), Some("MacBookAir10,1"));
    assert_eq!(decoded.timestamp_unix_s, Some(1_622_921_481));
    let seconds = 5.007_836_75;
    assert_near(powers(&decoded), [Some(21.0 / seconds), Some(1.0 / seconds), Some(0.0), Some(8.0 / seconds), None]);
    assert_eq!(millijoules(&decoded), [Some(21), Some(1), Some(0), Some(8), None]);
    assert_eq!(decoded.gpu_frequency, Some(Megahertz(396.0)));
    assert_eq!(active(&decoded).as_deref(), Some("0.001632"));
    assert_eq!(decoded.thermal_pressure, None);
    assert_eq!(decoded.notes, []);
}

#[test]
fn gpu_only_document_derives_power_from_its_energy() {
    let Some(decoded) = decode_fixture("plist/m4pro_macos15.5_gpu_1sample.plist") else { return };
    assert_eq!(decoded.elapsed, Some(Duration::from_nanos(5_005_449_083)));
    assert_eq!(decoded.hw_model.as_deref(), Some("Mac16,8"));
    assert_eq!(decoded.timestamp_unix_s, Some(1_751_775_328));
    assert_near(powers(&decoded), [None, Some(9.0 / 5.005_449_083), None, None, None]);
    assert_eq!(millijoules(&decoded), [None, Some(9), None, None, None]);
    assert_eq!(decoded.gpu_frequency, Some(Megahertz(338.0)));
    assert_eq!(active(&decoded).as_deref(), Some("0.004676"));
    assert_eq!(decoded.notes, []);
}

#[test]
fn intel_package_is_the_combined_rail_in_milliwatts_and_joules() {
    let Some(decoded) = decode_fixture("plist/intel_mbp16,2_macos15.6_cpu_power_rejoined.plist") else { return };
    assert_eq!(decoded.elapsed, Some(Duration::from_nanos(1_004_867_935)));
    assert_eq!(decoded.hw_model.as_deref(), Some("MacBookPro16,2"));
    assert_eq!(decoded.timestamp_unix_s, Some(1_754_258_829));
    assert_near(powers(&decoded), [None, None, None, None, Some(2863.26)]);
    assert_eq!(decoded.energy.combined, Some(Joules(2.8772)));
    assert_eq!(decoded.gpu_frequency, None);
    assert_eq!(decoded.gpu_active, None);
    assert_eq!(decoded.notes, []);
}

#[test]
fn show_all_documents_decode_one_by_one() {
    let Some(stream) = fixture("plist/m1pro_macos15.3_showall_2samples.pliststream") else { return };
    let decoded: Vec<Decoded> = stream.split(|&byte| byte == 0).map(|bytes| decode(bytes).unwrap()).collect();
    assert_eq!(decoded.len(), 2);
    assert_eq!(powers(&decoded[0]), [Some(453.198), Some(26.3147), Some(0.0), None, Some(479.512)]);
    assert_eq!(millijoules(&decoded[0]), [Some(465), Some(27), Some(0), None, None]);
    assert_eq!(decoded[0].elapsed, Some(Duration::from_nanos(1_026_042_166)));
    assert_eq!(active(&decoded[0]).as_deref(), Some("0.175995"));
    assert_eq!(powers(&decoded[1]), [Some(325.027), Some(22.1828), Some(0.0), None, Some(347.21)]);
    assert_eq!(millijoules(&decoded[1]), [Some(337), Some(23), Some(0), None, None]);
    assert_eq!(decoded[1].elapsed, Some(Duration::from_nanos(1_036_837_833)));
    assert_eq!(active(&decoded[1]).as_deref(), Some("0.163120"));
    assert_eq!(decoded[1].notes, []);
}

#[test]
fn battery_only_document_has_a_length_and_no_power() {
    let Some(stream) = fixture("plist/m4pro_macos15.5_battery_3samples.pliststream") else { return };
    let lengths: Vec<Duration> = stream
        .split(|&byte| byte == 0)
        .map(|bytes| {
            let decoded = decode(bytes).unwrap();
            assert!(!decoded.has_power());
            decoded.elapsed.unwrap()
        })
        .collect();
    assert_eq!(lengths, [1_002_093_500, 1_004_160_750, 1_001_210_833].map(Duration::from_nanos));
}

/// What the `plist` crate makes of the same bytes, by paths; the last of two equal keys counts there as well.
#[test]
fn every_capture_agrees_with_the_plist_crate() {
    for name in ALL_WHOLE {
        let Some(bytes) = fixture(name) else { return };
        let decoded = decode(&bytes).unwrap();
        let oracle = plist::Value::from_reader_xml(&bytes[..]).unwrap();
        let root = oracle.as_dictionary().unwrap();
        let number = |dict: &str, key: &str| -> Option<f64> {
            let value = root.get(dict)?.as_dictionary()?.get(key)?;
            value.as_real().or_else(|| value.as_unsigned_integer().map(|integer| integer as f64))
        };
        assert_eq!(
            decoded.elapsed.map(|elapsed| elapsed.as_nanos()),
            root["elapsed_ns"].as_unsigned_integer().map(u128::from)
        );
        assert_eq!(decoded.hw_model.as_deref(), root["hw_model"].as_string());
        if number("processor", "combined_power").is_some() {
            let keys = ["cpu_power", "gpu_power", "ane_power", "dram_power", "combined_power"];
            assert_eq!(powers(&decoded), keys.map(|key| number("processor", key)), "{name}");
        }
        assert_eq!(decoded.gpu_frequency.map(|mhz| mhz.0), number("gpu", "freq_hz"), "{name}");
        assert_eq!(
            decoded.gpu_active.map(|active| active.0),
            number("gpu", "idle_ratio").map(|idle| 1.0 - idle),
            "{name}"
        );
    }
}

#[test]
fn a_capture_cut_anywhere_is_an_error_and_never_a_wrong_sample() {
    let Some(bytes) = fixture("plist/m4pro_macos15.5_gpu_1sample.plist") else { return };
    let whole = bytes.trim_ascii_end().len();
    for end in 0..whole {
        let error = decode(&bytes[..end]).expect_err("a cut document");
        let cut =
            matches!(error, DecodeError::Cut | DecodeError::Structure { .. } | DecodeError::NotPropertyList { .. });
        assert!(cut, "{end}: {error:?}");
    }
    assert!(decode(&bytes[..whole]).is_ok());
}
