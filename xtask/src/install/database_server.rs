//! Finds or installs the programs of a PostgreSQL server. The tests and the bench run servers from
//! them.

use super::apt;
use crate::repository;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Variable that passes the folder of the programs to the tests.
pub const VARIABLE: &str = "PORTCULLIS_TEST_PG_BIN";

const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// While this file exists, Debian's package does not create or start a server.
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/portcullis-xtask.conf";

/// Returns the folder with `initdb`, `pg_ctl` and `postgres`. Installs them if none is found.
pub fn programs() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(VARIABLE) {
        let folder = PathBuf::from(folder);
        return if complete(&folder) { Ok(folder) } else { bail!("{VARIABLE}: initdb, pg_ctl or postgres is missing") };
    }
    if let Some(folder) = search() {
        return Ok(folder);
    }
    if apt::available() {
        install()?;
    }
    match search() {
        Some(folder) => Ok(folder),
        None => bail!(
            "PostgreSQL is needed for the tests: install your system's package `postgresql`, or set {VARIABLE} to the folder of its initdb"
        ),
    }
}

fn search() -> Option<PathBuf> {
    repository::path().into_iter().find(|folder| complete(folder)).or_else(|| newest(&packaged())).or_else(configured)
}

fn complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).is_file())
}

/// Returns the folders of Debian's and PGDG's packages, one per version. They are not on the `PATH`.
fn packaged() -> Vec<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let pgdg = fs::read_dir("/usr").into_iter().flatten().flatten().map(|entry| entry.path());
    let pgdg = pgdg.filter(|path| path.to_string_lossy().starts_with("/usr/pgsql-"));
    debian.chain(pgdg).map(|version| version.join("bin")).filter(|folder| complete(folder)).collect()
}

fn newest(folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().max_by_key(|folder| version(folder)).cloned()
}

/// Parses the version: 15 for `…/15/bin` and for `…/pgsql-15/bin`.
fn version(folder: &Path) -> Option<u32> {
    let name = folder.parent()?.file_name()?.to_str()?;
    name.rsplit('-').next()?.parse().ok()
}

fn configured() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    complete(&folder).then_some(folder)
}

fn install() -> Result<()> {
    let no_cluster = Path::new(NO_CLUSTER);
    if let Some(folder) = no_cluster.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(no_cluster, "create_main_cluster = false\n")?;
    let installed = apt::install("postgresql");
    fs::remove_file(no_cluster)?;
    installed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_taken_by_its_number() {
        let folders: Vec<PathBuf> =
            ["/usr/lib/postgresql/9/bin", "/usr/lib/postgresql/17/bin", "/usr/pgsql-16/bin"].map(PathBuf::from).into();
        assert_eq!(newest(&folders), Some(folders[1].clone()));
        assert_eq!(newest(&[]), None);
    }

    #[test]
    fn a_folder_without_a_server_is_passed_over() {
        assert!(!complete(Path::new(env!("CARGO_MANIFEST_DIR"))));
    }
}
