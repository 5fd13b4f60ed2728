//! Store adapter for SQLite and PostgreSQL. Shared code is at the top level; `sqlite` and `postgres`
//! contain what differs. The domain defines what the rows mean.

mod canonical;
mod credentials;
mod database;
mod deletion;
mod engine;
mod error;
mod factors;
mod gate;
mod identities;
mod info;
mod inspection;
mod mail;
mod migrations;
mod options;
mod passkeys;
mod password;
mod pool;
mod postgres;
mod purge;
mod registration;
mod reversal;
mod schema;
mod server_clock;
mod sessions;
mod sign_ins;
mod sqlite;
mod statement;
mod stored;
mod time;
mod tokens;
mod transaction;
mod verification;

pub use database::{Database, DatabaseUrl};
pub use error::{DatabaseUrlError, MigrateError, OpenError};
pub use info::DatabaseInfo;
pub use inspection::{Finding, Severity};
pub use migrations::{Adoption, MigrationReport, MigrationStatus, Migrations};
pub use options::StoreOptions;
pub use pool::PoolLoad;
pub use postgres::{PostgresStore, PostgresUrl};
pub use reversal::{Loss, Reversal};
pub use sqlite::SqliteStore;
