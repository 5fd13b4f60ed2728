//! HEAD, caching, security headers and CORS.

use crate::harness::sockets::Connection;
use crate::prelude::*;

on_both_databases!(
    head_works_where_get_does,
    responses_that_carry_a_token_or_personal_data_are_not_stored,
    no_get_takes_a_token_from_the_url,
    every_response_forbids_sniffing_framing_and_referrers,
    a_foreign_origin_gets_nothing_by_default,
);

fn head_works_where_get_does(service: &Service) {
    let (_, pair) = service.session();
    for path in ["/health", "/health/live", "/health/ready", "/docs", "/redoc", "/openapi.json", "/auth/me"] {
        let (get, head) = (service.ask("GET", path, &pair.access), service.ask("HEAD", path, &pair.access));
        assert_eq!((head.status, head.header("Content-Type")), (get.status, get.header("Content-Type")), "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
    service.call("HEAD", "/nowhere").send().has_status(404);
    service.call("HEAD", "/auth/login").send().has_status(405);
    // No byte may follow the head, or the next response on the connection is misread.
    let mut connection = Connection::open(service);
    connection.send("HEAD /auth/me HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    connection.send("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    connection.finish();
    let text = connection.rest();
    assert!(text.split("\r\n\r\n").nth(1).unwrap().starts_with("HTTP/1.1 200"), "{text}");
}

fn responses_that_carry_a_token_or_personal_data_are_not_stored(service: &Service) {
    let account = service.account();
    let login = service.login(&account.email, &account.password);
    let pair = Pair::of(&login);
    let ask = |method: &str, path: &str| service.ask(method, path, &pair.access);
    let form = service.call("POST", "/auth/login").fields(&account.as_form()).send();
    form.expect(200);
    for reply in [
        service.register(&fresh_email(), "correct horse"),
        ask("GET", "/auth/me"),
        ask("HEAD", "/auth/me"),
        ask("GET", "/auth/sessions"),
        ask("GET", &format!("/auth/sessions/{}/events", pair.sid())),
        ask("GET", "/account/verify?token=x"),
        ask("GET", "/account/reset?token=x"),
        ask("GET", "/health/ready"),
        ask("GET", "/nowhere"),
        service.login(&account.email, "wrong"),
        ask("POST", "/auth/logout-all"),
        ask("GET", "/auth/me"),
        login,
        form,
        service.refresh(&pair.refresh),
    ] {
        assert_eq!(reply.header("Cache-Control"), Some("no-store"), "{}", reply.request);
    }
    for path in ["/docs", "/openapi.json", "/.well-known/jwks.json"] {
        assert_ne!(ask("GET", path).header("Cache-Control"), Some("no-store"), "{path}");
    }
}

#[test]
fn hsts_is_sent_only_with_hsts_seconds_and_https_public_url() {
    for (url, seconds, sent) in [
        ("https://auth.example.org", "31536000", Some("max-age=31536000")),
        ("https://auth.example.org", "0", None),
        ("http://127.0.0.1:8000", "31536000", None),
    ] {
        let service = Backend::Sqlite.service().set("PUBLIC_URL", url).set("HSTS_SECONDS", seconds).start();
        for path in ["/health", "/docs", "/account/verify?token=x", "/nowhere", "/auth/me"] {
            assert_eq!(service.get(path).header("Strict-Transport-Security"), sent, "{url} {seconds} {path}");
        }
    }
}

fn no_get_takes_a_token_from_the_url(service: &Service) {
    let (_, pair) = service.session();
    for name in ["access_token", "token", "bearer", "Authorization"] {
        service.get(&format!("/auth/me?{name}={}", pair.access)).invalid();
    }
    for path in ["/auth/refresh", "/auth/logout"] {
        let path = format!("{path}?refresh_token={}", pair.refresh);
        service.get(&path).expect_error(405, "METHOD_NOT_ALLOWED");
        service.post(&path, &"".into()).expect_error(422, "VALIDATION_ERROR");
    }
    service.refresh(&pair.refresh).expect(200);
}

fn every_response_forbids_sniffing_framing_and_referrers(service: &Service) {
    let pages = ["/docs", "/redoc"].map(|path| service.get(path));
    for page in &pages {
        let media_type = page.header("Content-Type").unwrap().to_lowercase();
        assert_eq!(media_type.replace(' ', ""), "text/html;charset=utf-8");
        let policy = page.header("Content-Security-Policy").unwrap();
        let outside = ["http:", "https:", "*", "'unsafe-eval'"];
        assert!(policy.contains("default-src") && outside.iter().all(|source| !policy.contains(source)), "{policy}");
    }
    for reply in pages.into_iter().chain([
        service.get("/health"),
        service.get("/openapi.json"),
        service.get("/nowhere"),
        service.call("DELETE", "/auth/login").send(),
        service.login("a@example.com", "wrong password"),
        service.call("POST", "/auth/login").body("application/json", "{").send(),
    ]) {
        assert_eq!(reply.header("X-Content-Type-Options"), Some("nosniff"), "{reply:?}");
        assert_eq!(reply.header("Referrer-Policy"), Some("no-referrer"), "{reply:?}");
        assert!(reply.header("Content-Security-Policy").unwrap().contains("frame-ancestors 'none'"), "{reply:?}");
        assert!(reply.header("Content-Type").is_some());
    }
}

fn a_foreign_origin_gets_nothing_by_default(service: &Service) {
    for (method, path) in [("OPTIONS", "/auth/login"), ("GET", "/health")] {
        let call = service.call(method, path).header("Origin", "https://elsewhere.example");
        let reply = call.header("Access-Control-Request-Method", "POST").send();
        assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{reply:?}");
    }
}

/// Client libraries add headers, for example our idempotency key and the tracing headers of OpenTelemetry and
/// Sentry.
#[test]
fn listed_origins_may_send_any_header_and_read_ours() {
    let listed =
        ["https://app.example", "https://two.example:8443", "capacitor://localhost", "chrome-extension://abcd"];
    let service = Backend::Sqlite.service().set("CORS_ORIGINS", &listed.join(",")).start();
    let preflight = |origin: &str, names: &str| {
        let call = service.call("OPTIONS", "/auth/refresh").header("Origin", origin);
        call.header("Access-Control-Request-Method", "POST").header("Access-Control-Request-Headers", names).send()
    };
    let read = |path: &str, origin: &str| service.call("GET", path).header("Origin", origin).send();
    for origin in listed {
        for names in ["idempotency-key", "traceparent,tracestate,baggage", "content-type, authorization, x-anything-1"]
        {
            let reply = preflight(origin, names);
            assert!(matches!(reply.status, 200 | 204), "{origin} {names}: {reply:?}");
            assert_eq!(reply.header("Access-Control-Allow-Origin"), Some(origin));
            assert_eq!(reply.header("Access-Control-Allow-Headers"), Some(names));
            assert_eq!(reply.header("Access-Control-Allow-Credentials"), Some("true"));
        }
        for reply in ["/health", "/auth/me", "/nowhere"].map(|path| read(path, origin)) {
            assert_eq!(reply.header("Access-Control-Allow-Origin"), Some(origin), "{reply:?}");
            let exposed = reply.header("Access-Control-Expose-Headers").unwrap().to_lowercase();
            let exposed: Vec<_> = exposed.split(',').map(str::trim).collect();
            for name in ["retry-after", "x-request-id", "ratelimit", "ratelimit-policy"] {
                assert!(exposed.contains(&name), "{name}: {exposed:?}");
            }
        }
    }
    for origin in [
        "https://app.example.evil.example",
        "http://app.example",
        "https://two.example",
        "capacitor://elsewhere",
        "null",
    ] {
        let refused = preflight(origin, "content-type");
        assert_eq!((refused.status, refused.header("Access-Control-Allow-Origin")), (403, None), "{origin}");
        assert_eq!(read("/health", origin).header("Access-Control-Allow-Origin"), None, "{origin}");
    }
}
