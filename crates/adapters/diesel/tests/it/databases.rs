//! What the tests need of either database.

use crate::samples::patient;
use portcullis_diesel::{Migrations, StoreOptions};
use portcullis_ports::Store;

/// Database of one test.
pub(crate) trait TestDatabase: Sized + Sync {
    type Store: Store + Migrations;

    /// Query for the names of all tables.
    const TABLES: &'static str;
    /// Query for the schema, without diesel's table.
    const SCHEMA: &'static str;
    /// Query for what a new schema has in common with an adopted one.
    const COLUMNS: &'static str;
    /// SQL that makes a migration of the FastAPI application's tables fail.
    const SPOIL: &'static str;
    /// `jti` of a live and of a spent token of the FastAPI application.
    const TOKENS: [&'static str; 2];

    /// Creates an empty database.
    fn new() -> Self;

    /// Creates a database of the FastAPI application.
    fn of_the_application() -> Self;

    /// Returns the database's `DATABASE_URL`.
    fn url(&self) -> String;

    /// Opens the store without migrating.
    fn open(&self, options: &StoreOptions) -> Self::Store;

    /// Runs SQL without the store, like another program.
    fn run(&self, sql: &str);

    /// Returns the rows of a query, which has one column on SQLite.
    fn rows(&self, sql: &str) -> String;

    /// Reverts all migrations, last one first.
    fn revert_all(&self);

    /// Opens a migrated store.
    fn store(&self) -> Self::Store {
        let store = self.open(&patient());
        store.migrate().unwrap();
        store
    }
}
