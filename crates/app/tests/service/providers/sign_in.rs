//! Sign-in from the start to the session.

use super::*;

on_both_databases!(
    c3_1_providers_are_listed_in_order,
    c3_8_a_person_signs_in_and_signs_in_again,
    c3_8_claims_name_the_provider_and_the_time,
    c3_8_a_known_device_is_recognised,
    c3_8_tokens_can_be_cookies,
    c3_24_github_counts_only_the_primary_verified_email,
);

fn c3_1_providers_are_listed_in_order(home: &'static Home) {
    let body = home.get("/auth/providers").expect(200);
    let listed = body["providers"].as_array().unwrap();
    assert_eq!(listed.len(), PROVIDERS.len());
    let start_url = format!("{PUBLIC_URL}/auth/providers/corp/start");
    assert_eq!(listed[0], json!({"name": "corp", "label": "Corp & Co", "kind": "oidc", "start_url": start_url}));
    assert_eq!((&listed[9]["label"], &listed[9]["kind"]), (&json!("GitHub"), &json!("github")));
}

#[test]
fn c3_1_by_default_there_are_none() {
    let service = Backend::Sqlite.service().start();
    assert_eq!(service.get("/auth/providers").expect(200), json!({"providers": []}));
    service.get("/auth/providers/corp/start").page(404);
    let body = json!({"id_token": "a.b.c"});
    service.post("/auth/providers/corp/id-token", &body).not_found();
}

fn c3_8_a_person_signs_in_and_signs_in_again(home: &'static Home) {
    let person = Person::fresh();
    let returned = home.visit("corp", &person).returned();
    assert_eq!((returned["state"].as_str(), returned["iss"].as_str()), ("s 1", PUBLIC_URL));
    assert_eq!((returned.len(), returned["code"].len()), (3, 64));
    let reply = home.exchange(&returned["code"]);
    let body = reply.expect(200);
    assert_eq!(members(&body), ["access_token", "expires_in", "refresh_token", "token_type"]);
    assert!(reply.cookie().starts_with("portcullis_device="), "{}", reply.cookie());
    let pair = Pair::of(&reply);
    let me = home.me(&pair.access).expect(200);
    assert_eq!((me["email"].as_str(), &me["email_verified"]), (Some(person.email()), &json!(true)));
    home.renewed(&pair);
    let again = home.signed_in("corp", &person);
    assert_eq!(home.me(&again.access).expect(200)["id"], me["id"]);
    assert_ne!(again.sid(), pair.sid());
    assert_eq!(home.identities(&again).len(), 1);
}

fn c3_8_claims_name_the_provider_and_the_time(home: &'static Home) {
    // An amr of a provider counts only if the settings say so.
    let pair = home.signed_in("corp", &Person::fresh().with("amr", json!(["pwd", "mfa"])));
    let refreshed = home.renewed(&pair);
    for token in [&pair.access, &pair.refresh, &refreshed.access, &refreshed.refresh] {
        let claims = jose::claims(token);
        assert_eq!(claims["amr"], json!(["fed"]));
        assert!((0..60).contains(&(unix_now() - claims["auth_time"].as_i64().unwrap())), "{claims}");
        assert_eq!(claims["auth_time"], jose::claims(&pair.access)["auth_time"]);
    }
}

fn c3_8_a_known_device_is_recognised(home: &'static Home) {
    let person = Person::fresh();
    let first = home.exchange(&home.code("corp", &person));
    let account = home.account_of(&Pair::of(&first));
    let exchange = |cookie: &str| drop(home.exchange_from(cookie, &home.code("corp", &person)).expect(200));
    let devices = || {
        home.database.count(&format!("FROM (SELECT DISTINCT device FROM sessions WHERE user_id = {}) AS d", account.id))
    };
    exchange(&first.cookie());
    assert_eq!(devices(), 1);
    exchange("portcullis_device=forged");
    assert_eq!(devices(), 2);
}

fn c3_8_tokens_can_be_cookies(backend: Backend) {
    let home = Home::start(backend, |setup| setup.set("COOKIE_MODE", "on"));
    let exchange = |site: &str| {
        let body = exchange(&home.code("corp", &Person::fresh()));
        let call = home.call("POST", "/auth/code").header("Portcullis-Tokens", "cookie").header("Sec-Fetch-Site", site);
        call.json(&body).send()
    };
    let reply = exchange("same-origin");
    assert_eq!(reply.expect(200), json!({"token_type": "cookie", "expires_in": 900}));
    let cookies: Vec<_> = reply.headers.get_all("Set-Cookie").iter().map(|value| value.to_str().unwrap()).collect();
    for name in ["portcullis_access", "portcullis_refresh", "portcullis_device"] {
        assert_eq!(cookies.iter().filter(|cookie| cookie.starts_with(&format!("{name}="))).count(), 1, "{cookies:?}");
    }
    assert_eq!(exchange("cross-site").expect_error(403, "FORBIDDEN")["reason"], "cross_site");
}

fn c3_24_github_counts_only_the_primary_verified_email(home: &'static Home) {
    let person = Person::fresh();
    let pair = home.signed_in("github", &person);
    let me = home.me(&pair.access).expect(200);
    assert_eq!((me["email"].as_str(), &me["email_verified"]), (Some(person.email()), &json!(true)));
    assert_eq!(home.identities(&pair)[0]["label"], "GitHub");
    let account = home.verified();
    home.visit("github", &Person::new(&account.email).with("email_verified", false)).returned_error("account_exists");
    let pair = home.signed_in("github", &Person::new(&account.email));
    assert_eq!(home.account_of(&pair).id, account.id);
    home.visit("github", &Person::fresh().with("email", json!(null))).returned_error("email_missing");
}
