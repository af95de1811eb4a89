//! The committed schema is the one of the code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Place;

#[test]
fn committed_schema_is_up_to_date() {
    let printed = Place::new().run(&["schema"]).expect(0).stdout;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/report.schema.json");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(printed == committed, "docs/report.schema.json is out of date: run `make schema`");
}

#[test]
fn schema_is_a_valid_schema_and_refuses_what_is_no_report() {
    let printed = Place::new().run(&["schema"]).expect(0).stdout;
    let schema: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(!validator.is_valid(&serde_json::json!({})));
    let required: Vec<_> = schema["required"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    for name in ["benchmark_id", "model", "summary", "prompts", "simulated", "samples", "checksum"] {
        assert!(required.contains(&name), "{name}");
    }
}
