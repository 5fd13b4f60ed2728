//! Identities that are linked to a user's own account.

use crate::LOG;
use crate::caller::Caller;
use crate::failure::{DependencyError, Reason, UseCaseError};
use crate::mail::Outbox;
use crate::mfa::{MfaReason, StepUp};
use crate::passkeys::PasskeyCeremonies;
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::Occasion;
use portcullis_domain::providers::{Identity, IdentityId};
use portcullis_ports::{Store, StoreError, StoreExt};
use std::sync::Arc;

/// Ways to sign in to an account.
#[derive(Debug)]
pub struct IdentitiesListed {
    /// Linked identities, oldest first.
    pub identities: Vec<Identity>,
    /// `true` if the account has a password.
    pub password: bool,
    /// Number of passkeys that sign in.
    pub passkeys: usize,
}

/// Lists the identities of a user's own account.
pub struct ListIdentities {
    /// Store of identities.
    pub store: Arc<dyn Store>,
    /// Passkeys that can sign in.
    pub ceremonies: Arc<PasskeyCeremonies>,
}

impl ListIdentities {
    /// Lists the identities, and counts the passkeys that browsers offer for a sign-in.
    ///
    /// # Errors
    /// Returns [`DependencyError`] if the store fails.
    pub fn run(&self, session: &Authenticated) -> Result<IdentitiesListed, DependencyError> {
        let user_id = session.user.id;
        let (identities, passkeys) = self
            .store
            .read(|tx| Ok::<_, StoreError>((tx.identities().list(user_id)?, tx.passkeys().list(user_id)?)))?;
        let passkeys = passkeys.iter().filter(|passkey| self.ceremonies.signs_in(passkey)).count();
        Ok(IdentitiesListed { identities, password: session.has_password, passkeys })
    }
}

/// Reason why an identity was not removed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityReason {
    /// The account has no such identity.
    #[error("Identity not found")]
    NotFound,
    /// Without the identity, no one could sign in to the account.
    #[error("The last way to sign in cannot be removed")]
    LastSignInMethod,
    /// The session may not do that now.
    #[error(transparent)]
    Session(#[from] MfaReason),
}

impl Reason for IdentityReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::LastSignInMethod => ErrorCode::Conflict,
            Self::Session(reason) => reason.code(),
        }
    }
}

/// Removes an identity from a user's own account.
pub struct UnlinkIdentity {
    /// Store of identities.
    pub store: Arc<dyn Store>,
    /// Requires recent authentication.
    pub step_up: Arc<StepUp>,
    /// Passkeys that can sign in.
    pub passkeys: Arc<PasskeyCeremonies>,
    /// Outbox for the notice.
    pub outbox: Arc<Outbox>,
}

impl UnlinkIdentity {
    /// Removes the identity and notifies the owner.
    ///
    /// # Errors
    /// Returns [`IdentityReason`].
    pub fn run(
        &self,
        session: &Authenticated,
        id: IdentityId,
        caller: &Caller,
    ) -> Result<(), UseCaseError<IdentityReason>> {
        let user_id = session.user.id;
        let removed = self.store.write(|tx| {
            let owner = self.step_up.require(session, tx).map_err(UseCaseError::convert)?;
            let removed = tx.identities().remove(user_id, &id)?.ok_or(IdentityReason::NotFound)?;
            tx.sign_ins().revoke_codes(user_id)?;
            if !self.passkeys.can_sign_in(&owner, tx)? {
                return Err(IdentityReason::LastSignInMethod.into());
            }
            let cause = caller.cause(self.step_up.clock.now());
            self.outbox.enqueue_notice(Occasion::IdentityUnlinked, &owner.user, &cause, tx)?;
            Ok::<_, UseCaseError<IdentityReason>>(removed)
        })?;
        self.outbox.notify_worker();
        let provider = removed.provider.as_str();
        tracing::info!(target: LOG, user_id = user_id.get(), provider, "Identity unlinked");
        Ok(())
    }
}
