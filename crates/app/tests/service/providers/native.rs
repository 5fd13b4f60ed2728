//! ID tokens of native apps.

use super::*;
use sha2::{Digest, Sha256};

on_both_databases!(
    c3_25_an_id_token_begins_a_session_once,
    c3_25_audiences_are_the_client_and_the_listed_apps,
    c3_25_a_nonce_is_plain_or_hashed,
    c3_25_a_token_without_nonce_needs_the_setting,
    c3_25_it_is_at_most_ten_minutes_old,
    c3_25_what_lies_is_invalid,
    c3_25_the_linking_table_applies,
);

impl Home {
    fn native(&self, name: &str, id_token: &str, nonce: Option<&str>) -> Reply {
        let mut body = json!({"id_token": id_token});
        if let Some(nonce) = nonce {
            body["nonce"] = json!(nonce);
        }
        self.post(&format!("/auth/providers/{name}/id-token"), &body)
    }

    /// Presents a person's token with its nonce.
    fn native_of(&self, name: &str, person: &Person) -> Reply {
        self.native_from("", name, person)
    }
}

fn c3_25_an_id_token_begins_a_session_once(home: &'static Home) {
    let person = Person::fresh().with("nonce", "n-1");
    let id_token = home.server.id_token("corp", &person);
    let reply = home.native("corp", &id_token, Some("n-1"));
    let pair = Pair::of(&reply);
    assert!(reply.cookie().starts_with("portcullis_device="));
    assert_eq!(jose::claims(&pair.access)["amr"], json!(["fed"]));
    home.native("corp", &id_token, Some("n-1")).invalid();
    home.renewed(&pair);
}

fn c3_25_audiences_are_the_client_and_the_listed_apps(home: &'static Home) {
    for (audience, azp, status) in [
        (json!(CLIENT_ID), json!(null), 200),
        (json!("app"), json!(null), 200),
        (json!("watch"), json!("app"), 200),
        (json!([CLIENT_ID, "x"]), json!("app"), 200),
        (json!("other"), json!(null), 401),
        (json!("App"), json!(null), 401),
        (json!("app"), json!("other"), 401),
        (json!([]), json!(null), 401),
    ] {
        let person = Person::fresh().with("aud", audience.clone()).with("azp", azp.clone());
        home.native_of("loose", &person).has_status(status);
    }
    // The listed apps are those of one provider.
    home.native_of("corp", &Person::fresh().with("aud", "app")).invalid();
}

fn c3_25_a_nonce_is_plain_or_hashed(home: &'static Home) {
    let hashed = hex::encode(Sha256::digest("n-1"));
    for (claim, nonce, status) in [
        ("n-1", Some("n-1"), 200),
        (hashed.as_str(), Some("n-1"), 200),
        (&hashed.to_uppercase(), Some("n-1"), 401),
        ("n-1", Some(hashed.as_str()), 401),
        ("n-1", Some("n-2"), 401),
        ("n-1", None, 401),
    ] {
        for name in ["corp", "loose"] {
            let id_token = home.server.id_token(name, &Person::fresh().with("nonce", claim));
            home.native(name, &id_token, nonce).has_status(status);
        }
    }
}

fn c3_25_a_token_without_nonce_needs_the_setting(home: &'static Home) {
    for (name, status) in [("corp", 401), ("loose", 200)] {
        let id_token = home.server.id_token(name, &Person::fresh());
        home.native(name, &id_token, None).has_status(status);
    }
}

fn c3_25_it_is_at_most_ten_minutes_old(home: &'static Home) {
    let now = unix_now();
    for (age, status) in [(540, 200), (-30, 200), (620, 401), (-120, 401)] {
        let person = Person::fresh().with("iat", now - age).with("exp", now + 3600);
        home.native_of("corp", &person).has_status(status);
    }
}

fn c3_25_what_lies_is_invalid(home: &'static Home) {
    for lie in [Lie::None, Lie::Hmac, Lie::OtherKey, Lie::UnknownKid] {
        home.native_of("corp", &Person { lie, ..Person::fresh() }).invalid();
    }
    for (claim, value) in [("iss", json!("https://evil.example")), ("exp", json!(1)), ("sub", json!(null))] {
        home.native_of("corp", &Person::fresh().with(claim, value)).invalid();
    }
    let id_token = home.server.id_token("corp", &Person::fresh().with("nonce", "n"));
    home.native("plain", &id_token, Some("n")).invalid();
    home.native("github", &id_token, Some("n")).invalid();
    home.native("nowhere", &id_token, Some("n")).not_found();
    let (_, pair) = home.session();
    for token in [pair.access.as_str(), "a.b.c"] {
        home.native("corp", token, Some("n")).invalid();
    }
    home.post("/auth/providers/corp/id-token", &json!({})).expect_fields(&["id_token"]);
    // A refused token is not used up by its refusal.
    home.native("corp", &id_token, Some("n")).expect(200);
}

fn c3_25_the_linking_table_applies(home: &'static Home) {
    let account = home.verified();
    let pair = Pair::of(&home.native_of("corp", &Person::new(&account.email)));
    assert_eq!(home.account_of(&pair).id, account.id);
    home.native_of("plain", &Person::new(&account.email)).conflict("account_exists");
    let reason = |reply: Reply| reply.expect_error(403, "FORBIDDEN")["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason(home.native_of("closed", &Person::fresh())), "sign_up_closed");
    assert_eq!(reason(home.native_of("domains", &Person::fresh().with("hd", "evil.example"))), "domain_not_allowed");
    let parallel = Person::fresh().with("nonce", "n-1");
    let id_token = home.server.id_token("corp", &parallel);
    let replies = at_once(8, |_| home.native("corp", &id_token, Some("n-1")));
    assert_eq!(count(&replies, 200), 1);
}
