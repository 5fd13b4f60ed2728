//! Sign-ins under way in memory.

use super::Transaction;
use super::factors::remove_some;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::providers::{SignInCode, SignInCodeDigest, SignInFlow, StateDigest};
use portcullis_domain::registration::UserId;
use portcullis_ports::{SignInRepository, StoreError};
use std::collections::BTreeMap;

/// Flows, codes, and the expiry of used ID tokens.
#[derive(Debug, Default, Clone)]
pub(super) struct SignIns {
    flows: BTreeMap<StateDigest, SignInFlow>,
    codes: BTreeMap<SignInCodeDigest, SignInCode>,
    id_tokens: BTreeMap<SignInCodeDigest, DateTime<Utc>>,
}

impl SignIns {
    pub(super) fn is_empty(&self, user_id: UserId) -> bool {
        self.codes.values().all(|code| code.user_id != user_id)
    }

    /// Removes up to `limit` rows of an account. Returns their number.
    pub(super) fn remove_owned(&mut self, user_id: UserId, limit: usize) -> usize {
        remove_some(&mut self.codes, limit, |code| code.user_id == user_id)
    }
}

fn rounded(time: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    time.map(|time| time.trunc_subsecs(6))
}

impl SignInRepository for Transaction {
    fn insert_flow(&mut self, flow: &SignInFlow) -> Result<(), StoreError> {
        let (expires_at, spent_at) = (flow.expires_at.trunc_subsecs(6), rounded(flow.spent_at));
        let new = SignInFlow { expires_at, spent_at, ..flow.clone() };
        match self.writable()?.sign_ins.flows.insert(flow.state, new) {
            Some(_) => Err(self.refuse("there is a flow with that state")),
            None => Ok(()),
        }
    }

    fn flow(&mut self, state: &StateDigest) -> Result<Option<SignInFlow>, StoreError> {
        Ok(self.state.sign_ins.flows.get(state).cloned())
    }

    fn spend_flow(&mut self, state: &StateDigest, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let flow = self.writable()?.sign_ins.flows.get_mut(state).filter(|flow| flow.spent_at.is_none());
        Ok(flow.map(|flow| flow.spent_at = rounded(Some(at))).is_some())
    }

    fn insert_code(&mut self, code: &SignInCode) -> Result<(), StoreError> {
        let (expires_at, used_at) = (code.expires_at.trunc_subsecs(6), rounded(code.used_at));
        let new = SignInCode { expires_at, used_at, ..code.clone() };
        match self.state_of(code.user_id)?.sign_ins.codes.insert(code.digest, new) {
            Some(_) => Err(self.refuse("there is a code with that digest")),
            None => Ok(()),
        }
    }

    fn code(&mut self, digest: &SignInCodeDigest) -> Result<Option<SignInCode>, StoreError> {
        Ok(self.state.sign_ins.codes.get(digest).cloned())
    }

    fn use_code(&mut self, digest: &SignInCodeDigest, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let code = self.writable()?.sign_ins.codes.get_mut(digest).filter(|code| code.used_at.is_none());
        Ok(code.map(|code| code.used_at = rounded(Some(at))).is_some())
    }

    fn revoke_codes(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let unused = |code: &SignInCode| code.user_id == user_id && code.used_at.is_none();
        let revoked = remove_some(&mut self.writable()?.sign_ins.codes, usize::MAX, unused);
        Ok(u32::try_from(revoked).unwrap_or(u32::MAX))
    }

    fn use_id_token(&mut self, digest: &SignInCodeDigest, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let id_tokens = &mut self.writable()?.sign_ins.id_tokens;
        let is_new = !id_tokens.contains_key(digest);
        id_tokens.entry(*digest).or_insert(until.trunc_subsecs(6));
        Ok(is_new)
    }

    fn purge_sign_ins(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let sign_ins = &mut self.writable()?.sign_ins;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let flows = remove_some(&mut sign_ins.flows, limit, |flow| flow.expires_at <= cutoff);
        let codes = remove_some(&mut sign_ins.codes, limit - flows, |code| code.expires_at <= cutoff);
        let tokens = remove_some(&mut sign_ins.id_tokens, limit - flows - codes, |until| *until <= cutoff);
        Ok(u64::try_from(flows + codes + tokens).unwrap_or(u64::MAX))
    }
}
