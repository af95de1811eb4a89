//! The popover and the window: made when they are first shown, the popover taken away when it was closed for a while.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use joulebar_core::folders::data_folder;
use serde::{Deserialize, Serialize};
use tauri::{
    AppHandle, Emitter, LogicalPosition, LogicalSize, Manager, Monitor, Rect, WebviewUrl, WebviewWindow,
    WebviewWindowBuilder, Window,
};

use crate::placement::{Area, can_be_reached, under};
use crate::state::AppState;

/// Label of the popover.
pub const POPOVER: &str = "popover";
/// Label of the window.
pub const MAIN: &str = "main";
const WIDTH: f64 = 360.0;
const FIRST_HEIGHT: f64 = 480.0;
/// A web view costs memory: a popover that was closed for so long is taken away.
const KEPT: Duration = Duration::from_secs(60);

/// A click on the icon may take the focus from the popover before the press is told: so long it counts as open.
const BLURRED_BY_CLICK: Duration = Duration::from_millis(300);

/// True from a press on the icon that found the popover open until the button is up.
static PRESSED_WHILE_OPEN: AtomicBool = AtomicBool::new(false);
/// Counts showings and hidings, so that only the latest hiding takes the web view away.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// When the popover last lost the focus.
static BLURRED: Mutex<Option<Instant>> = Mutex::new(None);

/// Does something on the main thread; what comes too late is not done.
pub fn on_main_thread(app: &AppHandle, work: impl FnOnce(&AppHandle) + Send + 'static) {
    let handle = app.clone();
    let _ = app.run_on_main_thread(move || work(&handle));
}

fn page(route: &str) -> WebviewUrl {
    WebviewUrl::App(format!("index.html#/{route}").into())
}

/// The icon is pressed: notes whether the popover is open, before it loses the focus.
pub fn pressed(app: &AppHandle) {
    let open = app.get_webview_window(POPOVER).is_some_and(|window| window.is_visible().unwrap_or(false));
    let blurred = BLURRED.lock().unwrap_or_else(PoisonError::into_inner).map(|then| then.elapsed());
    PRESSED_WHILE_OPEN.store(closes(open, blurred), Ordering::SeqCst);
}

/// Whether a press on the icon closes the popover: it is open, or this very click has just taken its focus.
fn closes(open: bool, since_blur: Option<Duration>) -> bool {
    open || since_blur.is_some_and(|since| since < BLURRED_BY_CLICK)
}

/// The icon was clicked: opens the popover, unless this click closed it.
pub fn toggle_popover(app: &AppHandle, icon: Rect) {
    if PRESSED_WHILE_OPEN.swap(false, Ordering::SeqCst) {
        hide_popover(app);
    } else {
        show_popover(app, Some(icon));
    }
}

/// Opens the popover, under its icon where that is known.
pub fn show_popover(app: &AppHandle, icon: Option<Rect>) {
    GENERATION.fetch_add(1, Ordering::SeqCst);
    let window = match app.get_webview_window(POPOVER) {
        Some(window) => window,
        None => match build_popover(app) {
            Ok(window) => window,
            // there is no desktop to show it on any more
            Err(_) => return,
        },
    };
    place(&window, icon);
    let _ = window.show();
    let _ = window.set_focus();
    let state = app.state::<AppState>();
    state.is_shown();
    state.live.mark_seen();
}

fn build_popover(app: &AppHandle) -> tauri::Result<WebviewWindow> {
    WebviewWindowBuilder::new(app, POPOVER, page(POPOVER))
        .title("Joulebar")
        .inner_size(WIDTH, FIRST_HEIGHT)
        .decorations(false)
        .transparent(true)
        .resizable(false)
        .always_on_top(true)
        .skip_taskbar(true)
        .visible(false)
        .build()
}

fn place(window: &WebviewWindow, icon: Option<Rect>) {
    let icon = icon.map(|rect| {
        let scale = clicked_scale(window);
        let (position, size) = (rect.position.to_physical::<f64>(scale), rect.size.to_physical::<f64>(scale));
        Area::from_pixels((position.x, position.y), (size.width, size.height), scale)
    });
    // a window that was never shown does not know its size yet
    let scale = window.scale_factor().unwrap_or(1.0);
    let height = window.inner_size().map_or(0.0, |size| size.to_logical::<f64>(scale).height).max(FIRST_HEIGHT);
    let (x, y) = under(icon, WIDTH, height, &screens(window.app_handle()));
    let _ = window.set_position(LogicalPosition::new(x, y));
}

/// Pixels a point on the screen whose icon was just clicked: the pointer is still there. The icon's place is told in
/// that screen's pixels, whichever screen the popover was on.
fn clicked_scale(window: &WebviewWindow) -> f64 {
    let app = window.app_handle();
    let pointed = || {
        let main = app.primary_monitor().ok()??.scale_factor();
        let at = app.cursor_position().ok()?.to_logical::<f64>(main);
        Some(app.monitor_from_point(at.x, at.y).ok()??.scale_factor())
    };
    pointed().or_else(|| window.scale_factor().ok()).unwrap_or(1.0)
}

fn screens(app: &AppHandle) -> Vec<Area> {
    let monitors = app.available_monitors().unwrap_or_default();
    let area = |monitor: &Monitor| {
        let (position, size) = (monitor.position().cast::<f64>(), monitor.size().cast::<f64>());
        Area::from_pixels((position.x, position.y), (size.width, size.height), monitor.scale_factor())
    };
    monitors.iter().map(area).collect()
}

/// Closes the popover; its web view goes after a while.
pub fn hide_popover(app: &AppHandle) {
    let Some(window) = app.get_webview_window(POPOVER) else { return };
    let _ = window.hide();
    let generation = GENERATION.fetch_add(1, Ordering::SeqCst) + 1;
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(KEPT).await;
        if GENERATION.load(Ordering::SeqCst) == generation
            && let Some(window) = app.get_webview_window(POPOVER)
        {
            let _ = window.destroy();
        }
    });
}

/// The popover lost the focus.
pub fn blurred(app: &AppHandle) {
    // without a window manager no window ever has it
    if cfg!(target_os = "macos") {
        if app.get_webview_window(POPOVER).is_some_and(|window| window.is_visible().unwrap_or(false)) {
            *BLURRED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        hide_popover(app);
    }
}

/// Makes the popover as high as its content, in points.
pub fn resize_popover(app: &AppHandle, height: f64) {
    if let Some(window) = app.get_webview_window(POPOVER) {
        let _ = window.set_size(LogicalSize::new(WIDTH, height.clamp(120.0, 900.0)));
    }
}

/// Opens the window, at a place where one is named.
pub fn open_main(app: &AppHandle, route: Option<&str>) {
    if let Some(window) = app.get_webview_window(MAIN) {
        if let Some(route) = route {
            let _ = window.emit_to(MAIN, "route", route);
        }
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
        app.state::<AppState>().is_shown();
        return;
    }
    let frame = Frame::read();
    let built = WebviewWindowBuilder::new(app, MAIN, page(route.unwrap_or("runs")))
        .title("Joulebar")
        .inner_size(frame.width, frame.height)
        .min_inner_size(900.0, 600.0)
        .maximized(frame.maximized);
    #[cfg(target_os = "macos")]
    let built = built.title_bar_style(tauri::TitleBarStyle::Overlay).hidden_title(true);
    let built = match frame.place(&screens(app)) {
        Some((x, y)) => built.position(x, y),
        None => built,
    };
    // there is no desktop to show it on, if it fails
    let _ = built.build();
}

/// Size and place of the window, in points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Frame {
    width: f64,
    height: f64,
    x: Option<f64>,
    y: Option<f64>,
    maximized: bool,
}

impl Default for Frame {
    fn default() -> Self {
        Self { width: 1_080.0, height: 720.0, x: None, y: None, maximized: false }
    }
}

impl Frame {
    fn path() -> Option<std::path::PathBuf> {
        data_folder().ok().map(|folder| folder.join("window.json"))
    }

    /// As it was left; the first time, and when the file is of no use, as designed.
    fn read() -> Self {
        let text = Self::path().and_then(|path| std::fs::read_to_string(path).ok());
        text.and_then(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Where it was, when a screen is still there.
    fn place(&self, screens: &[Area]) -> Option<(f64, f64)> {
        let (x, y) = (self.x?, self.y?);
        can_be_reached(Area { x, y, width: self.width, height: self.height }, screens).then_some((x, y))
    }

    fn parse(text: &str) -> Option<Self> {
        let frame: Self = serde_json::from_str(text).ok()?;
        let sane = |value: f64, low: f64, high: f64| (low..=high).contains(&value);
        let place = |value: Option<f64>| value.is_none_or(|value| sane(value, -20_000.0, 20_000.0));
        (sane(frame.width, 900.0, 10_000.0) && sane(frame.height, 600.0, 10_000.0) && place(frame.x) && place(frame.y))
            .then_some(frame)
    }
}

/// Notes size and place of the window, when it is open: the app ends.
pub fn remember_open(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(MAIN) {
        remember(&window.as_ref().window());
    }
}

/// Notes size and place of the window that closes.
pub fn remember(window: &Window) {
    let scale = window.scale_factor().unwrap_or(1.0);
    let (Ok(size), Ok(position)) = (window.inner_size(), window.outer_position()) else { return };
    let (size, position) = (size.to_logical::<f64>(scale), position.to_logical::<f64>(scale));
    let maximized = window.is_maximized().unwrap_or(false);
    let frame = if maximized {
        Frame { maximized, ..Frame::read() }
    } else {
        Frame { width: size.width, height: size.height, x: Some(position.x), y: Some(position.y), maximized }
    };
    if let (Some(path), Ok(text)) = (Frame::path(), serde_json::to_string(&frame)) {
        // a window that opens where it did the first time is no loss
        let _ = std::fs::write(path, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_no_screen_has_is_not_taken() {
        let frame = Frame { x: Some(10.0), y: Some(-40.0), ..Frame::default() };
        assert_eq!(Frame::parse(&serde_json::to_string(&frame).unwrap()), Some(frame));
        for wrong in ["", "{}", r#"{"width":1e9,"height":700,"x":null,"y":null,"maximized":false}"#] {
            assert_eq!(Frame::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Frame::parse(r#"{"width":950,"height":5,"x":null,"y":null,"maximized":false}"#), None);
    }

    #[test]
    fn the_click_that_took_the_focus_closes_the_popover() {
        assert!(closes(true, None));
        assert!(closes(false, Some(Duration::from_millis(40))));
        assert!(!closes(false, Some(Duration::from_secs(2))));
        assert!(!closes(false, None));
    }
}
