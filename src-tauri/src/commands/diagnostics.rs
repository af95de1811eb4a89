//! What Joulebar relies on, looked at.

use std::time::{Duration, Instant, SystemTime};

use joulebar_core::doctor::gather::{Subject, read_system};
use joulebar_core::doctor::probe::{ProbePlan, probe_power};
use joulebar_core::doctor::{CheckRow, Facts, Probe, SystemFacts, rows};
use joulebar_core::environment::{Environment, read_environment};
use joulebar_core::folders::data_folder;
use joulebar_core::helper_service::machine::Wish;
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

/// Sets the helper up as a service, or removes it. What comes of it stands in [`helper_view`].
#[tauri::command]
pub async fn want_helper(state: State<'_, AppState>, wish: Wish) -> Answer<()> {
    Ok(state.live.want_helper(wish).await?)
}

/// Reads power with an administrator's password, for this once.
#[tauri::command]
pub async fn authorize_power(state: State<'_, AppState>) -> Answer<()> {
    Ok(state.live.authorize_power()?)
}

/// All checks.
#[tauri::command]
pub async fn diagnostics(state: State<'_, AppState>) -> Answer<Vec<CheckRow>> {
    let helper = state.live.helper_view();
    let path = helper.path.clone();
    let found = tauri::async_runtime::spawn_blocking(move || find(path)).await;
    let ((pause_s, probe), connection) =
        tokio::join!(async { (pause().await, probe(&state).await) }, state.live.test_connection(None));
    let (system, environment) = found?;
    let snapshot = state.live.snapshot();
    let folder = state.live.config_folder();
    let read = read_settings(folder);
    let rows = rows(&Facts {
        helper: &helper,
        power: &snapshot.power,
        server: &snapshot.server,
        api: connection.api,
        history: &snapshot.history,
        data_folder: data_folder().map_or_else(|_| "—".to_owned(), |folder| folder.display().to_string()),
        settings_path: folder.join("settings.toml").display().to_string(),
        settings: match &read {
            Ok((_, wrong)) => Ok(wrong.as_slice()),
            Err(error) => Err(error.to_string()),
        },
        environment: &environment,
        pause_s,
        probe: &probe,
        system: &system,
    });
    Ok(rows)
}

/// A short conversation with a helper of its own, beside the one that watches power.
async fn probe(state: &AppState) -> Probe {
    if state.live.is_running() {
        return Probe::NotRun { why: "A run is going on, which this would disturb.".to_owned() };
    }
    match (state.live.power().await, ProbePlan::short()) {
        (Some(power), Ok(plan)) => probe_power(&power, plan).await,
        _ => Probe::NotRun { why: "There is no power source.".to_owned() },
    }
}

async fn pause() -> (f64, f64) {
    let (monotonic, wall) = (Instant::now(), SystemTime::now());
    tokio::time::sleep(PAUSE).await;
    // a wall clock that went back took no time
    (monotonic.elapsed().as_secs_f64(), wall.elapsed().map_or(0.0, |pause| pause.as_secs_f64()))
}

fn find(helper: Option<String>) -> (SystemFacts, Environment) {
    let subject = Subject::of_this_build(data_folder().ok(), helper.map(Into::into));
    (read_system(&subject), read_environment())
}
