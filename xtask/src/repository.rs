//! The folder, cargo, tools and binary of the repository, used by all commands.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

/// Returns the workspace folder. Reads at run time the variable that cargo sets, since two clones may
/// share a target folder.
pub fn root() -> PathBuf {
    let built = || env!("CARGO_MANIFEST_DIR").into();
    let mut folder: PathBuf = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built).into();
    folder.pop();
    folder
}

/// Returns a command for the cargo that runs this, in the workspace.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Version of the system's OpenSSL if debug builds link it: pkg-config finds version 3.0 or newer, and
/// `OPENSSL_NO_VENDOR` does not decide.
static SYSTEM_OPENSSL: LazyLock<Option<String>> = LazyLock::new(|| {
    if env::var_os("OPENSSL_NO_VENDOR").is_some() {
        return None;
    }
    let found = Command::new("pkg-config").args(["--modversion", "openssl >= 3.0"]).output().ok()?;
    let version = String::from_utf8(found.stdout).ok().filter(|_| found.status.success())?.trim().to_owned();
    eprintln!("linking the system's OpenSSL {version}; OPENSSL_NO_VENDOR=0 builds the bundled one");
    Some(version)
});

/// Returns cargo for a debug build of the service. Links the system's OpenSSL if possible, which saves
/// minutes of compiling C. Release builds always link the bundled one.
pub fn cargo_debug() -> Command {
    let mut cargo = cargo();
    if SYSTEM_OPENSSL.is_some() {
        cargo.env("OPENSSL_NO_VENDOR", "1");
    }
    cargo
}

/// Runs a command. Returns an error that names `what` if it fails.
pub fn run(what: &str, command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{what}: cannot be started"))?;
    ensure!(status.success(), "{what}: {status}");
    Ok(())
}

/// Runs a command and returns its standard output.
pub fn output(what: &str, command: &mut Command) -> Result<String> {
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.with_context(|| format!("{what}: cannot be started"))?;
    ensure!(output.status.success(), "{what}: {}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{what}: the output is not UTF-8"))
}

/// The used part of the output of `cargo metadata`.
#[derive(Deserialize)]
pub struct Metadata {
    pub packages: Vec<Package>,
    pub target_directory: PathBuf,
}

/// A crate of the workspace.
#[derive(Deserialize)]
pub struct Package {
    pub name: String,
    pub manifest_path: PathBuf,
    pub dependencies: Vec<Dependency>,
}

/// A dependency, as named in the manifest.
#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `dev`, `build`, or `None` for a normal dependency.
    pub kind: Option<String>,
    pub optional: bool,
}

/// Runs `cargo metadata`. Needs no network.
pub fn metadata() -> Result<Metadata> {
    let json = output("cargo metadata", cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&json).context("cargo metadata: unexpected output")
}

/// Returns the folder for tools installed for this repository only.
pub fn tools() -> Result<PathBuf> {
    Ok(metadata()?.target_directory.join("tools"))
}

/// Returns the path of a tool from crates.io in a fixed version. Installs it if it is missing.
pub fn tool(name: &str, version: &str) -> Result<PathBuf> {
    let folder = tools()?.join(format!("{name}-{version}"));
    let binary = folder.join("bin").join(name);
    if !binary.is_file() {
        println!("installing {name} {version}");
        let mut install = cargo();
        // An unoptimized build takes a third of the time, and the tools are fast enough.
        install.args(["install", "--quiet", "--locked", "--debug", name, "--version", version, "--root"]);
        run("cargo install", install.arg(&folder).env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(binary)
}

/// Builds `portcullis` and returns its path. Uses the features of the whole workspace, so that the
/// tests can reuse the dependencies.
pub fn portcullis(release: bool) -> Result<PathBuf> {
    let mut build = if release { cargo() } else { cargo_debug() };
    build.args(["build", "--workspace", "--bin", "portcullis"]);
    if release {
        build.arg("--release");
    }
    run("cargo build", &mut build)?;
    let profile = if release { "release" } else { "debug" };
    Ok(metadata()?.target_directory.join(profile).join("portcullis"))
}

/// Returns the folders in `PATH`.
pub fn path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// Returns the path of a program in `PATH`, or `None` if it is not found.
pub fn find(program: &str) -> Option<PathBuf> {
    path().into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Generates 32 random bytes from `/dev/urandom`, in hex.
pub fn secret() -> Result<String> {
    let mut bytes = [0_u8; 32];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).context("/dev/urandom")?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_secrets_differ() {
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}
