//! Logs out: revokes a refresh token.

use crate::LOG;
use crate::tokens::TokenError;
use portcullis_ports::{Clock, Store, StoreExt, TokenVerifier};
use std::sync::Arc;

/// The token to revoke.
pub struct Logout {
    /// The signed refresh token.
    pub refresh_token: String,
}

/// The token is worth nothing any more, and may have been worth nothing before.
#[derive(Debug)]
pub struct LoggedOut;

/// The verb.
pub struct LogOut {
    /// Where tokens are kept.
    pub store: Arc<dyn Store>,
    /// What reads the token.
    pub verifier: Arc<dyn TokenVerifier>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl LogOut {
    /// Revokes the token. A genuine one that is revoked, unknown or expired is no error
    /// (RFC 7009 §2.2); one that the store could not revoke is (CVE-2020-15223).
    ///
    /// # Errors
    /// [`TokenError::Invalid`] or [`TokenError::Failed`].
    pub fn run(&self, input: &Logout) -> Result<LoggedOut, TokenError> {
        let now = self.clock.now();
        let shown = self.verifier.verify(&input.refresh_token, now)?.into_refresh_of_any_age()?;
        if self.store.write(|tx| tx.refresh_tokens().revoke(shown.jti, now))? {
            tracing::info!(target: LOG, user_id = shown.user_id.get(), "User logged out");
        }
        Ok(LoggedOut)
    }
}
