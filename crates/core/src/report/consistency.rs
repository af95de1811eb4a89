//! Raw facts of a report that say the same thing twice must say the same. A report can be edited and sealed anew; these
//! rules find what deriving it again cannot.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::Difference;
use crate::session::record::{EndReason, PromptRun, SessionRecord};
use crate::suite;

/// Every contradiction in a record, in the order of the report.
pub(crate) fn contradictions(record: &SessionRecord) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut check = |pointer: String, is: Value, expected: Value| {
        if is != expected {
            found.push(Difference { pointer, found: Some(is), expected: Some(expected) });
        }
    };
    if let Some(segment) = record.segments.first() {
        check("/segments/0/started_at".into(), json!(segment.started_at), json!(record.header.benchmark_id));
    }
    check("/settings".into(), json!(record.header.settings.is_possible()), json!(true));
    for (index, pair) in record.samples.windows(2).enumerate() {
        check(format!("/samples/{}/in_order", index + 1), json!(pair[0].end <= pair[1].end), json!(true));
    }
    for (index, sample) in record.samples.iter().enumerate() {
        let length_ns = i128::from(sample.end.0) - i128::from(sample.start.0);
        check(
            format!("/samples/{index}/elapsed_ns"),
            json!(sample.elapsed.as_nanos().to_string()),
            json!(length_ns.to_string()),
        );
    }
    let entries: HashMap<&str, _> =
        record.header.suite.prompts.iter().map(|prompt| (prompt.id.as_str(), prompt)).collect();
    let mut seen = HashSet::new();
    for (index, run) in record.runs.iter().enumerate() {
        let pointer = |member: &str| format!("/prompts/{index}/{member}");
        check(pointer("id"), json!(seen.insert((run.id.as_str(), run.repeat))), json!(true));
        let Some(entry) = entries.get(run.id.as_str()) else {
            check(pointer("id"), json!(run.id), json!("an id of the suite"));
            continue;
        };
        check(pointer("category"), json!(run.category), json!(entry.category));
        check(pointer("prompt"), json!(run.prompt), json!(entry.prompt));
        check(pointer("max_tokens"), json!(run.max_tokens), json!(entry.max_tokens));
        check(pointer("nonce"), json!(nonce_fits(record, run)), json!(true));
        let marks = run.marks;
        let ordered = marks.baseline_start <= marks.request_sent
            && marks.request_sent <= marks.last_token
            && marks.last_token <= marks.cooldown_end;
        check(pointer("marks"), json!(ordered), json!(true));
        if let Some(generation) = run.outcome.completed() {
            let timeline = &generation.timeline;
            check(pointer("marks/request_sent_ns"), json!(marks.request_sent), json!(timeline.sent));
            check(pointer("marks/first_token_ns"), json!(marks.first_token), json!(timeline.first_token()));
            check(pointer("marks/last_token_ns"), json!(marks.last_token), json!(timeline.last_token()));
            if !timeline.deltas.is_empty() {
                let streamed: u64 = timeline.deltas.iter().map(|delta| u64::from(delta.bytes)).sum();
                let text = generation.text.len() + generation.reasoning_text.len();
                check(pointer("response"), json!(text), json!(streamed));
            }
        }
    }
    if record.end == EndReason::Completed {
        let missing: Vec<&str> =
            entries.keys().copied().filter(|id| !record.runs.iter().any(|run| run.id == *id)).collect();
        check("/prompts".into(), json!(missing.len()), json!(0));
    }
    found
}

/// A nonce follows from the seed, the prompt, the repeat and one of the session's attempts.
fn nonce_fits(record: &SessionRecord, run: &PromptRun) -> bool {
    let settings = &record.header.settings;
    match &run.nonce {
        None => !settings.nonce,
        Some(nonce) => {
            settings.nonce
                && (1..=record.attempt())
                    .any(|attempt| *nonce == suite::nonce(settings.seed, &run.id, run.repeat, attempt))
        }
    }
}
