//! Conformance of stores: second factors, recovery codes and trusted devices.

use super::prelude::*;
use portcullis_domain::mfa::{
    FactorId, FactorName, RecoveryCodeDigest, SealedSecret, TimeStep, TotpFactor, TrustedDevice, TrustedDeviceId,
};

pub fn a_factor_counts_once_its_owner_confirms_it(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let pending = add_pending(store, &ada, 1)?;
    assert_eq!(totp(store, &ada)?, std::slice::from_ref(&pending));
    assert_eq!(has_second_factor(store, &ada)?, [false; 3]);
    assert!(!confirm(store, &bob, 1, 5)?, "it is another's");
    assert!(!confirm(store, &ada, 2, 5)?, "it does not exist");
    assert!(confirm(store, &ada, 1, 5)? && !confirm(store, &ada, 1, 6)?, "once");
    assert_eq!(totp(store, &ada)?, [confirmed(pending, 5)]);
    assert_eq!((has_second_factor(store, &ada)?, has_second_factor(store, &bob)?), ([true; 3], [false; 3]));
    assert_eq!(totp(store, &bob)?, []);
    Ok(())
}

pub fn a_pending_factor_replaces_the_pending_one_only(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let first = add_confirmed(store, &ada, 1)?;
    let other = add_pending(store, &bob, 2)?;
    add_pending(store, &ada, 3)?;
    let last = TotpFactor { created_at: at(9), ..pending(&ada, 4) };
    let as_given = TotpFactor { created_at: at(9) + TimeDelta::nanoseconds(999), ..last.clone() };
    store.write(|tx| tx.factors().replace_pending(&as_given))?;
    assert_eq!(totp(store, &ada)?, [first, last.clone()]);
    assert_eq!(totp(store, &bob)?, [other]);
    assert!(!confirm(store, &ada, 3, 1)?, "it was replaced");
    let stranger = TotpFactor { id: factor_id(9), user_id: UserId::new(bob.id.get() + 1), ..last.clone() };
    assert!(store.write(|tx| tx.factors().replace_pending(&stranger)).is_err());
    let taken = TotpFactor { user_id: bob.id, ..last };
    assert!(store.write(|tx| tx.factors().replace_pending(&taken)).is_err(), "an id is a factor's own");
    for round in 0..5 {
        run_concurrently(16, |caller| add_pending(store, &ada, 100 + 16 * (round % 2) + caller))?;
        assert_eq!(totp(store, &ada)?.len(), 2, "round {round}");
    }
    Ok(())
}

pub fn only_its_owner_renames_and_removes_a_confirmed_factor(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let factor = add_confirmed(store, &ada, 1)?;
    let waiting = add_pending(store, &ada, 2)?;
    let name = FactorName::parse("käse 🔑").unwrap_or_default();
    let rename = |user: &User, number| store.write(|tx| tx.factors().rename_totp(user.id, &factor_id(number), &name));
    let remove = |user: &User, number| store.write(|tx| tx.factors().remove_totp(user.id, &factor_id(number)));
    for (user, number) in [(&bob, 1), (&ada, 2), (&ada, 3)] {
        assert!(!rename(user, number)? && !remove(user, number)?, "{number}");
    }
    assert!(rename(&ada, 1)?);
    assert_eq!(totp(store, &ada)?, [TotpFactor { name: name.clone(), ..factor }, waiting.clone()]);
    assert!(remove(&ada, 1)? && !remove(&ada, 1)?);
    assert_eq!(totp(store, &ada)?, [waiting]);
    assert_eq!(has_second_factor(store, &ada)?, [false; 3]);
    Ok(())
}

pub fn a_time_step_is_used_once_and_no_earlier_one_after_it(store: &dyn Store) -> Outcome {
    let ada = register(store, "ada@example.com")?;
    add_pending(store, &ada, 1)?;
    assert!(!use_step(store, 1, 7)?, "it is not confirmed");
    assert!(confirm(store, &ada, 1, 7)?);
    assert!(!use_step(store, 1, 7)? && !use_step(store, 1, 6)? && !use_step(store, 2, 9)?);
    assert!(use_step(store, 1, 9)? && !use_step(store, 1, 9)? && !use_step(store, 1, 8)?);
    let steps = totp(store, &ada)?.into_iter().map(|factor| (factor.last_step, factor.last_used_at));
    assert_eq!(steps.collect::<Vec<_>>(), [(Some(TimeStep::new(9)), Some(at(9)))]);
    for round in 10..15 {
        let used = run_concurrently(50, |_| use_step(store, 1, round))?;
        assert_eq!(used.into_iter().filter(|used| *used).count(), 1, "step {round}");
    }
    Ok(())
}

pub fn one_of_many_confirmations_wins(store: &dyn Store) -> Outcome {
    let ada = register(store, "ada@example.com")?;
    for round in 1..=5 {
        add_pending(store, &ada, round)?;
        let won = run_concurrently(16, |caller| confirm(store, &ada, round, i64::from(caller)))?;
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "round {round}");
        let step = (0..).zip(won).find_map(|(step, won)| won.then_some(TimeStep::new(step)));
        assert_eq!(totp(store, &ada)?.last().map(|factor| factor.last_step), Some(step));
    }
    Ok(())
}

pub fn a_recovery_code_is_used_once_by_its_owner(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    set_codes(store, &ada, &[1, 2, 3])?;
    set_codes(store, &bob, &[4])?;
    let has = |user: &User, number| store.read(|tx| tx.factors().has_recovery_code(user.id, &code(number)));
    assert!(has(&ada, 1)? && !has(&bob, 1)? && !has(&ada, 9)?);
    assert!(!use_code(store, &bob, 1)? && !use_code(store, &ada, 9)?);
    assert!(use_code(store, &ada, 1)? && !use_code(store, &ada, 1)? && !has(&ada, 1)?);
    assert_eq!((codes_left(store, &ada)?, codes_left(store, &bob)?), (2, 1));
    set_codes(store, &ada, &[5, 6])?;
    assert!(!use_code(store, &ada, 2)? && use_code(store, &bob, 4)?, "new codes replace the account's old ones");
    assert_eq!((codes_left(store, &ada)?, codes_left(store, &bob)?), (2, 0));
    set_codes(store, &ada, &[])?;
    assert_eq!(codes_left(store, &ada)?, 0);
    let stranger = User { id: UserId::new(bob.id.get() + 1), ..bob };
    assert!(set_codes(store, &stranger, &[7]).is_err());
    for round in 10..15 {
        set_codes(store, &ada, &[round])?;
        let used = run_concurrently(50, |_| use_code(store, &ada, round))?;
        assert_eq!(used.into_iter().filter(|used| *used).count(), 1, "code {round}");
    }
    Ok(())
}

pub fn a_device_is_trusted_until_it_expires_or_is_forgotten(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let trust = |device: &TrustedDevice| store.write(|tx| tx.factors().trust(device));
    let listed = |user: &User, seconds| store.read(|tx| tx.factors().trusted_devices(user.id, at(seconds)));
    let forget = |user: &User, number| store.write(|tx| tx.factors().forget_device(user.id, &device_id(number)));
    let [first, second, other] = [device(&ada, 1, 10), device(&ada, 2, 20), device(&bob, 1, 10)];
    let other = TrustedDevice { id: device_id(7), client: ClientInfo::default(), ..other };
    for device in [&first, &second, &other] {
        trust(&TrustedDevice { expires_at: device.expires_at + TimeDelta::nanoseconds(999), ..device.clone() })?;
    }
    assert_eq!(listed(&ada, 0)?, [second.clone(), first.clone()], "newest first");
    assert_eq!(listed(&ada, 10)?, std::slice::from_ref(&second), "the first has expired");
    assert_eq!(listed(&bob, 0)?, std::slice::from_ref(&other));
    let again = TrustedDevice { id: device_id(3), client: ClientInfo::default(), ..device(&ada, 1, 30) };
    let again = TrustedDevice { created_at: at(3), ..again };
    trust(&again)?;
    assert_eq!(listed(&ada, 0)?, [again, second], "in place of the earlier row");
    assert!(!forget(&bob, 2)? && !forget(&ada, 1)? && forget(&ada, 2)? && !forget(&ada, 2)?);
    assert_eq!(store.write(|tx| tx.factors().forget_devices(ada.id))?, 1);
    assert_eq!((listed(&ada, 0)?, listed(&bob, 0)?), (vec![], vec![other]));
    let stranger = TrustedDevice { user_id: UserId::new(bob.id.get() + 1), ..first };
    let taken = TrustedDevice { id: device_id(7), ..device(&ada, 9, 10) };
    assert!(trust(&stranger).is_err() && trust(&taken).is_err(), "an id is a device's own");
    run_concurrently(16, |caller| trust(&TrustedDevice { id: device_id(100 + caller), ..device(&ada, 5, 10) }))?;
    assert_eq!(listed(&ada, 0)?.len(), 1, "one row a device");
    Ok(())
}

pub fn all_second_factors_of_an_account_are_removed_together(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    for (user, number) in [(&ada, 1), (&bob, 2)] {
        add_confirmed(store, user, number)?;
        add_pending(store, user, 10 + number)?;
        set_codes(store, user, &[number])?;
        store.write(|tx| tx.factors().trust(&device(user, number, 10)))?;
    }
    let remove = |user: &User| store.write(|tx| tx.factors().remove_all(user.id));
    assert!(remove(&ada)? && !remove(&ada)?);
    assert_eq!((totp(store, &ada)?, codes_left(store, &ada)?), (vec![], 0));
    assert_eq!((totp(store, &bob)?.len(), codes_left(store, &bob)?), (2, 1));
    let devices = |user: &User| store.read(|tx| tx.factors().trusted_devices(user.id, at(0)));
    assert_eq!((devices(&ada)?.len(), devices(&bob)?.len()), (0, 1));
    add_pending(store, &ada, 3)?;
    assert!(!remove(&ada)?, "a pending factor is none");
    assert_eq!(totp(store, &ada)?, []);
    Ok(())
}

pub fn secrets_are_listed_page_by_page_and_resealed_if_unchanged(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    for (user, number) in [(&ada, 1), (&bob, 2), (&ada, 3)] {
        add_confirmed(store, user, number)?;
    }
    add_pending(store, &bob, 4)?;
    let (mut after, mut listed) = (RowCursor::FIRST, Vec::new());
    loop {
        let page = store.read(|tx| tx.factors().sealed_secrets(after, 3))?;
        let Some((last, ..)) = page.last() else { break };
        after = *last;
        listed.push(page.into_iter().map(|(_, id, secret)| (id, secret)).collect::<Vec<_>>());
    }
    let of = |number: u8| (factor_id(number), sealed(number));
    assert_eq!(listed, [vec![of(1), of(2), of(3)], vec![of(4)]]);
    let reseal = |old, new| store.write(|tx| tx.factors().reseal(&factor_id(1), &sealed(old), &sealed(new)));
    assert!(!reseal(2, 9)? && reseal(1, 9)? && !reseal(1, 8)?);
    let secrets = totp(store, &ada)?.into_iter().map(|factor| factor.secret);
    assert_eq!(secrets.collect::<Vec<_>>(), [sealed(9), sealed(3)]);
    Ok(())
}

pub fn expired_pending_factors_and_devices_are_deleted(store: &dyn Store) -> Outcome {
    let mut users = Vec::new();
    for number in 1..=4 {
        let user = register(store, &format!("n{number}@example.com"))?;
        let new = TotpFactor { created_at: at(i64::from(number)), ..pending(&user, number) };
        store.write(|tx| tx.factors().replace_pending(&new))?;
        store.write(|tx| tx.factors().trust(&device(&user, number, i64::from(number))))?;
        users.push(user);
    }
    let left = || -> Result<_, StoreError> {
        let mut left = Vec::new();
        for user in &users {
            let devices = store.read(|tx| tx.factors().trusted_devices(user.id, at(-9)))?;
            left.push((totp(store, user)?.len(), devices.len()));
        }
        Ok(left)
    };
    assert!(users.first().map(|user| confirm(store, user, 1, 1)).transpose()?.is_some_and(|confirmed| confirmed));
    let factors = |cutoff: DateTime<Utc>, limit| store.write(|tx| tx.factors().purge_pending(cutoff, limit));
    let devices = |cutoff: DateTime<Utc>, limit| store.write(|tx| tx.factors().purge_devices(cutoff, limit));
    assert_eq!(factors(at(2) - TimeDelta::microseconds(1), 9)?, 0, "a confirmed factor stays");
    assert_eq!((factors(at(3), 1)?, factors(at(3), 9)?, factors(at(3), 9)?), (1, 1, 0));
    assert_eq!(left()?, [(1, 1), (0, 1), (0, 1), (1, 1)]);
    assert_eq!(devices(at(1) - TimeDelta::microseconds(1), 9)?, 0);
    assert_eq!((devices(at(3), 2)?, devices(at(3), 9)?, devices(at(3), 9)?), (2, 1, 0));
    assert_eq!(left()?, [(1, 0), (0, 0), (0, 0), (1, 1)]);
    Ok(())
}

fn factor_id(number: u8) -> FactorId {
    FactorId::from_random([number; 16])
}

fn device_id(number: u8) -> TrustedDeviceId {
    TrustedDeviceId::from_random([number; 16])
}

fn sealed(number: u8) -> SealedSecret {
    SealedSecret::new(vec![number, 0, 255])
}

/// Returns a pending factor of an account.
pub(super) fn pending(user: &User, number: u8) -> TotpFactor {
    let factor = TotpFactor::new(factor_id(number), user.id, FactorName::default(), sealed(number), at(0));
    TotpFactor { set_up_by: number.is_multiple_of(2).then(|| SessionId::from_random([number; 16])), ..factor }
}

/// Returns a device that is trusted from `number` seconds before the fixed time until `seconds` after it.
pub(super) fn device(user: &User, number: u8, seconds: i64) -> TrustedDevice {
    TrustedDevice {
        id: device_id(number),
        user_id: user.id,
        device: DeviceHash::new([number; 32]),
        client: client(),
        created_at: at(i64::from(number) - 60),
        expires_at: at(seconds),
    }
}

pub(super) fn code(number: u8) -> RecoveryCodeDigest {
    RecoveryCodeDigest::new([number; 32])
}

fn add_pending(store: &dyn Store, user: &User, number: u8) -> Result<TotpFactor, StoreError> {
    let factor = pending(user, number);
    store.write(|tx| tx.factors().replace_pending(&factor))?;
    Ok(factor)
}

/// Returns the factor after its confirmation by that step.
fn confirmed(factor: TotpFactor, step: i64) -> TotpFactor {
    let used = Some(at(step));
    TotpFactor { confirmed_at: used, last_step: Some(TimeStep::new(step)), last_used_at: used, ..factor }
}

fn add_confirmed(store: &dyn Store, user: &User, number: u8) -> Result<TotpFactor, StoreError> {
    let factor = add_pending(store, user, number)?;
    assert!(confirm(store, user, number, 1)?);
    Ok(confirmed(factor, 1))
}

fn totp(store: &dyn Store, user: &User) -> Result<Vec<TotpFactor>, StoreError> {
    store.read(|tx| tx.factors().totp(user.id))
}

fn confirm(store: &dyn Store, user: &User, number: u8, step: i64) -> Result<bool, StoreError> {
    let time = at(step) + TimeDelta::nanoseconds(999);
    store.write(|tx| tx.factors().confirm_totp(user.id, &factor_id(number), TimeStep::new(step), time))
}

fn use_step(store: &dyn Store, number: u8, step: i64) -> Result<bool, StoreError> {
    let time = at(step) + TimeDelta::nanoseconds(999);
    store.write(|tx| tx.factors().use_step(&factor_id(number), TimeStep::new(step), time))
}

fn set_codes(store: &dyn Store, user: &User, numbers: &[u8]) -> Outcome {
    let codes: Vec<_> = numbers.iter().copied().map(code).collect();
    store.write(|tx| tx.factors().replace_recovery_codes(user.id, &codes))
}

fn use_code(store: &dyn Store, user: &User, number: u8) -> Result<bool, StoreError> {
    store.write(|tx| tx.factors().use_recovery_code(user.id, &code(number), at(1)))
}

fn codes_left(store: &dyn Store, user: &User) -> Result<u32, StoreError> {
    store.read(|tx| tx.factors().recovery_codes_left(user.id))
}

/// Returns whether the account has a second factor, as its owner, as one of the owners of its email address
/// and as a bearer.
pub(super) fn has_second_factor(store: &dyn Store, user: &User) -> Result<[bool; 3], StoreError> {
    let owner = store.read(|tx| tx.credentials().owner(user.id))?;
    let owners = store.read(|tx| tx.credentials().owners(&user.email))?;
    let key = BearerIdentity { user_id: user.id, session_id: None };
    let bearers = store.read(|tx| tx.sessions().resolve_bearers(&[key]))?;
    Ok([
        owner.is_some_and(|owner| owner.credentials.has_second_factor()),
        owners.iter().any(|owner| owner.credentials.has_second_factor()),
        bearers.iter().flatten().any(|bearer| bearer.second_factor),
    ])
}
