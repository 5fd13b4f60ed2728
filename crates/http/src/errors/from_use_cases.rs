//! Conversions from use-case errors to [`ApiError`].

use super::ApiError;
use portcullis_usecases::limits::LimitError;
use portcullis_usecases::login::{LogInError, ReauthenticationError};
use portcullis_usecases::recovery::{ChangePasswordError, RequestResetError, ResetPasswordError};
use portcullis_usecases::registration::RegisterError;
use portcullis_usecases::sessions::SessionError;
use portcullis_usecases::tokens::TokenError;
use portcullis_usecases::verification::{ResendVerificationError, VerifyEmailError};

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match &error {
            RegisterError::Failed(failure) => failure.into(),
            RegisterError::Limited(limited) => Self::limited(*limited),
            RegisterError::CommonPassword => Self::common_password("password", error.to_string()),
            RegisterError::EmailTaken => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<ReauthenticationError> for ApiError {
    fn from(error: ReauthenticationError) -> Self {
        match &error {
            ReauthenticationError::Failed(failure) => failure.into(),
            ReauthenticationError::Limited(limited) => Self::limited(*limited),
            ReauthenticationError::InvalidCredentials => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<LogInError> for ApiError {
    fn from(error: LogInError) -> Self {
        match &error {
            LogInError::Failed(failure) => failure.into(),
            LogInError::Limited(limited) => Self::limited(*limited),
            LogInError::InvalidCredentials | LogInError::EmailUnverified => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<LimitError> for ApiError {
    fn from(error: LimitError) -> Self {
        match &error {
            LimitError::Failed(failure) => failure.into(),
            LimitError::Limited(limited) => Self::limited(*limited),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match &error {
            TokenError::Failed(failure) => failure.into(),
            _ => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match &error {
            SessionError::Failed(failure) => failure.into(),
            SessionError::NotFound => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<ChangePasswordError> for ApiError {
    fn from(error: ChangePasswordError) -> Self {
        match &error {
            ChangePasswordError::Failed(failure) => failure.into(),
            ChangePasswordError::Limited(limited) => Self::limited(*limited),
            ChangePasswordError::CommonPassword => Self::common_password("new_password", error.to_string()),
            ChangePasswordError::InvalidCredentials => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<RequestResetError> for ApiError {
    fn from(error: RequestResetError) -> Self {
        match &error {
            RequestResetError::Failed(failure) => failure.into(),
            RequestResetError::Limited(limited) => Self::limited(*limited),
        }
    }
}

impl From<ResetPasswordError> for ApiError {
    fn from(error: ResetPasswordError) -> Self {
        match &error {
            ResetPasswordError::Failed(failure) => failure.into(),
            ResetPasswordError::CommonPassword => Self::common_password("new_password", error.to_string()),
            ResetPasswordError::Invalid | ResetPasswordError::Expired => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<VerifyEmailError> for ApiError {
    fn from(error: VerifyEmailError) -> Self {
        match &error {
            VerifyEmailError::Failed(failure) => failure.into(),
            VerifyEmailError::Limited(limited) => Self::limited(*limited),
            VerifyEmailError::Invalid
            | VerifyEmailError::Expired
            | VerifyEmailError::EmailTaken
            | VerifyEmailError::InvalidCredentials => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<ResendVerificationError> for ApiError {
    fn from(error: ResendVerificationError) -> Self {
        match &error {
            ResendVerificationError::Failed(failure) => failure.into(),
            ResendVerificationError::Limited(limited) => Self::limited(*limited),
        }
    }
}
