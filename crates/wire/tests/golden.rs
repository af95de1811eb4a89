//! Every message, byte by byte, as it was when its protocol version was published.
#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use joulebar_wire::frame::{parse_reply, parse_request};
use joulebar_wire::{ErrorCode, IntervalMs, Reply, Request, Sampler, Samplers, StopReason};
use serde::Serialize;

fn golden() -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), text.trim_end().to_owned())
        })
        .collect()
}

fn requests() -> Vec<(&'static str, Request)> {
    let start =
        |id, interval_ms, samplers| Request::Start { id, interval_ms: IntervalMs::new(interval_ms).unwrap(), samplers };
    vec![
        ("request_hello", Request::Hello { proto: 1, app: "1.4.0".into() }),
        ("request_start", start(7, 1000, Samplers::default())),
        ("request_start_all", start(u64::MAX, 100, Samplers::new(Sampler::ALL.to_vec()).unwrap())),
        ("request_stop", Request::Stop { id: 7 }),
        ("request_mark", Request::Mark { id: 7, n: 2 }),
        ("request_ping", Request::Ping { n: 3 }),
    ]
}

fn replies() -> Vec<(&'static str, Reply)> {
    let interval_ms = IntervalMs::new(1000).unwrap();
    let error = |code| Reply::Error { code, id: None, detail: "what happened".into() };
    let child_exit =
        Reply::Error { code: ErrorCode::ChildExit, id: Some(7), detail: "powermetrics ended with status 1".into() };
    vec![
        (
            "reply_hello_ok",
            Reply::HelloOk {
                proto: 1,
                helper: "1.4.0".into(),
                build: "0a1b2c3".into(),
                powermetrics: true,
                simulated: false,
            },
        ),
        ("reply_started", Reply::Started { id: 7, interval_ms, samplers: Samplers::default() }),
        (
            "reply_sample",
            Reply::Sample { id: 7, seq: 42, mono_ns: 86_400_000_000_000, offset: 1_229_000, dropped: 1, len: 28_990 },
        ),
        ("reply_marked", Reply::Marked { id: 7, n: 2, mono_ns: 86_400_250_000_000 }),
        ("reply_stopped_client", Reply::Stopped { id: 7, reason: StopReason::Client }),
        ("reply_stopped_failed", Reply::Stopped { id: 7, reason: StopReason::Failed }),
        ("reply_stopped_shutdown", Reply::Stopped { id: 7, reason: StopReason::Shutdown }),
        ("reply_pong", Reply::Pong { n: 3 }),
        ("reply_error_bad_request", error(ErrorCode::BadRequest)),
        ("reply_error_busy", error(ErrorCode::Busy)),
        ("reply_error_too_fast", error(ErrorCode::TooFast)),
        ("reply_error_unsupported", error(ErrorCode::Unsupported)),
        ("reply_error_permission", error(ErrorCode::Permission)),
        ("reply_error_unavailable", error(ErrorCode::Unavailable)),
        ("reply_error_child_exit", child_exit),
        ("reply_error_oversize", error(ErrorCode::Oversize)),
        ("reply_error_internal", error(ErrorCode::Internal)),
    ]
}

fn compare<T: Serialize + PartialEq + Debug>(messages: &[(&str, T)], parse: impl Fn(&[u8]) -> Option<T>) {
    let golden = golden();
    for (name, message) in messages {
        assert_eq!(serde_json::to_string(message).unwrap(), golden[*name], "{name}");
        assert_eq!(parse(golden[*name].as_bytes()).as_ref(), Some(message), "{name}");
        let with_unknown_field = golden[*name].replacen('{', "{\"extra\":0,", 1);
        assert_eq!(parse(with_unknown_field.as_bytes()), None, "{name} with an unknown field");
        let twice = golden[*name].repeat(2);
        assert_eq!(parse(twice.as_bytes()), None, "{name} twice in one frame");
    }
}

#[test]
fn every_request_is_its_golden_file_and_nothing_more() {
    compare(&requests(), |bytes| parse_request(bytes).ok());
}

#[test]
fn every_reply_is_its_golden_file_and_nothing_more() {
    compare(&replies(), |bytes| parse_reply(bytes).ok());
}

#[test]
fn no_golden_file_is_left_out() {
    let requests = requests();
    let replies = replies();
    let mut tested: Vec<_> =
        requests.iter().map(|(name, _)| *name).chain(replies.iter().map(|(name, _)| *name)).collect();
    tested.sort_unstable();
    assert_eq!(golden().into_keys().collect::<Vec<_>>(), tested);
}

#[test]
fn threat_06_requests_outside_the_closed_lists_are_refused() {
    for bad in [
        r#"{"t":"start","id":7,"interval_ms":99,"samplers":["cpu_power"]}"#,
        r#"{"t":"start","id":7,"interval_ms":60001,"samplers":["cpu_power"]}"#,
        r#"{"t":"start","id":7,"interval_ms":1000.5,"samplers":["cpu_power"]}"#,
        r#"{"t":"start","id":-1,"interval_ms":1000,"samplers":["cpu_power"]}"#,
        r#"{"t":"start","id":7,"interval_ms":1000,"samplers":[]}"#,
        r#"{"t":"start","id":7,"interval_ms":1000,"samplers":["cpu_power","cpu_power"]}"#,
        r#"{"t":"start","id":7,"interval_ms":1000,"samplers":["tasks"]}"#,
        r#"{"t":"start","id":7,"interval_ms":1000,"samplers":["cpu_power -o /etc/x"]}"#,
        r#"{"t":"start","id":7,"interval_ms":1000}"#,
        r#"{"t":"ping","n":1,"n":2}"#,
        r#"{"t":"ping","t":"stop","n":1}"#,
        r#"{"t":"exec","path":"/bin/sh"}"#,
        r#"["ping"]"#,
        "null",
        "",
    ] {
        assert!(parse_request(bad.as_bytes()).is_err(), "{bad}");
    }
}
