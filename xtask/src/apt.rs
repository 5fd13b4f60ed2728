//! Installs the distribution's packages where that is possible: as root, with apt. Saying how to
//! go on elsewhere is left to the caller.

use crate::repository::{find, run};
use anyhow::Result;
use std::process::Command;

/// Whether packages can be installed here.
pub(crate) fn available() -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    root && find("apt-get").is_some()
}

/// Installs a package; reads the package lists again only where they are too old for it.
pub(crate) fn install(package: &str) -> Result<()> {
    println!("installing {package}");
    if apt_get(&["install", "--yes", "--no-install-recommends", package]).is_ok() {
        return Ok(());
    }
    apt_get(&["update"])?;
    apt_get(&["install", "--yes", "--no-install-recommends", package])
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["--quiet=2", "--option=Dpkg::Use-Pty=0"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    run(&format!("apt-get {}", arguments.join(" ")), &mut command)
}
