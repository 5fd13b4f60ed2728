//! F1, F2 and F4: repeated SIGKILL under load loses nothing that was acknowledged. `PORTCULLIS_TEST_LONG=1`
//! runs 50 kills per database.

use crate::oracle::Cut;
use crate::prelude::*;
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

on_both_databases!(a_kill_under_load_loses_nothing_acknowledged, a_kill_during_the_first_start_is_mended_by_the_next,);

fn kills() -> usize {
    if long_form() { 50 } else { 8 }
}

fn a_kill_under_load_loses_nothing_acknowledged(backend: Backend) {
    let mut service = backend.service().start();
    let (mut cut_off, mut starts) = (0, Vec::new());
    for round in 0..kills() {
        let histories = work(&[&service], |progress| {
            progress.acknowledge(10 + round * 13 % 60);
            service.kill();
        });
        cut_off += histories.iter().filter(|history| history.cut == Some(Cut::Gone)).count();
        let (time, next) = timed(|| service.again().start());
        starts.push(time);
        service = next;
        check(&histories, &service);
    }
    assert!(cut_off >= kills(), "the kills met no work: {cut_off}");
    // A single slow start may be due to the machine, so the median is checked.
    starts.sort_unstable();
    assert!(starts[kills() / 2] < Duration::from_secs(2), "starts took {starts:?}");
}

/// Delays up to this are tried in small steps. A start that takes longer is waiting for something.
const CLOSELY: Duration = Duration::from_millis(300);
/// Maximum time of a start on any machine.
const LISTENING: Duration = Duration::from_secs(5);

/// Kills starts after growing delays until one is listening. Returns the delays.
fn kill_starts(database: &Database, step: Duration) -> Vec<Duration> {
    let (mut delays, mut delay) = (Vec::new(), step);
    while delay < LISTENING {
        let mut starting = KillOnDrop::spawn(&mut ServiceBuilder::over(database).command());
        let output = starting.child().stdout.take().unwrap();
        let log = crate::harness::log::Log::follow(output);
        pause(delay);
        assert!(starting.child().try_wait().unwrap().is_none(), "a start was refused");
        starting.child().kill().unwrap();
        drop(starting);
        log.wait_for_end();
        delays.push(delay);
        if log.text().contains("Listening") {
            return delays;
        }
        delay = if delay < CLOSELY { delay + step } else { delay * 11 / 10 };
    }
    panic!("no start came so far as to listen");
}

fn a_kill_during_the_first_start_is_mended_by_the_next(backend: Backend) {
    let step = Duration::from_millis(if long_form() { 1 } else { 8 });
    // First on what the previous kill left, then on a fresh database each time.
    let database = backend.database();
    let delays = kill_starts(&database, step);
    assert!(delays.len() > 3, "the kills came too late: {delays:?}");
    let service = ServiceBuilder::over(&database).start();
    service.session();
    for delay in delays.iter().step_by(if long_form() { 1 } else { delays.len() / 6 + 1 }) {
        let database = backend.database();
        let mut starting = KillOnDrop::spawn(&mut ServiceBuilder::over(&database).command());
        pause(*delay);
        starting.child().kill().unwrap();
        drop(starting);
        ServiceBuilder::over(&database).start().session();
    }
}

const MIGRATING: &str = "FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'portcullis'";

/// A lock blocks the start in its first migration, so that the kill hits it there.
#[test]
fn a_kill_in_the_middle_of_a_migration_is_mended_by_the_next() {
    let (database, facts) = Backend::Postgres.adopted();
    let setup = || ServiceBuilder::over(&database).set("SECRET_KEY", facts["secret_key"].as_str().unwrap());
    let mut other = PgConnection::establish(&database.url()).unwrap();
    other.batch_execute("BEGIN; LOCK TABLE refresh_tokens IN ACCESS EXCLUSIVE MODE").unwrap();
    let mut starting = KillOnDrop::spawn(&mut setup().command());
    let held_up = format!("{MIGRATING} AND wait_event_type = 'Lock'");
    eventually("the migration meets the lock", || (database.count(&held_up) > 0).then_some(()));
    starting.child().kill().unwrap();
    drop(starting);
    // The server notices the kill after its current statement.
    other.batch_execute("ROLLBACK").unwrap();
    eventually("the server heard of it", || (database.count(MIGRATING) == 0).then_some(()));
    let service = setup().start();
    service.refresh(facts["users"][0]["refresh_token_live"].as_str().unwrap()).expect(200);
    service.session();
}

/// The next start recovers from a log that was not checkpointed.
#[test]
fn a_kill_during_a_recovery_is_mended_by_the_next() {
    let service = Backend::Sqlite.service().start();
    let histories = work(&[&service], |progress| {
        progress.acknowledge(if long_form() { 2000 } else { 300 });
        service.kill();
    });
    let Database::Sqlite(path) = &service.database else { unreachable!() };
    assert!(fs::metadata(path.with_extension("db-wal")).unwrap().len() > 0, "nothing to recover from");
    // Deletes the log's shared memory, which a machine crash would lose.
    fs::remove_file(path.with_extension("db-shm")).unwrap();
    assert!(kill_starts(&service.database, Duration::from_millis(2)).len() > 2);
    check(&histories, &service.again().start());
}

#[test]
fn a_crash_of_the_database_too_loses_nothing_acknowledged() {
    let (server, mut service) = on_own_server();
    for _ in 0..kills() / 4 {
        let histories = work(&[&service], |progress| {
            progress.acknowledge(30);
            server.crash();
            service.kill();
        });
        server.restart();
        service = service.again().start();
        check(&histories, &service);
    }
}
