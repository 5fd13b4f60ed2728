//! The stable code of every error that a client can meet. Which HTTP status belongs to a code is
//! the business of whoever speaks HTTP.

/// A stable, machine-readable error code. New codes may come, none is renamed or reused.
///
/// ```
/// use portcullis_domain::ErrorCode;
/// assert_eq!(ErrorCode::TokenExpired.as_str(), "AUTH_TOKEN_EXPIRED");
/// assert_eq!(ErrorCode::ALL.len(), 15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ErrorCode {
    /// Wrong email, wrong password, or an inactive account: told apart nowhere but in the log.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_INVALID_CREDENTIALS"))]
    InvalidCredentials,
    /// A token that is missing, malformed, forged, of the wrong kind, or unknown.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_TOKEN_INVALID"))]
    TokenInvalid,
    /// A genuine token past its time.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_TOKEN_EXPIRED"))]
    TokenExpired,
    /// A genuine token that was spent or revoked, or whose account is inactive.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_TOKEN_REVOKED"))]
    TokenRevoked,
    /// The password was right, and the account's address is not verified where it must be.
    #[cfg_attr(feature = "serde", serde(rename = "AUTH_EMAIL_UNVERIFIED"))]
    EmailUnverified,
    /// Known, but not allowed.
    #[cfg_attr(feature = "serde", serde(rename = "FORBIDDEN"))]
    Forbidden,
    /// No such thing.
    #[cfg_attr(feature = "serde", serde(rename = "NOT_FOUND"))]
    NotFound,
    /// The thing exists, and does not do that.
    #[cfg_attr(feature = "serde", serde(rename = "METHOD_NOT_ALLOWED"))]
    MethodNotAllowed,
    /// Somebody was there first: the email is registered.
    #[cfg_attr(feature = "serde", serde(rename = "CONFLICT"))]
    Conflict,
    /// More bytes than the service reads.
    #[cfg_attr(feature = "serde", serde(rename = "PAYLOAD_TOO_LARGE"))]
    PayloadTooLarge,
    /// A body in a format that the service does not read.
    #[cfg_attr(feature = "serde", serde(rename = "UNSUPPORTED_MEDIA_TYPE"))]
    UnsupportedMediaType,
    /// A body that cannot be read, or that breaks a rule field by field.
    #[cfg_attr(feature = "serde", serde(rename = "VALIDATION_ERROR"))]
    Validation,
    /// Too many tries.
    #[cfg_attr(feature = "serde", serde(rename = "RATE_LIMITED"))]
    RateLimited,
    /// Anything unforeseen.
    #[cfg_attr(feature = "serde", serde(rename = "INTERNAL_ERROR"))]
    Internal,
    /// A dependency is gone or everything is busy: try again later.
    #[cfg_attr(feature = "serde", serde(rename = "SERVICE_UNAVAILABLE"))]
    Unavailable,
}

impl ErrorCode {
    /// Every code, in the order of the contract's table.
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

    /// The code as clients see it.
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
