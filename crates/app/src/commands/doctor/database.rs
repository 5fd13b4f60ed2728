//! Checks the database: connection, durability, free space, schema, encrypted secrets and passkeys.

use super::super::require_database_file;
use super::{Finding, Level, clocks, encryption, passkeys};
use crate::mounts;
use crate::settings::Settings;
use crate::wire;
use portcullis_diesel::{Database, DatabaseInfo, DatabaseUrl, MigrateError, Severity};
use portcullis_ports::Clock;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CHECK: &str = "database";
const ENGLISH: &str = "as a superuser run ALTER ROLE … SET lc_messages = 'C', or from PostgreSQL 15 on \
    GRANT SET ON PARAMETER lc_messages TO …, with the role of DATABASE_URL";
/// Free disk space of an SQLite file below which to warn, and below which to report an error.
const LOW_DISK_BYTES: u64 = 1 << 30;
const MIN_DISK_BYTES: u64 = 16 << 20;

/// Runs all checks of the database.
pub(super) fn examine(settings: &Settings, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    if let Err(error) = require_database_file(settings) {
        return vec![Finding::error(CHECK, format!("{error:#}"), "`serve` creates it too, if AUTO_MIGRATE is true")];
    }
    let database = match wire::open_database(settings, clock) {
        Ok(database) => database,
        Err(error) => {
            return vec![Finding::error(CHECK, format!("{error:#}"), "check DATABASE_URL and the database file")];
        }
    };
    let start = clock.monotonic();
    let examination = match database.examine() {
        Ok(examination) => examination,
        Err(error @ MigrateError::Url(_)) => {
            return vec![Finding::error(CHECK, error.to_string(), "change DATABASE_URL: waiting does not help")];
        }
        Err(error) => {
            let advice = "start the database, and check the host, port, user and password in DATABASE_URL";
            return vec![Finding::error(CHECK, error.to_string(), advice)];
        }
    };
    let took = clock.monotonic().saturating_sub(start);
    let mut findings = match examination {
        DatabaseInfo::Postgres { now, .. } => {
            let mut findings = server(settings, &examination, took);
            findings.push(clocks("the database's clock", clock.now(), now));
            findings
        }
        _ => file(settings, &examination, took),
    };
    let schema = schema(settings, &database);
    let is_current = schema.level == Level::Ok;
    findings.push(schema);
    findings.extend(tables(&database));
    if is_current {
        findings.extend(encryption::examine(settings, &database, clock));
        findings.extend(passkeys::examine(settings, &database));
    }
    findings
}

/// Lists problems in the tables. Errors of this check are ignored: the schema check reports them.
fn tables(database: &Database) -> Vec<Finding> {
    let found = database.migrations.inspect().unwrap_or_default();
    let finding = |found: portcullis_diesel::Finding| match found.severity {
        Severity::Blocks => Finding::error("tables", found.what, found.advice),
        Severity::Limits => Finding::warning("tables", found.what, found.advice),
    };
    found.into_iter().map(finding).collect()
}

fn server(settings: &Settings, examination: &DatabaseInfo, took: Duration) -> Vec<Finding> {
    let DatabaseInfo::Postgres {
        version,
        synchronous_commit,
        fsync,
        writable,
        connections,
        max_connections,
        foreign,
        ..
    } = examination
    else {
        return Vec::new();
    };
    let millis = took.as_millis();
    let mut findings =
        vec![Finding::ok(CHECK, format!("PostgreSQL {version} responded in {millis} ms, including the connection"))];
    if !writable {
        let advice = "name the primary in DATABASE_URL, or promote this server";
        findings.push(Finding::error(CHECK, "the server is a standby or read-only", advice));
    }
    if !fsync {
        let advice = "set fsync = on: a crash can destroy the database";
        findings.push(Finding::error(CHECK, "fsync is off", advice));
    }
    if synchronous_commit == "off" {
        let advice = "set synchronous_commit = on: a crash can make spent and revoked tokens valid again";
        findings.push(Finding::warning(CHECK, "synchronous_commit is off", advice));
    }
    if *foreign {
        let what = "the server's messages are not in English: a full disk causes 500 responses instead of 503";
        findings.push(Finding::warning(CHECK, what, ENGLISH));
    }
    // Twice the setting: stuck connections are replaced.
    let wanted = i64::from(settings.database.connections.get()).saturating_mul(2);
    if max_connections.saturating_sub(*connections) < wanted {
        let what =
            format!("{connections} of {max_connections} connections are in use, and each replica opens up to {wanted}");
        findings.push(Finding::warning(CHECK, what, "raise max_connections, or lower DATABASE_CONNECTIONS"));
    }
    findings
}

fn file(settings: &Settings, examination: &DatabaseInfo, took: Duration) -> Vec<Finding> {
    let (DatabaseInfo::Sqlite { version, journal_mode, synchronous }, DatabaseUrl::Sqlite(path)) =
        (examination, &settings.database.url)
    else {
        return Vec::new();
    };
    let millis = took.as_millis();
    let what =
        format!("SQLite {version} responded in {millis} ms (journal_mode {journal_mode}, synchronous {synchronous})");
    let mut findings = vec![Finding::ok(CHECK, what)];
    if journal_mode != "wal" {
        let advice = "put the file on a local disk: without the write-ahead log, readers wait for writers";
        findings.push(Finding::warning(CHECK, "the file system does not support the write-ahead log", advice));
    }
    findings.extend(mounted(path));
    findings.extend(permissions(path));
    findings.extend(disk_space(path));
    findings
}

fn mounted(path: &Path) -> Option<Finding> {
    let what = format!("the database file {} {}", path.display(), mounts::LOST_LOG);
    mounts::is_mounted_alone(path).then(|| Finding::warning(CHECK, what, mounts::MOUNT_THE_FOLDER))
}

fn permissions(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let what = format!("every user of this machine can read or write {}", path.display());
    (mode & 0o006 != 0).then(|| Finding::warning(CHECK, what, "chmod 600 the file: it contains password hashes"))
}

fn disk_space(path: &Path) -> Option<Finding> {
    let told = rustix::fs::statvfs(path).ok()?;
    let free = told.f_bavail.saturating_mul(told.f_frsize);
    let what = format!("{} MiB are free on the disk of {}", free >> 20, path.display());
    match free {
        ..MIN_DISK_BYTES => Some(Finding::error(CHECK, what, "free disk space: writes are about to fail")),
        MIN_DISK_BYTES..LOW_DISK_BYTES => Some(Finding::warning(CHECK, what, "free disk space before writes fail")),
        _ => None,
    }
}

fn schema(settings: &Settings, database: &Database) -> Finding {
    const CHECK: &str = "schema";
    match database.migrations.status() {
        Ok(status) => match status.iter().find(|migration| !migration.applied) {
            None => Finding::ok(CHECK, format!("all {} migrations are applied", status.len())),
            Some(first) => {
                let what = format!("migration {} is pending", first.name);
                if settings.database.auto_migrate {
                    Finding::warning(CHECK, what, "run `portcullis migrate`, or start `serve`, which applies it")
                } else {
                    Finding::error(CHECK, what, "run `portcullis migrate`: AUTO_MIGRATE is false")
                }
            }
        },
        Err(error @ MigrateError::SchemaTooNew(_)) => {
            Finding::error(CHECK, error.to_string(), "install the version that created it, or a later one")
        }
        Err(error) => Finding::error(CHECK, error.to_string(), "fix the database first"),
    }
}
