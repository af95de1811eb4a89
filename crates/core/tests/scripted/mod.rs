//! A tiny HTTP server whose answers are scripted, down to its silences and broken connections.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What came in.
pub struct Request {
    pub method: String,
    pub path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Paths of the requests before this one.
    pub seen: Vec<String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone)]
enum Ending {
    InOrder,
    /// The connection closes in the middle of the chunked body.
    CutOff,
    /// Nothing more comes, and the connection stays open.
    Hang,
}

/// What goes out.
#[derive(Clone)]
pub struct Answer {
    head: Option<String>,
    pieces: Vec<(Duration, Vec<u8>)>,
    chunked: bool,
    ending: Ending,
}

impl Answer {
    pub fn text(status: u16, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n",
            body.len()
        );
        let pieces = vec![(Duration::ZERO, body.as_bytes().to_vec())];
        Self { head: Some(head), pieces, chunked: false, ending: Ending::InOrder }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string())
    }

    pub fn stream(pieces: Vec<String>) -> Self {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n".to_owned();
        let pieces = pieces.into_iter().map(|piece| (Duration::ZERO, piece.into_bytes())).collect();
        Self { head: Some(head), pieces, chunked: true, ending: Ending::InOrder }
    }

    /// The request is read and never answered.
    pub fn nothing() -> Self {
        Self { head: None, pieces: Vec::new(), chunked: false, ending: Ending::Hang }
    }

    pub fn with_header(mut self, line: &str) -> Self {
        self.head = self.head.map(|head| format!("{head}{line}\r\n"));
        self
    }

    pub fn pause_before_piece(&mut self, index: usize, pause: Duration) {
        self.pieces[index].0 = pause;
    }

    pub fn cut_off(mut self) -> Self {
        self.ending = Ending::CutOff;
        self
    }

    pub fn then_hang(mut self) -> Self {
        self.ending = Ending::Hang;
        self
    }
}

#[derive(Default)]
struct Log {
    requests: Vec<(String, Vec<u8>)>,
    /// Paths whose connection the client closed while the answer was hanging.
    closed: HashSet<String>,
}

/// A running server; it ends with the test's runtime.
pub struct Server {
    address: std::net::SocketAddr,
    log: Arc<Mutex<Log>>,
}

impl Server {
    /// Starts on a free port; `script` gives the answer to each request.
    pub async fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let (script, shared) = (Arc::new(script), Arc::clone(&log));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&shared));
                tokio::spawn(async move { serve(stream, script.as_ref(), &log).await });
            }
        });
        Self { address, log }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn paths(&self) -> Vec<String> {
        self.log.lock().unwrap().requests.iter().map(|(path, _)| path.clone()).collect()
    }

    pub fn count(&self, path: &str) -> usize {
        self.paths().iter().filter(|seen| *seen == path).count()
    }

    pub fn last_body(&self, path: &str) -> Value {
        let log = self.log.lock().unwrap();
        let body = log.requests.iter().rev().find(|(seen, _)| seen == path).map(|(_, body)| body);
        serde_json::from_slice(body.unwrap_or_else(|| panic!("nothing asked {path}"))).unwrap()
    }

    /// Waits until `path` was asked for and the scripted part of its answer has had time to go out.
    pub async fn wait_for(&self, path: &str, limit: Duration) {
        self.wait(limit, || self.count(path) > 0, "asked for").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// Waits until the client has closed the connection on which it asked for `path`.
    pub async fn wait_for_closed(&self, path: &str, limit: Duration) {
        self.wait(limit, || self.log.lock().unwrap().closed.contains(path), "closed").await;
    }

    async fn wait(&self, limit: Duration, done: impl Fn() -> bool, what: &str) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < limit, "not {what} within {limit:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn serve(mut stream: TcpStream, script: &(impl Fn(&Request) -> Answer + Send + Sync), log: &Mutex<Log>) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    while let Some(mut request) = read_request(&mut stream, &mut buffer).await {
        let path = request.path.clone();
        {
            let mut log = log.lock().unwrap();
            request.seen = log.requests.iter().map(|(path, _)| path.clone()).collect();
            log.requests.push((path.clone(), request.body.clone()));
        }
        let answer = script(&request);
        if write_answer(&mut stream, &answer).await.is_err() {
            log.lock().unwrap().closed.insert(path);
            return;
        }
        match answer.ending {
            Ending::InOrder => {}
            Ending::CutOff => return,
            Ending::Hang => {
                // A client that goes away ends the read; one that waits sends nothing.
                if matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)) {
                    log.lock().unwrap().closed.insert(path);
                }
                return;
            }
        }
    }
}

async fn write_answer(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    let Some(head) = &answer.head else { return Ok(()) };
    stream.write_all(format!("{head}\r\n").as_bytes()).await?;
    for (pause, piece) in &answer.pieces {
        if !pause.is_zero() {
            tokio::time::sleep(*pause).await;
        }
        if answer.chunked {
            let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
            framed.extend_from_slice(piece);
            framed.extend_from_slice(b"\r\n");
            stream.write_all(&framed).await?;
        } else {
            stream.write_all(piece).await?;
        }
    }
    if answer.chunked && matches!(answer.ending, Ending::InOrder) {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(key, _)| key == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    while buffer.len() < head_end + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer[head_end..head_end + length].to_vec();
    buffer.drain(..head_end + length);
    Some(Request { method, path, headers, body, seen: Vec::new() })
}
