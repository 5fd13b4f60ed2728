//! `GET /health`, `GET /health/live`, `GET /health/ready`. `tests/faults` covers their responses during a
//! database outage.

use crate::prelude::*;

on_both_databases!(health_live_and_ready_say_ok, a_fresh_database_has_no_account);

fn health_live_and_ready_say_ok(service: &Service) {
    // Clients of the FastAPI app follow its redirect from the slash.
    for path in ["/health", "/health?x=1", "/health/"] {
        assert_eq!(service.get(path).expect(200), json!({"status": "ok"}), "{path}");
    }
    assert_eq!(service.get("/health/live").expect(200)["status"], "ok");
    let ready = service.get("/health/ready").expect(200);
    assert_eq!((&ready["status"], &ready["checks"]["database"]["status"]), (&json!("ok"), &json!("ok")), "{ready}");
    assert!(ready["checks"]["database"]["latency_ms"].as_f64().unwrap() >= 0.0);
    for circuit in ["database", "database_writes"] {
        assert_eq!(ready["circuits"][circuit]["state"], "closed", "{circuit}");
    }
}

fn a_fresh_database_has_no_account(backend: Backend) {
    let service = backend.service().start();
    assert_eq!(service.database.count("FROM users") + service.database.count("FROM refresh_tokens"), 0);
    for password in ["admin", "password", "portcullis", "changeme"] {
        service.login("admin@example.com", password).wrong_credentials();
    }
}
