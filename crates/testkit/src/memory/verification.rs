//! The one-time tokens, in memory.

use super::Transaction;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::verification::{Grant, PasswordVersion, Purpose, TokenDigest};
use portcullis_ports::{OneTimeTokenRepository, StoreError};

/// Whether a token stands where another one would.
fn is_in_place_of(old: &Grant, new: &Grant) -> bool {
    let address = new.purpose != Purpose::UndoEmailChange || old.email.canonical() == new.email.canonical();
    old.user_id == new.user_id && old.purpose == new.purpose && address
}

impl OneTimeTokenRepository for Transaction {
    fn replace(&mut self, grant: &Grant) -> Result<(), StoreError> {
        let state = self.writable()?;
        if !state.users.contains_key(&grant.user_id) {
            return Err(self.refuse("there is no such account"));
        }
        state.grants.retain(|_, old| !is_in_place_of(old, grant));
        if state.grants.contains_key(&grant.digest) {
            return Err(self.refuse("there is a token with that digest"));
        }
        let expires_at = grant.expires_at.trunc_subsecs(6);
        state.grants.insert(grant.digest, Grant { expires_at, ..grant.clone() });
        Ok(())
    }

    fn extend(&mut self, digest: TokenDigest, expires_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let grant = self.writable()?.grants.get_mut(&digest);
        Ok(grant.map(|grant| grant.expires_at = expires_at.trunc_subsecs(6)).is_some())
    }

    fn find(&mut self, digest: TokenDigest) -> Result<Option<Grant>, StoreError> {
        Ok(self.state.grants.get(&digest).cloned())
    }

    fn consume(&mut self, digest: TokenDigest) -> Result<bool, StoreError> {
        Ok(self.writable()?.grants.remove(&digest).is_some())
    }

    fn revoke(&mut self, user_id: UserId) -> Result<(), StoreError> {
        self.writable()?.grants.retain(|_, grant| grant.user_id != user_id || grant.purpose.outlives_changes());
        Ok(())
    }

    fn rebind(&mut self, user_id: UserId, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError> {
        let bound = |grant: &&mut Grant| grant.user_id == user_id && grant.password == *old;
        self.writable()?.grants.values_mut().filter(bound).for_each(|grant| grant.password = *new);
        Ok(())
    }

    fn supersede(&mut self, undo: &Grant) -> Result<(), StoreError> {
        let earlier = |grant: &Grant| grant.purpose == Purpose::UndoEmailChange && grant.expires_at < undo.expires_at;
        self.writable()?.grants.retain(|_, grant| grant.user_id != undo.user_id || earlier(grant));
        Ok(())
    }

    fn forget(&mut self, user_id: UserId) -> Result<(), StoreError> {
        self.writable()?.grants.retain(|_, grant| grant.user_id != user_id);
        Ok(())
    }

    fn holder_of(&mut self, email: &EmailAddress, now: DateTime<Utc>) -> Result<Option<UserId>, StoreError> {
        let held = |grant: &&Grant| {
            let undo = grant.purpose == Purpose::UndoEmailChange && now < grant.expires_at;
            undo && grant.email.canonical() == email.canonical()
        };
        Ok(self.state.grants.values().find(held).map(|grant| grant.user_id))
    }

    fn purge(&mut self, dead_by: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let grants = &mut self.writable()?.grants;
        let dead = grants.values().filter(|grant| grant.expires_at <= dead_by).map(|grant| grant.digest);
        let dead: Vec<_> = dead.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        dead.iter().for_each(|digest| drop(grants.remove(digest)));
        Ok(u64::try_from(dead.len()).unwrap_or(u64::MAX))
    }
}
