//! Client requests and their answers, in terms of the use cases.

use crate::node::Process;
use portcullis_domain::health::Readiness;
use portcullis_domain::mfa::{FactorId, FactorName};
use portcullis_domain::registration::{EmailAddress, Password, PasswordPolicy, UserId};
use portcullis_ports::{HasherError, StoreError};
use portcullis_usecases::login::{LogInError, LogInReason, PasswordLogin};
use portcullis_usecases::mfa::{
    Enrollee, FactorCode, MfaError, MfaReason, SecondFactorVerification, TotpConfirmation, TotpEnrolment,
    VerifySecondFactorError, VerifySecondFactorReason,
};
use portcullis_usecases::registration::{RegisterError, RegisterReason, Registration};
use portcullis_usecases::tokens::{Authenticated, RefreshExchange, TokenError, TokenPair};
use portcullis_usecases::{Caller, Counted, DependencyError};

/// Request to one of the use cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Register {
        email: String,
        password: String,
    },
    /// With a code of the account's app, if `coded` and there is one.
    LogIn {
        email: String,
        password: String,
        coded: bool,
    },
    /// Completes a login with a code of the account's app.
    Verify {
        token: String,
    },
    /// Sets up an app: begins the enrolment and confirms it.
    Enrol {
        token: String,
    },
    /// Removes the account's oldest app.
    Remove {
        token: String,
    },
    Refresh {
        token: String,
    },
    LogOut {
        token: String,
    },
    Authenticate {
        token: String,
    },
    Readiness,
}

/// Answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Registered(UserId),
    Pair {
        access: String,
        refresh: String,
    },
    LoggedOut,
    /// The challenge.
    SecondFactorDue(String),
    Enrolled,
    Removed,
    StepUpDue,
    NoFactor,
    TooManyFactors,
    Account(UserId),
    Ready(bool),
    EmailTaken,
    InvalidCredentials,
    Invalid,
    Expired,
    Revoked,
    Store(StoreError),
    Hasher(HasherError),
    Signing,
    /// The request panicked. No other request may be affected.
    Panicked,
    /// The process died during the request.
    Lost,
}

impl Answer {
    /// Returns whether the request succeeded.
    pub(crate) fn is_success(&self) -> bool {
        matches!(
            self,
            Self::Registered(_)
                | Self::Pair { .. }
                | Self::LoggedOut
                | Self::Account(_)
                | Self::Enrolled
                | Self::Removed
        )
    }

    /// Returns whether the answer leaves open what was done.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Hasher(_) | Self::Signing | Self::Panicked | Self::Lost)
    }
}

impl Request {
    /// Returns the token that the request presents, or `None` if it has none.
    pub(crate) fn token(&self) -> Option<&str> {
        match self {
            Self::Refresh { token }
            | Self::LogOut { token }
            | Self::Authenticate { token }
            | Self::Enrol { token }
            | Self::Remove { token } => Some(token),
            Self::Register { .. } | Self::LogIn { .. } | Self::Verify { .. } | Self::Readiness => None,
        }
    }

    /// Returns whether the request shows a code of an app.
    pub(crate) fn is_coded(&self) -> bool {
        matches!(self, Self::LogIn { coded: true, .. } | Self::Verify { .. })
    }

    /// Runs the use case.
    pub(crate) fn run(&self, node: &Process) -> Answer {
        match self.clone() {
            Self::Register { email, password } => register(node, &email, password),
            Self::LogIn { email, password, coded } => log_in(node, &email, password, coded),
            Self::Verify { token } => verify(node, token),
            Self::Enrol { token } => in_session(node, &token, enrol),
            Self::Remove { token } => in_session(node, &token, remove),
            Self::Refresh { token } => {
                match node
                    .refresh
                    .run(&RefreshExchange { refresh_token: token, key: None, by_device: false }, &Caller::default())
                {
                    Ok(refreshed) => pair(refreshed.pair),
                    Err(error) => token_error(error),
                }
            }
            Self::LogOut { token } => match node.log_out.run(&token, &Caller::default()) {
                Ok(_) => Answer::LoggedOut,
                Err(error) => token_error(error),
            },
            Self::Authenticate { token } => match node.authenticate.run(&token) {
                Ok(authenticated) => Answer::Account(authenticated.user.id),
                Err(error) => token_error(error),
            },
            Self::Readiness => Answer::Ready(node.readiness.run().status == Readiness::Ok),
        }
    }
}

fn register(node: &Process, email: &str, password: String) -> Answer {
    let password = PasswordPolicy::default().validate(Password::new(password)).unwrap();
    let email = EmailAddress::parse(email).unwrap();
    match node.register.run(&Registration { email, password }, &Caller::default()) {
        Ok(registered) => Answer::Registered(registered.0.id),
        Err(RegisterError::Refused(RegisterReason::EmailTaken)) => Answer::EmailTaken,
        Err(RegisterError::Refused(RegisterReason::CommonPassword)) => panic!("there is no blocklist"),
        Err(RegisterError::Limited(limited)) => panic!("nothing is limited: {limited:?}"),
        Err(RegisterError::Failed(failure)) => failed(failure),
    }
}

fn log_in(node: &Process, email: &str, password: String, coded: bool) -> Answer {
    let email = EmailAddress::parse(email).unwrap();
    let code = if coded { node.factors.code_of_account(&email) } else { None };
    let input = PasswordLogin { email, password: Password::new(password), code, remember_device: false };
    match node.log_in.run(&input, &Caller::default()) {
        Ok(logged_in) => pair(logged_in.pair),
        Err(LogInError::Refused(LogInReason::InvalidCredentials)) => Answer::InvalidCredentials,
        Err(LogInError::Refused(LogInReason::SecondFactorRequired(challenge))) => {
            Answer::SecondFactorDue(challenge.token)
        }
        Err(LogInError::Refused(reason)) => panic!("nothing else is required: {reason}"),
        Err(LogInError::Limited(limited)) => panic!("nothing is limited: {limited:?}"),
        Err(LogInError::Failed(failure)) => failed(failure),
    }
}

fn verify(node: &Process, mfa_token: String) -> Answer {
    let code = node.factors.code_for(&mfa_token).unwrap_or(FactorCode::Unreadable);
    let input = SecondFactorVerification { mfa_token, factor: code.into(), remember_device: false };
    match node.factors.verify.run(&input, &Caller::default()) {
        Ok(logged_in) => pair(logged_in.pair),
        Err(VerifySecondFactorError::Refused(
            VerifySecondFactorReason::WrongCode | VerifySecondFactorReason::WrongPasskey,
        )) => Answer::InvalidCredentials,
        Err(VerifySecondFactorError::Refused(VerifySecondFactorReason::Token(error))) => token_error(error),
        Err(VerifySecondFactorError::Refused(VerifySecondFactorReason::LogIn(LogInReason::InvalidCredentials))) => {
            Answer::InvalidCredentials
        }
        Err(VerifySecondFactorError::Refused(reason)) => panic!("nothing else is required: {reason}"),
        Err(VerifySecondFactorError::Limited(limited)) => panic!("nothing is limited: {limited:?}"),
        Err(VerifySecondFactorError::Failed(failure)) => failed(failure),
    }
}

fn in_session(node: &Process, token: &str, act: fn(&Process, Authenticated) -> Result<Answer, MfaError>) -> Answer {
    match node.authenticate.run(token).map(|session| act(node, session)) {
        Ok(Ok(done)) => done,
        Err(error) => token_error(error),
        Ok(Err(MfaError::Refused(reason))) => match reason {
            MfaReason::WrongCode => Answer::InvalidCredentials,
            MfaReason::NotFound | MfaReason::DeviceNotFound => Answer::NoFactor,
            MfaReason::StepUp(_) => Answer::StepUpDue,
            MfaReason::Conflict(_) => Answer::TooManyFactors,
            MfaReason::Revoked => Answer::Revoked,
            MfaReason::LogIn(reason) => panic!("a session enrols: {reason}"),
        },
        Ok(Err(MfaError::Limited(limited))) => panic!("nothing is limited: {limited:?}"),
        Ok(Err(MfaError::Failed(failure))) => failed(failure),
    }
}

fn enrol(node: &Process, session: Authenticated) -> Result<Answer, MfaError> {
    let enrollee = Enrollee::Session(session);
    let enrolled = node.factors.enrol.run(TotpEnrolment { enrollee: enrollee.clone(), name: FactorName::default() })?;
    let input = TotpConfirmation { enrollee, id: enrolled.id, code: node.factors.code(&enrolled.secret) };
    node.factors.confirm.run(&input, &Caller::default()).map(|_| Answer::Enrolled)
}

fn remove(node: &Process, session: Authenticated) -> Result<Answer, MfaError> {
    let oldest = node.factors.app(session.user.id).map_or(FactorId::from_random([0; 16]), |factor| factor.id);
    node.factors.remove.run(&session, oldest, &Caller::default()).map(|()| Answer::Removed)
}

fn pair(pair: TokenPair) -> Answer {
    Answer::Pair { access: pair.access_token, refresh: pair.refresh_token }
}

fn token_error(error: TokenError) -> Answer {
    match error {
        TokenError::Invalid => Answer::Invalid,
        TokenError::Expired => Answer::Expired,
        TokenError::Revoked | TokenError::Raced => Answer::Revoked,
        TokenError::EmailUnverified => unreachable!("no address must be verified"),
        TokenError::Failed(failure) => failed(failure),
    }
}

fn failed(failure: DependencyError) -> Answer {
    match failure {
        DependencyError::Store(error) => Answer::Store(error),
        DependencyError::Hasher(error) => Answer::Hasher(error),
        DependencyError::Signing(_) => Answer::Signing,
        DependencyError::Limiter(error) => panic!("nothing is limited: {error}"),
        DependencyError::Sealing(error) => panic!("nothing is sealed: {error}"),
    }
}
