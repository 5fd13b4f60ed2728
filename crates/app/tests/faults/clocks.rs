//! F20 and F21: the wall clock jumps or differs between replicas. Only expiry uses it, with nanosecond
//! precision.

use crate::harness::shim::Shim;
use crate::prelude::*;

on_both_databases!(
    the_wall_clock_of_a_service_can_be_shifted,
    expiry_follows_the_wall_clock_exactly,
    a_jump_of_the_clock_stops_nothing,
    replicas_a_minute_apart_take_each_others_tokens,
);

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

fn start(backend: Backend) -> (Shim, Service) {
    let shim = Shim::new();
    let service = shim.under(backend.service()).start();
    (shim, service)
}

fn claim(token: &str, name: &str) -> i64 {
    claims(token)[name].as_i64().unwrap()
}

/// Without this the other tests would prove nothing.
fn the_wall_clock_of_a_service_can_be_shifted(backend: Backend) {
    let (shim, service) = start(backend);
    let account = service.account();
    for shift in [0, DAY, -DAY] {
        shim.shift(shift);
        let issued = claim(&service.sign_in(&account).access, "iat");
        assert!((issued - unix_now() - shift).abs() < 30, "{issued} is not {shift} s from now");
    }
    shim.stop_at(2_000_000_000, 5);
    assert_eq!(claim(&service.sign_in(&account).access, "iat"), 2_000_000_000);
    assert!(service.flushed_log().lines().last().unwrap().contains("2033-05-18T03:33:20.000000+00:00"));
}

fn expiry_follows_the_wall_clock_exactly(backend: Backend) {
    let (shim, service) = start(backend);
    let now = unix_now();
    shim.stop_at(now, 0);
    let (_, pair) = service.session();
    let (access, refresh) = (claim(&pair.access, "exp"), claim(&pair.refresh, "exp"));
    assert_eq!((access, refresh), (now + 15 * 60, now + 7 * DAY));
    let expired = |reply: Reply| drop(reply.expect_error(401, "AUTH_TOKEN_EXPIRED"));
    shim.stop_at(access - 1, 999_999_999);
    service.me(&pair.access).expect(200);
    shim.stop_at(access, 0);
    expired(service.me(&pair.access));
    // An expired token is valid again when the clock is set back: no expiry is remembered.
    shim.stop_at(access - 1, 0);
    service.me(&pair.access).expect(200);
    shim.stop_at(refresh, 0);
    expired(service.refresh(&pair.refresh));
    shim.stop_at(refresh - 1, 999_999_999);
    let next = Pair::of(&service.refresh(&pair.refresh));
    assert_eq!(claim(&next.refresh, "exp"), refresh - 1 + 7 * DAY);
    // A spent token stays spent at any time.
    for second in [now, access, refresh - 1] {
        shim.stop_at(second, 0);
        service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
}

/// Sets the clock while a login computes its hash.
fn jump_in_the_middle(shim: &Shim, service: &Service, shift: i64) {
    let mut connection = Connection::open(service);
    let begun = of_login("Request started");
    let before = service.flushed_log().events().iter().filter(|event| begun(event)).count();
    let body = json!({"email": "a@example.com", "password": "does not matter"}).to_string();
    connection.post("/auth/login", &body).unwrap();
    service.log.wait_for(before + 1, begun);
    shim.shift(shift);
    assert_eq!(connection.reply().unwrap().unwrap().status, 401);
}

fn a_jump_of_the_clock_stops_nothing(backend: Backend) {
    let shim = Shim::new();
    let service = shim.under(backend.service().set("BCRYPT_COST", if long_form() { "12" } else { "10" })).start();
    let mut idle = Connection::open(&service);
    let century = (4_102_444_800 - unix_now()) / YEAR * YEAR;
    for shift in [1, -1, HOUR, -HOUR, DAY, -DAY, YEAR, -YEAR, century, -20 * YEAR, 1_000_000 - unix_now(), 0] {
        let (time, ()) = timed(|| {
            jump_in_the_middle(&shim, &service, shift);
            idle.send("GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            assert_eq!(idle.reply().unwrap().unwrap().status, 200, "{shift}");
            let (_, pair) = service.session();
            service.me(&pair.access).expect(200);
            let next = Pair::of(&service.refresh(&pair.refresh));
            service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
            service.logout(&next.refresh).expect(200);
        });
        assert!(time < TIMEOUT / 2, "{shift}: {time:?}");
    }
    let events = service.flushed_log().events();
    assert!(!events.iter().any(|event| event["message"] == "A panic" || event["level"] == "ERROR"));
    let durations = events.iter().filter_map(|event| event["duration_ms"].as_f64());
    assert!(durations.into_iter().all(|millis| (0.0..30_000.0).contains(&millis)));
    shim.shift(DAY);
    service.stop();
}

/// The circuit's recovery time and all deadlines do not depend on the wall clock.
#[test]
fn the_circuit_opens_and_closes_while_the_clock_goes_back() {
    let (server, shim) = (own_server(), Shim::new());
    let service = shim.under(ServiceBuilder::over(&Database::on(server))).start();
    let (_, pair) = service.session();
    server.stop();
    let mut shift = 0;
    eventually("the circuit opens", || {
        shift -= HOUR;
        shim.shift(shift);
        service.register(&fresh_email(), "long enough").expect_unavailable();
        (service.circuit() == "open").then_some(())
    });
    server.restart();
    let (time, ()) = timed(|| {
        eventually("the circuit closes", || {
            shift -= HOUR;
            shim.shift(shift);
            (service.circuit() == "closed").then_some(())
        });
    });
    assert!(time < Duration::from_secs(20), "{time:?}");
    shim.shift(0);
    service.refresh(&pair.refresh).expect(200);
}

fn replicas_a_minute_apart_take_each_others_tokens(backend: Backend) {
    let (fast, slow) = (Shim::new(), Shim::new());
    fast.shift(30);
    slow.shift(-30);
    // On PostgreSQL, the server's clock decides how long ago a token was spent. Replicas that share an SQLite
    // file share a machine and its clock.
    let grace = if backend == Backend::Sqlite { "120" } else { "10" };
    let one = fast.under(backend.service().set("REFRESH_GRACE_SECONDS", grace)).start();
    let two = slow.under(one.again().set("REFRESH_GRACE_SECONDS", grace)).start();
    for (here, there) in [(&one, &two), (&two, &one)] {
        let (_, mut pair) = here.session();
        there.me(&pair.access).expect(200);
        for _ in 0..5 {
            let next = Pair::of(&there.refresh(&pair.refresh));
            here.me(&next.access).expect(200);
            here.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
            pair = Pair::of(&here.refresh(&next.refresh));
            there.me(&pair.access).expect(200);
        }
        there.logout(&pair.refresh).expect(200);
        here.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
}
