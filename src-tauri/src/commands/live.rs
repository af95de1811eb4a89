//! What is so now, and the run.

use std::time::Duration;

use joulebar_core::live::Live;
use joulebar_core::live::state::{FailureCode, LiveMessage, LiveSample, PhaseSpan, Snapshot};
use joulebar_core::settings::Preset;
use joulebar_core::store::RunId;
use tauri::ipc::Channel;
use tauri::{State, WebviewWindow};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::error::{Answer, CommandError};
use crate::state::AppState;

/// Messages are gathered for so long: one for each frame that a page could draw.
const FRAME: Duration = Duration::from_millis(33);

/// Follows what is so on a channel, as long as the page wants; the number ends it.
#[tauri::command]
pub async fn watch(window: WebviewWindow, state: State<'_, AppState>, channel: Channel<LiveMessage>) -> Answer<u32> {
    let live = state.live.clone();
    let page = window.clone();
    let task = tauri::async_runtime::spawn(async move { follow(live, page, channel).await });
    Ok(state.keep(window.label(), task))
}

/// Ends what `watch` began.
#[tauri::command]
pub async fn unwatch(state: State<'_, AppState>, id: u32) -> Answer<()> {
    state.end(id);
    Ok(())
}

async fn follow(live: Live, page: WebviewWindow, channel: Channel<LiveMessage>) {
    let _observer = live.observe();
    let mut changes = live.changes();
    let mut subscription = live.subscribe();
    let mut phases = live.phases();
    let first = LiveMessage {
        snapshot: Some(Snapshot::clone(&changes.borrow_and_update())),
        samples: std::mem::take(&mut subscription.recent),
        phases: Some(phases.clone()),
        now_ns: live.now().0,
    };
    if channel.send(first).is_err() {
        return;
    }
    let mut samples: Vec<LiveSample> = Vec::new();
    loop {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            sample = subscription.samples.recv() => match sample {
                Ok(sample) => samples.push(sample),
                Err(RecvError::Lagged(_)) => start_over(&live, &mut subscription, &mut samples),
                Err(RecvError::Closed) => return,
            },
        }
        tokio::time::sleep(FRAME).await;
        loop {
            match subscription.samples.try_recv() {
                Ok(sample) => samples.push(sample),
                Err(TryRecvError::Lagged(_)) => start_over(&live, &mut subscription, &mut samples),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if !page.is_visible().unwrap_or(false) {
            // a hidden page draws nothing; what it missed comes with the next message
            continue;
        }
        let snapshot = changes.has_changed().unwrap_or(false).then(|| changes.borrow_and_update().clone());
        let snapshot = snapshot.or_else(|| samples.is_empty().then(|| changes.borrow_and_update().clone()));
        let message = LiveMessage {
            snapshot: snapshot.map(|snapshot| Snapshot::clone(&snapshot)),
            samples: std::mem::take(&mut samples),
            phases: changed_phases(&live, &mut phases),
            now_ns: live.now().0,
        };
        if channel.send(message).is_err() {
            return;
        }
    }
}

fn start_over(live: &Live, subscription: &mut joulebar_core::live::Subscription, samples: &mut Vec<LiveSample>) {
    *subscription = live.subscribe();
    *samples = std::mem::take(&mut subscription.recent);
}

fn changed_phases(live: &Live, known: &mut Vec<PhaseSpan>) -> Option<Vec<PhaseSpan>> {
    let phases = live.phases();
    (phases != *known).then(|| {
        known.clone_from(&phases);
        phases
    })
}

/// Starts a run.
#[tauri::command]
pub async fn start_run(state: State<'_, AppState>, preset: Preset, model: Option<String>) -> Answer<()> {
    Ok(state.live.start_run(preset, model)?)
}

/// Stops the run: first after this prompt, then at once.
#[tauri::command]
pub async fn stop_run(state: State<'_, AppState>) -> Answer<()> {
    Ok(state.live.stop_run()?)
}

/// Goes on with an interrupted run.
#[tauri::command]
pub async fn resume_run(state: State<'_, AppState>, id: u32) -> Answer<()> {
    Ok(state.live.resume_run(RunId(id))?)
}

/// No longer offers to go on with a run.
#[tauri::command]
pub async fn dismiss_unfinished(state: State<'_, AppState>, id: u32) -> Answer<()> {
    state.live.dismiss_unfinished(RunId(id));
    Ok(())
}

/// Takes the last result from the screen.
#[tauri::command]
pub async fn dismiss_result(state: State<'_, AppState>) -> Answer<()> {
    state.live.dismiss_result();
    Ok(())
}

/// Looks at the server now.
#[tauri::command]
pub async fn check_server(state: State<'_, AppState>) -> Answer<()> {
    state.live.check_server();
    Ok(())
}

/// Starts the power source again.
#[tauri::command]
pub async fn restart_power(state: State<'_, AppState>) -> Answer<()> {
    state.live.restart_power();
    Ok(())
}

/// Loads a model.
#[tauri::command]
pub async fn load_model(state: State<'_, AppState>, key: String) -> Answer<()> {
    Ok(state.live.load_model(&key).await?)
}

/// Opens LM Studio.
#[tauri::command]
pub async fn open_lm_studio() -> Answer<()> {
    let no = |why: &str| CommandError::new(FailureCode::Unavailable, why);
    if !cfg!(target_os = "macos") {
        return Err(no("LM Studio can be opened from here on a Mac alone. Start it yourself."));
    }
    let opened = std::process::Command::new("/usr/bin/open").args(["-a", "LM Studio"]).status();
    match opened {
        Ok(status) if status.success() => Ok(()),
        _ => Err(no("LM Studio can’t be opened. Is it in Applications?")),
    }
}

/// Lets the demo stand in for server and power, or takes it away.
#[tauri::command]
pub async fn set_demo(state: State<'_, AppState>, on: bool) -> Answer<()> {
    Ok(state.live.set_demo(on).await?)
}
