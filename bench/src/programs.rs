//! Programs of a run: the release binary as shipped, the baselines and PostgreSQL.

use anyhow::{Context, Result, ensure};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::install::{apt, database_server};
use xtask::repository::{cargo, metadata, root, run};

/// Baseline programs: package and name of the example.
const LIMITS: [(&str, &str); 3] =
    [("portcullis-bcrypt", "raw_bcrypt"), ("portcullis-diesel", "sqlite_commits"), ("portcullis-http", "bare")];

pub(super) struct Programs {
    pub(super) portcullis: PathBuf,
    examples: PathBuf,
    /// Baselines that were built in this run.
    built: RefCell<BTreeSet<String>>,
    /// Folder of `initdb`, or `None` if PostgreSQL was not found.
    pub(super) postgres: Option<PathBuf>,
}

impl Programs {
    /// Builds the release binary unless one is given, and finds PostgreSQL.
    pub(super) fn prepare(binary: Option<&Path>) -> Result<Self> {
        let target = metadata()?.target_directory.join("release");
        if binary.is_none() {
            eprintln!("building the release binary");
            let mut build = cargo();
            // Built alone: examples and tests would enable features that the shipped binary lacks.
            build.args(["build", "--release", "--quiet", "--package", "portcullis-app", "--bin", "portcullis"]);
            run("cargo build", &mut build)?;
        }
        Ok(Self {
            portcullis: binary.map_or_else(|| target.join("portcullis"), Path::to_path_buf),
            examples: target.join("examples"),
            built: RefCell::default(),
            postgres: database_server::programs().map_err(|error| eprintln!("{error:#}")).ok(),
        })
    }

    /// Builds a baseline program and returns its path.
    pub(super) fn limit(&self, name: &str) -> Result<PathBuf> {
        let (package, _) =
            LIMITS.iter().find(|(_, known)| *known == name).with_context(|| format!("no baseline {name}"))?;
        if !self.built.borrow().contains(name) {
            eprintln!("building the baseline {name}");
            let mut build = cargo();
            build.args(["build", "--release", "--quiet", "--package", package, "--example", name]);
            run(&format!("the example {name} of {package}"), &mut build)?;
            self.built.borrow_mut().insert(name.to_owned());
        }
        Ok(self.examples.join(name))
    }
}

/// Returns the path of an SQL file of the database's baselines.
pub(super) fn script(name: &str) -> Result<PathBuf> {
    let file = root().join("crates/adapters/diesel/examples").join(name);
    ensure!(file.is_file(), "{} is missing", file.display());
    Ok(file)
}

/// Returns a command for SQLite's shell. Installs it if possible.
pub(super) fn sqlite3() -> Result<Command> {
    if xtask::repository::find("sqlite3").is_none() && apt::available() {
        apt::install("sqlite3")?;
    }
    Ok(Command::new(xtask::repository::find("sqlite3").context("SQLite's shell is needed: install `sqlite3`")?))
}
