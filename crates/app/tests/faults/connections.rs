//! F26: thousands of idle connections cost little and lock no one out. At the system's descriptor limit, the
//! service waits until some are released.

use crate::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

/// Raises the descriptor limit of this process and its children.
fn allow_descriptors(count: u64) {
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_some_and(|current| current < count) {
        let maximum = limits.maximum.map(|maximum| maximum.max(count));
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum });
        raised.unwrap_or_else(|error| panic!("{error}: raise the limit of open files (ulimit -n) to {count}"));
    }
}

/// Opens connections that are each served once and stay open.
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
fn thousands_of_idle_connections_cost_little_and_block_none() {
    let count = if long_form() { 10_000 } else { 5_000 };
    allow_descriptors(count as u64 + 2_000);
    let service = Backend::Sqlite.service().set("MAX_CONNECTIONS", "20000").start();
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
    // They are still served, but cost no processor time while idle.
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
fn idle_connection_is_closed_after_keep_alive_seconds() {
    let service = Backend::Sqlite.service().set("KEEP_ALIVE_SECONDS", "1").start();
    let mut connection = idle(&service, 1).remove(0);
    let (time, closed) = timed(|| connection.is_closed());
    // Far below the default of 75 s.
    assert!(closed && time < Duration::from_secs(30), "{time:?}");
}

/// 48 KiB per connection, and 160 MiB for all large requests (docs/operations.md).
#[test]
fn unfinished_requests_use_bounded_memory_and_spare_small_ones() {
    let count = if long_form() { 6_000 } else { 3_000 };
    allow_descriptors(count as u64 + 2_000);
    let service = Backend::Sqlite.service().start();
    let (account, pair) = service.session();
    let (before, idle) = (service.resident(), service.descriptors());
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{}",
        "x".repeat(60_000),
        " ".repeat(59_000)
    );
    let unfinished: Vec<_> = (0..count)
        .map(|_| {
            let mut connection = Connection::open(&service);
            // Past the limit the service closes the connection.
            let _ = connection.send(&head);
            connection
        })
        .collect();
    let grown = service.resident().saturating_sub(before);
    assert!(grown < count * 48 + 160 * 1024, "{grown} KiB for {count} connections");
    service.login(&account.email, &account.password).expect(200);
    service.refresh(&pair.refresh).expect(200);
    // Heads of 60 KB share 64 MiB. Without that limit all would stay until their timeout of 30 s.
    let open = || (service.descriptors() < idle + 1_400).then_some(());
    let (took, ()) = timed(|| eventually("the connections past the bound are ended", open));
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(unfinished);
    let body =
        format!("{{\"email\":\"{}\",\"password\":\"{}\"}}{}", account.email, account.password, " ".repeat(60_000));
    let large = || service.call("POST", "/auth/login").body("application/json", body.clone()).attempt().ok();
    eventually("large requests are served again", || large().filter(|reply| reply.status == 200));
}

#[test]
fn past_the_most_connections_new_ones_wait_until_others_end() {
    let service = Backend::Sqlite.service().set("MAX_CONNECTIONS", "16").start();
    let before = service.descriptors();
    let mut crowd: Vec<_> = (0..60).map(|_| Connection::open(&service)).collect();
    crowd[0].send(HEALTH).unwrap();
    assert_eq!(crowd[0].reply().unwrap().unwrap().status, 200);
    crowd[59].send(HEALTH).unwrap();
    assert!(!crowd[59].has_received_within(Duration::from_millis(250)), "it waits");
    // Each worker may hold an accepted connection that waits for a free place.
    let most = before + 16 + 2 * std::thread::available_parallelism().unwrap().get();
    assert!(service.descriptors() <= most, "{} descriptors, {before} before", service.descriptors());
    drop(crowd);
    eventually("a new one is served", || (service.get("/health").status == 200).then_some(()));
}

#[test]
fn accepting_pauses_at_the_descriptor_limit_and_resumes() {
    let service = Backend::Sqlite.service().run_before("ulimit -n 128").start();
    let (_, pair) = service.session();
    let mut crowd: Vec<_> = (0..300).map(|_| Connection::open(&service)).collect();
    eventually("the limit is reached", || (service.descriptors() >= 127).then_some(()));
    // Accepted connections are served. The others wait without consuming processor time.
    crowd[0].send(HEALTH).unwrap();
    assert_eq!(crowd[0].reply().unwrap().unwrap().status, 200);
    let busy = service.processor_time();
    let (time, ()) = timed(|| {
        for connection in crowd.iter_mut().take(8) {
            // A silent connection gets its 408 after 10 s. This one waits until then.
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

/// The usual soft limit of 1024 protects programs that use `select`. It is not the operator's choice.
#[test]
fn it_takes_as_many_descriptors_as_it_may() {
    allow_descriptors(2_000);
    let service = Backend::Sqlite.service().run_before("ulimit -S -n 64").start();
    let mut connections = idle(&service, 500);
    service.session();
    connections[499].send(HEALTH).unwrap();
    assert_eq!(connections[499].reply().unwrap().unwrap().status, 200);
}
