//! Which numbers of a document are believed, and what a damaged one costs.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod power_support;

use std::time::Duration;

use joulebar_core::power::decoded::{DecodeNote, Decoded, Implausible, NoteCounts, Quantity, Rail};
use joulebar_core::power::powermetrics::{DecodeError, decode};
use joulebar_core::sample::ThermalPressure;
use joulebar_core::units::{Joules, Megahertz, Milliwatts};
use power_support::{document, document_with, fixture, integer, real};
use proptest::prelude::*;

const ONE_SECOND: &str = "<key>elapsed_ns</key><integer>1000000000</integer>\n";

fn with_processor(processor: &str) -> Decoded {
    decode(&document(processor)).unwrap()
}

fn mw(power: Option<Milliwatts>) -> Option<f64> {
    power.map(|power| power.0)
}

#[test]
fn impossible_powers_are_rejected_with_a_note_and_the_rest_stays() {
    let cases = [
        ("nan", Implausible::NotFinite),
        ("-nan", Implausible::NotFinite),
        ("inf", Implausible::NotFinite),
        ("-inf", Implausible::NotFinite),
        ("-0.5", Implausible::Negative),
        ("1000000.1", Implausible::TooLarge),
        ("1e300", Implausible::TooLarge),
        ("lots", Implausible::Unreadable),
        ("", Implausible::Unreadable),
    ];
    for (value, why) in cases {
        let decoded =
            with_processor(&(real("cpu_power", value) + &integer("cpu_energy", "5") + &real("gpu_power", "7")));
        assert_eq!(decoded.power.cpu, None, "{value}");
        assert_eq!(decoded.energy.cpu, Some(Joules(0.005)), "{value}");
        assert_eq!(mw(decoded.power.gpu), Some(7.0), "{value}");
        assert_eq!(decoded.notes, [DecodeNote::Rejected { quantity: Quantity::Power(Rail::Cpu), why }], "{value}");
    }
}

#[test]
fn a_thousand_watts_are_still_believed() {
    assert_eq!(mw(with_processor(&real("gpu_power", "1000000")).power.gpu), Some(1e6));
}

#[test]
fn energies_beyond_u32_are_read_and_beyond_reason_rejected() {
    let decoded = with_processor(&integer("ane_energy", "65536"));
    assert_eq!(decoded.energy.ane, Some(Joules(65.536)));
    let decoded = with_processor(&integer("ane_energy", "18446744073709551615"));
    assert_eq!((decoded.energy.ane, decoded.power.ane), (None, None));
    let quantity = Quantity::Energy(Rail::Ane);
    assert_eq!(decoded.notes, [DecodeNote::Rejected { quantity, why: Implausible::TooLarge }]);
    let decoded = with_processor(&integer("ane_energy", "-3"));
    assert_eq!(decoded.notes, [DecodeNote::Rejected { quantity, why: Implausible::Negative }]);
}

#[test]
fn integer_and_real_are_read_alike() {
    let elapsed = real("elapsed_ns", "5.0e8");
    let decoded =
        decode(&document_with(&elapsed, &(integer("cpu_power", "12") + &real("cpu_energy", "6")), "")).unwrap();
    assert_eq!(decoded.elapsed, Some(Duration::from_millis(500)));
    assert_eq!((mw(decoded.power.cpu), decoded.energy.cpu), (Some(12.0), Some(Joules(0.006))));
}

#[test]
fn missing_power_is_energy_over_measured_elapsed_time() {
    let elapsed = integer("elapsed_ns", "250000000");
    let decoded = decode(&document_with(&elapsed, &integer("cpu_energy", "100"), "")).unwrap();
    assert_eq!(mw(decoded.power.cpu), Some(400.0));
    assert_eq!(decoded.notes, [], "the old schema is no fault");
}

#[test]
fn zero_or_partial_power_gives_way_to_the_energy() {
    for reported in ["0", "300"] {
        let decoded = with_processor(&(real("cpu_power", reported) + &integer("cpu_energy", "500")));
        assert_eq!(mw(decoded.power.cpu), Some(500.0));
        let reported_mw = reported.parse().unwrap();
        assert_eq!(decoded.notes, [DecodeNote::PowerFromEnergy { rail: Rail::Cpu, reported_mw }]);
    }
}

#[test]
fn power_within_the_energy_step_stays_as_reported() {
    // 28.9 mJ in a tenth of a second are written as 28 mJ
    let elapsed = integer("elapsed_ns", "100000000");
    for (power, energy) in [("289", "28"), ("0", "0"), ("281", "29")] {
        let processor = real("gpu_power", power) + &integer("gpu_energy", energy);
        let decoded = decode(&document_with(&elapsed, &processor, "")).unwrap();
        assert_eq!(mw(decoded.power.gpu), Some(power.parse().unwrap()));
        assert_eq!(decoded.notes, []);
    }
}

#[test]
fn the_gpu_samplers_own_energy_serves_only_without_the_processors() {
    let own = integer("gpu_energy", "284");
    let both = decode(&document_with(ONE_SECOND, &integer("gpu_energy", "276"), &own)).unwrap();
    assert_eq!((mw(both.power.gpu), both.energy.gpu), (Some(276.0), Some(Joules(0.276))));
    let gpu_only = decode(&document_with(ONE_SECOND, "", &own)).unwrap();
    assert_eq!((mw(gpu_only.power.gpu), gpu_only.energy.gpu), (Some(284.0), Some(Joules(0.284))));
    // two readings a moment apart prove nothing about each other
    let mixed = decode(&document_with(ONE_SECOND, &real("gpu_power", "270"), &own)).unwrap();
    assert_eq!((mw(mixed.power.gpu), mixed.energy.gpu), (Some(270.0), Some(Joules(0.284))));
    assert_eq!(mixed.notes, []);
}

fn combined(cpu: &str, gpu: &str, ane: &str, combined: &str) -> Decoded {
    let parts = [("cpu_power", cpu), ("gpu_power", gpu), ("ane_power", ane), ("combined_power", combined)];
    with_processor(&parts.map(|(key, value)| real(key, value)).concat())
}

#[test]
fn combined_power_must_be_the_sum_of_its_parts() {
    assert_eq!(mw(combined("100", "50", "0", "153.4").power.combined), Some(153.4), "2 mW + 1 % are allowed");
    let decoded = combined("100", "50", "0", "153.6");
    assert_eq!(decoded.power.combined, None);
    assert_eq!(decoded.notes, [DecodeNote::CombinedMismatch { reported_mw: 153.6, sum_mw: 150.0 }]);
    assert_eq!(mw(decoded.power.cpu), Some(100.0));
}

#[test]
fn combined_power_with_an_impossible_part_in_it_is_missing() {
    let decoded = combined("-40", "50", "0", "10");
    assert_eq!((decoded.power.cpu, decoded.power.combined), (None, None));
    assert_eq!(decoded.notes.len(), 2);
    let decoded = combined("nan", "50", "0", "90");
    assert_eq!((decoded.power.cpu, mw(decoded.power.combined)), (None, Some(90.0)), "no finite sum holds a NaN");
    let decoded = combined("40", "50", "0", "nan");
    assert_eq!((mw(decoded.power.cpu), decoded.power.combined), (Some(40.0), None));
}

#[test]
fn combined_power_without_all_parts_cannot_be_checked() {
    let decoded = with_processor(&(real("cpu_power", "100") + &real("combined_power", "900")));
    assert_eq!(mw(decoded.power.combined), Some(900.0));
}

#[test]
fn intel_watts_and_joules_become_milliwatts_and_joules() {
    let processor = [
        real("package_watts", "12.5"),
        real("package_joules", "12.5"),
        real("cpu_watts", "8"),
        real("cpu_joules", "8"),
        real("igpu_watts", "1.5"),
    ];
    let decoded = with_processor(&processor.concat());
    assert_eq!((mw(decoded.power.combined), decoded.energy.combined), (Some(12_500.0), Some(Joules(12.5))));
    assert_eq!((mw(decoded.power.cpu), decoded.energy.cpu), (Some(8_000.0), Some(Joules(8.0))));
    assert_eq!(mw(decoded.power.gpu), Some(1_500.0));
    assert_eq!(decoded.power.ane, None);
    assert_eq!(decoded.notes, [], "a package is no sum of its parts");
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    let gpu = [real("freq_hz", "338"), real("idle_ratio", "0.25"), real("idle_ratio", "0.75")].concat();
    let decoded = decode(&document_with(ONE_SECOND, "", &gpu)).unwrap();
    assert_eq!(decoded.gpu_active.unwrap().0, 0.25);
    assert_eq!(decoded.gpu_frequency, Some(Megahertz(338.0)));
}

#[test]
fn a_residency_or_frequency_that_cannot_be_is_missing() {
    let gpu = real("freq_hz", "1e9") + &real("idle_ratio", "1.5");
    let decoded = decode(&document_with(ONE_SECOND, "", &gpu)).unwrap();
    assert_eq!((decoded.gpu_frequency, decoded.gpu_active), (None, None));
    assert_eq!(decoded.notes.len(), 2);
}

#[test]
fn a_document_without_a_length_keeps_its_powers_and_gets_none_from_energies() {
    let unusable = ["<integer>0</integer>", "<integer>-5</integer>", "<real>nan</real>", "<integer/>", "<true />"];
    let keys = unusable.map(|value| format!("<key>elapsed_ns</key>{value}\n"));
    for root in keys.into_iter().chain([String::new()]) {
        let processor = real("cpu_power", "7") + &integer("gpu_energy", "5") + &real("ane_energy", "inf");
        let decoded = decode(&document_with(&root, &processor, "")).unwrap();
        assert_eq!((decoded.elapsed, mw(decoded.power.cpu)), (None, Some(7.0)), "{root}");
        assert_eq!((decoded.energy.gpu, decoded.power.gpu), (Some(Joules(0.005)), None), "{root}");
        assert_eq!(decoded.energy.ane, None, "{root}");
        assert_eq!(decoded.notes[0], DecodeNote::NoElapsed, "{root}");
        assert_eq!(NoteCounts::from(&decoded.notes[..]).rejected, 2, "{root}");
    }
}

#[test]
fn empty_values_are_read_however_they_are_written() {
    let empty = "<key>a</key><true /><key>b</key><string /><key>c</key><dict /><key>d</key><array />\
                 <key>e</key><false></false><key>f</key><integer/><key>g</key><real/><key/><string>x</string>\
                 <key>h</key><uid>4</uid><key>i</key><data/><key>j</key><date />";
    let nested = format!("<key>tasks</key><array><dict>{empty}</dict><true></true></array>");
    for root in [empty, &nested] {
        let decoded = decode(&document_with(&(ONE_SECOND.to_owned() + root), &real("cpu_power", "5"), "")).unwrap();
        assert_eq!((mw(decoded.power.cpu), &decoded.notes[..]), (Some(5.0), &[][..]), "{root}");
    }
    let decoded = with_processor("<key>cpu_power</key><real /><key>gpu_power</key><real>3</real>");
    assert_eq!((decoded.power.cpu, mw(decoded.power.gpu)), (None, Some(3.0)));
}

#[test]
fn nothing_may_follow_the_end_of_a_document() {
    let document = document(&real("cpu_power", "5"));
    let line: Vec<u8> = document.iter().copied().filter(|byte| *byte != b'\n').collect();
    assert!(decode(&line).is_ok());
    let found = decode(&line.repeat(2));
    assert!(matches!(found, Err(DecodeError::Structure { .. })), "the second document is not lost unsaid: {found:?}");
    assert!(decode(&[&document, &b"junk"[..]].concat()).is_err());
}

#[test]
fn comments_and_blanks_around_the_end_are_passed_over() {
    let document = String::from_utf8(document(&real("cpu_power", "5"))).unwrap();
    let ends = ["</dict><!-- e -->\n</plist>", "</dict></plist >", "</dict>\n</plist>\n<!-- t --> <!-- u -->\n\0"];
    for end in ends {
        let edited = document.replace("</dict>\n</plist>", end);
        assert_ne!(edited, document);
        assert_eq!(mw(decode(edited.as_bytes()).unwrap().power.cpu), Some(5.0), "{end}");
    }
}

#[test]
fn numbers_are_read_with_comments_blanks_and_in_hexadecimal() {
    let processor = "<key>cpu_power</key><real >1000.5<!-- <x> --></real >\n<key>gpu_power</key><real> <!--y-->7 </real>\
                     <key>ane_energy</key><integer>0x1F</integer><key>ane_power</key><real>3<b>1</b></real>";
    let decoded = decode(&document_with("<key>elapsed_ns</key><integer>0x3B9ACA00</integer>", processor, "")).unwrap();
    assert_eq!(decoded.elapsed, Some(Duration::from_secs(1)));
    assert_eq!((mw(decoded.power.cpu), mw(decoded.power.gpu)), (Some(1000.5), Some(7.0)));
    assert_eq!((decoded.energy.ane, decoded.power.ane), (Some(Joules(0.031)), None));
}

#[test]
fn strings_say_the_same_with_references_comments_and_blanks() {
    for (written, model) in [
        ("Mac16&#44;5", "Mac16,5"),
        ("&#x4d;ac16,5", "Mac16,5"),
        (" Mac16,5\n", "Mac16,5"),
        ("<![CDATA[Mac16,5]]>", "Mac16,5"),
        ("Mac<!-- & <b> -->16,5", "Mac16,5"),
        ("Mac &amp; &lt;Cheese", "Mac & <Cheese"),
        ("Mac & Cheese &nothing; &#xffffffff;", "Mac & Cheese &nothing; &#xffffffff;"),
    ] {
        let root = ONE_SECOND.to_owned() + &format!("<key>hw_model</key><string>{written}</string>");
        let found = decode(&document_with(&root, "", "")).unwrap().hw_model;
        let expected = Some(model).filter(|model| !model.contains('<'));
        assert_eq!(found.as_deref(), expected, "{written}");
    }
}

#[test]
fn a_timestamp_may_be_a_string() {
    let root = ONE_SECOND.to_owned() + "<key>timestamp</key><string>2026-01-22T21:07:07Z</string>\n";
    assert_eq!(decode(&document_with(&root, "", "")).unwrap().timestamp_unix_s, Some(1_769_116_027));
}

#[test]
fn a_residency_beyond_one_by_rounding_is_one() {
    for (idle, active) in [("1.000001", Some(0.0)), ("-0.0000001", Some(1.0)), ("1.002", None), ("-0.002", None)] {
        let decoded = decode(&document_with(ONE_SECOND, "", &real("idle_ratio", idle))).unwrap();
        assert_eq!(decoded.gpu_active.map(|ratio| ratio.0), active, "{idle}");
        assert_eq!(decoded.notes.is_empty(), active.is_some(), "{idle}");
    }
}

#[test]
fn watts_become_the_milliwatts_that_they_say() {
    for (watts, milliwatts) in
        [("2.86326", 2863.26), ("1.2e-1", 120.0), ("0.1", 100.0), ("3.", 3000.0), ("0x2", 2000.0)]
    {
        assert_eq!(mw(with_processor(&real("package_watts", watts)).power.combined), Some(milliwatts), "{watts}");
    }
    assert_eq!(with_processor(&real("package_watts", "nan")).power.combined, None);
}

#[test]
fn names_that_no_xml_parser_accepts_cost_nothing() {
    let names: [&[u8]; 8] = [
        b"Foo & Bar",
        b"a<b>c",
        b"\xff\xfe\x80",
        b"</dict>",
        b"<key>cpu_power</key><real>9</real>",
        b"</string>",
        b"a</string> <b",
        b"</string></key></x>",
    ];
    for name in names {
        let mut tasks =
            b"<key>tasks</key>\n<array>\n<dict>\n<key>pid</key><integer>7</integer>\n<key>name</key><string>".to_vec();
        tasks.extend_from_slice(name);
        tasks.extend_from_slice(b"</string>\n</dict>\n</array>\n");
        let plain = document(&real("cpu_power", "42"));
        let at = plain.windows(5).position(|window| window == b"<key>").unwrap();
        let bytes = [&plain[..at], &tasks, &plain[at..]].concat();
        assert!(
            plist::Value::from_reader_xml(&bytes[..]).is_err() || name.starts_with(b"<key>"),
            "the oracle refuses it"
        );
        assert_eq!(mw(decode(&bytes).unwrap().power.cpu), Some(42.0), "{name:?}");
    }
}

#[test]
fn a_string_that_swallowed_a_tag_is_not_taken() {
    let root =
        ONE_SECOND.to_owned() + "<key>hw_model</key><string>Mac16,8</strinx>\n<key>kern</key><string>24F74</string>\n";
    assert_eq!(decode(&document_with(&root, &real("cpu_power", "1"), "")).unwrap().hw_model, None);
}

#[test]
fn unknown_thermal_levels_are_kept_as_written() {
    let root = ONE_SECOND.to_owned() + "<key>thermal_pressure</key><string>Volcanic</string>\n";
    let level = decode(&document_with(&root, "", "")).unwrap().thermal_pressure;
    assert_eq!(level, Some(ThermalPressure::Other("Volcanic".into())));
}

#[test]
fn an_unreadable_timestamp_is_missing_and_noted() {
    let root = ONE_SECOND.to_owned() + "<key>timestamp</key><date>yesterday</date>\n";
    let decoded = decode(&document_with(&root, "", "")).unwrap();
    assert_eq!(decoded.timestamp_unix_s, None);
    assert_eq!(decoded.notes, [DecodeNote::Rejected { quantity: Quantity::Timestamp, why: Implausible::Unreadable }]);
}

#[test]
fn nul_and_white_space_around_a_document_are_nothing() {
    let bytes = [b"\0\n \0", &document(&real("cpu_power", "1"))[..], b"\n\0\n"].concat();
    assert_eq!(mw(decode(&bytes).unwrap().power.cpu), Some(1.0));
}

#[test]
fn nesting_without_end_is_refused() {
    let tasks = "<key>tasks</key>".to_owned() + &"<array>".repeat(100) + &"</array>".repeat(100);
    let found = decode(&document_with(&(ONE_SECOND.to_owned() + &tasks), "", ""));
    assert!(matches!(found, Err(DecodeError::TooDeep { .. })), "{found:?}");
}

#[test]
fn empty_containers_and_comments_are_passed_over() {
    let root = ONE_SECOND.to_owned() + "<!-- hand-made <dict> --><key>tasks</key><array/><key>sfi</key><dict/>";
    assert!(decode(&document_with(&root, "", "")).is_ok());
}

/// A believable document stays within the limits however it was damaged.
fn assert_believable(decoded: &Decoded) {
    assert!(decoded.elapsed.is_none_or(|elapsed| !elapsed.is_zero()));
    let (power, energy) = (&decoded.power, &decoded.energy);
    for power in [power.cpu, power.gpu, power.ane, power.dram, power.combined].into_iter().flatten() {
        assert!((0.0..=1e6).contains(&power.0), "{power:?}");
    }
    for energy in [energy.cpu, energy.gpu, energy.ane, energy.dram, energy.combined].into_iter().flatten() {
        assert!(energy.0.is_finite() && energy.0 >= 0.0, "{energy:?}");
    }
    assert!(decoded.gpu_active.is_none_or(|ratio| (0.0..=1.0).contains(&ratio.0)));
}

fn rich_document() -> Vec<u8> {
    let root = ONE_SECOND.to_owned()
        + "<key>hw_model</key><string>Mac16,8</string>\n<key>timestamp</key><date>2025-07-06T04:15:28Z</date>\n\
           <key>tasks</key>\n<array>\n<dict>\n<key>name</key><string>zsh</string>\n</dict>\n</array>\n";
    let processor = [
        real("cpu_power", "100"),
        integer("cpu_energy", "100"),
        real("gpu_power", "50"),
        real("ane_power", "0"),
        real("combined_power", "150"),
        "<key>clusters</key>\n<array>\n<dict>\n<key>name</key><string>S-Cluster</string>\n</dict>\n</array>\n"
            .to_owned(),
    ];
    document_with(&root, &processor.concat(), &(real("freq_hz", "338") + &real("idle_ratio", "0.9")))
}

fn mutate(bytes: &mut Vec<u8>, edits: &[(prop::sample::Index, u8, u8)]) {
    for (place, kind, byte) in edits {
        if bytes.is_empty() {
            return;
        }
        let at = place.index(bytes.len());
        match kind % 4 {
            0 => bytes[at] = *byte,
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, *byte),
            _ => drop(bytes.drain(at..(at + usize::from(*byte)).min(bytes.len()))),
        }
    }
}

proptest! {
    #[test]
    fn threat_05_damaged_documents_never_panic_and_never_give_the_impossible(
        edits in prop::collection::vec(any::<(prop::sample::Index, u8, u8)>(), 1..6),
    ) {
        let mut bytes = rich_document();
        mutate(&mut bytes, &edits);
        if let Ok(decoded) = decode(&bytes) {
            assert_believable(&decoded);
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
    }

    /// Whatever the strict parser accepts is accepted here with the same numbers.
    #[test]
    fn sound_documents_agree_with_the_plist_crate(
        cpu in 0.0_f64..1e5, gpu in 0.0_f64..1e5, elapsed in 1_u64..10_000_000_000, energy in 0_u32..100, name in "[a-zA-Z0-9 .]{0,20}",
    ) {
        let root = integer("elapsed_ns", &elapsed.to_string()) + &format!("<key>note</key><string>{name}</string>\n");
        let processor = real("cpu_power", &cpu.to_string()) + &real("gpu_power", &gpu.to_string());
        let bytes = document_with(&root, &processor, &integer("freq_hz", &energy.to_string()));
        let oracle = plist::Value::from_reader_xml(&bytes[..]).unwrap();
        let oracle = oracle.as_dictionary().unwrap();
        let decoded = decode(&bytes).unwrap();
        let processor = oracle["processor"].as_dictionary().unwrap();
        prop_assert_eq!(mw(decoded.power.cpu), processor["cpu_power"].as_real());
        prop_assert_eq!(mw(decoded.power.gpu), processor["gpu_power"].as_real());
        prop_assert_eq!(decoded.elapsed, oracle["elapsed_ns"].as_unsigned_integer().map(Duration::from_nanos));
        prop_assert_eq!(decoded.gpu_frequency, Some(Megahertz(f64::from(energy))));
    }
}

#[test]
fn each_single_damaged_byte_of_a_real_capture_is_survived() {
    let Some(capture) = fixture("plist/m4pro_macos15.5_gpu_1sample.plist") else { return };
    let whole = decode(&capture).unwrap();
    let mut untouched = 0;
    for at in 0..capture.len() {
        for byte in [b'<', b'9', 0, 0xff] {
            let mut bytes = capture.clone();
            bytes[at] = byte;
            if let Ok(decoded) = decode(&bytes) {
                assert_believable(&decoded);
                untouched += usize::from(decoded == whole);
            }
        }
    }
    assert!(untouched > capture.len(), "most single bytes do not matter, only {untouched} trials were unharmed");
}
