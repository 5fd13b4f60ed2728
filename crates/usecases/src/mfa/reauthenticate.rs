//! Authenticates the user of a session again, for calls that need recent authentication.

use super::second_factor::{Proof, Used};
use super::{FactorCode, PresentedFactor, SecondFactor};
use crate::LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{DependencyError, Reason, UseCaseError};
use crate::limits::{Admission, Attempt, LimitError};
use crate::login::{MAX_ATTEMPTS, Reauthentication, WrongPassword, hash_contention};
use crate::tokens::{Authenticated, TokenFactory};
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Authentication, Method, Methods, Owner};
use portcullis_domain::mfa::RecoveryCode;
use portcullis_domain::passkeys::PasskeyPurpose;
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
    /// What the user presents.
    pub proof: ReauthenticationProof,
}

/// What a user presents to authenticate again. Redacted in `Debug`.
pub enum ReauthenticationProof {
    /// The password.
    Password {
        /// Password of the account.
        password: Password,
        /// Code of the second factor.
        code: Option<FactorCode>,
    },
    /// Response of a passkey that verified the user: JSON of the browser.
    Passkey(String),
}

impl fmt::Debug for ReauthenticationProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReauthenticationProof(…)")
    }
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
    /// The password, the code or the passkey is wrong, or a code is missing.
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

    /// Checks what was presented and records the authentication with the session.
    fn act(
        &self,
        input: &ReauthenticationInput,
        caller: &Caller,
        _: &Admission,
    ) -> Result<NewAccessToken, ReauthenticateError> {
        let ReauthenticationInput { session, proof } = input;
        let session_id = session.session_id.ok_or(ReauthenticateReason::NoSession)?;
        let (by, Used { recovery_codes }) = match proof {
            ReauthenticationProof::Password { password, code } => {
                let code = code.clone().map(PresentedFactor::Code);
                self.reauthentication.with_verified_password(session, password, caller, |owner| {
                    let has_factor = owner.credentials.has_second_factor();
                    let factor = code.as_ref().filter(|_| has_factor);
                    if has_factor && factor.is_none() {
                        return Err(wrong());
                    }
                    self.record(owner, (Method::Password.into(), factor), session_id, caller)
                })?
            }
            ReauthenticationProof::Passkey(credential) => self.by_passkey(session, credential, session_id, caller)?,
        };
        let user_id = session.user.id;
        let forget = session.forget;
        let issued = self.issuance.issue_access((user_id, session_id), by, forget);
        let (access_token, expires_in) = issued.map_err(DependencyError::from)?;
        tracing::info!(target: LOG, user_id = user_id.get(), "User authenticated again");
        Ok(NewAccessToken { access_token, expires_in, forget, recovery_codes })
    }
}

impl Reauthenticate {
    /// Authenticates with a passkey, which proves both factors.
    fn by_passkey(
        &self,
        session: &Authenticated,
        credential: &str,
        session_id: SessionId,
        caller: &Caller,
    ) -> Result<(Authentication, Used), ReauthenticateError> {
        let factor = PresentedFactor::Passkey(credential.to_owned());
        for _ in 0..MAX_ATTEMPTS {
            let owner = self.second_factor.store.read(|tx| tx.credentials().owner(session.user.id))?;
            let owner = owner.filter(|owner| owner.user.is_active).ok_or_else(wrong)?;
            if let Some(done) = self.record(&owner, (Methods::none(), Some(&factor)), session_id, caller)? {
                return Ok(done);
            }
        }
        Err(hash_contention().into())
    }

    /// Checks and uses up the second factor, if any, and records the authentication. Returns `None` if the
    /// credentials have changed or a code was used up since they were read.
    fn record(
        &self,
        owner: &Owner,
        (first, factor): (Methods, Option<&PresentedFactor>),
        session_id: SessionId,
        caller: &Caller,
    ) -> Result<Option<(Authentication, Used)>, ReauthenticateError> {
        let proof = match factor {
            None => None,
            Some(factor) => {
                let known = self.second_factor.known_device(owner, caller);
                let presented = (factor, PasskeyPurpose::Reauthenticate, first);
                Some(self.second_factor.check_presented(owner, presented, known, caller)?.ok_or_else(wrong)?)
            }
        };
        let methods = first.and(proof.as_ref().map(Proof::methods).unwrap_or_default());
        let by = Authentication::new(methods, self.second_factor.clock.now());
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
        if let Some(proof) = proof {
            if recorded.is_some() {
                self.second_factor.report_use(&proof, owner);
            } else if self.second_factor.is_spent(proof, owner, caller) {
                return Err(wrong());
            }
        }
        Ok(recorded)
    }
}

fn wrong() -> ReauthenticateError {
    ReauthenticateReason::from(WrongPassword).into()
}
