//! F7, F8, F14 and the concurrent starts of F32: other processes on the same database.

use crate::prelude::*;
use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, PgConnection};

on_both_databases!(
    two_services_share_one_database,
    a_rolling_restart_refuses_nothing,
    races_over_two_services_have_one_winner,
    two_starters_migrate_once,
);

/// Every history alternates between both services, and none is refused.
fn two_services_share_one_database(backend: Backend) {
    let one = backend.service().start();
    let two = one.again().start();
    let histories = one.watched(|| two.watched(|| work(&[&one, &two], |progress| progress.acknowledge(400))));
    assert!(histories.iter().all(|history| history.cut.is_none()), "refused");
    check(&histories, &two);
}

fn a_rolling_restart_refuses_nothing(backend: Backend) {
    let mut old = backend.service().start();
    let next = old.again().start();
    let histories = work(&[&next], |progress| {
        for _ in 0..4 {
            progress.acknowledge(40);
            // A clean stop leaves the file consistent while the other service has it open.
            old.stop();
            old = next.again().start();
        }
    });
    assert!(histories.iter().all(|history| history.cut.is_none()), "refused");
    check(&histories, &old);
}

fn races_over_two_services_have_one_winner(backend: Backend) {
    let one = backend.service().start();
    let services = [one.again().start(), one];
    for _ in 0..10 {
        let (account, pair) = services[0].session();
        let statuses = at_once(8, |number| services[number % 2].refresh(&pair.refresh).status);
        assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
        services[1].register(&account.email, "long enough").expect_error(409, "CONFLICT");
    }
}

fn two_starters_migrate_once(backend: Backend) {
    for _ in 0..3 {
        let database = backend.database();
        let services = at_once(3, |_| ServiceBuilder::over(&database).start());
        let (_, pair) = services[0].session();
        services[2].refresh(&pair.refresh).expect(200);
        let applied = services.iter().map(|service| {
            service.flushed_log();
            service.events("Migration applied").len() as i64
        });
        assert_eq!(applied.sum::<i64>(), database.count("FROM __diesel_schema_migrations"), "each by one of them");
    }
}

/// Statement timeout, which is longer than the lock timeout.
const STATEMENT: Duration = Duration::from_secs(5);
/// Sum of the waits for a connection and for a lock.
const WAITS: Duration = Duration::from_secs(8);
const WAITING: &str = "FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'portcullis' AND wait_event_type = 'Lock'";

/// Starts a service and opens a connection that holds its database's write lock.
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
        // Longer than everything the request does before it needs the lock.
        pause(Duration::from_secs(1));
        assert!(!register.is_finished(), "it met no lock");
        other.batch_execute("COMMIT").unwrap();
        register.join().unwrap().expect(201);
    });
}

/// Bounds of the lock wait, which is about 5 s.
const LEAST: Duration = Duration::from_secs(4);
const MOST: Duration = Duration::from_secs(8);

#[test]
fn a_long_lock_of_another_process_is_503() {
    let (service, mut other) = locked();
    let email = fresh_email();
    service.watched(|| {
        let (time, reply) = timed(|| within_deadline(|| service.register(&email, "long enough")));
        reply.expect_unavailable();
        assert!((LEAST..MOST).contains(&time), "it waited {time:?}");
        other.batch_execute("COMMIT").unwrap();
        service.expect_healed();
    });
    service.register(&email, "long enough").expect(201);
}

#[test]
fn locked_tables_and_a_full_pool_are_503() {
    let service = Backend::Postgres.service().start();
    let (account, pair) = service.session();
    let mut other = PgConnection::establish(&service.database.url()).unwrap();
    other.batch_execute("BEGIN; LOCK TABLE refresh_tokens, users IN ACCESS EXCLUSIVE MODE").unwrap();
    service.watched(|| {
        let (time, reply) = timed(|| within_deadline(|| service.me(&pair.access)));
        reply.expect_unavailable();
        assert!(time < STATEMENT, "not the lock's own limit: {time:?}");
        // Several times the number of connections. The first wait for the lock, later ones for a connection
        // and then the lock, and the last time out waiting for a connection.
        at_once(120, |number| {
            let call = || match number % 4 {
                0 => service.login(&account.email, &account.password),
                1 => service.refresh(&pair.refresh),
                2 => service.logout(&pair.refresh),
                _ => service.me(&pair.access),
            };
            let (time, reply) = timed(|| within_deadline(call));
            reply.expect_unavailable();
            // The others are queued first.
            assert!(number % 4 != 0 || time < WAITS, "a login waited {time:?}");
        });
        // After its response, no request's connection still waits for the lock.
        eventually("no connection waits for the lock", || (service.database.count(WAITING) == 0).then_some(()));
        other.batch_execute("ROLLBACK").unwrap();
        service.expect_healed();
    });
    // A timed-out refresh may have succeeded after all, at most once.
    let live = format!("FROM refresh_tokens WHERE NOT revoked AND user_id = {}", account.id);
    let before = service.database.count(&live);
    let reply = service.refresh(&pair.refresh);
    assert!(matches!(reply.status, 200 | 401) && before >= 1, "{before} live tokens, {}", reply.text());
}
