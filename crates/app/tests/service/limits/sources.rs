//! The budget of a source, and which headers are trusted to name a client's IP address.

use super::{at_once, count, expect_limited, limited};
use crate::harness::accounts::fresh_email;
use crate::harness::calls::Reply;
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use crate::harness::timing::timed;
use serde_json::json;

on_both_databases!(
    a_source_has_a_burst_of_a_hundred_and_one_more_a_second,
    logins_and_registrations_draw_on_one_budget,
    a_rotating_header_changes_nothing,
    trusted_proxies_are_read_from_the_right,
    the_header_that_is_chosen_is_the_one_that_is_believed,
    a_network_of_ipv6_is_one_source,
    behind_a_trusted_proxy_with_tls_the_cookie_is_secure,
);

const SMALL: &str = "5/24h";
const POLICY: &str = "q=5;w=86400";

fn guess(service: &Service, headers: &[(&str, &str)]) -> Reply {
    let call = headers.iter().fold(service.call("POST", "/auth/login"), |call, (name, value)| call.header(name, value));
    call.json(&json!({"email": fresh_email(), "password": "wrong"})).send()
}

fn a_source_has_a_burst_of_a_hundred_and_one_more_a_second(backend: Backend) {
    let service = limited(backend.service()).start();
    let (time, replies) = timed(|| at_once(200, |_| guess(&service, &[])));
    let more = time.as_secs() as usize + 1;
    assert!((101..=101 + more).contains(&count(&replies, 401)), "{} in {more} s", count(&replies, 401));
    assert_eq!(count(&replies, 401) + count(&replies, 429), 200);
    let refused = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert_eq!(expect_limited(refused, "source", "q=300;w=300"), 1);
}

fn logins_and_registrations_draw_on_one_budget(backend: Backend) {
    let service = limited(backend.service()).set("RATE_LIMIT_SOURCE", SMALL).start();
    for _ in 0..2 {
        guess(&service, &[]).expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.account();
    }
    let taken = service.account();
    for refused in [guess(&service, &[]), service.register(&fresh_email(), "correct horse battery")] {
        expect_limited(&refused, "source", POLICY);
    }
    // Refused before any lookup, even a login that would succeed.
    expect_limited(&service.login(&taken.email, &taken.password), "source", POLICY);
    service.get("/health/ready").expect(200);
    service.refresh("no token").expect_error(401, "AUTH_TOKEN_INVALID");
}

fn a_rotating_header_changes_nothing(backend: Backend) {
    let service = limited(backend.service()).set("RATE_LIMIT_SOURCE", SMALL).start();
    for number in 0..5 {
        let (plain, element) = (format!("192.0.2.{number}"), format!("for=192.0.2.{number}"));
        let headers = [("X-Forwarded-For", plain.as_str()), ("Forwarded", &element), ("X-Real-IP", &plain)];
        guess(&service, &headers).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP"] {
        let refused = guess(&service, &[(name, "198.51.100.7"), ("Forwarded", "for=198.51.100.8")]);
        expect_limited(&refused, "source", POLICY);
    }
    let warned = |event: &serde_json::Value| event["message"].as_str().is_some_and(|m| m.contains("TRUSTED_PROXIES"));
    assert_eq!(service.flushed_log().events().into_iter().filter(warned).count(), 1, "one warning");
}

fn trusted_proxies_are_read_from_the_right(backend: Backend) {
    let setup = limited(backend.service()).set("RATE_LIMIT_SOURCE", SMALL);
    let service = setup.set("TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8").start();
    // Entries to the left of the first untrusted IP address are its own invention.
    for number in 0..5 {
        let hops = format!("198.51.100.{number}, 192.0.2.1, 10.0.0.1");
        guess(&service, &[("X-Forwarded-For", &hops)]).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let spent = [
        [("X-Forwarded-For", "192.0.2.1"), ("X-Other", "")],
        // A header that the client adds to the proxy's is ignored.
        [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.77")],
        // Nothing can hide what the proxy appends.
        [("X-Forwarded-For", "\"x, 192.0.2.1"), ("X-Other", "")],
        [("X-Forwarded-For", "\u{ff}, 192.0.2.1"), ("X-Other", "")],
    ];
    for headers in &spent {
        expect_limited(&guess(&service, headers), "source", POLICY);
    }
    guess(&service, &[("X-Forwarded-For", "192.0.2.2")]).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // The log shows the same IP address.
    let reply = guess(&service, &[("X-Forwarded-For", "192.0.2.3")]);
    let events = service.log.of_request(reply.request_id());
    assert!(events.iter().any(|event| event["client"] == "192.0.2.3"), "{events:?}");
}

fn the_header_that_is_chosen_is_the_one_that_is_believed(backend: Backend) {
    let setup = limited(backend.service()).set("RATE_LIMIT_SOURCE", SMALL);
    let service = setup.set("TRUSTED_PROXIES", "127.0.0.1").set("FORWARDED_HEADER", "forwarded").start();
    for number in 0..5 {
        let (element, own) =
            (format!("for=198.51.100.{number}, for=\"192.0.2.1:4711\""), format!("203.0.113.{number}"));
        let headers = [("Forwarded", element.as_str()), ("X-Forwarded-For", &own)];
        guess(&service, &headers).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    for element in ["for=192.0.2.1", "for=\"x, for=192.0.2.1"] {
        let refused = guess(&service, &[("Forwarded", element), ("X-Forwarded-For", "203.0.113.9")]);
        expect_limited(&refused, "source", POLICY);
    }
    // Another client of the proxy, with a conflicting header of its own, is not taken for the proxy.
    let other = [("Forwarded", "for=192.0.2.2"), ("X-Forwarded-For", "203.0.113.9")];
    guess(&service, &other).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    for number in 0..5 {
        let ignored = format!("203.0.113.{number}");
        guess(&service, &[("X-Forwarded-For", &ignored)]).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    expect_limited(&guess(&service, &[("X-Forwarded-For", "203.0.113.9")]), "source", POLICY);
    let warned = |event: &serde_json::Value| event["message"].as_str().is_some_and(|m| m.contains("FORWARDED_HEADER"));
    assert_eq!(service.flushed_log().events().into_iter().filter(warned).count(), 1, "an operator hears of it, once");
}

fn a_network_of_ipv6_is_one_source(backend: Backend) {
    let setup = limited(backend.service()).set("RATE_LIMIT_SOURCE", SMALL);
    let service = setup.set("TRUSTED_PROXIES", "127.0.0.1").start();
    for number in 0..5 {
        let address = format!("2001:db8::{number}:1");
        guess(&service, &[("X-Forwarded-For", &address)]).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    expect_limited(&guess(&service, &[("X-Forwarded-For", "2001:db8::ffff")]), "source", POLICY);
    guess(&service, &[("X-Forwarded-For", "2001:db8:0:1::1")]).expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

fn behind_a_trusted_proxy_with_tls_the_cookie_is_secure(backend: Backend) {
    let service = limited(backend.service()).set("TRUSTED_PROXIES", "127.0.0.1").start();
    let account = service.account();
    let body = json!({"email": account.email, "password": account.password});
    for (proto, secure) in [("https", true), ("http", false)] {
        let call = service.call("POST", "/auth/login").header("X-Forwarded-Proto", proto);
        let reply = call.header("X-Forwarded-For", "192.0.2.1").json(&body).send();
        assert_eq!(reply.header("Set-Cookie").unwrap().contains("; Secure"), secure);
    }
}
