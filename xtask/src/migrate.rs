//! `cargo xtask migrate`: makes the files of a migration, the same for both databases, and runs
//! migrations through the service, which knows its database. What stands in them is left to
//! their author.

use crate::repository::{output, portcullis, root};
use anyhow::{Context, Result, ensure};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

const DATABASES: [&str; 2] = ["sqlite", "postgres"];

#[derive(clap::Subcommand)]
pub(crate) enum Migrate {
    /// Make the folders and files of a migration for both databases
    New {
        /// What it does, in lower case: `sessions_last_used`
        slug: String,
    },
    /// Run those that the configured database does not have yet
    Up,
    /// Undo the last one and run it again
    Redo,
    /// List them and say which the database has
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
            Self::Redo => portcullis_migrate(&["--redo"]),
            Self::Status => portcullis_migrate(&["--status"]),
        }
    }
}

fn portcullis_migrate(arguments: &[&str]) -> Result<()> {
    let binary = portcullis(false)?;
    let error = Command::new(binary).arg("migrate").args(arguments).current_dir(root()).exec();
    Err(error).context("portcullis: cannot be started")
}

fn new(migrations: &Path, stamp: &str, slug: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    ensure!(!slug.is_empty() && slug.bytes().all(plain), "a slug is made of a to z, 0 to 9 and _, not {slug:?}");
    let name = format!("{stamp}_{slug}");
    for database in DATABASES {
        let folder = migrations.join(database);
        let last = last(&folder)?;
        ensure!(
            last.as_str() < name.as_str(),
            "{last} is younger than {name}: migrations run in the order of their names"
        );
        let folder = folder.join(&name);
        fs::create_dir(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        fs::write(folder.join("up.sql"), "-- Why, and that the previous release still runs on it:\n")?;
        fs::write(folder.join("down.sql"), "-- Undoes up.sql; what is lost by it:\n")?;
        println!("migrations/{database}/{name}/{{up,down}}.sql");
    }
    Ok(())
}

/// The name that comes last; nothing where there is none.
fn last(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().max().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_made_for_both_databases_and_after_all_others() {
        let folder = std::env::temp_dir().join(format!("xtask-migrations-{}", std::process::id()));
        DATABASES.iter().for_each(|database| fs::create_dir_all(folder.join(database)).unwrap());
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
