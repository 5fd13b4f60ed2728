//! With `REDIS_URL`, all replicas share budgets and circuit states, and each continues alone while Redis is
//! unavailable. Uses a real server.

use super::{at_once, count, expect_limited, limited, spend};
use crate::harness::accounts::{Account, fresh_email};
use crate::harness::databases::{Backend, Database};
use crate::harness::on_both_databases;
use crate::harness::services::{Service, ServiceBuilder};
use crate::harness::timing::eventually;
use portcullis_testkit::postgres;
use portcullis_testkit::redis::Server;
use serde_json::json;

on_both_databases!(
    budgets_are_shared_by_all_replicas,
    a_device_is_known_to_all_replicas,
    what_is_shared_names_nobody,
    when_it_is_lost_each_goes_on_with_its_own_and_says_so,
    a_start_without_it_serves,
    no_password_of_it_is_told,
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

fn try_with(service: &Service, account: &Account, cookie: &str) -> u16 {
    let body = json!({"email": account.email, "password": account.password});
    let call = service.call("POST", "/auth/login").header("Cookie", &format!("portcullis_device={cookie}"));
    call.json(&body).send().status
}

fn budgets_are_shared_by_all_replicas(backend: Backend) {
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
        expect_limited(&replica.login(&email, "wrong"), "account", "q=10;w=900");
    }
    let account = replicas[0].account();
    for number in 0..20 {
        replicas[number % 2].sign_in(&account);
    }
    let checks = replicas[0].get("/health/ready").expect(200);
    assert_eq!((&checks["status"], &checks["checks"]["redis"]["status"]), (&"ok".into(), &"ok".into()), "{checks}");
    assert_eq!(checks["circuits"]["redis"]["state"], "closed");
}

fn a_device_is_known_to_all_replicas(backend: Backend) {
    let redis = Server::start();
    let replicas = replicas(backend, &redis);
    let account = replicas[0].account();
    let reply = replicas[0].login(&account.email, &account.password);
    let cookie = reply.header("Set-Cookie").unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    spend(&replicas[0], &account.email);
    expect_spent_here(&replicas[1], &account.email);
    assert_eq!(try_with(&replicas[1], &account, &cookie), 200);
}

fn what_is_shared_names_nobody(backend: Backend) {
    let redis = Server::start();
    let [one, _two] = replicas(backend, &redis);
    let account = one.account();
    let cookie = one.login(&account.email, &account.password).header("Set-Cookie").unwrap().to_owned();
    try_with(
        &one,
        &Account { password: "wrong".to_owned(), ..account.clone() },
        cookie.split(['=', ';']).nth(1).unwrap(),
    );
    spend(&one, &account.email);
    let (_, pair) = one.session();
    one.logout(&pair.refresh).expect(200);
    one.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    let all = "local all = {} for _, key in ipairs(redis.call('KEYS', '*')) do all[#all + 1] = key .. '=' .. \
               redis.call('GET', key) end return redis.status_reply(table.concat(all, ';'))";
    let stored = redis.command(&format!("EVAL \"{all}\" 0"));
    for kind in ["account", "device", "source", "dead_refresh"] {
        assert!(stored.contains(&format!("portcullis:{{limits}}:{kind}:")), "{kind}: {stored}");
    }
    let sid = crate::harness::jose::claims(&pair.refresh)["sid"].as_str().unwrap().to_owned();
    let name = account.email.split('@').next().unwrap();
    for told in [name, "example.com", "127.0.0.1", &sid, &pair.jti(), cookie.split('.').nth(1).unwrap()] {
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
        expect_limited(&replica.login(&account.email, &account.password), "account", "q=10;w=900");
        let ready = replica.get("/health/ready").expect(200);
        assert_eq!((&ready["status"], &ready["checks"]["redis"]["status"]), (&"degraded".into(), &"degraded".into()));
        assert_eq!(ready["checks"]["database"]["status"], "ok");
        assert_ne!(ready["circuits"]["redis"]["state"], "closed");
        replica.sign_in(&replica.account());
        let lost =
            |event: &serde_json::Value| event["message"].as_str().is_some_and(|m| m.starts_with("Redis is lost"));
        let told = replica.log.wait_for(1, lost);
        assert!(told[0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{told:?}");
        assert_told_once(replica);
    }
    redis.restart();
    replicas.iter().for_each(expect_found);
    let email = fresh_email();
    spend(&replicas[0], &email);
    expect_spent_here(&replicas[1], &email);
}

fn a_start_without_it_serves(backend: Backend) {
    let redis = Server::start();
    redis.kill();
    let service = limited(backend.service()).set("REDIS_URL", &redis.url()).start();
    let account = service.account();
    service.sign_in(&account);
    spend(&service, &account.email);
    expect_limited(&service.login(&account.email, &account.password), "account", "q=10;w=900");
}

fn no_password_of_it_is_told(backend: Backend) {
    let redis = Server::start();
    let url = redis.url().replace("redis://", "redis://marker-user:marker-password@");
    let service = limited(backend.service()).set("REDIS_URL", &url).start();
    let account = service.account();
    service.sign_in(&account);
    service.get("/health/ready").expect(200);
    let told =
        service.log.wait_for(1, |event| event["message"].as_str().is_some_and(|m| m.starts_with("Redis is lost")));
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
        move |event: &serde_json::Value| {
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
