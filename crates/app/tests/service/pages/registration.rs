//! Registration at the pages.

use super::{PAGE, Site, Visitor, app_query, code_in, with_apps};
use crate::accounts::NEW;
use crate::prelude::*;

const REGISTER: &str = "/account/register";

on_both_databases!(
    c5_17_a_person_registers_and_is_signed_in,
    c5_17_a_form_that_is_refused_creates_nothing,
    c5_17_an_address_is_verified_first_where_it_must_be,
    c5_17_registrations_are_limited_as_at_the_api,
    c5_15_a_forgotten_password_leads_back_to_the_app,
);

fn c5_17_a_person_registers_and_is_signed_in(site: Site) {
    let email = fresh_email();
    let fields = [("email", &*email), ("password", NEW), ("repetition", NEW)];
    let mut visitor = Visitor::new(&site);
    let page = visitor.open(&format!("{REGISTER}{}", app_query())).page(200);
    assert!(page.contains("app.example.org") && page.contains("name=\"repetition\""), "{page}");
    let code = code_in(&visitor.submit(&format!("{REGISTER}{}", app_query()), &fields).app_url());
    let pair = Pair::of(&site.exchange_code(&code));
    assert_eq!(site.me(&pair.access).expect(200)["email"], email);
    assert!(visitor.is_signed_in());
    assert_eq!(site.wait_for_mails(&email, 1).len(), 1, "a link to verify the address");
    let (email, mut other) = (fresh_email(), Visitor::new(&site));
    let done = other.submit(REGISTER, &[("email", &email), ("password", NEW), ("repetition", NEW)]);
    assert_eq!(done.location(), "../account");
    site.login(&email, NEW).expect(200);
}

fn c5_17_a_form_that_is_refused_creates_nothing(site: Site) {
    let account = site.account();
    let email = fresh_email();
    for (fields, status, field) in [
        (&[("email", &*account.email), ("password", NEW), ("repetition", NEW)][..], 409, "email"),
        (&[("email", &account.email.to_uppercase()), ("password", NEW), ("repetition", NEW)], 409, "email"),
        (&[("email", "x"), ("password", NEW), ("repetition", NEW)], 422, "email"),
        (&[("email", &email), ("password", "short"), ("repetition", "short")], 422, "password"),
        (&[("email", &email), ("password", "password123"), ("repetition", "password123")], 422, "password"),
        (&[("email", &email), ("password", NEW), ("repetition", "other")], 422, "repetition"),
        (&[("email", &email), ("password", NEW)], 422, "repetition"),
        (&[("email", &email)], 422, "password"),
    ] {
        let mut visitor = Visitor::new(&site);
        let page = visitor.submit(REGISTER, fields).page(status);
        assert!(page.contains(&format!("href=\"#{field}\"")), "{page}");
        assert!(page.contains(&format!("value=\"{}\"", fields[0].1)) && !page.contains(NEW), "{page}");
        assert!(!visitor.jar.contains_key(PAGE));
    }
    let created = format!("FROM users WHERE lower(email) IN ('{email}', '{}')", account.email);
    assert_eq!(site.database.count(&created), 1);
}

fn c5_17_an_address_is_verified_first_where_it_must_be(backend: Backend) {
    let service = with_apps(backend.service()).set("REQUIRE_VERIFIED_EMAIL", "true").start();
    let (email, mut visitor) = (fresh_email(), Visitor::new(&service));
    let fields = [("email", &*email), ("password", NEW), ("repetition", NEW)];
    let page = visitor.submit(&format!("{REGISTER}{}", app_query()), &fields).page(200);
    assert!(page.contains("Check your inbox") && !visitor.jar.contains_key(PAGE), "{page}");
    let token = service.wait_for_mails(&email, 1)[0].token();
    let confirmed = [("token", &*token), ("password", NEW), ("asked", "password")];
    let page = visitor.submit("/account/verify", &confirmed).page(200);
    let link = page.split("href=\"login").nth(1).unwrap_or_else(|| panic!("{page}")).split('"').next().unwrap();
    let account = Account { id: 0, email, password: NEW.to_owned() };
    code_in(&visitor.log_in(link, &account).app_url());
}

fn c5_17_registrations_are_limited_as_at_the_api(backend: Backend) {
    let service =
        with_apps(backend.service()).set("RATE_LIMIT_ENABLED", "true").set("RATE_LIMIT_SOURCE", "3/1h").start();
    let register = || {
        let (email, mut visitor) = (fresh_email(), Visitor::new(&service));
        visitor.submit(REGISTER, &[("email", &email), ("password", NEW), ("repetition", NEW)]).status
    };
    service.register(&fresh_email(), NEW).expect(201);
    let statuses: Vec<_> = (0..4).map(|_| register()).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert!(service.register(&fresh_email(), NEW).status == 429);
}

fn c5_15_a_forgotten_password_leads_back_to_the_app(site: Site) {
    let account = site.verified_account();
    let mut visitor = Visitor::new(&site);
    let page = visitor.open(&format!("/account/login{}", app_query())).page(200);
    let link = page.split("href=\"reset").nth(1).unwrap().split('"').next().unwrap().to_owned();
    visitor.open(&format!("/account/reset{link}")).page(200);
    visitor.submit("/account/reset", &[("email", &account.email)]).page(200);
    let token = newest_link(&site, &account, 1);
    let fields = [("token", &*token), ("new_password", NEW), ("repetition", NEW)];
    let page = visitor.submit("/account/reset", &fields).page(200);
    let link = page.split("href=\"login").nth(1).unwrap_or_else(|| panic!("{page}")).split('"').next().unwrap();
    code_in(&visitor.log_in(link, &account.with_password(NEW)).app_url());
    // Another browser knows no app, and a cookie that was tampered with none that is not listed.
    for (evil, links) in
        [("", 2), ("redirect_uri=https%3A%2F%2Fevil.example&code_challenge=x&code_challenge_method=S256", 3)]
    {
        let mut other = Visitor::new(&site);
        other.jar.insert("__Host-portcullis_detour".to_owned(), evil.to_owned());
        site.post("/auth/password/forgot", &json!({"email": account.email})).expect(202);
        let token = newest_link(&site, &account, links);
        let fields = [("token", &*token), ("new_password", NEW), ("repetition", NEW)];
        let page = other.submit("/account/reset", &fields).page(200);
        assert!(page.contains("href=\"login\"") && !page.contains("evil"), "{page}");
    }
}

/// Returns the token of the account's last email to reset the password, which is the `number`th.
fn newest_link(site: &Service, account: &Account, number: usize) -> String {
    eventually("a mail to set a password", || {
        let mails = site.mails_to(&account.email);
        let links: Vec<_> = mails.iter().filter(|mail| mail.text.contains("/account/reset?")).collect();
        (links.len() == number).then(|| links[number - 1].token())
    })
}
