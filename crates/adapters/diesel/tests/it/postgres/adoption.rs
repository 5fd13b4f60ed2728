//! Sequences and schemas of a PostgreSQL database of the FastAPI application.

use super::{Sandbox, TestDatabase};
use crate::adoption::assert_accounts_are_kept;
use crate::samples::{account_with_token, patient, register};
use portcullis_diesel::Migrations;
use portcullis_domain::tokens::Jti;

/// If the table of migrations is lost, the statements can run again.
#[test]
fn migrations_can_run_twice() {
    let sandbox = Sandbox::of_the_application();
    sandbox.store();
    sandbox.execute("DROP TABLE __diesel_schema_migrations");
    assert_accounts_are_kept(&sandbox.store());
}

#[test]
fn numbers_outgrow_the_applications_columns() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.store();
    sandbox.execute("SELECT setval('users_id_seq', 3000000000), setval('refresh_tokens_id_seq', 3000000000)");
    let user = account_with_token(&store, "judy@example.com", Jti::from_random([1; 16]));
    assert_eq!(user.id.get(), 3_000_000_001);
}

/// Sequences can be behind after a manual restore, or a failover by logical replication.
#[test]
fn sequences_behind_the_largest_id_are_set_at_adoption() {
    let sandbox = Sandbox::of_the_application();
    sandbox.execute("SELECT setval('users_id_seq', 1), setval('refresh_tokens_id_seq', 1)");
    let store = sandbox.store();
    assert_eq!(account_with_token(&store, "judy@example.com", Jti::from_random([1; 16])).id.get(), 10);
    assert_eq!(sandbox.execute("SELECT max(id) FROM refresh_tokens"), "33\n");
}

#[test]
fn a_taken_id_is_no_taken_address() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.store();
    sandbox.execute("SELECT setval('users_id_seq', 1)");
    let error = register(&store, "judy@example.com").unwrap_err();
    assert!(error.to_string().contains("the sequence of users.id is behind"), "{error}");
    let what: Vec<_> = store.inspect().unwrap().into_iter().map(|finding| finding.to_string()).collect();
    let advice = "SELECT setval('users_id_seq', (SELECT max(id) FROM users))";
    assert_eq!(what, [format!("the sequence of users.id gives 3 next, and 9 is taken ({advice})")]);
    sandbox.execute(advice);
    assert_eq!(register(&store, "judy@example.com").unwrap().unwrap().id.get(), 10);
    assert_eq!(store.inspect(), Ok(Vec::new()));
}

/// Two services use schemas of one database.
#[test]
fn constraints_of_another_schema_are_not_mistaken() {
    let sandbox = Sandbox::new();
    sandbox.execute("CREATE SCHEMA one; CREATE SCHEMA two");
    let open = |schema: &str| sandbox.open_with(&format!("?options=-c%20search_path%3D{schema}"), &patient());
    let keys = "SELECT conrelid::regclass FROM pg_constraint WHERE conname = 'sessions_user_id_fkey' ORDER BY 1";
    let stores = ["one", "two"].map(|schema| {
        let store = open(schema);
        store.migrate().unwrap();
        store
    });
    assert_eq!(sandbox.execute(keys), "one.sessions\ntwo.sessions\n");
    // An earlier release did not notice the missing foreign key.
    sandbox.execute(
        "ALTER TABLE two.sessions DROP CONSTRAINT sessions_user_id_fkey;
         INSERT INTO two.sessions (sid, user_id, created_at) VALUES ('x', 99, now());
         DELETE FROM two.__diesel_schema_migrations WHERE version = '20261130055600'",
    );
    stores[1].migrate().unwrap();
    assert_eq!(sandbox.execute(keys), "one.sessions\ntwo.sessions\n");
    assert_eq!(sandbox.execute("SELECT count(*) FROM two.sessions"), "0\n");
}
