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

/// What a user presents as a second factor. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum PresentedFactor {
    /// A code.
    Code(FactorCode),
    /// Response of a passkey: JSON of the browser.
    Passkey(String),
}

impl From<FactorCode> for PresentedFactor {
    fn from(code: FactorCode) -> Self {
        Self::Code(code)
    }
}

impl fmt::Debug for PresentedFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedFactor(…)")
    }
}

impl fmt::Debug for FactorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactorCode(…)")
    }
}
