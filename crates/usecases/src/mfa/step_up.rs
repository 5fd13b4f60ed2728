//! Refuses sensitive calls of sessions whose user was authenticated too long ago or too weakly.

use super::{MfaError, MfaReason};
use crate::failure::Reason;
use crate::passkeys::{PasskeyCeremonies, RequestOptions};
use crate::tokens::Authenticated;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Authentication, Owner, StepUpPolicy};
use portcullis_domain::mfa::TotpFactor;
use portcullis_domain::passkeys::{Passkey, PasskeyPurpose};
use portcullis_ports::{Clock, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// What an account can present to authenticate again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReauthenticationMethods {
    /// `true` if the password is accepted, with a code if `totp` is. An account whose only second factor is a
    /// passkey has to enter a recovery code with it, and so is not offered it.
    pub password: bool,
    /// `true` if the code of an authenticator app must accompany the password. A code alone is refused.
    pub totp: bool,
    /// `true` if a passkey that verifies the user is accepted.
    pub passkey: bool,
}

/// The user must authenticate again first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Recent authentication required")]
pub struct StepUpRequired {
    /// Maximum age of the authentication.
    pub max_age: TimeDelta,
    /// What the account can present.
    pub methods: ReauthenticationMethods,
}

impl Reason for StepUpRequired {
    fn code(&self) -> ErrorCode {
        ErrorCode::StepUpRequired
    }
}

/// Checks whether a session's user was authenticated recently and strongly enough.
pub struct StepUp {
    /// Condition of a recent authentication.
    pub policy: StepUpPolicy,
    /// Passkeys that can be used.
    pub passkeys: Arc<PasskeyCeremonies>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl StepUp {
    /// Returns whether a session was authenticated recently, as far as known. `require` decides.
    #[must_use]
    pub fn is_recent(&self, session: &Authenticated) -> bool {
        self.policy.is_recent(session.authentication.as_ref(), session.second_factor, self.clock.now())
    }

    /// Locks the account of a session and returns it. Reads the session under the lock, so that one that has
    /// ended changes nothing.
    ///
    /// # Errors
    /// Returns [`MfaReason::StepUp`] if its user was not authenticated recently, and [`MfaReason::Revoked`] if
    /// the session has ended.
    pub(crate) fn require(&self, caller: &Authenticated, tx: &mut dyn Tx) -> Result<Owner, MfaError> {
        self.require_authentication(caller, tx).map(|(owner, _)| owner)
    }

    /// Like [`require`](Self::require). Also returns the authentication.
    pub(crate) fn require_authentication(
        &self,
        caller: &Authenticated,
        tx: &mut dyn Tx,
    ) -> Result<(Owner, Authentication), MfaError> {
        let (owner, last) = lock_session(caller, tx)?;
        let (second_factor, now) = (owner.credentials.has_second_factor(), self.clock.now());
        if let Some(last) = last.filter(|last| self.policy.is_recent(Some(last), second_factor, now)) {
            return Ok((owner, last));
        }
        let passkeys = tx.passkeys().list(owner.user.id)?;
        let methods = self.methods(&owner, &passkeys, tx)?;
        Err(MfaReason::from(StepUpRequired { max_age: self.policy.max_age, methods }).into())
    }

    /// Returns what an account with these passkeys can present.
    fn methods(
        &self,
        owner: &Owner,
        passkeys: &[Passkey],
        tx: &mut dyn Tx,
    ) -> Result<ReauthenticationMethods, StoreError> {
        let Owner { user, credentials } = owner;
        let has_app = tx.factors().totp(user.id)?.iter().any(TotpFactor::is_confirmed);
        let password = credentials.has_password() && (has_app || !credentials.has_second_factor());
        let passkey = passkeys.iter().any(|passkey| self.passkeys.can_use(passkey));
        Ok(ReauthenticationMethods { password, totp: password && has_app, passkey })
    }
}

/// Ways to authenticate again.
#[derive(Debug)]
pub struct ReauthenticationOptions {
    /// What the account can present.
    pub methods: ReauthenticationMethods,
    /// Options to sign with one of its passkeys, if it has one.
    pub passkey: Option<RequestOptions>,
}

/// Prepares a reauthentication.
pub struct PrepareReauthentication {
    /// Store of the factors.
    pub store: Arc<dyn Store>,
    /// Knows what counts.
    pub step_up: Arc<StepUp>,
}

impl PrepareReauthentication {
    /// Returns the ways to authenticate again.
    ///
    /// # Errors
    /// Returns [`MfaReason::Revoked`] if the account does not exist.
    pub fn run(&self, session: &Authenticated) -> Result<ReauthenticationOptions, MfaError> {
        let user_id = session.user.id;
        let (methods, passkeys) = self.store.read(|tx| {
            let owner = tx.credentials().owner(user_id)?.ok_or(MfaReason::Revoked)?;
            let passkeys = tx.passkeys().list(user_id)?;
            Ok::<_, MfaError>((self.step_up.methods(&owner, &passkeys, tx)?, passkeys))
        })?;
        let passkey = self.step_up.passkeys.request(PasskeyPurpose::Reauthenticate, user_id, &passkeys, true);
        Ok(ReauthenticationOptions { methods, passkey })
    }
}

/// Locks the account of a session and returns it with the session's last authentication, if the account is
/// active and the session has not ended. A token of the FastAPI application has no session and no
/// authentication.
pub(super) fn lock_session(
    caller: &Authenticated,
    tx: &mut dyn Tx,
) -> Result<(Owner, Option<Authentication>), MfaError> {
    tx.sessions().lock_account(caller.user.id)?;
    let owner = tx.credentials().owner(caller.user.id)?.filter(|owner| owner.user.is_active);
    let owner = owner.ok_or(MfaReason::Revoked)?;
    let Some(id) = caller.session_id else { return Ok((owner, None)) };
    let session = tx.sessions().find(id)?.filter(|session| session.ended_at.is_none());
    Ok((owner, session.ok_or(MfaReason::Revoked)?.authentication))
}
