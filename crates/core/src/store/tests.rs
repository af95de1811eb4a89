//! The history as its users meet it, beside what only its inside can show.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::session::keeper::Keeper;
use crate::session::record::{Outcome, Segment};
use crate::testing::record_with;

fn open(folder: &TempDir) -> Store {
    let Opened { store, notice } = Store::open(folder.path()).unwrap();
    assert_eq!(notice, None);
    store
}

fn started(record: &SessionRecord) -> SessionRecord {
    SessionRecord { runs: Vec::new(), samples: Vec::new(), end: EndReason::Interrupted, ..record.clone() }
}

/// Adds the next prompt of `whole` to `record`, with its samples.
fn grow(record: &mut SessionRecord, whole: &SessionRecord) {
    let run = whole.runs[record.runs.len()].clone();
    let until = run.marks.cooldown_end;
    record.samples = whole.samples.iter().filter(|sample| sample.end <= until).cloned().collect();
    record.runs.push(run);
}

/// Keeps a whole session as a run does.
fn keep(store: &Store, whole: &SessionRecord) -> RunId {
    let mut record = started(whole);
    let mut keeper = store.begin(&record).unwrap();
    for _ in &whole.runs {
        grow(&mut record, whole);
        keeper.keep(&record).unwrap();
    }
    keeper.finish(whole, &report::derive(whole)).unwrap().expect("it has prompts")
}

fn named(model: &str, started_at: &str) -> SessionRecord {
    let mut record = record_with(1);
    record.header.model.key = model.into();
    record.header.benchmark_id = started_at.into();
    record
}

fn ids(rows: &[RunRow]) -> Vec<u32> {
    rows.iter().map(|row| row.id.0).collect()
}

fn all(store: &Store) -> Vec<RunRow> {
    store.list(&Filter::default(), ListOrder::default(), 1_000, 0).unwrap()
}

fn files(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".lock"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_whole_run_comes_back_as_the_report_that_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = record_with(9);
    whole.header.model.quantization = Some("Q4_K_M".into());
    whole.header.environment.chip = Some("Apple M4 Pro".into());
    whole.rejected_documents = 3;
    let id = keep(&open(&folder), &whole);
    let store = open(&folder);
    assert!(store.record(id).unwrap() == whole, "every fact comes back, bit by bit");
    let report = store.get(id).unwrap();
    assert_eq!(report, report::derive(&whole));
    report::verify(&report, &serde_json::to_value(&report).unwrap()).unwrap();
    let row = store.row(id).unwrap().unwrap();
    assert_eq!((row.state, row.end_reason), (RunState::Completed, Some(EndReason::Completed)));
    assert_eq!((row.prompts_done, row.prompts_planned), (9, 9));
    assert_eq!(row.net_energy_per_token_j, report.summary.net_energy_per_token_j);
    assert!(row.net_energy_per_token_j.is_some() && row.inference_power_mw.is_some());
    assert_eq!(row.tokens_per_second, report.summary.avg_tokens_per_second);
    assert_eq!((row.quantization.as_deref(), row.chip.as_deref()), (Some("Q4_K_M"), Some("Apple M4 Pro")));
    assert_eq!((row.started_at, row.tool_version), (whole.header.benchmark_id, whole.header.tool_version));
    assert!(!row.simulated && row.name.is_none());
    assert_eq!(store.unfinished().unwrap(), []);
}

#[test]
fn a_run_is_seen_while_it_goes_on_and_a_crash_leaves_what_it_had_finished() {
    let folder = tempfile::tempdir().unwrap();
    let (store, whole) = (open(&folder), record_with(9));
    let mut record = started(&whole);
    let mut keeper = store.begin(&record).unwrap();
    let id = keeper.id();
    grow(&mut record, &whole);
    keeper.keep(&record).unwrap();
    grow(&mut record, &whole);
    keeper.keep(&record).unwrap();

    let other = open(&folder);
    let row = other.row(id).unwrap().unwrap();
    assert_eq!((row.state, row.prompts_done, row.end_reason), (RunState::Running, 2, None));
    assert_eq!(other.unfinished().unwrap(), [], "a run that is going on is not offered");
    assert!(matches!(other.delete(id), Err(StoreError::Running { .. })));

    drop(keeper);
    let listed = other.list(&Filter::default(), ListOrder::default(), 9, 0).unwrap();
    assert_eq!(listed[0].state, RunState::Interrupted, "a run without a holder has ended, whatever is written");
    let unfinished = other.unfinished().unwrap();
    assert_eq!(ids(&unfinished), [id.0]);
    let row = &unfinished[0];
    assert_eq!((row.state, row.prompts_done, row.end_reason), (RunState::Interrupted, 2, None));
    assert!(row.tokens_per_second.is_some(), "with the figures of what was finished");
    let kept = other.record(id).unwrap();
    assert!(kept.runs == whole.runs[..2] && kept.samples == record.samples);
    assert!(other.get(id).unwrap().interrupted);
}

#[test]
fn a_resumed_session_goes_on_as_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let (store, whole) = (open(&folder), record_with(9));
    let mut record = started(&whole);
    let mut keeper = store.begin(&record).unwrap();
    let id = keeper.id();
    for _ in 0..2 {
        grow(&mut record, &whole);
        keeper.keep(&record).unwrap();
    }
    drop(keeper);
    store.rename(id, "night run").unwrap();

    let mut resumed = store.record(id).unwrap();
    resumed.segments.push(Segment { origin: resumed.segments[0].origin, started_at: "2026-01-03T00:00:00Z".into() });
    let mut keeper = store.begin(&resumed).unwrap();
    assert_eq!(keeper.id(), id);
    assert_eq!(store.row(id).unwrap().unwrap().state, RunState::Running);
    while resumed.runs.len() < 9 {
        grow(&mut resumed, &whole);
        keeper.keep(&resumed).unwrap();
    }
    resumed.end = EndReason::Completed;
    keeper.finish(&resumed, &report::derive(&resumed)).unwrap();
    assert!(store.record(id).unwrap() == resumed);
    let rows = all(&store);
    assert_eq!((rows.len(), rows[0].state, rows[0].name.as_deref()), (1, RunState::Completed, Some("night run")));

    // the same session once more, from a file that is older than the history
    let mut older = started(&whole);
    grow(&mut older, &whole);
    older.segments = resumed.segments.clone();
    assert_ne!(store.begin(&older).unwrap().id(), id, "what is complete is not overwritten");
}

#[test]
fn a_resumed_session_that_lacks_a_kept_prompt_does_not_take_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (store, whole) = (open(&folder), record_with(9));
    let mut record = started(&whole);
    grow(&mut record, &whole);
    let older = record.clone();
    grow(&mut record, &whole);
    let id = store.begin(&record).unwrap().id();
    assert_ne!(store.begin(&older).unwrap().id(), id);
    assert_eq!(store.record(id).unwrap().runs.len(), 2);
    // a prompt that failed runs again, so it may be missing
    record.runs[1].outcome = Outcome::Failed { message: "cut".into(), partial: None };
    let mut failed = record.clone();
    failed.header.benchmark_id = "2026-02-02T00:00:00Z".into();
    let id = store.begin(&failed).unwrap().id();
    failed.runs.pop();
    assert_eq!(store.begin(&failed).unwrap().id(), id);
}

#[test]
fn a_crash_after_the_last_prompt_leaves_a_complete_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let whole = SessionRecord { end: EndReason::Interrupted, ..record_with(9) };
    let id = store.begin(&whole).unwrap().id();
    store.settle().unwrap();
    let row = store.row(id).unwrap().unwrap();
    assert_eq!((row.state, row.end_reason), (RunState::Completed, Some(EndReason::Completed)));
    assert!(!store.get(id).unwrap().interrupted && row.net_energy_per_token_j.is_some());
}

#[test]
fn a_run_without_a_finished_prompt_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, record) = (open(&folder), started(&record_with(1)));
    let keeper = store.begin(&record).unwrap();
    assert_eq!(all(&store).len(), 1);
    assert_eq!(keeper.finish(&record, &report::derive(&record)).unwrap(), None);
    drop(store.begin(&record).unwrap());
    assert_eq!(all(&open(&folder)), []);
}

#[test]
fn what_could_not_be_kept_is_kept_with_the_next_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut whole) = (open(&folder), record_with(9));
    let Outcome::Completed { generation } = &mut whole.runs[0].outcome else { panic!("a whole answer") };
    generation.text = "long ".repeat(20_000);
    let mut record = started(&whole);
    let mut keeper = store.begin(&record).unwrap();
    let id = keeper.id();
    // a disk without room: as many pages as there are
    let pages: u32 = keeper_pragma(&keeper, "page_count");
    keeper_set(&keeper, pages);
    grow(&mut record, &whole);
    let full = keeper.keep(&record).expect_err("there is no room");
    assert!(matches!(full, StoreError::Write { .. }));
    assert_eq!(store.record(id).unwrap().runs.len(), 0);
    keeper_set(&keeper, 1_000_000);
    grow(&mut record, &whole);
    keeper.keep(&record).unwrap();
    let kept = store.record(id).unwrap();
    assert!(kept.runs == record.runs && kept.samples == record.samples);
}

fn keeper_pragma(keeper: &RunKeeper, name: &str) -> u32 {
    keeper.connection().query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
}

fn keeper_set(keeper: &RunKeeper, pages: u32) {
    let set = format!("PRAGMA max_page_count = {pages}");
    let _: u32 = keeper.connection().query_row(&set, [], |row| row.get(0)).unwrap();
}

#[test]
fn the_list_is_searched_sorted_and_paged() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut first = named("qwen3-4b", "2026-01-01T00:00:00Z");
    first.header.model.quantization = Some("Q8_0".into());
    let mut second = named("Gemma-100%", "2026-01-03T00:00:00Z");
    second.header.server.simulated = true;
    second.header.environment.chip = Some("Apple M1".into());
    let third = named("qwen3-8b", "2026-01-02T00:00:00Z");
    let (first, second, third) = (keep(&store, &first).0, keep(&store, &second).0, keep(&store, &third).0);
    store.rename(RunId(third), "  Battery  ").unwrap();
    let list = |filter: &Filter, by, ascending, limit, offset| {
        ids(&store.list(filter, ListOrder { by, ascending }, limit, offset).unwrap())
    };
    let every = Filter::default();
    assert_eq!(list(&every, SortBy::Started, false, 10, 0), [second, third, first]);
    assert_eq!(list(&every, SortBy::Started, true, 10, 0), [first, third, second]);
    assert_eq!(list(&every, SortBy::Started, false, 1, 1), [third]);
    assert_eq!(list(&every, SortBy::Name, true, 10, 0), [third, second, first], "a name counts before the model");
    assert_eq!(list(&every, SortBy::Model, true, 10, 0), [second, first, third]);
    let text = |text: &str| Filter { text: Some(text.into()), ..Filter::default() };
    assert_eq!(list(&text("QWEN"), SortBy::Started, true, 10, 0), [first, third]);
    assert_eq!(list(&text("battery"), SortBy::Started, true, 10, 0), [third]);
    assert_eq!(list(&text("q8"), SortBy::Started, true, 10, 0), [first]);
    assert_eq!(list(&text("apple"), SortBy::Started, true, 10, 0), [second]);
    assert_eq!(list(&text("%"), SortBy::Started, true, 10, 0), [second], "nothing in a text is a wildcard");
    let model = Filter { model: Some("8B".into()), ..Filter::default() };
    assert_eq!(list(&model, SortBy::Started, true, 10, 0), [third]);
    let measured = Filter { simulated: Some(false), ..Filter::default() };
    assert_eq!(list(&measured, SortBy::Started, true, 10, 0), [first, third]);
    assert_eq!((store.count(&every).unwrap(), store.count(&measured).unwrap()), (3, 2));
    store.rename(RunId(third), "").unwrap();
    assert_eq!(store.row(RunId(third)).unwrap().unwrap().name, None);
}

#[test]
fn missing_figures_come_last_in_both_directions() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let with = keep(&store, &record_with(9));
    let without = keep(&store, &named("other", "2026-05-05T00:00:00Z"));
    for ascending in [true, false] {
        let order = ListOrder { by: SortBy::NetEnergyPerToken, ascending };
        assert_eq!(ids(&store.list(&Filter::default(), order, 9, 0).unwrap()), [with.0, without.0]);
    }
}

#[test]
fn a_deleted_run_is_gone_with_its_samples_and_its_number_is_not_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let (kept, deleted) = (keep(&store, &record_with(1)), keep(&store, &record_with(9)));
    let pages =
        |store: &Store| store.connection.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0)).unwrap();
    let before = pages(&store);
    store.delete(deleted).unwrap();
    assert!(pages(&store) < before, "the space is given back");
    assert!(matches!(store.get(deleted), Err(StoreError::NoSuchRun { .. })));
    for table in ["records", "prompts", "samples"] {
        let count = format!("SELECT count(*) FROM {table} WHERE run_id = ?1");
        assert_eq!(store.connection.query_row(&count, [deleted.0], |row| row.get::<_, u32>(0)).unwrap(), 0, "{table}");
    }
    assert!(matches!(store.delete(deleted), Err(StoreError::NoSuchRun { .. })));
    assert!(matches!(store.rename(deleted, "x"), Err(StoreError::NoSuchRun { .. })));
    assert!(store.get(kept).is_ok());
    assert!(keep(&store, &record_with(2)) > deleted);
}

#[test]
fn a_page_says_how_many_runs_match_on_all_pages() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for (model, day) in [("qwen", "01"), ("llama", "02"), ("qwen", "03")] {
        keep(&store, &named(model, &format!("2026-01-{day}T00:00:00Z")));
    }
    let query = |text: Option<&str>, limit, offset| RunQuery {
        text: text.map(str::to_owned),
        simulated: None,
        by: SortBy::Started,
        ascending: false,
        limit,
        offset,
    };
    let page = store.page(&query(Some(" QWEN "), 1, 1)).unwrap();
    assert_eq!((ids(&page.rows), page.total), (vec![1], 2));
    assert_eq!(store.page(&query(Some(" "), u32::MAX, 0)).unwrap().rows.len(), 3, "white space is no text");
    let measured = RunQuery { simulated: Some(true), ..query(None, 10, 0) };
    assert_eq!(store.page(&measured).unwrap(), RunList { rows: Vec::new(), total: 0 });
}

#[test]
fn the_detail_of_a_run_counts_its_samples_and_leaves_them_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let whole = record_with(2);
    let id = keep(&store, &whole);
    let detail = store.detail(id).unwrap();
    assert_eq!(detail.sample_count as usize, whole.samples.len());
    assert_eq!(detail.scope, "GPU + CPU + ANE");
    assert!(detail.ttft_median_ms.is_some());
    let report = serde_json::to_value(&detail).unwrap()["report"].take();
    assert_eq!(report.get("samples"), None);
    assert_eq!(report["checksum"], serde_json::json!(report::derive(&whole).checksum));
    assert!(matches!(store.detail(RunId(99)), Err(StoreError::NoSuchRun { .. })));
}

#[test]
fn of_several_runs_all_that_can_be_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let (first, second) = (keep(&store, &record_with(1)), keep(&store, &record_with(1)));
    let whole = record_with(2);
    let mut going = started(&whole);
    let mut keeper = store.begin(&going).unwrap();
    grow(&mut going, &whole);
    keeper.keep(&going).unwrap();
    let running = all(&store).iter().map(|row| row.id).max().unwrap();
    let deleted = store.delete_all(&[first, running, RunId(99), second]);
    assert!(matches!(deleted, Err(StoreError::Running { id }) if id == running));
    assert_eq!(ids(&all(&store)), [running.0]);
    drop(keeper);
    store.delete_all(&[running, first]).unwrap();
    assert_eq!(all(&store), []);
}

#[test]
fn changed_facts_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let id = keep(&store, &record_with(2));
    store.connection.execute("UPDATE prompts SET run = replace(run, 'two', 'six') WHERE position = 1", []).unwrap();
    assert!(matches!(store.get(id), Err(StoreError::Damaged { source: Damage::Seal, .. })));
    store.connection.execute("UPDATE records SET seal = NULL", []).unwrap();
    assert!(store.get(id).is_ok(), "without a seal nobody can tell");
    store.connection.execute("UPDATE samples SET rows = x'0901'", []).unwrap();
    assert!(matches!(store.get(id), Err(StoreError::Damaged { source: Damage::Form(FormError::Version(9)), .. })));
}

#[test]
fn two_writers_and_a_reader_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let writers = ["one", "two"].map(|model| {
            let folder = &folder;
            scope.spawn(move || {
                let store = open(folder);
                let mut whole = record_with(9);
                whole.header.model.key = model.into();
                keep(&store, &whole)
            })
        });
        let store = open(&folder);
        for _ in 0..20 {
            assert!(all(&store).len() <= 2);
            store.settle().unwrap();
        }
        for writer in writers {
            let id = writer.join().unwrap();
            assert_eq!(store.get(id).unwrap().prompts.len(), 9);
        }
        assert_eq!(all(&store).iter().filter(|row| row.state == RunState::Completed).count(), 2);
    });
}

#[test]
fn an_empty_file_becomes_a_history_and_steps_are_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("history.sqlite"), "").unwrap();
    let store = open(&folder);
    assert_eq!(schema::version(&store.connection).unwrap(), schema::known_version());
    let id = keep(&store, &record_with(1));
    drop(store);

    // a version that is still to come
    let mut connection = Connection::open(folder.path().join("history.sqlite")).unwrap();
    let next = "ALTER TABLE runs ADD COLUMN mood TEXT; UPDATE runs SET mood = 'good'";
    let steps = [schema::STEPS, &[next]].concat();
    schema::migrate(&mut connection, &steps).unwrap();
    schema::migrate(&mut connection, &steps).unwrap();
    assert_eq!(connection.query_row("SELECT mood FROM runs", [], |row| row.get::<_, String>(0)).unwrap(), "good");
    let failing = [&steps[..], &["CREATE TABLE half (x); no sql"]].concat();
    assert!(schema::migrate(&mut connection, &failing).is_err());
    assert!(connection.query_row("SELECT * FROM half", [], |_| Ok(())).is_err(), "all of a step or nothing");
    drop(connection);

    // which is what a newer version looks like to this one
    let Opened { store, notice } = Store::open(folder.path()).unwrap();
    let known = schema::known_version();
    assert_eq!(notice, Some(Notice::Newer { found: known + 1, known }));
    assert!(!store.is_writable());
    assert!(store.get(id).is_ok() && all(&store).len() == 1);
    assert!(matches!(store.begin(&record_with(1)), Err(StoreError::ReadOnly { .. })));
    assert!(matches!(store.rename(id, "x"), Err(StoreError::ReadOnly { .. })));
    assert!(matches!(store.delete(id), Err(StoreError::ReadOnly { .. })));
    assert!(notice.unwrap().to_string().contains("newer Joulebar"));
}

#[test]
fn a_damaged_database_is_set_aside_with_all_that_belongs_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    let garbage = "this is no database, however long it may be ".repeat(100);
    std::fs::write(&path, &garbage).unwrap();
    std::fs::write(folder.path().join("history.sqlite-wal"), "old").unwrap();
    let Opened { store, notice } = Store::open(folder.path()).unwrap();
    let aside = |number: u32| -> PathBuf { folder.path().join(format!("history.damaged-{number}.sqlite")) };
    assert_eq!(notice, Some(Notice::SetAside { to: aside(1) }));
    assert_eq!(std::fs::read_to_string(aside(1)).unwrap(), garbage);
    assert_eq!(std::fs::read_to_string(folder.path().join("history.damaged-1.sqlite-wal")).unwrap(), "old");
    keep(&store, &record_with(9));
    drop(store);

    // cut in the middle, as by a full disk
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2 / 4096 * 4096]).unwrap();
    let Opened { store, notice } = Store::open(folder.path()).unwrap();
    assert_eq!(notice, Some(Notice::SetAside { to: aside(2) }));
    assert_eq!(all(&store), []);
    keep(&store, &record_with(1));
    drop(store);
    assert_eq!(open(&folder).count(&Filter::default()).unwrap(), 1);

    // a database of another program
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE runs (id INTEGER PRIMARY KEY)").unwrap();
    let notice = Store::open(folder.path()).unwrap().notice;
    assert_eq!(notice, Some(Notice::SetAside { to: aside(3) }));
    let kept: Vec<_> = files(&folder).into_iter().filter(|name| name.ends_with(".sqlite")).collect();
    let expected =
        ["history.damaged-1.sqlite", "history.damaged-2.sqlite", "history.damaged-3.sqlite", "history.sqlite"];
    assert_eq!(kept, expected);
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Store::open(&file.join("data")), Err(StoreError::Folder { .. })));
}

/// Runs `test` without root's right to write anywhere, on a thread of its own.
#[cfg(target_os = "linux")]
fn as_nobody<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let run = || {
            // SAFETY: changes the file-system identity of this thread alone; a user who is not root keeps it unchanged.
            unsafe { libc::setfsuid(65_534) };
            test()
        };
        scope.spawn(run).join().unwrap()
    })
}

#[cfg(target_os = "linux")]
#[test]
fn a_history_that_cannot_be_written_can_be_read() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let folder = place.path().join("a b?%");
    let store = Store::open(&folder).unwrap().store;
    let id = keep(&store, &record_with(2));
    let path = store.path().to_owned();
    drop(store);
    std::fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    as_nobody(|| {
        let Opened { store, notice } = Store::open(&folder).unwrap();
        assert_eq!(notice, Some(Notice::ReadOnly { path: path.clone() }));
        assert_eq!(store.get(id).unwrap().prompts.len(), 2);
        assert_eq!(ids(&all(&store)), [id.0]);
        assert!(matches!(store.begin(&record_with(1)), Err(StoreError::ReadOnly { .. })));
        assert!(matches!(Store::open(&folder.join("deeper")), Err(StoreError::Folder { .. })));
    });
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    as_nobody(|| {
        let Opened { store, notice } = Store::open(&folder).unwrap();
        assert!(matches!(notice, Some(Notice::ReadOnly { .. })), "{notice:?}");
        assert!(store.get(id).is_ok());
    });
}

#[test]
fn a_keeper_can_move_between_threads() {
    fn movable<T: Send>() {}
    movable::<RunKeeper>();
    movable::<Store>();
}
