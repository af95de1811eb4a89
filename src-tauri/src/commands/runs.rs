//! The history.

use joulebar_core::live::state::FailureCode;
use joulebar_core::live::{Failure, scope, ttft_median_ms};
use joulebar_core::sample_columns::write_columns;
use joulebar_core::store::{Filter, ListOrder, RunId, RunRow, SortBy};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tauri::State;
use tauri::ipc::Response;

use crate::error::Answer;
use crate::state::AppState;

/// Which runs to list.
#[derive(Debug, Deserialize)]
pub struct RunQuery {
    text: Option<String>,
    simulated: Option<bool>,
    by: SortBy,
    ascending: bool,
    limit: u32,
    offset: u32,
}

/// Runs, and how many match.
#[derive(Debug, Serialize)]
pub struct RunList {
    rows: Vec<RunRow>,
    total: u32,
}

/// A run with its report; the samples come apart.
#[derive(Debug, Serialize)]
pub struct RunDetail {
    row: RunRow,
    report: Value,
    sample_count: usize,
    scope: String,
    ttft_median_ms: Option<f64>,
}

/// A part of the list.
#[tauri::command]
pub async fn list_runs(state: State<'_, AppState>, query: RunQuery) -> Answer<RunList> {
    let list = state.live.with_store(move |store| {
        let text = query.text.filter(|text| !text.trim().is_empty());
        let filter = Filter { text, simulated: query.simulated, ..Filter::default() };
        let order = ListOrder { by: query.by, ascending: query.ascending };
        let rows = store.list(&filter, order, query.limit, query.offset)?;
        Ok(RunList { rows, total: store.count(&filter)? })
    });
    Ok(list.await?)
}

/// One run.
#[tauri::command]
pub async fn run_detail(state: State<'_, AppState>, id: u32) -> Answer<RunDetail> {
    let detail = state.live.with_store(move |store| {
        let id = RunId(id);
        let mut report = store.get(id)?;
        let row = store.row(id)?.ok_or(joulebar_core::store::StoreError::NoSuchRun { id })?;
        let samples = std::mem::take(&mut report.samples);
        let (scope, ttft_median_ms) = (scope(&report), ttft_median_ms(&report));
        let failed = |error: serde_json::Error| Failure::new(FailureCode::Failed, error.to_string());
        let mut report = serde_json::to_value(&report).map_err(failed)?;
        if let Some(members) = report.as_object_mut() {
            members.remove("samples");
        }
        Ok(RunDetail { row, report, sample_count: samples.len(), scope, ttft_median_ms })
    });
    let detail = detail.await?;
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

/// Deletes runs; the first that can't be deleted ends it.
#[tauri::command]
pub async fn delete_runs(state: State<'_, AppState>, ids: Vec<u32>) -> Answer<()> {
    let deleted = state.live.with_store(move |store| ids.into_iter().try_for_each(|id| Ok(store.delete(RunId(id))?)));
    let deleted = deleted.await;
    state.live.refresh_history().await;
    Ok(deleted?)
}
