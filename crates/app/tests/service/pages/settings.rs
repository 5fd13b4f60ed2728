//! Password, sessions, email address and deletion, and what all pages of an account have in common.

use super::{PAGE, Site, Visitor, with_apps};
use crate::accounts::NEW;
use crate::prelude::*;

on_both_databases!(
    c5_16_other_sites_cannot_send_the_forms_of_an_account,
    c5_16_opening_a_page_of_an_account_changes_nothing,
    c5_20_pages_of_an_account_are_in_the_readers_language,
    c5_22_the_password_is_changed,
    c5_22_wrong_passwords_count_like_those_of_the_api,
    c5_27_sessions_are_listed_and_ended,
    c5_27_a_session_of_another_account_goes_on,
    c5_28_a_new_address_is_confirmed_by_mail,
    c5_29_the_account_is_deleted,
    c5_30_what_needs_recent_authentication_asks_and_returns,
);

/// Pages of an account.
pub(super) const PAGES: [&str; 8] =
    ["security", "password", "authenticator", "recovery-codes", "identities", "sessions", "email", "delete"];

/// Signs an enrolled account in.
fn enrolled(site: &Site) -> (Enrolled, Visitor<'_>) {
    let enrolled = site.enrolled();
    let mut visitor = Visitor::new(site);
    visitor.log_in("", &enrolled.account);
    visitor.submit("/account/second-factor", &[("code", &site.fresh_code(&enrolled))]).location();
    (enrolled, visitor)
}

/// Returns the fields of a form that does the most on each page.
fn fields_of<'a>(page: &str, of: &'a Enrolled, sid: &'a str) -> Vec<(&'static str, &'a str)> {
    let password = &*of.account.password;
    match page {
        "security" => vec![("action", "remove"), ("id", &*of.factor)],
        "password" => vec![("current_password", password), ("new_password", NEW), ("repetition", NEW)],
        "authenticator" => vec![("name", "Phone")],
        "identities" => vec![("provider", "corp")],
        "sessions" => vec![("id", sid)],
        "email" => vec![("email", "other@example.com"), ("password", password)],
        "delete" => vec![("password", password), ("sure", "on")],
        _ => Vec::new(),
    }
}

/// Returns what the forms could change: factors, recovery codes, sessions, links in emails, and the account.
fn state(site: &Site, of: &Enrolled) -> (Vec<i64>, Vec<String>, u16) {
    let tables = ["totp_factors", "sessions", "one_time_tokens", "recovery_codes"];
    let ids = format!("FROM recovery_codes WHERE user_id = {} ORDER BY id", of.account.id);
    let me = site.ask("GET", "/auth/me", &of.pair.access);
    (tables.map(|table| site.rows_of(&of.account, table)).into(), site.database.texts("id", &ids), me.status)
}

fn c5_16_other_sites_cannot_send_the_forms_of_an_account(site: Site) {
    let (of, visitor) = enrolled(&site);
    let before = state(&site, &of);
    for page in PAGES {
        let path = format!("/account/{page}");
        for headers in [&[("Sec-Fetch-Site", "cross-site")][..], &[("Origin", "https://evil.example")], &[]] {
            let sid = of.pair.sid();
            let reply = visitor.call("POST", &path).headers(headers).fields(&fields_of(page, &of, &sid)).send();
            assert_eq!(
                reply.problem(403),
                "This form was sent from another site. Open this page again, and use the form here."
            );
            assert!(reply.cookies().is_empty(), "{page}");
        }
        assert_eq!(Visitor::new(&site).submit(&path, &[]).location(), format!("login?continue=%2Faccount%2F{page}"));
    }
    assert_eq!(state(&site, &of), before);
    assert!(visitor.is_signed_in());
}

fn c5_16_opening_a_page_of_an_account_changes_nothing(site: Site) {
    let (of, visitor) = enrolled(&site);
    let before = state(&site, &of);
    for page in PAGES {
        let query = super::query(&fields_of(page, &of, &of.pair.sid()));
        for method in ["GET", "HEAD"] {
            let reply = visitor.call(method, &format!("/account/{page}{query}")).send();
            assert_eq!((reply.status, reply.cookies().len()), (200, 0), "{page}");
        }
    }
    assert_eq!(state(&site, &of), before);
    assert!(visitor.is_signed_in());
}

fn c5_20_pages_of_an_account_are_in_the_readers_language(site: Site) {
    let (_, visitor) = enrolled(&site);
    for page in PAGES {
        let mut titles: Vec<_> = ["en", "de", "es", "fr", "pt", "zh"]
            .into_iter()
            .map(|language| {
                let reply = visitor.call("GET", &format!("/account/{page}")).header("Accept-Language", language).send();
                let html = reply.page(200);
                assert!(
                    html.contains(&format!("<html lang=\"{language}\">")) && html.contains("<nav aria-label="),
                    "{html}"
                );
                html.split("<title>").nth(1).unwrap().split("</title>").next().unwrap().to_owned()
            })
            .collect();
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), 6, "{page}: {titles:?}");
    }
}

fn c5_22_the_password_is_changed(site: Site) {
    let account = site.account();
    let (mut visitor, other) = (Visitor::signed_in(&site, &account), site.sign_in(&account));
    let current = ("current_password", &*account.password);
    for (fields, text) in [
        (vec![("new_password", NEW), ("repetition", NEW)], "Enter your password."),
        (
            vec![("current_password", NEW), ("new_password", NEW), ("repetition", NEW)],
            "That isn't your current password. Try again.",
        ),
        (
            vec![current, ("new_password", "short"), ("repetition", "short")],
            "The password needs at least 8 characters.",
        ),
        (vec![current, ("new_password", NEW), ("repetition", "else")], "The passwords don't match."),
        (
            vec![current, ("new_password", "password1"), ("repetition", "password1")],
            "This password is too common. Choose another one.",
        ),
    ] {
        let reply = visitor.submit("/account/password", &fields);
        assert_eq!(reply.problem(422), text);
        assert!(!reply.text().contains(NEW) && !reply.text().contains(&account.password), "no password comes back");
    }
    site.me(&other.access).expect(200);
    let reply = visitor.submit("/account/password", &[current, ("new_password", NEW), ("repetition", NEW)]);
    assert_eq!(reply.location(), "security?done=password_changed");
    assert!(reply.cookies().iter().any(|cookie| cookie.name.ends_with("portcullis_device")), "the device stays known");
    let page = visitor.follow(&reply).page(200);
    assert!(page.contains("role=\"status\"") && page.contains("Your password was changed."), "{page}");
    site.me(&other.access).revoked();
    site.sign_in(&account.with_password(NEW));
    // The notice is one of a list, never a text of the query.
    for odd in ["?done=", "?done=You+won", "?done=password_changed%22"] {
        assert!(!visitor.open(&format!("/account/security{odd}")).page(200).contains("role=\"status\""));
    }
}

fn c5_22_wrong_passwords_count_like_those_of_the_api(backend: Backend) {
    let service = with_apps(backend.service()).set("RATE_LIMIT_ENABLED", "true");
    let service = service.set("RATE_LIMIT_ACCOUNT", "2/15m").set("RATE_LIMIT_DEVICE", "2/15m").start();
    let account = service.account();
    let mut visitor = Visitor::signed_in(&service, &account);
    let wrong = |page: &str| match page {
        "password" => vec![("current_password", NEW), ("new_password", NEW), ("repetition", NEW)],
        "email" => vec![("email", "new@example.com"), ("password", NEW)],
        _ => vec![("password", NEW), ("sure", "on")],
    };
    assert_eq!(visitor.submit("/account/password", &wrong("password")).status, 422);
    assert_eq!(visitor.submit("/account/email", &wrong("email")).status, 422);
    for page in ["password", "email", "delete"] {
        let limited = visitor.submit(&format!("/account/{page}"), &wrong(page));
        assert_eq!(limited.problem(429), "Too many attempts. Try again later.");
        assert!(limited.header("Retry-After").is_some() && limited.header("RateLimit").is_some(), "{page}");
    }
}

fn c5_27_sessions_are_listed_and_ended(site: Site) {
    let account = site.account();
    let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1";
    let log_in = || {
        let body = json!({"email": account.email, "password": account.password});
        Pair::of(&site.call("POST", "/auth/login").header("User-Agent", phone).json(&body).send())
    };
    let (first, second, mut visitor) = (log_in(), log_in(), Visitor::signed_in(&site, &account));
    let page = visitor.open("/account/sessions").page(200);
    assert_eq!((page.matches("Safari on iPhone</h3>").count(), page.matches("This device").count()), (2, 1), "{page}");
    assert!(page.contains("127.0.0.1") && !page.contains(&visitor.sid()), "no button for this session: {page}");
    let sid = first.sid();
    let end = |visitor: &mut Visitor<'_>| visitor.submit("/account/sessions", &[("id", &sid)]).location();
    assert_eq!(end(&mut visitor), "sessions?done=signed_out");
    site.me(&first.access).revoked();
    site.me(&second.access).expect(200);
    assert_eq!(end(&mut visitor), "sessions?done=signed_out", "pressed twice");
    let others = visitor.submit("/account/sessions", &[("others", "on")]);
    assert_eq!(others.location(), "sessions?done=others_signed_out");
    assert!(visitor.follow(&others).page(200).contains("Your other devices were signed out."));
    site.me(&second.access).revoked();
    let third = log_in();
    assert_eq!(visitor.submit("/account/sessions", &[("all", "on")]).location(), "login");
    site.me(&third.access).revoked();
    assert!(!visitor.jar.contains_key(PAGE) && !visitor.is_signed_in());
}

fn c5_27_a_session_of_another_account_goes_on(site: Site) {
    let (_, other) = site.session();
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    for id in [&*other.sid(), "x", ""] {
        assert_eq!(visitor.submit("/account/sessions", &[("id", id)]).location(), "sessions?done=signed_out", "{id}");
    }
    site.me(&other.access).expect(200);
    assert!(visitor.is_signed_in());
}

fn c5_28_a_new_address_is_confirmed_by_mail(site: Site) {
    let account = site.verified_account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let email = format!("new-{}", account.email);
    let typed = |reply: &Reply| reply.text().contains(&format!("value=\"{email}\""));
    let page = visitor.open("/account/email").page(200);
    assert!(page.contains(&account.email) && page.contains(">Confirmed<"), "{page}");
    let invalid = visitor.submit("/account/email", &[("email", "nobody"), ("password", &account.password)]);
    assert_eq!(invalid.problem(422), "Enter an email address, such as name@example.com.");
    let wrong = visitor.submit("/account/email", &[("email", &email), ("password", NEW)]);
    assert_eq!(wrong.problem(422), "That isn't your current password. Try again.");
    assert!(typed(&wrong) && !wrong.text().contains(NEW), "{}", wrong.text());
    let sent = visitor.submit("/account/email", &[("email", &email), ("password", &account.password)]);
    assert_eq!(sent.location(), "email?done=email_requested");
    assert!(visitor.follow(&sent).page(200).contains("Check the inbox of your new address"));
    let target = site.wait_for_mails(&email, 1)[0].target();
    assert!(visitor.open("/account").page(200).contains(&account.email));
    visitor.open(&target).page(200);
    let token = target.split("token=").nth(1).unwrap();
    visitor.submit("/account/verify", &[("token", token), ("purpose", "change_email")]).page(200);
    assert!(visitor.open("/account").page(200).contains(&email), "the session of this device goes on");
}

fn c5_29_the_account_is_deleted(site: Site) {
    let account = site.account();
    let (mut visitor, other) = (Visitor::signed_in(&site, &account), site.sign_in(&account));
    let password = ("password", &*account.password);
    assert!(visitor.open("/account/delete").page(200).contains(&account.email));
    for (fields, text) in [
        (vec![("sure", "on")], "Enter your password."),
        (vec![password], "Check the box to confirm that you want to delete your account."),
        (vec![("password", NEW), ("sure", "on")], "That isn't your current password. Try again."),
    ] {
        assert_eq!(visitor.submit("/account/delete", &fields).problem(422), text);
    }
    site.me(&other.access).expect(200);
    let deleted = visitor.submit("/account/delete", &[password, ("sure", "on")]);
    assert!(deleted.page(200).contains("Your account was deleted"));
    assert!(!visitor.jar.contains_key(PAGE) && !visitor.is_signed_in());
    site.me(&other.access).has_status(401);
    site.login(&account.email, &account.password).wrong_credentials();
}

fn c5_30_what_needs_recent_authentication_asks_and_returns(site: Site) {
    let (of, mut visitor) = enrolled(&site);
    visitor.authenticated_earlier();
    let before = state(&site, &of);
    for (page, opens) in [
        ("authenticator", false),
        ("recovery-codes", false),
        ("security", true),
        ("identities", true),
        ("delete", true),
    ] {
        let path = format!("/account/{page}");
        let asks = format!("reauthenticate?continue=%2Faccount%2F{page}");
        let opened = visitor.open(&path);
        if opens {
            opened.page(200);
        } else {
            assert_eq!(opened.location(), asks);
        }
        // The password itself proves who deletes the account.
        if page != "delete" {
            assert_eq!(visitor.submit(&path, &fields_of(page, &of, "")).location(), asks, "{page}");
        }
    }
    assert_eq!(state(&site, &of), before);
    let asked = visitor.open("/account/recovery-codes");
    let code = site.fresh_code(&of);
    let fields = [("password", &*of.account.password), ("code", &*code)];
    let back = visitor.submit(&super::resolve(&asked.location()), &fields);
    assert_eq!(back.location(), "/account/recovery-codes");
    visitor.follow(&back).page(200);
}
