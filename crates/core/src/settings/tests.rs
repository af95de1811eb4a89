use std::os::unix::fs::PermissionsExt;

use super::*;

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(NAME), text).unwrap();
    folder
}

fn text(folder: &tempfile::TempDir) -> String {
    std::fs::read_to_string(folder.path().join(NAME)).unwrap()
}

#[test]
fn without_a_file_the_defaults_hold() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read_settings(&folder.path().join("none")).unwrap(), (UserSettings::default(), Vec::new()));
}

#[test]
fn every_key_is_read() {
    let folder = folder(
        "history.keep = false\n[lm_studio]\nurl = \"http://mac.lan:1234\"\n[measurement]\ninterval_ms = 100\n\
         baseline_s = 5\ncooldown_s = 2.5\nnonce = false\n[monitor]\ninterval_ms = 60000\n",
    );
    let (settings, wrong) = read_settings(folder.path()).unwrap();
    assert_eq!(wrong, []);
    let expected = UserSettings {
        server_url: Some("http://mac.lan:1234".into()),
        interval_ms: 100,
        monitor_interval_ms: 60_000,
        baseline_s: 5.0,
        cooldown_s: 2.5,
        nonce: false,
        keep_history: false,
        ..UserSettings::default()
    };
    assert_eq!(settings, expected);
}

#[test]
fn a_wrong_value_is_named_and_its_default_holds() {
    let folder = folder(
        "[lm_studio]\nurl = \"ftp://x\"\n[measurement]\ninterval_ms = 99 # too short\nbaseline_s = nan\n\
         cooldown_s = \"10\"\nnonce = 1\n[monitor]\ninterval_ms = 500\n",
    );
    let (settings, wrong) = read_settings(folder.path()).unwrap();
    assert_eq!(settings, UserSettings { monitor_interval_ms: 500, ..UserSettings::default() });
    let keys: Vec<_> = wrong.iter().map(|wrong| wrong.key).collect();
    let expected = [
        "lm_studio.url",
        "measurement.interval_ms",
        "measurement.baseline_s",
        "measurement.cooldown_s",
        "measurement.nonce",
    ];
    assert_eq!(keys, expected);
    let words = wrong[1].to_string();
    assert_eq!(words, "measurement.interval_ms is 99; it can be a whole number from 100 to 60000. 250 is used");
}

#[test]
fn what_is_unknown_and_what_did_not_change_stays_as_it_was() {
    let before = "# mine\ntheme = \"dark\"\n\n[measurement] # how\ninterval_ms = 250 # default\nbaseline_s = 5 # short\n\
                  future = { a = 1 }\n\n[future]\nkey = 1\n";
    let folder = folder(before);
    let (settings, _) = read_settings(folder.path()).unwrap();
    write_settings(folder.path(), &settings).unwrap();
    assert_eq!(text(&folder), before, "nothing changed");
    let changed = UserSettings { baseline_s: 7.5, nonce: false, ..settings };
    write_settings(folder.path(), &changed).unwrap();
    let after = text(&folder);
    assert_eq!(read_settings(folder.path()).unwrap(), (changed, Vec::new()));
    assert!(after.contains("baseline_s = 7.5 # short\n"), "{after}");
    for line in before.lines().filter(|line| !line.starts_with("baseline_s")) {
        assert!(after.contains(line), "{line:?} is not in {after}");
    }
}

#[test]
fn settings_go_round_and_defaults_need_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("new/place");
    write_settings(&inner, &UserSettings::default()).unwrap();
    assert_eq!(std::fs::read_to_string(inner.join(NAME)).unwrap(), "");
    let settings = UserSettings {
        server_url: Some("http://127.0.0.1:8080".into()),
        cooldown_s: 0.0,
        keep_history: false,
        ..UserSettings::default()
    };
    write_settings(&inner, &settings).unwrap();
    assert_eq!(read_settings(&inner).unwrap(), (settings.clone(), Vec::new()));
    let without = UserSettings { server_url: None, ..settings };
    write_settings(&inner, &without).unwrap();
    assert_eq!(read_settings(&inner).unwrap(), (without, Vec::new()));
    let mode = std::fs::metadata(inner.join(NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn writing_mends_a_wrong_value() {
    let folder = folder("[measurement]\ninterval_ms = 5\n");
    write_settings(folder.path(), &UserSettings::default()).unwrap();
    assert_eq!(text(&folder), "[measurement]\ninterval_ms = 250\n");
}

#[test]
fn values_that_are_not_allowed_are_not_written() {
    let folder = folder("[measurement]\nbaseline_s = 5\n");
    for settings in [
        UserSettings { baseline_s: f64::NAN, ..UserSettings::default() },
        UserSettings { interval_ms: 99, ..UserSettings::default() },
        UserSettings { server_url: Some("https://x".into()), ..UserSettings::default() },
    ] {
        assert!(matches!(write_settings(folder.path(), &settings), Err(SettingsError::Wrong(_))), "{settings:?}");
    }
    assert_eq!(text(&folder), "[measurement]\nbaseline_s = 5\n");
}

#[test]
fn a_file_that_is_not_toml_is_told_and_never_replaced() {
    let folder = folder("interval = = 3\n");
    assert!(matches!(read_settings(folder.path()), Err(SettingsError::NotToml { .. })));
    let written = write_settings(folder.path(), &UserSettings { nonce: false, ..UserSettings::default() });
    assert!(matches!(written, Err(SettingsError::NotToml { .. })));
    assert_eq!(text(&folder), "interval = = 3\n");
}

#[test]
fn a_link_to_the_file_stays_a_link() {
    let place = folder("");
    let real = place.path().join("elsewhere.toml");
    std::fs::write(&real, "# real\n").unwrap();
    std::fs::remove_file(place.path().join(NAME)).unwrap();
    std::os::unix::fs::symlink(&real, place.path().join(NAME)).unwrap();
    write_settings(place.path(), &UserSettings { nonce: false, ..UserSettings::default() }).unwrap();
    assert!(place.path().join(NAME).is_symlink());
    assert!(std::fs::read_to_string(real).unwrap().contains("nonce = false"));
}

#[test]
fn what_the_window_sets_goes_round() {
    let folder = tempfile::tempdir().unwrap();
    let settings = UserSettings {
        suite: Some("Everyday prompts".into()),
        preset: Preset::Quick,
        menu_bar: MenuBarText::WattsAndBar,
        smoothing_s: 5,
        milliwatts_below_1w: false,
        launch_at_login: true,
        open_window_at_start: true,
        notify_when_finished: false,
        welcomed: true,
        price_per_kwh: Some(0.31),
        currency: "€".into(),
        co2_g_per_kwh: Some(380.0),
        ..UserSettings::default()
    };
    write_settings(folder.path(), &settings).unwrap();
    assert_eq!(read_settings(folder.path()).unwrap(), (settings.clone(), Vec::new()));
    let without = UserSettings { suite: None, price_per_kwh: None, ..settings };
    write_settings(folder.path(), &without).unwrap();
    assert_eq!(read_settings(folder.path()).unwrap(), (without, Vec::new()));
}

#[test]
fn choices_take_their_own_words_alone() {
    let folder = folder(
        "[app]\nmenu_bar = \"both\"\nsmoothing_s = 2\n[measurement]\npreset = \"long\"\n[cost]\nprice_per_kwh = -1\n",
    );
    let (settings, wrong) = read_settings(folder.path()).unwrap();
    assert_eq!(settings, UserSettings::default());
    assert_eq!(wrong.len(), 4);
    let menu_bar = wrong.iter().find(|wrong| wrong.key == "app.menu_bar").unwrap();
    assert_eq!(
        menu_bar.to_string(),
        "app.menu_bar is \"both\"; it can be \"watts\" or \"watts_and_bar\" or \"icon\". \"watts\" is used"
    );
}
