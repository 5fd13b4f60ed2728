//! `portcullis doctor`: its findings and its advice.

use super::cli_harness::{command, done};
use crate::harness::services::ExitedService;
use crate::prelude::*;
use portcullis_testkit::smtp::{Server, TlsMode};
use portcullis_testkit::{postgres, redis};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

on_both_databases!(a_service_that_can_work_is_well, a_pending_migration_is_found);

/// Runs the doctor with settings for production.
fn doctor(database: &Database) -> ServiceBuilder {
    let setup = command(database, "doctor --json").unset("DEBUG").unset("BCRYPT_COST").unset("RATE_LIMIT_ENABLED");
    setup.unset("HOST")
}

/// Returns a database with the current schema.
fn migrated() -> Database {
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    database
}

/// Returns the first finding with this severity: what it is and its advice. A warning alone is no failure.
#[track_caller]
pub(super) fn found(ended: &ExitedService, check: &str, status: &str) -> (String, String) {
    assert!(!ended.output.contains(&*SECRET) && !ended.output.contains("hunter2marker"), "{ended:?}");
    assert!(ended.errors.is_empty(), "{ended:?}");
    assert!(status != "error" || ended.status.code() == Some(1), "{ended:?}");
    let findings = ended.output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut fitting = findings.filter(|finding| finding["check"] == check && finding["status"] == status);
    let finding = fitting.next().unwrap_or_else(|| panic!("no {status} of {check}: {ended:?}"));
    let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    (text("what"), text("advice"))
}

/// Checks a finding's words.
#[track_caller]
fn expect(ended: &ExitedService, check: &str, status: &str, what: &str, advice: &str) {
    let finding = found(ended, check, status);
    assert!(finding.0.contains(what) && finding.1.contains(advice), "{finding:?}");
}

fn a_service_that_can_work_is_well(backend: Backend) {
    let database = backend.database();
    done(&database, "migrate");
    let ended = doctor(&database).set("REDIS_URL", &redis::Server::shared().url()).run();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    for check in ["settings", "database", "schema", "encryption", "redis", "keys", "clock", "cores", "tls"] {
        found(&ended, check, "ok");
    }
    let version = done(&database, "--version");
    let library = version.trim().split_once(" (").unwrap().1.trim_end_matches(')');
    assert!(library.starts_with("OpenSSL ") && found(&ended, "tls", "ok").0.ends_with(library), "{version}");
    assert!(!ended.output.contains("\"error\""), "{ended:?}");
    let people = command(&database, "doctor").run();
    assert!(people.status.success(), "{people:?}");
    let weak = "warning  settings: DEBUG is on: weak settings are allowed, and every SQL statement is logged — unset";
    for wanted in ["ok       database: ", weak] {
        assert!(people.output.lines().any(|line| line.starts_with(wanted)), "{people:?}");
    }
}

fn a_pending_migration_is_found(backend: Backend) {
    let database = backend.database();
    done(&database, "migrate");
    database.execute("DELETE FROM __diesel_schema_migrations WHERE version LIKE '20261127%'");
    let ended = doctor(&database).set("AUTO_MIGRATE", "false").run();
    let pending = "migration 20261127230000_deleted_accounts is pending";
    expect(&ended, "schema", "error", pending, "portcullis migrate");
    let left_to_serve = doctor(&database).run();
    assert!(left_to_serve.status.success(), "{left_to_serve:?}");
    found(&left_to_serve, "schema", "warning");
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
    expect(&doctor(&database).run(), "schema", "error", "", "install the version that created it");
}

#[test]
fn a_server_that_is_gone_frozen_or_careless_is_found() {
    let server = postgres::Server::start();
    let url = server.create_database().url;
    let at = |url: &str| doctor(&Backend::Sqlite.database()).set("DATABASE_URL", url).run();
    let name = url.rsplit('/').next().unwrap();
    server.psql("postgres", &format!("ALTER DATABASE \"{name}\" SET synchronous_commit = off"));
    expect(&at(&url), "database", "warning", "", "synchronous_commit = on");
    server.pause();
    let (time, frozen) = timed(|| at(&url));
    server.resume();
    assert!(time < Duration::from_secs(20), "{time:?}");
    found(&frozen, "database", "error");
    server.stop();
    let gone = at(&url.replace("://postgres@", "://postgres:hunter2marker@"));
    expect(&gone, "database", "error", "Connection refused", "start the database");
}

#[test]
fn redis_that_is_gone_or_grants_too_little_is_found() {
    let (server, database) = (redis::Server::start(), migrated());
    assert_eq!(server.command("CONFIG SET maxmemory 64mb"), "+OK");
    let at = |url: &str| doctor(&database).set("REDIS_URL", url).run();
    let full = at(&server.url());
    assert!(full.status.success(), "{full:?}");
    expect(&full, "redis", "warning", "", "volatile-ttl");
    let rights = "resetchannels ~portcullis:* -@all +ping +time +get +set +del +pttl +info";
    assert_eq!(server.command(&format!("ACL SETUSER gate on >hunter2marker {rights}")), "+OK");
    let limited = at(&server.url().replace("redis://", "redis://gate:hunter2marker@"));
    expect(&limited, "redis", "error", "may not run evalsha", "grant");
    for (lose, mend, reason) in [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "takes no writes (READONLY)"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "its memory is full (OOM)"),
    ] {
        assert_eq!(server.command(lose), "+OK");
        expect(&at(&server.url()), "redis", "error", reason, "takes writes");
        assert_eq!(server.command(mend), "+OK");
    }
    server.kill();
    expect(&at(&server.url()), "redis", "error", "does not respond", "REDIS_URL");
}

#[test]
fn a_mail_server_is_greeted_and_a_folder_must_be_writable() {
    let (server, database) = (Server::start(TlsMode::StartTls), migrated());
    let at = |url: &str| {
        let setup = doctor(&database).set("SMTP_URL", url).set("MAIL_FROM", "no-reply@example.org");
        setup.set("SSL_CERT_FILE", server.authority().to_str().unwrap()).run()
    };
    let good = at(&server.url());
    assert!(good.status.success(), "{good:?}");
    expect(&good, "mail", "ok", "accepts emails over TLS", "");
    assert!(server.mails().is_empty());
    let wrong = at(&server.url().replace("portcullis%40", "hunter2marker%40"));
    expect(&wrong, "mail", "error", "535", "SMTP_URL");
    expect(&wrong, "mail", "error", "logging in", "");
    server.close();
    expect(&at(&server.url()), "mail", "error", "connection refused", "");
    let folder = fresh_folder();
    fs::write(folder.join("file"), "").unwrap();
    for (place, fit) in [("file", false), ("file/below", false), ("new/below", true), (".", true)] {
        let ended = doctor(&database).set("MAIL_DIR", folder.join(place).to_str().unwrap()).run();
        let (status, what) = if fit { ("ok", "") } else { ("error", "MAIL_DIR cannot be written") };
        expect(&ended, "mail", status, what, "");
        assert_eq!(ended.status.success(), fit, "{place}: {ended:?}");
    }
    assert!(!folder.join("new").exists(), "nothing was made");
}

#[test]
fn files_that_everybody_may_read_are_found() {
    let database = migrated();
    let Database::Sqlite(file) = &database else { unreachable!() };
    let [key, secret] = ["key.pem", "secret"].map(|name| fresh_folder().join(name));
    done(&database, &format!("keys generate --out {}", key.display()));
    fs::write(&secret, &*SECRET).unwrap();
    let with_mode = |mode: u32| {
        for path in [&key, &secret, file] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        let setup = doctor(&database).set("ALGORITHM", "ES256").set("PRIVATE_KEY_FILE", key.to_str().unwrap());
        setup.unset("SECRET_KEY").set("SECRET_KEY_FILE", secret.to_str().unwrap()).run()
    };
    let ended = with_mode(0o644);
    assert!(ended.status.success(), "warnings alone: {ended:?}");
    for name in ["PRIVATE_KEY_FILE", "SECRET_KEY_FILE"] {
        assert!(ended.output.contains(&format!("{name} names a file that every user")), "{ended:?}");
    }
    expect(&ended, "keys", "warning", "", "chmod 600");
    expect(&ended, "database", "warning", "", "chmod 600");
    expect(&ended, "keys", "ok", "ES256 signs with the key ", "");
    assert!(!with_mode(0o600).output.contains("chmod"));
}

#[test]
fn a_bad_setting_and_an_open_door_are_found() {
    let database = Backend::Sqlite.database();
    let bad = doctor(&database).set("PORT", "http").run();
    expect(&bad, "settings", "error", "PORT: ", "");
    found(&bad, "clock", "ok");
    expect(&doctor(&database).run(), "database", "error", "portcullis migrate", "");
    done(&database, "migrate");
    let open = doctor(&database).set("HOST", "0.0.0.0").set("PUBLIC_URL", "https://id.example.org").run();
    expect(&open, "settings", "warning", "TRUSTED_PROXIES", "");
    let behind = doctor(&database).set("HOST", "0.0.0.0").set("TRUSTED_PROXIES", "10.0.0.0/8").run();
    expect(&behind, "settings", "warning", "PUBLIC_URL ", "public URL");
    assert!(!behind.output.contains("TRUSTED_PROXIES"), "{behind:?}");
}

#[test]
fn a_provider_that_does_not_respond_is_found() {
    let setup = doctor(&migrated()).set("PROVIDERS", "corp").set("PROVIDER_CORP_ISSUER", "http://127.0.0.1:1");
    let ended = setup.set("PROVIDER_CORP_CLIENT_ID", "a").set("PROVIDER_CORP_CLIENT_SECRET", "hunter2marker").run();
    expect(&ended, "providers", "error", "/auth/providers/corp/callback", "check its ISSUER");
    expect(&ended, "settings", "warning", "REDIRECT_URIS is not set", "list the URIs");
}
