//! Takes a report apart into its raw facts, derives it again and compares every value.

use serde_json::Value;

use super::{Report, consistency, derive};
use crate::lmstudio::Generation;
use crate::session::record::{Header, Outcome, PromptRun, SessionRecord};

/// Numbers may differ by this share of their size: a text form of a float need not be the shortest.
const TOLERANCE: f64 = 1e-9;

/// A value of the report that does not follow from its raw facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What the report says; `None` where the member is missing.
    pub found: Option<Value>,
    /// What follows from the raw samples and marks; `None` where nothing should stand.
    pub expected: Option<Value>,
}

/// Why a report does not hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum VerifyError {
    #[error("the checksum does not fit: the report says {found}, its content gives {expected}")]
    Checksum { found: String, expected: String },
    #[error("{} values do not follow from the raw samples and marks", .0.len())]
    Values(Vec<Difference>),
}

/// Checks a report: its checksum, that its raw facts do not contradict each other, and every derived value against the
/// raw samples and marks in it.
///
/// Members that this version does not know are covered by the checksum alone, and a member that an older version did not
/// write counts as `null`; the wording of warnings and reasons may differ between versions.
///
/// # Errors
/// [`VerifyError::Values`] lists every value that differs; [`VerifyError::Checksum`] when only the seal is broken.
pub fn verify(report: &Report, json: &Value) -> Result<(), VerifyError> {
    let record = record_of(report);
    let mut differences = consistency::contradictions(&record);
    if differences.is_empty() {
        let expected = serde_json::to_value(derive(&record)).unwrap_or_default();
        compare("", json, &expected, &mut differences);
    }
    if !differences.is_empty() {
        return Err(VerifyError::Values(differences));
    }
    let sealed = super::checksum(json);
    if report.checksum != sealed {
        return Err(VerifyError::Checksum { found: report.checksum.clone(), expected: sealed });
    }
    Ok(())
}

/// The raw facts of a report: everything that the rest is derived from.
#[must_use]
pub fn record_of(report: &Report) -> SessionRecord {
    SessionRecord {
        header: Header {
            benchmark_id: report.benchmark_id.clone(),
            tool_version: report.tool.version.clone(),
            model: report.model_details.clone(),
            server: report.server.clone(),
            settings: report.settings.clone(),
            suite: report.suite.clone(),
            environment: report.environment.clone(),
            power_source: report.power_source.clone(),
        },
        segments: report.segments.clone(),
        runs: report.prompts.iter().map(run_of).collect(),
        samples: report.samples.iter().map(Into::into).collect(),
        rejected_documents: report.rejected_documents,
        end: report.end_reason,
    }
}

fn run_of(prompt: &super::PromptReport) -> PromptRun {
    let generation = prompt.stream.as_ref().map(|stream| {
        Box::new(Generation {
            api: stream.api,
            answered_by: stream.answered_by.clone(),
            timeline: stream.timeline.clone(),
            tokens: stream.tokens,
            reported: prompt.inference_stats.reported,
            stop_reason: prompt.inference_stats.stop_reason.clone(),
            text: prompt.response.clone(),
            reasoning_text: prompt.reasoning.clone(),
            unavailable: stream.unavailable.clone(),
        })
    });
    let outcome = match (&prompt.error, generation) {
        (None, Some(generation)) => Outcome::Completed { generation },
        (Some(message), partial) => Outcome::Failed { message: message.clone(), partial },
        (None, None) => Outcome::Failed { message: "the report holds no stream for this prompt".into(), partial: None },
    };
    PromptRun {
        id: prompt.id.clone(),
        category: prompt.category,
        repeat: prompt.repeat,
        prompt: prompt.prompt.clone(),
        nonce: prompt.nonce.clone(),
        max_tokens: prompt.max_tokens,
        marks: prompt.marks,
        outcome,
    }
}

fn compare(pointer: &str, found: &Value, expected: &Value, differences: &mut Vec<Difference>) {
    match (found, expected) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, expected) in right {
                let found = left.get(key).unwrap_or(&Value::Null);
                match key.as_str() {
                    // the seal is checked by itself
                    "checksum" if pointer.is_empty() => {}
                    "message" if pointer.contains("/warnings/") => {}
                    "null_reason" | "gross_null_reason" if found.is_null() == expected.is_null() => {}
                    _ => {
                        let escaped = key.replace('~', "~0").replace('/', "~1");
                        compare(&format!("{pointer}/{escaped}"), found, expected, differences);
                    }
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (found, expected)) in left.iter().zip(right).enumerate() {
                compare(&format!("{pointer}/{index}"), found, expected, differences);
            }
        }
        (Value::Number(left), Value::Number(right)) if close(left, right) => {}
        _ if found == expected => {}
        _ => differences.push(Difference {
            pointer: pointer.to_owned(),
            found: Some(found.clone()),
            expected: Some(expected.clone()),
        }),
    }
}

fn close(left: &serde_json::Number, right: &serde_json::Number) -> bool {
    if left == right {
        return true;
    }
    let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) else { return false };
    (left - right).abs() <= TOLERANCE * left.abs().max(right.abs())
}
