//! Servers that admit fewer connections than the pool may open.

use super::open;
use crate::samples::{accounts, impatient, patient, register};
use diesel::{Connection, PgConnection};
use portcullis_diesel::{Migrations, StoreOptions};
use portcullis_ports::StoreError;
use portcullis_testkit::postgres::Server;
use std::num::NonZeroU32;

const CALLERS: u32 = 12;

/// Creates a database owned by its own role with this connection limit. Returns its URL.
fn limited(server: &'static Server, name: &str, connections: u32) -> String {
    server.psql("postgres", &format!("CREATE ROLE {name} LOGIN; CREATE DATABASE {name} OWNER {name}"));
    let url =
        server.url(name).replace("//postgres@", "//").replace("//app@", "//").replace("//", &format!("//{name}@"));
    open(&url, &patient()).migrate().unwrap();
    server.psql("postgres", &format!("ALTER ROLE {name} CONNECTION LIMIT {connections}"));
    url
}

/// The server needs a moment to end a connection that its client has closed.
fn until_all_are_gone(role: &str) {
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
    while Server::shared().psql("postgres", &count) != "0\n" {
        std::thread::yield_now();
    }
}

#[test]
fn callers_share_the_connections_that_the_server_admits() {
    for server in [Server::shared(), Server::shared_in_german()] {
        let url = limited(server, "few", 3);
        let store = open(&url, &StoreOptions { connections: NonZeroU32::new(CALLERS).unwrap(), ..patient() });
        assert_eq!(store.pending(), Ok(Vec::new()));
        std::thread::scope(|scope| {
            for caller in 0..CALLERS {
                let store = &store;
                scope.spawn(move || {
                    for number in 0..4 {
                        let address = format!("{caller}-{number}@example.com");
                        assert!(register(store, &address).unwrap().is_some());
                        assert_eq!(accounts(store, &address).unwrap().len(), 1);
                    }
                });
            }
        });
    }
}

#[test]
fn a_pool_without_any_connection_is_an_outage_and_heals() {
    let url = limited(Server::shared(), "single", 1);
    let store = open(&url, &impatient());
    assert_eq!(store.pending(), Ok(Vec::new()));
    until_all_are_gone("single");
    let other = PgConnection::establish(&url).unwrap();
    let error = register(&store, "ada@example.com").unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    drop(other);
    until_all_are_gone("single");
    assert!(register(&store, "ada@example.com").unwrap().is_some());
}

/// The caller holds the only connection, and a second call waits for it.
#[test]
fn call_waits_for_an_open_connection_and_is_busy_without_one() {
    let url = limited(Server::shared(), "alone", 1);
    let store = open(&url, &impatient());
    assert_eq!(store.pending(), Ok(Vec::new()));
    until_all_are_gone("alone");
    let inner = portcullis_ports::StoreExt::read(&store, |_| Ok::<_, StoreError>(register(&store, "ada@example.com")));
    assert!(matches!(inner, Ok(Err(StoreError::Busy(_)))), "{inner:?}");
    assert!(register(&store, "ada@example.com").unwrap().is_some());
}
