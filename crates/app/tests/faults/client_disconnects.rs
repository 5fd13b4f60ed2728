//! F34: a client disconnects during a request. Its work is finished or rolled back completely, and nothing
//! leaks.

use crate::prelude::*;
use std::thread::available_parallelism;

on_both_databases!(
    client_disconnect_at_any_byte_leaves_no_partial_work,
    logins_whose_clients_are_gone_hold_up_nobody,
    hashes_that_wait_for_clients_who_are_gone_are_not_made,
    who_closes_one_side_alone_is_answered,
);

/// Sends a request without its last bytes, then disconnects with an orderly end or a reset.
fn leave(service: &Service, path: &str, body: &str, unsent: usize, torn: bool) {
    let mut connection = Connection::open(service);
    let length = body.len();
    let message = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    connection.send(&message.as_bytes()[..message.len().saturating_sub(unsent)]).unwrap();
    if torn {
        connection.tear();
    }
}

/// Tolerance for database connections that the service opened since. Smaller than the number of disconnected
/// clients.
const SPARE: usize = 60;

/// Waits until the number of descriptors is back at its earlier value.
fn expect_descriptors(service: &Service, before: usize) {
    eventually("descriptors return", || (service.descriptors() <= before + SPARE).then_some(()));
}

fn client_disconnect_at_any_byte_leaves_no_partial_work(backend: Backend) {
    // No session limit, and a grace period so long that a late spent token does not end a session.
    let service = backend.service().set("MAX_SESSIONS_PER_USER", "1000").set("REFRESH_GRACE_SECONDS", "3600").start();
    let account = service.account();
    let sessions: Vec<_> = (0..if long_form() { 500 } else { 80 }).map(|_| service.sign_in(&account)).collect();
    let descriptors = service.descriptors();
    let emails: Vec<_> = sessions.iter().map(|_| fresh_email()).collect();
    for (number, (pair, email)) in sessions.iter().zip(&emails).enumerate() {
        // The work starts with the last byte.
        let unsent = [0, 0, 1, 0, 150 + number][number % 5];
        let refresh = json!({"refresh_token": pair.refresh}).to_string();
        leave(&service, "/auth/refresh", &refresh, unsent, number % 2 == 0);
        let register = json!({"email": email, "password": "long enough"}).to_string();
        leave(&service, "/auth/register", &register, unsent, number % 2 == 1);
    }
    let mut done = 0;
    for (pair, email) in sessions.iter().zip(&emails) {
        let spent = service.refresh(&pair.refresh).status != 200;
        done += usize::from(spent);
        let reply = service.login(email, "long enough");
        assert!(matches!(reply.status, 200 | 401), "half an account: {reply:?}");
    }
    assert!(done > 0, "no work was ever begun");
    // One live token per session: the old one or its unseen successor.
    let owned = format!("FROM refresh_tokens WHERE user_id = {} AND NOT revoked", account.id);
    assert_eq!(service.database.count(&owned), sessions.len() as i64);
    expect_descriptors(&service, descriptors);
    service.stop();
}

fn logins_whose_clients_are_gone_hold_up_nobody(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "12").start();
    let account = service.account();
    let descriptors = service.descriptors();
    let body = json!({"email": account.email, "password": account.password}).to_string();
    let begun = of_login("Request started");
    for _ in 0..if long_form() { 10 } else { 2 } {
        let before = service.flushed_log().events().iter().filter(|event| begun(event)).count();
        let mut connections: Vec<_> = (0..80).map(|_| Connection::open(&service)).collect();
        for connection in &mut connections {
            connection.post("/auth/login", &body).unwrap();
        }
        service.log.wait_for(before + connections.len(), begun);
        // Disconnect the first clients, whose hashes are being computed.
        connections.drain(..40).for_each(Connection::tear);
        drop(connections);
        // All their permits are released.
        eventually("a login succeeds", || {
            let reply = service.login(&account.email, &account.password);
            (reply.status == 200).then_some(()).or_else(|| {
                reply.expect_unavailable();
                None
            })
        });
    }
    expect_descriptors(&service, descriptors);
    assert_eq!(service.get("/health/ready").status, 200);
    service.stop();
}

/// Starts a service that computes one hash of about 250 ms at a time per thread. Returns it with the number
/// of threads and the number of logins it admits.
fn unhurried(backend: Backend) -> (Service, usize, usize) {
    let service = backend.service().set("BCRYPT_COST", "12").set("HASH_LANES", "1").start();
    let started = service.log.wait_for(1, |event| event["message"] == "Hash threads started").remove(0);
    (service, available_parallelism().unwrap().get(), started["places"].as_u64().unwrap() as usize)
}

fn hashes_that_wait_for_clients_who_are_gone_are_not_made(backend: Backend) {
    let (service, threads, places) = unhurried(backend);
    let account = service.account();
    let body = json!({"email": account.email, "password": account.password}).to_string();
    let mut connections: Vec<_> = (0..places).map(|_| Connection::open(&service)).collect();
    connections.iter_mut().for_each(|connection| connection.post("/auth/login", &body).unwrap());
    service.log.wait_for(places, of_login("Request started"));
    // An orderly end, which the HTTP library takes only for the end of requests.
    drop(connections);
    let ends = service.log.wait_for(places, of_login("Request finished"));
    let made = ends.iter().filter(|end| end["status_code"] == 200).count();
    // The hashes in progress, and as many that began before the service noticed the last disconnect.
    assert!(made <= 2 * threads, "{made} of {places} hashes were made for nobody");
    service.sign_in(&account);
    service.stop();
}

fn who_closes_one_side_alone_is_answered(backend: Backend) {
    let (service, threads, places) = unhurried(backend);
    let account = service.account();
    let body = json!({"email": account.email, "password": account.password}).to_string();
    let ask = |_| {
        let mut connection = Connection::open(&service);
        connection.post("/auth/login", &body).unwrap();
        connection.finish();
        connection
    };
    let status = |mut connection: Connection| connection.reply().unwrap().expect("an answer").status;
    assert_eq!(status(ask(0)), 200, "nobody had to wait");
    let crowd: Vec<_> = (0..places).map(ask).collect();
    let statuses: Vec<_> = crowd.into_iter().map(status).collect();
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!((1..=2 * threads).contains(&served), "those that did not wait: {statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    service.stop();
}
