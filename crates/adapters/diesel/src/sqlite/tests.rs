//! Tests of internals: connection settings, disk errors and group commits.

mod sharing;

use super::*;
use crate::migrations::Migrations;
use chrono::DateTime;
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::BigInt;
use portcullis_domain::login::Credentials;
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, User};
use portcullis_ports::StoreExt;
use portcullis_testkit::FixedClock;
use tempfile::TempDir;

pub(super) fn store(folder: &TempDir) -> SqliteStore {
    let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
    let store = SqliteStore::open(&folder.path().join("app.db"), &StoreOptions::default(), clock).unwrap();
    store.migrate().unwrap();
    store
}

pub(super) fn register(store: &SqliteStore, number: u32) -> Result<Option<User>, StoreError> {
    let email = EmailAddress::from_stored(format!("{number}-{:0>200}@example.com", ""));
    let credentials = Credentials::from_hash(PasswordHash::new("$2b$12$hash".to_owned()));
    let new = NewUser { email, credentials, created_at: DateTime::UNIX_EPOCH, verified_at: None };
    store.write(|tx| tx.users().insert(&new))
}

#[test]
fn every_connection_has_its_pragmas() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    for (role, query_only) in [(Role::Writer, 0), (Role::Reader, 1)] {
        let mut connection = store.opener.open(role).unwrap();
        for (pragma, expected) in [
            ("busy_timeout", 5000),
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("temp_store", 2),
            ("query_only", query_only),
        ] {
            let value = sql::<BigInt>(&format!("PRAGMA {pragma}")).get_result::<i64>(&mut connection);
            assert_eq!(value, Ok(expected), "{pragma} of a {role:?}");
        }
    }
}

/// SQLite in another process notices this process only by its locks on the file.
#[test]
fn a_store_that_is_closed_leaves_others_their_locks() {
    use std::os::unix::fs::MetadataExt;
    let folder = TempDir::new().unwrap();
    let first = store(&folder);
    let mut connection = first.opener.open(Role::Reader).unwrap();
    connection.batch_execute("BEGIN; SELECT count(*) FROM users").unwrap();
    let inode = folder.path().join("app.db").metadata().unwrap().ino();
    let locks = || {
        let all = std::fs::read_to_string("/proc/locks").unwrap();
        let ours =
            |line: &&str| line.split_whitespace().nth(5).is_some_and(|file| file.ends_with(&format!(":{inode}")));
        all.lines().filter(ours).count()
    };
    assert!(locks() > 0);
    drop(store(&folder));
    assert!(locks() > 0);
    drop((first, connection));
    assert_eq!(locks(), 0);
}

#[test]
fn a_full_disk_refuses_writes_alone_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let limit = |connection: &mut SqliteConnection| {
        connection.batch_execute("PRAGMA max_page_count = 40").map_err(|e| StoreError::Failed(e.to_string()))
    };
    store.with_writer(store.wait, limit).unwrap();
    let (mut acknowledged, mut failure) = (Vec::new(), None);
    while failure.is_none() {
        match register(&store, u32::try_from(acknowledged.len()).unwrap()) {
            Ok(user) => acknowledged.push(user.unwrap()),
            Err(error) => failure = Some(error),
        }
    }
    assert_eq!(failure, Some(StoreError::Unwritable("database or disk is full".to_owned())));
    for user in &acknowledged {
        assert_eq!(store.read(|tx| tx.users().find(user.id)), Ok(Some(user.clone())));
    }
    // The limit was set on the lost connection, so there is space again.
    assert!(register(&store, u32::MAX).unwrap().is_some());
    let mut connection = store.opener.open(Role::Reader).unwrap();
    let check = sql::<diesel::sql_types::Text>("PRAGMA integrity_check").get_result::<String>(&mut connection);
    assert_eq!(check.as_deref(), Ok("ok"));
}

#[test]
fn a_read_only_file_refuses_writes_alone() {
    let folder = TempDir::new().unwrap();
    let mut store = store(&folder);
    let user = register(&store, 1).unwrap().unwrap();
    store.opener.uri = store.file.uri("ro");
    store.writer = FairMutex::new(Writer::Closed);
    assert_eq!(register(&store, 2), Err(StoreError::Unwritable("attempt to write a readonly database".to_owned())));
    assert_eq!(store.read(|tx| tx.users().find(user.id)), Ok(Some(user)));
    assert_eq!(store.migrate(), Ok(Vec::new()), "nothing is pending, so nothing is written");
}
