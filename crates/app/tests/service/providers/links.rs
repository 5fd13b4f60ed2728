//! The flow that links an identity to one's own account. `clock` tests how long its URL lives.

use super::*;

on_both_databases!(
    c3_27_an_identity_is_linked_in_the_browser_of_the_session,
    c3_27_the_email_and_the_settings_of_sign_up_do_not_matter,
    c3_27_another_browser_links_nothing,
    c3_27_the_url_works_once,
    c3_27_the_end_of_the_session_ends_the_link,
    c3_27_an_access_cookie_proves_the_browser_too,
    c3_12_an_identity_of_another_account_is_taken,
    c3_12_an_identity_of_the_same_account_stays,
    c3_27_a_link_has_listed_members,
    c3_34_another_browsers_identity_ends_with_the_first_verification,
);

/// Browser that is logged in.
pub(super) struct Session<'a> {
    home: &'a Home,
    pair: Pair,
    /// Device cookie.
    cookie: String,
}

impl<'a> Session<'a> {
    /// Logs a new account with a verified address in.
    pub(super) fn begin(home: &'a Home) -> (Self, Account) {
        let account = home.verified();
        (Self::of(home, &account), account)
    }

    fn of(home: &'a Home, account: &Account) -> Self {
        let reply = home.login(&account.email, &account.password);
        Self { home, pair: Pair::of(&reply), cookie: reply.cookie() }
    }

    /// Begins to link an identity. Returns path and query of the one-time URL.
    #[track_caller]
    pub(super) fn offer(&self, name: &str) -> String {
        let path = format!("/auth/providers/{name}/link");
        let body = self.home.tell("POST", &path, &self.pair.access, &json!({"redirect_uri": BACK, "state": "s 1"}));
        let body = body.expect(200);
        assert_eq!((members(&body), &body["expires_in"]), (vec!["expires_in", "start_url"], &json!(60)));
        body["start_url"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap().to_owned()
    }

    /// Presses the button of the page at that URL.
    pub(super) fn confirm(&self, offer: &str) -> Reply {
        press(self.home, offer, &self.cookie)
    }

    /// Goes on to the provider.
    #[track_caller]
    fn go_on(&self, name: &str) -> Tab<'a> {
        let reply = self.confirm(&self.offer(name));
        reply.page(200);
        tab(self.home, name, &reply)
    }

    /// Links a person's identity and returns the end of the flow.
    #[track_caller]
    fn link(&self, name: &str, person: &Person) -> Reply {
        let tab = self.go_on(name);
        tab.back(&self.home.server.approve(&tab.url, person))
    }
}

/// Presses the button of the page at the URL of a link, in a browser with that cookie.
fn press(home: &Home, offer: &str, cookie: &str) -> Reply {
    let (path, token) = offer.split_once("?token=").unwrap();
    let call = home.call("POST", path).header("Cookie", cookie).header("Sec-Fetch-Site", "same-origin");
    call.fields(&[("token", token)]).send()
}

/// Reads the page that leads to the provider.
#[track_caller]
fn tab<'a>(home: &'a Home, name: &str, reply: &Reply) -> Tab<'a> {
    let text = reply.text().replace("&amp;", "&").replace("&#x2f;", "/").replace("&#x3a;", ":");
    let start = text.find(&home.server.issuer(name)).unwrap_or_else(|| panic!("{text}"));
    let url = text[start..].split(['"', '\'', '<']).next().unwrap().to_owned();
    Tab { service: home, name: name.to_owned(), url, cookie: reply.cookie() }
}

/// Checks the end of a link that succeeded: no code, and no error.
#[track_caller]
fn done(reply: &Reply) {
    let expected: Fields = [("state".to_owned(), "s 1".to_owned())].into();
    assert_eq!(reply.returned(), expected);
}

fn c3_27_an_identity_is_linked_in_the_browser_of_the_session(home: &'static Home) {
    let (session, account) = Session::begin(home);
    let (offer, person) = (session.offer("corp"), Person::fresh());
    let page = home.get(&offer);
    page.page(200);
    assert!(page.text().contains(&account.email) && page.text().contains("Corp &amp; Co"), "{}", page.text());
    assert!(!page.text().contains(&home.server.issuer("corp")), "only the button leads there");
    let tab = tab(home, "corp", &session.confirm(&offer));
    assert!(tab.url.contains("code_challenge_method=S256"), "{}", tab.url);
    done(&tab.back(&home.server.approve(&tab.url, &person)));
    assert_eq!(home.identities(&session.pair).len(), 1);
    assert_eq!(home.identities(&session.pair)[0]["email"], person.email());
    assert_eq!(home.notices(&account, "identity_linked").len(), 1);
    assert_eq!((home.rows_of(&account, "sessions"), home.rows_of(&account, "sign_in_codes")), (1, 0));
    assert_eq!(home.account_of(&home.signed_in("corp", &person)).id, account.id);
    home.sign_in(&account);
}

fn c3_27_the_email_and_the_settings_of_sign_up_do_not_matter(home: &'static Home) {
    let (session, account) = Session::begin(home);
    let other = home.verified();
    for (name, person) in [
        ("plain", Person::new(&other.email)),
        ("corp", Person::new(&other.email)),
        ("closed", Person::fresh().with("email", json!(null))),
        ("strict", Person::new(&account.email)),
        ("domains", Person::fresh().with("hd", "evil.example")),
        ("github", Person::fresh()),
    ] {
        done(&session.link(name, &person));
        assert_eq!(home.account_of(&home.signed_in(name, &person)).id, account.id, "{name}");
    }
    assert_eq!((home.rows_of(&account, "identities"), home.rows_of(&other, "identities")), (6, 0));
}

fn c3_27_another_browser_links_nothing(home: &'static Home) {
    let (attacker, account) = Session::begin(home);
    let (victim, _) = Session::begin(home);
    let other_device = Session::of(home, &account);
    let offer = attacker.offer("corp");
    let both = format!("{}; {}", attacker.cookie, victim.cookie);
    for cookie in [victim.cookie.as_str(), &other_device.cookie, "a=b", "portcullis_device=x", &both] {
        press(home, &offer, cookie).page(403);
    }
    // A form of another site.
    let (path, token) = offer.split_once("?token=").unwrap();
    let call = home.call("POST", path).header("Cookie", &attacker.cookie).header("Sec-Fetch-Site", "cross-site");
    assert_eq!(call.fields(&[("token", token)]).send().status, 403);
    // The URL at the provider leads a victim nowhere, since the flow is bound to the browser.
    let tab = tab(home, "corp", &attacker.confirm(&offer));
    let person = Person::fresh();
    tab.back_from(&victim.cookie, &home.server.approve(&tab.url, &person)).page(410);
    assert_eq!((home.links_of(&person), home.rows_of(&account, "identities")), (0, 0));
}

fn c3_27_the_url_works_once(home: &'static Home) {
    let (session, account) = Session::begin(home);
    let offer = session.offer("corp");
    let pressed = at_once(8, |_| session.confirm(&offer));
    assert_eq!(count(&pressed, 200), 1);
    pressed.iter().filter(|reply| reply.status != 200).for_each(|reply| drop(reply.page(410)));
    home.get(&offer).page(410);
    for token in ["", "x", &"0".repeat(64)] {
        let offer = format!("/auth/providers/corp/connect?token={token}");
        home.get(&offer).page(410);
        session.confirm(&offer).page(410);
    }
    // The token is no state of a flow.
    let token = session.offer("corp").split_once("?token=").unwrap().1.to_owned();
    let path = format!("/auth/providers/corp/callback?code=x&state={token}");
    home.call("GET", &path).header("Cookie", &session.cookie).send().page(410);
    assert_eq!(home.rows_of(&account, "identities"), 0);
}

fn c3_27_the_end_of_the_session_ends_the_link(home: &'static Home) {
    let (session, account) = Session::begin(home);
    let (offer, tab, person) = (session.offer("corp"), session.go_on("corp"), Person::fresh());
    home.logout(&session.pair.refresh).expect(200);
    home.get(&offer).page(410);
    session.confirm(&offer).page(410);
    let reply = tab.back(&home.server.approve(&tab.url, &person));
    assert!(reply.returned().contains_key("error"));
    assert_eq!((home.links_of(&person), home.rows_of(&account, "identities")), (0, 0));
    let (session, account) = Session::begin(home);
    let tab = session.go_on("corp");
    home.disable(&account);
    let reply = tab.back(&home.server.approve(&tab.url, &person));
    assert!(reply.returned().contains_key("error"));
    assert_eq!(home.links_of(&person), 0);
}

fn c3_27_an_access_cookie_proves_the_browser_too(backend: Backend) {
    let home = Home::start(backend, |setup| setup.set("COOKIE_MODE", "on"));
    let (session, account) = Session::begin(&home);
    let (other, _) = Session::begin(&home);
    let offer = session.offer("corp");
    press(&home, &offer, &format!("portcullis_access={}", other.pair.access)).page(403);
    press(&home, &offer, &format!("portcullis_access={}", session.pair.refresh)).page(403);
    let reply = press(&home, &offer, &format!("portcullis_access={}", session.pair.access));
    reply.page(200);
    let tab = tab(&home, "corp", &reply);
    done(&tab.back(&home.server.approve(&tab.url, &Person::fresh())));
    assert_eq!(home.rows_of(&account, "identities"), 1);
}

fn c3_12_an_identity_of_another_account_is_taken(home: &'static Home) {
    let person = Person::fresh();
    let owner = home.account_of(&home.signed_in("corp", &person));
    let (session, account) = Session::begin(home);
    session.link("corp", &person).returned_error("identity_taken");
    assert_eq!((home.rows_of(&owner, "identities"), home.rows_of(&account, "identities")), (1, 0));
    // Of two accounts that link one identity at once, one has it.
    let (other, _) = Session::begin(home);
    let person = Person::fresh();
    let tabs = [session.go_on("corp"), other.go_on("corp")];
    let replies = at_once(2, |number| {
        let tab = &tabs[number];
        tab.back(&home.server.approve(&tab.url, &person)).returned()
    });
    assert_eq!(
        replies.iter().filter(|fields| fields.get("error").is_some_and(|word| word == "identity_taken")).count(),
        1
    );
    assert_eq!(home.links_of(&person), 1);
}

fn c3_12_an_identity_of_the_same_account_stays(home: &'static Home) {
    let (session, account) = Session::begin(home);
    let person = Person::fresh();
    (0..2).for_each(|_| done(&session.link("corp", &person)));
    assert_eq!(home.identities(&session.pair).len(), 1);
    assert_eq!(home.notices(&account, "identity_linked").len(), 1);
}

fn c3_27_a_link_has_listed_members(home: &'static Home) {
    let (session, _) = Session::begin(home);
    let link = |name: &str, access: &str, body: Value| {
        home.tell("POST", &format!("/auth/providers/{name}/link"), access, &body)
    };
    let good = json!({"redirect_uri": BACK});
    link("corp", &session.pair.access, json!({})).expect_fields(&["redirect_uri"]);
    link("corp", &session.pair.access, json!({"redirect_uri": "https://evil.example/"}))
        .expect_fields(&["redirect_uri"]);
    link("nowhere", &session.pair.access, good.clone()).not_found();
    link("corp", &session.pair.refresh, good.clone()).invalid();
    home.authenticated_earlier(&session.pair, 660);
    link("corp", &session.pair.access, good).step_up();
}

fn c3_34_another_browsers_identity_ends_with_the_first_verification(home: &'static Home) {
    let account = home.account();
    let (foreign, kept) = (Person::fresh(), Person::fresh());
    let (other, own) = (Session::of(home, &account), Session::of(home, &account));
    other.link("corp", &foreign).has_status(303);
    own.link("plain", &kept).has_status(303);
    let body = json!({"token": home.verification_token(&account)});
    home.tell("POST", "/auth/email/verify", &own.pair.access, &body).expect(200);
    assert_eq!([home.links_of(&foreign), home.links_of(&kept)], [0, 1]);
    home.expect_ended(&other.pair);
}
