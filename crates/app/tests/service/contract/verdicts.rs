//! Refresh under loss, races and theft: the verdict on the presented token.

use crate::prelude::*;

on_both_databases!(
    the_same_key_gets_the_same_pair_and_no_new_row,
    the_same_key_gets_the_same_pair_however_late,
    the_same_key_gets_no_pair_once_successor_or_session_is_gone,
    simultaneous_calls_with_one_key_all_get_the_same_pair,
    an_overlap_gives_the_same_pair_to_anybody,
    after_the_grace_this_session_and_no_other_is_ended,
    a_theft_is_told_in_the_security_log_once,
    of_an_ended_session_nothing_else_changes,
    a_key_is_1_to_255_visible_ascii_characters,
    no_key_and_no_usable_token_is_stored,
    replays_without_end_fill_no_timeline,
);

impl Service {
    /// Counts the refresh tokens of the pair's account: all, and those not revoked.
    fn rows(&self, pair: &Pair) -> (i64, i64) {
        let owner = jose::claims(&pair.refresh)["sub"].as_str().unwrap().to_owned();
        let of_owner = format!("FROM refresh_tokens WHERE user_id = {owner}");
        (self.database.count(&of_owner), self.database.count(&format!("{of_owner} AND NOT revoked")))
    }
}

/// Checks that two responses are equal and returns their pair.
#[track_caller]
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
    assert_eq!(service.rows(&pair), (2, 1));
    let next = Pair::of(&first);
    assert_eq!(service.verdicts(&next.access, &pair.sid()), ["retried", "retried", "retried", "rotated", "login"]);
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
    service.me(&again.access).expired();
    service.refresh(&again.refresh).expect(200);
}

fn the_same_key_gets_no_pair_once_successor_or_session_is_gone(service: &Service) {
    let (_, pair) = service.session();
    let next = Pair::of(&service.refresh_with(&pair.refresh, "once"));
    let third = Pair::of(&service.refresh_with(&next.refresh, "once"));
    service.refresh_with(&pair.refresh, "once").revoked();
    service.refresh(&third.refresh).expect(200);
    service.spent_earlier(&pair, 11);
    service.refresh_with(&pair.refresh, "once").revoked();
    service.me(&third.access).revoked();
    let (_, pair) = service.session();
    let next = Pair::of(&service.refresh_with(&pair.refresh, "ended"));
    service.logout(&next.refresh).expect(200);
    service.refresh_with(&pair.refresh, "ended").revoked();
}

fn simultaneous_calls_with_one_key_all_get_the_same_pair(backend: Backend) {
    let one = backend.service().start();
    let two = one.again().start();
    let (_, mut pair) = one.session();
    for _ in 0..5 {
        let replies = at_once(16, |number| [&one, &two][number % 2].refresh_with(&pair.refresh, "together"));
        replies.iter().for_each(|reply| drop(same(&replies[0], reply)));
        assert_eq!(one.rows(&pair).1, 1);
        pair = Pair::of(&replies[0]);
    }
}

fn an_overlap_gives_the_same_pair_to_anybody(backend: Backend) {
    let setup = backend.service().set("REFRESH_OVERLAP_SECONDS", "30").set("REFRESH_GRACE_SECONDS", "60");
    let service = setup.start();
    let (_, pair) = service.session();
    let first = service.refresh_with(&pair.refresh, "mine");
    let next = same(&first, &service.refresh(&pair.refresh));
    same(&first, &service.refresh_with(&pair.refresh, "other"));
    assert_eq!(service.rows(&pair), (2, 1));
    assert_eq!(service.verdicts(&next.access, &pair.sid()), ["overlapped", "overlapped", "rotated", "login"]);
    for (seconds, alive) in [(31, true), (30, false)] {
        service.spent_earlier(&pair, seconds);
        service.refresh(&pair.refresh).revoked();
        assert_eq!(service.me(&next.access).status, if alive { 200 } else { 401 }, "a longer grace is the setting");
    }
}

fn after_the_grace_this_session_and_no_other_is_ended(service: &Service) {
    for (owner, thief) in [(None, None), (None, Some("key")), (Some("key"), Some("Key")), (Some("key"), None)] {
        let (account, pair) = service.session();
        let other = service.sign_in(&account);
        let show = |key: Option<&str>| match key {
            Some(key) => service.refresh_with(&pair.refresh, key),
            None => service.refresh(&pair.refresh),
        };
        let next = Pair::of(&show(owner));
        // Within the grace, the session is unharmed.
        show(thief).revoked();
        service.me(&next.access).expect(200);
        service.spent_earlier(&pair, 11);
        show(thief).revoked();
        // Either could be the thief, so both lose the session.
        service.expect_ended(&next);
        show(owner).revoked();
        assert_eq!(service.rows(&pair).1, 1, "the other session's");
        let told = service.verdicts(&other.access, &pair.sid());
        assert_eq!(told, ["ended", "ended", "theft", "raced", "rotated", "login"], "{owner:?} {thief:?}");
        service.refresh(&other.refresh).expect(200);
    }
}

fn a_theft_is_told_in_the_security_log_once(backend: Backend) {
    let service = backend.service().start();
    let (account, pair) = service.session();
    let next = service.renewed(&pair);
    service.spent_earlier(&pair, 3600);
    at_once(8, |_| service.refresh(&pair.refresh).revoked());
    service.stop();
    let mut told = service.log.events();
    told.retain(|event| event["name"] == "app.security");
    let [event] = &told[..] else { panic!("one theft, told once: {told:?}") };
    assert_eq!((&event["level"], &event["user_id"]), (&"WARNING".into(), &account.id.into()));
    assert_eq!((&event["session_id"], &event["client"]), (&pair.sid().into(), &"127.0.0.1".into()));
    for secret in [&pair.refresh, &next.refresh] {
        assert!(!event.to_string().contains(secret.rsplit('.').next().unwrap()), "{event}");
    }
}

fn of_an_ended_session_nothing_else_changes(service: &Service) {
    let (account, pair) = service.session();
    let next = service.renewed(&pair);
    service.logout(&next.refresh).expect(200);
    let ended = || service.database.texts("ended_at", &format!("FROM sessions WHERE sid = '{}'", pair.sid()));
    let before = ended();
    service.spent_earlier(&pair, 3600);
    for token in [&pair.refresh, &next.refresh] {
        service.refresh(token).revoked();
    }
    assert_eq!(ended(), before);
    let other = service.sign_in(&account);
    assert!(!service.verdicts(&other.access, &pair.sid()).contains(&"theft".to_owned()));
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

/// Nor can the rest of a token be derived from a stored part.
fn no_key_and_no_usable_token_is_stored(service: &Service) {
    const KEY: &str = "my-very-own-idempotency-key";
    let (_, pair) = service.session();
    let first = service.refresh_with(&pair.refresh, KEY);
    let next = same(&first, &service.refresh_with(&pair.refresh, KEY));
    let dump = service.database.dump();
    assert!(dump.contains(&pair.jti()) && dump.contains(&next.jti()), "the dump is whole");
    for token in [&pair.access, &pair.refresh, &next.access, &next.refresh] {
        assert!(token.split('.').all(|part| !dump.contains(part)), "a part of a token is stored: {token}");
    }
    assert!(!dump.contains(KEY));
    let key = format!("FROM refresh_tokens WHERE jti = '{}' AND length(spent_key) = 32", pair.jti());
    assert_eq!(service.database.count(&key), 1);
    let bare = jose::unsigned(jose::HEADER, &jose::claims(&next.refresh).to_string());
    for guess in [next.jti(), format!("{bare}."), format!("{bare}.{}", next.jti())] {
        service.refresh(&guess).invalid();
        service.me(&guess).invalid();
    }
}

fn replays_without_end_fill_no_timeline(service: &Service) {
    let (account, pair) = service.session();
    service.logout(&pair.refresh).expect(200);
    (0..105).for_each(|_| service.refresh(&pair.refresh).revoked());
    let other = service.sign_in(&account);
    let told = service.verdicts(&other.access, &pair.sid());
    assert_eq!(told.iter().filter(|verdict| *verdict == "ended").count(), 100);
}
