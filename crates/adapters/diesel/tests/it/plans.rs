//! Query plans: every statement of the conformance suite is logged and explained, so that a new
//! statement without an index is noticed.

use crate::logs::logged_by;
use crate::samples::patient;
use portcullis_diesel::StoreOptions;
use portcullis_ports::Store;
use portcullis_testkit::conformance;
use std::collections::BTreeSet;
use tracing::Level;

pub(crate) fn logging() -> StoreOptions {
    StoreOptions { log_statements: true, ..patient() }
}

/// Returns every statement about rows that a store runs during the conformance suite. Each promise runs
/// on an empty store created by `with_store`.
pub(crate) fn statements(with_store: impl Fn(&dyn Fn(&dyn Store))) -> BTreeSet<String> {
    let mut lines = Vec::new();
    for promise in conformance::promises() {
        lines.extend(logged_by("app.store", Level::DEBUG, || with_store(&|store| assert_eq!(promise(store), Ok(())))));
    }
    let statements = lines.iter().filter_map(|line| line.split_once("statement=\"")).map(|(_, rest)| rest);
    let statements = statements.filter_map(|rest| rest.rsplit_once('"')).map(|(text, _)| text.replace("\\\"", "\""));
    let of_rows = |text: &String| ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"].iter().any(|w| text.starts_with(w));
    statements.filter(of_rows).filter(|text| !text.contains("__diesel") && !text.contains("sqlite_master")).collect()
}

/// Checks that the statements are about as many as the adapter has, and include the most important ones.
pub(crate) fn assert_complete(statements: &BTreeSet<String>) {
    assert!(statements.len() >= 60, "{statements:#?}");
    let has = |parts: &[&str]| statements.iter().any(|text| parts.iter().all(|part| text.contains(part)));
    for parts in [
        &["UPDATE refresh_tokens", "SET revoked"][..],
        &["INSERT INTO", "refresh_tokens"],
        &["SELECT", "users", "lower(email"],
        &["DELETE FROM refresh_tokens"],
        &["UPDATE", "sessions", "ended_at"],
        &["INSERT INTO session_events", "count(*)"],
        &["DELETE FROM session_events"],
        &["DELETE FROM sessions"],
        &["UPDATE outbox", "tries + 1", "RETURNING"],
        &["DELETE FROM outbox"],
        &["INSERT INTO", "one_time_tokens", "ON CONFLICT"],
        &["SELECT", "one_time_tokens", "slot <> ''"],
        &["DELETE FROM one_time_tokens"],
        &["INSERT INTO", "totp_factors", "ON CONFLICT"],
        &["UPDATE", "totp_factors", "last_step"],
        &["UPDATE", "recovery_codes", "used_at"],
        &["DELETE FROM trusted_devices"],
        &["SELECT", "hashed_password", "EXISTS", "totp_factors", "passkeys"],
        &["INSERT INTO", "passkeys", "ON CONFLICT"],
        &["UPDATE", "passkeys", "counter"],
        &["UPDATE", "users", "passkey_handle"],
        &["INSERT INTO", "used_challenges", "ON CONFLICT"],
        &["DELETE FROM used_challenges"],
        &["INSERT INTO", "identities", "ON CONFLICT"],
        &["UPDATE", "sign_in_flows", "spent_at"],
        &["UPDATE", "sign_in_codes", "used_at"],
        &["INSERT INTO", "used_id_tokens", "ON CONFLICT"],
        &["DELETE FROM sign_in_flows"],
    ] {
        assert!(has(parts), "{parts:?} in {statements:#?}");
    }
}
