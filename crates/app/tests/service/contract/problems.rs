//! Problem documents (RFC 9457) for clients that prefer them.

use super::envelope::errors;
use crate::prelude::*;

on_both_databases!(
    a_caller_who_prefers_problem_json_gets_it,
    everybody_else_gets_the_envelope_and_vary_is_set,
    every_error_has_its_problem,
    a_problem_of_validation_lists_the_fields,
);

fn a_caller_who_prefers_problem_json_gets_it(service: &Service) {
    // The preference's own tests have more.
    for accept in [
        "Application/Problem+JSON",
        "application/json;q=0.1, application/problem+json;q=0.2",
        "text/html;q=0.5, application/problem+json",
    ] {
        let reply = service.call("GET", "/nowhere").header("Accept", accept).send();
        expect_problem(&reply, 404, "NOT_FOUND");
        assert_eq!(reply.header("Vary"), Some("accept"));
    }
}

fn everybody_else_gets_the_envelope_and_vary_is_set(service: &Service) {
    for accept in
        ["*/*", "application/json", "application/problem+json;q=0.1, */*;q=0.5", "application/problem+xml", ""]
    {
        let reply = service.call("GET", "/nowhere").header("Accept", accept).send();
        assert!(reply.text().starts_with(r#"{"error":{"#), "{accept:?}: {}", reply.text());
        reply.expect_error(404, "NOT_FOUND");
        assert!(reply.header("Content-Type").unwrap().starts_with("application/json"), "{accept:?}");
        assert_eq!(reply.header("Vary"), Some("accept"));
    }
    let raw = service.raw("GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").remove(0);
    assert!(raw.body.starts_with(r#"{"error":{"#), "{}", raw.body);
    assert_eq!(service.get("/health").header("Vary"), None);
}

/// Sends the call with a preference for problem documents.
fn send(call: Call) -> Reply {
    call.header("Accept", "application/problem+json").send()
}

/// Checks a response against RFC 9457, member by member.
#[track_caller]
fn expect_problem(reply: &Reply, status: u16, code: &str) -> Value {
    let problem = reply.expect(status);
    assert_eq!(reply.header("Content-Type"), Some("application/problem+json"), "{}", reply.request);
    let mut expected = vec!["code", "detail", "request_id", "status", "title", "type"];
    if status == 422 {
        expected.insert(2, "errors");
    }
    assert_eq!(members(&problem), expected, "{}", reply.request);
    assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)));
    assert_eq!(problem["type"], "about:blank");
    // RFC 9457 §4.2.1: with this type, the title is the status phrase.
    let title = ureq::http::StatusCode::from_u16(status).unwrap().canonical_reason().unwrap();
    assert_eq!(problem["title"], title);
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    assert_eq!(problem["request_id"], reply.request_id());
    problem
}

fn every_error_has_its_problem(service: &Service) {
    for (call, status, code) in errors(service) {
        let reply = send(call);
        expect_problem(&reply, status, code);
        assert_eq!(reply.header("Allow").is_some(), status == 405, "{}", reply.request);
        let bearer = reply.request.contains("/auth/me");
        assert_eq!(reply.header("WWW-Authenticate").is_some(), bearer, "{}", reply.request);
    }
}

#[test]
fn limits_refused_origins_and_faults_are_problems_too() {
    let setup = Backend::Sqlite.service().unset("RATE_LIMIT_ENABLED").set("RATE_LIMIT_ACCOUNT", "1/15m");
    let service = setup.set("CORS_ORIGINS", "https://app.example.org").start();
    let (_, pair) = service.session();
    // An account that had logged in from here would get another attempt for this source.
    let guess = json!({"email": fresh_email(), "password": "wrong one"});
    let login = || service.call("POST", "/auth/login").json(&guess);
    login().send().wrong_credentials();
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
    service.database.execute("ALTER TABLE users RENAME TO elsewhere");
    let broken = send(service.call("GET", "/auth/me").bearer(&pair.access));
    expect_problem(&broken, 500, "INTERNAL_ERROR");
    assert!(!broken.text().contains("elsewhere") && !broken.text().contains("users"), "{}", broken.text());
}

#[test]
fn a_database_that_is_not_there_is_a_problem() {
    let setup = Backend::Sqlite.service().set("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere");
    let service = setup.start();
    let account = json!({"email": "a@b.org", "password": "long enough"});
    let reply = send(service.call("POST", "/auth/register").json(&account));
    expect_problem(&reply, 503, "SERVICE_UNAVAILABLE");
    assert!(reply.header("Retry-After").is_some());
}

fn a_problem_of_validation_lists_the_fields(service: &Service) {
    let reply = send(service.call("POST", "/auth/register").json(&json!({"email": "marker"})));
    let problem = expect_problem(&reply, 422, "VALIDATION_ERROR");
    let errors = problem["errors"].as_array().unwrap();
    let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["email", "password"]);
    assert!(errors.iter().all(|error| members(error) == ["code", "field", "message"]), "{problem}");
    assert!(!problem.to_string().contains("marker"), "{problem}");
}
