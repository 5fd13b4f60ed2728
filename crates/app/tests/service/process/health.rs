//! `portcullis health`, and health probes that are not logged.

use crate::harness::collector::{Collector, CollectorMode};
use crate::prelude::*;
use rustix::process::Signal;
use std::net::TcpListener;
use std::time::Duration;

/// Builds the command as a container would run it: with the address of the service and without a secret.
fn health(service: &Service, host: &str, words: &str) -> ServiceBuilder {
    let setup = ServiceBuilder::over(&service.database).unset("SECRET_KEY").set("HOST", host);
    let setup = setup.set("PORT", &service.address.port().to_string());
    words.split(' ').fold(setup, ServiceBuilder::argument)
}

#[test]
fn health_command_asks_the_service_of_its_settings() {
    let service = Backend::Sqlite.service().set("SHUTDOWN_DELAY_SECONDS", "3600").start();
    let url = format!("http://127.0.0.1:{}", service.address.port());
    for (host, words, path) in [
        ("127.0.0.1", "health", "/health: 200 {"),
        ("0.0.0.0", "health --ready", "/health/ready: 200 {"),
        ("nowhere.example.org", &format!("health --ready --url {url}/"), "/health/ready: 200 {"),
    ] {
        let ended = health(&service, host, words).run();
        assert!(ended.status.success() && ended.errors.is_empty(), "{ended:?}");
        assert!(ended.output.starts_with(&format!("{url}{path}")) && ended.output.lines().count() == 1, "{ended:?}");
    }
    service.signal(Signal::TERM);
    service.log.wait_for(1, |event| event["message"].as_str().is_some_and(|text| text.starts_with("Not ready")));
    assert!(health(&service, "127.0.0.1", "health").run().status.success());
    let ended = health(&service, "127.0.0.1", "health --ready").run();
    assert!(ended.refusal().contains("/health/ready: 503 {\"status\":\"unavailable\""), "{ended:?}");
    service.kill();
    let ended = health(&service, "127.0.0.1", "health").run();
    assert_eq!((ended.status.code(), ended.refusal().contains(&url)), (Some(1), true), "{ended:?}");
}

#[test]
fn health_command_on_ipv6_and_without_a_port() {
    let service = Backend::Sqlite.service().set("HOST", "::").start();
    let ended = health(&service, "::", "health").run();
    assert!(ended.output.starts_with("http://[::1]:") && ended.status.success(), "{ended:?}");
    let ended = health(&service, "::", "health").set("PORT", "0").run();
    assert_eq!((ended.status.code(), ended.refusal().ends_with("use --url")), (Some(2), true), "{ended:?}");
}

#[test]
fn health_command_ends_within_5_s_if_nothing_answers() {
    let service = Backend::Sqlite.service().start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("health --url http://{}", silent.local_addr().unwrap());
    let (time, ended) = timed(|| health(&service, "127.0.0.1", &url).run());
    assert!(ended.refusal().contains("no complete response in time"), "{ended:?}");
    // Most of the margin is for the start of the process on a busy machine.
    assert!(time < Duration::from_secs(9), "{time:?}");
}

#[test]
fn log_health_leaves_probes_out_of_log_and_traces() {
    let collector = Collector::start(CollectorMode::Kind);
    for (logged, expected) in [("true", 1), ("false", 0)] {
        let setup = Backend::Sqlite.service().set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
        let service = setup.set("OTEL_SERVICE_NAME", logged).set("LOG_HEALTH", logged).set("LOG_LEVEL", "INFO").start();
        let probes = ["/health", "/health/", "/health/live", "/health/ready"];
        let ids = probes.map(|path| service.get(path).request_id().to_owned());
        let other = service.get("/health/nowhere").request_id().to_owned();
        let (trace, caller) = (format!("0af7651916cd43dd8448{:012x}", unique()), "b7ad6b7169203331");
        let call = service.call("GET", "/health/ready").header("traceparent", &format!("00-{trace}-{caller}-01"));
        call.send().expect(200);
        service.stop();
        let events = service.log.events();
        let of = |id: &str| events.iter().filter(|event| event["request_id"] == id).count();
        let lines = |id: &str| usize::from(of(id) > 0);
        assert_eq!(ids.each_ref().map(|id| lines(id)), [expected; 4], "LOG_HEALTH={logged}");
        assert_eq!(lines(&other), 1);
        let traced = collector.spans().iter().any(|span| hex::encode(&span.trace_id) == trace);
        assert_eq!(traced, logged == "true", "LOG_HEALTH={logged}");
    }
}
