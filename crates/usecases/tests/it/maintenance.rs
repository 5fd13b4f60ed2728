//! Purging dead tokens.

use crate::world::World;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::ErrorCode;
use portcullis_domain::mfa::{
    FactorId, FactorName, SealedSecret, TimeStep, TotpFactor, TrustedDevice, TrustedDeviceId,
};
use portcullis_domain::passkeys::PasskeyChallenge;
use portcullis_domain::providers::{SignInCode, SignInCodeDigest, SignInFlow, StateDigest};
use portcullis_domain::registration::User;
use portcullis_domain::sessions::{ClientInfo, DeviceHash, SessionId};
use portcullis_domain::tokens::{Jti, RefreshToken};
use portcullis_ports::{Clock, MailerError, StoreError, StoreExt, TxMode};
use portcullis_testkit::Watched;
use portcullis_usecases::maintenance::{BatchStep, Purge, Purged};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Purges everything at once.
fn purged(world: &World) -> Purged {
    world.purge().run(&mut |_| true).unwrap()
}

/// The result of a purge of so many rows that finished.
fn all(rows: u64) -> Purged {
    Purged { rows, complete: true, ..Purged::default() }
}

fn jti(number: u32) -> Jti {
    let mut bytes = [1; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Jti::from_random(bytes)
}

/// Adds tokens that expire at that time.
fn add(world: &World, user: &User, numbers: std::ops::Range<u32>, expires_at: DateTime<Utc>) {
    let added = world.store.write(|tx| {
        numbers.clone().try_for_each(|number| {
            let token = RefreshToken::new(jti(number), user.id, expires_at, TimeDelta::zero());
            tx.refresh_tokens().insert(&token)
        })
    });
    added.unwrap();
}

#[test]
fn only_what_can_no_longer_be_shown_goes() {
    let world = World::new();
    let (ada, pair) = world.ada();
    let now = world.clock.now();
    add(&world, &ada, 0..3, now - TimeDelta::days(1));
    add(&world, &ada, 3..6, now - TimeDelta::minutes(5));
    add(&world, &ada, 6..9, now - TimeDelta::minutes(4));
    add(&world, &ada, 9..12, now + TimeDelta::days(1));
    assert_eq!(purged(&world), all(6));
    let kept = (6..12).all(|number| world.store.read(|tx| tx.refresh_tokens().find(jti(number))).unwrap().is_some());
    assert!(kept);
    assert_eq!(world.store.tokens_of(ada.id).len(), 7);
    assert!(world.refresh(&pair.refresh_token).is_ok());
    assert_eq!(purged(&world), all(0));
}

#[test]
fn a_spent_token_is_known_until_it_could_no_longer_be_shown() {
    let world = World::new();
    let (_, pair) = world.ada();
    world.refresh(&pair.refresh_token).unwrap();
    world.pass(TimeDelta::days(7) - TimeDelta::seconds(1));
    purged(&world);
    let reuse = world.refresh(&pair.refresh_token).unwrap_err();
    assert_eq!(reuse.code(), ErrorCode::TokenRevoked, "known as spent, not as unknown");
    world.pass(TimeDelta::seconds(1) + TimeDelta::minutes(5));
    assert_eq!(purged(&world).rows, 2, "it and its successor");
}

#[test]
fn factors_that_were_not_confirmed_and_expired_devices_go() {
    let world = World::new();
    let ids = ["ada@example.org", "bob@example.org"].map(|email| world.adopt(email, "new:x").id);
    let now = world.clock.now();
    let added = world.store.write(|tx| {
        for (number, user_id) in (1..).zip(ids) {
            let (id, secret) = (FactorId::from_random([number; 16]), SealedSecret::new(vec![number]));
            tx.factors().replace_pending(&TotpFactor::new(id, user_id, FactorName::default(), secret, now))?;
            tx.factors().trust(&TrustedDevice {
                id: TrustedDeviceId::from_random([number; 16]),
                user_id,
                device: DeviceHash::new([number; 32]),
                client: ClientInfo::default(),
                created_at: now,
                expires_at: now + TimeDelta::minutes(10),
            })?;
        }
        tx.factors().confirm_totp(ids[0], &FactorId::from_random([1; 16]), TimeStep::new(1), now)
    });
    assert!(added.unwrap());
    world.pass(TimeDelta::minutes(15) - TimeDelta::seconds(1));
    assert_eq!(purged(&world), all(0));
    world.pass(TimeDelta::seconds(1));
    assert_eq!(purged(&world), all(3), "the confirmed factor stays");
}

#[test]
fn expired_sign_ins_with_providers_go() {
    let world = World::new();
    let (ada, _) = world.ada();
    let expires_at = world.clock.now() + TimeDelta::minutes(10);
    let added = world.store.write(|tx| {
        tx.sign_ins().insert_flow(&SignInFlow {
            state: StateDigest::new([1; 32]),
            browser: [1; 32],
            sealed: Vec::new(),
            expires_at,
            spent_at: None,
        })?;
        tx.sign_ins().insert_code(&SignInCode {
            digest: SignInCodeDigest::new([1; 32]),
            user_id: ada.id,
            session_id: SessionId::from_random([1; 16]),
            challenge: [1; 32],
            redirect_uri: String::new(),
            multi_factor: false,
            page_session: None,
            expires_at,
            used_at: None,
        })?;
        tx.sign_ins().use_id_token(&SignInCodeDigest::new([2; 32]), expires_at)
    });
    assert!(added.unwrap());
    world.pass(TimeDelta::minutes(15) - TimeDelta::seconds(1));
    assert_eq!(purged(&world), all(0));
    world.pass(TimeDelta::seconds(1));
    assert_eq!(purged(&world), all(3));
}

#[test]
fn used_challenges_go_once_they_have_expired() {
    let world = World::new();
    let digest = PasskeyChallenge::new(0, [1; 12], &[1; 32]).digest();
    let use_it = || {
        let expires_at = world.clock.now() + PasskeyChallenge::LIFETIME;
        world.store.write(|tx| tx.passkeys().use_challenge(&digest, expires_at)).unwrap()
    };
    assert!(use_it());
    world.pass(TimeDelta::minutes(10) - TimeDelta::seconds(1));
    assert_eq!(purged(&world), all(0));
    assert!(!use_it());
    world.pass(TimeDelta::seconds(1));
    assert_eq!(purged(&world), all(1));
    assert!(use_it());
}

#[test]
fn purge_stops_between_steps_and_keeps_its_progress() {
    let world = World::new();
    let (ada, _) = world.ada();
    add(&world, &ada, 0..5000, world.clock.now() - TimeDelta::days(1));
    let mut steps = Vec::new();
    let stopped = world.purge().run(&mut |step| {
        steps.push(step.rows);
        steps.len() < 4
    });
    let stopped = stopped.unwrap();
    assert!(!stopped.complete && (1..5000).contains(&stopped.rows), "{stopped:?}");
    assert!(steps.is_sorted() && steps.len() == 4, "{steps:?}");
    let rest = purged(&world);
    assert_eq!(rest, all(5000 - stopped.rows));
}

/// Returns the rows and the duration of each step of a purge. Writes wait before they begin and take time
/// to commit.
fn steps(wait: Duration, commit: Duration) -> Vec<(u64, Duration)> {
    let world = World::new();
    let (ada, _) = world.ada();
    add(&world, &ada, 0..8_000, world.clock.now() - TimeDelta::days(1));
    let clock = world.clock.clone();
    let store = Arc::new(Watched::new(world.store.clone(), move |call| {
        let [wait, commit] = [wait, commit].map(|time| if call.mode == TxMode::Write { time } else { Duration::ZERO });
        clock.advance(wait);
        call.run()?;
        clock.advance(commit);
        Ok(())
    }));
    let verb = Purge { store, ..world.purge() };
    let (mut before, mut steps) = (0, Vec::new());
    let mut watch = |step: BatchStep| {
        if step.rows > before {
            steps.push((step.rows - before, step.took));
        }
        before = step.rows;
        true
    };
    assert_eq!(verb.run(&mut watch).unwrap(), all(8_000));
    steps
}

#[test]
fn slow_commits_are_few_and_lock_waits_do_not_count() {
    let quick = Duration::from_millis(1);
    let long = Duration::from_millis(40);
    for (wait, commit) in [(Duration::ZERO, quick), (Duration::ZERO, long), (Duration::from_secs(1), quick)] {
        let steps = steps(wait, commit);
        assert!(steps.len() < 20, "a thousand rows a step before long: {steps:?}");
        assert!(steps.iter().all(|(rows, took)| *rows <= 1000 && *took == commit), "{steps:?}");
    }
}

#[test]
fn a_store_that_is_gone_ends_it() {
    let world = World::new();
    let failure = world.without_store(|| world.purge().run(&mut |_| true)).unwrap_err();
    assert_eq!(failure.code(), ErrorCode::Unavailable);
}

#[test]
fn an_account_that_cannot_be_deleted_holds_up_no_other() {
    let world = World::new();
    let ids = ["ada@example.org", "bob@example.org"].map(|email| world.adopt(email, "new:x").id);
    for id in ids {
        assert!(world.store.write(|tx| tx.users().mark_deleted(id, world.clock.now())).unwrap());
    }
    let writes = AtomicUsize::new(0);
    let store = Arc::new(Watched::new(world.store.clone(), move |call| {
        // After the writes that purge one-time tokens, emails, pending factors, trusted devices, challenges and sign-ins.
        let fails = call.mode == TxMode::Write && writes.fetch_add(1, Ordering::SeqCst) == 6;
        if fails { Err(StoreError::Failed("a trigger".to_owned())) } else { call.run() }
    }));
    assert!(Purge { store, ..world.purge() }.run(&mut |_| true).is_err());
    assert_eq!(world.store.read(|tx| tx.users().list_marked_deleted(9)).unwrap(), ids[..1]);
}

#[test]
fn purge_deletes_expired_links_and_dead_emails_after_a_month() {
    let world = World::new();
    for number in 0..120 {
        world.register(&format!("n{number}@example.org"), "correct horse").unwrap();
    }
    world.mailbox.fail(std::iter::repeat_n(MailerError::Refused("550".to_owned()), 60));
    assert_eq!(world.deliver().len(), 60);
    let left = |world: &World| (world.store.grants().len(), world.store.mails().len());
    world.pass(TimeDelta::days(30) - TimeDelta::microseconds(1));
    purged(&world);
    assert_eq!(left(&world), (120, 60));
    world.pass(TimeDelta::microseconds(1));
    assert_eq!(purged(&world), all(60));
    assert_eq!(left(&world), (120, 0), "links are good for a day first");
    world.pass(TimeDelta::days(1));
    let stopped = world.purge().run(&mut |step| step.rows == 0).unwrap();
    assert_eq!(
        (stopped, left(&world).0),
        (Purged { rows: 50, complete: false, ..Purged::default() }, 70),
        "few at a time"
    );
    assert_eq!(purged(&world), all(70));
    assert_eq!(left(&world), (0, 0));
}
