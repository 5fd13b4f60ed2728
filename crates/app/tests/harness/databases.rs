//! The two databases: fresh ones, copies of a FastAPI app's database, and direct access that bypasses the
//! service.

use super::services::ServiceBuilder;
use super::timing::fresh_folder;
use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, RunQueryDsl, sql_query, sql_types};
use portcullis_testkit::postgres::Server;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testkit/fixtures");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// Creates a service on a fresh database, still to be started.
    pub(crate) fn service(self) -> ServiceBuilder {
        ServiceBuilder::over(&self.database())
    }

    /// Creates a fresh, empty database.
    pub(crate) fn database(self) -> Database {
        match self {
            Self::Sqlite => Database::Sqlite(fresh_folder().join("app.db")),
            Self::Postgres => Database::on(Server::shared()),
        }
    }

    /// Returns a copy of the FastAPI app's database and a description of its contents.
    pub(crate) fn adopted(self) -> (Database, Value) {
        let database = self.database();
        let read = |name: &str| fs::read_to_string(format!("{FIXTURES}/{name}")).unwrap();
        let facts = match &database {
            Database::Sqlite(path) => {
                fs::copy(format!("{FIXTURES}/fastapi-app.db"), path).unwrap();
                read("fastapi-app.json")
            }
            Database::Postgres { .. } => {
                database.execute(&read("fastapi-app-postgres.sql"));
                read("fastapi-app-postgres.json")
            }
        };
        let mut facts: Value = serde_json::from_str(&facts).unwrap();
        // Stored in parts, because the service refuses a key that occurs in the repository.
        let parts: Vec<String> = serde_json::from_value(facts["secret_key"].take()).unwrap();
        facts["secret_key"] = parts.concat().into();
        (database, facts)
    }
}

/// One SQLite or PostgreSQL database.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres { server: &'static Server, name: String },
}

impl Database {
    /// Creates a fresh database on a server.
    pub(crate) fn on(server: &'static Server) -> Self {
        let url = server.create_database().url;
        Self::Postgres { server, name: url.rsplit('/').next().unwrap().to_owned() }
    }

    /// Returns the URL as `DATABASE_URL` spells it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:///{}", path.display()),
            Self::Postgres { server, name } => server.url(name),
        }
    }

    /// Executes statements.
    pub(crate) fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(path) => sqlite(path).batch_execute(sql).unwrap(),
            Self::Postgres { server, name } => drop(server.psql(name, sql)),
        }
    }

    /// Returns one column of a query, each value as text.
    pub(crate) fn texts(&self, column: &str, rest: &str) -> Vec<String> {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::Text)]
            value: String,
        }
        let query = format!("SELECT CAST({column} AS TEXT) AS value {rest}");
        match self {
            Self::Sqlite(path) => {
                let rows = sql_query(query).load::<Row>(&mut sqlite(path)).unwrap();
                rows.into_iter().map(|row| row.value).collect()
            }
            Self::Postgres { server, name } => server.psql(name, &query).lines().map(str::to_owned).collect(),
        }
    }

    /// Counts rows.
    pub(crate) fn count(&self, rest: &str) -> i64 {
        self.texts("count(*)", rest)[0].parse().unwrap()
    }

    /// Returns everything the database stores, in any form.
    pub(crate) fn dump(&self) -> String {
        match self {
            Self::Sqlite(path) => {
                // Reads the write-ahead log first: what is checkpointed after that is already in the main
                // file.
                let mut stored = fs::read(path.with_extension("db-wal")).unwrap();
                stored.extend(fs::read(path).unwrap());
                String::from_utf8_lossy(&stored).into_owned()
            }
            Self::Postgres { server, name } => server.psql(name, "SELECT database_to_xml(true, false, '')"),
        }
    }

    /// Inserts an account as another program would, with any hash.
    pub(crate) fn insert_user(&self, email: &str, hash: &str) {
        let (email, hash) = (email.replace('\'', "''"), hash.replace('\'', "''"));
        self.execute(&format!(
            "INSERT INTO users (email, hashed_password, is_active, created_at) \
             VALUES ('{email}', '{hash}', TRUE, '2026-02-18 10:30:00')"
        ));
    }
}

/// Opens an SQLite connection that bypasses the service.
pub(crate) fn sqlite(path: &std::path::Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute("PRAGMA busy_timeout = 20000").unwrap();
    connection
}
