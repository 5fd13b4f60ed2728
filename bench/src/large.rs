//! Large database: one million users and five million refresh tokens, 250,000 of them expired. Built
//! once with SQL and copied for each use. Its name contains a hash of the migrations and that SQL.

use super::postgres::Postgres;
use super::run::Run;
use super::target::{Storage, Target};
use anyhow::{Context, Result};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use xtask::repository::{root, run};

const USERS: u32 = 1_000_000;
const DATABASE: &str = "large";
const EXPIRED: &str = "2026-01-01 00:00:00.000000";
/// Far in the future, so that a kept database does not age.
const LIVE: &str = "2126-01-01 00:00:00.000000";

/// A copy of the large database, and Portcullis on it.
pub(super) struct Large {
    pub(super) place: Target,
}

impl Large {
    /// Builds the database if needed, and copies it.
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
        // Otherwise the system writes the copy out during the first measurement, the idle one.
        run("sync", Command::new("sync").arg("-f").arg(&folder))?;
        kept.open(&folder)
    }

    /// Counts the expired tokens.
    pub(super) fn expired(&self) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM refresh_tokens WHERE expires_at <= '{EXPIRED}'");
        self.place.sql(&sql, &sql)?.trim().parse().context("expected a count")
    }
}

/// The kept database that is copied for each use.
struct Kept<'a> {
    bench: &'a Run,
    storage: Storage,
    users: u32,
}

impl Kept<'_> {
    /// Returns the folder of the kept database. Builds it if needed.
    fn template(&self) -> Result<PathBuf> {
        let Self { storage, users, .. } = self;
        let name = format!("large-{}-{users}-", storage.name().to_lowercase());
        let kept = self.bench.kept()?.join(format!("{name}{:016x}", self.made_by()?));
        if !kept.exists() {
            remove_others(&self.bench.kept()?, &name)?;
            eprintln!("       building the large {} database, kept for later runs: {users} users", storage.name());
            let unfinished = kept.with_extension("unfinished");
            fs::create_dir_all(&unfinished)?;
            self.build(&unfinished)?;
            fs::rename(&unfinished, &kept)?;
        }
        Ok(kept)
    }

    fn open(&self, folder: &Path) -> Result<Large> {
        let postgres = if self.storage == Storage::Postgres { Some(self.postgres(folder)?) } else { None };
        let shared = postgres.map(|postgres| (postgres, DATABASE));
        Ok(Large { place: Target::existing(self.bench.ours(), folder.to_owned(), shared) })
    }

    fn postgres(&self, folder: &Path) -> Result<Arc<Postgres>> {
        let programs = self.bench.programs.postgres.as_ref().context("PostgreSQL's programs were not found")?;
        Ok(Arc::new(Postgres::start(programs, folder, &self.bench.janitor)?))
    }

    fn build(&self, folder: &Path) -> Result<()> {
        let large = self.open(folder)?;
        large.place.create()?;
        large.place.command(&["migrate"])?;
        for sql in self.sql() {
            large.place.sql(&sql, &sql)?;
        }
        Ok(())
    }

    /// Returns the statements that fill the database, one per call, since VACUUM must run alone.
    fn sql(&self) -> Vec<String> {
        match self.storage {
            Storage::Sqlite => vec![sqlite_rows(self.users)],
            // The state after autovacuum. Otherwise the first reader of a row writes its page.
            Storage::Postgres => vec![postgres_rows(self.users), "VACUUM ANALYZE".to_owned()],
        }
    }

    /// Hashes the migrations and the SQL: another schema or other rows need another database.
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

/// Deletes databases of other migrations and unfinished ones, which would fill the disk.
fn remove_others(kept: &Path, name: &str) -> Result<()> {
    for entry in fs::read_dir(kept)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(name) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// One token in 20 has expired, four are live, the others are spent. Each user has five.
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
