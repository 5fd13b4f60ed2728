//! Authenticates the user of a session again, for calls that need recent authentication.

use super::second_factor::{Proof, Used, password_and};
use super::{FactorCode, SecondFactor};
use crate::LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{DependencyError, Reason, UseCaseError};
use crate::limits::{Admission, Attempt, LimitError};
use crate::login::{Reauthentication, WrongPassword};
use crate::tokens::{Authenticated, TokenFactory};
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Authentication, Owner};
use portcullis_domain::mfa::RecoveryCode;
use portcullis_domain::registration::Password;
use portcullis_domain::sessions::SessionId;
use portcullis_ports::StoreExt;
use std::fmt;
use std::sync::Arc;

/// Input of a reauthentication.
#[derive(Debug)]
pub struct ReauthenticationInput {
    /// The session's user.
    pub session: Authenticated,
    /// Password of the account.
    pub password: Password,
    /// Code of the second factor.
    pub code: Option<FactorCode>,
}

/// A new access token of the same session. Redacted in `Debug`.
pub struct NewAccessToken {
    /// The signed token.
    pub access_token: String,
    /// Lifetime of the token in seconds.
    pub expires_in: i64,
    /// `true` if a browser must forget the token when it closes.
    pub forget: bool,
    /// New recovery codes, if the last one was used.
    pub recovery_codes: Option<Vec<RecoveryCode>>,
}

impl fmt::Debug for NewAccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewAccessToken(…)")
    }
}

/// Reason why the reauthentication failed.
#[derive(Debug, thiserror::Error)]
pub enum ReauthenticateReason {
    /// The password or the code is wrong, or a code is missing.
    #[error(transparent)]
    InvalidCredentials(#[from] WrongPassword),
    /// The session has ended, or the token belongs to none.
    #[error("Token has been revoked")]
    NoSession,
}

/// Error of a reauthentication.
pub type ReauthenticateError = UseCaseError<ReauthenticateReason>;

impl Reason for ReauthenticateReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidCredentials(reason) => reason.code(),
            Self::NoSession => ErrorCode::TokenRevoked,
        }
    }
}

/// Authenticates the user of a session again.
pub struct Reauthenticate {
    /// Checks the password.
    pub reauthentication: Arc<Reauthentication>,
    /// Checks the code.
    pub second_factor: Arc<SecondFactor>,
    /// Factory of the access token.
    pub issuance: Arc<TokenFactory>,
}

impl Counted for Reauthenticate {
    type Input = ReauthenticationInput;
    type Output = NewAccessToken;
    type Reason = ReauthenticateReason;

    fn attempts(&self, input: &ReauthenticationInput, caller: &Caller) -> Vec<Attempt> {
        let Authenticated { user, password, .. } = &input.session;
        vec![Attempt::Guess(self.reauthentication.guess(&user.email, password, caller))]
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.reauthentication.guesses.count(attempt)
    }

    /// Checks the password and, if the account has a second factor, its code, and records the
    /// authentication with the session.
    fn act(
        &self,
        input: &ReauthenticationInput,
        caller: &Caller,
        _: &Admission,
    ) -> Result<NewAccessToken, ReauthenticateError> {
        let ReauthenticationInput { session, password, code } = input;
        let session_id = session.session_id.ok_or(ReauthenticateReason::NoSession)?;
        let recorded = self.reauthentication.with_verified_password(session, password, caller, |owner| {
            self.record(owner, code.as_ref(), session_id, caller)
        });
        let (by, Used { recovery_codes }) = recorded?;
        let user_id = session.user.id;
        let forget = session.forget;
        let issued = self.issuance.issue_access((user_id, session_id), by, forget);
        let (access_token, expires_in) = issued.map_err(DependencyError::from)?;
        tracing::info!(target: LOG, user_id = user_id.get(), "User authenticated again");
        Ok(NewAccessToken { access_token, expires_in, forget, recovery_codes })
    }
}

impl Reauthenticate {
    /// Uses up the code and records the authentication. Returns `None` if the credentials have changed or the
    /// code was used up since they were read.
    fn record(
        &self,
        owner: &Owner,
        code: Option<&FactorCode>,
        session_id: SessionId,
        caller: &Caller,
    ) -> Result<Option<(Authentication, Used)>, ReauthenticateError> {
        let wrong = || ReauthenticateReason::from(WrongPassword);
        let proof = if owner.credentials.has_second_factor() {
            let code = code.ok_or_else(wrong)?;
            let known = self.second_factor.known_device(owner, caller);
            Some(self.second_factor.check(owner, code, known, caller)?.ok_or_else(wrong)?)
        } else {
            None
        };
        let by = Authentication::new(password_and(proof.as_ref()), self.second_factor.clock.now());
        let recorded = self.second_factor.store.write(|tx| {
            if proof.as_ref().is_some_and(Proof::needs_lock) {
                tx.sessions().lock_account(owner.user.id)?;
            }
            if !tx.credentials().still_current(owner.user.id, &owner.credentials)? {
                return Ok(None);
            }
            let used = self.second_factor.use_up(proof.as_ref(), owner, caller, tx)?;
            let Some(used) = used else { return Ok(None) };
            if !tx.sessions().reauthenticate(session_id, &by)? {
                return Err(ReauthenticateReason::NoSession.into());
            }
            Ok::<_, ReauthenticateError>(Some((by, used)))
        })?;
        if let (Some(_), Some(proof)) = (&recorded, &proof) {
            self.second_factor.report_use(proof, owner);
        }
        Ok(recorded)
    }
}
