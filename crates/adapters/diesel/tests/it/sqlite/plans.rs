//! SQLite's query plans.

use super::{Sandbox, TestDatabase};
use crate::plans::{assert_complete, logging, statements};
use diesel::prelude::*;
use diesel::sql_types::Text;
use portcullis_diesel::Migrations;

#[derive(diesel::QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// Scans that are permitted: of another step's result, and of indexes that contain only matching rows.
const HARMLESS: [&str; 5] = [
    "CONSTANT ROW",
    "looked_at",
    "waiting",
    "outbox USING INDEX idx_outbox_due_at",
    "outbox USING COVERING INDEX idx_outbox_dead_at",
];

#[test]
fn every_query_goes_by_an_index() {
    let statements = statements(|run| {
        let sandbox = Sandbox::new();
        let store = sandbox.open(&logging());
        store.migrate().unwrap();
        run(&store);
    });
    assert_complete(&statements);
    let sandbox = Sandbox::new();
    sandbox.store();
    let mut connection = sandbox.connect();
    for statement in statements {
        let plan = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load::<Step>(&mut connection).unwrap();
        for step in &plan {
            let scanned = step.detail.strip_prefix("SCAN ").unwrap_or_default();
            let harmless = scanned.is_empty() || HARMLESS.contains(&scanned);
            assert!(harmless, "{} in {statement}", step.detail);
        }
    }
}
