//! `portcullis doctor`: its findings and its advice.

use super::cli_harness::{command, done};
use crate::harness::databases::{Backend, Database};
use crate::harness::on_both_databases;
use crate::harness::services::{ExitedService, SECRET, ServiceBuilder};
use crate::harness::timing::{fresh_folder, timed};
use portcullis_testkit::smtp::{Server, TlsMode};
use portcullis_testkit::{postgres, redis};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

on_both_databases!(a_service_that_can_work_is_well, a_pending_migration_is_found);

/// Runs the doctor with settings for production.
fn doctor(database: &Database) -> ServiceBuilder {
    let setup = command(database, "doctor --json").unset("DEBUG").unset("BCRYPT_COST").unset("RATE_LIMIT_ENABLED");
    setup.unset("HOST")
}

/// Returns the findings, which must have this severity.
#[track_caller]
fn found(ended: &ExitedService, check: &str, status: &str) -> (String, String) {
    let findings = ended.output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut fitting = findings.filter(|finding| finding["check"] == check && finding["status"] == status);
    let finding = fitting.next().unwrap_or_else(|| panic!("no {status} of {check}: {ended:?}"));
    let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    (text("what"), text("advice"))
}

#[track_caller]
fn is_ill(ended: &ExitedService) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(!ended.output.contains(&*SECRET) && ended.errors.is_empty(), "{ended:?}");
}

fn a_service_that_can_work_is_well(backend: Backend) {
    let database = backend.database();
    done(&database, "migrate");
    let ended = doctor(&database).set("REDIS_URL", &redis::Server::shared().url()).run();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    for check in ["settings", "database", "schema", "redis", "keys", "clock", "cores", "tls"] {
        found(&ended, check, "ok");
    }
    let version = done(&database, "--version");
    let library = version.trim().split_once(" (").unwrap().1.trim_end_matches(')');
    assert!(library.starts_with("OpenSSL ") && found(&ended, "tls", "ok").0.ends_with(library), "{version}");
    assert!(!ended.output.contains("\"error\"") && !ended.output.contains(&*SECRET), "{ended:?}");
    let people = command(&database, "doctor").run();
    assert!(people.status.success(), "{people:?}");
    let lines: Vec<_> = people.output.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("ok       database: ")), "{people:?}");
    let weak = "warning  settings: DEBUG is on: weak settings are allowed, and every SQL statement is logged — unset";
    assert!(lines.iter().any(|line| line.starts_with(weak)), "{people:?}");
}

fn a_pending_migration_is_found(backend: Backend) {
    let database = backend.database();
    done(&database, "migrate");
    database.execute("DELETE FROM __diesel_schema_migrations WHERE version LIKE '20261127%'");
    let ended = doctor(&database).set("AUTO_MIGRATE", "false").run();
    is_ill(&ended);
    let (what, advice) = found(&ended, "schema", "error");
    assert_eq!(what, "migration 20261127230000_deleted_accounts is pending");
    assert!(advice.contains("portcullis migrate"), "{advice}");
    let left_to_serve = doctor(&database).run();
    assert!(left_to_serve.status.success(), "{left_to_serve:?}");
    found(&left_to_serve, "schema", "warning");
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
    let newer = doctor(&database).run();
    is_ill(&newer);
    assert!(found(&newer, "schema", "error").1.contains("install the version that created it"), "{newer:?}");
}

#[test]
fn a_server_that_is_gone_frozen_or_careless_is_found() {
    let server = postgres::Server::start();
    let url = server.create_database().url;
    let at = |url: &str| {
        let setup = doctor(&Backend::Sqlite.database()).set("DATABASE_URL", url);
        setup.run()
    };
    let name = url.rsplit('/').next().unwrap();
    server.psql("postgres", &format!("ALTER DATABASE \"{name}\" SET synchronous_commit = off"));
    let careless = at(&url);
    assert!(found(&careless, "database", "warning").1.contains("synchronous_commit = on"), "{careless:?}");
    server.pause();
    let (time, frozen) = timed(|| at(&url));
    server.resume();
    is_ill(&frozen);
    assert!(time < Duration::from_secs(20), "{time:?}");
    found(&frozen, "database", "error");
    server.stop();
    let gone = at(&url.replace("://", "://somebody:hunter2marker@").replacen(
        "somebody:hunter2marker@postgres@",
        "postgres:hunter2marker@",
        1,
    ));
    is_ill(&gone);
    let (what, advice) = found(&gone, "database", "error");
    assert!(what.contains("Connection refused") && advice.contains("start the database"), "{what}: {advice}");
    assert!(!gone.output.contains("hunter2marker"), "{gone:?}");
}

#[test]
fn a_redis_that_is_gone_is_found() {
    let server = redis::Server::start();
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    assert_eq!(server.command("CONFIG SET maxmemory 64mb"), "+OK");
    let full = doctor(&database).set("REDIS_URL", &server.url()).run();
    assert!(full.status.success() && found(&full, "redis", "warning").1.contains("volatile-ttl"), "{full:?}");
    server.kill();
    let gone = doctor(&database).set("REDIS_URL", &server.url()).run();
    is_ill(&gone);
    let (what, advice) = found(&gone, "redis", "error");
    assert!(what.contains("does not respond") && advice.contains("REDIS_URL"), "{what}: {advice}");
}

#[test]
fn a_mail_server_is_greeted_and_a_folder_must_be_writable() {
    let server = Server::start(TlsMode::StartTls);
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    let at = |url: &str| {
        let setup = doctor(&database).set("SMTP_URL", url).set("MAIL_FROM", "no-reply@example.org");
        setup.set("SSL_CERT_FILE", server.authority().to_str().unwrap()).run()
    };
    let good = at(&server.url());
    assert!(good.status.success(), "{good:?}");
    assert!(found(&good, "mail", "ok").0.ends_with("accepts emails over TLS"), "{good:?}");
    assert!(server.mails().is_empty());
    let wrong = at(&server.url().replace("portcullis%40", "hunter2marker%40"));
    is_ill(&wrong);
    let (what, advice) = found(&wrong, "mail", "error");
    assert!(what.contains("535") && what.contains("logging in") && advice.contains("SMTP_URL"), "{what}: {advice}");
    assert!(!wrong.output.contains("hunter2marker"), "{wrong:?}");
    server.close();
    let gone = at(&server.url());
    is_ill(&gone);
    assert!(found(&gone, "mail", "error").0.contains("connection refused"), "{gone:?}");
    let folder = fresh_folder();
    fs::write(folder.join("file"), "").unwrap();
    for (place, fit) in [("file", false), ("file/below", false), ("new/below", true), (".", true)] {
        let ended = doctor(&database).set("MAIL_DIR", folder.join(place).to_str().unwrap()).run();
        let told = found(&ended, "mail", if fit { "ok" } else { "error" }).0;
        assert!(fit || told.starts_with("MAIL_DIR cannot be written"), "{place}: {told}");
        assert_eq!(ended.status.success(), fit, "{place}: {ended:?}");
    }
    assert!(!folder.join("new").exists(), "nothing was made");
}

#[test]
fn a_redis_user_without_the_rights_is_found() {
    let server = redis::Server::start();
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    let rights = "resetchannels ~portcullis:* -@all +ping +time +get +set +del +pttl +info";
    assert_eq!(server.command(&format!("ACL SETUSER gate on >hunter2marker {rights}")), "+OK");
    let url = server.url().replace("redis://", "redis://gate:hunter2marker@");
    let ended = doctor(&database).set("REDIS_URL", &url).run();
    is_ill(&ended);
    let (what, advice) = found(&ended, "redis", "error");
    assert!(what.contains("may not run evalsha") && advice.contains("grant"), "{what}: {advice}");
    assert!(!ended.output.contains("hunter2marker"), "{ended:?}");
}

#[test]
fn files_that_everybody_may_read_are_found() {
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    let Database::Sqlite(file) = &database else { return };
    let key = fresh_folder().join("key.pem");
    done(&database, &format!("keys generate --out {}", key.display()));
    let secret = fresh_folder().join("secret");
    fs::write(&secret, &*SECRET).unwrap();
    for path in [&key, &secret, file] {
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }
    let setup = || {
        let setup = doctor(&database).set("ALGORITHM", "ES256").set("PRIVATE_KEY_FILE", key.to_str().unwrap());
        setup.unset("SECRET_KEY").set("SECRET_KEY_FILE", secret.to_str().unwrap())
    };
    let ended = setup().run();
    assert!(ended.status.success(), "warnings alone: {ended:?}");
    for name in ["PRIVATE_KEY_FILE", "SECRET_KEY_FILE"] {
        assert!(ended.output.contains(&format!("{name} names a file that every user")), "{ended:?}");
    }
    assert!(found(&ended, "keys", "warning").1.contains("chmod 600"));
    assert!(found(&ended, "database", "warning").1.contains("chmod 600"));
    assert!(found(&ended, "keys", "ok").0.starts_with("ES256 signs with the key "));
    for path in [&key, &secret, file] {
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }
    assert!(!setup().run().output.contains("chmod"));
}

#[test]
fn a_bad_setting_and_an_open_door_are_found() {
    let database = Backend::Sqlite.database();
    let bad = doctor(&database).set("PORT", "http").run();
    is_ill(&bad);
    let (what, _) = found(&bad, "settings", "error");
    assert!(what.starts_with("PORT: "), "{what}");
    found(&bad, "clock", "ok");
    let missing = doctor(&database).run();
    is_ill(&missing);
    assert!(found(&missing, "database", "error").0.contains("portcullis migrate"));
    done(&database, "migrate");
    let open = doctor(&database).set("HOST", "0.0.0.0").set("PUBLIC_URL", "https://id.example.org").run();
    assert!(found(&open, "settings", "warning").0.contains("TRUSTED_PROXIES"), "{open:?}");
    let behind = doctor(&database).set("HOST", "0.0.0.0").set("TRUSTED_PROXIES", "10.0.0.0/8").run();
    let (what, advice) = found(&behind, "settings", "warning");
    assert!(what.starts_with("PUBLIC_URL ") && advice.contains("public URL"), "{behind:?}");
    assert!(!behind.output.contains("TRUSTED_PROXIES"), "{behind:?}");
}
