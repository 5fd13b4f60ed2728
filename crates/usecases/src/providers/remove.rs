//! Removes all identities of an account, when its email's owner or a new password ends what others may have set
//! up.

use crate::mail::{MailCause, Outbox};
use portcullis_domain::mail::Occasion;
use portcullis_domain::registration::User;
use portcullis_ports::{StoreError, Tx};

/// Removes the identities of a locked account, and the sign-in codes that they led to. Notifies the owner if
/// there was an identity.
pub(crate) fn remove_identities(
    user: &User,
    (outbox, cause): (&Outbox, &MailCause<'_>),
    tx: &mut dyn Tx,
) -> Result<(), StoreError> {
    tx.sign_ins().revoke_codes(user.id)?;
    if tx.identities().remove_all(user.id)? > 0 {
        outbox.enqueue_notice(Occasion::IdentityUnlinked, user, cause, tx)?;
    }
    Ok(())
}
