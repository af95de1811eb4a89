//! The API token: kept out of logs, reports and error messages.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Environment variable that LM Studio's documentation names for the token.
pub const TOKEN_VARIABLE: &str = "LM_API_TOKEN";

/// A bearer token. `Debug` and `Display` show only that there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken(String);

impl ApiToken {
    /// Takes a token; white space around it is dropped.
    ///
    /// # Errors
    /// [`TokenError::Empty`] and [`TokenError::NotPrintable`] (it could not be sent in a header).
    pub fn new(token: &str) -> Result<Self, TokenError> {
        let token = token.trim();
        if token.is_empty() {
            return Err(TokenError::Empty);
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NotPrintable);
        }
        Ok(Self(token.to_owned()))
    }

    /// The token in the environment variable [`TOKEN_VARIABLE`]; `None` when it is unset or empty.
    ///
    /// # Errors
    /// [`TokenError::NotPrintable`].
    pub fn from_env() -> Result<Option<Self>, TokenError> {
        match std::env::var_os(TOKEN_VARIABLE) {
            None => Ok(None),
            Some(value) => match Self::new(value.to_str().ok_or(TokenError::NotPrintable)?) {
                Err(TokenError::Empty) => Ok(None),
                other => other.map(Some),
            },
        }
    }

    /// The secret itself, for the request header and for finding it in what must not show it.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiToken(hidden)")
    }
}

impl fmt::Display for ApiToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// Reads a token from a file that holds nothing else.
///
/// # Errors
/// [`TokenError`]: the file can't be read, is empty, or holds more than a token.
pub fn read_token_file(path: &Path) -> Result<ApiToken, TokenError> {
    const LIMIT: u64 = 4096;
    let unreadable = |source| TokenError::Unreadable { path: path.to_owned(), source };
    let mut content = String::new();
    std::fs::File::open(path).map_err(unreadable)?.take(LIMIT).read_to_string(&mut content).map_err(unreadable)?;
    ApiToken::new(&content)
}

pub use error::TokenError;
mod error {
    #![expect(missing_docs, reason = "each message is the documentation")]

    use super::PathBuf;

    /// Why there is no usable token.
    #[derive(Debug, thiserror::Error)]
    pub enum TokenError {
        #[error("the API token is empty; create one in LM Studio under Developer > Server Settings")]
        Empty,
        #[error("the API token holds spaces, control characters or non-ASCII letters; copy it again from LM Studio")]
        NotPrintable,
        #[error("the API token file {path:?} can't be read")]
        Unreadable { path: PathBuf, source: std::io::Error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_never_shown() {
        let token = ApiToken::new(" sk-lm-abcdefgh:ABCDEFGHIJKLMNOPQRST\n").unwrap();
        let shown = format!("{token} {token:?} {:?}", Some(&token));
        assert!(!shown.contains("abcdefgh"), "{shown}");
        assert_eq!(token.secret(), "sk-lm-abcdefgh:ABCDEFGHIJKLMNOPQRST");
    }

    #[test]
    fn token_file_must_hold_one_printable_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(matches!(read_token_file(&path), Err(TokenError::Unreadable { .. })));
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(read_token_file(&path), Err(TokenError::Empty)));
        std::fs::write(&path, "two words").unwrap();
        assert!(matches!(read_token_file(&path), Err(TokenError::NotPrintable)));
        std::fs::write(&path, "sk-lm-x:y\r\n").unwrap();
        assert_eq!(read_token_file(&path).unwrap().secret(), "sk-lm-x:y");
    }
}
