//! Lists and applies the embedded migrations: the code that both databases share. Each database
//! implements its own lock against two processes migrating at once.

use crate::engine::Engine;
use crate::error::MigrateError;
use crate::inspection::{self, Finding};
use crate::reversal::Reversal;
use diesel::backend::Backend;
use diesel::connection::Connection;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::query_dsl::LoadQuery;
use diesel::sql_types::BigInt;
use diesel_migrations::MigrationHarness;
use std::error::Error;

/// Diesel's table of applied migrations.
pub(crate) const MIGRATIONS_TABLE: &str = "__diesel_schema_migrations";
pub(crate) const APPLIED: &str = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
/// Maximum number of account ids in the log line about case conflicts.
const NAMED: usize = 100;

/// Access to the schema of a database. A call that fails changes nothing.
pub trait Migrations: Send + Sync {
    /// Returns every migration that this program knows, oldest first.
    ///
    /// # Errors
    /// Returns [`MigrateError::SchemaTooNew`] if the database has a migration that this program does not
    /// know.
    fn status(&self) -> Result<Vec<MigrationStatus>, MigrateError>;

    /// Checks the tables and returns what an operator should know about them. Changes nothing.
    fn inspect(&self) -> Result<Vec<Finding>, MigrateError>;

    /// Applies pending migrations. Logs and returns the findings and the adopted rows. Several
    /// processes may call this concurrently.
    ///
    /// # Errors
    /// Returns [`MigrateError::Unfit`] if the tables cannot be adopted, and [`MigrateError::Busy`] if
    /// another process holds the lock for too long.
    fn apply(&self) -> Result<MigrationReport, MigrateError>;

    /// Reverts the last migration, applies it again, and returns its name. Only for developing a
    /// migration: reverting deletes the data that the migration added.
    fn redo(&self) -> Result<Vec<String>, MigrateError>;

    /// Returns what [`redo`](Self::redo) deletes. Changes nothing, but locks the tables for as long.
    fn preview_redo(&self) -> Result<Reversal, MigrateError>;

    /// Returns which other process has the database open, for an error message, or `None` if there is none.
    fn other_user(&self) -> Result<Option<String>, MigrateError>;

    /// Applies pending migrations like [`apply`](Self::apply) and returns their names.
    fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        self.apply().map(|done| done.names)
    }

    /// Returns the names of pending migrations, oldest first. Changes nothing.
    fn pending(&self) -> Result<Vec<String>, MigrateError> {
        let pending = self.status()?.into_iter().filter(|migration| !migration.applied);
        Ok(pending.map(|migration| migration.name).collect())
    }
}

/// Embedded migration and its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// UTC timestamp and slug.
    pub name: String,
    /// Whether the migration has been applied.
    pub applied: bool,
}

/// Result of a schema change, to be logged after the commit.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// Names of the applied migrations, oldest first.
    pub names: Vec<String>,
    /// Adopted rows. `None` unless the tables of the FastAPI application already existed.
    pub adoption: Option<Adoption>,
    /// Findings from before the change.
    pub findings: Vec<Finding>,
}

/// Content of the FastAPI application's tables that the first migration adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Number of accounts.
    pub users: i64,
    /// Number of refresh tokens in any state.
    pub refresh_tokens: i64,
    /// Ids of the accounts whose emails differ only in case.
    pub case_conflicts: Vec<i64>,
}

impl MigrationReport {
    /// Logs the findings and the adoption.
    pub(crate) fn reported(self) -> Self {
        for Finding { what, advice, .. } in &self.findings {
            tracing::warn!(target: "app", advice, "Found in the database: {what}");
        }
        if let Some(adoption) = &self.adoption {
            adoption.log();
        }
        self
    }
}

impl Adoption {
    fn log(&self) {
        let (users, refresh_tokens) = (self.users, self.refresh_tokens);
        tracing::info!(target: "app", users, refresh_tokens, "Adopted the tables of the FastAPI application");
        if !self.case_conflicts.is_empty() {
            let named: Vec<_> = self.case_conflicts.iter().take(NAMED).map(i64::to_string).collect();
            tracing::warn!(
                target: "app",
                accounts = self.case_conflicts.len(),
                user_ids = named.join(","),
                "Accounts whose emails differ by case alone: each logs in with its own exact spelling"
            );
        }
    }
}

/// Compares the applied migrations with the embedded ones.
pub(crate) fn status<B: Backend>(
    known: &impl MigrationSource<B>,
    applied: &[String],
) -> Result<Vec<MigrationStatus>, MigrateError> {
    let known: Vec<_> = sorted(known)?.iter().map(|migration| migration.name().to_string()).collect();
    let has = |name: &String| applied.iter().any(|version| version == stamp(name));
    match applied.iter().rev().find(|version| !known.iter().any(|name| stamp(name) == *version)) {
        Some(future) => Err(MigrateError::SchemaTooNew(future.clone())),
        None => Ok(known.into_iter().map(|name| MigrationStatus { applied: has(&name), name }).collect()),
    }
}

fn stamp(name: &str) -> &str {
    name.split('_').next().unwrap_or(name)
}

/// Applies pending migrations. `findings` are those of the inspection before; `adopting` is true if the
/// FastAPI application's tables may have existed before.
pub(crate) fn apply<C, B>(
    connection: &mut C,
    known: &impl MigrationSource<B>,
    adopting: bool,
    findings: Vec<Finding>,
) -> Result<MigrationReport, MigrateError>
where
    B: Backend,
    C: Engine<Backend = B> + MigrationHarness<B>,
    for<'q> SqlLiteral<BigInt>: LoadQuery<'q, C, i64>,
{
    let applied = applied(connection)?;
    // Another process may have migrated the database since the caller's check.
    status(known, &applied)?;
    // Newer checks must not block a database that already works.
    if let (true, Some(refusal)) = (applied.is_empty(), inspection::refusal(&findings)) {
        return Err(MigrateError::Unfit(refusal));
    }
    let mut names = Vec::new();
    for migration in sorted(known)? {
        let name = migration.name().to_string();
        if !applied.iter().any(|version| version == stamp(&name)) {
            connection.run_migration(&*migration).map_err(failed::<C>)?;
            names.push(name);
        }
    }
    let adoption = (adopting && applied.is_empty()).then(|| report_adoption(connection)).transpose();
    Ok(MigrationReport { names, adoption: adoption.map_err(|error| failed::<C>(error.into()))?, findings })
}

/// Reverts the last migration and applies it again.
pub(crate) fn redo<C, B>(connection: &mut C, known: &impl MigrationSource<B>) -> Result<MigrationReport, MigrateError>
where
    B: Backend,
    C: Engine<Backend = B> + MigrationHarness<B>,
{
    let last = last(connection, known)?;
    connection.revert_migration(&*last).map_err(failed::<C>)?;
    connection.run_migration(&*last).map_err(failed::<C>)?;
    Ok(MigrationReport { names: vec![last.name().to_string()], ..MigrationReport::default() })
}

/// Returns the last applied migration.
pub(crate) fn last<C, B>(
    connection: &mut C,
    known: &impl MigrationSource<B>,
) -> Result<Box<dyn Migration<B>>, MigrateError>
where
    B: Backend,
    C: Engine<Backend = B> + MigrationHarness<B>,
{
    let applied = applied(connection)?;
    status(known, &applied)?;
    let last =
        sorted(known)?.into_iter().rfind(|m| applied.iter().any(|version| version == stamp(&m.name().to_string())));
    last.ok_or_else(|| MigrateError::Failed("no migration was applied yet".to_owned()))
}

fn applied<C: Engine + MigrationHarness<B>, B: Backend>(connection: &mut C) -> Result<Vec<String>, MigrateError> {
    let versions = connection.applied_migrations().map_err(failed::<C>)?;
    Ok(versions.iter().map(ToString::to_string).collect())
}

fn sorted<B: Backend>(known: &impl MigrationSource<B>) -> Result<Vec<Box<dyn Migration<B>>>, MigrateError> {
    let mut migrations = known.migrations().map_err(|error| MigrateError::Failed(error.to_string()))?;
    migrations.sort_unstable_by_key(|migration| migration.name().to_string());
    Ok(migrations)
}

fn report_adoption<C>(connection: &mut C) -> QueryResult<Adoption>
where
    C: Connection,
    for<'q> SqlLiteral<BigInt>: LoadQuery<'q, C, i64>,
{
    let mut numbers = |query: &str| sql::<BigInt>(query).load::<i64>(connection);
    Ok(Adoption {
        users: numbers("SELECT count(*) FROM users")?.first().copied().unwrap_or_default(),
        refresh_tokens: numbers("SELECT count(*) FROM refresh_tokens")?.first().copied().unwrap_or_default(),
        case_conflicts: numbers("SELECT id FROM users WHERE email_case_sensitive ORDER BY id")?,
    })
}

pub(crate) fn failed<C: Engine>(error: Box<dyn Error + Send + Sync>) -> MigrateError {
    let reason = error.to_string().replace('\n', " ");
    // Another process holds a lock on the tables, so a retry may succeed.
    if reason.contains("due to lock timeout") || C::has_waited_for_lock() {
        MigrateError::Busy(reason)
    } else {
        MigrateError::Failed(reason)
    }
}
