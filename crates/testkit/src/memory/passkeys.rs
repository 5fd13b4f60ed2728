//! Passkeys and used challenges in memory.

use super::Transaction;
use super::factors::remove_some;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::mfa::FactorName;
use portcullis_domain::passkeys::{AuthenticatorFlags, ChallengeDigest, CredentialId, Passkey, PasskeyId, UserHandle};
use portcullis_domain::registration::UserId;
use portcullis_ports::{PasskeyRepository, StoreError};
use std::collections::BTreeMap;

/// Passkeys and user handles of all accounts, and the expiry of used challenges.
#[derive(Debug, Default, Clone)]
pub(super) struct Passkeys {
    /// In insertion order.
    rows: Vec<Passkey>,
    handles: BTreeMap<UserId, UserHandle>,
    challenges: BTreeMap<ChallengeDigest, DateTime<Utc>>,
}

impl Passkeys {
    pub(super) fn has_second_factor(&self, user_id: UserId) -> bool {
        self.rows.iter().any(|passkey| passkey.user_id == user_id && passkey.second_factor)
    }

    pub(super) fn is_empty(&self, user_id: UserId) -> bool {
        self.rows.iter().all(|passkey| passkey.user_id != user_id)
    }

    /// Removes up to `limit` passkeys of an account. Returns their number.
    pub(super) fn remove_owned(&mut self, user_id: UserId, limit: usize) -> usize {
        self.rows.extract_if(.., |passkey| passkey.user_id == user_id).take(limit).count()
    }

    pub(super) fn remove_handle(&mut self, user_id: UserId) {
        self.handles.remove(&user_id);
    }

    fn own(&mut self, user_id: UserId, id: &PasskeyId) -> Option<&mut Passkey> {
        self.rows.iter_mut().find(|passkey| passkey.user_id == user_id && passkey.id == *id)
    }
}

impl PasskeyRepository for Transaction {
    fn handle(&mut self, user_id: UserId) -> Result<Option<UserHandle>, StoreError> {
        Ok(self.state.passkeys.handles.get(&user_id).copied())
    }

    fn set_handle(&mut self, user_id: UserId, handle: &UserHandle) -> Result<bool, StoreError> {
        let state = self.writable()?;
        let handles = &mut state.passkeys.handles;
        if handles.contains_key(&user_id) || !state.users.contains_key(&user_id) {
            return Ok(false);
        }
        if handles.values().any(|other| other == handle) {
            return Err(self.refuse("another account has that user handle"));
        }
        handles.insert(user_id, *handle);
        Ok(true)
    }

    fn list(&mut self, user_id: UserId) -> Result<Vec<Passkey>, StoreError> {
        Ok(self.state.passkeys.rows.iter().filter(|passkey| passkey.user_id == user_id).cloned().collect())
    }

    fn find(&mut self, id: &CredentialId) -> Result<Option<Passkey>, StoreError> {
        Ok(self.state.passkeys.rows.iter().find(|passkey| passkey.credential_id == *id).cloned())
    }

    fn insert(&mut self, passkey: &Passkey) -> Result<bool, StoreError> {
        let rows = &mut self.state_of(passkey.user_id)?.passkeys.rows;
        if rows.iter().any(|other| other.credential_id == passkey.credential_id) {
            return Ok(false);
        }
        if rows.iter().any(|other| other.id == passkey.id) {
            return Err(self.refuse("there is a passkey with that id"));
        }
        let (created_at, last_used_at) = (passkey.created_at.trunc_subsecs(6), passkey.last_used_at);
        let last_used_at = last_used_at.map(|time| time.trunc_subsecs(6));
        rows.push(Passkey { created_at, last_used_at, ..passkey.clone() });
        Ok(true)
    }

    fn record_use(
        &mut self,
        id: &PasskeyId,
        counter: u32,
        flags: AuthenticatorFlags,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let grows = |passkey: &Passkey| passkey.counter < counter || (passkey.counter, counter) == (0, 0);
        let rows = &mut self.writable()?.passkeys.rows;
        let passkey = rows.iter_mut().find(|passkey| passkey.id == *id && grows(passkey));
        let at = Some(at.trunc_subsecs(6));
        Ok(passkey
            .map(|passkey| (passkey.counter, passkey.flags, passkey.last_used_at) = (counter, flags, at))
            .is_some())
    }

    fn rename(&mut self, user_id: UserId, id: &PasskeyId, name: &FactorName) -> Result<bool, StoreError> {
        let passkey = self.writable()?.passkeys.own(user_id, id);
        Ok(passkey.map(|passkey| passkey.name = name.clone()).is_some())
    }

    fn remove(&mut self, user_id: UserId, id: &PasskeyId) -> Result<Option<Passkey>, StoreError> {
        let own = |passkey: &mut Passkey| passkey.user_id == user_id && passkey.id == *id;
        Ok(self.writable()?.passkeys.rows.extract_if(.., own).next())
    }

    fn remove_all(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let removed = self.writable()?.passkeys.remove_owned(user_id, usize::MAX);
        Ok(u32::try_from(removed).unwrap_or(u32::MAX))
    }

    fn remove_kind(&mut self, user_id: UserId, second_factor: bool) -> Result<u32, StoreError> {
        let dead = |passkey: &mut Passkey| passkey.user_id == user_id && passkey.second_factor == second_factor;
        let removed = self.writable()?.passkeys.rows.extract_if(.., dead).count();
        Ok(u32::try_from(removed).unwrap_or(u32::MAX))
    }

    fn use_challenge(&mut self, digest: &ChallengeDigest, expires_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let challenges = &mut self.writable()?.passkeys.challenges;
        let is_new = !challenges.contains_key(digest);
        challenges.entry(*digest).or_insert(expires_at.trunc_subsecs(6));
        Ok(is_new)
    }

    fn purge_challenges(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let removed = remove_some(&mut self.writable()?.passkeys.challenges, limit, |until| *until <= cutoff);
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }
}
