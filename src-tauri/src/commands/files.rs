//! Reports that leave the app: files and the clipboard.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use joulebar_core::files::{NewFile, resolve};
use joulebar_core::live::Failure;
use joulebar_core::live::state::FailureCode;
use joulebar_core::report::{Report, markdown, write_report};
use joulebar_core::sample_row::write_csv;
use joulebar_core::store::RunId;
use serde::Deserialize;
use tauri::{AppHandle, Manager, State};
use tauri_plugin_dialog::DialogExt;

use crate::clipboard::TextClipboard;
use crate::error::{Answer, CommandError};
use crate::state::AppState;

/// What a file holds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The report, as `joulebar verify` accepts it.
    Json,
    /// The samples.
    Csv,
}

/// Exports a run; false when the user thought better of it.
#[tauri::command]
pub async fn export_run(app: AppHandle, state: State<'_, AppState>, id: u32, format: Format) -> Answer<bool> {
    let report = state.live.with_store(move |store| Ok(store.get(RunId(id))?)).await?;
    export(&app, Arc::new(report), format).await
}

/// Copies a run as Markdown.
#[tauri::command]
pub async fn copy_markdown(app: AppHandle, state: State<'_, AppState>, id: u32) -> Answer<()> {
    let report = state.live.with_store(move |store| Ok(store.get(RunId(id))?)).await?;
    let copied = app.state::<TextClipboard>().write(markdown(&report));
    copied.map_err(|error| CommandError::new(FailureCode::Unavailable, format!("Nothing was copied: {error}.")))
}

/// Exports the report of the last run, from memory or from the history; false when the user thought better of it.
#[tauri::command]
pub async fn export_last(app: AppHandle) -> Answer<bool> {
    let live = app.state::<AppState>().live.clone();
    let report = match (live.last_report(), live.snapshot().last.as_ref().map(|last| last.run_id)) {
        (Some(report), _) => report,
        (None, Some(id)) => Arc::new(live.with_store(move |store| Ok(store.get(RunId(id))?)).await?),
        (None, None) => return Err(CommandError::new(FailureCode::NoSuchRun, "There is no report yet.")),
    };
    export(&app, report, Format::Json).await
}

async fn export(app: &AppHandle, report: Arc<Report>, format: Format) -> Answer<bool> {
    let name = file_name(&report, format);
    let Some(path) = choose(app, &name, format_filter(format)).await else { return Ok(false) };
    let written = tauri::async_runtime::spawn_blocking(move || write(&path, &report, format));
    written.await??;
    Ok(true)
}

fn format_filter(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Json => ("Report", "json"),
        Format::Csv => ("Samples", "csv"),
    }
}

/// Asks where a file is to go; without a question where the command line named a folder.
pub async fn choose(app: &AppHandle, name: &str, (kind, extension): (&str, &str)) -> Option<PathBuf> {
    if let Some(folder) = &app.state::<AppState>().export_to {
        return Some(folder.join(name));
    }
    let dialog = app.dialog().file().set_file_name(name).add_filter(kind, &[extension]);
    let (answer, answered) = tokio::sync::oneshot::channel();
    dialog.save_file(move |path| drop(answer.send(path)));
    answered.await.ok().flatten().and_then(|path| path.into_path().ok())
}

fn write(path: &Path, report: &Report, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => write_report(path, report).map_err(|error| Failure::of_file(&error)),
        Format::Csv => {
            let write = || -> std::io::Result<()> {
                let mut file = NewFile::create_or_overwrite(&resolve(path))?;
                write_csv(report.samples.iter().cloned(), &mut file).map_err(std::io::Error::from)?;
                file.settle().map(drop)
            };
            write().map_err(|error| Failure::of_file(&error))
        }
    }
}

/// `joulebar-qwen3-8b-2026-11-24T14-12-05.json`, with `simulated` in it where it is.
fn file_name(report: &Report, format: Format) -> String {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' }).collect()
    };
    let model = report.model.rsplit('/').next().unwrap_or(&report.model);
    let time: String = report.benchmark_id.chars().take(19).map(|c| if c == ':' { '-' } else { c }).collect();
    let simulated = if report.simulated { "simulated-" } else { "" };
    let (_, extension) = format_filter(format);
    format!("joulebar-{simulated}{}-{}.{extension}", plain(model), plain(&time))
}
