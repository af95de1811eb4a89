//! The history.

use joulebar_core::sample_columns::write_columns;
use joulebar_core::store::{RunDetail, RunId, RunList, RunQuery};
use tauri::State;
use tauri::ipc::Response;

use crate::error::Answer;
use crate::state::AppState;

/// A part of the list.
#[tauri::command]
pub async fn list_runs(state: State<'_, AppState>, query: RunQuery) -> Answer<RunList> {
    Ok(state.live.with_store(move |store| Ok(store.page(&query)?)).await?)
}

/// One run.
#[tauri::command]
pub async fn run_detail(state: State<'_, AppState>, id: u32) -> Answer<RunDetail> {
    let detail = state.live.with_store(move |store| Ok(store.detail(RunId(id))?)).await?;
    state.live.mark_seen();
    Ok(detail)
}

/// The samples of one run, as columns.
#[tauri::command]
pub async fn run_samples(state: State<'_, AppState>, id: u32) -> Answer<Response> {
    let columns = state.live.with_store(move |store| Ok(write_columns(&store.record(RunId(id))?.samples)));
    Ok(Response::new(columns.await?))
}

/// Names a run.
#[tauri::command]
pub async fn rename_run(state: State<'_, AppState>, id: u32, name: String) -> Answer<()> {
    state.live.with_store(move |store| Ok(store.rename(RunId(id), &name)?)).await?;
    state.live.refresh_history().await;
    Ok(())
}

/// Deletes runs. All that can be deleted are, before one that can't is told.
#[tauri::command]
pub async fn delete_runs(state: State<'_, AppState>, ids: Vec<RunId>) -> Answer<()> {
    let deleted = state.live.with_store(move |store| Ok(store.delete_all(&ids)?)).await;
    state.live.refresh_history().await;
    Ok(deleted?)
}
