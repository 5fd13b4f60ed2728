//! Finds or installs a Redis or Valkey server. The tests run servers from it.

use super::apt;
use crate::repository;
use anyhow::{Result, bail};
use std::env;
use std::path::PathBuf;

/// Variable that passes the path of the program to the tests.
pub const VARIABLE: &str = "PORTCULLIS_TEST_REDIS";

/// Returns the path of the program. Installs it if none is found.
pub fn program() -> Result<PathBuf> {
    if let Some(program) = env::var_os(VARIABLE) {
        let program = PathBuf::from(program);
        return if program.is_file() { Ok(program) } else { bail!("{VARIABLE}: no such program") };
    }
    if let Some(program) = search() {
        return Ok(program);
    }
    if apt::available() {
        apt::install_without_start("redis-server")?;
    }
    match search() {
        Some(program) => Ok(program),
        None => bail!(
            "Redis is needed for the tests: install your system's package `redis-server` or `valkey-server`, or set {VARIABLE} to the path of its program"
        ),
    }
}

fn search() -> Option<PathBuf> {
    let names = ["redis-server", "valkey-server"];
    let places = repository::path();
    let mut programs = places.iter().flat_map(|place| names.map(|name| place.join(name)));
    programs.find(|program| program.is_file())
}
