//! `portcullis migrate`, and what `serve` does about the schema before it serves.

use super::console::{Cell, Table, escape_for_terminal};
use super::without_keys;
use crate::settings::WithoutKeys;
use crate::wire::{self, AppContext};
use anyhow::Context;
use clap::Args;
use portcullis_diesel::{Adoption, DatabaseUrl, MigrateError, MigrationReport, Migrations};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How the schema is changed.
#[derive(Args)]
pub(crate) struct MigrateArgs {
    /// List the migrations and whether they are applied; change nothing
    #[arg(long)]
    status: bool,
    /// With --status: print JSON Lines
    #[arg(long, requires = "status")]
    json: bool,
    /// Revert the last migration and apply it again; data that it added is lost
    #[arg(long, conflicts_with = "status")]
    redo: bool,
}

/// Migrates, and prints what was applied.
pub(crate) fn migrate(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let settings = without_keys()?;
    if args.status {
        super::require_database_file(&settings)?;
    }
    let AppContext { database, .. } = wire::open(&settings)?;
    let mut out = std::io::stdout();
    if args.status {
        list(&*database.migrations, args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let done = if args.redo {
        MigrationReport { names: database.migrations.redo()?, ..MigrationReport::default() }
    } else {
        database.migrations.apply()?
    };
    for finding in &done.findings {
        writeln!(out, "warning  {}", escape_for_terminal(&finding.to_string()))?;
    }
    for name in &done.names {
        writeln!(out, "applied  {name}")?;
    }
    if done.names.is_empty() {
        writeln!(out, "The schema is up to date.")?;
    }
    if let Some(adoption) = &done.adoption {
        print(adoption, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(migrations: &dyn Migrations, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut listing = Table::new(&mut out, json, &["name", "applied"]);
    for migration in migrations.status()? {
        if json {
            listing.row(&[Cell::Text(migration.name), Cell::Flag(migration.applied)])?;
        } else {
            let state = if migration.applied { "applied" } else { "pending" };
            writeln!(std::io::stdout(), "{state:8} {}", migration.name)?;
        }
    }
    listing.end()?;
    Ok(())
}

/// What the log of a start says, all of the accounts named. By number: addresses are personal data.
fn print(adoption: &Adoption, out: &mut impl Write) -> std::io::Result<()> {
    let Adoption { users, refresh_tokens, case_conflicts: differing } = adoption;
    writeln!(out, "Adopted the tables of the FastAPI application: {users} users, {refresh_tokens} refresh tokens.")?;
    if !differing.is_empty() {
        let numbers: Vec<_> = differing.iter().map(i64::to_string).collect();
        writeln!(
            out,
            "{} accounts whose emails differ by case alone, each logs in with its own exact spelling: user_ids {}",
            numbers.len(),
            numbers.join(",")
        )?;
    }
    Ok(())
}

/// The setting that a database which cannot be used is about.
pub(super) const VARIABLE: &str = "DATABASE_URL";

/// What tells how the tries end.
pub(super) type Outcome = oneshot::Receiver<Result<(), MigrateError>>;

/// How long a start waits for a PostgreSQL server before it serves without.
const STARTUP_WAIT: Duration = Duration::from_secs(2);
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
/// A wait for the database is told once in so many tries.
const LOG_EVERY: u32 = 30;

/// Brings the schema up to date, or refuses an old one (`AUTO_MIGRATE=false`). A PostgreSQL server
/// that cannot be reached does not stop the start: the tries go on beside the service, which is
/// unavailable until one succeeds. Gives what will tell how they end.
pub(super) async fn prepare(settings: &WithoutKeys, parts: &AppContext) -> anyhow::Result<Option<Outcome>> {
    let (auto_migrate, migrations) = (settings.database.auto_migrate, parts.database.migrations.clone());
    if matches!(settings.database.url, DatabaseUrl::Sqlite(_)) {
        ready(&*migrations, auto_migrate).context(VARIABLE)?;
        return Ok(None);
    }
    let (teller, mut outcome) = oneshot::channel();
    // Nobody listens any more where the process is about to end.
    let tell = move || teller.send(migrate_with_retry(&migrations, auto_migrate)).unwrap_or_default();
    std::thread::Builder::new().name("migrations".to_owned()).spawn(tell).context("no thread for migrations")?;
    match timeout(STARTUP_WAIT, &mut outcome).await {
        Ok(outcome) => outcome.context("the thread that migrates ended")?.map(|()| None).context(VARIABLE),
        Err(_) => Ok(Some(outcome)),
    }
}

/// One try.
fn ready(migrations: &dyn Migrations, auto_migrate: bool) -> Result<(), MigrateError> {
    if auto_migrate {
        for name in migrations.migrate()? {
            tracing::info!(target: "app", migration = name, "Migration applied");
        }
        return Ok(());
    }
    match migrations.pending()?.as_slice() {
        [] => Ok(()),
        [first, ..] => Err(MigrateError::Failed(format!(
            "migration {first} is pending and AUTO_MIGRATE is false: run `portcullis migrate`"
        ))),
    }
}

/// Tries until the schema is right, or is wrong in a way that no try can mend.
#[expect(clippy::disallowed_methods, reason = "the thread has nothing to wait for but time")]
fn migrate_with_retry(migrations: &Arc<dyn Migrations>, auto_migrate: bool) -> Result<(), MigrateError> {
    let mut tries = 0_u32;
    loop {
        match ready(&**migrations, auto_migrate) {
            Err(error) if error.is_temporary() => {
                if tries.is_multiple_of(LOG_EVERY) {
                    tracing::warn!(target: "app", %error, "Waiting for the database");
                }
            }
            outcome => {
                if tries > 0 && outcome.is_ok() {
                    tracing::info!(target: "app", "The database is ready");
                }
                return outcome;
            }
        }
        tries = tries.saturating_add(1);
        std::thread::sleep(BETWEEN_TRIES);
    }
}
