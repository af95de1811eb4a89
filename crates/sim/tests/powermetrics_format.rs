//! What the simulated documents look like: parsed by a parser that is not ours, compared with real captures.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test panics where something is wrong, and says what it skips"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use joulebar_sim::activity::{Change, State};
use joulebar_sim::model::{Parameters, PowerModel, Rail};
use joulebar_sim::powermetrics::{Schema, capture};
use plist::{Dictionary, Value};

const MS: i64 = 1_000_000;
const SAMPLERS: &str = "cpu_power,gpu_power,thermal";

fn loaded_model() -> PowerModel {
    let mut model = PowerModel::new(Parameters::default(), 1);
    for (at_ms, state) in [(1_000, State::Prefill), (1_600, State::Decode), (4_000, State::Idle)] {
        model.push(Change { mono_ns: at_ms * MS, state, request: Some("a".into()), utilization: None });
    }
    model
}

fn documents(schema: &str, samplers: &str, windows: i64) -> Vec<Vec<u8>> {
    let ends_ns: Vec<i64> = (1..=windows).map(|index| index * 257_123_456).collect();
    let arguments = ["--schema", schema, "-f", "plist", "-s", samplers];
    let bytes = capture(&arguments, &loaded_model(), 0, &ends_ns, 1_751_776_528).unwrap();
    bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect()
}

fn parsed(document: &[u8]) -> Dictionary {
    Value::from_reader_xml(document).unwrap().into_dictionary().unwrap()
}

fn number(dictionary: &Dictionary, key: &str) -> f64 {
    match &dictionary[key] {
        Value::Real(value) => *value,
        value => value.as_signed_integer().unwrap() as f64,
    }
}

#[test]
fn nul_stands_in_front_of_every_document_but_the_first() {
    let ends_ns = [100 * MS, 200 * MS, 300 * MS];
    let bytes = capture(&["-f", "plist", "-s", SAMPLERS], &loaded_model(), 0, &ends_ns, 0).unwrap();
    assert_eq!(bytes[0], b'<');
    assert_eq!(bytes.iter().filter(|&&byte| byte == 0).count(), 2);
    assert!(bytes.windows(11).any(|window| window == b"</plist>\n\0<"));
    assert!(bytes.ends_with(b"</dict>\n</plist>\n"));
}

#[test]
fn every_schema_parses_and_its_powers_are_its_energies_over_elapsed_time() {
    for (name, schema) in Schema::ALL {
        for document in documents(name, "all", 20) {
            let document = parsed(&document);
            assert_eq!(number(&document, "elapsed_ns"), 257_123_456.0);
            let processor = document["processor"].as_dictionary().unwrap();
            if schema == Schema::M1Macos12 {
                assert!(!processor.contains_key("cpu_power"));
                let clusters = processor["clusters"].as_array().unwrap();
                let sum_mw: f64 =
                    clusters.iter().map(|cluster| number(cluster.as_dictionary().unwrap(), "power")).sum();
                assert!((sum_mw - number(processor, "cpu_energy") / 0.257_123_456).abs() <= 1.0);
                assert!(number(processor, "package_energy") > number(processor, "gpu_energy"));
                continue;
            }
            let mut combined_mw = 0.0;
            for rail in ["cpu", "gpu", "ane"] {
                let (energy_mj, power_mw) =
                    (number(processor, &format!("{rail}_energy")), number(processor, &format!("{rail}_power")));
                assert_eq!(energy_mj, energy_mj.trunc());
                assert!(
                    (power_mw - energy_mj / 0.257_123_456).abs() <= 1e-5 * power_mw,
                    "{rail} {energy_mj} {power_mw}"
                );
                combined_mw += power_mw;
            }
            assert!((number(processor, "combined_power") - combined_mw).abs() <= 1e-5 * combined_mw + 0.01);
        }
    }
}

#[test]
fn samples_add_up_to_the_models_energy() {
    let model = loaded_model();
    let mut sum_mj = 0.0;
    let documents = documents("m4_macos26", SAMPLERS, 30);
    for document in &documents {
        sum_mj += number(parsed(document)["processor"].as_dictionary().unwrap(), "gpu_energy");
    }
    let exact_mj = model.energy(Rail::Gpu, 0, 30 * 257_123_456) * 1e3;
    assert!((0.0..=1.0).contains(&(exact_mj - sum_mj)), "{exact_mj} {sum_mj}");
}

#[test]
fn gpu_keys_are_repeated_up_to_macos_15_only() {
    let count = |schema: &str| {
        let document = documents(schema, "gpu_power", 1).remove(0);
        let document = String::from_utf8(document).unwrap();
        assert!(!document.contains("<key>processor</key>"));
        document.matches("<key>idle_ratio</key>").count()
    };
    assert_eq!(["m1_macos12", "m1_macos13", "m4_macos15", "m4_macos26", "m5_macos27"].map(count), [2, 2, 2, 1, 1]);
}

#[test]
fn documents_are_as_large_as_real_ones() {
    // captures of the same three samplers, without the indentation that somebody gave the first
    for (schema, expected_bytes) in [("m1_macos13", 18_993), ("m4_macos26", 56_200)] {
        let length = documents(schema, SAMPLERS, 3)[2].len();
        assert!(length.abs_diff(expected_bytes) < expected_bytes / 20, "{schema}: {length} bytes");
    }
}

#[test]
fn gpu_frequency_is_in_mhz_and_cpu_frequency_in_hz() {
    let documents = documents("m4_macos15", SAMPLERS, 8);
    let gpu_mhz = |document: &[u8]| number(parsed(document)["gpu"].as_dictionary().unwrap(), "freq_hz");
    assert_eq!(gpu_mhz(&documents[0]), 338.0);
    assert_eq!(gpu_mhz(&documents[5]), 1_578.0);
    let idle_ratio = number(parsed(&documents[5])["gpu"].as_dictionary().unwrap(), "idle_ratio");
    assert!(idle_ratio < 0.01);
    let document = parsed(&documents[0]);
    let cluster = document["processor"].as_dictionary().unwrap()["clusters"].as_array().unwrap()[0].as_dictionary();
    assert!(number(cluster.unwrap(), "freq_hz") > 1e9);
    assert_eq!(document["thermal_pressure"].as_string(), Some("Nominal"));
}

#[test]
fn text_has_the_machine_once_and_the_powers_of_each_sample() {
    let ends_ns: Vec<i64> = (1..=6).map(|index| index * 257_123_456).collect();
    let bytes = capture(&["-s", SAMPLERS], &loaded_model(), 0, &ends_ns, 1_751_776_528).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("Machine model: Mac16,8\nOS version: 24F74\nBoot arguments: \nBoot time: "));
    assert_eq!(text.matches("Machine model").count(), 1);
    assert_eq!(text.matches("(257.12ms elapsed) ***").count(), 6);
    assert_eq!(text.matches("Current pressure level: Nominal").count(), 6);
    let values = |key: &str| -> Vec<i64> {
        text.lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix(": ")?.strip_suffix(" mW")?.parse().ok())
            .collect()
    };
    // the GPU is there twice: in the processor's part, where it belongs to the combined power, and in its own
    let (cpu, gpu, combined) = (values("CPU Power"), values("GPU Power"), values("Combined Power (CPU + GPU + ANE)"));
    assert_eq!((cpu.len(), gpu.len(), combined.len()), (6, 12, 6));
    for index in 0..6 {
        assert!((cpu[index] + gpu[2 * index] - combined[index]).abs() <= 1);
    }
    assert!(combined[5] > 20_000, "{combined:?}");
}

/// Paths of keys with the kind of their values; all elements of an array are taken together.
fn shape(value: &Value, path: &str, shape_of: &mut BTreeMap<String, String>) {
    let kind = match value {
        Value::Dictionary(dictionary) => {
            for (key, value) in dictionary {
                shape(value, &format!("{path}/{key}"), shape_of);
            }
            return;
        }
        Value::Array(elements) => {
            for element in elements {
                shape(element, &format!("{path}[]"), shape_of);
            }
            return;
        }
        Value::Boolean(_) => "bool",
        Value::Date(_) => "date",
        Value::Integer(_) => "integer",
        Value::Real(_) => "real",
        Value::String(_) => "string",
        _ => "other",
    };
    shape_of.insert(path.to_owned(), kind.to_owned());
}

fn fixture(name: &str) -> Option<Vec<u8>> {
    let Some(directory) = std::env::var_os("JOULEBAR_FIXTURES") else {
        eprintln!("skipped: JOULEBAR_FIXTURES is not set");
        return None;
    };
    let bytes = std::fs::read(PathBuf::from(directory).join("powermetrics/plist").join(name)).unwrap();
    Some(bytes.split(|&byte| byte == 0).next().unwrap().to_vec())
}

#[test]
fn keys_and_their_types_are_those_of_real_captures() {
    // `with`: keys of ours that a newer version of the same system has and the capture's does not
    let cases: [(&str, &str, &str, &[&str]); 4] = [
        ("m1_macos13.3_cpu_gpu_thermal_handindented.plist", "m1_macos13", SAMPLERS, &[]),
        ("m4max_macos26.2_tasks_disk_cpu_gpu_thermal.plist", "m4_macos26", "disk,cpu_power,gpu_power,thermal", &[]),
        ("m4pro_macos15.5_gpu_1sample.plist", "m4_macos15", "gpu_power", &[]),
        (
            "m1_macos11.4_default_samplers.plist",
            "m1_macos12",
            "network,disk,interrupts,cpu_power,gpu_power",
            &["inst_retired", "inst_per_clk"],
        ),
    ];
    for (name, schema, samplers, with) in cases {
        let Some(real) = fixture(name) else { return };
        let shape_of = |document: &[u8]| {
            let mut shape_of = BTreeMap::new();
            shape(&Value::from_reader_xml(document).unwrap(), "", &mut shape_of);
            shape_of.retain(|path, _| {
                !(path.starts_with("/tasks")
                    || path.starts_with("/all_tasks")
                    || with.iter().any(|key| path.ends_with(key)))
            });
            shape_of
        };
        let ours = shape_of(&documents(schema, samplers, 5)[4]);
        assert_eq!(ours, shape_of(&real), "{name}");
    }
}

#[test]
fn lines_are_laid_out_as_in_a_real_capture() {
    let Some(real) = fixture("m4pro_macos15.5_gpu_1sample.plist") else { return };
    let keys = |document: &[u8]| -> Vec<String> {
        // values differ: keep what stands around them
        String::from_utf8(document.to_vec())
            .unwrap()
            .lines()
            .map(|line| {
                let start = line.find("</key>").map_or(0, |end| end + 6);
                let value = line[start..].find('>').map_or("", |end| &line[start..=start + end]);
                format!("{}{value}", &line[..start])
            })
            .collect()
    };
    assert_eq!(keys(&documents("m4_macos15", "gpu_power", 1)[0]), keys(&real));
}
