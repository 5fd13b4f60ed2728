//! Sign-in, second factor and reauthentication with passkeys.

use crate::limits::rules;
use crate::mail_fixtures::Meanwhile;
use crate::mfa_fixtures::{Ada, EMAIL, PASSWORD, world};
use crate::passkey_fixtures::{Holder, RP_ID, challenge_of, refusal};
use crate::world::World;
use portcullis_domain::ErrorCode;
use portcullis_domain::passkeys::PasskeyPurpose;
use portcullis_domain::registration::Password;
use portcullis_testkit::PlainKey;
use portcullis_usecases::UseCaseError;
use portcullis_usecases::login::LogInReason;
use portcullis_usecases::mfa::{FactorCode, ReauthenticationMethods, ReauthenticationProof};
use portcullis_usecases::passkeys::PasskeyLogInReason;
use serde_json::{Value, json};
use std::sync::Arc;

const WRONG: Option<(ErrorCode, bool)> = Some((ErrorCode::InvalidCredentials, false));
const SYNCED: u8 = PlainKey::VERIFIED | 0x08;

#[test]
fn verified_user_needs_no_second_factor() {
    for (flags, amr) in [(PlainKey::VERIFIED, ["hwk", "user", "mfa"]), (SYNCED, ["swk", "user", "mfa"])] {
        let ada = Holder::new();
        let key = PlainKey { flags, ..ada.key(1) };
        let logged_in = ada.sign_in(&key).unwrap();
        assert_eq!(ada.methods(&logged_in.pair).amr(), amr);
        ada.factor(2);
        let logged_in = ada.sign_in(&key).unwrap();
        assert_eq!(ada.methods(&logged_in.pair).amr(), amr, "with a second factor");
        let used = &ada.stored().passkeys[0];
        assert_eq!((used.flags.0, used.last_used_at.is_some()), (flags, true), "flags are stored, not compared");
    }
}

#[test]
fn everything_wrong_gets_the_same_error_but_an_unknown_credential() {
    let ada = Holder::new();
    let key = PlainKey { counter: 7, ..ada.key(1) };
    ada.sign_in(&key).unwrap();
    let good = PlainKey { counter: 8, ..key };
    let changes: [(&str, Value); 11] = [
        ("type", json!("webauthn.create")),
        ("challenge", json!(vec![7; 32])),
        ("origin", json!("https://example.net")),
        ("cross_origin", json!(true)),
        ("rp_id", json!("example.net")),
        ("flags", json!(0x04)),
        ("flags", json!(0x01)),
        ("signature", json!([1])),
        ("handle", json!(vec![7; 32])),
        ("handle", json!(null)),
        ("counter", json!(7)),
    ];
    for (member, value) in changes {
        let mut response = good.sign(&ada.sign_in_options());
        response[member] = value;
        assert_eq!(refusal(ada.sign_in_response(ada.store(), &response)), WRONG, "{member}");
    }
    assert_eq!(refusal(ada.sign_in_response(ada.store(), &json!({}))), WRONG, "malformed");
    let unknown = PlainKey { id: vec![9; 16], ..good.clone() };
    assert_eq!(refusal(ada.sign_in(&unknown)), Some((ErrorCode::InvalidCredentials, true)));
    assert_eq!(ada.stored().sessions, 2);
    ada.world.store.set_active(ada.id, false);
    assert_eq!(refusal(ada.sign_in(&good)), WRONG, "disabled");
}

#[test]
fn challenge_of_a_sign_in_works_once() {
    let ada = Arc::new(Holder::new());
    let key = ada.key(1);
    let response = key.sign(&ada.sign_in_options());
    ada.sign_in_response(ada.store(), &response).unwrap();
    assert_eq!(refusal(ada.sign_in_response(ada.store(), &response)), WRONG);
    let response = key.sign(&ada.sign_in_options());
    let (other, same) = (ada.clone(), response.clone());
    let store = Meanwhile::of(&ada.world, move || drop(other.sign_in_response(other.store(), &same).unwrap()));
    assert_eq!(refusal(ada.sign_in_response(store, &response)), WRONG, "at once");
    assert_eq!(ada.stored().sessions, 3);
}

#[test]
fn passkey_that_is_removed_meanwhile_begins_no_session() {
    let ada = Arc::new(Holder::new());
    let key = ada.key(1);
    let other = ada.clone();
    let store = Meanwhile::of(&ada.world, move || other.remove(other.stored().passkeys[0].id, false).unwrap());
    assert_eq!(refusal(ada.sign_in_response(store, &key.sign(&ada.sign_in_options()))), WRONG);
    assert_eq!(ada.stored().sessions, 1);
}

#[test]
fn passkey_without_verification_is_one_factor_and_needs_another() {
    let unverified = |key: PlainKey| PlainKey { flags: PlainKey::PRESENT, ..key };
    let alone = Holder::new();
    let key = unverified(alone.key(1));
    assert_eq!(refusal(alone.sign_in(&key)), WRONG);
    alone.factor(2);
    let due = Some((ErrorCode::MfaRequired, false));
    assert_eq!(refusal(alone.sign_in(&key)), due, "another passkey is one");
    let holder = enrolled();
    let key = unverified(holder.key(1));
    let response = key.sign(&holder.sign_in_options());
    assert_eq!(refusal(holder.sign_in_response(holder.store(), &response)), due, "so is an app");
    assert_eq!(refusal(holder.sign_in_response(holder.store(), &response)), WRONG, "the challenge is spent");
}

#[test]
fn passkey_that_is_only_a_second_factor_does_not_sign_in() {
    let ada = enrolled();
    let key = ada.factor(1);
    for flags in [PlainKey::PRESENT, PlainKey::VERIFIED, SYNCED] {
        assert_eq!(refusal(ada.sign_in(&PlainKey { flags, ..key.clone() })), WRONG, "{flags}");
    }
    assert_eq!(ada.stored().sessions, 1);
}

#[test]
fn second_factor_completes_a_login_once() {
    let ada = Holder::new();
    let key = ada.factor(1);
    let challenge = ada.challenge();
    assert_eq!((challenge.factors.totp, challenge.factors.recovery_codes), (false, true));
    let options = challenge.factors.passkey.as_ref().unwrap();
    assert!(!options.user_verification && options.allow[0].id.as_bytes() == key.id);
    let response = key.sign(options.challenge.as_bytes());
    let logged_in = ada.verify(&challenge.token, &response).unwrap();
    assert_eq!(ada.methods(&logged_in.pair).amr(), ["pwd", "hwk", "mfa"]);
    assert_eq!(ada.verify(&ada.challenge().token, &response).err(), Some(ErrorCode::InvalidCredentials));
}

#[test]
fn wrong_second_factors_keep_the_challenge_of_the_login() {
    let ada = Arc::new(Holder::new());
    let key = ada.factor(1);
    let wrong = Some(ErrorCode::InvalidCredentials);
    let token = ada.challenge().token;
    for purpose in [PasskeyPurpose::LogIn, PasskeyPurpose::Reauthenticate] {
        let account = (purpose != PasskeyPurpose::LogIn).then_some(ada.id);
        let issued = ada.world.ceremonies.challenges.issue(purpose, account);
        assert_eq!(ada.verify(&token, &key.sign(issued.as_bytes())).err(), wrong, "{purpose:?}");
    }
    let issued = || ada.world.ceremonies.challenges.issue(PasskeyPurpose::SecondFactor, Some(ada.id));
    let unknown = PlainKey { id: vec![9; 16], ..key.clone() };
    assert_eq!(ada.verify(&token, &unknown.sign(issued().as_bytes())).err(), wrong);
    let bob = bobs_key(&ada.world);
    assert_eq!(ada.verify(&token, &bob.sign(issued().as_bytes())).err(), wrong, "another account's");
    let response = key.sign(issued().as_bytes());
    let (other, same) = (ada.clone(), response.clone());
    let elsewhere = ada.challenge().token;
    let store = Meanwhile::of(&ada.world, move || drop(other.verify(&elsewhere, &same).unwrap()));
    assert_eq!(ada.verify_on(store, &token, &response).err(), wrong, "used meanwhile");
    ada.verify(&token, &key.sign(issued().as_bytes())).unwrap();
}

/// Returns Ada with an authenticator app.
fn enrolled() -> Holder {
    let Ada { world, id, pair, .. } = Ada::enrolled(world());
    Holder { world, id, pair }
}

/// Returns a passkey of Bob's.
fn bobs_key(world: &World) -> PlainKey {
    world.register("bob@example.org", PASSWORD).unwrap();
    let pair = world.log_in("bob@example.org", PASSWORD).unwrap().pair;
    let id = world.authenticate(&pair.access_token).unwrap().user.id;
    Holder { world: world.clone(), id, pair }.key(7)
}

/// The key may have been stolen with its device: alone it opens nothing, however often it signs.
#[test]
fn passkey_does_not_complete_its_own_login_without_verification() {
    let ada = Holder::new();
    let key = PlainKey { flags: PlainKey::PRESENT, ..ada.key(1) };
    ada.factor(2);
    let refused = ada.sign_in(&key);
    let Err(UseCaseError::Refused(PasskeyLogInReason::LogIn(LogInReason::SecondFactorRequired(challenge)))) = refused
    else {
        unreachable!("one factor")
    };
    let options = challenge.factors.passkey.as_ref().unwrap();
    assert!(options.user_verification, "only a verified user is another factor");
    let issued = || ada.world.ceremonies.challenges.issue(PasskeyPurpose::SecondFactor, Some(ada.id));
    let wrong = Some(ErrorCode::InvalidCredentials);
    assert_eq!(ada.verify(&challenge.token, &key.sign(issued().as_bytes())).err(), wrong);
    let verified = PlainKey { flags: PlainKey::VERIFIED, ..key };
    let logged_in = ada.verify(&challenge.token, &verified.sign(issued().as_bytes())).unwrap();
    assert_eq!(ada.methods(&logged_in.pair).amr(), ["hwk", "user", "mfa"]);
}

#[test]
fn second_factors_are_counted_before_they_are_checked() {
    let ada = Holder::of(World::limited(rules()));
    let key = ada.factor(1);
    let issued = || ada.world.ceremonies.challenges.issue(PasskeyPurpose::SecondFactor, Some(ada.id));
    for _ in 0..6 {
        ada.verify(&ada.challenge().token, &key.sign(issued().as_bytes())).unwrap();
    }
    for _ in 0..5 {
        let refused = ada.verify(&ada.challenge().token, &key.sign(&[7; 32])).err();
        assert_eq!(refused, Some(ErrorCode::InvalidCredentials));
    }
    let refused = ada.verify(&ada.challenge().token, &key.sign(issued().as_bytes())).err();
    assert_eq!(refused, Some(ErrorCode::RateLimited), "even a right one");
}

#[test]
fn reauthentication_needs_a_verified_user() {
    let ada = Holder::new();
    let key = ada.key(1);
    ada.factor(2);
    ada.wait();
    let by = |key: &PlainKey| {
        let challenge = challenge_of(ada.reauthentication_options().passkey.as_ref());
        ada.reauthenticate(ReauthenticationProof::Passkey(key.sign(&challenge).to_string()))
    };
    let unverified = PlainKey { flags: PlainKey::PRESENT, ..key.clone() };
    assert_eq!(by(&unverified).err(), Some(ErrorCode::InvalidCredentials));
    assert_eq!(ada.remove(ada.stored().passkeys[0].id, false).unwrap_err().code(), ErrorCode::StepUpRequired);
    by(&key).unwrap();
    assert_eq!(ada.methods(&ada.pair).amr(), ["hwk", "user", "mfa"]);
    ada.remove(ada.stored().passkeys[0].id, false).unwrap();
}

#[test]
fn ways_to_authenticate_again_are_those_that_suffice() {
    let methods = |ada: &Holder| ada.reauthentication_options().methods;
    let ways = |password, totp, passkey| ReauthenticationMethods { password, totp, passkey };
    let ada = Holder::new();
    assert_eq!(methods(&ada), ways(true, false, false));
    ada.key(1);
    assert_eq!(methods(&ada), ways(true, false, true));
    ada.factor(2);
    assert_eq!(methods(&ada), ways(false, false, true), "a password alone is refused");
    assert_eq!(ada.reauthenticate(Holder::by_password()).err(), Some(ErrorCode::InvalidCredentials));
    let holder = enrolled();
    assert_eq!(methods(&holder), ways(true, true, false));
    holder.key(1);
    assert_eq!(methods(&holder), ways(true, true, true));
}

#[test]
fn recovery_code_replaces_a_lost_passkey() {
    let ada = Holder::new();
    let mut key = PlainKey::new(1, RP_ID);
    let codes = ada.add(&mut key, true).unwrap().enabled.unwrap().recovery_codes;
    ada.wait();
    let code = Some(FactorCode::Recovery(codes[0].clone()));
    let proof = ReauthenticationProof::Password { password: Password::new(PASSWORD), code };
    ada.reauthenticate(proof).unwrap();
    assert!(ada.world.log_in(EMAIL, PASSWORD).is_err_and(|error| error.code() == ErrorCode::MfaRequired));
    ada.remove(ada.stored().passkeys[0].id, false).unwrap();
    ada.world.log_in(EMAIL, PASSWORD).unwrap();
    assert_eq!(ada.stored().recovery_codes, 0);
}
