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

use crate::databases::TestDatabase;
use crate::migrations::revert_all;
use crate::samples::clock_that_goes;
use diesel::{Connection, PgConnection};
use portcullis_diesel::{DatabaseUrl, PostgresStore, StoreOptions};
use portcullis_ports::Store;
use portcullis_testkit::postgres::{Database, Server};

portcullis_testkit::store_conformance!(|run: &dyn Fn(&dyn Store)| run(&Sandbox::new().store()));

/// Dump of a database of the FastAPI application.
const APPLICATION: &str = include_str!("../../../../../testkit/fixtures/fastapi-app-postgres.sql");

/// Separate database on a shared server.
pub(crate) struct Sandbox(Database, &'static Server);

const SCHEMA: &str = "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default \
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '%diesel%' ORDER BY 1, 2; \
    SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE '%diesel%' ORDER BY 1; \
    SELECT sequencename, data_type FROM pg_sequences ORDER BY 1";

impl TestDatabase for Sandbox {
    type Store = PostgresStore;

    const TABLES: &'static str = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    const SCHEMA: &'static str = SCHEMA;
    const COLUMNS: &'static str = SCHEMA;
    const SPOIL: &'static str = "ALTER TABLE users ADD COLUMN twice BIGINT GENERATED ALWAYS AS (id * 2) STORED";
    const TOKENS: [&'static str; 2] = ["aa7822b979b54e05af739526899a9378", "975e917ac8ab4b93899670d24ba6dcb6"];

    fn new() -> Self {
        Self::on(Server::shared())
    }

    fn of_the_application() -> Self {
        let sandbox = Self::new();
        sandbox.execute(APPLICATION);
        sandbox
    }

    fn url(&self) -> String {
        self.0.url.clone()
    }

    fn open(&self, options: &StoreOptions) -> PostgresStore {
        self.open_with("", options)
    }

    fn run(&self, sql: &str) {
        self.execute(sql);
    }

    fn rows(&self, sql: &str) -> String {
        self.execute(sql)
    }

    fn revert_all(&self) {
        revert_all(&mut PgConnection::establish(&self.0.url).unwrap(), "postgres");
    }
}

impl Sandbox {
    fn on(server: &'static Server) -> Self {
        Self(server.create_database(), server)
    }

    /// Creates a database on a server with English messages and one on a server with German messages.
    fn in_both_languages() -> [Self; 2] {
        [Self::new(), Self::on(Server::shared_in_german())]
    }

    fn open_with(&self, parameters: &str, options: &StoreOptions) -> PostgresStore {
        open(&format!("{}{parameters}", self.0.url), options)
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
