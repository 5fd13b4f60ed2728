//! No log line contains a token, link, email address or password.

use crate::prelude::*;

on_both_databases!(no_token_link_address_or_password_is_logged);

fn no_token_link_address_or_password_is_logged(backend: Backend) {
    let service = backend.service().start();
    let (account, own) = service.session();
    let unknown = fresh_email();
    let passwords = ["marker-current-password", "marker-reset-password"];
    // A link requested under the old password is no longer sent.
    service.wait_for_mails(&account.email, 1);
    service.change_password(&own.access, &account.password, passwords[0]).expect(200);
    service.resend(&account.email).expect(202);
    service.forgot(&unknown).expect(202);
    service.forgot(&account.email).expect(202);
    let (new_email, _) = service.email_change(&own.access, passwords[0]);
    service.wait_until_all_mail_is_sent();
    let mails: Vec<_> = [&account.email, &new_email].iter().flat_map(|email| service.mails_to(email)).collect();
    let tokens: Vec<_> = mails.iter().filter(|mail| mail.text.contains("token=")).map(|mail| mail.token()).collect();
    assert!(tokens.len() >= 4, "{tokens:?}");
    for token in &tokens {
        for page in ["verify", "reset"] {
            service.get(&format!("/account/{page}?token={token}"));
            service.submit(page, &[("token", token), ("new_password", passwords[1]), ("repetition", passwords[1])]);
        }
        service.verify(token);
        service.reset(token, passwords[1]);
    }
    service.submit("reset", &[("email", &unknown)]);
    service.wait_until_all_mail_is_sent();
    let log = service.flushed_log().text();
    assert!(log.contains("/account/verify"), "it is the log");
    let secrets = tokens.iter().chain([&account.email, &new_email, &unknown, &account.password]);
    for secret in secrets.map(String::as_str).chain(passwords).chain(["token="]) {
        assert!(!log.contains(secret), "{secret}: {}", log.lines().find(|line| line.contains(secret)).unwrap());
    }
}
