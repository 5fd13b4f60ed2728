//! Conformance of stores: passkeys, user handles and used challenges.

use super::factors::has_second_factor;
use super::prelude::*;
use portcullis_domain::mfa::FactorName;
use portcullis_domain::passkeys::{
    Aaguid, Algorithm, AuthenticatorFlags, ChallengeDigest, CredentialId, Passkey, PasskeyChallenge, PasskeyId,
    UserHandle,
};

pub fn a_passkey_is_kept_as_it_is(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let mut kept = Vec::new();
    for (number, (length, algorithm)) in (1..).zip([1, 2, 16, 1023].into_iter().zip(Algorithm::ALL.into_iter().cycle()))
    {
        let passkey = Passkey { credential_id: credential_id(&vec![7; length]), algorithm, ..passkey(&ada, number) };
        assert_eq!(find(store, &passkey)?, None, "{length} bytes");
        let as_given = Passkey { created_at: nearly(passkey.created_at), ..passkey.clone() };
        assert!(insert(store, &as_given)?, "{length} bytes");
        assert_eq!(find(store, &passkey)?.as_ref(), Some(&passkey), "{length} bytes");
        kept.push(passkey);
    }
    let extreme = Passkey {
        public_key: vec![255; 2000],
        rp_id: "a".repeat(253),
        counter: u32::MAX,
        flags: AuthenticatorFlags(u8::MAX),
        discoverable: false,
        aaguid: Aaguid([255; 16]),
        transports: (0..8).map(|number| format!("{number:-<32}")).collect(),
        name: FactorName::parse(&"\u{1f511}".repeat(64)).unwrap_or_default(),
        second_factor: true,
        last_used_at: Some(at(9)),
        ..passkey(&ada, 9)
    };
    let last_used_at = extreme.last_used_at.map(nearly);
    assert!(insert(store, &Passkey { last_used_at, ..extreme.clone() })?);
    kept.push(extreme);
    let bobs = passkey(&bob, 10);
    assert!(insert(store, &bobs)?);
    assert_eq!((list(store, &ada)?, list(store, &bob)?), (kept, vec![bobs]), "oldest first");
    Ok(())
}

pub fn one_of_many_registrations_of_a_credential_wins(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    for round in 0..5 {
        let credential_id = credential_id(&[round]);
        let new = |caller: u8| {
            let user = if caller.is_multiple_of(2) { &ada } else { &bob };
            Passkey { credential_id: credential_id.clone(), ..passkey(user, 32 * round + caller + 1) }
        };
        let added = run_concurrently(32, |caller| insert(store, &new(caller)))?;
        assert_eq!(added.iter().filter(|added| **added).count(), 1, "round {round}");
        let winner = (0..).zip(added).find_map(|(caller, won)| won.then(|| new(caller)));
        assert_eq!(find(store, &new(0))?, winner);
    }
    assert_eq!(list(store, &ada)?.len() + list(store, &bob)?.len(), 5);
    let other = passkey(&ada, 200);
    let taken = Passkey { credential_id: credential_id(&[0]), ..passkey(&ada, 201) };
    let added = store.write(|tx| Ok::<_, StoreError>([&taken, &other].map(|new| tx.passkeys().insert(new))))?;
    assert_eq!(added, [Ok(false), Ok(true)], "a taken credential does not end the transaction");
    assert_eq!(find(store, &other)?.as_ref(), Some(&other));
    let stranger = User { id: UserId::new(bob.id.get() + 1), ..bob };
    assert!(insert(store, &passkey(&stranger, 202)).is_err());
    assert!(insert(store, &Passkey { id: other.id, ..passkey(&ada, 203) }).is_err(), "an id is a passkey's own");
    Ok(())
}

pub fn an_account_gets_one_user_handle(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let handle = |id| store.read(|tx| tx.passkeys().handle(id));
    let set = |id, number| store.write(|tx| tx.passkeys().set_handle(id, &UserHandle::from_random([number; 32])));
    let stranger = UserId::new(bob.id.get() + 1);
    assert_eq!((handle(ada.id)?, handle(stranger)?), (None, None));
    assert!(set(ada.id, 1)? && !set(ada.id, 2)? && !set(ada.id, 1)? && !set(stranger, 3)?);
    assert_eq!((handle(ada.id)?, handle(bob.id)?), (Some(UserHandle::from_random([1; 32])), None));
    assert!(set(bob.id, 1).is_err(), "a handle is an account's own");
    for round in 0..5 {
        let user = register(store, &format!("n{round}@example.com"))?;
        let won = run_concurrently(16, |caller| set(user.id, 16 * round + caller + 9))?;
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "round {round}");
        let winner = (0..).zip(won).find_map(|(caller, won)| won.then_some([16 * round + caller + 9; 32]));
        assert_eq!(handle(user.id)?, winner.map(UserHandle::from_random));
    }
    Ok(())
}

pub fn a_use_counts_if_the_counter_grows(store: &dyn Store) -> Outcome {
    let ada = register(store, "ada@example.com")?;
    let (one, other) = (passkey(&ada, 1), passkey(&ada, 2));
    assert!(insert(store, &one)? && insert(store, &other)?);
    let mut expected = one.clone();
    for (seconds, (counter, grows)) in
        (0..).zip([(0, true), (0, true), (5, true), (5, false), (4, false), (0, false), (6, true), (u32::MAX, true)])
    {
        let flags = AuthenticatorFlags(if counter == 6 { 0x1d } else { 5 });
        let used = store.write(|tx| tx.passkeys().record_use(&one.id, counter, flags, nearly(at(seconds))))?;
        assert_eq!(used, grows, "{counter} after {}", expected.counter);
        if grows {
            expected = Passkey { counter, flags, last_used_at: Some(at(seconds)), ..expected };
        }
        assert_eq!(list(store, &ada)?, [expected.clone(), other.clone()]);
    }
    assert!(!record_use(store, &passkey(&ada, 3), 1)?, "it does not exist");
    for round in 1..=5 {
        let used = run_concurrently(32, |_| record_use(store, &other, round))?;
        assert_eq!(used.into_iter().filter(|used| *used).count(), 1, "counter {round}");
    }
    let uncounted = passkey(&ada, 4);
    assert!(insert(store, &uncounted)?);
    let used = run_concurrently(32, |_| record_use(store, &uncounted, 0))?;
    assert!(used.into_iter().all(|used| used), "it does not count");
    Ok(())
}

pub fn only_its_owner_renames_and_removes_a_passkey(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let (first, second, bobs) = (passkey(&ada, 1), passkey(&ada, 2), passkey(&bob, 3));
    for passkey in [&first, &second, &bobs] {
        assert!(insert(store, passkey)?);
    }
    let name = FactorName::parse("k\u{e4}se \u{1f511}").unwrap_or_default();
    let rename = |user: &User, passkey: &Passkey| store.write(|tx| tx.passkeys().rename(user.id, &passkey.id, &name));
    let remove = |user: &User, passkey: &Passkey| store.write(|tx| tx.passkeys().remove(user.id, &passkey.id));
    for (user, passkey) in [(&bob, &first), (&ada, &bobs), (&ada, &passkey(&ada, 9))] {
        assert!(!rename(user, passkey)? && remove(user, passkey)?.is_none());
    }
    assert!(rename(&ada, &first)?);
    let renamed = Passkey { name: name.clone(), ..first.clone() };
    assert_eq!(list(store, &ada)?, [renamed.clone(), second.clone()]);
    assert_eq!((remove(&ada, &first)?, remove(&ada, &first)?), (Some(renamed), None));
    assert_eq!((list(store, &ada)?, list(store, &bob)?), (vec![second], vec![bobs]));
    assert!(insert(store, &Passkey { user_id: bob.id, ..first })?, "its credential may be added again");
    Ok(())
}

pub fn a_passkey_may_be_a_second_factor(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let all = |tx: &mut dyn Tx, user: &User| tx.passkeys().remove_all(user.id);
    let kind = |user: &User, second_factor| store.write(|tx| tx.passkeys().remove_kind(user.id, second_factor));
    let only = |passkey: Passkey| Passkey { second_factor: true, ..passkey };
    let (first, second) = (passkey(&ada, 1), passkey(&ada, 5));
    assert!(insert(store, &first)?);
    assert_eq!(has_second_factor(store, &ada)?, [false; 3], "it signs in by itself");
    for passkey in [&only(passkey(&ada, 2)), &only(passkey(&ada, 3)), &only(passkey(&bob, 4)), &second] {
        assert!(insert(store, passkey)?);
    }
    assert_eq!((has_second_factor(store, &ada)?, has_second_factor(store, &bob)?), ([true; 3], [true; 3]));
    assert_eq!((kind(&ada, true)?, kind(&ada, true)?), (2, 0));
    assert_eq!((has_second_factor(store, &ada)?, has_second_factor(store, &bob)?), ([false; 3], [true; 3]));
    assert_eq!(list(store, &ada)?, [first, second.clone()]);
    let factor = only(passkey(&ada, 6));
    assert!(insert(store, &factor)?);
    assert_eq!((kind(&ada, false)?, kind(&ada, false)?), (2, 0));
    assert_eq!(list(store, &ada)?, [factor]);
    assert!(insert(store, &second)?);
    assert_eq!((store.write(|tx| all(tx, &ada))?, store.write(|tx| all(tx, &ada))?), (2, 0));
    assert_eq!((has_second_factor(store, &ada)?, list(store, &ada)?), ([false; 3], vec![]));
    assert_eq!(list(store, &bob)?, [only(passkey(&bob, 4))]);
    Ok(())
}

pub fn a_challenge_is_used_once(store: &dyn Store) -> Outcome {
    assert!(use_challenge(store, 1, 5)? && !use_challenge(store, 1, 9)? && use_challenge(store, 2, 5)?);
    let used = store
        .write(|tx| Ok::<_, StoreError>([1, 3].map(|number| tx.passkeys().use_challenge(&challenge(number), at(5)))))?;
    assert_eq!(used, [Ok(false), Ok(true)], "a used challenge does not end the transaction");
    for round in 10..15 {
        let won = run_concurrently(50, |_| use_challenge(store, round, 5))?;
        assert_eq!(won.into_iter().filter(|won| *won).count(), 1, "challenge {round}");
    }
    Ok(())
}

pub fn expired_challenges_are_deleted(store: &dyn Store) -> Outcome {
    for number in 1..=4 {
        assert!(use_challenge(store, number, i64::from(number))?);
    }
    let purge = |cutoff: DateTime<Utc>, limit| store.write(|tx| tx.passkeys().purge_challenges(cutoff, limit));
    assert_eq!(purge(at(1) - TimeDelta::microseconds(1), 9)?, 0);
    assert_eq!([purge(at(3), 0)?, purge(at(3), 2)?, purge(at(3), 9)?, purge(at(3), 9)?], [0, 2, 1, 0]);
    for number in 1..=4 {
        assert_eq!(use_challenge(store, number, 9)?, number != 4, "{number}");
    }
    Ok(())
}

/// Returns a time that a store rounds down to this one.
fn nearly(time: DateTime<Utc>) -> DateTime<Utc> {
    time + TimeDelta::nanoseconds(999)
}

fn credential_id(bytes: &[u8]) -> CredentialId {
    let Some(id) = CredentialId::new(bytes.to_vec()) else { unreachable!("it has 1 to 1,023 bytes") };
    id
}

/// Returns a passkey of an account.
pub(super) fn passkey(user: &User, number: u8) -> Passkey {
    Passkey {
        id: PasskeyId::from_random([number; 16]),
        user_id: user.id,
        credential_id: credential_id(&[number, 0, 255]),
        public_key: vec![number, 0, 255],
        algorithm: Algorithm::Es256,
        rp_id: "example.com".to_owned(),
        counter: 0,
        flags: AuthenticatorFlags(5),
        discoverable: true,
        aaguid: Aaguid([number; 16]),
        transports: Vec::new(),
        name: portcullis_domain::passkeys::default_name(),
        second_factor: false,
        set_up_by: number.is_multiple_of(2).then(|| SessionId::from_random([number; 16])),
        created_at: at(i64::from(number)),
        last_used_at: None,
    }
}

fn challenge(number: u8) -> ChallengeDigest {
    PasskeyChallenge::new(0, [number; 12], &[number; 32]).digest()
}

fn insert(store: &dyn Store, passkey: &Passkey) -> Result<bool, StoreError> {
    store.write(|tx| tx.passkeys().insert(passkey))
}

fn find(store: &dyn Store, passkey: &Passkey) -> Result<Option<Passkey>, StoreError> {
    store.read(|tx| tx.passkeys().find(&passkey.credential_id))
}

fn list(store: &dyn Store, user: &User) -> Result<Vec<Passkey>, StoreError> {
    store.read(|tx| tx.passkeys().list(user.id))
}

fn record_use(store: &dyn Store, passkey: &Passkey, counter: u32) -> Result<bool, StoreError> {
    store.write(|tx| tx.passkeys().record_use(&passkey.id, counter, passkey.flags, at(9)))
}

fn use_challenge(store: &dyn Store, number: u8, seconds: i64) -> Result<bool, StoreError> {
    store.write(|tx| tx.passkeys().use_challenge(&challenge(number), at(seconds)))
}
