//! Locks, slow statements, a full pool and unusual rows.

use super::{Sandbox, TestDatabase, open};
use crate::samples::{account_with_token, accounts, patient, register};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use portcullis_diesel::Migrations;
use portcullis_domain::registration::UserId;
use portcullis_domain::tokens::Jti;
use portcullis_ports::{StoreError, StoreExt};
use portcullis_testkit::conformance::registration::only_ascii_letters_are_folded;
use portcullis_testkit::postgres::Server;

/// Returns the error of a registration while another transaction locks the table.
fn while_locked(sandbox: &Sandbox, parameters: &str) -> StoreError {
    sandbox.store();
    let store = sandbox.open_with(parameters, &patient());
    assert_eq!(store.pending(), Ok(Vec::new()));
    let mut other = PgConnection::establish(&sandbox.0.url).unwrap();
    other.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").unwrap();
    let error = register(&store, "ada@example.com").unwrap_err();
    other.batch_execute("ROLLBACK").unwrap();
    assert!(register(&store, "ada@example.com").unwrap().is_some());
    error
}

#[test]
fn a_lock_held_too_long_is_busy() {
    let [english, german] = Sandbox::in_both_languages();
    let error = while_locked(&english, "?options=-c%20lock_timeout%3D50ms");
    assert_eq!(error, StoreError::Busy("canceling statement due to lock timeout".to_owned()));
    let error = while_locked(&german, "?options=-c%20lock_timeout%3D200ms");
    assert!(matches!(&error, StoreError::Busy(reason) if reason.contains("Zeitüberschreitung")), "{error}");
}

#[test]
fn a_statement_that_takes_too_long_is_an_outage() {
    let [english, german] = Sandbox::in_both_languages();
    let error = while_locked(&english, "?options=-c%20statement_timeout%3D50ms");
    assert_eq!(error, StoreError::Unavailable("canceling statement due to statement timeout".to_owned()));
    let error = while_locked(&german, "?options=-c%20statement_timeout%3D300ms");
    assert!(matches!(&error, StoreError::Unavailable(reason) if reason.contains("Zeitüberschreitung")), "{error}");
}

/// Each transaction holds a row lock that the other one needs.
#[test]
fn a_deadlock_is_busy() {
    for sandbox in Sandbox::in_both_languages() {
        let store = sandbox.store();
        let users = ["ada@example.com", "bob@example.com"].map(|email| register(&store, email).unwrap().unwrap().id);
        let barrier = std::sync::Barrier::new(2);
        let lock = |first: usize| {
            store.write(|tx| {
                tx.sessions().lock_account(users[first])?;
                barrier.wait();
                tx.sessions().lock_account(users[1 - first])
            })
        };
        let outcomes = std::thread::scope(|scope| {
            let other = scope.spawn(|| lock(1));
            [lock(0).map(drop), other.join().unwrap().map(drop)]
        });
        let failed: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
        assert!(matches!(failed.as_slice(), [StoreError::Busy(_)]), "{failed:?}");
    }
}

#[test]
fn a_statement_that_is_wrong_is_no_outage() {
    for sandbox in Sandbox::in_both_languages() {
        let store = sandbox.store();
        sandbox.execute("ALTER TABLE users ADD COLUMN name TEXT NOT NULL");
        assert!(matches!(register(&store, "ada@example.com"), Err(StoreError::Failed(_))));
        sandbox.execute("ALTER TABLE users RENAME TO others");
        assert!(matches!(accounts(&store, "ada@example.com"), Err(StoreError::Failed(_))));
    }
}

/// The statement ran longer than the timeouts, but they did not cancel it.
#[test]
fn a_slow_statement_whose_error_names_a_table_is_no_outage() {
    for sandbox in Sandbox::in_both_languages() {
        sandbox.store();
        sandbox.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_sleep(0.3); RAISE EXCEPTION 'deadlock detected' USING TABLE = 'users'; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION refuse()",
        );
        let store = sandbox.open_with("?options=-c%20lock_timeout%3D200ms", &patient());
        assert_eq!(store.pending(), Ok(Vec::new()));
        let refused = register(&store, "ada@example.com");
        assert_eq!(refused, Err(StoreError::Failed("deadlock detected".to_owned())));
    }
}

#[test]
fn time_out_of_range_is_reported_by_table_column_and_id() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    let jti = Jti::from_random([1; 16]);
    account_with_token(&store, "ada@example.com", jti);
    sandbox.execute("UPDATE users SET created_at = 'infinity'; UPDATE refresh_tokens SET expires_at = '-infinity'");
    let reason = "out of range".to_owned();
    assert_eq!(
        store.read(|tx| tx.users().find(UserId::new(1))),
        Err(StoreError::Corrupt { table: "users", column: "created_at", id: 1, reason: reason.clone() })
    );
    assert_eq!(
        store.read(|tx| tx.refresh_tokens().find(jti)),
        Err(StoreError::Corrupt { table: "refresh_tokens", column: "expires_at", id: 1, reason })
    );
}

#[test]
fn an_address_is_looked_up_by_its_index() {
    let sandbox = Sandbox::new();
    sandbox.store();
    let plan = sandbox.execute(
        "SET enable_seqscan = off; EXPLAIN SELECT id FROM users WHERE lower(email COLLATE \"C\") = 'ada@example.com'",
    );
    assert!(plan.contains("idx_users_canonical_email"), "{plan}");
}

/// By its locale's rules the server would treat two accounts as one (CVE-2019-19844).
#[test]
fn only_ascii_letters_are_folded_whatever_the_locale() {
    let server = Server::shared();
    let create = "CREATE DATABASE folding TEMPLATE template0 LC_CTYPE 'C.UTF-8'";
    server.psql("postgres", create);
    assert_eq!(server.psql("folding", "SELECT lower('É@example.org')"), "é@example.org\n");
    let store = open(&server.url("folding"), &patient());
    store.migrate().unwrap();
    assert_eq!(only_ascii_letters_are_folded(&store), Ok(()));
}
