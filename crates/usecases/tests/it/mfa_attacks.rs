//! Attackers who hold the password, a session, a copied cookie or a token of another program, and meet a second
//! factor; and factors that an attacker set up first.

use crate::addresses::on_the_way;
use crate::mail_fixtures::{Meanwhile, told};
use crate::mfa_fixtures::{Ada, EMAIL, PASSWORD, Place, world};
use crate::verdicts::adopted;
use crate::world::{World, login, with};
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::Occasion;
use portcullis_domain::sessions::{Session, SessionId};
use portcullis_domain::tokens::Jti;
use portcullis_domain::verification::OneTimeToken;
use portcullis_ports::{Clock, Store, StoreExt};
use portcullis_usecases::login::PasswordLogin;
use portcullis_usecases::mfa::{Enrollee, SecondFactorVerification, TrustedDevices};
use portcullis_usecases::sessions::{LogOutAll, LogoutAll};
use portcullis_usecases::tokens::TokenPair;
use portcullis_usecases::{Caller, Counted};
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn trusting() -> World {
    World { trust_for: Some(TimeDelta::days(30)), ..world() }
}

/// Returns a login with both factors.
fn in_full(ada: &Ada, remember_device: bool) -> PasswordLogin {
    PasswordLogin { code: Some(ada.fresh_code()), remember_device, ..login(EMAIL, PASSWORD) }
}

/// Ends all sessions but that one.
fn end_others(ada: &Ada, of: &TokenPair) {
    let (store, clock) = (ada.store(), ada.world.clock.clone());
    let input = LogoutAll { owner: ada.world.authenticate(&of.access_token).unwrap(), keep_current: true };
    LogOutAll { store, clock }.run(&input, &Caller::default()).unwrap();
}

#[test]
fn session_that_ends_first_changes_no_factor() {
    type Act = fn(&Ada, Arc<dyn Store>) -> Result<(), ErrorCode>;
    type Happens = fn(&Ada, &TokenPair);
    let acts: [(&str, bool, Act); 5] = [
        ("enrol", false, |ada, store| ada.world.enrol(store, Enrollee::Session(ada.session())).map(drop)),
        ("further", true, |ada, store| ada.world.enrol(store, Enrollee::Session(ada.session())).map(drop)),
        ("confirm", false, |ada, store| ada.confirm(store).map(drop)),
        ("remove", true, Ada::remove),
        ("new codes", true, Ada::renew_codes),
    ];
    let happenings: [(&str, Happens); 4] = [
        ("logout", |ada, _| _ = ada.world.log_out(&ada.pair.refresh_token).unwrap()),
        ("logout-all", end_others),
        ("new password", |ada, owner| drop(ada.world.change_password(owner, PASSWORD, "battery staple").unwrap())),
        ("disabled", |ada, _| ada.world.store.set_active(ada.id, false)),
    ];
    for (what, is_enrolled, act) in acts {
        for (why, happens) in happenings {
            let ada = Arc::new(if is_enrolled { Ada::enrolled(world()) } else { Ada::pending(world()) });
            let owner = ada.log_in(ada.store(), &in_full(&ada, false), None).unwrap().pair;
            let (before, other) = (ada.stored(), ada.clone());
            let store = Meanwhile::of(&ada.world, move || happens(&other, &owner));
            assert_eq!(act(&ada, store), Err(ErrorCode::TokenRevoked), "{what}, {why}");
            let after = ada.stored();
            assert_eq!((after.factors, after.recovery_codes), (before.factors, before.recovery_codes), "{what}, {why}");
        }
    }
}

#[test]
fn trust_that_ends_during_a_login_is_none() {
    type Happens = fn(&Ada);
    let happenings: [(&str, Happens); 3] = [
        ("logout-all", |ada| end_others(ada, &ada.pair)),
        ("forgotten", |ada| {
            let (store, devices, clock) = (ada.store(), ada.world.devices.clone(), ada.world.clock.clone());
            TrustedDevices { store, devices, clock }.forget_all(&ada.session()).unwrap();
        }),
        ("expired", |ada| ada.world.pass(TimeDelta::days(30))),
    ];
    for (why, happens) in happenings {
        let ada = Arc::new(Ada::enrolled(trusting()));
        let trusted = ada.log_in(ada.store(), &in_full(&ada, true), None).unwrap().cookie;
        let (before, other) = (ada.stored().sessions.len(), ada.clone());
        let store = Meanwhile::of(&ada.world, move || happens(&other));
        let refused = ada.log_in(store, &login(EMAIL, PASSWORD), Some(trusted));
        assert_eq!(refused.err(), Some(ErrorCode::MfaRequired), "{why}");
        assert_eq!(ada.stored().sessions.len(), before, "{why}");
    }
}

#[test]
fn cookie_copied_before_its_device_was_trusted_is_not() {
    for place in [Place::LogIn, Place::Verify] {
        let ada = Ada::enrolled(trusting());
        let copied = ada.log_in(ada.store(), &in_full(&ada, false), None).unwrap().cookie;
        ada.world.pass(TimeDelta::seconds(30));
        let trusted = if place == Place::LogIn {
            ada.log_in(ada.store(), &in_full(&ada, true), Some(copied.clone())).unwrap().cookie
        } else {
            let (mfa_token, factor) = (ada.world.challenge(), ada.fresh_code().into());
            let input = SecondFactorVerification { mfa_token, factor, remember_device: true };
            ada.verifying(ada.store()).run(&input, &with(Some(copied.clone()))).unwrap().cookie
        };
        let again = |cookie| ada.log_in(ada.store(), &login(EMAIL, PASSWORD), Some(cookie)).err();
        assert_eq!(again(copied), Some(ErrorCode::MfaRequired), "{place:?}");
        assert_eq!(again(trusted), None, "{place:?}");
    }
}

/// The FastAPI application issued the tokens, or a release without second factors began the session.
#[test]
fn token_of_another_program_opens_no_account_with_a_second_factor() {
    for (is_enrolled, due) in [(false, None), (true, Some(ErrorCode::TokenRevoked))] {
        let ada = if is_enrolled { Ada::enrolled(world()) } else { Ada::pending(world()) };
        let sid = ada.session().session_id.unwrap().to_string();
        let authenticated = |sid_there: &str| {
            let token = ada.pair.access_token.replace(&sid, sid_there);
            ada.world.authenticate(&token).err().map(|error| error.code())
        };
        assert_eq!(authenticated("-"), due);
        let old = Session::begin(SessionId::from_random([9; 16]), ada.id, ada.world.clock.now());
        ada.world.store.write(|tx| tx.sessions().begin(&old, &Caller::default().client)).unwrap();
        assert_eq!(authenticated(&old.id.to_string()), due);
        let before = ada.stored().sessions;
        let refresh = adopted(&ada.world, &ada.pair, Jti::from_random([3; 16]));
        assert_eq!(ada.world.refresh(&refresh).err().map(|error| error.code()), due);
        assert_eq!(ada.stored().sessions == before, is_enrolled);
    }
}

/// A stranger may have registered the address and set the factor up.
#[test]
fn claim_without_proof_removes_factors_and_notifies_the_owner() {
    type Redeem = fn(&Ada, &OneTimeToken);
    const NEW: &str = "new@example.org";
    let table: [(&str, bool, Redeem, Option<&str>); 7] = [
        ("verify", false, |ada, link| drop(ada.world.verify(link).unwrap()), Some(EMAIL)),
        ("own session", false, |ada, link| drop(ada.world.verify_from(link, Some(&ada.pair), None).unwrap()), None),
        ("reset", false, |ada, _| reset(ada), Some(EMAIL)),
        ("reset, verified", true, |ada, _| reset(ada), None),
        ("change", false, |ada, _| drop(ada.world.verify(&on_the_way(&ada.world, &ada.pair, NEW)).unwrap()), Some(NEW)),
        // Otherwise a thief of the password could remove the factors without one.
        (
            "change, verified",
            true,
            |ada, _| drop(ada.world.verify(&on_the_way(&ada.world, &ada.pair, NEW)).unwrap()),
            None,
        ),
        (
            "change, own session",
            true,
            |ada, _| {
                let link = on_the_way(&ada.world, &ada.pair, NEW);
                drop(ada.world.verify_from(&link, Some(&ada.pair), None).unwrap());
            },
            None,
        ),
    ];
    for (what, is_verified, redeem, notified) in table {
        let world = World::new().noticing(&[Occasion::FactorRemoved]);
        let (_, pair) = world.ada();
        let link = world.mailed();
        let ada = Ada::begun(world, pair).enrol();
        if is_verified {
            ada.world.verify_from(&link, Some(&ada.pair), None).unwrap();
        }
        let rung = ada.world.notifier.0.load(Ordering::SeqCst);
        redeem(&ada, &link);
        assert!(notified.is_none() || ada.world.notifier.0.load(Ordering::SeqCst) > rung, "{what}");
        let stored = ada.stored();
        let left = (stored.factors.len(), stored.recovery_codes, stored.credentials.is_marked());
        assert_eq!(left, if notified.is_some() { (0, 0, false) } else { (1, 10, true) }, "{what}");
        let mut sent = ada.world.deliver();
        sent.retain(|(occasion, _)| occasion == "factor_removed");
        assert_eq!(sent, Vec::from_iter(notified.map(|to| told("factor_removed", to))), "{what}");
    }
}

fn reset(ada: &Ada) {
    ada.world.forgot(EMAIL).unwrap();
    ada.world.reset(&ada.world.mailed(), "battery staple").unwrap();
}

#[test]
fn challenge_of_a_login_whose_hash_another_replaces_is_good() {
    for text in ["old:correct horse", "new:correct horse"] {
        let ada = Arc::new(Ada::enrolled(world()));
        ada.overwrite_hash(text);
        let other = ada.clone();
        let challenge = ada.world.challenge_on(Meanwhile::of(&ada.world, move || drop(other.world.challenge())));
        ada.verify(ada.store(), &challenge, &ada.fresh_code()).unwrap();
    }
}
