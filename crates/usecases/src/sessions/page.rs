//! Sessions of browsers at the account pages. Such a session begins like any other one; a signed cookie names it,
//! and its tokens are discarded. The cookie has the lifetime of a refresh token, and its use renews it. So it has the
//! idle limit of other sessions, and no page needs to write to the store.

use super::LoggedOut;
use crate::LOG;
use crate::caller::Caller;
use crate::failure::DependencyError;
use crate::login::LoggedIn;
use crate::mfa::StepUp;
use crate::tokens::{Authenticated, BearerLookup};
use chrono::TimeDelta;
use portcullis_domain::sessions::{EndReason, PageCookie};
use portcullis_ports::{Clock, MacSigner, Store, StoreError, StoreExt};
use std::sync::Arc;

/// Signs and reads the cookie of the account pages, and ends their sessions.
pub struct PageSessions {
    /// Signer of the cookies.
    pub authenticator: Arc<dyn MacSigner>,
    /// Store of sessions.
    pub store: Arc<dyn Store>,
    /// Idle limit: the lifetime of refresh tokens.
    pub idle: TimeDelta,
    /// `true` to refuse accounts with an unverified email, as at login.
    pub require_verified_email: bool,
    /// Condition of a recent authentication.
    pub step_up: Arc<StepUp>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// Value of the cookie of a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCookieValue {
    /// The value.
    pub value: String,
    /// Lifetime of the cookie. `None`: until the browser closes.
    pub lifetime: Option<TimeDelta>,
}

impl PageSessions {
    /// Returns the cookie of a session that has just begun.
    #[must_use]
    pub fn cookie(&self, logged_in: &LoggedIn) -> PageCookieValue {
        let LoggedIn { user_id, session_id, .. } = *logged_in;
        self.sign(PageCookie { user_id, session_id, issued_at: self.clock.now(), forget: logged_in.pair.forget })
    }

    fn sign(&self, cookie: PageCookie) -> PageCookieValue {
        let value = cookie.encode(&self.authenticator.sign(&cookie.signing_input()));
        PageCookieValue { value, lifetime: (!cookie.forget).then_some(self.idle) }
    }

    /// Returns the account and session to look up, and a new cookie if that is due once the session is found. `None`
    /// for a malformed or forged cookie, and for one that was not used for too long. Does not query the store and
    /// never blocks.
    #[must_use]
    pub fn read(&self, cookie: &str) -> Option<(BearerLookup, Option<PageCookieValue>)> {
        let (cookie, signature) = PageCookie::decode(cookie)?;
        let now = self.clock.now();
        if !self.authenticator.verify(&cookie.signing_input(), &signature) || cookie.is_idle(self.idle, now) {
            return None;
        }
        let renewed = cookie.is_due(self.idle, now).then(|| self.sign(PageCookie { issued_at: now, ..cookie }));
        Some((BearerLookup::for_cookie(cookie.user_id, cookie.session_id), renewed))
    }

    /// Returns whether a session may use the pages. The setting may have been switched on since it began.
    #[must_use]
    pub const fn admits(&self, session: &Authenticated) -> bool {
        !self.require_verified_email || session.user.email_verified_at.is_some()
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
