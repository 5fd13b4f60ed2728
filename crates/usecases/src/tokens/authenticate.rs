//! Tells whose an access token is. Asks the store, so that an account switched off is refused
//! at once and not at the token's end.

use super::TokenError;
use portcullis_domain::registration::User;
use portcullis_ports::{Clock, Store, StoreExt, TokenVerifier};
use std::sync::Arc;

/// The account that the token speaks for.
#[derive(Debug)]
pub struct Authenticated(pub User);

/// The verb.
pub struct Authenticate {
    /// Where accounts are kept.
    pub store: Arc<dyn Store>,
    /// What reads the token.
    pub verifier: Arc<dyn TokenVerifier>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Authenticate {
    /// Finds the account of an access token.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn run(&self, access_token: &str) -> Result<Authenticated, TokenError> {
        let now = self.clock.now();
        let claims = self.verifier.verify(access_token, now)?.into_access(now)?;
        let user = self.store.read(|tx| tx.users().find(claims.user_id))?.ok_or(TokenError::Invalid)?;
        if user.is_active { Ok(Authenticated(user)) } else { Err(TokenError::Revoked) }
    }
}
