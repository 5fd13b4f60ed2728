//! Notices to owners, and limits on emails per address.

use crate::mail_fixtures::told;
use crate::world::{World, login, with};
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Rule, SlidingWindow};
use portcullis_domain::mail::{DeviceLabel, Occasion};
use portcullis_domain::sessions::{ClientInfo, UserAgent};
use portcullis_ports::MailerError;
use portcullis_usecases::limits::Rules;
use portcullis_usecases::login::LoggedIn;
use portcullis_usecases::mail::DeliveryOutcome;
use portcullis_usecases::{Caller, Counted};
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn rules() -> Rules {
    let some = |n| NonZeroU32::new(n).unwrap();
    let plenty = Rule::SlidingWindow(SlidingWindow::new(some(1000), Duration::from_mins(15)));
    let mail = Rule::SlidingWindow(SlidingWindow::new(some(3), Duration::from_hours(1)));
    Rules {
        account: plenty,
        account_day: plenty,
        device: plenty,
        source: plenty,
        mail,
        refresh: plenty,
        dead_refresh: plenty,
        second_factor: plenty,
        second_factor_day: plenty,
    }
}

#[test]
fn any_email_address_gets_three_emails_an_hour_per_purpose() {
    let world = World::limited(rules());
    world.adopt("ada@example.org", "new:x");
    for email in ["ada@example.org", "nobody@example.org"] {
        for _ in 0..3 {
            world.resend(&email.to_uppercase()).unwrap();
        }
        assert_eq!(world.resend(email).unwrap_err().code(), ErrorCode::RateLimited);
        for _ in 0..3 {
            world.forgot(email).unwrap();
        }
        assert_eq!(world.forgot(&email.to_uppercase()).unwrap_err().code(), ErrorCode::RateLimited);
    }
    for _ in 0..4 {
        let lost = world.without_store(|| world.forgot("bob@example.org")).unwrap_err();
        assert_eq!(lost.code(), ErrorCode::Unavailable, "what was not ordered is not counted");
    }
}

#[test]
fn attackers_requests_never_use_up_the_owners_reset_links() {
    let world = World::limited(rules());
    let stranger = world.verified_ada();
    world.register("bob@example.org", "battery staple").unwrap();
    world.deliver();
    for _ in 0..4 {
        // Refused or not.
        drop(world.resend("bob@example.org"));
        drop(world.change_email(&stranger, "correct horse", "bob@example.org"));
    }
    world.deliver();
    world.forgot("bob@example.org").unwrap();
    assert_eq!(world.deliver(), [told("reset_password", "bob@example.org")]);
}

#[test]
fn an_address_that_is_registered_over_and_over_is_not_flooded() {
    let world = World::limited(rules());
    for _ in 0..5 {
        world.register("ada@example.org", "correct horse").unwrap();
        let pair = world.log_in("ada@example.org", "correct horse").unwrap().pair;
        for new in ["battery staple", "correct horse"] {
            let old = if new == "correct horse" { "battery staple" } else { "correct horse" };
            world.change_password(&pair, old, new).unwrap();
        }
        let delivery = world.delivery();
        while delivery.deliver_next().unwrap() != DeliveryOutcome::Idle {}
        world.leave(&pair, "correct horse").unwrap();
    }
    assert_eq!(world.mailbox.empty().len(), 3);
}

#[test]
fn a_mail_that_is_tried_again_is_counted_once() {
    let world = World::limited(rules());
    world.register("ada@example.org", "correct horse").unwrap();
    world.mailbox.fail(std::iter::repeat_n(MailerError::Unavailable("gone".to_owned()), 5));
    for _ in 0..5 {
        assert!(matches!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Postponed(..)));
        world.pass(TimeDelta::minutes(16));
    }
    assert_eq!(world.deliver(), [told("verify_email", "ada@example.org")]);
}

#[test]
fn no_limit_keeps_an_owner_from_hearing_of_the_password() {
    let world = World::limited(rules());
    let pair = world.verified_ada();
    // As many as for an unused address: the registration email does not count.
    for _ in 0..3 {
        world.forgot("ada@example.org").unwrap();
    }
    assert!(world.forgot("ada@example.org").is_err());
    world.deliver();
    world.change_password(&pair, "correct horse", "battery staple").unwrap();
    assert_eq!(world.deliver(), [told("password_changed", "ada@example.org")]);
}

#[test]
fn a_guess_at_the_password_of_a_change_of_address_costs_no_mail() {
    let world = World::limited(Rules { account: rules().mail, ..rules() });
    let pair = world.verified_ada();
    for _ in 0..3 {
        let refused = world.change_email(&pair, "wrong", "new@example.org").unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidCredentials);
    }
    let refused = world.change_email(&pair, "correct horse", "new@example.org").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited, "a stolen token guesses no further");
    let refused = world.change_password(&pair, "correct horse", "battery staple").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited, "nor elsewhere");
    assert!(world.leave(&pair, "correct horse").is_err());
    let refused = world.log_in("ada@example.org", "correct horse").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited, "all places have one count");
    world.pass(TimeDelta::hours(1));
    let pair = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    for _ in 0..3 {
        world.change_email(&pair, "correct horse", "new@example.org").unwrap();
    }
    let refused = world.change_email(&pair, "correct horse", "new@example.org").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited, "three mails, and no more");
}

fn sign_in(world: &World, address: &str, agent: &str, device: Option<String>) -> LoggedIn {
    let client = ClientInfo { ip_address: Some(address.parse().unwrap()), user_agent: UserAgent::new(agent) };
    let caller = Caller { client, device, ..Caller::default() };
    world.verb().run(&login("ada@example.org", "correct horse"), &caller).unwrap()
}

#[test]
fn login_from_an_unknown_device_notifies_a_verified_owner() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let token = world.mailed();
    sign_in(&world, "192.0.2.1", "firefox", None);
    sign_in(&world, "192.0.2.2", "firefox", None);
    assert!(world.deliver().is_empty(), "nobody knows whose the address is");
    world.confirm(&token).unwrap();
    let cookie = sign_in(&world, "192.0.2.1", "firefox", None).cookie;
    sign_in(&world, "192.0.2.9", "opera", Some(cookie.clone()));
    assert!(world.deliver().is_empty(), "a place that is known, and a device that is");
    sign_in(&world, "192.0.2.9", "lynx", Some("1.forged.0.0".to_owned()));
    assert_eq!(world.deliver(), [told("new_device", "ada@example.org")]);
    let client = world.mailbox.worded.lock().unwrap().pop().unwrap().client.unwrap();
    assert_eq!((client.address, client.device), (Some("192.0.2.9".parse().unwrap()), DeviceLabel::default()));
    sign_in(&world, "192.0.2.9", "lynx", None);
    assert!(world.deliver().is_empty(), "once");
    let quiet = world.noticing(&[Occasion::SessionTheft]);
    sign_in(&quiet, "192.0.2.77", "lynx", None);
    assert!(quiet.store.mails().is_empty());
}

/// Anyone can register another person's address and cause all of these emails.
#[test]
fn an_unverified_address_hears_nothing_of_clients() {
    let world = World::new();
    let mut sent = Vec::new();
    world.register("ada@example.org", "correct horse").unwrap();
    sent.extend(world.deliver());
    let pair = sign_in(&world, "192.0.2.1", "firefox", None).pair;
    world.forgot_from("192.0.2.1", "ada@example.org").unwrap();
    world.change_email(&pair, "correct horse", "new@example.org").unwrap();
    sent.extend(world.deliver());
    world.refresh(&pair.refresh_token).unwrap();
    world.pass(TimeDelta::seconds(11));
    assert!(world.refresh(&pair.refresh_token).is_err());
    sent.extend(world.deliver());
    let pair = sign_in(&world, "192.0.2.1", "firefox", None).pair;
    world.change_password(&pair, "correct horse", "battery staple").unwrap();
    sent.extend(world.deliver());
    let occasions: Vec<_> = sent.iter().map(|(occasion, _)| occasion.as_str()).collect();
    let all = ["verify_email", "reset_password", "confirm_email", "session_theft", "password_changed"];
    assert!(all.iter().all(|occasion| occasions.contains(occasion)), "{occasions:?}");
    assert!(world.mailbox.worded.lock().unwrap().iter().all(|message| message.client.is_none()));
    world.resend("ada@example.org").unwrap();
    world.verify_with(&world.mailed(), "battery staple").unwrap();
    world.forgot_from("192.0.2.1", "ada@example.org").unwrap();
    world.deliver();
    let told = world.mailbox.worded.lock().unwrap().pop().unwrap().client.unwrap();
    assert_eq!(told.address, Some("192.0.2.1".parse().unwrap()), "the owner does");
}

fn guess(world: &World, times: u32, device: Option<&str>) {
    for _ in 0..times {
        let refused = world.verb().run(&login("ada@example.org", "wrong"), &with(device.map(str::to_owned)));
        assert_eq!(refused.unwrap_err().code(), ErrorCode::InvalidCredentials);
    }
}

/// One budget of ten attempts, as by default.
fn guarded() -> World {
    let guesses =
        SlidingWindow::new(NonZeroU32::new(10).unwrap(), Duration::from_mins(15)).with_backoff(Duration::from_mins(1));
    let guesses = Rule::SlidingWindow(guesses);
    World::limited(Rules { account: guesses, device: guesses, ..rules() })
}

#[test]
fn login_after_five_failures_notifies_a_verified_owner() {
    let world = guarded();
    world.register("ada@example.org", "correct horse").unwrap();
    let token = world.mailed();
    guess(&world, 5, None);
    world.log_in("ada@example.org", "correct horse").unwrap();
    assert!(world.deliver().is_empty(), "nobody knows whose the address is");
    world.confirm(&token).unwrap();
    world.pass(TimeDelta::minutes(15));
    guess(&world, 4, None);
    world.log_in("ada@example.org", "correct horse").unwrap();
    assert!(world.deliver().is_empty(), "a person who mistypes");
    guess(&world, 1, None);
    world.log_in("ada@example.org", "correct horse").unwrap();
    assert_eq!(world.deliver(), [told("login_after_failures", "ada@example.org")]);
    world.pass(TimeDelta::minutes(15));
    world.log_in("ada@example.org", "correct horse").unwrap();
    assert!(world.deliver().is_empty(), "they were long ago");
    guess(&world, 10, None);
    world.pass(TimeDelta::minutes(1));
    world.log_in("ada@example.org", "correct horse").unwrap();
    assert_eq!(world.deliver(), [told("login_after_failures", "ada@example.org")], "after a wait");
}

/// Guesses without the password cause no notice, and a mailbox gets few in any case.
#[test]
fn guesses_elsewhere_send_an_owner_on_a_known_device_no_notice() {
    let world = guarded();
    world.register("ada@example.org", "correct horse").unwrap();
    world.confirm(&world.mailed()).unwrap();
    let cookie = world.log_in("ada@example.org", "correct horse").unwrap().cookie;
    let enter = |device: Option<&str>| {
        let caller = with(device.map(str::to_owned));
        world.verb().run(&login("ada@example.org", "correct horse"), &caller).unwrap();
    };
    guess(&world, 9, None);
    enter(Some(&cookie));
    assert!(world.deliver().is_empty());
    for _ in 0..5 {
        enter(None);
    }
    let sent = world.deliver();
    assert!((1..=3).contains(&sent.len()), "a few an hour: {sent:?}");
    guess(&world, 5, Some(&cookie));
    enter(Some(&cookie));
    assert_eq!(world.store.mails().len(), 1, "its own failures count");
}

#[test]
fn good_logins_at_once_are_no_failures() {
    let world = guarded();
    world.register("ada@example.org", "correct horse").unwrap();
    world.confirm(&world.mailed()).unwrap();
    let (input, caller, verb) = (login("ada@example.org", "correct horse"), Caller::default(), world.verb());
    let attempts: Vec<_> = (0..10).flat_map(|_| verb.attempts(&input, &caller)).collect();
    let admitted: Vec<_> = attempts.iter().map(|attempt| verb.count(attempt).unwrap()).collect();
    for admission in admitted {
        verb.execute(&input, &caller, admission).unwrap();
    }
    assert!(world.deliver().is_empty());
}

#[test]
fn the_first_session_of_all_is_no_new_device() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    world.confirm(&world.mailed()).unwrap();
    sign_in(&world, "192.0.2.1", "firefox", None);
    assert!(world.deliver().is_empty());
}

#[test]
fn theft_notice_is_in_the_transaction_that_ends_the_session() {
    let world = World::new();
    let pair = world.verified_ada();
    world.refresh(&pair.refresh_token).unwrap();
    world.pass(TimeDelta::seconds(11));
    let rings = world.notifier.0.load(Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(world.refresh(&pair.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    }
    let id = world.authenticate(&pair.access_token);
    assert!(id.is_err() && world.store.mails().len() == 1, "once, and with the end");
    assert_eq!(world.notifier.0.load(Ordering::SeqCst), rings + 1);
    assert_eq!(world.deliver(), [told("session_theft", "ada@example.org")]);
}

#[test]
fn theft_in_a_failed_transaction_is_silent_and_found_again() {
    let world = World::new();
    let pair = world.verified_ada();
    world.refresh(&pair.refresh_token).unwrap();
    world.pass(TimeDelta::seconds(11));
    let lost = world.without_store(|| world.refresh(&pair.refresh_token)).unwrap_err();
    assert_eq!(lost.code(), ErrorCode::Unavailable);
    assert!(world.store.mails().is_empty() && world.authenticate(&pair.access_token).is_ok());
    assert!(world.refresh(&pair.refresh_token).is_err());
    assert_eq!(world.store.mails().len(), 1);
}
