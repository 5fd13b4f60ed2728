//! Completes a login with the second factor.

use super::{Challenges, Factors, PresentedFactor, SecondFactor};
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{Admission, Attempt, LimitError};
use crate::login::{Gate, LogInReason, LoggedIn, MAX_ATTEMPTS, hash_contention};
use crate::sessions::Entry;
use crate::tokens::TokenError;
use portcullis_domain::ErrorCode;
use portcullis_domain::passkeys::PasskeyPurpose;
use portcullis_domain::tokens::ChallengePurpose;
use std::sync::Arc;

/// Input of the verification.
pub struct SecondFactorVerification {
    /// The challenge of the login.
    pub mfa_token: String,
    /// The second factor.
    pub factor: PresentedFactor,
    /// `true` to trust the device.
    pub remember_device: bool,
}

/// Reason why the second factor was refused.
#[derive(Debug, thiserror::Error)]
pub enum VerifySecondFactorReason {
    /// The code is wrong or was used before.
    #[error("Wrong code, or used before")]
    WrongCode,
    /// The passkey is not accepted. Only the log says why.
    #[error("The passkey is not accepted")]
    WrongPasskey,
    /// The challenge was refused.
    #[error("{0}")]
    Token(TokenError),
    /// The login was refused.
    #[error(transparent)]
    LogIn(#[from] LogInReason),
}

/// Error of the verification.
pub type VerifySecondFactorError = UseCaseError<VerifySecondFactorReason>;

impl Reason for VerifySecondFactorReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::WrongCode | Self::WrongPasskey => ErrorCode::InvalidCredentials,
            Self::Token(error) => error.code(),
            Self::LogIn(reason) => reason.code(),
        }
    }
}

/// Completes a login whose first factor was presented before.
pub struct VerifySecondFactor {
    /// Reads the challenge.
    pub challenges: Arc<Challenges>,
    /// Checks the code.
    pub second_factor: Arc<SecondFactor>,
    /// Begins the session.
    pub gate: Arc<Gate>,
}

impl VerifySecondFactor {
    /// Returns what completes the login of a challenge, with new options for a passkey.
    ///
    /// # Errors
    /// Returns [`VerifySecondFactorReason::Token`] if the challenge is not valid any more.
    pub fn factors(&self, mfa_token: &str) -> Result<Factors, VerifySecondFactorError> {
        let challenge = self.challenges.read(mfa_token, ChallengePurpose::SecondFactor).map_err(from_token_error)?;
        let owner = self.challenges.owner(&challenge).map_err(from_token_error)?;
        Ok(self.gate.factors(owner.user.id, challenge.first)?)
    }
}

impl Counted for VerifySecondFactor {
    type Input = SecondFactorVerification;
    type Output = LoggedIn;
    type Reason = VerifySecondFactorReason;

    /// The code is counted with the account, once the challenge was checked.
    fn attempts(&self, _: &SecondFactorVerification, caller: &Caller) -> Vec<Attempt> {
        vec![Attempt::Call(caller.source())]
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.second_factor.limits.count(attempt)
    }

    /// Uses up the code and begins the session of the challenge in one transaction.
    fn act(
        &self,
        input: &SecondFactorVerification,
        caller: &Caller,
        admission: &Admission,
    ) -> Result<LoggedIn, VerifySecondFactorError> {
        let SecondFactorVerification { mfa_token, factor, remember_device } = input;
        let challenge = self.challenges.read(mfa_token, ChallengePurpose::SecondFactor).map_err(from_token_error)?;
        let caller = &caller.forgetting(challenge.forget);
        for _ in 0..MAX_ATTEMPTS {
            let owner = &self.challenges.owner(&challenge).map_err(from_token_error)?;
            let known = self.second_factor.known_device(owner, caller);
            let presented = (factor, PasskeyPurpose::SecondFactor, challenge.first);
            let proof = self.second_factor.check_presented(owner, presented, known, caller)?;
            let proof = proof.ok_or_else(|| wrong(factor))?;
            let entry = Entry {
                owner,
                email: &owner.user.email,
                methods: challenge.first.and(proof.methods()),
                session_id: challenge.session_id,
                device: self.second_factor.device(known, Some(&proof), *remember_device),
                is_known: known.is_some(),
                page: None,
                needs_lock: true,
                caller,
                admission,
            };
            let logged_in = self.second_factor.begin_session(&self.gate, &entry, Some(&proof), *remember_device);
            if let Some(logged_in) = logged_in.map_err(UseCaseError::convert)? {
                return Ok(logged_in);
            }
            if self.second_factor.is_spent(proof, owner, caller) {
                return Err(wrong(factor).into());
            }
        }
        Err(hash_contention().into())
    }
}

const fn wrong(factor: &PresentedFactor) -> VerifySecondFactorReason {
    match factor {
        PresentedFactor::Code(_) => VerifySecondFactorReason::WrongCode,
        PresentedFactor::Passkey(_) => VerifySecondFactorReason::WrongPasskey,
    }
}

fn from_token_error(error: TokenError) -> VerifySecondFactorError {
    match error {
        TokenError::Failed(failure) => failure.into(),
        refused => VerifySecondFactorReason::Token(refused).into(),
    }
}
