//! Logs out: ends the session of a refresh token. Accepts any refresh token of the session, even a
//! spent one.

use crate::LOG;
use crate::caller::Caller;
use crate::tokens::TokenError;
use portcullis_domain::sessions::{EndReason, SessionEnd};
use portcullis_domain::tokens::RefreshClaims;
use portcullis_ports::{Clock, Store, StoreError, StoreExt, TokenVerifier, Tx};
use std::sync::Arc;

/// The session has ended, now or earlier.
#[derive(Debug)]
pub struct LoggedOut;

/// Ends the session of a refresh token.
pub struct LogOut {
    /// Store of tokens and sessions.
    pub store: Arc<dyn Store>,
    /// Verifier of refresh tokens.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl LogOut {
    /// Ends the session. A genuine token that is revoked, unknown or expired is no error (RFC 7009
    /// §2.2). A store failure is an error (CVE-2020-15223). A concurrent refresh does not undo the
    /// logout: its new token belongs to the ended session, or the refresh fails.
    ///
    /// # Errors
    /// Returns [`TokenError::Invalid`] if the token is not genuine, and [`TokenError::Failed`] if a
    /// dependency failed.
    pub fn run(&self, refresh_token: &str, caller: &Caller) -> Result<LoggedOut, TokenError> {
        let now = self.clock.now();
        let presented = self.verifier.verify(refresh_token, now)?.into_refresh_ignoring_expiry()?;
        let session_end = caller.session_end(EndReason::LogOut, now);
        if self.store.write(|tx| end(&presented, &session_end, tx))? {
            tracing::info!(target: LOG, user_id = presented.user_id.get(), "User logged out");
        }
        Ok(LoggedOut)
    }
}

/// Ends the session. Returns whether it was active.
fn end(presented: &RefreshClaims, session_end: &SessionEnd, tx: &mut dyn Tx) -> Result<bool, StoreError> {
    tx.sessions().lock_account(presented.user_id)?;
    // Revoke the token first. This waits for a concurrent first exchange, which may begin the session.
    let revoked = tx.refresh_tokens().revoke(presented.jti, session_end.at)?;
    let found = tx.refresh_tokens().find(presented.jti)?.filter(|found| found.token.user_id == presented.user_id);
    match found.and_then(|found| found.session) {
        Some(session) => tx.sessions().end(session.id, session_end),
        None => Ok(revoked),
    }
}
