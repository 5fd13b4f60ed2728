//! Adoption of a PostgreSQL database of the FastAPI application.

use super::Sandbox;
use crate::adoption::{
    assert_accounts_are_kept, assert_differing_accounts_are_kept, assert_tokens_are_kept, assert_told,
    identifiers_keep_their_spelling, sessions_keep_adopted_identifiers,
};
use crate::logs::logged_by;
use crate::samples::{account_with_token, accounts, all_migrations, patient, register};
use portcullis_diesel::Migrations;
use portcullis_domain::tokens::Jti;
use tracing::Level;

const SEED_ROWS: &str = "SELECT id, email, hashed_password, is_active, created_at FROM users ORDER BY id; \
    SELECT id, jti, user_id, expires_at, revoked, created_at FROM refresh_tokens ORDER BY id";

#[test]
fn accounts_and_tokens_are_adopted() {
    let sandbox = Sandbox::of_the_application();
    let before = sandbox.execute(SEED_ROWS);
    let store = sandbox.store();
    assert_eq!(sandbox.execute(SEED_ROWS), before);
    assert_eq!(before.lines().count(), 9 + 32);
    assert_accounts_are_kept(&store);
    assert_differing_accounts_are_kept(&store);
    assert_tokens_are_kept(&store, "aa7822b979b54e05af739526899a9378", "975e917ac8ab4b93899670d24ba6dcb6");
}

#[test]
fn adopting_again_changes_nothing() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.open_with("", &patient());
    assert_eq!(store.migrate(), Ok(all_migrations()));
    for store in [store, sandbox.store()] {
        assert_eq!((store.pending(), store.migrate()), (Ok(Vec::new()), Ok(Vec::new())));
        assert_accounts_are_kept(&store);
    }
    // If the table of migrations is lost, the statements can run again.
    sandbox.execute("DROP TABLE __diesel_schema_migrations");
    assert_accounts_are_kept(&sandbox.store());
}

#[test]
fn a_new_database_gets_the_schema_that_an_adopted_one_has() {
    let columns = "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default \
        FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2; \
        SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1; \
        SELECT sequencename, data_type FROM pg_sequences ORDER BY 1";
    let (fresh, adopted) = (Sandbox::new(), Sandbox::of_the_application());
    fresh.store();
    adopted.store();
    assert_eq!(fresh.execute(columns), adopted.execute(columns));
}

#[test]
fn the_application_goes_on_working_beside() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.store();
    // The application's own statements, which name only its own columns.
    sandbox.execute(
        "INSERT INTO users (email, hashed_password, is_active) VALUES ('Ivan@example.com', '$2b$12$x', true);
         INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked)
         VALUES ('00000000000040008000000000000001', 10, '2126-10-29 14:04:44.905380+00', false);
         UPDATE refresh_tokens SET revoked = true WHERE refresh_tokens.id = 33;",
    );
    assert_eq!(accounts(&store, "ivan@example.com").unwrap()[0].id.get(), 10);
    assert_eq!(register(&store, "ivan@example.com"), Ok(None));
}

#[test]
fn numbers_outgrow_the_applications_columns() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.store();
    sandbox.execute("SELECT setval('users_id_seq', 3000000000), setval('refresh_tokens_id_seq', 3000000000)");
    let user = account_with_token(&store, "judy@example.com", Jti::from_random([1; 16]));
    assert_eq!(user.id.get(), 3_000_000_001);
}

#[test]
fn the_log_tells_what_was_adopted_once() {
    let sandbox = Sandbox::of_the_application();
    assert_told(&logged_by("app", Level::INFO, || drop(sandbox.store())));
    assert_eq!(logged_by("app", Level::INFO, || drop(sandbox.store())), [""; 0]);
}

#[test]
fn tokens_keep_the_spelling_of_their_identifiers() {
    let sandbox = Sandbox::of_the_application();
    identifiers_keep_their_spelling(|sql| drop(sandbox.execute(sql)), || sandbox.store());
}

#[test]
fn sessions_of_the_release_before_keep_their_tokens() {
    let sandbox = Sandbox::of_the_application();
    sessions_keep_adopted_identifiers(|sql| drop(sandbox.execute(sql)), &sandbox.store());
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
