//! Lists a user's own second factors.

use crate::failure::DependencyError;
use crate::tokens::Authenticated;
use portcullis_domain::mfa::TotpFactor;
use portcullis_ports::{Store, StoreError, StoreExt};
use std::sync::Arc;

/// Second factors of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactorOverview {
    /// Confirmed authenticator apps, oldest first.
    pub totp: Vec<TotpFactor>,
    /// Number of passkeys that are only second factors.
    pub passkeys: u32,
    /// Number of unused recovery codes.
    pub recovery_codes_left: u32,
}

/// Lists a user's own second factors.
pub struct ListFactors {
    /// Store of the factors.
    pub store: Arc<dyn Store>,
}

impl ListFactors {
    /// Lists the confirmed factors.
    pub fn run(&self, caller: &Authenticated) -> Result<FactorOverview, DependencyError> {
        let user_id = caller.user.id;
        let overview: Result<_, StoreError> = self.store.read(|tx| {
            let totp = tx.factors().totp(user_id)?.into_iter().filter(TotpFactor::is_confirmed).collect();
            let passkeys = tx.passkeys().list(user_id)?.iter().filter(|passkey| passkey.second_factor).count();
            let passkeys = u32::try_from(passkeys).unwrap_or(u32::MAX);
            Ok(FactorOverview { totp, passkeys, recovery_codes_left: tx.factors().recovery_codes_left(user_id)? })
        });
        Ok(overview?)
    }
}
