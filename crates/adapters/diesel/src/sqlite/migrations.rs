//! Migrates an SQLite file. All pending migrations run in one transaction, so a killed process leaves
//! the schema before or after all of them. If two processes start at once, one waits.

use super::connection::Role;
use super::{SqliteStore, begin, inspection};
use crate::engine::Engine;
use crate::error::MigrateError;
use crate::inspection::Finding;
use crate::migrations::{self, MigrationReport, MigrationStatus, Migrations};
use crate::reversal::{self, Reversal};
use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use portcullis_ports::{StoreError, TxMode};
use std::time::Duration;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../../migrations/sqlite");
/// Maximum wait for another process that migrates or writes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Selects all columns of the tables.
const COLUMNS: &str = "SELECT tables.name || '.' || columns.name \
    FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'";

impl Migrations for SqliteStore {
    fn status(&self) -> Result<Vec<MigrationStatus>, MigrateError> {
        let applied = self.with_reader(applied)?;
        migrations::status::<Sqlite>(&MIGRATIONS, &applied)
    }

    fn inspect(&self) -> Result<Vec<Finding>, MigrateError> {
        self.file.check()?;
        let mut connection = self.opener.open(Role::Reader)?;
        let findings = inspection::inspect(&mut connection);
        Ok(findings.map_err(|error| SqliteConnection::classify(&error, TxMode::Read))?)
    }

    fn apply(&self) -> Result<MigrationReport, MigrateError> {
        if self.pending()?.is_empty() {
            return Ok(MigrationReport::default());
        }
        let done = self.with_migration_lock(true, |connection| {
            let adopting = has_table(connection, "users")?;
            let findings =
                inspection::inspect(connection).map_err(|error| SqliteConnection::classify(&error, TxMode::Read))?;
            migrations::apply(connection, &MIGRATIONS, adopting, findings)
        })?;
        Ok(done.reported())
    }

    fn redo(&self) -> Result<Vec<String>, MigrateError> {
        self.status()?;
        let done = self.with_migration_lock(true, |connection| migrations::redo(connection, &MIGRATIONS))?;
        Ok(done.reported().names)
    }

    fn preview_redo(&self) -> Result<Reversal, MigrateError> {
        self.with_migration_lock(false, |connection| reversal::preview(connection, &MIGRATIONS, COLUMNS))
    }

    fn other_user(&self) -> Result<Option<String>, MigrateError> {
        Ok(self.file.other_user()?)
    }
}

impl SqliteStore {
    /// Runs a change in one transaction, under SQLite's write lock. Unless the change is kept, rolls it back.
    fn with_migration_lock<T>(
        &self,
        is_kept: bool,
        change: impl FnOnce(&mut SqliteConnection) -> Result<T, MigrateError>,
    ) -> Result<T, MigrateError> {
        self.with_writer(TIMEOUT, |connection| {
            begin(connection)?;
            let outcome = change(connection);
            if is_kept && outcome.is_ok() {
                AnsiTransactionManager::commit_transaction(connection)
            } else {
                AnsiTransactionManager::rollback_transaction(connection)
            }
            .map_err(|error| SqliteConnection::classify(&error, TxMode::Write))?;
            Ok(outcome)
        })?
    }
}

fn applied(connection: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    if !has_table(connection, migrations::MIGRATIONS_TABLE)? {
        return Ok(Vec::new());
    }
    let versions = sql::<Text>(migrations::APPLIED).load(connection);
    versions.map_err(|error| SqliteConnection::classify(&error, TxMode::Write))
}

fn has_table(connection: &mut SqliteConnection, name: &str) -> Result<bool, StoreError> {
    let query = sql::<Bool>("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ")
        .bind::<Text, _>(name)
        .sql(")");
    query.get_result(connection).map_err(|error| SqliteConnection::classify(&error, TxMode::Write))
}
