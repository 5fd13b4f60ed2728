//! Conversions from use-case errors to [`ApiError`].

use super::ApiError;
use portcullis_domain::ErrorCode;
use portcullis_usecases::limits::LimitError;
use portcullis_usecases::login::{LogInReason, WrongPassword};
use portcullis_usecases::recovery::{ChangePasswordReason, ResetPasswordReason};
use portcullis_usecases::registration::RegisterReason;
use portcullis_usecases::sessions::NoSuchSession;
use portcullis_usecases::tokens::TokenError;
use portcullis_usecases::verification::VerifyEmailReason;
use portcullis_usecases::{DependencyError, Reason, UseCaseError};
use serde_json::Value;
use std::convert::Infallible;

/// Reason that is reported to clients, with its own code and message.
pub(crate) trait Described: Reason {
    /// Member of the request that holds a new password.
    const NEW_PASSWORD: &'static str = "new_password";

    /// Returns an object with details for the client.
    fn details(&self) -> Option<Value> {
        None
    }
}

impl Described for ChangePasswordReason {}
impl Described for Infallible {}
impl Described for LogInReason {}
impl Described for NoSuchSession {}
impl Described for ResetPasswordReason {}
impl Described for VerifyEmailReason {}
impl Described for WrongPassword {}
impl Described for RegisterReason {
    const NEW_PASSWORD: &'static str = "password";
}

impl<R: Described> From<R> for ApiError {
    fn from(reason: R) -> Self {
        match reason.code() {
            ErrorCode::Validation => Self::common_password(R::NEW_PASSWORD, reason.to_string()),
            code => Self { details: reason.details().map(Box::new), ..Self::new(code, reason.to_string()) },
        }
    }
}

impl<R: Described> From<UseCaseError<R>> for ApiError {
    fn from(error: UseCaseError<R>) -> Self {
        match error {
            UseCaseError::Refused(reason) => reason.into(),
            UseCaseError::Limited(limited) => Self::limited(limited),
            UseCaseError::Failed(failure) => failure.into(),
        }
    }
}

impl From<LimitError> for ApiError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited(limited) => Self::limited(limited),
            LimitError::Failed(error) => DependencyError::from(error).into(),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Failed(failure) => failure.into(),
            _ => Self::new(error.code(), error.to_string()),
        }
    }
}
