//! `OTEL_EXPORTER_OTLP_ENDPOINT`: each request is one span tree across all threads and continues its caller's
//! trace. No span contains client input.

use crate::harness::collector::{Collector, CollectorMode, attribute};
use crate::prelude::*;
use native_tls::{Identity, TlsAcceptor};
use opentelemetry_proto::tonic::trace::v1::Span;
use portcullis_testkit::smtp::Authority;
use std::collections::HashSet;

on_both_databases!(a_trace_is_seen_whole);

const PASSWORD: &str = "Zk7 correct horse battery staple";
const CALLER: &str = "b7ad6b7169203331";

fn traced(backend: Backend) -> (ServiceBuilder, Collector) {
    let collector = Collector::start(CollectorMode::Kind);
    let setup = backend.service().unset("RATE_LIMIT_ENABLED").set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    (setup, collector)
}

fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == 2)
}

/// Makes a call within a separate trace.
fn call(service: &Service, path: &str, flags: &str, body: &Value) -> (String, Reply) {
    let trace = format!("0af7651916cd43dd8448{:012x}", unique());
    let traceparent = format!("00-{trace}-{CALLER}-{flags}");
    (trace, service.call("POST", path).header("traceparent", &traceparent).json(body).send())
}

fn a_trace_is_seen_whole(backend: Backend) {
    let (setup, collector) = traced(backend);
    let (service, email) = (setup.set("OTEL_SERVICE_NAME", "auth-eu").start(), fresh_email());
    let credentials = json!({"email": email, "password": PASSWORD});
    let (registration, reply) = call(&service, "/auth/register", "01", &credentials);
    reply.expect(201);
    let (login, reply) = call(&service, "/auth/login", "01", &credentials);
    let pair = Pair::of(&reply);
    let (refresh, reply) = call(&service, "/auth/refresh", "01", &json!({"refresh_token": pair.refresh}));
    Pair::of(&reply);
    service.stop();
    let told = service.log.text();
    for (path, trace_id, status, tree) in [
        ("/auth/register", &registration, "201", REGISTRATION),
        ("/auth/login", &login, "200", LOGIN),
        ("/auth/refresh", &refresh, "200", REFRESH),
    ] {
        let trace = collector.trace(trace_id);
        assert_eq!(trace.tree(), tree);
        let root = trace.root();
        assert_eq!(hex::encode(&root.parent_span_id), CALLER);
        let expected = [
            ("http.request.method", "POST"),
            ("http.route", path),
            ("url.scheme", "http"),
            ("http.response.status_code", status),
        ];
        for (key, value) in expected {
            assert_eq!(attribute(root, key).as_deref(), Some(value), "{key}");
        }
        assert!(trace.0.iter().all(|span| !failed(span) && attribute(span, "error.type").is_none()));
        let ids: HashSet<_> = trace.0.iter().map(|span| &span.span_id).collect();
        assert_eq!(ids.len(), trace.0.len());
        let of_request = format!("\"trace_id\":\"{trace_id}\"");
        let lines: Vec<_> = told.lines().filter(|line| line.contains(&of_request)).collect();
        assert!(lines.len() >= 2 && lines.iter().all(|line| line.contains("\"request_id\"")), "{lines:?}");
    }
    assert_eq!(collector.spans().len(), [REGISTRATION, LOGIN, REFRESH].concat().lines().count());
    assert!(collector.was_told("auth-eu") && collector.was_told(env!("CARGO_PKG_VERSION")));
    assert!(collector.heads().iter().all(|head| head.starts_with("POST /v1/traces HTTP/1.1\r\n")));
    assert!(told.contains("\"message\":\"Traces are sent\""));
}

const REGISTRATION: &str = "\
POST /auth/register
  limiter reserve
  lane crypto
    store read
    password hash
      bcrypt
    store write
";
const LOGIN: &str = "\
POST /auth/login
  limiter reserve
  lane crypto
    store read
    password verify
      bcrypt
    token sign
    token sign
    limiter remaining
    store write
    limiter refund
";
const REFRESH: &str = "\
POST /auth/refresh
  token verify
  token sign
  token sign
  limiter remaining
  limiter remaining
  limiter reserve
  lane exchanges
    batch exchanges
      store rotate
";

#[test]
fn encryption_of_secrets_is_traced_and_a_damaged_one_is_an_error() {
    let (setup, collector) = traced(Backend::Sqlite);
    let service = setup.start();
    let enrolled = service.enrolled();
    service.database.execute("UPDATE totp_factors SET secret = X'00'");
    service.login_with(&enrolled.account, &enrolled.app.code()).expect_unavailable();
    service.stop();
    let spans = collector.spans();
    let errors = |name: &str| -> Vec<_> {
        spans.iter().filter(|span| span.name == name).map(|span| attribute(span, "error.type")).collect()
    };
    assert_eq!(errors("secret seal"), [None]);
    let mut opened = errors("secret open");
    opened.sort();
    assert_eq!(opened, [None, Some("damaged".to_owned())]);
}

#[test]
fn no_span_tells_what_a_caller_wrote() {
    const MARKER: &str = "Zk7marker7kZ";
    let (setup, collector) = traced(Backend::Sqlite);
    let service = setup.start();
    let email = format!("{MARKER}{}@example.com", unique());
    let credentials = json!({"email": email, "password": format!("{MARKER} long enough")});
    let marked = |method: &str, path: &str| {
        let call = service.call(method, &format!("{path}?{MARKER}={MARKER}")).header("User-Agent", MARKER);
        let call = call.header("X-Request-ID", MARKER).header("tracestate", &format!("a={MARKER}"));
        call.header("baggage", &format!("a={MARKER}")).header("Idempotency-Key", MARKER)
    };
    marked("POST", "/auth/register").json(&credentials).send().expect(201);
    let pair = Pair::of(&marked("POST", "/auth/login").json(&credentials).send());
    marked("POST", "/auth/login").json(&json!({"email": email, "password": MARKER})).send().expect(401);
    let renewed = Pair::of(&marked("POST", "/auth/refresh").json(&json!({"refresh_token": pair.refresh})).send());
    marked("POST", "/auth/refresh").json(&json!({"refresh_token": MARKER})).send().expect(401);
    marked("GET", "/auth/me").bearer(&renewed.access).send().expect(200);
    marked("GET", &format!("/auth/sessions/{MARKER}/events")).bearer(&renewed.access).send().expect(404);
    marked(MARKER, &format!("/{MARKER}")).send().expect(404);
    let traceparent = format!("00-{MARKER}");
    marked("GET", "/health").header("traceparent", &traceparent).send().expect(200);
    service.call("GET", "/health").header("traceparent", MARKER).header("traceparent", MARKER).send().expect(200);
    service.stop();
    let names: HashSet<_> = collector.spans().into_iter().filter(|span| span.kind == 2).map(|span| span.name).collect();
    let expected = [
        "POST /auth/register",
        "POST /auth/login",
        "POST /auth/refresh",
        "GET /auth/me",
        "GET /auth/sessions/{id}/events",
        "HTTP",
        "GET /health",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
    let tokens = [&pair.access, &pair.refresh, &renewed.access, &renewed.refresh].map(|token| token.split('.'));
    let parts = tokens.into_iter().flatten().map(str::to_owned);
    for secret in parts.chain([MARKER.to_owned(), MARKER.to_ascii_lowercase(), "long enough".to_owned()]) {
        assert!(!collector.was_told(&secret), "{secret}");
    }
}

#[test]
fn unsampled_request_sends_no_span_and_logs_its_trace_id() {
    let (setup, collector) = traced(Backend::Sqlite);
    let service = setup.start();
    let (quiet, reply) = call(&service, "/auth/logout", "00", &json!({"refresh_token": "none"}));
    reply.expect(401);
    let (loud, reply) = call(&service, "/auth/logout", "03", &json!({"refresh_token": "none"}));
    reply.expect(401);
    service.stop();
    assert!(collector.spans().iter().all(|span| hex::encode(&span.trace_id) == loud));
    assert!(!failed(collector.trace(&loud).root()), "a refusal is no error of the server");
    assert!(service.log.text().contains(&format!("\"trace_id\":\"{quiet}\"")));
}

#[test]
fn a_sampler_keeps_none_or_all() {
    for (sampler, argument, count) in
        [("parentbased_traceidratio", "0", 0), ("always_off", "1", 0), ("always_on", "0", 2)]
    {
        let (setup, collector) = traced(Backend::Sqlite);
        let service = setup.set("OTEL_TRACES_SAMPLER", sampler).set("OTEL_TRACES_SAMPLER_ARG", argument).start();
        service.get("/health").expect(200);
        let quiet = format!("00-{:032x}-{CALLER}-00", unique());
        service.call("GET", "/health").header("traceparent", &quiet).send().expect(200);
        service.stop();
        assert_eq!(collector.spans().len(), count, "{sampler}");
    }
}

#[test]
fn server_error_marks_its_span_and_the_failed_inner_span() {
    let (setup, collector) = traced(Backend::Sqlite);
    let service = setup.set("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere").start();
    let (trace, reply) = call(&service, "/auth/login", "01", &json!({"email": fresh_email(), "password": PASSWORD}));
    reply.expect_unavailable();
    let trace = collector.trace(&trace);
    let outcome = |name: &str| (failed(trace.named(name)), attribute(trace.named(name), "error.type"));
    assert_eq!(outcome("POST /auth/login"), (true, Some("503".to_owned())));
    assert_eq!(outcome("store read"), (true, Some("unavailable".to_owned())));
    assert_eq!(outcome("limiter reserve"), (false, None));
}

/// Both protocols work with TLS, and gRPC without it.
#[test]
fn grpc_and_tls_reach_the_collector() {
    let folder = tempfile::tempdir().unwrap();
    let issued = Authority::new().issue(&["127.0.0.1"]);
    let roots = folder.path().join("authority.pem");
    std::fs::write(&roots, &issued.authority).unwrap();
    let identity = Identity::from_pkcs8(issued.certificate.as_bytes(), issued.key.as_bytes()).unwrap();
    let tls = TlsAcceptor::new(identity).unwrap();
    for (mode, protocol, tls) in [
        (CollectorMode::Kind, "http/protobuf", Some(tls.clone())),
        (CollectorMode::Grpc, "grpc", Some(tls)),
        (CollectorMode::Grpc, "grpc", None),
    ] {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let collector = Collector::start_with(mode, tls);
        let setup = Backend::Sqlite.service().set("SSL_CERT_FILE", &roots.display().to_string());
        let setup = setup.set("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{scheme}://{}", collector.address));
        let setup = setup.set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        let service = setup.set("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20Zk7").start();
        service.get("/health").expect(200);
        service.stop();
        let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["GET /health"], "{scheme} {protocol}");
        assert!(collector.was_told("Bearer Zk7"));
    }
}

#[test]
fn without_an_address_there_is_no_trace_and_no_thread() {
    let service = Backend::Sqlite.service().start();
    let (trace, reply) = call(&service, "/auth/logout", "01", &json!({"refresh_token": "none"}));
    reply.expect(401);
    let threads = std::fs::read_dir(format!("/proc/{}/task", service.process_id())).unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
    assert!(names.into_iter().all(|name| name.trim() != "trace-exporter" && !name.starts_with("OpenTelemetry")));
    service.stop();
    assert!(!service.log.text().contains(&trace) && !service.log.text().contains("trace_id"));
}
