//! Account budgets: atomic, shared by all spellings of an email address, and the same for unknown accounts.

use super::{ACCOUNT, Limited, expect_limited};
use crate::prelude::*;

on_both_databases!(
    ten_failures_are_free_and_a_spent_budget_is_nobody_elses,
    parallel_wrong_passwords_are_ten_tries_and_good_ones_pass,
    the_spellings_of_an_address_and_the_form_draw_on_one_budget,
    a_limit_tells_nothing_about_who_exists,
    a_session_is_refreshed_at_most_sixty_times_at_once,
    what_is_switched_off_limits_nothing,
);

fn ten_failures_are_free_and_a_spent_budget_is_nobody_elses(service: Limited) {
    let (account, other, caller) = (service.customer(), service.customer(), service.caller());
    caller.spend(&account.email);
    let refused = caller.login(&account.email, &account.password);
    let seconds = expect_limited(&refused, "account", ACCOUNT);
    assert!((50..=60).contains(&seconds), "the first wait is a minute: {seconds}");
    let events = service.log.of_request(refused.request_id());
    let line = events.iter().find(|event| event["message"] == "Call limited").expect("a line of the refusal");
    assert_eq!((&line["budget"], &line["client"]), (&"account".into(), &caller.address.clone().into()), "{line}");
    assert!(!service.flushed_log().text().contains(&account.email));
    caller.login(&other.email, &other.password).expect(200);
}

fn parallel_wrong_passwords_are_ten_tries_and_good_ones_pass(service: Limited) {
    let (account, caller) = (service.customer(), service.caller());
    for _ in 0..2 {
        let replies = at_once(20, |_| caller.login(&account.email, &account.password));
        assert_eq!(count(&replies, 200), 20);
    }
    let (attacked, caller) = (service.customer(), service.caller());
    let replies = at_once(200, |number| caller.login(&attacked.email, &format!("wrong {number}")));
    assert_eq!((count(&replies, 401), count(&replies, 429)), (10, 190));
}

fn the_spellings_of_an_address_and_the_form_draw_on_one_budget(service: Limited) {
    let (account, caller) = (service.customer(), service.caller());
    let (upper, blank) = (account.email.to_uppercase(), format!(" {} ", account.email));
    let form =
        |email: &str| caller.call("POST", "/auth/login").fields(&[("username", email), ("password", "x")]).send();
    for _ in 0..3 {
        caller.login(&upper, "wrong").wrong_credentials();
        caller.login(&blank, "wrong").wrong_credentials();
        form(&account.email).wrong_credentials();
    }
    form(&blank).wrong_credentials();
    for refused in [caller.login(&account.email, "wrong"), caller.login(&upper, "wrong"), form(&account.email)] {
        expect_limited(&refused, "account", ACCOUNT);
    }
}

fn a_limit_tells_nothing_about_who_exists(service: Limited) {
    let (known, unknown, inactive) = (service.customer(), fresh_email(), service.customer());
    service.disable(&inactive);
    let told = [&known.email, &unknown, &inactive.email].map(|email| {
        let caller = service.caller();
        caller.spend(email);
        let refused = caller.login(email, &known.password);
        expect_limited(&refused, "account", ACCOUNT);
        let mut names: Vec<_> = refused.headers.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        (refused.json()["error"].to_string(), names)
    });
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

fn a_session_is_refreshed_at_most_sixty_times_at_once(service: Limited) {
    let account = service.customer();
    let mut pair = Pair::of(&service.caller().login(&account.email, &account.password));
    for _ in 0..61 {
        pair = service.renewed(&pair);
    }
    // After that, one refresh per 2.5 s passes.
    let refused = (0..100).find_map(|_| {
        let reply = service.refresh(&pair.refresh);
        if reply.status == 200 {
            pair = Pair::of(&reply);
        }
        (reply.status != 200).then_some(reply)
    });
    let seconds = expect_limited(&refused.expect("a refusal"), "refresh", "q=120;w=300");
    assert!((1..=3).contains(&seconds), "{seconds}");
    // The refusal spent nothing, and other sessions are not affected.
    service.renewed(&Pair::of(&service.caller().login(&account.email, &account.password)));
    eventually("a refresh is due", || (service.refresh(&pair.refresh).status == 200).then_some(()));
}

fn what_is_switched_off_limits_nothing(service: &Service) {
    let account = service.account();
    (0..30).for_each(|_| service.login(&account.email, "wrong").wrong_credentials());
    service.sign_in(&account);
}
