//! Locks held by other processes and other threads.

use super::{Sandbox, TestDatabase};
use crate::samples::{accounts, impatient, register};
use diesel::connection::SimpleConnection;
use portcullis_ports::{StoreError, StoreExt};
use std::sync::mpsc::channel;

#[test]
fn long_lock_is_busy_for_writers_and_harmless_to_readers() {
    let sandbox = Sandbox::new();
    sandbox.store();
    let store = sandbox.open(&impatient());
    let mut other = sandbox.connect();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    assert_eq!(register(&store, "ada@example.com"), Err(StoreError::Busy("database is locked".to_owned())));
    assert_eq!(accounts(&store, "ada@example.com"), Ok(Vec::new()));
    other.batch_execute("ROLLBACK").unwrap();
    assert!(register(&store, "ada@example.com").unwrap().is_some());
}

#[test]
fn a_short_lock_is_waited_for() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    let mut other = sandbox.connect();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let (begun, holder) = channel();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            begun.send(()).unwrap();
            register(&store, "ada@example.com")
        });
        holder.recv().unwrap();
        other.batch_execute("COMMIT").unwrap();
        assert!(waiting.join().unwrap().unwrap().is_some());
    });
}

#[test]
fn a_writer_that_takes_too_long_makes_the_others_busy() {
    let sandbox = Sandbox::new();
    sandbox.store();
    let store = sandbox.open(&impatient());
    store
        .write(|_| {
            let other = std::thread::scope(|scope| scope.spawn(|| register(&store, "ada@example.com")).join());
            assert!(matches!(other.unwrap(), Err(StoreError::Busy(_))));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert!(register(&store, "ada@example.com").unwrap().is_some());
}

#[test]
fn two_stores_on_one_file_are_as_one() {
    let sandbox = Sandbox::new();
    let (one, two) = (sandbox.store(), sandbox.store());
    let won: Vec<_> = std::thread::scope(|scope| {
        let stores = [&one, &two].into_iter().cycle().take(16);
        let running: Vec<_> = stores.map(|store| scope.spawn(|| register(store, "ada@example.com"))).collect();
        running.into_iter().filter_map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    assert_eq!(won.len(), 1);
    assert_eq!(accounts(&one, "ada@example.com"), accounts(&two, "ada@example.com"));
}
