//! Stored refresh tokens and their state transitions.

use super::Jti;
use crate::registration::UserId;
use crate::sessions::SessionId;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use std::fmt;

/// Digest of an `Idempotency-Key`, stored instead of the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKeyDigest(pub [u8; 32]);

impl fmt::Debug for IdempotencyKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKeyDigest(…)")
    }
}

/// Record of the exchange that spent a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendRecord {
    /// Time, in UTC.
    pub at: DateTime<Utc>,
    /// Digest of the `Idempotency-Key`, if the client sent one.
    pub key: Option<IdempotencyKeyDigest>,
    /// Token that it was exchanged for.
    pub successor: Jti,
}

/// State of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshState {
    /// Can be exchanged once.
    Live,
    /// Exchanged for its successor.
    Spent(SpendRecord),
    /// Revoked, or spent without a record.
    Revoked,
}

/// Refresh token as stored.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::{registration::UserId, tokens::*};
/// let now = DateTime::UNIX_EPOCH;
/// let first = RefreshToken::new(Jti::from_random([1; 16]), UserId::new(1), now, TimeDelta::days(7));
/// let spending = SpendRecord { at: now, key: None, successor: Jti::from_random([2; 16]) };
/// let spent = first.spend(spending.clone())?;
/// assert_eq!(spent.spend(spending), Err(SpendError::Spent));
/// # Ok::<(), SpendError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// Id.
    pub jti: Jti,
    /// Account.
    pub user_id: UserId,
    /// Session; `None` for an adopted token, issued by an application without sessions, until its first
    /// exchange.
    pub session_id: Option<SessionId>,
    /// Time of issue, in UTC.
    pub created_at: DateTime<Utc>,
    /// Expiry time in UTC. The token is invalid from this moment on.
    pub expires_at: DateTime<Utc>,
    /// Current state.
    pub state: RefreshState,
}

/// Reason why a token cannot be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpendError {
    /// Already spent.
    #[error("the token was already spent")]
    Spent,
    /// Revoked.
    #[error("the token was revoked")]
    Revoked,
    /// Expired.
    #[error("the token has expired")]
    Expired,
}

impl RefreshToken {
    /// Creates a live token without a session. It expires `lifetime` after `now`, which is rounded down
    /// to whole seconds.
    #[must_use]
    pub fn new(jti: Jti, user_id: UserId, now: DateTime<Utc>, lifetime: TimeDelta) -> Self {
        let expires_at = now.trunc_subsecs(0) + lifetime;
        Self { jti, user_id, session_id: None, created_at: now, expires_at, state: RefreshState::Live }
    }

    /// Returns the session id. For an adopted token without a session it is derived from the token's
    /// id.
    #[must_use]
    pub fn session_id_or_legacy(&self) -> SessionId {
        self.session_id.unwrap_or_else(|| SessionId::for_legacy_token(self.jti))
    }

    /// Assigns the token to a session.
    #[must_use]
    pub fn with_session(self, id: SessionId) -> Self {
        Self { session_id: Some(id), ..self }
    }

    /// Returns a copy of the token that is marked as spent.
    ///
    /// # Errors
    /// Returns [`SpendError`] if the token is not live, or has expired at the time of the spend record.
    pub fn spend(&self, spend_record: SpendRecord) -> Result<Self, SpendError> {
        match self.state {
            RefreshState::Spent(_) => Err(SpendError::Spent),
            RefreshState::Revoked => Err(SpendError::Revoked),
            RefreshState::Live if self.expires_at <= spend_record.at => Err(SpendError::Expired),
            RefreshState::Live => Ok(Self { state: RefreshState::Spent(spend_record), ..self.clone() }),
        }
    }

    /// Returns a copy of the token that is marked as revoked. A spent token stays spent.
    #[must_use]
    pub fn revoke(&self) -> Self {
        match self.state {
            RefreshState::Live => Self { state: RefreshState::Revoked, ..self.clone() },
            RefreshState::Spent(_) | RefreshState::Revoked => self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> RefreshToken {
        RefreshToken::new(Jti::from_random([1; 16]), UserId::new(1), DateTime::UNIX_EPOCH, TimeDelta::seconds(10))
    }

    fn spend_record(seconds: i64) -> SpendRecord {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        SpendRecord { at, key: None, successor: Jti::from_random([2; 16]) }
    }

    #[test]
    fn a_token_is_spent_once_and_in_its_time() {
        let spent = token().spend(spend_record(9)).unwrap();
        assert_eq!(spent.spend(spend_record(9)), Err(SpendError::Spent));
        assert_eq!(token().spend(spend_record(10)), Err(SpendError::Expired));
        assert_eq!(token().revoke().spend(spend_record(1)), Err(SpendError::Revoked));
    }

    #[test]
    fn revoking_forgets_no_spending() {
        let spent = token().spend(spend_record(9)).unwrap();
        assert_eq!(spent.revoke(), spent);
    }
}
