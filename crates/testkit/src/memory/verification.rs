//! One-time tokens in memory.

use super::Transaction;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::verification::{OneTimeTokenRecord, PasswordVersion, Purpose, TokenDigest};
use portcullis_ports::{OneTimeTokenRepository, StoreError};

/// Returns whether the new token replaces the old one.
fn is_in_place_of(old: &OneTimeTokenRecord, new: &OneTimeTokenRecord) -> bool {
    let address = new.purpose != Purpose::UndoEmailChange || old.email.canonical() == new.email.canonical();
    old.user_id == new.user_id && old.purpose == new.purpose && address
}

impl OneTimeTokenRepository for Transaction {
    fn upsert(&mut self, record: &OneTimeTokenRecord) -> Result<(), StoreError> {
        let state = self.writable()?;
        if !state.users.contains_key(&record.user_id) {
            return Err(self.refuse("there is no such account"));
        }
        state.grants.retain(|_, old| !is_in_place_of(old, record));
        if state.grants.contains_key(&record.digest) {
            return Err(self.refuse("there is a token with that digest"));
        }
        let expires_at = record.expires_at.trunc_subsecs(6);
        state.grants.insert(record.digest, OneTimeTokenRecord { expires_at, ..record.clone() });
        Ok(())
    }

    fn extend(&mut self, digest: TokenDigest, expires_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let record = self.writable()?.grants.get_mut(&digest);
        Ok(record.map(|record| record.expires_at = expires_at.trunc_subsecs(6)).is_some())
    }

    fn find(&mut self, digest: TokenDigest) -> Result<Option<OneTimeTokenRecord>, StoreError> {
        Ok(self.state.grants.get(&digest).cloned())
    }

    fn consume(&mut self, digest: TokenDigest) -> Result<bool, StoreError> {
        Ok(self.writable()?.grants.remove(&digest).is_some())
    }

    fn revoke_all(&mut self, user_id: UserId) -> Result<(), StoreError> {
        self.writable()?
            .grants
            .retain(|_, record| record.user_id != user_id || record.purpose.survives_credential_change());
        Ok(())
    }

    fn rebind(&mut self, user_id: UserId, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError> {
        let bound = |record: &&mut OneTimeTokenRecord| record.user_id == user_id && record.password == *old;
        self.writable()?.grants.values_mut().filter(bound).for_each(|record| record.password = *new);
        Ok(())
    }

    fn delete_superseded(&mut self, undo: &OneTimeTokenRecord) -> Result<(), StoreError> {
        let earlier = |record: &OneTimeTokenRecord| {
            record.purpose == Purpose::UndoEmailChange && record.expires_at < undo.expires_at
        };
        self.writable()?.grants.retain(|_, record| record.user_id != undo.user_id || earlier(record));
        Ok(())
    }

    fn delete_for_user(&mut self, user_id: UserId) -> Result<(), StoreError> {
        self.writable()?.grants.retain(|_, record| record.user_id != user_id);
        Ok(())
    }

    fn find_reclaimer(&mut self, email: &EmailAddress, now: DateTime<Utc>) -> Result<Option<UserId>, StoreError> {
        let held = |record: &&OneTimeTokenRecord| {
            let undo = record.purpose == Purpose::UndoEmailChange && now < record.expires_at;
            undo && record.email.canonical() == email.canonical()
        };
        Ok(self.state.grants.values().find(held).map(|record| record.user_id))
    }

    fn purge(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let grants = &mut self.writable()?.grants;
        let dead = grants.values().filter(|record| record.expires_at <= cutoff).map(|record| record.digest);
        let dead: Vec<_> = dead.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        dead.iter().for_each(|digest| drop(grants.remove(digest)));
        Ok(u64::try_from(dead.len()).unwrap_or(u64::MAX))
    }
}
