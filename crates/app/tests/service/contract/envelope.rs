//! The common error body and the headers of some errors.

use crate::harness::calls::Reply;
use crate::harness::sockets::Connection;
use crate::harness::{jose, on_both_databases, services::Service};
use serde_json::json;

on_both_databases!(
    every_error_has_this_body_whoever_raises_it,
    request_id_of_the_body_equals_the_header,
    a_401_of_a_bearer_route_carries_www_authenticate,
    a_405_carries_allow,
    a_validation_error_lists_every_field_at_fault,
    a_validation_error_never_shows_the_rejected_value,
    bodies_are_json_in_utf8,
    times_are_rfc_3339_in_utc_with_a_z,
    ids_are_integers_and_sub_is_the_id_as_a_string,
    no_error_tells_of_the_inside,
);

/// Returns one error of each kind that a client can provoke.
fn errors(service: &Service) -> Vec<(Reply, u16, &'static str)> {
    let (account, pair) = service.session();
    service.refresh(&pair.refresh).expect(200);
    let expired = jose::token(&jose::with(&jose::access_claims(account.id), "exp", 1_000_000_000));
    let call = |method: &str, path: &str| service.call(method, path);
    vec![
        (service.get("/nowhere"), 404, "NOT_FOUND"),
        (service.get("/auth/nowhere"), 404, "NOT_FOUND"),
        (service.get("/nowhere"), 404, "NOT_FOUND"),
        (call("DELETE", "/auth/login").send(), 405, "METHOD_NOT_ALLOWED"),
        (service.register(&account.email, "long enough"), 409, "CONFLICT"),
        (service.register("no address", "long enough"), 422, "VALIDATION_ERROR"),
        (call("POST", "/auth/login").body("application/json", "{").send(), 422, "VALIDATION_ERROR"),
        (call("POST", "/auth/login").body("text/plain", "{}").send(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (service.register(&"x".repeat(70_000), "long enough"), 413, "PAYLOAD_TOO_LARGE"),
        (service.login(&account.email, "wrong password"), 401, "AUTH_INVALID_CREDENTIALS"),
        (service.refresh("x"), 401, "AUTH_TOKEN_INVALID"),
        (service.refresh(&pair.refresh), 401, "AUTH_TOKEN_REVOKED"),
        (service.me("x"), 401, "AUTH_TOKEN_INVALID"),
        (service.me(&expired), 401, "AUTH_TOKEN_EXPIRED"),
    ]
}

fn every_error_has_this_body_whoever_raises_it(service: &Service) {
    for (reply, status, code) in errors(service) {
        reply.expect_error(status, code);
        assert!(reply.header("Content-Type").unwrap().starts_with("application/json"));
    }
}

fn request_id_of_the_body_equals_the_header(service: &Service) {
    let reply = service.call("GET", "/nowhere").header("X-Request-ID", "the.callers-own_1").send();
    assert_eq!(reply.expect(404)["request_id"], "the.callers-own_1");
    let reply = service.get("/nowhere");
    assert_eq!(reply.expect(404)["request_id"], reply.request_id());
}

fn a_401_of_a_bearer_route_carries_www_authenticate(service: &Service) {
    let none = service.get("/auth/me");
    none.expect_error(401, "AUTH_TOKEN_INVALID");
    let challenge = none.header("WWW-Authenticate").unwrap();
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    assert!(!challenge.contains("error"), "no token was shown: {challenge}");
    let (account, _) = service.session();
    let expired = jose::token(&jose::with(&jose::access_claims(account.id), "exp", 1_000_000_000));
    for token in ["x", &expired] {
        let reply = service.me(token);
        let challenge = reply.header("WWW-Authenticate").unwrap();
        assert!(challenge.starts_with("Bearer ") && challenge.contains(r#"error="invalid_token""#), "{challenge}");
    }
}

fn a_405_carries_allow(service: &Service) {
    let routes = [
        ("/auth/register", "POST"),
        ("/auth/login", "POST"),
        ("/auth/refresh", "POST"),
        ("/auth/logout", "POST"),
        ("/auth/password/forgot", "POST"),
        ("/auth/email/verify", "POST"),
        ("/health", "GET"),
        ("/health/live", "GET"),
        ("/health/ready", "GET"),
        ("/docs", "GET"),
        ("/redoc", "GET"),
        ("/openapi.json", "GET"),
    ];
    for (path, allowed) in routes {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            if method == allowed {
                continue;
            }
            // TRACE must not have a body, so this is sent by hand.
            let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let reply = service.raw(request).remove(0);
            assert_eq!(reply.status, 405, "{method} {path}");
            let allow: Vec<_> = reply.header("Allow").unwrap().split(',').map(str::trim).collect();
            assert!(allow.contains(&allowed), "{method} {path}: {allow:?}");
            assert!(!allow.contains(&method), "{method} {path}: {allow:?}");
            assert_eq!(allow.contains(&"HEAD"), allowed == "GET", "{method} {path}: {allow:?}");
            assert!(reply.body.contains("METHOD_NOT_ALLOWED"));
        }
    }
}

fn a_validation_error_lists_every_field_at_fault(service: &Service) {
    for body in [json!({}), json!({"email": 1, "password": true}), json!({"email": "a", "password": "b"})] {
        service.post("/auth/register", &body).expect_fields(&["email", "password"]);
    }
    service.post("/auth/register", &json!({"email": "a@example.com"})).expect_fields(&["password"]);
    service.post("/auth/register", &json!({"email": null, "password": "long enough"})).expect_fields(&["email"]);
    service.post("/auth/login", &json!({})).expect_fields(&["email", "password"]);
    service.call("POST", "/auth/login").form("scope=").send().expect_fields(&["username", "password"]);
    for path in ["/auth/refresh", "/auth/logout"] {
        for body in [json!({}), json!({"refresh_token": 7}), json!({"refresh_token": null})] {
            service.post(path, &body).expect_fields(&["refresh_token"]);
        }
    }
}

fn a_validation_error_never_shows_the_rejected_value(service: &Service) {
    let bodies = [
        json!({"email": "marker-1", "password": "marker2"}),
        json!({"email": ["marker-1"], "password": {"marker-1": 1}}),
        json!({"email": "marker@marker@marker", "password": "marker".repeat(50)}),
        json!("marker"),
    ];
    for body in bodies {
        let reply = service.post("/auth/register", &body);
        assert_eq!(reply.status, 422);
        assert!(!reply.text().contains("marker"), "{}", reply.text());
    }
    let reply = service.call("POST", "/auth/login").body("application/json", r#"{"email": marker}"#).send();
    assert!(!reply.text().contains("marker"), "{}", reply.text());
    assert!(!service.flushed_log().text().contains("marker-1"));
}

fn bodies_are_json_in_utf8(service: &Service) {
    let replies = [service.get("/health"), service.get("/nowhere"), service.get("/openapi.json")];
    for reply in replies {
        assert!(reply.header("Content-Type").unwrap().starts_with("application/json"));
        assert!(reply.json().is_object());
    }
    let account = service.account_with("κωδικός πρόσβασης");
    service.sign_in(&account);
}

fn times_are_rfc_3339_in_utc_with_a_z(service: &Service) {
    let (_, pair) = service.session();
    let created_at = service.me(&pair.access).expect(200)["created_at"].as_str().unwrap().to_owned();
    assert!(created_at.ends_with('Z'), "{created_at}");
    let time = chrono::DateTime::parse_from_rfc3339(&created_at).unwrap();
    assert!((time.timestamp() - crate::harness::timing::unix_now()).abs() < 120, "{created_at}");
}

fn ids_are_integers_and_sub_is_the_id_as_a_string(service: &Service) {
    let (account, pair) = service.session();
    for token in [&pair.access, &pair.refresh] {
        assert_eq!(jose::claims(token)["sub"], account.id.to_string());
    }
    assert_eq!(service.me(&pair.access).expect(200)["id"], account.id);
}

fn no_error_tells_of_the_inside(service: &Service) {
    let words =
        ["actix", "rust", "diesel", "sqlite", "postgres", "select ", "insert ", "panick", "src/", ".rs", "serde"];
    for (reply, ..) in errors(service) {
        let all = format!("{:?} {}", reply.headers, reply.text()).to_lowercase();
        assert!(words.iter().all(|word| !all.contains(word)), "{all}");
        assert_eq!(reply.header("Server"), None);
    }
    let mut connection = Connection::open(service);
    connection.send("GET / HTTP/1.1\r\n\r\n").unwrap();
    let reply = connection.reply().unwrap().unwrap();
    assert!(!reply.head.to_lowercase().contains("server:"), "{}", reply.head);
}
