use serde_json::{Value, json};

use super::*;
use crate::sample::Origin;
use crate::session::record::Outcome;
use crate::testing::{IDLE_MW, INFERENCE, LOAD_MW, TOKENS, record_with};

fn close(found: Option<f64>, expected: f64) {
    let found = found.expect("the figure is there");
    assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{found} is not {expected}");
}

fn to_json(report: &Report) -> Value {
    serde_json::to_value(report).unwrap()
}

#[test]
fn a_rectangle_of_power_gives_its_energy() {
    let report = derive(&record_with(9));
    for prompt in &report.prompts {
        let seconds = INFERENCE.as_secs_f64();
        close(prompt.energy.net_j, LOAD_MW * 1e-3 * seconds);
        close(prompt.energy.padded_gross_j, (IDLE_MW + LOAD_MW) * 1e-3 * seconds);
        close(prompt.energy.idle_power_mw, IDLE_MW);
        close(prompt.energy.net_energy_per_token_j, LOAD_MW * 1e-3 * seconds / TOKENS as f64);
        close(prompt.inference_stats.tokens_per_second, (TOKENS - 1) as f64 / 5.0);
        close(prompt.inference_stats.time_to_first_token_ms, 1_000.0);
        let parts = prompt.energy.split.prefill_gross_j.unwrap() + prompt.energy.split.decode_gross_j.unwrap();
        close(prompt.energy.gross_j, parts);
        assert_eq!(prompt.warnings, [], "a clean run has no warnings");
    }
    assert_eq!((report.summary.total_prompts, report.summary.planned_prompts), (9, 9));
    close(report.summary.net_energy_j, 9.0 * LOAD_MW * 1e-3 * INFERENCE.as_secs_f64());
    assert!(!report.simulated);
}

#[test]
fn the_first_format_is_still_there() {
    let json = to_json(&derive(&record_with(1)));
    for pointer in [
        "/benchmark_id",
        "/model",
        "/summary/total_prompts",
        "/summary/avg_baseline_power_mw",
        "/summary/avg_inference_power_mw",
        "/summary/avg_cooldown_power_mw",
        "/summary/avg_tokens_per_second",
        "/prompts/0/category",
        "/prompts/0/prompt",
        "/prompts/0/response",
        "/prompts/0/timing/baseline_duration_s",
        "/prompts/0/timing/inference_duration_s",
        "/prompts/0/timing/cooldown_duration_s",
        "/prompts/0/inference_stats/prompt_tokens",
        "/prompts/0/inference_stats/completion_tokens",
        "/prompts/0/inference_stats/tokens_per_second",
        "/prompts/0/inference_stats/time_to_first_token_ms",
        "/prompts/0/inference_stats/inference_duration_s",
        "/prompts/0/power_consumption/baseline/min_mw",
        "/prompts/0/power_consumption/inference/max_mw",
        "/prompts/0/power_consumption/cooldown/avg_mw",
        "/prompts/0/power_consumption/cooldown/sample_count",
    ] {
        assert!(json.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer} is missing");
    }
}

#[test]
fn phases_without_samples_are_null_with_count_zero() {
    let mut record = record_with(1);
    record.samples.clear();
    let report = derive(&record);
    let json = to_json(&report);
    let baseline = &json["prompts"][0]["power_consumption"]["baseline"];
    assert_eq!(baseline["min_mw"], Value::Null);
    assert_eq!(baseline["avg_mw"], Value::Null);
    assert_eq!(baseline["sample_count"], 0);
    assert_eq!(json["prompts"][0]["energy"]["gross_j"], Value::Null);
    assert_eq!(report.summary.avg_inference_power_mw, None);
    let codes: Vec<&str> = report.prompts[0].warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["no_samples", "no_samples", "no_samples", "no_net_energy"]);
}

#[test]
fn simulated_power_marks_the_whole_report() {
    let mut record = record_with(1);
    record.samples[3].origin = Origin::Simulator;
    let report = derive(&record);
    assert!(report.simulated);
    assert_eq!(report.simulation, Simulation { power: true, server: false });
}

#[test]
fn simulated_server_marks_the_whole_report() {
    let mut record = record_with(1);
    record.header.server.simulated = true;
    assert!(derive(&record).simulated);
}

#[test]
fn a_derived_report_verifies_also_after_a_trip_through_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let report = derive(&record_with(3));
    write_report(&path, &report).unwrap();
    let (read, json) = read_report(&path).unwrap();
    assert_eq!(read, report);
    assert_eq!(verify(&read, &json), Ok(()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn any_changed_figure_fails_verification_even_under_a_new_seal() {
    let report = derive(&record_with(2));
    let honest = to_json(&report);
    for (pointer, lie) in [
        ("/prompts/1/energy/net_j", json!(1.0)),
        ("/prompts/0/inference_stats/tokens_per_second", json!(99.0)),
        ("/prompts/0/inference_stats/completion_tokens", json!(500)),
        ("/prompts/0/power_consumption/baseline/avg_mw", json!(1.0)),
        ("/prompts/0/power_consumption/inference/sample_count", json!(7)),
        ("/summary/avg_tokens_per_second", Value::Null),
        ("/prompts/0/stream/timeline/sent_ns", json!(10_900_000_000_i64)),
        ("/prompts/0/nonce", json!("zzzz")),
        ("/prompts/0/prompt", json!("What is 3+3?")),
        ("/prompts/1/id", json!("short-short")),
        ("/prompts/0/response", json!("Four.")),
        ("/end_reason", json!("completed")),
        ("/interrupted", json!(false)),
        ("/samples/60/elapsed_ns", json!(1)),
        ("/segments/0/started_at", json!("2020-01-01T00:00:00Z")),
        ("/settings/counter_batch_s", json!(-1.0)),
        ("/samples/60/combined_mw", json!(1_000.0)),
        ("/samples/60/start_ns", json!(0)),
        ("/prompts/0/marks/request_sent_ns", json!(9_000_000_000_i64)),
        ("/simulated", json!(true)),
        ("/prompts/0/warnings", json!([{"code": "x", "message": "y"}])),
    ] {
        let mut json = honest.clone();
        *json.pointer_mut(pointer).unwrap() = lie;
        json["checksum"] = json!(checksum(&json));
        let tampered: Report = serde_json::from_value(json.clone()).unwrap();
        assert!(verify(&tampered, &json).is_err(), "{pointer} was not noticed");
    }
}

#[test]
fn changed_text_breaks_the_seal() {
    let mut json = to_json(&derive(&record_with(1)));
    json["prompts"][0]["response"] = json!("ten ".repeat(100));
    let tampered: Report = serde_json::from_value(json.clone()).unwrap();
    assert!(matches!(verify(&tampered, &json), Err(VerifyError::Checksum { .. })));
}

#[test]
fn a_failed_generation_has_no_energy_per_token_and_says_why() {
    let mut record = record_with(1);
    let Outcome::Completed { generation } = record.runs[0].outcome.clone() else { panic!("scripted") };
    record.runs[0].outcome = Outcome::Failed { message: "the stream was cut".into(), partial: Some(generation) };
    let report = derive(&record);
    assert_eq!(report.prompts[0].energy.net_energy_per_token_j, None);
    assert_eq!(report.prompts[0].error.as_deref(), Some("the stream was cut"));
    assert_eq!(report.summary.failed_prompts, 1);
    assert_eq!(verify(&report, &to_json(&report)), Ok(()));
}

#[test]
fn another_model_that_answers_is_named() {
    let mut record = record_with(1);
    record.header.model.key = "llama-70b".into();
    let report = derive(&record);
    assert_eq!(report.prompts[0].warnings[0].code, "other_model_answered");
}

#[test]
fn totals_stand_for_a_whole_suite_only() {
    let whole = derive(&record_with(9)).summary;
    close(whole.net_energy_per_token_j, LOAD_MW * 1e-3 * INFERENCE.as_secs_f64() / TOKENS as f64);
    assert_eq!(whole.null_reason, None);
    let part = derive(&record_with(2)).summary;
    assert_eq!((part.net_energy_j, part.net_energy_per_token_j, part.tokens_per_wh), (None, None, None));
    assert!(part.null_reason.unwrap().starts_with("2 of 9 prompts"));
    let mut failed = record_with(9);
    let Outcome::Completed { generation } = failed.runs[4].outcome.clone() else { panic!("scripted") };
    failed.runs[4].outcome = Outcome::Failed { message: "cut".into(), partial: Some(generation) };
    let summary = derive(&failed).summary;
    assert_eq!((summary.net_energy_per_token_j, summary.prompts_with_net_energy), (None, 8));
}

#[test]
fn a_report_of_another_version_verifies_under_its_own_seal() {
    let report = derive(&record_with(1));
    let mut json = to_json(&report);
    json["from_the_future"] = json!({"figure": 1});
    json["prompts"][0]["inference_stats"]["reported"].as_object_mut().unwrap().remove("prompt_ms");
    json["prompts"][0]["energy"]["split"]["null_reason"] = Value::Null;
    json["checksum"] = json!(checksum(&json));
    let read: Report = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(verify(&read, &json), Ok(()));
}

#[test]
fn a_rail_that_was_rejected_does_not_count_as_zero() {
    let mut record = record_with(1);
    let middle =
        record.samples.iter().position(|sample| sample.start >= record.runs[0].marks.request_sent).unwrap() + 4;
    record.samples[middle].power.gpu = None;
    record.samples[middle].power.combined = None;
    let report = derive(&record);
    let inference = &report.prompts[0].power_consumption.inference;
    assert_eq!(inference.sample_count, 23, "one of the 24 samples has no power of the chip");
    assert!(inference.min_mw.unwrap() > LOAD_MW / 4.0);
    assert_eq!(report.prompts[0].energy.gross_j, None);
    assert!(report.prompts[0].energy.gross_null_reason.is_some());
}

#[test]
fn a_model_load_inside_the_request_voids_the_cost_of_a_token() {
    let mut record = record_with(1);
    let Outcome::Completed { generation } = &mut record.runs[0].outcome else { panic!("scripted") };
    generation.reported.model_load_s = Some(3.2);
    let report = derive(&record);
    assert_eq!(report.prompts[0].energy.net_energy_per_token_j, None);
    assert_eq!(report.prompts[0].warnings[0].code, "loaded_during_request");
}

#[test]
fn batched_counters_beside_a_live_rail_are_found() {
    let mut record = record_with(1);
    let mut held = 0.0;
    for (index, sample) in record.samples.iter_mut().enumerate() {
        // the CPU's 200 mW are published every eighth sample, the GPU stays live
        held += 200.0;
        let cpu = if index % 8 == 7 { std::mem::take(&mut held) } else { 0.0 };
        sample.power.cpu = Some(crate::units::Milliwatts(cpu));
        let gpu = sample.power.gpu.unwrap();
        sample.power.combined = Some(crate::units::Milliwatts(cpu + gpu.0));
    }
    let energy = &derive(&record).prompts[0].energy;
    close(energy.counter_batch_s, 2.0);
    close(energy.idle_power_mw, IDLE_MW);
    assert!(energy.net_j.is_none_or(|net| (net - 120.0).abs() < 0.5), "{energy:?}");
}

#[test]
fn pads_never_reach_into_another_request() {
    let mut record = record_with(2);
    // the second request follows a third of a second after the first one's last token
    let first = record.runs[0].marks;
    record.runs[0].marks.cooldown_end = first.last_token;
    record.runs[1].marks.baseline_start = first.last_token;
    record.runs[1].marks.request_sent = first.last_token + std::time::Duration::from_millis(300);
    let energy = &derive(&record).prompts[1].energy;
    assert_eq!(energy.net_j, None, "there is no pad: {energy:?}");
}

#[test]
fn a_server_that_counts_no_tokens_is_named() {
    let mut record = record_with(9);
    for run in &mut record.runs {
        let Outcome::Completed { generation } = &mut run.outcome else { panic!("scripted") };
        generation.tokens.output = None;
    }
    let report = derive(&record);
    assert!(report.prompts[0].energy.net_j.is_some());
    assert_eq!(report.prompts[0].warnings[0].code, "no_token_counts");
    assert!(report.summary.null_reason.unwrap().contains("count of its tokens"));
}

#[test]
fn a_count_far_above_the_limit_is_not_believed() {
    let mut record = record_with(1);
    let Outcome::Completed { generation } = &mut record.runs[0].outcome else { panic!("scripted") };
    generation.tokens.output = Some(1_000_000_000_000);
    let report = derive(&record);
    assert_eq!(report.prompts[0].inference_stats.tokens_per_second, None);
    assert_eq!(report.prompts[0].energy.net_energy_per_token_j, None);
    assert_eq!(report.prompts[0].warnings[0].code, "implausible_token_count");
    assert_eq!(verify(&report, &to_json(&report)), Ok(()));
}
