//! Refused starts: one line with the reason, a nonzero exit code and no changes. `tests/faults` covers
//! damaged files.

use crate::harness::databases::{Backend, Database};
use crate::harness::on_both_databases;
use crate::harness::services::{ServiceBuilder, random_secret};
use crate::harness::timing::fresh_folder;
use std::fs;
use std::net::TcpListener;

on_both_databases!(
    a_taken_port_is_refused,
    a_missing_or_short_or_sample_secret_is_refused,
    a_bad_value_is_refused_with_its_name,
    an_empty_variable_is_a_bad_value,
    no_refusal_shows_a_secret,
    a_schema_from_the_future_is_refused,
    another_programs_tables_are_refused_and_left_alone,
    unmigrated_database_is_refused_without_auto_migrate,
);

fn a_taken_port_is_refused(backend: Backend) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = backend.service().set("PORT", &port).run();
    assert!(ended.refusal().contains(&format!("PORT {port}")), "{ended:?}");
}

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
    let sqlite = |name: &str| format!("sqlite:///{}", path(name));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (variable, value, what) in [
        ("DATABASE_URL", sqlite("missing/app.db"), "does not exist"),
        ("DATABASE_URL", sqlite("folder"), "no regular file"),
        ("DATABASE_URL", sqlite("text"), "no SQLite database"),
        ("HOST", "192.0.2.1".to_owned(), "cannot listen"),
        ("METRICS_ADDR", taken, "cannot listen"),
        ("MAIL_TEMPLATES", path("missing"), "templates"),
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

fn a_missing_or_short_or_sample_secret_is_refused(backend: Backend) {
    let production = || backend.service().set("DEBUG", "false").set("BCRYPT_COST", "10");
    let short = "only 31 bytes are not enough !!";
    assert_eq!(short.len(), 31);
    for setup in
        [production().unset("SECRET_KEY"), production().set("SECRET_KEY", short), backend.service().unset("SECRET_KEY")]
    {
        let ended = setup.run();
        let line = ended.refusal();
        assert!(line.contains("SECRET_KEY") && !line.contains(short), "{line}");
    }
    let service = backend.service().set("SECRET_KEY", short).set("DEBUG", "true").start();
    assert!(
        service.flushed_log().events().iter().any(|e| e["level"] == "WARNING" && e.to_string().contains("SECRET_KEY"))
    );
    let service = production().set("SECRET_KEY", &random_secret()[..32]).start();
    service.session();
}

fn a_bad_value_is_refused_with_its_name(backend: Backend) {
    let bad = [
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "x"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("DEBUG", "maybe"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("HOST", "not a host"),
        ("ALGORITHM", "none"),
        ("ALGORITHM", "HS257"),
        ("BCRYPT_COST", "3"),
        ("BCRYPT_COST", "16"),
        ("PASSWORD_MIN_LENGTH", "7"),
        ("PASSWORD_MIN_LENGTH", "257"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "example.com"),
        ("AUTO_MIGRATE", "perhaps"),
        ("PURGE_INTERVAL_MINUTES", "hourly"),
        ("SHUTDOWN_TIMEOUT_SECONDS", "soon"),
        ("DATABASE_URL", "mysql://localhost/app"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_CONNECTIONS", "0"),
    ];
    for (variable, value) in bad {
        let ended = backend.service().set(variable, value).run();
        let line = ended.refusal();
        assert!(line.contains(variable), "{variable}={value}: {line}");
    }
    let ended = backend.service().set("DEBUG", "false").set("BCRYPT_COST", "9").run();
    assert!(ended.refusal().contains("BCRYPT_COST"), "a low cost needs DEBUG");
}

fn an_empty_variable_is_a_bad_value(backend: Backend) {
    let variables = [
        "DATABASE_URL",
        "SECRET_KEY",
        "ALGORITHM",
        "ACCESS_TOKEN_EXPIRE_MINUTES",
        "REFRESH_TOKEN_EXPIRE_DAYS",
        "LOG_LEVEL",
        "APP_NAME",
        "DEBUG",
        "HOST",
        "PORT",
        "BCRYPT_COST",
        "PASSWORD_MIN_LENGTH",
        "AUTO_MIGRATE",
        "PURGE_INTERVAL_MINUTES",
        "SHUTDOWN_TIMEOUT_SECONDS",
    ];
    for variable in variables {
        let ended = backend.service().set(variable, "").run();
        assert!(ended.refusal().contains(variable), "{variable}: {ended:?}");
    }
}

fn no_refusal_shows_a_secret(backend: Backend) {
    let secrets = [
        ("SECRET_KEY", "marker"),
        ("DATABASE_URL", "postgres://user:marker@127.0.0.1:99999/app"),
        ("DATABASE_URL", "mysql://user:marker@127.0.0.1/app"),
        ("DATABASE_URL", "postgres://user:marker"),
    ];
    for (variable, value) in secrets {
        let ended = backend.service().set("DEBUG", "false").set("BCRYPT_COST", "10").set(variable, value).run();
        ended.refusal();
        assert!(!ended.errors.contains("marker") && !ended.output.contains("marker"), "{variable}: {ended:?}");
    }
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

#[test]
fn database_opened_read_only_is_refused_at_start() {
    let service = Backend::Sqlite.service().start();
    let (account, _) = service.session();
    service.stop();
    let Database::Sqlite(path) = &service.database else { unreachable!() };
    // Opened read-only with an SQLite URI, so that even root cannot write.
    let url = format!("sqlite:///file:{}?mode=ro", path.display());
    let ended = service.again().set("DATABASE_URL", &url).run();
    ended.refusal();
    service.again().start().sign_in(&account);
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
