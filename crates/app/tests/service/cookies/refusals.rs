//! No refusal deletes a cookie, or sets one.

use super::*;
use crate::harness::databases::sqlite;
use diesel::connection::SimpleConnection;
use portcullis_testkit::postgres::Server;

on_both_databases!(
    c4_17_an_unauthorized_call_deletes_nothing,
    c4_17_a_forbidden_or_invalid_call_deletes_nothing,
    c4_17_a_limited_call_deletes_nothing,
    c4_17_an_outage_deletes_nothing,
);

/// Sends every call that sets or deletes tokens.
#[track_caller]
fn refused(browser: &Browser<'_>, account: &Account, status: u16) {
    let password = json!({"password": account.password});
    for (method, path, body) in [
        ("POST", "/auth/refresh", json!({})),
        ("POST", "/auth/reauthenticate", password.clone()),
        ("POST", "/auth/logout-all", json!({})),
        ("DELETE", "/auth/me", password),
        ("GET", "/auth/me", Value::Null),
    ] {
        let call = browser.call(method, path);
        let reply = if body.is_null() { call } else { call.json(&body) }.send();
        reply.sets_nothing().has_status(status);
    }
}

fn c4_17_an_unauthorized_call_deletes_nothing(tls: Tls) {
    let service = tls.0;
    // No token, a malformed one, a revoked one.
    let (account, browser) = tls.session();
    let mut empty = Browser::new(service, OWN);
    refused(&empty, &account, 401);
    let nonsense = Pair { access: "x".to_owned(), refresh: "x".to_owned() };
    refused(&browser.with_pair(&nonsense), &account, 401);
    empty.log_in(&account.with_password("wrong")).sets_nothing().wrong_credentials();
    let wrong = json!({"password": "wrong password"});
    browser.call("POST", "/auth/reauthenticate").json(&wrong).send().sets_nothing().wrong_credentials();
    browser.call("DELETE", "/auth/me").json(&wrong).send().sets_nothing().wrong_credentials();
    browser.me().expect(200);
    service.logout(&browser.value("refresh")).expect(200);
    refused(&browser, &account, 401);
    // Expired ones.
    let (account, browser) = tls.session();
    let [access, refresh] =
        [browser.value("access"), browser.value("refresh")].map(|token| jose::changed(&token, "exp", unix_now() - 1));
    let expired = browser.with_pair(&Pair { access, refresh });
    refused(&expired, &account, 401);
    expired.refresh_in_vain().expired();
    // A disabled account.
    service.disable(&account);
    refused(&browser, &account, 401);
}

fn c4_17_a_forbidden_or_invalid_call_deletes_nothing(tls: Tls) {
    let (account, browser) = tls.session();
    refused(&Browser { origin: FOREIGN, ..browser.clone() }, &account, 403);
    refused(&Browser { origin: "null", ..browser.clone() }, &account, 403);
    for path in ["/auth/refresh", "/auth/logout", "/auth/login", "/auth/logout-all", "/auth/reauthenticate"] {
        browser.call("POST", path).body("application/json", "{").send().sets_nothing().has_status(422);
        browser.call("POST", path).body("text/plain", "x").send().sets_nothing().has_status(415);
        browser.call("PUT", path).send().sets_nothing().has_status(405);
    }
    let call = browser.call("POST", "/auth/refresh").json(&json!({"refresh_token": 1})).send();
    call.sets_nothing().expect_fields(&["refresh_token"]);
    browser.call("POST", "/nowhere").send().sets_nothing().has_status(404);
    browser.me().expect(200);
    browser.refresh_in_vain().in_cookies();
}

fn c4_17_a_limited_call_deletes_nothing(backend: Backend) {
    let setup = cookie_mode(backend.service(), OWN).unset("RATE_LIMIT_ENABLED");
    let service = setup.set("RATE_LIMIT_SOURCE", "100000/24h").set("RATE_LIMIT_REFRESH", "3/24h").start();
    let limited = |reply: Reply| drop(reply.sets_nothing().expect_error(429, "RATE_LIMITED"));
    let (_, mut browser) = Browser::with_session(&service, OWN);
    let mut replies = (0..1000).map(|_| browser.refresh());
    limited(replies.find(|reply| reply.status != 200).expect("a limit"));
    browser.me().expect(200);
    // A token that never succeeds.
    let (_, browser) = Browser::with_session(&service, OWN);
    service.logout(&browser.value("refresh")).expect(200);
    let mut replies = (0..10).map(|_| browser.refresh_in_vain());
    limited(replies.find(|reply| reply.sets_nothing().status != 401).expect("a limit"));
    // Guesses of a password.
    let (account, browser) = Browser::with_session(&service, OWN);
    let wrong = credentials(&account.with_password("wrong"));
    let mut replies = (0..20).map(|_| browser.call("POST", "/auth/login").json(&wrong).send());
    limited(replies.find(|reply| reply.sets_nothing().status != 401).expect("a limit"));
    limited(browser.call("DELETE", "/auth/me").json(&json!({"password": account.password})).send());
    browser.me().expect(200);
}

/// Checks the calls during an outage, and that the cookies are good after it.
fn expect_outage(browser: &Browser<'_>, account: &Account, calls: &[(&str, &str)]) {
    for (method, path) in calls {
        let call = browser.call(method, path);
        let reply = if *method == "GET" { call } else { call.json(&credentials(account)) }.send();
        reply.sets_nothing().expect_unavailable();
    }
}

fn c4_17_an_outage_deletes_nothing(backend: Backend) {
    let writes =
        [("POST", "/auth/refresh"), ("POST", "/auth/logout"), ("POST", "/auth/login"), ("POST", "/auth/logout-all")];
    let reads = [("GET", "/auth/me"), ("DELETE", "/auth/me"), ("POST", "/auth/reauthenticate")];
    let server: Option<&'static Server> =
        (backend == Backend::Postgres).then(|| &*Box::leak(Box::new(Server::start())));
    let database = server.map_or_else(|| backend.database(), Database::on);
    let service = cookie_mode(ServiceBuilder::over(&database), OWN).start();
    let (account, mut browser) = Browser::with_session(&service, OWN);
    match (server, &service.database) {
        (Some(server), _) => {
            server.stop();
            expect_outage(&browser, &account, &[&writes[..], &reads].concat());
            server.restart();
        }
        (None, Database::Sqlite(path)) => {
            let mut other = sqlite(path);
            other.batch_execute("BEGIN IMMEDIATE").unwrap();
            // Others can still read.
            expect_outage(&browser, &account, &writes);
            other.batch_execute("ROLLBACK").unwrap();
        }
        (None, Database::Postgres { .. }) => unreachable!("it has a server"),
    }
    eventually("it is back", || (service.get("/health/ready").status == 200).then_some(()));
    let refreshed = eventually("a refresh", || Some(browser.refresh()).filter(|reply| reply.status == 200));
    refreshed.in_cookies();
    browser.me().expect(200);
}
