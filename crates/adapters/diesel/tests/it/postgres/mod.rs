//! Tests on PostgreSQL.

mod adoption;
mod connections;
mod inspection;
mod limits;
mod mail;
mod migrations;
mod outages;
mod parameters;
mod plans;
mod poolers;
mod purge;

use crate::samples::{clock_that_goes, patient};
use portcullis_diesel::{DatabaseUrl, Migrations, PostgresStore, StoreOptions};
use portcullis_ports::Store;
use portcullis_testkit::postgres::{Database, Server};

portcullis_testkit::store_conformance!(|run: &dyn Fn(&dyn Store)| run(&Sandbox::new().store()));

/// Dump of a database of the FastAPI application.
const APPLICATION: &str = include_str!("../../../../../testkit/fixtures/fastapi-app-postgres.sql");

/// Separate database on a shared server.
struct Sandbox(Database, &'static Server);

impl Sandbox {
    fn new() -> Self {
        Self::on(Server::shared())
    }

    fn on(server: &'static Server) -> Self {
        Self(server.create_database(), server)
    }

    /// Creates a database on a server with English messages and one on a server with German messages.
    fn in_both_languages() -> [Self; 2] {
        [Self::new(), Self::on(Server::shared_in_german())]
    }

    /// Creates a database with the FastAPI application's tables.
    fn of_the_application() -> Self {
        let sandbox = Self::new();
        sandbox.execute(APPLICATION);
        sandbox
    }

    fn open_with(&self, parameters: &str, options: &StoreOptions) -> PostgresStore {
        open(&format!("{}{parameters}", self.0.url), options)
    }

    /// Opens a migrated store.
    fn store(&self) -> PostgresStore {
        let store = self.open_with("", &patient());
        store.migrate().unwrap();
        store
    }

    /// Runs SQL without the store and returns its output.
    fn execute(&self, sql: &str) -> String {
        self.1.psql(self.name(), sql)
    }

    fn name(&self) -> &str {
        self.0.url.rsplit('/').next().unwrap()
    }
}

fn open(url: &str, options: &StoreOptions) -> PostgresStore {
    match DatabaseUrl::parse(url).unwrap() {
        DatabaseUrl::Postgres(url) => PostgresStore::new(&url, options, clock_that_goes()),
        other => panic!("{other:?}"),
    }
}
