//! Refresh under loss, races and theft: the verdict on the presented token.

use super::sessions::sid;
use crate::harness::accounts::Pair;
use crate::harness::calls::Reply;
use crate::harness::databases::Backend;
use crate::harness::services::Service;
use crate::harness::{jose, on_both_databases};
use serde_json::json;
use std::thread;

on_both_databases!(
    the_live_token_is_rotated,
    the_same_key_gets_the_same_pair_and_no_new_row,
    the_same_key_gets_the_same_pair_however_late,
    the_same_key_gets_no_pair_once_the_successor_was_used,
    the_same_key_gets_no_pair_of_a_session_that_has_ended,
    another_key_or_none_is_no_retry,
    simultaneous_calls_with_one_key_all_get_the_same_pair,
    an_overlap_gives_the_same_pair_to_anybody,
    there_is_no_overlap_by_default,
    within_the_grace_the_session_is_unharmed,
    later_than_the_grace_this_session_and_no_other_is_ended,
    another_key_later_than_the_grace_is_theft_too,
    a_theft_is_told_in_the_security_log,
    of_an_ended_session_nothing_else_changes,
    lines_never_fork,
    a_key_is_1_to_255_visible_ascii_characters,
    a_key_is_stored_hashed,
    nothing_stored_is_a_usable_token,
    replays_without_end_fill_no_timeline,
);

impl Service {
    fn rows(&self, pair: &Pair) -> i64 {
        let owner = jose::claims(&pair.refresh)["sub"].as_str().unwrap().to_owned();
        self.database.count(&format!("FROM refresh_tokens WHERE user_id = {owner}"))
    }

    fn live_rows(&self, pair: &Pair) -> i64 {
        let owner = jose::claims(&pair.refresh)["sub"].as_str().unwrap().to_owned();
        self.database.count(&format!("FROM refresh_tokens WHERE user_id = {owner} AND NOT revoked"))
    }

    /// Moves the time a token was spent back by `seconds`.
    pub(super) fn spent_earlier(&self, pair: &Pair, seconds: u32) {
        let earlier = match self.database {
            crate::harness::databases::Database::Sqlite(_) => {
                format!("strftime('%Y-%m-%d %H:%M:%f000', spent_at, '-{seconds} seconds')")
            }
            // Uses the server's clock, which replicas share.
            crate::harness::databases::Database::Postgres { .. } => {
                format!("spent_at, server_spent_at = server_spent_at - interval '{seconds} seconds'")
            }
        };
        self.database.execute(&format!("UPDATE refresh_tokens SET spent_at = {earlier} WHERE jti = '{}'", pair.jti()));
    }
}

fn the_live_token_is_rotated(service: &Service) {
    let (_, pair) = service.session();
    let next = Pair::of(&service.refresh_with(&pair.refresh, "a"));
    assert_ne!(next.refresh, pair.refresh);
    service.refresh(&next.refresh).expect(200);
}

/// Checks that two responses are equal and returns their pair.
fn same(one: &Reply, other: &Reply) -> Pair {
    assert_eq!(one.expect(200), other.expect(200));
    assert_eq!(other.header("Cache-Control"), Some("no-store"));
    Pair::of(other)
}

fn the_same_key_gets_the_same_pair_and_no_new_row(service: &Service) {
    let (_, pair) = service.session();
    let first = service.refresh_with(&pair.refresh, "lost-answer");
    for _ in 0..3 {
        same(&first, &service.refresh_with(&pair.refresh, "lost-answer"));
    }
    assert_eq!((service.rows(&pair), service.live_rows(&pair)), (2, 1));
    let next = Pair::of(&first);
    assert_eq!(service.verdicts(&next.access, &sid(&pair)), ["retried", "retried", "retried", "rotated", "login"]);
    let third = Pair::of(&service.refresh_with(&next.refresh, "the-next"));
    service.me(&third.access).expect(200);
}

fn the_same_key_gets_the_same_pair_however_late(service: &Service) {
    let (_, pair) = service.session();
    let first = service.refresh_with(&pair.refresh, "late");
    service.spent_earlier(&pair, 86_400);
    let next = same(&first, &service.refresh_with(&pair.refresh, "late"));
    // Even after the access token has expired, a retry returns the same claims.
    let made = "UPDATE refresh_tokens SET created_at = '2026-01-01 00:00:00.000000'";
    service.database.execute(&format!("{made} WHERE jti = '{}'", next.jti()));
    let again = service.refresh_with(&pair.refresh, "late");
    assert_eq!(again.expect(200)["expires_in"], 0);
    let again = Pair::of(&again);
    service.me(&again.access).expect_error(401, "AUTH_TOKEN_EXPIRED");
    service.refresh(&again.refresh).expect(200);
}

fn the_same_key_gets_no_pair_once_the_successor_was_used(service: &Service) {
    let (_, pair) = service.session();
    let next = Pair::of(&service.refresh_with(&pair.refresh, "once"));
    let third = Pair::of(&service.refresh_with(&next.refresh, "once"));
    service.refresh_with(&pair.refresh, "once").expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&third.refresh).expect(200);
    service.spent_earlier(&pair, 11);
    service.refresh_with(&pair.refresh, "once").expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&third.access).expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn the_same_key_gets_no_pair_of_a_session_that_has_ended(service: &Service) {
    let (_, pair) = service.session();
    let next = Pair::of(&service.refresh_with(&pair.refresh, "ended"));
    service.logout(&next.refresh).expect(200);
    service.refresh_with(&pair.refresh, "ended").expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn another_key_or_none_is_no_retry(service: &Service) {
    let (_, pair) = service.session();
    Pair::of(&service.refresh_with(&pair.refresh, "one"));
    service.refresh_with(&pair.refresh, "other").expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh_with(&pair.refresh, "One").expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh_with(&pair.refresh, "one").expect(200);
    let (_, keyless) = service.session();
    Pair::of(&service.refresh(&keyless.refresh));
    service.refresh_with(&keyless.refresh, "one").expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn simultaneous_calls_with_one_key_all_get_the_same_pair(backend: Backend) {
    let one = backend.service().start();
    let two = one.again().start();
    let services = [&one, &two];
    let (_, mut pair) = one.session();
    for _ in 0..5 {
        let token = &pair.refresh;
        let replies: Vec<_> = thread::scope(|scope| {
            let call = |number: usize| scope.spawn(move || services[number % 2].refresh_with(token, "together"));
            let calls: Vec<_> = (0..16).map(call).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        for reply in &replies {
            same(&replies[0], reply);
        }
        assert_eq!(one.live_rows(&pair), 1);
        pair = Pair::of(&replies[0]);
    }
}

fn an_overlap_gives_the_same_pair_to_anybody(backend: Backend) {
    let service = backend.service().set("REFRESH_OVERLAP_SECONDS", "30").start();
    let (_, pair) = service.session();
    let first = service.refresh_with(&pair.refresh, "mine");
    let next = same(&first, &service.refresh(&pair.refresh));
    same(&first, &service.refresh_with(&pair.refresh, "other"));
    assert_eq!((service.rows(&pair), service.live_rows(&pair)), (2, 1));
    assert_eq!(service.verdicts(&next.access, &sid(&pair)), ["overlapped", "overlapped", "rotated", "login"]);
    service.spent_earlier(&pair, 31);
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&next.access).expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn there_is_no_overlap_by_default(service: &Service) {
    let (_, pair) = service.session();
    service.refresh(&pair.refresh).expect(200);
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn within_the_grace_the_session_is_unharmed(backend: Backend) {
    let service = backend.service().set("REFRESH_GRACE_SECONDS", "60").start();
    let (_, pair) = service.session();
    let next = Pair::of(&service.refresh(&pair.refresh));
    service.spent_earlier(&pair, 50);
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&next.access).expect(200);
    service.refresh(&next.refresh).expect(200);
}

fn later_than_the_grace_this_session_and_no_other_is_ended(service: &Service) {
    let (account, pair) = service.session();
    let other = service.sign_in(&account);
    let next = Pair::of(&service.refresh(&pair.refresh));
    service.spent_earlier(&pair, 11);
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    // Either could be the thief, so both lose the session.
    service.refresh(&next.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&next.access).expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(service.live_rows(&pair), 1, "the other session's");
    assert_eq!(service.verdicts(&other.access, &sid(&pair)), ["ended", "theft", "rotated", "login"]);
    service.refresh(&other.refresh).expect(200);
}

fn another_key_later_than_the_grace_is_theft_too(service: &Service) {
    let (_, pair) = service.session();
    let next = Pair::of(&service.refresh_with(&pair.refresh, "owner"));
    service.spent_earlier(&pair, 11);
    service.refresh_with(&pair.refresh, "thief").expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&next.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh_with(&pair.refresh, "owner").expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn a_theft_is_told_in_the_security_log(backend: Backend) {
    let service = backend.service().start();
    let (account, pair) = service.session();
    let next = Pair::of(&service.refresh(&pair.refresh));
    service.spent_earlier(&pair, 3600);
    let thread_safe = || service.refresh(&pair.refresh).status;
    thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(thread_safe))));
    let told = service.log.wait_for(1, |event| event["name"] == "app.security");
    let event = &told[0];
    assert_eq!((&event["level"], &event["user_id"]), (&"WARNING".into(), &account.id.into()));
    assert_eq!((&event["session_id"], &event["client"]), (&sid(&pair).into(), &"127.0.0.1".into()));
    for secret in [&pair.refresh, &next.refresh] {
        assert!(!event.to_string().contains(secret.rsplit('.').next().unwrap()), "{event}");
    }
    service.stop();
    let events = service.log.events();
    assert_eq!(events.iter().filter(|event| event["name"] == "app.security").count(), 1, "one theft, told once");
}

fn of_an_ended_session_nothing_else_changes(service: &Service) {
    let (account, pair) = service.session();
    let next = Pair::of(&service.refresh(&pair.refresh));
    service.logout(&next.refresh).expect(200);
    let ended = || service.database.texts("ended_at", &format!("FROM sessions WHERE sid = '{}'", sid(&pair)));
    let before = ended();
    service.spent_earlier(&pair, 3600);
    for token in [&pair.refresh, &next.refresh] {
        service.refresh(token).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    assert_eq!(ended(), before);
    let other = service.sign_in(&account);
    assert!(!service.verdicts(&other.access, &sid(&pair)).contains(&"theft".to_owned()));
}

fn lines_never_fork(service: &Service) {
    let (_, mut pair) = service.session();
    for round in 0..6 {
        let (token, key) = (&pair.refresh, format!("key-{round}"));
        let replies: Vec<_> = thread::scope(|scope| {
            let call = |number: usize| {
                let key = if number.is_multiple_of(3) { key.clone() } else { format!("{key}-{number}") };
                scope.spawn(
                    move || if number % 4 == 1 { service.refresh(token) } else { service.refresh_with(token, &key) },
                )
            };
            let calls: Vec<_> = (0..12).map(call).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        assert_eq!(service.live_rows(&pair), 1);
        let won: Vec<_> = replies.iter().filter(|reply| reply.status == 200).map(Pair::of).collect();
        assert!(!won.is_empty() && won.iter().all(|pair| pair.refresh == won[0].refresh));
        pair = won[0].clone();
    }
}

fn a_key_is_1_to_255_visible_ascii_characters(service: &Service) {
    let (_, mut pair) = service.session();
    for key in ["a b", "\u{e9}", "a\tb", &"x".repeat(256)] {
        service.refresh_with(&pair.refresh, key).expect_fields(&["Idempotency-Key"]);
    }
    let body = json!({"refresh_token": pair.refresh}).to_string();
    let head = format!(
        "POST /auth/refresh HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n",
        body.len()
    );
    for keys in ["Idempotency-Key:\r\n", "Idempotency-Key: a\r\nIdempotency-Key: a\r\n"] {
        assert_eq!(service.raw(format!("{head}{keys}\r\n{body}"))[0].status, 422, "{keys}");
    }
    for key in ["!", "~", &"x".repeat(255), "0f9d7c1e-5a1b-4c1d-8e2f-000000000000"] {
        pair = Pair::of(&service.refresh_with(&pair.refresh, key));
    }
}

fn a_key_is_stored_hashed(backend: Backend) {
    let service = backend.service().start();
    let (_, pair) = service.session();
    service.refresh_with(&pair.refresh, "my-very-own-idempotency-key").expect(200);
    let dump = service.database.dump();
    assert!(dump.contains(&pair.jti()) && !dump.contains("my-very-own-idempotency-key"));
    let key = format!("FROM refresh_tokens WHERE jti = '{}' AND length(spent_key) = 32", pair.jti());
    assert_eq!(service.database.count(&key), 1);
}

/// Nor can the rest of a token be derived from a stored part.
fn nothing_stored_is_a_usable_token(backend: Backend) {
    let service = backend.service().start();
    let (_, pair) = service.session();
    let first = service.refresh_with(&pair.refresh, "kept");
    let next = Pair::of(&first);
    same(&first, &service.refresh_with(&pair.refresh, "kept"));
    let dump = service.database.dump();
    assert!(dump.contains(&next.jti()));
    for token in [&pair.access, &pair.refresh, &next.access, &next.refresh] {
        let (claims, signature) = token.rsplit_once('.').unwrap();
        assert!(!dump.contains(signature) && !dump.contains(claims.rsplit('.').next().unwrap()), "{token}");
    }
    let bare = jose::unsigned(jose::HEADER, &jose::claims(&next.refresh).to_string());
    for guess in [next.jti(), format!("{bare}."), format!("{bare}.{}", next.jti())] {
        service.refresh(&guess).expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

fn replays_without_end_fill_no_timeline(service: &Service) {
    let (account, pair) = service.session();
    service.logout(&pair.refresh).expect(200);
    for _ in 0..105 {
        service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    let other = service.sign_in(&account);
    let ended = service.verdicts(&other.access, &sid(&pair)).iter().filter(|verdict| *verdict == "ended").count();
    assert_eq!(ended, 100);
}
