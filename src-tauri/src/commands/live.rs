//! The run, and what it needs.

use joulebar_core::live::state::FailureCode;
use joulebar_core::settings::Preset;
use joulebar_core::store::RunId;
use tauri::State;

use crate::error::{Answer, CommandError};
use crate::state::AppState;

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
