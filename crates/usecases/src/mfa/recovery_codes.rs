//! New recovery codes.

use super::{MfaError, MfaReason, StepUp};
use crate::LOG;
use crate::tokens::Authenticated;
use portcullis_domain::mfa::{RECOVERY_CODE_COUNT, RecoveryCode, RecoveryCodeDigest};
use portcullis_ports::{Entropy, EntropyExt, Store, StoreExt};
use std::sync::Arc;

/// Creates recovery codes and the digests to store.
pub(super) fn new_codes(entropy: &dyn Entropy) -> (Vec<RecoveryCode>, Vec<RecoveryCodeDigest>) {
    let codes = std::iter::repeat_with(|| RecoveryCode::from_random(entropy.array()));
    codes.take(RECOVERY_CODE_COUNT).map(|code| (code.clone(), code.digest())).unzip()
}

/// Replaces the recovery codes of an account.
pub struct RenewRecoveryCodes {
    /// Store of the codes.
    pub store: Arc<dyn Store>,
    /// Requires recent authentication.
    pub step_up: Arc<StepUp>,
    /// Random bytes for the codes.
    pub entropy: Arc<dyn Entropy>,
}

impl RenewRecoveryCodes {
    /// Replaces the codes, used or not.
    ///
    /// # Errors
    /// Returns [`MfaReason::StepUp`] if the session was not authenticated recently, and
    /// [`MfaReason::NotFound`] if the account has no second factor.
    pub fn run(&self, caller: &Authenticated) -> Result<Vec<RecoveryCode>, MfaError> {
        let user_id = caller.user.id;
        let (codes, digests) = new_codes(&*self.entropy);
        self.store.write(|tx| {
            let owner = self.step_up.require(caller, tx)?;
            if !owner.credentials.has_second_factor() {
                return Err(MfaReason::NotFound.into());
            }
            Ok::<_, MfaError>(tx.factors().replace_recovery_codes(user_id, &digests)?)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), "Recovery codes replaced");
        Ok(codes)
    }
}
