//! A history of 10,000 runs: opening it, its first row and first page, searching, sorting, loading one run, keeping a
//! prompt. Prints the sizes first: of one run in the history and as a report, and of the whole database.
//!
//! The runs are copies of two sessions of the default suite at 4 Hz. The first is stored whole; of the copies, one in
//! a hundred has its facts too, so that the database can be made in seconds: the list never reads facts.

#![expect(clippy::print_stdout, reason = "sizes are results too")]

use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use joulebar_core::clock::MonotonicTime;
use joulebar_core::environment::Environment;
use joulebar_core::lmstudio::{
    Api, Delta, DeltaKind, Engine, Generation, Model, ReportedStats, StopReason, Timeline, TokenCounts,
};
use joulebar_core::power::SourceDescription;
use joulebar_core::report::{derive, write_report};
use joulebar_core::sample::{Origin, PowerSample, Rails, ThermalPressure};
use joulebar_core::session::keeper::Keeper;
use joulebar_core::session::record::{
    EndReason, Header, Outcome, PhaseMarks, PromptRun, Segment, Server, SessionRecord, Settings,
};
use joulebar_core::store::{Filter, ListOrder, Opened, RunId, SortBy, Store};
use joulebar_core::suite::{Suite, nonce};
use joulebar_core::units::{Joules, Megahertz, Milliwatts, Ratio};
use rusqlite::Connection;

const RUNS: u32 = 10_000;
const SEED: u64 = 1;
const INTERVAL_NS: i64 = 250_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// Length of one prompt with 10 s around it, and of its answer at 50 tokens/s.
fn prompt_ns(tokens: u32) -> (i64, i64) {
    let answer = i64::from(tokens) * SECOND_NS / 50;
    (21 * SECOND_NS + answer, answer)
}

fn session(model: &str, started_at: &str) -> SessionRecord {
    let suite = Suite::builtin();
    let (mut runs, mut samples, mut at) = (Vec::new(), Vec::new(), SECOND_NS);
    for prompt in &suite.prompts {
        let (length, answer) = prompt_ns(prompt.max_tokens);
        runs.push(PromptRun {
            id: prompt.id.clone(),
            category: prompt.category,
            repeat: 1,
            prompt: prompt.prompt.clone(),
            nonce: Some(nonce(SEED, &prompt.id, 1, 1)),
            max_tokens: prompt.max_tokens,
            marks: PhaseMarks {
                baseline_start: MonotonicTime(at),
                request_sent: MonotonicTime(at + 10 * SECOND_NS),
                first_token: Some(MonotonicTime(at + 11 * SECOND_NS)),
                last_token: MonotonicTime(at + 11 * SECOND_NS + answer),
                cooldown_end: MonotonicTime(at + length),
            },
            outcome: Outcome::Completed { generation: Box::new(answer_of(prompt.max_tokens, at + 10 * SECOND_NS)) },
        });
        at += length;
    }
    let mut start = 0;
    while start < at {
        let jitter = start / 7 % 9_000_000;
        samples.push(sample(start, start + INTERVAL_NS + jitter));
        start += INTERVAL_NS + jitter;
    }
    SessionRecord {
        header: header(suite, model, started_at),
        segments: vec![Segment { origin: MonotonicTime(0), started_at: started_at.into() }],
        runs,
        samples,
        rejected_documents: 0,
        end: EndReason::Completed,
    }
}

fn answer_of(tokens: u32, sent: i64) -> Generation {
    let delta = |index: u32| Delta {
        at: MonotonicTime(sent + SECOND_NS + i64::from(index) * SECOND_NS / 50 + i64::from(index * 7_919 % 400_000)),
        kind: DeltaKind::Message,
        bytes: 3 + index % 5,
    };
    Generation {
        api: Api::LmstudioV1,
        answered_by: Some("qwen3-8b".into()),
        timeline: Timeline {
            sent: MonotonicTime(sent),
            deltas: (0..tokens).map(delta).collect(),
            finish: Some(MonotonicTime(sent + SECOND_NS + i64::from(tokens) * SECOND_NS / 50)),
            end: MonotonicTime(sent + SECOND_NS + i64::from(tokens) * SECOND_NS / 50),
            ..Timeline::default()
        },
        tokens: TokenCounts { prompt: Some(60), output: Some(u64::from(tokens)), ..TokenCounts::default() },
        reported: ReportedStats::default(),
        stop_reason: Some(StopReason::MaxTokens),
        text: (0..tokens)
            .map(|index| &"words "[..delta(index).bytes as usize - 1])
            .map(|word| format!("{word} "))
            .collect(),
        reasoning_text: String::new(),
        unavailable: Vec::new(),
    }
}

/// Values with as many digits as powermetrics writes.
fn sample(start: i64, end: i64) -> PowerSample {
    let noise = (start / 1_000 % 9_973) as f64;
    let power = |milliwatts: f64| Some(Milliwatts((milliwatts * 100.0).round() / 100.0));
    let (cpu, gpu) = (300.0 + noise / 31.0, 14_000.0 + noise / 3.0);
    PowerSample {
        start: MonotonicTime(start),
        end: MonotonicTime(end),
        elapsed: Duration::from_nanos((end - start).unsigned_abs()),
        power: Rails {
            cpu: power(cpu),
            gpu: power(gpu),
            ane: Some(Milliwatts(0.0)),
            combined: power(cpu + gpu),
            ..Rails::default()
        },
        energy: Rails {
            cpu: Some(Joules((cpu / 4.0).round() / 1e3)),
            gpu: Some(Joules((gpu / 4.0).round() / 1e3)),
            ane: Some(Joules(0.0)),
            ..Rails::default()
        },
        gpu_frequency: Some(Megahertz(1_338.0 + (noise / 17.0).round() / 10.0)),
        gpu_active: Some(Ratio((noise * 100.0).round() / 1e6)),
        thermal_pressure: Some(ThermalPressure::Nominal),
        hw_model: Some("Mac16,8".into()),
        timestamp_unix_s: Some(1_700_000_000 + start / SECOND_NS),
        origin: Origin::Powermetrics,
    }
}

fn header(suite: Suite, model: &str, started_at: &str) -> Header {
    Header {
        benchmark_id: started_at.into(),
        tool_version: "0.1.0".into(),
        model: Model { key: model.into(), quantization: Some("Q4_K_M".into()), ..Model::default() },
        server: Server {
            url: "http://127.0.0.1:1234".into(),
            api: Api::LmstudioV1,
            lm_studio: true,
            app_version: None,
            engine: Engine::default(),
            simulated: false,
            model_load_s: None,
        },
        settings: Settings {
            baseline_s: 10.0,
            cooldown_s: 10.0,
            quick: false,
            nonce: true,
            seed: SEED,
            temperature: 0.0,
            counter_batch_s: None,
        },
        suite,
        environment: Environment { chip: Some("Apple M4 Pro".into()), ..Environment::default() },
        power_source: SourceDescription {
            name: "helper".into(),
            origin: Origin::Powermetrics,
            requested_interval_ms: Some(250),
            samplers: vec!["cpu_power".into(), "gpu_power".into()],
            helper_version: None,
            way: None,
            passed_over: Vec::new(),
        },
    }
}

fn open(folder: &Path) -> Store {
    match Store::open(folder) {
        Ok(Opened { store, notice: None }) => store,
        other => panic!("the history does not open: {other:?}"),
    }
}

fn keep(store: &Store, record: &SessionRecord) -> RunId {
    let keeper = store.begin(record).expect("the history can be written");
    keeper.finish(record, &derive(record)).expect("the history can be written").expect("it has prompts")
}

/// Copies the two stored runs until there are [`RUNS`], with other times, models and figures.
fn multiply(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < {RUNS})
         INSERT INTO runs SELECT i, strftime('%Y-%m-%dT%H:%M:%SZ', 1700000000 + i * 7919, 'unixepoch'),
             CASE i % 5 WHEN 0 THEN 'evening ' || i END, model || '-' || (i % 40), quantization, chip, prompts_done,
             prompts_planned, (i * 7919 % 9973) / 5000.0, (i * 31 % 997) / 10.0, (i * 17 % 9901) * 3.0, i % 3 = 0, state,
             end_reason, tool_version
             FROM n JOIN runs ON runs.id = 1 + i % 2;
         WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 100 FROM n WHERE i + 100 <= {RUNS})
         INSERT INTO records SELECT i, header, segments, rejected_documents, seal FROM n JOIN records ON run_id = 1;
         WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 100 FROM n WHERE i + 100 <= {RUNS})
         INSERT INTO prompts SELECT i, position, run, deltas FROM n JOIN prompts ON run_id = 1;
         WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 100 FROM n WHERE i + 100 <= {RUNS})
         INSERT INTO samples SELECT i, position, rows FROM n JOIN samples ON run_id = 1;
         COMMIT;"
    ))
}

fn history(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let record = session("qwen3-8b", "2026-01-02T03:04:05Z");
    let report = folder.path().join("report.json");
    write_report(&report, &derive(&record)).expect("a report");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let path = store.path().to_owned();
    let id = keep(&store, &record);
    drop(store);
    let one = size(&path);
    keep(&open(folder.path()), &session("llama-3.2-3b", "2026-01-03T03:04:05Z"));
    let tokens: u32 = record.runs.iter().map(|run| run.max_tokens).sum();
    println!("samples of one run: {}, tokens: {tokens}", record.samples.len());
    println!("one run: {} bytes in the history, {} as a report", size(&path) - one, size(&report));
    multiply(&path).expect("the runs can be copied");
    println!("{RUNS} runs, 102 of them with their facts: {} bytes", size(&path));
    let started = Instant::now();
    let first = open(folder.path()).list(&Filter::default(), ListOrder::default(), 1, 0);
    println!("opening and first row, once: {:?} ({} row)", started.elapsed(), first.map_or(0, |rows| rows.len()));

    let mut group = criterion.benchmark_group("history of 10,000 runs");
    group.bench_function("open, first row", |bencher| {
        bencher.iter(|| open(folder.path()).list(&Filter::default(), ListOrder::default(), 1, 0));
    });
    let store = open(folder.path());
    group.bench_function("first 100 rows", |bencher| {
        bencher.iter(|| store.list(&Filter::default(), ListOrder::default(), 100, 0));
    });
    group.bench_function("100 rows by J/token", |bencher| {
        let order = ListOrder { by: SortBy::NetEnergyPerToken, ascending: true };
        bencher.iter(|| store.list(&Filter::default(), order, 100, 0));
    });
    group.bench_function("100 rows with a text", |bencher| {
        let filter = Filter { text: Some("EVENING 99".into()), ..Filter::default() };
        bencher.iter(|| store.list(black_box(&filter), ListOrder::default(), 100, 0));
    });
    group.bench_function("all rows", |bencher| {
        bencher.iter(|| store.list(&Filter::default(), ListOrder::default(), RUNS, 0));
    });
    group.bench_function("facts of one run", |bencher| bencher.iter(|| store.record(black_box(id))));
    assert!(store.get(id).is_ok(), "what is measured is a report");
    group.bench_function("report of one run", |bencher| bencher.iter(|| store.get(black_box(id))));
    group.bench_function("keep one prompt", |bencher| {
        let mut begun = record.clone();
        let last = begun.runs.pop().expect("it has prompts");
        begun.samples.truncate(record.samples.len() - 120);
        let mut whole = begun.clone();
        whole.runs.push(last);
        whole.samples.clone_from(&record.samples);
        let session = Cell::new(0);
        let begin = || {
            // another session each time, or it would be taken for the last one that goes on
            session.set(session.get() + 1);
            begun.header.benchmark_id = format!("2027 {}", session.get());
            store.begin(&begun).expect("the history can be written")
        };
        bencher.iter_batched(begin, |mut keeper| keeper.keep(black_box(&whole)), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = history
}
criterion_main!(benches);
