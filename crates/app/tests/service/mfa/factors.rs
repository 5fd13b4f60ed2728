//! `PATCH` and `DELETE /auth/mfa/totp/{id}`, `POST /auth/mfa/recovery-codes`.

use crate::harness::mfa::texts;
use crate::prelude::*;

on_both_databases!(
    c1_8_a_factor_is_renamed_without_recent_authentication,
    c1_9_removing_the_last_factor_leaves_nothing_and_ends_other_sessions,
    c1_9_removing_another_ends_nothing_and_keeps_the_codes,
    c1_9_an_id_that_is_not_ones_own_is_not_found,
    c1_10_new_recovery_codes_replace_the_old_ones,
    c1_38_an_account_is_deleted_with_its_factors,
);

fn c1_8_a_factor_is_renamed_without_recent_authentication(service: &Service) {
    let enrolled = service.enrolled();
    service.authenticated_earlier(&enrolled.pair, 86_400);
    let path = format!("/auth/mfa/totp/{}", enrolled.factor);
    let rename = |name: Value| service.tell("PATCH", &path, &enrolled.pair.access, &json!({"name": name}));
    rename(json!("Käses 📱")).expect(200);
    assert_eq!(service.factors(&enrolled.pair.access)["factors"][0]["name"], "Käses 📱");
    for bad in [json!(""), json!("x".repeat(65)), json!("a\nb"), json!(1)] {
        rename(bad).expect_fields(&["name"]);
    }
    service.tell("PATCH", &path, &enrolled.pair.access, &json!({})).expect_fields(&["name"]);
    assert_eq!(service.factors(&enrolled.pair.access)["factors"][0]["name"], "Käses 📱");
}

fn c1_9_removing_the_last_factor_leaves_nothing_and_ends_other_sessions(service: &Service) {
    let enrolled = service.enrolled();
    let (account, own) = (&enrolled.account, &enrolled.pair);
    let other = service.sign_in_fully(&enrolled);
    let removed = service.remove_factor(&own.access, &enrolled.factor);
    assert_eq!((removed.status, removed.body.len()), (204, 0), "{}", removed.text());
    service.expect_no_factor(account);
    let state = service.factors(&own.access);
    assert_eq!((&state["enabled"], &state["recovery_codes_left"]), (&json!(false), &json!(0)));
    assert_eq!(service.verdicts(&own.access, &other.sid())[0], "mfa_disabled");
    let live = format!("FROM refresh_tokens WHERE user_id = {} AND NOT revoked", account.id);
    assert_eq!(service.database.texts("jti", &live), [own.jti()]);
    service.expect_ended(&other);
    service.renewed(own);
    service.sign_in(account);
    // A later factor is a first one again.
    let pair = service.sign_in(account);
    assert_eq!(texts(&service.add_factor(&pair.access).2["recovery_codes"]).len(), 10);
}

fn c1_9_removing_another_ends_nothing_and_keeps_the_codes(service: &Service) {
    let enrolled = service.enrolled();
    let other = service.sign_in_fully(&enrolled);
    let (_, second, _) = service.add_factor(&enrolled.pair.access);
    service.remove_factor(&enrolled.pair.access, &enrolled.factor).has_status(204);
    service.renewed(&other);
    let state = service.factors(&enrolled.pair.access);
    assert_eq!((&state["factors"][0]["id"], &state["recovery_codes_left"]), (&json!(second), &json!(10)));
    // The removed app is no factor any more; a recovery code of the first one still is.
    service.login_with(&enrolled.account, &service.fresh_code(&enrolled)).wrong_credentials();
    service.login_with(&enrolled.account, &enrolled.codes[0]).expect(200);
}

fn c1_9_an_id_that_is_not_ones_own_is_not_found(service: &Service) {
    let [own, theirs] = [service.enrolled(), service.enrolled()];
    for id in [theirs.factor.as_str(), "x", "0123456789abcdef0123456789abcdef"] {
        service.remove_factor(&own.pair.access, id).not_found();
        let path = format!("/auth/mfa/totp/{id}");
        service.tell("PATCH", &path, &own.pair.access, &json!({"name": "mine"})).not_found();
    }
    assert_eq!(service.factors(&theirs.pair.access)["factors"][0]["name"], "Authenticator");
    service.sign_in_fully(&theirs);
}

fn c1_10_new_recovery_codes_replace_the_old_ones(service: &Service) {
    let enrolled = service.enrolled();
    service.login_with(&enrolled.account, &enrolled.codes[0]).expect(200);
    let reply = service.new_recovery_codes(&enrolled.pair.access);
    let body = reply.expect(200);
    assert_eq!((members(&body), reply.header("Cache-Control")), (vec!["recovery_codes"], Some("no-store")));
    let codes = texts(&body["recovery_codes"]);
    assert!(codes.len() == 10 && codes.iter().all(|code| !enrolled.codes.contains(code)), "{codes:?}");
    assert_eq!(service.factors(&enrolled.pair.access)["recovery_codes_left"], 10);
    for old in &enrolled.codes {
        service.login_with(&enrolled.account, old).wrong_credentials();
    }
    service.login_with(&enrolled.account, &codes[9]).expect(200);
    assert_eq!(service.factors(&enrolled.pair.access)["recovery_codes_left"], 9);
}

fn c1_38_an_account_is_deleted_with_its_factors(service: &Service) {
    let enrolled = service.enrolled();
    service.leave(&enrolled.pair.access, &enrolled.account.password).has_status(204);
    for table in ["totp_factors", "recovery_codes", "trusted_devices", "sessions"] {
        assert_eq!(service.rows_of(&enrolled.account, table), 0, "{table}");
    }
    let anew = service.register(&enrolled.account.email, &enrolled.account.password).expect(201);
    assert_ne!(anew["id"], enrolled.account.id);
    service.sign_in(&enrolled.account);
}
