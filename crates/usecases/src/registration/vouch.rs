//! Marks an account's email as verified for an operator, without an email.

use super::{AccountError, AccountReason};
use crate::LOG;
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// Result of [`VouchForEmail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmailVouched {
    /// `true` if the address was not verified before.
    pub changed: bool,
}

/// Marks an account's email as verified. Keeps the password, the sessions and all other ways to sign in: the operator
/// vouches that they belong to the owner of the address. A link in an email cannot prove that (account
/// pre-hijacking).
pub struct VouchForEmail {
    /// Store of accounts.
    pub store: Arc<dyn Store>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl VouchForEmail {
    /// Marks the email as verified.
    ///
    /// # Errors
    /// Returns [`AccountReason::NotFound`] if the account has another email by now.
    pub fn run(&self, user_id: UserId, email: &EmailAddress) -> Result<EmailVouched, AccountError> {
        let changed = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            let user = tx.users().find(user_id)?.filter(|user| user.email.canonical() == email.canonical());
            let user = user.ok_or(AccountReason::NotFound)?;
            Ok::<_, AccountError>(tx.users().verify_email(user_id, &user.email, self.clock.now())?)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), changed, "Email verified by an operator");
        Ok(EmailVouched { changed })
    }
}
