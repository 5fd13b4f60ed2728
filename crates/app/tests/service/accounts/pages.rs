//! `/account/verify` and `/account/reset`: the pages that links in emails open. `cargo xtask check browser`
//! tests their layout and accessibility.

use super::account_prehijacking::hidden;
use super::links::percent_encoded;
use crate::harness::accounts::{Account, Pair, fresh_email};
use crate::harness::calls::Reply;
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::Service;

on_both_databases!(
    opening_a_link_consumes_nothing_and_the_button_does,
    pages_are_not_cached_send_no_referrer_and_run_no_script,
    a_page_is_in_the_readers_language,
    invalid_link_is_410_and_offers_another_email,
    a_page_asks_for_a_mail_where_the_link_has_no_token,
    what_is_wrong_with_a_form_is_told_on_its_page,
    forms_of_other_sites_are_refused,
    the_origin_of_public_url_is_the_services_own,
    a_page_says_when_the_service_is_unavailable,
    pages_do_their_work_within_the_limits,
    the_name_of_the_service_is_text,
);

const NEW: &str = "wrong donkey charger paperclip";

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
    let entered = format!("&password={}", account.password.replace(' ', "+"));
    let done = press(service, &target, "verify", &entered);
    assert!(done.text().contains(&account.email), "{}", done.text());
    assert_eq!(press_again(service, &target, "verify", "").status, 410);
    // Set a password.
    service.forgot(&account.email).expect(202);
    let mails = service.wait_for_mails(&account.email, 2);
    let target = mails.iter().map(|mail| mail.target()).find(|target| target.starts_with("/account/reset")).unwrap();
    scan(service, &account.email);
    service.login(&account.email, &account.password).expect(200);
    let passwords = format!("&new_password={NEW}&repetition={NEW}").replace(' ', "+");
    press(service, &target, "reset", &passwords);
    service.login(&account.email, NEW).expect(200);
    assert_eq!(press_again(service, &target, "reset", &passwords).status, 410);
    move_and_undo(service, &Account { password: NEW.to_owned(), ..account });
}

/// Confirms a new email address, then undoes the change.
fn move_and_undo(service: &Service, account: &Account) {
    let (pair, new_email) = (service.sign_in(account), fresh_email());
    service.change_email(&pair.access, &account.password, &new_email).expect(202);
    let target = service.wait_for_mails(&new_email, 1)[0].target();
    scan(service, &new_email);
    assert_eq!(service.me(&pair.access).expect(200)["email"], account.email);
    press(service, &target, "verify", &format!("&password={}", account.password.replace(' ', "+")));
    service.login(&new_email, &account.password).expect(200);
    service.wait_until_all_mail_is_sent();
    scan(service, &account.email);
    service.login(&new_email, &account.password).expect(200);
    let mails = service.mails_to(&account.email);
    let told = mails
        .iter()
        .find(|mail| mail.field("Subject").contains("Your email address"))
        .expect("a mail to the old address");
    let undone = press(service, &told.target(), "verify", "&disowned=");
    assert!(undone.text().contains("name=\"new_password\""), "a new password is offered");
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

/// Opens a link and presses its button.
#[track_caller]
fn press(service: &Service, target: &str, page: &str, more: &str) -> Reply {
    let opened = service.get(target);
    assert_eq!(opened.status, 200, "{}", opened.text());
    assert!(opened.text().contains(&format!("action=\"{page}\"")), "{}", opened.text());
    let form = format!("token={}{more}", hidden(opened.text(), "token"));
    let reply =
        service.call("POST", &format!("/account/{page}")).header("Sec-Fetch-Site", "same-origin").form(&form).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

fn press_again(service: &Service, target: &str, page: &str, more: &str) -> Reply {
    let token = target.split_once("token=").unwrap().1;
    service.call("POST", &format!("/account/{page}")).form(&format!("token={token}{more}")).send()
}

fn pages_are_not_cached_send_no_referrer_and_run_no_script(service: &Service) {
    let account = service.account();
    let target = service.wait_for_mails(&account.email, 1)[0].target();
    let policy = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let token = target.split_once("token=").unwrap().1;
    let replies = [
        service.get(&target),
        service.get("/account/reset"),
        service.get("/account/reset?token=x"),
        service.call("POST", "/account/verify").form(&format!("token={token}")).send(),
        service.call("POST", "/account/reset").form("email=x").send(),
    ];
    for reply in replies {
        assert_eq!(reply.header("Content-Type"), Some("text/html; charset=utf-8"));
        assert_eq!(reply.header("Content-Security-Policy"), Some(policy));
        assert_eq!(reply.header("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(reply.header("Cache-Control"), Some("no-store"));
        assert_eq!(reply.header("X-Frame-Options"), Some("DENY"));
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
        titles.push(reply.text().split("<h1>").nth(1).unwrap().split("</h1>").next().unwrap().to_owned());
    }
    assert_eq!(titles[0], titles[6]);
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), 6, "{titles:?}");
}

fn invalid_link_is_410_and_offers_another_email(service: &Service) {
    let account = service.account();
    let target = service.wait_for_mails(&account.email, 1)[0].target();
    let token = target.split_once("token=").unwrap().1.to_owned();
    let reset = service.reset_token(&account, 2);
    let dead = [
        "/account/verify?token=".to_owned(),
        "/account/verify?token=x".to_owned(),
        format!("/account/verify?token={}", "0".repeat(64)),
        format!("/account/verify?token={token}&token={token}"),
        format!("/account/verify?token={reset}"),
        format!("/account/reset?token={token}"),
    ];
    for target in dead {
        let reply = service.get(&target);
        assert_eq!(reply.status, 410, "{target}");
        assert!(reply.text().contains("name=\"email\""), "{}", reply.text());
        assert!(!reply.text().contains(&token) && !reply.text().contains(&reset));
    }
    service.expire_tokens(&account);
    assert_eq!(service.get(&target).status, 410);
    assert_eq!(service.call("POST", "/account/verify").form(&format!("token={token}")).send().status, 410);
}

fn a_page_asks_for_a_mail_where_the_link_has_no_token(service: &Service) {
    let account = service.account();
    service.wait_for_mails(&account.email, 1);
    let typed = percent_encoded(&account.email);
    let mut sent = Vec::new();
    for (page, mails) in [("/account/reset", 2), ("/account/verify", 3)] {
        assert!(service.get(page).text().contains("name=\"email\""));
        let reply = service.call("POST", page).form(&format!("email={typed}")).send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        service.wait_for_mails(&account.email, mails);
        let unknown = service.call("POST", page).form(&format!("email={}", percent_encoded(&fresh_email()))).send();
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
        assert_eq!(reply.status, 422, "{form}");
        let (html, describedby) = (reply.text(), format!("<input id=\"{field}\" name=\"{field}\""));
        let input = html.split(&describedby).nth(1).unwrap_or_else(|| panic!("{html}")).split('>').next().unwrap();
        assert!(input.contains("aria-describedby=\"problem") && input.contains("aria-invalid=\"true\""), "{input}");
        assert!(html.contains("id=\"problem\" role=\"alert\"") && html.contains("<title>Error: "), "{html}");
        assert!(!html.contains("long enough") && !html.contains("enuogh"), "no password comes back");
    }
    assert_eq!(post("new_password=%ff&repetition=%ff").status, 422);
    let json = service.call("POST", "/account/reset").json(&serde_json::json!({"token": token})).send();
    assert_eq!((json.status, json.header("Content-Type")), (415, Some("text/html; charset=utf-8")));
    let large = service.call("POST", "/account/reset").form(&format!("token={}", "x".repeat(70_000))).send();
    assert_eq!(large.status, 413);
    assert_eq!(
        post(&format!("new_password={0}&repetition={0}", NEW.replace(' ', "+"))).status,
        200,
        "it is still good"
    );
}

fn forms_of_other_sites_are_refused(service: &Service) {
    let account = service.account();
    let token = service.wait_for_mails(&account.email, 1)[0].token();
    let host = service.address.to_string();
    let own = format!("http://{host}");
    let post = |headers: &[(&str, &str)]| {
        let call = service.call("POST", "/account/verify");
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        call.form(&format!("token={token}")).send()
    };
    for foreign in [
        [("Sec-Fetch-Site", "cross-site"), ("Origin", "null")],
        [("Sec-Fetch-Site", "same-site"), ("Origin", own.as_str())],
        [("Origin", "https://evil.example"), ("X-Forwarded-Host", "evil.example")],
    ] {
        let reply = post(&foreign);
        assert_eq!(
            (reply.status, reply.header("Content-Type")),
            (403, Some("text/html; charset=utf-8")),
            "{foreign:?}"
        );
    }
    // With the policy `no-referrer`, browsers send no other origin.
    assert_eq!(post(&[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")]).status, 200);
}

/// A proxy that puts its upstream into `Host` hides the page's public origin.
fn the_origin_of_public_url_is_the_services_own(backend: Backend) {
    let service = backend.service().set("PUBLIC_URL", "https://Id.example.org:443/auth").start();
    let account = service.account();
    let token = service.wait_for_mails(&account.email, 1)[0].token();
    let post = |origin: &str| {
        service.call("POST", "/account/verify").header("Origin", origin).form(&format!("token={token}")).send().status
    };
    for foreign in ["https://example.org", "http://id.example.org", "https://id.example.org:8443"] {
        assert_eq!(post(foreign), 403, "{foreign}");
    }
    assert_eq!(post("https://id.example.org"), 200);
}

fn a_page_says_when_the_service_is_unavailable(service: &Service) {
    let account = service.account();
    let target = service.wait_for_mails(&account.email, 1)[0].target();
    let token = target.split_once("token=").unwrap().1;
    let damaged = |purpose: &str| {
        let id = account.id;
        service.database.execute(&format!("UPDATE one_time_tokens SET purpose = '{purpose}' WHERE user_id = {id}"));
    };
    damaged("damaged");
    let post = || service.call("POST", "/account/verify").header("Accept-Language", "de");
    for reply in [service.get(&target), post().form(&format!("token={token}&purpose=undo_email")).send()] {
        assert_eq!((reply.status, reply.header("Content-Type")), (503, Some("text/html; charset=utf-8")));
        assert!(reply.header("Retry-After").is_some());
        assert_eq!(hidden(reply.text(), "token"), token, "another press of the button will do");
    }
    damaged("verify_email");
    let reply = post().form(&format!("token={token}")).send();
    assert_eq!((reply.status, reply.header("Content-Language")), (200, Some("de")));
}

fn pages_do_their_work_within_the_limits(backend: Backend) {
    let service = backend.service().unset("RATE_LIMIT_ENABLED").start();
    let form = format!("email={}", percent_encoded(&fresh_email()));
    let post = |page: &str| service.call("POST", page).form(&form).send();
    for page in ["/account/verify", "/account/verify", "/account/reset", "/account/verify"] {
        assert_eq!(post(page).status, 200);
    }
    let refused = post("/account/verify");
    assert_eq!((refused.status, refused.header("Content-Type")), (429, Some("text/html; charset=utf-8")));
    assert!(refused.header("Retry-After").is_some() && refused.header("RateLimit").is_some());
}

fn the_name_of_the_service_is_text(backend: Backend) {
    let service =
        backend.service().set("APP_NAME", "<b>\"Gate\" & house</b>").set("CORS_ORIGINS", "https://a.example").start();
    let html = service.get("/account/reset").text().to_owned();
    assert!(html.contains("&lt;b&gt;&quot;Gate&quot; &amp; house&lt;/b&gt;") && !html.contains("<b>"), "{html}");
    // CORS must not refuse the origin that a page of this service sends with its form.
    let account = service.account();
    let (token, password) = (service.wait_for_mails(&account.email, 1)[0].token(), account.password.replace(' ', "+"));
    let form = format!("token={token}&password={password}");
    let call = service.call("POST", "/account/verify").header("Origin", "null").header("Sec-Fetch-Site", "same-origin");
    assert_eq!(call.form(&form).send().status, 200);
    let pair = Pair::of(&service.login(&account.email, &account.password));
    assert_eq!(service.me(&pair.access).expect(200)["email_verified"], true);
}
