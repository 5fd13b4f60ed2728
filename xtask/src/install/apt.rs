//! Installs packages of the distribution, if this runs as root on a system with apt. Callers report
//! what to install otherwise.

use crate::repository::{find, run};
use anyhow::Result;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// While this file exists and exits with 101, Debian's packages do not start their servers.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Returns whether packages can be installed: as root, with apt.
pub fn available() -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    root && find("apt-get").is_some()
}

/// Installs a package. Updates the package lists only if that fails.
pub fn install(package: &str) -> Result<()> {
    println!("installing {package}");
    if apt_get(&["install", "--yes", "--no-install-recommends", package]).is_ok() {
        return Ok(());
    }
    apt_get(&["update"])?;
    apt_get(&["install", "--yes", "--no-install-recommends", package])
}

/// Installs the package of a server without starting it.
pub fn install_without_start(package: &str) -> Result<()> {
    let policy = Path::new(POLICY);
    if policy.exists() {
        return install(package);
    }
    fs::write(policy, "#!/bin/sh\nexit 101\n")?;
    let executable = fs::Permissions::from_mode(0o755);
    let installed = fs::set_permissions(policy, executable).map_err(Into::into).and_then(|()| install(package));
    fs::remove_file(policy)?;
    installed
}

/// Reinstalls a package with files that dpkg is configured to skip, as container images do with
/// translations.
pub fn install_again_with(package: &str, files: &str) -> Result<()> {
    println!("installing {package} again, with {files}");
    let include = format!("--option=Dpkg::Options::=--path-include={files}");
    apt_get(&["update"])?;
    apt_get(&["install", "--reinstall", "--yes", "--no-install-recommends", &include, package])
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["--quiet=2", "--option=Dpkg::Use-Pty=0"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    run(&format!("apt-get {}", arguments.join(" ")), &mut command)
}
