//! `portcullis migrate`, and the schema check at the start of `serve`.

use super::console::{Cell, Table, ask, escape_for_terminal};
use super::without_keys;
use crate::settings::WithoutKeys;
use crate::wire::AppContext;
use anyhow::{Context, bail};
use clap::Args;
use portcullis_diesel::{Adoption, DatabaseUrl, MigrateError, MigrationReport, Migrations, Reversal};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Arguments of `portcullis migrate`.
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
    /// With --redo: skip the confirmation
    #[arg(long, requires = "redo")]
    yes: bool,
}

/// Runs `portcullis migrate` and prints the applied migrations.
pub(crate) fn migrate(args: &MigrateArgs) -> anyhow::Result<()> {
    let settings = without_keys()?;
    if args.status {
        super::require_database_file(&settings)?;
    }
    let AppContext { database, .. } = AppContext::open(&settings)?;
    let mut out = std::io::stdout();
    if args.status {
        list(&*database.migrations, args.json)?;
        return Ok(());
    }
    let done = if args.redo { redo(&*database.migrations, args.yes)? } else { database.migrations.apply()? };
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
    Ok(())
}

/// Reverts the last migration and applies it again, unless a service is running or the user declines.
fn redo(migrations: &dyn Migrations, yes: bool) -> anyhow::Result<MigrationReport> {
    if let Some(user) = migrations.other_user()? {
        bail!("{user} uses the database: stop the service first");
    }
    if !yes {
        let Reversal { migration, losses } = migrations.preview_redo()?;
        let losses: Vec<_> = losses.iter().map(ToString::to_string).collect();
        let lost = if losses.is_empty() { "no table and no column".to_owned() } else { losses.join(", ") };
        let prompt = format!(
            "This reverts migration {migration} and applies it again. It permanently deletes {}.\nType yes to \
             continue: ",
            escape_for_terminal(&lost)
        );
        if ask(&prompt, "no terminal to confirm the deletion: use --yes")? != "yes" {
            bail!("nothing was changed");
        }
    }
    Ok(MigrationReport { names: migrations.redo()?, ..MigrationReport::default() })
}

fn list(migrations: &dyn Migrations, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let mut listing = Table::new(&mut out, true, &["name", "applied"]);
        for migration in migrations.status()? {
            listing.row([Cell::Text(migration.name), Cell::Flag(migration.applied)])?;
        }
        return Ok(listing.end()?);
    }
    for migration in migrations.status()? {
        let state = if migration.applied { "applied" } else { "pending" };
        writeln!(out, "{state:8} {}", migration.name)?;
    }
    Ok(())
}

/// Prints the result of an adoption. Names accounts by id, because email addresses are personal data.
fn print(adoption: &Adoption, out: &mut impl Write) -> std::io::Result<()> {
    let Adoption { users, refresh_tokens, case_conflicts: differing } = adoption;
    writeln!(out, "Adopted the tables of the FastAPI application: {users} users, {refresh_tokens} refresh tokens.")?;
    if !differing.is_empty() {
        let numbers: Vec<_> = differing.iter().map(i64::to_string).collect();
        writeln!(
            out,
            "{} accounts have emails that differ by case alone. Each logs in with its exact spelling: user_ids {}",
            numbers.len(),
            numbers.join(",")
        )?;
    }
    Ok(())
}

/// The setting to name in errors about the database.
pub(super) const VARIABLE: &str = "DATABASE_URL";

/// Receives the final outcome of the migrations.
pub(crate) type Outcome = oneshot::Receiver<Result<(), MigrateError>>;

/// Maximum wait for PostgreSQL at the start before the server runs without it.
const STARTUP_WAIT: Duration = Duration::from_secs(2);
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
/// Number of attempts between two log messages while waiting for the database.
const LOG_EVERY: u32 = 30;

/// Brings the schema up to date, or fails on an old one if `AUTO_MIGRATE=false`. An unreachable PostgreSQL
/// server does not stop the start: a thread keeps trying, and the service is unavailable until it
/// succeeds. Returns the receiver of the outcome in that case, otherwise `None`.
pub(crate) async fn prepare(settings: &WithoutKeys, parts: &AppContext) -> anyhow::Result<Option<Outcome>> {
    let (auto_migrate, migrations) = (settings.database.auto_migrate, parts.database.migrations.clone());
    if matches!(settings.database.url, DatabaseUrl::Sqlite(_)) {
        ready(&*migrations, auto_migrate).context(VARIABLE)?;
        return Ok(None);
    }
    let (teller, mut outcome) = oneshot::channel();
    // The receiver is gone if the process is ending.
    let tell = move || teller.send(migrate_with_retry(&migrations, auto_migrate)).unwrap_or_default();
    std::thread::Builder::new()
        .name("migrations".to_owned())
        .spawn(tell)
        .context("cannot start the migration thread")?;
    match timeout(STARTUP_WAIT, &mut outcome).await {
        Ok(outcome) => outcome.context("the migration thread ended unexpectedly")?.map(|()| None).context(VARIABLE),
        Err(_) => Ok(Some(outcome)),
    }
}

/// Makes one attempt.
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

/// Retries until the schema is up to date or an error is permanent.
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
