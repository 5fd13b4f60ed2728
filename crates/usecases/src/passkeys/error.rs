//! Errors of the use cases for a user's own passkeys.

use crate::failure::{Reason, UseCaseError};
use crate::mfa::MfaReason;
use portcullis_domain::ErrorCode;
use portcullis_domain::passkeys::PasskeyFault;

/// Passkeys are off: the service has no RP ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Passkeys are off: the host of PUBLIC_URL is an IP address, and WEBAUTHN_RP_ID is not set")]
pub struct PasskeysOff;

impl Reason for PasskeysOff {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

/// State of an account that does not permit the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasskeyConflict {
    /// An account has the passkey.
    Taken,
    /// The account has the maximum number of passkeys.
    TooMany,
    /// Without the passkey, no one could sign in to the account.
    LastSignInMethod,
}

impl PasskeyConflict {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "passkey_taken",
            Self::TooMany => "too_many",
            Self::LastSignInMethod => "last_sign_in_method",
        }
    }
}

/// Reason why a call about passkeys was refused.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyReason {
    /// Passkeys are off.
    #[error(transparent)]
    Off(#[from] PasskeysOff),
    /// The passkey does not exist, or is another account's.
    #[error("Passkey not found")]
    NotFound,
    /// The browser's response is refused.
    #[error("{}", describe(*.0))]
    Refused(PasskeyFault),
    /// The account's state does not permit the call.
    #[error("{}", match .0 {
        PasskeyConflict::Taken => "The passkey is registered already",
        PasskeyConflict::TooMany => "The account has too many passkeys",
        PasskeyConflict::LastSignInMethod => "The last way to sign in cannot be removed",
    })]
    Conflict(PasskeyConflict),
    /// The session may not do that now.
    #[error(transparent)]
    Session(#[from] MfaReason),
}

/// Error of a call about passkeys.
pub type PasskeyError = UseCaseError<PasskeyReason>;

impl Reason for PasskeyReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Off(reason) => reason.code(),
            Self::NotFound => ErrorCode::NotFound,
            Self::Refused(_) => ErrorCode::Validation,
            Self::Conflict(_) => ErrorCode::Conflict,
            Self::Session(reason) => reason.code(),
        }
    }
}

/// Describes the fault of a registration.
const fn describe(fault: PasskeyFault) -> &'static str {
    match fault {
        PasskeyFault::Malformed => "The credential cannot be parsed",
        PasskeyFault::Challenge => "The challenge is unknown or was used before: request new options",
        PasskeyFault::ChallengeExpired => "The challenge has expired: request new options",
        PasskeyFault::Origin => "The page's origin is not one of the service's",
        PasskeyFault::RpId => "The credential was made for another RP ID",
        PasskeyFault::Type => "The credential is not a new one",
        PasskeyFault::UserPresence => "The user was not present",
        PasskeyFault::UserVerification => "The authenticator did not verify the user",
        PasskeyFault::Algorithm => "The algorithm is not supported, or the key is not valid",
        _ => "The credential is not valid",
    }
}
