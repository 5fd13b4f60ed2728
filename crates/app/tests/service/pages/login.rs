//! Sign-in with a password, forms, targets on this origin, and languages.

use super::{BACK, OWN, PAGE, Site, Visitor, app_query, query, with_apps};
use crate::accounts::NEW;
use crate::prelude::*;

on_both_databases!(
    c5_8_a_refused_sign_in_has_one_message,
    c5_8_what_is_wrong_with_a_form_is_at_its_field,
    c5_8_guesses_are_limited_as_at_the_api,
    c5_8_a_known_device_signs_in_while_others_guess,
    c5_8_a_new_device_is_noticed,
    c5_8_an_unverified_address_is_told_where_the_email_is,
    c5_11_continue_stays_on_this_origin,
    c5_16_forms_of_other_sites_are_refused,
    c5_16_get_changes_nothing,
    c5_18_a_page_asks_who_it_is_and_returns,
    c5_18_wrong_answers_are_counted_and_change_nothing,
    c5_20_pages_are_in_the_readers_language,
);

fn c5_8_a_refused_sign_in_has_one_message(site: Site) {
    let (account, disabled) = (site.account(), site.account());
    site.disable(&disabled);
    let mut seen = Vec::new();
    for (email, password) in
        [(account.email.clone(), NEW), (fresh_email(), NEW), (disabled.email.clone(), &*disabled.password)]
    {
        let mut visitor = Visitor::new(&site);
        let reply = visitor.submit("/account/login", &[("email", &email), ("password", password)]);
        let page = reply.page(422);
        assert!(page.contains(&format!("value=\"{email}\"")), "the typed address stays: {page}");
        assert!(!page.contains(password), "{page}");
        assert!(page.contains("href=\"#password\"") && !visitor.jar.contains_key(PAGE));
        let (before, after) = page.split_once("\"challenge\":\"").unwrap();
        seen.push((before.replace(&email, "*"), after[43..].to_owned(), reply.cookies()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

fn c5_8_what_is_wrong_with_a_form_is_at_its_field(site: Site) {
    let mut visitor = Visitor::new(&site);
    for (fields, field) in [
        (&[("email", "x"), ("password", "y")][..], "email"),
        (&[("password", "y")], "email"),
        (&[("email", "ada@example.org")], "password"),
        (&[("email", "ada@example.org"), ("password", "")], "password"),
    ] {
        let page = visitor.submit("/account/login", fields).page(422);
        assert!(page.contains(&format!("href=\"#{field}\"")), "{page}");
        assert!(page.contains("aria-invalid=\"true\"") && page.contains("<title>Error: Sign in"), "{page}");
    }
    for (kind, body, status) in [("application/json", "{}", 415), ("application/x-www-form-urlencoded", "a=%ff", 422)] {
        let call = visitor.call("POST", "/account/login").header("Sec-Fetch-Site", "same-origin").body(kind, body);
        call.send().page(status);
    }
}

fn c5_8_guesses_are_limited_as_at_the_api(backend: Backend) {
    let service = with_apps(backend.service()).set("RATE_LIMIT_ENABLED", "true").set("RATE_LIMIT_ACCOUNT", "3/15m");
    let service = service.start();
    let account = service.account();
    let guess = || {
        let mut visitor = Visitor::new(&service);
        visitor.submit("/account/login", &[("email", &account.email), ("password", NEW)])
    };
    for _ in 0..2 {
        guess().page(422);
    }
    // One budget: the API counts too, and is refused by it.
    service.login(&account.email, NEW).wrong_credentials();
    let limited = guess();
    assert_eq!(limited.problem(429), "Too many attempts. Try again later.");
    assert!(limited.header("Retry-After").is_some());
    let reply = Visitor::new(&service).log_in("", &account);
    assert_eq!(reply.status, 429, "even with the right password");
    assert_eq!(service.login(&account.email, &account.password).status, 429);
}

fn c5_8_a_known_device_signs_in_while_others_guess(backend: Backend) {
    let service = with_apps(backend.service()).set("RATE_LIMIT_ENABLED", "true").set("RATE_LIMIT_ACCOUNT", "3/15m");
    let service = service.set("TRUSTED_PROXIES", "127.0.0.1").start();
    let account = service.account();
    let from = |visitor: &mut Visitor<'_>, address: &str, password: &str| {
        let fields = [("email", &*account.email), ("password", password)];
        let call = visitor.call("POST", "/account/login").header("Sec-Fetch-Site", "same-origin").fields(&fields);
        visitor.send(call.header("X-Forwarded-For", address))
    };
    let mut own = Visitor::new(&service);
    from(&mut own, "192.0.2.1", &account.password).location();
    assert!(own.jar.contains_key("portcullis_device"), "{:?}", own.jar);
    for _ in 0..4 {
        from(&mut Visitor::new(&service), "198.51.100.7", NEW);
    }
    assert_eq!(from(&mut Visitor::new(&service), "198.51.100.7", &account.password).status, 429);
    from(&mut own, "203.0.113.9", &account.password).location();
}

fn c5_8_a_new_device_is_noticed(site: Site) {
    let account = site.verified_account();
    let log_in = |visitor: &mut Visitor<'_>, agent: &str| {
        let fields = [("email", &*account.email), ("password", &*account.password)];
        let call = visitor.call("POST", "/account/login").header("Sec-Fetch-Site", "same-origin");
        visitor.send(call.header("User-Agent", agent).fields(&fields)).location();
    };
    let mut visitor = Visitor::new(&site);
    log_in(&mut visitor, "one");
    log_in(&mut visitor, "two, of the same device");
    site.wait_until_all_mail_is_sent();
    assert_eq!(site.mails_to(&account.email).len(), 1, "the address was verified");
    log_in(&mut Visitor::new(&site), "three");
    let mails = site.wait_for_mails(&account.email, 2);
    assert!(mails.iter().any(|mail| mail.field("Subject").contains("New sign-in")), "{mails:?}");
}

fn c5_8_an_unverified_address_is_told_where_the_email_is(backend: Backend) {
    let service = with_apps(backend.service()).set("REQUIRE_VERIFIED_EMAIL", "true").start();
    let account = service.account();
    let mut visitor = Visitor::new(&service);
    let page = visitor.log_in(&app_query(), &account).page(200);
    assert!(page.contains("Check your inbox") && page.contains(&account.email), "{page}");
    assert!(!visitor.jar.contains_key(PAGE));
    // The link in the email leads back to the app's sign-in, in this browser.
    let token = service.verification_token(&account);
    let fields = [("token", &*token), ("password", &*account.password), ("asked", "password")];
    let verified = visitor.submit("/account/verify", &fields).page(200);
    assert!(verified.contains(&BACK.replace(':', "%3A").replace('/', "%2F")[..20]), "{verified}");
    super::code_in(&visitor.log_in(&app_query(), &account).app_url());
}

fn c5_11_continue_stays_on_this_origin(site: Site) {
    let account = site.account();
    for (path, goes) in [
        ("/account/security", "/account/security"),
        ("/somewhere/else?a=b&c=%2F", "/somewhere/else?a=b&c=%2F"),
        ("/", "/"),
        ("", "../account"),
        ("account", "../account"),
        ("//evil.example/", "../account"),
        ("///evil.example/", "../account"),
        ("/\\evil.example/", "../account"),
        ("/account\\@evil.example", "../account"),
        ("\\\\evil.example", "../account"),
        ("https://evil.example/", "../account"),
        ("https:evil.example", "../account"),
        ("javascript:alert(1)", "../account"),
        ("/\t/evil.example/", "../account"),
        ("/\n/evil.example", "../account"),
        ("/a\r\nSet-Cookie: x=y", "../account"),
        (" //evil.example", "../account"),
        ("/é", "../account"),
    ] {
        let query = query(&[("continue", path)]);
        let mut visitor = Visitor::new(&site);
        let page = visitor.open(&format!("/account/login{query}")).page(200);
        assert!(!page.contains("evil.example"), "{path:?}: {page}");
        assert_eq!(visitor.log_in(&query, &account).location(), goes, "{path:?}");
        // A browser that is signed in goes on at once.
        assert_eq!(visitor.open(&format!("/account/login{query}")).location(), goes, "{path:?}");
    }
    let twice = "?continue=%2Faccount%2Fsecurity&continue=%2F%2Fevil.example";
    assert_eq!(Visitor::new(&site).log_in(twice, &account).location(), "../account");
}

fn c5_16_forms_of_other_sites_are_refused(site: Site) {
    let account = site.account();
    let own = Visitor::signed_in(&site, &account);
    let fields = [("email", &*account.email), ("password", &*account.password), ("account", "1"), ("code", "123456")];
    for page in ["login", "login?redirect_uri=x", "second-factor", "enrol", "register", "reauthenticate", "logout"] {
        let path =
            if page.contains('?') { format!("/account/login{}", app_query()) } else { format!("/account/{page}") };
        for headers in [
            &[("Sec-Fetch-Site", "cross-site")][..],
            &[("Sec-Fetch-Site", "same-site")],
            &[("Sec-Fetch-Site", "cross-site"), ("Origin", OWN)],
            &[("Origin", "https://evil.example")],
            &[("Origin", "https://auth.example.org.evil.example")],
            &[("Origin", "null")],
            &[],
        ] {
            for visitor in [&own, &Visitor::new(&site)] {
                let reply = visitor.call("POST", &path).headers(headers).fields(&fields).send();
                if reply.status == 303 {
                    // Without a session, the page is not there to be used.
                    assert!(page == "reauthenticate" && visitor.jar.is_empty(), "{page} {headers:?}");
                    continue;
                }
                reply.problem(403);
                assert!(reply.cookies().is_empty(), "{page} {headers:?}");
            }
        }
    }
    assert!(own.is_signed_in());
}

fn c5_16_get_changes_nothing(site: Site) {
    let enrolled = site.enrolled();
    let mut visitor = Visitor::new(&site);
    visitor.log_in("", &enrolled.account);
    let own = Visitor::signed_in(&site, &site.account());
    let sessions = || site.rows_of(&enrolled.account, "sessions");
    let before = sessions();
    let Account { email, password, .. } = &enrolled.account;
    let secret = query(&[("email", email), ("password", password)]);
    for page in ["", "/login", "/second-factor", "/enrol", "/register", "/reauthenticate", "/logout", "/callback"] {
        for visitor in [&visitor, &own] {
            for method in ["GET", "HEAD"] {
                let code = site.fresh_code(&enrolled);
                let reply = visitor.call(method, &format!("/account{page}{secret}&code={code}")).send();
                assert!(matches!(reply.status, 200 | 303), "{page}");
                assert!(!reply.cookies().iter().any(|cookie| cookie.name == PAGE), "{page}");
            }
        }
    }
    assert_eq!(sessions(), before);
    assert!(own.is_signed_in());
}

fn c5_18_a_page_asks_who_it_is_and_returns(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let path = "/account/reauthenticate?continue=%2Faccount%2Fsecurity";
    assert_eq!(visitor.open(path).location(), "/account/security", "a sign-in counts");
    let earlier = |visitor: &Visitor<'_>| {
        let at = site.database.ago(601);
        site.database.execute(&format!("UPDATE sessions SET authenticated_at = {at} WHERE sid = '{}'", visitor.sid()));
    };
    earlier(&visitor);
    let page = visitor.open(path).page(200);
    assert!(page.contains(&account.email) && !page.contains("name=\"code\""), "{page}");
    assert_eq!(visitor.submit(path, &[("password", &account.password)]).location(), "/account/security");
    assert_eq!(visitor.open(path).location(), "/account/security");
    // An account with a second factor needs both.
    let enrolled = site.enrolled();
    let mut visitor = Visitor::new(&site);
    visitor.log_in("", &enrolled.account);
    visitor.submit("/account/second-factor", &[("code", &site.fresh_code(&enrolled))]).location();
    earlier(&visitor);
    assert!(visitor.open(path).page(200).contains("name=\"code\""));
    let password = ("password", &*enrolled.account.password);
    assert_eq!(visitor.submit(path, &[password]).problem(422), "Enter a code.");
    let code = site.fresh_code(&enrolled);
    assert_eq!(visitor.submit(path, &[password, ("code", &code)]).location(), "/account/security");
    earlier(&visitor);
    let lost = visitor.submit(path, &[password, ("code", &enrolled.codes[0])]);
    assert_eq!(lost.location(), "/account/security", "a recovery code is one");
}

fn c5_18_wrong_answers_are_counted_and_change_nothing(backend: Backend) {
    let service = with_apps(backend.service()).set("RATE_LIMIT_ENABLED", "true").set("RATE_LIMIT_ACCOUNT", "3/15m");
    let service = service.set("RATE_LIMIT_DEVICE", "3/15m").start();
    let account = service.account();
    let mut visitor = Visitor::signed_in(&service, &account);
    // A device that the account does not know.
    visitor.jar.remove("portcullis_device").unwrap();
    let at = service.database.ago(601);
    service.database.execute(&format!("UPDATE sessions SET authenticated_at = {at}"));
    let mut answer = |password: &str| {
        let reply = visitor.submit("/account/reauthenticate", &[("password", password)]);
        assert!(!reply.text().contains(NEW), "{}", reply.text());
        reply.status
    };
    // This source signed in before, so it has a second budget, as at the API.
    let statuses: Vec<_> = (0..7).map(|_| answer(NEW)).collect();
    assert!(statuses.starts_with(&[422; 3]) && statuses.ends_with(&[429]), "{statuses:?}");
    assert_eq!(answer(&account.password), 429);
    assert!(visitor.open("/account/reauthenticate").page(200).contains("name=\"password\""));
    assert!(visitor.is_signed_in());
}

fn c5_20_pages_are_in_the_readers_language(site: Site) {
    let account = site.account();
    let signed_in = Visitor::signed_in(&site, &account);
    for path in ["/", "/account", "/account/login", "/account/register", "/account/logout"] {
        let mut titles = Vec::new();
        for language in ["en", "de", "es", "fr", "pt", "zh"] {
            let reply = signed_in.call("GET", &format!("{path}?switch=1")).header("Accept-Language", language).send();
            let page = reply.page(200);
            assert!(page.contains(&format!("<html lang=\"{language}\">")), "{page}");
            assert_eq!(reply.header("Content-Language"), Some(language));
            titles.push(page.split("<title>").nth(1).unwrap().split("</title>").next().unwrap().to_owned());
        }
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), 6, "{path}: {titles:?}");
    }
}
