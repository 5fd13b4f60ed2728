//! F26: thousands of idle connections cost little and keep nobody out, and
//! where the system gives no more descriptors, the service waits for some.

use crate::harness::databases::Backend;
use crate::harness::services::Service;
use crate::harness::sockets::Connection;
use crate::harness::waiting::{eventually, long_form, timed};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

/// Lets this process, and those that it starts, have that many descriptors.
fn allow_descriptors(count: u64) {
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_some_and(|current| current < count) {
        let maximum = limits.maximum.map(|maximum| maximum.max(count));
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum });
        raised.unwrap_or_else(|error| panic!("{error}: raise the limit of open files (ulimit -n) to {count}"));
    }
}

/// Connections that have each been served once, and stay.
fn idle(service: &Service, count: usize) -> Vec<Connection> {
    let mut connections: Vec<_> = (0..count).map(|_| Connection::open(service)).collect();
    for connection in &mut connections {
        connection.send(HEALTH).unwrap();
    }
    for connection in &mut connections {
        assert_eq!(connection.reply().unwrap().unwrap().status, 200);
    }
    connections
}

#[test]
fn thousands_of_idle_connections_cost_little_and_keep_nobody_out() {
    let count = if long_form() { 10_000 } else { 5_000 };
    allow_descriptors(count as u64 + 2_000);
    let service = Backend::Sqlite.service().start();
    let (_, pair) = service.session();
    drop(idle(&service, 50));
    let descriptors = eventually("descriptors settle", || Some(service.descriptors()).filter(|open| *open < 60));
    let before = service.resident();
    let connections = idle(&service, count);
    assert!(service.descriptors() >= count);
    let each = (service.resident() - before) as f64 / count as f64;
    assert!(each < 40.0, "{each:.1} KiB each");
    service.session();
    service.refresh(&pair.refresh).expect(200);
    // They are idle, not forgotten, and cost no time.
    let busy = service.processor_time();
    let (time, reply) = timed(|| service.get("/health"));
    assert_eq!(reply.status, 200);
    assert!(service.processor_time() - busy < time + Duration::from_millis(500));
    for mut connection in connections {
        connection.send(HEALTH).unwrap();
        assert_eq!(connection.reply().unwrap().unwrap().status, 200);
    }
    eventually("descriptors return", || (service.descriptors() <= descriptors + 10).then_some(()));
    service.stop();
}

#[test]
fn at_the_limit_of_descriptors_it_pauses_and_goes_on_when_some_return() {
    let service = Backend::Sqlite.service().after("ulimit -n 128").start();
    let (_, pair) = service.session();
    let mut crowd: Vec<_> = (0..300).map(|_| Connection::open(&service)).collect();
    eventually("the limit is reached", || (service.descriptors() >= 127).then_some(()));
    // Those that were let in are served; the others wait, and nothing spins meanwhile.
    crowd[0].send(HEALTH).unwrap();
    assert_eq!(crowd[0].reply().unwrap().unwrap().status, 200);
    let busy = service.processor_time();
    let (time, ()) = timed(|| {
        for connection in crowd.iter_mut().take(8) {
            // A silent connection gets its 408 after ten seconds; until then this waits.
            assert!(!connection.has_received_within(Duration::from_millis(250)));
        }
    });
    let busy = service.processor_time() - busy;
    assert!(busy < time / 20, "{busy:?} of {time:?}");
    drop(crowd);
    service.refresh(&pair.refresh).expect(200);
    eventually("descriptors return", || (service.descriptors() < 80).then_some(()));
    service.stop();
}

/// The usual soft limit of 1024 is the system's caution about `select`, not the operator's wish.
#[test]
fn it_takes_as_many_descriptors_as_it_may() {
    allow_descriptors(2_000);
    let service = Backend::Sqlite.service().after("ulimit -S -n 64").start();
    let mut connections = idle(&service, 500);
    service.session();
    connections[499].send(HEALTH).unwrap();
    assert_eq!(connections[499].reply().unwrap().unwrap().status, 200);
}
