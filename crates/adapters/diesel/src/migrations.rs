//! The migrations that are built in, and what both databases share of applying them. Keeping two
//! processes apart is left to each database.

use crate::engine::Engine;
use crate::error::MigrateError;
use crate::inspection::{self, Finding};
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

/// Where diesel keeps which migrations were applied.
pub(crate) const MIGRATIONS_TABLE: &str = "__diesel_schema_migrations";
pub(crate) const APPLIED: &str = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
/// How many of the accounts that differ by case alone the log names.
const NAMED: usize = 100;

/// The schema of a database, and its changes.
pub trait Migrations: Send + Sync {
    /// Every migration this program knows, oldest first. Changes nothing.
    ///
    /// # Errors
    /// [`MigrateError::SchemaTooNew`] where the database knows more; else the database's own.
    fn status(&self) -> Result<Vec<MigrationStatus>, MigrateError>;

    /// Checks the tables and returns what an operator should know of them. Changes nothing.
    ///
    /// # Errors
    /// Those of [`status`](Self::status).
    fn inspect(&self) -> Result<Vec<Finding>, MigrateError>;

    /// Applies what is pending, logs what it found and adopted, and returns both. Safe to be called
    /// by several processes at once.
    ///
    /// # Errors
    /// [`MigrateError`]; nothing was applied by this call then.
    fn apply(&self) -> Result<MigrationReport, MigrateError>;

    /// Reverts the last migration and applies it again, and names what it applied. For those who
    /// write one: reverting drops what the migration added.
    ///
    /// # Errors
    /// [`MigrateError`]; nothing changed then.
    fn redo(&self) -> Result<Vec<String>, MigrateError>;

    /// [Applies](Self::apply) what is pending, and names it.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply).
    fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        self.apply().map(|done| done.names)
    }

    /// The names of those not applied yet, oldest first. Changes nothing.
    ///
    /// # Errors
    /// Those of [`status`](Self::status).
    fn pending(&self) -> Result<Vec<String>, MigrateError> {
        let pending = self.status()?.into_iter().filter(|migration| !migration.applied);
        Ok(pending.map(|migration| migration.name).collect())
    }
}

/// A migration that is built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its UTC stamp and its slug.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// What a change of the schema did, to be told once it is committed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// The names of the migrations that were applied, oldest first.
    pub names: Vec<String>,
    /// What was taken over, where the tables of the FastAPI application were there before.
    pub adoption: Option<Adoption>,
    /// What was found in the tables before anything was changed.
    pub findings: Vec<Finding>,
}

/// What the first migration found in the tables of the FastAPI application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// How many accounts.
    pub users: i64,
    /// How many refresh tokens, whatever their state.
    pub refresh_tokens: i64,
    /// The numbers of the accounts whose emails differ by case alone.
    pub case_conflicts: Vec<i64>,
}

impl MigrationReport {
    /// Logs what was found.
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

/// Holds what the database has against what is built in.
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

/// Applies what is pending, after `findings` were made. `adopting` if the FastAPI application's
/// tables may have existed before.
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
    // Somebody else may have been first since this was asked.
    status(known, &applied)?;
    // A schema that works already is not refused for what is new to this check.
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
    let adoption = (adopting && applied.is_empty()).then(|| survey(connection)).transpose();
    Ok(MigrationReport { names, adoption: adoption.map_err(|error| failed::<C>(error.into()))?, findings })
}

/// Reverts the last migration and applies it again.
pub(crate) fn redo<C, B>(connection: &mut C, known: &impl MigrationSource<B>) -> Result<MigrationReport, MigrateError>
where
    B: Backend,
    C: Engine<Backend = B> + MigrationHarness<B>,
{
    let applied = applied(connection)?;
    status(known, &applied)?;
    let last =
        sorted(known)?.into_iter().rfind(|m| applied.iter().any(|version| version == stamp(&m.name().to_string())));
    let last = last.ok_or_else(|| MigrateError::Failed("no migration was applied yet".to_owned()))?;
    connection.revert_migration(&*last).map_err(failed::<C>)?;
    connection.run_migration(&*last).map_err(failed::<C>)?;
    Ok(MigrationReport { names: vec![last.name().to_string()], ..MigrationReport::default() })
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

fn survey<C>(connection: &mut C) -> QueryResult<Adoption>
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

fn failed<C: Engine>(error: Box<dyn Error + Send + Sync>) -> MigrateError {
    let reason = error.to_string().replace('\n', " ");
    // Another process uses the tables, and may soon be done.
    if reason.contains("due to lock timeout") || C::has_waited_for_lock() {
        MigrateError::Busy(reason)
    } else {
        MigrateError::Failed(reason)
    }
}
