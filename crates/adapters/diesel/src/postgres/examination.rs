//! Queries version and settings of a PostgreSQL server.

use super::PostgresStore;
use crate::engine::Engine;
use crate::error::MigrateError;
use crate::info::DatabaseInfo;
use crate::time::UtcTime;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use portcullis_ports::TxMode;

/// Row of [`QUESTION`].
#[derive(QueryableByName)]
struct ServerInfo {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    synchronous_commit: String,
    #[diesel(sql_type = Bool)]
    fsync: bool,
    #[diesel(sql_type = Bool)]
    writable: bool,
    #[diesel(sql_type = BigInt)]
    connections: i64,
    #[diesel(sql_type = BigInt)]
    max_connections: i64,
    #[diesel(sql_type = UtcTime)]
    now: DateTime<Utc>,
}

/// Needs no privilege: other clients' connections are only counted.
const QUESTION: &str = "SELECT current_setting('server_version') AS version, \
    current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync')::bool AS fsync, \
    NOT pg_is_in_recovery() AND NOT current_setting('default_transaction_read_only')::bool AS writable, \
    (SELECT coalesce(sum(numbackends), 0)::bigint FROM pg_stat_database) AS connections, \
    current_setting('max_connections')::bigint AS max_connections, clock_timestamp() AS now";

impl PostgresStore {
    /// Queries on a separate connection, regardless of the schema.
    pub(crate) fn examine(&self) -> Result<DatabaseInfo, MigrateError> {
        let mut connection = self.opener.set_up(self.connect()?)?;
        let told = diesel::sql_query(QUESTION).get_result::<ServerInfo>(&mut connection);
        let told = told.map_err(|error| PgConnection::classify(&error, TxMode::Read))?;
        Ok(DatabaseInfo::Postgres {
            version: told.version,
            synchronous_commit: told.synchronous_commit,
            fsync: told.fsync,
            writable: told.writable,
            connections: told.connections,
            max_connections: told.max_connections,
            foreign: self.opener.is_foreign(),
            now: told.now,
        })
    }
}
