//! The subcommands, one file each, and the helpers that they share.

mod account;
mod config;
mod console;
mod doctor;
mod health;
mod keys;
mod mail;
pub(crate) mod migrate;
mod openapi;
mod password;
mod progress;
mod purge;
mod serve;
mod session;
mod user;

pub(crate) use config::{ConfigAction, config};
pub(crate) use doctor::{DoctorArgs, doctor};
pub(crate) use health::{HealthArgs, health};
pub(crate) use keys::{KeysAction, keys};
pub(crate) use mail::{MailAction, mail};
pub(crate) use migrate::{MigrateArgs, migrate};
pub(crate) use openapi::openapi;
pub(crate) use purge::{PurgeThread, purge};
pub(crate) use serve::{drain_mail, serve};
pub(crate) use session::{SessionAction, session};
pub(crate) use user::{UserAction, user};

use crate::settings::{Settings, Sources, WithoutKeys};
use crate::wire::AppContext;
use anyhow::bail;
use portcullis_diesel::DatabaseUrl;
use std::path::Path;
use std::time::Duration;

/// Invalid command line. The exit code is 2, as for an unknown option.
#[derive(Debug)]
pub(crate) struct UsageError(&'static str);

impl std::error::Error for UsageError {}

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// Loads the environment, `.env` and `portcullis.toml` of the current folder.
fn sources() -> anyhow::Result<Sources> {
    Ok(Sources::load(std::env::vars_os(), Path::new(""))?)
}

/// Reads and validates all settings.
fn settings() -> anyhow::Result<Settings> {
    Ok(Settings::read(&sources()?)?)
}

/// Reads and validates all settings except the signing keys.
fn without_keys() -> anyhow::Result<WithoutKeys> {
    Ok(WithoutKeys::read(&sources()?)?)
}

/// Opens an existing database. Fails if migrations are pending.
fn open_ready(settings: &WithoutKeys) -> anyhow::Result<AppContext> {
    require_database_file(settings)?;
    let parts = AppContext::open(settings)?;
    if let Some(pending) = parts.database.migrations.pending()?.first() {
        bail!("migration {pending} is pending: run `portcullis migrate`");
    }
    Ok(parts)
}

/// Fails if the SQLite file does not exist: opening it would create it.
fn require_database_file(settings: &WithoutKeys) -> anyhow::Result<()> {
    match &settings.database.url {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            bail!("DATABASE_URL: the database file {} does not exist: run `portcullis migrate`", path.display())
        }
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "there is nothing to wait for but time")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
