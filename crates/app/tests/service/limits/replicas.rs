//! With `REDIS_URL`, all replicas share budgets and circuit states, and each continues alone while Redis is
//! unavailable. Uses a real server.

use super::{ACCOUNT, expect_limited, limited};
use crate::prelude::*;
use portcullis_testkit::postgres;
use portcullis_testkit::redis::Server;

on_both_databases!(
    budgets_and_devices_are_shared_and_name_nobody,
    when_it_is_lost_each_goes_on_with_its_own_and_says_so,
);

/// Starts two replicas on one database, with limits on the test's own Redis server.
fn replicas(backend: Backend, redis: &Server) -> [Service; 2] {
    let database = backend.database();
    // All calls come from one source, which also pays for refused calls.
    let start = || limited(ServiceBuilder::over(&database)).set("RATE_LIMIT_SOURCE", "100000/24h");
    [(); 2].map(|()| start().set("REDIS_URL", &redis.url()).start())
}

/// Checks that this replica knows what another counted. Allows for calls that were counted alone while the
/// machine stalled.
#[track_caller]
fn expect_spent_here(replica: &Service, email: &str) {
    let spent = (0..5).any(|_| replica.login(email, "wrong").status == 429);
    assert!(spent, "what the other replica counted is not known here");
}

/// Uses up an account's free attempts.
fn spend(service: &Service, email: &str) {
    (0..10).for_each(|_| service.login(email, "wrong password").wrong_credentials());
}

fn is_lost(event: &Value) -> bool {
    event["message"].as_str().is_some_and(|message| message.starts_with("Redis is lost"))
}

fn budgets_and_devices_are_shared_and_name_nobody(backend: Backend) {
    let redis = Server::start();
    let replicas = replicas(backend, &redis);
    // If the machine stalls past a call's timeout, a replica counts that call alone. After a few such calls,
    // it counts all calls alone for a while.
    let email = (0..10).map(|_| fresh_email()).find(|email| {
        replicas.iter().for_each(expect_found);
        let replies = at_once(100, |number| replicas[number % 2].login(email, "wrong"));
        assert_eq!(count(&replies, 401) + count(&replies, 429), 100);
        count(&replies, 401) == 10
    });
    let email = email.expect("ten tries for both");
    for replica in &replicas {
        expect_limited(&replica.login(&email, "wrong"), "account", ACCOUNT);
    }
    let checks = replicas[0].get("/health/ready").expect(200);
    assert_eq!((&checks["status"], &checks["checks"]["redis"]["status"]), (&"ok".into(), &"ok".into()), "{checks}");
    assert_eq!(checks["circuits"]["redis"]["state"], "closed");
    // A device that one replica knows is known to the other.
    let [one, two] = &replicas;
    let account = one.account();
    let cookie = one.login(&account.email, &account.password).cookie();
    spend(one, &account.email);
    expect_spent_here(two, &account.email);
    two.login_from(&cookie, &account).expect(200);
    two.login_from(&cookie, &account.with_password("wrong")).wrong_credentials();
    // What is shared contains no name or address.
    let (_, pair) = one.session();
    one.logout(&pair.refresh).expect(200);
    one.refresh(&pair.refresh).revoked();
    let all = "local all = {} for _, key in ipairs(redis.call('KEYS', '*')) do all[#all + 1] = key .. '=' .. \
               redis.call('GET', key) end return redis.status_reply(table.concat(all, ';'))";
    let stored = redis.command(&format!("EVAL \"{all}\" 0"));
    for kind in ["account", "device", "source", "dead_refresh"] {
        assert!(stored.contains(&format!("portcullis:{{limits}}:{kind}:")), "{kind}: {stored}");
    }
    let (name, device) = (account.email.split('@').next().unwrap(), cookie.split('.').nth(1).unwrap());
    for told in [name, "example.com", "127.0.0.1", &pair.sid(), &pair.jti(), device] {
        assert!(!stored.contains(told), "{told}: {stored}");
    }
}

fn when_it_is_lost_each_goes_on_with_its_own_and_says_so(backend: Backend) {
    let redis = Server::start();
    let replicas = replicas(backend, &redis);
    let account = replicas[0].account();
    redis.kill();
    for replica in &replicas {
        spend(replica, &account.email);
        expect_limited(&replica.login(&account.email, &account.password), "account", ACCOUNT);
        let ready = replica.get("/health/ready").expect(200);
        assert_eq!((&ready["status"], &ready["checks"]["redis"]["status"]), (&"degraded".into(), &"degraded".into()));
        assert_eq!(ready["checks"]["database"]["status"], "ok");
        assert_ne!(ready["circuits"]["redis"]["state"], "closed");
        replica.sign_in(&replica.account());
        let told = replica.log.wait_for(1, is_lost);
        assert!(told[0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{told:?}");
        assert_told_once(replica);
    }
    redis.restart();
    replicas.iter().for_each(expect_found);
    let email = fresh_email();
    spend(&replicas[0], &email);
    expect_spent_here(&replicas[1], &email);
}

#[test]
fn a_start_without_it_serves() {
    let redis = Server::start();
    redis.kill();
    let service = limited(Backend::Sqlite.service()).set("REDIS_URL", &redis.url()).start();
    let account = service.account();
    service.sign_in(&account);
    spend(&service, &account.email);
    expect_limited(&service.login(&account.email, &account.password), "account", ACCOUNT);
}

#[test]
fn no_password_of_it_is_told() {
    let redis = Server::start();
    let url = redis.url().replace("redis://", "redis://marker-user:marker-password@");
    let service = limited(Backend::Sqlite.service()).set("REDIS_URL", &url).start();
    service.session();
    service.get("/health/ready").expect(200);
    let told = service.log.wait_for(1, is_lost);
    assert!(told[0]["reason"].as_str().is_some_and(|reason| reason.contains("authentication")), "{told:?}");
    assert!(!service.flushed_log().text().contains("marker") && !service.errors.text().contains("marker"));
    assert_eq!(redis.command("KEYS *"), "*0", "the server knows no such user");
}

/// Waits until the replica shares its counts.
fn expect_found(replica: &Service) {
    eventually("it is found again", || (replica.get("/health/ready").json()["status"] == "ok").then_some(()));
}

/// Checks that an outage is logged once, regardless of its duration.
fn assert_told_once(replica: &Service) {
    let events = replica.flushed_log().events();
    let told = events.iter().filter_map(|event| event["message"].as_str().filter(|text| text.starts_with("Redis is ")));
    let told: Vec<_> = told.collect();
    assert!(told.windows(2).all(|two| two[0] != two[1]), "{told:?}");
}

/// PostgreSQL only: replicas that share an SQLite file do not lose it separately.
#[test]
fn circuit_states_are_shared() {
    let (server, redis): (&'static postgres::Server, _) =
        (Box::leak(Box::new(postgres::Server::start())), Server::start());
    let database = Database::on(server);
    let start = || limited(ServiceBuilder::over(&database)).set("REDIS_URL", &redis.url()).start();
    let (one, two) = (start(), start());
    let (_, pair) = one.session();
    server.stop();
    let changed = |to: &'static str, elsewhere: bool| {
        move |event: &Value| {
            event["message"] == "Circuit changed" && event["to"] == to && event["elsewhere"] == elsewhere
        }
    };
    eventually("the circuit opens", || {
        one.refresh(&pair.refresh).expect_unavailable();
        one.log.events().iter().any(changed("open", false)).then_some(())
    });
    two.log.wait_for(1, changed("open", true));
    server.restart();
    // The second replica gets no calls. It learns the state from Redis.
    eventually("the circuit closes", || (one.logout(&pair.refresh).status == 200).then_some(()));
    two.log.wait_for(1, changed("closed", true));
    two.sign_in(&two.account());
    for replica in [&one, &two] {
        let ready = replica.get("/health/ready").expect(200);
        assert_eq!(ready["circuits"]["database"]["state"], "closed");
    }
}
