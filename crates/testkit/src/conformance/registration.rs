//! Conformance of stores: creating accounts.

use super::prelude::*;

pub fn an_account_is_found_by_number_and_by_any_spelling(store: &dyn Store) -> Outcome {
    let user = register(store, "Ada.Lovelace@Example.com")?;
    assert_eq!(user.email.original(), "ada.lovelace@example.com", "the canonical form is what is stored");
    assert!(user.is_active && user.id.get() > 0);
    assert_eq!(user.created_at, at(0));
    let owner = Owner { user: user.clone(), credentials: first_credentials() };
    assert_eq!(store.read(|tx| tx.credentials().owner(user.id))?.as_ref(), Some(&owner));
    assert_eq!(store.read(|tx| tx.users().find(user.id))?, Some(user.clone()));
    for spelling in ["ada.lovelace@example.com", "ADA.LOVELACE@EXAMPLE.COM"] {
        assert_eq!(store.read(|tx| tx.users().find_by_email(&email(spelling)))?, std::slice::from_ref(&user));
        assert_eq!(store.read(|tx| tx.credentials().owners(&email(spelling)))?, std::slice::from_ref(&owner));
    }
    Ok(())
}

pub fn a_taken_address_is_taken_in_any_spelling(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for spelling in ["ada@example.com", "Ada@Example.COM"] {
        assert_eq!(store.write(|tx| tx.users().insert(&newcomer(spelling)))?, None);
    }
    let next = register(store, "bob@example.com")?;
    assert!(next.id > user.id);
    Ok(())
}

pub fn nothing_is_found_where_nothing_is(store: &dyn Store) -> Outcome {
    for number in [i64::MIN, -1, 0, 1, i64::MAX] {
        assert_eq!(store.read(|tx| tx.users().find(UserId::new(number)))?, None);
        assert_eq!(store.read(|tx| tx.credentials().owner(UserId::new(number)))?, None);
    }
    assert_eq!(store.read(|tx| tx.users().find_by_email(&email("ada@example.com")))?, []);
    let id = UserId::new(1);
    assert_eq!(store.read(|tx| tx.credentials().owners(&email("ada@example.com")))?, []);
    assert!(!store.write(|tx| tx.credentials().replace(id, &credentials("a"), &credentials("b")))?);
    Ok(())
}

pub fn only_ascii_letters_are_folded(store: &dyn Store) -> Outcome {
    let upper = register(store, "É@example.org")?;
    let lower = register(store, "é@example.org")?;
    assert_ne!(upper.id, lower.id);
    // U+212A KELVIN SIGN is not a K, and U+017F is not an s.
    for look_alike in ["mi\u{212a}e@example.org", "mike@example.org", "\u{17f}am@example.org", "sam@example.org"] {
        let user = register(store, look_alike)?;
        assert_eq!(store.read(|tx| tx.users().find_by_email(&email(look_alike)))?, [user]);
    }
    Ok(())
}

pub fn text_survives_as_it_is(store: &dyn Store) -> Outcome {
    for (address, password) in [
        ("heidi@müller.example", "$bcrypt-sha256$v=2,t=2b,r=12$aaaaaaaaaaaaaaaaaaaaaa$bbb"),
        ("用户@例え.テスト", "käse 🔑 \u{2028}"),
        ("o'hara%_\\\"--@example.com", "'; DROP TABLE users; --"),
    ] {
        let new =
            NewUser { email: email(address), credentials: credentials(password), created_at: at(0), verified_at: None };
        let user = store.write(|tx| tx.users().insert(&new))?;
        let found = store.read(|tx| tx.users().find_by_email(&new.email))?;
        assert_eq!(found.first(), user.as_ref());
        assert_eq!(found.iter().map(|user| user.email.original()).collect::<Vec<_>>(), [address]);
        let owners = store.read(|tx| tx.credentials().owners(&new.email))?;
        assert_eq!(owners.iter().map(|owner| owner.credentials.text()).collect::<Vec<_>>(), [password]);
    }
    Ok(())
}

pub fn times_hold_to_the_microsecond(store: &dyn Store) -> Outcome {
    let ages = [
        DateTime::UNIX_EPOCH,
        at(0),
        at(0) + TimeDelta::nanoseconds(999),
        Utc.timestamp_nanos(946_684_799_999_999_999),
        DateTime::UNIX_EPOCH - TimeDelta::microseconds(1),
        DateTime::UNIX_EPOCH + TimeDelta::days(365 * 8_000),
    ];
    for (number, created_at) in ages.into_iter().enumerate() {
        let new = NewUser { created_at, ..newcomer(&format!("n{number}@example.com")) };
        let user = store.write(|tx| tx.users().insert(&new))?;
        let kept = user.map(|user| user.created_at.timestamp_micros());
        assert_eq!(kept, Some(created_at.timestamp_micros()), "{created_at}");
    }
    Ok(())
}

pub fn a_hash_is_replaced_only_if_it_is_the_one_that_was_read(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let replace = |read: &str, new: &str| {
        store.write(|tx| tx.credentials().replace(user.id, &credentials(read), &credentials(new)))
    };
    assert!(replace("$2b$12$first", "second")?);
    assert!(!replace("$2b$12$first", "third")?);
    let found = store.read(|tx| tx.credentials().owner(user.id))?;
    assert_eq!(found.map(|owner| owner.credentials), Some(credentials("second")));
    Ok(())
}

pub fn the_mark_of_a_second_factor_belongs_to_the_stored_text(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let (plain, marked) = (first_credentials(), first_credentials().marked());
    let replace =
        |read: &Credentials, new: &Credentials| store.write(|tx| tx.credentials().replace(user.id, read, new));
    let current = |read: &Credentials| store.write(|tx| tx.credentials().still_current(user.id, read));
    assert!(replace(&plain, &marked)?, "a login under way fails");
    assert!(current(&marked)? && !current(&plain)? && !replace(&plain, &credentials("second"))?);
    let owner = Owner { user: user.clone(), credentials: marked.clone() };
    assert_eq!(store.read(|tx| tx.credentials().owner(user.id))?.as_ref(), Some(&owner));
    assert_eq!(store.read(|tx| tx.credentials().owners(&user.email))?, [owner]);
    assert_eq!(store.read(|tx| tx.users().sample_passwords(1, 1))?, [hash("$2b$12$first")]);
    let key = BearerIdentity { user_id: user.id, session_id: None };
    let bearer = store.read(|tx| tx.sessions().resolve_bearers(&[key]))?.into_iter().flatten().next();
    assert_eq!(bearer.map(|bearer| bearer.password), Some(hash("$2b$12$first")));
    assert!(replace(&marked, &marked.clone().with_hash(hash("$2b$12$second")))?);
    let found = store.read(|tx| tx.credentials().owner(user.id))?.map(|owner| owner.credentials);
    assert_eq!(found, Some(credentials("$2b$12$second").marked()), "a new password keeps it");
    let new = NewUser { credentials: marked.clone(), ..newcomer("bob@example.com") };
    let bob = store.write(|tx| tx.users().insert(&new))?.map(|bob| bob.id);
    let found = bob.map(|bob| store.read(|tx| tx.credentials().owner(bob))).transpose()?.flatten();
    assert_eq!(found.map(|owner| owner.credentials), Some(marked));
    Ok(())
}

pub fn account_without_a_password_gets_one_and_loses_it(store: &dyn Store) -> Outcome {
    let new = NewUser { credentials: Credentials::without_password(hash("random")), ..newcomer("ada@example.com") };
    let user = add_user(store, &new)?;
    let found = || -> Result<_, StoreError> {
        let owner = store.read(|tx| tx.credentials().owner(user.id))?.map(|owner| owner.credentials);
        let owners = store.read(|tx| tx.credentials().owners(&user.email))?.pop().map(|owner| owner.credentials);
        assert_eq!(owner, owners);
        let key = BearerIdentity { user_id: user.id, session_id: None };
        let bearer = store.read(|tx| tx.sessions().resolve_bearers(&[key]))?.pop().flatten();
        assert_eq!(bearer.map(|bearer| bearer.has_password), owner.as_ref().map(Credentials::has_password));
        Ok(owner)
    };
    let without = new.credentials;
    assert_eq!(found()?.as_ref(), Some(&without));
    assert!(store.write(|tx| tx.credentials().still_current(user.id, &without))?);
    let first = without.clone().with_hash(hash("first"));
    let steps = [
        without.clone().marked(),
        without.clone(),
        first.clone(),
        first.marked(),
        without.clone().marked(),
        Credentials::from_hash(hash("random")),
    ];
    let mut read = without;
    for (number, new) in steps.into_iter().enumerate() {
        assert!(store.write(|tx| tx.credentials().replace(user.id, &read, &new))?, "step {number}");
        assert_eq!(found()?.as_ref(), Some(&new), "step {number}");
        read = new;
    }
    Ok(())
}

pub fn an_account_may_begin_verified(store: &dyn Store) -> Outcome {
    let verified_at = Some(at(-5) + TimeDelta::nanoseconds(999));
    let new = NewUser { verified_at, ..newcomer("ada@example.com") };
    let user = add_user(store, &new)?;
    assert_eq!(user.email_verified_at, Some(at(-5)));
    assert_eq!(store.read(|tx| tx.users().find(user.id))?, Some(user));
    Ok(())
}
