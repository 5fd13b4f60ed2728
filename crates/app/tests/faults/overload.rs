//! F25: a login storm is bounded. `cargo xtask bench` measures how fast other requests stay during it.

use crate::prelude::*;

on_both_databases!(logins_past_the_queues_bound_get_503_and_the_rest_goes_on,);

/// More than 2 s of hashing at cost 12 on any machine with up to 16 cores.
const CLIENTS: usize = 160;

fn logins_past_the_queues_bound_get_503_and_the_rest_goes_on(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "12").start();
    let (account, pair) = service.session();
    let replies: Vec<_> = thread::scope(|scope| {
        let login = |_| scope.spawn(|| service.login(&account.email, &account.password));
        let logins: Vec<_> = (0..CLIENTS).map(login).collect();
        service.log.wait_for(2, of_login("Request started"));
        assert_eq!(service.get("/health").status, 200);
        service.refresh(&pair.refresh).expect(200);
        service.me(&pair.access).expect(200);
        logins.into_iter().map(|login| login.join().unwrap()).collect()
    });
    let (served, shed): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert!(!served.is_empty() && !shed.is_empty(), "{} served, {} shed", served.len(), shed.len());
    for reply in shed {
        reply.expect_unavailable();
    }
    expect_refusals_first(&service.flushed_log().events());
    assert_eq!(service.circuit(), "closed");
    eventually("logins again", || (service.login(&account.email, &account.password).status == 200).then_some(()));
}

/// Checks that logins past the queue limit are refused long before most are served, and that requests without
/// a hash do not wait for one. On a busy processor some queued logins also time out, so this looks at the
/// fastest tenth of the refusals.
fn expect_refusals_first(events: &[Value]) {
    let end = |event: &&Value| event["message"] == "Request finished";
    let ends: Vec<_> =
        events.iter().filter(end).map(|event| (event["path"].as_str(), event["status_code"].as_i64())).collect();
    let place = |path: &str, status: i64| ends.iter().rposition(|end| *end == (Some(path), Some(status))).unwrap();
    let last_served = place("/auth/login", 200);
    for path in ["/health", "/auth/refresh", "/auth/me"] {
        assert!(place(path, 200) < last_served, "{path} came after the storm: {ends:?}");
    }
    let millis = |event: &Value| event["duration_ms"].as_f64().unwrap();
    let of = |status: i64, part: usize| {
        let wanted = |event: &&Value| end(event) && event["path"] == "/auth/login" && event["status_code"] == status;
        let mut times: Vec<_> = events.iter().filter(wanted).map(millis).collect();
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / part]
    };
    let (served, refused) = (of(200, 2), of(503, 10));
    assert!(refused < served / 2.0 && refused < 1_000.0, "refused in {refused} ms, served in {served} ms");
    let longest = events.iter().filter(end).map(millis).fold(0.0, f64::max);
    assert!(longest < 10_000.0, "{longest} ms");
}

/// A login served during a storm costs at most a quarter more processor time than one in calm. Wall-clock
/// rates mean nothing on a busy machine.
#[test]
fn a_storm_does_not_cost_the_logins_that_are_served() {
    let service = Backend::Sqlite.service().set("BCRYPT_COST", "12").start();
    let account = service.account();
    let of_logins = |work: &dyn Fn() -> usize| {
        let before = service.processor_time();
        let served = work();
        assert!(served > 0);
        (service.processor_time() - before) / served as u32
    };
    let rounds = if long_form() { 10 } else { 1 };
    let calm = of_logins(&|| {
        (0..8 * rounds).for_each(|_| drop(service.sign_in(&account)));
        8 * rounds
    });
    let storm = of_logins(&|| {
        let served = |_| service.login(&account.email, &account.password).status == 200;
        at_once(CLIENTS, |_| (0..rounds).filter(|round| served(*round)).count()).into_iter().sum()
    });
    assert!(storm < calm * 5 / 4 + Duration::from_millis(50), "{storm:?} of the processor each, {calm:?} when calm");
}
