//! The database's form and how an older one becomes the present one.

use rusqlite::{Connection, TransactionBehavior};

/// Each step leads from its index to the next version (`PRAGMA user_version`). A step that was released never changes.
pub(super) const STEPS: &[&str] = &[include_str!("schema/1.sql")];

/// Marks a database as Joulebar's (`PRAGMA application_id`): `JouL`.
pub(super) const APPLICATION_ID: i32 = 0x4A6F_754C;

/// The version that [`STEPS`] lead to.
pub(super) fn known_version() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// The version of a database; 0 for one that is empty.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// True for a database without any content: a new one.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// True for a database that Joulebar made.
pub(super) fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map(|id: i32| id == APPLICATION_ID)
}

/// Takes every step that is still to be taken, all or none. Another process may do the same at the same time.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = version(&transaction)?;
    for (step, leads_to) in steps.iter().zip(1_u32..).filter(|(_, leads_to)| *leads_to > done) {
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", leads_to)?;
    }
    if done == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.commit()
}
