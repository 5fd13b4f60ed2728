//! Stable error codes of the API. The HTTP layer maps each code to a status.

/// Stable, machine-readable error code. Codes may be added, but are never renamed or reused.
///
/// ```
/// use portcullis_domain::ErrorCode;
/// assert_eq!(ErrorCode::TokenExpired.as_str(), "AUTH_TOKEN_EXPIRED");
/// assert_eq!(ErrorCode::ALL.len(), 15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ErrorCode {
    /// Wrong email, wrong password or inactive account. Only the log distinguishes them.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_INVALID_CREDENTIALS"))]
    InvalidCredentials,
    /// The token is missing, malformed, forged, of the wrong type, or unknown.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_TOKEN_INVALID"))]
    TokenInvalid,
    /// The token is genuine but expired.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_TOKEN_EXPIRED"))]
    TokenExpired,
    /// The token is genuine, but spent or revoked, or its account is inactive.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_TOKEN_REVOKED"))]
    TokenRevoked,
    /// The password is correct, but the account's email address must be verified first.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_EMAIL_UNVERIFIED"))]
    EmailUnverified,
    /// The client is authenticated but not allowed to do this.
    #[cfg_attr(feature = "serde", serde(rename = "FORBIDDEN"))]
    Forbidden,
    /// The resource does not exist.
    #[cfg_attr(feature = "serde", serde(rename = "NOT_FOUND"))]
    NotFound,
    /// The resource exists, but does not support this method.
    #[cfg_attr(feature = "serde", serde(rename = "METHOD_NOT_ALLOWED"))]
    MethodNotAllowed,
    /// The email address is already registered.
    #[cfg_attr(feature = "serde", serde(rename = "CONFLICT"))]
    Conflict,
    /// The request body is larger than the service accepts.
    #[cfg_attr(feature = "serde", serde(rename = "PAYLOAD_TOO_LARGE"))]
    PayloadTooLarge,
    /// The request body has an unsupported media type.
    #[cfg_attr(feature = "serde", serde(rename = "UNSUPPORTED_MEDIA_TYPE"))]
    UnsupportedMediaType,
    /// The request body cannot be parsed, or fields of it are invalid.
    #[cfg_attr(feature = "serde", serde(rename = "VALIDATION_ERROR"))]
    Validation,
    /// Too many attempts.
    #[cfg_attr(feature = "serde", serde(rename = "RATE_LIMITED"))]
    RateLimited,
    /// Unexpected error.
    #[cfg_attr(feature = "serde", serde(rename = "INTERNAL_ERROR"))]
    Internal,
    /// A dependency is unavailable, or the service is overloaded. A later attempt may succeed.
    #[cfg_attr(feature = "serde", serde(rename = "SERVICE_UNAVAILABLE"))]
    Unavailable,
}

impl ErrorCode {
    /// All codes, in the order of the table in the API documentation.
    pub const ALL: [Self; 15] = [
        Self::InvalidCredentials,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::EmailUnverified,
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
    }
}
