//! Refreshes of a browser: its tabs, lost responses and overtaking ones share the key of the device.

use super::*;

on_both_databases!(
    c4_14_fifty_tabs_at_once_get_the_same_cookies,
    c4_14_a_lost_response_is_retried_however_late,
    c4_14_a_device_that_was_not_issued_for_the_account_is_a_key_too,
    c4_16_without_the_device_cookie_a_race_is_a_race,
    c4_16_without_the_device_cookie_a_key_counts,
    c4_19_an_overtaken_cookie_gets_the_newest_pair,
    c4_19_tabs_with_old_cookies_do_not_fork_the_session,
    c4_19_of_an_ended_session_no_token_is_answered,
    c4_25_a_key_beside_the_devices_is_ignored,
);

const TABS: usize = 50;

/// Two replicas, or the one service that an SQLite file has.
fn replicas(backend: Backend) -> Vec<Service> {
    let first = cookie_mode(backend.service(), OWN).start();
    let second = (backend == Backend::Postgres).then(|| cookie_mode(first.again(), OWN).start());
    [first].into_iter().chain(second).collect()
}

/// Sends one refresh per tab at the same time, in turn to each replica.
fn refresh_at_once(replicas: &[Service], tabs: &[Browser<'_>]) -> Vec<Reply> {
    at_once(tabs.len(), |number| {
        let service = &replicas[number % replicas.len()];
        Browser { service, ..tabs[number].clone() }.refresh_in_vain()
    })
}

fn c4_14_fifty_tabs_at_once_get_the_same_cookies(backend: Backend) {
    let replicas = replicas(backend);
    let (_, mut browser) = Browser::with_session(&replicas[0], OWN);
    for round in 1..=3 {
        let replies = refresh_at_once(&replicas, &vec![browser.clone(); TABS]);
        for reply in &replies {
            reply.in_cookies();
            assert_eq!(reply.cookies(), replies[0].cookies());
        }
        browser.keep(&replies[0]);
        assert_eq!(replicas[0].tokens_of(&browser.pair()), (round + 1, 1), "one row a round");
    }
    browser.me().expect(200);
}

fn c4_14_a_lost_response_is_retried_however_late(tls: Tls) {
    let service = tls.0;
    let (_, mut browser) = tls.session();
    let (first, lost) = (browser.pair(), browser.refresh_in_vain());
    lost.in_cookies();
    service.spent_earlier(&first, 86_400);
    let retried = browser.refresh();
    retried.in_cookies();
    assert_eq!(retried.cookies(), lost.cookies());
    assert_eq!(service.tokens_of(&first), (2, 1));
    let next = browser.pair();
    assert_eq!(service.verdicts(&next.access, &next.sid()), ["retried", "rotated", "login"]);
    // After the lifetime of the access token as well.
    let made = "UPDATE refresh_tokens SET created_at = '2026-01-01 00:00:00.000000'";
    service.database.execute(&format!("{made} WHERE jti = '{}'", next.jti()));
    let late = browser.with_pair(&first).refresh_in_vain();
    assert_eq!(late.expect(200), json!({"token_type": "cookie", "expires_in": 0}));
    browser.keep(&late);
    browser.refresh().in_cookies();
    browser.me().expect(200);
}

/// Another account may have used the browser in between.
fn c4_14_a_device_that_was_not_issued_for_the_account_is_a_key_too(tls: Tls) {
    let (_, browser) = tls.session();
    let (_, other) = tls.session();
    let browser = browser.with("device", &other.value("device"));
    let first = browser.refresh_in_vain();
    first.in_cookies();
    assert_eq!(browser.refresh_in_vain().cookies(), first.cookies());
}

/// Browsers without a key of a device.
fn keyless(browser: &Browser<'static>) -> [Browser<'static>; 3] {
    [browser.without("device"), browser.with("device", "x"), browser.with("device", "")]
}

fn c4_16_without_the_device_cookie_a_race_is_a_race(tls: Tls) {
    let service = tls.0;
    for number in 0..3 {
        let (account, browser) = tls.session();
        let other = service.sign_in(&account);
        let mut browser = keyless(&browser)[number].clone();
        let first = browser.pair();
        browser.refresh().in_cookies();
        let late = browser.with_pair(&first);
        late.refresh_in_vain().sets_nothing().revoked();
        browser.me().expect(200);
        service.spent_earlier(&first, 11);
        late.refresh_in_vain().sets_nothing().revoked();
        service.expect_ended(&browser.pair());
        assert_eq!(service.verdicts(&other.access, &first.sid())[..3], ["ended", "theft", "raced"]);
        service.me(&other.access).expect(200);
    }
}

fn c4_16_without_the_device_cookie_a_key_counts(tls: Tls) {
    let (_, browser) = tls.session();
    for keyless in keyless(&browser) {
        let mut browser = Browser::with_session(tls.0, OWN).1;
        browser.jar.remove(&browser.name("device"));
        browser.jar.extend(keyless.jar.into_iter().filter(|(name, _)| name.ends_with("_device")));
        let first = browser.pair();
        let refresh = |browser: &Browser<'_>, key: &str| {
            browser.call("POST", "/auth/refresh").header("Idempotency-Key", key).send()
        };
        let one = refresh(&browser, "one");
        one.in_cookies();
        tls.0.spent_earlier(&first, 86_400);
        assert_eq!(refresh(&browser, "one").cookies(), one.cookies());
        refresh(&browser, "a b").sets_nothing().expect_fields(&["Idempotency-Key"]);
        browser.keep(&one);
        // Only the token just spent is retried.
        let two = refresh(&browser, "one");
        two.in_cookies();
        refresh(&browser.with_pair(&first), "one").sets_nothing().revoked();
        browser.keep(&two);
        browser.me().revoked();
    }
}

fn c4_19_an_overtaken_cookie_gets_the_newest_pair(tls: Tls) {
    let service = tls.0;
    for refreshes in [1, 3, 20] {
        let (_, mut browser) = tls.session();
        let mut old = Vec::new();
        for _ in 0..refreshes {
            old.push(browser.pair());
            browser.refresh().in_cookies();
        }
        let newest = browser.pair();
        for pair in &old {
            service.spent_earlier(pair, 86_400);
            let mut late = browser.with_pair(pair);
            let reply = late.refresh();
            reply.in_cookies();
            assert_eq!(late.jar, browser.jar, "after {refreshes} refreshes");
        }
        assert_eq!(service.tokens_of(&newest), (refreshes + 1, 1), "nothing forks");
        // It goes on from there.
        browser.refresh().in_cookies();
        assert_eq!(browser.with_pair(&old[0]).refresh_in_vain().token_cookies()[1].value, browser.value("refresh"));
        assert_eq!(service.tokens_of(&newest), (refreshes + 2, 1));
        browser.me().expect(200);
    }
}

/// Some tabs rotate while others come with older and older cookies.
fn c4_19_tabs_with_old_cookies_do_not_fork_the_session(backend: Backend) {
    let replicas = replicas(backend);
    let (_, browser) = Browser::with_session(&replicas[0], OWN);
    let mut tabs = vec![browser; 12];
    for _ in 0..6 {
        let replies = refresh_at_once(&replicas, &tabs);
        replies.iter().for_each(|reply| drop(reply.in_cookies()));
        // Two of three tabs store their response, and the others keep what they have.
        for (number, (tab, reply)) in tabs.iter_mut().zip(&replies).enumerate() {
            if number % 3 != 0 {
                tab.keep(reply);
            }
        }
        assert_eq!(replicas[0].tokens_of(&tabs[0].pair()).1, 1);
    }
    for tab in &mut tabs {
        tab.refresh().in_cookies();
        tab.me().expect(200);
    }
}

fn c4_19_of_an_ended_session_no_token_is_answered(tls: Tls) {
    let service = tls.0;
    let (account, mut browser) = tls.session();
    let first = browser.pair();
    (0..3).for_each(|_| drop(browser.refresh().in_cookies()));
    service.logout(&browser.value("refresh")).expect(200);
    let (rows, other) = (service.tokens_of(&first), service.sign_in(&account));
    for _ in 0..2 {
        browser.with_pair(&first).refresh_in_vain().sets_nothing().revoked();
        browser.refresh_in_vain().sets_nothing().revoked();
        service.spent_earlier(&first, 86_400);
    }
    assert_eq!((service.tokens_of(&first), rows.1), (rows, 0));
    assert_eq!(service.verdicts(&other.access, &first.sid())[..4], ["ended"; 4]);
}

fn c4_25_a_key_beside_the_devices_is_ignored(tls: Tls) {
    let (_, browser) = tls.session();
    let refresh = |keys: &[(&str, &str)]| browser.call("POST", "/auth/refresh").headers(keys).send();
    let first = refresh(&[("Idempotency-Key", "one")]);
    first.in_cookies();
    let long = "x".repeat(256);
    for keys in [
        &[("Idempotency-Key", "two")][..],
        &[("Idempotency-Key", "a b")],
        &[("Idempotency-Key", "")],
        &[("Idempotency-Key", &long)],
        &[("Idempotency-Key", "one"), ("Idempotency-Key", "two")],
        &[],
    ] {
        assert_eq!(refresh(keys).cookies(), first.cookies(), "{keys:?}");
    }
    assert_eq!(tls.0.tokens_of(&browser.pair()), (2, 1));
}
