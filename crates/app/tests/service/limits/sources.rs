//! The budget of a source, and which headers are trusted to name a client's IP address.

use super::{expect_limited, limited};
use crate::harness::sockets::Connection;
use crate::prelude::*;

on_both_databases!(
    all_logins_and_registrations_draw_on_one_budget,
    trusted_proxies_are_read_from_the_right,
    a_network_of_ipv6_is_one_source,
);

const POLICY: &str = "q=5;w=86400";

fn small(setup: ServiceBuilder) -> ServiceBuilder {
    limited(setup).set("RATE_LIMIT_SOURCE", "5/24h").set("RATE_LIMIT_ACCOUNT", "2/15m")
}

/// Service with a small budget behind trusted proxies. Tests share it from different sources.
struct Small(&'static Service);

impl Fixture for Small {
    fn on(backend: Backend) -> Self {
        static SHARED: Shared = Shared::new();
        Self(SHARED.on(backend, |setup| small(setup).set("TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")))
    }
}

fn guess(service: &Service, headers: &[(&str, &str)]) -> Reply {
    let body = json!({"email": fresh_email(), "password": "wrong"});
    service.call("POST", "/auth/login").headers(headers).json(&body).send()
}

#[track_caller]
fn expect_spent(service: &Service, headers: &[(&str, &str)]) {
    expect_limited(&guess(service, headers), "source", POLICY);
}

#[test]
fn a_proxy_header_names_the_source_if_its_sender_is_trusted() {
    let setup = || small(Backend::Sqlite.service()).set("PROXY_PROTOCOL", "true");
    // A request over a connection that begins with this header. `None` if the connection was closed.
    let status = |service: &Service, header: &str| {
        let mut connection = Connection::open(service);
        connection.send(header).unwrap();
        let body = json!({"email": fresh_email(), "password": "wrong"}).to_string();
        connection.post("/auth/login", &body).ok();
        connection.reply().ok().flatten().map(|reply| reply.status)
    };
    let named = |host: &str| format!("PROXY TCP4 {host} 127.0.0.1 7 80\r\n");
    let trusted = setup().set("TRUSTED_PROXIES", "127.0.0.1").start();
    (0..5).for_each(|_| assert_eq!(status(&trusted, &named("192.0.2.1")), Some(401)));
    assert_eq!(status(&trusted, &named("192.0.2.1")), Some(429));
    assert_eq!(status(&trusted, &named("192.0.2.2")), Some(401));
    assert_eq!(status(&trusted, ""), None, "a proxy without a header");

    let others = setup().set("TRUSTED_PROXIES", "192.0.2.1").start();
    assert_eq!(status(&others, &named("192.0.2.1")), Some(400), "a header from a client");
    assert_eq!(status(&others, ""), Some(401));
}

#[test]
fn a_source_has_a_burst_of_a_hundred_and_one_more_a_second() {
    let service = limited(Backend::Sqlite.service()).start();
    let (time, replies) = timed(|| at_once(200, |_| guess(&service, &[])));
    let more = time.as_secs() as usize + 1;
    assert!((101..=101 + more).contains(&count(&replies, 401)), "{} in {more} s", count(&replies, 401));
    assert_eq!(count(&replies, 401) + count(&replies, 429), 200);
    let refused = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert_eq!(expect_limited(refused, "source", "q=300;w=300"), 1);
}

fn all_logins_and_registrations_draw_on_one_budget(Small(service): Small) {
    let post = |source: &str, path: &str, email: &str, password: &str| {
        let call = service.call("POST", path).header("X-Forwarded-For", source);
        call.json(&json!({"email": email, "password": password})).send()
    };
    let email = fresh_email();
    let mixed = |source: &str| {
        guess(service, &[("X-Forwarded-For", source)]).wrong_credentials();
        post(source, "/auth/register", &fresh_email(), "long enough").expect(201);
    };
    (0..2).for_each(|_| mixed("203.0.113.10"));
    post("203.0.113.10", "/auth/register", &email, "long enough").expect(201);
    // Refused before any lookup, even a login that would succeed.
    for (path, email) in [("/auth/login", &fresh_email()), ("/auth/register", &fresh_email()), ("/auth/login", &email)]
    {
        expect_limited(&post("203.0.113.10", path, email, "long enough"), "source", POLICY);
    }
    service.get("/health/ready").expect(200);
    service.refresh("no token").invalid();
    // A success costs a call, and so does what the account's budget refuses.
    (0..5).for_each(|_| drop(post("203.0.113.11", "/auth/login", &email, "long enough").expect(200)));
    expect_limited(&post("203.0.113.11", "/auth/login", &email, "long enough"), "source", POLICY);
    (0..2).for_each(|_| post("203.0.113.12", "/auth/login", &email, "wrong").wrong_credentials());
    for _ in 0..3 {
        expect_limited(&post("203.0.113.12", "/auth/login", &email, "wrong"), "account", "q=2;w=900");
    }
    expect_spent(service, &[("X-Forwarded-For", "203.0.113.12")]);
}

/// Counts the warnings that name a setting.
fn warnings(service: &Service, setting: &str) -> usize {
    let warns = |event: &&Value| event["message"].as_str().is_some_and(|message| message.contains(setting));
    service.flushed_log().events().iter().filter(warns).count()
}

#[test]
fn a_rotating_header_changes_nothing() {
    let service = small(Backend::Sqlite.service()).start();
    for number in 0..5 {
        let (plain, element) = (format!("192.0.2.{number}"), format!("for=192.0.2.{number}"));
        let headers = [("X-Forwarded-For", plain.as_str()), ("Forwarded", &element), ("X-Real-IP", &plain)];
        guess(&service, &headers).wrong_credentials();
    }
    for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP"] {
        expect_spent(&service, &[(name, "198.51.100.7"), ("Forwarded", "for=198.51.100.8")]);
    }
    assert_eq!(warnings(&service, "TRUSTED_PROXIES"), 1, "one warning");
}

fn trusted_proxies_are_read_from_the_right(Small(service): Small) {
    // Entries to the left of the first untrusted IP address are its own invention.
    for number in 0..5 {
        let hops = format!("198.51.100.{number}, 192.0.2.1, 10.0.0.1");
        guess(service, &[("X-Forwarded-For", &hops)]).wrong_credentials();
    }
    for headers in [
        [("X-Forwarded-For", "192.0.2.1"), ("X-Other", "")],
        // A header that the client adds to the proxy's is ignored.
        [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.77")],
        // Nothing can hide what the proxy appends.
        [("X-Forwarded-For", "\"x, 192.0.2.1"), ("X-Other", "")],
        [("X-Forwarded-For", "\u{ff}, 192.0.2.1"), ("X-Other", "")],
    ] {
        expect_spent(service, &headers);
    }
    // The log shows the same IP address.
    let reply = guess(service, &[("X-Forwarded-For", "192.0.2.3")]);
    reply.wrong_credentials();
    let events = service.log.of_request(reply.request_id());
    assert!(events.iter().any(|event| event["client"] == "192.0.2.3"), "{events:?}");
}

#[test]
fn the_header_that_is_chosen_is_the_one_that_is_believed() {
    let setup = small(Backend::Sqlite.service()).set("TRUSTED_PROXIES", "127.0.0.1");
    let service = setup.set("FORWARDED_HEADER", "forwarded").start();
    for number in 0..5 {
        let element = format!("for=198.51.100.{number}, for=\"192.0.2.1:4711\"");
        guess(&service, &[("Forwarded", &element), ("X-Forwarded-For", &format!("203.0.113.{number}"))])
            .wrong_credentials();
    }
    for element in ["for=192.0.2.1", "for=\"x, for=192.0.2.1"] {
        expect_spent(&service, &[("Forwarded", element), ("X-Forwarded-For", "203.0.113.9")]);
    }
    // Another client of the proxy, with a conflicting header of its own, is not taken for the proxy.
    guess(&service, &[("Forwarded", "for=192.0.2.2"), ("X-Forwarded-For", "203.0.113.9")]).wrong_credentials();
    for number in 0..5 {
        guess(&service, &[("X-Forwarded-For", &format!("203.0.113.{number}"))]).wrong_credentials();
    }
    expect_spent(&service, &[("X-Forwarded-For", "203.0.113.9")]);
    assert_eq!(warnings(&service, "FORWARDED_HEADER"), 1, "an operator hears of it, once");
}

fn a_network_of_ipv6_is_one_source(Small(service): Small) {
    for number in 0..5 {
        guess(service, &[("X-Forwarded-For", &format!("2001:db8::{number}:1"))]).wrong_credentials();
    }
    expect_spent(service, &[("X-Forwarded-For", "2001:db8::ffff")]);
    guess(service, &[("X-Forwarded-For", "2001:db8:0:1::1")]).wrong_credentials();
}
