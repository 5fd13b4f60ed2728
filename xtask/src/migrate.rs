//! `cargo xtask migrate`: creates the files of a migration for both databases, and runs migrations
//! through the service.

use anyhow::{Context, Result, bail, ensure};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::{fs, io};
use xtask::repository::{output, portcullis, root};

const DATABASES: [&str; 2] = ["sqlite", "postgres"];

#[derive(clap::Subcommand)]
pub(crate) enum Migrate {
    /// Create the files of a migration for both databases
    New {
        /// Name in snake case, such as `sessions_last_used`
        slug: String,
    },
    /// Run the migrations that the configured database lacks
    Up,
    /// Undo the last migration and run it again
    Redo,
    /// List all migrations and whether the database has them
    Status,
}

impl Migrate {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::New { slug } => {
                let stamp = output("date", Command::new("date").args(["-u", "+%Y%m%d%H%M%S"]))?;
                new(&root().join("migrations"), stamp.trim(), &slug)
            }
            Self::Up => portcullis_migrate(&[]),
            Self::Redo if is_fresh(&root()) => {
                bail!(
                    "the database {DEFAULT_FILE} does not exist yet: run `cargo xtask migrate up` or `cargo xtask serve`"
                )
            }
            Self::Redo => portcullis_migrate(&["--redo", "--yes"]),
            Self::Status if is_fresh(&root()) => list_as_pending(&root().join("migrations/sqlite")),
            Self::Status => portcullis_migrate(&["--status"]),
        }
    }
}

/// Database of a checkout that configures no other.
const DEFAULT_FILE: &str = "app.db";

/// Returns whether a checkout uses the default database and its file does not exist yet. Avoids a build
/// of the service for commands that need no database.
fn is_fresh(root: &Path) -> bool {
    let named = |text: String| text.to_ascii_uppercase().contains("DATABASE_URL");
    let files = [".env", "portcullis.toml"].map(|name| fs::read_to_string(root.join(name)).unwrap_or_default());
    let environment = std::env::vars_os().any(|(name, _)| named(name.to_string_lossy().into_owned()));
    !environment && !files.into_iter().any(named) && !root.join(DEFAULT_FILE).exists()
}

fn list_as_pending(folder: &Path) -> Result<()> {
    for name in names(folder)? {
        println!("pending  {name}");
    }
    println!(
        "The database {DEFAULT_FILE} does not exist yet. `cargo xtask migrate up` or `cargo xtask serve` creates it."
    );
    Ok(())
}

fn portcullis_migrate(arguments: &[&str]) -> Result<()> {
    let binary = portcullis(false)?;
    let error = Command::new(binary).arg("migrate").args(arguments).current_dir(root()).exec();
    Err(error).context("portcullis: cannot be started")
}

fn new(migrations: &Path, stamp: &str, slug: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    ensure!(!slug.is_empty() && slug.bytes().all(plain), "invalid slug {slug:?}: expected a to z, 0 to 9 and _");
    let name = format!("{stamp}_{slug}");
    for database in DATABASES {
        let folder = migrations.join(database);
        let last = last(&folder)?;
        ensure!(
            last.as_str() < name.as_str(),
            "{last} is newer than {name}: migrations run in the order of their names"
        );
        let folder = folder.join(&name);
        fs::create_dir(&folder).with_context(|| format!("{}: cannot be created", folder.display()))?;
        fs::write(folder.join("up.sql"), "-- Why, and why the previous release still works with it:\n")?;
        fs::write(folder.join("down.sql"), "-- Reverts up.sql. Data that is lost:\n")?;
        println!("migrations/{database}/{name}/{{up,down}}.sql");
    }
    Ok(())
}

/// Returns the last name, or an empty string if there is none.
fn last(folder: &Path) -> Result<String> {
    Ok(names(folder)?.pop().unwrap_or_default())
}

/// Lists the migrations in a folder, oldest first.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_is_fresh_until_it_has_or_names_a_database() {
        let folder = std::env::temp_dir().join(format!("xtask-fresh-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // If the tests run with `DATABASE_URL` set, no checkout is fresh.
        let named = std::env::var_os("DATABASE_URL").is_some();
        assert_eq!(is_fresh(&folder), !named);
        fs::write(folder.join(".env"), "SECRET_KEY=x\n").unwrap();
        assert_eq!(is_fresh(&folder), !named);
        for (file, text) in [(".env", "DATABASE_URL=postgres://db/app\n"), ("portcullis.toml", "database_url = 'x'\n")]
        {
            fs::write(folder.join(file), text).unwrap();
            assert!(!is_fresh(&folder), "{file}");
            fs::remove_file(folder.join(file)).unwrap();
        }
        fs::write(folder.join(DEFAULT_FILE), "").unwrap();
        assert!(!is_fresh(&folder));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_migration_is_made_for_both_databases_and_after_all_others() {
        let folder = std::env::temp_dir().join(format!("xtask-migrations-{}", std::process::id()));
        for database in DATABASES {
            fs::create_dir_all(folder.join(database)).unwrap();
        }
        new(&folder, "20261122120000", "users").unwrap();
        for database in DATABASES {
            for file in ["up.sql", "down.sql"] {
                assert!(folder.join(database).join("20261122120000_users").join(file).is_file());
            }
        }
        assert!(new(&folder, "20261122120000", "users").is_err(), "twice");
        assert!(new(&folder, "20251122120000", "sessions").is_err(), "before the last");
        assert!(new(&folder, "20271122120000", "Sessions/x").is_err(), "not a slug");
        fs::remove_dir_all(folder).unwrap();
    }
}
