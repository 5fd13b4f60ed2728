//! Group commits, and the effects of one member on the others.

use super::*;
use crate::sqlite::writer::WriteJob;
use chrono::TimeDelta;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{ClientInfo, Session, SessionId};
use portcullis_domain::tokens::{Jti, RefreshToken};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, yield_now};

const LONG: Duration = Duration::from_secs(60);

type Outcome = Result<(), StoreError>;
/// Work of one writer.
type Call<'a> = Box<dyn Fn() -> Outcome + Send + Sync + 'a>;

fn store(folder: &TempDir) -> SqliteStore {
    let patient = StoreOptions { wait: LONG, ..StoreOptions::default() };
    let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
    let store = SqliteStore::open(&folder.path().join("app.db"), &patient, clock).unwrap();
    store.migrate().unwrap();
    store
}

/// Queues the writers in this order, then lets them write. `None` for those that panic.
fn together(store: &SqliteStore, calls: &[Call<'_>]) -> Vec<Option<Outcome>> {
    thread::scope(|scope| {
        let turn = store.writer.acquire(LONG).unwrap();
        let waits = |(before, call)| {
            let running = scope.spawn(call);
            while store.writer.waiting() <= before {
                yield_now();
            }
            running
        };
        let running: Vec<_> = calls.iter().enumerate().map(waits).collect();
        drop(turn);
        running.into_iter().map(|writer| writer.join().ok()).collect()
    })
}

fn registers(store: &SqliteStore, number: u32) -> Call<'_> {
    Box::new(move || register(store, number).map(|user| assert!(user.is_some())))
}

/// Writes, then runs `then`.
fn shares<'a>(
    store: &'a SqliteStore,
    then: impl Fn(&mut SqliteConnection) -> Result<TxOutcome, StoreError> + Send + Sync + 'a,
) -> Call<'a> {
    Box::new(move || {
        let share: &mut WriteJob<'_> = &mut |connection| {
            run(
                connection,
                "INSERT INTO users (email, hashed_password, created_at) VALUES (hex(randomblob(8)), '', '')",
            );
            then(connection)
        };
        store.write_grouped(share)
    })
}

fn run(connection: &mut SqliteConnection, statements: &str) {
    connection.batch_execute(statements).unwrap();
}

fn failure() -> StoreError {
    StoreError::Failed("on purpose".to_owned())
}

fn accounts(store: &SqliteStore) -> i64 {
    let mut connection = store.opener.open(Role::Reader).unwrap();
    sql::<BigInt>("SELECT count(*) FROM users").get_result(&mut connection).unwrap()
}

/// Returns the number of commits in the WAL (SQLite's "WAL file format": the second word of a frame's
/// header is the size of the database after a commit, and 0 in every other frame).
fn commits(folder: &TempDir) -> usize {
    let log = std::fs::read(folder.path().join("app.db-wal")).unwrap();
    let (header, frames) = log.split_at(32);
    let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let frames = frames.chunks_exact(24 + usize::try_from(word(header, 8)).unwrap());
    frames.filter(|frame| frame[8..16] == header[16..24] && word(frame, 4) != 0).count()
}

#[test]
fn those_who_wait_share_a_commit_and_a_lone_writer_has_one() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let user = register(&store, 0).unwrap().unwrap();
    let session = Session::begin(SessionId::from_random([1; 16]), user.id, user.created_at);
    let token = |number| {
        let jti = Jti::from_random([number; 16]);
        RefreshToken::new(jti, user.id, user.created_at, TimeDelta::days(7)).with_session(session.id)
    };
    store.write(|tx| tx.sessions().begin(&session, &ClientInfo::default())).unwrap();
    for number in 0..8 {
        store.write(|tx| tx.refresh_tokens().insert(&token(number))).unwrap();
    }
    let before = commits(&folder);
    assert!(register(&store, 1).unwrap().is_some());
    assert_eq!(commits(&folder), before + 1);
    let rotates = |number: u8| -> Call<'_> {
        let (spent, at, successor) = (token(number).jti, user.created_at, token(100 + number));
        let (session_cutoff, client) = (at - TimeDelta::days(30), ClientInfo::default());
        let rotation = Rotation { spent, at, key: None, session_cutoff, verified_only: false, client, successor };
        let store = &store;
        Box::new(move || store.rotate(std::slice::from_ref(&rotation)).map(|rotated| assert_eq!(rotated, [true])))
    };
    let calls: Vec<_> =
        (0..8).flat_map(|number| [rotates(number), registers(&store, 10 + u32::from(number))]).collect();
    assert_eq!(together(&store, &calls), vec![Some(Ok(())); 16]);
    assert_eq!((commits(&folder), accounts(&store)), (before + 2, 10));
}

#[test]
fn a_commit_is_not_put_off_without_end() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let before = commits(&folder);
    let calls: Vec<_> = (0..100).map(|number| registers(&store, number)).collect();
    assert_eq!(together(&store, &calls), vec![Some(Ok(())); 100]);
    assert_eq!(commits(&folder), before + 2, "64 and 36");
}

#[test]
fn a_member_that_fails_or_panics_harms_nobody() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let cases = (0..4).flat_map(|place| [(0, place), (1, place), (2, place)]);
    for (round, (kind, place)) in cases.enumerate() {
        let first = u32::try_from(round).unwrap() * 3;
        let mut calls: Vec<_> = (first..first + 3).map(|number| registers(&store, number)).collect();
        let (worse, expected) = match kind {
            0 => (shares(&store, |_| Err(failure())), Some(Err(failure()))),
            1 => (shares(&store, |_| resume_unwind(Box::new("on purpose"))), None),
            _ => (shares(&store, |_| Ok(TxOutcome::Rollback)), Some(Ok(()))),
        };
        calls.insert(place, worse);
        let mut wanted = vec![Some(Ok(())); 3];
        wanted.insert(place, expected);
        assert_eq!(together(&store, &calls), wanted, "kind {kind} at {place}");
        assert_eq!(accounts(&store), i64::from(first) + 3, "kind {kind} at {place}");
    }
}

#[test]
fn where_the_commit_fails_nobody_is_told_otherwise() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let dangling = "PRAGMA defer_foreign_keys = ON; \
        INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked, created_at) VALUES ('', 99, '', 0, '')";
    for place in 0..3 {
        let mut calls = vec![registers(&store, 1), registers(&store, 2)];
        calls.insert(
            place,
            shares(&store, |connection| {
                run(connection, dangling);
                Ok(TxOutcome::Commit)
            }),
        );
        // The member that rolled back has read the others' rows, which no longer exist.
        calls.push(shares(&store, |_| Ok(TxOutcome::Rollback)));
        let failed = Some(Err(StoreError::Failed("FOREIGN KEY constraint failed".to_owned())));
        assert_eq!(together(&store, &calls), vec![failed; 4]);
        assert_eq!(accounts(&store), 0);
    }
    assert!(register(&store, 1).unwrap().is_some(), "the store goes on");
}

#[test]
fn file_deleted_before_the_commit_fails_every_caller() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let goes = shares(&store, |_| {
        std::fs::remove_file(folder.path().join("app.db")).unwrap();
        Ok(TxOutcome::Commit)
    });
    let outage = StoreError::Unavailable("the database file was deleted".to_owned());
    assert_eq!(together(&store, &[registers(&store, 1), goes, registers(&store, 2)]), vec![Some(Err(outage)); 3]);
}

#[test]
fn full_disk_fails_every_caller_in_the_transaction() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let fills = shares(&store, |connection| {
        run(connection, "PRAGMA max_page_count = 1");
        let filled = connection.batch_execute(
            "INSERT INTO users (email, hashed_password, created_at) VALUES (hex(zeroblob(100000)), '', '')",
        );
        Err(SqliteConnection::classify(&filled.unwrap_err(), TxMode::Write))
    });
    let outcomes = together(&store, &[registers(&store, 1), fills, registers(&store, 2)]);
    let full = Some(Err(StoreError::Unwritable("database or disk is full".to_owned())));
    assert_eq!(outcomes, [full.clone(), full, Some(Ok(()))], "the last begins anew");
    assert_eq!(accounts(&store), 1);
}

/// SQLite may or may not have rolled back all of it, and the store does not check.
#[test]
fn outage_of_one_caller_fails_all_in_the_transaction() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let outage = StoreError::Unavailable("disk I/O error".to_owned());
    let fails = shares(&store, |_| Err(outage.clone()));
    let outcomes = together(&store, &[registers(&store, 1), fails, registers(&store, 2)]);
    let lost = Some(Err(outage.clone()));
    assert_eq!(outcomes, [lost.clone(), lost, Some(Ok(()))], "the last begins anew");
    assert_eq!(accounts(&store), 1);
}

#[test]
fn transaction_undone_by_sqlite_fails_all_its_callers() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    for (outcome, number) in [(Ok(TxOutcome::Commit), 1), (Ok(TxOutcome::Rollback), 2), (Err(failure()), 3)] {
        let undoes = shares(&store, |connection| {
            run(connection, "ROLLBACK");
            outcome.clone()
        });
        let outcomes = together(&store, &[registers(&store, 0), undoes, registers(&store, number)]);
        let lost = StoreError::Unavailable("the transaction was lost".to_owned());
        assert_eq!(outcomes.first(), Some(&Some(Err(lost))), "{outcome:?}");
        assert!(matches!(outcomes.get(1), Some(Some(Err(StoreError::Failed(_))))), "{outcomes:?}");
        assert_eq!(outcomes.get(2), Some(&Some(Ok(()))), "{outcome:?}");
        assert_eq!(accounts(&store), i64::from(number));
    }
}

#[test]
fn nobody_is_answered_before_the_commit() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let answered = AtomicBool::new(false);
    let first: Call<'_> = Box::new(|| {
        let outcome = register(&store, 1).map(drop);
        answered.store(true, Ordering::SeqCst);
        outcome
    });
    let second = shares(&store, |_| {
        for _ in 0..10_000 {
            yield_now();
        }
        assert!(!answered.load(Ordering::SeqCst));
        assert_eq!(accounts(&store), 0);
        Ok(TxOutcome::Commit)
    });
    assert_eq!(together(&store, &[first, second]), vec![Some(Ok(())); 2]);
    assert!(store.read(|tx| tx.users().find(UserId::new(1))).unwrap().is_some());
}
