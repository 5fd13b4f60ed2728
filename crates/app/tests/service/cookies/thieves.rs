//! A thief who has a token of a browser, and not its device cookie.

use super::*;

on_both_databases!(
    c4_15_a_stolen_spent_token_is_raced_and_then_theft,
    c4_15_after_a_thiefs_exchange_older_tokens_get_nothing,
    c4_15_a_thief_in_between_breaks_the_line,
    c4_15_simultaneous_thief_and_owner_never_both_refresh,
);

/// Presents a stolen refresh token.
type Present = fn(&Browser<'static>, &str) -> Reply;

/// Each way of a thief, who has a browser of another session.
const WAYS: [(&str, Present); 5] = [
    ("a cookie and another device", |thief, token| thief.with("refresh", token).refresh_in_vain()),
    ("a cookie alone", |thief, token| thief.with("refresh", token).without("device").refresh_in_vain()),
    ("a cookie and an Idempotency-Key", |thief, token| {
        let thief = thief.with("refresh", token).without("device");
        thief.call("POST", "/auth/refresh").header("Idempotency-Key", "mine").send()
    }),
    ("a body", |thief, token| thief.service.refresh(token)),
    ("a token in the body, with the header", |thief, token| {
        thief.call("POST", "/auth/refresh").json(&json!({"refresh_token": token})).send()
    }),
];

/// Returns the refresh token of a response, from its cookie or its body.
#[track_caller]
fn refresh_token(reply: &Reply) -> String {
    let body = reply.expect(200);
    match body["refresh_token"].as_str() {
        Some(token) => token.to_owned(),
        None => reply.token_cookies()[1].value.clone(),
    }
}

fn c4_15_a_stolen_spent_token_is_raced_and_then_theft(tls: Tls) {
    let service = tls.0;
    for (way, present) in WAYS {
        for refreshes in [1, 3] {
            let ((account, mut owner), (_, thief)) = (tls.session(), tls.session());
            let (stolen, other) = (owner.pair(), service.sign_in(&account));
            (0..refreshes).for_each(|_| drop(owner.refresh().in_cookies()));
            present(&thief, &stolen.refresh).sets_nothing().revoked();
            owner.me().expect(200);
            owner.with_pair(&stolen).refresh_in_vain().in_cookies();
            service.spent_earlier(&stolen, 11);
            present(&thief, &stolen.refresh).sets_nothing().revoked();
            service.expect_ended(&owner.pair());
            owner.refresh_in_vain().sets_nothing().revoked();
            let told = service.verdicts(&other.access, &stolen.sid());
            assert!(told.contains(&"theft".to_owned()), "{way}: {told:?}");
            thief.me().expect(200);
        }
    }
}

fn c4_15_after_a_thiefs_exchange_older_tokens_get_nothing(tls: Tls) {
    let service = tls.0;
    for (way, present) in WAYS {
        let ((account, mut owner), (_, thief)) = (tls.session(), tls.session());
        let other = service.sign_in(&account);
        let mut old = vec![owner.pair()];
        for _ in 0..2 {
            owner.refresh().in_cookies();
            old.push(owner.pair());
        }
        let taken = refresh_token(&present(&thief, &owner.value("refresh")));
        // The owner gets neither the thief's pair nor another one, for any of the tokens.
        for pair in &old {
            owner.with_pair(pair).refresh_in_vain().sets_nothing().revoked();
        }
        assert_eq!(service.tokens_of(&old[0]), (4, 1), "{way}: nothing forks");
        service.spent_earlier(&old[0], 11);
        owner.with_pair(&old[0]).refresh_in_vain().sets_nothing().revoked();
        assert!(service.verdicts(&other.access, &old[0].sid()).contains(&"theft".to_owned()), "{way}");
        service.refresh(&taken).revoked();
        owner.me().revoked();
        assert_eq!(service.tokens_of(&old[0]).1, 0);
    }
}

/// The thief's exchange lies in the past, and the live token is again one of the device.
fn c4_15_a_thief_in_between_breaks_the_line(tls: Tls) {
    let service = tls.0;
    let ((_, mut owner), (_, thief)) = (tls.session(), tls.session());
    let first = owner.pair();
    owner.refresh().in_cookies();
    let second = owner.pair();
    let taken = refresh_token(&WAYS[0].1(&thief, &second.refresh));
    let mut regained = owner.with("refresh", &taken);
    regained.refresh().in_cookies();
    regained.with("refresh", &taken).refresh_in_vain().in_cookies();
    for pair in [&first, &second] {
        owner.with_pair(pair).refresh_in_vain().sets_nothing().revoked();
    }
    assert_eq!(service.tokens_of(&first), (4, 1));
    service.spent_earlier(&first, 11);
    owner.with_pair(&first).refresh_in_vain().sets_nothing().revoked();
    service.expect_ended(&regained.pair());
}

fn c4_15_simultaneous_thief_and_owner_never_both_refresh(backend: Backend) {
    let service: &'static Service = Box::leak(Box::new(cookie_mode(backend.service(), OWN).start()));
    for (way, present) in WAYS {
        let (_, owner) = Browser::with_session(service, OWN);
        let (_, thief) = Browser::with_session(service, OWN);
        let stolen = owner.value("refresh");
        let replies = at_once(20, |number| match number % 2 {
            0 => owner.refresh_in_vain(),
            _ => present(&thief, &stolen),
        });
        let won = |parity: usize| {
            let mut tokens: Vec<_> =
                replies.iter().skip(parity).step_by(2).filter(|reply| reply.status == 200).collect();
            tokens.dedup_by_key(|reply| refresh_token(reply));
            tokens.len()
        };
        assert_eq!(won(0) + won(1), 1, "{way}: one of them, one pair");
        assert_eq!(service.tokens_of(&owner.pair()), (2, 1), "{way}");
    }
}
