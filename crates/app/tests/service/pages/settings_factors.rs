//! Authenticator apps, recovery codes and remembered devices at the account pages.

use super::{Site, Visitor};
use crate::accounts::NEW;
use crate::harness::totp::Authenticator;
use crate::prelude::*;

on_both_databases!(
    c5_23_an_app_is_set_up_with_its_secret,
    c5_23_apps_are_renamed_and_removed,
    c5_23_apps_of_another_account_stay,
    c5_23_an_app_that_can_no_longer_be_confirmed_is_set_up_again,
    c5_24_new_recovery_codes_replace_the_old_ones,
    c5_25_a_remembered_device_is_forgotten,
    c5_32_a_reset_page_keeps_the_box_after_an_error,
);

const SETUP: &str = "/account/authenticator";

/// Returns the value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Begins to set up an app, and returns it and its id.
#[track_caller]
fn begin(visitor: &mut Visitor<'_>, name: &str) -> (Authenticator, String) {
    let page = visitor.submit(SETUP, &[("name", name)]).page(200);
    let secret = page.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
    assert!(page.contains("<svg xmlns=") && page.contains(&format!("secret={secret}&issuer=")), "{page}");
    (Authenticator::of(&secret), hidden(&page, "id"))
}

#[track_caller]
fn codes_in(page: &str) -> Vec<String> {
    let codes: Vec<_> = page.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10, "{page}");
    codes
}

/// Signs an enrolled account in.
fn signed_in<'a>(site: &'a Site, of: &Enrolled) -> Visitor<'a> {
    let mut visitor = Visitor::new(site);
    visitor.log_in("", &of.account);
    visitor.submit("/account/second-factor", &[("code", &site.fresh_code(of))]).location();
    visitor
}

fn c5_23_an_app_is_set_up_with_its_secret(site: Site) {
    let account = site.account();
    let (mut visitor, other) = (Visitor::signed_in(&site, &account), site.sign_in(&account));
    assert!(visitor.open("/account/security").page(200).contains(">Off<"));
    assert_eq!(visitor.submit(SETUP, &[("name", " ")]).problem(422), "Enter a name of up to 64 characters.");
    let (app, id) = begin(&mut visitor, "<b>Phone</b>");
    let confirm = |visitor: &mut Visitor<'_>, code: &str| visitor.submit(SETUP, &[("id", &id), ("code", code)]);
    assert_eq!(confirm(&mut visitor, "").problem(422), "Enter a code.");
    let wrong = confirm(&mut visitor, &app.wrong());
    assert_eq!(wrong.problem(422), "This code is wrong or was used before. Enter a new one.");
    assert!(wrong.text().contains(&id) && !wrong.text().contains("class=\"secret\""), "the secret is displayed once");
    let confirmed = confirm(&mut visitor, &app.code()).page(200);
    assert!(confirmed.contains("Two-step verification is on. Your other devices were signed out."), "{confirmed}");
    let codes = codes_in(&confirmed);
    let file = confirmed.split("href=\"data:text/plain;charset=utf-8,").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(file, codes.iter().map(|code| format!("{code}%0A")).collect::<String>());
    site.me(&other.access).revoked();
    let page = visitor.open("/account/security").page(200);
    assert!(page.contains("&lt;b&gt;Phone&lt;/b&gt;") && page.contains("Codes left: 10."), "{page}");
    assert!(!codes.iter().any(|code| page.contains(code)));
    let mut next = Visitor::new(&site);
    next.log_in("", &account);
    next.submit("/account/second-factor", &[("code", &codes[0])]).location();
}

fn c5_23_apps_are_renamed_and_removed(site: Site) {
    let of = site.enrolled();
    let mut visitor = signed_in(&site, &of);
    let act = |visitor: &mut Visitor<'_>, action: &str, more: &[(&str, &str)]| {
        let fields = [&[("action", action), ("id", &*of.factor)], more].concat();
        visitor.submit("/account/security", &fields)
    };
    assert_eq!(act(&mut visitor, "rename", &[("name", "")]).problem(422), "Enter a name of up to 64 characters.");
    assert_eq!(act(&mut visitor, "rename", &[("name", "Tablet")]).location(), "security?done=app_renamed");
    assert!(visitor.open("/account/security").page(200).contains("<h3>Tablet</h3>"));
    let (app, id) = begin(&mut visitor, "Phone");
    let second = visitor.submit(SETUP, &[("id", &id), ("code", &app.code())]);
    assert_eq!(second.location(), "security?done=app_added", "and no recovery codes");
    assert!(visitor.follow(&second).page(200).contains("<h3>Phone</h3>"));
    assert_eq!(act(&mut visitor, "remove", &[]).location(), "security?done=app_removed");
    assert_eq!(act(&mut visitor, "remove", &[]).location(), "security?done=app_removed", "pressed twice");
    assert_eq!(act(&mut visitor, "explode", &[]).problem(422), "We couldn't read this form. Open the page again.");
    let last = visitor.submit("/account/security", &[("action", "remove"), ("id", &id)]);
    assert_eq!(last.location(), "security?done=second_step_off");
    assert!(visitor.follow(&last).page(200).contains(">Off<"));
    site.sign_in(&of.account);
}

fn c5_23_apps_of_another_account_stay(site: Site) {
    let (of, mut visitor) = (site.enrolled(), Visitor::signed_in(&site, &site.account()));
    for action in ["rename", "remove"] {
        let fields = [("action", action), ("id", &*of.factor), ("name", "Mine")];
        assert_eq!(visitor.submit("/account/security", &fields).location(), "security?done=app_removed");
    }
    let factors = site.factors(&of.pair.access);
    assert_eq!((&factors["enabled"], &factors["factors"][0]["name"]), (&json!(true), &json!("Authenticator")));
}

fn c5_23_an_app_that_can_no_longer_be_confirmed_is_set_up_again(site: Site) {
    let mut visitor = Visitor::signed_in(&site, &site.account());
    let (app, id) = begin(&mut visitor, "Phone");
    begin(&mut visitor, "Another");
    let late = visitor.submit(SETUP, &[("id", &id), ("code", &app.code())]);
    assert_eq!(late.problem(422), "The setup took too long. Start again with a new QR code.");
    assert!(late.text().contains("href=\"authenticator\""), "{}", late.text());
    let of = site.enrolled();
    (1..5).for_each(|_| drop(site.add_factor(&of.pair.access)));
    let full = signed_in(&site, &of).submit(SETUP, &[("name", "Sixth")]);
    assert_eq!(full.problem(409), "You already have five apps. Remove one first.");
}

fn c5_24_new_recovery_codes_replace_the_old_ones(site: Site) {
    let mut plain = Visitor::signed_in(&site, &site.account());
    assert_eq!(plain.open("/account/recovery-codes").location(), "security", "there is no second factor");
    assert_eq!(plain.submit("/account/recovery-codes", &[]).location(), "security");
    let of = site.enrolled();
    let mut visitor = signed_in(&site, &of);
    assert!(visitor.open("/account/recovery-codes").page(200).contains("The old ones will stop working."));
    let codes = codes_in(&visitor.submit("/account/recovery-codes", &[]).page(200));
    let mut next = Visitor::new(&site);
    next.log_in("", &of.account);
    next.submit("/account/second-factor", &[("code", &of.codes[0])]).page(422);
    next.submit("/account/second-factor", &[("code", &codes[0])]).location();
}

fn c5_25_a_remembered_device_is_forgotten(site: Site) {
    let of = site.enrolled();
    let mut visitor = Visitor::new(&site);
    visitor.log_in("", &of.account);
    let fields = [("code", &*site.fresh_code(&of)), ("remember_device", "true")];
    visitor.submit("/account/second-factor", &fields).location();
    assert_eq!(visitor.log_in("", &of.account).location(), "../account", "no code is asked for");
    let page = visitor.open("/account/security").page(200);
    assert!(page.contains("Remembered devices") && page.contains("This device"), "{page}");
    let device = page.split("value=\"forget\">").nth(1).unwrap();
    let id = hidden(device, "id");
    let mut stranger = Visitor::signed_in(&site, &site.account());
    let forget = |visitor: &mut Visitor<'_>| {
        visitor.submit("/account/security", &[("action", "forget"), ("id", &id)]).location()
    };
    assert_eq!(forget(&mut stranger), "security?done=device_forgotten");
    assert_eq!(visitor.log_in("", &of.account).location(), "../account", "not that one's device");
    assert_eq!(forget(&mut visitor), "security?done=device_forgotten");
    assert!(!visitor.open("/account/security").page(200).contains("Remembered devices"));
    assert_eq!(visitor.log_in("", &of.account).location(), "second-factor");
}

fn c5_32_a_reset_page_keeps_the_box_after_an_error(site: Site) {
    let account = site.account();
    let token = site.reset_token(&account, 2);
    let page = site.get(&format!("/account/reset?token={token}")).page(200);
    assert!(page.contains("name=\"remove_other_sign_in_methods\">Also remove"), "{page}");
    let fields = [("token", &*token), ("new_password", NEW), ("repetition", "else")];
    assert!(!site.submit("reset", &fields).page(422).contains(" checked"));
    let again = site.submit("reset", &[&fields[..], &[("remove_other_sign_in_methods", "on")]].concat());
    assert!(again.page(422).contains("name=\"remove_other_sign_in_methods\" checked"), "{}", again.text());
}
