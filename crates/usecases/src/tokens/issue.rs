//! Makes token pairs. Keeping the refresh token is left to the verb, in its own transaction.
//! A pair is made from the refresh token's row alone, so that it can be made again from it.

use chrono::{DateTime, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{Session, SessionId};
use portcullis_domain::tokens::{AccessClaims, Jti, RefreshClaims, RefreshToken, TokenLifetimes};
use portcullis_ports::{Entropy, EntropyExt, SigningError, TokenIssuer};
use std::fmt;
use std::sync::Arc;

/// An access token and the refresh token that follows it. Redacted in `Debug`.
pub struct TokenPair {
    /// The signed access token.
    pub access_token: String,
    /// The signed refresh token.
    pub refresh_token: String,
    /// How long the access token lives, in seconds; 0 where a pair that is made again is so late
    /// that its access token has expired.
    pub expires_in: i64,
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenPair(…)")
    }
}

/// What makes tokens.
pub struct TokenFactory {
    /// What signs them.
    pub issuer: Arc<dyn TokenIssuer>,
    /// Where their identifiers come from.
    pub entropy: Arc<dyn Entropy>,
    /// How long they live.
    pub lifetimes: TokenLifetimes,
}

impl TokenFactory {
    /// A session that begins, and the first pair of its line: all identifiers are fresh.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn issue_first(
        &self,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<(Session, RefreshToken, TokenPair), SigningError> {
        let session = Session::begin(SessionId::from_random(self.entropy.array()), user_id, now);
        let (token, pair) = self.issue_next(self.new_jti(), user_id, session.id, now)?;
        Ok((session, token, pair))
    }

    /// The pair that a refresh token is exchanged for: the access token bears its identifier.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn issue_next(
        &self,
        spent: Jti,
        user_id: UserId,
        session_id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<(RefreshToken, TokenPair), SigningError> {
        let token = RefreshToken::new(self.new_jti(), user_id, now, self.lifetimes.refresh).with_session(session_id);
        let pair = self.reissue(spent, &token, now)?;
        Ok((token, pair))
    }

    /// The pair that a token was exchanged for, made from its successor.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn reissue(&self, spent: Jti, successor: &RefreshToken, now: DateTime<Utc>) -> Result<TokenPair, SigningError> {
        let (user_id, session_id) = (successor.user_id, Some(successor.session_id_or_legacy()));
        let access = self.lifetimes.access(user_id, spent, successor.created_at);
        let access = AccessClaims { session_id, ..access };
        let (issued_at, expires_at) = (access.issued_at, successor.expires_at);
        let refresh = RefreshClaims { user_id, jti: successor.jti, session_id, issued_at, expires_at };
        let expired = access.expires_at <= now;
        Ok(TokenPair {
            access_token: self.issuer.sign_access(&access)?,
            refresh_token: self.issuer.sign_refresh(&refresh)?,
            expires_in: if expired { 0 } else { self.lifetimes.access.num_seconds() },
        })
    }

    fn new_jti(&self) -> Jti {
        Jti::from_random(self.entropy.array())
    }
}
