//! `DELETE /auth/me`: deletes the account and all its data.

use crate::harness::on_both_databases;
use crate::harness::services::Service;

on_both_databases!(
    the_account_and_all_that_belongs_to_it_is_gone,
    another_password_is_invalid_credentials_and_deletes_nothing,
    the_address_is_free_again,
);

fn the_account_and_all_that_belongs_to_it_is_gone(service: &Service) {
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
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    for access in [&own.access, &other.access] {
        assert_eq!(service.me(access).status, 401);
    }
    assert_eq!(service.refresh(&other.refresh).status, 401);
    service.reset(&token, "another password").expect_error(401, "AUTH_TOKEN_INVALID");
}

fn another_password_is_invalid_credentials_and_deletes_nothing(service: &Service) {
    let (account, own) = service.session();
    service.leave(&own.access, "not the password").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.call("DELETE", "/auth/me").bearer(&own.access).send().expect_error(422, "VALIDATION_ERROR");
    service.call("DELETE", "/auth/me").send().expect_error(401, "AUTH_TOKEN_INVALID");
    service.me(&own.access).expect(200);
    service.login(&account.email, &account.password).expect(200);
}

fn the_address_is_free_again(service: &Service) {
    let (account, own) = service.session();
    assert_eq!(service.leave(&own.access, &account.password).status, 204);
    let again = service.register(&account.email, "another password").expect(201);
    assert_ne!(again["id"], account.id);
}
