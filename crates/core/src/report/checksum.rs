//! The report's seal: a hash over its canonical form. It finds accidents and careless edits, not forgers.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// `sha256:` and 64 hex digits over the report's JSON without its `checksum` member: keys sorted, no white space,
/// numbers as Joulebar writes them (shortest form that reads back the same).
#[must_use]
pub fn checksum(report: &Value) -> String {
    let mut sealed = report.clone();
    if let Some(members) = sealed.as_object_mut() {
        members.remove("checksum");
    }
    // serde_json keeps object members in a sorted map
    let digest = Sha256::digest(sealed.to_string().as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn checksum_ignores_order_and_itself_but_no_value() {
        let first = checksum(&json!({"a": 1, "b": [0.1, null], "checksum": "x"}));
        let second = checksum(&serde_json::from_str(r#"{ "b": [0.1, null], "checksum": "y", "a": 1 }"#).unwrap());
        assert_eq!(first, second);
        assert_ne!(first, checksum(&json!({"a": 2, "b": [0.1, null]})));
        assert_eq!(first.len(), "sha256:".len() + 64);
    }
}
