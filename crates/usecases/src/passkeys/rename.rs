//! Renames a passkey.

use super::{ListedPasskey, PasskeyCeremonies, PasskeyError, PasskeyReason};
use crate::tokens::Authenticated;
use portcullis_domain::mfa::FactorName;
use portcullis_domain::passkeys::PasskeyId;
use portcullis_ports::{Store, StoreExt};
use std::sync::Arc;

/// Renames passkeys.
pub struct RenamePasskey {
    /// Store of passkeys.
    pub store: Arc<dyn Store>,
    /// RP ID.
    pub ceremonies: Arc<PasskeyCeremonies>,
}

impl RenamePasskey {
    /// Renames a passkey and returns it.
    ///
    /// # Errors
    /// Returns [`PasskeyReason::NotFound`] if the account has no such passkey.
    pub fn run(
        &self,
        session: &Authenticated,
        id: PasskeyId,
        name: &FactorName,
    ) -> Result<ListedPasskey, PasskeyError> {
        self.ceremonies.party().map_err(PasskeyReason::from)?;
        let user_id = session.user.id;
        let passkey = self.store.write(|tx| {
            if !tx.passkeys().rename(user_id, &id, name)? {
                return Err(PasskeyReason::NotFound.into());
            }
            let renamed = tx.passkeys().list(user_id)?.into_iter().find(|passkey| passkey.id == id);
            renamed.ok_or_else(|| PasskeyError::from(PasskeyReason::NotFound))
        })?;
        Ok(ListedPasskey { usable: self.ceremonies.can_use(&passkey), passkey })
    }
}
