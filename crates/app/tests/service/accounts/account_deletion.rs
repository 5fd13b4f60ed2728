//! `DELETE /auth/me`: deletes the account and all its data.

use crate::prelude::*;

on_both_databases!(
    the_account_goes_with_all_its_rows_and_frees_the_address,
    another_password_is_invalid_credentials_and_deletes_nothing,
);

fn the_account_goes_with_all_its_rows_and_frees_the_address(service: &Service) {
    let (account, own) = service.session();
    let other = service.sign_in(&account);
    let token = service.reset_token(&account, 2);
    service.refresh(&own.refresh).expect(200);
    let reply = service.leave(&own.access, &account.password);
    assert_eq!((reply.status, reply.body.len()), (204, 0), "{}", reply.text());
    for table in ["sessions", "refresh_tokens", "one_time_tokens", "outbox"] {
        assert_eq!(service.database.count(&format!("FROM {table} WHERE user_id = {}", account.id)), 0, "{table}");
    }
    assert_eq!(service.database.count(&format!("FROM users WHERE id = {}", account.id)), 0);
    service.login(&account.email, &account.password).wrong_credentials();
    for reply in [service.me(&own.access), service.me(&other.access), service.refresh(&other.refresh)] {
        assert_eq!(reply.status, 401, "{}", reply.request);
    }
    service.reset(&token, "another password").invalid();
    assert_ne!(service.register(&account.email, "another password").expect(201)["id"], account.id);
}

fn another_password_is_invalid_credentials_and_deletes_nothing(service: &Service) {
    let (account, own) = service.session();
    service.leave(&own.access, "not the password").wrong_credentials();
    service.ask("DELETE", "/auth/me", &own.access).expect_error(422, "VALIDATION_ERROR");
    service.call("DELETE", "/auth/me").send().invalid();
    service.me(&own.access).expect(200);
    service.login(&account.email, &account.password).expect(200);
}
