//! The shell: a tray, two windows, and commands. Everything that is measured or kept is [`joulebar_core`]'s.
//!
//! Composition root: [`run`] starts [`joulebar_core::live::Live`], whose handle is all that commands and tray know.

pub mod args;
mod clipboard;
mod commands;
mod error;
mod login;
#[cfg(target_os = "macos")]
mod menu;
mod notify;
mod placement;
mod sidecar;
mod state;
mod tray;
mod window;

use anyhow::Context;
use joulebar_core::folders::{config_folder, data_folder};
use joulebar_core::live::{Live, LiveOptions};
use joulebar_core::settings::{UserSettings, read_settings};
use tauri::{App, AppHandle, Manager, RunEvent, WindowEvent};

use args::Arguments;
use state::AppState;

/// Runs the app until the user quits.
///
/// # Errors
/// When there is no folder for its files, or no desktop to show itself on.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let data = data_folder()?;
    let config = config_folder()?;
    // what is wrong with the file stands in the settings' page
    let settings = read_settings(&config).map(|(settings, _)| settings).unwrap_or_default();
    let builder = tauri::Builder::default();
    #[cfg(target_os = "macos")]
    let builder = builder.menu(menu::build);
    let app = builder
        .plugin(tauri_plugin_single_instance::init(|app, _, _| window::open_main(app, None)))
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_shell::init())
        .invoke_handler(commands::handler())
        .setup(move |app| {
            let (token, place) = state::read_token();
            let launcher = Some(sidecar::launcher(app.handle()));
            let (mode, settings_now) = (arguments.mode, settings.clone());
            let options = LiveOptions { data, config, mode, settings: settings_now, token, launcher };
            let live = tauri::async_runtime::block_on(async { Live::start(options) });
            app.manage(clipboard::TextClipboard::default());
            app.manage(AppState::new(live, arguments.export_to.clone(), place));
            set_up(app, &arguments, &settings)
        })
        .on_window_event(|window, event| match event {
            WindowEvent::Focused(false) if window.label() == window::POPOVER => window::blurred(window.app_handle()),
            WindowEvent::CloseRequested { .. } if window.label() == window::MAIN => window::remember(window),
            WindowEvent::Destroyed => window.state::<AppState>().forget(window.label()),
            _ => {}
        })
        .build(tauri::generate_context!())
        .context("the app can't be set up")?;
    app.run(|app, event| match event {
        // closing the last window is not quitting
        RunEvent::ExitRequested { api, code: None, .. } => api.prevent_exit(),
        RunEvent::Exit => app.state::<clipboard::TextClipboard>().release(),
        _ => {}
    });
    Ok(())
}

fn set_up(app: &mut App, arguments: &Arguments, settings: &UserSettings) -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(target_os = "macos")]
    app.set_activation_policy(tauri::ActivationPolicy::Accessory);
    tray::build(app.handle())?;
    notify::follow(app.handle());
    if !settings.welcomed {
        window::open_main(app.handle(), Some("welcome"));
    } else if arguments.window || settings.open_window_at_start {
        window::open_main(app.handle(), None);
    }
    if arguments.popover {
        window::show_popover(app.handle(), None);
    }
    Ok(())
}

/// Ends the app: the run's facts are kept as they are, the demo's server ends.
pub(crate) fn quit(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        window::remember_open(&app);
        app.state::<AppState>().live.shut_down().await;
        app.exit(0);
    });
}
