//! The common error body and the headers of some errors.

use crate::harness::sockets::Connection;
use crate::prelude::*;

on_both_databases!(
    every_error_has_one_body_and_tells_nothing_of_the_inside,
    request_id_of_the_body_equals_the_header,
    a_401_of_a_bearer_route_carries_www_authenticate,
    a_405_carries_allow,
    a_validation_error_lists_every_field_at_fault,
    a_validation_error_never_shows_the_rejected_value,
    times_are_rfc_3339_in_utc_with_a_z,
);

/// Returns an expired access token of the account.
pub(super) fn expired(account: &Account) -> String {
    jose::token(&jose::with(&jose::access_claims(account.id), "exp", 1_000_000_000))
}

/// Returns one error of each kind that a client can provoke.
pub(super) fn errors(service: &Service) -> Vec<(Call, u16, &'static str)> {
    let (account, pair) = service.session();
    service.refresh(&pair.refresh).expect(200);
    let call = |method: &str, path: &str| service.call(method, path);
    let register =
        |email: &str| call("POST", "/auth/register").json(&json!({"email": email, "password": "long enough"}));
    let login = || call("POST", "/auth/login");
    let refresh = |token: &str| call("POST", "/auth/refresh").json(&json!({"refresh_token": token}));
    vec![
        (call("GET", "/nowhere"), 404, "NOT_FOUND"),
        (call("GET", "/auth/nowhere"), 404, "NOT_FOUND"),
        (call("DELETE", "/auth/sessions/x").bearer(&pair.access), 404, "NOT_FOUND"),
        (call("DELETE", "/auth/login"), 405, "METHOD_NOT_ALLOWED"),
        (register(&account.email), 409, "CONFLICT"),
        (register("no address"), 422, "VALIDATION_ERROR"),
        (register(&"x".repeat(70_000)), 413, "PAYLOAD_TOO_LARGE"),
        (login().body("application/json", "{"), 422, "VALIDATION_ERROR"),
        (login().body("text/plain", "{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (login().json(&json!({"email": account.email, "password": "wrong"})), 401, "AUTH_INVALID_CREDENTIALS"),
        (refresh("x"), 401, "AUTH_TOKEN_INVALID"),
        (refresh(&pair.refresh), 401, "AUTH_TOKEN_REVOKED"),
        (call("POST", "/auth/logout").json(&json!({})), 422, "VALIDATION_ERROR"),
        (call("GET", "/auth/me").bearer("x"), 401, "AUTH_TOKEN_INVALID"),
        (call("GET", "/auth/me").bearer(&expired(&account)), 401, "AUTH_TOKEN_EXPIRED"),
    ]
}

fn every_error_has_one_body_and_tells_nothing_of_the_inside(service: &Service) {
    let words =
        ["actix", "rust", "diesel", "sqlite", "postgres", "select ", "insert ", "panick", "src/", ".rs", "serde"];
    for (call, status, code) in errors(service) {
        let reply: Reply = call.send();
        reply.expect_error(status, code);
        assert!(reply.header("Content-Type").unwrap().starts_with("application/json"), "{}", reply.request);
        let all = format!("{:?} {}", reply.headers, reply.text()).to_lowercase();
        assert!(words.iter().all(|word| !all.contains(word)), "{all}");
        assert_eq!(reply.header("Server"), None);
    }
    let mut connection = Connection::open(service);
    connection.send("GET / HTTP/1.1\r\n\r\n").unwrap();
    let reply = connection.reply().unwrap().unwrap();
    assert!(!reply.head.to_lowercase().contains("server:"), "{}", reply.head);
}

fn request_id_of_the_body_equals_the_header(service: &Service) {
    let reply = service.call("GET", "/nowhere").header("X-Request-ID", "the.callers-own_1").send();
    assert_eq!(reply.expect(404)["request_id"], "the.callers-own_1");
}

fn a_401_of_a_bearer_route_carries_www_authenticate(service: &Service) {
    let none = service.get("/auth/me");
    none.invalid();
    assert_eq!(none.header("WWW-Authenticate"), Some("Bearer"), "no token was shown");
    for token in ["x", &expired(&service.account())] {
        let reply = service.me(token);
        assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer error=\"invalid_token\""), "{}", reply.request);
    }
}

fn a_405_carries_allow(service: &Service) {
    let posts =
        ["register", "login", "refresh", "logout", "password/forgot", "email/verify"].map(|p| format!("/auth/{p}"));
    let gets = ["/health", "/health/live", "/health/ready", "/docs", "/redoc", "/openapi.json"];
    let routes = posts.iter().map(|path| (path.as_str(), "POST")).chain(gets.map(|path| (path, "GET")));
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
            assert!(allow.contains(&allowed) && !allow.contains(&method), "{method} {path}: {allow:?}");
            assert_eq!(allow.contains(&"HEAD"), allowed == "GET", "{method} {path}: {allow:?}");
            assert!(reply.body.contains("METHOD_NOT_ALLOWED"));
        }
    }
}

fn a_validation_error_lists_every_field_at_fault(service: &Service) {
    let both = ["email", "password"].as_slice();
    let token = ["refresh_token"].as_slice();
    for (path, body, fields) in [
        ("/auth/register", json!({}), both),
        ("/auth/register", json!({"email": 1, "password": true}), both),
        ("/auth/register", json!({"email": "a", "password": "b"}), both),
        ("/auth/register", json!({"email": "a@example.com"}), &["password"]),
        ("/auth/register", json!({"email": null, "password": "long enough"}), &["email"]),
        ("/auth/login", json!({}), both),
        ("/auth/refresh", json!({}), token),
        ("/auth/refresh", json!({"refresh_token": 7}), token),
        ("/auth/refresh", json!({"refresh_token": null}), token),
        ("/auth/logout", json!({}), token),
        ("/auth/logout", json!({"refresh_token": 7}), token),
        ("/auth/logout", json!({"refresh_token": null}), token),
    ] {
        service.post(path, &body).expect_fields(fields);
    }
    service.call("POST", "/auth/login").form("scope=").send().expect_fields(&["username", "password"]);
}

fn a_validation_error_never_shows_the_rejected_value(service: &Service) {
    for body in [
        r#"{"email": "marker-1", "password": "marker2"}"#.to_owned(),
        r#"{"email": ["marker-1"], "password": {"marker-1": 1}}"#.to_owned(),
        format!(r#"{{"email": "marker@marker@marker", "password": "{}"}}"#, "marker".repeat(50)),
        "\"marker\"".to_owned(),
        r#"{"email": marker}"#.to_owned(),
    ] {
        let reply = service.call("POST", "/auth/register").body("application/json", body).send();
        reply.expect_error(422, "VALIDATION_ERROR");
        assert!(!reply.text().contains("marker"), "{}", reply.text());
    }
    assert!(!service.flushed_log().text().contains("marker-1"));
}

fn times_are_rfc_3339_in_utc_with_a_z(service: &Service) {
    let (_, pair) = service.session();
    let created_at = service.me(&pair.access).expect(200)["created_at"].as_str().unwrap().to_owned();
    assert!(created_at.ends_with('Z'), "{created_at}");
    let time = chrono::DateTime::parse_from_rfc3339(&created_at).unwrap();
    assert!((time.timestamp() - unix_now()).abs() < 120, "{created_at}");
}
