//! Licences, sources and bans of what the workspace depends on, by cargo-deny and `deny.toml`.
//! Known vulnerabilities are left to the public workflow: they need the advisory database.

use crate::repository::{cargo, root, run, tools};
use anyhow::Result;
use std::process::Command;

const VERSION: &str = "0.20.2";

pub(crate) fn check() -> Result<()> {
    let folder = tools()?.join(format!("cargo-deny-{VERSION}"));
    let binary = folder.join("bin/cargo-deny");
    if !binary.is_file() {
        println!("installing cargo-deny {VERSION}");
        let mut install = cargo();
        // Without optimisation, it is built in a third of the time and fast enough.
        install.args(["install", "--quiet", "--locked", "--debug", "cargo-deny", "--version", VERSION, "--root"]);
        run("cargo install cargo-deny", install.arg(&folder).env_remove("CARGO_TARGET_DIR"))?;
    }
    let mut deny = Command::new(binary);
    deny.args(["--workspace", "--log-level", "error", "check", "bans", "licenses", "sources"]);
    run("cargo-deny", deny.current_dir(root()))
}
