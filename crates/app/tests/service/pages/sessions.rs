//! The session of the pages and its cookie.

use super::{BACK, OWN, PAGE, Site, Visitor, app_query, query, with_apps};
use crate::accounts::NEW;
use crate::cookies::SetCookie;
use crate::harness::shim::Shim;
use crate::prelude::*;

const DAY: i64 = 86_400;

on_both_databases!(
    c5_1_the_home_page_links_to_what_is_enabled,
    c5_2_the_account_page_has_email_status_and_methods,
    c5_2_without_a_session_the_browser_signs_in_and_comes_back,
    c5_2_a_page_below_a_path_names_its_own_address,
    c5_3_a_sign_in_is_a_session_in_the_list_and_its_timeline,
    c5_4_the_cookie_is_for_this_host_alone,
    c5_4_without_tls_it_has_no_prefix,
    c5_5_the_cookie_is_accepted_under_account_only,
    c5_6_a_forged_or_foreign_cookie_is_no_session,
    c5_7_every_request_checks_the_store,
    c5_7_a_lost_database_is_a_page,
    c5_7_the_use_of_a_cookie_renews_it,
    c5_7_an_address_that_must_be_verified_now_is_asked_for,
    c5_19_logout_ends_the_session_by_a_button,
    c5_19_another_sign_in_ends_the_earlier_session,
);

fn c5_1_the_home_page_links_to_what_is_enabled(backend: Backend) {
    let home = |service: &Service| service.get("/").page(200);
    let service = with_apps(backend.service()).start();
    let links = home(&service);
    for link in ["href=\"account\"", "href=\"docs\"", "href=\"redoc\"", "href=\"openapi.json\""] {
        assert!(links.contains(link), "{links}");
    }
    assert!(service.get("/account/login").page(200).contains("href=\"register\""));
    let service = with_apps(backend.service()).set("SIGN_UP_PAGE", "false").start();
    assert!(!service.get("/account/login").page(200).contains("register"));
    service.get("/account/register").expect_error(404, "NOT_FOUND");
    Visitor::new(&service).submit("/account/register", &[]).expect_error(404, "NOT_FOUND");
    let service = with_apps(backend.service()).set("ACCOUNT_PAGES", "false").start();
    assert!(!home(&service).contains("href=\"account\""));
    for page in ["", "/login", "/second-factor", "/register", "/reauthenticate", "/logout", "/enrol", "/callback"] {
        service.get(&format!("/account{page}")).expect_error(404, "NOT_FOUND");
    }
    for page in super::settings::PAGES {
        service.get(&format!("/account/{page}")).expect_error(404, "NOT_FOUND");
    }
    // The pages that links in emails open stay.
    service.get("/account/reset").page(200);
    service.get("/account/verify").page(200);
}

fn c5_2_the_account_page_has_email_status_and_methods(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let page = visitor.open("/account").page(200);
    assert!(page.contains(&account.email) && page.contains("action=\"account/verify\""), "{page}");
    let sent = visitor.submit("/account/verify", &[("email", &account.email)]);
    assert!(sent.page(200).contains("Check your inbox"));
    site.wait_for_mails(&account.email, 2);
    let account = site.verified_account();
    let page = Visitor::signed_in(&site, &account).open("/account").page(200);
    assert!(!page.contains("account/verify") && page.contains("With a password"), "{page}");
    assert!(!page.contains("authenticator app"), "{page}");
    let enrolled = site.enrolled();
    let mut visitor = Visitor::new(&site);
    visitor.log_in("", &enrolled.account);
    visitor.submit("/account/second-factor", &[("code", &site.fresh_code(&enrolled))]);
    assert!(visitor.open("/account").page(200).contains("authenticator app"));
}

fn c5_2_without_a_session_the_browser_signs_in_and_comes_back(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::new(&site);
    let away = visitor.open("/account");
    assert_eq!(away.location(), "account/login?continue=%2Faccount");
    let away = visitor.open("/account/reauthenticate?continue=%2Faccount%2Fsecurity");
    let here = "%2Faccount%2Freauthenticate%3Fcontinue%3D%252Faccount%252Fsecurity";
    assert_eq!(away.location(), format!("login?continue={here}"));
    // A form too: what it was to do is not done, and its page is opened again.
    let away = visitor.submit("/account/reauthenticate", &[("password", &account.password)]);
    assert_eq!(away.location(), "login?continue=%2Faccount%2Freauthenticate");
    let back = visitor.log_in(&query(&[("continue", "/account/reauthenticate?continue=/account")]), &account);
    assert_eq!(back.location(), "/account/reauthenticate?continue=/account");
}

fn c5_2_a_page_below_a_path_names_its_own_address(backend: Backend) {
    let service = with_apps(backend.service()).set("PUBLIC_URL", &format!("{OWN}/id/")).start();
    assert_eq!(service.get("/account").location(), "account/login?continue=%2Fid%2Faccount");
}

fn c5_3_a_sign_in_is_a_session_in_the_list_and_its_timeline(site: Site) {
    let (account, pair) = site.session();
    let visitor = Visitor::signed_in(&site, &account);
    let listed = site.ask("GET", "/auth/sessions", &pair.access).expect(200);
    let ids: Vec<_> = listed["sessions"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [json!(visitor.sid()), json!(pair.sid())]);
    let events = site.ask("GET", &format!("/auth/sessions/{}/events", visitor.sid()), &pair.access).expect(200);
    assert_eq!(events["events"][0]["verdict"], "login");
    assert!(visitor.is_signed_in());
    site.ask("DELETE", &format!("/auth/sessions/{}", visitor.sid()), &pair.access).has_status(204);
    assert!(!visitor.is_signed_in());
}

fn c5_4_the_cookie_is_for_this_host_alone(site: Site) {
    let account = site.account();
    let fields = [("email", &*account.email), ("password", &*account.password)];
    for (remember, max_age) in [(&[("remember", "true")][..], Some(7 * DAY)), (&[], None)] {
        let reply = Visitor::new(&site).submit("/account/login", &[&fields, remember].concat());
        let cookie = page_cookie(&reply);
        assert_eq!((&*cookie.name, &*cookie.lasting()), (PAGE, "HttpOnly; Path=/; SameSite=Lax; Secure"));
        assert_eq!(cookie.max_age(), max_age, "the lifetime of a refresh token, or until the browser closes");
        // The tokens that the session began with are nowhere.
        assert!(reply.body.is_empty() && !reply.cookies().iter().any(|cookie| cookie.value.starts_with("ey")));
    }
}

fn c5_4_without_tls_it_has_no_prefix(backend: Backend) {
    let service = with_apps(backend.service()).set("PUBLIC_URL", "http://127.0.0.1:8000").start();
    let mut visitor = Visitor::new(&service);
    let reply = visitor.log_in("", &service.account());
    let cookie = page_cookie(&reply);
    assert_eq!((&*cookie.name, &*cookie.lasting()), ("portcullis_page", "HttpOnly; Path=/; SameSite=Lax"));
    assert!(visitor.is_signed_in());
}

fn page_cookie(reply: &Reply) -> SetCookie {
    reply.cookies().into_iter().find(|cookie| cookie.name.ends_with("portcullis_page")).expect("the cookie")
}

fn c5_5_the_cookie_is_accepted_under_account_only(backend: Backend) {
    let service = with_apps(backend.service()).set("COOKIE_MODE", "on").start();
    let visitor = Visitor::signed_in(&service, &service.account());
    let value = visitor.jar[PAGE].clone();
    let marked = [("Portcullis-Tokens", "cookie"), ("Origin", OWN)];
    for (method, path) in [
        ("GET", "/auth/me"),
        ("GET", "/auth/sessions"),
        ("GET", "/auth/mfa"),
        ("GET", "/auth/identities"),
        ("POST", "/auth/logout-all"),
        ("POST", "/auth/refresh"),
        ("POST", "/auth/mfa/recovery-codes"),
    ] {
        let call = visitor.call(method, path).headers(&marked);
        call.send().invalid();
        // Under the names of other cookies, and as a bearer token.
        for name in ["__Host-portcullis_access", "__Host-portcullis_refresh"] {
            let call = service.call(method, path).headers(&marked).header("Cookie", &format!("{name}={value}"));
            assert_eq!(call.send().status, 401, "{name} {path}");
        }
        if path != "/auth/refresh" {
            service.call(method, path).bearer(&value).send().invalid();
        }
    }
    assert!(visitor.is_signed_in(), "logout-all was refused");
}

fn c5_6_a_forged_or_foreign_cookie_is_no_session(site: Site) {
    let (ada, eve) = (site.account(), site.account());
    let [own, foreign] = [&ada, &eve].map(|account| Visitor::signed_in(&site, account));
    let [cookie, other] = [&own, &foreign].map(|visitor| visitor.jar[PAGE].clone());
    let signature = |cookie: &str| cookie.rsplit('.').next().unwrap().to_owned();
    let (mine, theirs) = (own.sid(), foreign.sid());
    let issued = cookie.split('.').nth(3).unwrap().to_owned();
    let later = (issued.parse::<i64>().unwrap() + 1).to_string();
    let seen = |value: &str| {
        let mut visitor = Visitor::new(&site);
        visitor.jar.insert(PAGE.to_owned(), value.to_owned());
        visitor.is_signed_in()
    };
    assert!(seen(&cookie) && seen(&other));
    for bad in [
        String::new(),
        cookie.replacen(&format!("1.{}.", ada.id), &format!("1.{}.", eve.id), 1),
        cookie.replace(&mine, &theirs),
        cookie.replace(&signature(&cookie), &signature(&other)),
        cookie.replace(&signature(&cookie), &"0".repeat(64)),
        cookie.replace(&issued, &later),
        cookie.replace(&format!("{issued}.0."), &format!("{issued}.1.")),
        cookie.replace(&format!(".{}", signature(&cookie)), ""),
        cookie.replacen("1.", "2.", 1),
        cookie[..cookie.len() - 1].to_owned(),
        cookie.to_uppercase(),
        site.sign_in(&ada).access,
        site.sign_in(&ada).sid(),
    ] {
        assert!(!seen(&bad), "{bad}");
    }
    // Twice: another host may have set the second one. Under the name without the prefix: it can.
    let twice = site.call("GET", "/account").header("Cookie", &format!("{PAGE}={cookie}; {PAGE}={other}")).send();
    assert_eq!(twice.status, 303);
    let tossed = site.call("GET", "/account").header("Cookie", &format!("portcullis_page={cookie}")).send();
    assert_eq!(tossed.status, 303);
}

/// What ends the session of a visitor.
type End = fn(&Service, &Account, &Visitor<'_>);

fn c5_7_every_request_checks_the_store(site: Site) {
    let ends: [(&str, End); 6] = [
        ("disabled", |service, account, _| service.disable(account)),
        ("signed out everywhere", |service, account, _| {
            let pair = service.sign_in(account);
            service.ask("POST", "/auth/logout-all", &pair.access).has_status(200);
        }),
        ("new password", |service, account, _| {
            let pair = service.sign_in(account);
            service.change_password(&pair.access, &account.password, NEW).has_status(200);
        }),
        ("a second factor", |service, account, _| {
            service.enrol(account.clone());
        }),
        ("too old", |service, _, visitor| {
            let at = service.database.ago(30 * 86_400);
            service.database.execute(&format!("UPDATE sessions SET created_at = {at} WHERE sid = '{}'", visitor.sid()));
        }),
        ("deleted", |service, account, _| {
            let pair = service.sign_in(account);
            service.leave(&pair.access, &account.password).has_status(204);
        }),
    ];
    for (name, end) in ends {
        let account = site.account();
        let visitor = Visitor::signed_in(&site, &account);
        assert!(visitor.is_signed_in(), "{name}");
        end(&site, &account, &visitor);
        let away = visitor.call("GET", "/account").send();
        assert_eq!(away.location(), "account/login?continue=%2Faccount", "{name}");
        assert!(visitor.call("GET", "/account/login").send().page(200).contains("name=\"password\""), "{name}");
    }
}

fn c5_7_a_lost_database_is_a_page(backend: Backend) {
    let service = with_apps(backend.service()).start();
    let visitor = Visitor::signed_in(&service, &service.account());
    service.database.execute("ALTER TABLE sessions RENAME TO sessions_gone");
    let lost = visitor.call("GET", "/account").send();
    assert!(matches!(lost.status, 500 | 503), "{}", lost.status);
    lost.problem(lost.status);
    service.database.execute("ALTER TABLE sessions_gone RENAME TO sessions");
    assert!(visitor.is_signed_in());
}

fn c5_7_the_use_of_a_cookie_renews_it(backend: Backend) {
    let (shim, now) = (Shim::new(), unix_now());
    let service = shim.under(with_apps(backend.service())).set("REFRESH_TOKEN_EXPIRE_DAYS", "14").start();
    let account = service.account();
    let at = |days: i64, seconds| shim.stop_at(now + days * DAY + seconds, 0);
    at(0, 0);
    let signed_in = |remember: &[(&str, &str)]| {
        let mut visitor = Visitor::new(&service);
        let fields = [("email", &*account.email), ("password", &*account.password)];
        visitor.submit("/account/login", &[&fields, remember].concat()).location();
        visitor
    };
    for (remember, max_age) in [(&[("remember", "true")][..], Some(14 * DAY)), (&[], None)] {
        at(0, 0);
        let mut visitor = signed_in(remember);
        let unused = visitor.clone();
        at(2, -1);
        assert!(visitor.open("/account").cookies().is_empty(), "a seventh of the limit has not passed");
        at(2, 0);
        // Pages that leave the cookie alone renew it, also if they lead elsewhere or report an error.
        for call in [
            visitor.call("GET", "/account"),
            visitor.call("GET", "/account/login"),
            visitor.call("GET", "/account/delete"),
            visitor.call("POST", "/account/password").header("Sec-Fetch-Site", "same-origin").fields(&[]),
        ] {
            let cookie = page_cookie(&call.send());
            assert_eq!(
                (cookie.lasting(), cookie.max_age()),
                ("HttpOnly; Path=/; SameSite=Lax; Secure".to_owned(), max_age)
            );
        }
        visitor.open("/account").page(200);
        at(14, -1);
        assert!(unused.is_signed_in());
        at(14, 0);
        assert!(visitor.is_signed_in() && !unused.is_signed_in());
        let signed_out = visitor.submit("/account/logout", &[]);
        let cookies = signed_out.cookies().into_iter().filter(|cookie| cookie.name == PAGE);
        assert!(cookies.map(|cookie| cookie.deletes()).eq([true]), "a page that deletes the cookie does not renew it");
    }
}

fn c5_7_an_address_that_must_be_verified_now_is_asked_for(backend: Backend) {
    let service = with_apps(backend.service()).start();
    let (account, verified) = (service.account(), service.verified_account());
    let [jar, other] = [&account, &verified].map(|account| Visitor::signed_in(&service, account).jar);
    let token = service.verification_token(&account);
    service.stop();
    let service = with_apps(service.again()).set("REQUIRE_VERIFIED_EMAIL", "true").start();
    let mut visitor = Visitor { service: &service, jar };
    assert!(Visitor { service: &service, jar: other }.is_signed_in());
    for path in ["/account", "/account/security", "/account/delete", "/account/reauthenticate"] {
        let away = visitor.open(path);
        let page = match path {
            "/account" => visitor.open(&format!("/{}", away.location())),
            _ => visitor.follow(&away),
        };
        let page = page.page(200);
        assert!(page.contains("Check your inbox") && page.contains(&account.email), "{path}: {page}");
        assert!(page.contains("switch=1"), "another account may sign in: {page}");
    }
    let path = format!("/account/login{}", app_query());
    for reply in [visitor.open(&path), visitor.submit(&path, &[("account", &account.id.to_string())])] {
        assert!(reply.page(200).contains("Check your inbox"), "{}", reply.request);
    }
    assert_eq!(service.database.count("FROM sign_in_codes"), 0);
    assert!(visitor.open(&format!("{path}&switch=1")).page(200).contains("name=\"password\""));
    assert!(visitor.open("/account/logout").page(200).contains(&account.email), "it can be ended");
    // The link in the email leads back to the app's sign-in, with the session that the browser has.
    let fields = [("token", &*token), ("password", &*account.password), ("asked", "password")];
    let done = visitor.submit("/account/verify", &fields).page(200);
    assert!(done.contains(&BACK.replace(':', "%3A").replace('/', "%2F")[..20]), "{done}");
    assert!(visitor.is_signed_in());
    super::code_in(&visitor.submit(&path, &[("account", &account.id.to_string())]).app_url());
}

fn c5_19_logout_ends_the_session_by_a_button(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let stolen = visitor.clone();
    assert!(visitor.open("/account/logout").page(200).contains(&account.email));
    assert!(visitor.is_signed_in(), "opening the page changes nothing");
    visitor.submit("/account/logout", &[]).page(200);
    assert!(!visitor.jar.contains_key(PAGE) && !visitor.is_signed_in());
    assert!(!stolen.is_signed_in(), "the session has ended, and not only its cookie");
    visitor.submit("/account/logout", &[]).page(200);
    visitor.open("/account/logout").page(200);
}

fn c5_19_another_sign_in_ends_the_earlier_session(site: Site) {
    let (ada, eve) = (site.account(), site.account());
    let mut visitor = Visitor::signed_in(&site, &ada);
    let earlier = visitor.clone();
    visitor.log_in("", &eve).location();
    assert!(visitor.is_signed_in() && !earlier.is_signed_in());
    assert_ne!(visitor.jar[PAGE], earlier.jar[PAGE], "no session is fixed");
}
