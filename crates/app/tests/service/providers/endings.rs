//! What verification, resets and the owner of an account without a password end and set.

use super::*;
use crate::accounts::NEW;

on_both_databases!(
    c3_29_it_can_set_one_and_delete_itself_while_recent,
    c3_34_a_strangers_identity_ends_with_the_first_verification,
    c3_34_a_reset_while_unverified_ends_identities,
    c3_34_a_reset_removes_other_ways_to_sign_in_on_request,
);

/// Stranger who signed in with another person's address at a provider that does not vouch for it.
fn stranger(home: &Home) -> (Person, Account, Pair) {
    let person = Person::fresh();
    let pair = home.signed_in("plain", &person);
    (person, home.account_of(&pair), pair)
}

/// Checks that nothing of a stranger is left.
#[track_caller]
fn expect_out(home: &Home, person: &Person, pair: &Pair, code: &str) {
    home.expect_ended(pair);
    assert_eq!(home.links_of(person), 0);
    assert_eq!(home.exchange(code).status, 401);
    home.visit("plain", person).returned_error("account_exists");
}

fn c3_34_a_strangers_identity_ends_with_the_first_verification(home: &'static Home) {
    let (person, account, pair) = stranger(home);
    let code = home.code("plain", &person);
    let body = home.verify(&home.verification_token(&account)).expect(200);
    expect_out(home, &person, &pair, &code);
    home.reset(body["reset_token"].as_str().unwrap(), NEW).expect(200);
    home.sign_in(&account.with_password(NEW));
}

fn c3_34_a_reset_while_unverified_ends_identities(home: &'static Home) {
    let (person, account, pair) = stranger(home);
    let code = home.code("plain", &person);
    home.reset(&home.reset_link(&account), NEW).expect(200);
    expect_out(home, &person, &pair, &code);
    home.sign_in(&account.with_password(NEW));
}

fn c3_34_a_reset_removes_other_ways_to_sign_in_on_request(home: &'static Home) {
    for (remove, is_page) in [(false, false), (true, false), (false, true), (true, true)] {
        let enrolled = home.enrol(home.verified());
        let (account, person) = (&enrolled.account, Person::new(&enrolled.account.email));
        let (code, token) = (home.code("corp", &person), home.reset_link(account));
        if is_page {
            let checked = [("remove_other_sign_in_methods", "on")];
            let fields = [("token", &*token), ("new_password", NEW), ("repetition", NEW)];
            home.submit("reset", &[&fields[..], &checked[..usize::from(remove)]].concat()).has_status(200);
        } else {
            let body = json!({"token": token, "new_password": NEW, "remove_other_sign_in_methods": remove});
            home.post("/auth/password/reset", &body).expect(200);
        }
        assert_eq!(home.links_of(&person), i64::from(!remove), "{remove}");
        assert_eq!(home.exchange(&code).status, if remove { 401 } else { 403 }, "{remove}");
        home.challenge(&account.with_password(NEW));
    }
}

fn c3_29_it_can_set_one_and_delete_itself_while_recent(home: &'static Home) {
    let change = |pair: &Pair| home.tell("POST", "/auth/password/change", &pair.access, &json!({"new_password": NEW}));
    let pair = home.signed_in("corp", &Person::fresh());
    let account = home.account_of(&pair).with_password(NEW);
    home.authenticated_earlier(&pair, 660);
    change(&pair).step_up();
    home.authenticated_earlier(&pair, 0);
    change(&pair).expect(200);
    home.sign_in(&account);
    // From now on the password is needed.
    home.tell("POST", "/auth/password/change", &pair.access, &json!({"new_password": "another donkey charger"}))
        .has_status(422);
    let pair = home.signed_in("corp", &Person::fresh());
    home.authenticated_earlier(&pair, 660);
    home.tell("DELETE", "/auth/me", &pair.access, &json!({})).step_up();
    home.authenticated_earlier(&pair, 0);
    home.tell("DELETE", "/auth/me", &pair.access, &json!({})).has_status(204);
}
