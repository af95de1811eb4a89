//! Answers as LM Studio's Express server writes them: headers, two-space JSON, and the five shapes of errors.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::text::hash;

/// Marks every response, so that nobody takes a simulated result for a measured one.
pub const SIMULATOR_HEADER: HeaderName = HeaderName::from_static("x-joulebar-simulator");
/// Identifier of the generation in the clock log and the activity file.
pub const REQUEST_HEADER: HeaderName = HeaderName::from_static("x-joulebar-request");

/// A JSON answer, indented by two spaces, without a final newline.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string_pretty(value) {
        Ok(body) => json_text(status, body),
        Err(error) => json_text(StatusCode::INTERNAL_SERVER_ERROR, format!("{{\"error\": \"{error}\"}}")),
    }
}

/// A JSON answer whose text is given.
pub fn json_text(status: StatusCode, body: String) -> Response {
    let tag = format!("W/\"{:x}-{:x}\"", body.len(), hash(&body));
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, kind);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// The head of a stream with its body.
pub fn event_stream(body: Body) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Adds the generation's identifier.
pub fn with_request_id(mut response: Response, request: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(request) {
        response.headers_mut().insert(REQUEST_HEADER, value);
    }
    response
}

#[derive(Serialize)]
struct Envelope<T> {
    error: T,
}

/// `{"error": "text"}`.
pub fn text_error(status: StatusCode, message: &str) -> Response {
    json(status, &Envelope { error: message })
}

/// The answer to a route that does not exist: status 200.
pub fn unknown_route(method: &Method, path: &str) -> Response {
    text_error(StatusCode::OK, &format!("Unexpected endpoint or method. ({method} {path})"))
}

/// An error of `/api/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct V1Error {
    /// What is wrong.
    pub message: String,
    /// One of LM Studio's error types.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Finer than the type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The field it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
}

impl V1Error {
    /// A failure of the engine.
    #[must_use]
    pub fn internal(message: &str) -> Self {
        Self { message: message.to_owned(), kind: "internal_error", code: None, param: None }
    }

    /// A request that asks for something impossible.
    #[must_use]
    pub fn invalid(message: &str, code: Option<&'static str>, param: Option<&str>) -> Self {
        Self { message: message.to_owned(), kind: "invalid_request", code, param: param.map(str::to_owned) }
    }

    /// As a whole answer.
    pub fn response(&self, status: StatusCode) -> Response {
        json(status, &Envelope { error: self })
    }
}

/// `{"error": {"type", "message"}}`, status 404.
pub fn not_found(kind: &'static str, message: &str) -> Response {
    #[derive(Serialize)]
    struct NotFound<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        message: &'a str,
    }
    json(StatusCode::NOT_FOUND, &Envelope { error: NotFound { kind, message } })
}

/// A missing or malformed API token, status 401.
pub fn unauthorized(message: &str) -> Response {
    #[derive(Serialize)]
    struct Unauthorized<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        code: &'static str,
        message: &'a str,
    }
    let error = Unauthorized { kind: "invalid_request", code: "invalid_api_key", message };
    json(StatusCode::UNAUTHORIZED, &Envelope { error })
}

/// An error in OpenAI's shape.
pub fn openai_error(status: StatusCode, message: &str, param: Option<&str>, code: Option<&str>) -> Response {
    #[derive(Serialize)]
    struct OpenAiError<'a> {
        message: &'a str,
        #[serde(rename = "type")]
        kind: &'static str,
        param: Option<&'a str>,
        code: Option<&'a str>,
    }
    let kind = if status.is_server_error() { "internal_error" } else { "invalid_request_error" };
    json(status, &Envelope { error: OpenAiError { message, kind, param, code } })
}
