//! The whole, with real programs: the simulated helper gives power, the simulator's server answers, and both can fail.
//! The programs must lie in the target folder (`scripts/build.sh debug`).

use std::path::Path;
use std::time::Duration;

use joulebar_sim::lmstudio::{Config, Handle, Scenario, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::shared::lock;
use super::state::{FailureCode, Finished, PowerProblem, PowerState, PromptState, RunStatus, ServerState, Snapshot};
use super::*;
use crate::programs::Program;
use crate::report::{Report, read_report, verify, write_report};
use crate::session::record::EndReason;
use crate::settings::{Preset, UserSettings};
use crate::store::{RunId, RunState};

/// Generous: the machine may be busy with other things.
const LIMIT: Duration = Duration::from_secs(120);

/// Short answers.
const FAST: &str =
    "[[request]]\nmatch = \"*\"\ndecode_tokens_per_s = 200.0\noutput_tokens = 20\nprefill_fixed_ms = 50\n";
/// Answers that leave time to do something meanwhile.
const SLOW: &str = "[[request]]\nmatch = \"*\"\ndecode_tokens_per_s = 30.0\noutput_tokens = 60\n";

/// A user's folders.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Starts with these settings and the server at `url`.
    fn start(&self, mode: Mode, url: &str, settings: UserSettings) -> Live {
        Program::SimulatedHelper.find().expect("build the programs with scripts/build.sh debug");
        let settings = UserSettings { server_url: Some(url.to_owned()), ..settings };
        Live::start(LiveOptions {
            data: self.path("data"),
            config: self.path("config"),
            mode,
            settings,
            token: None,
            launcher: None,
        })
    }
}

fn short() -> UserSettings {
    UserSettings {
        interval_ms: 100,
        monitor_interval_ms: 100,
        baseline_s: 0.3,
        cooldown_s: 0.3,
        ..UserSettings::default()
    }
}

async fn server_on(scenario: &str, address: &str) -> Handle {
    let listener = TcpListener::bind(address).await.unwrap();
    serve(Config { scenario: Scenario::parse(scenario).unwrap(), ..Config::default() }, listener).unwrap()
}

async fn server(scenario: &str) -> Handle {
    server_on(scenario, "127.0.0.1:0").await
}

/// An address where nobody answers.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Waits until the snapshot is as wanted.
async fn until(live: &Live, what: &str, wanted: impl FnMut(&Snapshot) -> bool) -> Snapshot {
    let mut wanted = wanted;
    let mut changes = live.changes();
    let found = tokio::time::timeout(LIMIT, changes.wait_for(|snapshot| wanted(snapshot))).await;
    match found {
        Ok(found) => Snapshot::clone(&found.unwrap()),
        Err(_) => panic!("never {what}: {:#?}", live.snapshot()),
    }
}

async fn ready(live: &Live) -> Snapshot {
    until(live, "ready", |snapshot| snapshot.can_run).await
}

/// Waits until prompt `position` generates.
async fn decoding(live: &Live, position: u32) -> Snapshot {
    until(live, "decoding", |snapshot| {
        matches!(&snapshot.run, RunStatus::Running { progress }
            if progress.position == position && progress.phase == crate::session::machine::Phase::Decode)
    })
    .await
}

async fn finished(live: &Live) -> Finished {
    let over = |snapshot: &Snapshot| matches!(snapshot.run, RunStatus::Finished { .. } | RunStatus::Failed { .. });
    match until(live, "over", over).await.run {
        RunStatus::Finished { result } => result,
        other => panic!("{other:?}"),
    }
}

async fn failed(live: &Live) -> (FailureCode, String) {
    match until(live, "over", |snapshot| matches!(snapshot.run, RunStatus::Failed { .. })).await.run {
        RunStatus::Failed { code, message } => (code, message),
        other => panic!("{other:?}"),
    }
}

/// The report must be one that `joulebar verify` accepts.
fn check(report: &Report) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    write_report(&path, report).unwrap();
    let (report, json) = read_report(&path).unwrap();
    verify(&report, &json).unwrap();
}

async fn state_of(live: &Live, id: u32) -> RunState {
    live.with_store(move |store| Ok(store.row(RunId(id))?.unwrap().state)).await.unwrap()
}

/// Kills the programs that simulate power for `live`: their command lines hold its folder.
async fn kill_power(live: &Live) {
    let activity = live.shared.demo.lock().await.as_ref().unwrap().stage.activity();
    let pattern = activity.display().to_string();
    let found = std::process::Command::new("pgrep").args(["-f", &pattern]).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let pids: Vec<libc::pid_t> = found.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert!(!pids.is_empty());
    for pid in pids {
        // SAFETY: kill takes two numbers.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_kept_and_reported() {
    let (home, server) = (Home::new(), server(FAST).await);
    let live = home.start(Mode::DemoPower, &server.base_url(), short());
    let mut subscription = live.subscribe();
    let before = ready(&live).await;
    assert!(before.simulated && !before.demo && matches!(before.server, ServerState::Ready { simulated: true, .. }));
    assert!(matches!(before.power, PowerState::Live { .. }));
    assert_eq!(before.blocked, None);
    assert!(before.estimate.starts_with("9 prompts, 1 pass."), "{}", before.estimate);

    live.start_run(Preset::Full, None).unwrap();
    assert_eq!(live.start_run(Preset::Full, None).unwrap_err().code, FailureCode::AlreadyRunning);
    assert_eq!(live.load_model("any").await.unwrap_err().code, FailureCode::AlreadyRunning);
    assert_eq!(live.set_demo(true).await.unwrap_err().code, FailureCode::AlreadyRunning);
    let third = decoding(&live, 3).await;
    let RunStatus::Running { progress } = &third.run else { panic!("it runs") };
    assert_eq!(progress.prompts[..4], [PromptState::Done, PromptState::Done, PromptState::Now, PromptState::ToCome]);
    assert!(progress.simulated && progress.eta_s.is_some() && !third.can_run);
    let title = live.menu_bar().title.unwrap();
    assert!(title.contains("/9") && title.ends_with("sim"), "{title}");

    let result = finished(&live).await;
    assert_eq!((result.done, result.planned, result.end_reason), (9, 9, EndReason::Completed));
    assert!(result.simulated && !result.seen && result.gross_energy_j.is_some());
    assert_eq!(live.menu_bar().glyph, menu_bar::Glyph::Done);
    live.mark_seen();
    assert_ne!(live.menu_bar().glyph, menu_bar::Glyph::Done);
    check(&live.last_report().unwrap());
    let after = live.snapshot();
    assert_eq!((after.history.count, after.last.as_ref().map(|last| Some(last.run_id))), (1, Some(result.run_id)));
    assert_eq!((after.unfinished.as_ref(), after.history.notice.as_deref()), (None, None));
    let id = RunId(result.run_id.unwrap());
    check(&live.with_store(move |store| Ok(store.get(id)?)).await.unwrap());

    // the monitor goes on where the run's own samples ended, on one clock
    until(&live, "live again", |snapshot| snapshot.can_run && matches!(snapshot.power, PowerState::Live { .. })).await;
    let mut samples = std::mem::take(&mut subscription.recent);
    while let Ok(sample) = subscription.samples.try_recv() {
        samples.push(sample);
    }
    assert!(samples.len() > 30, "{}", samples.len());
    assert!(samples.windows(2).all(|pair| pair[0].end_ns < pair[1].end_ns), "samples are in order on one clock");
    let spans = live.phases();
    assert!(spans.len() >= 36 && spans.windows(2).all(|pair| pair[0].end_ns == Some(pair[1].start_ns)));
    live.dismiss_result();
    assert_eq!(live.snapshot().run, RunStatus::Idle);
    live.shut_down().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_runs_without_anything_else_and_a_stopped_run_goes_on_later() {
    let home = Home::new();
    let settings = UserSettings { preset: Preset::Quick, ..short() };
    let live = home.start(Mode::Demo, &nowhere().await, settings.clone());
    let before = ready(&live).await;
    assert!(before.demo && before.simulated && before.estimate.starts_with("3 prompts, 1 pass."));
    assert_eq!(live.stop_run().unwrap_err().code, FailureCode::NotRunning);
    live.start_run(Preset::Quick, None).unwrap();
    decoding(&live, 1).await;
    live.stop_run().unwrap();
    until(&live, "stopping", |snapshot| matches!(&snapshot.run, RunStatus::Running { progress } if progress.stopping))
        .await;
    let stopped = finished(&live).await;
    assert_eq!((stopped.done, stopped.planned, stopped.end_reason), (1, 3, EndReason::Interrupted));
    assert!(stopped.message.as_deref().unwrap().starts_with("Stopped after 1 of 3 prompts."), "{:?}", stopped.message);
    assert_eq!((stopped.net_energy_per_token_j, live.snapshot().last.as_ref()), (None, None));
    live.shut_down().await;

    let live = home.start(Mode::Demo, &nowhere().await, settings);
    let offered = until(&live, "offered", |snapshot| snapshot.can_run && snapshot.unfinished.is_some()).await;
    let offered = offered.unfinished.unwrap();
    assert_eq!((Some(offered.run_id), offered.done, offered.planned), (stopped.run_id, 1, 3));
    live.resume_run(RunId(offered.run_id)).unwrap();
    let result = finished(&live).await;
    assert_eq!((result.run_id, result.done, result.end_reason), (stopped.run_id, 3, EndReason::Completed));
    assert_eq!((live.snapshot().unfinished.as_ref(), live.snapshot().history.count), (None, 1));
    check(&live.last_report().unwrap());
    live.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_ends_the_run_and_loses_no_prompt() {
    let (home, server) = (Home::new(), server(SLOW).await);
    let (url, address) = (server.base_url(), server.address().to_string());
    let live = home.start(Mode::DemoPower, &url, short());
    ready(&live).await;
    live.start_run(Preset::Full, None).unwrap();
    decoding(&live, 2).await;
    server.stop().await;
    let result = finished(&live).await;
    assert_eq!((result.done, result.end_reason), (1, EndReason::ServerLost));
    let message = result.message.unwrap();
    assert_eq!(message, "The server stopped answering. Stopped after 1 of 9 prompts.");
    check(&live.last_report().unwrap());
    let id = result.run_id.unwrap();
    assert_eq!(state_of(&live, id).await, RunState::Interrupted);
    let gone = until(&live, "gone", |snapshot| matches!(snapshot.server, ServerState::NotRunning { .. })).await;
    assert_eq!((gone.can_run, gone.blocked.as_deref()), (false, Some("Needs LM Studio.")));
    assert!(matches!(gone.power, PowerState::Live { .. } | PowerState::Held { .. } | PowerState::Starting));

    live.dismiss_result();
    live.start_run(Preset::Full, None).unwrap();
    assert_eq!(failed(&live).await.0, FailureCode::NeedsServer);
    let server = server_on(FAST, &address).await;
    live.check_server();
    ready(&live).await;
    live.resume_run(RunId(id)).unwrap();
    // the status is still that of the attempt before
    until(&live, "running", |snapshot| matches!(snapshot.run, RunStatus::Running { .. })).await;
    let result = finished(&live).await;
    assert_eq!((result.run_id, result.done, result.end_reason), (Some(id), 9, EndReason::Completed));
    live.shut_down().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn power_that_goes_ends_the_run_and_is_watched_again() {
    let (home, server) = (Home::new(), server(SLOW).await);
    let live = home.start(Mode::DemoPower, &server.base_url(), short());
    ready(&live).await;
    kill_power(&live).await;
    let lost = until(&live, "lost", |snapshot| matches!(snapshot.power, PowerState::None { .. })).await;
    assert!(matches!(&lost.power, PowerState::None { reason: PowerProblem::Ended, message } if !message.is_empty()));
    assert_eq!(lost.blocked.as_deref(), Some("Needs the helper."));
    assert!(live.menu_bar().title.unwrap().contains('\u{2014}'));
    live.restart_power();
    ready(&live).await;

    live.start_run(Preset::Full, None).unwrap();
    decoding(&live, 2).await;
    kill_power(&live).await;
    let result = finished(&live).await;
    assert_eq!((result.done, result.end_reason), (1, EndReason::PowerLost));
    let message = result.message.unwrap();
    assert!(message.starts_with("The power source failed"), "{message}");
    assert!(message.ends_with("Stopped after 1 of 9 prompts."), "{message}");
    check(&live.last_report().unwrap());
    assert_eq!(state_of(&live, result.run_id.unwrap()).await, RunState::Interrupted);
    ready(&live).await;
    live.shut_down().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_history_goes_on_and_can_be_exported() {
    let (home, server) = (Home::new(), server(FAST).await);
    // a file in the folder's place: nothing can be made in it, whoever tries
    std::fs::write(home.path("data"), "").unwrap();
    let live = home.start(Mode::DemoPower, &server.base_url(), short());
    let before = ready(&live).await;
    assert!(!before.history.writable && before.history.notice.is_some());
    live.start_run(Preset::Quick, None).unwrap();
    let second = decoding(&live, 2).await;
    let RunStatus::Running { progress } = second.run else { panic!("it runs") };
    assert!(progress.notice.unwrap().starts_with("This run is not kept in the history."));
    let result = finished(&live).await;
    assert_eq!((result.run_id, result.done, result.end_reason), (None, 3, EndReason::Completed));
    assert!(result.message.unwrap().starts_with("This run is not kept in the history."));
    check(&live.last_report().unwrap());
    assert!(live.menu_bar().can_export);
    live.shut_down().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_takes_no_more_prompts_does_not_stop_the_run() {
    let (home, server) = (Home::new(), server(FAST).await);
    let live = home.start(Mode::DemoPower, &server.base_url(), short());
    ready(&live).await;
    live.start_run(Preset::Quick, None).unwrap();
    until(&live, "running", |snapshot| matches!(snapshot.run, RunStatus::Running { .. })).await;
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON prompts BEGIN SELECT RAISE(ABORT, 'there is no room'); END";
    rusqlite::Connection::open(home.path("data/history.sqlite")).unwrap().execute_batch(refuse).unwrap();
    let noticed = until(
        &live,
        "noticed",
        |snapshot| matches!(&snapshot.run, RunStatus::Running { progress } if progress.notice.is_some()),
    )
    .await;
    let RunStatus::Running { progress } = noticed.run else { panic!("it runs") };
    assert!(progress.notice.unwrap().contains("there is no room"));
    let result = finished(&live).await;
    assert_eq!((result.run_id, result.done, result.end_reason), (None, 3, EndReason::Completed));
    assert!(result.message.unwrap().contains("stays unfinished in the history"));
    check(&live.last_report().unwrap());
    live.shut_down().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_measure_with_is_said_and_not_shown_as_zero() {
    let home = Home::new();
    let live = home.start(Mode::Real, &nowhere().await, short());
    let state = until(&live, "looked", |snapshot| {
        matches!(snapshot.server, ServerState::NotRunning { .. })
            && matches!(snapshot.power, PowerState::None { .. } | PowerState::Live { .. })
    })
    .await;
    assert!(!state.simulated && !state.can_run);
    if let PowerState::None { message, .. } = &state.power {
        assert!(message.ends_with('.'), "{message}");
        let title = live.menu_bar().title.unwrap();
        assert!(title.contains('\u{2014}') && !title.contains('0') && !title.contains("sim"), "{title}");
        assert_eq!(state.blocked.as_deref(), Some("Needs the helper."));
    }
    assert!(!live.test_connection(None).await.ok);
    live.start_run(Preset::Quick, None).unwrap();
    assert_eq!(failed(&live).await.0, FailureCode::NeedsServer);
    live.resume_run(RunId(7)).unwrap();
    until(&live, "unknown", |snapshot| matches!(snapshot.run, RunStatus::Failed { code: FailureCode::NoSuchRun, .. }))
        .await;
    live.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_the_demo_away_leaves_nothing_simulated_on_the_screen() {
    let home = Home::new();
    let live = home.start(Mode::Demo, &nowhere().await, short());
    ready(&live).await;
    assert!(!live.subscribe().recent.is_empty() && live.helper_view().simulated);
    live.set_demo(false).await.unwrap();
    let real = until(&live, "real", |snapshot| {
        !snapshot.simulated && matches!(snapshot.server, ServerState::NotRunning { .. })
    })
    .await;
    assert!(!real.demo);
    until(&live, "without power", |snapshot| !matches!(snapshot.power, PowerState::Starting)).await;
    assert!(!live.helper_view().simulated);
    assert!(live.snapshot().power != PowerState::Starting && !lock(&live.shared.feed).is_simulated());
    live.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_everything_leaves_no_program_and_an_interrupted_run() {
    let (home, server) = (Home::new(), server(SLOW).await);
    let live = home.start(Mode::DemoPower, &server.base_url(), short());
    ready(&live).await;
    live.start_run(Preset::Full, None).unwrap();
    decoding(&live, 2).await;
    let activity = live.shared.demo.lock().await.as_ref().unwrap().stage.activity();
    live.shut_down().await;
    let (_, left) = (drop(live), still_running(&activity).await);
    assert_eq!(left, "");
    let live = home.start(Mode::DemoPower, &server.base_url(), short());
    let offered = until(&live, "offered", |snapshot| snapshot.unfinished.is_some()).await.unfinished.unwrap();
    assert_eq!((offered.done, offered.planned), (1, 9));
    live.dismiss_unfinished(RunId(offered.run_id));
    assert_eq!(live.snapshot().unfinished, None);
    live.shut_down().await;
    server.stop().await;
}

/// Programs whose command lines hold `path`, after some time to end in.
async fn still_running(path: &Path) -> String {
    let mut found = String::new();
    for _ in 0..50 {
        let output = std::process::Command::new("pgrep").arg("-f").arg(path).output().unwrap();
        found = String::from_utf8(output.stdout).unwrap();
        if found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    found
}
