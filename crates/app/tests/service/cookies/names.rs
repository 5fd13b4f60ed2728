//! Names of the cookies: their prefixes, their spelling, and names that occur twice. The device cookie.

use super::issuing::expect_attributes;
use super::*;

on_both_databases!(
    c4_5_with_tls_the_host_alone_can_set_the_cookies,
    c4_7_without_tls_names_have_no_prefix,
    c4_8_a_cookie_domain_is_set_and_the_device_stays_the_hosts,
    c4_9_a_name_that_occurs_twice_is_absent,
    c4_10_names_are_compared_byte_for_byte,
    c4_20_the_device_cookie_is_the_hosts_own,
    c4_20_the_old_device_cookie_is_still_read,
    c4_20_without_tls_the_device_cookie_is_the_old_one,
);

fn c4_5_with_tls_the_host_alone_can_set_the_cookies(tls: Tls) {
    expect_attributes(tls.0, OWN, "__Host-", "; Secure", [900, 604_800]);
}

fn c4_7_without_tls_names_have_no_prefix(plain: Plain) {
    expect_attributes(plain.0, LOCAL, "", "", [900, 604_800]);
    let (_, browser) = Browser::with_session(plain.0, LOCAL);
    browser.me().expect(200);
    let prefixed = format!("__Host-portcullis_access={}", browser.value("access"));
    plain.0.call("GET", "/auth/me").header("Cookie", &prefixed).send().invalid();
}

fn c4_8_a_cookie_domain_is_set_and_the_device_stays_the_hosts(backend: Backend) {
    for domain in ["example.org", "AUTH.example.org"] {
        let service = cookie_mode(backend.service(), OWN).set("COOKIE_DOMAIN", domain).start();
        let attributes = format!("; Secure; Domain={}", domain.to_lowercase());
        expect_attributes(&service, OWN, "__Secure-", &attributes, [900, 604_800]);
        let (_, browser) = Browser::with_session(&service, OWN);
        assert_eq!(browser.name("device"), "__Host-portcullis_device");
        browser.me().expect(200);
        let other = format!("__Host-portcullis_access={}", browser.value("access"));
        service.call("GET", "/auth/me").header("Cookie", &other).send().invalid();
    }
}

fn c4_9_a_name_that_occurs_twice_is_absent(tls: Tls) {
    let service = tls.0;
    let (_, browser) = tls.session();
    let [access, refresh, device] =
        ["access", "refresh", "device"].map(|kind| format!("{}={}", browser.name(kind), browser.value(kind)));
    let me = |cookies: &[&str]| {
        cookies.iter().fold(service.call("GET", "/auth/me"), |call, cookie| call.header("Cookie", cookie)).send()
    };
    let other = "__Host-portcullis_access=x";
    for twice in [[access.as_str(), &access], [&access, other], [other, &access]] {
        me(&[&twice.join("; ")]).sets_nothing().invalid();
        me(&twice).sets_nothing().invalid();
        me(&[&twice.join(";")]).invalid();
    }
    me(&["a=1; a=2; __Host-portcullis_refresh=1; __Host-portcullis_refresh=2", &access]).expect(200);
    let renew = |cookies: &[&str], key: &str| {
        let call = service.call("POST", "/auth/refresh").header(HEADER.0, HEADER.1).header("Origin", OWN);
        let call = cookies.iter().fold(call, |call, cookie| call.header("Cookie", cookie));
        if key.is_empty() { call } else { call.header("Idempotency-Key", key) }.send()
    };
    renew(&[&refresh, &device, "__Host-portcullis_refresh=x"], "").sets_nothing().invalid();
    renew(&[&device, &refresh, &refresh], "").sets_nothing().invalid();
    assert_eq!(service.tokens_of(&browser.pair()), (1, 1), "nothing is spent");
    // Of two device cookies none counts, so the header does.
    renew(&[&refresh, &device, &device], "a b").sets_nothing().expect_fields(&["Idempotency-Key"]);
    renew(&[&refresh, &device], "a b").in_cookies();
    renew(&[&refresh, &device, "__Host-portcullis_device=x"], "").sets_nothing().revoked();
    renew(&[&refresh, &device], "").in_cookies();
}

fn c4_10_names_are_compared_byte_for_byte(tls: Tls) {
    let (_, browser) = tls.session();
    let (name, value) = (browser.name("access"), browser.value("access"));
    let good = format!("{name}={value}");
    for other in [
        "__host-portcullis_access",
        "__HOST-PORTCULLIS_ACCESS",
        "__Host-Portcullis_access",
        "__Host-portcullis_acces",
        "__Host-portcullis_access2",
        "x__Host-portcullis_access",
        "__Secure-portcullis_access",
        "portcullis_access",
        "%5F_Host-portcullis_access",
        "__Host-portcullis_access ",
        "\"__Host-portcullis_access\"",
    ] {
        let me = |cookies: &str| tls.0.call("GET", "/auth/me").header("Cookie", cookies).send();
        me(&format!("{other}={value}")).invalid();
        // It is no second one either.
        me(&format!("{other}=x; {good}")).expect(200);
        me(&format!("{good}; {other}=x")).expect(200);
    }
}

/// Returns the number of a device, which is the second part of its cookie.
fn device(cookie: &str) -> &str {
    cookie.split('.').nth(1).unwrap()
}

fn c4_20_the_device_cookie_is_the_hosts_own(tls: Tls) {
    let (account, mut browser) = tls.session();
    let other = tls.session().1.value("device");
    assert_eq!(browser.name("device"), "__Host-portcullis_device");
    let first = browser.clone();
    let refreshed = browser.refresh();
    let login = browser.log_in(&account);
    let set = login.cookies().into_iter().find(|cookie| cookie.name.ends_with("_device")).unwrap();
    assert_eq!(set.lasting(), "HttpOnly; Path=/; SameSite=Strict; Secure");
    assert_eq!(device(&set.value), device(&first.value("device")), "a known device stays the same");
    // A sibling host can set the old name, and gains nothing.
    let mut tossed = first.clone();
    tossed.jar.insert("portcullis_device".to_owned(), other);
    assert_eq!(tossed.refresh_in_vain().token_cookies(), refreshed.token_cookies());
    let renewed = tossed.log_in(&account);
    let set = renewed.cookies().into_iter().find(|cookie| cookie.name.ends_with("_device")).unwrap();
    assert_eq!(device(&set.value), device(&first.value("device")));
    assert_eq!(set.name, "__Host-portcullis_device");
    // A call without the header gets it as well.
    let call = first.bare("POST", "/auth/login").json(&credentials(&account)).send();
    assert_eq!(call.cookies().iter().map(|cookie| cookie.name.as_str()).collect::<Vec<_>>(), [set.name.as_str()]);
}

fn c4_20_the_old_device_cookie_is_still_read(backend: Backend) {
    let off = backend.service().set("PUBLIC_URL", OWN).start();
    let account = off.account();
    let old = off.login(&account.email, &account.password).cookie();
    let on = cookie_mode(off.again(), OWN).start();
    let mut browser = Browser::new(&on, OWN);
    let (name, value) = old.split_once('=').unwrap();
    assert_eq!(name, "portcullis_device");
    browser.jar.insert(name.to_owned(), value.to_owned());
    browser.log_in(&account).in_cookies();
    assert_eq!(device(&browser.jar["__Host-portcullis_device"]), device(value), "known by the old name");
    // Its key is the same.
    let mut renamed = browser.clone();
    renamed.jar.remove("__Host-portcullis_device");
    let refreshed = renamed.refresh_in_vain();
    refreshed.in_cookies();
    assert_eq!(browser.refresh_in_vain().token_cookies(), refreshed.token_cookies());
}

fn c4_20_without_tls_the_device_cookie_is_the_old_one(plain: Plain) {
    let (account, mut browser) = Browser::with_session(plain.0, LOCAL);
    assert_eq!(browser.name("device"), "portcullis_device");
    let set = browser.log_in(&account).cookies().into_iter().find(|cookie| cookie.name.ends_with("_device")).unwrap();
    assert_eq!(set.lasting(), "HttpOnly; Path=/; SameSite=Strict");
}
