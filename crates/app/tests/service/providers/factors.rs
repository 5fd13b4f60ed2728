//! One gate: what is due after a sign-in with a provider. `mfa::ways` has the table of all ways in.

use super::*;

on_both_databases!(
    c3_28_an_account_with_a_factor_shows_it_after_the_provider,
    c3_28_a_code_that_led_to_the_second_factor_is_spent,
    c3_28_a_factor_can_be_required,
    c3_28_a_verified_email_can_be_required,
    c3_28_a_providers_second_factor_counts_if_the_setting_says_so,
    c3_28_a_new_device_is_notified_and_sessions_are_bounded,
    c3_28_a_trusted_device_needs_no_second_factor,
    c3_29_an_account_without_a_password_gets_one_by_reset,
);

fn amr(pair: &Pair) -> Value {
    jose::claims(&pair.access)["amr"].clone()
}

/// Links an identity of a provider to a new account with a second factor.
#[track_caller]
fn enrolled(home: &Home, name: &str) -> (Enrolled, Person) {
    let enrolled = home.enrol(home.verified());
    let person = Person::new(&enrolled.account.email);
    home.code(name, &person);
    (enrolled, person)
}

fn c3_28_an_account_with_a_factor_shows_it_after_the_provider(home: &'static Home) {
    let (enrolled, person) = enrolled(home, "corp");
    let details = home.exchange(&home.code("corp", &person)).expect_error(403, "AUTH_MFA_REQUIRED");
    assert_eq!((&details["expires_in"], &details["methods"]), (&json!(300), &json!(["totp", "recovery_code"])));
    let token = details["mfa_token"].as_str().unwrap();
    home.second(token, &json!({"code": enrolled.app.wrong()})).wrong_credentials();
    let pair = Pair::of(&home.second(token, &json!({"code": home.fresh_code(&enrolled)})));
    assert_eq!(amr(&pair), json!(["fed", "otp", "mfa"]));
    assert_eq!(amr(&home.renewed(&pair)), json!(["fed", "otp", "mfa"]));
    home.second(token, &json!({"recovery_code": enrolled.codes[0]})).revoked();
    // That was a second-factor authentication.
    home.new_recovery_codes(&pair.access).expect(200);
}

fn c3_28_a_code_that_led_to_the_second_factor_is_spent(home: &'static Home) {
    let (enrolled, person) = enrolled(home, "corp");
    let code = home.code("corp", &person);
    let token = home.exchange(&code).mfa_token();
    let pair = Pair::of(&home.second(&token, &json!({"code": home.fresh_code(&enrolled)})));
    home.exchange(&code).revoked();
    home.expect_ended(&pair);
    let code = home.code("corp", &person);
    home.exchange(&code).mfa_token();
    home.exchange(&code).revoked();
    let code = home.code("corp", &person);
    let replies = at_once(8, |_| home.exchange(&code));
    assert_eq!((count(&replies, 403), count(&replies, 401)), (1, 7));
}

fn c3_28_a_factor_can_be_required(backend: Backend) {
    let home = Home::start(backend, |setup| setup.set("MFA_REQUIRED", "true"));
    let person = Person::fresh();
    let token = home.exchange(&home.code("corp", &person)).enrolment_token();
    let begun = home.begin_factor(&token).expect(201);
    let app = crate::harness::totp::Authenticator::of(begun["secret"].as_str().unwrap());
    let confirmed = home.confirm_factor(&token, begun["id"].as_str().unwrap(), &app.code());
    let pair = Pair::of(&confirmed);
    assert_eq!(amr(&pair), json!(["fed", "otp", "mfa"]));
    assert_eq!(home.me(&pair.access).expect(200)["email"], person.email());
    home.exchange(&home.code("corp", &person)).mfa_token();
    // A provider's second factor is one, if the setting says so.
    let other = Person::fresh().with("amr", json!(["mfa"]));
    home.exchange(&home.code("corp", &other)).enrolment_token();
    assert_eq!(amr(&home.signed_in("factor", &other.with("email", fresh_email()))), json!(["fed", "mfa"]));
}

fn c3_28_a_verified_email_can_be_required(backend: Backend) {
    let home = Home::start(backend, |setup| setup.set("REQUIRE_VERIFIED_EMAIL", "true"));
    home.signed_in("corp", &Person::fresh());
    let person = Person::fresh();
    let code = home.code("plain", &person);
    home.exchange(&code).expect_error(403, "AUTH_EMAIL_UNVERIFIED");
    home.exchange(&code).revoked();
    let account = Account { id: 0, email: person.email().to_owned(), password: String::new() };
    home.verify(&home.verification_token(&account)).expect(200);
    let reply = home.visit("plain", &person);
    let returned = reply.returned();
    match returned.get("code") {
        Some(code) => drop(home.exchange(code).expect(200)),
        // Another browser verified the address, so the identity went with what was set up before.
        None => assert_eq!(returned["error"], "account_exists"),
    }
}

fn c3_28_a_providers_second_factor_counts_if_the_setting_says_so(home: &'static Home) {
    let (_, person) = enrolled(home, "factor");
    let both = person.with("amr", json!(["pwd", "mfa"]));
    let pair = home.signed_in("factor", &both);
    assert_eq!(amr(&pair), json!(["fed", "mfa"]));
    home.new_recovery_codes(&pair.access).expect(200);
    for methods in [json!(["pwd"]), json!(null), json!("mfa"), json!(["MFA"])] {
        home.exchange(&home.code("factor", &person.with("amr", methods))).mfa_token();
    }
    let (_, person) = enrolled(home, "corp");
    home.exchange(&home.code("corp", &person.with("amr", json!(["pwd", "mfa"])))).mfa_token();
}

fn c3_28_a_new_device_is_notified_and_sessions_are_bounded(backend: Backend) {
    let home = Home::start(backend, |setup| setup.set("MAX_SESSIONS_PER_USER", "1"));
    let account = home.verified();
    let before = home.sign_in(&account);
    let person = Person::new(&account.email);
    let exchange = |code: &str| {
        let call = home.call("POST", "/auth/code").header("User-Agent", "Mozilla/5.0 (X11; Linux) Firefox/140");
        call.json(&exchange(code)).send()
    };
    let code = home.code("corp", &person);
    home.me(&before.access).expect(200);
    assert_eq!(home.notices(&account, "new_device").len(), 0);
    let pair = Pair::of(&exchange(&code));
    home.expect_ended(&before);
    assert_eq!(home.notices(&account, "new_device").len(), 1);
    home.renewed(&pair);
}

fn c3_28_a_trusted_device_needs_no_second_factor(backend: Backend) {
    let home = Home::start(backend, |setup| setup.set("MFA_TRUST_DAYS", "30"));
    let (enrolled, person) = enrolled(&home, "corp");
    let token = home.exchange(&home.code("corp", &person)).mfa_token();
    let reply = home.second(&token, &json!({"code": home.fresh_code(&enrolled), "remember_device": true}));
    reply.expect(200);
    let exchange = |cookie: &str| home.exchange_from(cookie, &home.code("corp", &person));
    let pair = Pair::of(&exchange(&reply.cookie()));
    assert_eq!(amr(&pair), json!(["fed"]));
    exchange("a=b").mfa_token();
}

fn c3_29_an_account_without_a_password_gets_one_by_reset(home: &'static Home) {
    let person = Person::fresh();
    let pair = home.signed_in("corp", &person);
    let account = home.account_of(&pair).with_password(crate::accounts::NEW);
    for guess in ["", "!", crate::accounts::NEW, &home.stored_hash(&account)] {
        let refused = home.login(&account.email, guess);
        assert!(matches!(refused.status, 401 | 422), "{}", refused.text());
    }
    home.reset(&home.reset_link(&account), crate::accounts::NEW).expect(200);
    let session = home.sign_in(&account);
    let listed = home.ask("GET", "/auth/identities", &session.access).expect(200);
    assert_eq!((&listed["password"], listed["identities"].as_array().unwrap().len()), (&json!(true), 1));
    assert_eq!(home.account_of(&home.signed_in("corp", &person)).id, account.id);
}
