//! Installs tools from other registries into `target/tools`, in pinned versions.

use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use xtask::repository::{find, run, tools};
use xtask::{install::apt, repository};

const PYTHON: [&str; 8] = [
    "schemathesis==4.32.5",
    "openapi-spec-validator==0.9.0",
    "pyotp==2.12.1",
    "oidc-provider-mock==0.3.4",
    "canaille[front,oidc,server,sqlite]==0.3.6",
    "fido2==2.2.1",
    "kubernetes-validate==1.37.0",
    "check-jsonschema==0.39.0",
];
const NODE: [&str; 5] = [
    "@redocly/cli@2.77.0",
    "playwright-core@1.65.1",
    "axe-core@4.14.1",
    "oidc-provider@9.13.3",
    "@simplewebauthn/server@14.0.3",
];

/// Returns the folder of the Python programs. Installs them if needed.
pub(super) fn python() -> Result<PathBuf> {
    let folder = tools()?.join("python");
    if !is_current(&folder, &PYTHON) {
        if Command::new("python3").args(["-c", "import venv, ensurepip"]).status().is_ok_and(|status| !status.success())
            && apt::available()
        {
            apt::install("python3-venv")?;
        }
        run("python3 -m venv", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        run("pip install", Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(PYTHON))?;
        mark_current(&folder, &PYTHON)?;
    }
    Ok(folder.join("bin"))
}

/// Returns the folder that contains `node_modules`. Installs the packages if needed.
pub(super) fn node() -> Result<PathBuf> {
    let folder = tools()?.join("node");
    if !is_current(&folder, &NODE) {
        fs::create_dir_all(&folder)?;
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(&folder).args(NODE);
        run("npm install", &mut install)?;
        mark_current(&folder, &NODE)?;
    }
    Ok(folder)
}

/// Returns the path of Chromium or Chrome. Installs Chromium if neither is found.
pub(super) fn chromium() -> Result<PathBuf> {
    let search = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(find);
    if search().is_none() && apt::available() {
        apt::install("chromium")?;
    }
    match search() {
        Some(chromium) => Ok(chromium),
        None => bail!("Chromium is needed: install your system's package `chromium`"),
    }
}

/// Finds a program. Installs its package of the distribution if it is missing, without starting a server.
pub(super) fn program(name: &str, package: &str) -> Result<()> {
    if find(name).is_none() && apt::available() {
        apt::install_without_start(package)?;
    }
    match find(name) {
        Some(_) => Ok(()),
        None => bail!("{name} is needed: install your system's package `{package}`"),
    }
}

/// Creates a key and a self-signed certificate for a host.
pub(super) fn certificate(host: &str, key: &Path, certificate: &Path) -> Result<()> {
    program("openssl", "openssl")?;
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
    openssl.args(["-subj", &format!("/CN={host}"), "-addext", &format!("subjectAltName=DNS:{host}"), "-keyout"]);
    run("openssl req", openssl.arg(key).arg("-out").arg(certificate).stderr(Stdio::null()))
}

/// Creates an empty folder for the output of one gate.
pub(super) fn scratch(name: &str) -> Result<PathBuf> {
    let folder = repository::metadata()?.target_directory.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Returns whether a folder was filled completely, with these packages.
fn is_current(folder: &Path, packages: &[&str]) -> bool {
    fs::read_to_string(folder.join("installed")).is_ok_and(|installed| installed == packages.join("\n"))
}

fn mark_current(folder: &Path, packages: &[&str]) -> Result<()> {
    Ok(fs::write(folder.join("installed"), packages.join("\n"))?)
}
