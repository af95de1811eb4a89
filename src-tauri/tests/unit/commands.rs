//! Commands on a runtime without a screen: what they answer when there is nothing to measure with.

use std::path::Path;

use joulebar_core::live::{Live, LiveOptions, Mode};
use joulebar_core::settings::{TokenState, UserSettings};
use joulebar_core::store::RunId;
use serde::Serialize;
use serde_json::{Value, json};
use tauri::Manager;
use tauri::test::{MockRuntime, mock_app};

use super::{live, runs, settings, suites};
use crate::error::Answer;
use crate::state::AppState;

/// Everything that goes on, in a folder of its own; its server never answers.
pub fn live(folder: &Path) -> Live {
    // port 9 discards; nothing listens there
    let settings = UserSettings { server_url: Some("http://127.0.0.1:9".to_owned()), ..UserSettings::default() };
    let (data, config) = (folder.join("data"), folder.join("config"));
    Live::start(LiveOptions { data, config, mode: Mode::Real, settings, token: None, launcher: None })
}

fn app(folder: &Path) -> tauri::App<MockRuntime> {
    let app = mock_app();
    app.manage(AppState::new(live(folder), None, TokenState::None));
    app
}

/// The code of a failed command, as a page sees it.
fn code<T>(answer: Answer<T>) -> String {
    let Err(error) = answer else { return "done".to_owned() };
    let error = serde_json::to_value(error).unwrap();
    assert!(!error["message"].as_str().unwrap().is_empty(), "{error}");
    error["code"].as_str().unwrap().to_owned()
}

fn json_of(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[tokio::test]
async fn runs_that_are_not_there_are_answered_with_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    assert_eq!(code(runs::run_detail(app.state(), 7).await), "no_such_run");
    assert_eq!(code(runs::run_samples(app.state(), 7).await), "no_such_run");
    assert_eq!(code(runs::rename_run(app.state(), 7, "mine".to_owned()).await), "no_such_run");
    // what is to be gone is gone
    assert_eq!(code(runs::delete_runs(app.state(), vec![RunId(7)]).await), "done");
}

#[tokio::test]
async fn an_empty_history_has_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let query =
        json!({ "text": null, "simulated": null, "by": "started", "ascending": false, "limit": 50, "offset": 0 });
    let list = runs::list_runs(app.state(), serde_json::from_value(query).unwrap()).await.unwrap();
    assert_eq!(json_of(list), json!({ "rows": [], "total": 0 }));
}

#[tokio::test]
async fn what_can_not_be_done_now_has_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    assert_eq!(code(live::stop_run(app.state()).await), "not_running");
    assert_eq!(code(live::load_model(app.state(), "some-model".to_owned()).await), "needs_server");
    if !cfg!(target_os = "macos") {
        assert_eq!(code(live::open_lm_studio().await), "unavailable");
    }
}

#[tokio::test]
async fn a_token_with_a_line_break_is_refused_and_the_old_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    assert_eq!(code(settings::set_token(app.state(), Some("two\nlines".to_owned())).await), "token");
    assert_eq!(json_of(settings::get_settings(app.state()).await.unwrap())["token"], "none");
}

#[tokio::test]
async fn a_suite_that_is_not_the_users_can_not_be_replaced_or_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let listed = suites::list_suites(app.state()).await.unwrap();
    let builtin = listed.into_iter().find(|entry| entry.builtin).unwrap().suite;
    assert_eq!(code(suites::delete_suite(app.state(), builtin.name.clone()).await), "bad_input");
    assert_eq!(code(suites::save_suite(app.state(), None, builtin).await), "bad_input");
    assert_eq!(code(suites::delete_suite(app.state(), "../settings".to_owned()).await), "bad_input");
}

#[tokio::test]
async fn a_test_of_a_silent_server_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let test = json_of(settings::test_connection(app.state(), None).await.unwrap());
    assert_eq!(test["ok"], false, "{test}");
    assert!(test["next"].is_string() && test["latency_ms"].is_null(), "{test}");
}
