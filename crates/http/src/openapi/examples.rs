//! Example bodies in the document, taken from the code that sends them.
//! `tests/service/contract/examples.rs` of the binary compares them with real responses.

use crate::body;
use crate::errors::{ApiError, Problem};
use crate::lanes::LaneError;
use crate::passkeys::NO_RELATED_ORIGINS;
use portcullis_domain::ErrorCode;
use portcullis_usecases::login::LogInReason;
use portcullis_usecases::mfa::{FactorConflict, MfaReason, VerifySecondFactorReason};
use portcullis_usecases::passkeys::{PasskeyConflict, PasskeyLogInReason, PasskeyReason, PasskeysOff};
use portcullis_usecases::registration::RegisterReason;
use portcullis_usecases::sessions::NoSuchSession;
use portcullis_usecases::tokens::TokenError;
use serde_json::{Value, json};
use std::time::Duration;

/// Start of a token, like those of the README.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…";
const REQUEST_ID: &str = "9f2c4e6a8b0d4f1e8a7c5b3d1f0e2a4c";

/// Returns an example error of an operation.
pub(super) fn error(operation: &str, code: ErrorCode) -> Value {
    let envelope = Problem::from(sent(operation, code)).envelope(REQUEST_ID);
    json!({ "summary": code, "value": serde_json::to_value(envelope).unwrap_or_default() })
}

fn sent(operation: &str, code: ErrorCode) -> ApiError {
    match code {
        ErrorCode::InvalidCredentials => match operation {
            "confirm_totp" => MfaReason::WrongCode.into(),
            "verify_mfa" => VerifySecondFactorReason::WrongCode.into(),
            "login_with_passkey" => PasskeyLogInReason::Refused { unknown: false }.into(),
            _ => LogInReason::InvalidCredentials.into(),
        },
        ErrorCode::EmailUnverified => LogInReason::EmailUnverified.into(),
        ErrorCode::MfaRequired => ApiError::new(code, "Second factor required")
            .with_details(json!({ "mfa_token": TOKEN, "expires_in": 300, "methods": ["totp", "recovery_code"] })),
        ErrorCode::MfaEnrolmentRequired => ApiError::new(code, "A second factor must be set up")
            .with_details(json!({ "mfa_token": TOKEN, "expires_in": 600 })),
        ErrorCode::StepUpRequired => ApiError::new(code, "Recent authentication required")
            .with_details(json!({ "max_age": 600, "methods": ["password", "totp"] })),
        ErrorCode::TokenInvalid => TokenError::Invalid.into(),
        ErrorCode::TokenExpired => TokenError::Expired.into(),
        ErrorCode::TokenRevoked => TokenError::Revoked.into(),
        ErrorCode::NotFound => match operation {
            "revoke_session" | "session_events" => NoSuchSession.into(),
            "forget_trusted_device" => MfaReason::DeviceNotFound.into(),
            "rename_passkey" | "remove_passkey" => PasskeyReason::NotFound.into(),
            "passkey_options" | "add_passkey" | "passkeys" | "passkey_login_options" | "login_with_passkey" => {
                PasskeysOff.into()
            }
            "related_origins" => ApiError::new(code, NO_RELATED_ORIGINS),
            _ => MfaReason::NotFound.into(),
        },
        ErrorCode::Conflict => match operation {
            "enrol_totp" => MfaReason::Conflict(FactorConflict::TooMany).into(),
            "remove_totp" => MfaReason::Conflict(FactorConflict::Required).into(),
            "add_passkey" => PasskeyReason::Conflict(PasskeyConflict::Taken).into(),
            "remove_passkey" => PasskeyReason::Conflict(PasskeyConflict::LastSignInMethod).into(),
            _ => RegisterReason::EmailTaken.into(),
        },
        ErrorCode::PayloadTooLarge => body::too_large(),
        ErrorCode::UnsupportedMediaType => body::unsupported(operation == "login"),
        ErrorCode::Validation => ApiError::validation(Vec::new()),
        ErrorCode::Unavailable => LaneError::Full { retry_after: Duration::from_secs(1) }.into(),
        ErrorCode::Internal => ApiError::internal(""),
        ErrorCode::RateLimited => ApiError::new(code, "Too many attempts, try again later"),
        ErrorCode::MethodNotAllowed => ApiError::new(code, "Method not allowed"),
        ErrorCode::Forbidden => ApiError::new(code, "The request cannot be served"),
    }
}
