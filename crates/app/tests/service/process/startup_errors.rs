//! Refused starts: one line with the reason, a nonzero exit code and no changes. `tests/faults` covers
//! damaged files.

use crate::prelude::*;
use std::fs;
use std::net::TcpListener;

on_both_databases!(
    a_schema_from_the_future_is_refused,
    another_programs_tables_are_refused_and_left_alone,
    unmigrated_database_is_refused_without_auto_migrate,
);

/// Names the variable and what is wrong with the file or folder it names.
#[test]
fn unusable_resource_is_refused_by_the_name_of_its_setting() {
    let folder = fresh_folder();
    let path = |name: &str| folder.join(name).display().to_string();
    fs::create_dir(folder.join("folder")).unwrap();
    fs::write(
        folder.join("text"),
        "not a database, and longer than the header of one: 0123456789 0123456789 0123456789",
    )
    .unwrap();
    fs::write(folder.join("large"), " ".repeat(256 * 1024 + 1)).unwrap();
    fs::write(folder.join("binary"), b"\xff").unwrap();
    let sqlite = |name: &str| format!("sqlite:///{}", path(name));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (variable, value, what) in [
        ("DATABASE_URL", sqlite("missing/app.db"), "does not exist"),
        ("DATABASE_URL", sqlite("folder"), "no regular file"),
        ("DATABASE_URL", sqlite("text"), "no SQLite database"),
        ("HOST", "192.0.2.1".to_owned(), "cannot listen"),
        ("PORT", taken.rsplit_once(':').unwrap().1.to_owned(), "cannot listen"),
        ("METRICS_ADDR", taken, "cannot listen"),
        ("MAIL_TEMPLATES", path("missing"), "templates"),
        ("PAGE_STYLE", path("missing"), "cannot be read"),
        ("PAGE_STYLE", path("large"), "too large"),
        ("PAGE_STYLE", path("binary"), "another type"),
        ("PAGE_LOGO", path("missing"), "cannot be read"),
        ("PAGE_LOGO", path("text"), "another type"),
        ("SECRET_KEY_PREVIOUS_FILE", path("missing"), "cannot be read"),
        ("PREVIOUS_KEY_FILES", path("text"), "key"),
    ] {
        let ended = Backend::Sqlite.service().set(variable, &value).run();
        let line = ended.refusal();
        assert!(line.contains(variable) && line.contains(what), "{variable}={value}: {line}");
    }
    for command in ["migrate", "purge", "user list", "doctor"] {
        let words = command.split(' ').fold(Backend::Sqlite.service(), ServiceBuilder::argument);
        let ended = words.set("DATABASE_URL", &sqlite("missing/app.db")).run();
        assert!(!ended.status.success(), "{command}");
        let told = [ended.errors.as_str(), &ended.output].concat();
        assert!(told.contains("DATABASE_URL"), "{command}: {told}");
    }
}

#[test]
fn a_missing_or_short_secret_is_refused() {
    let setup = || Backend::Sqlite.service();
    let production = || setup().set("DEBUG", "false").set("BCRYPT_COST", "10");
    let short = "only 31 bytes are not enough !!";
    assert_eq!(short.len(), 31);
    for setup in [production().unset("SECRET_KEY"), production().set("SECRET_KEY", short), setup().unset("SECRET_KEY")]
    {
        let ended = setup.run();
        let line = ended.refusal();
        assert!(line.contains("SECRET_KEY") && !line.contains(short), "{line}");
    }
    let service = setup().set("SECRET_KEY", short).start();
    let warns = |event: &Value| event["level"] == "WARNING" && event.to_string().contains("SECRET_KEY");
    assert!(service.flushed_log().events().iter().any(warns));
    production().set("SECRET_KEY", &random_secret()[..32]).start().session();
}

fn a_schema_from_the_future_is_refused(backend: Backend) {
    let service = backend.service().start();
    let (account, _) = service.session();
    service.stop();
    service.database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231235959')");
    let ended = service.again().run();
    ended.refusal();
    service.database.execute("DELETE FROM __diesel_schema_migrations WHERE version = '99991231235959'");
    service.again().start().sign_in(&account);
}

fn unmigrated_database_is_refused_without_auto_migrate(backend: Backend) {
    let database = backend.database();
    let ended = ServiceBuilder::over(&database).set("AUTO_MIGRATE", "false").run();
    let line = ended.refusal();
    assert!(line.contains("migrate") || line.contains("AUTO_MIGRATE"), "{line}");
    let ended = ServiceBuilder::over(&database).argument("migrate").run();
    assert!(ended.status.success(), "{ended:?}");
    ServiceBuilder::over(&database).set("AUTO_MIGRATE", "false").start().session();
}

fn another_programs_tables_are_refused_and_left_alone(backend: Backend) {
    let database = backend.database();
    database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT)");
    for command in ["serve", "migrate"] {
        let ended = ServiceBuilder::over(&database).argument(command).run();
        let wanted = "users is not the FastAPI application's: it has no hashed_password, is_active, created_at";
        assert!(ended.refusal().contains(wanted), "{ended:?}");
        assert!(command != "serve" || ended.refusal().contains("DATABASE_URL: "), "{ended:?}");
        database.execute("INSERT INTO users VALUES (1, 'x', 'y'); DELETE FROM users");
    }
    let ended = ServiceBuilder::over(&database).argument("doctor").run();
    assert!(ended.output.contains("error    tables: the table users is not"), "{ended:?}");
}
