//! Tables that differ from the FastAPI application's are checked before anything is changed.

use super::{Sandbox, TestDatabase};
use crate::inspection::refused;
use crate::logs::logged_by;
use crate::samples::{accounts, patient, register};
use portcullis_diesel::{MigrateError, Migrations, Severity};
use portcullis_domain::registration::UserId;
use portcullis_ports::{StoreError, StoreExt};
use portcullis_testkit::postgres::Server;
use tracing::Level;

#[test]
fn what_cannot_work_is_refused_before_anything_is_changed() {
    for (change, wanted) in [
        (
            "ALTER TABLE users ADD COLUMN full_name TEXT DEFAULT 'x' NOT NULL; ALTER TABLE users ALTER COLUMN full_name DROP DEFAULT",
            "users.full_name is NOT NULL and has no default: registrations would fail",
        ),
        (
            "ALTER TABLE refresh_tokens ADD COLUMN family UUID DEFAULT gen_random_uuid() NOT NULL; \
            ALTER TABLE refresh_tokens ALTER COLUMN family DROP DEFAULT",
            "refresh_tokens.family",
        ),
        ("ALTER TABLE users ALTER COLUMN id DROP DEFAULT", "users.id is NOT NULL and has no default"),
        ("CREATE VIEW active_users AS SELECT id FROM users", "active_users"),
        ("CREATE MATERIALIZED VIEW report AS SELECT user_id FROM refresh_tokens", "report"),
        (
            "ALTER TABLE users ALTER COLUMN hashed_password TYPE VARCHAR(60); \
            CREATE VIEW hashes AS SELECT hashed_password FROM users",
            "users.hashed_password must be widened",
        ),
        (
            "ALTER TABLE refresh_tokens ALTER COLUMN jti TYPE BYTEA USING jti::bytea",
            "refresh_tokens.jti is of type bytea",
        ),
        ("ALTER TABLE users RENAME COLUMN hashed_password TO password_hash", "it has no hashed_password"),
        (
            "CREATE TABLE sessions (id SERIAL, data TEXT)",
            "the table sessions is not Portcullis's: it has no sid, user_id",
        ),
        ("CREATE TABLE outbox (id SERIAL, payload JSONB)", "the table outbox is not Portcullis's"),
        ("CREATE TABLE one_time_tokens (id INTEGER)", "one_time_tokens"),
        ("ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT * FROM people", "users.id is of type a view"),
    ] {
        let refusal = refused(&Sandbox::of_the_application(), change);
        assert!(refusal.contains(wanted), "{change}: {refusal}");
    }
}

#[test]
fn another_programs_users_are_left_alone() {
    let sandbox = Sandbox::new();
    let refusal = refused(&sandbox, "CREATE TABLE users (id SERIAL PRIMARY KEY, email TEXT, name TEXT)");
    let wanted = "the table users is not the FastAPI application's: it has no hashed_password, is_active, created_at";
    assert!(refusal.contains(wanted), "{refusal}");
}

#[test]
fn rows_that_are_hidden_and_tables_of_another_role_are_refused() {
    let sandbox = Sandbox::of_the_application();
    let role = format!("role_{}", sandbox.0.url.rsplit('/').next().unwrap());
    sandbox.execute(&format!(
        "CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; \
         GRANT ALL ON SCHEMA public TO {role}; ALTER TABLE users ENABLE ROW LEVEL SECURITY"
    ));
    let store = sandbox.open_with(&format!("?options=-c%20role%3D{role}"), &patient());
    let error = store.migrate().unwrap_err().to_string();
    assert!(error.contains("row-level security hides rows from this role: users"), "{error}");
    assert!(error.contains("only their owner can change these tables: refresh_tokens ("), "{error}");
    // Row-level security does not apply to the owner.
    sandbox.store();
}

#[test]
fn an_encoding_that_cannot_hold_every_email_is_refused() {
    let server = Server::shared();
    let sandbox = Sandbox::new();
    let name = format!("latin_{}", sandbox.0.url.rsplit('/').next().unwrap());
    sandbox.execute(&format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"));
    let store = super::open(&server.url(&name), &patient());
    let error = store.migrate().unwrap_err().to_string();
    assert!(error.contains("the database's encoding is LATIN1"), "{error}");
    assert_eq!(server.psql(&name, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), "");
}

#[test]
fn limitations_are_told_and_adopted() {
    for (change, wanted) in [
        (
            "CREATE TABLE orders (owner_id INTEGER REFERENCES users)",
            "orders.owner_id refers to users without ON DELETE",
        ),
        ("CREATE TABLE orders (email TEXT REFERENCES users (email))", "orders.email refers to users.email"),
        (
            "ALTER TABLE users ALTER COLUMN is_active DROP NOT NULL; UPDATE users SET is_active = NULL WHERE id IN (2, 4)",
            "users.is_active is NULL in the rows with the ids 2, 4: they cannot be read",
        ),
        (
            "ALTER TABLE users ALTER COLUMN created_at DROP NOT NULL; UPDATE users SET created_at = NULL WHERE id = 2",
            "users.created_at is NULL in the rows with the ids 2",
        ),
        ("ALTER TABLE users ALTER COLUMN created_at TYPE TIMESTAMP", "users.created_at has no time zone"),
    ] {
        let sandbox = Sandbox::of_the_application();
        sandbox.execute(change);
        let lines = logged_by("app", Level::WARN, || drop(sandbox.store()));
        assert!(lines.iter().any(|line| line.contains(wanted)), "{change}: {lines:?}");
        let told = sandbox.store().inspect().unwrap();
        assert!(told.iter().any(|f| f.severity == Severity::Limits && f.what.contains(wanted)), "{told:?}");
        assert!(register(&sandbox.store(), "new@example.com").unwrap().is_some());
    }
}

#[test]
fn a_row_that_cannot_be_read_costs_itself_alone() {
    let sandbox = Sandbox::of_the_application();
    sandbox.execute(
        "ALTER TABLE users ALTER COLUMN is_active DROP NOT NULL, ALTER COLUMN created_at DROP NOT NULL;
         UPDATE users SET is_active = NULL WHERE id = 2; UPDATE users SET created_at = NULL WHERE id = 5",
    );
    let store = sandbox.store();
    let corrupt = |column, id| StoreError::Corrupt { table: "users", column, id, reason: "null".to_owned() };
    let listed = store.read(|tx| tx.users().list(None, 99)).unwrap();
    assert_eq!(listed.len(), 9);
    let damage: Vec<_> = listed.into_iter().filter_map(Result::err).collect();
    assert_eq!(damage, [corrupt("is_active", 2), corrupt("created_at", 5)]);
    assert_eq!(store.read(|tx| tx.users().find(UserId::new(2))), Err(corrupt("is_active", 2)));
    assert_eq!(accounts(&store, "bob.mixed@example.com"), Ok(Vec::new()), "for a login it does not exist");
    let erins: Vec<_> = accounts(&store, "erin@example.com").unwrap().iter().map(|user| user.id.get()).collect();
    assert_eq!(erins, [6], "the other account with that address does not depend on it");
}

#[test]
fn narrow_columns_are_widened() {
    let sandbox = Sandbox::of_the_application();
    sandbox.execute(
        "ALTER TABLE users ALTER COLUMN hashed_password TYPE VARCHAR(60), ALTER COLUMN email TYPE CHAR(100);
         ALTER TABLE refresh_tokens ALTER COLUMN jti TYPE VARCHAR(64)",
    );
    sandbox.store();
    let widths = "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns \
        WHERE table_schema = 'public' AND table_name IN ('users', 'refresh_tokens') \
        AND column_name IN ('email', 'hashed_password', 'jti') ORDER BY 1";
    let varchar = |name: &str, width| format!("{name}|character varying|{width}\n");
    let wanted = [varchar("email", 255), varchar("hashed_password", 255), varchar("jti", 64)].concat();
    assert_eq!(sandbox.execute(widths), wanted);
    assert_eq!(accounts(&sandbox.store(), "alice@example.com").unwrap()[0].email.original(), "alice@example.com");
}

#[test]
fn a_view_stays_where_nothing_has_to_be_widened() {
    let sandbox = Sandbox::of_the_application();
    sandbox.execute(
        "ALTER TABLE users ALTER COLUMN id TYPE BIGINT; CREATE VIEW active_users AS SELECT id, email FROM users",
    );
    assert!(register(&sandbox.store(), "new@example.com").unwrap().is_some());
    assert_eq!(sandbox.execute("SELECT count(*) FROM active_users"), "10\n");
}

#[test]
fn the_line_of_a_failed_migration_has_the_detail() {
    let sandbox = Sandbox::of_the_application();
    sandbox.execute("ALTER TABLE users ADD COLUMN twice BIGINT GENERATED ALWAYS AS (id * 2) STORED");
    let error = sandbox.open(&patient()).migrate().unwrap_err();
    assert!(matches!(error, MigrateError::Failed(_)) && error.to_string().contains("twice"), "{error}");
    // A detail that quotes the whole row, including the hash, is omitted.
    let sandbox = Sandbox::of_the_application();
    sandbox.execute("ALTER TABLE users ADD CONSTRAINT x CHECK (id < 0) NOT VALID");
    let error = sandbox.open(&patient()).migrate().unwrap_err().to_string();
    assert!(error.contains("check constraint") && !error.contains("$2b$"), "{error}");
}
