//! Sign-in with a passkey. `responses` has the fields that are checked, and `mfa::ways` the states of accounts.

use super::*;

on_both_databases!(
    c2_10_options_reveal_no_account,
    c2_11_a_passkey_signs_in_without_email_and_password,
    c2_11_only_a_passkey_of_no_account_is_unknown,
    c2_11_the_user_handle_is_the_accounts,
    c2_12_a_verified_user_is_both_factors,
    c2_13_without_verification_it_is_one_factor,
    c2_14_a_second_factor_does_not_sign_in,
    c2_15_a_new_device_is_notified_and_sessions_are_bounded,
    c2_15_in_cookie_mode_tokens_are_cookies,
    c2_19_a_counter_that_does_not_grow_is_refused,
    c2_20_backup_flags_are_stored_and_never_compared,
);

fn c2_10_options_reveal_no_account(home: &Home) {
    Holder::new(home);
    let first = home.sign_in_options();
    let expected = json!({
        "challenge": first["challenge"], "timeout": 300_000, "rpId": RP_ID, "allowCredentials": [],
        "userVerification": "required",
    });
    assert_eq!(first, expected);
    let reply = home.call("POST", "/auth/passkeys/login/options").send();
    assert_ne!(reply.expect(200)["publicKey"]["challenge"], first["challenge"]);
    assert_eq!(reply.header("Cache-Control"), Some("no-store"));
}

fn c2_11_a_passkey_signs_in_without_email_and_password(home: &Home) {
    let (account, pair) = home.session();
    let mut added = home.add_passkey(&pair);
    let reply = home.sign_in_with(&mut added.key);
    assert_eq!(members(&reply.expect(200)), ["access_token", "expires_in", "refresh_token", "token_type"]);
    assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    reply.cookie();
    let begun = Pair::of(&reply);
    assert_eq!(home.me(&begun.access).expect(200)["email"], account.email);
    assert_ne!(begun.sid(), pair.sid());
    home.renewed(&begun);
    let used = &home.passkeys(&pair.access)["passkeys"][0]["last_used_at"];
    assert!(used.as_str().unwrap().ends_with('Z'), "{used}");
    // A sign-in is recent, with both factors.
    home.add_security_key(&begun);
    home.post("/auth/passkeys/login", &json!({})).expect_fields(&["credential"]);
}

fn c2_11_only_a_passkey_of_no_account_is_unknown(home: &Home) {
    let (account, pair) = home.session();
    let mut added = home.add_passkey(&pair);
    let mut unknown = new_key(ORIGIN);
    unknown.user_handle = added.key.user_handle.clone();
    home.sign_in_with(&mut unknown).unknown_passkey();
    // Its id decides, not who signed.
    let forged = unknown.sign_with(&home.sign_in_options(), |ceremony| {
        ceremony.credential_id = added.key.credential_id.clone();
    });
    home.send_sign_in("", &forged).wrong_passkey();
    home.disable(&account);
    home.sign_in_with(&mut added.key).wrong_passkey();
    home.sign_in_with(&mut unknown).unknown_passkey();
}

fn c2_11_the_user_handle_is_the_accounts(home: &Home) {
    let mut holder = Holder::new(home);
    let other = Holder::new(home).passkey.key.user_handle.unwrap();
    // A sign-in needs it; other uses accept its absence, as of a key that stores none.
    for to in [LogIn, SecondFactor, Reauthenticate] {
        for handle in [None, Some(other.clone()), Some(Vec::new()), Some(other[..31].to_vec())] {
            let challenge = holder.options(to)["challenge"].clone();
            let is_accepted = handle.is_none() && to != LogIn;
            let credential = holder.respond(to, &challenge, |ceremony| ceremony.user_handle.clone_from(&handle));
            to.expect(&holder.send(to, &credential), (!is_accepted).then_some("user_handle"), handle);
        }
    }
}

fn c2_12_a_verified_user_is_both_factors(home: &Home) {
    let mut holder = Holder::new(home);
    for (flags, expected) in [(0, ["hwk", "user", "mfa"]), (BE, ["swk", "user", "mfa"])] {
        holder.passkey.key.flags = UP | UV | flags;
        let begun = Pair::of(&home.sign_in_with(&mut holder.passkey.key));
        let claims = jose::claims(&begun.access);
        assert_eq!(
            (amr(&begun), claims["auth_time"].as_i64()),
            (expected.map(str::to_owned).into(), claims["iat"].as_i64())
        );
        let renewed = jose::claims(&home.renewed(&begun).access);
        assert_eq!((&renewed["amr"], &renewed["auth_time"]), (&claims["amr"], &claims["auth_time"]));
        home.new_recovery_codes(&begun.access).expect(200);
    }
}

fn c2_13_without_verification_it_is_one_factor(home: &Home) {
    let (account, pair) = home.session();
    let mut added = home.add_passkey(&pair);
    added.key.flags = UP;
    home.sign_in_with(&mut added.key).wrong_passkey();
    let (app, factor, _) = home.add_factor(&pair.access);
    let enrolled = Enrolled { account, app, factor, codes: Vec::new(), pair, cookie: String::new() };
    let challenge = |key: &mut SoftwarePasskey| home.sign_in_with(key).expect_error(403, "AUTH_MFA_REQUIRED");
    let details = challenge(&mut added.key);
    assert_eq!(members(&details), ["expires_in", "methods", "mfa_token", "publicKey"]);
    assert_eq!(details["methods"], json!(["totp", "passkey", "recovery_code"]));
    assert_eq!(details["publicKey"]["userVerification"], "required", "the key alone is no second factor");
    // The same key does not complete what it began; a code does.
    let verify = |key: &mut SoftwarePasskey, details: &Value| {
        let credential = key.sign(&details["publicKey"]);
        home.second(details["mfa_token"].as_str().unwrap(), &json!({"credential": credential}))
    };
    verify(&mut added.key, &details).wrong_passkey();
    let code = json!({"code": home.fresh_code(&enrolled)});
    let begun = Pair::of(&home.second(details["mfa_token"].as_str().unwrap(), &code));
    assert_eq!(amr(&begun), ["otp", "hwk", "mfa"]);
    // The challenge of a sign-in is spent by the 403, too.
    let credential = added.key.sign(&home.sign_in_options());
    home.send_sign_in("", &credential).expect_error(403, "AUTH_MFA_REQUIRED");
    home.send_sign_in("", &credential).wrong_passkey();
    let details = challenge(&mut added.key);
    added.key.flags = UP | UV;
    assert_eq!(amr(&Pair::of(&verify(&mut added.key, &details))), ["hwk", "user", "mfa"]);
    // Another security key is another second factor as well.
    home.remove_factor(&begun.access, &enrolled.factor).has_status(204);
    added.key.flags = UP;
    home.sign_in_with(&mut added.key).wrong_passkey();
    home.add_security_key(&home.session().1);
    home.sign_in_with(&mut added.key).wrong_passkey();
    home.add_security_key(&begun);
    assert_eq!(challenge(&mut added.key)["methods"], json!(["passkey", "recovery_code"]));
}

fn c2_14_a_second_factor_does_not_sign_in(home: &Home) {
    let (_, pair) = home.session();
    home.add_factor(&pair.access);
    let mut added = home.add_key(&pair, new_key(ORIGIN), true);
    for flags in [UP, UP | UV, UP | UV | BE | BS] {
        added.key.flags = flags;
        home.sign_in_with(&mut added.key).wrong_passkey();
    }
}

fn c2_15_a_new_device_is_notified_and_sessions_are_bounded(backend: Backend) {
    let service = backend.service().with_passkeys().set("MAX_SESSIONS_PER_USER", "1").start();
    let account = service.verified_account();
    let pair = service.sign_in(&account);
    let mut added = service.add_passkey(&pair);
    let wrong = added.key.sign_with(&service.sign_in_options(), |ceremony| ceremony.user_handle = None);
    let right = added.key.sign(&service.sign_in_options());
    let send = |credential: &Value| {
        let call = service.call("POST", "/auth/passkeys/login");
        let call = call.header("User-Agent", "Mozilla/5.0 (X11; Linux) Firefox/140");
        call.json(&json!({"credential": credential})).send()
    };
    send(&wrong).wrong_passkey();
    service.me(&pair.access).expect(200);
    assert_eq!(service.notices(&account, "new_device").len(), 0);
    let begun = Pair::of(&send(&right));
    service.expect_ended(&pair);
    assert_eq!(service.notices(&account, "new_device").len(), 1);
    service.renewed(&begun);
}

fn c2_15_in_cookie_mode_tokens_are_cookies(backend: Backend) {
    let service = backend.service().with_passkeys().set("COOKIE_MODE", "on").set("PUBLIC_URL", ORIGIN).start();
    let mut added = service.add_passkey(&service.session().1);
    for (remember, has_age) in [(json!(null), true), (json!(false), false)] {
        let body = json!({"credential": added.key.sign(&service.sign_in_options()), "remember": remember});
        let call = || service.call("POST", "/auth/passkeys/login").header("Portcullis-Tokens", "cookie");
        call().header("Origin", "https://evil.example").json(&body).send().expect_error(403, "FORBIDDEN");
        let reply = call().header("Origin", ORIGIN).json(&body).send();
        assert_eq!(reply.expect(200), json!({"token_type": "cookie", "expires_in": 900}));
        for kind in ["access", "refresh"] {
            let cookies = reply.headers.get_all("Set-Cookie").iter().map(|value| value.to_str().unwrap());
            let name = format!("__Host-portcullis_{kind}=");
            let cookie = cookies.into_iter().find(|cookie| cookie.starts_with(&name)).expect(kind);
            assert!(cookie.contains("HttpOnly") && cookie.contains("Max-Age") == has_age, "{cookie}");
        }
    }
}

fn c2_19_a_counter_that_does_not_grow_is_refused(backend: Backend) {
    let service = backend.service().with_passkeys().start();
    let (account, pair) = service.session();
    let mut key = new_key(ORIGIN);
    key.counter = 5;
    let mut key = service.add_key(&pair, key, false).key;
    let mut sign = |counter: u32, forge: bool| {
        key.sign_with(&service.sign_in_options(), |ceremony| {
            (ceremony.counter, ceremony.signature) = (counter, forge.then(|| vec![7; 70]));
        })
    };
    let stored = || service.database.texts("counter", "FROM passkeys");
    let warnings = || {
        let events = service.flushed_log().events();
        let of_counters = |event: &&Value| event["name"] == "app.security" && event["user_id"] == account.id;
        events.iter().filter(of_counters).count()
    };
    for counter in [5, 4, 0] {
        service.send_sign_in("", &sign(counter, false)).wrong_passkey();
        // A forged signature does not report a copy.
        service.send_sign_in("", &sign(counter, true)).wrong_passkey();
    }
    assert_eq!((warnings(), stored()), (3, vec!["5".to_owned()]));
    service.send_sign_in("", &sign(6, false)).expect(200);
    service.send_sign_in("", &sign(900, false)).expect(200);
    // Copies that count alike, at once: one of them gets in.
    let copies = [(); 4].map(|()| sign(901, false));
    let replies = at_once(4, |number| service.send_sign_in("", &copies[number]));
    assert_eq!((count(&replies, 200), count(&replies, 401), stored()), (1, 3, vec!["901".to_owned()]));
    assert_eq!(warnings(), 6);
    service.send_sign_in("", &sign(u32::MAX, false)).expect(200);
    service.send_sign_in("", &sign(0, false)).wrong_passkey();
    assert_eq!(stored(), [u32::MAX.to_string()]);
}

fn c2_20_backup_flags_are_stored_and_never_compared(home: &Home) {
    let (_, pair) = home.session();
    let mut added = home.add_passkey(&pair);
    for flags in [BE | BS, 0, BE, BS, BE | BS, BE] {
        added.key.flags = UP | UV | flags;
        home.sign_in_with(&mut added.key).expect(200);
        let listed = &home.passkeys(&pair.access)["passkeys"][0];
        let expected = (&json!(flags & BE != 0), &json!(flags & BS != 0));
        assert_eq!((&listed["synced"], &listed["backed_up"]), expected, "{flags}");
    }
}
