//! PostgreSQL's plans, without values and with sequential scans as the last resort.

use super::{Sandbox, TestDatabase};
use crate::plans::{assert_complete, logging, statements};
use portcullis_diesel::Migrations;

#[test]
fn every_query_goes_by_an_index() {
    let sandbox = Sandbox::new();
    let store = sandbox.open(&logging());
    store.migrate().unwrap();
    let statements = statements(|run| {
        sandbox.execute(
            "TRUNCATE users, refresh_tokens, sessions, session_events, one_time_tokens, outbox, totp_factors, \
             recovery_codes, trusted_devices, passkeys, used_challenges, identities, sign_in_flows, sign_in_codes, \
             used_id_tokens",
        );
        run(&store);
    });
    assert_complete(&statements);
    for statement in statements {
        let parameters = (1..).take_while(|number| statement.contains(&format!("${number}"))).count();
        let nulls = vec!["NULL"; parameters].join(", ");
        let execute = if parameters == 0 { "query".to_owned() } else { format!("query({nulls})") };
        let plan = sandbox.execute(&format!(
            "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; PREPARE query AS {statement}; \
            EXPLAIN EXECUTE {execute};"
        ));
        assert!(plan.contains("cost=") && !plan.contains("Seq Scan"), "{plan} for {statement}");
    }
}
