//! Rate limits of logins and registrations: charges, budgets and refunds.

use crate::mail_fixtures::leave_of;
use crate::world::{World, at, login, with};
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Budget, Gcra, LimitSubject, Rule, SlidingWindow};
use portcullis_domain::login::{Credentials, Owner};
use portcullis_domain::registration::{EmailAddress, PasswordHash, User};
use portcullis_ports::{Charge, LimiterError, RateLimiter, Reservation, ReserveOutcome};
use portcullis_testkit::MapLimiter;
use portcullis_usecases::limits::{LimitError, Limits, Rules};
use portcullis_usecases::login::{LogInError, LogInReason, LoggedIn};
use portcullis_usecases::{Caller, Counted};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(crate) fn rules() -> Rules {
    let some = |n| NonZeroU32::new(n).unwrap();
    let guesses = SlidingWindow::new(some(3), Duration::from_mins(15)).with_backoff(Duration::from_mins(1));
    let calls = |n| Rule::Gcra(Gcra::new(some(1), Duration::from_mins(5), some(n)));
    Rules {
        account: Rule::SlidingWindow(guesses),
        account_day: Rule::SlidingWindow(
            SlidingWindow::new(some(100), Duration::from_hours(24)).with_backoff(Duration::from_mins(1)),
        ),
        device: Rule::SlidingWindow(guesses),
        source: calls(6),
        mail: Rule::SlidingWindow(SlidingWindow::new(some(3), Duration::from_hours(1))),
        refresh: calls(4),
        dead_refresh: calls(5),
        second_factor: Rule::SlidingWindow(
            SlidingWindow::new(some(5), Duration::from_hours(1)).with_backoff(Duration::from_mins(1)),
        ),
        second_factor_day: Rule::SlidingWindow(
            SlidingWindow::new(some(50), Duration::from_hours(24)).with_backoff(Duration::from_mins(1)),
        ),
    }
}

fn is_limited(outcome: Result<impl Sized, LogInError>, budget: Budget) -> bool {
    match outcome {
        Err(LogInError::Limited(limited)) => limited.budget == budget && !limited.retry_after.is_zero(),
        _ => false,
    }
}

/// Tries a wrong password.
fn try_from(world: &World, address: &str, email: &str) -> Result<LoggedIn, LogInError> {
    world.verb().run(&login(email, "wrong"), &at(address))
}

fn is_wrong(outcome: &Result<LoggedIn, LogInError>) -> bool {
    matches!(outcome, Err(LogInError::Refused(LogInReason::InvalidCredentials)))
}

/// A login that was admitted, and then shed.
fn shed(world: &World, email: &str, caller: &Caller) {
    let (verb, input) = (world.verb(), login(email, "wrong"));
    verb.attempts(&input, caller).iter().for_each(|attempt| drop(verb.count(attempt).unwrap()));
}

#[test]
fn unknown_email_is_limited_like_a_known_one_before_any_lookup() {
    let world = World::limited(rules());
    world.ada();
    for email in ["ada@example.org", "nobody@example.org"] {
        for spelled in [email.to_owned(), format!(" {}", email.to_uppercase()), email.to_owned()] {
            assert!(is_wrong(&world.log_in(&spelled, "wrong")));
        }
        let before = world.hasher.work.load(Ordering::SeqCst);
        let refused = world.log_in(email, "correct horse");
        assert_eq!(refused.as_ref().unwrap_err().code(), ErrorCode::RateLimited);
        assert!(is_limited(refused, Budget::Account), "even the right one");
        assert_eq!(world.hasher.work.load(Ordering::SeqCst), before);
    }
}

#[test]
fn a_success_is_given_back_and_a_dependency_that_fails_too() {
    let world = World::limited(rules());
    world.ada();
    for _ in 0..20 {
        world.log_in("ada@example.org", "correct horse").unwrap();
    }
    for _ in 0..20 {
        shed(&world, "ada@example.org", &Caller::default());
    }
    assert!(is_wrong(&world.log_in("ada@example.org", "wrong")));
}

#[test]
fn a_known_device_has_a_budget_of_its_own() {
    let world = World::limited(rules());
    let ada = world.owner(world.ada().0.id);
    let issue = || world.devices.issue(None, &ada, ada.credentials.hash());
    let cookie = issue();
    while !is_limited(world.log_in("ada@example.org", "wrong"), Budget::Account) {}
    let enter = |cookie: &str, password: &str| {
        world.verb().run(&login("ada@example.org", password), &with(Some(cookie.to_owned())))
    };
    assert!(enter(&cookie, "correct horse").is_ok());
    for _ in 0..3 {
        assert!(is_wrong(&enter(&cookie, "wrong")));
    }
    assert!(is_limited(enter(&cookie, "correct horse"), Budget::Device));
    assert!(enter(&issue(), "correct horse").is_ok(), "another device of hers");
}

#[test]
fn a_cookie_that_is_forged_old_or_anothers_is_no_device() {
    let world = World::limited(rules());
    let email = |text: &str| EmailAddress::parse(text).unwrap();
    let [ada, bob] = ["ada@example.org", "bob@example.org"].map(|email| world.owner(world.adopt(email, "new:one").id));
    let issue = |shown, owner: &Owner| world.devices.issue(shown, owner, owner.credentials.hash());
    let recognise = |cookie: &str, of: &Owner| world.devices.recognise(cookie, &of.user.email, of.credentials.hash());
    let cookie = issue(None, &ada);
    let device = recognise(&cookie, &ada);
    assert!(device.is_some());
    let upper = Owner { user: User { email: email("ADA@example.org"), ..ada.user.clone() }, ..ada.clone() };
    assert_eq!(recognise(&cookie, &upper), device);
    assert_eq!(recognise(&cookie, &bob), None);
    let credentials = Credentials::from_hash(PasswordHash::new("new:two".to_owned()));
    let changed = Owner { credentials, ..ada.clone() };
    assert_eq!(recognise(&cookie, &changed), None, "a new password makes it unknown");
    for place in 0..cookie.len() {
        let mut forged = cookie.clone().into_bytes();
        forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
        assert_eq!(recognise(std::str::from_utf8(&forged).unwrap(), &ada), None);
    }
    let again = world.devices.issue(Some(&cookie), &ada, changed.credentials.hash());
    assert_eq!(recognise(&again, &changed), device, "it stays the same");
    assert_eq!(recognise(&again, &ada), None);
    let bobs = issue(Some(&cookie), &bob);
    assert_ne!(recognise(&bobs, &bob), device);
    world.pass(chrono::TimeDelta::days(400));
    assert_eq!(recognise(&cookie, &ada), None);
}

#[test]
fn a_source_is_an_address_or_a_network() {
    let world = World::limited(rules());
    for number in 0..6 {
        let address = format!("2001:db8::{number}");
        let outcome = try_from(&world, &address, &format!("user{number}@example.org"));
        assert!(is_wrong(&outcome));
    }
    let run = |address| try_from(&world, address, "other@example.org");
    assert!(is_limited(run("2001:db8::ffff"), Budget::Source));
    assert!(is_wrong(&run("2001:db8:0:1::1")));
}

/// One account that logs in, or a call that fails, all day must not fill the disk.
#[test]
fn a_source_pays_for_every_call_whatever_becomes_of_it() {
    let world = World::limited(rules());
    world.ada();
    let run = |email: &str, password: &str| world.verb().run(&login(email, password), &at("192.0.2.1"));
    for _ in 0..3 {
        run("ada@example.org", "correct horse").unwrap();
    }
    shed(&world, "shed@example.org", &at("192.0.2.1"));
    world.without_store(|| {
        assert_eq!(run("ada@example.org", "correct horse").unwrap_err().code(), ErrorCode::Unavailable);
        assert_eq!(world.forgot_from("192.0.2.1", "ada@example.org").unwrap_err().code(), ErrorCode::Unavailable);
    });
    assert!(is_limited(run("ada@example.org", "correct horse"), Budget::Source));
    world.log_in("ada@example.org", "correct horse").unwrap();
}

#[test]
fn a_source_pays_for_reauthentications_that_succeed() {
    let world = World::limited(rules());
    let owner = world.authenticate(&world.verified_ada().access_token).unwrap();
    let input = leave_of(owner, "correct horse");
    let admit = || world.leaving().count(&world.leaving().attempts(&input, &at("192.0.2.1"))[0]);
    for _ in 0..6 {
        drop(admit().unwrap());
    }
    assert!(matches!(admit(), Err(LimitError::Limited(limited)) if limited.budget == Budget::Source));
}

#[test]
fn refreshes_of_a_session_are_counted_by_each_replica_alone() {
    let world = World::limited(rules());
    let (one, other) = (LimitSubject::Bytes(b"one"), LimitSubject::Bytes(b"other"));
    let replica = || {
        let limiter = |clock| Arc::new(MapLimiter::new(clock));
        let shared: Arc<dyn RateLimiter> = Arc::new(Unreachable);
        let limits = Limits::new(shared, world.devices.authenticator.clone(), rules());
        limits.with_local(limiter(world.clock.clone()))
    };
    for limits in [replica(), replica()] {
        for _ in 0..4 {
            assert!(limits.spend_here(Budget::Refresh, &one).is_ok(), "no network is asked");
        }
        let refused = limits.spend_here(Budget::Refresh, &one);
        assert!(matches!(refused, Err(LimitError::Limited(limited)) if limited.budget == Budget::Refresh));
        assert!(limits.spend_here(Budget::Refresh, &other).is_ok());
    }
    assert!(Limits::off().spend_here(Budget::Refresh, &one).is_ok());
}

/// A limiter on an unreachable network.
struct Unreachable;

impl RateLimiter for Unreachable {
    fn reserve(&self, _: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        Err(LimiterError("gone".to_owned()))
    }

    fn refund(&self, _: &Reservation) -> Result<(), LimiterError> {
        Err(LimiterError("gone".to_owned()))
    }

    fn clear(&self, _: &[Charge]) -> Result<(), LimiterError> {
        Err(LimiterError("gone".to_owned()))
    }

    fn remaining(&self, _: &Charge) -> Result<u32, LimiterError> {
        Err(LimiterError("gone".to_owned()))
    }
}

#[test]
fn what_the_account_refuses_is_charged_to_the_source() {
    let world = World::limited(rules());
    let run = |address, email| try_from(&world, address, email);
    for _ in 0..3 {
        assert!(is_wrong(&run("192.0.2.1", "ada@example.org")));
    }
    for _ in 0..3 {
        assert!(is_limited(run("192.0.2.1", "ada@example.org"), Budget::Account));
    }
    assert!(is_limited(run("192.0.2.1", "bob@example.org"), Budget::Source), "whoever polls pays for it");
    assert!(is_wrong(&run("192.0.2.2", "bob@example.org")));
}

#[test]
fn what_cannot_succeed_is_recorded_and_then_refused() {
    let world = World::limited(rules());
    let token = LimitSubject::Bytes(b"jti");
    for _ in 0..5 {
        assert!(world.limits.check(Budget::DeadRefresh, &token).is_ok());
        world.limits.record(Budget::DeadRefresh, &token);
    }
    world.limits.record(Budget::DeadRefresh, &token);
    assert!(matches!(world.limits.check(Budget::DeadRefresh, &token), Err(LimitError::Limited(_))));
    assert!(world.limits.check(Budget::DeadRefresh, &LimitSubject::Bytes(b"other")).is_ok());
}
