//! A refresh token in the store, as states whose transitions can refuse.

use super::Jti;
use crate::registration::UserId;
use crate::sessions::SessionId;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use std::fmt;

/// The digest of an `Idempotency-Key`: what is stored in the key's stead, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKeyDigest(pub [u8; 32]);

impl fmt::Debug for IdempotencyKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(…)")
    }
}

/// How a token was spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendRecord {
    /// When, in UTC.
    pub at: DateTime<Utc>,
    /// With which key, if any.
    pub key: Option<IdempotencyKeyDigest>,
    /// The token it was exchanged for.
    pub successor: Jti,
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshState {
    /// It can be exchanged, once.
    Live,
    /// It was exchanged.
    Spent(SpendRecord),
    /// It was revoked, or spent in a way that nobody recorded.
    Revoked,
}

/// A refresh token as the store knows it.
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
    /// Its identifier.
    pub jti: Jti,
    /// Whose it is.
    pub user_id: UserId,
    /// The session it belongs to; none until a token that was stored by a program which knows no
    /// sessions is exchanged.
    pub session_id: Option<SessionId>,
    /// When it was made, in UTC.
    pub created_at: DateTime<Utc>,
    /// From when on it is worth nothing, in UTC.
    pub expires_at: DateTime<Utc>,
    /// What became of it.
    pub state: RefreshState,
}

/// Why a token could not be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpendError {
    /// It already was.
    #[error("the token was already spent")]
    Spent,
    /// It was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// Its time had passed.
    #[error("the token has expired")]
    Expired,
}

impl RefreshToken {
    /// A new live token of no session that expires `lifetime` after `now`, in whole seconds.
    #[must_use]
    pub fn new(jti: Jti, user_id: UserId, now: DateTime<Utc>, lifetime: TimeDelta) -> Self {
        let expires_at = now.trunc_subsecs(0) + lifetime;
        Self { jti, user_id, session_id: None, created_at: now, expires_at, state: RefreshState::Live }
    }

    /// The session it belongs to, or will: the one that bears its own identifier where it was
    /// stored without.
    #[must_use]
    pub fn session_id_or_legacy(&self) -> SessionId {
        self.session_id.unwrap_or_else(|| SessionId::for_legacy_token(self.jti))
    }

    /// The token in a session.
    #[must_use]
    pub fn with_session(self, id: SessionId) -> Self {
        Self { session_id: Some(id), ..self }
    }

    /// Exchanges the token for its successor.
    ///
    /// # Errors
    /// [`SpendError`], when it is not live or has expired at the time of the spending.
    pub fn spend(&self, spend_record: SpendRecord) -> Result<Self, SpendError> {
        match self.state {
            RefreshState::Spent(_) => Err(SpendError::Spent),
            RefreshState::Revoked => Err(SpendError::Revoked),
            RefreshState::Live if self.expires_at <= spend_record.at => Err(SpendError::Expired),
            RefreshState::Live => Ok(Self { state: RefreshState::Spent(spend_record), ..self.clone() }),
        }
    }

    /// Revokes the token if it is live; otherwise nothing changes.
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
