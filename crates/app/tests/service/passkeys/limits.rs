//! What guesses with passkeys and calls without a bearer token cost.

use super::*;
use crate::limits::{ACCOUNT, expect_limited, limited};

on_both_databases!(
    c2_26_wrong_passkeys_and_codes_count_together,
    c2_26_a_right_passkey_is_refunded,
    c2_26_reauthentication_counts_as_a_password_check,
    c2_27_a_source_pays_for_every_call_without_a_bearer_token,
);

/// Checks for the 429 of guesses at a second factor.
#[track_caller]
fn expect_spent(reply: &Reply) {
    reply.expect_error(429, "RATE_LIMITED");
    let policy = reply.header("RateLimit-Policy").expect("RateLimit-Policy");
    assert!(policy.ends_with(";q=5;w=3600"), "{policy}");
}

/// Signs the options, but for another page.
fn wrong(key: &mut SoftwarePasskey, options: &Value) -> Value {
    json!({"credential": key.sign_with(options, |ceremony| ceremony.origin = "https://e.org".to_owned())})
}

fn c2_26_wrong_passkeys_and_codes_count_together(backend: Backend) {
    let service = limited(backend.service()).with_passkeys().start();
    let mut holder = Holder::new(&service);
    let details = holder.details();
    let (token, options) = (details["mfa_token"].as_str().unwrap(), &details["publicKey"]);
    for _ in 0..3 {
        service.second(token, &wrong(&mut holder.factor.key, options)).wrong_passkey();
    }
    service.second(token, &json!({"recovery_code": "0000-0000-0000-0000"})).wrong_credentials();
    let again = holder.options(Reauthenticate);
    service.reauthenticate(&holder.pair.access, &wrong(&mut holder.passkey.key, &again)).wrong_credentials();
    // Right ones are not looked at any more, wherever they are presented.
    let right = json!({"credential": holder.factor.key.sign(options)});
    expect_spent(&service.second(token, &right));
    expect_spent(&service.second(token, &json!({"recovery_code": texts(&holder.factor.view["recovery_codes"])[0]})));
    expect_spent(&service.reauthenticate(&holder.pair.access, &json!({"credential": holder.passkey.key.sign(&again)})));
    // A sign-in with the user's verification needs no second factor.
    service.sign_in_with(&mut holder.passkey.key).expect(200);
    Holder::new(&service);
}

fn c2_26_a_right_passkey_is_refunded(backend: Backend) {
    let service = limited(backend.service()).with_passkeys().start();
    let mut holder = Holder::new(&service);
    for round in 0..8 {
        let details = holder.details();
        let (token, options) = (details["mfa_token"].as_str().unwrap(), &details["publicKey"]);
        if round < 4 {
            service.second(token, &wrong(&mut holder.factor.key, options)).wrong_passkey();
        }
        service.second(token, &json!({"credential": holder.factor.key.sign(options)})).expect(200);
    }
    let spent = json!({"credential": holder.factor.key.sign(&holder.options(SecondFactor))});
    service.second(&service.challenge(&holder.account), &spent).expect(200);
    service.second(&service.challenge(&holder.account), &spent).wrong_passkey();
    let right = json!({"credential": holder.factor.key.sign(&holder.options(SecondFactor))});
    expect_spent(&service.second(&service.challenge(&holder.account), &right));
}

fn c2_26_reauthentication_counts_as_a_password_check(backend: Backend) {
    let service = limited(backend.service()).with_passkeys().set("RATE_LIMIT_MFA", "100/1h").start();
    let mut holder = Holder::new(&service);
    for _ in 0..10 {
        let options = holder.options(Reauthenticate);
        let proof = wrong(&mut holder.passkey.key, &options);
        service.reauthenticate(&holder.pair.access, &proof).wrong_credentials();
    }
    let proof = json!({"credential": holder.passkey.key.sign(&holder.options(Reauthenticate))});
    expect_limited(&service.reauthenticate(&holder.pair.access, &proof), "account", ACCOUNT);
    expect_limited(&service.login(&holder.account.email, &holder.account.password), "account", ACCOUNT);
}

fn c2_27_a_source_pays_for_every_call_without_a_bearer_token(backend: Backend) {
    let setup = limited(backend.service()).with_passkeys().set("TRUSTED_PROXIES", "127.0.0.1");
    let service = setup.set("RATE_LIMIT_SOURCE", "3/24h").start();
    for (number, (method, path, body)) in [
        ("POST", "/auth/passkeys/login/options", json!({})),
        ("POST", "/auth/passkeys/login", json!({"credential": {}})),
        ("POST", "/auth/passkeys/login", json!({"credential": new_key(ORIGIN).sign(&service.sign_in_options())})),
        ("GET", "/.well-known/webauthn", Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        let send = || {
            let call = service.call(method, path).header("X-Forwarded-For", &format!("198.51.100.{number}"));
            if body.is_null() { call.send() } else { call.json(&body).send() }
        };
        (0..3).for_each(|_| assert_ne!(send().status, 429, "{method} {path}"));
        expect_limited(&send(), "source", "q=3;w=86400");
    }
}
