//! Conversions from use-case errors to [`ApiError`].

use super::ApiError;
use portcullis_domain::ErrorCode;
use portcullis_usecases::limits::LimitError;
use portcullis_usecases::login::{LogInReason, ReauthenticationReason};
use portcullis_usecases::mfa::{MfaReason, ReauthenticateReason, VerifySecondFactorReason};
use portcullis_usecases::providers::{
    CodeReason, FlowRejection, IdTokenReason, IdentityReason, LinkStart, NoAccount, ProviderReason,
};
use portcullis_usecases::recovery::{ChangePasswordReason, ResetPasswordReason};
use portcullis_usecases::registration::RegisterReason;
use portcullis_usecases::sessions::NoSuchSession;
use portcullis_usecases::tokens::TokenError;
use portcullis_usecases::verification::VerifyEmailReason;
use portcullis_usecases::{DependencyError, Reason, UseCaseError};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;

/// Reason that is reported to clients, with its own code and message.
pub(crate) trait Described: Reason {
    /// Member of the request that holds a new password.
    const NEW_PASSWORD: &'static str = "new_password";

    /// Returns an object with details for the client.
    fn details(&self) -> Option<Value> {
        None
    }
}

impl Described for ChangePasswordReason {
    fn details(&self) -> Option<Value> {
        if let Self::Session(reason) = self { reason.details() } else { None }
    }
}

impl Described for Infallible {}
impl Described for LogInReason {
    fn details(&self) -> Option<Value> {
        match self {
            Self::SecondFactorRequired(challenge) => {
                let recovery = challenge.recovery_codes.then_some("recovery_code");
                let methods: Vec<_> = std::iter::once("totp").chain(recovery).collect();
                let expires_in = challenge.expires_in.num_seconds();
                Some(json!({ "mfa_token": challenge.token, "expires_in": expires_in, "methods": methods }))
            }
            Self::EnrolmentRequired(challenge) => {
                let expires_in = challenge.expires_in.num_seconds();
                Some(json!({ "mfa_token": challenge.token, "expires_in": expires_in }))
            }
            Self::InvalidCredentials | Self::EmailUnverified => None,
        }
    }
}

impl Described for MfaReason {
    fn details(&self) -> Option<Value> {
        match self {
            Self::StepUp(required) => {
                let methods = reauthentication_methods(required.password, required.second_factor);
                Some(json!({ "max_age": required.max_age.num_seconds(), "methods": methods }))
            }
            Self::Conflict(conflict) => Some(json!({ "reason": conflict.as_str() })),
            Self::LogIn(reason) => reason.details(),
            Self::WrongCode | Self::NotFound | Self::DeviceNotFound | Self::Revoked => None,
        }
    }
}

impl Described for CodeReason {
    fn details(&self) -> Option<Value> {
        if let Self::LogIn(reason) = self { reason.details() } else { None }
    }
}
impl Described for FlowRejection {}

impl Described for IdTokenReason {
    fn details(&self) -> Option<Value> {
        match self {
            Self::Provider(_) => None,
            Self::NoAccount(reason) => reason.details(),
            Self::LogIn(reason) => reason.details(),
        }
    }
}

impl Described for IdentityReason {
    fn details(&self) -> Option<Value> {
        match self {
            Self::NotFound => None,
            Self::LastSignInMethod => Some(json!({ "reason": "last_sign_in_method" })),
            Self::Session(reason) => reason.details(),
        }
    }
}

impl Described for LinkStart {
    fn details(&self) -> Option<Value> {
        if let Self::Session(reason) = self { reason.details() } else { None }
    }
}

impl Described for NoAccount {
    fn details(&self) -> Option<Value> {
        Some(json!({ "reason": self.0.as_str() }))
    }
}
impl Described for ProviderReason {}
impl Described for ReauthenticateReason {}

impl Described for VerifySecondFactorReason {
    fn details(&self) -> Option<Value> {
        if let Self::LogIn(reason) = self { reason.details() } else { None }
    }
}

/// Returns what an account can present to authenticate again. A code alone is refused, so an account without a
/// password has nothing to present: its user signs in again.
pub(crate) fn reauthentication_methods(password: bool, second_factor: bool) -> Vec<&'static str> {
    let methods = [(password, "password"), (password && second_factor, "totp")];
    methods.into_iter().filter_map(|(is_accepted, method)| is_accepted.then_some(method)).collect()
}

impl Described for NoSuchSession {}
impl Described for ResetPasswordReason {}
impl Described for VerifyEmailReason {}

impl Described for ReauthenticationReason {
    fn details(&self) -> Option<Value> {
        if let Self::Session(reason) = self { reason.details() } else { None }
    }
}

impl Described for RegisterReason {
    const NEW_PASSWORD: &'static str = "password";
}

impl<R: Described> From<R> for ApiError {
    fn from(reason: R) -> Self {
        match reason.code() {
            ErrorCode::Validation => Self::common_password(R::NEW_PASSWORD, reason.to_string()),
            code => Self {
                details: reason.details().map(Box::new),
                retry_after: (code == ErrorCode::Unavailable).then_some(Duration::from_secs(1)),
                ..Self::new(code, reason.to_string())
            },
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
