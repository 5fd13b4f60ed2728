//! Passkeys as second factors: what the first one enables, logins, reauthentication and removal.

use super::*;

on_both_databases!(
    c2_21_the_first_second_factor_enables_it,
    c2_21_further_ones_and_other_passkeys_do_not,
    c2_22_methods_and_options_are_what_the_account_has,
    c2_23_a_passkey_completes_a_login,
    c2_23_a_wrong_passkey_leaves_the_token_good,
    c2_24_the_last_second_factor_disables_it,
    c2_24_a_required_second_factor_stays,
    c2_25_trusted_devices_end_with_changes_of_second_factors,
    c2_28_a_passkey_authenticates_again,
    c2_28_the_options_name_what_suffices,
);

const MARK: &str = "$portcullis-2fa$";

fn c2_21_the_first_second_factor_enables_it(home: &Home) {
    let (account, pair) = home.session();
    let (others, plain) = ([home.sign_in(&account), home.sign_in(&account)], home.stored_hash(&account));
    let added = home.add_security_key(&pair);
    assert_eq!((&added.view["sessions_ended"], &added.view["second_factor"]), (&json!(2), &json!(true)));
    let codes = texts(&added.view["recovery_codes"]);
    assert_eq!(codes.len(), 10);
    for other in &others {
        assert_eq!(home.verdicts(&pair.access, &other.sid())[0], "mfa_enabled");
        home.expect_ended(other);
    }
    // The FastAPI application refuses such a hash.
    assert_eq!(home.stored_hash(&account), format!("{MARK}{plain}"));
    let state = home.factors(&pair.access);
    assert_eq!(state, json!({"enabled": true, "factors": [], "passkeys": 1, "recovery_codes_left": 10}));
    // It counts as a second-factor authentication of that session.
    home.new_recovery_codes(&pair.access).expect(200);
    home.login_with(&account, &codes[0]).wrong_credentials();
    home.challenge(&account);
    home.renewed(&pair);
}

fn c2_21_further_ones_and_other_passkeys_do_not(home: &Home) {
    let (account, pair) = home.session();
    let other = home.sign_in(&account);
    let neither = |view: &Value| view.get("recovery_codes").is_none() && view.get("sessions_ended").is_none();
    assert!(neither(&home.add_passkey(&pair).view));
    home.me(&other.access).expect(200);
    assert_eq!(home.factors(&pair.access)["enabled"], false);
    assert!(!home.stored_hash(&account).contains("2fa"));
    home.sign_in(&account);
    home.add_factor(&pair.access);
    assert!(neither(&home.add_security_key(&pair).view), "the app was the first one");
    assert!(neither(&home.add_security_key(&pair).view));
    assert_eq!(home.factors(&pair.access)["passkeys"], 2);
}

fn c2_22_methods_and_options_are_what_the_account_has(home: &Home) {
    let enrolled = home.enrolled();
    let details = |account: &Account| {
        let json = home.login(&account.email, &account.password).expect_error(403, "AUTH_MFA_REQUIRED");
        let form = home.call("POST", "/auth/login").fields(&account.as_form()).send();
        assert_eq!(members(&form.expect_error(403, "AUTH_MFA_REQUIRED")), members(&json));
        json
    };
    let found = details(&enrolled.account);
    assert_eq!(members(&found), ["expires_in", "methods", "mfa_token"]);
    // A passkey that signs in is a second factor, too.
    let added = home.add_passkey(&enrolled.pair);
    let found = details(&enrolled.account);
    assert_eq!(found["methods"], json!(["totp", "passkey", "recovery_code"]));
    let options = &found["publicKey"];
    let expected = json!({
        "challenge": options["challenge"], "timeout": 300_000, "rpId": RP_ID, "userVerification": "discouraged",
        "allowCredentials": [{"id": added.key.id(), "type": "public-key", "transports": ["internal"]}],
    });
    assert_eq!((options, &found["expires_in"]), (&expected, &json!(300)));
    let holder = Holder::new(home);
    assert_eq!(holder.details()["methods"], json!(["passkey", "recovery_code"]));
    let allowed = &holder.details()["publicKey"]["allowCredentials"];
    assert_eq!(
        (&allowed[0]["id"], &allowed[1]["id"]),
        (&json!(holder.passkey.key.id()), &json!(holder.factor.key.id()))
    );
    home.database.execute(&format!("DELETE FROM recovery_codes WHERE user_id = {}", holder.account.id));
    assert_eq!(holder.details()["methods"], json!(["passkey"]));
}

fn c2_23_a_passkey_completes_a_login(home: &Home) {
    let mut holder = Holder::new(home);
    for (is_factor, flags, expected) in [
        (true, UP, &["pwd", "hwk", "mfa"][..]),
        (true, UP | BE, &["pwd", "swk", "mfa"]),
        (false, UP | UV, &["pwd", "hwk", "user", "mfa"]),
    ] {
        let (details, next) = (holder.details(), holder.options(SecondFactor));
        let added = if is_factor { &mut holder.factor } else { &mut holder.passkey };
        added.key.flags = flags;
        let token = details["mfa_token"].as_str().unwrap();
        let proof = json!({"credential": added.key.sign(&details["publicKey"])});
        let reply = home.second(token, &proof);
        assert_eq!(members(&reply.expect(200)), ["access_token", "expires_in", "refresh_token", "token_type"]);
        let begun = Pair::of(&reply);
        assert_eq!((amr(&begun), amr(&home.renewed(&begun))), (texts(&json!(expected)), texts(&json!(expected))));
        home.second(token, &json!({"credential": added.key.sign(&next)})).revoked();
        home.new_recovery_codes(&begun.access).expect(200);
    }
}

fn c2_23_a_wrong_passkey_leaves_the_token_good(home: &Home) {
    let (mut holder, mut other) = (Holder::new(home), Holder::new(home));
    let details = holder.details();
    let (token, options) = (details["mfa_token"].as_str().unwrap(), &details["publicKey"]);
    let sign = |key: &mut SoftwarePasskey| json!({"credential": key.sign(options)});
    for wrong in [sign(&mut other.factor.key), sign(&mut other.passkey.key), sign(&mut new_key(ORIGIN))] {
        home.second(token, &wrong).wrong_passkey();
    }
    let forged = holder.factor.key.sign_with(options, |ceremony| ceremony.signature = Some(vec![7; 70]));
    home.second(token, &json!({"credential": forged})).wrong_passkey();
    home.second(token, &json!({"credential": "x"})).expect_error(422, "VALIDATION_ERROR");
    home.second(token, &json!({})).expect_error(422, "VALIDATION_ERROR");
    let right = sign(&mut holder.factor.key);
    home.second(other.details()["mfa_token"].as_str().unwrap(), &right).wrong_passkey();
    home.second("x", &right).invalid();
    home.second(token, &right).expect(200);
}

fn c2_24_the_last_second_factor_disables_it(home: &Home) {
    let (account, pair) = home.session();
    let plain = home.stored_hash(&account);
    let (passkey, one, other) = (home.add_passkey(&pair), home.add_security_key(&pair), home.add_security_key(&pair));
    let (_, app, _) = home.add_factor(&pair.access);
    let second = Pair::of(&home.login_with(&account, &texts(&one.view["recovery_codes"])[0]));
    home.remove_passkey(&pair.access, &passkey.id).has_status(204);
    home.remove_passkey(&pair.access, &one.id).has_status(204);
    home.remove_factor(&pair.access, &app).has_status(204);
    let state = home.factors(&pair.access);
    assert_eq!(
        (&state["enabled"], &state["passkeys"], &state["recovery_codes_left"]),
        (&json!(true), &json!(1), &json!(9))
    );
    home.me(&second.access).expect(200);
    home.challenge(&account);
    home.remove_passkey(&pair.access, &other.id).has_status(204);
    assert_eq!(home.verdicts(&pair.access, &second.sid())[0], "mfa_disabled");
    home.expect_ended(&second);
    home.expect_no_factor(&account);
    assert_eq!(home.stored_hash(&account), plain);
    home.sign_in(&account);
    // An app is the last one if only passkeys that sign in are left.
    let (_, app, _) = home.add_factor(&pair.access);
    home.add_passkey(&pair);
    home.remove_factor(&pair.access, &app).has_status(204);
    home.expect_no_factor(&account);
}

fn c2_24_a_required_second_factor_stays(backend: Backend) {
    let lax = backend.service().with_passkeys().start();
    let (account, pair) = lax.session();
    let service = lax.again().with_passkeys().set("MFA_REQUIRED", "true").start();
    let [one, other] = [(); 2].map(|()| service.add_security_key(&pair));
    let mut passkey = service.add_passkey(&pair);
    service.remove_passkey(&pair.access, &one.id).has_status(204);
    service.remove_passkey(&pair.access, &other.id).conflict("mfa_required");
    assert_eq!(service.factors(&pair.access)["passkeys"], 1);
    service.challenge(&account);
    // With the user's verification a passkey is enough, without an enrolment.
    let (account, pair) = lax.session();
    let mut key = service.add_passkey(&pair).key;
    service.login(&account.email, &account.password).enrolment_token();
    service.sign_in_with(&mut key).expect(200);
    service.sign_in_with(&mut passkey.key).expect(200);
}

fn c2_25_trusted_devices_end_with_changes_of_second_factors(backend: Backend) {
    let service = backend.service().with_passkeys().set("MFA_TRUST_DAYS", "30").start();
    let mut holder = Holder::new(&service);
    let (access, account) = (holder.pair.access.clone(), holder.account.clone());
    let mut added = None;
    for (what, stays) in [("another passkey", true), ("a second factor", false), ("its removal", false)] {
        let details = holder.details();
        let credential = holder.factor.key.sign(&details["publicKey"]);
        let proof = json!({"credential": credential, "remember_device": true});
        let cookie = service.second(details["mfa_token"].as_str().unwrap(), &proof).cookie();
        service.login_from(&cookie, &account).expect(200);
        match added.take() {
            None if stays => _ = service.add_passkey(&holder.pair),
            None => added = Some(service.add_security_key(&holder.pair).id),
            Some(id) => _ = service.remove_passkey(&access, &id).has_status(204),
        }
        assert_eq!(service.login_from(&cookie, &account).status, if stays { 200 } else { 403 }, "{what}");
        assert_eq!(service.rows_of(&account, "trusted_devices") > 0, stays, "{what}");
    }
}

fn c2_28_a_passkey_authenticates_again(home: &Home) {
    let (mut holder, mut other) = (Holder::new(home), Holder::new(home));
    let (pair, before) = (holder.pair.clone(), jose::claims(&holder.pair.access));
    home.authenticated_earlier(&pair, 660);
    let options = holder.options(Reauthenticate);
    let send = |credential: Value| home.reauthenticate(&pair.access, &json!({"credential": credential}));
    holder.passkey.key.flags = UP;
    send(holder.passkey.key.sign(&options)).wrong_credentials();
    send(other.passkey.key.sign(&options)).wrong_credentials();
    home.remove_passkey(&pair.access, &holder.passkey.id).step_up();
    holder.passkey.key.flags = UP | UV;
    let body = send(holder.passkey.key.sign(&options)).expect(200);
    assert_eq!(members(&body), ["access_token", "expires_in", "token_type"]);
    let after = jose::claims(body["access_token"].as_str().unwrap());
    assert_eq!((&after["sid"], &after["amr"]), (&before["sid"], &json!(["hwk", "user", "mfa"])));
    assert!(after["auth_time"].is_i64() && after["jti"] != before["jti"], "{after}");
    home.add_passkey(&pair);
    home.renewed(&pair);
    home.reauthenticate(&pair.access, &json!({})).expect_error(422, "VALIDATION_ERROR");
}

fn c2_28_the_options_name_what_suffices(home: &Home) {
    let options = |pair: &Pair| home.reauthentication_options(&pair.access);
    let (_, pair) = home.session();
    assert_eq!(options(&pair), json!({"methods": ["password"]}));
    let added = home.add_passkey(&pair);
    let found = options(&pair);
    let public_key = json!({
        "challenge": found["publicKey"]["challenge"], "timeout": 300_000, "rpId": RP_ID,
        "userVerification": "required",
        "allowCredentials": [{"id": added.key.id(), "type": "public-key", "transports": ["internal"]}],
    });
    assert_eq!(found, json!({"methods": ["password", "passkey"], "publicKey": public_key}));
    let (_, id, _) = home.add_factor(&pair.access);
    assert_eq!(options(&pair)["methods"], json!(["password", "totp", "passkey"]));
    home.add_security_key(&pair);
    home.remove_factor(&pair.access, &id).has_status(204);
    // A password alone is refused, and there is no code to enter with it.
    assert_eq!(options(&pair)["methods"], json!(["passkey"]));
    assert_eq!(options(&pair)["publicKey"]["allowCredentials"].as_array().unwrap().len(), 2);
}
