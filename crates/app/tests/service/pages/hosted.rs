//! Hosted sign-in: an app sends a person to the pages and gets a code.

use super::{BACK, PAGE, Site, VERIFIER, Visitor, app_query, code_in, query, with_apps};
use crate::harness::mfa::texts;
use crate::prelude::*;

on_both_databases!(
    c5_12_an_app_gets_a_code_and_exchanges_it,
    c5_12_the_session_has_methods_and_time_of_the_pages,
    c5_12_a_code_ends_with_the_session_of_the_pages,
    c5_12_a_native_app_and_one_on_loopback,
    c5_13_an_unlisted_redirect_uri_is_a_page_and_never_followed,
    c5_13_a_code_works_once_for_its_app_alone,
    c5_14_no_link_signs_a_person_in_to_an_app,
    c5_14_the_button_works_for_the_account_it_names,
    c5_14_presses_of_the_button_are_limited,
    c5_15_the_parameters_survive_every_detour,
);

fn c5_12_an_app_gets_a_code_and_exchanges_it(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::new(&site);
    let page = visitor.open(&format!("/account/login{}", app_query())).page(200);
    assert!(page.contains("app.example.org"), "the page names the app: {page}");
    let url = visitor.log_in(&app_query(), &account).app_url();
    let code = code_in(&url);
    assert!(!site.database.dump().contains(&code), "only its digest is stored");
    let reply = site.exchange_code(&code);
    let pair = Pair::of(&reply);
    assert_eq!(site.me(&pair.access).expect(200)["id"], account.id);
    assert_ne!(pair.sid(), visitor.sid(), "a session of its own");
    site.renewed(&pair);
    // They end separately.
    visitor.submit("/account/logout", &[]).page(200);
    site.me(&pair.access).expect(200);
    assert!(!site.log.text().contains(&code) && !site.log.text().contains(VERIFIER));
}

fn c5_12_the_session_has_methods_and_time_of_the_pages(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let at = site.database.ago(3_600);
    site.database.execute(&format!("UPDATE sessions SET authenticated_at = {at} WHERE sid = '{}'", visitor.sid()));
    let path = format!("/account/login{}", app_query());
    let press = |visitor: &mut Visitor<'_>, id: i64| {
        Pair::of(&site.exchange_code(&code_in(&visitor.submit(&path, &[("account", &id.to_string())]).app_url())))
    };
    let pair = press(&mut visitor, account.id);
    let claims = jose::claims(&pair.access);
    assert_eq!(texts(&claims["amr"]), ["pwd"]);
    let age = unix_now() - claims["auth_time"].as_i64().unwrap();
    assert!((3_590..3_700).contains(&age), "{age}");
    site.begin_factor(&pair.access).step_up();
    // A code is as strong as the page's sign-in: both factors.
    let enrolled = site.enrolled();
    let mut visitor = Visitor::new(&site);
    visitor.log_in("", &enrolled.account);
    visitor.submit("/account/second-factor", &[("code", &site.fresh_code(&enrolled))]).location();
    let pair = press(&mut visitor, enrolled.account.id);
    assert_eq!(texts(&jose::claims(&pair.access)["amr"]), ["pwd", "otp", "mfa"]);
    site.begin_factor(&pair.access).expect(201);
}

fn c5_12_a_code_ends_with_the_session_of_the_pages(site: Site) {
    for end in [
        (|site, _, visitor| {
            let _: &Service = site;
            let mut visitor: Visitor<'_> = visitor;
            visitor.submit("/account/logout", &[]).page(200);
        }) as fn(&Service, &Account, Visitor<'_>),
        |site, account, _| {
            let pair = site.sign_in(account);
            site.ask("POST", "/auth/logout-all", &pair.access).has_status(200);
        },
        |site, account, _| site.disable(account),
        |site, account, _| {
            site.enrol(account.clone());
        },
    ] {
        let account = site.account();
        let mut visitor = Visitor::new(&site);
        let code = code_in(&visitor.log_in(&app_query(), &account).app_url());
        end(&site, &account, visitor.clone());
        let before = site.database.count(&format!("FROM sessions WHERE user_id = {}", account.id));
        let reply = site.exchange_code(&code);
        assert!(matches!(reply.status, 401 | 403), "{} {}", reply.status, reply.text());
        let after = site.database.count(&format!("FROM sessions WHERE user_id = {}", account.id));
        assert_eq!(before, after, "no session began");
    }
}

fn c5_12_a_native_app_and_one_on_loopback(site: Site) {
    let account = site.account();
    for (uri, name) in [("com.example.app:/in", "com.example.app"), ("http://127.0.0.1:49152/in", "127.0.0.1:49152")] {
        let query =
            query(&[("redirect_uri", uri), ("code_challenge", super::CHALLENGE), ("code_challenge_method", "S256")]);
        let mut visitor = Visitor::new(&site);
        assert!(visitor.open(&format!("/account/login{query}")).page(200).contains(name));
        let url = visitor.log_in(&query, &account).app_url();
        let rest = url.strip_prefix(&format!("{uri}?code=")).unwrap_or_else(|| panic!("{url}"));
        assert!(!rest.contains("state="), "a state is optional");
        Pair::of(&site.exchange_with(&[("code", &rest[..64]), ("redirect_uri", uri)]));
    }
}

fn c5_13_an_unlisted_redirect_uri_is_a_page_and_never_followed(site: Site) {
    let account = site.account();
    let own = Visitor::signed_in(&site, &account);
    let with = |uri: &str| {
        query(&[("redirect_uri", uri), ("code_challenge", super::CHALLENGE), ("code_challenge_method", "S256")])
    };
    let no_pkce = [
        query(&[("redirect_uri", BACK)]),
        query(&[("redirect_uri", BACK), ("code_challenge", super::CHALLENGE)]),
        query(&[("redirect_uri", BACK), ("code_challenge", super::CHALLENGE), ("code_challenge_method", "plain")]),
        query(&[("redirect_uri", BACK), ("code_challenge", "x"), ("code_challenge_method", "S256")]),
    ];
    let unlisted = [
        "",
        "https://evil.example/",
        "https://app.example.org/in",
        "https://app.example.org/in?tab=1&x=y",
        "https://app.example.org/in?tab=1#x",
        "https://app.example.org.evil.example/in?tab=1",
        "https://user@app.example.org/in?tab=1",
        "//app.example.org/in?tab=1",
        "/in?tab=1",
        "javascript:alert(1)",
        "http://127.0.0.1.evil.example/in",
        "com.example.app:/other",
    ];
    for query in unlisted.map(with).into_iter().chain(no_pkce) {
        for page in ["login", "second-factor", "enrol", "register", "reauthenticate", "callback"] {
            let path = format!("/account/{page}{query}");
            let mut calls = vec![own.call("GET", &path), own.call("POST", &path)];
            if page == "callback" {
                calls.truncate(1);
            }
            if page != "reauthenticate" {
                calls.push(Visitor::new(&site).call("GET", &path));
            }
            for call in calls {
                let fields = [("email", &*account.email), ("password", &*account.password), ("account", "1")];
                let reply = call.header("Sec-Fetch-Site", "same-origin").fields(&fields).send();
                reply.page(422);
                assert!(!reply.text().contains("evil.example") && reply.header("Location").is_none(), "{path}");
                assert!(reply.cookies().is_empty(), "{path}");
            }
        }
    }
    let long = query(&[
        ("redirect_uri", BACK),
        ("state", &"s".repeat(1_025)),
        ("code_challenge", super::CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    site.get(&format!("/account/login{long}")).expect_fields(&["state"]);
}

fn c5_13_a_code_works_once_for_its_app_alone(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let path = format!("/account/login{}", app_query());
    let mut code = || code_in(&visitor.submit(&path, &[("account", &account.id.to_string())]).app_url());
    // A second use ends the session that the first one began, and not that of the pages.
    let used = code();
    let pair = Pair::of(&site.exchange_code(&used));
    site.exchange_code(&used).revoked();
    site.expect_ended(&pair);
    // A wrong verifier or another address spends it.
    for wrong in [("code_verifier", "a".repeat(43)), ("redirect_uri", "com.example.app:/in".to_owned())] {
        let code = code();
        site.exchange_with(&[("code", &code), (wrong.0, &wrong.1)]).invalid();
        site.exchange_code(&code).revoked();
    }
    // It lives for a minute.
    let late = code();
    let past = site.database.ago(1);
    site.database.execute(&format!("UPDATE sign_in_codes SET expires_at = {past} WHERE used_at IS NULL"));
    site.exchange_code(&late).expired();
    // Of parallel uses, one begins a session.
    let code = code();
    let statuses = at_once(8, |_| site.exchange_code(&code).status);
    assert!(statuses.iter().filter(|status| **status == 200).count() <= 1, "{statuses:?}");
    assert!(visitor.is_signed_in());
}

fn c5_14_no_link_signs_a_person_in_to_an_app(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let path = format!("/account/login{}", app_query());
    let page = visitor.open(&path).page(200);
    assert!(page.contains(&account.email) && page.contains("app.example.org"), "{page}");
    assert!(page.contains("Use another account") && !page.contains("http-equiv=\"refresh\""), "{page}");
    for more in ["&switch=1", "&account=1", "&prompt=none", &format!("&account={}", account.id)] {
        visitor.open(&format!("{path}{more}")).page(200);
    }
    // A form of the app's, or of any other site.
    let account = account.id.to_string();
    for site_of in ["cross-site", "same-site"] {
        let call = visitor.call("POST", &path).header("Sec-Fetch-Site", site_of).fields(&[("account", &account)]);
        call.send().page(403);
    }
    assert_eq!(site.database.count(&format!("FROM sign_in_codes WHERE user_id = {account}")), 0);
    code_in(&visitor.submit(&path, &[("account", &account)]).app_url());
}

fn c5_14_the_button_works_for_the_account_it_names(site: Site) {
    let (ada, eve) = (site.account(), site.account());
    let mut visitor = Visitor::signed_in(&site, &ada);
    let path = format!("/account/login{}", app_query());
    // Meanwhile, another tab signed in as someone else.
    visitor.log_in("", &eve).location();
    let page = visitor.submit(&path, &[("account", &ada.id.to_string())]).page(200);
    assert!(page.contains(&eve.email) && page.contains("Continue with this account"), "{page}");
    for odd in ["", "x", "0"] {
        assert!(visitor.submit(&path, &[("account", odd)]).page(200).contains(&eve.email));
    }
    // The other account signs in at the same page.
    assert!(visitor.open(&format!("{path}&switch=1")).page(200).contains("name=\"password\""));
    let code = code_in(&visitor.log_in(&app_query(), &ada).app_url());
    assert_eq!(site.me(&Pair::of(&site.exchange_code(&code)).access).expect(200)["id"], ada.id);
    // Or the session has ended.
    visitor.submit("/account/logout", &[]);
    let reply = visitor.submit(&path, &[("account", &ada.id.to_string())]);
    assert!(reply.location().starts_with("login?redirect_uri="), "{}", reply.location());
}

fn c5_14_presses_of_the_button_are_limited(backend: Backend) {
    let service =
        with_apps(backend.service()).set("RATE_LIMIT_ENABLED", "true").set("RATE_LIMIT_SOURCE", "4/1h").start();
    let account = service.account();
    let mut visitor = Visitor::signed_in(&service, &account);
    let path = format!("/account/login{}", app_query());
    let press = || visitor.submit(&path, &[("account", &account.id.to_string())]).status;
    let statuses: Vec<_> = std::iter::repeat_with(press).take(4).collect();
    assert_eq!((statuses[0], statuses[3]), (200, 429), "{statuses:?}");
}

fn c5_15_the_parameters_survive_every_detour(site: Site) {
    let enrolled = site.enrolled();
    let mut visitor = Visitor::new(&site);
    let path = format!("/account/login{}", app_query());
    let links = |page: &str| {
        let links = page.split(['"']).filter(|part| part.contains("redirect_uri=")).map(str::to_owned);
        links.collect::<Vec<_>>()
    };
    let page = visitor.open(&path).page(200);
    let names: Vec<_> = links(&page).iter().map(|link| link.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["login", "reset", "login", "register"], "of both forms");
    for link in links(&page) {
        assert!(
            links(&visitor.open(&format!("/account/{link}")).page(200)).len() >= usize::from(link.starts_with("login"))
        );
    }
    // A wrong password, then the second factor with a wrong code.
    let wrong = visitor.submit(&path, &[("email", &enrolled.account.email), ("password", "x")]).page(422);
    assert_eq!(links(&wrong).len(), 4);
    let reply = visitor.log_in(&app_query(), &enrolled.account);
    let factor = super::resolve(&reply.location());
    assert_eq!(links(&visitor.open(&factor).page(200)).len(), 2);
    assert_eq!(links(&visitor.submit(&factor, &[("code", "000000")]).page(422)).len(), 2);
    let code = code_in(&visitor.submit(&factor, &[("code", &site.fresh_code(&enrolled))]).app_url());
    Pair::of(&site.exchange_code(&code));
    assert!(visitor.jar.contains_key(PAGE));
}
