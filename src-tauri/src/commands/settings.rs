//! The settings.

use joulebar_core::live::state::FailureCode;
use joulebar_core::live::{ConnectionTest, Failure};
use joulebar_core::lmstudio::{ApiToken, keychain};
use joulebar_core::settings::{SettingsView, TokenState, UserSettings, write_settings};
use tauri::{AppHandle, State};

use crate::error::{Answer, CommandError};
use crate::state::AppState;
use crate::{login, tray};

fn view(state: &AppState) -> SettingsView {
    SettingsView::new(state.live.config_folder(), state.live.settings(), state.token())
}

/// The settings as they hold.
#[tauri::command]
pub async fn get_settings(state: State<'_, AppState>) -> Answer<SettingsView> {
    Ok(view(&state))
}

/// Writes settings and lets them hold. Nothing changes when they can't be written.
#[tauri::command]
pub async fn set_settings(app: AppHandle, state: State<'_, AppState>, settings: UserSettings) -> Answer<SettingsView> {
    let before = state.live.settings();
    let write = |settings: &UserSettings| write_settings(state.live.config_folder(), settings).map_err(Failure::from);
    write(&settings)?;
    if settings.launch_at_login != before.launch_at_login
        && let Err(error) = login::set(settings.launch_at_login)
    {
        write(&before)?;
        return Err(error);
    }
    state.live.set_settings(settings);
    tray::refresh(&app);
    Ok(view(&state))
}

/// Keeps a token, or forgets it.
#[tauri::command]
pub async fn set_token(state: State<'_, AppState>, token: Option<String>) -> Answer<TokenState> {
    let wrong = |error: &dyn std::error::Error| CommandError::new(FailureCode::Token, error.to_string());
    let token = token.map(|text| ApiToken::new(&text)).transpose().map_err(|error| wrong(&error))?;
    let kept = match &token {
        Some(token) => keychain::write(token),
        None => keychain::delete(),
    };
    let place = match (kept, &token) {
        (Err(error @ (keychain::KeychainError::Refused(_) | keychain::KeychainError::NotAToken)), _) => {
            return Err(wrong(&error));
        }
        (_, None) => TokenState::None,
        (Ok(()), Some(_)) => TokenState::InKeychain,
        (Err(keychain::KeychainError::NoKeychain), Some(_)) => TokenState::InMemory,
    };
    state.token_is(place);
    state.live.set_token(token);
    Ok(place)
}

/// Asks a server what it is; none is the one of the settings.
#[tauri::command]
pub async fn test_connection(state: State<'_, AppState>, url: Option<String>) -> Answer<ConnectionTest> {
    Ok(state.live.test_connection(url).await)
}
