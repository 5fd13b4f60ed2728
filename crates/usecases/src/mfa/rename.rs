//! Renames an authenticator app.

use super::{MfaError, MfaReason};
use crate::tokens::Authenticated;
use portcullis_domain::mfa::{FactorId, FactorName, TotpFactor};
use portcullis_ports::{Store, StoreExt};
use std::sync::Arc;

/// Renames an authenticator app.
pub struct RenameTotp {
    /// Store of the factors.
    pub store: Arc<dyn Store>,
}

impl RenameTotp {
    /// Renames a confirmed factor and returns it.
    ///
    /// # Errors
    /// Returns [`MfaReason::NotFound`] if the account has no such factor.
    pub fn run(&self, caller: &Authenticated, id: FactorId, name: &FactorName) -> Result<TotpFactor, MfaError> {
        let user_id = caller.user.id;
        self.store.write(|tx| {
            if !tx.factors().rename_totp(user_id, &id, name)? {
                return Err(MfaReason::NotFound.into());
            }
            let renamed = tx.factors().totp(user_id)?.into_iter().find(|factor| factor.id == id);
            renamed.ok_or_else(|| MfaReason::NotFound.into())
        })
    }
}
