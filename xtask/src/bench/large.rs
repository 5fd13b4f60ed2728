//! A large database: a million users and five million refresh tokens, of which 250,000 have
//! expired. Built once with SQL, kept between runs under a name that changes with the migrations
//! and that SQL, and copied for each use.

use super::postgres::Postgres;
use super::programs::sqlite3;
use super::run::Run;
use super::target::{Storage, Target};
use crate::repository::{output, root, run};
use anyhow::{Context, Result};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const USERS: u32 = 1_000_000;
const DATABASE: &str = "large";
const EXPIRED: &str = "2026-01-01 00:00:00.000000";
/// Far enough that a kept database does not age.
const LIVE: &str = "2126-01-01 00:00:00.000000";

/// A copy of the large database, and Portcullis on it.
pub(super) struct Large {
    pub(super) place: Target,
    postgres: Option<Arc<Postgres>>,
}

impl Large {
    /// Builds it where there is none, and copies it.
    pub(super) fn copy(bench: &Run, storage: Storage) -> Result<Self> {
        let kept = Kept { bench, storage, users: if bench.options.smoke { USERS / 1000 } else { USERS } };
        let template = kept.template()?;
        let folder = bench.folder.join("large").join(storage.name());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.parent().unwrap_or(&folder))?;
        eprintln!("       copying the large {} database", storage.name());
        run("cp", Command::new("cp").args(["-a", "--reflink=auto"]).args([&template, &folder]))?;
        // Otherwise the system writes it out beside what is measured first, the idle part.
        run("sync", Command::new("sync").arg("-f").arg(&folder))?;
        kept.open(&folder)
    }

    /// How many tokens have expired.
    pub(super) fn expired(&self) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM refresh_tokens WHERE expires_at <= '{EXPIRED}'");
        let printed = match &self.postgres {
            Some(postgres) => postgres.psql(DATABASE, &sql)?,
            None => output("sqlite3", sqlite3()?.arg(self.place.folder.join("app.db")).arg(sql))?,
        };
        printed.trim().parse().context("a count")
    }
}

/// The kept one.
struct Kept<'a> {
    bench: &'a Run,
    storage: Storage,
    users: u32,
}

impl Kept<'_> {
    /// The folder of the kept database.
    fn template(&self) -> Result<PathBuf> {
        let Self { storage, users, .. } = self;
        let name = format!("large-{}-{users}-", storage.name().to_lowercase());
        let kept = self.bench.kept()?.join(format!("{name}{:016x}", self.made_by()?));
        if !kept.exists() {
            remove_others(&self.bench.kept()?, &name)?;
            eprintln!("       building a large {} database, once: {users} users", storage.name());
            let unfinished = kept.with_extension("unfinished");
            fs::create_dir_all(&unfinished)?;
            self.build(&unfinished)?;
            fs::rename(&unfinished, &kept)?;
        }
        Ok(kept)
    }

    fn open(&self, folder: &Path) -> Result<Large> {
        let postgres = match (self.storage, &self.bench.programs.postgres) {
            (Storage::Sqlite, _) => None,
            (Storage::Postgres, programs) => {
                let programs = programs.as_ref().context("PostgreSQL's programs are not there")?;
                Some(Arc::new(Postgres::start(programs, folder, &self.bench.janitor)?))
            }
        };
        let shared = postgres.clone().map(|postgres| (postgres, DATABASE));
        Ok(Large { place: Target::existing(self.bench.ours(), folder.to_owned(), shared), postgres })
    }

    fn build(&self, folder: &Path) -> Result<()> {
        let large = self.open(folder)?;
        if let Some(postgres) = &large.postgres {
            postgres.create(DATABASE)?;
        }
        large.place.command(&["migrate"])?;
        for sql in self.sql() {
            match &large.postgres {
                Some(postgres) => postgres.psql(DATABASE, &sql)?,
                None => output("sqlite3", sqlite3()?.arg(folder.join("app.db")).arg(sql))?,
            };
        }
        Ok(())
    }

    /// What fills it, one after another: a VACUUM bears no company.
    fn sql(&self) -> Vec<String> {
        match self.storage {
            Storage::Sqlite => vec![sqlite_rows(self.users)],
            // As autovacuum leaves it: otherwise whoever reads a row first writes its page.
            Storage::Postgres => vec![postgres_rows(self.users), "VACUUM ANALYZE".to_owned()],
        }
    }

    /// What it is made by, in a number: another schema, or other rows, want another database.
    fn made_by(&self) -> Result<u64> {
        let sqlite = self.storage == Storage::Sqlite;
        let folder = root().join("migrations").join(if sqlite { "sqlite" } else { "postgres" });
        let mut files = Vec::new();
        for migration in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
            files.push(migration?.path().join("up.sql"));
        }
        files.sort();
        let mut hasher = DefaultHasher::new();
        for file in files {
            hasher.write(&fs::read(&file).with_context(|| format!("{}", file.display()))?);
        }
        self.sql().iter().for_each(|sql| hasher.write(sql.as_bytes()));
        Ok(hasher.finish())
    }
}

/// Those of other migrations, and one that was never finished, would fill the disk.
fn remove_others(kept: &Path, name: &str) -> Result<()> {
    for entry in fs::read_dir(kept)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(name) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Of twenty tokens one has expired, four are live, the others are spent; five to a user.
const COLUMNS: &str = "refresh_tokens (jti, user_id, expires_at, revoked, created_at)";

fn sqlite_rows(users: u32) -> String {
    format!(
        "PRAGMA synchronous=OFF; PRAGMA cache_size=-1000000; PRAGMA foreign_keys=OFF; BEGIN;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users})
        INSERT INTO users (id, email, hashed_password, is_active, created_at)
        SELECT i, 'member' || i || '@example.com', '$2b$12$' || hex(randomblob(26)) || '.', 1, '{EXPIRED}' FROM n;
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {users} * 5)
        INSERT INTO {COLUMNS}
        SELECT lower(hex(randomblob(16))), 1 + i % {users}, CASE (i + i / {users}) % 20 WHEN 0 THEN '{EXPIRED}' ELSE '{LIVE}' END,
            (i + i / {users}) % 20 > 4, '{EXPIRED}' FROM n;
        COMMIT; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE);"
    )
}

fn postgres_rows(users: u32) -> String {
    format!(
        "SET synchronous_commit = off; SET session_replication_role = replica; SET maintenance_work_mem = '512MB';
        INSERT INTO users (email, hashed_password, is_active, created_at)
        SELECT 'member' || i || '@example.com', '$2b$12$' || md5(random()::text) || substr(md5(random()::text), 1, 21), true, '{EXPIRED}'
        FROM generate_series(1, {users}) AS i;
        INSERT INTO {COLUMNS}
        SELECT replace(gen_random_uuid()::text, '-', ''), 1 + i % {users}, (CASE (i + i / {users}) % 20 WHEN 0 THEN '{EXPIRED}' ELSE '{LIVE}' END)::timestamptz,
            (i + i / {users}) % 20 > 4, '{EXPIRED}' FROM generate_series(0, {users} * 5 - 1) AS i"
    )
}
