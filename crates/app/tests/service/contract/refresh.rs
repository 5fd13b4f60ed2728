//! `POST /auth/refresh`: a token works once. Exactly one concurrent caller succeeds, also within the same
//! second.

use crate::harness::accounts::Pair;
use crate::harness::databases::Backend;
use crate::harness::{jose, on_both_databases, services::Service, timing::unix_now};
use serde_json::json;
use std::thread;

on_both_databases!(
    a_refresh_gives_the_shape_of_a_login,
    the_old_token_is_revoked_and_the_new_one_stored,
    of_n_simultaneous_calls_exactly_one_wins,
    of_simultaneous_calls_at_two_replicas_exactly_one_wins,
    new_access_token_carries_the_jti_of_the_spent_refresh_token,
    a_malformed_forged_or_unknown_token_is_invalid,
    a_token_of_the_wrong_type_is_invalid,
    an_expired_token_is_expired,
    a_token_is_expired_when_its_row_is,
    a_token_of_an_inactive_account_is_revoked,
    rotations_within_one_second_leave_no_old_token_alive,
    spent_tokens_stay_spent_over_a_restart,
);

fn a_refresh_gives_the_shape_of_a_login(service: &Service) {
    let (_, pair) = service.session();
    let body = service.refresh(&pair.refresh).expect(200);
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 900);
    service.me(body["access_token"].as_str().unwrap()).expect(200);
    service.me(&pair.access).expect(200);
}

fn the_old_token_is_revoked_and_the_new_one_stored(service: &Service) {
    let (account, mut pair) = service.session();
    for _ in 0..4 {
        let next = Pair::of(&service.refresh(&pair.refresh));
        service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
        pair = next;
    }
    let rows =
        |rest: &str| service.database.count(&format!("FROM refresh_tokens WHERE user_id = {}{rest}", account.id));
    assert_eq!(rows(""), 5);
    assert_eq!(rows(" AND NOT revoked"), 1);
    assert_eq!(rows(&format!(" AND NOT revoked AND jti = '{}'", pair.jti())), 1);
}

/// Returns the pairs of the calls that got 200. The others must get the error for a spent token.
fn winners(services: &[&Service], token: &str, calls: usize) -> Vec<Pair> {
    let replies: Vec<_> = thread::scope(|scope| {
        let call = |number: usize| scope.spawn(move || services[number % services.len()].refresh(token));
        let calls: Vec<_> = (0..calls).map(call).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    for reply in lost {
        reply.expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    won.iter().map(Pair::of).collect()
}

fn of_n_simultaneous_calls_exactly_one_wins(service: &Service) {
    let (_, mut pair) = service.session();
    for _ in 0..5 {
        let mut won = winners(&[service], &pair.refresh, 20);
        assert_eq!(won.len(), 1);
        pair = won.remove(0);
    }
    service.refresh(&pair.refresh).expect(200);
}

fn of_simultaneous_calls_at_two_replicas_exactly_one_wins(backend: Backend) {
    let one = backend.service().start();
    let two = one.again().start();
    let (_, mut pair) = one.session();
    for _ in 0..5 {
        let mut won = winners(&[&one, &two], &pair.refresh, 20);
        assert_eq!(won.len(), 1);
        pair = won.remove(0);
    }
    two.refresh(&pair.refresh).expect(200);
    one.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn new_access_token_carries_the_jti_of_the_spent_refresh_token(service: &Service) {
    let (_, pair) = service.session();
    let next = Pair::of(&service.refresh(&pair.refresh));
    assert_eq!(jose::claims(&next.access)["jti"], pair.jti());
    assert_ne!(next.jti(), pair.jti());
    let third = Pair::of(&service.refresh(&next.refresh));
    assert_eq!(jose::claims(&third.access)["jti"], next.jti());
}

fn a_malformed_forged_or_unknown_token_is_invalid(service: &Service) {
    let (_, pair) = service.session();
    let unknown = jose::changed(&pair.refresh, "jti", "0123456789abcdef0123456789abcdef");
    let forged = jose::signed_with(b"another secret of more than 32 bytes", pair.refresh.rsplit_once('.').unwrap().0);
    let (short, long) = (&pair.refresh[..pair.refresh.len() - 1], format!("{}A", pair.refresh));
    for token in ["", " ", "x", "a.b.c", "...", &unknown, &forged, short, &long, &pair.refresh[1..]] {
        service.refresh(token).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    service.refresh(&pair.refresh).expect(200);
}

fn a_token_of_the_wrong_type_is_invalid(service: &Service) {
    let (_, pair) = service.session();
    service.refresh(&pair.access).expect_error(401, "AUTH_TOKEN_INVALID");
    let relabelled = jose::changed(&pair.access, "type", "refresh");
    service.refresh(&relabelled).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn an_expired_token_is_expired(service: &Service) {
    let (_, pair) = service.session();
    let now = unix_now();
    for exp in [now - 100_000, now - 1, now] {
        let expired = jose::token(&jose::with(&jose::with(&jose::claims(&pair.refresh), "exp", exp), "iat", exp - 60));
        service.refresh(&expired).expect_error(401, "AUTH_TOKEN_EXPIRED");
    }
    service.refresh(&pair.refresh).expect(200);
}

fn a_token_is_expired_when_its_row_is(service: &Service) {
    let (_, pair) = service.session();
    let past = "2020-01-01 00:00:00";
    service.database.execute(&format!("UPDATE refresh_tokens SET expires_at = '{past}' WHERE jti = '{}'", pair.jti()));
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_EXPIRED");
}

fn a_token_of_an_inactive_account_is_revoked(service: &Service) {
    let (account, pair) = service.session();
    service.disable(&account);
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.database.execute(&format!("UPDATE users SET is_active = TRUE WHERE id = {}", account.id));
    let next = service.post("/auth/refresh", &json!({"refresh_token": pair.refresh}));
    assert!(matches!(next.status, 200 | 401), "{}", next.text());
}

fn rotations_within_one_second_leave_no_old_token_alive(service: &Service) {
    let (_, mut pair) = service.session();
    let mut old = Vec::new();
    for _ in 0..3 {
        let next = Pair::of(&service.refresh(&pair.refresh));
        old.push(std::mem::replace(&mut pair, next));
    }
    for spent in &old {
        service.refresh(&spent.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    service.refresh(&pair.refresh).expect(200);
}

fn spent_tokens_stay_spent_over_a_restart(backend: Backend) {
    let service = backend.service().start();
    let (_, spent) = service.session();
    let live = Pair::of(&service.refresh(&spent.refresh));
    let (_, out) = service.session();
    service.logout(&out.refresh).expect(200);
    service.kill();
    let service = service.again().start();
    for token in [&spent.refresh, &out.refresh] {
        service.refresh(token).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    service.refresh(&live.refresh).expect(200);
}
