//! Validates one-time tokens and redeems each once, by compare-and-set.

use super::OneTimeTokens;
use crate::failure::{Reason, UseCaseError};
use chrono::{DateTime, Utc};
use portcullis_domain::ErrorCode;
use portcullis_domain::login::Owner;
use portcullis_domain::verification::{OneTimeToken, OneTimeTokenRecord, Purpose};
use portcullis_ports::{StoreError, Tx};

/// Reason why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedeemReason {
    /// Unknown, used, replaced or revoked, issued for another purpose, or for an account that has
    /// changed since.
    #[error("Invalid token")]
    Invalid,
    /// Expired.
    #[error("Token has expired")]
    Expired,
}

impl Reason for RedeemReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid => ErrorCode::TokenInvalid,
            Self::Expired => ErrorCode::TokenExpired,
        }
    }
}

/// Error of a step that needs a valid token.
#[derive(Debug)]
pub(crate) enum RedeemError {
    Refused(RedeemReason),
    /// The store failed, so the token was not judged.
    Failed(StoreError),
}

impl From<RedeemReason> for RedeemError {
    fn from(reason: RedeemReason) -> Self {
        Self::Refused(reason)
    }
}

impl From<StoreError> for RedeemError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl<R: Reason + From<RedeemReason>> From<RedeemError> for UseCaseError<R> {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::Refused(reason) => Self::Refused(reason.into()),
            RedeemError::Failed(error) => error.into(),
        }
    }
}

impl OneTimeTokens {
    /// Finds a valid token and its account. Changes nothing.
    pub(crate) fn find_valid(
        &self,
        token: &OneTimeToken,
        now: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<(OneTimeTokenRecord, Owner), RedeemError> {
        let record = self.find(token, tx)?;
        self.validate(record, now, tx)
    }

    fn find(&self, token: &OneTimeToken, tx: &mut dyn Tx) -> Result<OneTimeTokenRecord, RedeemError> {
        for digest in self.digests(token) {
            if let Some(record) = tx.one_time_tokens().find(digest)? {
                return Ok(record);
            }
        }
        Err(RedeemReason::Invalid.into())
    }

    /// Redeems a token. Locks its account until the transaction ends, so that no other transaction
    /// changes its password or email, or begins a session.
    pub(crate) fn redeem(
        &self,
        token: &OneTimeToken,
        now: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<(OneTimeTokenRecord, Owner), RedeemError> {
        let found = self.find(token, tx)?;
        let digest = found.digest;
        tx.sessions().lock_account(found.user_id)?;
        // Read the record again: a transaction that held the lock may have bound the token to another
        // hash.
        let record = tx.one_time_tokens().find(digest)?.ok_or(RedeemReason::Invalid)?;
        let worth = self.validate(record, now, tx)?;
        if tx.one_time_tokens().consume(digest)? { Ok(worth) } else { Err(RedeemReason::Invalid.into()) }
    }

    fn validate(
        &self,
        record: OneTimeTokenRecord,
        now: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<(OneTimeTokenRecord, Owner), RedeemError> {
        let owner = tx.credentials().owner(record.user_id)?.ok_or(RedeemReason::Invalid)?;
        let is_valid = |version| record.is_valid_for(&owner.user, &version, now);
        if self.versions(owner.credentials.hash()).any(is_valid) {
            return Ok((record, owner));
        }
        let reason = if now < record.expires_at { RedeemReason::Invalid } else { RedeemReason::Expired };
        Err(reason.into())
    }
}

impl RedeemError {
    /// Refuses a token for any other purpose.
    pub(crate) fn require_purpose(
        (record, user): (OneTimeTokenRecord, Owner),
        wanted: impl FnOnce(Purpose) -> bool,
    ) -> Result<(OneTimeTokenRecord, Owner), Self> {
        if wanted(record.purpose) { Ok((record, user)) } else { Err(RedeemReason::Invalid.into()) }
    }
}
