//! The API token in the system's keychain, where there is one: macOS alone. Never in a file.
//!
//! Checked here: that it compiles for macOS. Not checked: that the keychain of a Mac takes and gives it
//! (docs/unverified.md).

use super::token::ApiToken;

/// Why the keychain did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum KeychainError {
    #[error("this system has no keychain that Joulebar knows")]
    NoKeychain,
    #[error("the keychain refused: {0}")]
    Refused(String),
    #[error("what the keychain holds is no token")]
    NotAToken,
}

#[cfg(target_os = "macos")]
mod system {
    use security_framework::passwords;

    use super::{ApiToken, KeychainError};

    const SERVICE: &str = "Joulebar";
    const ACCOUNT: &str = "LM Studio API token";
    /// `errSecItemNotFound`.
    const NOT_FOUND: i32 = -25_300;

    fn refused(error: security_framework::base::Error) -> KeychainError {
        KeychainError::Refused(error.to_string())
    }

    pub fn read() -> Result<Option<ApiToken>, KeychainError> {
        match passwords::get_generic_password(SERVICE, ACCOUNT) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes).map_err(|_| KeychainError::NotAToken)?;
                ApiToken::new(&text).map(Some).map_err(|_| KeychainError::NotAToken)
            }
            Err(error) if error.code() == NOT_FOUND => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    pub fn write(token: &ApiToken) -> Result<(), KeychainError> {
        passwords::set_generic_password(SERVICE, ACCOUNT, token.secret().as_bytes()).map_err(refused)
    }

    pub fn delete() -> Result<(), KeychainError> {
        match passwords::delete_generic_password(SERVICE, ACCOUNT) {
            Err(error) if error.code() != NOT_FOUND => Err(refused(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(not(target_os = "macos"))]
mod system {
    use super::{ApiToken, KeychainError};

    pub fn read() -> Result<Option<ApiToken>, KeychainError> {
        Err(KeychainError::NoKeychain)
    }

    pub fn write(_: &ApiToken) -> Result<(), KeychainError> {
        Err(KeychainError::NoKeychain)
    }

    pub fn delete() -> Result<(), KeychainError> {
        Err(KeychainError::NoKeychain)
    }
}

/// The token that the keychain holds; `None` when it holds none.
///
/// # Errors
/// [`KeychainError`].
pub fn read() -> Result<Option<ApiToken>, KeychainError> {
    system::read()
}

/// Puts the token into the keychain, in place of the one before.
///
/// # Errors
/// [`KeychainError`].
pub fn write(token: &ApiToken) -> Result<(), KeychainError> {
    system::write(token)
}

/// Takes the token out of the keychain; none is no error.
///
/// # Errors
/// [`KeychainError`].
pub fn delete() -> Result<(), KeychainError> {
    system::delete()
}

#[cfg(all(test, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn without_a_keychain_every_call_says_so() {
        let token = ApiToken::new("abc").unwrap();
        assert!(matches!(read(), Err(KeychainError::NoKeychain)));
        assert!(matches!(write(&token), Err(KeychainError::NoKeychain)));
        assert!(matches!(delete(), Err(KeychainError::NoKeychain)));
    }
}
