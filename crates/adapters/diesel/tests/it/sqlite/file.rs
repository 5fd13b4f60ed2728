//! Creation of the database file, and its deletion or replacement.

use super::{Sandbox, TestDatabase};
use crate::samples::{accounts, clock, patient, register};
use portcullis_diesel::{Database, DatabaseUrl, Migrations, OpenError, SqliteStore};
use portcullis_ports::{Store, StoreError, TxMode};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_missing_file_is_made_for_its_owner_alone() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    register(&store, "ada@example.com").unwrap();
    for entry in fs::read_dir(sandbox.0.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
}

#[test]
fn check_writes_only_as_told_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    sandbox.run("PRAGMA user_version = 7");
    let log = || fs::read(sandbox.path().with_extension("db-wal")).unwrap();
    for (mode, writes) in [(TxMode::Read, false), (TxMode::Write, true)] {
        let before = log();
        assert_eq!(store.check(mode), Ok(()));
        assert_eq!(log() != before, writes, "{mode:?}");
    }
    assert_eq!(sandbox.query("SELECT CAST(user_version AS TEXT) FROM pragma_user_version"), ["7"]);
}

#[test]
fn a_missing_folder_is_told() {
    let sandbox = Sandbox::new();
    let path = sandbox.0.path().join("no such folder/app.db");
    let error = SqliteStore::open(&path, &patient(), clock()).err().unwrap();
    assert_eq!(error, OpenError::NoFolder(path.parent().unwrap().to_path_buf()));
}

#[test]
fn a_folder_is_no_file() {
    let sandbox = Sandbox::new();
    let error = SqliteStore::open(sandbox.0.path(), &patient(), clock()).err().unwrap();
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
}

#[test]
fn a_path_may_hold_anything() {
    let sandbox = Sandbox::new();
    let path = sandbox.0.path().join("a?b=c#d%41 é&.db");
    let store = SqliteStore::open(&path, &patient(), clock()).unwrap();
    store.migrate().unwrap();
    drop(store);
    assert!(fs::metadata(&path).unwrap().len() > 0);
    assert_eq!(fs::read_dir(sandbox.0.path()).unwrap().count(), 1);
}

#[test]
fn a_commit_is_in_the_file_and_synced() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    register(&store, "ada@example.com").unwrap();
    let seen_by_another = sandbox.query("SELECT email FROM users");
    assert_eq!(seen_by_another, ["ada@example.com"]);
    assert_eq!(sandbox.query("PRAGMA journal_mode"), ["wal"]);
}

#[test]
fn a_settled_file_can_be_copied_alone() {
    let sandbox = Sandbox::new();
    let url = DatabaseUrl::Sqlite(sandbox.path());
    let database = Database::open(&url, &patient(), clock()).unwrap();
    database.migrations.migrate().unwrap();
    register(&*database.store, "ada@example.com").unwrap();
    assert!(accounts(&*database.store, "ada@example.com").is_ok(), "a reader is at it too");
    database.checkpoint_on_shutdown().unwrap();
    let copy = Sandbox::new();
    fs::copy(sandbox.path(), copy.path()).unwrap();
    assert_eq!(copy.query("SELECT email FROM users"), ["ada@example.com"]);
    assert!(register(&*database.store, "bob@example.com").unwrap().is_some(), "the store goes on");
}

#[test]
fn nothing_is_acknowledged_into_a_deleted_file() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    register(&store, "ada@example.com").unwrap();
    for entry in fs::read_dir(sandbox.0.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let outage = StoreError::Unavailable("the database file was deleted".to_owned());
    assert_eq!(register(&store, "bob@example.com"), Err(outage.clone()));
    assert_eq!(accounts(&store, "ada@example.com"), Err(outage));
    assert!(!sandbox.path().exists(), "it is not made anew behind the operator's back");
}

#[test]
fn a_file_deleted_while_a_transaction_runs_acknowledges_nothing() {
    use portcullis_ports::{StoreExt, Tx};
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    let outcome = store.write(|tx: &mut dyn Tx| {
        let user = tx.users().insert(&crate::samples::newcomer("ada@example.com"));
        fs::remove_file(sandbox.path()).unwrap();
        user
    });
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}

#[test]
fn a_replaced_file_is_noticed_and_the_right_one_coming_back_too() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    register(&store, "ada@example.com").unwrap();
    let aside = sandbox.0.path().join("aside.db");
    fs::rename(sandbox.path(), &aside).unwrap();
    fs::copy(&aside, sandbox.path()).unwrap();
    let outage = StoreError::Unavailable("the database file was replaced by another".to_owned());
    assert_eq!(register(&store, "bob@example.com"), Err(outage));
    fs::rename(&aside, sandbox.path()).unwrap();
    assert!(register(&store, "bob@example.com").unwrap().is_some());
}
