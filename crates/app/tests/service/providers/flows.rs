//! The flow between browser, service and provider. `clock` tests how long it lives.

use super::*;
use std::collections::BTreeMap;

on_both_databases!(
    c3_20_the_cookie_is_for_this_host_and_its_scripts_never_see_it,
    c3_20_four_tabs_at_four_providers_do_not_disturb_each_other,
    c3_20_tabs_that_begin_at_once_in_a_new_browser_all_return,
    c3_20_a_flow_works_once,
    c3_20_parallel_callbacks_of_a_flow_give_one_code,
    c3_20_details_of_another_flow_are_a_503_page,
    c3_7_an_unknown_state_or_another_browser_is_a_410_page,
    c3_6_a_posted_callback_is_a_redirect_to_the_same_path,
    c3_5_errors_of_the_provider_are_words,
    c3_21_the_issuer_of_a_response_must_be_the_announced_one,
    c3_22_a_response_that_lies_is_a_server_error,
    c3_22_an_outage_is_provider_unavailable,
    c3_23_userinfo_counts_only_without_an_email_and_for_the_same_subject,
);

fn c3_20_the_cookie_is_for_this_host_and_its_scripts_never_see_it(home: &'static Home) {
    let reply = home.begin_with("corp", "", &parameters(&challenge(VERIFIER)));
    let cookie = reply.header("Set-Cookie").unwrap();
    for part in ["portcullis_flow=", "HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Secure"), "{cookie}");
    // A browser keeps its value, unless it is malformed.
    let again = home.begin_with("corp", &reply.cookie(), &parameters(&challenge(VERIFIER)));
    assert_eq!(again.cookie(), reply.cookie());
    let forged = home.begin_with("corp", "portcullis_flow=x", &parameters(&challenge(VERIFIER)));
    assert_ne!(forged.cookie(), "portcullis_flow=x");
}

#[test]
fn c3_20_the_cookie_is_secure_where_the_service_is() {
    let home = Home::start(Backend::Sqlite, |setup| setup.set("PUBLIC_URL", "https://id.example.org"));
    let reply = home.begin_with("corp", "", &parameters(&challenge(VERIFIER)));
    let cookie = reply.header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Host-portcullis_flow") && cookie.contains("Secure"), "{cookie}");
    let url = reply.location();
    assert!(url.contains("redirect_uri=https%3A%2F%2Fid.example.org%2Fauth%2Fproviders%2Fcorp%2Fcallback"), "{url}");
}

fn c3_20_four_tabs_at_four_providers_do_not_disturb_each_other(home: &'static Home) {
    let names = ["corp", "plain", "mix", "github"];
    let first = home.tab("corp", "");
    let tabs = at_once(4, |number| home.tab(names[number], &first.cookie));
    let people: Vec<_> = names.iter().map(|_| Person::fresh()).collect();
    let returned = at_once(4, |number| {
        let tab = &tabs[3 - number];
        assert_eq!(tab.cookie, first.cookie);
        tab.back(&home.server.approve(&tab.url, &people[number]))
    });
    for (reply, person) in returned.iter().zip(&people) {
        let pair = Pair::of(&home.exchange(&reply.returned()["code"]));
        assert_eq!(home.account_of(&pair).email, person.email());
    }
    let query = home.server.approve(&first.url, &people[3]);
    assert!(first.back(&query).returned().contains_key("code"));
}

fn c3_20_tabs_that_begin_at_once_in_a_new_browser_all_return(home: &'static Home) {
    let begin =
        |jar: &BTreeMap<String, String>| home.begin_with("corp", &header_of(jar), &parameters(&challenge(VERIFIER)));
    let (mut jar, mut replies) = (BTreeMap::new(), vec![begin(&BTreeMap::new())]);
    keep_cookies(&mut jar, &replies[0]);
    // It has the cookies of the first one. The others have none, and their responses come last.
    replies.push(begin(&jar));
    replies.extend(at_once(3, |_| begin(&BTreeMap::new())));
    replies.iter().skip(1).for_each(|reply| keep_cookies(&mut jar, reply));
    for reply in &replies {
        let cookie = header_of(&jar);
        let tab = Tab { service: home, name: "corp".to_owned(), url: reply.location(), cookie };
        assert!(tab.back(&home.server.approve(&tab.url, &Person::fresh())).returned().contains_key("code"));
    }
}

/// Keeps the cookies that a response sets, as a browser does.
fn keep_cookies(jar: &mut BTreeMap<String, String>, reply: &Reply) {
    for cookie in reply.headers.get_all("Set-Cookie") {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        jar.insert(name.to_owned(), value.to_owned());
    }
}

fn header_of(jar: &BTreeMap<String, String>) -> String {
    jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

fn c3_20_a_flow_works_once(home: &'static Home) {
    let tab = home.tab("corp", "");
    let query = home.server.approve(&tab.url, &Person::fresh());
    let code = tab.back(&query).returned()["code"].clone();
    tab.back(&query).returned_error("flow_expired");
    home.exchange(&code).expect(200);
    // One that ended with an error, too.
    let tab = home.tab("corp", "");
    tab.back(&format!("state={}&error=access_denied", tab.state())).returned_error("access_denied");
    tab.back(&home.server.approve(&tab.url, &Person::fresh())).returned_error("flow_expired");
}

fn c3_20_parallel_callbacks_of_a_flow_give_one_code(home: &'static Home) {
    let tab = home.tab("corp", "");
    let query = home.server.approve(&tab.url, &Person::fresh());
    let returned = at_once(16, |_| tab.back(&query).returned());
    assert_eq!(returned.iter().filter(|fields| fields.contains_key("code")).count(), 1, "{returned:?}");
}

fn c3_20_details_of_another_flow_are_a_503_page(backend: Backend) {
    let home = Home::start(backend, |setup| setup);
    let tabs = [home.tab("corp", ""), home.tab("corp", "")];
    home.database.execute("UPDATE sign_in_flows SET sealed = (SELECT sealed FROM sign_in_flows ORDER BY id LIMIT 1)");
    let back = |tab: &Tab| tab.back(&home.server.approve(&tab.url, &Person::fresh()));
    assert!(back(&tabs[0]).returned().contains_key("code"));
    let reply = back(&tabs[1]);
    reply.page(503);
    let events = home.log.of_request(reply.request_id());
    assert!(events.iter().any(|event| event["level"] == "ERROR"), "{events:?}");
}

fn c3_7_an_unknown_state_or_another_browser_is_a_410_page(home: &'static Home) {
    let (tab, victim) = (home.tab("corp", ""), home.tab("corp", ""));
    let query = home.server.approve(&tab.url, &Person::fresh());
    let before = home.server.requests("POST /corp/token");
    for cookie in [victim.cookie.as_str(), "a=b", "portcullis_flow=x", &format!("{0}; {0}", tab.cookie)] {
        tab.back_from(cookie, &query).page(410);
    }
    let upper = query.replace(&tab.state(), &tab.state().to_uppercase());
    for query in [format!("code=x&state={}", "0".repeat(64)), "code=x".to_owned(), String::new(), upper] {
        if !query.contains(&tab.state()) {
            tab.back(&query).page(410);
        }
    }
    // The state belongs to one provider.
    let path = format!("/auth/providers/plain/callback?{query}");
    home.call("GET", &path).header("Cookie", &tab.cookie).send().page(410);
    assert!(home.server.requests("POST /corp/token") >= before);
}

fn c3_6_a_posted_callback_is_a_redirect_to_the_same_path(home: &'static Home) {
    let tab = home.tab("post", "");
    assert!(tab.url.contains("response_mode=form_post"), "{}", tab.url);
    let query = home.server.approve(&tab.url, &Person::fresh());
    // Browsers send no Lax cookie with a form of another site.
    let reply =
        home.call("POST", "/auth/providers/post/callback").form(&format!("{query}&user=%7B%7D&id_token=a")).send();
    let location = reply.location();
    let (path, again) = location.split_once('?').unwrap();
    assert!(matches!(path, "callback" | "/auth/providers/post/callback"), "{location}");
    assert_eq!(fields(again), fields(&query));
    let code = tab.back(again).returned()["code"].clone();
    home.exchange(&code).expect(200);
    let denied = home.call("POST", "/auth/providers/post/callback").form("state=a%26b&error=access_denied").send();
    assert!(denied.location().ends_with("?state=a%26b&error=access_denied"), "{}", denied.location());
}

fn c3_5_errors_of_the_provider_are_words(home: &'static Home) {
    for (query, word) in [
        ("error=access_denied", "access_denied"),
        ("error=access_denied&code=x", "access_denied"),
        ("error=login_required", "access_denied"),
        ("error=temporarily_unavailable", "provider_unavailable"),
        ("error=invalid_scope&error_description=%3Cscript%3E", "server_error"),
        ("", "server_error"),
    ] {
        let tab = home.tab("corp", "");
        tab.back(&format!("state={}&{query}", tab.state())).returned_error(word);
    }
}

fn c3_21_the_issuer_of_a_response_must_be_the_announced_one(home: &'static Home) {
    let issuer = |name: &str| format!("&iss={}", home.server.issuer(name));
    for (name, iss, word) in [
        ("mix", String::new(), Some("server_error")),
        ("mix", issuer("corp"), Some("server_error")),
        ("mix", issuer("mix"), None),
        ("corp", issuer("mix"), Some("server_error")),
        ("corp", issuer("corp"), None),
    ] {
        let tab = home.tab(name, "");
        let query = home.server.approve(&tab.url, &Person::fresh());
        let query = query.split("&iss=").next().unwrap();
        let reply = tab.back(&format!("{query}{iss}"));
        match word {
            Some(word) => reply.returned_error(word),
            None => assert!(reply.returned().contains_key("code")),
        }
    }
}

fn c3_22_a_response_that_lies_is_a_server_error(home: &'static Home) {
    let now = unix_now();
    for (claim, value) in [
        ("iss", json!(home.server.issuer("plain"))),
        ("iss", json!(format!("{}/", home.server.issuer("corp")))),
        ("aud", json!("another")),
        ("aud", json!(["another"])),
        ("aud", json!([CLIENT_ID, "another"])),
        ("aud", json!(null)),
        ("azp", json!("another")),
        ("azp", json!("app")),
        ("nonce", json!("another")),
        ("nonce", json!(null)),
        ("exp", json!(now - 61)),
        ("exp", json!(null)),
        ("iat", json!(now + 120)),
        ("iat", json!(null)),
        ("sub", json!(null)),
        ("sub", json!(7)),
        ("sub", json!("")),
        ("sub", json!("a".repeat(256))),
        ("at_hash", json!("bm90IGl0cyBoYXNoIQ")),
    ] {
        let person = Person::fresh().with(claim, value.clone());
        home.visit("corp", &person).returned_error("server_error");
        assert_eq!(
            home.database.count(&format!("FROM users WHERE email = '{}'", person.email())),
            0,
            "{claim} {value}"
        );
    }
    for lie in [Lie::None, Lie::Hmac, Lie::OtherKey, Lie::UnknownKid] {
        home.visit("corp", &Person { lie, ..Person::fresh() }).returned_error("server_error");
    }
    for (claim, value) in [
        ("aud", json!([CLIENT_ID])),
        ("azp", json!(CLIENT_ID)),
        ("exp", json!(now - 30)),
        ("iat", json!(now + 30)),
        ("sub", json!("\u{1d11e}".repeat(63))),
    ] {
        home.signed_in("corp", &Person::fresh().with(claim, value));
    }
    // A code that the provider refuses.
    let tab = home.tab("corp", "");
    let reply = tab.back(&format!("state={}&code=unknown", tab.state()));
    let word = reply.returned()["error"].clone();
    assert!(matches!(word.as_str(), "server_error" | "provider_unavailable"), "{word}");
}

fn c3_22_an_outage_is_provider_unavailable(backend: Backend) {
    let home = Home::alone(backend, |setup| setup);
    let bare = Person::fresh().with("email", json!(null));
    for (fault, person) in
        [(Fault::Status(500), Person::fresh()), (Fault::Huge, Person::fresh()), (Fault::Userinfo, bare)]
    {
        let tab = home.tab("corp", "");
        let query = home.server.approve(&tab.url, &person);
        home.server.set(fault);
        tab.back(&query).returned_error("provider_unavailable");
        home.server.set(Fault::None);
        // A success in between keeps the circuit closed.
        home.signed_in("corp", &Person::fresh());
    }
}

fn c3_23_userinfo_counts_only_without_an_email_and_for_the_same_subject(home: &'static Home) {
    let other = home.verified();
    let mut person = Person::fresh();
    person.userinfo["email"] = json!(other.email);
    assert_eq!(home.account_of(&home.signed_in("corp", &person)).email, person.email());
    let mut person = Person::fresh();
    let email = person.email().to_owned();
    person = person.with("email", json!(null)).with("email_verified", json!(null));
    let pair = home.signed_in("corp", &person);
    let me = home.me(&pair.access).expect(200);
    assert_eq!((me["email"].as_str(), &me["email_verified"]), (Some(email.as_str()), &json!(true)));
    let mut person = Person::fresh().with("email", json!(null));
    person.userinfo["sub"] = json!("another");
    person.userinfo["email"] = json!(other.email);
    home.visit("corp", &person).returned_error("server_error");
    assert_eq!(home.rows_of(&other, "identities"), 0);
}
