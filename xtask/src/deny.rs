//! Checks licenses, sources and bans of all dependencies with cargo-deny and `deny.toml`. Known
//! vulnerabilities are checked by the public workflow only, since they need the advisory database.

use anyhow::Result;
use std::process::Command;
use xtask::repository::{root, run, tool};

const VERSION: &str = "0.20.2";

pub(crate) fn check() -> Result<()> {
    let mut deny = Command::new(tool("cargo-deny", VERSION)?);
    deny.args(["--workspace", "--log-level", "error", "check", "bans", "licenses", "sources"]);
    run("cargo-deny", deny.current_dir(root()))
}
