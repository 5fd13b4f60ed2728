//! Account budgets: atomic, shared by all spellings of an email address, and the same for unknown accounts.

use super::{at_once, count, expect_limited, limited, spend};
use crate::harness::accounts::{Pair, credentials, fresh_email};
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::timing::eventually;

on_both_databases!(
    they_are_on_by_default_and_ten_failures_are_free,
    two_hundred_wrong_passwords_at_once_are_ten_tries,
    twenty_good_logins_at_once_are_all_let_in,
    the_spellings_of_an_address_and_the_form_draw_on_one_budget,
    a_limit_tells_nothing_about_who_exists,
    a_success_refunds,
    a_success_costs_its_source_a_call,
    a_session_is_refreshed_at_most_sixty_times_at_once,
    what_is_switched_off_limits_nothing,
    a_hundred_sign_ups_from_one_address_are_not_limited,
    an_office_behind_one_address_is_not_limited,
    a_spent_budget_is_nobody_elses,
);

const POLICY: &str = "q=10;w=900";

fn they_are_on_by_default_and_ten_failures_are_free(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    spend(&service, &account.email);
    let refused = service.login(&account.email, &account.password);
    let seconds = expect_limited(&refused, "account", POLICY);
    assert!((50..=60).contains(&seconds), "the first wait is a minute: {seconds}");
    let events = service.log.of_request(refused.request_id());
    let line = events.iter().find(|event| event["message"] == "Call limited").expect("a line of the refusal");
    assert_eq!((&line["budget"], &line["client"]), (&"account".into(), &"127.0.0.1".into()), "{line}");
    assert!(!service.flushed_log().text().contains(&account.email));
}

fn two_hundred_wrong_passwords_at_once_are_ten_tries(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    let replies = at_once(200, |number| service.login(&account.email, &format!("wrong {number}")));
    assert_eq!((count(&replies, 401), count(&replies, 429)), (10, 190));
}

fn twenty_good_logins_at_once_are_all_let_in(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    for _ in 0..2 {
        let replies = at_once(20, |_| service.login(&account.email, &account.password));
        assert_eq!(count(&replies, 200), 20);
    }
}

fn the_spellings_of_an_address_and_the_form_draw_on_one_budget(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    let (upper, blank) = (account.email.to_uppercase(), format!(" {} ", account.email));
    let form = |email: &str| {
        let body = format!("username={}&password=wrong", email.replace('@', "%40").replace(' ', "+"));
        service.call("POST", "/auth/login").form(&body).send()
    };
    for _ in 0..3 {
        service.login(&upper, "wrong").expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.login(&blank, "wrong").expect_error(401, "AUTH_INVALID_CREDENTIALS");
        form(&account.email).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    form(&blank).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    for refused in [service.login(&account.email, "wrong"), service.login(&upper, "wrong"), form(&account.email)] {
        expect_limited(&refused, "account", POLICY);
    }
}

fn a_limit_tells_nothing_about_who_exists(backend: Backend) {
    let service = limited(backend.service()).start();
    let (known, unknown, inactive) = (service.account(), fresh_email(), service.account());
    service.disable(&inactive);
    let told = [&known.email, &unknown, &inactive.email].map(|email| {
        spend(&service, email);
        let refused = service.login(email, &known.password);
        expect_limited(&refused, "account", POLICY);
        let mut body = refused.json();
        body["request_id"] = serde_json::Value::Null;
        let mut names: Vec<_> = refused.headers.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        (body.to_string(), names)
    });
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

fn a_success_refunds(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    for _ in 0..3 {
        for _ in 0..3 {
            service.login(&account.email, "wrong").expect_error(401, "AUTH_INVALID_CREDENTIALS");
        }
        for _ in 0..9 {
            service.sign_in(&account);
        }
    }
    service.login(&account.email, "wrong").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    expect_limited(&service.login(&account.email, &account.password), "account", POLICY);
}

/// Bounds the rows that one account can create by logging in all day.
fn a_success_costs_its_source_a_call(backend: Backend) {
    let service = limited(backend.service()).set("RATE_LIMIT_SOURCE", "5/24h").start();
    let account = service.account();
    for _ in 0..4 {
        service.sign_in(&account);
    }
    expect_limited(&service.login(&account.email, &account.password), "source", "q=5;w=86400");
}

fn a_session_is_refreshed_at_most_sixty_times_at_once(backend: Backend) {
    let service = limited(backend.service()).start();
    let (account, mut pair) = service.session();
    for _ in 0..61 {
        pair = Pair::of(&service.refresh(&pair.refresh));
    }
    // After that, one refresh per 2.5 s passes.
    let refused = (0..100).find_map(|_| {
        let reply = service.refresh(&pair.refresh);
        if reply.status == 200 {
            pair = Pair::of(&reply);
        }
        (reply.status != 200).then_some(reply)
    });
    let refused = refused.expect("a refusal");
    let seconds = expect_limited(&refused, "refresh", "q=120;w=300");
    assert!((1..=3).contains(&seconds), "{seconds}");
    // The refusal spent nothing, and other sessions are not affected.
    service.sign_in(&account);
    eventually("a refresh is due", || (service.refresh(&pair.refresh).status == 200).then_some(()));
}

fn what_is_switched_off_limits_nothing(backend: Backend) {
    let service = backend.service().set("RATE_LIMIT_ENABLED", "false").start();
    let account = service.account();
    for _ in 0..30 {
        service.login(&account.email, "wrong").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    service.sign_in(&account);
}

fn a_hundred_sign_ups_from_one_address_are_not_limited(backend: Backend) {
    let service = limited(backend.service()).start();
    let replies = at_once(90, |_| service.register(&fresh_email(), "correct horse battery staple"));
    assert_eq!(count(&replies, 201), 90);
    // The last sign-ups also log in, as a test suite would.
    for _ in 0..5 {
        service.session();
    }
}

/// Fifty employees with accounts log in within the same minute.
fn an_office_behind_one_address_is_not_limited(backend: Backend) {
    let service = limited(backend.service()).start();
    let staff: Vec<_> = (0..50).map(|_| service.account()).collect();
    let replies = at_once(50, |number| service.post("/auth/login", &credentials(&staff[number])));
    assert_eq!(count(&replies, 200), 50);
    Pair::of(&replies[0]);
}

fn a_spent_budget_is_nobody_elses(backend: Backend) {
    let service = limited(backend.service()).start();
    let (attacked, other) = (service.account(), service.account());
    spend(&service, &attacked.email);
    expect_limited(&service.login(&attacked.email, &attacked.password), "account", POLICY);
    service.sign_in(&other);
}
