//! Finds the program of a Redis or Valkey server, or installs it. Running servers from it is left
//! to the tests.

use crate::{apt, repository};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The variable that tells the tests where the program is.
pub(crate) const VARIABLE: &str = "PORTCULLIS_TEST_REDIS";

/// While this file is there and says no, Debian's packages start no server of their own.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The program.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(program) = env::var_os(VARIABLE) {
        let program = PathBuf::from(program);
        return if program.is_file() { Ok(program) } else { bail!("{VARIABLE}: no such program") };
    }
    if let Some(program) = search() {
        return Ok(program);
    }
    if apt::available() {
        install()?;
    }
    match search() {
        Some(program) => Ok(program),
        None => bail!(
            "Redis is needed for the tests: install your system's package `redis-server` or `valkey-server`, or name its program in {VARIABLE}"
        ),
    }
}

fn search() -> Option<PathBuf> {
    let names = ["redis-server", "valkey-server"];
    let places = repository::path();
    let mut programs = places.iter().flat_map(|place| names.map(|name| place.join(name)));
    programs.find(|program| program.is_file())
}

fn install() -> Result<()> {
    let policy = Path::new(POLICY);
    if policy.exists() {
        return apt::install("redis-server");
    }
    fs::write(policy, "#!/bin/sh\nexit 101\n")?;
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let installed =
        fs::set_permissions(policy, executable).map_err(Into::into).and_then(|()| apt::install("redis-server"));
    fs::remove_file(policy)?;
    installed
}
