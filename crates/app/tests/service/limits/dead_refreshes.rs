//! Refreshes that cannot succeed: five are answered, then one every 30 s. The rest are refused without a
//! query.

use super::{at_once, count, expect_limited, limited};
use crate::harness::accounts::Pair;
use crate::harness::databases::Backend;
use crate::harness::{jose, on_both_databases};

on_both_databases!(
    a_dead_token_gets_five_answers_and_then_one_in_half_a_minute,
    the_tokens_of_a_session_that_is_over_draw_on_one_budget,
    a_token_that_nobody_knows_draws_on_its_own,
    the_live_token_of_a_session_never_suffers,
    a_race_is_no_dead_token,
);

const POLICY: &str = "q=1;w=30";

fn a_dead_token_gets_five_answers_and_then_one_in_half_a_minute(backend: Backend) {
    let service = limited(backend.service()).start();
    let (_, pair) = service.session();
    service.logout(&pair.refresh).expect(200);
    for _ in 0..5 {
        service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    let refused = service.refresh(&pair.refresh);
    let seconds = expect_limited(&refused, "dead_refresh", POLICY);
    assert!((20..=30).contains(&seconds), "{seconds}");
    // The table is missing, so a query would return another error.
    service.database.execute("ALTER TABLE refresh_tokens RENAME TO elsewhere");
    expect_limited(&service.refresh(&pair.refresh), "dead_refresh", POLICY);
    service.database.execute("ALTER TABLE elsewhere RENAME TO refresh_tokens");
    let (_, other) = service.session();
    Pair::of(&service.refresh(&other.refresh));
}

fn the_tokens_of_a_session_that_is_over_draw_on_one_budget(backend: Backend) {
    let service = limited(backend.service()).start();
    let (account, first) = service.session();
    let second = Pair::of(&service.refresh(&first.refresh));
    let third = Pair::of(&service.refresh(&second.refresh));
    let other = service.sign_in(&account);
    service.logout(&third.refresh).expect(200);
    for token in [&first, &second, &third, &first, &second].map(|pair| &pair.refresh) {
        service.refresh(token).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    for pair in [&first, &second, &third] {
        expect_limited(&service.refresh(&pair.refresh), "dead_refresh", POLICY);
    }
    Pair::of(&service.refresh(&other.refresh));
}

/// Its session may have a live token, for example after a database restore.
fn a_token_that_nobody_knows_draws_on_its_own(backend: Backend) {
    let service = limited(backend.service()).start();
    let (_, live) = service.session();
    let unknown = jose::token(&jose::with(&jose::claims(&live.refresh), "jti", "0123456789abcdef0123456789abcdef"));
    for _ in 0..5 {
        service.refresh(&unknown).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    expect_limited(&service.refresh(&unknown), "dead_refresh", POLICY);
    Pair::of(&service.refresh(&live.refresh));
}

fn the_live_token_of_a_session_never_suffers(backend: Backend) {
    let service = limited(backend.service()).start();
    let (_, first) = service.session();
    let mut live = Pair::of(&service.refresh(&first.refresh));
    // Spent a moment ago, so it counts as a race: always the same response.
    for _ in 0..12 {
        service.refresh(&first.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    for _ in 0..12 {
        live = Pair::of(&service.refresh(&live.refresh));
    }
}

fn a_race_is_no_dead_token(backend: Backend) {
    let service = limited(backend.service()).start();
    let (_, pair) = service.session();
    let replies = at_once(32, |_| service.refresh(&pair.refresh));
    assert_eq!((count(&replies, 200), count(&replies, 401)), (1, 31));
    let winner = replies.iter().find(|reply| reply.status == 200).unwrap();
    Pair::of(&service.refresh(&Pair::of(winner).refresh));
}
