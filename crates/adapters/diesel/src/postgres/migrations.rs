//! Migrates a PostgreSQL database in one transaction, under an advisory lock: if two processes start at
//! once, one waits.

use super::{PostgresStore, check, inspection};
use crate::engine::Engine;
use crate::error::MigrateError;
use crate::inspection::Finding;
use crate::migrations::{self, MigrationReport, MigrationStatus, Migrations};
use crate::reversal::{self, Reversal};
use diesel::connection::{AnsiTransactionManager, Connection, SimpleConnection, TransactionManager};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
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
/// Selects all columns of the tables in the schema.
const COLUMNS: &str = "SELECT table_name || '.' || column_name FROM information_schema.columns \
    WHERE table_schema = current_schema()";
/// Counts the sessions with this program's name, or the one in `DATABASE_URL`, on the database. Those that began
/// later than this session are left out: they may be of this process.
const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity AS other JOIN pg_stat_activity AS own \
    ON own.pid = pg_backend_pid() AND other.datname = own.datname AND other.application_name = own.application_name \
    AND other.backend_start < own.backend_start";

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
        let done = self.with_migration_lock(true, |connection| {
            let adopting = has_table(connection, "users")?;
            let findings =
                inspection::inspect(connection, true).map_err(|error| PgConnection::classify(&error, TxMode::Read))?;
            migrations::apply(connection, &MIGRATIONS, adopting, findings)
        })?;
        self.ready.store(true, Ordering::Release);
        Ok(done.reported())
    }

    fn redo(&self) -> Result<Vec<String>, MigrateError> {
        let done = self.with_migration_lock(true, |connection| migrations::redo(connection, &MIGRATIONS))?;
        Ok(done.reported().names)
    }

    fn preview_redo(&self) -> Result<Reversal, MigrateError> {
        self.with_migration_lock(false, |connection| reversal::preview(connection, &MIGRATIONS, COLUMNS))
    }

    fn other_user(&self) -> Result<Option<String>, MigrateError> {
        let mut connection = self.opener.set_up(self.connect()?)?;
        let sessions = sql::<BigInt>(OTHERS).get_result::<i64>(&mut connection);
        let sessions = sessions.map_err(|error| PgConnection::classify(&error, TxMode::Read))?;
        Ok((sessions > 0).then(|| format!("another process ({sessions} sessions in pg_stat_activity)")))
    }
}

impl PostgresStore {
    /// Runs a change in one transaction, under the advisory lock. Unless the change is kept, rolls it back.
    /// Fails as unavailable on a read-only server.
    fn with_migration_lock<T>(
        &self,
        is_kept: bool,
        change: impl FnOnce(&mut PgConnection) -> Result<T, MigrateError>,
    ) -> Result<T, MigrateError> {
        let mut connection = self.opener.set_up_for_migration(self.connect()?)?;
        check::require_writable(&mut connection)?;
        let detail = Arc::new(Mutex::new(None));
        // This replaces the stopwatch, which recognizes timeouts if messages are not in English.
        if !self.opener.is_foreign() {
            connection.set_instrumentation(self.opener.instrumentation(detail.clone()));
        }
        let classify = |error: diesel::result::Error| PgConnection::classify(&error, TxMode::Write);
        AnsiTransactionManager::begin_transaction_sql(&mut connection, BEGIN).map_err(classify)?;
        connection.batch_execute(LOCK).map_err(classify)?;
        match change(&mut connection) {
            Ok(done) => {
                if is_kept {
                    AnsiTransactionManager::commit_transaction(&mut connection)
                } else {
                    AnsiTransactionManager::rollback_transaction(&mut connection)
                }
                .map_err(classify)?;
                Ok(done)
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
