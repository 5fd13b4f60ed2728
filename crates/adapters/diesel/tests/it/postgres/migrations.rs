//! Migrating a server that is in use, and a store before it is migrated.

use super::{APPLICATION, Sandbox, TestDatabase};
use crate::samples::{all_migrations, patient, register};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use portcullis_diesel::{MigrateError, Migrations};
use portcullis_ports::StoreError;
use portcullis_testkit::postgres::Server;

#[test]
fn a_store_is_unavailable_until_its_schema_is_known_to_be_there() {
    let sandbox = Sandbox::new();
    let store = sandbox.open(&patient());
    assert!(matches!(register(&store, "ada@example.com"), Err(StoreError::Unavailable(_))));
    assert_eq!(store.pending().map(|pending| pending.is_empty()), Ok(false));
    assert!(matches!(register(&store, "ada@example.com"), Err(StoreError::Unavailable(_))));
    sandbox.store();
    assert_eq!(store.pending(), Ok(Vec::new()));
    assert!(register(&store, "ada@example.com").unwrap().is_some());
}

#[test]
fn a_table_in_use_is_worth_another_try() {
    let german = Sandbox::on(Server::shared_in_german());
    german.execute(&format!("SET ROLE app; {APPLICATION}"));
    for sandbox in [Sandbox::of_the_application(), german] {
        let store = sandbox.open_with("?options=-c%20lock_timeout%3D200ms", &patient());
        let mut other = PgConnection::establish(&sandbox.0.url).unwrap();
        other.batch_execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
        let error = store.migrate().unwrap_err();
        assert!(matches!(error, MigrateError::Busy(_)), "{error}");
        other.batch_execute("ROLLBACK").unwrap();
        assert_eq!(store.migrate().map(|applied| applied.len()), Ok(all_migrations().len()));
    }
}

/// A transaction with a snapshot from before the lock would not see the other process's migrations.
#[test]
fn one_waits_for_another_that_migrates_whatever_the_isolation() {
    let sandbox = Sandbox::new();
    sandbox.execute(&format!("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'", sandbox.name()));
    let applied: Vec<_> = std::thread::scope(|scope| {
        let migrate = || sandbox.open(&patient()).migrate().unwrap();
        let running: Vec<_> = (0..4).map(|_| scope.spawn(migrate)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(applied, all_migrations(), "one applied it, the others found it");
}
