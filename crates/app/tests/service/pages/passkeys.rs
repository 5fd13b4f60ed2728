//! Passkeys on the pages. The software authenticator does what the script does: it reads the options in a page, and
//! posts the response. `cargo xtask check passkeys` runs the script itself, in Chromium.

use super::{OWN, Site, Visitor, app_query, query, resolve, with_apps};
use crate::harness::passkeys::{SoftwarePasskey, UP, new_key};
use crate::prelude::*;

const LOGIN: &str = "/account/login";
const FACTOR: &str = "/account/second-factor";
const PASSKEY: &str = "/account/passkey";
const SECURITY: &str = "/account/security";
const REFUSED: &str = "This passkey can't be used here. Try again, or sign in another way.";

on_both_databases!(
    c5_33_a_passkey_signs_in_and_goes_on,
    c5_33_a_passkey_that_is_wrong_signs_no_one_in,
    c5_33_a_security_key_is_the_second_step,
    c5_33_a_passkey_makes_the_authentication_recent,
    c5_33_a_passkey_is_added_renamed_and_removed,
    c5_33_what_is_wrong_with_a_new_passkey_is_on_its_page,
    c5_33_pages_have_the_script_only_for_passkeys,
    c5_33_without_passkeys_the_pages_are_as_before,
);

/// Returns a JSON attribute of a page.
#[track_caller]
fn attribute(reply: &Reply, name: &str) -> Value {
    let (text, start) = (reply.text(), format!("data-{name}=\""));
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no {name}: {text}"));
    let json = rest.split('"').next().unwrap().replace("&quot;", "\"").replace("&#x2f;", "/");
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

impl Visitor<'_> {
    /// Signs the options of a page, and posts the response to it.
    #[track_caller]
    fn present(&mut self, path: &str, key: &mut SoftwarePasskey) -> Reply {
        let credential = key.sign(&attribute(&self.open(path), "options")).to_string();
        self.submit(path, &[("credential", &credential), ("remember", "true")])
    }

    /// Adds a new passkey by the page.
    #[track_caller]
    fn add(&mut self, mut key: SoftwarePasskey, path: &str) -> (SoftwarePasskey, Reply) {
        let credential = key.register(&attribute(&self.open(path), "options")).to_string();
        let reply = self.submit(path, &[("name", "Phone"), ("credential", &credential)]);
        (key, reply)
    }

    fn methods(&self) -> Vec<String> {
        self.service.database.texts("methods", &format!("FROM sessions WHERE sid = '{}'", self.sid()))
    }
}

fn security_key() -> SoftwarePasskey {
    let mut key = new_key(OWN);
    key.flags = UP;
    key.discoverable = false;
    key
}

fn c5_33_a_passkey_signs_in_and_goes_on(site: Site) {
    let account = site.account();
    let (mut key, added) = Visitor::signed_in(&site, &account).add(new_key(OWN), PASSKEY);
    assert_eq!(added.location(), "security?done=passkey_added");
    let mut visitor = Visitor::new(&site);
    let form = visitor.open(LOGIN).page(200);
    assert!(form.contains("autocomplete=\"username webauthn\"") && form.contains("data-passkey=\"get\""), "{form}");
    let target = query(&[("continue", SECURITY)]);
    assert_eq!(visitor.present(&format!("{LOGIN}{target}"), &mut key).location(), SECURITY);
    assert_eq!(visitor.methods(), ["hwk user mfa"]);
    let page = visitor.open("/account").page(200);
    assert!(page.contains(&account.email) && page.contains("With a passkey"), "{page}");
    // On to an app, and without "keep me signed in".
    let mut visitor = Visitor::new(&site);
    let path = format!("{LOGIN}{}", app_query());
    visitor.present(&path, &mut key).app_url();
    let mut visitor = Visitor::new(&site);
    let credential = key.sign(&attribute(&visitor.open(LOGIN), "options")).to_string();
    let reply = visitor.submit(LOGIN, &[("credential", &credential)]);
    let cookie = reply.cookies().into_iter().find(|cookie| cookie.name == super::PAGE).unwrap();
    assert_eq!(cookie.max_age(), None, "until the browser closes");
}

fn c5_33_a_passkey_that_is_wrong_signs_no_one_in(site: Site) {
    let account = site.account();
    let (mut key, _) = Visitor::signed_in(&site, &account).add(new_key(OWN), PASSKEY);
    let mut visitor = Visitor::new(&site);
    let options = attribute(&visitor.open(LOGIN), "options");
    let api = site.sign_in_options();
    let used = key.sign(&options).to_string();
    visitor.clone().submit(LOGIN, &[("credential", &used)]).location();
    let unverified = key.sign_with(&api, |ceremony| ceremony.flags = UP).to_string();
    let elsewhere = key.sign_with(&api, |ceremony| ceremony.origin = "https://evil.example".to_owned()).to_string();
    for credential in [&*used, &unverified, &elsewhere, "{}", "nonsense", "[[[["] {
        let reply = visitor.submit(LOGIN, &[("credential", credential), ("email", "ada@example.org")]);
        assert_eq!(reply.problem(422), REFUSED, "{credential}");
        assert!(!reply.text().contains("data-signal"), "{credential}");
        assert_ne!(attribute(&reply, "options")["challenge"], options["challenge"], "new options");
    }
    // The browser may hide a passkey that no account has.
    let mut unknown = new_key(OWN);
    unknown.user_handle = key.user_handle.clone();
    let reply = visitor.present(LOGIN, &mut unknown);
    assert_eq!(reply.problem(422), REFUSED);
    assert_eq!(attribute(&reply, "argument"), json!({"credentialId": unknown.id(), "rpId": options["rpId"]}));
    assert!(reply.text().contains("data-signal=\"signalUnknownCredential\"") && !visitor.is_signed_in());
    // A form of another site, with an assertion for this one.
    let credential = key.sign(&attribute(&visitor.open(LOGIN), "options")).to_string();
    let call = visitor.call("POST", LOGIN).header("Sec-Fetch-Site", "cross-site");
    call.fields(&[("credential", &credential)]).send().page(403);
}

fn c5_33_a_security_key_is_the_second_step(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let path = format!("{PASSKEY}?second_factor=true");
    let (mut key, added) = visitor.add(security_key(), &path);
    assert_eq!(added.page(200).matches("<code>").count(), 10, "{}", added.text());
    let page = visitor.open(SECURITY).page(200);
    assert!(page.contains("one of your security keys") && page.contains("Recovery codes"), "{page}");
    let mut other = Visitor::new(&site);
    assert_eq!(other.log_in("", &account).location(), "second-factor");
    assert!(other.open(FACTOR).page(200).contains("One of your recovery codes."));
    let refused = other.present(FACTOR, &mut new_key(OWN));
    assert_eq!(refused.problem(422), REFUSED);
    let options = attribute(&refused, "options");
    assert_eq!(options["allowCredentials"][0]["id"], key.id());
    let credential = key.sign(&options).to_string();
    let done = other.submit(FACTOR, &[("credential", &credential), ("remember_device", "true")]);
    assert_eq!(done.location(), "../account");
    assert_eq!(other.methods(), ["pwd hwk mfa"]);
    // The device is remembered; a used signature is not accepted where it is not.
    let mut thief = Visitor::new(&site);
    thief.log_in("", &account).location();
    assert_eq!(thief.submit(FACTOR, &[("credential", &credential)]).problem(422), REFUSED);
    other.submit("/account/logout", &[]);
    assert_eq!(other.log_in("", &account).location(), "../account");
    // Without its last factor, the account signs in with the password alone.
    let id = site.database.texts("passkey_id", &format!("FROM passkeys WHERE user_id = {}", account.id)).remove(0);
    let removed = visitor.submit(SECURITY, &[("action", "remove_passkey"), ("id", &id)]);
    assert_eq!(removed.location(), "security?done=second_step_off");
    assert_eq!(Visitor::new(&site).log_in("", &account).location(), "../account");
}

fn c5_33_a_passkey_makes_the_authentication_recent(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let (mut key, _) = visitor.add(new_key(OWN), PASSKEY);
    visitor.authenticated_earlier();
    let away = visitor.open(PASSKEY);
    let again = resolve(&away.location());
    assert_eq!(again, "/account/reauthenticate?continue=%2Faccount%2Fpasskey");
    assert_eq!(visitor.present(&again, &mut new_key(OWN)).problem(422), REFUSED);
    let id = "00000000000000000000000000000000";
    let fields = [("action", "remove_passkey"), ("id", id)];
    assert!(visitor.submit(SECURITY, &fields).location().starts_with("reauthenticate?"), "also without a passkey");
    assert_eq!(visitor.present(&again, &mut key).location(), PASSKEY);
    visitor.open(PASSKEY).page(200);
    // An account without a password and without another way has its passkey.
    site.database.execute(&format!("UPDATE users SET no_password_hash = hashed_password WHERE id = {}", account.id));
    visitor.authenticated_earlier();
    let page = visitor.open(&again).page(200);
    assert!(page.contains("data-passkey") && !page.contains("name=\"password\""), "{page}");
    assert_eq!(visitor.present(&again, &mut key).location(), PASSKEY);
}

fn c5_33_a_passkey_is_added_renamed_and_removed(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    let (key, added) = visitor.add(new_key(OWN), PASSKEY);
    let listed = visitor.follow(&added);
    let page = listed.page(200);
    assert!(page.contains("Your passkey was added.") && page.contains("<h3>Phone</h3>"), "{page}");
    assert!(page.contains("signalAllAcceptedCredentials"), "{page}");
    assert_eq!(attribute(&listed, "argument")["allAcceptedCredentialIds"], json!([key.id()]));
    site.wait_for_mails(&account.email, 2);
    let id = page.split("name-").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let rename = |name| [("action", "rename_passkey"), ("id", &*id), ("name", name)];
    assert_eq!(visitor.submit(SECURITY, &rename("Laptop <1>")).location(), "security?done=passkey_renamed");
    assert!(visitor.open(SECURITY).text().contains("<h3>Laptop &lt;1&gt;</h3>"));
    visitor.submit(SECURITY, &rename(" ")).page(422);
    // Another account cannot touch it.
    let mut other = Visitor::signed_in(&site, &site.account());
    for fields in [&rename("Mine")[..], &[("action", "remove_passkey"), ("id", &id)]] {
        assert_eq!(other.submit(SECURITY, fields).location(), "security?done=passkey_removed", "as if it were gone");
    }
    assert!(visitor.open(SECURITY).text().contains("Laptop"));
    let removed = visitor.submit(SECURITY, &[("action", "remove_passkey"), ("id", &id)]);
    assert_eq!(removed.location(), "security?done=passkey_removed");
    let listed = visitor.follow(&removed);
    assert!(!listed.page(200).contains("Laptop"), "{}", listed.text());
    assert_eq!(attribute(&listed, "argument")["allAcceptedCredentialIds"], json!([]));
}

fn c5_33_what_is_wrong_with_a_new_passkey_is_on_its_page(site: Site) {
    let mut visitor = Visitor::signed_in(&site, &site.account());
    let mut key = new_key(OWN);
    let fresh = |visitor: &mut Visitor<'_>| attribute(&visitor.open(PASSKEY), "options");
    let unverified = key.register_with(&fresh(&mut visitor), |ceremony| ceremony.flags = UP | 0x40).to_string();
    let signed_in = site.sign_in_options();
    let mut foreign = fresh(&mut visitor);
    foreign["challenge"] = signed_in["challenge"].clone();
    let foreign = key.register(&foreign).to_string();
    let (failed, expired) =
        ("This passkey can't be added. Try again, or use another device.", "That took too long. Please try again.");
    for (name, credential, problem) in
        [("Phone", &*unverified, failed), ("Phone", &foreign, expired), ("Phone", "{", failed), ("Phone", "", failed)]
    {
        let reply = visitor.submit(PASSKEY, &[("name", name), ("credential", credential)]);
        assert_eq!(reply.problem(422), problem, "{credential}");
        assert!(reply.text().contains("value=\"Phone\""), "the typed name stays");
    }
    let credential = key.register(&fresh(&mut visitor)).to_string();
    let unnamed = visitor.submit(PASSKEY, &[("name", " "), ("credential", &credential)]).page(422);
    assert!(unnamed.contains("href=\"#name\""), "{unnamed}");
    assert_eq!(visitor.submit(PASSKEY, &[("name", "Phone"), ("credential", &credential)]).status, 303);
    let used = visitor.submit(PASSKEY, &[("name", "Phone"), ("credential", &credential)]);
    assert_eq!(used.problem(422), expired);
    let known = attribute(&used, "options");
    assert_eq!(known["excludeCredentials"][0]["id"], key.id());
    let taken = key.register(&known).to_string();
    let taken = visitor.submit(PASSKEY, &[("name", "Phone"), ("credential", &taken)]);
    assert_eq!(taken.problem(409), "This passkey is already in use. Choose another device or password manager.");
    for _ in 1..20 {
        assert_eq!(visitor.add(new_key(OWN), PASSKEY).1.status, 303);
    }
    let many = visitor.add(new_key(OWN), PASSKEY).1;
    assert_eq!(many.problem(409), "You already have 20 passkeys. Remove one first.");
}

fn c5_33_pages_have_the_script_only_for_passkeys(site: Site) {
    let account = site.account();
    let mut visitor = Visitor::signed_in(&site, &account);
    for (path, has_script) in [
        ("/account/login?switch=1", true),
        (PASSKEY, true),
        ("/account", false),
        (SECURITY, false),
        ("/account/password", false),
        ("/account/register", false),
        ("/account/reset", false),
    ] {
        let reply = visitor.open(path);
        let page = reply.page(200);
        assert_eq!(page.contains("<script src=\"assets/passkeys-"), has_script, "{path}: {page}");
        let policy = reply.header("Content-Security-Policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("connect-src"), "{policy}");
    }
    let page = visitor.open(PASSKEY).page(200);
    let script = page.split("src=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let script = site.get(&format!("/account/{script}"));
    assert_eq!((script.status, script.header("Content-Type")), (200, Some("text/javascript; charset=utf-8")));
}

fn c5_33_without_passkeys_the_pages_are_as_before(backend: Backend) {
    let service = with_apps(backend.service()).set("PUBLIC_URL", "http://127.0.0.1:8000").start();
    let account = service.account();
    let mut visitor = Visitor::new(&service);
    for page in [visitor.open(LOGIN), visitor.submit(LOGIN, &[("credential", "{}")])] {
        assert!(!page.text().contains("passkey") && !page.text().contains("webauthn"), "{}", page.text());
    }
    visitor.log_in("", &account).location();
    assert_eq!(visitor.open(PASSKEY).location(), "security");
    for path in ["/account", SECURITY, "/account/reauthenticate"] {
        let text = visitor.open(path).text().to_owned();
        assert!(!text.to_lowercase().contains("passkey"), "{text}");
    }
}
