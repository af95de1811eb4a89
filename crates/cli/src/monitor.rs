//! `joulebar monitor`: power as it comes, then what it came to.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use joulebar_core::clock::{Clock, MonotonicTime};
use joulebar_core::demo::Stage;
use joulebar_core::files::{NewFile, resolve};
use joulebar_core::power::replay::Pace;
use joulebar_core::power::summary::SummaryBuilder;
use joulebar_core::power::{PowerSource, SourceDescription};
use joulebar_core::sample::{Origin, PowerSample};
use joulebar_core::sample_row::SampleRow;

use crate::args::{Mode, MonitorArguments, MonitorFormat, SourceChoice};
use crate::exit::{Code, Failure};
use crate::interrupts::Interrupts;
use crate::places::{Named, cannot_write, check_distinct, check_writable};
use crate::sources::{self, Power};
use crate::{format, output, preferences, table};

/// Samples that a live source gives unless it was told otherwise.
const DEFAULT_SAMPLES: u64 = 60;

/// Shows samples until there are enough, the source ends, or the user stops it.
pub async fn run(arguments: &MonitorArguments) -> Result<Code, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let mut file = arguments.output.as_deref().map(|path| CsvFile::plan(path, &arguments.source)).transpose()?;
    let stage = if arguments.source == SourceChoice::Demo { Some(Stage::set()?) } else { None };
    let power = match (&arguments.source, &stage) {
        (SourceChoice::Replay(file), _) => Power::Replay(file.clone()),
        (_, Some(stage)) => Power::Demo { activity: stage.activity(), marks_are_activity: true, seed: 1 },
        (SourceChoice::Helper, None) => Power::Helper,
        (_, None) => Power::Auto { may_ask_for_password: false },
    };
    let live = !matches!(power, Power::Replay(_));
    let limit = arguments.samples.unwrap_or(if live { DEFAULT_SAMPLES } else { u64::MAX });
    let interval_ms = arguments.interval.unwrap_or_else(|| preferences::read().monitor_interval_ms);
    let opening = sources::open(&power, interval_ms, Pace::Fastest, Clock::start());
    let mut source = interrupts.or(opening).await.map_err(|failure| hint(failure, &power))?;
    let mut screen = Screen::new(arguments, &source.description());
    screen.begin()?;
    let mut ended = Ok(Code::Success);
    while screen.totals.samples() < limit {
        let next = tokio::select! {
            next = source.next_sample() => next,
            _ = interrupts.next() => {
                ended = Ok(Code::Interrupted);
                break;
            }
        };
        let shown = match next {
            Ok(Some(sample)) => {
                let row = SampleRow::from(&sample);
                file.as_mut().map_or(Ok(()), |file| file.write(&row)).and_then(|()| screen.sample(&sample, &row))
            }
            Ok(None) => break,
            Err(error) if !error.is_fatal() => {
                output::note(&error.to_string());
                Ok(())
            }
            Err(error) => Err(hint(sources::failure(&error), &power)),
        };
        if let Err(failure) = shown {
            ended = Err(failure);
            break;
        }
    }
    source.stop().await;
    screen.note_doubts(&source.notes());
    if let Err(failure) = &ended
        && failure.is_reader_gone()
    {
        return ended;
    }
    if screen.totals.samples() > 0 {
        screen.end()?;
    } else if ended.is_ok() {
        let (code, step) = if live {
            (Code::Unavailable, "let it run longer, or use a shorter --interval")
        } else {
            (Code::BadInput, "give a recording of powermetrics")
        };
        let code = if matches!(ended, Ok(Code::Interrupted)) { Code::Interrupted } else { code };
        return Err(Failure::new(code, "no samples were collected").next(step));
    }
    ended
}

fn hint(failure: Failure, power: &Power) -> Failure {
    match power {
        Power::Auto { .. } | Power::Helper => failure.next("joulebar monitor --source demo, which simulates power"),
        _ => failure,
    }
}

/// The samples' second way out.
struct CsvFile {
    name: String,
    state: CsvState,
}

enum CsvState {
    /// Nothing is made or replaced before there is a sample to put there.
    Planned(PathBuf),
    Open(Box<csv::Writer<File>>),
}

impl CsvFile {
    fn plan(path: &Path, source: &SourceChoice) -> Result<Self, Failure> {
        if let SourceChoice::Replay(recording) = source {
            check_distinct(&[
                Named::written("the table (--output)", path),
                Named::read("the recording (--source)", recording),
            ])?;
        }
        check_writable(path, "--output")?;
        Ok(Self { name: path.display().to_string(), state: CsvState::Planned(resolve(path)) })
    }

    fn write(&mut self, row: &SampleRow) -> Result<(), Failure> {
        let written = match &mut self.state {
            CsvState::Open(writer) => writer.serialize(row).and_then(|()| Ok(writer.flush()?)),
            CsvState::Planned(place) => begin_csv(place, row).map(|writer| self.state = CsvState::Open(writer)),
        };
        written.map_err(|error| {
            cannot_write(Path::new(&self.name))
                .because(&error)
                .next("free some space, or give another file with --output")
        })
    }
}

/// The file with its head and its first row, which takes the place of an older one.
fn begin_csv(place: &Path, row: &SampleRow) -> csv::Result<Box<csv::Writer<File>>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(row)?;
    let first = writer.into_inner().map_err(|error| error.into_error())?;
    let mut file = NewFile::create_or_overwrite(place)?;
    file.write_all(&first)?;
    Ok(Box::new(csv::WriterBuilder::new().has_headers(false).from_writer(file.settle()?)))
}

struct Screen {
    mode: Mode,
    format: MonitorFormat,
    simulated: bool,
    title: String,
    totals: SummaryBuilder,
    start: Option<MonotonicTime>,
    columns: Option<Columns>,
    csv_head: bool,
}

/// Rails that not every source reports.
#[derive(Clone, Copy)]
struct Columns {
    dram: bool,
    system: bool,
}

impl Screen {
    fn new(arguments: &MonitorArguments, source: &SourceDescription) -> Self {
        let simulated = source.origin == Origin::Simulator;
        let origin = match source.origin {
            Origin::Powermetrics => "Power from powermetrics",
            Origin::Counters => "Power from energy counters",
            Origin::Replay => "Power from a recording",
            Origin::Simulator => "Simulated power: no figure is a measurement",
        };
        let origin = source.way.map_or_else(|| origin.to_owned(), |way| format!("Power from {}", way.title()));
        let interval = source.requested_interval_ms.map(|ms| format!(", every {} ms", format::count(ms.into())));
        let scope = source.way.map(|way| format!("\n{}", way.scope()));
        Self {
            mode: arguments.mode,
            format: arguments.format,
            simulated,
            title: format!("{origin}{}{}", interval.unwrap_or_default(), scope.unwrap_or_default()),
            totals: SummaryBuilder::default(),
            start: None,
            columns: None,
            csv_head: true,
        }
    }

    fn begin(&self) -> Result<(), Failure> {
        match self.format {
            MonitorFormat::Table => output::line(&self.title),
            // the data stand alone on standard output; every row says where it comes from
            _ if self.simulated => {
                output::note(&self.title);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn sample(&mut self, sample: &PowerSample, row: &SampleRow) -> Result<(), Failure> {
        self.totals.add(sample);
        if self.mode == Mode::Batch {
            return Ok(());
        }
        match self.format {
            MonitorFormat::Table => self.table_row(sample),
            MonitorFormat::Ndjson => output::json(row),
            MonitorFormat::Csv => self.csv_row(row),
        }
    }

    fn table_row(&mut self, sample: &PowerSample) -> Result<(), Failure> {
        let start = *self.start.get_or_insert(sample.start);
        let first = self.columns.is_none();
        let columns = *self
            .columns
            .get_or_insert(Columns { dram: sample.power.dram.is_some(), system: sample.power.system.is_some() });
        if first {
            let head = cells(columns, ["time", "CPU", "GPU", "ANE", "DRAM", "SoC", "System", "GPU clock", "GPU busy"]);
            output::line(&format!("{}  thermal", head.trim_end()))?;
        }
        let power = &sample.power;
        let watts =
            |power: Option<joulebar_core::units::Milliwatts>| format::or_dash(power, |power| format::power(power.0));
        let time = sample.end.saturating_since(start);
        let values = [
            short_time(time),
            watts(power.cpu),
            watts(power.gpu),
            watts(power.ane),
            watts(power.dram),
            watts(sample.soc_power()),
            watts(power.system),
            format::or_dash(sample.gpu_frequency, |clock| format!("{} MHz", format::number(clock.0, 0))),
            format::or_dash(sample.gpu_active, |active| format::share(active.0)),
        ];
        let thermal = format::or_dash(sample.thermal_pressure.clone(), String::from);
        output::line(&format!("{}  {thermal}", cells(columns, values.each_ref().map(String::as_str))))
    }

    fn csv_row(&mut self, row: &SampleRow) -> Result<(), Failure> {
        let mut writer = csv::WriterBuilder::new().has_headers(self.csv_head).from_writer(Vec::new());
        self.csv_head = false;
        writer.serialize(row).map_err(output::csv_failed)?;
        let bytes = writer.into_inner().unwrap_or_default();
        output::line(String::from_utf8_lossy(&bytes).trim_end())
    }

    fn end(&self) -> Result<(), Failure> {
        let rails = self.totals.summaries();
        match (self.format, self.mode) {
            (MonitorFormat::Table, mode) => {
                let facts = [
                    format::counted(self.totals.samples(), "sample"),
                    format::or_dash(self.totals.duration(), format::duration),
                ];
                let simulated = if self.simulated { ", simulated" } else { "" };
                let gap = if mode == Mode::Stream { "\n" } else { "" };
                output::line(&format!("{gap}{}{simulated}", facts.join(", ")))?;
                output::line(&if rails.is_empty() { "No power in them.".to_owned() } else { table::rails(&rails) })
            }
            (_, Mode::Stream) => Ok(()),
            (MonitorFormat::Ndjson, Mode::Batch) => output::json(&serde_json::json!({
                "simulated": self.simulated,
                "sample_count": self.totals.samples(),
                "duration_s": self.totals.duration().map(|duration| duration.as_secs_f64()),
                "rails": rails,
            })),
            (MonitorFormat::Csv, Mode::Batch) => {
                let mut writer = csv::Writer::from_writer(output::buffered());
                rails.iter().try_for_each(|rail| writer.serialize(rail)).map_err(output::csv_failed)?;
                writer.flush().map_err(|error| output::failed(&error))
            }
        }
    }

    fn note_doubts(&self, notes: &joulebar_core::power::decoded::NoteCounts) {
        for doubt in format::doubts(notes) {
            output::note(&doubt);
        }
    }
}

/// `1.0 s`, later `12:07`; never wider than a column.
fn short_time(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{}:{:02}", seconds / 60, seconds % 60),
    }
}

/// One line of the running table: fixed columns, so that digits never move.
fn cells(columns: Columns, values: [&str; 9]) -> String {
    let shown = [true, true, true, true, columns.dram, true, columns.system, true, true];
    let width = |index| if index < 7 { 7 } else { 9 };
    let cells = values.iter().enumerate().filter(|(index, _)| shown[*index]);
    cells.map(|(index, value)| format!("{value:>width$}", width = width(index))).collect::<Vec<_>>().join(" ")
}
