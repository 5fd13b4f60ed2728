//! F11, F12, F15 and F16: PostgreSQL stopped, frozen, demoted, not started yet, or without writes.

use crate::harness::calls::members;
use crate::prelude::*;

fn state(service: &Service) -> (u16, String, String) {
    let ready = service.get("/health/ready");
    let body = ready.json();
    assert_eq!(ready.header("Retry-After").is_some(), ready.status == 503, "{ready:?}");
    assert_eq!(members(&body), ["checks", "circuits", "status"], "{body}");
    assert_eq!(members(&body["checks"]["database"]), ["latency_ms", "status"]);
    assert_eq!(body["status"], if ready.status == 503 { "unavailable" } else { "ok" });
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (ready.status, text(&body["checks"]["database"]["status"]), text(&body["circuits"]["database"]["state"]))
}

/// Checks what must hold regardless of the database.
fn expect_alive(service: &Service) {
    for path in ["/health", "/health/live", "/docs", "/redoc", "/openapi.json", "/.well-known/jwks.json"] {
        let (time, reply) = timed(|| service.get(path));
        assert_eq!(reply.status, 200, "{path}");
        assert!(time < Duration::from_secs(5), "{path} took {time:?}");
    }
}

/// Calls until the circuit is open. Every response must be a 503.
fn open_the_circuit(service: &Service, call: impl Fn() -> Reply) {
    eventually("the circuit opens", || {
        call().expect_unavailable();
        (state(service).2 == "open").then_some(())
    });
}

#[test]
fn postgresql_outage_is_503_within_milliseconds_and_heals() {
    let (server, service) = on_own_server();
    let (account, pair) = service.session();
    server.stop();
    open_the_circuit(&service, || service.refresh(&pair.refresh));
    let calls: [&dyn Fn() -> Reply; 4] = [
        &|| service.refresh(&pair.refresh),
        &|| service.login(&account.email, &account.password),
        &|| service.logout(&pair.refresh),
        &|| service.me(&pair.access),
    ];
    for call in calls {
        let mut times: Vec<_> = (0..15)
            .map(|_| timed(call))
            .map(|(time, reply)| {
                reply.expect_unavailable();
                time
            })
            .collect();
        times.sort_unstable();
        assert!(times[7] < Duration::from_millis(100), "an open circuit answers at once: {times:?}");
    }
    let (status, database, circuit) = state(&service);
    assert_eq!((status, circuit.as_str()), (503, "open"));
    assert_ne!(database, "ok");
    expect_alive(&service);
    // A call that needs no store is not affected by the circuit.
    service.refresh("x").expect_error(401, "AUTH_TOKEN_INVALID");
    service.register("x", "x").expect_error(422, "VALIDATION_ERROR");
    server.restart();
    service.expect_healed();
    service.refresh(&pair.refresh).expect(200);
    expect_told(&service, server.port());
}

/// Checks the log's lines about the circuit: why it opened, at which node, and for how long.
fn expect_told(service: &Service, port: u16) {
    service.flushed_log();
    let mut changes = service.events("Circuit changed");
    changes.retain(|change| change["circuit"] == "database");
    let (first, last) = (&changes[0], &changes[changes.len() - 1]);
    assert_eq!((&first["to"], &first["after_ms"]), (&json!("open"), &Value::Null), "{first}");
    assert!(first["cause"].is_string(), "{first}");
    let node = format!("connection to server at 127.0.0.1, port {port} failed");
    let told = |change: &Value| change["cause"].as_str().is_some_and(|cause| cause.contains(&node));
    assert!(changes.iter().any(told), "{changes:?}");
    assert_eq!((&last["to"], &last["cause"]), (&json!("closed"), &Value::Null), "{last}");
    assert!(last["after_ms"].as_u64().unwrap() >= 2000, "{last}");
}

#[test]
fn a_crashed_postgresql_loses_no_acknowledged_write() {
    let (server, service) = on_own_server();
    let (account, spent) = service.session();
    let live = Pair::of(&service.refresh(&spent.refresh));
    server.crash();
    service.refresh(&live.refresh).expect_unavailable();
    server.restart();
    service.expect_healed();
    service.sign_in(&account);
    service.refresh(&live.refresh).expect(200);
    service.refresh(&spent.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[test]
fn a_restart_of_postgresql_costs_no_more_than_its_own_time() {
    let (server, service) = on_own_server();
    let (account, mut pair) = service.session();
    for end in [Server::stop, Server::crash] {
        // Many idle connections break during the restart. No later request may get one of them.
        let logins = || at_once(20, |_| within_deadline(|| service.login(&account.email, &account.password)));
        logins();
        end(server);
        server.restart();
        pair = Pair::of(&service.refresh(&pair.refresh));
        service.me(&pair.access).expect(200);
        logins().iter().for_each(|reply| drop(reply.expect(200)));
    }
    service.expect_healed();
}

#[test]
fn a_frozen_postgresql_is_503_in_time_and_heals() {
    let (server, service) = on_own_server();
    let (_, pair) = service.session();
    service.watched(|| {
        server.pause();
        for _ in 0..2 {
            within_deadline(|| service.refresh(&pair.refresh)).expect_unavailable();
            expect_alive(&service);
        }
        server.resume();
        service.expect_healed();
    });
}

#[test]
fn a_postgresql_that_is_down_at_start_does_not_stop_the_start() {
    let server = own_server();
    let database = Database::on(server);
    server.stop();
    let service = ServiceBuilder::over(&database).start();
    for _ in 0..3 {
        let (time, reply) = timed(|| service.register(&fresh_email(), "long enough"));
        reply.expect_unavailable();
        assert!(time < Duration::from_secs(10), "{time:?}");
    }
    assert_eq!(state(&service).0, 503);
    expect_alive(&service);
    server.restart();
    service.expect_healed();
    service.stop();
}

#[test]
fn a_start_with_pending_migrations_on_a_standby_waits_for_its_promotion() {
    let server = own_server();
    let Database::Postgres { name, .. } = Database::on(server) else { unreachable!() };
    let standby: &Server = Box::leak(Box::new(server.start_standby()));
    let service = ServiceBuilder::over(&Database::Postgres { server: standby, name }).start();
    service.register(&fresh_email(), "long enough").expect_unavailable();
    assert_eq!(state(&service).0, 503);
    let waits = service.log.wait_for(1, |event| event["message"] == "Waiting for the database");
    assert!(waits[0]["error"].as_str().unwrap().contains("read-only"), "{waits:?}");
    standby.promote();
    service.expect_healed();
}

#[test]
fn connections_cut_in_a_loop_lose_nothing() {
    let database = Backend::Postgres.database();
    let service = ServiceBuilder::over(&database).start();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'portcullis'";
    let histories = service.watched(|| {
        work(&[&service], |progress| {
            for _ in 0..if long_form() { 200 } else { 20 } {
                database.execute(cut);
                progress.acknowledge(10);
            }
            database.execute(cut);
        })
    });
    service.expect_healed();
    check(&histories, &service);
}

/// A refused operation was not performed, regardless of what prevented the write.
#[test]
fn a_demoted_primary_is_503_for_writes_until_it_is_promoted() {
    let (server, service) = on_own_server();
    let (account, pair) = service.session();
    let demoted = |change: &str| {
        server.psql("postgres", &format!("ALTER SYSTEM {change}"));
        server.psql("postgres", "SELECT pg_reload_conf()");
    };
    let histories = service.watched(|| {
        work(&[&service], |progress| {
            progress.acknowledge(50);
            demoted("SET default_transaction_read_only = on");
            progress.refuse(10);
            for _ in 0..5 {
                within_deadline(|| service.refresh(&pair.refresh)).expect_unavailable();
                within_deadline(|| service.logout(&pair.refresh)).expect_unavailable();
                within_deadline(|| service.login(&account.email, &account.password)).expect_unavailable();
                within_deadline(|| service.register(&fresh_email(), "long enough")).expect_unavailable();
            }
            demoted("RESET default_transaction_read_only");
            service.expect_healed();
            progress.acknowledge(50);
        })
    });
    check(&histories, &service);
    service.refresh(&pair.refresh).expect(200);
}

/// Checks a service while writes fail and reads do not, from the time that it knows: it is never ready.
fn expect_reads_only(service: &Service, (account, pair): &(Account, Pair)) {
    let circuits = || {
        let ready = service.get("/health/ready");
        assert_eq!(ready.status, 503, "{}", ready.text());
        let circuits = &ready.json()["circuits"];
        ["database", "database_writes"].map(|name| circuits[name]["state"].as_str().unwrap().to_owned())
    };
    eventually("the circuit of writes opens", || {
        within_deadline(|| service.login(&account.email, &account.password)).expect_unavailable();
        service.me(&pair.access).expect(200);
        (circuits()[1] == "open").then_some(())
    });
    for _ in 0..20 {
        let (time, reply) = timed(|| service.me(&pair.access));
        reply.expect(200);
        assert!(time < Duration::from_secs(1), "a read waited {time:?}");
        let [all, writes] = circuits();
        assert_eq!(all, "closed", "reads go on");
        assert_ne!(writes, "closed");
        pause(Duration::from_millis(200));
    }
    // Most calls that write are refused at once: one in a while is a probe.
    let mut times: Vec<_> = at_once(5, |_| timed(|| service.refresh(&pair.refresh)).0);
    times.sort_unstable();
    assert!(times[2] < Duration::from_secs(1), "{times:?}");
    expect_alive(service);
}

#[test]
fn a_read_only_postgresql_is_never_ready_and_serves_reads() {
    let (server, service) = on_own_server();
    let session = service.session();
    let read_only = |change: &str| {
        server.psql("postgres", &format!("ALTER SYSTEM {change}"));
        server.psql("postgres", "SELECT pg_reload_conf()");
    };
    read_only("SET default_transaction_read_only = on");
    eventually("the setting is read", || (state(&service).0 == 503).then_some(()));
    expect_reads_only(&service, &session);
    read_only("RESET default_transaction_read_only");
    service.expect_healed();
}

#[test]
fn a_standby_is_never_ready_and_serves_reads_until_it_is_promoted() {
    let (server, first) = on_own_server();
    let session = first.session();
    let Database::Postgres { name, .. } = &first.database else { unreachable!() };
    let standby: &Server = Box::leak(Box::new(server.start_standby()));
    let service = ServiceBuilder::over(&Database::Postgres { server: standby, name: name.clone() }).start();
    assert_eq!(state(&service).0, 503);
    expect_reads_only(&service, &session);
    standby.promote();
    service.expect_healed();
    service.refresh(&session.1.refresh).expect(200);
}

/// PostgreSQL takes the writes, but the commits wait for a standby that is not there.
#[test]
fn commits_that_hang_are_failed_writes_and_reads_go_on() {
    let (server, service) = on_own_server();
    let session = service.session();
    let standby = |names: &str| {
        server.psql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        server.psql("postgres", "SELECT pg_reload_conf()");
    };
    service.watched(|| {
        standby("ghost");
        let (account, _) = &session;
        at_once(5, |_| within_deadline(|| service.login(&account.email, &account.password)).expect_unavailable());
        expect_reads_only(&service, &session);
        let hanging = || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            server.psql("postgres", waiting).trim().parse::<usize>().unwrap()
        };
        let before = hanging();
        // Time for two probes: the second one is not made while the first one hangs.
        for _ in 0..24 {
            assert_eq!(state(&service).0, 503);
            pause(Duration::from_secs(1));
        }
        let after = hanging();
        assert!(after <= before + 1, "{before} commits hung, and then {after}");
        standby("");
        service.expect_healed();
    });
}

#[test]
fn a_restart_under_load_loses_nothing() {
    let (server, service) = on_own_server();
    let histories = service.watched(|| {
        work(&[&service], |progress| {
            for _ in 0..if long_form() { 10 } else { 2 } {
                progress.acknowledge(50);
                server.stop();
                progress.refuse(4);
                server.restart();
                service.expect_healed();
            }
        })
    });
    check(&histories, &service);
}

#[test]
fn client_errors_never_open_the_circuit() {
    let service = ServiceBuilder::over(&Database::on(Server::shared())).start();
    let account = service.account();
    let unknown = crate::harness::jose::changed(&service.sign_in(&account).refresh, "jti", "a".repeat(32));
    for _ in 0..10 {
        service.login(&account.email, "wrong password").expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.register(&account.email, "long enough").expect_error(409, "CONFLICT");
        service.refresh(&unknown).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    assert_eq!(state(&service), (200, "ok".to_owned(), "closed".to_owned()));
}
