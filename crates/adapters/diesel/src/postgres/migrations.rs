//! Migrates a PostgreSQL database in one transaction, under an advisory lock: if two processes start at
//! once, one waits.

use super::{PostgresStore, inspection};
use crate::engine::Engine;
use crate::error::MigrateError;
use crate::inspection::Finding;
use crate::migrations::{self, MigrationReport, MigrationStatus, Migrations};
use diesel::connection::{AnsiTransactionManager, Connection, SimpleConnection, TransactionManager};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use parking_lot::Mutex;
use portcullis_ports::{StoreError, TxMode};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../../migrations/postgres");
/// The key of the advisory lock is "portcull" in ASCII. The lock is released when the transaction ends.
const LOCK: &str = "SELECT pg_advisory_xact_lock(8101820098873224300)";
/// Every statement needs its own snapshot: one taken before the lock was acquired would not contain the
/// other process's migrations.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

impl Migrations for PostgresStore {
    fn status(&self) -> Result<Vec<MigrationStatus>, MigrateError> {
        let mut connection = self.opener.set_up(self.connect()?)?;
        let status = migrations::status::<Pg>(&MIGRATIONS, &applied(&mut connection)?)?;
        if status.iter().all(|migration| migration.applied) {
            self.ready.store(true, Ordering::Release);
        }
        Ok(status)
    }

    fn inspect(&self) -> Result<Vec<Finding>, MigrateError> {
        let pending = !self.pending()?.is_empty();
        let findings = inspection::inspect(&mut self.opener.set_up(self.connect()?)?, pending);
        Ok(findings.map_err(|error| PgConnection::classify(&error, TxMode::Read))?)
    }

    fn apply(&self) -> Result<MigrationReport, MigrateError> {
        if self.pending()?.is_empty() {
            return Ok(MigrationReport::default());
        }
        let done = self.with_migration_lock(|connection| {
            let adopting = has_table(connection, "users")?;
            let findings =
                inspection::inspect(connection, true).map_err(|error| PgConnection::classify(&error, TxMode::Read))?;
            migrations::apply(connection, &MIGRATIONS, adopting, findings)
        })?;
        self.ready.store(true, Ordering::Release);
        Ok(done.reported())
    }

    fn redo(&self) -> Result<Vec<String>, MigrateError> {
        let done = self.with_migration_lock(|connection| migrations::redo(connection, &MIGRATIONS))?;
        Ok(done.reported().names)
    }
}

impl PostgresStore {
    /// Runs a change in one transaction, under the advisory lock.
    fn with_migration_lock(
        &self,
        change: impl FnOnce(&mut PgConnection) -> Result<MigrationReport, MigrateError>,
    ) -> Result<MigrationReport, MigrateError> {
        let mut connection = self.opener.set_up_for_migration(self.connect()?)?;
        let detail = Arc::new(Mutex::new(None));
        // This replaces the stopwatch, which recognizes timeouts if messages are not in English.
        if !self.opener.is_foreign() {
            connection.set_instrumentation(self.opener.instrumentation(detail.clone()));
        }
        let classify = |error: diesel::result::Error| PgConnection::classify(&error, TxMode::Write);
        AnsiTransactionManager::begin_transaction_sql(&mut connection, BEGIN).map_err(classify)?;
        connection.batch_execute(LOCK).map_err(classify)?;
        match change(&mut connection) {
            Ok(applied) => {
                AnsiTransactionManager::commit_transaction(&mut connection).map_err(classify)?;
                Ok(applied)
            }
            // A retry may succeed after a lost connection, but not after a failed statement.
            Err(error) => match AnsiTransactionManager::rollback_transaction(&mut connection).map_err(classify) {
                Err(lost @ StoreError::Unavailable(_)) => Err(lost.into()),
                _ => Err(with_detail(error, &detail)),
            },
        }
    }
}

/// Adds the detail that diesel's migrations omit from their error.
fn with_detail(error: MigrateError, detail: &Mutex<Option<String>>) -> MigrateError {
    let detail = detail.lock().take();
    match (error, detail) {
        (MigrateError::Failed(reason), Some(detail)) => {
            MigrateError::Failed(format!("{reason}: {}", detail.replace('\n', " ")))
        }
        (error, _) => error,
    }
}

fn applied(connection: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    if !has_table(connection, migrations::MIGRATIONS_TABLE)? {
        return Ok(Vec::new());
    }
    let versions = sql::<Text>(migrations::APPLIED).load(connection);
    versions.map_err(|error| PgConnection::classify(&error, TxMode::Write))
}

fn has_table(connection: &mut PgConnection, name: &str) -> Result<bool, StoreError> {
    let query = sql::<Bool>("SELECT to_regclass(").bind::<Text, _>(name).sql(") IS NOT NULL");
    query.get_result(connection).map_err(|error| PgConnection::classify(&error, TxMode::Write))
}
