//! PgBouncer between a store and its server.

use super::{Sandbox, TestDatabase, open};
use crate::samples::{accounts, patient, register};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use portcullis_diesel::{MigrateError, Migrations};
use portcullis_testkit::postgres::{Pooler, Server};
use std::sync::atomic::{AtomicBool, Ordering};

fn assert_refused(error: &MigrateError) {
    assert!(matches!(error, MigrateError::Url(_)) && !error.is_temporary(), "{error}");
    assert!(error.to_string().contains("pool_mode=session"), "{error}");
}

#[test]
fn transaction_mode_pooler_is_refused_before_any_change() {
    for settings in ["default_pool_size = 1", "default_pool_size = 4", "default_pool_size = 4\nserver_round_robin = 1"]
    {
        let sandbox = Sandbox::new();
        let pooler = Pooler::start(Server::shared(), "transaction", settings);
        let store = open(&pooler.url(sandbox.name()), &patient());
        assert_refused(&store.status().unwrap_err());
        assert_refused(&store.migrate().unwrap_err());
        assert_refused(&store.redo().unwrap_err());
        assert_eq!(sandbox.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), "");
        // The settings that the next client gets are unchanged.
        let mut next = PgConnection::establish(&pooler.url(sandbox.name())).unwrap();
        next.batch_execute("DO $$ BEGIN ASSERT current_setting('enable_seqscan') = 'on'; END $$").unwrap();
    }
}

#[test]
fn a_pooler_in_statement_mode_is_refused() {
    let sandbox = Sandbox::new();
    let pooler = Pooler::start(Server::shared(), "statement", "");
    assert_refused(&open(&pooler.url(sandbox.name()), &patient()).migrate().unwrap_err());
}

#[test]
fn a_pooler_in_transaction_mode_is_refused_while_others_use_it() {
    let sandbox = Sandbox::new();
    let pooler = Pooler::start(Server::shared(), "transaction", "default_pool_size = 3");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            let mut other = PgConnection::establish(&pooler.url(sandbox.name())).unwrap();
            let done = &done;
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    other.batch_execute("BEGIN; SELECT pg_sleep(0.001); COMMIT").unwrap();
                }
            });
        }
        let tried: Vec<_> = (0..10).map(|_| open(&pooler.url(sandbox.name()), &patient()).status()).collect();
        // Stop the other threads first: a failed assertion would otherwise wait for them forever.
        done.store(true, Ordering::Relaxed);
        tried.into_iter().for_each(|outcome| assert_refused(&outcome.unwrap_err()));
    });
}

#[test]
fn a_pooler_in_session_mode_serves() {
    let sandbox = Sandbox::new();
    let pooler = Pooler::start(Server::shared(), "session", "server_reset_query = DEALLOCATE ALL");
    let store = open(&pooler.url(sandbox.name()), &patient());
    store.migrate().unwrap();
    // The pooler keeps the server connection, so a session-level lock would remain.
    let locks = "SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database \
        WHERE locktype = 'advisory' AND datname = current_database()";
    assert_eq!(sandbox.execute(locks), "0\n");
    assert!(register(&store, "ada@example.com").unwrap().is_some());
    assert_eq!(accounts(&store, "ada@example.com").unwrap().len(), 1);
}
