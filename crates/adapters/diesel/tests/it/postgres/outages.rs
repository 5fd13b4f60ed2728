//! Servers that are down, restart, crash or change their role.

use super::{Sandbox, TestDatabase, open};
use crate::samples::{account_with_token, accounts, all_migrations, newcomer, patient, register, rotation};
use portcullis_diesel::{MigrateError, Migrations, PostgresStore};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_domain::tokens::{Jti, RefreshState};
use portcullis_ports::{Store, StoreError, StoreExt, TxMode, TxOutcome};
use portcullis_testkit::postgres::Server;

/// Starts servers with English and with German messages.
const LANGUAGES: [fn() -> Server; 2] = [Server::start, Server::in_german];

fn store_on(server: &Server) -> PostgresStore {
    let store = open(&server.create_database().url, &patient());
    store.migrate().unwrap();
    store
}

/// Opens this many connections and leaves them idle in the pool.
fn fill_pool(store: &PostgresStore, connections: u32) {
    if connections > 0 {
        let nested = store.read(|_| {
            fill_pool(store, connections - 1);
            Ok::<_, StoreError>(())
        });
        nested.unwrap();
    }
}

#[test]
fn a_server_that_is_down_at_the_start_is_found_when_it_comes() {
    for start in LANGUAGES {
        let server = start();
        let url = server.create_database().url;
        server.stop();
        let store = open(&url, &patient());
        assert!(matches!(register(&store, "ada@example.com"), Err(StoreError::Unavailable(_))));
        let error = store.migrate().unwrap_err();
        assert!(matches!(error, MigrateError::Unavailable(_)) && error.is_temporary(), "{error}");
        server.restart();
        assert_eq!(store.migrate(), Ok(all_migrations()));
        assert!(register(&store, "ada@example.com").unwrap().is_some());
    }
}

#[test]
fn a_restart_costs_no_call_once_the_server_is_back() {
    for start in LANGUAGES {
        let server = start();
        let store = store_on(&server);
        fill_pool(&store, 5);
        server.stop();
        let error = accounts(&store, "ada@example.com").unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        server.restart();
        for number in 0..8 {
            assert!(register(&store, &format!("{number}@example.com")).unwrap().is_some());
        }
    }
}

#[test]
fn crash_mid_transaction_is_an_outage_and_keeps_earlier_writes() {
    for start in LANGUAGES {
        let server = start();
        let store = store_on(&server);
        let user = register(&store, "ada@example.com").unwrap().unwrap();
        let outcome = store.transact(TxMode::Write, &mut |tx| {
            tx.users().insert(&newcomer("bob@example.com"))?;
            server.crash();
            // Work that ignores the error does not hide the outage.
            assert!(tx.users().insert(&newcomer("eve@example.com")).is_err());
            Ok(TxOutcome::Rollback)
        });
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        let outcome = store.write(|tx| tx.users().insert(&newcomer("bob@example.com")));
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        server.restart();
        assert_eq!(accounts(&store, "ada@example.com"), Ok(vec![user]));
        assert_eq!(accounts(&store, "bob@example.com"), Ok(Vec::new()));
    }
}

#[test]
fn a_crash_at_the_commit_is_no_success() {
    for start in LANGUAGES {
        let server = start();
        let store = store_on(&server);
        let outcome = store.write(|tx| {
            let user = tx.users().insert(&newcomer("ada@example.com"));
            server.crash();
            user
        });
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    }
}

#[test]
fn connections_that_the_server_cut_are_never_handed_out_twice() {
    for sandbox in Sandbox::in_both_languages() {
        let store = sandbox.store();
        fill_pool(&store, 5);
        let cut = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'portcullis'";
        assert_eq!(sandbox.execute(cut), "5\n");
        for number in 0..8 {
            assert!(register(&store, &format!("{number}@example.com")).unwrap().is_some());
        }
    }
}

#[test]
fn reads_and_rotations_succeed_after_idle_connections_are_cut() {
    for start in LANGUAGES {
        let server = start();
        let store = store_on(&server);
        let first = Jti::from_random([1; 16]);
        let ada = account_with_token(&store, "ada@example.com", first);
        for crashed in [false, true] {
            fill_pool(&store, 5);
            if crashed {
                server.crash()
            } else {
                server.stop()
            }
            server.restart();
            let (spent, next) = if crashed { (2, 3) } else { (1, 2) };
            let (spent, next) = (Jti::from_random([spent; 16]), Jti::from_random([next; 16]));
            let mut rotation = rotation(ada.id, spent, next);
            rotation.successor.session_id = Some(SessionId::for_legacy_token(first));
            assert_eq!(store.rotate(&[rotation]), Ok(vec![true]), "crashed: {crashed}");
            assert_eq!(accounts(&store, "ada@example.com").map(|found| found.len()), Ok(1), "crashed: {crashed}");
        }
    }
}

#[test]
fn rotation_on_a_crashing_server_is_an_outage_and_not_resent() {
    for start in LANGUAGES {
        let server = start();
        let database = server.create_database();
        let name = database.url.rsplit('/').next().unwrap();
        let store = open(&database.url, &patient());
        store.migrate().unwrap();
        let first = Jti::from_random([1; 16]);
        let ada = account_with_token(&store, "ada@example.com", first);
        // The table is locked, so that the statement is running when the server crashes.
        let outcome = std::thread::scope(|scope| {
            let blocker = scope.spawn(|| {
                server.psql(name, "BEGIN; LOCK TABLE refresh_tokens IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)")
            });
            let held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted \
                AND relation = 'refresh_tokens'::regclass";
            while server.psql(name, held) != "1\n" {
                std::thread::yield_now();
            }
            let rotating = scope.spawn(|| store.rotate(&[rotation(ada.id, first, Jti::from_random([2; 16]))]));
            let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'refresh_tokens'::regclass";
            while server.psql(name, waiting) != "1\n" {
                std::thread::yield_now();
            }
            server.crash();
            let _ = blocker.join();
            rotating.join().unwrap()
        });
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        server.restart();
        let found = store.read(|tx| tx.refresh_tokens().find(first)).unwrap();
        assert!(found.is_some_and(|found| found.token.state == RefreshState::Live));
    }
}

#[test]
fn a_demoted_primary_takes_no_writes_and_serves_reads() {
    for sandbox in Sandbox::in_both_languages() {
        sandbox.store();
        let demote = |on: &str| {
            let change = format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", sandbox.name());
            sandbox.execute(&format!("BEGIN READ WRITE; {change}; COMMIT"));
        };
        demote("on");
        let store = sandbox.open(&patient());
        assert_eq!(store.pending(), Ok(Vec::new()));
        let refused = StoreError::Unwritable("the server is read-only".to_owned());
        assert_eq!(register(&store, "ada@example.com"), Err(refused.clone()));
        assert_eq!(accounts(&store, "ada@example.com"), Ok(Vec::new()));
        assert_eq!([TxMode::Read, TxMode::Write].map(|mode| store.check(mode)), [(); 2].map(|()| Err(refused.clone())));
        demote("off");
        // The checks dropped the connections that have the old setting.
        assert_eq!([TxMode::Read, TxMode::Write].map(|mode| store.check(mode)), [Ok(()), Ok(())]);
        assert_eq!(register(&store, "bob@example.com").map(|user| user.is_some()), Ok(true));
    }
}

/// A commit that changed nothing is confirmed even while every other one waits for a standby.
#[test]
fn only_a_transaction_that_changed_a_row_has_written() {
    let store = Sandbox::new().store();
    let user = register(&store, "ada@example.com").unwrap().unwrap();
    let has_written = |id: i64| {
        store.write(|tx| {
            tx.users().set_active(UserId::new(id), false)?;
            Ok::<_, StoreError>(tx.has_written())
        })
    };
    assert_eq!([0, 1].map(|more| has_written(user.id.get() + more)), [Ok(true), Ok(false)]);
}

#[test]
fn errors_show_nothing_of_the_url_but_hosts() {
    let missing = Sandbox::in_both_languages().map(|sandbox| sandbox.0.url.replace("/test_", "/secret_"));
    for url in missing.into_iter().chain([
        "postgres://secret:secret@127.0.0.1:1/secret".to_owned(),
        "postgres://secret:secret@nowhere.invalid/secret".to_owned(),
    ]) {
        let error = open(&url, &patient()).migrate().unwrap_err();
        assert!(error.is_temporary(), "{error}");
        assert!(!error.to_string().contains("secret") && !error.to_string().contains('\n'), "{error}");
    }
}
