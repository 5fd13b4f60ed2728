//! Tables that differ from the FastAPI application's are checked before anything is changed.

use super::Sandbox;
use crate::logs::logged_by;
use crate::samples::{accounts, now, patient, register};
use chrono::TimeDelta;
use portcullis_diesel::{MigrateError, Migrations, Severity};
use portcullis_domain::registration::UserId;
use portcullis_ports::{Remains, StoreError, StoreExt};
use tracing::Level;

const SCHEMA: &str = "SELECT type || name || ifnull(sql, '') FROM sqlite_master ORDER BY name";

/// Returns the error that refuses adoption. Checks that nothing was changed.
fn refused(sandbox: &Sandbox) -> String {
    let before = sandbox.query(SCHEMA);
    let store = sandbox.open_with(&patient());
    let error = store.migrate().unwrap_err();
    assert_eq!(sandbox.query(SCHEMA), before);
    let told: Vec<_> = store.inspect().unwrap().into_iter().filter(|f| f.severity == Severity::Blocks).collect();
    let MigrateError::Unfit(refusal) = error else { panic!("{error}") };
    assert!(told.iter().any(|finding| refusal.contains(&finding.what)), "{told:?} for {refusal}");
    assert!(!refusal.contains('\n'), "{refusal}");
    refusal
}

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
        let sandbox = Sandbox::of_the_application();
        sandbox.execute(change);
        let refusal = refused(&sandbox);
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
        let sandbox = Sandbox::new();
        sandbox.execute(tables);
        let refusal = refused(&sandbox);
        assert!(refusal.contains(&wanted), "{tables}: {refusal}");
    }
}

#[test]
fn limitations_are_told_and_adopted() {
    let sandbox = Sandbox::new();
    sandbox.execute(
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

#[test]
fn the_applications_own_tables_give_nothing_to_tell() {
    let sandbox = Sandbox::of_the_application();
    assert_eq!(sandbox.open_with(&patient()).inspect(), Ok(Vec::new()));
    assert_eq!(sandbox.store().inspect(), Ok(Vec::new()));
}

/// A violated deferred foreign key would fail the commit that other callers share.
#[test]
fn an_account_that_another_table_refers_to_keeps_its_row() {
    for clause in ["", "DEFERRABLE INITIALLY DEFERRED", "ON DELETE RESTRICT"] {
        let sandbox = Sandbox::new();
        let store = sandbox.store();
        let (ada, bob) =
            (register(&store, "ada@b.org").unwrap().unwrap(), register(&store, "bob@b.org").unwrap().unwrap());
        sandbox.execute(&format!(
            "CREATE TABLE \"my orders\" (owner_id INTEGER REFERENCES users (id) {clause}); INSERT INTO \"my orders\" VALUES (1)"
        ));
        let finish = |id: UserId| {
            store.write(|tx| {
                tx.users().mark_deleted(id, now())?;
                tx.users().delete_row_if_empty(id, now() + TimeDelta::hours(1))
            })
        };
        assert_eq!(finish(ada.id), Ok(Remains::Referenced { by: "my orders".to_owned() }), "{clause}");
        let later = now() + TimeDelta::minutes(1);
        store.write(|tx| tx.users().mark_deleted(bob.id, later)).unwrap();
        assert_eq!(
            store.read(|tx| tx.users().list_marked_deleted(9)),
            Ok(vec![bob.id, ada.id]),
            "the kept row goes last"
        );
        assert_eq!(finish(bob.id), Ok(Remains::Nothing));
        assert_eq!(sandbox.query("SELECT email || hashed_password FROM users"), ["deleted:1!"]);
        sandbox.execute("DELETE FROM \"my orders\"");
        assert_eq!(finish(ada.id), Ok(Remains::Nothing));
    }
}
