//! Methods, HEAD, caching and CORS.

use crate::harness::databases::Backend;
use crate::harness::sockets::Connection;
use crate::harness::{on_both_databases, services::Service};

on_both_databases!(
    head_works_where_get_does,
    responses_that_carry_a_token_or_personal_data_are_not_stored,
    hsts_is_sent_only_with_hsts_seconds_and_https_public_url,
    no_get_takes_a_token_from_the_url,
    every_response_forbids_sniffing_framing_and_referrers,
    the_pages_allow_no_outside_host,
    a_foreign_origin_gets_nothing_by_default,
    listed_origins_and_no_others_may_call,
    a_listed_origin_may_send_any_header_and_read_ours,
);

fn head_works_where_get_does(service: &Service) {
    let (_, pair) = service.session();
    for path in ["/health", "/health/live", "/health/ready", "/docs", "/redoc", "/openapi.json", "/auth/me"] {
        let call = |method: &str| service.call(method, path).bearer(&pair.access).send();
        let (get, head) = (call("GET"), call("HEAD"));
        assert_eq!((head.status, head.header("Content-Type")), (get.status, get.header("Content-Type")), "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
    assert_eq!(service.call("HEAD", "/nowhere").send().status, 404);
    assert_eq!(service.call("HEAD", "/auth/login").send().status, 405);
    // No byte may follow the head, or the next response on the connection is misread.
    let mut connection = Connection::open(service);
    connection.send("HEAD /auth/me HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    connection.send("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    connection.finish();
    let text = connection.rest();
    let second = text.split("\r\n\r\n").nth(1).unwrap();
    assert!(second.starts_with("HTTP/1.1 200"), "{text}");
}

fn responses_that_carry_a_token_or_personal_data_are_not_stored(service: &Service) {
    let account = service.account();
    let login = service.login(&account.email, &account.password);
    let pair = crate::harness::accounts::Pair::of(&login);
    let form = format!("username={}&password={}", account.email, account.password.replace(' ', "+"));
    let form = service.call("POST", "/auth/login").form(&form).send();
    form.expect(200);
    let ask = |method: &str, path: &str| service.call(method, path).bearer(&pair.access).send();
    let session = ask("GET", "/auth/sessions").expect(200)["sessions"][0]["id"].as_str().unwrap().to_owned();
    let replies = [
        service.register(&crate::harness::accounts::fresh_email(), "correct horse"),
        ask("GET", "/auth/me"),
        ask("HEAD", "/auth/me"),
        ask("GET", "/auth/sessions"),
        ask("GET", &format!("/auth/sessions/{session}/events")),
        ask("GET", "/account/verify?token=x"),
        ask("GET", "/account/reset?token=x"),
        ask("GET", "/health/ready"),
        ask("GET", "/nowhere"),
        service.login(&account.email, "wrong"),
        ask("POST", "/auth/logout-all"),
        ask("GET", "/auth/me"),
    ];
    for reply in replies.into_iter().chain([login, form, service.refresh(&pair.refresh)]) {
        assert_eq!(reply.header("Cache-Control"), Some("no-store"), "{} {}", reply.status, reply.text());
    }
    for path in ["/docs", "/openapi.json", "/.well-known/jwks.json"] {
        assert_ne!(ask("GET", path).header("Cache-Control"), Some("no-store"), "{path}");
    }
}

fn hsts_is_sent_only_with_hsts_seconds_and_https_public_url(backend: Backend) {
    for (url, seconds, sent) in [
        ("https://auth.example.org", "31536000", Some("max-age=31536000")),
        ("https://auth.example.org", "0", None),
        ("http://127.0.0.1:8000", "31536000", None),
    ] {
        let service = backend.service().set("PUBLIC_URL", url).set("HSTS_SECONDS", seconds).start();
        for path in ["/health", "/docs", "/account/verify?token=x", "/nowhere", "/auth/me"] {
            assert_eq!(service.get(path).header("Strict-Transport-Security"), sent, "{url} {seconds} {path}");
        }
    }
}

fn no_get_takes_a_token_from_the_url(service: &Service) {
    let (_, pair) = service.session();
    for name in ["access_token", "token", "bearer", "Authorization"] {
        let reply = service.get(&format!("/auth/me?{name}={}", pair.access));
        reply.expect_error(401, "AUTH_TOKEN_INVALID");
    }
    for path in ["/auth/refresh", "/auth/logout"] {
        service.get(&format!("{path}?refresh_token={}", pair.refresh)).expect_error(405, "METHOD_NOT_ALLOWED");
        let reply = service.call("POST", &format!("{path}?refresh_token={}", pair.refresh)).json(&"".into()).send();
        reply.expect_error(422, "VALIDATION_ERROR");
    }
    service.refresh(&pair.refresh).expect(200);
}

fn every_response_forbids_sniffing_framing_and_referrers(service: &Service) {
    let replies = [
        service.get("/health"),
        service.get("/docs"),
        service.get("/redoc"),
        service.get("/openapi.json"),
        service.get("/nowhere"),
        service.call("DELETE", "/auth/login").send(),
        service.login("a@example.com", "wrong password"),
        service.call("POST", "/auth/login").body("application/json", "{").send(),
    ];
    for reply in replies {
        assert_eq!(reply.header("X-Content-Type-Options"), Some("nosniff"), "{reply:?}");
        assert_eq!(reply.header("Referrer-Policy"), Some("no-referrer"), "{reply:?}");
        let policy = reply.header("Content-Security-Policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(reply.header("Content-Type").is_some());
    }
    for page in ["/docs", "/redoc"] {
        let media_type = service.get(page).header("Content-Type").unwrap().to_lowercase();
        assert_eq!(media_type.replace(' ', ""), "text/html;charset=utf-8");
    }
}

fn the_pages_allow_no_outside_host(service: &Service) {
    for page in ["/docs", "/redoc"] {
        let reply = service.get(page);
        let policy = reply.header("Content-Security-Policy").unwrap();
        assert!(policy.contains("default-src"), "{policy}");
        let outside = ["http:", "https:", "*", "'unsafe-eval'"];
        assert!(outside.iter().all(|source| !policy.contains(source)), "{policy}");
    }
}

fn a_foreign_origin_gets_nothing_by_default(service: &Service) {
    let origin = "https://elsewhere.example";
    let preflight = service.call("OPTIONS", "/auth/login").header("Origin", origin);
    let preflight = preflight.header("Access-Control-Request-Method", "POST").send();
    let simple = service.call("GET", "/health").header("Origin", origin).send();
    assert_eq!(simple.status, 200);
    for reply in [preflight, simple] {
        assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{reply:?}");
    }
}

/// Client libraries add headers, for example our idempotency key and the tracing headers of OpenTelemetry and
/// Sentry.
fn a_listed_origin_may_send_any_header_and_read_ours(backend: Backend) {
    let origins = ["https://app.example", "capacitor://localhost", "tauri://localhost", "chrome-extension://abcdefgh"];
    let service = backend.service().set("CORS_ORIGINS", &origins.join(",")).start();
    for origin in origins {
        for names in ["idempotency-key", "traceparent,tracestate,baggage", "sentry-trace", "content-type, x-anything-1"]
        {
            let call = service.call("OPTIONS", "/auth/refresh").header("Origin", origin);
            let call = call.header("Access-Control-Request-Method", "POST");
            let preflight = call.header("Access-Control-Request-Headers", names).send();
            assert!(matches!(preflight.status, 200 | 204), "{origin} {names}: {preflight:?}");
            assert_eq!(preflight.header("Access-Control-Allow-Origin"), Some(origin));
            assert_eq!(preflight.header("Access-Control-Allow-Headers"), Some(names));
            assert_eq!(preflight.header("Access-Control-Allow-Credentials"), Some("true"));
        }
        let call = |path: &str| service.call("GET", path).header("Origin", origin).send();
        for reply in [call("/health"), call("/auth/me"), call("/nowhere")] {
            assert_eq!(reply.header("Access-Control-Allow-Origin"), Some(origin), "{reply:?}");
            let exposed = reply.header("Access-Control-Expose-Headers").unwrap().to_lowercase();
            let exposed: Vec<_> = exposed.split(',').map(str::trim).collect();
            for name in ["retry-after", "x-request-id", "ratelimit", "ratelimit-policy"] {
                assert!(exposed.contains(&name), "{name}: {exposed:?}");
            }
        }
    }
    let call = service.call("OPTIONS", "/auth/refresh").header("Origin", "capacitor://elsewhere");
    let call = call.header("Access-Control-Request-Method", "POST");
    let refused = call.header("Access-Control-Request-Headers", "idempotency-key").send();
    assert_eq!((refused.status, refused.header("Access-Control-Allow-Origin")), (403, None));
}

fn listed_origins_and_no_others_may_call(backend: Backend) {
    let service = backend.service().set("CORS_ORIGINS", "https://one.example,https://two.example:8443").start();
    let call = |method: &str, origin: &str| {
        let call = service.call(method, "/auth/login").header("Origin", origin);
        let call = call.header("Access-Control-Request-Method", "POST");
        call.header("Access-Control-Request-Headers", "content-type, authorization").send()
    };
    for origin in ["https://one.example", "https://two.example:8443"] {
        let preflight = call("OPTIONS", origin);
        assert!(matches!(preflight.status, 200 | 204), "{preflight:?}");
        assert_eq!(preflight.header("Access-Control-Allow-Origin"), Some(origin));
        let reply = service.call("GET", "/nowhere").header("Origin", origin).send();
        assert_eq!(reply.header("Access-Control-Allow-Origin"), Some(origin), "errors too");
    }
    let others = ["https://one.example.evil.example", "http://one.example", "https://two.example", "null"];
    for origin in others {
        for reply in [call("OPTIONS", origin), service.call("GET", "/health").header("Origin", origin).send()] {
            assert_eq!(reply.header("Access-Control-Allow-Origin"), None, "{origin}");
        }
    }
}
