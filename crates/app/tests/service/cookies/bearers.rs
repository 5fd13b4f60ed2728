//! The access cookie as the bearer token of other routes.

use super::*;
use crate::accounts::NEW;

on_both_databases!(
    c4_11_bearer_routes_accept_the_access_cookie,
    c4_11_an_authorization_header_wins,
    c4_11_the_cookie_holds_an_access_token,
    c4_29_an_optional_bearer_counts_only_with_the_header,
);

fn c4_11_bearer_routes_accept_the_access_cookie(tls: Tls) {
    let service = tls.0;
    let (account, browser) = tls.session();
    let sid = browser.pair().sid();
    for path in
        ["/auth/me", "/auth/sessions", "/auth/mfa", "/auth/mfa/devices", &format!("/auth/sessions/{sid}/events")]
    {
        for method in ["GET", "HEAD"] {
            browser.bare(method, path).send().sets_nothing().has_status(200);
            browser.call(method, path).send().has_status(200);
            service.call(method, path).header(HEADER.0, HEADER.1).send().has_status(401);
        }
    }
    assert_eq!(browser.me().expect(200)["id"], account.id);
    assert_eq!(browser.bare("GET", "/auth/sessions").send().expect(200)["sessions"][0]["current"], true);
    let other = service.sign_in(&account);
    let theirs = format!("/auth/sessions/{}", other.sid());
    let none = Value::Null;
    let password = json!({"password": account.password});
    let email = json!({"password": account.password, "new_email": fresh_email()});
    let change = json!({"current_password": account.password, "new_password": NEW});
    for (method, path, body, status) in [
        ("POST", "/auth/reauthenticate/options", &none, 200),
        ("POST", "/auth/reauthenticate", &password, 200),
        ("POST", "/auth/mfa/totp", &json!({}), 201),
        ("PATCH", "/auth/mfa/totp/x", &json!({"name": "phone"}), 404),
        ("DELETE", "/auth/mfa/totp/x", &none, 404),
        ("DELETE", "/auth/mfa/devices", &none, 204),
        ("DELETE", &theirs, &none, 204),
        ("POST", "/auth/email/change", &email, 202),
        ("POST", "/auth/logout-all", &json!({"keep_current": true}), 200),
        ("POST", "/auth/password/change", &change, 200),
    ] {
        let with = |call: Call| if body.is_null() { call } else { call.json(body) };
        let stranger = service.call(method, path).header(HEADER.0, HEADER.1).header("Origin", OWN);
        with(stranger).send().has_status(401);
        with(browser.bare(method, path)).header("Origin", OWN).send().cross_site();
        with(browser.call(method, path)).send().has_status(status);
    }
    service.expect_ended(&other);
    browser.me().expect(200);
}

fn c4_11_an_authorization_header_wins(tls: Tls) {
    let service = tls.0;
    let (_, browser) = tls.session();
    let (account, pair) = service.session();
    let me = |authorization: &str| browser.call("GET", "/auth/me").header("Authorization", authorization).send();
    assert_eq!(me(&format!("Bearer {}", pair.access)).expect(200)["id"], account.id);
    for other in ["Basic YTpi", "Bearer x", "Bearer", "", &format!("Bearer {}", pair.refresh)] {
        me(other).sets_nothing().invalid();
    }
    // No cookie authenticates these calls, so no page is suspected.
    for call in [
        browser.bare("DELETE", "/auth/mfa/devices").header("Origin", FOREIGN),
        browser.bare("DELETE", "/auth/mfa/devices").header("Sec-Fetch-Site", "cross-site"),
        browser.bare("DELETE", "/auth/mfa/devices"),
    ] {
        call.bearer(&pair.access).send().has_status(204);
    }
    browser.bare("GET", "/auth/me").header("Origin", FOREIGN).bearer(&pair.access).send().expect(200);
    service.logout(&pair.refresh).expect(200);
    me(&format!("Bearer {}", pair.access)).sets_nothing().revoked();
    browser.me().expect(200);
}

fn c4_11_the_cookie_holds_an_access_token(tls: Tls) {
    let (_, browser) = tls.session();
    let pair = browser.pair();
    for value in [pair.refresh.as_str(), "", "x", &format!("\"{}\"", pair.access), &format!("Bearer {}", pair.access)] {
        browser.with("access", value).me().sets_nothing().invalid();
    }
    browser.with("refresh", &pair.access).refresh_in_vain().sets_nothing().invalid();
    let mut crossed = browser.clone();
    (_, _) = (crossed.jar.remove(&browser.name("access")), crossed.jar.remove(&browser.name("device")));
    crossed.me().invalid();
}

/// The first verification of an address keeps the password if a bearer of the account shows that it is theirs.
fn c4_29_an_optional_bearer_counts_only_with_the_header(tls: Tls) {
    let service = tls.0;
    let prepared = || {
        let (account, browser) = tls.session();
        // A known device would do as well.
        let token = service.verification_token(&account);
        (browser.without("device"), json!({"token": token}))
    };
    let is_kept = |reply: &Reply| reply.expect(200)["reset_token"].is_null();
    let (browser, body) = prepared();
    let with_header = || browser.bare("POST", "/auth/email/verify").header(HEADER.0, HEADER.1).json(&body);
    with_header().header("Origin", FOREIGN).send().cross_site();
    with_header().send().cross_site();
    assert!(is_kept(browser.call("POST", "/auth/email/verify").json(&body).send().sets_nothing()));
    browser.me().expect(200);
    // Browsers send cookies always: without the header they do not count, and any page may call.
    let (browser, body) = prepared();
    let call = browser.bare("POST", "/auth/email/verify").header("Origin", FOREIGN);
    assert!(!is_kept(call.json(&body).send().sets_nothing()));
    browser.me().revoked();
    // With the header and no cookie there is no bearer.
    let (browser, body) = prepared();
    assert!(!is_kept(&browser.without("access").call("POST", "/auth/email/verify").json(&body).send()));
    let (browser, body) = prepared();
    browser.with("access", "x").call("POST", "/auth/email/verify").json(&body).send().sets_nothing().invalid();
    let call = browser.bare("POST", "/auth/email/verify").bearer(&browser.value("access"));
    assert!(is_kept(&call.json(&body).send()));
}
