//! The repository itself: its folder, its cargo, its binary. What a command does with them is
//! left to the command.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// The folder of the workspace. Cargo is asked when this runs, since two clones may share what
/// they build.
pub(crate) fn root() -> PathBuf {
    let built = || env!("CARGO_MANIFEST_DIR").into();
    let mut folder: PathBuf = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built).into();
    folder.pop();
    folder
}

/// The cargo that runs this, in the workspace.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Runs a command, and says what it was for when it fails.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{what}: cannot be started"))?;
    ensure!(status.success(), "{what}: {status}");
    Ok(())
}

/// What a command writes to its standard output.
pub(crate) fn output(what: &str, command: &mut Command) -> Result<String> {
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.with_context(|| format!("{what}: cannot be started"))?;
    ensure!(output.status.success(), "{what}: {}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{what}: wrote something that is not UTF-8"))
}

/// What `cargo metadata` says of the workspace.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// One crate of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as the manifest names it.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or nothing for a normal one.
    pub(crate) kind: Option<String>,
    pub(crate) optional: bool,
}

/// Asks cargo about the workspace; needs no network.
pub(crate) fn metadata() -> Result<Metadata> {
    let json = output("cargo metadata", cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&json).context("cargo metadata: not the expected form")
}

/// The folder for tools that are installed for this repository alone.
pub(crate) fn tools() -> Result<PathBuf> {
    Ok(metadata()?.target_directory.join("tools"))
}

/// A tool of the registry in that version, installed for this repository where it is missing.
pub(crate) fn tool(name: &str, version: &str) -> Result<PathBuf> {
    let folder = tools()?.join(format!("{name}-{version}"));
    let binary = folder.join("bin").join(name);
    if !binary.is_file() {
        println!("installing {name} {version}");
        let mut install = cargo();
        // Without optimisation, it is built in a third of the time and fast enough.
        install.args(["install", "--quiet", "--locked", "--debug", name, "--version", version, "--root"]);
        run("cargo install", install.arg(&folder).env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(binary)
}

/// Builds `portcullis` and says where it is. With the features of the whole workspace, so that
/// the tests find its dependencies built.
pub(crate) fn portcullis(release: bool) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--workspace", "--bin", "portcullis"]);
    if release {
        build.arg("--release");
    }
    run("cargo build", &mut build)?;
    let profile = if release { "release" } else { "debug" };
    Ok(metadata()?.target_directory.join(profile).join("portcullis"))
}

/// The folders that `PATH` names.
pub(crate) fn path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// A program on the `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    path().into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}
