//! Sign-in with a provider at the account pages (C5.21).

use super::*;
use crate::harness::mfa::texts;
use crate::pages::Visitor;

on_both_databases!(
    c5_21_a_provider_leads_to_a_session_of_the_pages,
    c5_21_an_app_gets_its_code_after_the_provider,
    c5_21_the_second_factor_is_asked_after_the_provider,
    c5_21_a_trusted_device_is_known_after_the_provider,
    c5_21_a_flow_works_in_its_browser_once,
    c5_21_reasons_are_on_the_page,
    c5_21_without_a_password_the_provider_proves_it_again,
);

/// Presses the button of a provider, and signs a person in there up to the response that leads back.
#[track_caller]
fn press(home: &Home, visitor: &mut Visitor<'_>, path: &str, person: &Person) -> Reply {
    let url = visitor.submit(path, &[("provider", "corp")]).app_url();
    assert!(url.starts_with(&home.server.issuer("corp")), "{url}");
    come_back(visitor, &home.server.approve(&url, person))
}

/// Returns from the provider, whose redirect browsers send no strict cookies with.
fn come_back(visitor: &mut Visitor<'_>, query: &str) -> Reply {
    let all = visitor.jar.clone();
    visitor.jar.retain(|name, _| name.contains("flow") || name.ends_with("portcullis_page"));
    let reply = visitor.open(&format!("/auth/providers/corp/callback?{query}"));
    visitor.jar = all.into_iter().chain(std::mem::take(&mut visitor.jar)).collect();
    reply
}

/// Follows the page that leads from the provider's response to the account pages.
#[track_caller]
fn go_on(visitor: &mut Visitor<'_>, reply: &Reply) -> Reply {
    let url = reply.app_url();
    let path = url.strip_prefix("../../../").unwrap_or_else(|| panic!("{url}"));
    assert!(path == "account/callback" || path.starts_with("account/callback?"), "{url}");
    visitor.open(&format!("/{path}"))
}

/// Returns the query of an app that sends people to the pages.
pub(crate) fn hosted_query() -> String {
    format!("?{}", crate::harness::steps::form(&parameters(&challenge(VERIFIER))))
}

/// Returns the code in the URL of the app.
pub(crate) fn code_at(url: &str) -> String {
    fields(url.strip_prefix(&format!("{BACK}&")).unwrap_or_else(|| panic!("{url}")))["code"].clone()
}

fn c5_21_a_provider_leads_to_a_session_of_the_pages(home: &'static Home) {
    let (person, mut visitor) = (Person::fresh(), Visitor::new(home));
    let page = visitor.open("/account/login").page(200);
    assert_eq!(page.matches("name=\"provider\"").count(), PROVIDERS.len());
    assert!(page.contains("Corp &amp; Co") || page.contains("Corp & Co"), "{page}");
    let path = "/account/login?continue=%2Faccount%2Fsecurity";
    let reply = press(home, &mut visitor, path, &person);
    assert!(!visitor.is_signed_in(), "not before the page of this origin");
    assert!(!reply.text().contains("code="), "no code in a URL: {}", reply.text());
    assert_eq!(go_on(&mut visitor, &reply).location(), "/account/security");
    assert!(visitor.open("/account").page(200).contains(person.claims["email"].as_str().unwrap()));
    let sid = visitor.jar["portcullis_page"].split('.').nth(2).unwrap().to_owned();
    assert_eq!(home.database.texts("methods", &format!("FROM sessions WHERE sid = '{sid}'")), ["fed"]);
    // The same person again is the same account.
    let mut other = Visitor::new(home);
    let reply = press(home, &mut other, "/account/login", &person);
    assert_eq!(go_on(&mut other, &reply).location(), "../account");
    assert_eq!(home.links_of(&person), 1);
    // A link of another site begins nothing, and an unknown provider is a page.
    visitor.open("/account/login?provider=corp&switch=1").page(200);
    let foreign = visitor.call("POST", "/account/login").header("Sec-Fetch-Site", "cross-site");
    foreign.fields(&[("provider", "corp")]).send().page(403);
    visitor.submit("/account/login", &[("provider", "nobody")]).page(404);
}

fn c5_21_an_app_gets_its_code_after_the_provider(home: &'static Home) {
    let (person, mut visitor) = (Person::fresh(), Visitor::new(home));
    let reply = press(home, &mut visitor, &format!("/account/login{}", hosted_query()), &person);
    let mut returned = go_on(&mut visitor, &reply).returned();
    assert_eq!((&*returned["state"], &*returned["iss"]), ("s 1", PUBLIC_URL));
    let pair = Pair::of(&home.exchange(&returned.remove("code").unwrap()));
    assert_eq!(texts(&jose::claims(&pair.access)["amr"]), ["fed"]);
    assert!(visitor.is_signed_in());
}

fn c5_21_the_second_factor_is_asked_after_the_provider(home: &'static Home) {
    let person = Person::fresh();
    let pair = home.signed_in("corp", &person);
    let (app, ..) = home.add_factor(&pair.access);
    let mut visitor = Visitor::new(home);
    let reply = press(home, &mut visitor, &format!("/account/login{}", hosted_query()), &person);
    let asked = go_on(&mut visitor, &reply);
    assert!(asked.location().starts_with("second-factor?redirect_uri="), "{}", asked.location());
    assert!(!visitor.is_signed_in());
    home.database.execute("UPDATE totp_factors SET last_step = 0");
    let path = crate::pages::resolve(&asked.location());
    let url = visitor.submit(&path, &[("code", &app.code())]).app_url();
    let pair = Pair::of(&home.exchange(&code_at(&url)));
    assert_eq!(texts(&jose::claims(&pair.access)["amr"]), ["fed", "otp", "mfa"]);
}

/// Browsers do not send the cookie of the device with a provider's redirect.
fn c5_21_a_trusted_device_is_known_after_the_provider(backend: Backend) {
    let home = Home::start(backend, |setup| setup.set("MFA_TRUST_DAYS", "30"));
    let person = Person::fresh();
    let pair = home.signed_in("corp", &person);
    let (app, ..) = home.add_factor(&pair.access);
    let mut visitor = Visitor::new(&home);
    let reply = press(&home, &mut visitor, "/account/login", &person);
    go_on(&mut visitor, &reply).location();
    home.database.execute("UPDATE totp_factors SET last_step = 0");
    visitor.submit("/account/second-factor", &[("code", &app.code()), ("remember_device", "true")]).location();
    visitor.submit("/account/logout", &[]).page(200);
    let reply = press(&home, &mut visitor, "/account/login", &person);
    assert_eq!(go_on(&mut visitor, &reply).location(), "../account", "no code is asked for");
}

fn c5_21_a_flow_works_in_its_browser_once(home: &'static Home) {
    let (person, mut visitor) = (Person::fresh(), Visitor::new(home));
    let url = visitor.submit("/account/login", &[("provider", "corp")]).app_url();
    let query = home.server.approve(&url, &person);
    let mut thief = Visitor::new(home);
    come_back(&mut thief, &query).page(410);
    let reply = come_back(&mut visitor, &query);
    // The page of the response is of no use elsewhere.
    let callback = format!("/{}", reply.app_url().trim_start_matches("../"));
    assert_eq!(thief.open(&callback).location(), "login?error=flow_expired");
    let stolen = Visitor { jar: visitor.jar.clone(), ..visitor.clone() };
    assert_eq!(visitor.open(&callback).location(), "../account");
    assert_eq!(visitor.open(&callback).location(), "login?error=flow_expired", "the cookie is gone");
    assert!(visitor.is_signed_in());
    assert_eq!(stolen.call("GET", &callback).send().location(), "login?error=flow_expired");
    assert!(!visitor.is_signed_in(), "a second use of the code ends the session");
}

fn c5_21_reasons_are_on_the_page(home: &'static Home) {
    let account = home.verified();
    let mut visitor = Visitor::new(home);
    let path = format!("/account/login{}", hosted_query());
    let cases: [(&str, Person, &str); 2] = [
        ("closed", Person::fresh(), "There's no account for you here yet"),
        ("strict", Person::new(&account.email), "You already have an account with that email address"),
    ];
    for (name, person, text) in cases {
        let url = visitor.submit(&path, &[("provider", name)]).app_url();
        let query = home.server.approve(&url, &person);
        let reply = visitor.open(&format!("/auth/providers/{name}/callback?{query}"));
        let location = reply.location();
        let page = visitor.open(location.strip_prefix("../../..").unwrap());
        assert!(page.problem(200).starts_with(text), "{}", page.text());
        assert!(page.text().contains("redirect_uri="), "the app's parameters are still there");
    }
    let url = visitor.submit(&path, &[("provider", "corp")]).app_url();
    let state = fields(url.split_once('?').unwrap().1)["state"].clone();
    let reply = come_back(&mut visitor, &format!("error=access_denied&state={state}"));
    let page = visitor.open(reply.location().strip_prefix("../../..").unwrap());
    assert!(page.problem(200).starts_with("The sign-in was canceled"), "{}", page.text());
    for odd in ["", "x", "%3Cscript%3E"] {
        assert!(!visitor.open(&format!("/account/login?error={odd}")).page(200).contains("role=\"alert\""));
    }
    assert!(!visitor.is_signed_in());
}

fn c5_21_without_a_password_the_provider_proves_it_again(home: &'static Home) {
    let (person, mut visitor) = (Person::fresh(), Visitor::new(home));
    let reply = press(home, &mut visitor, "/account/login", &person);
    go_on(&mut visitor, &reply).location();
    let at = home.database.ago(601);
    let sid = visitor.jar["portcullis_page"].split('.').nth(2).unwrap().to_owned();
    home.database.execute(&format!("UPDATE sessions SET authenticated_at = {at} WHERE sid = '{sid}'"));
    let path = "/account/reauthenticate?continue=%2Faccount%2Fsecurity";
    let page = visitor.open(path).page(200);
    assert_eq!(page.matches("name=\"provider\"").count(), 1, "only a linked one: {page}");
    assert!(!page.contains("name=\"password\""), "{page}");
    let url = visitor.submit(path, &[("provider", "corp")]).app_url();
    let sent = fields(url.split_once('?').unwrap().1);
    assert_eq!((&*sent["prompt"], sent["login_hint"].as_str()), ("login", person.claims["email"].as_str().unwrap()));
    let reply = come_back(&mut visitor, &home.server.approve(&url, &person));
    assert_eq!(go_on(&mut visitor, &reply).location(), "/account/security");
    assert_eq!(visitor.open(path).location(), "/account/security");
}
