//! PostgreSQL.

mod adoption;
mod limits;
mod mail;
mod migrations;
mod outages;
mod plans;
mod purge;

use crate::samples::{clock, patient};
use portcullis_diesel::{DatabaseUrl, Migrations, PostgresStore, StoreOptions};
use portcullis_ports::Store;
use portcullis_testkit::postgres::{Database, Server};

portcullis_testkit::store_conformance!(|run: &dyn Fn(&dyn Store)| run(&Sandbox::new().store()));

/// A database of its own on the shared server.
struct Sandbox(Database);

impl Sandbox {
    fn new() -> Self {
        Self(Server::shared().create_database())
    }

    /// One with the tables that the FastAPI application left behind.
    fn of_the_application() -> Self {
        let sandbox = Self::new();
        sandbox.execute(include_str!("../../../../../testkit/fixtures/fastapi-app-postgres.sql"));
        sandbox
    }

    fn open_with(&self, parameters: &str, options: &StoreOptions) -> PostgresStore {
        open(&format!("{}{parameters}", self.0.url), options)
    }

    /// A store with its schema.
    fn store(&self) -> PostgresStore {
        let store = self.open_with("", &patient());
        store.migrate().unwrap();
        store
    }

    /// Runs SQL past the store; what it printed.
    fn execute(&self, sql: &str) -> String {
        let name = self.0.url.rsplit('/').next().unwrap();
        Server::shared().psql(name, sql)
    }
}

fn open(url: &str, options: &StoreOptions) -> PostgresStore {
    match DatabaseUrl::parse(url).unwrap() {
        DatabaseUrl::Postgres(url) => PostgresStore::new(&url, options, clock()),
        other => panic!("{other:?}"),
    }
}
