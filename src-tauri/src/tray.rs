//! The item in the menu bar: icon, watts, menu. What they say is [`joulebar_core::live::menu_bar`]'s.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use joulebar_core::live::menu_bar::{Glyph, MenuBar};
use tauri::image::Image;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager, Wry};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind};

use crate::commands::export_last;
use crate::state::AppState;
use crate::window;

/// The text changes at most so often.
const EVERY: Duration = Duration::from_secs(1);
/// Side of the icons in pixels, and the bar beside them.
const BAR_WIDTH: u32 = 10;
const BAR_HEIGHT: u32 = 30;
const BAR_STEPS: u32 = 14;

/// What is shown, so that only what changes is set.
struct Item {
    tray: TrayIcon,
    run: MenuItem<Wry>,
    stop: MenuItem<Wry>,
    export: MenuItem<Wry>,
    shown: Mutex<Option<Shown>>,
}

#[derive(Clone, PartialEq)]
struct Shown {
    menu_bar: MenuBar,
    bar: Option<u32>,
}

/// Builds the item and lets a task keep it up to date.
///
/// # Errors
/// When the desktop takes no menu or icon.
pub fn build(app: &AppHandle) -> tauri::Result<()> {
    let item = |id: &str, text: &str, key: Option<&str>| MenuItem::with_id(app, id, text, true, key);
    let run = item("run", "Run Benchmark", Some("CmdOrCtrl+R"))?;
    let stop = item("stop", "Stop", Some("CmdOrCtrl+."))?;
    let export = item("export", "Export Last Report…", Some("CmdOrCtrl+E"))?;
    let open = item("open", "Open Joulebar", Some("CmdOrCtrl+O"))?;
    let popover = item("popover", "Show Popover", None)?;
    let settings = item("settings", "Settings…", Some("CmdOrCtrl+,"))?;
    let quit = item("quit", "Quit", Some("CmdOrCtrl+Q"))?;
    let line = || PredefinedMenuItem::separator(app);
    let menu = Menu::with_items(app, &[&run, &stop, &line()?, &export, &line()?, &open, &settings, &line()?, &quit])?;
    if !cfg!(target_os = "macos") {
        // no other system tells of clicks on the icon
        menu.insert(&popover, 5)?;
    }
    let tray = TrayIconBuilder::with_id("joulebar")
        .icon(picture(Glyph::Idle, None)?)
        .icon_as_template(true)
        .tooltip("Joulebar")
        .menu(&menu)
        .show_menu_on_left_click(false)
        .on_menu_event(|app, event| chosen(app, event.id().as_ref()))
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click { button: MouseButton::Left, button_state, rect, .. } = event {
                match button_state {
                    // a popover that this click takes the focus from is gone before the button is up
                    MouseButtonState::Down => window::pressed(tray.app_handle()),
                    MouseButtonState::Up => window::toggle_popover(tray.app_handle(), rect),
                }
            }
        })
        .build(app)?;
    app.manage(Item { tray, run, stop, export, shown: Mutex::default() });
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let mut changes = app.state::<AppState>().live.changes();
        loop {
            refresh(&app);
            tokio::time::sleep(EVERY).await;
            if changes.changed().await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Shows what is so, where it differs from what is shown.
pub fn refresh(app: &AppHandle) {
    window::on_main_thread(app, |app| {
        let (Some(item), Some(state)) = (app.try_state::<Item>(), app.try_state::<AppState>()) else { return };
        let menu_bar = state.live.menu_bar();
        let bar = menu_bar.bar_ratio.map(steps);
        let shown = Shown { menu_bar: MenuBar { bar_ratio: None, ..menu_bar }, bar };
        let mut old = item.shown.lock().unwrap_or_else(PoisonError::into_inner);
        // a desktop that is going away takes no more changes
        drop(show(&item, old.as_ref(), &shown));
        *old = Some(shown);
    });
}

fn show(item: &Item, old: Option<&Shown>, new: &Shown) -> tauri::Result<()> {
    let now = &new.menu_bar;
    let was = old.map(|old| &old.menu_bar);
    if was.map(|was| &was.title) != Some(&now.title) {
        item.tray.set_title(now.title.as_deref())?;
    }
    if was.map(|was| &was.tooltip) != Some(&now.tooltip) {
        item.tray.set_tooltip(Some(&now.tooltip))?;
    }
    if was.map(|was| was.glyph) != Some(now.glyph) || old.map(|old| old.bar) != Some(new.bar) {
        item.tray.set_icon_with_as_template(Some(picture(now.glyph, new.bar)?), true)?;
    }
    for (entry, before, enabled) in [
        (&item.run, was.map(|was| was.can_run), now.can_run),
        (&item.stop, was.map(|was| was.can_stop), now.can_stop),
        (&item.export, was.map(|was| was.can_export), now.can_export),
    ] {
        if before != Some(enabled) {
            entry.set_enabled(enabled)?;
        }
    }
    Ok(())
}

fn steps(ratio: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio from 0 to 1")]
    let steps = (ratio.clamp(0.0, 1.0) * f64::from(BAR_STEPS)).round() as u32;
    steps
}

/// The icon of a state, with the bar beside it where it is wanted.
fn picture(glyph: Glyph, bar: Option<u32>) -> tauri::Result<Image<'static>> {
    let bytes: &[u8] = match glyph {
        Glyph::Idle => include_bytes!("../icons/tray/idle.png"),
        Glyph::Baseline => include_bytes!("../icons/tray/baseline.png"),
        Glyph::Prefill => include_bytes!("../icons/tray/prefill.png"),
        Glyph::Decode => include_bytes!("../icons/tray/decode.png"),
        Glyph::Cooldown => include_bytes!("../icons/tray/cooldown.png"),
        Glyph::Done => include_bytes!("../icons/tray/done.png"),
        Glyph::NoHelper => include_bytes!("../icons/tray/nohelper.png"),
        Glyph::Offline => include_bytes!("../icons/tray/offline.png"),
    };
    let image = Image::from_bytes(bytes)?;
    let Some(steps) = bar else { return Ok(image) };
    let (width, height) = (image.width() + 6 + BAR_WIDTH, image.height());
    let mut rgba = vec![0_u8; (width * height * 4) as usize];
    for y in 0..height {
        let from = (y * image.width() * 4) as usize;
        let to = (y * width * 4) as usize;
        let row = (image.width() * 4) as usize;
        rgba[to..to + row].copy_from_slice(&image.rgba()[from..from + row]);
    }
    let top = (height - BAR_HEIGHT) / 2;
    let filled = BAR_HEIGHT * steps / BAR_STEPS;
    for y in 0..BAR_HEIGHT {
        for x in 0..BAR_WIDTH {
            let edge = !(2..BAR_WIDTH - 2).contains(&x) || !(2..BAR_HEIGHT - 2).contains(&y);
            if edge || y >= BAR_HEIGHT - filled {
                let at = (((top + y) * width + image.width() + 6 + x) * 4 + 3) as usize;
                rgba[at] = 255;
            }
        }
    }
    Ok(Image::new_owned(rgba, width, height))
}

fn chosen(app: &AppHandle, id: &str) {
    let state = app.state::<AppState>();
    match id {
        "run" => {
            let preset = state.live.settings().preset;
            // the menu item is off while it can't be; what fails stands in the popover
            drop(state.live.start_run(preset, None));
        }
        "stop" => drop(state.live.stop_run()),
        "export" => {
            let app = app.clone();
            tauri::async_runtime::spawn(async move {
                if let Err(error) = export_last(app.clone()).await {
                    tell(&app, &error.message);
                }
            });
        }
        "open" => window::open_main(app, None),
        "popover" => window::show_popover(app, None),
        "settings" => window::open_main(app, Some("settings/general")),
        "quit" => ask_and_quit(app),
        _ => {}
    }
}

fn tell(app: &AppHandle, message: &str) {
    app.dialog().message(message).title("Joulebar").kind(MessageDialogKind::Warning).show(|_| {});
}

/// Quits; asks first during a run.
pub fn ask_and_quit(app: &AppHandle) {
    if !app.state::<AppState>().live.is_running() {
        crate::quit(app);
        return;
    }
    let asking = app.clone();
    app.dialog()
        .message("Finished prompts are kept, and the run can go on later.")
        .title("Stop the run and quit?")
        .buttons(MessageDialogButtons::OkCancelCustom("Quit".to_owned(), "Cancel".to_owned()))
        .show(move |quit| {
            if quit {
                crate::quit(&asking);
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_is_a_picture_and_the_bar_fills_from_below() {
        for glyph in [
            Glyph::Idle,
            Glyph::Baseline,
            Glyph::Prefill,
            Glyph::Decode,
            Glyph::Cooldown,
            Glyph::Done,
            Glyph::NoHelper,
            Glyph::Offline,
        ] {
            let image = picture(glyph, None).unwrap();
            assert_eq!((image.width(), image.height()), (36, 36));
            assert!(image.rgba().chunks(4).any(|pixel| pixel[3] == 255));
        }
        let ink = |steps| {
            let image = picture(Glyph::Idle, Some(steps)).unwrap();
            image.rgba().chunks(4).filter(|pixel| pixel[3] == 255).count()
        };
        assert!(ink(0) < ink(7) && ink(7) < ink(BAR_STEPS));
        assert_eq!((steps(0.0), steps(0.5), steps(2.0)), (0, 7, 14));
    }
}
