//! Codes of authenticator apps.

use portcullis_domain::mfa::{TimeStep, TotpCode, TotpSecret};

/// Computes the codes of authenticator apps: HOTP (RFC 4226) with HMAC-SHA-1 over a time step (RFC 6238).
/// Which steps are accepted is decided by `portcullis_domain::mfa::matching_step`.
///
/// ```
/// use portcullis_domain::mfa::{TimeStep, TotpCode, TotpSecret, matching_step};
/// use portcullis_ports::TotpGenerator;
/// fn check(generator: &dyn TotpGenerator, secret: &TotpSecret, code: TotpCode, last: Option<TimeStep>) -> Option<TimeStep> {
///     matching_step(code, chrono::DateTime::UNIX_EPOCH, last, |step| generator.code(secret, step))
/// }
/// ```
pub trait TotpGenerator: Send + Sync {
    /// Returns the code of a time step.
    fn code(&self, secret: &TotpSecret, step: TimeStep) -> TotpCode;
}
