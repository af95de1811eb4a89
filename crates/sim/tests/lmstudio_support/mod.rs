//! A server inside of the test and a client that shows it byte for byte.
#![allow(clippy::unwrap_used, reason = "test code: a panic is a failed test")]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::time::Duration;

use joulebar_sim::lmstudio::{Config, Handle, RequestLog, Scenario, serve};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;

pub const CHAT: &str = "joulebar/tiny-chat-1b";
pub const THINKER: &str = "joulebar/thinker-4b";
pub const EMBED: &str = "text-embedding-joulebar-mini";

/// Rules in front of a test's own ones: everything happens quickly.
pub const QUICK: &str = r#"
[[request]]
match = "*"
prefill_tokens_per_s = 100000.0
prefill_fixed_ms = 3
decode_tokens_per_s = 1000.0
output_tokens = 12
reasoning_tokens = 4
"#;

pub struct Server {
    pub handle: Handle,
    pub client: Client,
}

/// A quick server with the scenario's further lines: `[server]` fields first, then rules.
pub async fn server(settings: &str, rules: &str) -> Server {
    let text = format!("[server]\nload_ms = 40\n{settings}\n{QUICK}\n{rules}");
    start(Config { scenario: Scenario::parse(&text).unwrap(), ..Config::default() }).await
}

pub async fn start(config: Config) -> Server {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
    Server { handle: serve(config, listener).unwrap(), client }
}

impl Server {
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.handle.base_url()))
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.handle.base_url())).json(body)
    }

    pub async fn get_json(&self, path: &str) -> (StatusCode, Value) {
        json_of(self.get(path).send().await.unwrap()).await
    }

    pub async fn post_json(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        json_of(self.post(path, body).send().await.unwrap()).await
    }

    /// The whole text of a stream; an error when the connection broke.
    pub async fn stream(&self, path: &str, body: &Value) -> reqwest::Result<String> {
        let response = self.post(path, body).send().await?;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        response.text().await
    }

    /// The log of the only generation so far, once it is there.
    pub async fn log(&self) -> RequestLog {
        for _ in 0..500 {
            if let Some(log) = self.handle.requests().into_iter().next_back() {
                return log;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no generation has ended");
    }
}

pub async fn json_of(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}")))
}

/// Names and data of the events of a stream; comments and `[DONE]` are left out.
pub fn events(text: &str) -> Vec<(String, Value)> {
    text.replace("\r\n", "\n")
        .split_terminator("\n\n")
        .filter_map(|frame| {
            let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let data = field("data:").filter(|data| *data != "[DONE]")?;
            Some((field("event:").unwrap_or_default().to_owned(), serde_json::from_str(data).unwrap()))
        })
        .collect()
}

pub fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}
