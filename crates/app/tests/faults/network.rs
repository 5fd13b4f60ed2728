//! F12 and F13: the network between the service and PostgreSQL is silent, drops connections or is slow.

use crate::harness::proxy::Proxy;
use crate::prelude::*;

/// More callers than connections and their threads.
const CALLERS: usize = 40;

fn start() -> (Proxy, Service) {
    let database: Database = Backend::Postgres.database();
    let proxy = Proxy::before(&database);
    let service = ServiceBuilder::over(&database).set("DATABASE_URL", &proxy.url(&database)).start();
    (proxy, service)
}

/// Makes concurrent calls, each within the time limit.
fn in_time(calls: usize, call: impl Fn(usize) -> Reply + Sync) -> Vec<Reply> {
    at_once(calls, |number| within_deadline(|| call(number)))
}

/// Creates sessions with calls that open all connections of the pool.
fn warmed(service: &Service) -> Vec<Pair> {
    let (account, pair) = service.session();
    let sessions: Vec<_> = (0..CALLERS).map(|_| service.sign_in(&account)).collect();
    in_time(CALLERS, |_| service.me(&pair.access)).iter().for_each(|reply| drop(reply.expect(200)));
    sessions
}

#[test]
fn a_silent_network_is_503_in_time_and_heals() {
    heals_from(Proxy::stall);
}

#[test]
fn lost_answers_are_503_in_time_and_heal() {
    heals_from(Proxy::silence_answers);
}

fn heals_from(silence: fn(&Proxy)) {
    let (proxy, service) = start();
    let sessions = warmed(&service);
    service.watched(|| {
        silence(&proxy);
        for reply in in_time(CALLERS, |number| service.refresh_with(&sessions[number].refresh, "mine")) {
            reply.expect_unavailable();
        }
        within_deadline(|| service.me(&sessions[0].access)).expect_unavailable();
        proxy.resume();
        service.expect_healed();
    });
    // Each token was spent completely or not at all. A retry with the same key gets the pair, however late.
    for session in &sessions {
        service.refresh_with(&session.refresh, "mine").expect(200);
    }
    let live = "FROM refresh_tokens WHERE NOT revoked AND user_id = (SELECT min(id) FROM users)";
    assert_eq!(service.database.count(live), 1 + CALLERS as i64, "a live token for each session");
}

/// Like a firewall, a proxy or a hung pooler: existing connections never respond again.
#[test]
fn connections_that_never_answer_again_are_replaced() {
    let (proxy, service) = start();
    let sessions = warmed(&service);
    service.watched(|| {
        proxy.blackhole_existing();
        in_time(CALLERS, |number| service.refresh(&sessions[number].refresh));
        service.expect_healed();
        // A single caller must not have to try the old connections one after another.
        in_time(CALLERS, |_| service.me(&sessions[0].access));
        proxy.blackhole_existing();
        within_deadline(|| service.me(&sessions[0].access)).expect_unavailable();
        for _ in 0..CALLERS {
            within_deadline(|| service.me(&sessions[0].access)).expect(200);
        }
        service.expect_healed();
    });
}

/// Maximum database round trips of a refresh on an open connection.
const ROUND_TRIPS: usize = 1;

#[test]
fn a_slow_network_causes_no_error() {
    let (proxy, service) = start();
    let (account, pair) = service.session();
    // Repeats until every connection has prepared the statement: requests and outbox polls take connections
    // in turn.
    let mut pair = pair;
    for _ in 0..CALLERS {
        pair = Pair::of(&service.refresh(&pair.refresh));
    }
    proxy.slow(Duration::from_millis(50));
    let mut counted = Vec::new();
    for _ in 0..5 {
        let before = proxy.messages();
        pair = Pair::of(&within_deadline(|| service.refresh(&pair.refresh)));
        counted.push(proxy.messages() - before);
    }
    // The minimum is a refresh without a concurrent outbox poll.
    assert!(counted.iter().min() <= Some(&ROUND_TRIPS), "{counted:?} round trips");
    service.watched(|| {
        within_deadline(|| service.me(&pair.access)).expect(200);
        within_deadline(|| service.logout(&pair.refresh)).expect(200);
        // Four at a time: on a busy machine, the queue of the hashes would refuse more.
        let log_in = || in_time(4, |_| service.login(&account.email, &account.password));
        let pairs: Vec<_> = [log_in(), log_in()].iter().flatten().map(Pair::of).collect();
        for reply in in_time(8, |number| service.refresh(&pairs[number].refresh)) {
            reply.expect(200);
        }
    });
}
