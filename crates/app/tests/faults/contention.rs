//! Security requirements F7 and F8: others at the same database.

use crate::harness::accounts::fresh_email;
use crate::harness::databases::{Backend, Database, sqlite};
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use crate::harness::waiting::timed;
use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;
use std::thread;
use std::time::Duration;

on_both_databases!(two_services_share_one_database, two_starters_migrate_once,);

fn two_services_share_one_database(backend: Backend) {
    let one = backend.service().start();
    let two = one.again().start();
    let (account, pair) = one.session();
    two.refresh(&pair.refresh).expect(200);
    one.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    two.register(&account.email, "long enough").expect_error(409, "CONFLICT");
    let services = [&one, &two];
    thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let service: &Service = services[number % 2];
                for _ in 0..10 {
                    let (_, pair) = service.session();
                    services[(number + 1) % 2].refresh(&pair.refresh).expect(200);
                }
            });
        }
    });
    assert_eq!(one.database.count("FROM users"), 41);
}

fn two_starters_migrate_once(backend: Backend) {
    for _ in 0..3 {
        let database = backend.database();
        let starters = [(); 3].map(|()| crate::harness::services::Setup::over(&database));
        let services: Vec<_> = thread::scope(|scope| {
            let starting: Vec<_> = starters.into_iter().map(|setup| scope.spawn(|| setup.start())).collect();
            starting.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let (_, pair) = services[0].session();
        services[2].refresh(&pair.refresh).expect(200);
    }
}

/// A service and a connection that holds its database's write lock.
fn locked() -> (Service, SqliteConnection) {
    let service = Backend::Sqlite.service().start();
    let Database::Sqlite(path) = &service.database else { unreachable!() };
    let mut other = sqlite(path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    (service, other)
}

#[test]
fn a_short_lock_of_another_process_is_not_seen() {
    let (service, mut other) = locked();
    thread::scope(|scope| {
        let register = scope.spawn(|| service.register(&fresh_email(), "long enough"));
        service.log.wait_for(1, |event| event["message"] == "Request started");
        other.batch_execute("COMMIT").unwrap();
        register.join().unwrap().expect(201);
    });
}

#[test]
fn a_long_lock_of_another_process_is_503() {
    let (service, mut other) = locked();
    let email = fresh_email();
    let (time, reply) = timed(|| service.register(&email, "long enough"));
    reply.expect_unavailable();
    assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&time), "{time:?}");
    assert_eq!(service.get("/health").status, 200);
    other.batch_execute("COMMIT").unwrap();
    crate::harness::waiting::eventually("writes again", || {
        (service.register(&email, "long enough").status == 201).then_some(())
    });
}
