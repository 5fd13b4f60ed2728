//! `GET /health`, `GET /health/live`, `GET /health/ready`. `tests/faults` covers their responses during a
//! database outage.

use crate::harness::calls::members;
use crate::harness::databases::Backend;
use crate::harness::{on_both_databases, services::Service};
use serde_json::json;

on_both_databases!(
    health_says_ok,
    live_says_ok_while_the_process_serves,
    ready_names_its_checks_and_circuits,
    a_fresh_database_has_no_account
);

fn health_says_ok(service: &Service) {
    assert_eq!(service.get("/health").expect(200), json!({"status": "ok"}));
    assert_eq!(service.get("/health?x=1").expect(200), json!({"status": "ok"}));
    assert_eq!(service.get("/health/").expect(200), json!({"status": "ok"}), "clients follow the redirect there");
}

fn live_says_ok_while_the_process_serves(service: &Service) {
    assert_eq!(service.get("/health/live").expect(200)["status"], "ok");
}

fn ready_names_its_checks_and_circuits(service: &Service) {
    let ready = service.get("/health/ready").expect(200);
    assert_eq!(ready["status"], "ok");
    assert_eq!(ready["checks"]["database"]["status"], "ok");
    assert!(ready["checks"]["database"]["latency_ms"].as_f64().unwrap() >= 0.0);
    assert_eq!(ready["circuits"]["database"]["state"], "closed");
    for name in ["checks", "circuits", "status"] {
        assert!(members(&ready).contains(&name), "{ready}");
    }
}

fn a_fresh_database_has_no_account(backend: Backend) {
    let service = backend.service().start();
    assert_eq!(service.database.count("FROM users"), 0);
    assert_eq!(service.database.count("FROM refresh_tokens"), 0);
    for password in ["admin", "password", "portcullis", "changeme"] {
        service.login("admin@example.com", password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}
