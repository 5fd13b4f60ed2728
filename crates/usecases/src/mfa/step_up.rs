//! Refuses sensitive calls of sessions whose user was authenticated too long ago or too weakly.

use super::{MfaError, MfaReason};
use crate::failure::Reason;
use crate::tokens::Authenticated;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Authentication, Owner, StepUpPolicy};
use portcullis_ports::{Clock, Tx};
use std::sync::Arc;

/// The user must authenticate again first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Recent authentication required")]
pub struct StepUpRequired {
    /// Maximum age of the authentication.
    pub max_age: TimeDelta,
    /// `true` if the account has a password.
    pub password: bool,
    /// `true` if the authentication must use the second factor.
    pub second_factor: bool,
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
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl StepUp {
    /// Locks the account of a session and returns it. Reads the session under the lock, so that one that has
    /// ended changes nothing.
    ///
    /// # Errors
    /// Returns [`MfaReason::StepUp`] if its user was not authenticated recently, and [`MfaReason::Revoked`] if
    /// the session has ended.
    pub(crate) fn require(&self, caller: &Authenticated, tx: &mut dyn Tx) -> Result<Owner, MfaError> {
        let (owner, last) = lock_session(caller, tx)?;
        let second_factor = owner.credentials.has_second_factor();
        if self.policy.is_recent(last.as_ref(), second_factor, self.clock.now()) {
            return Ok(owner);
        }
        let password = owner.credentials.has_password();
        Err(MfaReason::from(StepUpRequired { max_age: self.policy.max_age, password, second_factor }).into())
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
