//! Conformance of stores: identities linked to accounts, and sign-ins with providers under way.

use super::prelude::*;

pub fn an_identity_is_found_byte_for_byte(store: &dyn Store) -> Outcome {
    let ada = register(store, "ada@example.com")?;
    let issuer = "https://accounts.example.com";
    let keys = [
        (issuer, "ada"),
        (issuer, "Ada"),
        (issuer, "ada "),
        (issuer, " ada"),
        (issuer, "\u{e4}da"),
        (issuer, "a\u{308}da"),
        (issuer, "'; --%_"),
        ("https://accounts.example.com/", "ada"),
        ("https://Accounts.example.com", "ada"),
    ];
    let key = |(issuer, subject): (&str, &str)| IdentityKey { issuer: issuer.to_owned(), subject: subject.to_owned() };
    let find = |key: &IdentityKey| store.read(|tx| tx.identities().find(key));
    let mut linked = Vec::new();
    for (number, text) in (1..).zip(keys) {
        let identity = Identity { key: key(text), ..identity(&ada, number) };
        assert_eq!(find(&identity.key)?, None, "{text:?}");
        let as_given = Identity { created_at: identity.created_at + TimeDelta::nanoseconds(999), ..identity.clone() };
        assert!(link(store, &as_given)?, "{text:?}");
        assert_eq!(find(&identity.key)?.as_ref(), Some(&identity), "{text:?}");
        linked.push(identity);
    }
    assert_eq!(list(store, &ada)?, linked, "oldest first");
    let longest = Identity { key: key((issuer, &"\u{1f511}".repeat(255))), ..identity(&ada, 99) };
    assert!(link(store, &longest)?);
    assert_eq!(find(&longest.key)?, Some(longest));
    Ok(())
}

pub fn one_of_many_links_of_an_identity_wins(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    for round in 0..5 {
        let key = identity(&ada, round).key;
        let linked = run_concurrently(32, |caller| {
            let user = if caller.is_multiple_of(2) { &ada } else { &bob };
            link(store, &Identity { key: key.clone(), ..identity(user, 32 * round + caller + 1) })
        })?;
        assert_eq!(linked.iter().filter(|linked| **linked).count(), 1, "round {round}");
        let winner =
            (0..).zip(linked).find_map(|(caller, won)| won.then(|| identity(&ada, 32 * round + caller + 1).id));
        assert_eq!(store.read(|tx| tx.identities().find(&key))?.map(|found| found.id), winner);
    }
    assert_eq!(list(store, &ada)?.len() + list(store, &bob)?.len(), 5);
    let stranger = User { id: UserId::new(bob.id.get() + 1), ..bob };
    assert!(link(store, &identity(&stranger, 199)).is_err());
    assert!(link(store, &identity(&ada, 200))?);
    let taken = Identity { id: identity(&ada, 200).id, ..identity(&ada, 201) };
    assert!(link(store, &taken).is_err(), "an id is an identity's own");
    Ok(())
}

pub fn use_of_an_identity_is_recorded(store: &dyn Store) -> Outcome {
    let ada = register(store, "ada@example.com")?;
    let (one, other) = (identity(&ada, 1), identity(&ada, 2));
    assert!(link(store, &one)? && link(store, &other)?);
    for (email, seconds) in [(Some("new@example.com"), 5), (None, 9)] {
        let at_given = at(seconds) + TimeDelta::nanoseconds(999);
        store.write(|tx| tx.identities().record_use(&one.id, email, at_given))?;
        let email = email.map(str::to_owned);
        let used = Identity { email, last_used_at: Some(at(seconds)), ..one.clone() };
        assert_eq!(list(store, &ada)?, [used, other.clone()]);
    }
    store.write(|tx| tx.identities().record_use(&identity(&ada, 3).id, None, at(9)))
}

pub fn only_its_owner_removes_an_identity(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let (first, second, third) = (identity(&ada, 1), identity(&ada, 2), identity(&ada, 3));
    let bobs = identity(&bob, 4);
    for identity in [&first, &second, &third, &bobs] {
        assert!(link(store, identity)?);
    }
    let remove = |user: &User, identity: &Identity| store.write(|tx| tx.identities().remove(user.id, &identity.id));
    assert_eq!((remove(&bob, &first)?, remove(&ada, &bobs)?), (None, None));
    assert_eq!(remove(&ada, &first)?.as_ref(), Some(&first));
    assert_eq!(remove(&ada, &first)?, None);
    assert_eq!(list(store, &ada)?, [second, third]);
    let remove_all = |user: &User| store.write(|tx| tx.identities().remove_all(user.id));
    assert_eq!((remove_all(&ada)?, remove_all(&ada)?), (2, 0));
    assert_eq!((list(store, &ada)?, list(store, &bob)?), (vec![], vec![bobs]));
    assert!(link(store, &Identity { user_id: bob.id, ..first })?, "it may be linked again");
    Ok(())
}

pub fn a_flow_is_kept_until_it_is_spent_once(store: &dyn Store) -> Outcome {
    let find = |number| store.read(|tx| tx.sign_ins().flow(&flow(number).state));
    let spend = |number| store.write(|tx| tx.sign_ins().spend_flow(&flow(number).state, nearly(at(5))));
    let (one, other) = (flow(1), flow(2));
    for flow in [&one, &other] {
        let as_given = SignInFlow { expires_at: nearly(flow.expires_at), ..flow.clone() };
        store.write(|tx| tx.sign_ins().insert_flow(&as_given))?;
    }
    assert!(store.write(|tx| tx.sign_ins().insert_flow(&SignInFlow { browser: [9; 32], ..flow(1) })).is_err());
    assert_eq!((find(1)?, find(3)?, spend(3)?), (Some(one.clone()), None, false));
    assert!(spend(1)? && !spend(1)?);
    assert_eq!((find(1)?, find(2)?), (Some(SignInFlow { spent_at: Some(at(5)), ..one }), Some(other)));
    for round in 10..15 {
        store.write(|tx| tx.sign_ins().insert_flow(&flow(round)))?;
        let spent = run_concurrently(50, |_| spend(round))?;
        assert_eq!(spent.into_iter().filter(|spent| *spent).count(), 1, "flow {round}");
    }
    Ok(())
}

pub fn a_sign_in_code_is_used_once_or_revoked_unused(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let find = |number| store.read(|tx| tx.sign_ins().code(&code(&ada, number).digest));
    let spend = |number| store.write(|tx| tx.sign_ins().use_code(&code(&ada, number).digest, nearly(at(5))));
    let revoke = |user: &User| store.write(|tx| tx.sign_ins().revoke_codes(user.id));
    let (one, several) = (
        code(&ada, 1),
        SignInCode { multi_factor: true, page_session: Some(SessionId::from_random([9; 16])), ..code(&bob, 2) },
    );
    for code in [&one, &several] {
        let as_given = SignInCode { expires_at: nearly(code.expires_at), ..code.clone() };
        store.write(|tx| tx.sign_ins().insert_code(&as_given))?;
    }
    assert!(store.write(|tx| tx.sign_ins().insert_code(&code(&bob, 1))).is_err(), "a digest is a code's own");
    let stranger = User { id: UserId::new(bob.id.get() + 1), ..bob.clone() };
    assert!(store.write(|tx| tx.sign_ins().insert_code(&code(&stranger, 3))).is_err());
    assert_eq!((find(1)?, find(2)?, find(3)?), (Some(one.clone()), Some(several), None));
    assert!(spend(1)? && !spend(1)? && !spend(3)?);
    let used = SignInCode { used_at: Some(at(5)), ..one };
    assert_eq!(find(1)?.as_ref(), Some(&used));
    store.write(|tx| tx.sign_ins().insert_code(&code(&ada, 4)))?;
    assert_eq!((revoke(&ada)?, revoke(&ada)?), (1, 0), "only the unused one");
    assert!(!spend(4)? && find(4)?.is_none() && find(2)?.is_some());
    assert_eq!(find(1)?, Some(used), "its second use is still noticed");
    for round in 10..15 {
        store.write(|tx| tx.sign_ins().insert_code(&code(&ada, round)))?;
        let won = run_concurrently(50, |_| spend(round))?;
        assert_eq!(won.into_iter().filter(|won| *won).count(), 1, "code {round}");
    }
    Ok(())
}

pub fn an_id_token_is_used_once(store: &dyn Store) -> Outcome {
    assert!(use_id_token(store, 1, 5)? && !use_id_token(store, 1, 9)? && use_id_token(store, 2, 5)?);
    for round in 10..15 {
        let won = run_concurrently(50, |_| use_id_token(store, round, 5))?;
        assert_eq!(won.into_iter().filter(|won| *won).count(), 1, "token {round}");
    }
    Ok(())
}

pub fn expired_sign_ins_are_deleted(store: &dyn Store) -> Outcome {
    let ada = register(store, "ada@example.com")?;
    for number in 1..=4 {
        let expires_at = at(i64::from(number));
        store.write(|tx| {
            tx.sign_ins().insert_flow(&SignInFlow { expires_at, ..flow(number) })?;
            tx.sign_ins().insert_code(&SignInCode { expires_at, ..code(&ada, number) })
        })?;
        assert!(use_id_token(store, number, i64::from(number))?);
    }
    let purge = |cutoff: DateTime<Utc>, limit| store.write(|tx| tx.sign_ins().purge_sign_ins(cutoff, limit));
    assert_eq!(purge(at(1) - TimeDelta::microseconds(1), 9)?, 0);
    assert_eq!(purge(at(3), 0)?, 0);
    assert_eq!([purge(at(3), 4)?, purge(at(3), 4)?, purge(at(3), 4)?, purge(at(3), 4)?], [4, 4, 1, 0]);
    for number in 1..=4 {
        let found = store.read(|tx| {
            let flow = tx.sign_ins().flow(&flow(number).state)?.is_some();
            Ok::<_, StoreError>([flow, tx.sign_ins().code(&code(&ada, number).digest)?.is_some()])
        })?;
        assert_eq!((found, use_id_token(store, number, 9)?), ([number == 4; 2], number != 4), "{number}");
    }
    Ok(())
}

/// Returns a time that a store rounds down to this one.
fn nearly(time: DateTime<Utc>) -> DateTime<Utc> {
    time + TimeDelta::nanoseconds(999)
}

/// Returns an identity of an account.
pub(super) fn identity(user: &User, number: u8) -> Identity {
    Identity {
        id: IdentityId::from_random([number; 16]),
        user_id: user.id,
        key: IdentityKey { issuer: "https://accounts.example.com".to_owned(), subject: number.to_string() },
        provider: provider(),
        email: Some(format!("K\u{e4}se{number}@example.com")),
        set_up_by: number.is_multiple_of(2).then(|| SessionId::from_random([number; 16])),
        created_at: at(i64::from(number)),
        last_used_at: None,
    }
}

fn provider() -> ProviderName {
    let Some(name) = ProviderName::parse("corp_2") else { unreachable!("it is a name") };
    name
}

fn flow(number: u8) -> SignInFlow {
    SignInFlow {
        state: StateDigest::new([number; 32]),
        browser: [number + 1; 32],
        sealed: vec![number, 0, 255],
        expires_at: at(600),
        spent_at: None,
    }
}

/// Returns a code of an account.
pub(super) fn code(user: &User, number: u8) -> SignInCode {
    SignInCode {
        digest: SignInCodeDigest::new([number; 32]),
        user_id: user.id,
        session_id: SessionId::from_random([number; 16]),
        challenge: [number + 1; 32],
        redirect_uri: "com.example.app:/k\u{e4}se?x='".to_owned(),
        multi_factor: false,
        page_session: None,
        expires_at: at(60),
        used_at: None,
    }
}

fn link(store: &dyn Store, identity: &Identity) -> Result<bool, StoreError> {
    store.write(|tx| tx.identities().insert(identity))
}

fn list(store: &dyn Store, user: &User) -> Result<Vec<Identity>, StoreError> {
    store.read(|tx| tx.identities().list(user.id))
}

fn use_id_token(store: &dyn Store, number: u8, seconds: i64) -> Result<bool, StoreError> {
    let digest = SignInCodeDigest::new([number; 32]);
    store.write(|tx| tx.sign_ins().use_id_token(&digest, at(seconds)))
}
