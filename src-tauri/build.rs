//! Lists the commands, so that each needs a permission.

const COMMANDS: &[&str] = &[
    "watch",
    "unwatch",
    "start_run",
    "stop_run",
    "resume_run",
    "dismiss_unfinished",
    "dismiss_result",
    "check_server",
    "restart_power",
    "load_model",
    "open_lm_studio",
    "set_demo",
    "list_runs",
    "run_detail",
    "run_samples",
    "rename_run",
    "delete_runs",
    "export_run",
    "export_last",
    "copy_markdown",
    "list_suites",
    "save_suite",
    "delete_suite",
    "import_suite",
    "export_suite",
    "estimate_tokens",
    "get_settings",
    "set_settings",
    "set_token",
    "test_connection",
    "helper_view",
    "want_helper",
    "authorize_power",
    "diagnostics",
    "show_window",
    "hide_popover",
    "resize_popover",
    "quit",
];

fn main() {
    let manifest = tauri_build::AppManifest::new().commands(COMMANDS);
    if let Err(error) = tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest)) {
        println!("cargo::error={error:#}");
    }
}
