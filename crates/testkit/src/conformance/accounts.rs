//! Conformance of stores: listing and disabling accounts.

use super::prelude::*;

pub fn accounts_are_listed_by_number_page_by_page(store: &dyn Store) -> Outcome {
    assert_eq!(list(store, None, 10)?, []);
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(register(store, &format!("n{number}@example.com"))?.id);
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = list(store, after, 2)?;
        assert!(page.len() <= 2 && page.is_sorted());
        let Some(last) = page.last() else { break };
        after = Some(*last);
        listed.extend(page);
    }
    assert_eq!(listed, made);
    assert_eq!(list(store, made.get(1).copied(), 100)?.as_slice(), made.get(2..).unwrap_or_default());
    assert_eq!(list(store, Some(UserId::new(i64::MAX)), 100)?, []);
    assert_eq!(list(store, Some(UserId::new(i64::MIN)), 0)?, []);
    let whole = store.read(|tx| tx.users().list(None, 1))?;
    let found = made.first().map(|id| store.read(|tx| tx.users().find(*id)));
    let whole = whole.into_iter().next().transpose()?;
    assert_eq!(whole, found.transpose()?.flatten(), "every stored field is returned");
    Ok(())
}

pub fn an_account_is_switched_off_and_on_once(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    add_token(store, &ada, jti(1))?;
    assert!(!set_active(store, ada.id, true)?, "it is on already");
    assert!(set_active(store, ada.id, false)?);
    assert!(!set_active(store, ada.id, false)?);
    let found = store.read(|tx| tx.refresh_tokens().find(jti(1)))?;
    assert_eq!(found.map(|found| found.account_active), Some(false));
    assert_eq!(store.read(|tx| tx.users().find(ada.id))?.map(|user| user.is_active), Some(false));
    assert_eq!(store.read(|tx| tx.users().find(bob.id))?, Some(bob), "another's account is left alone");
    assert!(set_active(store, ada.id, true)?);
    assert_eq!(store.read(|tx| tx.users().find(ada.id))?, Some(ada));
    assert!(!set_active(store, UserId::new(i64::MAX), false)?, "nobody is switched off");
    Ok(())
}

pub fn account_admits_its_current_password_while_active(store: &dyn Store) -> Outcome {
    let ada = register(store, "ada@example.com")?;
    let admits = |text: &str| store.write(|tx| tx.credentials().still_current(ada.id, &credentials(text)));
    assert!(admits("$2b$12$first")? && !admits("$2b$12$second")?);
    store.write(|tx| tx.credentials().replace(ada.id, &first_credentials(), &credentials("$2b$12$second")))?;
    assert!(!admits("$2b$12$first")? && admits("$2b$12$second")?);
    store.write(|tx| tx.users().set_active(ada.id, false))?;
    assert!(!admits("$2b$12$second")?);
    assert!(!store.write(|tx| tx.credentials().still_current(UserId::new(i64::MAX), &first_credentials()))?);
    Ok(())
}

pub fn a_sample_of_passwords_covers_all_ids_and_is_bounded(store: &dyn Store) -> Outcome {
    let sample = |ranges, each| store.read(|tx| tx.users().sample_passwords(ranges, each));
    assert_eq!(sample(4, 4)?, []);
    let mut hashes = Vec::new();
    for number in 0..12 {
        let user = register(store, &format!("n{number}@example.com"))?;
        let own = hash(&format!("$2b$12${number:02}"));
        let new = Credentials::from_hash(own.clone());
        store.write(|tx| tx.credentials().replace(user.id, &first_credentials(), &new))?;
        hashes.push(own);
    }
    for (ranges, each) in [(1, 12), (1, 100), (3, 4), (5, 5), (12, 1), (100, 100)] {
        let mut all = sample(ranges, each)?;
        all.sort_by(|one, other| one.expose().cmp(other.expose()));
        assert_eq!(all, hashes, "{ranges} {each}: each account once");
    }
    for (ranges, each) in [(1, 1), (2, 3), (12, 0), (0, 12), (u32::MAX, 0)] {
        let most = usize::try_from(ranges.saturating_mul(each)).unwrap_or(usize::MAX);
        assert_eq!(sample(ranges, each)?.len(), most.min(12), "{ranges} {each}");
    }
    Ok(())
}

fn list(store: &dyn Store, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>, StoreError> {
    let listed = store.read(|tx| tx.users().list(after, limit))?;
    listed.into_iter().map(|user| Ok(user?.id)).collect()
}

fn set_active(store: &dyn Store, id: UserId, is_active: bool) -> Result<bool, StoreError> {
    store.write(|tx| tx.users().set_active(id, is_active))
}
