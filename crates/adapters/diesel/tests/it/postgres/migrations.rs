//! Migrating up and down, and a schema from a newer version.

use super::{APPLICATION, Sandbox};
use crate::adoption::{assert_accounts_are_kept, assert_differing_accounts_are_kept};
use crate::samples::{all_migrations, patient, register};
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::{Connection, PgConnection};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use portcullis_diesel::{MigrateError, Migrations};
use portcullis_ports::StoreError;
use portcullis_testkit::postgres::Server;
use std::path::Path;

#[test]
fn down_leads_back_to_the_applications_own_schema() {
    let sandbox = Sandbox::of_the_application();
    let everything = "SELECT table_name, column_name, data_type, column_default FROM information_schema.columns \
        WHERE table_schema = 'public' AND table_name NOT LIKE '%diesel%' ORDER BY 1, 2; \
        SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE '%diesel%' ORDER BY 1; \
        SELECT sequencename, data_type FROM pg_sequences ORDER BY 1; \
        SELECT id, email, hashed_password, is_active, created_at FROM users ORDER BY 1";
    let before = sandbox.execute(everything);
    sandbox.store();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../migrations/postgres");
    let source = FileBasedMigrations::from_path(folder).unwrap();
    let mut all: Vec<Box<dyn Migration<Pg>>> = source.migrations().unwrap();
    all.sort_by_key(|migration| migration.name().to_string());
    let mut connection = PgConnection::establish(&sandbox.0.url).unwrap();
    for migration in all.iter().rev() {
        connection.revert_migration(&**migration).unwrap();
    }
    assert_eq!(sandbox.execute(everything), before);
    assert_accounts_are_kept(&sandbox.store());
}

#[test]
fn redo_reverts_and_applies_the_last() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.open_with("", &patient());
    assert!(matches!(store.redo(), Err(MigrateError::Failed(_))), "nothing was applied yet");
    store.migrate().unwrap();
    let last = store.status().unwrap().pop().unwrap();
    assert_eq!(store.redo(), Ok(vec![last.name]));
    assert_accounts_are_kept(&store);
    assert_differing_accounts_are_kept(&store);
}

#[test]
fn a_schema_from_the_future_is_told_apart() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    sandbox.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959')");
    let future = MigrateError::SchemaTooNew("29991231235959".to_owned());
    assert_eq!(store.status(), Err(future.clone()));
    assert_eq!((store.migrate(), store.redo()), (Err(future.clone()), Err(future)));
}

#[test]
fn status_changes_nothing() {
    let sandbox = Sandbox::new();
    let store = sandbox.open_with("", &patient());
    assert!(store.status().unwrap().iter().all(|migration| !migration.applied));
    assert_eq!(sandbox.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), "");
}

#[test]
fn a_migration_that_fails_leaves_the_database_as_it_was() {
    let sandbox = Sandbox::of_the_application();
    sandbox.execute("ALTER TABLE users ADD COLUMN twice BIGINT GENERATED ALWAYS AS (id * 2) STORED");
    let store = sandbox.open_with("", &patient());
    let error = store.migrate().unwrap_err();
    assert!(matches!(error, MigrateError::Failed(_)) && !error.to_string().contains('\n'), "{error}");
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    assert_eq!(sandbox.execute(tables), "refresh_tokens\nusers\n");
}

#[test]
fn many_may_migrate_at_once() {
    let sandbox = Sandbox::of_the_application();
    let applied: Vec<_> = std::thread::scope(|scope| {
        let migrate = || sandbox.open_with("", &patient()).migrate().unwrap();
        let running: Vec<_> = (0..8).map(|_| scope.spawn(migrate)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(applied, all_migrations(), "one applied it, the others found it");
}

#[test]
fn a_store_is_unavailable_until_its_schema_is_known_to_be_there() {
    let sandbox = Sandbox::new();
    let store = sandbox.open_with("", &patient());
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
        let migrate = || sandbox.open_with("", &patient()).migrate().unwrap();
        let running: Vec<_> = (0..4).map(|_| scope.spawn(migrate)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(applied, all_migrations(), "one applied it, the others found it");
}
