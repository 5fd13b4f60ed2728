//! Tests on SQLite.

mod adoption;
mod damage;
mod file;
mod inspection;
mod locks;
mod mail;
mod plans;

use crate::databases::TestDatabase;
use crate::migrations::revert_all;
use crate::samples::clock;
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use portcullis_diesel::{SqliteStore, StoreOptions};
use portcullis_ports::Store;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

portcullis_testkit::store_conformance!(|run: &dyn Fn(&dyn Store)| run(&Sandbox::new().store()));

/// Separate folder for one database file.
pub(crate) struct Sandbox(TempDir);

impl TestDatabase for Sandbox {
    type Store = SqliteStore;

    const TABLES: &'static str = "SELECT name FROM sqlite_master ORDER BY name";
    const SCHEMA: &'static str = "SELECT type || name || ifnull(replace(replace(sql, char(10), ''), char(9), ''), '') \
        FROM sqlite_master WHERE name NOT LIKE '%diesel%' ORDER BY name";
    const COLUMNS: &'static str = "SELECT m.name || '.' || ifnull(c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' \
        || ifnull(c.dflt_value, ''), '') FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c ON m.type = 'table' \
        WHERE m.name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY m.name, c.cid";
    const SPOIL: &'static str = "CREATE TABLE user_ids (id INTEGER PRIMARY KEY, something_else TEXT)";
    const TOKENS: [&'static str; 2] = ["b61cdec998984cfaa1b234ea8e50c83c", "0f27355081d1476db2829701631d2e85"];

    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn of_the_application() -> Self {
        let sandbox = Self::new();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testkit/fixtures/fastapi-app.db");
        std::fs::copy(fixture, sandbox.path()).unwrap();
        sandbox
    }

    fn url(&self) -> String {
        format!("sqlite:///{}", self.path().display())
    }

    fn open(&self, options: &StoreOptions) -> SqliteStore {
        SqliteStore::open(&self.path(), options, clock()).unwrap()
    }

    fn run(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap();
    }

    fn rows(&self, sql: &str) -> String {
        self.query(sql).into_iter().map(|row| row + "\n").collect()
    }

    fn revert_all(&self) {
        revert_all(&mut self.connect(), "sqlite");
    }
}

impl Sandbox {
    fn path(&self) -> PathBuf {
        self.0.path().join("app.db")
    }

    /// Opens a connection without the store, like another program.
    fn connect(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(self.path().to_str().unwrap()).unwrap();
        // A store that was just dropped may still be closing the file.
        connection.batch_execute("PRAGMA busy_timeout = 60000").unwrap();
        connection
    }

    /// Returns the rows of a query with one text column.
    fn query(&self, query: &str) -> Vec<String> {
        sql::<Text>(query).load(&mut self.connect()).unwrap()
    }
}
