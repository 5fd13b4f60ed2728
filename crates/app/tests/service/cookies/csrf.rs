//! Calls from other sites' pages: every combination of `Origin`, `Sec-Fetch-Site`, method and header.

use super::*;

on_both_databases!(
    c4_12_pages_of_other_origins_are_refused,
    c4_12_a_call_that_sets_cookies_is_refused_as_well,
    c4_12_an_origin_is_compared_exactly,
    c4_13_writes_need_the_header_and_their_page,
    c4_23_another_value_of_the_header_is_refused,
);

type Headers = &'static [(&'static str, &'static str)];

/// `Origin` fields, and whether the page may call. `None`: there is no field, and `Sec-Fetch-Site` decides.
const ORIGINS: [(Headers, Option<bool>); 8] = [
    (&[("Origin", OWN)], Some(true)),
    (&[("Origin", LISTED)], Some(true)),
    (&[("Origin", FOREIGN)], Some(false)),
    (&[("Origin", "null")], Some(false)),
    (&[("Origin", OWN), ("Origin", OWN)], Some(false)),
    (&[("Origin", OWN), ("Origin", FOREIGN)], Some(false)),
    (&[("Origin", "")], Some(false)),
    (&[], None),
];

/// `Sec-Fetch-Site` fields, and whether the page may read and write.
const SITES: [(Headers, [bool; 2]); 7] = [
    (&[("Sec-Fetch-Site", "same-origin")], [true, true]),
    (&[("Sec-Fetch-Site", "none")], [true, true]),
    (&[("Sec-Fetch-Site", "same-site")], [true, false]),
    (&[("Sec-Fetch-Site", "cross-site")], [false, false]),
    (&[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "same-origin")], [false, false]),
    (&[("Sec-Fetch-Site", "unheard-of")], [false, false]),
    // Of earlier browsers, and of other programs.
    (&[], [true, false]),
];

/// Returns all pages: their header fields, and whether they may read and write.
fn pages() -> impl Iterator<Item = (Vec<(&'static str, &'static str)>, [bool; 2])> {
    let page = |(origin, decided): (Headers, Option<bool>), (site, by_site): (Headers, [bool; 2])| {
        (origin.iter().chain(site).copied().collect(), decided.map_or(by_site, |may| [may; 2]))
    };
    ORIGINS.into_iter().flat_map(move |origin| SITES.into_iter().map(move |site| page(origin, site)))
}

fn c4_12_pages_of_other_origins_are_refused(tls: Tls) {
    let (_, browser) = tls.session();
    for (headers, [may_read, may_write]) in pages() {
        for has_header in [false, true] {
            let send = |method: &str, path: &str| {
                let call = browser.bare(method, path).headers(&headers);
                if has_header { call.header(HEADER.0, HEADER.1) } else { call }.send()
            };
            let expect = |reply: Reply, allowed: bool, status: u16| match allowed {
                true => drop(reply.sets_nothing().has_status(status)),
                false => reply.cross_site(),
            };
            expect(send("GET", "/auth/me"), may_read, 200);
            expect(send("DELETE", "/auth/mfa/devices"), may_write && has_header, 204);
        }
    }
}

fn c4_12_a_call_that_sets_cookies_is_refused_as_well(tls: Tls) {
    let service = tls.0;
    let (account, browser) = tls.session();
    let refreshed = browser.refresh_in_vain().token_cookies();
    let sessions = || service.rows_of(&account, "sessions");
    for (headers, [_, may_write]) in pages() {
        let call = |path: &str| browser.bare("POST", path).header(HEADER.0, HEADER.1).headers(&headers);
        let before = sessions();
        let login = call("/auth/login").json(&credentials(&account)).send();
        let refresh = call("/auth/refresh").send();
        if may_write {
            login.in_cookies();
            assert_eq!(refresh.token_cookies(), refreshed);
        } else {
            [login, refresh].iter().for_each(Reply::cross_site);
            call("/auth/login").fields(&account.as_form()).send().cross_site();
            call("/auth/logout").send().cross_site();
            call("/auth/mfa/verify").json(&json!({"mfa_token": "x", "code": "123456"})).send().cross_site();
        }
        assert_eq!(sessions() - before, i64::from(may_write), "{headers:?}");
        // A bearer token does not need the cookies that these calls would delete.
        if !may_write {
            call("/auth/logout-all").bearer(&browser.value("access")).send().cross_site();
        }
    }
    // Refused before the password is checked.
    let wrong = browser.bare("POST", "/auth/login").header(HEADER.0, HEADER.1).header("Origin", FOREIGN);
    wrong.json(&credentials(&account.with_password("wrong"))).send().cross_site();
    browser.me().expect(200);
}

fn c4_12_an_origin_is_compared_exactly(tls: Tls) {
    let (_, browser) = tls.session();
    for origin in [
        "http://auth.example.org",
        "https://auth.example.org:444",
        "https://auth.example.org.evil.example",
        "https://evil.example/https://auth.example.org",
        "https://auth.example.org/",
        "https://auth.example.orgs",
        "https://example.org",
        "https://a.auth.example.org",
        "https://app.example.org:8443",
        "auth.example.org",
        "*",
    ] {
        // `Sec-Fetch-Site` does not count beside it.
        let call = browser.bare("GET", "/auth/me").header("Sec-Fetch-Site", "same-origin");
        call.header("Origin", origin).send().cross_site();
        let call = browser.bare("POST", "/auth/refresh").header(HEADER.0, HEADER.1);
        call.header("Sec-Fetch-Site", "same-origin").header("Origin", origin).send().cross_site();
    }
    // Neither does the address that the request was sent to.
    let (host, origin) = (tls.0.address.to_string(), format!("http://{}", tls.0.address));
    browser.bare("GET", "/auth/me").header("Host", &host).header("Origin", &origin).send().cross_site();
}

fn c4_13_writes_need_the_header_and_their_page(tls: Tls) {
    let (_, browser) = tls.session();
    browser.bare("DELETE", "/auth/mfa/devices").header("Origin", OWN).send().cross_site();
    browser.bare("DELETE", "/auth/mfa/devices").header(HEADER.0, HEADER.1).send().cross_site();
    // A form of another site can send the cookies of older browsers, but never the header.
    for body in ["a=b", "{}"] {
        let call = browser.bare("POST", "/auth/logout-all").header("Origin", FOREIGN);
        call.body("text/plain", body).send().cross_site();
    }
    browser.call("DELETE", "/auth/mfa/devices").send().has_status(204);
    browser.me().expect(200);
}

fn c4_23_another_value_of_the_header_is_refused(tls: Tls) {
    let service = tls.0;
    let (account, browser) = tls.session();
    let refresh = json!({"refresh_token": browser.value("refresh")});
    let password = json!({"password": account.password});
    let calls = [
        ("POST", "/auth/login", credentials(&account)),
        ("POST", "/auth/refresh", json!({})),
        ("POST", "/auth/refresh", refresh.clone()),
        ("POST", "/auth/logout", json!({})),
        ("POST", "/auth/logout", refresh),
        ("POST", "/auth/logout-all", json!({})),
        ("POST", "/auth/reauthenticate", password.clone()),
        ("POST", "/auth/mfa/verify", json!({"mfa_token": "x", "code": "123456"})),
        ("POST", "/auth/mfa/totp/x/confirm", json!({"code": "123456"})),
        ("DELETE", "/auth/mfa/devices", json!({})),
        ("DELETE", "/auth/me", password),
    ];
    for (method, path, body) in &calls {
        let call = || browser.bare(method, path).header("Origin", OWN).json(body);
        for value in ["body", "Cookie", "COOKIE", "cookies", "cookie, cookie", "cookie;", "1", ""] {
            call().header(HEADER.0, value).send().sets_nothing().expect_fields(&["Portcullis-Tokens"]);
        }
        let twice = call().header(HEADER.0, HEADER.1).header(HEADER.0, HEADER.1).send();
        twice.sets_nothing().expect_fields(&["Portcullis-Tokens"]);
    }
    browser.bare("GET", "/auth/me").header(HEADER.0, "body").send().expect_fields(&["Portcullis-Tokens"]);
    assert_eq!(service.tokens_of(&browser.pair()), (1, 1));
    browser.bare("GET", "/auth/me").header("PORTCULLIS-TOKENS", "cookie").send().expect(200);
}
