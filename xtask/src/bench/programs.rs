//! The programs of a run: the release binary as it is shipped, the limits, PostgreSQL's. Running
//! them is left to the workloads.

use crate::repository::{cargo, metadata, root, run};
use crate::{apt, database_server};
use anyhow::{Context, Result, ensure};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs that show the limits: the package, and the name of its example.
const LIMITS: [(&str, &str); 3] =
    [("portcullis-bcrypt", "raw_bcrypt"), ("portcullis-diesel", "sqlite_commits"), ("portcullis-http", "bare")];

pub(super) struct Programs {
    pub(super) portcullis: PathBuf,
    examples: PathBuf,
    /// Limits that were built in this run.
    built: RefCell<BTreeSet<String>>,
    /// The folder of `initdb`.
    pub(super) postgres: Option<PathBuf>,
}

impl Programs {
    /// Builds what is built here, and finds the rest.
    pub(super) fn prepare(binary: Option<&Path>) -> Result<Self> {
        let target = metadata()?.target_directory.join("release");
        if binary.is_none() {
            eprintln!("building the release binary");
            let mut build = cargo();
            // Alone, since examples and tests would switch on features that the shipped binary lacks.
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

    /// Builds the program that shows a limit and says where it is.
    pub(super) fn limit(&self, name: &str) -> Result<PathBuf> {
        let (package, _) =
            LIMITS.iter().find(|(_, known)| *known == name).with_context(|| format!("no limit {name}"))?;
        if !self.built.borrow().contains(name) {
            eprintln!("building the limit {name}");
            let mut build = cargo();
            build.args(["build", "--release", "--quiet", "--package", package, "--example", name]);
            run(&format!("the example {name} of {package}"), &mut build)?;
            self.built.borrow_mut().insert(name.to_owned());
        }
        Ok(self.examples.join(name))
    }
}

/// A file of SQL beside the limits of the database.
pub(super) fn script(name: &str) -> Result<PathBuf> {
    let file = root().join("crates/adapters/diesel/examples").join(name);
    ensure!(file.is_file(), "{} is missing", file.display());
    Ok(file)
}

/// SQLite's shell; installed where it is missing and can be.
pub(super) fn sqlite3() -> Result<Command> {
    if crate::repository::find("sqlite3").is_none() && apt::available() {
        apt::install("sqlite3")?;
    }
    Ok(Command::new(crate::repository::find("sqlite3").context("SQLite's shell is needed: install `sqlite3`")?))
}
