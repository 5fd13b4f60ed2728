//! Tests on SQLite.

mod adoption;
mod damage;
mod file;
mod inspection;
mod locks;
mod mail;
mod migrations;
mod plans;

use crate::samples::{clock, patient};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use portcullis_diesel::{Migrations, SqliteStore, StoreOptions};
use portcullis_ports::Store;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

portcullis_testkit::store_conformance!(|run: &dyn Fn(&dyn Store)| run(&Sandbox::new().store()));

/// Separate folder for one database file.
struct Sandbox(TempDir);

impl Sandbox {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Creates a folder with a file of the FastAPI application.
    fn of_the_application() -> Self {
        let sandbox = Self::new();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testkit/fixtures/fastapi-app.db");
        std::fs::copy(fixture, sandbox.path()).unwrap();
        sandbox
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("app.db")
    }

    fn open_with(&self, options: &StoreOptions) -> SqliteStore {
        SqliteStore::open(&self.path(), options, clock()).unwrap()
    }

    /// Opens a migrated store.
    fn store(&self) -> SqliteStore {
        let store = self.open_with(&patient());
        store.migrate().unwrap();
        store
    }

    /// Opens a connection without the store, like another program.
    fn connect(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(self.path().to_str().unwrap()).unwrap();
        // A store that was just dropped may still be closing the file.
        connection.batch_execute("PRAGMA busy_timeout = 60000").unwrap();
        connection
    }

    fn execute(&self, statements: &str) {
        let mut connection = self.connect();
        connection.batch_execute(statements).unwrap();
    }

    /// Returns the rows of a query with one text column.
    fn query(&self, query: &str) -> Vec<String> {
        sql::<Text>(query).load(&mut self.connect()).unwrap()
    }
}
