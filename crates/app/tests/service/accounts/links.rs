//! Contents and recipients of emails: links are built from `PUBLIC_URL` only, and emails go only to the
//! stored address.

use crate::harness::accounts::{Pair, fresh_email};
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use serde_json::{Value, json};

on_both_databases!(
    links_are_built_from_public_url_alone,
    links_open_pages_of_ones_own_where_they_are_set,
    a_mail_goes_to_the_stored_address_only,
    what_is_no_address_is_422_and_sends_nothing,
    a_mail_is_in_the_language_of_the_request_that_caused_it,
    mails_to_one_address_are_limited_known_or_not,
);

const PUBLIC_URL: &str = "https://id.example.org/base";
const EVIL: &str = "evil.example";

fn links_are_built_from_public_url_alone(backend: Backend) {
    let service = backend.service().set("PUBLIC_URL", PUBLIC_URL).set("TRUSTED_PROXIES", "127.0.0.0/8").start();
    let poisons: [(&str, &str); 9] = [
        ("Host", EVIL),
        ("X-Forwarded-Host", EVIL),
        ("X-Forwarded-Proto", "http"),
        ("Forwarded", "for=192.0.2.1;host=evil.example;proto=http"),
        ("X-Original-Host", EVIL),
        ("X-Forwarded-Server", EVIL),
        ("X-Host", EVIL),
        ("Origin", "https://evil.example"),
        ("Referer", "https://evil.example/"),
    ];
    for (name, value) in poisons {
        let (account, own) = service.session();
        let new_email = fresh_email();
        let poisoned = |path: &str, body: Value| {
            let call = service.call("POST", path).bearer(&own.access).header(name, value);
            assert_eq!(call.json(&body).send().status, 202, "{name}");
        };
        poisoned("/auth/password/forgot", json!({"email": account.email}));
        poisoned("/auth/email/resend", json!({"email": account.email}));
        poisoned("/auth/email/change", json!({"password": account.password, "new_email": new_email}));
        expect_public(&service, &account.email, 3);
        expect_public(&service, &new_email, 1);
    }
    // Absolute-form target next to its own Host header (RFC 9112 §3.2.2).
    let account = service.account();
    let body = json!({"email": account.email}).to_string();
    let length = body.len();
    let replies = service.raw(format!(
        "POST http://{EVIL}/auth/password/forgot HTTP/1.1\r\nHost: {EVIL}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ));
    assert_eq!(replies[0].status, 202, "{replies:?}");
    expect_public(&service, &account.email, 2);
}

/// Checks that every link in these emails starts with `PUBLIC_URL`.
fn expect_public(service: &Service, email: &str, count: usize) {
    for mail in service.wait_for_mails(email, count) {
        assert!(!mail.whole.contains(EVIL), "{}", mail.whole);
        let links = mail.links();
        assert!(!links.is_empty(), "{}", mail.text);
        for link in links {
            assert!(link.starts_with(&format!("{PUBLIC_URL}/account/")), "{link}");
        }
        let html = mail.whole.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        // A slash may be written as a character reference.
        let html = html.map(|link| link.replace("&#x2f;", "/"));
        html.for_each(|link| assert!(link.starts_with(&format!("{PUBLIC_URL}/account/")), "{link}"));
    }
}

fn links_open_pages_of_ones_own_where_they_are_set(backend: Backend) {
    let service = backend.service().set("VERIFY_URL", "https://app.example.org/v/{token}");
    let service = service.set("RESET_URL", "https://app.example.org/r?t={token}&x=1").start();
    let account = service.account();
    service.forgot(&account.email).expect(202);
    let mails = service.wait_for_mails(&account.email, 2);
    let links: Vec<_> = mails.iter().flat_map(crate::harness::mails::Mail::links).collect();
    let token = |start: &str, end: &str| {
        let link = links.iter().find(|link| link.starts_with(start)).unwrap_or_else(|| panic!("{links:?}"));
        link.strip_prefix(start).unwrap().strip_suffix(end).unwrap().to_owned()
    };
    service.verify(&token("https://app.example.org/v/", "")).expect(200);
    service.forgot(&account.email).expect(202);
    assert_eq!(token("https://app.example.org/r?t=", "&x=1").len(), 64);
}

fn a_mail_goes_to_the_stored_address_only(backend: Backend) {
    let service = backend.service().start();
    // As another program would have stored it.
    service.database.insert_user("Grace.Hopper@Example.com", "$2b$04$x");
    service.forgot("grace.hopper@EXAMPLE.com").expect(202);
    assert_eq!(service.wait_for_mails("Grace.Hopper@Example.com", 1)[0].field("To").matches('@').count(), 1);
    assert_eq!(service.mails_to("grace.hopper@EXAMPLE.com").len(), 0);
    for unknown in [fresh_email(), "grace.hopper@example.com.evil.example".to_owned()] {
        service.forgot(&unknown).expect(202);
        service.resend(&unknown).expect(202);
        service.wait_until_all_mail_is_sent();
        assert_eq!(service.mails_to(&unknown).len(), 0);
    }
}

fn what_is_no_address_is_422_and_sends_nothing(backend: Backend) {
    let service = backend.service().start();
    let (account, own) = service.session();
    service.wait_for_mails(&account.email, 1);
    let email = &account.email;
    let bad = [
        json!([email]),
        json!([email, "mallory@evil.example"]),
        json!({"email": email}),
        json!({"0": email}),
        json!(null),
        json!(7),
        json!(""),
        json!(format!("{email},mallory@evil.example")),
        json!(format!("{email};mallory@evil.example")),
        json!(format!("{email} mallory@evil.example")),
        json!(format!("{email}\r\nBcc: mallory@evil.example")),
        json!(format!("{email}\nBcc: mallory@evil.example")),
        json!(format!("{email}%0d%0aBcc:mallory@evil.example\0")),
        json!(format!("<{email}>")),
        json!(format!("Ada <{email}>")),
        json!("a@b@example.com"),
    ];
    for bad in bad {
        service.post("/auth/password/forgot", &json!({"email": bad})).expect_fields(&["email"]);
        service.post("/auth/email/resend", &json!({"email": bad})).expect_fields(&["email"]);
        let body = json!({"password": account.password, "new_email": bad});
        service.call("POST", "/auth/email/change").bearer(&own.access).json(&body).send().expect_fields(&["new_email"]);
        service.post("/auth/register", &json!({"email": bad, "password": "long enough"})).expect_fields(&["email"]);
        let Some(text) = bad.as_str() else { continue };
        for page in ["/account/verify", "/account/reset"] {
            let typed = percent_encoded(text);
            assert_eq!(service.call("POST", page).form(&format!("email={typed}")).send().status, 422, "{bad}");
        }
    }
    // Twice in one body, or as a list in a form.
    let twice = format!("{{\"email\":\"{email}\",\"email\":\"mallory@evil.example\"}}");
    let reply = service.call("POST", "/auth/password/forgot").body("application/json", twice).send();
    reply.expect_error(422, "VALIDATION_ERROR");
    for form in [format!("email={email}&email=mallory%40evil.example"), format!("email[]={email}")] {
        assert_eq!(service.call("POST", "/account/reset").form(&form).send().status, 422, "{form}");
    }
    service.wait_until_all_mail_is_sent();
    assert_eq!(crate::harness::mails::mails_in(&service.folder.join("outbox")).len(), 1);
}

fn a_mail_is_in_the_language_of_the_request_that_caused_it(service: &Service) {
    let mut subjects = Vec::new();
    for language in ["en", "de-AT", "fr;q=0.9, nl", "es", "pt-BR", "zh-CN"] {
        let email = fresh_email();
        let body = json!({"email": email, "password": "long enough"});
        service.call("POST", "/auth/register").header("Accept-Language", language).json(&body).send().expect(201);
        subjects.push(service.wait_for_mails(&email, 1)[0].field("Subject").to_owned());
    }
    let all = subjects.clone();
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), 6, "{all:?}");
}

fn mails_to_one_address_are_limited_known_or_not(backend: Backend) {
    let service = backend.service().unset("RATE_LIMIT_ENABLED").start();
    // One of them just got an email for its registration. The response must not reveal that.
    let (account, unknown) = (service.account(), fresh_email());
    let known = account.email.clone();
    service.wait_for_mails(&known, 1);
    for email in [&known, &unknown] {
        for ask in [Service::resend, Service::forgot] {
            for try_again in [3, 2, 1, 0] {
                // Any spelling counts. Each purpose has a separate budget.
                let spelled = if try_again % 2 == 0 { email.to_uppercase() } else { email.clone() };
                let reply = ask(&service, &spelled);
                if try_again > 0 {
                    reply.expect(202);
                    continue;
                }
                reply.expect_error(429, "RATE_LIMITED");
                assert_eq!(reply.header("RateLimit-Policy"), Some("\"mail\";q=3;w=3600"));
            }
        }
    }
    let own = Pair::of(&service.login(&known, &account.password));
    for _ in 0..3 {
        service.change_email(&own.access, &account.password, &unknown).expect(202);
    }
    service.change_email(&own.access, &account.password, &unknown).expect_error(429, "RATE_LIMITED");
    service.wait_until_all_mail_is_sent();
    assert_eq!(service.mails_to(&known).len(), 7, "three of each purpose, and that of the registration");
}

/// Percent-encodes text for a form.
pub(super) fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
