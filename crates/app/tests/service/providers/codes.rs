//! One-time codes. `clock` tests how long they live.

use super::*;
use sha2::{Digest, Sha256};

on_both_databases!(
    c3_9_a_second_use_ends_the_session,
    c3_9_of_fifty_parallel_uses_at_most_one_succeeds,
    c3_9_only_the_digest_is_stored,
    c3_10_a_wrong_verifier_spends_the_code,
    c3_10_another_redirect_uri_spends_the_code,
    c3_10_unknown_and_malformed_codes_are_invalid,
    c3_9_a_code_ends_with_its_account,
);

fn c3_9_a_second_use_ends_the_session(home: &'static Home) {
    let person = Person::fresh();
    let (code, other) = (home.code("corp", &person), home.signed_in("corp", &person));
    let pair = Pair::of(&home.exchange(&code));
    let next = home.renewed(&pair);
    home.exchange(&code).revoked();
    home.expect_ended(&next);
    // Other sessions go on, and the code stays spent.
    home.renewed(&other);
    home.exchange(&code).revoked();
}

fn c3_9_of_fifty_parallel_uses_at_most_one_succeeds(home: &'static Home) {
    let person = Person::fresh();
    let account = home.account_of(&home.signed_in("corp", &person));
    let code = home.code("corp", &person);
    let replies = at_once(50, |_| home.exchange(&code));
    assert_eq!(count(&replies, 200), 1);
    replies.iter().filter(|reply| reply.status != 200).for_each(Reply::revoked);
    assert_eq!(home.rows_of(&account, "sessions"), 2);
    home.exchange(&code).revoked();
    home.expect_ended(&Pair::of(replies.iter().find(|reply| reply.status == 200).unwrap()));
}

fn c3_9_only_the_digest_is_stored(backend: Backend) {
    let home = Home::start(backend, |setup| setup);
    let returned = home.tab("corp", "");
    let person = Person::fresh();
    let reply = returned.back(&home.server.approve(&returned.url, &person)).returned();
    home.exchange(&reply["code"]).expect(200);
    let bytes = hex::decode(&reply["code"]).unwrap();
    let stored = home.database.dump();
    for secret in [&reply["code"], &returned.state(), &hex::encode(Sha256::digest(VERIFIER)), &VERIFIER.to_owned()] {
        assert!(!stored.contains(secret.as_str()) && !stored.contains(&secret.to_uppercase()));
    }
    assert!(!stored.contains(&*String::from_utf8_lossy(&bytes)));
}

fn c3_10_a_wrong_verifier_spends_the_code(home: &'static Home) {
    let other = VERIFIER.replace('d', "e");
    let short = &VERIFIER[..42];
    for verifier in [other.as_str(), short, "", &challenge(VERIFIER)] {
        let code = home.code("corp", &Person::fresh());
        let body = json!({"code": code, "code_verifier": verifier, "redirect_uri": BACK});
        let refused = home.post("/auth/code", &body);
        if refused.status == 422 {
            continue;
        }
        refused.invalid();
        home.exchange(&code).revoked();
    }
}

fn c3_10_another_redirect_uri_spends_the_code(home: &'static Home) {
    for redirect_uri in ["https://app.example.org/back", "http://127.0.0.1/back", "https://evil.example/back?tab=1"] {
        let code = home.code("corp", &Person::fresh());
        let body = json!({"code": code, "code_verifier": VERIFIER, "redirect_uri": redirect_uri});
        home.post("/auth/code", &body).invalid();
        home.exchange(&code).revoked();
    }
}

fn c3_10_unknown_and_malformed_codes_are_invalid(home: &'static Home) {
    let code = home.code("corp", &Person::fresh());
    for wrong in ["0".repeat(64), code.to_uppercase(), code[1..].to_owned(), format!("{code}0"), "\u{e9}".to_owned()] {
        if wrong != code {
            home.exchange(&wrong).invalid();
        }
    }
    home.post("/auth/code", &json!({})).expect_fields(&["code", "code_verifier", "redirect_uri"]);
    home.post("/auth/code", &json!({"code": 1, "code_verifier": VERIFIER, "redirect_uri": BACK}))
        .expect_fields(&["code"]);
    home.exchange(&code).expect(200);
}

fn c3_9_a_code_ends_with_its_account(home: &'static Home) {
    let person = Person::fresh();
    let account = home.account_of(&home.signed_in("corp", &person));
    let code = home.code("corp", &person);
    home.disable(&account);
    home.exchange(&code).wrong_credentials();
    home.exchange(&code).revoked();
    let account = home.verified();
    let code = home.code("corp", &Person::new(&account.email));
    home.leave(&home.sign_in(&account).access, &account.password).has_status(204);
    assert_eq!(home.exchange(&code).status, 401);
}
