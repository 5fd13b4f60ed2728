//! Makes token pairs. Keeping the refresh token is left to the verb, in its own transaction.

use chrono::{DateTime, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::tokens::{Jti, RefreshToken, TokenLifetimes};
use portcullis_ports::{Entropy, EntropyExt, SigningError, TokenIssuer};
use std::fmt;
use std::sync::Arc;

/// An access token and the refresh token that follows it. Redacted in `Debug`.
pub struct TokenPair {
    /// The signed access token.
    pub access_token: String,
    /// The signed refresh token.
    pub refresh_token: String,
    /// How long the access token lives, in seconds.
    pub expires_in: i64,
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenPair(…)")
    }
}

/// What makes tokens.
pub struct Issuance {
    /// What signs them.
    pub issuer: Arc<dyn TokenIssuer>,
    /// Where their identifiers come from.
    pub entropy: Arc<dyn Entropy>,
    /// How long they live.
    pub lifetimes: TokenLifetimes,
}

impl Issuance {
    /// The first pair of a line: both identifiers are fresh.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn begin(&self, user_id: UserId, now: DateTime<Utc>) -> Result<(RefreshToken, TokenPair), SigningError> {
        self.pair(user_id, self.fresh_jti(), now)
    }

    /// The pair that a refresh token is exchanged for: the access token bears its identifier.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn succeed(
        &self,
        spent: Jti,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<(RefreshToken, TokenPair), SigningError> {
        self.pair(user_id, spent, now)
    }

    fn pair(&self, user_id: UserId, jti: Jti, now: DateTime<Utc>) -> Result<(RefreshToken, TokenPair), SigningError> {
        let access = self.lifetimes.access(user_id, jti, now);
        let refresh = self.lifetimes.refresh(user_id, self.fresh_jti(), now);
        let pair = TokenPair {
            access_token: self.issuer.access(&access)?,
            refresh_token: self.issuer.refresh(&refresh)?,
            expires_in: self.lifetimes.access.num_seconds(),
        };
        Ok((RefreshToken::live(refresh.jti, user_id, now, self.lifetimes.refresh), pair))
    }

    fn fresh_jti(&self) -> Jti {
        Jti::from_random(self.entropy.array())
    }
}
