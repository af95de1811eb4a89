//! A day of samples at 4 Hz in fast replay, through the reader of recordings and the live feed with its smoothing: does
//! memory stay? Prints the resident memory of this process after each three hours; fails when it grew by more than
//! 4 MB after the first three.

#![expect(clippy::print_stdout, reason = "what was measured is the result")]

use std::io::Read;
use std::time::Instant;

use joulebar_core::clock::Clock;
use joulebar_core::live::feed::Feed;
use joulebar_core::power::PowerSource;
use joulebar_core::power::replay::{Pace, ReplaySource};

const HOUR: u64 = 4 * 3600;
const HOURS: u64 = 24;
const EVERY_HOURS: u64 = 3;
const MAY_GROW_KB: u64 = 4 * 1024;

/// A recording that is made while it is read: one document every 250 ms.
struct Recording {
    documents: u64,
    text: Vec<u8>,
    taken: usize,
}

impl Recording {
    fn write_next(&mut self) {
        let n = self.documents;
        let (gpu, cpu) = (60 + n * 7919 % 18_000, 300 + n * 104_729 % 3_000);
        let elapsed_ns = 250_000_000 + n % 7 * 1_000_000;
        let date = format!("2023-04-01T{:02}:{:02}:{:02}Z", n / HOUR % 24, n / 240 % 60, n / 4 % 60);
        let both = gpu + cpu;
        let end = if n == 0 { "" } else { "\0" };
        self.text = format!(
            "{end}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
             \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n\
             <key>is_delta</key><true/>\n<key>elapsed_ns</key><integer>{elapsed_ns}</integer>\n\
             <key>timestamp</key><date>{date}</date>\n<key>processor</key>\n<dict>\n\
             <key>cpu_power</key><real>{cpu}</real>\n<key>gpu_power</key><real>{gpu}</real>\n\
             <key>ane_power</key><real>0</real>\n<key>combined_power</key><real>{both}</real>\n</dict>\n\
             <key>thermal_pressure</key><string>Nominal</string>\n</dict>\n</plist>\n"
        )
        .into_bytes();
        self.taken = 0;
        self.documents += 1;
    }
}

impl Read for Recording {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.taken == self.text.len() {
            if self.documents == HOURS * HOUR {
                return Ok(0);
            }
            self.write_next();
        }
        let count = (&self.text[self.taken..]).read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

/// Resident memory of this process in kB; `None` where the system does not tell it in `/proc`.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[tokio::main]
async fn main() {
    let clock = Clock::start();
    let recording = Recording { documents: 0, text: Vec::new(), taken: 0 };
    let mut source = ReplaySource::new(recording, Pace::Fastest, clock);
    let mut feed = Feed::default();
    let (mut count, mut first, mut last) = (0_u64, None, None);
    let began = Instant::now();
    println!("hours  samples kept  resident kB");
    while let Some(sample) = source.next_sample().await.expect("the recording is whole") {
        feed.push(&sample, sample.end);
        assert!(feed.smoothed_mw(5.0).is_some(), "sample {count} has power");
        count += 1;
        if count % (EVERY_HOURS * HOUR) == 0 {
            last = resident_kb();
            first = first.or(last);
            let kb = last.map_or_else(|| "not known".to_owned(), |kb| kb.to_string());
            println!("{:>5}  {:>12}  {kb:>11}", count / HOUR, feed.recent().count());
        }
    }
    assert_eq!(count, HOURS * HOUR, "every sample of the day was read");
    assert!(feed.recent().count() <= 242, "a minute is kept");
    println!("{count} samples in {:.1} s", began.elapsed().as_secs_f64());
    if let (Some(first), Some(last)) = (first, last) {
        assert!(last <= first + MAY_GROW_KB, "memory grew from {first} kB to {last} kB");
    }
}
