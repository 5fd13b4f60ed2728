//! What a user enters as a second factor.

use portcullis_domain::mfa::{RecoveryCode, TotpCode};
use std::fmt;

/// Code that a user entered. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum FactorCode {
    /// Code of an authenticator app.
    Totp(TotpCode),
    /// Recovery code.
    Recovery(RecoveryCode),
    /// Neither. Counts as a wrong code.
    Unreadable,
}

impl FactorCode {
    /// Reads six digits or a recovery code.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let totp = || TotpCode::parse(text).map(Self::Totp);
        totp().unwrap_or_else(|| Self::recovery(text))
    }

    /// Reads a recovery code.
    #[must_use]
    pub fn recovery(text: &str) -> Self {
        RecoveryCode::parse(text).map_or(Self::Unreadable, Self::Recovery)
    }
}

impl fmt::Debug for FactorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactorCode(…)")
    }
}
