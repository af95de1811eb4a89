//! The suites.

use std::io::Write;
use std::path::Path;

use joulebar_core::files::{NewFile, resolve};
use joulebar_core::live::Failure;
use joulebar_core::live::state::FailureCode;
use joulebar_core::suite::Suite;
use joulebar_core::suite_library::{SuiteEntry, estimate_tokens as estimate, to_toml};
use tauri::{AppHandle, State};
use tauri_plugin_dialog::DialogExt;

use super::files::choose;
use crate::error::{Answer, CommandError};
use crate::state::AppState;

/// All suites that can be used.
#[tauri::command]
pub async fn list_suites(state: State<'_, AppState>) -> Answer<Vec<SuiteEntry>> {
    Ok(state.live.suites().list().map_err(Failure::from)?.0)
}

/// Saves a suite.
#[tauri::command]
pub async fn save_suite(state: State<'_, AppState>, previous: Option<String>, suite: Suite) -> Answer<SuiteEntry> {
    Ok(state.live.suites().save(previous.as_deref(), suite).map_err(Failure::from)?)
}

/// Deletes a suite.
#[tauri::command]
pub async fn delete_suite(state: State<'_, AppState>, name: String) -> Answer<()> {
    Ok(state.live.suites().delete(&name).map_err(Failure::from)?)
}

/// Takes a suite over from a file; none when the user thought better of it.
#[tauri::command]
pub async fn import_suite(app: AppHandle, state: State<'_, AppState>) -> Answer<Option<SuiteEntry>> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let dialog = app.dialog().file().add_filter("Suite", &["toml"]);
    dialog.pick_file(move |path| drop(answer.send(path)));
    let Some(path) = answered.await.ok().flatten().and_then(|path| path.into_path().ok()) else { return Ok(None) };
    Ok(Some(state.live.suites().import(&path).map_err(Failure::from)?))
}

/// Writes a suite to a file; false when the user thought better of it.
#[tauri::command]
pub async fn export_suite(app: AppHandle, state: State<'_, AppState>, name: String) -> Answer<bool> {
    let suite = state.live.suites().find(&name).map_err(Failure::from)?.suite;
    let text = to_toml(&suite).map_err(|error| CommandError::new(FailureCode::Failed, error.to_string()))?;
    let Some(path) = choose(&app, &format!("{name}.toml"), ("Suite", "toml")).await else { return Ok(false) };
    let written = tauri::async_runtime::spawn_blocking(move || write(&path, &text));
    written.await?.map_err(|error| Failure::of_file(&error))?;
    Ok(true)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = NewFile::create_or_overwrite(&resolve(path))?;
    file.write_all(text.as_bytes())?;
    file.settle().map(drop)
}

/// About how many tokens a text has.
#[tauri::command]
pub async fn estimate_tokens(text: String) -> Answer<u32> {
    Ok(estimate(&text))
}
