//! What the pages can ask for, by subject. A command takes state, calls the core, maps the error.

mod diagnostics;
mod files;
mod live;
mod runs;
mod settings;
mod suites;
#[cfg(test)]
#[path = "../../tests/unit/commands.rs"]
mod testing;
mod watch;
mod windows;

pub use files::export_last;

use tauri::Wry;
use tauri::ipc::Invoke;

/// All commands; each needs a permission of its window's capability.
pub fn handler() -> impl Fn(Invoke<Wry>) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        watch::watch,
        watch::unwatch,
        live::start_run,
        live::stop_run,
        live::resume_run,
        live::dismiss_unfinished,
        live::dismiss_result,
        live::check_server,
        live::restart_power,
        live::load_model,
        live::open_lm_studio,
        live::set_demo,
        runs::list_runs,
        runs::run_detail,
        runs::run_samples,
        runs::rename_run,
        runs::delete_runs,
        files::export_run,
        files::export_last,
        files::copy_markdown,
        suites::list_suites,
        suites::save_suite,
        suites::delete_suite,
        suites::import_suite,
        suites::export_suite,
        suites::estimate_tokens,
        settings::get_settings,
        settings::set_settings,
        settings::set_token,
        settings::test_connection,
        diagnostics::helper_view,
        diagnostics::want_helper,
        diagnostics::authorize_power,
        diagnostics::diagnostics,
        windows::show_window,
        windows::hide_popover,
        windows::resize_popover,
        windows::quit,
    ]
}
