//! The second factor on the way: codes, recovery codes, trusted devices, and an enrolment.

use super::{PAGE, Site, Visitor, app_query, code_in, query, with_apps};
use crate::harness::mfa::texts;
use crate::harness::totp::Authenticator;
use crate::prelude::*;

const FACTOR: &str = "/account/second-factor";

on_both_databases!(
    c5_9_the_second_factor_is_asked_on_the_way,
    c5_9_a_wrong_code_is_counted_and_the_next_one_works,
    c5_9_a_recovery_code_works_once_and_the_last_brings_new_ones,
    c5_9_without_the_first_factor_there_is_no_second,
    c5_9_a_trusted_device_needs_no_code_and_neither_do_its_apps,
    c5_10_an_enrolment_ends_signed_in,
    c5_10_a_wrong_code_leaves_it_pending,
);

/// Presents the first factor.
#[track_caller]
fn first(visitor: &mut Visitor<'_>, query: &str, of: &Enrolled) {
    assert_eq!(visitor.log_in(query, &of.account).location(), format!("second-factor{query}"));
    assert!(!visitor.jar.contains_key(PAGE) && !visitor.is_signed_in());
}

fn c5_9_the_second_factor_is_asked_on_the_way(site: Site) {
    let enrolled = site.enrolled();
    let mut visitor = Visitor::new(&site);
    let target = query(&[("continue", "/account/security")]).to_lowercase();
    let reply = visitor.log_in(&target, &enrolled.account);
    assert_eq!(reply.location(), "second-factor?continue=%2Faccount%2Fsecurity", "and no token in the URL");
    let cookie = reply.cookies().into_iter().find(|cookie| cookie.name.ends_with("challenge")).unwrap();
    assert_eq!((&*cookie.name, cookie.max_age()), ("__Host-portcullis_challenge", Some(300)));
    assert_eq!(cookie.lasting(), "HttpOnly; Path=/; SameSite=Strict; Secure");
    assert!(!visitor.is_signed_in());
    let page = visitor.follow(&reply).page(200);
    assert!(page.contains("name=\"code\"") && page.contains("name=\"remember_device\""), "{page}");
    assert!(!page.contains(&cookie.value), "nor in the page");
    let done = visitor.submit(&format!("{FACTOR}{target}"), &[("code", &site.fresh_code(&enrolled))]);
    assert_eq!(done.location(), "/account/security");
    assert!(visitor.is_signed_in() && !visitor.jar.keys().any(|name| name.ends_with("challenge")), "{:?}", visitor.jar);
    let methods = format!("FROM sessions WHERE sid = '{}'", visitor.sid());
    assert_eq!(site.database.texts("methods", &methods), ["pwd otp mfa"]);
    // The form again, as by the back button: the browser is signed in and goes on.
    let again = visitor.submit(FACTOR, &[("code", &site.fresh_code(&enrolled))]);
    assert_eq!(again.location(), "login");
    assert_eq!(visitor.follow(&again).location(), "../account");
}

fn c5_9_a_wrong_code_is_counted_and_the_next_one_works(backend: Backend) {
    let service = with_apps(backend.service()).set("RATE_LIMIT_ENABLED", "true").set("RATE_LIMIT_MFA", "3/1h").start();
    let enrolled = service.enrolled();
    let mut visitor = Visitor::new(&service);
    first(&mut visitor, "", &enrolled);
    let wrong = visitor.submit(FACTOR, &[("code", &enrolled.app.wrong())]);
    assert_eq!(wrong.problem(422), "This code is wrong or was used before. Enter a new one.");
    assert_eq!(visitor.submit(FACTOR, &[]).problem(422), "Enter a code.");
    let code = service.fresh_code(&enrolled);
    visitor.submit(FACTOR, &[("code", &code)]).location();
    let mut thief = Visitor::new(&service);
    first(&mut thief, "", &enrolled);
    thief.submit(FACTOR, &[("code", &code)]).page(422);
    thief.submit(FACTOR, &[("code", "nonsense")]).page(422);
    assert_eq!(
        thief.submit(FACTOR, &[("code", &service.fresh_code(&enrolled))]).problem(429),
        "Too many attempts. Try again later."
    );
    assert!(!thief.is_signed_in());
}

fn c5_9_a_recovery_code_works_once_and_the_last_brings_new_ones(site: Site) {
    let enrolled = site.enrolled();
    let mut visitor = Visitor::new(&site);
    first(&mut visitor, "", &enrolled);
    visitor.submit(FACTOR, &[("code", &enrolled.codes[0].to_lowercase())]).location();
    let mut other = Visitor::new(&site);
    first(&mut other, "", &enrolled);
    other.submit(FACTOR, &[("code", &enrolled.codes[0])]).page(422);
    // All but one are used up.
    let keep = "id = (SELECT max(id) FROM recovery_codes";
    let own = format!("user_id = {}", enrolled.account.id);
    site.database.execute(&format!("DELETE FROM recovery_codes WHERE {own} AND NOT {keep} WHERE {own})"));
    let mut left = enrolled.codes.iter();
    let page = loop {
        let code = left.next().expect("the code that is left");
        let reply = other.submit(&format!("{FACTOR}{}", app_query()), &[("code", code)]);
        if reply.status == 200 {
            break reply.page(200);
        }
    };
    assert!(page.contains("Save your recovery codes"), "{page}");
    let codes: Vec<_> = page.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(codes.len(), 10);
    assert!(other.is_signed_in());
    // The parameters of the app are still there.
    let next = page.split("href=\"login").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(other.open(&format!("/account/login{next}")).page(200).contains("Continue with this account"));
    let mut third = Visitor::new(&site);
    first(&mut third, "", &enrolled);
    third.submit(FACTOR, &[("code", codes[3])]).location();
}

fn c5_9_without_the_first_factor_there_is_no_second(site: Site) {
    let enrolled = site.enrolled();
    let code = || site.fresh_code(&enrolled);
    let mut visitor = Visitor::new(&site);
    assert_eq!(visitor.open(FACTOR).location(), "login");
    assert_eq!(visitor.submit(FACTOR, &[("code", &code())]).location(), "login");
    let token = site.challenge(&enrolled.account);
    for (name, value) in [
        ("__Host-portcullis_challenge", format!("{token}x")),
        ("__Host-portcullis_challenge", enrolled.pair.access.clone()),
        ("portcullis_challenge", token.clone()),
    ] {
        visitor.jar = [(name.to_owned(), value)].into();
        assert!(visitor.submit(FACTOR, &[("code", &code())]).location().starts_with("login"), "{name}");
        assert!(!visitor.jar.contains_key(PAGE));
    }
    // A token of another purpose, and one of before a new password.
    visitor.jar = [("__Host-portcullis_challenge".to_owned(), token)].into();
    assert!(visitor.open("/account/enrol").location().starts_with("login?error=flow_expired"));
    first(&mut visitor, "", &enrolled);
    let pair = site.sign_in_fully(&enrolled);
    site.change_password(&pair.access, &enrolled.account.password, crate::accounts::NEW).has_status(200);
    let reply = visitor.submit(FACTOR, &[("code", &code())]);
    assert_eq!(reply.location(), "login?error=flow_expired");
    assert!(!visitor.jar.contains_key("__Host-portcullis_challenge"), "the dead token is deleted");
    assert_eq!(visitor.follow(&reply).problem(200), "The sign-in took too long. Please sign in again.");
}

fn c5_9_a_trusted_device_needs_no_code_and_neither_do_its_apps(site: Site) {
    let enrolled = site.enrolled();
    let mut visitor = Visitor::new(&site);
    first(&mut visitor, "", &enrolled);
    visitor.submit(FACTOR, &[("code", &site.fresh_code(&enrolled)), ("remember_device", "true")]).location();
    visitor.submit("/account/logout", &[]);
    // The app's own client is unknown: it is the browser that is trusted.
    let code = code_in(&visitor.log_in(&app_query(), &enrolled.account).app_url());
    let pair = Pair::of(&site.exchange_code(&code));
    assert_eq!(texts(&jose::claims(&pair.access)["amr"]), ["pwd"]);
    // Once the device is forgotten, the person signs in again before the app gets a code.
    site.ask("DELETE", "/auth/mfa/devices", &pair.access).has_status(204);
    let account = enrolled.account.id.to_string();
    let again = visitor.submit(&format!("/account/login{}", app_query()), &[("account", &account)]);
    assert!(again.location().ends_with("&switch=1"), "{}", again.location());
    visitor.follow(&again).page(200);
    first(&mut Visitor { jar: std::collections::BTreeMap::new(), ..visitor.clone() }, "", &enrolled);
}

fn c5_10_an_enrolment_ends_signed_in(backend: Backend) {
    let service = with_apps(backend.service()).set("MFA_REQUIRED", "true").start();
    let account = service.account();
    let mut visitor = Visitor::new(&service);
    let reply = visitor.log_in(&app_query(), &account);
    let path = super::resolve(&reply.location());
    assert!(path.starts_with("/account/enrol?redirect_uri="), "{path}");
    visitor.follow(&reply).page(200);
    assert_eq!(service.rows_of(&account, "totp_factors"), 0, "opening the page begins nothing");
    let begun = visitor.submit(&path, &[]).page(200);
    assert!(begun.contains("<svg ") && begun.contains("otpauth://totp/"), "{begun}");
    let secret = begun.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap();
    let id = begun.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let app = Authenticator::of(secret);
    assert!(!visitor.is_signed_in());
    let done = visitor.submit(&path, &[("id", id), ("code", &app.code())]).page(200);
    assert_eq!(done.matches("<code>").count(), 10, "{done}");
    assert!(visitor.is_signed_in());
    // On to the app, whose session is one of both factors.
    let next = super::resolve(&format!("login{}", app_query()));
    assert!(visitor.open(&next).page(200).contains(&account.email));
    let code = code_in(&visitor.submit(&next, &[("account", &account.id.to_string())]).app_url());
    let pair = Pair::of(&service.exchange_code(&code));
    assert_eq!(texts(&jose::claims(&pair.access)["amr"]), ["pwd", "otp", "mfa"]);
    // The token has begun its session.
    let mut again = Visitor::new(&service);
    again.log_in("", &account);
    assert!(again.open("/account/enrol").location().starts_with("login?error="));
}

fn c5_10_a_wrong_code_leaves_it_pending(backend: Backend) {
    let service = with_apps(backend.service()).set("MFA_REQUIRED", "true").start();
    let account = service.account();
    let mut visitor = Visitor::new(&service);
    visitor.log_in("", &account);
    let begin = |visitor: &mut Visitor<'_>| {
        let page = visitor.submit("/account/enrol", &[]).page(200);
        let part = |before: &str| page.split(before).nth(1).unwrap().split(['<', '"']).next().unwrap().to_owned();
        (part("name=\"id\" value=\""), Authenticator::of(&part("class=\"secret\">")))
    };
    let (id, app) = begin(&mut visitor);
    let wrong = visitor.submit("/account/enrol", &[("id", &id), ("code", &app.wrong())]);
    let page = wrong.page(422);
    assert!(page.contains(&format!("value=\"{id}\"")) && page.contains("href=\"#code\""), "{page}");
    let (newer, app_2) = begin(&mut visitor);
    for (id, code) in [(&*id, app.code()), ("x", app_2.code())] {
        let replaced = visitor.submit("/account/enrol", &[("id", id), ("code", &code)]);
        assert!(matches!(replaced.status, 404 | 422), "{}", replaced.text());
    }
    assert!(!visitor.is_signed_in());
    visitor.submit("/account/enrol", &[("id", &newer), ("code", &app_2.code())]).page(200);
    assert!(visitor.is_signed_in());
}
