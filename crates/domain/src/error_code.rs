//! Stable error codes of the API. The HTTP layer maps each code to a status.

/// Stable, machine-readable error code. Codes may be added, but are never renamed or reused.
///
/// ```
/// use portcullis_domain::ErrorCode;
/// assert_eq!(ErrorCode::TokenExpired.as_str(), "AUTH_TOKEN_EXPIRED");
/// assert_eq!(ErrorCode::ALL.len(), 18);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// Wrong email, wrong password or inactive account. Only the log distinguishes them.
    InvalidCredentials,
    /// The token is missing, malformed, forged, of the wrong type, or unknown.
    TokenInvalid,
    /// The token is genuine but expired.
    TokenExpired,
    /// The token is genuine, but spent or revoked, or its account is inactive.
    TokenRevoked,
    /// The password is correct, but the account's email address must be verified first.
    EmailUnverified,
    /// The first factor is correct, and the account has a second one.
    MfaRequired,
    /// The first factor is correct, but the account must set up a second one before it can log in.
    MfaEnrolmentRequired,
    /// The user is logged in, but authenticated too long ago or too weakly for this call.
    StepUpRequired,
    /// The client is authenticated but not allowed to do this.
    Forbidden,
    /// The resource does not exist.
    NotFound,
    /// The resource exists, but does not support this method.
    MethodNotAllowed,
    /// The email address is already registered, or the account's state does not permit the call.
    Conflict,
    /// The request body is larger than the service accepts.
    PayloadTooLarge,
    /// The request body has an unsupported media type.
    UnsupportedMediaType,
    /// The request body cannot be parsed, or fields of it are invalid.
    Validation,
    /// Too many attempts.
    RateLimited,
    /// Unexpected error.
    Internal,
    /// A dependency is unavailable, or the service is overloaded. A later attempt may succeed.
    Unavailable,
}

impl ErrorCode {
    /// All codes, in the order of the table in the API documentation.
    pub const ALL: [Self; 18] = [
        Self::InvalidCredentials,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::EmailUnverified,
        Self::MfaRequired,
        Self::MfaEnrolmentRequired,
        Self::StepUpRequired,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Validation,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
    ];

    /// Returns the code as sent to clients.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidCredentials => "AUTH_INVALID_CREDENTIALS",
            Self::TokenInvalid => "AUTH_TOKEN_INVALID",
            Self::TokenExpired => "AUTH_TOKEN_EXPIRED",
            Self::TokenRevoked => "AUTH_TOKEN_REVOKED",
            Self::EmailUnverified => "AUTH_EMAIL_UNVERIFIED",
            Self::MfaRequired => "AUTH_MFA_REQUIRED",
            Self::MfaEnrolmentRequired => "AUTH_MFA_ENROLMENT_REQUIRED",
            Self::StepUpRequired => "AUTH_STEP_UP_REQUIRED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Conflict => "CONFLICT",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::Validation => "VALIDATION_ERROR",
            Self::RateLimited => "RATE_LIMITED",
            Self::Internal => "INTERNAL_ERROR",
            Self::Unavailable => "SERVICE_UNAVAILABLE",
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|code| code.as_str() == text);
        known.ok_or_else(|| serde::de::Error::custom("unknown error code"))
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn serialises_as_its_own_name() {
        for code in ErrorCode::ALL {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<ErrorCode>(&json).unwrap(), code);
        }
        assert!(serde_json::from_str::<ErrorCode>("\"OTHER\"").is_err());
    }
}
