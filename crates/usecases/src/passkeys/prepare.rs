//! Options to create a passkey.

use super::{CreationOptions, CredentialDescriptor, PasskeyCeremonies, PasskeyError, PasskeyReason};
use crate::failure::UseCaseError;
use crate::mfa::StepUp;
use crate::tokens::Authenticated;
use portcullis_domain::passkeys::{PasskeyPurpose, UserHandle};
use portcullis_domain::registration::UserId;
use portcullis_ports::{EntropyExt, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Prepares the registration of a passkey. Stores no more than the account's user handle.
pub struct PreparePasskey {
    /// Store of passkeys.
    pub store: Arc<dyn Store>,
    /// Requires recent authentication.
    pub step_up: Arc<StepUp>,
    /// Issues the challenge.
    pub ceremonies: Arc<PasskeyCeremonies>,
}

impl PreparePasskey {
    /// Returns the options.
    ///
    /// # Errors
    /// Returns [`PasskeyReason`] if passkeys are off, or the session was not authenticated
    /// recently.
    pub fn run(&self, session: &Authenticated, second_factor: bool) -> Result<CreationOptions, PasskeyError> {
        let (ceremonies, user_id) = (&self.ceremonies, session.user.id);
        let rp_id = ceremonies.party().map_err(PasskeyReason::from)?.id.clone();
        let handle = UserHandle::from_random(ceremonies.challenges.entropy.array());
        let (email, user_handle, exclude) = self.store.write(|tx| {
            let owner = self.step_up.require(session, tx).map_err(UseCaseError::convert)?;
            let passkeys = tx.passkeys().list(user_id)?;
            let exclude = passkeys.iter().map(CredentialDescriptor::from).collect();
            Ok::<_, PasskeyError>((owner.user.email, handle_or(user_id, handle, tx)?, exclude))
        })?;
        let challenge = ceremonies.challenges.issue(registration(second_factor), Some(user_id));
        Ok(CreationOptions { challenge, rp_id, user_handle, email, exclude, second_factor })
    }
}

/// Returns the purpose of a registration's challenge.
pub(super) const fn registration(second_factor: bool) -> PasskeyPurpose {
    if second_factor { PasskeyPurpose::RegisterSecondFactor } else { PasskeyPurpose::Register }
}

/// Returns the user handle of an account, which becomes `new` if it has none.
pub(super) fn handle_or(user_id: UserId, new: UserHandle, tx: &mut dyn Tx) -> Result<UserHandle, StoreError> {
    if let Some(handle) = tx.passkeys().handle(user_id)? {
        return Ok(handle);
    }
    if tx.passkeys().set_handle(user_id, &new)? {
        return Ok(new);
    }
    let handle = tx.passkeys().handle(user_id)?;
    handle.ok_or_else(|| StoreError::Busy("the account was deleted meanwhile".to_owned()))
}
