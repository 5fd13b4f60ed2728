//! Conversions from use-case errors to [`ApiError`].

use super::{ApiError, FieldError};
use crate::body::CREDENTIAL;
use crate::openapi::json_patch;
use crate::passkeys::PublicKeyRequestOptions;
use portcullis_domain::ErrorCode;
use portcullis_usecases::limits::LimitError;
use portcullis_usecases::login::{LogInReason, ReauthenticationReason};
use portcullis_usecases::mfa::{
    Challenge, Factors, MfaReason, ReauthenticateReason, ReauthenticationMethods, VerifySecondFactorReason,
};
use portcullis_usecases::passkeys::{PasskeyLogInReason, PasskeyReason, PasskeysOff};
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

    /// Returns the invalid member of the request, if the reason is one: a new password that is too common.
    fn field_error(&self) -> FieldError {
        FieldError { field: Self::NEW_PASSWORD, code: "password_common", message: self.to_string() }
    }

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
                let Challenge { token, expires_in, factors } = &**challenge;
                let Factors { totp, passkey, recovery_codes } = factors;
                let methods = [(*totp, "totp"), (passkey.is_some(), "passkey"), (*recovery_codes, "recovery_code")];
                let mut details = json!({
                    "mfa_token": token,
                    "expires_in": expires_in.num_seconds(),
                    "methods": accepted(&methods),
                });
                let public_key = passkey.clone().map(PublicKeyRequestOptions::from);
                json_patch(&mut details, &json!({ "publicKey": public_key }));
                Some(details)
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
                let methods = reauthentication_methods(&required.methods);
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
impl Described for PasskeysOff {}

impl Described for PasskeyLogInReason {
    fn details(&self) -> Option<Value> {
        match self {
            Self::Refused { unknown } => unknown.then(|| json!({ "unknown_credential": true })),
            Self::LogIn(reason) => reason.details(),
            Self::Off(_) => None,
        }
    }
}

impl Described for PasskeyReason {
    fn field_error(&self) -> FieldError {
        let code = if let Self::Refused(fault) = self { fault.as_str() } else { "value_error" };
        FieldError { field: CREDENTIAL.name, code, message: self.to_string() }
    }

    fn details(&self) -> Option<Value> {
        match self {
            Self::Conflict(conflict) => Some(json!({ "reason": conflict.as_str() })),
            Self::Session(reason) => reason.details(),
            Self::Off(_) | Self::NotFound | Self::Refused(_) => None,
        }
    }
}

impl Described for ProviderReason {}
impl Described for ReauthenticateReason {}

impl Described for VerifySecondFactorReason {
    fn details(&self) -> Option<Value> {
        if let Self::LogIn(reason) = self { reason.details() } else { None }
    }
}

/// Returns the names of what an account can present to authenticate again.
pub(crate) fn reauthentication_methods(methods: &ReauthenticationMethods) -> Vec<&'static str> {
    let ReauthenticationMethods { password, totp, passkey } = *methods;
    accepted(&[(password, "password"), (totp, "totp"), (passkey, "passkey")])
}

fn accepted(methods: &[(bool, &'static str)]) -> Vec<&'static str> {
    methods.iter().filter_map(|(is_accepted, method)| is_accepted.then_some(*method)).collect()
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
            ErrorCode::Validation => Self::validation(vec![reason.field_error()]),
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
