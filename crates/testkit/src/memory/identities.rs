//! Identities in memory.

use super::Transaction;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::providers::{Identity, IdentityId, IdentityKey};
use portcullis_domain::registration::UserId;
use portcullis_ports::{IdentityRepository, StoreError};

/// Identities of all accounts, in insertion order.
#[derive(Debug, Default, Clone)]
pub(super) struct Identities(Vec<Identity>);

impl Identities {
    pub(super) fn is_empty(&self, user_id: UserId) -> bool {
        self.0.iter().all(|identity| identity.user_id != user_id)
    }

    /// Removes up to `limit` rows of an account. Returns their number.
    pub(super) fn remove_owned(&mut self, user_id: UserId, limit: usize) -> usize {
        self.0.extract_if(.., |identity| identity.user_id == user_id).take(limit).count()
    }
}

impl IdentityRepository for Transaction {
    fn find(&mut self, key: &IdentityKey) -> Result<Option<Identity>, StoreError> {
        Ok(self.state.identities.0.iter().find(|identity| identity.key == *key).cloned())
    }

    fn list(&mut self, user_id: UserId) -> Result<Vec<Identity>, StoreError> {
        Ok(self.state.identities.0.iter().filter(|identity| identity.user_id == user_id).cloned().collect())
    }

    fn insert(&mut self, identity: &Identity) -> Result<bool, StoreError> {
        let identities = &mut self.state_of(identity.user_id)?.identities.0;
        if identities.iter().any(|other| other.key == identity.key) {
            return Ok(false);
        }
        if identities.iter().any(|other| other.id == identity.id) {
            return Err(self.refuse("there is an identity with that id"));
        }
        let (created_at, last_used_at) = (identity.created_at.trunc_subsecs(6), identity.last_used_at);
        let last_used_at = last_used_at.map(|time| time.trunc_subsecs(6));
        identities.push(Identity { created_at, last_used_at, ..identity.clone() });
        Ok(true)
    }

    fn record_use(&mut self, id: &IdentityId, email: Option<&str>, at: DateTime<Utc>) -> Result<(), StoreError> {
        let identities = &mut self.writable()?.identities.0;
        if let Some(identity) = identities.iter_mut().find(|identity| identity.id == *id) {
            identity.email = email.map(str::to_owned);
            identity.last_used_at = Some(at.trunc_subsecs(6));
        }
        Ok(())
    }

    fn remove(&mut self, user_id: UserId, id: &IdentityId) -> Result<Option<Identity>, StoreError> {
        let own = |identity: &mut Identity| identity.user_id == user_id && identity.id == *id;
        Ok(self.writable()?.identities.0.extract_if(.., own).next())
    }

    fn remove_all(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let removed = self.writable()?.identities.remove_owned(user_id, usize::MAX);
        Ok(u32::try_from(removed).unwrap_or(u32::MAX))
    }
}
