//! Tables that differ from the FastAPI application's are checked before anything is changed.

use super::{Sandbox, TestDatabase};
use crate::inspection::refused;
use crate::logs::logged_by;
use crate::samples::{accounts, register};
use portcullis_diesel::Migrations;
use portcullis_ports::{StoreError, StoreExt};
use tracing::Level;

#[test]
fn what_cannot_work_is_refused_before_anything_is_changed() {
    for (change, wanted) in [
        (
            "CREATE TABLE sessions (id INTEGER PRIMARY KEY, data TEXT)",
            "the table sessions is not Portcullis's: it has no sid",
        ),
        ("CREATE TABLE Outbox (id INTEGER PRIMARY KEY, payload TEXT)", "the table outbox is not Portcullis's"),
        ("ALTER TABLE users RENAME COLUMN is_active TO enabled", "it has no is_active"),
        ("ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT * FROM people", "users.id is of type a view"),
    ] {
        let refusal = refused(&Sandbox::of_the_application(), change);
        assert!(refusal.contains(wanted), "{change}: {refusal}");
    }
}

#[test]
fn tables_that_were_never_the_applications_are_left_alone() {
    const REST: &str = "email TEXT NOT NULL, hashed_password TEXT NOT NULL, is_active BOOLEAN, created_at DATETIME";
    for (tables, wanted) in [
        (
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT)",
            "the table users is not the FastAPI application's: it has no hashed_password, is_active, created_at"
                .to_owned(),
        ),
        (&format!("CREATE TABLE users (id CHAR(32) PRIMARY KEY, {REST})"), "users.id is of type char".to_owned()),
        (
            &format!("CREATE TABLE users (id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, {REST})"),
            "users.full_name is NOT NULL and has no default: registrations would fail".to_owned(),
        ),
        (
            &format!("PRAGMA encoding = 'UTF-16'; CREATE TABLE users (id INTEGER PRIMARY KEY, {REST})"),
            "the file's encoding is UTF-16le: expected UTF-8".to_owned(),
        ),
    ] {
        let refusal = refused(&Sandbox::new(), tables);
        assert!(refusal.contains(&wanted), "{tables}: {refusal}");
    }
}

#[test]
fn limitations_are_told_and_adopted() {
    let sandbox = Sandbox::new();
    sandbox.run(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, hashed_password TEXT, is_active BOOLEAN DEFAULT 1, created_at DATETIME);
         INSERT INTO users (email, hashed_password, is_active, created_at) VALUES
            ('a@b.org', 'x', 1, '2026-02-18 10:30:00'), ('b@b.org', 'x', NULL, '2026-02-18 10:30:00'), ('c@b.org', 'x', 1, NULL);
         CREATE TABLE orders (owner_id INTEGER REFERENCES users)",
    );
    let lines = logged_by("app", Level::WARN, || drop(sandbox.store()));
    for wanted in [
        "users.is_active is NULL in the rows with the ids 2: they cannot be read",
        "users.created_at is NULL in the rows with the ids 3",
        "orders.owner_id refers to users without ON DELETE",
    ] {
        assert!(lines.iter().any(|line| line.contains(wanted)), "{wanted}: {lines:?}");
    }
    let store = sandbox.store();
    assert_eq!(store.inspect().unwrap().len(), 3);
    let listed = store.read(|tx| tx.users().list(None, 99)).unwrap();
    let damage: Vec<_> = listed.into_iter().filter_map(Result::err).collect();
    let corrupt = |column, id| StoreError::Corrupt { table: "users", column, id, reason: "null".to_owned() };
    assert_eq!(damage, [corrupt("is_active", 2), corrupt("created_at", 3)]);
    assert!(accounts(&store, "a@b.org").is_ok() && register(&store, "new@b.org").unwrap().is_some());
}
