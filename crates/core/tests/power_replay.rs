//! Recordings and the simulator as sources.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside test functions")]

mod power_support;

use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use joulebar_core::clock::Clock;
use joulebar_core::power::demo::{DemoOptions, DemoSource};
use joulebar_core::power::helper::HelperOptions;
use joulebar_core::power::replay::{Pace, ReplaySource};
use joulebar_core::power::source::Source;
use joulebar_core::power::{Boundary, PowerError, PowerSource};
use joulebar_core::sample::{Origin, PowerSample};
use joulebar_wire::IntervalMs;
use power_support::{document, fixture_path, real};
use tokio::time::{Instant, timeout};

fn recording(powers: &[&str]) -> Cursor<Vec<u8>> {
    let documents: Vec<Vec<u8>> = powers.iter().map(|mw| document(&real("cpu_power", mw))).collect();
    Cursor::new(documents.join(&b"\0"[..]))
}

async fn all(source: &mut impl PowerSource) -> Vec<PowerSample> {
    let mut samples = Vec::new();
    while let Some(sample) = source.next_sample().await.unwrap() {
        samples.push(sample);
    }
    samples
}

#[tokio::test]
async fn a_recording_plays_without_gaps_and_ends() {
    let Some(path) = fixture_path("plist/m1pro_macos15.3_showall_2samples.pliststream") else { return };
    let clock = Clock::start();
    let mut source = Source::Replay(ReplaySource::open(&path, Pace::Fastest, clock).unwrap());
    let samples = all(&mut source).await;
    assert_eq!(samples.iter().map(|sample| sample.power.cpu.unwrap().0).collect::<Vec<_>>(), [453.198, 325.027]);
    assert_eq!(samples[0].end, samples[1].start);
    assert_eq!(samples[1].elapsed, Duration::from_nanos(1_036_837_833));
    assert!(
        samples.iter().all(|sample| sample.origin == Origin::Replay && sample.end == sample.start + sample.elapsed)
    );
    assert_eq!(source.description().name, "replay");
}

#[tokio::test(start_paused = true)]
async fn at_the_recorded_pace_a_sample_comes_when_it_ends() {
    let mut source = ReplaySource::new(recording(&["1", "2", "3"]), Pace::Recorded, Clock::start());
    let began = Instant::now();
    for due in 1..=3 {
        source.next_sample().await.unwrap().unwrap();
        assert_eq!(began.elapsed().as_secs_f64().round(), f64::from(due));
    }
    assert_eq!(source.next_sample().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn giving_up_waiting_keeps_the_sample_and_its_time() {
    let mut source = ReplaySource::new(recording(&["1", "2"]), Pace::Recorded, Clock::start());
    let mut powers = Vec::new();
    for _ in 0..20_000 {
        // the recording is read by a thread, which does not know that time stands still
        std::thread::sleep(Duration::from_millis(1));
        if powers.len() == 2 {
            break;
        }
        if let Ok(Ok(Some(sample))) = timeout(Duration::from_millis(70), source.next_sample()).await {
            powers.push(sample.power.cpu.unwrap().0);
        }
    }
    assert_eq!(powers, [1.0, 2.0]);
}

#[tokio::test]
async fn damage_in_a_recording_is_reported_and_passed() {
    let mut bytes = recording(&["1", "nan", "3"]).into_inner();
    bytes.extend_from_slice(b"\0<?xml version=\"1.0\"?>\n<plist>\n<dict>\n");
    let mut source = ReplaySource::new(Cursor::new(bytes), Pace::Fastest, Clock::start());
    for expected in [Some(1.0), None, Some(3.0)] {
        assert_eq!(source.next_sample().await.unwrap().unwrap().power.cpu.map(|power| power.0), expected);
    }
    assert!(matches!(source.next_sample().await, Err(PowerError::Truncated { index: 3, .. })));
    assert_eq!(source.next_sample().await.unwrap(), None);
    assert_eq!(source.notes().rejected, 1);
}

#[tokio::test]
async fn text_without_a_length_has_no_place_in_time() {
    let text = Cursor::new("CPU Power: 7 mW\n");
    let mut source = ReplaySource::new(text, Pace::Fastest, Clock::start());
    assert!(matches!(source.next_sample().await, Err(PowerError::MalformedSample { index: 0, offset: 0, .. })));
    assert_eq!(source.next_sample().await.unwrap(), None);
}

#[tokio::test]
async fn a_stopped_recording_gives_nothing_more() {
    let mut source = ReplaySource::new(recording(&["1"; 100]), Pace::Fastest, Clock::start());
    source.next_sample().await.unwrap().unwrap();
    source.mark(Boundary::RequestSent).await.unwrap();
    source.stop().await;
    assert_eq!(source.next_sample().await.unwrap(), None);
}

/// A program of this workspace beside the test's own; `None`, said aloud, when it is not built.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not built", path.display());
    None
}

#[tokio::test]
async fn the_simulator_draws_the_power_that_marks_ask_for() {
    let (Some(helper), Some(simulator)) = (program("joulebar-helper-simulated"), program("joulebar-sim")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let options = DemoOptions {
        helper,
        simulator,
        activity: folder.path().join("activity.ndjson"),
        marks_are_activity: true,
        seed: Some(7),
        simulator_options: Vec::new(),
        helper_options: HelperOptions::every(IntervalMs::new(200).unwrap()),
    };
    let clock = Clock::start();
    let mut source = Source::Demo(DemoSource::start(&options, clock).await.unwrap());
    assert_eq!(source.description().name, "demo");
    assert_eq!(source.description().origin, Origin::Simulator);

    let next = async |source: &mut Source| {
        let sample = timeout(Duration::from_secs(20), source.next_sample()).await.unwrap().unwrap().unwrap();
        assert!(sample.is_simulated() && sample.end <= clock.now());
        sample
    };
    let mut samples = Vec::new();
    for _ in 0..3 {
        samples.push(next(&mut source).await);
    }
    let idle_w = samples[2].soc_power().unwrap().as_watts();
    source.mark(Boundary::RequestSent).await.unwrap();
    for _ in 0..6 {
        samples.push(next(&mut source).await);
    }
    let busy_w = samples.last().unwrap().soc_power().unwrap().as_watts();
    assert!(busy_w > idle_w + 5.0, "{busy_w} W after {idle_w} W");
    // simulated periods are always longer than the 200 ms that were asked for
    let boundary = samples.iter().any(|sample| sample.elapsed < Duration::from_millis(200));
    assert!(boundary, "the mark ends a sample");
    assert!(samples.is_sorted_by_key(|sample| sample.end));
    source.stop().await;
}
