//! Queries version and settings of SQLite.

use super::SqliteStore;
use super::connection::Role;
use crate::engine::Engine;
use crate::info::DatabaseInfo;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use portcullis_ports::{StoreError, TxMode};

impl SqliteStore {
    /// Queries on a connection with a reader's settings.
    pub(crate) fn examine(&self) -> Result<DatabaseInfo, StoreError> {
        self.file.check()?;
        let mut connection = self.opener.open(Role::Reader)?;
        let classify = |error| SqliteConnection::classify(&error, TxMode::Read);
        let mut text = |query: &str| sql::<Text>(query).get_result::<String>(&mut connection).map_err(classify);
        let (version, journal_mode) = (text("SELECT sqlite_version()")?, text("PRAGMA journal_mode")?);
        let level = sql::<BigInt>("PRAGMA synchronous").get_result::<i64>(&mut connection).map_err(classify)?;
        let synchronous = match level {
            0 => "off",
            1 => "normal",
            2 => "full",
            _ => "extra",
        };
        Ok(DatabaseInfo::Sqlite { version, journal_mode, synchronous: synchronous.to_owned() })
    }
}
