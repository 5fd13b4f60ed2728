//! `X-Request-ID`.

use crate::harness::{on_both_databases, services::Service};
use serde_json::json;
use std::collections::HashSet;

on_both_databases!(
    every_response_carries_one,
    a_callers_own_is_kept,
    anything_else_is_replaced_never_echoed_and_never_logged,
    a_generated_one_is_a_uuid_as_32_hex_digits,
);

fn every_response_carries_one(service: &Service) {
    let paths =
        ["/health", "/health/live", "/health/ready", "/docs", "/redoc", "/openapi.json", "/auth/me", "/nowhere"];
    for path in paths {
        for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
            let reply = service.call(method, path).send();
            assert!(reply.header("X-Request-ID").is_some(), "{method} {path}: {}", reply.status);
        }
    }
    for path in ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"] {
        for body in [json!({}), json!([]), json!("x".repeat(70_000))] {
            assert!(service.post(path, &body).header("X-Request-ID").is_some(), "{path}");
        }
        assert!(service.call("POST", path).body("text/plain", "{}").send().header("X-Request-ID").is_some());
    }
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

fn a_generated_one_is_a_uuid_as_32_hex_digits(service: &Service) {
    let ids: HashSet<_> = (0..50).map(|_| service.get("/health").request_id().to_owned()).collect();
    assert_eq!(ids.len(), 50);
    for id in ids {
        assert!(is_generated(&id), "{id}");
    }
}

/// Includes version and variant of RFC 9562 §4.
fn is_generated(id: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    id.len() == 32
        && id.chars().all(hex)
        && matches!(id.as_bytes()[12], b'4' | b'7')
        && matches!(id.as_bytes()[16], b'8' | b'9' | b'a' | b'b')
}
