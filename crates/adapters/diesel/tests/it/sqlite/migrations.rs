//! Migrating up and down, and a schema from a newer version.

use super::Sandbox;
use crate::adoption::{assert_accounts_are_kept, assert_differing_accounts_are_kept};
use crate::samples::patient;
use diesel::migration::{Migration, MigrationSource};
use diesel::sqlite::Sqlite;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use portcullis_diesel::{MigrateError, Migrations};
use std::path::Path;

#[test]
fn down_leads_back_to_the_applications_own_schema() {
    let sandbox = Sandbox::of_the_application();
    let everything = "SELECT type || name || ifnull(replace(replace(sql, char(10), ''), char(9), ''), '') FROM sqlite_master \
        WHERE name NOT LIKE '%diesel%' ORDER BY name";
    let rows = "SELECT id || email || hashed_password || is_active || created_at FROM users";
    let before = (sandbox.query(everything), sandbox.query(rows));
    sandbox.store();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../migrations/sqlite");
    let source = FileBasedMigrations::from_path(folder).unwrap();
    let mut all: Vec<Box<dyn Migration<Sqlite>>> = source.migrations().unwrap();
    all.sort_by_key(|migration| migration.name().to_string());
    for migration in all.iter().rev() {
        sandbox.connect().revert_migration(&**migration).unwrap();
    }
    assert_eq!((sandbox.query(everything), sandbox.query(rows)), before);
    assert_accounts_are_kept(&sandbox.store());
}

#[test]
fn redo_reverts_and_applies_the_last() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.open_with(&patient());
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
    let store = sandbox.open_with(&patient());
    assert!(store.status().unwrap().iter().all(|migration| !migration.applied));
    assert_eq!(sandbox.query("SELECT name FROM sqlite_master"), [""; 0]);
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let sandbox = Sandbox::new();
    sandbox.execute("CREATE TABLE user_ids (id INTEGER PRIMARY KEY, something_else TEXT)");
    let store = sandbox.open_with(&patient());
    let error = store.migrate().unwrap_err();
    assert!(matches!(error, MigrateError::Failed(_)) && !error.to_string().contains('\n'), "{error}");
    assert_eq!(sandbox.query("SELECT name FROM sqlite_master"), ["user_ids"]);
}
