//! Client requests and their answers, in terms of the use cases.

use crate::node::Process;
use portcullis_domain::health::Readiness;
use portcullis_domain::registration::{EmailAddress, Password, PasswordPolicy, UserId};
use portcullis_ports::{HasherError, StoreError};
use portcullis_usecases::login::{LogInError, LogInReason, PasswordLogin};
use portcullis_usecases::registration::{RegisterError, RegisterReason, Registration};
use portcullis_usecases::tokens::{RefreshExchange, TokenError, TokenPair};
use portcullis_usecases::{Caller, Counted, DependencyError};

/// Request to one of the use cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Register { email: String, password: String },
    LogIn { email: String, password: String },
    Refresh { token: String },
    LogOut { token: String },
    Authenticate { token: String },
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
        matches!(self, Self::Registered(_) | Self::Pair { .. } | Self::LoggedOut | Self::Account(_))
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
            Self::Refresh { token } | Self::LogOut { token } | Self::Authenticate { token } => Some(token),
            Self::Register { .. } | Self::LogIn { .. } | Self::Readiness => None,
        }
    }

    /// Runs the use case.
    pub(crate) fn run(&self, node: &Process) -> Answer {
        match self.clone() {
            Self::Register { email, password } => register(node, &email, password),
            Self::LogIn { email, password } => log_in(node, &email, password),
            Self::Refresh { token } => {
                match node.refresh.run(&RefreshExchange { refresh_token: token, key: None }, &Caller::default()) {
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

fn log_in(node: &Process, email: &str, password: String) -> Answer {
    let email = EmailAddress::parse(email).unwrap();
    let input = PasswordLogin { email, password: Password::new(password), code: None, remember_device: false };
    match node.log_in.run(&input, &Caller::default()) {
        Ok(logged_in) => pair(logged_in.pair),
        Err(LogInError::Refused(LogInReason::InvalidCredentials)) => Answer::InvalidCredentials,
        Err(LogInError::Refused(reason)) => panic!("the password is enough: {reason}"),
        Err(LogInError::Limited(limited)) => panic!("nothing is limited: {limited:?}"),
        Err(LogInError::Failed(failure)) => failed(failure),
    }
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
