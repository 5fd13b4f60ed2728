//! Refreshes that cannot succeed: five are answered, then one every 30 s. The rest are refused without a
//! query.

use super::{Limited, expect_limited, limited};
use crate::prelude::*;

on_both_databases!(
    a_dead_token_gets_five_answers_and_then_one_in_half_a_minute,
    the_tokens_of_a_session_that_is_over_draw_on_one_budget,
    an_unknown_token_draws_on_its_own_budget,
    races_and_the_live_token_of_a_session_never_suffer,
);

const POLICY: &str = "q=1;w=30";

impl Limited {
    fn customers_session(&self) -> Pair {
        let account = self.customer();
        Pair::of(&self.caller().login(&account.email, &account.password))
    }
}

fn a_dead_token_gets_five_answers_and_then_one_in_half_a_minute(backend: Backend) {
    let service = limited(backend.service()).start();
    let (_, pair) = service.session();
    service.logout(&pair.refresh).expect(200);
    (0..5).for_each(|_| service.refresh(&pair.refresh).revoked());
    let seconds = expect_limited(&service.refresh(&pair.refresh), "dead_refresh", POLICY);
    assert!((20..=30).contains(&seconds), "{seconds}");
    // The table is missing, so a query would return another error.
    service.database.execute("ALTER TABLE refresh_tokens RENAME TO elsewhere");
    expect_limited(&service.refresh(&pair.refresh), "dead_refresh", POLICY);
    service.database.execute("ALTER TABLE elsewhere RENAME TO refresh_tokens");
    let (_, other) = service.session();
    service.renewed(&other);
}

fn the_tokens_of_a_session_that_is_over_draw_on_one_budget(service: Limited) {
    let account = service.customer();
    let sign_in = || Pair::of(&service.caller().login(&account.email, &account.password));
    let (first, other) = (sign_in(), sign_in());
    let second = service.renewed(&first);
    let third = service.renewed(&second);
    service.logout(&third.refresh).expect(200);
    [&first, &second, &third, &first, &second].iter().for_each(|pair| service.refresh(&pair.refresh).revoked());
    for pair in [&first, &second, &third] {
        expect_limited(&service.refresh(&pair.refresh), "dead_refresh", POLICY);
    }
    service.renewed(&other);
}

/// Its session may have a live token, for example after a database restore.
fn an_unknown_token_draws_on_its_own_budget(service: Limited) {
    let live = service.customers_session();
    let unknown = jose::changed(&live.refresh, "jti", format!("{:032x}", u64::from(unique())));
    (0..5).for_each(|_| service.refresh(&unknown).invalid());
    expect_limited(&service.refresh(&unknown), "dead_refresh", POLICY);
    service.renewed(&live);
}

fn races_and_the_live_token_of_a_session_never_suffer(service: Limited) {
    let first = service.customers_session();
    let replies = at_once(32, |_| service.refresh(&first.refresh));
    assert_eq!((count(&replies, 200), count(&replies, 401)), (1, 31));
    let mut live = Pair::of(replies.iter().find(|reply| reply.status == 200).unwrap());
    // Spent a moment ago, so it counts as a race: always the same response.
    (0..12).for_each(|_| service.refresh(&first.refresh).revoked());
    for _ in 0..12 {
        live = service.renewed(&live);
    }
}
