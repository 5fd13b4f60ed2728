//! `portcullis user reset-mfa`.

use crate::prelude::*;
use crate::process::cli_harness::{done, refused};

on_both_databases!(
    c1_29_an_operator_removes_every_factor_and_tells_the_owner,
    c1_17_a_reset_of_nothing_and_of_nobody_says_so,
);

fn c1_29_an_operator_removes_every_factor_and_tells_the_owner(backend: Backend) {
    for by_email in [false, true] {
        let service = backend.service().set("MFA_TRUST_DAYS", "30").start();
        let (enrolled, other) = (service.enrol(service.verified_account()), service.enrolled());
        let account = &enrolled.account;
        service.add_factor(&enrolled.pair.access);
        let cookie = super::devices::remembered(&service, &enrolled);
        let challenge = service.challenge(account);
        let user = if by_email { account.email.to_uppercase() } else { account.id.to_string() };
        let told = done(&service.database, &format!("user reset-mfa {user}"));
        assert!(told.contains(&format!("account {} ({})", account.id, account.email)), "{told}");
        assert!(told.contains("2 sessions"), "{told}");
        service.expect_no_factor(account);
        service.expect_ended(&enrolled.pair);
        let reasons = service.database.texts("end_reason", &format!("FROM sessions WHERE user_id = {}", account.id));
        assert_eq!(reasons, ["mfa_reset", "mfa_reset"]);
        let live = format!("FROM refresh_tokens WHERE user_id = {} AND NOT revoked", account.id);
        assert_eq!(service.database.count(&live), 0);
        assert_eq!(service.second(&challenge, &json!({"recovery_code": enrolled.codes[0]})).status, 401);
        assert!(!service.notices(account, "factor_removed").is_empty());
        let pair = Pair::of(&service.login_from(&cookie, account));
        assert_eq!(service.verdicts(&pair.access, &enrolled.pair.sid())[1], "mfa_reset");
        // Other accounts keep theirs.
        service.sign_in_fully(&other);
        // Required or not, an operator can.
        let strict = service.again().set("MFA_REQUIRED", "true").start();
        let (_, _, confirmed) = service.add_factor(&pair.access);
        assert_eq!(confirmed["recovery_codes"].as_array().unwrap().len(), 10);
        strict.login(&account.email, &account.password).mfa_token();
        done(&service.database, &format!("user reset-mfa {}", account.id));
        strict.login(&account.email, &account.password).enrolment_token();
    }
}

fn c1_17_a_reset_of_nothing_and_of_nobody_says_so(backend: Backend) {
    let service = backend.service().start();
    let (account, pair) = service.session();
    assert_eq!(refused(&service.database, "user reset-mfa 99", 1), "portcullis: no such account");
    let nobody = refused(&service.database, "user reset-mfa nobody@example.com", 1);
    assert_eq!(nobody, "portcullis: no such account");
    // An account without a factor may keep its sessions or not; it says what it did in a line.
    let told = done(&service.database, &format!("user reset-mfa {}", account.id));
    assert_eq!(told.lines().count(), 1, "{told}");
    assert_eq!(service.notices(&account, "factor_removed").len(), 0, "nothing was removed");
    service.refresh(&pair.refresh);
    service.sign_in(&account);
}
