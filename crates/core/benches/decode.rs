//! Decodes one document of the size that an 8-CPU Mac writes with `cpu_power,gpu_power,thermal`: 29 KB.
//!
//! The document is built here, after the layout that powermetrics uses since macOS 13, so that the benchmark needs no
//! recording. Its bytes are also written to `target/bench/decode.plist`, where `scripts/bench_plistlib.py` decodes them
//! with Python's plistlib.

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use joulebar_core::power::powermetrics::decode;

const E_STEPS: [u32; 10] = [600, 744, 912, 972, 1044, 1332, 1476, 1704, 2004, 2064];
const P_STEPS: [u32; 17] =
    [600, 828, 1056, 1296, 1524, 1596, 1752, 1980, 2208, 2448, 2676, 2808, 2904, 2988, 3096, 3144, 3204];
const GPU_STEPS: [u32; 13] = [396, 528, 720, 924, 1128, 1278, 389, 618, 796, 952, 1056, 1182, 1296];

fn states(text: &mut String, name: &str, label: &str, steps: &[u32]) {
    let _ = write!(text, "<key>{name}</key>\n<array>\n");
    for (index, step) in steps.iter().enumerate() {
        let used_ns = 13_290_541 * (index as u64 * 7 % 11);
        let ratio = used_ns as f64 / 1e9;
        let _ = write!(
            text,
            "<dict>\n<key>{label}</key><integer>{step}</integer>\n<key>used_ns</key><integer>{used_ns}</integer>\n\
             <key>used_ratio</key><real>{ratio:.6}</real>\n</dict>\n"
        );
    }
    text.push_str("</array>\n");
}

fn cluster(text: &mut String, name: &str, first_cpu: u32, steps: &[u32]) {
    let _ = write!(
        text,
        "<dict>\n<key>name</key><string>{name}</string>\n<key>hw_resid_counters</key><true/>\n\
         <key>freq_hz</key><real>1.02287e+09</real>\n<key>idle_ns</key><integer>1788114541</integer>\n\
         <key>idle_ratio</key><real>0.885565</real>\n"
    );
    states(text, "dvfm_states", "freq", steps);
    text.push_str("<key>cpus</key>\n<array>\n");
    for cpu in first_cpu..first_cpu + 4 {
        let _ = write!(
            text,
            "<dict>\n<key>cpu</key><integer>{cpu}</integer>\n<key>freq_hz</key><real>1.02814e+09</real>\n\
             <key>idle_ns</key><integer>1911583541</integer>\n<key>idle_ratio</key><real>0.946713</real>\n"
        );
        states(text, "dvfm_states", "freq", steps);
        text.push_str("</dict>\n");
    }
    text.push_str("</array>\n</dict>\n");
}

fn document() -> Vec<u8> {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n<key>is_delta</key><true/>\n\
         <key>elapsed_ns</key><integer>1009178750</integer>\n<key>hw_model</key><string>MacBookPro17,1</string>\n\
         <key>kern_osversion</key><string>22E252</string>\n<key>kern_bootargs</key><string></string>\n\
         <key>kern_boottime</key><integer>1680344116</integer>\n<key>timestamp</key><date>2023-04-01T13:18:36Z</date>\n\
         <key>processor</key>\n<dict>\n<key>clusters</key>\n<array>\n",
    );
    cluster(&mut text, "E-Cluster", 0, &E_STEPS);
    cluster(&mut text, "P-Cluster", 4, &P_STEPS);
    text.push_str("</array>\n");
    // mJ of this sample and the mW that they make
    for (rail, energy, power) in [("cpu", 89, "88.1906"), ("gpu", 31, "30.7181"), ("ane", 0, "0")] {
        let _ = write!(
            text,
            "<key>{rail}_energy</key><integer>{energy}</integer>\n<key>{rail}_power</key>\n<real>{power}</real>\n"
        );
    }
    text.push_str("<key>combined_power</key>\n<real>118.909</real>\n</dict>\n");
    text.push_str("<key>thermal_pressure</key><string>Nominal</string>\n<key>gpu</key>\n<dict>\n");
    text.push_str("<key>freq_hz</key><real>714.836</real>\n<key>idle_ns</key><integer>992366000</integer>\n");
    text.push_str("<key>idle_ratio</key><real>0.983341</real>\n");
    states(&mut text, "dvfm_states", "freq", &GPU_STEPS);
    states(&mut text, "sw_requested_state", "sw_req_state", &GPU_STEPS);
    states(&mut text, "sw_state", "sw_state", &GPU_STEPS);
    text.push_str("<key>idle_ns</key><integer>992366000</integer>\n<key>idle_ratio</key><real>0.983341</real>\n");
    text.push_str("<key>gpu_energy</key><integer>31</integer>\n</dict>\n</dict>\n</plist>\n");
    text.into_bytes()
}

fn bench(criterion: &mut Criterion) {
    let document = document();
    let decoded = decode(&document).expect("the benchmark's own document decodes");
    assert_eq!(decoded.power.combined.map(|power| power.0), Some(118.909));
    assert_eq!(decoded.notes, []);

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    std::fs::create_dir_all(&folder).expect("target/bench can be made");
    std::fs::write(folder.join("decode.plist"), &document).expect("the document can be written");

    let mut group = criterion.benchmark_group("decode one document");
    group.throughput(Throughput::Bytes(document.len() as u64));
    group.bench_function("joulebar", |bencher| bencher.iter(|| decode(black_box(&document))));
    group.bench_function("plist crate, values of everything", |bencher| {
        bencher.iter(|| plist::Value::from_reader_xml(black_box(&document[..])));
    });
    group.bench_function("plist crate, nothing kept", |bencher| {
        bencher.iter(|| plist::from_reader_xml::<_, serde::de::IgnoredAny>(black_box(&document[..])));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
