//! Sending emails: once, to the right recipient, and only while needed.

use crate::accounts::set_password;
use crate::mail_fixtures::{Call, all_at_once, token_in, told};
use crate::world::World;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::Occasion;
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::verification::Purpose;
use portcullis_ports::{Clock, MailEvent, MailId, MailObserver, MailerError, StoreError, StoreExt};
use portcullis_usecases::mail::{DeliverMail, DeliveryOutcome};
use portcullis_usecases::tokens::TokenPair;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn away() -> MailerError {
    MailerError::Unavailable("connection refused".to_owned())
}

/// Returns the ids and links of the rendered emails, in order.
fn worded(world: &World) -> Vec<(String, Option<String>)> {
    let worded = world.mailbox.worded.lock().unwrap();
    worded.iter().map(|message| (message.id.clone(), message.link.as_ref().map(|(link, _)| link.clone()))).collect()
}

fn only_grant_expires_at(world: &World) -> DateTime<Utc> {
    let mut grants = world.store.grants();
    assert_eq!(grants.len(), 1);
    grants.remove(0).expires_at
}

/// Creates a world in which Ada's first email was attempted once, and may have been sent or not.
fn tried_once() -> (World, MailId) {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    world.mailbox.fail([away()]);
    let id = world.store.mails().remove(0).id;
    let due = world.clock.now() + TimeDelta::minutes(1);
    assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Postponed(id, due));
    (world, id)
}

#[test]
fn retried_email_has_the_same_link_with_a_later_expiry() {
    let (world, id) = tried_once();
    let first = only_grant_expires_at(&world);
    assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Idle, "not due yet");
    world.pass(TimeDelta::minutes(1));
    assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Sent(id));
    assert_eq!(only_grant_expires_at(&world), first + TimeDelta::minutes(1));
    let worded = worded(&world);
    assert_eq!(worded[0], worded[1]);
    assert!(worded[0].0.len() == 32 && world.store.mails().is_empty());
    assert!(world.verify(&token_in(worded[0].1.as_ref().unwrap())).is_ok());
}

#[test]
fn email_with_used_replaced_or_revoked_link_is_not_resent() {
    let meanwhile: [fn(&World); 4] = [
        |world| {
            let link = worded(world)[0].1.clone().unwrap();
            world.verify(&token_in(&link)).unwrap();
        },
        |world| {
            world.resend("ada@example.org").unwrap();
            world.delivery().deliver_next().unwrap();
            world.mailbox.empty();
        },
        |world| {
            let pair = world.log_in("ada@example.org", "correct horse").unwrap().pair;
            world.change_password(&pair, "correct horse", "battery staple").unwrap();
            world.delivery().deliver_next().unwrap();
            world.mailbox.empty();
        },
        |world| {
            let ada = EmailAddress::from_stored("ada@example.org".to_owned());
            world.store.set_active(world.store.accounts(&ada).unwrap()[0].id, false);
        },
    ];
    for happens in meanwhile {
        let (world, id) = tried_once();
        happens(&world);
        world.pass(TimeDelta::minutes(1));
        assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Dropped(id));
        assert!(world.mailbox.empty().is_empty() && world.store.mails().is_empty());
    }
}

#[test]
fn a_hash_that_is_made_anew_takes_no_link_away() {
    let world = World::new();
    world.adopt("ada@example.org", "old:correct horse");
    world.forgot("ada@example.org").unwrap();
    world.mailbox.fail([away()]);
    world.delivery().deliver_next().unwrap();
    world.log_in("ada@example.org", "correct horse").unwrap();
    world.pass(TimeDelta::minutes(1));
    assert_eq!(world.inspect(&world.mailed()), Some(Purpose::ResetPassword));
}

#[test]
fn waits_double_for_a_day_and_then_somebody_is_told() {
    let (world, id) = tried_once();
    world.mailbox.fail(std::iter::repeat_with(away).take(99));
    let (mut waits, mut last) = (vec![1], DeliveryOutcome::Idle);
    while !matches!(last, DeliveryOutcome::GaveUp(_)) {
        world.pass(TimeDelta::minutes(*waits.last().unwrap()));
        last = world.delivery().deliver_next().unwrap();
        if let DeliveryOutcome::Postponed(_, due) = last {
            waits.push((due - world.clock.now()).num_minutes());
        }
    }
    assert_eq!(last, DeliveryOutcome::GaveUp(id));
    assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
    let passed: i64 = waits.iter().sum();
    assert!((24 * 60..25 * 60).contains(&passed), "{passed} minutes");
    let listed = world.listing().run(None, 9).unwrap().0;
    assert!(listed.len() == 1 && listed[0].dead_at.is_some());
    assert_eq!(listed[0].last_error.as_deref(), Some("the mail server is unavailable: connection refused"));
    assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Idle, "it stays where it is");
    world.mailbox.failures.lock().unwrap().clear();
    world.retrying().run(id).unwrap();
    assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Sent(id));
    assert_eq!(world.retrying().run(id).unwrap_err().code(), ErrorCode::NotFound);
    let links = worded(&world);
    assert!(world.verify(&token_in(links.last().unwrap().1.as_ref().unwrap())).is_ok());
}

#[derive(Default)]
struct Events(Mutex<Vec<MailEvent>>);

impl MailObserver for Events {
    fn on_mail(&self, occasion: Occasion, event: MailEvent) {
        assert_eq!(occasion, Occasion::VerifyEmail);
        self.0.lock().unwrap().push(event);
    }
}

#[test]
fn observer_receives_every_step_of_an_email() {
    use MailEvent::{Dead, Dropped, Postponed, Sent, Started};
    let refused = || MailerError::Refused("550 no such user".to_owned());
    for (failures, verifies, expected) in [
        (vec![], false, vec![Started, Sent]),
        (vec![away()], false, vec![Started, Postponed, Sent]),
        (vec![away(), refused()], false, vec![Started, Postponed, Dead]),
        (vec![away()], true, vec![Started, Postponed, Dropped]),
    ] {
        let (world, events) = (World::new(), Arc::new(Events::default()));
        let delivery = DeliverMail { observer: events.clone(), ..world.delivery() };
        world.register("ada@example.org", "correct horse").unwrap();
        world.mailbox.fail(failures);
        delivery.deliver_next().unwrap();
        if verifies {
            world.verify(&token_in(worded(&world)[0].1.as_ref().unwrap())).unwrap();
        }
        world.pass(TimeDelta::minutes(1));
        delivery.deliver_next().unwrap();
        assert_eq!(delivery.deliver_next().unwrap(), DeliveryOutcome::Idle);
        assert_eq!(*events.0.lock().unwrap(), expected);
    }
}

#[test]
fn refused_or_unrenderable_email_is_dead_at_once() {
    for wordable in [true, false] {
        let world = World::new();
        world.register("ada@example.org", "correct horse").unwrap();
        *world.mailbox.broken.lock().unwrap() = !wordable;
        world.mailbox.fail([MailerError::Refused("550 no such user".to_owned())]);
        let DeliveryOutcome::GaveUp(id) = world.delivery().deliver_next().unwrap() else { panic!("given up") };
        let dead = world.store.mails().remove(0);
        assert_eq!((dead.id, dead.dead_at), (id, Some(world.clock.now())));
        assert!(!dead.last_error.unwrap().contains("ada"));
    }
}

#[test]
fn a_mail_that_was_put_off_waits_for_its_turn() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    world.mailbox.fail([MailerError::Deferred("451 later".to_owned())]);
    assert!(matches!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Postponed(..)));
}

#[test]
fn an_open_circuit_is_waited_for_and_costs_a_mail_no_more() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let retry_after = Duration::from_secs(20);
    for wait in [retry_after, Duration::ZERO] {
        world.mailbox.fail([MailerError::CircuitOpen { retry_after: wait }]);
        let rest = wait.max(Duration::from_secs(1));
        assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::CircuitOpen(rest));
        assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Idle);
        world.clock.advance(rest);
    }
    assert_eq!(world.deliver(), [told("verify_email", "ada@example.org")]);
}

#[test]
fn claimed_email_is_leased_and_resent_if_its_worker_died() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let store = world.store.clone();
    let gone = move || store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    *world.mailbox.meanwhile.lock().unwrap() = Some(Arc::new(gone));
    assert_eq!(world.delivery().deliver_next().unwrap_err().code(), ErrorCode::Unavailable, "sent, and not settled");
    world.store.set_outage(None);
    *world.mailbox.meanwhile.lock().unwrap() = None;
    world.pass(TimeDelta::seconds(89));
    assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Idle, "somebody may still be sending it");
    world.pass(TimeDelta::seconds(1));
    assert!(matches!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Sent(_)));
    let sent = world.mailbox.sent.lock().unwrap();
    assert!(sent.len() == 2 && sent[0] == sent[1], "at least once, and the same");
}

#[test]
fn who_comes_back_late_settles_nothing_that_another_has_by_now() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let (clock, late) = (world.clock.clone(), world.delivery());
    // During the first send, its lease expires and another worker sends it too.
    let other = world.delivery();
    let once = AtomicBool::new(false);
    let happens = move || {
        if !once.swap(true, Ordering::SeqCst) {
            clock.advance(Duration::from_secs(90));
            assert!(matches!(other.deliver_next().unwrap(), DeliveryOutcome::Postponed(..)));
        }
    };
    *world.mailbox.meanwhile.lock().unwrap() = Some(Arc::new(happens));
    world.mailbox.fail([away()]);
    assert!(matches!(late.deliver_next().unwrap(), DeliveryOutcome::Sent(_)));
    assert_eq!(world.store.mails().len(), 1, "the other's try is the one that counts");
    *world.mailbox.meanwhile.lock().unwrap() = None;
}

#[test]
fn a_clock_that_goes_back_delays_mails_and_loses_none() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let now = world.clock.now();
    world.clock.set(now - TimeDelta::days(400));
    assert_eq!(world.delivery().deliver_next().unwrap(), DeliveryOutcome::Idle);
    world.clock.set(now + TimeDelta::days(400));
    assert_eq!(world.deliver(), [told("verify_email", "ada@example.org")]);
}

#[test]
fn many_who_send_at_once_send_each_mail_once() {
    let world = World::new();
    for number in 0..100 {
        world.register(&format!("n{number}@example.org"), "correct horse").unwrap();
    }
    let world = &world;
    let call = |_| -> Call<'_, ()> {
        Box::new(move || while world.delivery().deliver_next().unwrap() != DeliveryOutcome::Idle {})
    };
    all_at_once((0..4).map(call).collect());
    let mut sent = world.mailbox.empty();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 100);
    assert_eq!(worded(world).len(), 100);
}

#[test]
fn email_goes_to_the_stored_spelling_of_an_active_account() {
    let world = World::new();
    world.adopt("Erin@example.org", "new:x");
    let off = world.adopt("off@example.org", "new:x");
    world.store.set_active(off.id, false);
    for email in ["ERIN@example.org", "off@example.org", "nobody@example.org"] {
        world.forgot(email).unwrap();
    }
    assert_eq!(world.deliver(), [told("reset_password", "Erin@example.org")]);
    world.adopt("erin@example.org", "new:y");
    for email in ["erin@example.org", "ERIN@example.org"] {
        world.forgot(email).unwrap();
    }
    assert_eq!(world.deliver(), [told("reset_password", "erin@example.org")], "each has its own spelling");
    assert!(world.store.mails().is_empty());
}

#[test]
fn an_order_of_an_account_that_is_gone_is_nobodys() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let mut order = world.store.mails().remove(0).mail;
    order.user_id = Some(UserId::new(99));
    assert!(world.store.write(|tx| tx.outbox().enqueue(&order)).is_err(), "nor can it be stored");
}

#[test]
fn a_link_that_was_ordered_under_another_password_is_not_sent() {
    let changes: [fn(&World, &TokenPair); 3] = [
        |world, pair| assert!(world.change_password(pair, "correct horse", "battery staple").is_ok()),
        |world, _| assert!(set_password(world, UserId::new(1), "battery staple").is_ok()),
        |world, _| {
            // To another password, and back.
            set_password(world, UserId::new(1), "battery staple").unwrap();
            set_password(world, UserId::new(1), "correct horse").unwrap();
        },
    ];
    for change in changes {
        let world = World::new();
        let (_, pair) = world.ada();
        world.forgot("ada@example.org").unwrap();
        world.resend("ada@example.org").unwrap();
        change(&world, &pair);
        assert!(world.deliver().iter().all(|(occasion, _)| occasion == "password_changed"), "of no use any more");
        world.forgot("ada@example.org").unwrap();
        assert_eq!(world.deliver(), [told("reset_password", "ada@example.org")], "ordered afterwards");
    }
}

#[test]
fn reset_link_requested_before_a_rehash_is_still_sent() {
    let world = World::new();
    world.adopt("ada@example.org", "old:correct horse");
    world.forgot("ada@example.org").unwrap();
    world.log_in("ada@example.org", "correct horse").unwrap();
    assert_eq!(world.deliver(), [told("reset_password", "ada@example.org")]);
}

#[test]
fn an_order_is_no_other_work_for_an_address_without_an_account() {
    let world = World::new();
    world.adopt("ada@example.org", "new:correct horse");
    for email in ["ada@example.org", "nobody@example.org"] {
        world.forgot(email).unwrap();
    }
    let orders = world.store.mails();
    assert!(orders.iter().all(|mail| mail.mail.password.is_some()));
    assert_ne!(orders[0].mail.password, orders[1].mail.password);
    // A later registration gets no link that was requested before.
    world.register("nobody@example.org", "battery staple").unwrap();
    let sent = world.deliver();
    assert_eq!(sent, [told("reset_password", "ada@example.org"), told("verify_email", "nobody@example.org")]);
}
