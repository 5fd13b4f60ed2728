//! `COOKIE_MODE`, `COOKIE_DOMAIN` and `CORS_ORIGINS`.

use super::*;

on_both_databases!(c4_28_by_default_nothing_changes, c4_31_a_listed_page_can_use_cookies,);

#[test]
fn c4_27_a_domain_that_does_not_cover_the_host_stops_the_start() {
    for (url, domain) in [
        ("https://auth.example.org", "example.com"),
        ("https://auth.example.org", "th.example.org"),
        ("https://auth.example.org", "api.auth.example.org"),
        ("https://example.org", "auth.example.org"),
        ("https://auth.example.org", "org"),
        ("https://auth.example.org", "*.example.org"),
        ("https://auth.example.org", "https://example.org"),
        ("https://auth.example.org", "example.org; Secure"),
        ("https://192.0.2.1", "192.0.2.1"),
        ("https://192.0.2.1", "2.1"),
        ("http://localhost:8000", "localhost"),
    ] {
        let setup = Backend::Sqlite.service().set("COOKIE_MODE", "on").set("PUBLIC_URL", url);
        let ended = setup.set("COOKIE_DOMAIN", domain).run();
        assert!(ended.refusal().contains("COOKIE_DOMAIN"), "{url} {domain}: {ended:?}");
    }
    let ended = Backend::Sqlite.service().set("COOKIE_MODE", "cookie").run();
    assert!(ended.refusal().contains("COOKIE_MODE"), "{ended:?}");
}

/// With `COOKIE_MODE` unset and off, with TLS.
fn c4_28_by_default_nothing_changes(backend: Backend) {
    let unset = backend.service().set("PUBLIC_URL", OWN).set("CORS_ORIGINS", LISTED).start();
    let off = unset.again().set("PUBLIC_URL", OWN).set("COOKIE_MODE", "off").start();
    let on = cookie_mode(unset.again(), OWN).start();
    for service in [&unset, &off] {
        let account = service.account();
        let mut body = credentials(&account);
        for (value, remember) in [("cookie", json!(false)), ("other", json!({"a": 1})), ("", json!("x"))] {
            body["remember"] = remember;
            for origin in [OWN, FOREIGN] {
                let call = service.call("POST", "/auth/login").header(HEADER.0, value).header("Origin", origin);
                let reply = call.json(&body).send();
                assert_eq!(members(&reply.expect(200)), ["access_token", "expires_in", "refresh_token", "token_type"]);
                assert_eq!(reply.json()["token_type"], "bearer");
                let [device] = &reply.cookies()[..] else { panic!("{:?}", reply.cookies()) };
                assert_eq!((device.name.as_str(), device.max_age()), ("portcullis_device", Some(34_560_000)));
                assert_eq!(device.lasting(), "HttpOnly; Path=/; SameSite=Strict; Secure");
                assert!(jose::claims(&Pair::of(&reply).refresh).get("remember").is_none());
            }
        }
        // Cookies of the mode are no tokens.
        let mut browser = Browser::new(&on, OWN);
        browser.log_in(&account).in_cookies();
        let browser = Browser { service, ..browser };
        browser.me().invalid();
        for cookies in [browser.cookies(), browser.cookies().replace("__Host-", "")] {
            service.call("GET", "/auth/me").header("Cookie", &cookies).send().sets_nothing().invalid();
        }
        for path in ["/auth/refresh", "/auth/logout"] {
            browser.call("POST", path).body("", "").send().sets_nothing().expect_error(422, "VALIDATION_ERROR");
            browser.call("POST", path).json(&json!({})).send().sets_nothing().expect_fields(&["refresh_token"]);
        }
        // The device is no key, and only its old name is read.
        let pair = service.sign_in(&account);
        let refresh = |key: &str| {
            let call = browser.call("POST", "/auth/refresh").json(&json!({"refresh_token": pair.refresh}));
            if key.is_empty() { call } else { call.header("Idempotency-Key", key) }.send()
        };
        let next = Pair::of(refresh("one").sets_nothing());
        refresh("").sets_nothing().revoked();
        assert_eq!(Pair::of(&refresh("one")).refresh, next.refresh);
        refresh("a b").expect_fields(&["Idempotency-Key"]);
        let all = service.call("POST", "/auth/logout-all").header(HEADER.0, "other").bearer(&next.access).send();
        all.sets_nothing().expect(200);
    }
}

fn c4_31_a_listed_page_can_use_cookies(tls: Tls) {
    let service = tls.0;
    let preflight = |origin: &str, method: &str, path: &str| {
        let call = service.call("OPTIONS", path).header("Origin", origin);
        let call = call.header("Access-Control-Request-Method", method);
        call.header("Access-Control-Request-Headers", "content-type,portcullis-tokens").send()
    };
    for (method, path) in [
        ("POST", "/auth/login"),
        ("POST", "/auth/refresh"),
        ("GET", "/auth/me"),
        ("DELETE", "/auth/me"),
        ("PATCH", "/auth/mfa/totp/x"),
    ] {
        let reply = preflight(LISTED, method, path);
        assert!(matches!(reply.status, 200 | 204), "{reply:?}");
        assert_eq!(reply.header("Access-Control-Allow-Origin"), Some(LISTED));
        assert_eq!(reply.header("Access-Control-Allow-Credentials"), Some("true"));
        let names = reply.header("Access-Control-Allow-Headers").unwrap().to_lowercase();
        assert!(names.contains("portcullis-tokens"), "{names}");
        let methods = reply.header("Access-Control-Allow-Methods").unwrap();
        assert!(methods.split(',').any(|allowed| allowed.trim() == method), "{method}: {methods}");
        assert_eq!(preflight(FOREIGN, method, path).header("Access-Control-Allow-Origin"), None);
    }
    let (account, mut browser) = (service.account(), Browser::new(service, LISTED));
    for reply in [browser.log_in(&account), browser.refresh()] {
        reply.in_cookies();
        assert_eq!(reply.header("Access-Control-Allow-Origin"), Some(LISTED));
        assert_eq!(reply.header("Access-Control-Allow-Credentials"), Some("true"));
    }
    let me = browser.bare("GET", "/auth/me").header("Origin", LISTED).send();
    assert_eq!((me.status, me.header("Access-Control-Allow-Credentials")), (200, Some("true")));
}
