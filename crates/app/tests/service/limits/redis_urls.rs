//! Ways to Redis other than one address: TLS, a unix socket, and Sentinels through a failover.

use super::limited;
use crate::prelude::*;
use portcullis_testkit::redis::Server;
use portcullis_testkit::smtp::{Authority, Issued};

/// Starts a service on SQLite with limits, on the server of this URL.
fn service(url: &str, authority: &str) -> Service {
    let setup = limited(Backend::Sqlite.service()).set("RATE_LIMIT_SOURCE", "1000000/1s");
    setup.set("REDIS_URL", url).set("SSL_CERT_FILE", authority).start()
}

/// Returns the status of Redis as readiness reports it.
fn status(service: &Service) -> String {
    service.get("/health/ready").expect(200)["checks"]["redis"]["status"].as_str().unwrap_or_default().to_owned()
}

/// Waits until this replica counts on the server.
fn expect_shared(service: &Service, server: &Server) {
    let counted = || {
        assert_eq!(service.login(&fresh_email(), "wrong").status, 401);
        (status(service) == "ok" && server.command("DBSIZE") != ":0").then_some(())
    };
    eventually("the limits are not on the server", counted);
}

#[test]
fn tls_to_redis_is_verified() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("authority.pem");
    std::fs::write(&trusted, authority.certificate()).unwrap();
    let trusted = trusted.to_str().unwrap();
    let issue = |issued: Issued| Server::start_with_tls(&issued);

    let server = issue(authority.issue(&["localhost"]));
    expect_shared(&service(&server.tls_url("localhost"), trusted), &server);
    for (server, host, reason) in [
        (&server, "127.0.0.1", "another name"),
        (&issue(authority.issue_expired(&["localhost"])), "localhost", "expired"),
        (&issue(Authority::new().issue(&["localhost"])), "localhost", "another authority"),
    ] {
        let service = service(&server.tls_url(host), trusted);
        (0..5).for_each(|_| service.login(&fresh_email(), "wrong").wrong_credentials());
        let lost = service
            .log
            .wait_for(1, |event| event["message"].as_str().is_some_and(|it| it.starts_with("Redis is lost")));
        assert_eq!(lost[0]["reason"], "its TLS certificate is not trusted", "{reason}");
    }
}

#[test]
fn redis_is_reached_by_a_unix_socket() {
    let server = Server::start();
    let socket = server.socket();
    expect_shared(&service(&format!("redis+unix://{}", socket.display()), ""), &server);
}

#[test]
fn a_failover_by_sentinels_is_followed() {
    let (first, second) = (Server::start(), Server::start());
    second.replicate(&first);
    eventually("the replica does not follow", || (first.command("WAIT 1 1000") == ":1").then_some(()));
    let (frozen, sentinel) = (Server::start_sentinel(&first), Server::start_sentinel(&first));
    let knows = || (sentinel.command("SENTINEL REPLICAS gate") == "*1").then_some(());
    eventually("the Sentinel does not know the replica", knows);
    frozen.pause();
    let [hangs, works] = [&frozen, &sentinel].map(Server::port);
    let service = service(&format!("redis-sentinel://127.0.0.1:{hangs},127.0.0.1:{works}/gate"), "");
    expect_shared(&service, &first);
    first.kill();
    eventually("the failover", || (second.command("SET here 1") == "+OK").then_some(()));
    assert_eq!(second.command("FLUSHALL"), "+OK");
    expect_shared(&service, &second);
}
