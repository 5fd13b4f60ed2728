//! What a token says. Signing and reading the signed form are left to an adapter.

use super::Jti;
use crate::registration::UserId;
use crate::sessions::SessionId;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// How far ahead of the clock a token's `iat` may lie: replicas' clocks differ.
pub const MAX_IAT_SKEW: TimeDelta = TimeDelta::seconds(60);

/// The claims of an access token. Times are whole seconds in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// Whose token it is (`sub`).
    pub user_id: UserId,
    /// Its identifier.
    pub jti: Jti,
    /// The session it belongs to (`sid`); none in a token of a program that knows no sessions.
    pub session_id: Option<SessionId>,
    /// When it was made (`iat`).
    pub issued_at: DateTime<Utc>,
    /// From when on it is worth nothing (`exp`; RFC 7519 §4.1.4: `exp` = now is expired).
    pub expires_at: DateTime<Utc>,
}

/// The claims of a refresh token. A type of its own, so that neither passes for the other
/// (RFC 8725 §3.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshClaims {
    /// Whose token it is (`sub`).
    pub user_id: UserId,
    /// Its identifier, by which the store knows it.
    pub jti: Jti,
    /// The session it belongs to (`sid`); none in a token of a program that knows no sessions.
    pub session_id: Option<SessionId>,
    /// When it was made (`iat`).
    pub issued_at: DateTime<Utc>,
    /// From when on it is worth nothing (`exp`).
    pub expires_at: DateTime<Utc>,
}

impl RefreshClaims {
    /// The session it belongs to, as far as the token can say: the one that bears its own
    /// identifier where it names none.
    #[must_use]
    pub fn session_id_or_legacy(&self) -> SessionId {
        self.session_id.unwrap_or_else(|| SessionId::for_legacy_token(self.jti))
    }
}

/// The claims of a token whose signature is good: of one kind or the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claims {
    /// `"type":"access"`.
    Access(AccessClaims),
    /// `"type":"refresh"`.
    Refresh(RefreshClaims),
}

/// Why a token with a good signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejection {
    /// Past its `exp`.
    #[error("the token has expired")]
    Expired,
    /// Of the other kind.
    #[error("the token is of another kind")]
    WrongKind,
}

impl Claims {
    /// The claims, if they are an access token's and not expired at `now`.
    ///
    /// # Errors
    /// [`TokenRejection`]; expiry is told before the kind.
    pub fn into_access(self, now: DateTime<Utc>) -> Result<AccessClaims, TokenRejection> {
        match self.unexpired(now)? {
            Self::Access(claims) => Ok(claims),
            Self::Refresh(_) => Err(TokenRejection::WrongKind),
        }
    }

    /// The claims, if they are a refresh token's and not expired at `now`.
    ///
    /// # Errors
    /// [`TokenRejection`]; expiry is told before the kind.
    pub fn into_refresh(self, now: DateTime<Utc>) -> Result<RefreshClaims, TokenRejection> {
        self.unexpired(now)?.into_refresh_ignoring_expiry()
    }

    /// The claims, if they are a refresh token's, expired or not: a logout is never too late.
    ///
    /// # Errors
    /// [`TokenRejection::WrongKind`].
    pub fn into_refresh_ignoring_expiry(self) -> Result<RefreshClaims, TokenRejection> {
        match self {
            Self::Refresh(claims) => Ok(claims),
            Self::Access(_) => Err(TokenRejection::WrongKind),
        }
    }

    fn unexpired(self, now: DateTime<Utc>) -> Result<Self, TokenRejection> {
        let expires_at = match &self {
            Self::Access(claims) => claims.expires_at,
            Self::Refresh(claims) => claims.expires_at,
        };
        if expires_at <= now { Err(TokenRejection::Expired) } else { Ok(self) }
    }
}

/// How long new tokens live.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::{registration::UserId, tokens::{Jti, TokenLifetimes}};
/// let lifetimes = TokenLifetimes::default();
/// let claims = lifetimes.access(UserId::new(1), Jti::from_random([1; 16]), DateTime::UNIX_EPOCH);
/// assert_eq!(claims.expires_at - claims.issued_at, TimeDelta::minutes(15));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenLifetimes {
    /// Of an access token; 15 minutes by default.
    pub access: TimeDelta,
    /// Of a refresh token; 7 days by default.
    pub refresh: TimeDelta,
}

impl Default for TokenLifetimes {
    fn default() -> Self {
        Self { access: TimeDelta::minutes(15), refresh: TimeDelta::days(7) }
    }
}

impl TokenLifetimes {
    /// The claims of an access token made at `now`, of no session yet.
    #[must_use]
    pub fn access(&self, user_id: UserId, jti: Jti, now: DateTime<Utc>) -> AccessClaims {
        let issued_at = now.trunc_subsecs(0);
        AccessClaims { user_id, jti, session_id: None, issued_at, expires_at: issued_at + self.access }
    }

    /// The claims of a refresh token made at `now`, of no session yet.
    #[must_use]
    pub fn refresh(&self, user_id: UserId, jti: Jti, now: DateTime<Utc>) -> RefreshClaims {
        let issued_at = now.trunc_subsecs(0);
        RefreshClaims { user_id, jti, session_id: None, issued_at, expires_at: issued_at + self.refresh }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn refresh_until(seconds: i64) -> Claims {
        let jti = Jti::from_random([1; 16]);
        Claims::Refresh(TokenLifetimes { refresh: TimeDelta::seconds(seconds), ..TokenLifetimes::default() }.refresh(
            UserId::new(1),
            jti,
            at(0),
        ))
    }

    #[test]
    fn exp_has_no_leeway() {
        assert!(refresh_until(10).into_refresh(at(9)).is_ok());
        assert_eq!(refresh_until(10).into_refresh(at(10)), Err(TokenRejection::Expired));
        assert!(refresh_until(10).into_refresh_ignoring_expiry().is_ok());
    }

    #[test]
    fn no_kind_passes_for_the_other() {
        assert_eq!(refresh_until(10).into_access(at(1)), Err(TokenRejection::WrongKind));
        assert_eq!(refresh_until(10).into_access(at(10)), Err(TokenRejection::Expired));
    }

    proptest! {
        #[test]
        fn new_claims_are_whole_seconds_and_live(nanos in 0_i64..2_000_000_000_000_000_000) {
            let now = DateTime::from_timestamp_nanos(nanos);
            let claims = TokenLifetimes::default().refresh(UserId::new(1), Jti::from_random([1; 16]), now);
            prop_assert_eq!(claims.expires_at.timestamp_subsec_nanos(), 0);
            prop_assert!(claims.issued_at <= now && now < claims.expires_at);
        }
    }
}
