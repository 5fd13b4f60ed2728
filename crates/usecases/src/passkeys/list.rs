//! Lists a user's own passkeys.

use super::prepare::handle_or;
use super::{PasskeyCeremonies, PasskeyError, PasskeyReason};
use crate::tokens::Authenticated;
use portcullis_domain::passkeys::{Passkey, UserHandle};
use portcullis_ports::{EntropyExt, Store, StoreError, StoreExt};
use std::sync::Arc;

/// Passkeys of an account.
#[derive(Debug)]
pub struct PasskeysListed {
    /// Passkeys, oldest first.
    pub passkeys: Vec<ListedPasskey>,
    /// RP ID.
    pub rp_id: String,
    /// Id of the account towards authenticators.
    pub user_handle: UserHandle,
}

/// A passkey, and whether it can be used.
#[derive(Debug)]
pub struct ListedPasskey {
    /// The passkey.
    pub passkey: Passkey,
    /// `false` if it was made for another RP ID.
    pub usable: bool,
}

/// Lists a user's own passkeys.
pub struct ListPasskeys {
    /// Store of passkeys.
    pub store: Arc<dyn Store>,
    /// RP ID.
    pub ceremonies: Arc<PasskeyCeremonies>,
}

impl ListPasskeys {
    /// Lists the passkeys. Gives the account a user handle if it has none.
    ///
    /// # Errors
    /// Returns [`PasskeyReason::Off`] if passkeys are off.
    pub fn run(&self, session: &Authenticated) -> Result<PasskeysListed, PasskeyError> {
        let (ceremonies, user_id) = (&self.ceremonies, session.user.id);
        let rp_id = ceremonies.party().map_err(PasskeyReason::from)?.id.clone();
        let (passkeys, handle) = self
            .store
            .read(|tx| Ok::<_, StoreError>((tx.passkeys().list(user_id)?, tx.passkeys().handle(user_id)?)))?;
        let user_handle = match handle {
            Some(handle) => handle,
            None => {
                let new = UserHandle::from_random(ceremonies.challenges.entropy.array());
                self.store.write(|tx| handle_or(user_id, new, tx))?
            }
        };
        let listed = |passkey| ListedPasskey { usable: ceremonies.can_use(&passkey), passkey };
        Ok(PasskeysListed { passkeys: passkeys.into_iter().map(listed).collect(), rp_id, user_handle })
    }
}
