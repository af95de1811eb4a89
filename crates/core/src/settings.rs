//! The user's settings: one TOML file, the same for terminal and window.
//!
//! Knows every key, what it may be, and what holds when it is missing or wrong. Keeps what it does not know: other keys,
//! comments, the order of things. The API token is never in it. Leaves to others where the folder is
//! ([`crate::folders`]) and what overrides a setting.

use std::fmt;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, Table, Value};

use crate::files::{NewFile, resolve};
use crate::folders;
use crate::lmstudio::check_url;

#[cfg(test)]
mod tests;
mod view;

pub use view::{SettingsView, TokenState};

/// The file's name in its folder.
const NAME: &str = "settings.toml";
/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Intervals between power samples that can be asked for, in milliseconds.
pub const INTERVAL_MS: RangeInclusive<u32> = 100..=60_000;
/// Lengths that baseline and cooldown may have, in seconds.
pub const PHASE_S: RangeInclusive<f64> = 0.0..=3_600.0;

/// Times that the menu bar's watts can be a mean of, in seconds.
pub const SMOOTHING_S: [u32; 2] = [1, 5];
/// Prices and factors for a kilowatt hour.
pub const AMOUNT: RangeInclusive<f64> = 0.0..=1e6;
const MAX_NAME: usize = 100;
const MAX_CURRENCY: usize = 8;

/// What the user has set. A missing key has its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct UserSettings {
    /// Address of the model server; `None` is LM Studio's own.
    pub server_url: Option<String>,
    /// Interval between power samples of a run, in milliseconds, within [`INTERVAL_MS`].
    pub interval_ms: u32,
    /// Interval between power samples when power is only watched, in milliseconds, within [`INTERVAL_MS`].
    pub monitor_interval_ms: u32,
    /// Length of the baseline before each prompt, in seconds, within [`PHASE_S`].
    pub baseline_s: f64,
    /// Length of the cooldown after each prompt, in seconds, within [`PHASE_S`].
    pub cooldown_s: f64,
    /// True when a nonce stands in front of every prompt.
    pub nonce: bool,
    /// True when runs are kept in the history.
    pub keep_history: bool,
    /// Name of the suite to run; `None` is the built-in one.
    pub suite: Option<String>,
    /// What Run Benchmark runs.
    pub preset: Preset,
    /// What stands in the menu bar.
    pub menu_bar: MenuBarText,
    /// Time that the menu bar's watts are a mean of, in seconds, within [`SMOOTHING_S`].
    pub smoothing_s: u32,
    /// True when power below 1 W is shown in milliwatts.
    pub milliwatts_below_1w: bool,
    /// True when the app is to start with the user's session.
    pub launch_at_login: bool,
    /// True when the app opens its window when it starts.
    pub open_window_at_start: bool,
    /// True when the end of a run is notified.
    pub notify_when_finished: bool,
    /// True when the first page has been seen.
    pub welcomed: bool,
    /// Price of a kilowatt hour, within [`AMOUNT`]; `None` shows no cost.
    pub price_per_kwh: Option<f64>,
    /// Currency of the price, a code or a sign of at most 8 letters.
    pub currency: String,
    /// Grams of carbon dioxide for a kilowatt hour, within [`AMOUNT`]; `None` shows none.
    pub co2_g_per_kwh: Option<f64>,
}

/// What a run asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// The short prompts of the suite, phases of 2 s.
    Quick,
    /// The whole suite once.
    #[default]
    Full,
}

/// What stands beside the icon in the menu bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum MenuBarText {
    /// Watts.
    #[default]
    Watts,
    /// Watts and a bar from 0 to the highest power seen.
    WattsAndBar,
    /// Nothing.
    Icon,
}

impl Default for UserSettings {
    fn default() -> Self {
        Self {
            server_url: None,
            interval_ms: 250,
            monitor_interval_ms: 1_000,
            baseline_s: 10.0,
            cooldown_s: 10.0,
            nonce: true,
            keep_history: true,
            suite: None,
            preset: Preset::Full,
            menu_bar: MenuBarText::Watts,
            smoothing_s: 1,
            milliwatts_below_1w: true,
            launch_at_login: false,
            open_window_at_start: false,
            notify_when_finished: true,
            welcomed: false,
            price_per_kwh: None,
            currency: "EUR".to_owned(),
            co2_g_per_kwh: None,
        }
    }
}

/// A value of the file that was not taken; its text says which, what is allowed, and what holds instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct WrongSetting {
    /// The key, `measurement.interval_ms`.
    pub key: &'static str,
    /// The value as it stands in the file.
    pub found: String,
    /// What the key may be.
    pub allowed: String,
    /// What holds instead.
    pub used: String,
}

impl fmt::Display for WrongSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, found, allowed, used } = self;
        write!(f, "{key} is {found}; it can be {allowed}. {used} is used")
    }
}

/// Why the file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum SettingsError {
    #[error("the settings {path} can't be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("the settings {path} are larger than 1 MiB")]
    TooLarge { path: PathBuf },
    #[error("the settings {path} are not valid TOML; mend them or move the file away")]
    NotToml { path: PathBuf, source: toml_edit::TomlError },
    #[error("{0}")]
    Wrong(WrongSetting),
    #[error("the settings {path} can't be written")]
    Write { path: PathBuf, source: io::Error },
}

/// Reads the settings in `folder`; a file that does not exist is one without keys. The second value lists the keys that
/// are wrong; their defaults hold.
///
/// # Errors
/// [`SettingsError`] for a file that can't be read or is not TOML; the defaults hold then.
pub fn read_settings(folder: &Path) -> Result<(UserSettings, Vec<WrongSetting>), SettingsError> {
    let document = read_document(&folder.join(NAME))?;
    let (mut settings, mut wrong) = (UserSettings::default(), Vec::new());
    for key in KEYS {
        let Some(item) = item(&document, key) else { continue };
        if !key.kind.read(item, &mut settings) {
            wrong.push(key.wrong(item));
        }
    }
    Ok((settings, wrong))
}

/// Writes the settings into the file in `folder`, and makes both if need be. Only values that differ are touched; the rest
/// of the file stays as it is. The old file is replaced whole or not at all, and can be read by its user alone.
///
/// # Errors
/// [`SettingsError::Wrong`] for a value that is not allowed; otherwise when the file can't be read, is not TOML, or can't be
/// written. It stands as it was then.
pub fn write_settings(folder: &Path, settings: &UserSettings) -> Result<(), SettingsError> {
    let path = folder.join(NAME);
    let mut document = read_document(&path)?;
    let default = UserSettings::default();
    for key in KEYS {
        let wanted = key.kind.value(settings);
        if let Some(value) = &wanted {
            let item = Item::Value(value.clone());
            if !key.kind.read(&item, &mut default.clone()) {
                return Err(SettingsError::Wrong(key.wrong(&item)));
            }
        }
        let standing = item(&document, key).is_some();
        let mut read = default.clone();
        let right = item(&document, key).is_some_and(|item| key.kind.read(item, &mut read));
        if standing && right && key.kind.value(&read).map(plain) == wanted.clone().map(plain) {
            continue;
        }
        match wanted {
            Some(value) if standing || key.kind.value(&default).map(plain) != Some(plain(value.clone())) => {
                set(&mut document, key, value);
            }
            Some(_) => {}
            None => remove(&mut document, key),
        }
    }
    replace(folder, &path, &document.to_string()).map_err(|source| SettingsError::Write { path, source })
}

/// Where a key stands and what it is.
struct Key {
    /// `table.key`.
    name: &'static str,
    kind: Kind,
}

impl Key {
    fn wrong(&self, item: &Item) -> WrongSetting {
        WrongSetting {
            key: self.name,
            found: item.as_value().map_or_else(|| "a table".to_owned(), |value| plain(value.clone())),
            allowed: self.kind.allowed(),
            used: self.kind.default_words(),
        }
    }
}

enum Kind {
    Url(fn(&mut UserSettings) -> &mut Option<String>),
    IntervalMs(fn(&mut UserSettings) -> &mut u32),
    Seconds(fn(&mut UserSettings) -> &mut f64),
    Switch(fn(&mut UserSettings) -> &mut bool),
    Name(fn(&mut UserSettings) -> &mut Option<String>),
    Currency(fn(&mut UserSettings) -> &mut String),
    Amount(fn(&mut UserSettings) -> &mut Option<f64>),
    Smoothing(fn(&mut UserSettings) -> &mut u32),
    Preset(fn(&mut UserSettings) -> &mut Preset),
    MenuBar(fn(&mut UserSettings) -> &mut MenuBarText),
}

/// The words of a choice, as the file has them.
const PRESETS: [(&str, Preset); 2] = [("quick", Preset::Quick), ("full", Preset::Full)];
const MENU_BARS: [(&str, MenuBarText); 3] =
    [("watts", MenuBarText::Watts), ("watts_and_bar", MenuBarText::WattsAndBar), ("icon", MenuBarText::Icon)];

fn chosen<T: Copy>(words: &[(&str, T)], item: &Item) -> Option<T> {
    words.iter().find(|(word, _)| item.as_str() == Some(word)).map(|(_, value)| *value)
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> Option<Value> {
    words.iter().find(|(_, other)| other == value).map(|(word, _)| Value::from(*word))
}

fn words<T>(words: &[(&str, T)]) -> String {
    words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
}

const KEYS: &[Key] = &[
    Key { name: "lm_studio.url", kind: Kind::Url(|settings| &mut settings.server_url) },
    Key { name: "measurement.interval_ms", kind: Kind::IntervalMs(|settings| &mut settings.interval_ms) },
    Key { name: "measurement.baseline_s", kind: Kind::Seconds(|settings| &mut settings.baseline_s) },
    Key { name: "measurement.cooldown_s", kind: Kind::Seconds(|settings| &mut settings.cooldown_s) },
    Key { name: "measurement.nonce", kind: Kind::Switch(|settings| &mut settings.nonce) },
    Key { name: "monitor.interval_ms", kind: Kind::IntervalMs(|settings| &mut settings.monitor_interval_ms) },
    Key { name: "measurement.suite", kind: Kind::Name(|settings| &mut settings.suite) },
    Key { name: "measurement.preset", kind: Kind::Preset(|settings| &mut settings.preset) },
    Key { name: "app.menu_bar", kind: Kind::MenuBar(|settings| &mut settings.menu_bar) },
    Key { name: "app.smoothing_s", kind: Kind::Smoothing(|settings| &mut settings.smoothing_s) },
    Key { name: "app.milliwatts_below_1w", kind: Kind::Switch(|settings| &mut settings.milliwatts_below_1w) },
    Key { name: "app.launch_at_login", kind: Kind::Switch(|settings| &mut settings.launch_at_login) },
    Key { name: "app.open_window_at_start", kind: Kind::Switch(|settings| &mut settings.open_window_at_start) },
    Key { name: "app.notify_when_finished", kind: Kind::Switch(|settings| &mut settings.notify_when_finished) },
    Key { name: "app.welcomed", kind: Kind::Switch(|settings| &mut settings.welcomed) },
    Key { name: "cost.price_per_kwh", kind: Kind::Amount(|settings| &mut settings.price_per_kwh) },
    Key { name: "cost.currency", kind: Kind::Currency(|settings| &mut settings.currency) },
    Key { name: "cost.co2_g_per_kwh", kind: Kind::Amount(|settings| &mut settings.co2_g_per_kwh) },
    Key { name: "history.keep", kind: Kind::Switch(|settings| &mut settings.keep_history) },
];

impl Kind {
    /// Takes a value from the file; false, and nothing taken, when it is not allowed.
    fn read(&self, item: &Item, settings: &mut UserSettings) -> bool {
        match self {
            Self::Url(field) => item.as_str().filter(|url| check_url(url).is_ok()).map(|url| {
                *field(settings) = Some(url.to_owned());
            }),
            Self::IntervalMs(field) => item
                .as_integer()
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| INTERVAL_MS.contains(number))
                .map(|number| *field(settings) = number),
            Self::Seconds(field) => item
                .as_float()
                .or_else(|| item.as_integer().map(|whole| whole as f64))
                .filter(|seconds| PHASE_S.contains(seconds))
                .map(|seconds| *field(settings) = seconds),
            Self::Switch(field) => item.as_bool().map(|on| *field(settings) = on),
            Self::Name(field) => item
                .as_str()
                .filter(|name| !name.trim().is_empty() && name.chars().count() <= MAX_NAME)
                .map(|name| *field(settings) = Some(name.to_owned())),
            Self::Currency(field) => item
                .as_str()
                .filter(|currency| !currency.trim().is_empty() && currency.chars().count() <= MAX_CURRENCY)
                .map(|currency| *field(settings) = currency.to_owned()),
            Self::Amount(field) => item
                .as_float()
                .or_else(|| item.as_integer().map(|whole| whole as f64))
                .filter(|amount| AMOUNT.contains(amount))
                .map(|amount| *field(settings) = Some(amount)),
            Self::Smoothing(field) => item
                .as_integer()
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| SMOOTHING_S.contains(number))
                .map(|number| *field(settings) = number),
            Self::Preset(field) => chosen(&PRESETS, item).map(|preset| *field(settings) = preset),
            Self::MenuBar(field) => chosen(&MENU_BARS, item).map(|text| *field(settings) = text),
        }
        .is_some()
    }

    /// The value as the file would hold it; `None` for one that has no key.
    fn value(&self, settings: &UserSettings) -> Option<Value> {
        let mut settings = settings.clone();
        match self {
            Self::Url(field) => field(&mut settings).clone().map(Value::from),
            Self::IntervalMs(field) => Some(i64::from(*field(&mut settings)).into()),
            Self::Seconds(field) => Some((*field(&mut settings)).into()),
            Self::Switch(field) => Some((*field(&mut settings)).into()),
            Self::Name(field) => field(&mut settings).clone().map(Value::from),
            Self::Currency(field) => Some(field(&mut settings).clone().into()),
            Self::Amount(field) => field(&mut settings).map(Value::from),
            Self::Smoothing(field) => Some(i64::from(*field(&mut settings)).into()),
            Self::Preset(field) => word(&PRESETS, field(&mut settings)),
            Self::MenuBar(field) => word(&MENU_BARS, field(&mut settings)),
        }
    }

    fn allowed(&self) -> String {
        match self {
            Self::Url(_) => "an address like \"http://127.0.0.1:1234\"".to_owned(),
            Self::IntervalMs(_) => {
                format!("a whole number from {} to {}", INTERVAL_MS.start(), INTERVAL_MS.end())
            }
            Self::Seconds(_) => format!("a number from {} to {}", PHASE_S.start(), PHASE_S.end()),
            Self::Switch(_) => "true or false".to_owned(),
            Self::Name(_) => format!("a name of at most {MAX_NAME} characters"),
            Self::Currency(_) => format!("a currency of at most {MAX_CURRENCY} characters, like \"EUR\""),
            Self::Amount(_) => format!("a number from {} to {}", AMOUNT.start(), AMOUNT.end()),
            Self::Smoothing(_) => "1 or 5".to_owned(),
            Self::Preset(_) => words(&PRESETS),
            Self::MenuBar(_) => words(&MENU_BARS),
        }
    }

    fn default_words(&self) -> String {
        match self.value(&UserSettings::default()) {
            Some(value) => plain(value),
            None => match self {
                Self::Url(_) => "LM Studio's own".to_owned(),
                Self::Name(_) => "the built-in one".to_owned(),
                _ => "none".to_owned(),
            },
        }
    }
}

/// A value without the white space and comments around it.
fn plain(value: Value) -> String {
    value.decorated("", "").to_string()
}

fn item<'a>(document: &'a DocumentMut, key: &Key) -> Option<&'a Item> {
    let (table, name) = key.name.split_once('.')?;
    document.get(table)?.get(name)
}

fn set(document: &mut DocumentMut, key: &Key, value: Value) {
    let Some((table, name)) = key.name.split_once('.') else { return };
    let table = document.entry(table).or_insert_with(|| Item::Table(Table::new()));
    if !table.is_table_like() {
        // a value stands where the table belongs; the key in it could never be read
        *table = Item::Table(Table::new());
    }
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(standing) => {
            let decor = standing.decor().clone();
            *standing = value;
            *standing.decor_mut() = decor;
        }
        None => table[name] = Item::Value(value),
    }
}

fn remove(document: &mut DocumentMut, key: &Key) {
    if let Some((table, name)) = key.name.split_once('.')
        && let Some(table) = document.get_mut(table).and_then(Item::as_table_like_mut)
    {
        table.remove(name);
    }
}

fn read_document(path: &Path) -> Result<DocumentMut, SettingsError> {
    let failed = |source| SettingsError::Read { path: path.into(), source };
    let text = match std::fs::metadata(path) {
        Ok(found) if found.len() > MAX_BYTES => return Err(SettingsError::TooLarge { path: path.into() }),
        Ok(_) => std::fs::read_to_string(path).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    text.parse().map_err(|source| SettingsError::NotToml { path: path.into(), source })
}

fn replace(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    folders::create(folder)?;
    // a link to a file elsewhere stays one
    let place = resolve(path);
    let mut file = NewFile::create(&place)?;
    file.write_all(text.as_bytes())?;
    file.sync()?;
    folders::own_alone(&file.settle()?, place.parent().unwrap_or(folder))
}
