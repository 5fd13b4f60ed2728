//! F12 and F13: a network between the service and PostgreSQL that is silent, forgetful or slow.

use crate::harness::accounts::Pair;
use crate::harness::bounds::within_deadline;
use crate::harness::calls::Reply;
use crate::harness::databases::{Backend, Database};
use crate::harness::proxy::Proxy;
use crate::harness::services::{Service, ServiceBuilder};
use std::thread;
use std::time::Duration;

/// More than there are connections and threads for them.
const CALLERS: usize = 40;

fn start() -> (Proxy, Service) {
    let database: Database = Backend::Postgres.database();
    let proxy = Proxy::before(&database);
    let service = ServiceBuilder::over(&database).set("DATABASE_URL", &proxy.url(&database)).start();
    (proxy, service)
}

/// Many calls at once, each within the bounds.
pub(super) fn at_once(calls: usize, call: impl Fn(usize) -> Reply + Sync) -> Vec<Reply> {
    thread::scope(|scope| {
        let call = &call;
        let calls: Vec<_> = (0..calls).map(|number| scope.spawn(move || within_deadline(|| call(number)))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

/// Sessions whose calls opened every connection that there may be.
fn warmed(service: &Service) -> Vec<Pair> {
    let (account, pair) = service.session();
    let sessions: Vec<_> = (0..CALLERS).map(|_| service.sign_in(&account)).collect();
    at_once(CALLERS, |_| service.me(&pair.access)).iter().for_each(|reply| drop(reply.expect(200)));
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
        for reply in at_once(CALLERS, |number| service.refresh_with(&sessions[number].refresh, "mine")) {
            reply.expect_unavailable();
        }
        within_deadline(|| service.me(&sessions[0].access)).expect_unavailable();
        proxy.resume();
        service.expect_healed();
    });
    // Each was spent wholly or not at all, and whoever shows its key gets the pair, however late.
    for session in &sessions {
        service.refresh_with(&session.refresh, "mine").expect(200);
    }
    let live = "FROM refresh_tokens WHERE NOT revoked AND user_id = (SELECT min(id) FROM users)";
    assert_eq!(service.database.count(live), 1 + CALLERS as i64, "a live token for each session");
}

/// What a firewall, a proxy or a hung pooler does: the old connections never say anything again.
#[test]
fn connections_that_never_answer_again_are_replaced() {
    let (proxy, service) = start();
    let sessions = warmed(&service);
    service.watched(|| {
        proxy.blackhole_existing();
        at_once(CALLERS, |number| service.refresh(&sessions[number].refresh));
        service.expect_healed();
        // And so for a lone caller, who would have to try one old connection after another.
        at_once(CALLERS, |_| service.me(&sessions[0].access));
        proxy.blackhole_existing();
        within_deadline(|| service.me(&sessions[0].access)).expect_unavailable();
        for _ in 0..CALLERS {
            within_deadline(|| service.me(&sessions[0].access)).expect(200);
        }
        service.expect_healed();
    });
}

/// Round trips to the database at most: of a refresh, on a connection that is open.
const ROUND_TRIPS: usize = 1;

#[test]
fn a_slow_network_causes_no_error() {
    let (proxy, service) = start();
    let (account, pair) = service.session();
    // So often that every connection knows the statement: they take turns, with those who look for
    // mails now and then.
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
    // The least is a refresh beside which nobody looked for mails.
    assert!(counted.iter().min() <= Some(&ROUND_TRIPS), "{counted:?} round trips");
    service.watched(|| {
        within_deadline(|| service.me(&pair.access)).expect(200);
        within_deadline(|| service.logout(&pair.refresh)).expect(200);
        let logins = at_once(8, |_| service.login(&account.email, &account.password));
        let pairs: Vec<_> = logins.iter().map(Pair::of).collect();
        for reply in at_once(8, |number| service.refresh(&pairs[number].refresh)) {
            reply.expect(200);
        }
    });
}
