//! The subcommands, a file each.

mod config;
mod console;
mod doctor;
mod keys;
mod mail;
mod migrate;
mod openapi;
mod password;
mod progress;
mod purge;
mod serve;
mod session;
mod user;

pub(crate) use config::{ConfigAction, config};
pub(crate) use doctor::{DoctorArgs, doctor};
pub(crate) use keys::{KeysAction, keys};
pub(crate) use mail::{MailAction, mail};
pub(crate) use migrate::{MigrateArgs, migrate};
pub(crate) use openapi::openapi;
pub(crate) use purge::purge;
pub(crate) use serve::serve;
pub(crate) use session::{SessionAction, session};
pub(crate) use user::{UserAction, user};

use crate::settings::{Settings, Sources, WithoutKeys};
use crate::wire::{self, AppContext};
use anyhow::bail;
use portcullis_diesel::DatabaseUrl;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A command line that cannot be followed. The process ends with 2, as for an unknown option.
#[derive(Debug)]
pub(crate) struct UsageError(&'static str);

impl std::error::Error for UsageError {}

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// The environment, and the files `.env` and `portcullis.toml` of the current folder.
fn sources() -> anyhow::Result<Sources> {
    Ok(Sources::load(std::env::vars_os(), Path::new(""))?)
}

/// The settings, all of them right.
fn settings() -> anyhow::Result<Settings> {
    Ok(Settings::read(&sources()?)?)
}

/// The settings but for those that sign tokens, all of them right.
fn without_keys() -> anyhow::Result<WithoutKeys> {
    Ok(WithoutKeys::read(&sources()?)?)
}

/// What the settings name, with a database that is there and has this program's schema.
fn open_ready(settings: &WithoutKeys) -> anyhow::Result<AppContext> {
    require_database_file(settings)?;
    let parts = wire::open(settings)?;
    if let Some(pending) = parts.database.migrations.pending()?.first() {
        bail!("migration {pending} is pending: run `portcullis migrate`");
    }
    Ok(parts)
}

/// Opening an SQLite file would make one.
fn require_database_file(settings: &WithoutKeys) -> anyhow::Result<()> {
    match &settings.database.url {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            bail!("DATABASE_URL: there is no database file {} yet: run `portcullis migrate`", path.display())
        }
        _ => Ok(()),
    }
}

/// Whoever read the list may have seen enough of it.
fn ignore_broken_pipe(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

#[expect(clippy::disallowed_methods, reason = "there is nothing to wait for but time")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
