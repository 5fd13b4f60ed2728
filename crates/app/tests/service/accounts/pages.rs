//! `/account/verify` and `/account/reset`: the pages that links in emails open. `cargo xtask check browser`
//! tests their layout and accessibility.

use super::{NEW, hidden};
use crate::prelude::*;

on_both_databases!(
    opening_a_link_consumes_nothing_and_the_button_does,
    pages_are_not_cached_send_no_referrer_and_run_no_script,
    a_page_is_in_the_readers_language,
    invalid_link_is_410_and_offers_another_email,
    a_page_asks_for_a_mail_where_the_link_has_no_token,
    what_is_wrong_with_a_form_is_told_on_its_page,
    forms_of_other_sites_are_refused,
    a_page_says_when_the_service_is_unavailable,
);

/// Opens every link of every email, some twice, as mail scanners do.
fn scan(service: &Service, email: &str) {
    for mail in service.mails_to(email) {
        for link in mail.links() {
            let target = &link[link.find("/account/").expect("a page of the service")..];
            for method in ["GET", "HEAD", "GET", "HEAD"] {
                let reply = service.call(method, target).send();
                assert!(matches!(reply.status, 200 | 410), "{method} {target}: {}", reply.status);
                assert_eq!(reply.body.is_empty(), method == "HEAD");
            }
        }
    }
}

fn opening_a_link_consumes_nothing_and_the_button_does(service: &Service) {
    // Verify an email address.
    let account = service.account();
    let target = service.wait_for_mails(&account.email, 1)[0].target();
    scan(service, &account.email);
    let pair = service.sign_in(&account);
    assert_eq!(service.me(&pair.access).expect(200)["email_verified"], false);
    let done = press(service, &target, "verify", &[("password", &account.password)]);
    assert!(done.text().contains(&account.email), "{}", done.text());
    // Set a password.
    service.forgot(&account.email).expect(202);
    let mails = service.wait_for_mails(&account.email, 2);
    let target = mails.iter().map(|mail| mail.target()).find(|target| target.starts_with("/account/reset")).unwrap();
    scan(service, &account.email);
    service.login(&account.email, &account.password).expect(200);
    press(service, &target, "reset", &[("new_password", NEW), ("repetition", NEW)]);
    service.login(&account.email, NEW).expect(200);
    move_and_undo(service, &account.with_password(NEW));
}

/// Confirms a new email address, then undoes the change.
fn move_and_undo(service: &Service, account: &Account) {
    let pair = service.sign_in(account);
    let (new_email, _) = service.email_change(&pair.access, &account.password);
    let target = service.wait_for_mails(&new_email, 1)[0].target();
    scan(service, &new_email);
    assert_eq!(service.me(&pair.access).expect(200)["email"], account.email);
    press(service, &target, "verify", &[("password", &account.password)]);
    service.login(&new_email, &account.password).expect(200);
    service.wait_until_all_mail_is_sent();
    scan(service, &account.email);
    service.login(&new_email, &account.password).expect(200);
    let mails = service.mails_to(&account.email);
    let told = mails.iter().find(|mail| mail.field("Subject").contains("Your email address")).expect("a notice");
    let undone = press(service, &told.target(), "verify", &[("disowned", "")]);
    assert!(undone.text().contains("name=\"new_password\""), "a new password is offered");
    service.login(&account.email, &account.password).wrong_credentials();
}

/// Opens a link and presses its button, which works once.
#[track_caller]
fn press(service: &Service, target: &str, page: &str, more: &[(&str, &str)]) -> Reply {
    let opened = service.get(target);
    let html = opened.has_status(200).text();
    assert!(html.contains(&format!("action=\"{page}\"")), "{html}");
    let token = hidden(html, "token");
    let press = || {
        let call = service.call("POST", &format!("/account/{page}")).header("Sec-Fetch-Site", "same-origin");
        call.fields(&[&[("token", token.as_str())], more].concat()).send()
    };
    let reply = press();
    reply.has_status(200);
    press().has_status(410);
    reply
}

fn pages_are_not_cached_send_no_referrer_and_run_no_script(service: &Service) {
    let account = service.account();
    let mail = service.wait_for_mails(&account.email, 1).remove(0);
    for reply in [
        service.get(&mail.target()),
        service.get("/account/reset"),
        service.get("/account/reset?token=x"),
        service.submit("verify", &[("token", &mail.token())]),
        service.submit("reset", &[("email", "x")]),
    ] {
        for (name, value) in [
            ("Content-Type", "text/html; charset=utf-8"),
            (
                "Content-Security-Policy",
                "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                 base-uri 'none'",
            ),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
            ("X-Frame-Options", "DENY"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{}: {name}", reply.request);
        }
        for stopped in ["<script", "<style", " style=", " onclick", "http://", "https://"] {
            assert!(!reply.text().contains(stopped), "{stopped}: {}", reply.text());
        }
        let style = reply.text().split("href=\"").nth(1).unwrap().split('"').next().unwrap();
        let style = service.get(&format!("/account/{style}"));
        assert_eq!((style.status, style.header("Content-Type")), (200, Some("text/css; charset=utf-8")));
    }
}

fn a_page_is_in_the_readers_language(service: &Service) {
    let mut titles = Vec::new();
    for (accepted, language) in [
        ("en-GB", "en"),
        ("de", "de"),
        ("fr-CH, en;q=0.3", "fr"),
        ("es", "es"),
        ("pt-BR", "pt"),
        ("zh-CN", "zh"),
        ("nl", "en"),
    ] {
        let reply = service.call("GET", "/account/reset").header("Accept-Language", accepted).send();
        assert_eq!(reply.header("Content-Language"), Some(language));
        assert!(reply.text().contains(&format!("<html lang=\"{language}\">")), "{}", reply.text());
        let title = reply.text().split("<h1>").nth(1).unwrap().split("</h1>").next().unwrap().to_owned();
        assert_eq!(titles.contains(&title), accepted == "nl", "{accepted}: {title}");
        titles.push(title);
    }
}

fn invalid_link_is_410_and_offers_another_email(service: &Service) {
    let account = service.account();
    let token = service.verification_token(&account);
    let reset = service.reset_token(&account, 2);
    for target in [
        "/account/verify?token=",
        "/account/verify?token=x",
        &format!("/account/verify?token={}", "0".repeat(64)),
        &format!("/account/verify?token={token}&token={token}"),
        &format!("/account/verify?token={reset}"),
        &format!("/account/reset?token={token}"),
    ] {
        let reply = service.get(target);
        let html = reply.has_status(410).text();
        assert!(html.contains("name=\"email\"") && !html.contains(&token) && !html.contains(&reset), "{html}");
    }
    service.expire_tokens(&account);
    service.get(&format!("/account/verify?token={token}")).has_status(410);
    service.submit("verify", &[("token", &token)]).has_status(410);
}

fn a_page_asks_for_a_mail_where_the_link_has_no_token(service: &Service) {
    let account = service.account();
    service.wait_for_mails(&account.email, 1);
    let mut sent = Vec::new();
    for (page, mails) in [("reset", 2), ("verify", 3)] {
        assert!(service.get(&format!("/account/{page}")).text().contains("name=\"email\""));
        let reply = service.submit(page, &[("email", &account.email)]);
        reply.has_status(200);
        service.wait_for_mails(&account.email, mails);
        let unknown = service.submit(page, &[("email", &fresh_email())]);
        assert_eq!((unknown.status, unknown.text()), (reply.status, reply.text()), "who exists is told to nobody");
        sent.push(reply);
    }
    assert_ne!(sent[0].text(), sent[1].text());
}

fn what_is_wrong_with_a_form_is_told_on_its_page(service: &Service) {
    let account = service.account();
    let token = service.reset_token(&account, 2);
    let post = |form: &str| service.call("POST", "/account/reset").form(&format!("token={token}&{form}")).send();
    for (form, field) in [
        ("new_password=short&repetition=short", "new_password"),
        ("new_password=&repetition=", "new_password"),
        ("repetition=long+enough", "new_password"),
        ("new_password=long+enough&repetition=long+enuogh", "repetition"),
        ("new_password=long+enough", "repetition"),
    ] {
        let reply = post(form);
        let html = reply.has_status(422).text();
        let input = html.split(&format!("<input id=\"{field}\" name=\"{field}\"")).nth(1);
        let input = input.unwrap_or_else(|| panic!("{html}")).split('>').next().unwrap();
        assert!(input.contains("aria-describedby=\"problem") && input.contains("aria-invalid=\"true\""), "{input}");
        assert!(html.contains("id=\"problem\" role=\"alert\"") && html.contains("<title>Error: "), "{html}");
        assert!(!html.contains("long enough") && !html.contains("enuogh"), "no password comes back");
    }
    post("new_password=%ff&repetition=%ff").has_status(422);
    let json = service.post("/account/reset", &json!({"token": token}));
    assert_eq!((json.status, json.header("Content-Type")), (415, Some("text/html; charset=utf-8")));
    service.submit("reset", &[("token", &"x".repeat(70_000))]).has_status(413);
    let good = [("token", token.as_str()), ("new_password", NEW), ("repetition", NEW)];
    service.submit("reset", &good).has_status(200);
}

fn forms_of_other_sites_are_refused(service: &Service) {
    let account = service.account();
    let token = service.verification_token(&account);
    let own = format!("http://{}", service.address);
    let post = |headers: &[(&str, &str)]| {
        service.call("POST", "/account/verify").headers(headers).fields(&[("token", &token)]).send()
    };
    for foreign in [
        [("Sec-Fetch-Site", "cross-site"), ("Origin", "null")],
        [("Sec-Fetch-Site", "same-site"), ("Origin", own.as_str())],
        [("Origin", "https://evil.example"), ("X-Forwarded-Host", "evil.example")],
    ] {
        let reply = post(&foreign);
        assert_eq!(reply.has_status(403).header("Content-Type"), Some("text/html; charset=utf-8"), "{foreign:?}");
    }
    // With the policy `no-referrer`, browsers send no other origin.
    post(&[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")]).has_status(200);
}

/// A proxy that puts its upstream into `Host` hides the page's public origin, and CORS must not refuse it.
#[test]
fn own_origin_is_that_of_public_url_and_the_app_name_is_text() {
    let setup = Backend::Sqlite.service().set("PUBLIC_URL", "https://Id.example.org:443/auth");
    let setup = setup.set("APP_NAME", "<b>\"Gate\" & house</b>").set("CORS_ORIGINS", "https://a.example");
    let service = setup.start();
    let html = service.get("/account/reset").text().to_owned();
    assert!(html.contains("&lt;b&gt;&quot;Gate&quot; &amp; house&lt;/b&gt;") && !html.contains("<b>"), "{html}");
    for (origin, site, status) in [
        ("https://example.org", "", 403),
        ("http://id.example.org", "", 403),
        ("https://id.example.org:8443", "", 403),
        ("https://id.example.org", "", 200),
        // What a browser sends with a form of a page that has the policy `no-referrer`.
        ("null", "same-origin", 200),
    ] {
        let account = service.account();
        let call = service.call("POST", "/account/verify").header("Origin", origin);
        let call = if site.is_empty() { call } else { call.header("Sec-Fetch-Site", site) };
        let form = [("token", &*service.verification_token(&account)), ("password", &account.password)];
        call.fields(&form).send().has_status(status);
        let me = service.me(&service.sign_in(&account).access).expect(200);
        assert_eq!(me["email_verified"], status == 200, "{origin} {site}");
    }
}

fn a_page_says_when_the_service_is_unavailable(service: &Service) {
    let account = service.account();
    let token = service.verification_token(&account);
    let damaged = |purpose: &str| {
        let id = account.id;
        service.database.execute(&format!("UPDATE one_time_tokens SET purpose = '{purpose}' WHERE user_id = {id}"));
    };
    damaged("damaged");
    let post = || service.call("POST", "/account/verify").header("Accept-Language", "de");
    let posted = post().fields(&[("token", &token), ("purpose", "undo_email")]).send();
    for reply in [service.get(&format!("/account/verify?token={token}")), posted] {
        assert_eq!(reply.has_status(503).header("Content-Type"), Some("text/html; charset=utf-8"));
        assert!(reply.header("Retry-After").is_some());
        assert_eq!(hidden(reply.text(), "token"), token, "another press of the button will do");
    }
    damaged("verify_email");
    let reply = post().fields(&[("token", &token)]).send();
    assert_eq!(reply.has_status(200).header("Content-Language"), Some("de"));
}

#[test]
fn pages_do_their_work_within_the_limits() {
    let service = Backend::Sqlite.service().unset("RATE_LIMIT_ENABLED").start();
    let email = fresh_email();
    for page in ["verify", "verify", "reset", "verify"] {
        service.submit(page, &[("email", &email)]).has_status(200);
    }
    let refused = service.submit("verify", &[("email", &email)]);
    assert_eq!(refused.has_status(429).header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(refused.header("Retry-After").is_some() && refused.header("RateLimit").is_some());
}
