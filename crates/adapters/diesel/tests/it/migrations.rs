//! Migrating up and down, several processes at once, and a schema from a newer version.

use crate::adoption::{ROWS, assert_accounts_are_kept, assert_differing_accounts_are_kept};
use crate::databases::TestDatabase;
use crate::samples::{all_migrations, patient};
use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use portcullis_diesel::{Loss, MigrateError, Migrations, Reversal};
use std::path::Path;

on_both! {
    down_leads_back_to_the_applications_own_schema,
    redo_reverts_and_applies_the_last,
    preview_of_a_redo_names_what_is_lost_and_changes_nothing,
    a_schema_from_the_future_is_told_apart,
    status_changes_nothing,
    a_migration_that_fails_leaves_the_database_as_it_was,
    many_may_migrate_at_once,
}

/// Reverts all migrations of a folder, last one first.
pub(crate) fn revert_all<B: Backend>(connection: &mut impl MigrationHarness<B>, folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../migrations").join(folder);
    let mut all: Vec<Box<dyn Migration<B>>> = FileBasedMigrations::from_path(folder).unwrap().migrations().unwrap();
    all.sort_by_key(|migration| migration.name().to_string());
    for migration in all.iter().rev() {
        connection.revert_migration(&**migration).unwrap();
    }
}

fn down_leads_back_to_the_applications_own_schema<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    let before = (sandbox.rows(D::SCHEMA), sandbox.rows(ROWS));
    sandbox.store();
    sandbox.revert_all();
    assert_eq!((sandbox.rows(D::SCHEMA), sandbox.rows(ROWS)), before);
    assert_accounts_are_kept(&sandbox.store());
}

fn redo_reverts_and_applies_the_last<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    let store = sandbox.open(&patient());
    assert!(matches!(store.redo(), Err(MigrateError::Failed(_))), "nothing was applied yet");
    store.migrate().unwrap();
    let last = store.status().unwrap().pop().unwrap();
    assert_eq!(store.redo(), Ok(vec![last.name]));
    assert_accounts_are_kept(&store);
    assert_differing_accounts_are_kept(&store);
}

fn preview_of_a_redo_names_what_is_lost_and_changes_nothing<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    let store = sandbox.store();
    let schema = sandbox.rows(D::SCHEMA);
    let last = store.status().unwrap().pop().unwrap().name;
    let Reversal { migration, losses } = store.preview_redo().unwrap();
    assert_eq!((&migration, sandbox.rows(D::SCHEMA)), (&last, schema));
    assert_eq!(store.pending(), Ok(Vec::new()));
    assert!(!losses.is_empty(), "the last migration adds tables or columns");
    for Loss { table, column, rows } in losses {
        let column = column.unwrap_or_else(|| "*".to_owned());
        let counted = sandbox.rows(&format!("SELECT CAST(count({column}) AS TEXT) FROM {table}"));
        assert!(counted.contains(&rows.to_string()), "{table}.{column}: {rows} of {counted}");
    }
}

fn a_schema_from_the_future_is_told_apart<D: TestDatabase>() {
    let sandbox = D::new();
    let store = sandbox.store();
    sandbox.run("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959')");
    let future = MigrateError::SchemaTooNew("29991231235959".to_owned());
    assert_eq!(store.status(), Err(future.clone()));
    assert_eq!((store.migrate(), store.redo()), (Err(future.clone()), Err(future)));
}

fn status_changes_nothing<D: TestDatabase>() {
    let sandbox = D::new();
    let store = sandbox.open(&patient());
    assert!(store.status().unwrap().iter().all(|migration| !migration.applied));
    assert_eq!(sandbox.rows(D::TABLES), "");
}

fn a_migration_that_fails_leaves_the_database_as_it_was<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    sandbox.run(D::SPOIL);
    let before = sandbox.rows(D::TABLES);
    let error = sandbox.open(&patient()).migrate().unwrap_err();
    assert!(matches!(error, MigrateError::Failed(_)) && !error.to_string().contains('\n'), "{error}");
    assert_eq!(sandbox.rows(D::TABLES), before);
}

fn many_may_migrate_at_once<D: TestDatabase>() {
    for create in [D::new, D::of_the_application, D::new] {
        let sandbox = create();
        let applied: Vec<_> = std::thread::scope(|scope| {
            let migrate = || sandbox.open(&patient()).migrate().unwrap();
            let running: Vec<_> = (0..8).map(|_| scope.spawn(migrate)).collect();
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(applied, all_migrations(), "one applied it, the others found it");
    }
}
