//! What hostile bytes can do to the parsers that run as root: nothing. Rows of docs/security.md.
#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

use joulebar_wire::documents::Splitter;
use joulebar_wire::frame::{FrameDecoder, ReplyDecoder, parse_reply, parse_request};
use joulebar_wire::limits::{MAX_INTERVAL_MS, MAX_MESSAGE_BYTES, MIN_INTERVAL_MS};
use joulebar_wire::{Request, Sampler};
use proptest::prelude::*;

/// Bytes that come close to a request, now and then.
fn almost_a_request() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => prop::sample::select(vec![
            "{", "}", "[", "]", ":", ",", "\"t\"", "\"start\"", "\"stop\"", "\"ping\"", "\"mark\"", "\"hello\"", "\"id\"", "7",
            "\"n\"", "\"interval_ms\"", "1000", "\"samplers\"", "[\"thermal\"]", "\"cpu_power\"", "\"tasks\"", "-1", "1e9",
            "\"-o\"", "null", "true", "\\u0000", "\"\\ud800\"", "18446744073709551616",
        ]).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

/// A request whose every value may be out of bounds.
fn wild_start() -> impl Strategy<Value = String> {
    let sampler =
        prop::sample::select(vec!["cpu_power", "gpu_power", "ane_power", "thermal", "battery", "tasks", "all", ""]);
    (any::<i128>(), 0u64..70_000, prop::collection::vec(sampler, 0..10)).prop_map(|(id, interval_ms, samplers)| {
        format!(r#"{{"t":"start","id":{},"interval_ms":{interval_ms},"samplers":{samplers:?}}}"#, id % (1 << 70))
    })
}

proptest! {
    #[test]
    fn threat_17_no_bytes_make_a_parser_panic_or_keep_more_than_a_frame(bytes in almost_a_request(), size in 1usize..9) {
        drop(parse_request(&bytes));
        drop(parse_reply(&bytes));
        let (mut frames, mut replies, mut splitter) = (FrameDecoder::new(), ReplyDecoder::new(), Splitter::new(256));
        for chunk in bytes.chunks(size) {
            frames.push(chunk);
            while let Ok(Some(frame)) = frames.next_frame(MAX_MESSAGE_BYTES) {
                prop_assert!(frame.len() <= MAX_MESSAGE_BYTES);
            }
            replies.push(chunk);
            while let Ok(Some(_)) = replies.next_reply() {}
            splitter.push(chunk);
            splitter.by_ref().for_each(drop);
        }
        while splitter.finish().is_some() {}
    }

    #[test]
    fn threat_06_whatever_is_parsed_is_within_the_closed_lists(text in wild_start()) {
        if let Ok(Request::Start { interval_ms, samplers, .. }) = parse_request(text.as_bytes()) {
            prop_assert!((MIN_INTERVAL_MS..=MAX_INTERVAL_MS).contains(&interval_ms.get()));
            let list = samplers.to_string();
            let names: Vec<_> = list.split(',').collect();
            prop_assert!(!names.is_empty() && names.iter().all(|name| Sampler::from_name(name).is_some()), "{}", list);
            let mut once = names.clone();
            once.dedup();
            prop_assert_eq!(once, names);
        }
    }
}

#[test]
fn threat_18_what_other_users_run_cannot_be_asked_for() {
    let start = |samplers: &str| format!(r#"{{"t":"start","id":1,"interval_ms":1000,"samplers":[{samplers}]}}"#);
    assert!(parse_request(start(r#""thermal""#).as_bytes()).is_ok(), "the test asks as one should");
    for samplers in [r#""tasks""#, r#""all""#, r#""network""#, r#""disk""#, r#""thermal","tasks""#, r#""Tasks""#] {
        assert!(parse_request(start(samplers).as_bytes()).is_err(), "{samplers}");
    }
    assert!(Sampler::ALL.iter().all(|sampler| !["tasks", "all", "network", "disk"].contains(&sampler.name())));
}
