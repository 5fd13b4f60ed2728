//! Claims of tokens and their lifetimes.

use super::Jti;
use crate::login::{Authentication, Methods};
use crate::registration::UserId;
use crate::sessions::SessionId;
use crate::verification::PasswordVersion;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Maximum time a token's `iat` may be in the future, to allow for clock skew between replicas.
pub const MAX_IAT_SKEW: TimeDelta = TimeDelta::seconds(60);

/// Claims that all tokens of a session carry, copied from the presented token at each refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CarriedClaims {
    /// Authentication of the session (`amr`, `auth_time`); `None` if the tokens do not carry it.
    pub authentication: Option<Authentication>,
    /// True if a browser must forget the tokens when it closes (`"remember":false`).
    pub forget: bool,
}

/// Claims of an access token. Times are in UTC, in whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// Account (`sub`).
    pub user_id: UserId,
    /// Id (`jti`).
    pub jti: Jti,
    /// Session (`sid`); `None` for an adopted token, issued by an application without sessions.
    pub session_id: Option<SessionId>,
    /// Claims copied from token to token.
    pub carried: CarriedClaims,
    /// Time of issue (`iat`).
    pub issued_at: DateTime<Utc>,
    /// Expiry time (`exp`). The token is invalid from this moment on (RFC 7519 §4.1.4).
    pub expires_at: DateTime<Utc>,
}

/// Claims of a refresh token. A separate type, so that one kind of token cannot be used as the other
/// (RFC 8725 §3.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshClaims {
    /// Account (`sub`).
    pub user_id: UserId,
    /// Id (`jti`), which is also the key in the store.
    pub jti: Jti,
    /// Session (`sid`); `None` for an adopted token, issued by an application without sessions.
    pub session_id: Option<SessionId>,
    /// Claims copied from token to token.
    pub carried: CarriedClaims,
    /// Time of issue (`iat`).
    pub issued_at: DateTime<Utc>,
    /// Expiry time (`exp`). The token is invalid from this moment on.
    pub expires_at: DateTime<Utc>,
}

impl RefreshClaims {
    /// Returns the session id. For an adopted token it is derived from the token's id.
    #[must_use]
    pub fn session_id_or_legacy(&self) -> SessionId {
        self.session_id.unwrap_or_else(|| SessionId::for_legacy_token(self.jti))
    }
}

/// Purpose of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengePurpose {
    /// To complete a login with the second factor.
    SecondFactor,
    /// To set up a second factor, and so complete a login.
    Enrolment,
}

impl ChallengePurpose {
    /// All purposes.
    pub const ALL: [Self; 2] = [Self::SecondFactor, Self::Enrolment];

    /// Returns the name in the token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "verify",
            Self::Enrolment => "enrol",
        }
    }

    /// Returns the lifetime of the token: 5 minutes for the second factor, 10 minutes for an enrolment.
    #[must_use]
    pub const fn lifetime(self) -> TimeDelta {
        match self {
            Self::SecondFactor => TimeDelta::minutes(5),
            Self::Enrolment => TimeDelta::minutes(10),
        }
    }
}

/// Claims of the token between two factors (`mfa_token`). It proves that the first one was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeClaims {
    /// Account (`sub`).
    pub user_id: UserId,
    /// Only session that the token may begin (`sid`).
    pub session_id: SessionId,
    /// Purpose of the token (`use`).
    pub purpose: ChallengePurpose,
    /// Methods of the first factor (`amr`); the password, if the token does not say.
    pub first: Methods,
    /// True if a browser must forget the tokens of the session when it closes (`"remember":false`).
    pub forget: bool,
    /// Version of the password (`pwv`). A new password makes the token invalid.
    pub password: PasswordVersion,
    /// Time of issue (`iat`).
    pub issued_at: DateTime<Utc>,
    /// Expiry time (`exp`). The token is invalid from this moment on.
    pub expires_at: DateTime<Utc>,
}

impl ChallengeClaims {
    /// Creates the claims of a token issued at `now`.
    #[must_use]
    pub fn new(
        user_id: UserId,
        session_id: SessionId,
        purpose: ChallengePurpose,
        (first, password): (Methods, PasswordVersion),
        now: DateTime<Utc>,
    ) -> Self {
        let issued_at = now.trunc_subsecs(0);
        let forget = false;
        Self {
            user_id,
            session_id,
            purpose,
            first,
            forget,
            password,
            issued_at,
            expires_at: issued_at + purpose.lifetime(),
        }
    }
}

/// Claims of a token with a valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claims {
    /// Claims with `"type":"access"`.
    Access(AccessClaims),
    /// Claims with `"type":"refresh"`.
    Refresh(RefreshClaims),
    /// Claims with `"type":"mfa"`.
    Challenge(ChallengeClaims),
}

/// Reason why a token with a valid signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejection {
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is of another kind, or for another purpose.
    #[error("the token is of another kind")]
    WrongKind,
}

impl Claims {
    /// Returns the claims of an access token that has not expired at `now`.
    ///
    /// # Errors
    /// Returns [`TokenRejection`] if the token has expired or is of another kind. Checks expiry first.
    pub fn into_access(self, now: DateTime<Utc>) -> Result<AccessClaims, TokenRejection> {
        match self.unexpired(now)? {
            Self::Access(claims) => Ok(claims),
            Self::Refresh(_) | Self::Challenge(_) => Err(TokenRejection::WrongKind),
        }
    }

    /// Returns the claims of a refresh token that has not expired at `now`.
    ///
    /// # Errors
    /// Returns [`TokenRejection`] if the token has expired or is of another kind. Checks expiry first.
    pub fn into_refresh(self, now: DateTime<Utc>) -> Result<RefreshClaims, TokenRejection> {
        self.unexpired(now)?.into_refresh_ignoring_expiry()
    }

    /// Returns the claims of a refresh token, expired or not. Logout accepts expired tokens.
    ///
    /// # Errors
    /// Returns [`TokenRejection::WrongKind`] for a token of another kind.
    pub fn into_refresh_ignoring_expiry(self) -> Result<RefreshClaims, TokenRejection> {
        match self {
            Self::Refresh(claims) => Ok(claims),
            Self::Access(_) | Self::Challenge(_) => Err(TokenRejection::WrongKind),
        }
    }

    /// Returns the claims of a challenge that has not expired at `now`.
    ///
    /// # Errors
    /// Returns [`TokenRejection`] if the token has expired, is of another kind or for another purpose.
    /// Checks expiry first.
    pub fn into_challenge(
        self,
        purpose: ChallengePurpose,
        now: DateTime<Utc>,
    ) -> Result<ChallengeClaims, TokenRejection> {
        match self.unexpired(now)? {
            Self::Challenge(claims) if claims.purpose == purpose => Ok(claims),
            _ => Err(TokenRejection::WrongKind),
        }
    }

    fn unexpired(self, now: DateTime<Utc>) -> Result<Self, TokenRejection> {
        let expires_at = match &self {
            Self::Access(claims) => claims.expires_at,
            Self::Refresh(claims) => claims.expires_at,
            Self::Challenge(claims) => claims.expires_at,
        };
        if expires_at <= now { Err(TokenRejection::Expired) } else { Ok(self) }
    }
}

/// Lifetimes of new tokens.
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
    /// Lifetime of access tokens. Default: 15 minutes.
    pub access: TimeDelta,
    /// Lifetime of refresh tokens. Default: 7 days.
    pub refresh: TimeDelta,
}

impl Default for TokenLifetimes {
    fn default() -> Self {
        Self { access: TimeDelta::minutes(15), refresh: TimeDelta::days(7) }
    }
}

impl TokenLifetimes {
    /// Creates the claims of an access token issued at `now`, without a session.
    #[must_use]
    pub fn access(&self, user_id: UserId, jti: Jti, now: DateTime<Utc>) -> AccessClaims {
        let issued_at = now.trunc_subsecs(0);
        AccessClaims {
            user_id,
            jti,
            session_id: None,
            carried: CarriedClaims::default(),
            issued_at,
            expires_at: issued_at + self.access,
        }
    }

    /// Creates the claims of a refresh token issued at `now`, without a session.
    #[must_use]
    pub fn refresh(&self, user_id: UserId, jti: Jti, now: DateTime<Utc>) -> RefreshClaims {
        let issued_at = now.trunc_subsecs(0);
        RefreshClaims {
            user_id,
            jti,
            session_id: None,
            carried: CarriedClaims::default(),
            issued_at,
            expires_at: issued_at + self.refresh,
        }
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
