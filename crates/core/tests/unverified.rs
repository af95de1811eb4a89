//! docs/unverified.md and the doctor name the same rows.
#![allow(clippy::unwrap_used, reason = "test code outside test functions")]

use joulebar_core::doctor::ROW_IDS;

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/unverified.md");
    std::fs::read_to_string(path).unwrap()
}

/// The ids that follow `doctor:` in a line.
fn ids(line: &str) -> Vec<&str> {
    let named = line.split("doctor: `").skip(1);
    named.map(|rest| rest.split('`').next().unwrap()).collect()
}

/// The cells of the rows of all tables, without their heads.
fn facts(document: &str) -> Vec<Vec<&str>> {
    let rows = document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| fact |"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn every_row_that_the_document_names_exists() {
    let document = document();
    let named: Vec<&str> = document.lines().flat_map(ids).collect();
    let unknown: Vec<_> = named.iter().filter(|id| !ROW_IDS.contains(id)).collect();
    assert!(unknown.is_empty(), "no such rows: {unknown:?}");
    let unnamed: Vec<_> = ROW_IDS.iter().filter(|id| !named.contains(id)).collect();
    assert!(unnamed.is_empty(), "rows that settle nothing in the document: {unnamed:?}");
}

#[test]
fn every_fact_names_its_code_what_happens_otherwise_and_what_settles_it() {
    let document = document();
    let facts = facts(&document);
    assert!(facts.len() > 30, "{}", facts.len());
    for fact in facts {
        assert_eq!(fact.len(), 4, "{fact:?}");
        assert!(fact.iter().all(|cell| !cell.is_empty()), "{fact:?}");
        assert!(fact[1].contains('`') || fact[1].starts_with("nothing"), "no code is named: {fact:?}");
    }
}

#[test]
fn files_that_the_document_names_exist() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let document = document();
    for fact in facts(&document) {
        for path in fact[1].split('`').skip(1).step_by(2).filter(|path| path.contains('/')) {
            assert!(root.join(path).exists(), "{path} in {fact:?}");
        }
    }
}
