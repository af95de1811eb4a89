//! The end of a run, told where the user looks: a notification of the desktop.
//!
//! Checked here: the call to the desktop's service over D-Bus. On a Mac nothing is sent yet; the icon's dot says it.

use joulebar_core::live::state::{Finished, RunStatus};
use joulebar_core::session::record::EndReason;
use tauri::{AppHandle, Manager};

use crate::state::AppState;

/// Lets a task tell of every end.
pub fn follow(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let live = app.state::<AppState>().live.clone();
        let mut changes = live.changes();
        let mut running = false;
        while changes.changed().await.is_ok() {
            let snapshot = changes.borrow_and_update().clone();
            if let (RunStatus::Finished { result }, true) = (&snapshot.run, running)
                && live.settings().notify_when_finished
            {
                let (title, body) = words(result);
                // a desktop without such a service shows nothing, and the icon's dot is there
                let _ = tauri::async_runtime::spawn_blocking(move || send(title, &body)).await;
            }
            running = matches!(snapshot.run, RunStatus::Running { .. });
        }
    });
}

/// Title and text.
fn words(result: &Finished) -> (&'static str, String) {
    let simulated = if result.simulated { " (simulated)" } else { "" };
    if result.end_reason != EndReason::Completed {
        let message = result.message.clone().unwrap_or_else(|| "It ended early.".to_owned());
        return ("Benchmark stopped", format!("{}{simulated}: {message}", result.model));
    }
    let energy = match result.net_energy_per_token_j {
        Some(joules) => format!("{joules:.3} J/token"),
        None => "no figure".to_owned(),
    };
    ("Benchmark finished", format!("{}{simulated}: {energy}", result.model))
}

#[cfg(target_os = "linux")]
fn send(title: &str, body: &str) -> Result<(), zbus::Error> {
    use std::collections::HashMap;
    let connection = zbus::blocking::Connection::session()?;
    let hints: HashMap<&str, zbus::zvariant::Value<'_>> = HashMap::new();
    let actions: [&str; 0] = [];
    connection.call_method(
        Some("org.freedesktop.Notifications"),
        "/org/freedesktop/Notifications",
        Some("org.freedesktop.Notifications"),
        "Notify",
        &("Joulebar", 0_u32, "", title, body, &actions[..], hints, -1_i32),
    )?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn send(_: &str, _: &str) -> Result<(), std::convert::Infallible> {
    Ok(())
}
