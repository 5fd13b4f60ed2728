//! Reasons why a response is refused.

use std::fmt;

/// First fault of a response. A client is shown the faults of a registration only; every fault of a sign-in
/// gets the same error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasskeyFault {
    /// The response cannot be parsed.
    Malformed,
    /// The challenge is unknown, was issued for another purpose or account, or was used before.
    Challenge,
    /// The challenge is too old.
    ChallengeExpired,
    /// The page's origin is not allowed, or the page was embedded by another site.
    Origin,
    /// The RP ID is another one.
    RpId,
    /// The response is one to another kind of call.
    Type,
    /// No account has the credential, or another account than the expected one.
    Unknown,
    /// The user was not present.
    UserPresence,
    /// The user was not verified, but must be.
    UserVerification,
    /// The passkey is only a second factor, and so does not sign in.
    SecondFactorOnly,
    /// The algorithm is not supported, or the key is not one of its algorithm.
    Algorithm,
    /// The signature is not the passkey's.
    Signature,
    /// The user handle is missing or another account's.
    UserHandle,
    /// The counter did not grow, so the authenticator may have been copied.
    Counter,
}

impl PasskeyFault {
    /// Returns the name, which is also the code of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Challenge => "challenge",
            Self::ChallengeExpired => "challenge_expired",
            Self::Origin => "origin",
            Self::RpId => "rp_id",
            Self::Type => "type",
            Self::Unknown => "unknown",
            Self::UserPresence => "user_presence",
            Self::UserVerification => "user_verification",
            Self::SecondFactorOnly => "second_factor_only",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::UserHandle => "user_handle",
            Self::Counter => "counter",
        }
    }
}

impl fmt::Display for PasskeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
