//! Six digits are guessed less than 100 times an account and day, from all devices and addresses together.

use crate::harness::shim::Shim;
use crate::limits::{ACCOUNT, Caller, expect_limited, limited};
use crate::prelude::*;

on_both_databases!(l10_a_day_of_guessing_is_less_than_100_looks);

const DAY: i64 = 86_400;

/// Lets time pass. Every thread that serves connections must have noticed before the next call, whose
/// deadlines it sets.
fn pass(shim: &Shim, service: &Service, seconds: i64) {
    shim.pass(seconds);
    eventually("the time is known", || (0..20).all(|_| service.get("/health").status == 200).then_some(()));
}

/// The guesser has the password, many addresses, and browsers in which the owner once logged in.
fn l10_a_day_of_guessing_is_less_than_100_looks(backend: Backend) {
    let shim = Shim::new();
    let setup = limited(backend.service()).set("RATE_LIMIT_SOURCE", "100000/24h").set("TRUSTED_PROXIES", "127.0.0.1");
    let service = shim.under(setup).start();
    let account = service.account();
    let mut cookies: Vec<_> = (0..8).map(|_| Some(service.login(&account.email, &account.password).cookie())).collect();
    let enrolled = service.enrol(account);
    cookies.extend(std::iter::repeat_n(None, 8));
    let callers: Vec<_> = cookies
        .into_iter()
        .zip(1..)
        .map(|(cookie, number)| Caller { service: &service, address: format!("198.51.100.{number}"), cookie })
        .collect();
    let (mut passed, mut looks) = (0, 0);
    while passed < DAY {
        let mut next = DAY - passed;
        for caller in &callers {
            // Until no further code of this caller is looked at.
            let refused = (0..200).find_map(|_| {
                let login = caller.login(&enrolled.account.email, &enrolled.account.password);
                let token = (login.status == 403).then(|| login.mfa_token());
                let wrong = enrolled.app.wrong_at(unix_now() + passed);
                let body = |token: String| json!({"mfa_token": token, "code": wrong});
                let reply = token.map_or(login, |token| caller.send("POST", "/auth/mfa/verify", None, &body(token)));
                looks += usize::from(reply.status == 401);
                (reply.status != 401).then_some(reply)
            });
            let refused = refused.expect("a refusal");
            refused.expect_error(429, "RATE_LIMITED");
            next = next.min(refused.header("Retry-After").unwrap().parse().unwrap());
        }
        assert!(looks < 100, "{looks} codes were looked at in {passed} s");
        pass(&shim, &service, next.max(1));
        passed += next.max(1);
    }
    assert!(looks >= 10, "it is a day of guessing: {looks}");
}

/// Without this the other test would prove nothing.
#[test]
fn the_clock_of_limits_can_be_set_forward() {
    let shim = Shim::new();
    let service = shim.under(limited(Backend::Sqlite.service())).start();
    let email = fresh_email();
    (0..10).for_each(|_| service.login(&email, "wrong").wrong_credentials());
    for minutes in [1, 2, 4, 8] {
        let seconds = expect_limited(&service.login(&email, "wrong"), "account", ACCOUNT);
        assert!((60 * minutes - 10..=60 * minutes).contains(&seconds), "{minutes}: {seconds}");
        pass(&shim, &service, seconds.try_into().unwrap());
        service.login(&email, "wrong").wrong_credentials();
    }
    pass(&shim, &service, DAY);
    (0..10).for_each(|_| service.login(&email, "wrong").wrong_credentials());
    expect_limited(&service.login(&email, "wrong"), "account", ACCOUNT);
}
