//! Issues token pairs. The use case stores the refresh token in its own transaction. A pair depends
//! only on the row of its refresh token, so that it can be issued again.

use chrono::{DateTime, Utc};
use portcullis_domain::login::Authentication;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{Session, SessionId};
use portcullis_domain::tokens::{
    AccessClaims, CarriedClaims, Claims, Jti, RefreshClaims, RefreshToken, TokenLifetimes,
};
use portcullis_ports::{Entropy, EntropyExt, SigningError, TokenIssuer};
use std::fmt;
use std::sync::Arc;

/// An access token and the refresh token issued with it. Redacted in `Debug`.
pub struct TokenPair {
    /// The signed access token.
    pub access_token: String,
    /// The signed refresh token.
    pub refresh_token: String,
    /// Lifetime of the access token in seconds. 0 if the pair is issued again so late that the access
    /// token has expired.
    pub expires_in: i64,
    /// `true` if a browser must forget the tokens when it closes.
    pub forget: bool,
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenPair(…)")
    }
}

/// Factory of token pairs.
pub struct TokenFactory {
    /// Signer of the tokens.
    pub issuer: Arc<dyn TokenIssuer>,
    /// Random bytes for token ids.
    pub entropy: Arc<dyn Entropy>,
    /// Lifetimes of the tokens.
    pub lifetimes: TokenLifetimes,
}

impl TokenFactory {
    /// Creates a session id.
    pub fn new_session_id(&self) -> SessionId {
        SessionId::from_random(self.entropy.array())
    }

    /// Creates a session and the first pair of its token family.
    pub fn issue_first(
        &self,
        session_id: SessionId,
        user_id: UserId,
        carried: CarriedClaims,
        now: DateTime<Utc>,
    ) -> Result<(Session, RefreshToken, TokenPair), SigningError> {
        let session = Session::begin(session_id, user_id, now);
        let (token, pair) = self.issue_next(self.new_jti(), (user_id, session.id), carried, now)?;
        Ok((session, token, pair))
    }

    /// Creates the pair that replaces a refresh token. The access token carries the id of the spent
    /// token.
    pub fn issue_next(
        &self,
        spent: Jti,
        (user_id, session_id): (UserId, SessionId),
        carried: CarriedClaims,
        now: DateTime<Utc>,
    ) -> Result<(RefreshToken, TokenPair), SigningError> {
        let token = RefreshToken::new(self.new_jti(), user_id, now, self.lifetimes.refresh).with_session(session_id);
        let pair = self.reissue(spent, &token, carried, now)?;
        Ok((token, pair))
    }

    /// Issues the pair of an earlier exchange again, from the row of its successor and the
    /// claims that the spent token carried.
    pub fn reissue(
        &self,
        spent: Jti,
        successor: &RefreshToken,
        carried: CarriedClaims,
        now: DateTime<Utc>,
    ) -> Result<TokenPair, SigningError> {
        let (user_id, session_id) = (successor.user_id, Some(successor.session_id_or_legacy()));
        let access = self.lifetimes.access(user_id, spent, successor.created_at);
        let access = AccessClaims { session_id, carried, ..access };
        let (issued_at, expires_at) = (access.issued_at, successor.expires_at);
        let refresh = RefreshClaims { user_id, jti: successor.jti, session_id, carried, issued_at, expires_at };
        let expired = access.expires_at <= now;
        Ok(TokenPair {
            access_token: self.issuer.sign(&Claims::Access(access))?,
            refresh_token: self.issuer.sign(&Claims::Refresh(refresh))?,
            expires_in: if expired { 0 } else { self.lifetimes.access.num_seconds() },
            forget: carried.forget,
        })
    }

    /// Issues another access token of a session. Returns it with its lifetime in seconds.
    pub fn issue_access(
        &self,
        (user_id, session_id): (UserId, SessionId),
        authentication: Authentication,
        forget: bool,
    ) -> Result<(String, i64), SigningError> {
        let claims = self.lifetimes.access(user_id, self.new_jti(), authentication.at);
        let carried = CarriedClaims { authentication: Some(authentication), forget };
        let claims = AccessClaims { session_id: Some(session_id), carried, ..claims };
        Ok((self.issuer.sign(&Claims::Access(claims))?, self.lifetimes.access.num_seconds()))
    }

    fn new_jti(&self) -> Jti {
        Jti::from_random(self.entropy.array())
    }
}
