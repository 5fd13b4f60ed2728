//! A new `SECRET_KEY`: links, cookies and challenges that the service issued under the previous one are accepted,
//! and so are those of replicas that have the other one of both.

use super::NEW;
use crate::harness::passkeys::{Added, new_key};
use crate::pages::{Visitor, with_apps};
use crate::prelude::*;
use std::collections::BTreeMap;

on_both_databases!(
    a_new_secret_kills_nothing_that_was_issued_before,
    replicas_with_either_secret_accept_each_others_issues,
    a_secret_that_is_not_listed_kills_them,
);

const PUBLIC_URL: &str = "https://auth.example.org";

/// Builds a service with a secret and a previous one, or none.
fn with_secrets(setup: ServiceBuilder, secret: &str, previous: &str) -> ServiceBuilder {
    let setup = with_apps(setup).set("COOKIE_MODE", "on");
    let setup = setup.set("WEBAUTHN_RP_ID", "example.org").set("WEBAUTHN_ORIGINS", PUBLIC_URL);
    let setup = setup.set("SECRET_KEY", secret);
    if previous.is_empty() { setup } else { setup.set("SECRET_KEY_PREVIOUS", previous) }
}

type Jar = BTreeMap<String, String>;

/// One of everything that a key derived from `SECRET_KEY` signs.
struct Issued {
    /// Account whose address a link verifies, a session of it, and its device.
    unverified: (Account, Pair, String, String),
    reset: String,
    /// Account whose new address a link confirms.
    moving: (Account, String),
    /// Account that a link gives its old address back.
    moved: (Account, String),
    /// Account with a second factor that its device is spared, and a token between the factors.
    trusting: (Enrolled, String, String),
    /// Browser with a session of the account pages.
    page: Jar,
    /// Browser in cookie mode whose last refresh got no response.
    tabs: Jar,
    /// Passkey and the options to sign in with it.
    passkey: (Added, Value),
}

fn in_cookie_mode(call: Call) -> Call {
    call.headers(&[("Portcullis-Tokens", "cookie"), ("Origin", PUBLIC_URL)])
}

fn refresh(browser: &Visitor<'_>) -> Reply {
    in_cookie_mode(browser.call("POST", "/auth/refresh")).send()
}

impl Issued {
    #[track_caller]
    fn by(service: &Service) -> Self {
        let account = service.account();
        let login = service.login(&account.email, &account.password);
        let unverified = (account.clone(), Pair::of(&login), login.cookie(), service.verification_token(&account));
        let (moving, pair) = service.verified_session();
        let (_, confirmation) = service.email_change(&pair.access, &moving.password);
        let (moved, pair) = service.verified_session();
        let (_, token) = service.email_change(&pair.access, &moved.password);
        service.confirm(&token, &moved.password).expect(200);
        let undo = eventually("a mail to undo the change", || {
            let mails = service.mails_to(&moved.email);
            mails.iter().find(|mail| mail.field("Subject").contains("Your email address")).map(|mail| mail.token())
        });
        let enrolled = service.enrolled();
        let proof = json!({"code": service.fresh_code(&enrolled), "remember_device": true});
        let remembered = service.second(&service.challenge(&enrolled.account), &proof);
        let mfa_token = service.challenge(&enrolled.account);
        let mut tabs = Visitor::new(service);
        let call = in_cookie_mode(tabs.call("POST", "/auth/login"));
        tabs.send(call.json(&credentials(&service.account()))).expect(200);
        refresh(&tabs).expect(200);
        let passkey = service.add_key(&service.session().1, new_key(PUBLIC_URL), false);
        let issued = Self {
            unverified,
            reset: service.reset_link(&service.account()),
            moving: (moving, confirmation),
            moved: (moved, undo),
            trusting: (enrolled, remembered.cookie(), mfa_token),
            page: Visitor::signed_in(service, &service.account()).jar,
            tabs: tabs.jar,
            passkey: (passkey, service.sign_in_options()),
        };
        service.wait_until_all_mail_is_sent();
        issued
    }

    /// Returns what another service says to each.
    fn presented_to(mut self, service: &Service) -> Vec<(&'static str, u16)> {
        let mut said = Vec::new();
        let (_, own, device, token) = &self.unverified;
        let call = service.call("POST", "/auth/email/verify").header("Cookie", device);
        let verified = call.json(&json!({"token": token})).send();
        said.push(("verification", verified.status));
        // The device proves that the password is its owner's.
        let is_kept = verified.json()["reset_token"].is_null() && service.me(&own.access).status == 200;
        said.push(("device", if is_kept { 200 } else { 401 }));
        said.push(("reset", service.reset(&self.reset, NEW).status));
        let (moving, token) = &self.moving;
        said.push(("confirmation", service.confirm(token, &moving.password).status));
        let (moved, token) = &self.moved;
        said.push(("undo", service.confirm(token, &moved.password).status));
        let (enrolled, cookie, mfa_token) = &self.trusting;
        said.push(("trusted device", service.login_from(cookie, &enrolled.account).status));
        let code = json!({"code": service.fresh_code(enrolled)});
        said.push(("second factor", service.second(mfa_token, &code).status));
        let is_signed_in = Visitor { service, jar: self.page }.is_signed_in();
        said.push(("account pages", if is_signed_in { 200 } else { 401 }));
        said.push(("lost response", refresh(&Visitor { service, jar: self.tabs }).status));
        let (added, options) = &mut self.passkey;
        said.push(("passkey", service.send_sign_in("", &added.key.sign(options)).status));
        said
    }
}

/// Issues with one pair of secrets and presents with another.
#[track_caller]
fn expect_accepted(backend: Backend, [from, to]: [(&str, &str); 2]) {
    let service = with_secrets(backend.service(), from.0, from.1).start();
    let issued = Issued::by(&service);
    service.stop();
    let said = issued.presented_to(&with_secrets(service.again(), to.0, to.1).start());
    assert!(said.iter().all(|(_, status)| *status == 200), "{said:?}");
}

fn a_new_secret_kills_nothing_that_was_issued_before(backend: Backend) {
    let [older, old, new] = [(); 3].map(|()| random_secret());
    expect_accepted(backend, [(&older, ""), (&new, &format!("{old}\n{older}"))]);
}

fn replicas_with_either_secret_accept_each_others_issues(backend: Backend) {
    let [old, new] = [(); 2].map(|()| random_secret());
    let [first, second] = [(&*old, &*new), (&*new, &*old)];
    expect_accepted(backend, [first, second]);
    expect_accepted(backend, [second, first]);
}

fn a_secret_that_is_not_listed_kills_them(backend: Backend) {
    let service = with_secrets(backend.service(), &random_secret(), "").start();
    let issued = Issued::by(&service);
    service.stop();
    let said = issued.presented_to(&with_secrets(service.again(), &random_secret(), "").start());
    assert!(said.iter().all(|(_, status)| *status != 200), "{said:?}");
}
