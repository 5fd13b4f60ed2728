//! RFC 9457 for callers who prefer it.

use crate::harness::{on_both_databases, services::Service};
use serde_json::json;

on_both_databases!(
    a_caller_who_prefers_problem_json_gets_it,
    everybody_else_gets_the_envelope,
    a_problem_of_validation_lists_the_fields,
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
            let media_type = reply.header("Content-Type").unwrap();
            assert!(media_type.starts_with("application/problem+json"), "{accept}: {media_type}");
            let problem = reply.expect(status);
            assert_eq!(problem["status"], status);
            assert_eq!(problem["code"], code);
            assert_eq!(problem["request_id"], reply.request_id());
            assert!(problem["title"].is_string() && problem["type"].is_string(), "{problem}");
            assert!(problem.get("error").is_none(), "{problem}");
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

fn a_problem_of_validation_lists_the_fields(service: &Service) {
    let call = service.call("POST", "/auth/register").header("Accept", "application/problem+json");
    let problem = call.json(&json!({"email": "marker"})).send().expect(422);
    assert_eq!(problem["code"], "VALIDATION_ERROR");
    let text = problem.to_string();
    assert!(text.contains(r#""field":"email""#) && text.contains(r#""field":"password""#), "{text}");
    assert!(!text.contains("marker"), "{text}");
}
