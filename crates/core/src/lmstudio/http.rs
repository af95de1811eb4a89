//! The wire: one HTTP client with our timeouts, token and limits. Knows no API.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Request, RequestBuilder, Response, Url};
use serde::Serialize;
use tokio::time::Instant;

use super::client::ClientOptions;
use super::error::{BadBody, LmError, UrlProblem, Waiting};
use super::token::ApiToken;

/// Largest body that is read in one piece.
pub(super) const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// Response header of the project's own simulator.
pub(super) const SIMULATOR_HEADER: &str = "x-joulebar-simulator";

/// A kept connection is used again only this soon: LM Studio closes idle ones after 5 s, and a request that meets the
/// closing would be lost.
const REUSE_WITHIN: Duration = Duration::from_secs(2);

/// A whole answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    base: String,
    loopback: bool,
    token: Option<ApiToken>,
    simulated: AtomicBool,
}

impl Http {
    pub(super) fn new(options: &ClientOptions) -> Result<Self, LmError> {
        let (base, loopback) = parse_base(&options.url)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .tcp_nodelay(true)
            .pool_idle_timeout(REUSE_WITHIN)
            .pool_max_idle_per_host(1)
            .redirect(reqwest::redirect::Policy::none()) // a redirect would carry the token elsewhere
            .retry(reqwest::retry::never()); // a second run is a second measurement
        if loopback {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|source| LmError::ClientSetup { source })?;
        Ok(Self { client, base, loopback, token: options.api_token.clone(), simulated: AtomicBool::new(false) })
    }

    /// Address without a slash at its end.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.loopback
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// True once any answer carried the simulator's header.
    pub(super) fn is_simulated(&self) -> bool {
        self.simulated.load(Ordering::Relaxed)
    }

    /// GETs a route of the server and reads the whole answer within `limit`.
    pub(super) async fn get(&self, route: &'static str, limit: Duration) -> Result<Reply, LmError> {
        self.whole(self.authorised(self.client.get(format!("{}{route}", self.base))), route, limit, Waiting::Answer)
            .await
    }

    /// GETs a route of another port of this machine, without the token.
    pub(super) async fn get_local(&self, port: u16, route: &'static str, limit: Duration) -> Result<Reply, LmError> {
        self.whole(self.client.get(format!("http://127.0.0.1:{port}{route}")), route, limit, Waiting::Answer).await
    }

    /// POSTs JSON and reads the whole answer within `limit`.
    pub(super) async fn post(
        &self,
        route: &'static str,
        body: &(impl Serialize + Sync),
        limit: Duration,
        waiting: Waiting,
    ) -> Result<Reply, LmError> {
        self.whole(self.post_builder(route, body), route, limit, waiting).await
    }

    /// A POST that is ready to be sent.
    pub(super) fn prepare(&self, route: &str, body: &impl Serialize) -> Result<Request, LmError> {
        self.post_builder(route, body).build().map_err(|source| LmError::ClientSetup { source })
    }

    /// Sends a prepared request and waits for the headers.
    pub(super) async fn execute(&self, request: Request) -> Result<Response, LmError> {
        let response = self.client.execute(request).await.map_err(|source| self.transport_error(source))?;
        if response.headers().contains_key(SIMULATOR_HEADER) {
            self.simulated.store(true, Ordering::Relaxed);
        }
        Ok(response)
    }

    fn post_builder(&self, route: &str, body: &impl Serialize) -> RequestBuilder {
        let builder = self.client.post(format!("{}{route}", self.base)).json(body);
        self.authorised(builder.header(ACCEPT, HeaderValue::from_static("text/event-stream, application/json")))
    }

    fn authorised(&self, builder: RequestBuilder) -> RequestBuilder {
        match &self.token {
            // Checked by `ApiToken::new` to be printable ASCII; `bearer_auth` marks it as sensitive.
            Some(token) => builder.bearer_auth(token.secret()),
            None => builder,
        }
    }

    async fn whole(
        &self,
        builder: RequestBuilder,
        route: &'static str,
        limit: Duration,
        waiting: Waiting,
    ) -> Result<Reply, LmError> {
        let request = builder.build().map_err(|source| LmError::ClientSetup { source })?;
        let exchange = async {
            let mut response = self.execute(request).await?;
            let body = self.read_body(&mut response, route).await?;
            Ok(Reply { status: response.status().as_u16(), body })
        };
        within(Instant::now() + limit, limit, waiting, exchange).await?
    }

    /// Reads the rest of a body.
    pub(super) async fn read_body(&self, response: &mut Response, route: &'static str) -> Result<Vec<u8>, LmError> {
        let mut body = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(|source| self.transport_error(source))? {
            if body.len() + bytes.len() > BODY_LIMIT {
                return Err(LmError::BadResponse { route, problem: BadBody::TooLarge { limit_bytes: BODY_LIMIT } });
            }
            body.extend_from_slice(&bytes);
        }
        Ok(body)
    }

    fn transport_error(&self, source: reqwest::Error) -> LmError {
        if source.is_connect() {
            LmError::NotRunning { url: self.base.clone(), source }
        } else {
            LmError::Connection { url: self.base.clone(), source }
        }
    }
}

/// Waits for `future` until `deadline`; `limit` is how long that was from its beginning, for the message.
pub(super) async fn within<T>(
    deadline: Instant,
    limit: Duration,
    waiting: Waiting,
    future: impl Future<Output = T>,
) -> Result<T, LmError> {
    let timeout = LmError::Timeout { waiting, after_s: limit.as_secs_f64() };
    tokio::time::timeout_at(deadline, future).await.map_err(|_| timeout)
}

/// Checks an address without asking anybody: what [`Client::connect`](super::Client::connect) would refuse at once.
///
/// # Errors
/// [`LmError::BadUrl`].
pub fn check_url(given: &str) -> Result<(), LmError> {
    parse_base(given).map(drop)
}

/// The base address and whether it is this machine. Takes what users write: without a scheme, with a slash at the
/// end, with the path of one of the APIs.
fn parse_base(given: &str) -> Result<(String, bool), LmError> {
    let bad = |problem| LmError::BadUrl { url: given.to_owned(), problem };
    let trimmed = given.trim();
    let with_scheme = if trimmed.contains("://") { trimmed.to_owned() } else { format!("http://{trimmed}") };
    let mut url = Url::parse(&with_scheme).map_err(|_| bad(UrlProblem::Unparsable))?;
    if url.scheme() != "http" {
        return Err(bad(UrlProblem::NotHttp));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let hidden =
            LmError::BadUrl { url: "(address with a password)".to_owned(), problem: UrlProblem::HasCredentials };
        return Err(hidden);
    }
    let host = url.host_str().ok_or(bad(UrlProblem::Unparsable))?.to_owned();
    if host == "localhost" {
        // LM Studio listens on 127.0.0.1 alone, and `localhost` may be tried as ::1 first.
        url.set_host(Some("127.0.0.1")).map_err(|_| bad(UrlProblem::Unparsable))?;
    }
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    url.set_query(None);
    url.set_fragment(None);
    let mut base = url.as_str().trim_end_matches('/');
    for path in ["/api/v1", "/api/v0", "/v1"] {
        base = base.strip_suffix(path).unwrap_or(base);
    }
    Ok((base.trim_end_matches('/').to_owned(), loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_users_write_them() {
        for given in [
            "http://127.0.0.1:1234",
            "http://127.0.0.1:1234/",
            "127.0.0.1:1234",
            "localhost:1234/v1",
            "http://localhost:1234/api/v1/",
            " http://127.0.0.1:1234/api/v0 ",
        ] {
            assert_eq!(parse_base(given).unwrap(), ("http://127.0.0.1:1234".to_owned(), true), "{given}");
        }
        assert_eq!(parse_base("http://mac.lan:1234/llm/v1").unwrap(), ("http://mac.lan:1234/llm".to_owned(), false));
        assert_eq!(parse_base("http://[::1]:9").unwrap(), ("http://[::1]:9".to_owned(), true));
    }

    #[test]
    fn useless_addresses_say_what_is_wrong() {
        let problem = |given: &str| match parse_base(given) {
            Err(LmError::BadUrl { problem, .. }) => problem,
            other => panic!("{given}: {other:?}"),
        };
        assert_eq!(problem("https://127.0.0.1:1234"), UrlProblem::NotHttp);
        assert_eq!(problem("http://:1234"), UrlProblem::Unparsable);
        assert_eq!(problem("http://127.0.0.1:99999"), UrlProblem::Unparsable);
        let error = parse_base("http://me:secret@127.0.0.1:1234").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
