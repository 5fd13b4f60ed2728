//! Discovery and the caches of metadata and keys.

use crate::world::{
    DISCOVERY, JWKS, TOKEN, World, authorization, discovery, failure, rejection, response, timeout, with,
};
use chrono::TimeDelta;
use parking_lot::Mutex;
use portcullis_ports::{Clock, IdentityProvider, OutboundError, OutboundResponse, ProviderError};
use serde_json::{Value, json};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn authorize(world: &World) -> Result<(), ProviderError> {
    world.provider.authorization_url(&authorization()).map(|_| ())
}

/// oidcc-client-test-discovery-issuer-mismatch
#[test]
fn discovery_of_another_issuer_is_refused() {
    for issuer in [json!("https://evil.example"), json!("https://op.example/"), json!("{tenantid}")] {
        let world = World::new();
        world.serve(DISCOVERY, &with(discovery(), json!({ "issuer": issuer })));
        assert_eq!(rejection(authorize(&world)), "discovery names another issuer");
        assert_eq!(rejection(world.redeem()), "discovery names another issuer");
        assert!(world.requests(TOKEN).is_empty());
    }
}

/// oidcc-client-test-discovery-openid-config, oidcc-client-test-discovery-jwks-uri-keys
#[test]
fn endpoints_must_be_https_urls() {
    let endpoints = ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"];
    for name in endpoints {
        for url in ["http://op.example/x", "javascript:alert(1)", "https://u:p@op.example/", ""] {
            let world = World::new();
            world.serve(DISCOVERY, &with(discovery(), json!({ name: url })));
            assert_eq!(rejection(authorize(&world)), format!("{name} is not an https URL"), "{url}");
        }
        let world = World::new();
        world.serve(DISCOVERY, &with(discovery(), json!({ name: 1 })));
        assert_eq!(rejection(authorize(&world)), format!("{name} is missing or malformed"));
        let world = World::new();
        world.serve(DISCOVERY, &with(discovery(), json!({ name: null })));
        assert_eq!(authorize(&world).is_ok(), name == "userinfo_endpoint");
    }
    let twice = discovery().to_string().replacen('{', r#"{"issuer":"https://op.example","#, 1);
    let world = World::new();
    world.respond(DISCOVERY, Ok(response(200, twice)));
    assert_eq!(failure(authorize(&world)), "discovery: not a JSON object");
}

#[test]
fn failed_discovery_is_unavailable() {
    for (outcome, reason) in [
        (Err(timeout()), "discovery: unavailable: timeout"),
        (Err(OutboundError::TooLarge), "discovery: the response is larger than 256 KiB"),
        (Err(OutboundError::Forbidden("address".to_owned())), "discovery: not allowed: address"),
        (Ok(response(404, "{}")), "discovery: status 404"),
        (Ok(response(200, "<html>")), "discovery: not a JSON object"),
    ] {
        let world = World::new();
        world.respond(DISCOVERY, outcome);
        assert_eq!(failure(authorize(&world)), reason);
        assert_eq!(failure(world.redeem()), reason);
    }
}

#[test]
fn metadata_and_keys_are_cached_for_an_hour() {
    let world = World::new();
    let fetches = |world: &World| [DISCOVERY, JWKS].map(|url| world.requests(url).len());
    assert!(world.redeem().is_ok() && world.redeem().is_ok());
    world.clock.advance(HOUR - Duration::from_secs(1));
    let _ = world.redeem();
    assert_eq!(fetches(&world), [1, 1]);
    world.clock.advance(Duration::from_secs(1));
    let _ = world.redeem();
    assert_eq!(fetches(&world), [2, 2]);
}

#[test]
fn unreachable_provider_is_cached_for_a_day() {
    let world = World::new();
    let now = world.clock.now();
    let redeem = || world.provider.redeem(&crate::world::callback(), now);
    assert!(redeem().is_ok());
    world.respond(DISCOVERY, Err(timeout()));
    world.respond(JWKS, Ok(response(500, "")));
    world.clock.advance(24 * HOUR - Duration::from_secs(1));
    assert!(redeem().is_ok());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(failure(redeem()), "discovery: unavailable: timeout");
    // A wrong response is no outage.
    let world = World::new();
    assert!(authorize(&world).is_ok());
    world.serve(DISCOVERY, &json!({ "issuer": "https://evil.example" }));
    world.clock.advance(HOUR);
    assert_eq!(rejection(authorize(&world)), "discovery names another issuer");
}

#[test]
fn failure_is_retried_after_a_pause() {
    let world = World::new();
    world.respond(DISCOVERY, Err(timeout()));
    assert!(authorize(&world).is_err() && authorize(&world).is_err());
    assert_eq!(world.requests(DISCOVERY).len(), 1);
    world.serve(DISCOVERY, &discovery());
    world.clock.advance(Duration::from_secs(4));
    assert!(authorize(&world).is_err());
    world.clock.advance(Duration::from_secs(1));
    assert!(authorize(&world).is_ok());
}

/// Has discovery wait for a signal. Returns the sender of the signal, and the receiver of each start.
fn slow(world: &World, outcome: Result<OutboundResponse, OutboundError>) -> (mpsc::Sender<()>, mpsc::Receiver<()>) {
    let (release, released) = mpsc::channel();
    let (start, started) = mpsc::channel();
    let gate = Mutex::new((released, start));
    world.handle(DISCOVERY, move |_| {
        let gate = gate.lock();
        gate.1.send(()).unwrap();
        gate.0.recv().unwrap();
        outcome.clone()
    });
    (release, started)
}

fn ok(body: &Value) -> Result<OutboundResponse, OutboundError> {
    Ok(response(200, body))
}

#[test]
fn concurrent_callers_share_one_fetch_or_failure() {
    for (outcome, succeeds) in [(ok(&discovery()), true), (Err(timeout()), false)] {
        let world = World::new();
        let (release, started) = slow(&world, outcome);
        thread::scope(|scope| {
            let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| authorize(&world).is_ok())).collect();
            started.recv().unwrap();
            release.send(()).unwrap();
            assert!(callers.into_iter().all(|caller| caller.join().unwrap() == succeeds));
        });
        assert_eq!(world.requests(DISCOVERY).len(), 1);
    }
}

#[test]
fn stale_document_is_used_during_a_fetch() {
    let world = World::new();
    assert!(authorize(&world).is_ok());
    world.clock.advance(HOUR);
    let (release, started) = slow(&world, ok(&discovery()));
    thread::scope(|scope| {
        let fetcher = scope.spawn(|| authorize(&world).is_ok());
        started.recv().unwrap();
        assert!(authorize(&world).is_ok());
        release.send(()).unwrap();
        assert!(fetcher.join().unwrap());
    });
    assert_eq!(world.requests(DISCOVERY).len(), 2);
}

#[test]
fn check_reports_keys_and_clock_skew() {
    let world = World::new();
    assert_eq!(world.provider.check(world.clock.now()).unwrap().clock_skew, None);
    let date = Some("Fri, 15 Jan 2027 08:01:30 GMT".to_owned());
    world.respond(DISCOVERY, Ok(OutboundResponse { date, ..response(200, discovery()) }));
    let status = world.provider.check(world.clock.now()).unwrap();
    assert_eq!((status.keys, status.clock_skew), (Some(1), Some(TimeDelta::seconds(90))));
    world.respond(JWKS, Err(timeout()));
    assert_eq!(failure(world.provider.check(world.clock.now())), "jwks_uri: unavailable: timeout");
}
