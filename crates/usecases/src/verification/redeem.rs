//! Validates one-time tokens and redeems each once, by compare-and-set.

use super::OneTimeTokens;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::User;
use portcullis_domain::verification::{OneTimeToken, OneTimeTokenRecord, Purpose};
use portcullis_ports::{StoreError, Tx};

/// Reason why a token is refused.
#[derive(Debug)]
pub(crate) enum RedeemError {
    /// Unknown, used, replaced or revoked, issued for another purpose, or for an account that has
    /// changed since.
    Invalid,
    /// Expired.
    Expired,
    /// The store failed, so the token was not judged.
    Failed(StoreError),
}

impl From<StoreError> for RedeemError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Lets `?` convert a [`RedeemError`] to the error of a use case.
macro_rules! from_redeem_error {
    ($error:ty) => {
        impl From<crate::verification::RedeemError> for $error {
            fn from(error: crate::verification::RedeemError) -> Self {
                match error {
                    crate::verification::RedeemError::Invalid => Self::Invalid,
                    crate::verification::RedeemError::Expired => Self::Expired,
                    crate::verification::RedeemError::Failed(error) => error.into(),
                }
            }
        }
    };
}
pub(crate) use from_redeem_error;

impl OneTimeTokens {
    /// Finds a valid token and its account. Changes nothing.
    pub(crate) fn find_valid(
        &self,
        token: &OneTimeToken,
        now: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<(OneTimeTokenRecord, User), RedeemError> {
        let record = tx.one_time_tokens().find(self.digest(token))?.ok_or(RedeemError::Invalid)?;
        self.validate(record, now, tx)
    }

    /// Redeems a token. Locks its account until the transaction ends, so that no other transaction
    /// changes its password or email, or begins a session.
    pub(crate) fn redeem(
        &self,
        token: &OneTimeToken,
        now: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<(OneTimeTokenRecord, User), RedeemError> {
        let digest = self.digest(token);
        let found = tx.one_time_tokens().find(digest)?.ok_or(RedeemError::Invalid)?;
        tx.sessions().lock_account(found.user_id)?;
        // Read the record again: a transaction that held the lock may have bound the token to another
        // hash.
        let record = tx.one_time_tokens().find(digest)?.ok_or(RedeemError::Invalid)?;
        let worth = self.validate(record, now, tx)?;
        if tx.one_time_tokens().consume(digest)? { Ok(worth) } else { Err(RedeemError::Invalid) }
    }

    fn validate(
        &self,
        record: OneTimeTokenRecord,
        now: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<(OneTimeTokenRecord, User), RedeemError> {
        let user = tx.users().find(record.user_id)?.ok_or(RedeemError::Invalid)?;
        if record.is_valid_for(&user, &self.version(&user.password), now) {
            return Ok((record, user));
        }
        Err(if now < record.expires_at { RedeemError::Invalid } else { RedeemError::Expired })
    }
}

impl RedeemError {
    /// Refuses a token for any other purpose.
    pub(crate) fn require_purpose(
        (record, user): (OneTimeTokenRecord, User),
        wanted: impl FnOnce(Purpose) -> bool,
    ) -> Result<(OneTimeTokenRecord, User), Self> {
        if wanted(record.purpose) { Ok((record, user)) } else { Err(Self::Invalid) }
    }
}
