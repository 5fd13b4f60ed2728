//! `portcullis health`.

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
