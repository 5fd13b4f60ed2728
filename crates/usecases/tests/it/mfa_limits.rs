//! Rate limits of guesses at second factors: budgets, waits and the daily ceiling.

use crate::limits::rules;
use crate::world::{World, at};
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Budget, DeviceId};
use portcullis_domain::registration::UserId;
use portcullis_ports::Clock;
use portcullis_usecases::limits::{Admission, Attempt, LimitError, RateLimited};
use portcullis_usecases::login::WrongPassword;
use portcullis_usecases::{Caller, Counted, UseCaseError};
use std::time::Duration;

const ADA: UserId = UserId::new(1);

fn device(number: u8) -> Option<DeviceId> {
    Some(DeviceId::from_random([number; 16]))
}

/// A use case that checks a code.
struct CheckCode {
    is_right: bool,
}

impl Counted for CheckCode {
    type Input = ();
    type Output = ();
    type Reason = WrongPassword;

    fn attempts(&self, (): &(), _: &Caller) -> Vec<Attempt> {
        Vec::new()
    }

    fn count(&self, _: &Attempt) -> Result<Admission, LimitError> {
        Ok(Admission::default())
    }

    fn act(&self, (): &(), _: &Caller, _: &Admission) -> Result<(), UseCaseError<WrongPassword>> {
        if self.is_right { Ok(()) } else { Err(WrongPassword.into()) }
    }
}

/// Sends a code. Returns the refusal if it was not checked.
fn send(world: &World, device: Option<DeviceId>, address: &str, is_right: bool) -> Option<RateLimited> {
    match world.limits.count_second_factor(ADA, device, &at(address)) {
        Ok(admission) => {
            assert_eq!(CheckCode { is_right }.execute(&(), &at(address), admission).is_ok(), is_right);
            None
        }
        Err(LimitError::Limited(limited)) => Some(limited),
        Err(LimitError::Failed(error)) => unreachable!("{error}"),
    }
}

fn budget(refused: Option<RateLimited>) -> Option<Budget> {
    refused.map(|limited| limited.budget)
}

#[test]
fn five_wrong_codes_are_checked_then_one_per_wait() {
    let world = World::limited(rules());
    let code = |address: &str, is_right| send(&world, None, address, is_right);
    for number in 0..20 {
        assert_eq!(code(&format!("192.0.2.{number}"), true), None, "right codes are refunded");
    }
    for _ in 0..5 {
        assert_eq!(code("192.0.2.1", false), None);
    }
    for address in ["192.0.2.1", "198.51.100.1"] {
        let refused = code(address, true).unwrap();
        assert_eq!((refused.budget, refused.retry_after), (Budget::SecondFactor, Duration::from_mins(1)));
    }
    assert!(send(&world, device(1), "192.0.2.1", true).is_none(), "a known device has its own budget");
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        world.pass(TimeDelta::minutes(minutes) - TimeDelta::seconds(1));
        assert_eq!(budget(code("192.0.2.1", true)), Some(Budget::SecondFactor), "{minutes}");
        world.pass(TimeDelta::seconds(1));
        assert_eq!(code("192.0.2.1", false), None, "{minutes}");
    }
    assert_eq!(code("198.51.100.1", true), None, "each source has its own waits");
}

#[test]
fn codes_and_passwords_have_separate_budgets() {
    let world = World::limited(rules());
    world.register("ada@example.org", "correct horse").unwrap();
    for _ in 0..5 {
        assert_eq!(send(&world, device(1), "192.0.2.1", false), None);
    }
    assert_eq!(budget(send(&world, device(1), "192.0.2.1", true)), Some(Budget::SecondFactorDevice));
    assert_eq!(send(&world, device(2), "192.0.2.1", true), None);
    assert_eq!(send(&world, None, "192.0.2.1", true), None);
    world.log_in("ada@example.org", "correct horse").unwrap();
    while world.log_in("ada@example.org", "wrong").unwrap_err().code() != ErrorCode::RateLimited {}
    assert_eq!(send(&world, None, "192.0.2.1", true), None);
}

/// Attackers who hold the password, many sources and stolen cookies try all day, for two days.
#[test]
fn fewer_than_a_hundred_codes_are_checked_in_any_day() {
    let world = World::limited(rules());
    let mut checked: Vec<DateTime<Utc>> = Vec::new();
    for minute in 0..2 * 24 * 60 {
        for number in 0..40 {
            let stolen = if number < 3 { device(10 + number) } else { None };
            while send(&world, stolen, &format!("203.0.113.{number}"), false).is_none() {
                checked.push(world.clock.now());
            }
        }
        if minute % 97 == 0 {
            send(&world, device(1), "192.0.2.1", true);
        }
        world.pass(TimeDelta::minutes(1));
    }
    let day = TimeDelta::hours(24);
    let within = |start: &DateTime<Utc>| checked.iter().filter(|at| *at >= start && **at - *start < day).count();
    let most = checked.iter().map(within).max().unwrap();
    assert!((50..=50 + 2 * 11).contains(&most), "{most}");
}

#[test]
fn known_device_passes_the_ceiling_within_a_minute() {
    let world = World::limited(rules());
    let attack = || (0..60).all(|number| send(&world, None, &format!("203.0.113.{number}"), false).is_some());
    while budget(send(&world, None, "203.0.113.200", true)) != Some(Budget::SecondFactorDay) {
        attack();
        world.pass(TimeDelta::minutes(1));
    }
    let refused = send(&world, device(1), "192.0.2.1", true);
    if let Some(limited) = refused {
        assert!(limited.budget == Budget::SecondFactorDay && limited.retry_after <= Duration::from_mins(1));
        attack();
        world.pass(TimeDelta::from_std(limited.retry_after).unwrap());
        attack();
        assert_eq!(send(&world, device(1), "192.0.2.1", true), None);
    }
    assert_eq!(send(&world, device(1), "192.0.2.1", true), None, "again and again");
}
