//! Windows.

use tauri::AppHandle;

use crate::error::Answer;
use crate::{tray, window};

/// Opens the window at a place.
#[tauri::command]
pub async fn show_window(app: AppHandle, route: String) -> Answer<()> {
    window::on_main_thread(&app, move |app| {
        window::hide_popover(app);
        window::open_main(app, Some(&route));
    });
    Ok(())
}

/// Closes the popover.
#[tauri::command]
pub async fn hide_popover(app: AppHandle) -> Answer<()> {
    window::on_main_thread(&app, window::hide_popover);
    Ok(())
}

/// Makes the popover as high as its content, in points.
#[tauri::command]
pub async fn resize_popover(app: AppHandle, height: f64) -> Answer<()> {
    window::on_main_thread(&app, move |app| window::resize_popover(app, height));
    Ok(())
}

/// Quits; asks first during a run.
#[tauri::command]
pub async fn quit(app: AppHandle) -> Answer<()> {
    tray::ask_and_quit(&app);
    Ok(())
}
