//! The second factor when another call comes first, the store fails or a secret is unreadable: what is
//! one transaction, and what is spent.

use crate::limits::rules;
use crate::mail_fixtures::{Meanwhile, told};
use crate::mfa_fixtures::{Ada, EMAIL, PASSWORD, PLACES, PROOFS, Place, Stored, world};
use crate::world::{World, login, with};
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::Occasion;
use portcullis_domain::tokens::ChallengePurpose;
use portcullis_ports::{Store, StoreError, StoreExt};
use portcullis_testkit::Watched;
use portcullis_usecases::login::PasswordLogin;
use portcullis_usecases::mfa::{Enrollee, FactorCode, FactorOverview, ListFactors, MfaReset, ResetMfa};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn change_password(ada: &Ada) {
    ada.world.change_password(&ada.pair, PASSWORD, "battery staple").unwrap();
}

/// Returns a store whose transaction of that number breaks off before its commit.
fn failing(ada: &Ada, number: usize) -> Arc<dyn Store> {
    let calls = AtomicUsize::new(0);
    Arc::new(Watched::new(ada.world.store.clone(), move |call| {
        let breaks = calls.fetch_add(1, Ordering::SeqCst) == number;
        call.run_and_end(&mut |end| if breaks { Err(StoreError::Unavailable("gone".to_owned())) } else { Ok(end) })
    }))
}

#[test]
fn code_that_another_login_uses_meanwhile_is_refused() {
    for place in PLACES {
        for proof in PROOFS {
            let ada = Arc::new(Ada::enrolled(world()));
            let code = proof(&ada);
            let (other, same) = (ada.clone(), code.clone());
            let store =
                Meanwhile::of(&ada.world, move || drop(other.show(other.store(), Place::LogIn, &same).unwrap()));
            assert_eq!(ada.show(store, place, &code), Err(ErrorCode::InvalidCredentials), "{place:?}");
            assert_eq!(ada.stored().sessions.len(), 2, "{place:?}: her own and the other login's");
        }
    }
}

#[test]
fn refused_verification_spends_nothing() {
    type Happens = fn(&Ada, &str);
    let happenings: [(&str, Happens, ErrorCode); 3] = [
        ("new password", |ada, _| change_password(ada), ErrorCode::TokenInvalid),
        ("disabled", |ada, _| ada.world.store.set_active(ada.id, false), ErrorCode::TokenRevoked),
        (
            "token used",
            |ada, challenge| {
                drop(ada.verify(ada.store(), challenge, &FactorCode::Recovery(ada.codes[1].clone())).unwrap());
            },
            ErrorCode::TokenRevoked,
        ),
    ];
    for (what, happens, due) in happenings {
        for proof in PROOFS {
            let ada = Arc::new(Ada::enrolled(world()));
            let challenge = ada.world.challenge();
            let (code, sessions) = (proof(&ada), ada.stored().sessions.len());
            let (other, same) = (ada.clone(), challenge.clone());
            let store = Meanwhile::of(&ada.world, move || happens(&other, &same));
            let refused = ada.verify(store, &challenge, &code).map(drop);
            assert_eq!(refused, Err(due), "{what}");
            assert!(ada.is_unused(&code), "{what}");
            assert_eq!(ada.stored().sessions.len(), sessions + usize::from(what == "token used"), "{what}");
        }
    }
}

#[test]
fn code_shown_with_an_old_password_or_in_an_ended_session_is_not_spent() {
    type Happens = fn(&Ada);
    let happenings: [(Place, Happens, ErrorCode); 3] = [
        (Place::LogIn, change_password, ErrorCode::InvalidCredentials),
        (Place::Reauthenticate, change_password, ErrorCode::InvalidCredentials),
        (Place::Reauthenticate, |ada| _ = ada.world.log_out(&ada.pair.refresh_token).unwrap(), ErrorCode::TokenRevoked),
    ];
    for (place, happens, due) in happenings {
        for proof in PROOFS {
            let ada = Arc::new(Ada::enrolled(world()));
            let (code, other) = (proof(&ada), ada.clone());
            let store = Meanwhile::of(&ada.world, move || happens(&other));
            assert_eq!(ada.show(store, place, &code), Err(due), "{place:?}");
            assert!(ada.is_unused(&code), "{place:?}, {due:?}");
        }
    }
}

#[test]
fn confirmation_that_a_new_enrolment_overtakes_is_no_authentication() {
    let ada = Arc::new(Ada::pending(world()));
    ada.world.pass(TimeDelta::seconds(1));
    let (before, other) = (ada.stored().sessions, ada.clone());
    let store = Meanwhile::of(&ada.world, move || {
        drop(other.world.enrol(other.store(), Enrollee::Session(other.session())).unwrap());
    });
    assert_eq!(ada.confirm(store).err(), Some(ErrorCode::NotFound));
    assert_eq!(ada.stored().sessions, before);
}

#[test]
fn store_that_fails_at_any_call_changes_nothing() {
    type Act = fn(&Ada, Arc<dyn Store>) -> Result<(), ErrorCode>;
    fn shown(ada: &Ada, store: Arc<dyn Store>, place: Place) -> Result<(), ErrorCode> {
        // The last one, so that new ones are due.
        let last = FactorCode::Recovery(ada.codes[0].clone());
        ada.world.store.write(|tx| tx.factors().replace_recovery_codes(ada.id, &[ada.codes[0].digest()])).unwrap();
        ada.show(store, place, &last).map(|new| assert_eq!(new.map(|codes| codes.len()), Some(10)))
    }
    let acts: [(&str, bool, Act); 8] = [
        ("login", true, |ada, store| shown(ada, store, Place::LogIn)),
        ("verify", true, |ada, store| shown(ada, store, Place::Verify)),
        ("reauthenticate", true, |ada, store| shown(ada, store, Place::Reauthenticate)),
        ("enrol", false, |ada, store| ada.world.enrol(store, Enrollee::Session(ada.session())).map(drop)),
        ("confirm", false, |ada, store| ada.confirm(store).map(drop)),
        ("remove", true, Ada::remove),
        ("new codes", true, Ada::renew_codes),
        ("reset", true, |ada, store| reset_mfa(ada, store).map(drop)),
    ];
    for (what, is_enrolled, act) in acts {
        let mut number = 0;
        loop {
            let ada = if is_enrolled { Ada::enrolled(world()) } else { Ada::pending(world()) };
            let before = ada.stored();
            let outcome = act(&ada, failing(&ada, number));
            if outcome.is_ok() {
                break;
            }
            assert_eq!(outcome, Err(ErrorCode::Unavailable), "{what}, call {number}");
            let after = ada.stored();
            let codes = if is_enrolled && after.recovery_codes == 1 { 1 } else { before.recovery_codes };
            assert_eq!(after, Stored { recovery_codes: codes, ..before }, "{what}, call {number}");
            number += 1;
        }
        assert!(number > 0, "{what}: no call failed");
    }
}

fn reset_mfa(ada: &Ada, store: Arc<dyn Store>) -> Result<MfaReset, ErrorCode> {
    let (outbox, clock) = (ada.world.outbox.clone(), ada.world.clock.clone());
    ResetMfa { store, outbox, clock }.run(ada.id).map_err(|error| error.code())
}

#[test]
fn last_second_factor_may_be_a_passkey() {
    let ada = Ada::enrolled(World::new().noticing(&[Occasion::FactorRemoved, Occasion::PasskeyRemoved]));
    ada.world.add_passkey(ada.id, 1, true);
    ada.world.add_passkey(ada.id, 2, false);
    let before = ada.stored();
    ada.remove(ada.store()).unwrap();
    let overview = ListFactors { store: ada.store() }.run(&ada.session()).unwrap();
    assert_eq!(overview, FactorOverview { totp: Vec::new(), passkeys: 1, recovery_codes_left: 10 });
    let after = ada.stored();
    assert_eq!((after.credentials, after.recovery_codes, after.sessions), (before.credentials, 10, before.sessions));
    assert_eq!(after.factors, []);
    assert_eq!(ada.log_in(ada.store(), &login(EMAIL, PASSWORD), None).err(), Some(ErrorCode::MfaRequired));
    ada.world.deliver();
    let reset = reset_mfa(&ada, ada.store()).unwrap();
    assert_eq!((reset.changed, reset.sessions_ended), (true, 1));
    assert_eq!(ada.world.passkeys(ada.id), [false], "a passkey that signs in by itself stays");
    let after = ada.stored();
    assert!(!after.credentials.is_marked() && !after.credentials.has_second_factor() && after.recovery_codes == 0);
    assert_eq!(ada.world.deliver(), [told("passkey_removed", EMAIL)]);
    assert!(!reset_mfa(&ada, ada.store()).unwrap().changed);
}

/// It counts as a guess only if the code was compared with another app's.
#[test]
fn unreadable_secret_is_a_failure_and_no_wrong_code() {
    let ada = Ada::enrolled(World::limited(rules()));
    ada.damage_secret(ada.app.id);
    let guess = |place| ada.show(ada.store(), place, &ada.fresh_code());
    for place in PLACES {
        assert_eq!([place; 6].map(guess), [const { Err(ErrorCode::Unavailable) }; 6], "{place:?}");
    }
    ada.show(ada.store(), Place::Verify, &FactorCode::Recovery(ada.codes[0].clone())).unwrap();
    // The code may be that of the damaged app, unless it is another's.
    let app = ada.world.enrol(ada.store(), Enrollee::Session(ada.session())).unwrap();
    ada.world.confirm_app(ada.store(), Enrollee::Session(ada.session()), &app).unwrap();
    ada.world.pass(TimeDelta::seconds(30));
    ada.show(ada.store(), Place::Verify, &ada.world.code_of(&app.secret)).unwrap();
    assert_eq!([Place::Verify; 5].map(guess), [const { Err(ErrorCode::Unavailable) }; 5]);
    assert_eq!(guess(Place::Verify), Err(ErrorCode::RateLimited));
    let pending = Ada::pending(World::limited(rules()));
    pending.damage_secret(pending.app.id);
    for _ in 0..6 {
        assert_eq!(pending.confirm(pending.store()).err(), Some(ErrorCode::Unavailable));
    }
}

#[test]
fn login_with_the_password_alone_is_overtaken_by_an_enrolment() {
    let ada = Arc::new(Ada::pending(world()));
    let other = ada.clone();
    let store = Meanwhile::of(&ada.world, move || drop(other.confirm(other.store()).unwrap()));
    assert_eq!(ada.log_in(store, &login(EMAIL, PASSWORD), None).err(), Some(ErrorCode::MfaRequired));
    assert_eq!(ada.stored().sessions.len(), 1, "the one that enrolled");
}

#[test]
fn login_with_a_code_goes_on_if_the_last_factor_is_removed_meanwhile() {
    let ada = Arc::new(Ada::enrolled(world()));
    let other = ada.clone();
    let store = Meanwhile::of(&ada.world, move || other.remove(other.store()).unwrap());
    ada.show(store, Place::LogIn, &ada.fresh_code()).unwrap();
    let stored = ada.stored();
    assert!(!stored.credentials.is_marked() && stored.recovery_codes == 0, "{stored:?}");
}

#[test]
fn of_two_enrolments_that_logins_require_one_succeeds() {
    let ada = Ada::pending(world());
    let ada = Arc::new(Ada { world: World { require_second_factor: true, ..ada.world.clone() }, ..ada });
    let enrollees = [(); 2].map(|()| {
        let challenges = ada.world.challenges(ada.store());
        Enrollee::LogIn(challenges.read(&ada.world.challenge(), ChallengePurpose::Enrolment).unwrap())
    });
    let [first, second] = enrollees;
    let (other, overtakes) = (ada.clone(), first.clone());
    let store = Meanwhile::of(&ada.world, move || {
        let confirmed = other.world.confirm_app(other.store(), overtakes, &other.app).unwrap();
        assert_eq!((confirmed.sessions_ended, confirmed.logged_in.is_some()), (1, true));
    });
    assert_eq!(ada.world.confirm_app(store, second.clone(), &ada.app).err(), Some(ErrorCode::TokenRevoked));
    for spent in [first, second] {
        assert_eq!(ada.world.enrol(ada.store(), spent).err(), Some(ErrorCode::TokenRevoked));
    }
    let active = ada.stored().sessions.into_iter().filter(|session| session.ended_at.is_none());
    assert_eq!((active.count(), ada.stored().recovery_codes), (1, 10));
}

#[test]
fn missing_mark_is_put_back_by_a_login_with_both_factors_or_the_first() {
    let wrong = |_: &Ada| Some(FactorCode::Unreadable);
    type Shown = fn(&Ada) -> Option<FactorCode>;
    let table: [(&str, Shown, Option<ErrorCode>, bool); 4] = [
        (PASSWORD, |ada| Some(ada.fresh_code()), None, true),
        (PASSWORD, |_| None, Some(ErrorCode::MfaRequired), true),
        (PASSWORD, wrong, Some(ErrorCode::InvalidCredentials), false),
        ("wrong", |ada| Some(ada.fresh_code()), Some(ErrorCode::InvalidCredentials), false),
    ];
    for text in ["new:correct horse", "old:correct horse"] {
        for (password, shown, due, is_marked) in table {
            let ada = Ada::enrolled(world());
            ada.overwrite_hash(text);
            let input = PasswordLogin { code: shown(&ada), ..login(EMAIL, password) };
            assert_eq!(ada.log_in(ada.store(), &input, None).err(), due, "{text}");
            let stored = ada.stored().credentials;
            assert_eq!(stored.is_marked(), is_marked, "{text}, {due:?}");
            assert_eq!(stored.hash().expose() == text, !is_marked || text.starts_with("new:"), "{text}, {due:?}");
        }
    }
}

#[test]
fn trusted_device_is_spared_the_code_only_while_devices_are_trusted() {
    let ada = Ada::enrolled(World { trust_for: Some(TimeDelta::days(30)), ..world() });
    let input = PasswordLogin { code: Some(ada.fresh_code()), remember_device: true, ..login(EMAIL, PASSWORD) };
    let device = Some(ada.log_in(ada.store(), &input, None).unwrap().cookie);
    let again = |trust_for| {
        let world = World { trust_for, ..ada.world.clone() };
        world.verb().run(&login(EMAIL, PASSWORD), &with(device.clone())).map(drop).map_err(|error| error.code())
    };
    assert_eq!(again(ada.world.trust_for), Ok(()));
    assert_eq!(again(None), Err(ErrorCode::MfaRequired), "the row is still there");
    ada.world.pass(TimeDelta::days(30));
    assert_eq!(again(ada.world.trust_for), Err(ErrorCode::MfaRequired));
}

/// Trusting the device and beginning the session are one transaction.
#[test]
fn login_that_a_new_password_overtakes_trusts_no_device() {
    let ada = Arc::new(Ada::enrolled(World { trust_for: Some(TimeDelta::days(30)), ..world() }));
    let input = PasswordLogin { code: Some(ada.fresh_code()), remember_device: true, ..login(EMAIL, PASSWORD) };
    let (known, other) = (ada.log_in(ada.store(), &input, None).unwrap().cookie, ada.clone());
    assert_eq!(ada.stored().devices.len(), 1);
    ada.world.pass(TimeDelta::seconds(30));
    let input = PasswordLogin { code: Some(ada.fresh_code()), ..input };
    let store = Meanwhile::of(&ada.world, move || change_password(&other));
    assert_eq!(ada.log_in(store, &input, Some(known)).err(), Some(ErrorCode::InvalidCredentials));
    let stored = ada.stored();
    assert!(stored.devices.is_empty() && stored.credentials.is_marked(), "{stored:?}");
}
