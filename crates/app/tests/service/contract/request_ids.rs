//! `X-Request-ID`.

use crate::prelude::*;
use std::collections::HashSet;

on_both_databases!(
    every_response_carries_a_uuid_of_its_own,
    a_callers_own_is_kept,
    anything_else_is_replaced_never_echoed_and_never_logged,
);

fn every_response_carries_a_uuid_of_its_own(service: &Service) {
    let mut replies = Vec::new();
    for path in ["/health", "/health/live", "/health/ready", "/docs", "/redoc", "/openapi.json", "/auth/me", "/nowhere"]
    {
        let methods = ["GET", "HEAD", "POST", "DELETE", "OPTIONS"];
        replies.extend(methods.map(|method| service.call(method, path).send()));
    }
    for path in ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"] {
        replies.extend([json!({}), json!([]), json!("x".repeat(70_000))].map(|body| service.post(path, &body)));
        replies.push(service.call("POST", path).body("text/plain", "{}").send());
    }
    for reply in &replies {
        assert!(is_generated(reply.request_id()), "{}: {}", reply.request, reply.request_id());
    }
    let ids: HashSet<_> = replies.iter().map(|reply| reply.request_id()).collect();
    assert_eq!(ids.len(), replies.len());
}

fn a_callers_own_is_kept(service: &Service) {
    for id in ["a", "A.b_c-9", &"x".repeat(128)] {
        for path in ["/health", "/nowhere"] {
            let reply = service.call("GET", path).header("X-Request-ID", id).send();
            assert_eq!(reply.header("X-Request-ID"), Some(id), "{path}");
        }
        let logged = service.log.of_request(id);
        assert!(logged.iter().any(|event| event["path"] == "/health"), "{logged:?}");
    }
}

fn anything_else_is_replaced_never_echoed_and_never_logged(service: &Service) {
    let long = format!("marker.{}", "x".repeat(128));
    for id in ["", "marker id", "marker/", "marker;", "marker\"", "märker", "marker\tid", "marker{}", &long] {
        let reply = service.call("GET", "/nowhere").header("X-Request-ID", id).send();
        let given = reply.request_id();
        assert!(is_generated(given), "{id:?} became {given:?}");
        assert!(!reply.text().contains("marker"), "{}", reply.text());
        assert!(!service.log.of_request(given).is_empty());
    }
    assert!(!service.flushed_log().text().contains("marker"));
}

/// Returns whether the id is a UUID with version and variant (RFC 9562 §4), as 32 hex digits.
fn is_generated(id: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    id.len() == 32
        && id.chars().all(hex)
        && matches!(id.as_bytes()[12], b'4' | b'7')
        && matches!(id.as_bytes()[16], b'8' | b'9' | b'a' | b'b')
}
