//! Reading foreign JSON without trusting it: every field may be missing, null, or of another type.
//!
//! Knows the five shapes of error that servers send and what they stand for; the shapes of each API's answers are
//! left to [`super::v1`], [`super::v0`] and [`super::openai`]. Messages stay as they are, of any length: what leaves
//! the client is shortened at its border.

use serde_json::Value;

use super::error::{BadBody, LmError};

/// Parses a body.
///
/// # Errors
/// [`BadBody::NotJson`].
pub fn parse_json(body: &[u8]) -> Result<Value, BadBody> {
    serde_json::from_slice(body).map_err(|source| BadBody::NotJson { source })
}

/// A finite number under `key`.
pub(super) fn number(value: &Value, key: &str) -> Option<f64> {
    value.get(key)?.as_f64().filter(|number| number.is_finite())
}

/// A whole, non-negative number under `key`; `12.0` counts as 12.
pub(super) fn count(value: &Value, key: &str) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: above it a float is no exact count
    let value = value.get(key)?;
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=EXACT).contains(number))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within 0..=2^53")]
        Some(number as u64)
    })
}

/// A non-empty string under `key`.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// The same, owned.
pub(super) fn owned_text(value: &Value, key: &str) -> Option<String> {
    text(value, key).map(str::to_owned)
}

/// The array under `key`; empty when there is none.
pub(super) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An error as a server words it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerMessage {
    /// For people.
    pub message: String,
    /// `type`, such as `invalid_request` or `exceed_context_size_error`.
    pub kind: Option<String>,
    /// `code`, such as `invalid_api_key`; llama.cpp puts the HTTP status here.
    pub code: Option<String>,
}

/// The error inside a JSON value, in any of its shapes: `{"error":{…}}` with or without `code` and `param`,
/// `{"error":"text"}`. `None` when there is no `error`.
#[must_use]
pub fn error_in(value: &Value) -> Option<ServerMessage> {
    match value.get("error")? {
        Value::Null => None,
        Value::String(message) => Some(ServerMessage { message: message.clone(), ..Default::default() }),
        error => {
            let code = error.get("code").filter(|code| !code.is_null());
            Some(ServerMessage {
                message: owned_text(error, "message").unwrap_or_else(|| error.to_string()),
                kind: owned_text(error, "type"),
                code: code.map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned)),
            })
        }
    }
}

/// What a refused request's body says, however it says it.
#[must_use]
pub fn refusal_in(body: &[u8]) -> ServerMessage {
    let fallback = || {
        let message = String::from_utf8_lossy(body).trim().to_owned();
        let message = if message.is_empty() { "no explanation".to_owned() } else { message };
        ServerMessage { message, ..Default::default() }
    };
    serde_json::from_slice(body).ok().as_ref().and_then(error_in).unwrap_or_else(fallback)
}

/// What an error stands for, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The prompt does not fit the context.
    ContextExceeded,
    /// No model of that name.
    ModelNotFound,
    /// Nothing loaded and nothing to load by itself.
    NoModelLoaded,
    /// Loading stopped for want of memory.
    OutOfMemory,
    /// Anything else.
    Unknown,
}

impl ServerMessage {
    /// What the error stands for.
    ///
    /// LM Studio sends some of its errors as text alone, with neither type nor code. This is the one place that looks
    /// at such text; a wording that it does not know only costs a more precise hint.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let coded = |known: &str| self.kind.as_deref() == Some(known) || self.code.as_deref() == Some(known);
        if coded("exceed_context_size_error") || coded("context_length_exceeded") {
            return Meaning::ContextExceeded;
        }
        if coded("model_not_found") {
            return Meaning::ModelNotFound;
        }
        let says = |known: &str| self.message.contains(known);
        if says("when context the overflows") || says("Context size has been exceeded") {
            Meaning::ContextExceeded
        } else if says("No models loaded") {
            Meaning::NoModelLoaded
        } else if says("insufficient system resources") {
            Meaning::OutOfMemory
        } else {
            Meaning::Unknown
        }
    }

    /// The error for a request that was refused with `status`, when `model` was asked for on `url`.
    /// `had_token` tells whether the request carried one.
    #[must_use]
    pub fn into_refusal(self, status: u16, url: &str, model: &str, had_token: bool) -> LmError {
        match (status, self.meaning()) {
            (401 | 403, _) => self.into_auth_error(url, had_token),
            (_, Meaning::ContextExceeded) => LmError::ContextExceeded { message: self.message },
            (_, Meaning::ModelNotFound) => LmError::ModelNotFound { key: model.to_owned(), available: Vec::new() },
            (_, Meaning::NoModelLoaded) => LmError::NoModelLoaded { available: Vec::new() },
            (_, Meaning::OutOfMemory) => LmError::OutOfMemory { key: model.to_owned(), message: self.message },
            (503, Meaning::Unknown) => LmError::NotReady { message: self.message },
            (_, Meaning::Unknown) => LmError::Http { status, message: self.message },
        }
    }

    /// The error for 401 and 403.
    #[must_use]
    pub fn into_auth_error(self, url: &str, had_token: bool) -> LmError {
        if had_token {
            LmError::TokenRefused { url: url.to_owned(), message: self.message }
        } else {
            LmError::TokenNeeded { url: url.to_owned() }
        }
    }

    /// The error for a stream that began well and then said this.
    #[must_use]
    pub fn into_stream_error(self) -> LmError {
        match self.meaning() {
            Meaning::ContextExceeded => LmError::ContextExceeded { message: self.message },
            _ => LmError::StreamError { message: self.message },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_error_shape_yields_its_message() {
        let full = error_in(
            &json!({"error": {"message": "m", "type": "invalid_request", "code": "invalid_union", "param": "input"}}),
        );
        assert_eq!(
            full,
            Some(ServerMessage {
                message: "m".into(),
                kind: Some("invalid_request".into()),
                code: Some("invalid_union".into())
            })
        );
        let bare = error_in(&json!({"error": {"type": "model_not_found", "message": "m"}})).unwrap();
        assert_eq!((bare.message.as_str(), bare.code), ("m", None));
        assert_eq!(error_in(&json!({"error": {"message": "m", "code": null}})).unwrap().code, None);
        assert_eq!(error_in(&json!({"error": {"message": "m", "code": 503}})).unwrap().code.as_deref(), Some("503"));
        assert_eq!(error_in(&json!({"error": "m"})).unwrap().message, "m");
        assert_eq!(error_in(&json!({"error": {"x": 1}})).unwrap().message, r#"{"x":1}"#);
        assert_eq!(error_in(&json!({"error": null})), None);
        assert_eq!(error_in(&json!({"models": []})), None);
    }

    #[test]
    fn refusal_without_json_keeps_the_text_and_an_empty_one_says_so() {
        assert_eq!(refusal_in(b"<h1>Bad gateway</h1>\n").message, "<h1>Bad gateway</h1>");
        assert_eq!(refusal_in(b"").message, "no explanation");
    }

    #[test]
    fn same_401_asks_for_a_token_or_says_that_it_was_refused() {
        let message = ServerMessage { message: "no".into(), ..Default::default() };
        assert!(matches!(message.clone().into_refusal(401, "u", "m", false), LmError::TokenNeeded { .. }));
        assert!(matches!(message.into_refusal(403, "u", "m", true), LmError::TokenRefused { .. }));
    }

    #[test]
    fn counts_are_whole_and_never_negative() {
        let value = json!({"a": 12, "b": 12.0, "c": -1, "d": 1.5, "e": null, "f": "", "g": 1e300});
        let counts: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|key| count(&value, key)).into();
        assert_eq!(counts, [Some(12), Some(12), None, None, None, None, None, None]);
    }
}
