//! Removes what another person may have set up in an account, when the owner of its email verifies the address or
//! sets a new password.

use crate::mail::{MailCause, Outbox};
use crate::mfa::remove_factors;
use portcullis_domain::login::Owner;
use portcullis_domain::mail::Occasion;
use portcullis_domain::mfa::TotpFactor;
use portcullis_domain::registration::User;
use portcullis_domain::sessions::{DeviceHash, KeepSessions, SessionId};
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

/// Removes what sessions of other browsers than the kept one set up in a locked account: identities, passkeys and
/// second factors, the recovery codes that came with those, and trusted devices. Notifies the owner.
pub(crate) fn remove_foreign_methods(
    owner: Owner,
    keep: &KeepSessions,
    notices: (&Outbox, &MailCause<'_>),
    tx: &mut dyn Tx,
) -> Result<(), StoreError> {
    let (user, (outbox, cause)) = (owner.user.clone(), notices);
    let mut removed = false;
    for identity in tx.identities().list(user.id)? {
        if is_foreign(identity.set_up_by, keep, tx)? {
            removed |= tx.identities().remove(user.id, &identity.id)?.is_some();
        }
    }
    if removed {
        tx.sign_ins().revoke_codes(user.id)?;
        outbox.enqueue_notice(Occasion::IdentityUnlinked, &user, cause, tx)?;
    }
    let (mut removed, mut is_second_factor) = (false, false);
    for passkey in tx.passkeys().list(user.id)? {
        if is_foreign(passkey.set_up_by, keep, tx)? {
            removed |= tx.passkeys().remove(user.id, &passkey.id)?.is_some();
            is_second_factor |= passkey.second_factor;
        }
    }
    notify_of_passkeys(removed, &user, notices, tx)?;
    let mut is_app = false;
    for factor in tx.factors().totp(user.id)? {
        if factor.is_confirmed() && is_foreign(factor.set_up_by, keep, tx)? {
            is_app |= tx.factors().remove_totp(user.id, &factor.id)?;
        }
    }
    if is_app {
        outbox.enqueue_notice(Occasion::FactorRemoved, &user, cause, tx)?;
    }
    for trusted in tx.factors().trusted_devices(user.id, cause.at)? {
        if Some(trusted.device) != device_of(keep, tx)? {
            tx.factors().forget_device(user.id, &trusted.id)?;
        }
    }
    if is_app || is_second_factor {
        tx.factors().replace_recovery_codes(user.id, &[])?;
        let is_left = tx.factors().totp(user.id)?.iter().any(TotpFactor::is_confirmed)
            || tx.passkeys().list(user.id)?.iter().any(|passkey| passkey.second_factor);
        if !is_left {
            remove_factors(owner, notices, tx)?;
        }
    }
    Ok(())
}

/// Returns whether another browser than the kept one set something up. What an unknown session set up is not foreign.
fn is_foreign(set_up_by: Option<SessionId>, keep: &KeepSessions, tx: &mut dyn Tx) -> Result<bool, StoreError> {
    let Some(id) = set_up_by.filter(|id| keep.session != Some(*id)) else { return Ok(false) };
    let device = tx.sessions().find(id)?.and_then(|session| session.device);
    Ok(device.is_none() || device != device_of(keep, tx)?)
}

/// Returns the device of the kept browser.
fn device_of(keep: &KeepSessions, tx: &mut dyn Tx) -> Result<Option<DeviceHash>, StoreError> {
    match (keep.device, keep.session) {
        (None, Some(id)) => Ok(tx.sessions().find(id)?.and_then(|session| session.device)),
        (device, _) => Ok(device),
    }
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
