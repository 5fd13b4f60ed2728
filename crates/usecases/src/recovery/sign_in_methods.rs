//! Removes what another person may have set up in an account, when the owner of its email verifies the address or
//! sets a new password.

use crate::mail::{MailCause, Outbox};
use crate::mfa::remove_factors;
use portcullis_domain::login::Owner;
use portcullis_domain::mail::Occasion;
use portcullis_domain::registration::User;
use portcullis_ports::{StoreError, Tx};

/// Removes the identities of a locked account, the sign-in codes that they led to, all passkeys and all second
/// factors. Notifies the owner. Returns the account with its new credentials.
pub(crate) fn remove_all_methods(
    owner: Owner,
    notices: (&Outbox, &MailCause<'_>),
    tx: &mut dyn Tx,
) -> Result<Owner, StoreError> {
    remove_identities(&owner.user, notices, tx)?;
    let removed = tx.passkeys().remove_all(owner.user.id)? > 0;
    notify_of_passkeys(removed, &owner.user, notices, tx)?;
    remove_factors(owner, notices, tx)
}

/// Removes the identities of a locked account, the sign-in codes that they led to, and the passkeys that are more
/// than a second factor. Notifies the owner.
pub(crate) fn remove_sign_in_methods(
    user: &User,
    notices: (&Outbox, &MailCause<'_>),
    tx: &mut dyn Tx,
) -> Result<(), StoreError> {
    remove_identities(user, notices, tx)?;
    let removed = tx.passkeys().remove_kind(user.id, false)? > 0;
    notify_of_passkeys(removed, user, notices, tx)
}

fn remove_identities(
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

fn notify_of_passkeys(
    removed: bool,
    user: &User,
    (outbox, cause): (&Outbox, &MailCause<'_>),
    tx: &mut dyn Tx,
) -> Result<(), StoreError> {
    if removed { outbox.enqueue_notice(Occasion::PasskeyRemoved, user, cause, tx) } else { Ok(()) }
}
