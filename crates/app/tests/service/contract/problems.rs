//! Problem documents (RFC 9457) for clients that prefer them.

use crate::harness::accounts::fresh_email;
use crate::harness::calls::{Call, Reply, members};
use crate::harness::databases::Backend;
use crate::harness::{jose, on_both_databases, services::Service};
use serde_json::{Value, json};

on_both_databases!(
    a_caller_who_prefers_problem_json_gets_it,
    everybody_else_gets_the_envelope,
    every_status_has_its_problem,
    limits_and_outages_are_problems_too,
    a_problem_of_validation_lists_the_fields,
    an_error_says_that_it_varies_by_accept,
);

fn a_caller_who_prefers_problem_json_gets_it(service: &Service) {
    let preferences = [
        "application/problem+json",
        "Application/Problem+JSON",
        "application/problem+json, application/json;q=0.9",
        "application/json;q=0.1, application/problem+json;q=0.2",
        "application/problem+json, */*;q=0.1",
        "text/html;q=0.5, application/problem+json",
    ];
    for accept in preferences {
        let cases = [
            (service.call("GET", "/nowhere"), 404, "NOT_FOUND"),
            (service.call("PUT", "/auth/login"), 405, "METHOD_NOT_ALLOWED"),
            (service.call("GET", "/auth/me"), 401, "AUTH_TOKEN_INVALID"),
            (service.call("POST", "/auth/login").body("text/plain", "{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ];
        for (call, status, code) in cases {
            let reply = call.header("Accept", accept).send();
            expect_problem(&reply, status, code);
        }
    }
}

fn everybody_else_gets_the_envelope(service: &Service) {
    let preferences = [
        "*/*",
        "application/*",
        "application/json",
        "text/html",
        "application/json, application/problem+json;q=0.9",
        "application/problem+json;q=0.1, */*;q=0.5",
        "application/problem+json;q=0",
        "application/problem+xml",
        "nonsense",
        "",
    ];
    for accept in preferences {
        let reply = service.call("GET", "/nowhere").header("Accept", accept).send();
        assert!(reply.text().starts_with(r#"{"error":{"#), "{accept:?}: {}", reply.text());
        reply.expect_error(404, "NOT_FOUND");
        assert!(reply.header("Content-Type").unwrap().starts_with("application/json"), "{accept:?}");
    }
    let raw = service.raw("GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").remove(0);
    assert!(raw.body.starts_with(r#"{"error":{"#), "{}", raw.body);
}

/// Sends the call with a preference for problem documents.
fn send(call: Call) -> Reply {
    call.header("Accept", "application/problem+json").send()
}

/// Checks a response against RFC 9457, member by member.
#[track_caller]
fn expect_problem(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.header("Content-Type"), Some("application/problem+json"), "{}", reply.text());
    let problem = reply.expect(status);
    let mut expected = vec!["code", "detail", "request_id", "status", "title", "type"];
    if status == 422 {
        expected.insert(2, "errors");
    }
    assert_eq!(members(&problem), expected);
    assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)));
    assert_eq!(problem["type"], "about:blank");
    // RFC 9457 §4.2.1: with this type, the title is the status phrase.
    let title = ureq::http::StatusCode::from_u16(status).unwrap().canonical_reason().unwrap();
    assert_eq!(problem["title"], title);
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    assert_eq!(problem["request_id"], reply.request_id());
    problem
}

fn every_status_has_its_problem(service: &Service) {
    let (account, pair) = service.session();
    service.refresh(&pair.refresh).expect(200);
    let expired = jose::token(&jose::with(&jose::access_claims(account.id), "exp", 1_000_000_000));
    let call = |method: &str, path: &str| service.call(method, path);
    let credentials = |password: &str| json!({"email": account.email, "password": password});
    let spent = json!({"refresh_token": pair.refresh});
    let large = credentials(&"x".repeat(70_000));
    let cases = [
        (call("POST", "/auth/login").json(&credentials("wrong password")), 401, "AUTH_INVALID_CREDENTIALS"),
        (call("POST", "/auth/refresh").json(&json!({"refresh_token": "x"})), 401, "AUTH_TOKEN_INVALID"),
        (call("GET", "/auth/me").bearer(&expired), 401, "AUTH_TOKEN_EXPIRED"),
        (call("POST", "/auth/refresh").json(&spent), 401, "AUTH_TOKEN_REVOKED"),
        (call("GET", "/nowhere"), 404, "NOT_FOUND"),
        (call("DELETE", "/auth/sessions/x").bearer(&pair.access), 404, "NOT_FOUND"),
        (call("DELETE", "/auth/login"), 405, "METHOD_NOT_ALLOWED"),
        (call("POST", "/auth/register").json(&credentials("long enough")), 409, "CONFLICT"),
        (call("POST", "/auth/register").json(&large), 413, "PAYLOAD_TOO_LARGE"),
        (call("POST", "/auth/login").body("text/plain", "{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (call("POST", "/auth/login").body("application/json", "{"), 422, "VALIDATION_ERROR"),
        (call("POST", "/auth/logout").json(&json!({})), 422, "VALIDATION_ERROR"),
    ];
    for (call, status, code) in cases {
        let reply = send(call);
        expect_problem(&reply, status, code);
        assert_eq!(reply.header("Allow").is_some(), status == 405, "{status}");
    }
    let challenged = send(call("GET", "/auth/me").bearer("x"));
    expect_problem(&challenged, 401, "AUTH_TOKEN_INVALID");
    assert!(challenged.header("WWW-Authenticate").is_some());
}

fn limits_and_outages_are_problems_too(backend: Backend) {
    let setup = backend.service().unset("RATE_LIMIT_ENABLED").set("RATE_LIMIT_ACCOUNT", "1/15m");
    let service = setup.set("CORS_ORIGINS", "https://app.example.org").start();
    let (_, pair) = service.session();
    // An account that had logged in from here would get another attempt for this source.
    let guess = json!({"email": fresh_email(), "password": "wrong one"});
    let login = || service.call("POST", "/auth/login").json(&guess);
    login().send().expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let limited = send(login());
    expect_problem(&limited, 429, "RATE_LIMITED");
    assert!(limited.header("Retry-After").is_some() && limited.header("RateLimit").is_some());
    let elsewhere = service.call("OPTIONS", "/auth/login").header("Origin", "https://elsewhere.example.org");
    let refused = send(elsewhere.header("Access-Control-Request-Method", "POST"));
    expect_problem(&refused, 403, "FORBIDDEN");
    let listed = send(service.call("GET", "/nowhere").header("Origin", "https://app.example.org"));
    expect_problem(&listed, 404, "NOT_FOUND");
    let vary: Vec<_> = listed.headers.get_all("Vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.concat().contains("Origin") && vary.contains(&"accept"), "{vary:?}");
    let me = || send(service.call("GET", "/auth/me").bearer(&pair.access));
    service.database.execute("ALTER TABLE users RENAME TO elsewhere");
    let broken = me();
    expect_problem(&broken, 500, "INTERNAL_ERROR");
    assert!(!broken.text().contains("elsewhere") && !broken.text().contains("users"), "{}", broken.text());
}

#[test]
fn a_database_that_is_not_there_is_a_problem() {
    let setup = Backend::Sqlite.service().set("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere");
    let service = setup.start();
    let reply =
        send(service.call("POST", "/auth/register").json(&json!({"email": "a@b.org", "password": "long enough"})));
    expect_problem(&reply, 503, "SERVICE_UNAVAILABLE");
    assert!(reply.header("Retry-After").is_some());
}

fn a_problem_of_validation_lists_the_fields(service: &Service) {
    let problem = expect_problem(
        &send(service.call("POST", "/auth/register").json(&json!({"email": "marker"}))),
        422,
        "VALIDATION_ERROR",
    );
    let errors = problem["errors"].as_array().unwrap();
    let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["email", "password"]);
    assert!(errors.iter().all(|error| members(error) == ["code", "field", "message"]), "{problem}");
    assert!(!problem.to_string().contains("marker"), "{problem}");
}

fn an_error_says_that_it_varies_by_accept(service: &Service) {
    for accept in ["*/*", "application/problem+json"] {
        let reply = service.call("GET", "/nowhere").header("Accept", accept).send();
        assert_eq!(reply.header("Vary"), Some("accept"));
    }
    assert_eq!(service.get("/health").header("Vary"), None);
}
