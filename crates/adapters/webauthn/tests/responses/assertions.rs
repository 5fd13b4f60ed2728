//! Signatures: every change leads to a refusal.

use super::*;
use data_encoding::BASE64URL_NOPAD;
use portcullis_testkit::authenticator::{BE, BS, ED, UP, UV};

fn challenge() -> Vec<u8> {
    BASE64URL_NOPAD.decode(request()["challenge"].as_str().unwrap().as_bytes()).unwrap()
}

fn outcome(credential: &Value, passkey: &Passkey) -> Result<Vec<&'static str>, PasskeyFault> {
    sign_in(&credential.to_string(), &challenge(), passkey, &HANDLE).map(Methods::amr)
}

#[test]
fn signatures_of_all_algorithms_prove_what_their_flags_say() {
    for algorithm in Algorithm::ALL {
        let (mut passkey, stored) = registered(algorithm);
        for (flags, amr) in [
            (UP | UV, &["hwk", "user", "mfa"][..]),
            (UP, &["hwk"]),
            (UP | UV | BE, &["swk", "user", "mfa"]),
            (UP | BE | BS, &["swk"]),
            (UP | BS, &["hwk"]),
        ] {
            let used = passkey.sign_with(&request(), |ceremony| ceremony.flags = flags);
            assert_eq!(outcome(&used, &stored), Ok(amr.to_vec()), "{algorithm:?} {flags:#x}");
        }
    }
}

#[test]
fn every_changed_byte_is_refused() {
    for algorithm in Algorithm::ALL {
        let (mut passkey, stored) = registered(algorithm);
        let used = passkey.sign(&request());
        for member in ["clientDataJSON", "authenticatorData", "signature", "userHandle"] {
            let good = BASE64URL_NOPAD.decode(used["response"][member].as_str().unwrap().as_bytes()).unwrap();
            for index in 0..good.len() {
                let mut bad = good.clone();
                bad[index] ^= 1 << (index % 8);
                for bad in [&bad, &good[..index]] {
                    let mut changed = used.clone();
                    changed["response"][member] = BASE64URL_NOPAD.encode(bad).into();
                    assert!(outcome(&changed, &stored).is_err(), "{algorithm:?} {member} {index}");
                }
            }
        }
    }
}

#[test]
fn signed_but_wrong_responses_have_their_fault() {
    use PasskeyFault::{Challenge, Counter, Malformed, Origin, RpId, Signature, Type, UserHandle, UserPresence};
    type Change = fn(&mut portcullis_testkit::authenticator::Ceremony);
    let changes: [(Change, PasskeyFault); 18] = [
        (|ceremony| ceremony.kind = "webauthn.create".to_owned(), Type),
        (|ceremony| ceremony.challenge = "CCCCCCCCCCCCCCCCCCCCCA".to_owned(), Challenge),
        (|ceremony| ceremony.challenge = "BBBBBBBBBBBBBBBBBBBBBA==".to_owned(), Malformed),
        (|ceremony| ceremony.origin = "https://evil.example".to_owned(), Origin),
        (|ceremony| ceremony.cross_origin = Some(true), Origin),
        (|ceremony| ceremony.rp_id = "evil.example".to_owned(), RpId),
        (|ceremony| ceremony.flags = UV, UserPresence),
        (|ceremony| ceremony.counter = 0, Counter),
        (|ceremony| ceremony.user_handle = None, UserHandle),
        (|ceremony| ceremony.user_handle = Some(vec![8; 32]), UserHandle),
        (|ceremony| ceremony.signature = Some(vec![]), Signature),
        (|ceremony| ceremony.credential_id = vec![1], Challenge),
        (|ceremony| ceremony.flags |= ED, Malformed),
        (|ceremony| ceremony.extensions = vec![0xa0], Malformed),
        (|ceremony| (ceremony.flags, ceremony.extensions) = (UP | ED, vec![0xa0, 0]), Malformed),
        (|ceremony| (ceremony.flags, ceremony.extensions) = (UP | ED, vec![0x80]), Malformed),
        (|ceremony| ceremony.authenticator_data = Some(vec![]), Malformed),
        (|ceremony| ceremony.client_data = Some(b"{}".to_vec()), Malformed),
    ];
    let (mut passkey, mut stored) = registered(Algorithm::Es256);
    (passkey.counter, stored.counter) = (7, 7);
    for (index, (change, fault)) in changes.into_iter().enumerate() {
        assert_eq!(outcome(&passkey.sign_with(&request(), change), &stored), Err(fault), "{index}");
    }
    let extended = passkey.sign_with(&request(), |ceremony| {
        // {"credProtect": 2}
        ceremony.extensions = [b"\xa1\x6bcredProtect".as_slice(), &[2]].concat();
        ceremony.flags |= ED;
    });
    assert!(outcome(&extended, &stored).is_ok(), "extensions are ignored");
    let marked = passkey.sign_with(&request(), |ceremony| {
        let client_data = [b"\xef\xbb\xbf".as_slice(), &ceremony.client_data()].concat();
        ceremony.client_data = Some(client_data);
    });
    assert!(outcome(&marked, &stored).is_ok(), "a byte order mark is removed");
}

#[test]
fn another_key_or_algorithm_verifies_nothing() {
    let (mut passkey, stored) = registered(Algorithm::Es256);
    let used = WebauthnVerifier.assertion(&passkey.sign(&request()).to_string()).unwrap();
    assert!(WebauthnVerifier.verify(&stored.public_key, Algorithm::Es256, &used));
    for algorithm in [Algorithm::EdDsa, Algorithm::Rs256] {
        assert!(!WebauthnVerifier.verify(&stored.public_key, algorithm, &used), "{algorithm:?}");
    }
    let (_, other) = registered(Algorithm::Es256);
    assert!(!WebauthnVerifier.verify(&other.public_key, Algorithm::Es256, &used));
    for length in 0..stored.public_key.len() {
        assert!(!WebauthnVerifier.verify(&stored.public_key[..length], Algorithm::Es256, &used), "{length}");
    }
    assert!(!WebauthnVerifier.verify(&[&stored.public_key, [0].as_slice()].concat(), Algorithm::Es256, &used));
}

#[test]
fn user_handle_may_be_null_or_missing() {
    let (mut passkey, _) = registered(Algorithm::Es256);
    let mut used = passkey.sign(&request());
    let handle = |used: &Value| WebauthnVerifier.assertion(&used.to_string()).map(|used| used.user_handle);
    assert_eq!(handle(&used), Ok(Some(HANDLE.as_bytes().to_vec())));
    used["response"]["userHandle"] = Value::Null;
    assert_eq!(handle(&used), Ok(None));
    used["response"].as_object_mut().unwrap().remove("userHandle");
    assert_eq!(handle(&used), Ok(None));
    used["response"]["userHandle"] = 1.into();
    assert!(handle(&used).is_err());
}
