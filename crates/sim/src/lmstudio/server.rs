//! Connections, routes, and what all responses have in common.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State as Shared};
use axum::http::header::{AUTHORIZATION, CONNECTION, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::clock_log::RequestLog;
use super::http::{self, SIMULATOR_HEADER};
use super::scenario::Profile;
use super::state::{Config, State};
use super::{openai, v0, v1};
use crate::activity::raw_monotonic_ns;

/// Largest request body, in bytes.
const MAX_BODY_BYTES: usize = 32 << 20;

/// When a request's headers had been read: raw monotonic nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Received(pub i64);

/// A running server. It ends when this is dropped or [stopped](Handle::stop).
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    state: Arc<State>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The true instants of the last 1,000 generations that have ended, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestLog> {
        self.state.requests()
    }

    /// Closes all connections and waits until the server has ended.
    pub async fn stop(self) {
        drop(self.stop);
        // it ends without a result; a panic of a connection is no concern of the caller
        let _ = self.task.await;
    }
}

/// Starts a server on `listener`, inside of the present tokio runtime.
///
/// # Errors
/// When a log file cannot be opened or the listener has no address.
pub fn serve(config: Config, listener: TcpListener) -> io::Result<Handle> {
    let address = listener.local_addr()?;
    let state = Arc::new(State::new(config)?);
    let router = router(&state);
    let idle = Duration::from_millis(state.settings.keep_alive_ms);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(accept(listener, router, idle, Arc::clone(&state), stopped));
    Ok(Handle { address, state, stop, task })
}

async fn accept(
    listener: TcpListener,
    router: Router,
    idle: Duration,
    state: Arc<State>,
    mut stopped: oneshot::Receiver<()>,
) {
    // dropped at the end, and every connection with it
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                // without it the kernel would hold small events back
                if let Err(error) = stream.set_nodelay(true) {
                    super::complain(&format!("TCP_NODELAY is not available: {error}"));
                }
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(idle);
                let service = TowerToHyperService::new(router.clone());
                let connection = http.serve_connection(TokioIo::new(stream), service);
                // how a connection ends is the client's business
                connections.spawn(async move { drop(connection.await) });
            }
        }
    }
    state.stop();
}

fn router(state: &Arc<State>) -> Router {
    let mut router = Router::new()
        .route("/lmstudio-greeting", get(greeting))
        .route("/api/v0/models", get(v0::models))
        .route("/api/v0/models/{*id}", get(v0::model))
        .route("/api/v0/chat/completions", post(openai::chat))
        .route("/api/v0/completions", post(openai::completions))
        .route("/api/v0/embeddings", post(openai::embeddings))
        .route("/v1/models", get(openai::models))
        .route("/v1/models/{*id}", get(openai::model))
        .route("/v1/chat/completions", post(openai::chat))
        .route("/v1/completions", post(openai::completions))
        .route("/v1/embeddings", post(openai::embeddings));
    if state.settings.profile == Profile::V04 {
        router = router
            .route("/lms-status", get(status))
            .route("/api/v1/models", get(v1::models))
            .route("/api/v1/models/load", post(v1::load))
            .route("/api/v1/models/unload", post(v1::unload))
            .route("/api/v1/models/download", post(v1::download))
            .route("/api/v1/models/download/status/{job}", get(v1::download_status))
            .route("/api/v1/chat", post(v1::chat));
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(Arc::clone(state), around))
        .with_state(Arc::clone(state))
}

/// Notes when a request came, asks for its token and adds the headers of every response.
async fn around(Shared(state): Shared<Arc<State>>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Received(raw_monotonic_ns()));
    let open = matches!(request.uri().path(), "/lmstudio-greeting" | "/lms-status");
    let refusal = match &state.settings.api_token {
        Some(token) if !open => refuse(token, request.headers()),
        _ => None,
    };
    let mut response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(SIMULATOR_HEADER, HeaderValue::from_static("1"));
    headers.insert(HeaderName::from_static("x-powered-by"), HeaderValue::from_static("Express"));
    headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    let timeout = format!("timeout={}", state.settings.keep_alive_ms / 1_000);
    if let Ok(timeout) = HeaderValue::from_str(&timeout) {
        headers.insert(HeaderName::from_static("keep-alive"), timeout);
    }
    response
}

/// The answer to a request without the right token; `None` when it has it.
fn refuse(token: &str, headers: &HeaderMap) -> Option<Response> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(given) = value.and_then(|value| value.strip_prefix("Bearer ")) else {
        return Some(http::unauthorized(
            "An LM Studio API token is required to make requests to this server, but none was provided using the \
             Authorization header using the 'Bearer' scheme (i.e., 'Authorization: Bearer $LM_API_TOKEN'). Learn more at: \
             https://lmstudio.ai/docs/developer/core/authentication.",
        ));
    };
    if given == token {
        return None;
    }
    if is_token(given) {
        return Some(http::unauthorized("Invalid LM Studio API token provided. Ensure you are using a valid token."));
    }
    let beginning: String = given.chars().take(8).collect();
    Some(http::unauthorized(&format!(
        "Malformed LM Studio API token provided: {beginning}... Ensure you are using a valid token."
    )))
}

/// `sk-lm-`, 8 letters or digits, a colon, 20 letters or digits.
fn is_token(text: &str) -> bool {
    let plain = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let parts = text.strip_prefix("sk-lm-").and_then(|rest| rest.split_once(':'));
    parts.is_some_and(|(id, key)| plain(id, 8) && plain(key, 20))
}

async fn unknown(method: Method, uri: Uri) -> Response {
    http::unknown_route(&method, uri.path())
}

/// Compact, unlike all other answers.
async fn greeting() -> Response {
    http::json_text(StatusCode::OK, r#"{"lmstudio":true}"#.to_owned())
}

async fn status() -> Response {
    #[derive(serde::Serialize)]
    struct Status {
        package: &'static str,
        version: &'static str,
    }
    http::json(StatusCode::OK, &Status { package: "lmstudio", version: "0.4.25+1" })
}

#[cfg(test)]
mod tests {
    use super::is_token;

    #[test]
    fn token_has_exactly_the_published_shape() {
        assert!(is_token("sk-lm-abcd1234:abcdefghij0123456789"));
        assert!(!is_token("sk-lm-abcd1234:abcdefghij012345678"));
        assert!(!is_token("sk-lm-abcd123:abcdefghij0123456789"));
        assert!(!is_token("dummy-lm-studio-key"));
    }
}
