//! Marks an account's address as verified at an operator's word, without a mail.

use super::AccountError;
use crate::LOG;
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// Result of [`VouchForEmail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmailVouched {
    /// Whether the address was not verified before.
    pub changed: bool,
}

/// Marks an account's address as verified. The password and the sessions stay: the operator answers
/// for it that they are those of the address's owner, which a link in a mail cannot show of somebody
/// who registered before (account pre-hijacking).
pub struct VouchForEmail {
    /// Where accounts are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl VouchForEmail {
    /// Marks the address, if it is still the account's.
    ///
    /// # Errors
    /// [`AccountError`]; `NotFound` if the account has another address by now.
    pub fn run(&self, user_id: UserId, email: &EmailAddress) -> Result<EmailVouched, AccountError> {
        let changed = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            let user = tx.users().find(user_id)?.filter(|user| user.email.canonical() == email.canonical());
            let user = user.ok_or(AccountError::NotFound)?;
            Ok::<_, AccountError>(tx.users().verify_email(user_id, &user.email, self.clock.now())?)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), changed, "Email verified by an operator");
        Ok(EmailVouched { changed })
    }
}
