//! The start of a sign-in.

use super::*;
use url::Url;

on_both_databases!(
    c3_2_the_browser_is_sent_to_the_provider_with_pkce,
    c3_3_a_redirect_uri_that_is_not_listed_is_a_page,
    c3_3_listed_redirect_uris_are_exact_but_for_the_port_of_loopback,
    c3_3_pkce_is_mandatory,
    c3_4_an_unknown_provider_is_not_found,
    c3_4_a_provider_that_is_down_is_unavailable,
    c3_5_the_state_of_the_client_is_optional_and_unchanged,
);

fn c3_2_the_browser_is_sent_to_the_provider_with_pkce(home: &'static Home) {
    let own = challenge(VERIFIER);
    let more =
        [&parameters(&own)[..], &[("login_hint", "a+b@example.com"), ("prompt", "select_account"), ("max_age", "0")]];
    let reply = home.begin_with("corp", "", &more.concat());
    let url = Url::parse(&reply.location()).unwrap();
    assert_eq!(
        format!("{}", url.as_str().split('?').next().unwrap()),
        format!("{}/authorize", home.server.issuer("corp"))
    );
    let sent = fields(url.query().unwrap());
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", &format!("{PUBLIC_URL}/auth/providers/corp/callback")),
        ("code_challenge_method", "S256"),
        ("login_hint", "a+b@example.com"),
        ("prompt", "select_account"),
    ] {
        assert_eq!(sent[name], value, "{url}");
    }
    assert!(sent["scope"].split(' ').any(|scope| scope == "openid"), "{url}");
    assert!(sent["state"].len() == 64 && sent["nonce"].len() == 64 && sent["state"] != sent["nonce"], "{url}");
    // The service has a challenge of its own: the client's verifier is of no use to the provider.
    assert!(sent["code_challenge"].len() == 43 && sent["code_challenge"] != own, "{url}");
    assert!(!sent.contains_key("max_age") && !sent.contains_key("response_mode"), "{url}");
    assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    let unknown = home.begin_with("corp", "", &[&parameters(&own)[..], &[("prompt", "anything")]].concat()).location();
    assert!(!fields(Url::parse(&unknown).unwrap().query().unwrap()).contains_key("prompt"), "{unknown}");
}

fn c3_3_a_redirect_uri_that_is_not_listed_is_a_page(home: &'static Home) {
    let own = challenge(VERIFIER);
    for uri in [
        "",
        "https://evil.example/",
        "https://app.example.org/back",
        "https://app.example.org/back?tab=1&x=y",
        "https://app.example.org/back?tab=1#x",
        "https://app.example.org./back?tab=1",
        "HTTPS://app.example.org/back?tab=1",
        "https://user@app.example.org/back?tab=1",
        "//app.example.org/back?tab=1",
        "javascript:alert(1)",
        "http://127.0.0.1.evil.example/back",
        "http://127.0.0.1@evil.example/back",
        "http://127.0.0.2/back",
        "http://localhost/back",
        "http://127.0.0.1/back/..",
        "com.example.app:/other",
    ] {
        let mut parameters = parameters(&own);
        parameters[0].1 = uri;
        home.begin_with("corp", "", &parameters).page(422);
        // Even if everything else is wrong.
        home.begin_with("corp", "", &parameters[..1]).page(422);
    }
    home.begin_with("corp", "", &parameters(&own)[1..]).page(422);
    let twice = [&parameters(&own)[..], &[("redirect_uri", "https://evil.example/")]].concat();
    home.begin_with("corp", "", &twice).page(422);
}

fn c3_3_listed_redirect_uris_are_exact_but_for_the_port_of_loopback(home: &'static Home) {
    let own = challenge(VERIFIER);
    for uri in ["http://127.0.0.1/back", "http://127.0.0.1:49152/back", "com.example.app:/back"] {
        let mut parameters = parameters(&own);
        parameters[0].1 = uri;
        let reply = home.begin_with("corp", "", &parameters);
        let tab = Tab { service: home, name: "corp".to_owned(), url: reply.location(), cookie: reply.cookie() };
        let location = tab.back(&home.server.approve(&tab.url, &Person::fresh())).location();
        let code =
            fields(location.strip_prefix(&format!("{uri}?")).unwrap_or_else(|| panic!("{location}")))["code"].clone();
        let body = json!({"code": code, "code_verifier": VERIFIER, "redirect_uri": uri});
        home.post("/auth/code", &body).expect(200);
    }
}

fn c3_3_pkce_is_mandatory(home: &'static Home) {
    let own = challenge(VERIFIER);
    home.begin_with("corp", "", &parameters(&own)[..2]).page(422);
    home.begin_with("corp", "", &parameters(&own)[..3]).page(422);
    for (challenge, method) in [
        (own.as_str(), "plain"),
        (&own, "s256"),
        ("", "S256"),
        (&own[1..], "S256"),
        (&own.replace(&own[..1], "+"), "S256"),
    ] {
        let mut parameters = parameters(challenge);
        parameters[3].1 = method;
        home.begin_with("corp", "", &parameters).page(422);
    }
}

fn c3_4_an_unknown_provider_is_not_found(home: &'static Home) {
    for name in ["nowhere", "CORP", "corp%00", "corp%2f"] {
        home.begin_with(name, "", &parameters(&challenge(VERIFIER))).page(404);
    }
}

fn c3_4_a_provider_that_is_down_is_unavailable(backend: Backend) {
    let home = Home::alone(backend, |setup| setup);
    for fault in [Fault::Status(503), Fault::Huge] {
        home.server.set(fault);
        let reply = home.begin_with("corp", "", &parameters(&challenge(VERIFIER)));
        reply.returned_error("provider_unavailable");
    }
    // Others are not affected.
    home.login("nobody@example.com", "wrong password").wrong_credentials();
}

fn c3_5_the_state_of_the_client_is_optional_and_unchanged(home: &'static Home) {
    let own = challenge(VERIFIER);
    for state in ["", "a&b=c#\u{e9}+ \n\"<", &"x".repeat(500)] {
        let mut parameters = parameters(&own);
        parameters[1].1 = state;
        let reply = home.begin_with("corp", "", &parameters);
        let tab = Tab { service: home, name: "corp".to_owned(), url: reply.location(), cookie: reply.cookie() };
        assert_eq!(tab.back(&home.server.approve(&tab.url, &Person::fresh())).returned()["state"], state);
    }
    let [redirect_uri, _, challenge, method] = parameters(&own);
    let reply = home.begin_with("corp", "", &[redirect_uri, challenge, method]);
    let tab = Tab { service: home, name: "corp".to_owned(), url: reply.location(), cookie: reply.cookie() };
    let returned = tab.back(&home.server.approve(&tab.url, &Person::fresh())).returned();
    assert_eq!(returned.keys().collect::<Vec<_>>(), ["code", "iss"]);
}
