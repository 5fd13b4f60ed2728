//! Contents and recipients of emails: links are built from `PUBLIC_URL` only, and emails go only to the
//! stored address.

use crate::harness::mails::{Mail, mails_in};
use crate::prelude::*;

on_both_databases!(
    a_mail_goes_to_the_stored_address_only,
    what_is_no_address_is_422_and_sends_nothing,
    mails_to_one_address_are_limited_known_or_not,
);

const PUBLIC_URL: &str = "https://id.example.org/base";
const EVIL: &str = "evil.example";

#[test]
fn links_are_built_from_public_url_alone() {
    let service = Backend::Sqlite.service().set("PUBLIC_URL", PUBLIC_URL).set("TRUSTED_PROXIES", "127.0.0.0/8").start();
    let poisons = [
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
        let ((account, own), new_email) = (service.session(), fresh_email());
        for (path, body) in [
            ("/auth/password/forgot", json!({"email": account.email})),
            ("/auth/email/resend", json!({"email": account.email})),
            ("/auth/email/change", json!({"password": account.password, "new_email": new_email})),
        ] {
            service.call("POST", path).bearer(&own.access).header(name, value).json(&body).send().expect(202);
        }
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
        // A slash may be written as a character reference.
        let html = mail.whole.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        for link in links.into_iter().chain(html.map(|link| link.replace("&#x2f;", "/"))) {
            assert!(link.starts_with(&format!("{PUBLIC_URL}/account/")), "{link}");
        }
    }
}

#[test]
fn links_open_pages_of_ones_own_where_they_are_set() {
    let service = Backend::Sqlite.service().set("VERIFY_URL", "https://app.example.org/v/{token}");
    let service = service.set("RESET_URL", "https://app.example.org/r?t={token}&x=1").start();
    let account = service.account();
    service.forgot(&account.email).expect(202);
    let links: Vec<_> = service.wait_for_mails(&account.email, 2).iter().flat_map(Mail::links).collect();
    let token = |start: &str, end: &str| {
        let link = links.iter().find(|link| link.starts_with(start)).unwrap_or_else(|| panic!("{links:?}"));
        link.strip_prefix(start).unwrap().strip_suffix(end).unwrap().to_owned()
    };
    assert_eq!(token("https://app.example.org/r?t=", "&x=1").len(), 64);
    service.verify(&token("https://app.example.org/v/", "")).expect(200);
}

fn a_mail_goes_to_the_stored_address_only(service: &Service) {
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
    let other = "mallory@evil.example";
    let texts = format!(
        "|{email},{other}|{email};{other}|{email} {other}|{email}\r\nBcc: {other}|{email}\nBcc: {other}\
         |{email}%0d%0aBcc:{other}\0|<{email}>|Ada <{email}>"
    );
    let values = [json!([email]), json!([email, other]), json!({"email": email}), json!({"0": email}), json!(null)];
    for bad in values.into_iter().chain(texts.split('|').map(|text| json!(text))) {
        for (path, name) in [
            ("/auth/password/forgot", "email"),
            ("/auth/email/resend", "email"),
            ("/auth/register", "email"),
            ("/auth/email/change", "new_email"),
        ] {
            let body = json!({"password": account.password, name: bad});
            service.tell("POST", path, &own.access, &body).expect_fields(&[name]);
        }
        for (page, text) in ["verify", "reset"].into_iter().filter_map(|page| Some((page, bad.as_str()?))) {
            service.submit(page, &[("email", text)]).has_status(422);
        }
    }
    // Twice in one body, or as a list in a form.
    let twice = format!("{{\"email\":\"{email}\",\"email\":\"{other}\"}}");
    let reply = service.call("POST", "/auth/password/forgot").body("application/json", twice).send();
    reply.expect_error(422, "VALIDATION_ERROR");
    for fields in [[("email", email.as_str()), ("email", other)], [("email[]", email), ("x", "")]] {
        service.submit("reset", &fields).has_status(422);
    }
    service.wait_until_all_mail_is_sent();
    assert_eq!(mails_in(&service.folder.join("outbox")).len(), 1);
}

fn mails_to_one_address_are_limited_known_or_not(backend: Backend) {
    let service = backend.service().unset("RATE_LIMIT_ENABLED").start();
    // One of them just got an email for its registration. The response must not reveal that.
    let (account, unknown) = (service.account(), fresh_email());
    let known = account.email.clone();
    service.wait_for_mails(&known, 1);
    for email in [&known, &unknown] {
        for ask in [Service::resend, Service::forgot] {
            // Any spelling counts. Each purpose has a separate budget.
            for spelled in [email, &email.to_uppercase(), email] {
                ask(&service, spelled).expect(202);
            }
            let refused = ask(&service, &email.to_uppercase());
            refused.expect_error(429, "RATE_LIMITED");
            assert_eq!(refused.header("RateLimit-Policy"), Some("\"mail\";q=3;w=3600"));
        }
    }
    let own = Pair::of(&service.login(&known, &account.password));
    let change = || service.change_email(&own.access, &account.password, &unknown);
    (0..3).for_each(|_| drop(change().expect(202)));
    change().expect_error(429, "RATE_LIMITED");
    service.wait_until_all_mail_is_sent();
    assert_eq!(service.mails_to(&known).len(), 7, "three of each purpose, and that of the registration");
}
