//! `joulebar analyze`: what a recorded output of powermetrics says.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::path::Path;

use joulebar_core::power::PowerError;
use joulebar_core::power::capture::{CaptureReader, CaptureSample};
use joulebar_core::power::decoded::NoteCounts;
use joulebar_core::power::row::AnalyzeRow;
use joulebar_core::power::summary::SummaryBuilder;

use crate::args::{AnalyzeArguments, AnalyzeFormat};
use crate::exit::{Code, Failure};
use crate::{format, output, table};

/// Most damaged documents that are named one by one.
const MAX_NOTES: u64 = 100;

/// Decodes one recording.
pub fn run(arguments: &AnalyzeArguments) -> Result<Code, Failure> {
    if arguments.capture == Path::new("-") {
        return analyze(CaptureReader::new(std::io::stdin().lock()), "standard input", arguments.format);
    }
    let reader = CaptureReader::open(&arguments.capture)
        .map_err(|error| Failure::of(Code::BadInput, &error).next("give a file that powermetrics wrote, or -"))?;
    analyze(reader, &arguments.capture.display().to_string(), arguments.format)
}

fn analyze<R: Read>(reader: CaptureReader<R>, name: &str, format: AnalyzeFormat) -> Result<Code, Failure> {
    let mut printer = match format {
        AnalyzeFormat::Summary => Printer::Summary,
        AnalyzeFormat::Ndjson => Printer::Ndjson(Box::new(output::buffered())),
        AnalyzeFormat::Csv => Printer::Csv(Box::new(csv::Writer::from_writer(output::buffered()))),
    };
    let mut totals = Totals::default();
    let mut notes = Notes::default();
    for sample in reader {
        match sample {
            Ok(sample) => {
                printer.sample(&sample)?;
                totals.add(&sample);
                if matches!(printer, Printer::Summary) {
                    totals.add_to_summary(&sample);
                }
            }
            Err(error) if error.is_fatal() => {
                printer.flush()?;
                notes.finish(name);
                return Err(broken_off(&error, name, totals.samples));
            }
            Err(error) => {
                totals.damaged += 1;
                notes.tell(name, &error);
            }
        }
    }
    printer.flush()?;
    notes.finish(name);
    if totals.samples == 0 {
        return Err(Failure::new(Code::BadInput, format!("{name} holds no sample of powermetrics"))
            .next("record one with `sudo powermetrics -f plist -i 1000 -n 10 > capture.plist`"));
    }
    totals.note_doubts(name);
    if matches!(printer, Printer::Summary) {
        output::line(&totals.describe(name))?;
    }
    Ok(Code::Success)
}

fn broken_off(error: &PowerError, name: &str, samples: u64) -> Failure {
    let what = format!("reading {name} failed after {}", format::counted(samples, "sample"));
    // what the error itself says is said already
    let cause = error.source().unwrap_or(error);
    Failure::new(Code::BadInput, what).because(cause).next("give a file that powermetrics wrote, or -")
}

/// Names damaged documents on standard error, as long as somebody may read that.
#[derive(Default)]
struct Notes {
    told: u64,
    untold: u64,
}

impl Notes {
    fn tell(&mut self, name: &str, error: &PowerError) {
        if self.told < MAX_NOTES {
            self.told += 1;
            output::note(&format!("{name}: {error}"));
        } else {
            self.untold += 1;
        }
    }

    fn finish(&self, name: &str) {
        if self.untold > 0 {
            output::note(&format!("{name}: {} more like these", format::count(self.untold)));
        }
    }
}

/// Where decoded samples go.
enum Printer {
    Summary,
    Ndjson(Box<dyn Write>),
    Csv(Box<csv::Writer<std::io::BufWriter<std::io::StdoutLock<'static>>>>),
}

impl Printer {
    fn sample(&mut self, sample: &CaptureSample) -> Result<(), Failure> {
        match self {
            Self::Summary => Ok(()),
            Self::Ndjson(out) => {
                let row = serde_json::to_string(&AnalyzeRow::from(&sample.decoded))
                    .map_err(|error| Failure::of(Code::Failed, &error))?;
                writeln!(out, "{}", format::printable_json(&row)).map_err(|error| output::failed(&error))
            }
            Self::Csv(writer) => {
                let mut row = AnalyzeRow::from(&sample.decoded);
                for word in [&mut row.hw_model, &mut row.thermal_pressure].into_iter().flatten() {
                    *word = format::one_line(word);
                }
                writer.serialize(row).map_err(output::csv_failed)
            }
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::Summary => Ok(()),
            Self::Ndjson(out) => out.flush().map_err(|error| output::failed(&error)),
            Self::Csv(writer) => writer.flush().map_err(|error| output::failed(&error)),
        }
    }
}

/// What the samples come to.
#[derive(Default)]
struct Totals {
    samples: u64,
    damaged: u64,
    without_length: u64,
    notes: NoteCounts,
    powers: SummaryBuilder,
    models: BTreeMap<String, u64>,
    thermal: BTreeMap<String, u64>,
}

impl Totals {
    fn add(&mut self, sample: &CaptureSample) {
        self.samples += 1;
        self.without_length += u64::from(sample.decoded.elapsed.is_none());
        self.notes.add(&NoteCounts::from(&sample.decoded.notes[..]));
    }

    /// Keeps values of every sample, for [`Totals::describe`] alone.
    fn add_to_summary(&mut self, sample: &CaptureSample) {
        let decoded = &sample.decoded;
        self.powers.add_parts(&decoded.power, &decoded.energy, decoded.elapsed);
        for (counts, value) in [
            (&mut self.models, decoded.hw_model.clone()),
            (&mut self.thermal, decoded.thermal_pressure.clone().map(String::from)),
        ] {
            if let Some(value) = value {
                *counts.entry(value).or_default() += 1;
            }
        }
    }

    /// Says on standard error what was not taken as it stood.
    fn note_doubts(&self, name: &str) {
        for doubt in format::doubts(&self.notes) {
            output::note(&format!("{name}: {doubt}"));
        }
        if self.without_length > 0 {
            let samples = format::counted(self.without_length, "sample");
            output::note(&format!("{name}: {samples} without a length, so energies can't be given"));
        }
    }

    fn describe(&self, name: &str) -> String {
        let mut facts = vec![format::counted(self.samples, "sample")];
        facts.push(format::or_dash(self.powers.duration(), format::duration));
        facts.extend(list(&self.models, self.samples));
        facts.extend(list(&self.thermal, self.samples).map(|levels| format!("thermal pressure {levels}")));
        if self.damaged > 0 {
            facts.push(format!("{} damaged", self.damaged));
        }
        let rails = self.powers.summaries();
        let rails = if rails.is_empty() { "No power in it.".to_owned() } else { table::rails(&rails) };
        format!("{name}: {}\n{rails}", facts.join(", "))
    }
}

/// `Nominal`, or `Moderate (3), Nominal (5)` when there is more than one, or when some samples lack it.
fn list(counts: &BTreeMap<String, u64>, samples: u64) -> Option<String> {
    let words: Vec<_> = match counts.first_key_value() {
        Some((value, count)) if *count == samples => vec![value.clone()],
        _ => counts.iter().map(|(value, count)| format!("{value} ({count})")).collect(),
    };
    (!words.is_empty()).then(|| words.join(", "))
}
