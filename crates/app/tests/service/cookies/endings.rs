//! Calls that delete the cookies, and calls that do not although a session ends.

use super::*;
use crate::accounts::NEW;

on_both_databases!(
    c4_18_what_ends_the_browsers_session_deletes_both,
    c4_18_other_ends_delete_nothing,
    c4_18_a_bearer_without_the_header_deletes_nothing,
    c4_26_without_a_usable_cookie_logout_deletes_both,
);

/// Checks that both cookies are deleted, with the attributes they were set with.
#[track_caller]
fn expect_deleted(reply: &Reply, browser: &Browser<'_>) {
    let cookies = reply.token_cookies();
    assert_eq!(cookies.len(), reply.cookies().len(), "the device stays known: {:?}", reply.cookies());
    for (cookie, kind) in cookies.iter().zip(["access", "refresh"]) {
        assert!(cookie.deletes(), "{cookie:?}");
        assert_eq!(cookie.name, format!("__Host-portcullis_{kind}"));
    }
    let mut after = browser.clone();
    after.keep(reply);
    assert!(!after.jar.keys().any(|name| name.ends_with("_access") || name.ends_with("_refresh")), "{:?}", after.jar);
}

fn c4_18_what_ends_the_browsers_session_deletes_both(tls: Tls) {
    let service = tls.0;
    for (method, path) in [("POST", "/auth/logout"), ("POST", "/auth/logout-all"), ("DELETE", "/auth/me")] {
        for by_header in [false, true] {
            let (account, browser) = tls.session();
            let other = service.sign_in(&account);
            let pair = browser.pair();
            let call = browser.call(method, path).json(&json!({"password": account.password}));
            // A script may also present the access token itself.
            let reply = if by_header { call.bearer(&pair.access) } else { call }.send();
            assert!(matches!(reply.status, 200 | 204), "{}", reply.text());
            expect_deleted(&reply, &browser);
            browser.me().sets_nothing().has_status(401);
            service.refresh(&pair.refresh).has_status(401);
            let expected = if path == "/auth/logout" { 200 } else { 401 };
            service.me(&other.access).has_status(expected);
        }
    }
}

fn c4_18_other_ends_delete_nothing(tls: Tls) {
    let service = tls.0;
    let (account, browser) = tls.session();
    let other = service.sign_in(&account);
    let keep = browser.call("POST", "/auth/logout-all").json(&json!({"keep_current": true})).send();
    assert_eq!(keep.sets_nothing().expect(200)["revoked"], 1);
    service.expect_ended(&other);
    let change = json!({"current_password": account.password, "new_password": NEW});
    let changed = browser.call("POST", "/auth/password/change").json(&change).send();
    changed.expect(200);
    assert!(!changed.cookies().iter().any(SetCookie::holds_token), "{:?}", changed.cookies());
    browser.me().expect(200);
    let own = format!("/auth/sessions/{}", browser.pair().sid());
    browser.call("DELETE", &own).send().sets_nothing().has_status(204);
    browser.me().sets_nothing().revoked();
}

fn c4_18_a_bearer_without_the_header_deletes_nothing(tls: Tls) {
    let service = tls.0;
    for path in ["/auth/logout", "/auth/logout-all"] {
        let (_, browser) = tls.session();
        let pair = browser.pair();
        let call = browser.bare("POST", path).bearer(&pair.access);
        call.json(&json!({"refresh_token": pair.refresh})).send().sets_nothing().expect(200);
        service.expect_ended(&pair);
    }
}

fn c4_26_without_a_usable_cookie_logout_deletes_both(tls: Tls) {
    let service = tls.0;
    let (account, mut browser) = tls.session();
    let log_out = |browser: &Browser<'_>| {
        let reply = browser.call("POST", "/auth/logout").send();
        reply.expect(200);
        expect_deleted(&reply, browser);
    };
    log_out(&Browser::new(service, OWN));
    let refresh = browser.value("refresh");
    for useless in ["", "x", "a.b.c", &browser.value("access"), &format!("{refresh}x"), &refresh[..refresh.len() - 3]] {
        log_out(&browser.with("refresh", useless));
    }
    log_out(&browser.without("refresh"));
    let forged = jose::signed_with(random_secret().as_bytes(), refresh.rsplit_once('.').unwrap().0);
    log_out(&browser.with("refresh", &forged));
    let call = browser.call("POST", "/auth/logout").header("Cookie", &format!("{}={refresh}", browser.name("refresh")));
    call.send().expect(200);
    // None of them ended the session.
    browser.me().expect(200);
    // A spent, an expired or a revoked token still names its session.
    let spent = browser.clone();
    browser.refresh().in_cookies();
    log_out(&spent);
    service.expect_ended(&browser.pair());
    log_out(&browser);
    browser.log_in(&account).in_cookies();
    let expired = jose::changed(&browser.value("refresh"), "exp", unix_now() - 1);
    log_out(&browser.with("refresh", &expired));
    browser.me().sets_nothing().revoked();
}
