//! What commands share: the handle of everything that goes on, and who is looking.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use joulebar_core::live::Live;
use joulebar_core::lmstudio::{ApiToken, keychain};
use joulebar_core::settings::TokenState;
use tauri::async_runtime::JoinHandle;
use tokio::sync::watch;

/// The app's state.
pub struct AppState {
    /// Everything that goes on.
    pub live: Live,
    /// Where exports go without a question.
    pub export_to: Option<PathBuf>,
    watchers: Mutex<Watchers>,
    token: Mutex<TokenState>,
    shown: watch::Sender<u32>,
}

#[derive(Default)]
struct Watchers {
    next: u32,
    tasks: HashMap<u32, (String, JoinHandle<()>)>,
}

impl AppState {
    /// Nobody looks yet.
    pub fn new(live: Live, export_to: Option<PathBuf>, token: TokenState) -> Self {
        Self { live, export_to, watchers: Mutex::default(), token: Mutex::new(token), shown: watch::channel(0).0 }
    }

    /// Where the server's token is.
    pub fn token(&self) -> TokenState {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says where the server's token is now.
    pub fn token_is(&self, place: TokenState) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// Tells when a window comes in sight: pages that were hidden are out of date.
    pub fn shown(&self) -> watch::Receiver<u32> {
        self.shown.subscribe()
    }

    /// A window came in sight.
    pub fn is_shown(&self) {
        self.shown.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Keeps a page's task; its number ends it.
    pub fn keep(&self, window: &str, task: JoinHandle<()>) -> u32 {
        let mut watchers = self.watchers();
        watchers.next = watchers.next.wrapping_add(1);
        let id = watchers.next;
        watchers.tasks.insert(id, (window.to_owned(), task));
        id
    }

    /// Ends a page's task.
    pub fn end(&self, id: u32) {
        if let Some((_, task)) = self.watchers().tasks.remove(&id) {
            task.abort();
        }
    }

    /// Ends all tasks of a window that is gone.
    pub fn forget(&self, window: &str) {
        self.watchers().tasks.retain(|_, (label, task)| {
            let stays = label != window;
            if !stays {
                task.abort();
            }
            stays
        });
    }

    fn watchers(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server's token, from the keychain or the environment, and where it is.
pub fn read_token() -> (Option<ApiToken>, TokenState) {
    if let Ok(Some(token)) = keychain::read() {
        return (Some(token), TokenState::InKeychain);
    }
    match ApiToken::from_env() {
        Ok(Some(token)) => (Some(token), TokenState::InMemory),
        _ => (None, TokenState::None),
    }
}
