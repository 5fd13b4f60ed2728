//! Sessions of browsers at the account pages. Such a session begins like any other one; a signed cookie names it,
//! and its tokens are discarded. It lasts for the maximum age of a session.

use super::LoggedOut;
use crate::LOG;
use crate::caller::Caller;
use crate::failure::DependencyError;
use crate::login::LoggedIn;
use crate::mfa::StepUp;
use crate::tokens::{Authenticated, BearerLookup};
use chrono::TimeDelta;
use portcullis_domain::sessions::{EndReason, PageCookie, SessionPolicy};
use portcullis_ports::{Clock, MacSigner, Store, StoreError, StoreExt};
use std::sync::Arc;

/// Signs and reads the cookie of the account pages, and ends their sessions.
pub struct PageSessions {
    /// Signer of the cookies.
    pub authenticator: Arc<dyn MacSigner>,
    /// Store of sessions.
    pub store: Arc<dyn Store>,
    /// Maximum age of sessions.
    pub sessions: SessionPolicy,
    /// Condition of a recent authentication.
    pub step_up: Arc<StepUp>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl PageSessions {
    /// Returns the value of the cookie for a session that has just begun.
    #[must_use]
    pub fn cookie(&self, logged_in: &LoggedIn) -> String {
        let LoggedIn { user_id, session_id, .. } = *logged_in;
        let cookie = PageCookie { user_id, session_id };
        cookie.encode(&self.authenticator.sign(&cookie.signing_input()))
    }

    /// Returns the lifetime of the cookie: the maximum age of a session.
    #[must_use]
    pub const fn lifetime(&self) -> TimeDelta {
        self.sessions.max_age
    }

    /// Returns the account and session to look up, or `None` for a malformed or forged cookie. Does not query the
    /// store and never blocks.
    #[must_use]
    pub fn read(&self, cookie: &str) -> Option<BearerLookup> {
        let (cookie, signature) = PageCookie::decode(cookie)?;
        let genuine = self.authenticator.verify(&cookie.signing_input(), &signature);
        genuine.then(|| BearerLookup::for_cookie(cookie.user_id, cookie.session_id))
    }

    /// Ends the session of a browser that signs out, or signs in again.
    ///
    /// # Errors
    /// Returns [`DependencyError`] if the store fails.
    pub fn end(&self, session: &Authenticated, caller: &Caller) -> Result<LoggedOut, DependencyError> {
        let Some(id) = session.session_id else { return Ok(LoggedOut) };
        let (user_id, session_end) = (session.user.id, caller.session_end(EndReason::LogOut, self.clock.now()));
        let ended: Result<bool, StoreError> = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            tx.sessions().end(id, &session_end)
        });
        let ended = ended?;
        if ended {
            tracing::info!(target: LOG, user_id = user_id.get(), "User logged out");
        }
        Ok(LoggedOut)
    }
}
