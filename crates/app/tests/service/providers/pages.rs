//! Sign-in with a provider at the account pages (C5.21), and the accounts that are connected there (C5.26).

use super::*;
use crate::accounts::NEW;
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
    c5_30_another_account_is_no_proof,
    c5_22_an_account_without_a_password_sets_one,
    c5_26_an_account_is_connected_and_disconnected,
    c5_26_an_account_of_another_one_is_not_connected,
    c5_26_a_flow_ends_with_its_session,
    c5_30_without_a_password_recent_authentication_proves_it,
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
        assert!(!visitor.open(&format!("/account/login?error={odd}")).page(200).contains("id=\"problem\""));
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

/// Signs a new person in by a provider: an account without a password.
fn newcomer(home: &'static Home) -> Visitor<'static> {
    let mut visitor = Visitor::new(home);
    let reply = press(home, &mut visitor, "/account/login", &Person::fresh());
    go_on(&mut visitor, &reply).location();
    visitor
}

/// Returns the page of connected accounts that the provider's response leads to.
#[track_caller]
fn back_at_identities(visitor: &mut Visitor<'_>, reply: &Reply) -> Reply {
    let location = reply.location();
    visitor.open(location.strip_prefix(PUBLIC_URL).unwrap_or_else(|| panic!("{location}")))
}

fn c5_22_an_account_without_a_password_sets_one(home: &'static Home) {
    let mut visitor = newcomer(home);
    let page = visitor.open("/account/password").page(200);
    assert!(page.contains("Set a password") && !page.contains("current_password"), "{page}");
    let set = visitor.submit("/account/password", &[("new_password", NEW), ("repetition", NEW)]);
    assert_eq!(set.location(), "security?done=password_set");
    let page = visitor.open("/account/email").page(200);
    let email = page.split("class=\"address\">").nth(1).unwrap().split('<').next().unwrap();
    home.login(email, NEW).expect(200);
    // From now on it is needed.
    let again = visitor.submit("/account/password", &[("new_password", NEW), ("repetition", NEW)]);
    assert_eq!(again.problem(422), "Enter your password.");
}

fn c5_26_an_account_is_connected_and_disconnected(home: &'static Home) {
    let (account, person) = (home.verified(), Person::fresh());
    let mut visitor = Visitor::signed_in(home, &account);
    let path = "/account/identities";
    assert_eq!(visitor.open(path).page(200).matches("name=\"provider\"").count(), PROVIDERS.len());
    let url = visitor.submit(path, &[("provider", "corp")]).app_url();
    let query = home.server.approve(&url, &person);
    let mut thief = Visitor { jar: std::collections::BTreeMap::new(), ..visitor.clone() };
    come_back(&mut thief, &query).page(410);
    let back = come_back(&mut visitor, &query);
    assert_eq!(back.location(), format!("{PUBLIC_URL}/account/identities?done=identity_linked"));
    let page = back_at_identities(&mut visitor, &back).page(200);
    let email = person.claims["email"].as_str().unwrap();
    assert!(page.contains("The account was connected.") && page.contains(email), "{page}");
    assert!(page.contains("Corp & Co</h3>"), "{page}");
    let mut other = Visitor::new(home);
    let reply = press(home, &mut other, "/account/login", &person);
    go_on(&mut other, &reply).location();
    assert!(other.open("/account").page(200).contains(&account.email), "the person signs in to this account");
    let id = page.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let disconnect = |visitor: &mut Visitor<'_>| visitor.submit(path, &[("id", id)]).location();
    assert_eq!(disconnect(&mut newcomer(home)), "identities?done=identity_unlinked");
    assert_eq!(home.links_of(&person), 1, "another account's");
    assert_eq!(disconnect(&mut visitor), "identities?done=identity_unlinked");
    assert_eq!(disconnect(&mut visitor), "identities?done=identity_unlinked", "pressed twice");
    assert_eq!(home.links_of(&person), 0);
}

fn c5_26_an_account_of_another_one_is_not_connected(home: &'static Home) {
    let (account, person) = (home.verified(), Person::fresh());
    home.signed_in("corp", &person);
    let mut visitor = Visitor::signed_in(home, &account);
    let url = visitor.submit("/account/identities", &[("provider", "corp")]).app_url();
    let back = come_back(&mut visitor, &home.server.approve(&url, &person));
    let page = back_at_identities(&mut visitor, &back);
    assert_eq!(page.problem(200), "This account is already connected to another account here.");
    assert!(!page.text().contains("role=\"status\"") && !page.text().contains("name=\"id\""), "{}", page.text());
    let url = visitor.submit("/account/identities", &[("provider", "corp")]).app_url();
    let state = fields(url.split_once('?').unwrap().1)["state"].clone();
    let back = come_back(&mut visitor, &format!("error=access_denied&state={state}"));
    let page = back_at_identities(&mut visitor, &back);
    assert_eq!(page.problem(200), "You canceled at the other service. Nothing has changed.");
    // The only way to sign in stays.
    let mut alone = newcomer(home);
    let page = alone.open("/account/identities").page(200);
    let id = page.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let kept = alone.submit("/account/identities", &[("id", id)]);
    assert_eq!(kept.problem(409), "This is your only way to sign in. Set a password first.");
    visitor.submit("/account/identities", &[("provider", "nobody")]).page(404);
    visitor.submit("/account/identities", &[]).page(422);
}

fn c5_26_a_flow_ends_with_its_session(home: &'static Home) {
    let (account, person) = (home.verified(), Person::fresh());
    let mut visitor = Visitor::signed_in(home, &account);
    let url = visitor.submit("/account/identities", &[("provider", "corp")]).app_url();
    let query = home.server.approve(&url, &person);
    visitor.submit("/account/logout", &[]).page(200);
    let back = come_back(&mut visitor, &query);
    assert!(back.location().ends_with("error=flow_expired"), "{}", back.location());
    assert_eq!(home.links_of(&person), 0);
}

fn c5_30_without_a_password_recent_authentication_proves_it(home: &'static Home) {
    let mut visitor = newcomer(home);
    visitor.authenticated_earlier();
    for (page, fields) in [
        ("password", vec![("new_password", NEW), ("repetition", NEW)]),
        ("email", vec![("email", "new@example.com")]),
        ("delete", vec![("sure", "on")]),
    ] {
        let (path, asks) = (format!("/account/{page}"), format!("reauthenticate?continue=%2Faccount%2F{page}"));
        assert_eq!((visitor.open(&path).location(), visitor.submit(&path, &fields).location()), (asks.clone(), asks));
    }
    assert!(visitor.is_signed_in());
}

/// The person comes back from the provider as someone else: nothing changes, and the page says why.
fn c5_30_another_account_is_no_proof(home: &'static Home) {
    let mut visitor = newcomer(home);
    visitor.authenticated_earlier();
    let (known, verified) = (Person::fresh(), home.verified());
    let other = home.account_of(&home.signed_in("corp", &known));
    let path = "/account/reauthenticate?continue=%2Faccount%2Fsecurity";
    let come_back_as = |visitor: &mut Visitor<'static>, query: &dyn Fn(&str) -> String| {
        let url = visitor.submit(path, &[("provider", "corp")]).app_url();
        let location = come_back(visitor, &query(&url)).location();
        let page = location.strip_prefix("../../..").unwrap_or_else(|| panic!("{location}"));
        assert!(page.starts_with(&format!("{path}&error=")), "{location}");
        visitor.open(page)
    };
    let sid = visitor.sid();
    for (person, accounts, links) in [(known, 1, 1), (Person::fresh(), 0, 0), (Person::new(&verified.email), 1, 0)] {
        let page = come_back_as(&mut visitor, &|url| home.server.approve(url, &person));
        assert!(page.problem(200).starts_with("The account you used there isn't connected"), "{}", page.text());
        let found = home.database.count(&format!("FROM users WHERE email = '{}'", person.email()));
        assert_eq!(
            (found, home.links_of(&person), visitor.sid()),
            (accounts, links, sid.clone()),
            "{}",
            person.email()
        );
    }
    assert_eq!((home.rows_of(&other, "sessions"), home.rows_of(&verified, "sessions")), (1, 0));
    let cancel = |url: &str| format!("error=access_denied&state={}", fields(url.split_once('?').unwrap().1)["state"]);
    assert!(come_back_as(&mut visitor, &cancel).problem(200).starts_with("The sign-in was canceled"));
    let asks = "reauthenticate?continue=%2Faccount%2Fpassword";
    assert_eq!(visitor.open("/account/password").location(), asks, "still due");
}
