//! A user's own passkeys: challenges, registration, second factors and removal.

use crate::passkey_fixtures::{Holder, RP_ID};
use crate::world::World;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Authentication, Method};
use portcullis_domain::passkeys::{PasskeyFault, PasskeyPurpose, RelyingParty};
use portcullis_domain::registration::{PasswordHash, UserId};
use portcullis_ports::{Clock, StoreExt};
use portcullis_testkit::PlainKey;
use portcullis_usecases::UseCaseError;
use portcullis_usecases::passkeys::{
    ListPasskeys, PasskeyCeremonies, PasskeyChallenges, PasskeyConflict, PasskeyError, PasskeyReason,
};
use portcullis_usecases::providers::ListIdentities;
use serde_json::{Value, json};
use std::sync::Arc;

const ADA: UserId = UserId::new(1);

fn fault(outcome: Result<impl Sized, PasskeyError>) -> Option<PasskeyFault> {
    if let Err(UseCaseError::Refused(PasskeyReason::Refused(fault))) = outcome { Some(fault) } else { None }
}

fn conflict(outcome: Result<impl Sized, PasskeyError>) -> Option<PasskeyConflict> {
    if let Err(UseCaseError::Refused(PasskeyReason::Conflict(conflict))) = outcome { Some(conflict) } else { None }
}

#[test]
fn challenge_is_for_one_purpose_one_account_and_five_minutes() {
    use PasskeyPurpose::{LogIn, Reauthenticate, Register, RegisterSecondFactor, SecondFactor};
    let world = World::new();
    let challenges = &world.ceremonies.challenges;
    let accounts = [None, Some(ADA), Some(UserId::new(2))];
    for purpose in [Register, RegisterSecondFactor, LogIn, SecondFactor, Reauthenticate] {
        for account in accounts {
            let issued = challenges.issue(purpose, account);
            for (other, owner) in [(Register, account), (LogIn, account), (purpose, None), (purpose, Some(ADA))] {
                let expected =
                    if (other, owner) == (purpose, account) { Ok(issued) } else { Err(PasskeyFault::Challenge) };
                assert_eq!(challenges.check(issued.as_bytes(), other, owner), expected, "{purpose:?} {other:?}");
            }
        }
    }
    let issued = challenges.issue(LogIn, None);
    let check = |bytes: &[u8]| challenges.check(bytes, LogIn, None);
    assert_ne!(challenges.issue(LogIn, None), issued);
    for place in 0..32 {
        let mut forged = *issued.as_bytes();
        forged[place] ^= 1;
        assert_eq!(check(&forged), Err(PasskeyFault::Challenge), "{place}");
    }
    assert_eq!(check(&issued.as_bytes()[..31]), Err(PasskeyFault::Challenge));
    for (seconds, expected) in [(299, Ok(issued)), (1, Err(PasskeyFault::ChallengeExpired))] {
        world.pass(TimeDelta::seconds(seconds));
        assert_eq!(check(issued.as_bytes()), expected, "{seconds}");
    }
}

#[test]
fn challenge_from_beyond_the_clock_skew_is_refused() {
    for (ahead, is_accepted) in [(60, true), (61, false)] {
        let (here, there) = (World::new(), World::new());
        there.pass(TimeDelta::seconds(ahead));
        let issued = there.ceremonies.challenges.issue(PasskeyPurpose::LogIn, None);
        let checked = here.ceremonies.challenges.check(issued.as_bytes(), PasskeyPurpose::LogIn, None);
        assert_eq!(checked.is_ok(), is_accepted, "{ahead}");
    }
}

#[test]
fn first_fault_of_a_response_is_reported_and_nothing_is_stored() {
    use PasskeyFault::*;
    let ada = Holder::new();
    let before = ada.stored();
    let changes: [(&str, Value, PasskeyFault); 8] = [
        ("type", json!("webauthn.get"), Type),
        ("challenge", json!(vec![7; 32]), Challenge),
        ("origin", json!("https://example.net"), Origin),
        ("cross_origin", json!(true), Origin),
        ("rp_id", json!("example.net"), RpId),
        ("flags", json!(0x04), UserPresence),
        ("flags", json!(0x01), UserVerification),
        ("algorithm", json!(-8000), Algorithm),
    ];
    for number in 0..changes.len() {
        let mut key = PlainKey::new(1, RP_ID);
        let challenge = ada.prepare(&mut key, false).unwrap();
        let mut response = key.register(&challenge);
        // Later faults do not hide earlier ones. Two changes of the same member are one.
        for (member, value, _) in changes[number..].iter().rev() {
            response[member] = value.clone();
        }
        assert_eq!(fault(ada.add_response(&response, false)), Some(changes[number].2), "{}", changes[number].0);
    }
    let mut key = PlainKey::new(1, RP_ID);
    let challenge = ada.prepare(&mut key, false).unwrap();
    let response = key.register(&challenge);
    assert_eq!(fault(ada.add_response(&response, true)), Some(Challenge), "of another kind of registration");
    ada.world.pass(TimeDelta::minutes(5));
    assert_eq!(fault(ada.add_response(&response, false)), Some(ChallengeExpired));
    assert_eq!(fault(ada.add_response(&json!({}), false)), Some(Malformed));
    assert_eq!(ada.stored(), before);
}

#[test]
fn challenge_of_a_registration_works_once() {
    let ada = Holder::new();
    let mut key = PlainKey::new(1, RP_ID);
    let challenge = ada.prepare(&mut key, false).unwrap();
    let other = PlainKey { id: vec![2; 16], ..key.clone() };
    ada.add_response(&key.register(&challenge), false).unwrap();
    assert_eq!(fault(ada.add_response(&other.register(&challenge), false)), Some(PasskeyFault::Challenge));
    assert_eq!(conflict(ada.add(&mut key, false)), Some(PasskeyConflict::Taken));
    // A refused registration spends nothing.
    let challenge = ada.prepare(&mut key, false).unwrap();
    assert_eq!(conflict(ada.add_response(&key.register(&challenge), false)), Some(PasskeyConflict::Taken));
    ada.add_response(&other.register(&challenge), false).unwrap();
}

#[test]
fn account_has_at_most_twenty_passkeys_and_one_user_handle() {
    let ada = Holder::new();
    let handles: Vec<_> = (1..=20).map(|id| ada.key(id).handle).collect();
    assert!(handles.iter().all(|handle| handle.is_some() && *handle == handles[0]));
    assert_eq!(conflict(ada.add(&mut PlainKey::new(21, RP_ID), false)), Some(PasskeyConflict::TooMany));
    assert_eq!(ada.stored().passkeys.len(), 20);
}

#[test]
fn changes_need_recent_authentication() {
    let ada = Holder::new();
    let mut key = ada.key(1);
    let id = ada.stored().passkeys[0].id;
    ada.wait();
    let code = |outcome: Result<(), PasskeyError>| outcome.map_err(|error| error.code());
    let due = Err(ErrorCode::StepUpRequired);
    assert_eq!(code(ada.prepare(&mut key, false).map(drop)), due);
    assert_eq!(code(ada.remove(id, false)), due);
    let challenge = ada.world.ceremonies.challenges.issue(PasskeyPurpose::Register, Some(ada.id));
    let response = PlainKey::new(2, RP_ID).register(challenge.as_bytes());
    assert_eq!(code(ada.add_response(&response, false).map(drop)), due);
}

#[test]
fn first_second_factor_enables_it_and_the_last_one_disables_it() {
    let ada = Holder::new();
    ada.world.log_in(crate::mfa_fixtures::EMAIL, crate::mfa_fixtures::PASSWORD).unwrap();
    ada.key(1);
    let before = ada.stored();
    assert_eq!((before.sessions, before.credentials.has_second_factor()), (2, false), "a passkey is no second factor");
    let mut key = PlainKey { flags: PlainKey::PRESENT, ..PlainKey::new(2, RP_ID) };
    let added = ada.add(&mut key, true).unwrap();
    let enabled = added.enabled.unwrap();
    assert_eq!((enabled.recovery_codes.len(), enabled.sessions_ended), (10, 1));
    let stored = ada.stored();
    assert!(stored.credentials.has_second_factor() && stored.credentials.is_marked());
    assert_eq!((stored.sessions, stored.recovery_codes, stored.mails), (1, 10, before.mails + 1));
    assert_eq!(ada.methods(&ada.pair).amr(), ["pwd", "hwk", "mfa"]);
    let second = ada.add(&mut PlainKey::new(3, RP_ID), true).unwrap();
    assert!(second.enabled.is_none(), "recovery codes come with the first one");

    ada.remove(second.passkey.id, true).unwrap();
    assert!(ada.stored().credentials.is_marked());
    let refused = ada.remove(added.passkey.id, true).unwrap_err();
    assert_eq!((refused.code(), ada.stored().passkeys.len()), (ErrorCode::Conflict, 2));
    ada.remove(added.passkey.id, false).unwrap();
    let stored = ada.stored();
    assert!(!stored.credentials.has_second_factor() && !stored.credentials.is_marked());
    assert_eq!((stored.passkeys.len(), stored.recovery_codes), (1, 0));
    let mut sent = ada.world.deliver();
    sent.retain(|(occasion, _)| occasion != "verify_email");
    let names: Vec<_> = sent.iter().map(|(occasion, _)| occasion.as_str()).collect();
    let (added, removed) = ("passkey_added", "passkey_removed");
    assert_eq!(names, [added, added, added, removed, removed]);
}

#[test]
fn last_way_to_sign_in_stays() {
    let ada = Holder::new();
    let (one, other) = (ada.key(1), ada.key(2));
    let [one, other] = [one, other].map(|key| {
        let passkeys = ada.stored().passkeys;
        passkeys.into_iter().find(|passkey| passkey.credential_id.as_bytes() == key.id).unwrap().id
    });
    remove_password(&ada);
    assert_eq!(ways(&ada), 2);
    ada.remove(one, false).unwrap();
    assert_eq!(conflict(ada.remove(other, false)), Some(PasskeyConflict::LastSignInMethod));
    // A second factor is no way to sign in, so it is not counted and can be removed.
    ada.factor(3);
    assert_eq!((ada.stored().passkeys.len(), ways(&ada)), (2, 1));
    assert_eq!(conflict(ada.remove(other, false)), Some(PasskeyConflict::LastSignInMethod));
    // Those of another RP ID are none either.
    let elsewhere = World { ceremonies: moved(&ada, Some("example.net")), ..ada.world.clone() };
    let elsewhere = Holder { world: elsewhere, ..ada };
    assert_eq!(ways(&elsewhere), 0);
    assert_eq!(conflict(elsewhere.remove(other, false)), Some(PasskeyConflict::LastSignInMethod));
    let factor = elsewhere.stored().passkeys.into_iter().find(|passkey| passkey.second_factor).unwrap();
    elsewhere.remove(factor.id, false).unwrap();
    assert_eq!(elsewhere.stored().passkeys.len(), 1);
}

/// Removes the password of an account that signed in with a provider just now.
fn remove_password(ada: &Holder) {
    let stored = ada.stored().credentials;
    let none = stored.clone().with_password_removed(PasswordHash::new("new:random".to_owned()));
    let by = Authentication::new(Method::Federated.into(), ada.world.clock.now());
    let session_id = ada.session().session_id.unwrap();
    let removed = ada.world.store.write(|tx| {
        assert!(tx.sessions().reauthenticate(session_id, &by)?);
        tx.credentials().replace(ada.id, &stored, &none)
    });
    assert!(removed.unwrap());
}

/// Returns the number of passkeys that are listed as ways to sign in.
fn ways(ada: &Holder) -> usize {
    let listed = ListIdentities { store: ada.store(), ceremonies: ada.world.ceremonies.clone() };
    listed.run(&ada.session()).unwrap().passkeys
}

/// Returns the ceremonies of a service with another RP ID, or with passkeys off.
fn moved(ada: &Holder, id: Option<&str>) -> Arc<PasskeyCeremonies> {
    let PasskeyCeremonies { verifier, challenges, .. } = &*ada.world.ceremonies;
    let PasskeyChallenges { signer, entropy, clock } = challenges;
    let challenges = PasskeyChallenges { signer: signer.clone(), entropy: entropy.clone(), clock: clock.clone() };
    let party = id.map(|id| RelyingParty { id: id.to_owned(), origins: vec![format!("https://{id}")] });
    Arc::new(PasskeyCeremonies { party, verifier: verifier.clone(), challenges })
}

#[test]
fn passkeys_of_another_rp_id_are_listed_but_unusable() {
    let ada = Holder::new();
    let key = ada.key(1);
    let list = |ceremonies| ListPasskeys { store: ada.store(), ceremonies }.run(&ada.session());
    let listed = list(ada.world.ceremonies.clone()).unwrap();
    assert!(listed.passkeys[0].usable && Some(listed.user_handle) == key.handle);
    let elsewhere = moved(&ada, Some("example.net"));
    assert!(!list(elsewhere.clone()).unwrap().passkeys[0].usable);
    assert_eq!(list(moved(&ada, None)).unwrap_err().code(), ErrorCode::NotFound);
    let elsewhere = Holder { world: World { ceremonies: elsewhere, ..ada.world.clone() }, ..ada };
    assert!(elsewhere.reauthentication_options().passkey.is_none());
    let refused = elsewhere.sign_in(&PlainKey { origin: "https://example.net".to_owned(), ..key });
    assert_eq!(refused.err().map(|error| error.code()), Some(ErrorCode::InvalidCredentials));
}

#[test]
fn list_gives_an_account_without_passkeys_a_handle() {
    let ada = Holder::new();
    let list = || ListPasskeys { store: ada.store(), ceremonies: ada.world.ceremonies.clone() }.run(&ada.session());
    let handle = list().unwrap().user_handle;
    assert_eq!(list().unwrap().user_handle, handle);
    assert_eq!(ada.key(1).handle, Some(handle));
    let stored = ada.world.store.read(|tx| tx.passkeys().handle(ada.id));
    assert_eq!(stored.unwrap(), Some(handle));
}
