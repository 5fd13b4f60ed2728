//! Mutation tests of the model: databases with one flaw each, and the shortest path that exposes it.

use crate::clients::{End, Role, Scenario};
use crate::database::Flaw;
use crate::explorer::explore;
use crate::scenarios::scenario;

const TWO_PROCESSES: [(Role, u8); 2] = [(Role::Owner, 2), (Role::Owner, 2)];
const THIEF: [(Role, u8); 2] = [(Role::Owner, 2), (Role::KeyedThief, 2)];
const END: [(Role, u8); 2] = [(Role::Owner, 2), (Role::Ender(&[End::LogOutAll]), 1)];

/// Asserts that the flaw is found and reported in these words.
fn found(flaw: Flaw, clients: &[(Role, u8)], words: &str) {
    let told = explore(&Scenario { flaw, ..scenario("a flaw", clients) }).unwrap_err();
    println!("{flaw:?}: {told}");
    assert!(told.contains(words), "{flaw:?}: {told}");
}

#[test]
fn a_token_that_is_spent_without_a_look_is_found() {
    found(Flaw::SpendsWithoutLooking, &TWO_PROCESSES, "2 live refresh tokens");
    found(Flaw::SpendsWithoutLooking, &THIEF, "2 live refresh tokens");
}

#[test]
fn a_rotation_that_does_not_ask_for_its_session_is_found() {
    found(Flaw::ForgetsTheSession, &END, "an ended session refreshed");
}

#[test]
fn successor_added_apart_from_the_spending_is_detected() {
    found(Flaw::AddsFirst, &TWO_PROCESSES, "2 live refresh tokens");
    found(Flaw::AddsLater, &TWO_PROCESSES, "never refreshes again");
}

#[test]
fn an_end_that_revokes_tokens_alone_is_found() {
    found(Flaw::EndsTokensAlone, &END, "was ended, and has a live token");
}

#[test]
fn a_key_that_is_not_kept_or_not_compared_is_found() {
    found(Flaw::ForgetsTheKey, &TWO_PROCESSES, "never refreshes again");
    found(Flaw::TakesAnyKey, &THIEF, "given the same token");
}

/// A device must not follow the exchanges of another client.
#[test]
fn a_browsers_key_that_is_not_kept_or_not_compared_is_found() {
    found(Flaw::ForgetsTheKey, &[(Role::Tab, 2), (Role::Tab, 2)], "never refreshes again");
    for thief in [Role::Thief, Role::KeyedThief] {
        found(Flaw::TakesAnyKey, &[(Role::Tab, 2), (thief, 2)], "given the same token");
    }
}

/// A known limitation: two processes present a token with its key after the grace, and one of them
/// refreshes again before the other's request is handled.
#[test]
fn process_ahead_of_a_late_retry_is_signed_out() {
    let told = explore(&Scenario { orderly: false, ..scenario("run ahead", &TWO_PROCESSES) }).unwrap_err();
    println!("{told}");
    assert!(told.contains("was refused"), "{told}");
}
