//! What Joulebar relies on, looked at.

use std::time::{Duration, Instant, SystemTime};

use joulebar_core::doctor::{CheckRow, Facts, rows};
use joulebar_core::environment::read_environment;
use joulebar_core::folders::data_folder;
use joulebar_core::live::HelperView;
use joulebar_core::settings::read_settings;
use tauri::State;

use crate::error::Answer;
use crate::state::AppState;

/// How long the clocks are compared.
const PAUSE: Duration = Duration::from_millis(100);

/// The power source.
#[tauri::command]
pub async fn helper_view(state: State<'_, AppState>) -> Answer<HelperView> {
    Ok(state.live.helper_view())
}

/// All checks.
#[tauri::command]
pub async fn diagnostics(state: State<'_, AppState>) -> Answer<Vec<CheckRow>> {
    let (monotonic, wall) = (Instant::now(), SystemTime::now());
    tokio::time::sleep(PAUSE).await;
    // a wall clock that went back took no time
    let pause_s = (monotonic.elapsed().as_secs_f64(), wall.elapsed().map_or(0.0, |pause| pause.as_secs_f64()));
    let environment = tauri::async_runtime::spawn_blocking(read_environment).await?;
    let snapshot = state.live.snapshot();
    let folder = state.live.config_folder();
    let read = read_settings(folder);
    let rows = rows(&Facts {
        helper: &state.live.helper_view(),
        power: &snapshot.power,
        server: &snapshot.server,
        history: &snapshot.history,
        data_folder: data_folder().map_or_else(|_| "—".to_owned(), |folder| folder.display().to_string()),
        settings_path: folder.join("settings.toml").display().to_string(),
        settings: match &read {
            Ok((_, wrong)) => Ok(wrong.as_slice()),
            Err(error) => Err(error.to_string()),
        },
        environment: &environment,
        pause_s,
    });
    Ok(rows)
}
