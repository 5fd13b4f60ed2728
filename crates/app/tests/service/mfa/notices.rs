//! Emails to the owner about second factors, and what neither they nor the log may tell.

use crate::harness::mails::Mail;
use crate::prelude::*;

on_both_databases!(
    c0_21_the_owner_hears_of_every_change_of_factors,
    c0_5_a_refused_second_factor_tells_nobody_and_ends_nothing,
    g2_no_secret_code_or_token_is_logged,
);

/// Returns the subject of an occasion's email in English.
pub(super) fn subject(occasion: &str) -> String {
    let texts = include_str!("../../../../adapters/minijinja/templates/en.toml");
    let texts: toml::Table = texts.parse().unwrap();
    let subject = texts.get(occasion).unwrap_or_else(|| panic!("no texts of {occasion}"))["subject"].as_str();
    subject.unwrap().replace("{{ app_name }}", "Portcullis")
}

impl Service {
    /// Returns the emails of an occasion, once all are sent.
    pub(crate) fn notices(&self, account: &Account, occasion: &str) -> Vec<Mail> {
        self.wait_until_all_mail_is_sent();
        let (subject, mut mails) = (subject(occasion), self.mails_to(&account.email));
        mails.retain(|mail| mail.field("Subject") == subject);
        mails
    }
}

fn c0_21_the_owner_hears_of_every_change_of_factors(service: &Service) {
    let enrolled = service.enrol(service.verified_account());
    let (account, access) = (&enrolled.account, &enrolled.pair.access);
    let sent = || ["factor_added", "factor_removed", "recovery_code_used"].map(|of| service.notices(account, of).len());
    assert_eq!(sent(), [1, 0, 0]);
    let (_, second, _) = service.add_factor(access);
    service.begin_factor(access).expect(201);
    service.sign_in_fully(&enrolled);
    service.login_with(account, "0000-0000-0000-0000").wrong_credentials();
    assert_eq!(sent(), [2, 0, 0], "a pending factor and a code of the app send no notice");
    service.login_with(account, &enrolled.codes[0]).expect(200);
    service.second(&service.challenge(account), &json!({"recovery_code": enrolled.codes[1]})).expect(200);
    let proof = json!({"password": account.password, "code": enrolled.codes[2]});
    service.reauthenticate(access, &proof).expect(200);
    assert_eq!(sent(), [2, 0, 3]);
    service.remove_factor(access, &second).has_status(204);
    service.remove_factor(access, &enrolled.factor).has_status(204);
    assert_eq!(sent(), [2, 2, 3]);
    for mail in service.mails_to(&account.email) {
        assert!(!enrolled.codes.iter().any(|code| mail.whole.contains(code)), "{}", mail.whole);
        assert!(!mail.whole.contains(&enrolled.factor) && !mail.whole.contains("otpauth"), "{}", mail.whole);
    }
}

#[test]
fn c0_21_notices_can_be_switched_off() {
    for (setting, counts) in
        [("none", [0, 0, 0]), ("factor_removed", [0, 1, 0]), ("factor_added,recovery_code_used", [1, 0, 1])]
    {
        let service = Backend::Sqlite.service().set("MAIL_NOTICES", setting).start();
        let enrolled = service.enrol(service.verified_account());
        service.login_with(&enrolled.account, &enrolled.codes[0]).expect(200);
        service.remove_factor(&enrolled.pair.access, &enrolled.factor).has_status(204);
        let of = ["factor_added", "factor_removed", "recovery_code_used"];
        assert_eq!(of.map(|of| service.notices(&enrolled.account, of).len()), counts, "{setting}");
    }
}

/// New-device notices and `MAX_SESSIONS_PER_USER` come after the second factor.
fn c0_5_a_refused_second_factor_tells_nobody_and_ends_nothing(backend: Backend) {
    let service = backend.service().set("MAX_SESSIONS_PER_USER", "1").start();
    let enrolled = service.enrol(service.verified_account());
    let login = |code: Option<&str>| {
        let mut body = credentials(&enrolled.account);
        body["code"] = json!(code);
        service
            .call("POST", "/auth/login")
            .header("User-Agent", "Mozilla/5.0 (X11; Linux) Firefox/140")
            .json(&body)
            .send()
    };
    login(None).mfa_token();
    login(Some(&enrolled.app.wrong())).wrong_credentials();
    assert_eq!(service.notices(&enrolled.account, "new_device").len(), 0);
    service.me(&enrolled.pair.access).expect(200);
    let pair = Pair::of(&login(Some(&service.fresh_code(&enrolled))));
    assert_eq!(service.notices(&enrolled.account, "new_device").len(), 1);
    service.expect_ended(&enrolled.pair);
    service.me(&pair.access).expect(200);
}

fn g2_no_secret_code_or_token_is_logged(backend: Backend) {
    let service = backend.service().set("LOG_LEVEL", "DEBUG").set("MFA_TRUST_DAYS", "30").start();
    let (account, pair) = service.session();
    let begun = service.begin_factor(&pair.access).expect(201);
    let secret = begun["secret"].as_str().unwrap();
    let app = crate::harness::totp::Authenticator::of(secret);
    let code = app.code();
    let confirmed = service.confirm_factor(&pair.access, begun["id"].as_str().unwrap(), &code).expect(200);
    let codes = crate::harness::mfa::texts(&confirmed["recovery_codes"]);
    let token = service.challenge(&account);
    let next = app.at(unix_now() + 30);
    service.second(&token, &json!({"recovery_code": codes[0], "remember_device": true})).expect(200);
    service.second(&token, &json!({"code": next})).revoked();
    service.login_with(&account, &codes[1]).expect(200);
    service.login_with(&account, &codes[1]).wrong_credentials();
    service.login_with(&account, &next).expect(200);
    let log = service.flushed_log().text();
    assert!(log.contains("/auth/mfa/verify"), "it is the log");
    // Six digits alone may occur in a time.
    let shown = [&code, &next].map(|code| format!("\"{code}\""));
    let plain = codes.iter().map(|code| code.replace('-', ""));
    let secrets = [secret.to_owned(), token, hex::encode(&app.secret)];
    for secret in secrets.into_iter().chain(shown).chain(codes.iter().cloned()).chain(plain) {
        assert!(!log.contains(&secret), "{secret}: {}", log.lines().find(|line| line.contains(&secret)).unwrap());
    }
}
