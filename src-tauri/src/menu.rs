//! The menus of the Mac's menu bar while a window is in front. The system's own Quit ends the app at once, so this one
//! asks first during a run, as the tray's does; what is chosen is told to the tray's handler.
//!
//! Checked: that it compiles and links for macOS. Not checked: how the menus look and that a Mac shows them
//! (docs/unverified.md).

use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::{AppHandle, Wry};

/// Builds them. Edit is what lets text fields copy and paste.
///
/// # Errors
/// When the desktop takes no menu.
pub fn build(app: &AppHandle) -> tauri::Result<Menu<Wry>> {
    let line = || PredefinedMenuItem::separator(app);
    let settings = MenuItem::with_id(app, "settings", "Settings…", true, Some("CmdOrCtrl+,"))?;
    let quit = MenuItem::with_id(app, "quit", "Quit Joulebar", true, Some("CmdOrCtrl+Q"))?;
    let submenu = |title, entries: &[&dyn IsMenuItem<Wry>]| Submenu::with_items(app, title, true, entries);
    let about = PredefinedMenuItem::about(app, None, None)?;
    let (hide, others) = (PredefinedMenuItem::hide(app, None)?, PredefinedMenuItem::hide_others(app, None)?);
    let entries: [&dyn IsMenuItem<Wry>; 8] = [&about, &line()?, &settings, &line()?, &hide, &others, &line()?, &quit];
    let joulebar = submenu("Joulebar", &entries)?;
    let (undo, redo) = (PredefinedMenuItem::undo(app, None)?, PredefinedMenuItem::redo(app, None)?);
    let (cut, copy) = (PredefinedMenuItem::cut(app, None)?, PredefinedMenuItem::copy(app, None)?);
    let (paste, all) = (PredefinedMenuItem::paste(app, None)?, PredefinedMenuItem::select_all(app, None)?);
    let edit = submenu("Edit", &[&undo, &redo, &line()?, &cut, &copy, &paste, &all])?;
    let (minimize, full) = (PredefinedMenuItem::minimize(app, None)?, PredefinedMenuItem::fullscreen(app, None)?);
    let window = submenu("Window", &[&minimize, &full, &PredefinedMenuItem::close_window(app, None)?])?;
    Menu::with_items(app, &[&joulebar, &edit, &window])
}
