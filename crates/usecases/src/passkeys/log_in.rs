//! Signs in with a passkey.

use super::{PasskeyCeremonies, PasskeysOff, VerifiedPasskey, VerifyPasskeyError, report};
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{Admission, Attempt, LimitError, Limits};
use crate::login::{Gate, LogInReason, LoggedIn, MAX_ATTEMPTS, hash_contention};
use portcullis_domain::ErrorCode;
use portcullis_domain::passkeys::{PasskeyFault, PasskeyPurpose};
use portcullis_ports::{Clock, SignInObserver, Store, StoreExt};
use std::sync::Arc;

/// Input of a sign-in with a passkey.
pub struct PasskeyLogIn {
    /// JSON of the browser's response.
    pub credential: String,
}

/// Reason why no session began.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyLogInReason {
    /// Passkeys are off.
    #[error(transparent)]
    Off(#[from] PasskeysOff),
    /// The passkey is not accepted. Only the log says why.
    #[error("The passkey is not accepted")]
    Refused {
        /// `true` if no account has a passkey of that id.
        unknown: bool,
    },
    /// The login was refused, or its second factor is due.
    #[error(transparent)]
    LogIn(LogInReason),
}

/// Error of a sign-in with a passkey.
pub type PasskeyLogInError = UseCaseError<PasskeyLogInReason>;

impl Reason for PasskeyLogInReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Off(reason) => reason.code(),
            Self::Refused { .. } => ErrorCode::InvalidCredentials,
            Self::LogIn(reason) => reason.code(),
        }
    }
}

impl From<LogInReason> for PasskeyLogInReason {
    fn from(reason: LogInReason) -> Self {
        match reason {
            LogInReason::InvalidCredentials => Self::Refused { unknown: false },
            other => Self::LogIn(other),
        }
    }
}

impl From<PasskeyFault> for PasskeyLogInReason {
    fn from(fault: PasskeyFault) -> Self {
        Self::Refused { unknown: fault == PasskeyFault::Unknown }
    }
}

/// Signs in with passkeys.
pub struct LogInWithPasskey {
    /// Store of passkeys.
    pub store: Arc<dyn Store>,
    /// Verifies the signature.
    pub ceremonies: Arc<PasskeyCeremonies>,
    /// Begins the session.
    pub gate: Arc<Gate>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Notified of each outcome.
    pub observer: Arc<dyn SignInObserver>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl Counted for LogInWithPasskey {
    type Input = PasskeyLogIn;
    type Output = LoggedIn;
    type Reason = PasskeyLogInReason;

    fn attempts(&self, _: &PasskeyLogIn, caller: &Caller) -> Vec<Attempt> {
        vec![Attempt::Call(caller.source())]
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.limits.count(attempt)
    }

    /// Uses up the challenge and begins a session in one transaction.
    fn act(&self, input: &PasskeyLogIn, caller: &Caller, admission: &Admission) -> Result<LoggedIn, PasskeyLogInError> {
        self.ceremonies.party().map_err(PasskeyLogInReason::from)?;
        let outcome = self.sign_in(input, caller, admission);
        match &outcome {
            Ok(_) | Err(UseCaseError::Refused(PasskeyLogInReason::LogIn(_))) => self.observer.on_passkey(true),
            Err(UseCaseError::Refused(_)) => self.observer.on_passkey(false),
            Err(_) => {}
        }
        outcome
    }
}

impl LogInWithPasskey {
    fn sign_in(
        &self,
        input: &PasskeyLogIn,
        caller: &Caller,
        admission: &Admission,
    ) -> Result<LoggedIn, PasskeyLogInError> {
        let purpose = (PasskeyPurpose::LogIn, None);
        let verified = &self.ceremonies.verify(&input.credential, purpose, caller, &*self.store).map_err(from)?;
        let session_id = self.gate.beginning.issuance.new_session_id();
        for _ in 0..MAX_ATTEMPTS {
            let owner = self.store.read(|tx| tx.credentials().owner(verified.passkey.user_id))?;
            let owner = &owner.ok_or_else(|| refused(PasskeyFault::Unknown, verified, caller))?;
            let entry = self.gate.entry(owner, (verified.methods(), session_id), (caller, admission));
            let mut fault = None;
            let passed = self.gate.pass(&entry, &mut |tx| {
                fault = verified.use_up(self.clock.now(), tx)?;
                Ok(fault.is_none())
            });
            match (passed, fault) {
                (Ok(Some(logged_in)), _) => return Ok(logged_in),
                (Ok(None), Some(fault)) => return Err(refused(fault, verified, caller).into()),
                (Ok(None), None) => {}
                // A signature works once, also if it only leads to the second factor.
                (Err(UseCaseError::Refused(reason)), _) => {
                    let fault = self.store.write(|tx| verified.use_up(self.clock.now(), tx))?;
                    return Err(match fault {
                        Some(fault) => refused(fault, verified, caller),
                        None => reason.into(),
                    }
                    .into());
                }
                (Err(error), _) => return Err(error.convert()),
            }
        }
        Err(hash_contention().into())
    }
}

fn refused(fault: PasskeyFault, verified: &VerifiedPasskey, caller: &Caller) -> PasskeyLogInReason {
    report(fault, Some(verified.passkey.user_id), caller);
    fault.into()
}

fn from(error: VerifyPasskeyError) -> PasskeyLogInError {
    match error {
        VerifyPasskeyError::Refused(fault) => PasskeyLogInReason::from(fault).into(),
        VerifyPasskeyError::Failed(error) => error.into(),
    }
}
