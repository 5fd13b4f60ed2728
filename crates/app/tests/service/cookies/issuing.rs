//! Responses that set the tokens of a browser: which ones, their bodies and the attributes of the cookies.

use super::*;

on_both_databases!(
    c4_1_tokens_are_cookies_and_not_in_the_body,
    c4_2_every_call_that_issues_tokens_accepts_the_header,
    c4_3_refresh_and_logout_need_no_body,
    c4_4_without_the_header_nothing_changes,
    c4_5_cookies_live_as_long_as_their_tokens,
    c4_6_remember_false_omits_max_age_ever_after,
    c4_6_remember_is_a_boolean_and_true_by_default,
    c4_24_a_body_token_beside_the_header_is_used,
);

fn c4_1_tokens_are_cookies_and_not_in_the_body(tls: Tls) {
    let service = tls.0;
    let (account, mut browser) = (service.account(), Browser::new(service, OWN));
    let reply = browser.log_in(&account);
    assert_eq!(reply.in_cookies(), json!({"token_type": "cookie", "expires_in": 900}));
    let names: Vec<_> = reply.cookies().into_iter().map(|cookie| cookie.name).collect();
    assert_eq!(names, ["access", "device", "refresh"].map(|kind| format!("__Host-portcullis_{kind}")));
    let pair = browser.pair();
    assert_eq!(service.me(&pair.access).expect(200)["id"], account.id);
    let log = service.flushed_log().text();
    for token in [&pair.access, &pair.refresh] {
        assert!(!log.contains(token.rsplit('.').next().unwrap()), "a token is logged");
    }
}

fn c4_2_every_call_that_issues_tokens_accepts_the_header(tls: Tls) {
    let service = tls.0;
    let (account, mut browser) = (service.account(), Browser::new(service, OWN));
    let form = browser.call("POST", "/auth/login").fields(&account.as_form());
    assert_eq!(members(&browser.send(form).in_cookies()), ["expires_in", "token_type"]);
    let first = browser.pair();
    let refreshed = browser.refresh();
    assert_eq!(refreshed.in_cookies(), json!({"token_type": "cookie", "expires_in": 900}));
    assert_eq!(refreshed.cookies().len(), 2, "the tokens alone");
    let second = browser.pair();
    assert!(second.access != first.access && second.refresh != first.refresh);
    assert_eq!(second.sid(), first.sid());
    // A new access token of the same session. The refresh token stays.
    let again = browser.post("/auth/reauthenticate", &json!({"password": account.password}));
    assert_eq!(again.expect(200), json!({"token_type": "cookie", "expires_in": 900}));
    let [cookie] = &again.cookies()[..] else { panic!("{:?}", again.cookies()) };
    assert_eq!((cookie.name.as_str(), cookie.max_age()), ("__Host-portcullis_access", Some(900)));
    let third = browser.pair();
    let [before, after] = [&second, &third].map(|pair| jose::claims(&pair.access));
    assert!(after["jti"] != before["jti"] && after["sid"] == before["sid"] && after["auth_time"].is_i64(), "{after}");
    assert_eq!(third.refresh, second.refresh);
    browser.me().expect(200);
}

fn c4_3_refresh_and_logout_need_no_body(tls: Tls) {
    type Body = fn(Call) -> Call;
    let bodies: [Body; 4] = [
        |call| call.body("", ""),
        // Chunked, and empty.
        |call| call,
        |call| call.body("application/json", ""),
        |call| call.json(&json!({})),
    ];
    for body in bodies {
        let (_, mut browser) = tls.session();
        let call = body(browser.call("POST", "/auth/refresh"));
        browser.send(call).in_cookies();
        let (pair, call) = (browser.pair(), body(browser.call("POST", "/auth/logout")));
        assert_eq!(members(&browser.send(call).expect(200)), ["message"]);
        tls.0.expect_ended(&pair);
    }
    // Without the header they still need one, whatever the cookies.
    let (_, browser) = tls.session();
    for path in ["/auth/refresh", "/auth/logout"] {
        let origin = |call: Call| call.header("Origin", OWN);
        origin(browser.bare("POST", path)).body("", "").send().sets_nothing().expect_error(422, "VALIDATION_ERROR");
        let empty = origin(browser.bare("POST", path)).json(&json!({})).send();
        empty.sets_nothing().expect_fields(&["refresh_token"]);
    }
    browser.me().expect(200);
}

fn c4_4_without_the_header_nothing_changes(tls: Tls) {
    let service = tls.0;
    let (account, browser) = tls.session();
    // A browser that has cookies, and a page of another origin: neither counts.
    let call = browser.bare("POST", "/auth/login").header("Origin", FOREIGN);
    let mut body = credentials(&account);
    body["remember"] = json!({"of": "any type"});
    let reply = call.json(&body).send();
    assert_eq!(members(&reply.expect(200)), ["access_token", "expires_in", "refresh_token", "token_type"]);
    assert_eq!(reply.json()["token_type"], "bearer");
    assert!(!reply.cookies().iter().any(SetCookie::holds_token), "{:?}", reply.cookies());
    let pair = Pair::of(&reply);
    assert!(jose::claims(&pair.refresh).get("remember").is_none());
    let refreshed = browser.bare("POST", "/auth/refresh").json(&json!({"refresh_token": pair.refresh})).send();
    let next = Pair::of(refreshed.sets_nothing());
    // The device's key counts only in cookie mode.
    browser.bare("POST", "/auth/refresh").json(&json!({"refresh_token": pair.refresh})).send().revoked();
    let again = browser.bare("POST", "/auth/reauthenticate").bearer(&next.access);
    let again = again.json(&json!({"password": account.password})).send();
    assert_eq!(members(&again.sets_nothing().expect(200)), ["access_token", "expires_in", "token_type"]);
    service.logout(&next.refresh).sets_nothing().expect(200);
    browser.me().expect(200);
}

/// Checks names, attributes and lifetimes of the cookies of a login, a refresh, a reauthentication and a logout.
#[track_caller]
pub(super) fn expect_attributes(service: &Service, origin: &'static str, prefix: &str, host: &str, ages: [i64; 2]) {
    let (account, mut browser) = (service.account(), Browser::new(service, origin));
    let (access, refresh) =
        (format!("HttpOnly; Path=/; SameSite=Lax{host}"), format!("HttpOnly; Path=/; SameSite=Strict{host}"));
    let sorted = |text: &str| {
        let mut parts: Vec<_> = text.split("; ").collect();
        parts.sort_unstable();
        parts.join("; ")
    };
    let expected = [("access", sorted(&access), ages[0]), ("refresh", sorted(&refresh), ages[1])];
    let mut replies = vec![browser.log_in(&account), browser.refresh()];
    replies.push(browser.call("POST", "/auth/logout").send());
    for (reply, deleted) in replies.iter().zip([false, false, true]) {
        for (cookie, (kind, attributes, age)) in reply.token_cookies().iter().zip(&expected) {
            assert_eq!(cookie.name, format!("{prefix}portcullis_{kind}"));
            assert_eq!(&cookie.lasting(), attributes, "{}", reply.request);
            assert_eq!((cookie.deletes(), cookie.max_age()), (deleted, Some(if deleted { 0 } else { *age })));
        }
    }
}

fn c4_5_cookies_live_as_long_as_their_tokens(backend: Backend) {
    let setup = cookie_mode(backend.service(), OWN);
    let service = setup.set("ACCESS_TOKEN_EXPIRE_MINUTES", "5").set("REFRESH_TOKEN_EXPIRE_DAYS", "2").start();
    expect_attributes(&service, OWN, "__Host-", "; Secure", [300, 2 * 86_400]);
}

/// Checks whether the browser forgets each of these cookies when it closes.
#[track_caller]
pub(super) fn expect_forgotten(reply: &Reply, forgotten: bool) {
    let cookies: Vec<_> = reply.cookies().into_iter().filter(SetCookie::holds_token).collect();
    assert!(!cookies.is_empty(), "{}\n{}", reply.request, reply.text());
    for cookie in cookies {
        assert_eq!(cookie.max_age().is_none(), forgotten, "{}\n{cookie:?}", reply.request);
        assert!(!cookie.attributes.iter().any(|attribute| attribute.starts_with("Expires")), "{cookie:?}");
    }
}

fn c4_6_remember_false_omits_max_age_ever_after(tls: Tls) {
    let account = tls.0.account();
    let mut body = credentials(&account);
    body["remember"] = json!(false);
    let json = |browser: &Browser<'_>| browser.call("POST", "/auth/login").json(&body);
    let [username, password] = account.as_form();
    let form = |browser: &Browser<'_>| {
        browser.call("POST", "/auth/login").fields(&[username, password, ("remember", "false")])
    };
    let logins: [&dyn Fn(&Browser<'_>) -> Call; 2] = [&json, &form];
    for login in logins {
        let mut browser = Browser::new(tls.0, OWN);
        let call = login(&browser);
        expect_forgotten(&browser.send(call), true);
        // The device is no session: it stays known.
        let first = browser.clone();
        expect_forgotten(&browser.refresh(), true);
        expect_forgotten(&first.refresh_in_vain(), true);
        expect_forgotten(&browser.refresh(), true);
        expect_forgotten(&first.refresh_in_vain(), true);
        let again = browser.post("/auth/reauthenticate", &json!({"password": account.password}));
        expect_forgotten(&again, true);
        expect_forgotten(&browser.refresh(), true);
        // It is the session that is kept so, and no other.
        expect_forgotten(&browser.log_in(&account), false);
        expect_forgotten(&browser.refresh(), false);
    }
}

fn c4_6_remember_is_a_boolean_and_true_by_default(tls: Tls) {
    let (account, mut browser) = (tls.0.account(), Browser::new(tls.0, OWN));
    let mut body = credentials(&account);
    expect_forgotten(&browser.post("/auth/login", &body), false);
    body["remember"] = json!(true);
    expect_forgotten(&browser.post("/auth/login", &body), false);
    expect_forgotten(&browser.refresh(), false);
    for invalid in [json!("false"), json!(0), json!([])] {
        body["remember"] = invalid;
        browser.post("/auth/login", &body).sets_nothing().expect_fields(&["remember"]);
    }
    // A device is known for longer than a session lasts.
    body["remember"] = json!(false);
    let reply = browser.post("/auth/login", &body);
    let device = reply.cookies().into_iter().find(|cookie| cookie.name.ends_with("_device")).unwrap();
    assert_eq!(device.max_age(), Some(34_560_000));
}

fn c4_24_a_body_token_beside_the_header_is_used(tls: Tls) {
    let service = tls.0;
    let (account, browser) = tls.session();
    let other = service.sign_in(&account);
    let send = |path: &str, token: &str| browser.call("POST", path).json(&json!({"refresh_token": token})).send();
    let next = Pair::of(send("/auth/refresh", &other.refresh).sets_nothing());
    assert_eq!(next.sid(), other.sid());
    assert_eq!(service.tokens_of(&browser.pair()), (1, 1), "the cookie is not spent");
    // Nor does the device's key count: its own `Idempotency-Key` does.
    send("/auth/refresh", &other.refresh).sets_nothing().revoked();
    let keyed = |token: &str| {
        let call = browser.call("POST", "/auth/refresh").header("Idempotency-Key", "mine");
        call.json(&json!({"refresh_token": token})).send()
    };
    let last = Pair::of(&keyed(&next.refresh));
    assert_eq!(Pair::of(&keyed(&next.refresh)).refresh, last.refresh);
    send("/auth/refresh", "x").sets_nothing().invalid();
    send("/auth/logout", "x").sets_nothing().invalid();
    send("/auth/logout", &last.refresh).sets_nothing().expect(200);
    service.expect_ended(&last);
    browser.me().expect(200);
    browser.refresh_in_vain().in_cookies();
}
