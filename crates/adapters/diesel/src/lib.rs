//! The store, on SQLite and on PostgreSQL. What both have in common is written once; what differs
//! stands side by side in `sqlite` and `postgres`. What the rows mean is left to the domain, and
//! when to call which verb to the use cases.

mod canonical;
mod database;
mod deletion;
mod engine;
mod error;
mod expiry;
mod gate;
mod info;
mod inspection;
mod mail;
mod maintenance;
mod migrations;
mod password;
mod pool;
mod postgres;
mod registration;
mod schema;
mod server_clock;
mod sessions;
mod sqlite;
mod stored;
mod time;
mod tokens;
mod transaction;
mod verification;

pub use database::{Database, DatabaseUrl, DatabaseUrlError, StoreOptions};
pub use error::{MigrateError, OpenError};
pub use info::DatabaseInfo;
pub use inspection::{Finding, Severity};
pub use migrations::{Adoption, MigrationReport, MigrationStatus, Migrations};
pub use pool::PoolLoad;
pub use postgres::{PostgresStore, PostgresUrl};
pub use sqlite::SqliteStore;
