//! `POST /auth/refresh`: a token works once. Exactly one concurrent caller succeeds, also within the same
//! second.

use crate::prelude::*;

on_both_databases!(
    a_refresh_spends_the_token_and_stores_its_successor,
    of_simultaneous_calls_at_two_replicas_exactly_one_wins,
    a_malformed_forged_unknown_or_access_token_is_invalid,
    a_token_is_expired_by_its_claim_or_its_row,
    spent_tokens_stay_spent_over_a_restart,
);

fn a_refresh_spends_the_token_and_stores_its_successor(service: &Service) {
    let (account, first) = service.session();
    let body = service.refresh(&first.refresh).expect(200);
    assert_eq!(members(&body), ["access_token", "expires_in", "refresh_token", "token_type"]);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(900)));
    service.refresh(&first.refresh).revoked();
    let token = |name: &str| body[name].as_str().unwrap().to_owned();
    let mut spent = vec![first, Pair { access: token("access_token"), refresh: token("refresh_token") }];
    for _ in 0..3 {
        let next = service.renewed(&spent[spent.len() - 1]);
        spent.push(next);
    }
    for pairs in spent.windows(2) {
        assert_eq!(jose::claims(&pairs[1].access)["jti"], pairs[0].jti(), "the access token names the spent one");
        assert_ne!(pairs[1].jti(), pairs[0].jti());
        service.refresh(&pairs[0].refresh).revoked();
        service.me(&pairs[0].access).expect(200);
    }
    let live = spent.pop().unwrap();
    let rows =
        |rest: &str| service.database.count(&format!("FROM refresh_tokens WHERE user_id = {}{rest}", account.id));
    assert_eq!((rows(""), rows(" AND NOT revoked")), (5, 1));
    assert_eq!(rows(&format!(" AND NOT revoked AND jti = '{}'", live.jti())), 1);
    service.refresh(&live.refresh).expect(200);
}

fn of_simultaneous_calls_at_two_replicas_exactly_one_wins(backend: Backend) {
    let one = backend.service().start();
    let two = one.again().start();
    for services in [[&one, &one], [&one, &two]] {
        let (_, mut pair) = one.session();
        for _ in 0..5 {
            let replies = at_once(20, |number| services[number % 2].refresh(&pair.refresh));
            let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
            lost.iter().for_each(|reply| reply.revoked());
            assert_eq!(won.len(), 1);
            pair = Pair::of(won[0]);
        }
        two.refresh(&pair.refresh).expect(200);
        one.refresh(&pair.refresh).revoked();
    }
}

fn a_malformed_forged_unknown_or_access_token_is_invalid(service: &Service) {
    let (_, pair) = service.session();
    let unknown = jose::changed(&pair.refresh, "jti", "0123456789abcdef0123456789abcdef");
    let forged = jose::signed_with(b"another secret of more than 32 bytes", pair.refresh.rsplit_once('.').unwrap().0);
    let relabelled = jose::changed(&pair.access, "type", "refresh");
    for token in ["", " ", "x", "a.b.c", "...", &unknown, &forged, &pair.access, &relabelled] {
        service.refresh(token).invalid();
    }
    service.refresh(&pair.refresh).expect(200);
}

fn a_token_is_expired_by_its_claim_or_its_row(service: &Service) {
    let (_, pair) = service.session();
    let now = unix_now();
    for exp in [now - 100_000, now - 1, now] {
        let expired = jose::with(&jose::with(&jose::claims(&pair.refresh), "exp", exp), "iat", exp - 60);
        service.refresh(&jose::token(&expired)).expired();
    }
    let next = service.renewed(&pair);
    let row = format!("WHERE jti = '{}'", next.jti());
    service.database.execute(&format!("UPDATE refresh_tokens SET expires_at = '2020-01-01 00:00:00' {row}"));
    service.refresh(&next.refresh).expired();
}

fn spent_tokens_stay_spent_over_a_restart(backend: Backend) {
    let service = backend.service().start();
    let (_, spent) = service.session();
    let live = service.renewed(&spent);
    let (_, out) = service.session();
    service.logout(&out.refresh).expect(200);
    service.kill();
    let service = service.again().start();
    for token in [&spent.refresh, &out.refresh] {
        service.refresh(token).revoked();
    }
    service.refresh(&live.refresh).expect(200);
}
