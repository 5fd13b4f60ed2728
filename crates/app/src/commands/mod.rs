//! The subcommands, a file each.

mod config;
mod keys;
mod migrate;
mod openapi;
mod purge;
mod serve;

pub(crate) use config::{ConfigAction, config};
pub(crate) use keys::{KeysAction, keys};
pub(crate) use migrate::{MigrateArgs, migrate};
pub(crate) use openapi::openapi;
pub(crate) use purge::purge;
pub(crate) use serve::serve;

use crate::settings::{Settings, Sources};
use std::path::Path;

/// The environment, and the files `.env` and `portcullis.toml` of the current folder.
fn sources() -> anyhow::Result<Sources> {
    Ok(Sources::load(std::env::vars_os(), Path::new(""))?)
}

/// The settings, all of them right.
fn settings() -> anyhow::Result<Settings> {
    Ok(Settings::read(&sources()?)?)
}
