//! A model check of accounts that an attacker registered with another person's email: every order of
//! registering, logging in, requesting emails, verifying, changing the email or the password, undoing
//! and resetting, by the attacker and the owner of the address, up to a number of steps. A step of one
//! may interrupt a step of the other. The use cases are the real ones.
//!
//! Invariants: once the owner has verified the address, the attacker has no access, and an owner who
//! proves the password keeps it.

#[path = "../../it/doubles.rs"]
mod doubles;
mod house;
mod steps;

use house::Proof;
use portcullis_domain::login::Owner;
use portcullis_domain::verification::Purpose;
use portcullis_testkit::MemoryStore;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use steps::{OWN, OWNED, Outcome, Person, Rules, State, THEIRS, password_of};

const USUAL: Rules = Rules { prompt: true, leaked: false, planted: false };

/// Results of a search.
struct Seen {
    states: usize,
    /// Verifications by the owner: purpose, proof, and whether the password stayed.
    outcomes: BTreeSet<String>,
}

fn beginning() -> State {
    let (owner, stranger) = (Person::default(), Person::default());
    State { store: Arc::new(MemoryStore::new()), owner, stranger, trail: Vec::new(), outcome: None }
}

/// Returns a key of the parts of the state that matter for the next steps.
fn key(state: &State) -> String {
    let house = state.house();
    let account = |email: &str| {
        let owner = state.account(email)?;
        Some((password_of(&owner), owner.user.email_verified_at.is_some(), owner.user.id))
    };
    let person = |person: &Person| {
        let session = state.signed_in(person).map(|user| user.id);
        let knows = |cookie: &String, email| state.account(email).is_some_and(|owner| house.recognises(cookie, &owner));
        let device = |cookie: &String| [OWNED, THEIRS].map(|email| knows(cookie, email));
        let mut mailbox: Vec<_> = person.mailbox.iter().filter_map(|token| house.inspect(token)).collect();
        mailbox.sort_unstable();
        (session, person.cookie.as_ref().map(device), mailbox)
    };
    let mails = state.store.mails();
    let mut waiting: Vec<_> = mails.iter().map(|mail| format!("{:?}", (mail.mail.occasion, &mail.mail.to))).collect();
    waiting.sort_unstable();
    let grants = state.store.grants();
    let mut grants: Vec<_> = grants.iter().map(|record| (record.purpose, record.user_id)).collect();
    grants.sort_unstable();
    format!("{:?}", (account(OWNED), account(THEIRS), person(&state.owner), person(&state.stranger), waiting, grants))
}

/// Returns the account of the owner's address, if it is verified.
fn claimed(state: &State) -> Option<Owner> {
    state.account(OWNED).filter(|owner| owner.user.email_verified_at.is_some())
}

/// Checks the invariants.
fn check(before: &State, state: &State, rules: Rules) -> Result<(), String> {
    let Some(owner) = claimed(state) else { return Ok(()) };
    // A password that leaked after the owner's verification is valid until the owner claims the account
    // again.
    if rules.leaked && claimed(before).is_some() {
        return Ok(());
    }
    let password = password_of(&owner);
    let Outcome { purpose, proof, removed } = match state.outcome {
        Some(outcome) => outcome,
        // The owner reset the password.
        None if rules.leaked => return Ok(()),
        None => Outcome { purpose: Purpose::VerifyEmail, proof: Proof::Nothing, removed: true },
    };
    // A password that the owner entered or proved is the owner's, leaked or not.
    let kept = rules.leaked && !removed && proof != Proof::Nothing;
    if !kept && rules.known().contains(&password) {
        return Err(format!("the stranger signs in with \"{password}\" after {purpose:?}"));
    }
    let inside = state.signed_in(&state.stranger).is_some_and(|inside| inside.id == owner.user.id);
    if inside && !kept {
        return Err(format!("the stranger is still signed in after {purpose:?}"));
    }
    if !rules.leaked && proof == Proof::Password(OWN) && password != OWN {
        return Err(format!("the owner's password is gone after {purpose:?}"));
    }
    Ok(())
}

/// Explores all states up to `depth` steps. Returns a description of the path to a violation, if any.
fn explore(from: State, rules: Rules, depth: usize) -> Result<Seen, String> {
    let mut seen = Seen { states: 1, outcomes: BTreeSet::new() };
    let (mut known, mut frontier) = (HashSet::from([key(&from)]), vec![from]);
    for _ in 0..depth {
        let mut next = Vec::new();
        for state in &frontier {
            for step in state.steps(rules) {
                let after = state.after(step, rules);
                check(state, &after, rules).map_err(|wrong| format!("{wrong}: {:#?}", after.trail))?;
                if let Some(Outcome { purpose, proof, removed }) = after.outcome {
                    let fate = if removed { "removed" } else { "kept" };
                    seen.outcomes.insert(format!("{purpose:?} by {proof:?}: {fate}"));
                }
                if known.insert(key(&after)) {
                    seen.states += 1;
                    next.push(after);
                }
            }
        }
        frontier = next;
    }
    Ok(seen)
}

/// Explores and asserts the minimum number of states and the outcomes.
fn holds(name: &str, (from, rules, depth): (State, Rules, usize), least: usize, outcomes: &[&str]) {
    let seen = explore(from, rules, depth).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    println!("{name}: {} states; {:?}", seen.states, seen.outcomes);
    assert!(seen.states >= least, "{name}: {} states, of at least {least}", seen.states);
    for outcome in outcomes {
        assert!(seen.outcomes.contains(*outcome), "{name}: never {outcome}");
    }
}

/// Runs acts to reach the initial state of a scenario.
fn lead(rules: Rules, acts: &[steps::Act]) -> State {
    acts.iter().fold(beginning(), |state, act| state.after(steps::Step { act: *act, meanwhile: None }, rules))
}

/// The owner has registered and verified, and the attacker knows the password.
fn robbed(rules: Rules) -> State {
    use steps::{Act, Who};
    lead(
        rules,
        &[
            Act::Register(Who::Owner, OWNED),
            Act::Open(Who::Owner, 0, Proof::Password(OWN)),
            Act::LogIn(Who::Owner, OWNED, OWN),
            Act::LogIn(Who::Stranger, OWNED, OWN),
        ],
    )
}

#[test]
fn attacker_who_registers_the_email_is_out_once_owner_verifies() {
    let outcomes = [
        "VerifyEmail by Nothing: removed",
        "VerifyEmail by Device: kept",
        "VerifyEmail by Session: kept",
        "VerifyEmail by Password(\"the owner's own\"): kept",
        "ChangeEmail by Nothing: removed",
    ];
    holds("a stranger", (beginning(), USUAL, 7), 1_400, &outcomes);
    let late = Rules { prompt: false, ..USUAL };
    holds("a stranger, slow mail", (beginning(), late, 6), 3_500, &outcomes[..1]);
}

#[test]
fn thief_with_the_password_is_out_after_the_owners_undo() {
    let rules = Rules { leaked: true, ..USUAL };
    let outcomes = ["UndoEmailChange by Nothing: removed", "UndoEmailChange by Password(\"the owner's own\"): kept"];
    holds("a thief", (robbed(rules), rules, 6), 700, &outcomes);
}

#[test]
fn attackers_device_cookie_in_the_owners_browser_is_detected() {
    let planted = Rules { planted: true, ..USUAL };
    let wrong = explore(beginning(), planted, 4).map(|seen| seen.states).unwrap_err();
    println!("{wrong}");
    assert!(wrong.contains("the stranger signs in with"), "{wrong}");
}
