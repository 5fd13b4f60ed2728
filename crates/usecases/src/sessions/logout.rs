//! Logs out: ends the session of a refresh token, whichever of its tokens is shown.

use crate::LOG;
use crate::tokens::TokenError;
use portcullis_domain::sessions::{ClientInfo, EndReason, SessionEnd};
use portcullis_domain::tokens::RefreshClaims;
use portcullis_ports::{Clock, Store, StoreError, StoreExt, TokenVerifier, Tx};
use std::sync::Arc;

/// The token whose session is to end.
pub struct Logout {
    /// The signed refresh token.
    pub refresh_token: String,
    /// From where.
    pub client: ClientInfo,
}

/// The session is ended, and may have been before.
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
    /// Ends the session. A genuine token that is revoked, unknown or expired is no error
    /// (RFC 7009 §2.2); a session that the store could not end is (CVE-2020-15223). A refresh
    /// that is under way does not undo it: either its new token is of the ended session, or it
    /// comes too late.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] or [`TokenError::Failed`].
    pub fn run(&self, input: &Logout) -> Result<LoggedOut, TokenError> {
        let now = self.clock.now();
        let presented = self.verifier.verify(&input.refresh_token, now)?.into_refresh_ignoring_expiry()?;
        let session_end = SessionEnd { at: now, reason: EndReason::LogOut, client: input.client.clone() };
        if self.store.write(|tx| end(&presented, &session_end, tx))? {
            tracing::info!(target: LOG, user_id = presented.user_id.get(), "User logged out");
        }
        Ok(LoggedOut)
    }
}

/// Whether there was anything to end.
fn end(presented: &RefreshClaims, session_end: &SessionEnd, tx: &mut dyn Tx) -> Result<bool, StoreError> {
    tx.sessions().lock_account(presented.user_id)?;
    // First the token, so that its first exchange is over: it may begin the session.
    let revoked = tx.refresh_tokens().revoke(presented.jti, session_end.at)?;
    let found = tx.refresh_tokens().find(presented.jti)?.filter(|found| found.token.user_id == presented.user_id);
    match found.and_then(|found| found.session) {
        Some(session) => tx.sessions().end(session.id, session_end),
        None => Ok(revoked),
    }
}
